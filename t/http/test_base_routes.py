# SPDX-License-Identifier: Apache-2.0
"""What mod_ehealth does around a route: bodies, ranges, same-site, limits, events, background jobs, restarts."""
import hashlib
import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from ehhttpd.proc import free_port
from test_base import NAVIGATION, PREFIX, Answer, ask  # noqa: F401

pytestmark = pytest.mark.asan

PROBE = {"ehealth": ("ehealth", "ehprobe")}
P = PREFIX + "probe/"
STREAM = (b"abcdefghijklmnopqrstuvwxyz" * 38462)[:1000000]


def until(check, timeout=10.0):
    end = time.monotonic() + timeout
    while not (value := check()):
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.05)
    return value


# -- bodies -----------------------------------------------------------------------------------------------------------

def raw(server, data, timeout=30):
    with socket.create_connection(("127.0.0.1", server.port), timeout=timeout) as sock:
        sock.sendall(data)
        return b"".join(iter(lambda: sock.recv(65536), b""))


def test_body_arrives_whole(httpd):
    server = httpd(**PROBE)
    for size in (0, 1, 8191, 8192, 8193, 99999, 100000):
        body = os.urandom(size)
        got = ask(server, P + "body", "POST", body=body).json()
        assert (got["len"], got["sha256"]) == (size, hashlib.sha256(body).hexdigest())
    chunked = b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in (b"hello ", b"w" * 5000)) + b"0\r\n\r\n"
    head = b"POST %sbody HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n" % P.encode()
    assert b'"len":5006' in raw(server, head + chunked)


def test_body_too_large(httpd):
    server = httpd(**PROBE)
    got = ask(server, P + "body", "POST", headers={"Expect": "100-continue"}, body=b"x" * 100001)
    assert (got.status, got.get("x-ehealth-error"), got.get("connection")) == (413, "EH1003", "close")
    chunk = b"%x\r\n%s\r\n" % (60000, b"x" * 60000)
    head = b"POST %sbody HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" % P.encode()
    data = raw(server, head + chunk * 2 + b"0\r\n\r\n")
    assert data.startswith(b"HTTP/1.1 413") and b"EH1003" in data
    for answer in (ask(server, P + "said/x", "GET", body=b"z"), ask(server, P + "stream", headers={"Transfer-Encoding": "chunked"})):
        assert answer.status == 413
    server = httpd("LimitRequestBody 1000\n", **PROBE)
    server.allow("AH01587|AH00588|AH01588")
    assert ask(server, P + "body", "POST", body=b"x" * 2000).status == 413


def test_body_that_stops(httpd):
    """A client that stops in the middle gets its answer when the server's patience ends, and holds no thread longer."""
    server = httpd("Timeout 1\nRequestReadTimeout body=0\n", **PROBE)
    server.allow("AH01382|EH3005")
    start = time.monotonic()
    data = raw(server, b"POST %sbody HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\nabc" % P.encode())
    assert data.startswith(b"HTTP/1.1 408") and b"EH3005" in data
    assert time.monotonic() - start < 5


def test_request_smuggling_is_refused(httpd):
    server = httpd(**PROBE)
    data = raw(server, b"POST %sbody HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
                       b"0\r\n\r\nGET /.ehealth/metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" % P.encode())
    assert data.count(b"HTTP/1.1 200") <= 1  # either refused, or the connection is closed after the first


# -- answers ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("headers, status, slice_", [
    ({}, 200, slice(None)),
    ({"Range": "bytes=0-0"}, 206, slice(0, 1)),
    ({"Range": "bytes=777-1554"}, 206, slice(777, 1555)),
    ({"Range": "bytes=999990-"}, 206, slice(999990, None)),
    ({"Range": "bytes=999990-99999999"}, 206, slice(999990, None)),
    ({"Range": "bytes=-5"}, 206, slice(999995, None)),
    ({"Range": "bytes=-99999999"}, 206, slice(None)),
    ({"Range": "bytes=5-4"}, 200, slice(None)),
    ({"Range": "bytes=x-4"}, 200, slice(None)),
    ({"Range": "lines=0-4"}, 200, slice(None)),
    ({"Range": "bytes=0-1,5-6"}, 200, slice(None)),
    ({"Range": "bytes=0-9", "If-Range": '"v1"'}, 206, slice(0, 10)),
    ({"Range": "bytes=0-9", "If-Range": '"v0"'}, 200, slice(None)),
    ({"Range": "bytes=0-9", "If-Range": 'W/"v1"'}, 200, slice(None)),
    ({"Range": "bytes=1000000-"}, 416, None),
    ({"Range": "bytes=-0"}, 416, None),
    ({"If-None-Match": '"v1"'}, 304, None),
    ({"If-Match": '"v0"'}, 412, None),
])
def test_ranges(httpd, headers, status, slice_):
    got = ask(httpd(**PROBE), P + "stream", headers=headers)
    assert got.status == status
    if slice_:
        assert got.body == STREAM[slice_]
    if status == 206:
        start, stop, _ = slice_.indices(1000000)
        assert got.get("content-range") == f"bytes {start}-{stop - 1}/1000000"
    elif status == 416:
        assert got.get("content-range") == "bytes */1000000" and got.body == b""


