# SPDX-License-Identifier: Apache-2.0
"""soak.py SECONDS: people log in, work, are refused and log out, for as long as told; the server restarts gracefully in the
first half and must not grow in the second. Prints one JSON object. Used by ./setup torture."""
import json
import random
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "demo"))

from world import World  # noqa: E402

from ehhttpd import Browser, Portal  # noqa: E402

PEOPLE = [("psc", "Hélène", 200), ("psc", "Maëlys", 200), ("psc", "Zoë", 403), ("psc", "Chloé", 403),
          ("iam", "Hélène", 200), ("iam", "Maëlys", 200), ("iam", "François", 403), ("iam", "Núria", 403)]
THREADS = 4
REQUESTS = 25        # after each log-in
GRACEFUL_EVERY = 20  # s, in the first half
GROWTH = 1.25        # private memory of a child at the end, against the middle
SLACK = 4 << 20      # bytes, for what allocators keep
# a soak is one address with thousands of log-ins: its ceilings are out of the way
LIMITS = "EHealthLimit login 100000 60\nEHealthLimit callback 100000 60\nEHealthLimit logout 100000 60\n" \
         "EHealthLimit session 100000 60\n"


class Crowd:
    def __init__(self, world):
        self.world, self.stop = world, threading.Event()
        self.lock, self.logins, self.requests, self.faults = threading.Lock(), 0, 0, []
        self.threads = [threading.Thread(target=self._run, args=(n,), daemon=True) for n in range(THREADS)]
        for thread in self.threads:
            thread.start()

    def _run(self, seed):
        rnd = random.Random(seed)
        while not self.stop.is_set():
            try:
                self._person(*rnd.choice(PEOPLE))
            except Exception as err:  # the soak goes on, its verdict will not
                with self.lock:
                    self.faults.append(f"{type(err).__name__}: {err}")
                time.sleep(0.5)

    def _person(self, shape, who, status):
        browser, url = Browser(), self.world.url
        browser.get(f"{url}/portal/{shape}/")
        page = browser.submit(who)
        assert page.status == status, f"{who}: {page} {page.words[:160]}"
        for _ in range(REQUESTS):
            answer = browser.get(f"{url}/portal/{shape}/whoami", follow=False)
            assert answer.status == status, f"{who}: {answer}"
        browser.get(url + "/.ehealth/logout")
        browser.submit()
        assert browser.get(f"{url}/portal/{shape}/whoami", follow=False).status == 302
        with self.lock:
            self.logins += 1
            self.requests += REQUESTS + 6

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join(60)


def private_bytes(pid):
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return 1024 * sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Private_"))


def measure(server):
    """Private memory and open files of each child."""
    return {pid: (private_bytes(pid), len(list(Path(f"/proc/{pid}/fd").iterdir()))) for pid in server.children()}


def soak(seconds):
    portal, began = Portal(), time.monotonic()
    world = World(portal.url, more=LIMITS).start()
    try:
        crowd = Crowd(world)
        restarts = 0
        while time.monotonic() < began + seconds / 2:
            time.sleep(min(GRACEFUL_EVERY, seconds / 8))
            world.httpd.graceful()
            restarts += 1
        time.sleep(seconds / 8)  # caches fill again
        middle = measure(world.httpd)
        time.sleep(max(0, began + seconds - time.monotonic()))
        end = measure(world.httpd)
        crowd.end()
        faults = list(crowd.faults)
        for pid, (memory, files) in end.items():
            if pid not in middle:
                faults.append("a child was replaced in the second half")
            elif memory > middle[pid][0] * GROWTH + SLACK:
                faults.append(f"a child grew from {middle[pid][0]} to {memory} bytes")
            elif files > middle[pid][1] + 40:
                faults.append(f"a child went from {middle[pid][1]} to {files} open files")
    finally:
        log = None
        try:
            world.stop()
        except AssertionError as err:
            log = str(err)
        portal.close()
    if log:
        faults.append(log)
    return {"passed": not faults and crowd.logins > 0, "seconds": round(time.monotonic() - began),
            "executions": crowd.requests, "logins": crowd.logins, "restarts": restarts, "faults": faults[:20],
            "child_bytes": {"middle": max(m for m, _ in middle.values()), "end": max(m for m, _ in end.values())}}


if __name__ == "__main__":
    result = soak(float(sys.argv[1]))
    print(json.dumps(result))
    sys.exit(0 if result["passed"] else 1)
