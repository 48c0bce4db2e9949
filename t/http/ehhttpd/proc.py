# SPDX-License-Identifier: Apache-2.0
"""Processes that cannot outlive the test run, free ports, folders that www-data may enter."""
import atexit
import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
WORK = Path(os.environ.get("EH_WORK") or ROOT / ".work")
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)
_running = []


def is_root():
    return os.geteuid() == 0


def build_dir():
    """The out-of-tree build whose modules and programs are tested."""
    return Path(os.environ.get("EH_BUILD") or WORK / "build")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def free_ports(n):
    """n different ports: all are held until the last one is known."""
    held = []
    try:
        for _ in range(n):
            s = socket.socket()
            s.bind(("127.0.0.1", 0))
            held.append(s)
        return [s.getsockname()[1] for s in held]
    finally:
        for s in held:
            s.close()


def wait_port(port, timeout=15.0, alive=None):
    """Waits until something accepts on the port. alive() false ends the wait at once."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return True
        except OSError:
            if alive is not None and not alive():
                return False
            time.sleep(0.02)
    return False


def _die_with_parent(user):
    """Runs between fork and exec. The death signal is asked for last: a change of user clears it."""
    if user is not None:
        entry = pwd.getpwnam(user)
        os.initgroups(user, entry.pw_gid)
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


class Process:
    """A child with its output in a file. detach=True: it goes on after this program (the demo)."""

    def __init__(self, argv, log, env=None, user=None, cwd=None, detach=False, stdout=None):
        self.argv = [str(a) for a in argv]
        self.log = Path(log)
        self._out = open(self.log, "ab")
        pre = (lambda: None) if detach else (lambda: _die_with_parent(user))
        self.popen = subprocess.Popen(
            self.argv, stdin=subprocess.DEVNULL, stdout=stdout or self._out, stderr=self._out, env=env, cwd=cwd,
            preexec_fn=pre, start_new_session=True)
        self.detach = detach
        if not detach:
            _running.append(self)

    @property
    def pid(self):
        return self.popen.pid

    def alive(self):
        return self.popen.poll() is None

    def kill(self, sig):
        if self.alive():
            self.popen.send_signal(sig)

    def stop(self, sig=signal.SIGTERM, timeout=15.0):
        """Ends the process; returns False when it had to be killed, with its whole group."""
        clean = True
        if self.alive():
            self.popen.send_signal(sig)
            try:
                self.popen.wait(timeout)
            except subprocess.TimeoutExpired:
                clean = False
                os.killpg(self.pid, signal.SIGKILL)
                self.popen.wait(5)
        self._out.close()
        if self in _running:
            _running.remove(self)
        return clean

    def tail(self, n=30):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-n:])


@atexit.register
def stop_all():
    for proc in list(_running):
        proc.stop(timeout=5)


class Folder:
    """A folder under /tmp that the server's run user may enter (pytest's own are 0700)."""

    def __init__(self, prefix="eh-", path=None):
        if path is None:
            path = tempfile.mkdtemp(prefix=prefix, dir=os.environ.get("EH_TMP"))
        self.path = Path(path)
        self.path.mkdir(parents=True, exist_ok=True)
        os.chmod(self.path, 0o755)

    def sub(self, name, owner=None, mode=0o755):
        path = self.path / name
        path.mkdir(exist_ok=True)
        os.chmod(path, mode)
        if owner is not None and is_root():
            shutil.chown(path, owner, owner)
        return path

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)


def run(argv, check=True, timeout=60, **kw):
    """Runs a program to its end; output as text. With check, a failure shows what it said."""
    done = subprocess.run([str(a) for a in argv], stdin=kw.pop("stdin", subprocess.DEVNULL), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=timeout, **kw)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(str(a) for a in argv)} failed ({done.returncode}):\n{done.stdout}")
    return done