def test_head_and_broken_stream(httpd):
    server = httpd(**PROBE)
    head = ask(server, P + "stream", "HEAD", headers={"Range": "bytes=0-9"})
    assert (head.status, head.body, head.get("content-length")) == (200, b"", "1000000")
    server.expect("EH1000: an answer broke off")
    data = raw(server, b"GET %sstream?break HTTP/1.1\r\nHost: h\r\n\r\n" % P.encode())
    assert len(data) < 1000000 and b"Content-Length: 1000000" in data  # closed early: the client can tell


def test_slow_reader_does_not_cost_memory(httpd):
    """The producer waits for the client, whatever the length."""
    server = httpd(mpm="worker", **PROBE)
    with socket.create_connection(("127.0.0.1", server.port)) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.sendall(b"GET %sstream HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" % P.encode())
        time.sleep(0.3)
        got = b"".join(iter(lambda: sock.recv(65536), b""))
    assert got.endswith(STREAM[-100:])


def test_parameters_and_cookies(httpd):
    server = httpd(**PROBE)
    got = ask(server, P + "said/caf%C3%A9?x=%41&y")
    assert got.json() == {"name": "café", "query": "x=%41&y", "remote": "127.0.0.1", "public_url": server.url}
    assert [v for k, v in got.headers if k.lower() == "set-cookie"] == ["a=1; Path=/", "b=2; Path=/"]
    assert got.get("cache-control") == "no-store" and got.get("x-content-type-options") == "nosniff"


def test_errors_of_routes(httpd):
    server = httpd('EHealthContact "Helpdesk <4444>"\n', **PROBE)
    server.expect("EH2000: .*secret cause.*correlation=")
    got = ask(server, P + "refuse", headers={"Accept": "application/json"})
    assert (got.status, got.get("retry-after"), got.json()["detail"]) == (503, "7", "Told by the probe.")
    page = ask(server, P + "refuse")
    assert page.get("content-type").startswith("text/html") and "Helpdesk &lt;4444&gt;" in page.text
    assert "secret cause" not in page.text + got.text
    server.expect("EH1000: .*without a reason")
    assert ask(server, P + "silent").status == 500
    got = ask(server, P + "members")
    assert (got.status, got.get("www-authenticate"), got.get("x-ehealth-error")) == (401, "EHealth", "EH4000")


def test_error_told_by_another_module(httpd):
    server = httpd('<Location /app>\nSetHandler ehprobe-fail\n</Location>\nHeader always set X-Site "mine"\n', **PROBE)
    got = ask(server, "/app")
    assert (got.status, got.json()["code"], got.get("x-site")) == (401, "EH4000", "mine")


@pytest.mark.parametrize("headers, status", [
    ({}, 403),
    ({"Sec-Fetch-Site": "same-origin"}, 200),
    ({"Sec-Fetch-Site": "same-site"}, 403),
    ({"Sec-Fetch-Site": "cross-site"}, 403),
    ({"Sec-Fetch-Site": "none"}, 403),
    ({"Sec-Fetch-Site": "cross-site", "Origin": "{url}"}, 403),
    ({"Origin": "{url}"}, 200),
    ({"Origin": "{url}.evil.example"}, 403),
    ({"Origin": "null"}, 403),
    ({"Origin": "https://evil.example"}, 403),
    ({"Referer": "{url}/"}, 403),
])
def test_same_site(httpd, headers, status):
    server = httpd(**PROBE)
    sent = {k: v.replace("{url}", server.url) for k, v in headers.items()}
    got = ask(server, P + "same-site", "POST", headers=sent, body=b"")
    assert got.status == status
    if status == 403:
        assert got.get("x-ehealth-error") == "EH3004"


# -- limits -----------------------------------------------------------------------------------------------------------

def binding(n):
    return {"Cookie": f"eh-b={'b' * 20}{n}"}


