# SPDX-License-Identifier: Apache-2.0
"""demo.py start|stop: the demonstration, left running. What it started stands in .work/demo.json."""
import json
import os
import shutil
import signal
import socket
import sys
import time
from pathlib import Path

from world import World, proc

from ehhttpd import Browser, Httpd, portal as portal_module

STATE = proc.WORK / "demo.json"
PORT = 8480  # the usual one; another when it is taken


def started_at(pid):
    """Start time of a process in clock ticks, None when it is gone: a pid alone may have become someone else's."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19])
    except (OSError, IndexError):
        return None


def usual_port():
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", PORT))
            return PORT
        except OSError:
            return proc.free_port()


def end(pids):
    live = [(pid, ticks) for pid, ticks in pids if ticks is not None and started_at(pid) == ticks]
    for pid, _ in live:
        os.kill(pid, signal.SIGTERM)
    limit = time.monotonic() + 15
    while any(started_at(pid) == ticks for pid, ticks in live):
        if time.monotonic() > limit:
            for pid, ticks in live:
                if started_at(pid) == ticks:
                    os.killpg(pid, signal.SIGKILL)
            break
        time.sleep(0.05)


def stop(quiet=False):
    if not STATE.exists():
        if not quiet:
            print("The demonstration is not running.")
        return
    state = json.loads(STATE.read_text())
    end([tuple(item) for item in state["pids"]])
    shutil.rmtree(state["folder"], ignore_errors=True)
    STATE.unlink()
    if not quiet:
        print("The demonstration is stopped; its data is removed.")


def start():
    stop(quiet=True)  # a second start begins afresh
    folder = proc.Folder(prefix="eh-demo-")
    pids = []

    def keep(process):
        pids.append((process.pid, started_at(process.pid)))
        STATE.write_text(json.dumps({"pids": pids, "folder": str(folder.path)}))

    try:
        STATE.parent.mkdir(parents=True, exist_ok=True)
        portal_port = proc.free_port()
        keep(proc.Process([sys.executable, portal_module.__file__, portal_port], folder.path / "portal.log", detach=True))
        world = World(f"http://127.0.0.1:{portal_port}", folder=folder.path, port=usual_port(), detach=True)
        world.op.start()
        keep(world.op.process)
        world.httpd.start()
        keep(world.httpd.process)
        Httpd.live.clear()
        if not proc.wait_port(portal_port, 10):
            raise RuntimeError("the portal did not start")
        page = Browser().get(world.url + "/")
        if page.status != 200:
            raise RuntimeError(f"the start page answers {page.status}:\n{world.httpd.log_text()}")
    except BaseException as err:
        end(pids)
        shutil.rmtree(folder.path, ignore_errors=True)
        STATE.unlink(missing_ok=True)
        if isinstance(err, RuntimeError):
            sys.exit(f"demo: {err}")
        raise
    print(f"""
The demonstration runs. Open

    {world.url}/

choose Pro Santé Connect or I.AM Connect, and be one of the invented people.
    status   {world.url}/.ehealth/status
    metrics  {world.url}/.ehealth/metrics
    logs     {world.httpd.dir}/logs/

It goes on until:  ./setup demo --stop""")


if __name__ == "__main__":
    {"start": start, "stop": stop}[sys.argv[1]]()
