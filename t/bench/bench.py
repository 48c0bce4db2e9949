# SPDX-License-Identifier: Apache-2.0
"""What a session costs a request: plain httpd, ours, Debian's mod_auth_openidc and mod_auth_tkt, in interleaved rounds of
one run. httpd has core 0, load and back end core 1. Writes t/bench/results/<date>-<commit>.md. See run.sh."""
import argparse
import datetime
import hashlib
import http.cookiejar
import json
import os
import random
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT / "t" / "http")]

from ehhttpd.keyfile import write_keys  # noqa: E402
from op import Op  # noqa: E402

MODULES = Path("/usr/lib/apache2/modules")
HTTPD = "/usr/sbin/apache2"
SERVER_CORE, LOAD_CORE = 0, 1
CONNECTIONS = 16
BODY = b"x" * 1024
BEGAN = time.monotonic()
TICKS = os.sysconf("SC_CLK_TCK")
# the goals of the issue: added µs a request, MiB PSS a child over plain
GOALS = {"static": 8.0, "proxy": 10.0, "pss": 2.0}

BASE = """ServerRoot "{dir}"
PidFile "{dir}/httpd.pid"
DefaultRuntimeDir "{dir}"
Mutex file:{dir} default
ErrorLog "{dir}/error.log"
LogLevel warn
Listen 127.0.0.1:{port}
ServerName 127.0.0.1:{port}
ServerTokens Prod
Timeout 60
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 30
LoadModule mpm_event_module "{modules}/mod_mpm_event.so"
StartServers {children}
ServerLimit {children}
ThreadLimit {threads}
ThreadsPerChild {threads}
MaxRequestWorkers {workers}
MinSpareThreads 1
MaxSpareThreads {workers}
MaxConnectionsPerChild 0
User {user}
Group {user}
{loads}
TypesConfig /etc/mime.types
RequestReadTimeout header=20-40,MinRate=500 body=20,MinRate=500
DocumentRoot "{docroot}"
EnableSendfile On
<Directory />
  Options FollowSymLinks
  AllowOverride None
  Require all denied
</Directory>
<Directory "{docroot}">
  Require all granted
</Directory>
Alias "/open" "{docroot}"
{proxy}
"""
PROXY = """LoadModule proxy_module "{modules}/mod_proxy.so"
LoadModule proxy_http_module "{modules}/mod_proxy_http.so"
ProxyPass "/cb" "!"
ProxyPass "/open" "!"
ProxyPass "/" "http://127.0.0.1:{backend}/" enablereuse=on keepalive=On
<Proxy "*">
  Require all granted
</Proxy>
"""
OURS = """LoadModule ehealth_module "{build}/.libs/mod_ehealth.so"
LoadModule ehealth_oidc_module "{build}/.libs/mod_ehealth_oidc.so"
EHealthStateDir "{dir}/state"
EHealthKeyFile "{dir}/keys"
EHealthPublicURL http://127.0.0.1:{port}
EHealthOutboundHTTP loopback
EHealthBackground {background}
EHealthLimit session 1000000 1
<EHealthTenant st-jean>
  EHealthStructure finess:990000101
</EHealthTenant>
<EHealthProvider psc>
  EHealthPreset prosanteconnect
  EHealthIssuer {issuer}
  EHealthMetadataURL {metadata}
  EHealthClientID bench
  EHealthClientSecret bench-secret-bench-secret-bench-secret
</EHealthProvider>
<Location "/">
  AuthType ehealth
  EHealthLogin psc
  <RequireAll>
    Require ehealth-role nurse physician
    Require ehealth-member st-jean
  </RequireAll>
  EHealthIdentityHeader X-Remote-User %{{account}}
  EHealthIdentityHeader X-Person %{{person}}
  EHealthIdentityHeader X-Display-Name %{{name}}
  EHealthIdentityHeader X-Given-Name %{{given_name}}
  EHealthIdentityHeader X-Family-Name %{{family_name}}
  EHealthIdentityHeader X-Roles %{{roles}}
  EHealthIdentityHeader X-Structures %{{structures}}
  EHealthIdentityHeader X-Tenants %{{tenants}}
  EHealthIdentityHeader X-Acr %{{acr}}
  EHealthIdentityHeader X-Organization "%{{claim:SubjectOrganization}}"
</Location>
<Location "/open">
  AuthType None
  Require all granted
</Location>
"""
PEER = """LoadModule auth_openidc_module "{modules}/mod_auth_openidc.so"
OIDCProviderMetadataURL "{metadata}"
OIDCClientID bench
OIDCClientSecret bench-secret-bench-secret-bench-secret
OIDCIDTokenSignedResponseAlg RS256
OIDCRedirectURI "http://127.0.0.1:{port}/cb"
OIDCCryptoPassphrase 0123456789abcdef0123456789abcdef
OIDCScope "openid profile email"
OIDCPKCEMethod S256
OIDCSessionInactivityTimeout 3600
OIDCStateMaxNumberOfCookies 20 true
OIDCCacheShmMax 10000
OIDCCacheType shm
OIDCSessionType {session}
<Location "/">
  AuthType openid-connect
  Require valid-user
</Location>
<Location "/open">
  AuthType None
  Require all granted
</Location>
"""
TKT = """LoadModule auth_tkt_module "{modules}/mod_auth_tkt.so"
TKTAuthSecret "0123456789abcdef0123456789abcdef"
TKTAuthDigestType SHA256
<Location "/">
  AuthType None
  TKTAuthLoginURL "http://127.0.0.1:{port}/open/1k.bin"
  TKTAuthIgnoreIP on
  TKTAuthTimeout 24h
  Require valid-user
</Location>
<Location "/open">
  Require all granted
</Location>
"""
VARIANTS = {
    "plain": ("", None),
    "ours": (OURS, "oidc"),
    "openidc-shm": (PEER.replace("{session}", "server-cache"), "oidc"),
    "openidc-cookie": (PEER.replace("{session}", "client-cookie"), "oidc"),
    "tkt": (TKT, "tkt"),
}
LOADS = ["authn_core", "authz_core", "authz_user", "mime", "dir", "alias", "env", "setenvif", "headers", "reqtimeout"]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_port(port, process, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with socket.socket() as s:
            s.settimeout(1)
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise SystemExit(f"nothing listens on {port}")


def pin(core):
    return lambda: os.sched_setaffinity(0, {core})


class Backend:
    """nginx on the load's core, keeping connections."""

    def __init__(self, folder):
        self.port, self.dir = free_port(), folder / "backend"
        (self.dir / "www").mkdir(parents=True)
        (self.dir / "www" / "1k.bin").write_bytes(BODY)
        for path in (folder, self.dir, self.dir / "www"):
            path.chmod(0o755)
        conf = self.dir / "nginx.conf"
        temp = "\n".join(f"{kind}_temp_path {self.dir}/{kind};" for kind in
                         ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        conf.write_text(f"worker_processes 1; pid {self.dir}/pid; error_log {self.dir}/error.log; daemon off;\n"
                        "events { worker_connections 512; }\n"
                        f"http {{ access_log off; keepalive_requests 1000000000; sendfile on; {temp}\n"
                        f"server {{ listen 127.0.0.1:{self.port}; root {self.dir}/www; }} }}\n")
        self.process = subprocess.Popen(["/usr/sbin/nginx", "-c", str(conf)], preexec_fn=pin(LOAD_CORE),
                                        stderr=subprocess.DEVNULL)
        wait_port(self.port, self.process)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


class Server:
    """One variant in one mode."""

    def __init__(self, name, mode, world, callgrind=None, children=2, threads=32):
        self.name, self.mode, self.port = name, mode, free_port()
        self.dir = world.dir / f"{name}-{mode}{'-cg' if callgrind else ''}-{self.port}"
        self.dir.mkdir()
        self.dir.chmod(0o755)
        conf, self.login_kind = VARIANTS[name]
        single = callgrind is not None
        fill = {"dir": self.dir, "port": self.port, "modules": MODULES, "build": world.build, "issuer": world.op.issuer,
                "metadata": world.op.metadata, "docroot": world.docroot, "user": world.user,
                "backend": world.backend.port, "children": 1 if single else children,
                "threads": 2 if single else threads, "workers": 2 if single else children * threads,
                "background": "Off" if single else "On",
                "loads": "\n".join(f'LoadModule {m}_module "{MODULES}/mod_{m}.so"' for m in LOADS)}
        fill["proxy"] = PROXY.format(**fill) if mode == "proxy" else ""
        if name == "ours":
            (self.dir / "state").mkdir()
            if os.geteuid() == 0:
                shutil.chown(self.dir / "state", world.user, world.user)
            write_keys(self.dir / "keys")
        (self.dir / "httpd.conf").write_text(BASE.format(**fill) + conf.format(**fill))
        command = [HTTPD, "-f", str(self.dir / "httpd.conf")]
        if single:
            callgrind.touch()  # valgrind writes it at the end, when httpd has become its run user
            if os.geteuid() == 0:
                shutil.chown(callgrind, world.user, world.user)
            command = ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={callgrind}", *command, "-X"]
        else:
            command.append("-DFOREGROUND")
        self.process = subprocess.Popen(command, preexec_fn=pin(SERVER_CORE), stdout=subprocess.DEVNULL,
                                        stderr=open(self.dir / "stderr", "w"))
        world.servers.append(self)
        try:
            wait_port(self.port, self.process)
        except SystemExit as gone:
            said = "".join(p.read_text()[-2000:] for p in (self.dir / "stderr", self.dir / "error.log") if p.exists())
            raise SystemExit(f"{name} does not start: {said}") from gone
        self.cookie = None

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)

    def url(self, path="/1k.bin"):
        return f"http://127.0.0.1:{self.port}{path}"

    def login(self):
        """The Cookie header of somebody who logged in now."""
        if self.login_kind is None:
            return None
        if self.login_kind == "tkt":
            self.cookie = "auth_tkt=" + tkt_ticket("bench-user", "0123456789abcdef0123456789abcdef")
            return self.cookie
        jar = http.cookiejar.CookieJar()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(jar))
        opener.addheaders = [("Accept", "text/html"), ("Sec-Fetch-Mode", "navigate")]
        with opener.open(self.url(), timeout=60) as answer:
            assert answer.status == 200 and answer.read() == BODY, f"{self.name}: log-in failed"
        self.cookie = "; ".join(f"{c.name}={c.value}" for c in jar)
        return self.cookie

    def check(self):
        """Protected without the session, the page with it: a bench of an open page would be fast."""
        if self.login_kind is None:
            return
        req = urllib.request.Request(self.url(), headers={"Cookie": self.cookie})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirect())
        assert opener.open(req).read() == BODY
        try:
            opener.open(urllib.request.Request(self.url()))
        except urllib.error.HTTPError as refused:
            assert refused.code in (302, 307, 401, 403)
        else:
            raise AssertionError(f"{self.name} serves without a session")

    def pids(self):
        text = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [self.process.pid, *map(int, text.split())]

    def cpu(self):
        """(user, system) seconds of all httpd processes."""
        user = system = 0
        for pid in self.pids():
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            user, system = user + int(fields[11]), system + int(fields[12])
        return user / TICKS, system / TICKS

    def pss(self):
        """Mean MiB of a child."""
        sizes = [int(re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)[1])
                 for pid in self.pids()[1:]]
        return statistics.mean(sizes) / 1024


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args):
        return None


