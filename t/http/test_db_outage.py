# SPDX-License-Identifier: Apache-2.0
"""
The database goes away under writing load: restarted, frozen, down while children start. What must hold: an answer 201
means a committed row and no other answer but EH2005 (outcome unknown) may have left one; nobody waits beyond the
deadlines; no child dies; when the database is back, so are we, within a second and without touching httpd.

EH_TORTURE=1 freezes for 60 s and writes 200 times a second all along (t/torture); else shorter and gentler.
"""
import http.client
import os
import threading
import time

import pytest

from ehhttpd import Postgres

LONG = os.environ.get("EH_TORTURE") == "1"
RATE = 200 if LONG else 100          # requests a second
WORKERS = 48
FREEZE = 60 if LONG else 4           # s
ACQUIRE, QUERY, CONNECT = 0.5, 2.0, 3.0
# acquire, then either a connect or a query, then as much again for the one retry; and scheduling on two busy cores
DEADLINE = 2 * ACQUIRE + QUERY + CONNECT + 2.0


class Load:
    """Writes at a steady rate from many connections and remembers every answer."""

    def __init__(self, port):
        self.port, self.answers, self.stop = port, [], threading.Event()
        self._lock, self._n, self._start = threading.Lock(), 0, time.monotonic()
        self.threads = [threading.Thread(target=self._work, daemon=True) for _ in range(WORKERS)]
        for thread in self.threads:
            thread.start()

    def _next(self):
        with self._lock:
            self._n += 1
            return self._n

    def _work(self):
        while not self.stop.is_set():
            n = self._next()
            wait = self._start + n / RATE - time.monotonic()
            if wait > 0:
                if self.stop.wait(wait):
                    return
            began = time.monotonic()
            try:
                # a connection each: httpd may close an idle one just when the next request is on its way
                link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
                link.request("POST", "/.ehealth/probe/write", body=f"row-{n}", headers={"Content-Type": "text/plain"})
                res = link.getresponse()
                res.read()
                link.close()
                status, code = res.status, res.getheader("X-EHealth-Error")
            except (OSError, http.client.HTTPException) as failed:
                status, code = repr(failed), None
            with self._lock:
                self.answers.append((began, time.monotonic() - began, f"row-{n}", status, code))

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join(timeout=60)
        assert not any(t.is_alive() for t in self.threads), "a request never ended"
        return sorted(self.answers)


@pytest.fixture(scope="module")
def postgres():
    """A cluster of its own: it is shot down, and what it has confirmed must then still be there."""
    server = Postgres({"synchronous_commit": "on"}).start()
    yield server
    server.close()


def server_on(httpd, postgres):
    name = postgres.create_database()
    db = postgres.connect(name)
    db.cursor().execute("CREATE TABLE eh_probe (id text PRIMARY KEY, at bigint NOT NULL)")
    db.close()
    server = httpd(f"EHealthDatabaseTimeout {int(ACQUIRE * 1000)} {int(QUERY * 1000)}\nEHealthDatabaseConnections 12\n",
                   ehealth=("ehealth", "ehprobe"), database=("pgsql", postgres.params(name)))
    # what an outage must and may say: each refused request its code, the jobs and the breaker theirs
    server.allow(r"EH200[0-26]|EH2005|database|background job [a-z-]+ has failed")
    # libpq itself, to stderr, when the server ends a session in the middle of its making: nothing was asked yet
    server.allow(r"^(FATAL|WARNING):  terminating connection due to (administrator|immediate shutdown) command")
    return server, name


def judge(answers, back, postgres, name, children_before, server):
    rows = {r for (r,) in fetch(postgres, name)}
    stored = {row for _, _, row, status, _ in answers if status == 201}
    unknown = {row for _, _, row, _, code in answers if code == "EH2005"}
    odd = {(s, c) for _, _, _, s, c in answers if s != 201 and (s, c) not in
           {(503, "EH2000"), (503, "EH2001"), (503, "EH2002"), (503, "EH2005"), (503, "EH2006")}}
    slowest = max(t for _, t, _, _, _ in answers)
    first_ok = min((b + t for b, t, _, s, _ in answers if s == 201 and b + t >= back), default=None)
    late = [s for b, t, _, s, _ in answers if b > back + 1.0]
    print(f"\n{len(answers)} writes, {len(stored)} stored, {len(unknown)} unknown, slowest {slowest:.2f} s, "
          f"first success {first_ok - back if first_ok else None} s after the database was back")
    assert not odd, f"answers that no outage explains: {odd}"
    assert stored <= rows, f"201 without a row: {sorted(stored - rows)[:5]}"
    assert rows <= stored | unknown, f"a refusal that stored: {sorted(rows - stored - unknown)[:5]}"
    assert slowest < DEADLINE, f"a request took {slowest:.1f} s"
    assert first_ok is not None and first_ok - back < 1.0, "no success within a second"
    assert late and all(s == 201 for s in late), f"still failing a second later: {[s for s in late if s != 201][:5]}"
    assert children_before <= set(server.children()), "a child is gone"


def fetch(postgres, name):
    db = postgres.connect(name)
    cur = db.cursor()
    cur.execute("SELECT id FROM eh_probe")
    out = cur.fetchall()
    db.close()
    return out


def settle(load, at_least=50):
    end = time.monotonic() + 15
    while sum(1 for a in list(load.answers) if a[3] == 201) < at_least:
        assert time.monotonic() < end, f"no success under load: {load.answers[-3:]}"
        time.sleep(0.05)


@pytest.mark.parametrize("how", ["fast", "immediate"])
def test_restart(httpd, postgres, how):
    server, name = server_on(httpd, postgres)
    children = set(server.children())
    load = Load(server.port)
    settle(load)
    postgres.restart(immediate=how == "immediate")
    back = time.monotonic()
    time.sleep(3)
    judge(load.end(), back, postgres, name, children, server)


def test_freeze(httpd, postgres):
    server, name = server_on(httpd, postgres)
    children = set(server.children())
    load = Load(server.port)
    settle(load)
    postgres.freeze()
    time.sleep(FREEZE)
    postgres.thaw()
    back = time.monotonic()
    time.sleep(3)
    judge(load.end(), back, postgres, name, children, server)


def test_down_while_children_start(httpd, postgres):
    server, name = server_on(httpd, postgres)
    postgres.stop()
    server.restart()
    children = set(server.children())
    load = Load(server.port)
    time.sleep(3)
    assert load.answers and all(a[3] == 503 for a in load.answers)
    postgres.start()
    back = time.monotonic()
    time.sleep(3)
    judge(load.end(), back, postgres, name, children, server)