def test_limit_per_browser(httpd):
    server = httpd("EHealthLimit probe 3 60\n", **PROBE)
    for left in (2, 1, 0):
        got = ask(server, P + "limited", headers=binding(1))
        assert got.status == 200
        assert got.get("ratelimit-policy") == '"probe";q=3;w=60'
        assert got.get("ratelimit").startswith(f'"probe";r={left};t=')
    over = ask(server, P + "limited", headers=binding(1))
    assert (over.status, over.get("x-ehealth-error")) == (429, "EH3003")
    assert 1 <= int(over.get("retry-after")) <= 20
    assert over.get("ratelimit").startswith('"probe";r=0;t=')
    assert ask(server, P + "limited", headers=binding(2)).status == 200  # another browser behind the same address
    assert ask(server, P + "limited").status == 200
    assert 'ehealth_limited_total 1' in ask(server, PREFIX + "metrics").text


def test_ceiling_of_an_address(httpd):
    """New cookies for each request do not get around it, and neither does a restart."""
    server = httpd("EHealthLimit address 5 60\n", **PROBE)
    assert [ask(server, P + "limited", headers=binding(n)).status for n in range(7)] == [200] * 5 + [429] * 2
    server.graceful()
    assert ask(server, P + "limited", headers=binding(99)).status == 429


def test_limit_off_and_per_host(httpd):
    conf = ("EHealthLimit probe 1 60\n<VirtualHost *:${PORT}>\nServerName a.example\n</VirtualHost>\n"
            "<VirtualHost *:${PORT}>\nServerName b.example\nEHealthLimit probe 0 60\n</VirtualHost>\n")
    server = httpd(conf, **PROBE)
    b = {**binding(1), "Host": "b.example"}
    a = {**binding(1), "Host": "a.example"}
    assert [ask(server, P + "limited", headers=b).status for _ in range(3)] == [200] * 3
    assert [ask(server, P + "limited", headers=a).status for _ in range(2)] == [200, 429]


# -- events -----------------------------------------------------------------------------------------------------------

NASTY = ['plain', 'q"uote \\ back', 'caf\u00e9', 'tab\there', '\x7f\x1b[31m', 'x' * 3000]


def events(server, path):
    lines = Path(path).read_bytes().split(b"\n")
    assert lines[-1] == b""
    return [json.loads(line) for line in lines[:-1]]


@pytest.mark.parametrize("kind", ["file", "pipe"])
def test_event_log_is_json(httpd, kind):
    target = "${DIR}/logs/events.json"
    server = httpd(f'HttpProtocolOptions Unsafe\nEHealthEventLog "{target if kind == "file" else "|$cat >> " + target}"\n', **PROBE)
    path = server.dir / "logs" / "events.json"
    for agent in NASTY:
        got = ask(server, P + "event", headers={"User-Agent": agent})
        assert got.status == 200
    got = until(lambda: len(path.read_bytes().splitlines()) == len(NASTY) and events(server, path))
    assert [e["event"] for e in got] == ["probe.event"] * len(NASTY)
    assert got[0]["remote"] == "127.0.0.1" and got[0]["host"] == server.url and len(got[0]["correlation"]) == 16


def test_event_log_is_reopened(httpd):
    server = httpd('EHealthEventLog "${DIR}/logs/events.json"\n', **PROBE)
    path = server.dir / "logs" / "events.json"
    ask(server, P + "event")
    path.rename(path.with_suffix(".1"))
    server.graceful()
    until(lambda: ask(server, P + "event").status == 200 and path.exists() and events(server, path))
    assert len(events(server, path.with_suffix(".1"))) >= 1


# -- background work --------------------------------------------------------------------------------------------------

def counts(server):
    return ask(server, P + "counts").json()


def status(server):
    return ask(server, PREFIX + "status").json()


def job(server, name):
    return next(j for j in status(server)["jobs"] if j["name"] == name)


@pytest.mark.parametrize("mpm", ["event", "worker", "prefork"])
def test_jobs_run_in_every_mpm(httpd, mpm):
    server = httpd(mpm=mpm, **PROBE)
    until(lambda: counts(server)["node_runs"] > 5)
    a, start = counts(server), time.monotonic()
    time.sleep(1.0)
    b, took = counts(server), time.monotonic() - start
    # one child runs the node's job every 50 ms; with at least two children the other counter grows faster
    assert 5 <= b["node_runs"] - a["node_runs"] <= took / 0.05 + 2
    assert b["child_runs"] - a["child_runs"] > 1.3 * (b["node_runs"] - a["node_runs"])
    assert status(server)["probe"] == {"says": "hello"} and status(server)["mpm"] == mpm


def test_node_job_moves_from_a_killed_child(httpd):
    server = httpd(**PROBE)
    server.allow("exit signal Killed|AH00052")
    until(lambda: counts(server)["node_runs"] > 5)
    for _ in range(3):
        leader = job(server, "probe-node")["pid"]
        assert leader in server.children()
        os.kill(leader, signal.SIGKILL)
        killed = time.monotonic()
        before = counts(server)["node_runs"]
        until(lambda: job(server, "probe-node")["pid"] != leader and counts(server)["node_runs"] > before + 1)
        assert time.monotonic() - killed < 2.5