def tkt_ticket(user, secret):
    """mod_auth_tkt's ticket with SHA-256 and the address ignored."""
    now = int(time.time())
    head = bytes(4) + now.to_bytes(4, "big")
    inner = hashlib.sha256(head + secret.encode() + user.encode() + b"\0" + b"\0").hexdigest()
    digest = hashlib.sha256(inner.encode() + secret.encode()).hexdigest()
    return f"{digest}{now:08x}{user}!"


class World:
    def __init__(self, args):
        self.dir = Path(tempfile.mkdtemp(prefix="eh-bench-"))
        self.dir.chmod(0o755)
        self.build = Path(args.build).resolve()
        self.user = "www-data" if os.geteuid() == 0 else "#%d" % os.geteuid()
        self.docroot = self.dir / "docroot"
        self.docroot.mkdir()
        self.docroot.chmod(0o755)
        (self.docroot / "1k.bin").write_bytes(BODY)
        self.op = Op().__enter__()
        self.backend = Backend(self.dir)
        self.servers = []

    def close(self):
        for server in self.servers:
            if server.process.poll() is None:
                server.stop()
        self.backend.stop()
        self.op.__exit__()
        shutil.rmtree(self.dir, ignore_errors=True)


# ------------------------------------------------------------------------------------------------- measurements


