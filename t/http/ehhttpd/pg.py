# SPDX-License-Identifier: Apache-2.0
"""A private PostgreSQL cluster on loopback, with a password and without durability."""
import os
import secrets
import signal
import time
from pathlib import Path

from . import proc


def bindir():
    """Newest installed PostgreSQL's programs; None when there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    return found[-1].parent if found else None


class Postgres:
    def __init__(self, settings=None):
        if bindir() is None:
            raise RuntimeError("PostgreSQL is missing: apt-get install postgresql")
        self.folder = proc.Folder(prefix="eh-pg-")
        self.user = "postgres" if proc.is_root() else None
        self.data = self.folder.sub("data", owner=self.user, mode=0o700)
        self.logs = self.folder.sub("logs", owner=self.user)
        self.port = proc.free_port()
        self.password = secrets.token_urlsafe(12)
        self.process = None
        self._n = 0
        pwfile = self.folder.path / "password"
        pwfile.write_text(self.password + "\n")
        self._run([bindir() / "initdb", "-D", self.data, "-U", "eh", "-A", "scram-sha-256", f"--pwfile={pwfile}",
                   "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"])
        pwfile.unlink()
        conf = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": "", "fsync": "off",
                "synchronous_commit": "off", "full_page_writes": "off", "max_connections": 200,
                "shared_buffers": "16MB", "dynamic_shared_memory_type": "mmap", "log_min_messages": "warning",
                "autovacuum": "off", **(settings or {})}
        with open(self.data / "postgresql.conf", "a") as out:
            out.writelines(f"{k} = '{v}'\n" for k, v in conf.items())

    def _run(self, argv):
        kw = {"preexec_fn": lambda: proc._die_with_parent(self.user), "cwd": "/"}
        return proc.run(argv, timeout=120, env={**os.environ, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}, **kw)

    def start(self, timeout=30):
        env = {**os.environ, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
        self.process = proc.Process([bindir() / "postgres", "-D", self.data], self.folder.path / "postgres.log", env=env,
                                    user=self.user, cwd="/")
        end = time.monotonic() + timeout
        while True:
            try:
                self.connect("postgres").close()
                return self
            except Exception:
                if not self.process.alive() or time.monotonic() > end:
                    raise RuntimeError("PostgreSQL did not start:\n" + self.process.tail()) from None
                time.sleep(0.05)

    def stop(self, immediate=False):
        """Fast shutdown (SIGINT) or, immediate, the one that leaves recovery to the next start (SIGQUIT)."""
        if self.process is not None:
            self.process.stop(signal.SIGQUIT if immediate else signal.SIGINT, timeout=30)
            self.process = None

    def close(self):
        self.stop(immediate=True)
        self.folder.remove()

    def restart(self, immediate=False):
        self.stop(immediate)
        self.start()

    def freeze(self):
        """SIGSTOP to every process of the cluster: the kernel still accepts connections, nobody answers."""
        self._all(signal.SIGSTOP)

    def thaw(self):
        self._all(signal.SIGCONT)

    def _all(self, sig):
        # the postmaster first, so that it forks nothing between; start_new_session makes it a group of its own,
        # but each backend calls setsid: ask for the children instead
        pid = self.process.pid
        os.kill(pid, sig)
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            try:
                os.kill(int(child), sig)
            except ProcessLookupError:
                pass

    def connect(self, database):
        import psycopg2
        db = psycopg2.connect(host="127.0.0.1", port=self.port, user="eh", password=self.password, dbname=database,
                              connect_timeout=5)
        db.autocommit = True
        return db

    def create_database(self):
        """A new empty database; returns its name."""
        self._n += 1
        name = f"eh{self._n}"
        db = self.connect("postgres")
        db.cursor().execute(f"CREATE DATABASE {name} TEMPLATE template0")
        db.close()
        return name

    def params(self, database):
        """libpq's connection string, as EHealthDatabase takes it."""
        return (f"host=127.0.0.1 port={self.port} dbname={database} user=eh password={self.password} "
                "connect_timeout=3")

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        self.close()