def test_failing_job_backs_off_and_the_thread_lives(httpd):
    server = httpd(defines={"EHPROBE_FAILS": "1"}, **PROBE)
    server.allow("background job probe-fails has failed 5 times in a row")
    failing = until(lambda: job(server, "probe-fails")["failures"] >= 2 and job(server, "probe-fails"))
    assert failing["error"] == "EH1000" and failing["last_ok"] is None
    runs = counts(server)["node_runs"]
    until(lambda: counts(server)["node_runs"] > runs + 10)
    assert job(server, "probe-fails")["runs"] < 10
    assert 'ehealth_jobs_total{result="failed"}' in ask(server, PREFIX + "metrics").text


def test_background_off(httpd):
    server = httpd("EHealthBackground Off\n", **PROBE)
    time.sleep(0.5)
    assert counts(server)["child_runs"] == 0


def test_database_that_is_down_does_not_stop_the_server(httpd):
    port = free_port()
    server = httpd(database=("pgsql", f"host=127.0.0.1 port={port} dbname=x connect_timeout=2"), **PROBE)
    server.allow("EH200[0-2]|background job .* has failed")
    (server.dir / "htdocs" / "a.txt").write_text("hello")
    assert ask(server, "/a.txt").text == "hello"
    told = status(server)["database"]
    assert (told["driver"], told["reachable"]) == ("pgsql", False) and told["error"] in ("EH2000", "EH2001")
    server.graceful()
    assert ask(server, "/a.txt").text == "hello"
    until(lambda: counts(server)["child_runs"] > 0)
    assert "dbname" not in server.log_text()


def test_wrong_schema_is_said_once_and_mended_live(httpd, postgres):
    """A PostgreSQL without our tables: one line in words; `ehctl migrate` mends it without a restart."""
    params = postgres.params(postgres.create_database())
    server = httpd(database=("pgsql", params), **PROBE)
    server.expect("EH2006")
    server.allow("EH2003|background job .* has failed")
    until(lambda: "EH2006" in server.log_text())
    told = status(server)["database"]
    assert (told["reachable"], told["error"]) == (True, "EH2006")
    time.sleep(0.5)
    assert server.log_text().count("EH2006") == 1


# -- restarts ---------------------------------------------------------------------------------------------------------

def resources(pid):
    """File descriptors, threads and shared mappings of the parent: what a leak at each restart would make grow."""
    proc = Path(f"/proc/{pid}")
    maps = [line for line in (proc / "maps").read_text().splitlines() if "/dev/zero (deleted)" in line]
    return {"fd": len(list((proc / "fd").iterdir())), "threads": len(list((proc / "task").iterdir())), "shm": len(maps)}


@pytest.mark.parametrize("mpm", ["event", "prefork"])
def test_restarts_leak_nothing(httpd, mpm):
    server = httpd('EHealthEventLog "${DIR}/logs/events.json"\n', mpm=mpm, **PROBE)
    server.graceful()
    server.graceful()
    before = resources(server.process.pid)
    requests = ask(server, PREFIX + "x").status == 404 and metric(server, 'ehealth_requests_total{result="error"}')
    for _ in range(20):
        server.graceful()
    assert resources(server.process.pid) == before
    assert metric(server, 'ehealth_requests_total{result="error"}') >= requests  # counters do not jump back
    assert status(server)["generation"] >= 22
    until(lambda: counts(server)["node_runs"] > 3)  # the runner works in the newest generation too
    server.restart()
    assert status(server)["uptime_s"] >= 0
    ended = time.monotonic()
    server.stop()
    assert time.monotonic() - ended < 5


def metric(server, name):
    for line in ask(server, PREFIX + "metrics").text.splitlines():
        if line.startswith(name + " "):
            return float(line.split()[-1])
    raise AssertionError(f"no metric {name}")


@pytest.mark.parametrize("mpm", ["worker", "prefork"])
def test_smoke_on_other_mpms(httpd, mpm):
    server = httpd(mpm=mpm, **PROBE)
    assert ask(server, P + "stream", headers={"Range": "bytes=5-9"}).body == STREAM[5:10]
    assert ask(server, P + "body", "POST", body=b"x" * 50000).json()["len"] == 50000
    assert ask(server, PREFIX + "x").status == 404
    server.graceful()
    assert ask(server, PREFIX + "status").status == 200


def test_exports_only_the_module():
    from ehhttpd.httpd import our_module
    names = subprocess.run(["nm", "-D", "--defined-only", our_module("ehealth")], capture_output=True, text=True).stdout
    assert [line.split()[-1] for line in names.splitlines()] == ["ehealth_module"]