def core_busy():
    """Seconds that the server's core has worked, for whomever."""
    line = next(x for x in Path("/proc/stat").read_text().splitlines() if x.startswith(f"cpu{SERVER_CORE} "))
    user, nice, system, _, _, irq, softirq, steal = map(int, line.split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICKS


STRANGERS = []  # share of the server's core that others took, a number for each measurement
QUIET = 0.10


def load(server, seconds):
    """(requests per second, CPU µs a request, user µs, system µs)."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", server.url()]
    if server.cookie:
        command[4:4] = ["-H", f"Cookie: {server.cookie}"]
    before, busy, began = server.cpu(), core_busy(), time.monotonic()
    done = subprocess.run(command, preexec_fn=pin(LOAD_CORE), capture_output=True, text=True, check=True).stdout
    after, took = server.cpu(), time.monotonic() - began
    STRANGERS.append((core_busy() - busy - sum(after) + sum(before)) / took)
    requests = int(re.search(r"(\d+) requests in", done)[1])
    if re.search(r"Non-2xx|Socket errors", done):
        raise SystemExit(f"{server.name}/{server.mode}: {done}")
    user, system = ((after[i] - before[i]) * 1e6 / requests for i in (0, 1))
    return float(re.search(r"Requests/sec:\s+([\d.]+)", done)[1]), user + system, user, system


def rounds(world, mode, args):
    """{variant: [(req/s, ÷ plain, µs, added µs, user, system)]}: each measurement stands between two of plain."""
    servers = {name: Server(name, mode, world) for name in args.variants}
    for server in servers.values():
        server.login()
        server.check()
        load(server, 1)
    out = {name: [] for name in servers}
    others = [name for name in servers if name != "plain"]
    for n in range(args.rounds):
        random.shuffle(others)
        before = load(servers["plain"], args.seconds)
        for name in others:
            servers[name].login()
            got = load(servers[name], args.seconds)
            after = load(servers["plain"], args.seconds)
            plain_rps, plain_cpu = (before[0] + after[0]) / 2, (before[1] + after[1]) / 2
            out[name].append((got[0], got[0] / plain_rps, got[1], got[1] - plain_cpu, got[2], got[3]))
            out["plain"].append((after[0], 1.0, after[1], 0.0, after[2], after[3]))
            before = after
        print(f"  {mode} round {n + 1}/{args.rounds}: " + ", ".join(f"{k} +{out[k][-1][3]:.1f}" for k in others),
              file=sys.stderr, flush=True)
    sizes = {name: server.pss() for name, server in servers.items()}
    for server in servers.values():
        server.stop()
    return out, sizes


def ask(server, count):
    """count requests on one connection."""
    head = f"GET /1k.bin HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
    head += f"Cookie: {server.cookie}\r\n" if server.cookie else ""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as s:
        f = s.makefile("rb")
        for _ in range(count):
            s.sendall((head + "\r\n").encode())
            status, length = f.readline().split()[1], 0
            for line in iter(f.readline, b"\r\n"):
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            assert status == b"200" and f.read(length) == BODY, status


def total(path):
    found = re.search(r"^(?:totals|summary): (\d+)", path.read_text(), re.M)
    return int(found[1])


def instructions(world, name, mode, keep=None):
    """User-space instructions a request: slope between 10 and 310 requests of one connection, the lower of two."""
    slopes = []
    for attempt in range(2):
        totals = []
        for count in (10, 310):
            path = world.dir / f"cg-{name}-{mode}-{attempt}-{count}"
            server = Server(name, mode, world, callgrind=path)
            server.login()
            ask(server, count)
            server.stop()
            totals.append(total(path))
            if keep and count == 310:
                shutil.copy(path, keep)
        slopes.append((totals[1] - totals[0]) / 300)
    return min(slopes), abs(slopes[0] - slopes[1]) / max(slopes)


# ------------------------------------------------------------------------------------------------------- report


def med(values, form="{:.1f}"):
    return f"{form.format(statistics.median(values))} ({form.format(min(values))}–{form.format(max(values))})"


def table(lines, head):
    return "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head)] +
                     ["| " + " | ".join(line) + " |" for line in lines])


def report(results, sizes, counts, args):
    commit = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True,
                            text=True).stdout.strip() or "unknown"
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())[1]
    packages = subprocess.run(["dpkg-query", "-W", "apache2-bin", "libapache2-mod-auth-openidc",
                               "libapache2-mod-auth-tkt", "libssl3", "wrk", "nginx-light"], capture_output=True,
                              text=True).stdout.replace("\t", " ").strip().replace("\n", ", ")
    parts = [f"# Cost of a session, commit {commit}, {datetime.date.today()}", "",
             f"{cpu}, {os.cpu_count()} cores; {packages}. `t/bench/run.sh {' '.join(sys.argv[1:])}`.", "",
             "httpd on core 0, load and back end on core 1; 2 children × 32 threads, 16 keep-alive connections, 1 KiB. "
             f"{args.rounds} rounds of {args.seconds} s in random order, each measurement between two of plain; added = "
             "CPU µs (utime+stime of all httpd processes) over the mean of those two; median (min–max). A practitioner's "
             "claims: 24 in the ID token, 14 in userinfo. ours: 10 identity headers, a role and a member check, header "
             "hygiene, a session limit, metrics and revocation on; the session from a real log-in."]
    if STRANGERS:
        parts += ["", f"Others took {statistics.median(STRANGERS):.0%} of the server's core (median; most "
                      f"{max(STRANGERS):.0%})."]
    for mode, got in results.items():
        lines = [[name, med([x[0] for x in rows], "{:.0f}"), med([x[1] for x in rows], "{:.3f}"),
                  med([x[2] for x in rows]), med([x[3] for x in rows]),
                  "{:.1f}/{:.1f}".format(statistics.median(x[4] for x in rows), statistics.median(x[5] for x in rows)),
                  f"{sizes[mode][name]:.1f}"] for name, rows in got.items()]
        parts += ["", f"## {mode}", "", table(lines, ["variant", "req/s", "÷ plain", "CPU µs/req", "added µs",
                                                      "user/sys µs", "PSS MiB a child"])]
    if counts:
        lines = [[mode, name, f"{n:,.0f}", f"{n - counts[mode]['plain'][0]:+,.0f}", f"{noise:.1%}"]
                 for mode, names in counts.items() for name, (n, noise) in names.items()]
        parts += ["", "## Instructions", "", "User space, callgrind, httpd -X, slope between 10 and 310 requests on one "
                  "connection, the lower of two; background jobs off. valgrind hides AVX-512 and SHA-NI: hashes look "
                  "dearer than they are.", "", table(lines, ["mode", "variant", "a request", "added", "run to run"])]
    verdicts = verdict(results, sizes)
    parts += ["", "## Goals", ""] + [f"- {line}" for _, _, line in verdicts] + [""]
    text = "\n".join(parts)
    out = HERE / "results" / f"{datetime.date.today()}-{commit}.md"
    out.parent.mkdir(exist_ok=True)
    out.write_text(text)
    print(text)
    print(f"written to {out}", file=sys.stderr)
    if set(results) == set(counts) == {"static", "proxy"} and set(args.variants) == set(VARIANTS):
        # what t/ACCEPTANCE.tsv names: only a whole run may stand there
        seconds = round(time.monotonic() - BEGAN)
        stages = {stage: {"passed": all(ok for name, ok, _ in verdicts if name == stage), "seconds": seconds,
                          "goals": [line for name, _, line in verdicts if name == stage]} for stage in ("time", "memory")}
        record = ROOT / "t" / "results" / "bench.json"
        record.parent.mkdir(exist_ok=True)
        record.write_text(json.dumps({"commit": commit, "seconds": seconds, "report": str(out.relative_to(ROOT)),
                                      "stages": stages}, indent=1, ensure_ascii=False) + "\n")
    return all(ok for _, ok, _ in verdicts)


def verdict(results, sizes):
    """[(stage "time" or "memory", met, sentence)]"""
    out = []
    if STRANGERS and statistics.median(STRANGERS) > QUIET:
        out.append(("time", False, f"the machine was not quiet: others took {statistics.median(STRANGERS):.0%} of the server's "
                                   f"core (at most {QUIET:.0%}); times are not to be trusted, instructions are"))
    for mode, got in results.items():
        if "ours" not in got or not got["ours"]:
            continue
        added = statistics.median(x[3] for x in got["ours"])
        out.append(("time", added <= GOALS[mode], f"{mode}: ours adds {added:.1f} µs a request; at most {GOALS[mode]:.0f}"))
        more = sizes[mode]["ours"] - sizes[mode]["plain"]
        out.append(("memory", more <= GOALS["pss"],
                    f"{mode}: ours adds {more:.1f} MiB PSS a child; at most {GOALS['pss']:.0f}"))
    return [(stage, ok, ("met: " if ok else "MISSED: ") + line) for stage, ok, line in out]


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--build", default=os.environ.get("EH_BUILD") or str(ROOT / ".work" / "build"))
    ap.add_argument("--rounds", type=int, default=7)
    ap.add_argument("--seconds", type=int, default=2)
    ap.add_argument("--modes", nargs="+", default=["static", "proxy"], choices=["static", "proxy"])
    ap.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    ap.add_argument("--no-load", action="store_true", help="count instructions only")
    ap.add_argument("--no-instructions", action="store_true")
    ap.add_argument("--keep-callgrind", help="copy of ours' profile")
    args = ap.parse_args()
    if "plain" not in args.variants:
        args.variants.insert(0, "plain")
    world = World(args)
    results, sizes, counts = {}, {}, {}
    try:
        for mode in args.modes:
            if not args.no_load:
                results[mode], sizes[mode] = rounds(world, mode, args)
            if not args.no_instructions:
                counts[mode] = {}
                for name in args.variants:
                    keep = args.keep_callgrind if name == "ours" else None
                    counts[mode][name] = instructions(world, name, mode, keep and f"{keep}.{mode}")
                    print(f"  {mode} {name}: {counts[mode][name][0]:,.0f} instructions", file=sys.stderr, flush=True)
        ok = report(results, sizes, counts, args)
    finally:
        world.close()
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
