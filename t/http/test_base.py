# SPDX-License-Identifier: Apache-2.0
"""mod_ehealth against a real httpd: the reserved prefix, errors, status, metrics, limits."""
import http.client
import json
import re
import socket

import pytest

pytestmark = pytest.mark.asan

BASE = {"ehealth": ("ehealth",)}
PREFIX = "/.ehealth/"
LANGUAGES = {
    "en": "There is nothing at this address.",
    "fr": "Il n’y a rien à cette adresse.",
    "nl": "Er is niets op dit adres.",
    "de": "Unter dieser Adresse gibt es nichts.",
}
NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none", "Accept": "text/html,*/*;q=0.8"}


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def get(self, name):
        return ", ".join(v for k, v in self.headers if k.lower() == name.lower()) or None

    @property
    def text(self):
        return self.body.decode()

    def json(self):
        return json.loads(self.body)


def ask(server, path, method="GET", headers=None, body=None):
    """One request with the path exactly as written: no client library tidies it."""
    conn = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        conn.putrequest(method, path, skip_accept_encoding=True, skip_host="Host" in (headers or {}))
        for name, value in (headers or {}).items():
            conn.putheader(name, value)
        if body is not None:
            conn.putheader("Content-Length", str(len(body)))
        conn.endheaders(body)
        res = conn.getresponse()
        return Answer(res.status, res.getheaders(), res.read())
    finally:
        conn.close()


# -- the reserved prefix ----------------------------------------------------------------------------------------------

TAKERS = {
    "proxy": "ProxyPass / {portal}/",
    "proxy mapping=encoded": "ProxyPass / {portal}/ mapping=encoded",
    "proxy by location": "<Location />\nProxyPass {portal}/\n</Location>",
    "handler by location": '<Location />\nSetHandler "proxy:{portal}/"\n</Location>',
    "rewrite to proxy": "RewriteEngine On\nRewriteRule ^/?(.*)$ {portal}/$1 [P,L]",
    "rewrite in location": "<Location />\nRewriteEngine On\nRewriteRule ^ https://elsewhere.example/ [R=302,L]\n</Location>",
    "redirect": "RedirectMatch ^/ https://elsewhere.example/",
    "redirect in location": "<Location />\nRedirect https://elsewhere.example/\n</Location>",
    "alias": 'Alias / "${DIR}/htdocs/"',
    "fallback": "FallbackResource /a.txt",
    "require all denied": "<Location />\nRequire all denied\n</Location>",
    "basic log-in": '<Location />\nAuthType Basic\nAuthName x\nAuthBasicProvider file\n'
                    'AuthUserFile "${DIR}/conf/none"\nRequire valid-user\n</Location>',
    "order deny": "<Location />\nRequire all denied\nSatisfy All\n</Location>",
}


@pytest.mark.parametrize("taker", TAKERS)
def test_prefix_is_ours(httpd, portal, taker):
    """Whatever maps "/" to somewhere else, the prefix answers; everything else stays where the administrator put it."""
    server = httpd(TAKERS[taker].replace("{portal}", portal.url), modules=("auth_basic", "authn_file", "access_compat"), **BASE)
    (server.dir / "htdocs" / "a.txt").write_text("hello")
    server.allow("AH0")  # refusals are logged by httpd itself
    status = ask(server, PREFIX + "status")
    assert (status.status, status.get("content-type")) == (200, "application/json")
    unknown = ask(server, PREFIX + "nothing-here")
    assert (unknown.status, unknown.get("x-ehealth-error")) == (404, "EH3001")
    seen = len(portal.requests) if hasattr(portal, "requests") else None
    other = ask(server, "/a.txt")
    assert other.get("x-ehealth-error") is None
    if "denied" in TAKERS[taker]:
        assert other.status == 403
    elif "valid-user" in TAKERS[taker]:
        assert other.status == 401
    elif "elsewhere" in TAKERS[taker]:
        assert (other.status, other.get("location")[:26]) == (302, "https://elsewhere.example/")
    elif "portal" in TAKERS[taker]:
        assert seen is None or len(portal.requests) > seen
    else:
        assert (other.status, other.text) == (200, "hello")


SPELLINGS = ["//.ehealth/status", "/.ehealth;x/status", "/.EHEALTH/status", "/.ehealth%2fstatus", "/x/.ehealth/status",
             "/.ehealth", "/.ehealth%00/status", "/%2e%65health%2fstatus", "/.ehealth/../secret.txt",
             "/.ehealth/%2e%2e/secret.txt", "/.ehealth/x/../../secret.txt", "/.ehealth%5c..%5csecret.txt", "/;/.ehealth/status",
             "/.ehealth/..;/secret.txt", "/.ehealth/%2e%2e;/secret.txt", "/.ehealth//../secret.txt"]


@pytest.mark.parametrize("slashes", ["MergeSlashes On", "MergeSlashes Off", "AllowEncodedSlashes On",
                                     "AllowEncodedSlashes NoDecode"])
def test_only_the_exact_prefix_is_exempt(httpd, slashes):
    """A path in a strange spelling is refused by the administrator's rule, or answered by our router: never with what the
    rule protects."""
    server = httpd(slashes + "\n<Location />\nRequire all denied\n</Location>\n", **BASE)
    (server.dir / "htdocs" / "secret.txt").write_text("SECRET")
    (server.dir / "htdocs" / ".ehealth").mkdir()
    (server.dir / "htdocs" / ".ehealth" / "secret.txt").write_text("SECRET")
    server.allow("AH01630|AH00026|AH10244|AH01797")
    for path in SPELLINGS + [PREFIX + "secret.txt"]:
        got = ask(server, path)
        assert "SECRET" not in got.text, path
        if got.get("x-ehealth-error"):
            assert got.status == 404, path
        elif got.status == 200:  # merged or decoded into the very prefix: then it is our own page
            assert "uptime_s" in got.json(), path
        else:
            assert got.status in (400, 403, 404), path
    exact = {"/.ehealth;x/status", "/.EHEALTH/status", "/x/.ehealth/status", "/.ehealth", "/;/.ehealth/status"}
    for path in exact:
        assert ask(server, path).status == 403, path


def test_exemption_does_not_travel(httpd):
    """An internal redirect to the prefix and one away from it are each judged by where they arrive."""
    conf = ('ErrorDocument 404 /protected.txt\n<Location />\nRequire all denied\n</Location>\n'
            '<Location /open>\nRequire all granted\n</Location>\nRewriteEngine On\n'
            'RewriteRule ^/open/go$ /.ehealth/status [PT]\n')
    server = httpd(conf, **BASE)
    server.allow("AH01630")
    (server.dir / "htdocs" / "protected.txt").write_text("SECRET")
    for path in (PREFIX + "nothing", "/open/nothing"):
        assert "SECRET" not in ask(server, path).text
    # Rewritten after our claim was offered: the administrator's rule on the original path decides, not our exemption.
    assert ask(server, "/open/go").status in (200, 403, 404)


def test_forward_proxy_request_is_not_claimed(httpd):
    server = httpd("ProxyRequests On\n<Proxy *>\nRequire all denied\n</Proxy>\n", **BASE)
    server.allow("AH01630")
    assert ask(server, "http://other.example/.ehealth/status").status == 403


# -- errors -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("lang", LANGUAGES)
def test_error_as_json_and_as_page(httpd, lang):
    server = httpd(**BASE)
    for how in ({"Accept-Language": f"{lang}-BE;q=0.9, xx"}, {"Cookie": f"a=b; eh-lang={lang}", "Accept-Language": "it"}):
        got = ask(server, PREFIX + "x", headers={"Accept": "application/json", **how})
        problem = got.json()
        assert got.get("content-type") == "application/problem+json"
        assert (problem["status"], problem["title"], problem["code"]) == (404, LANGUAGES[lang], "EH3001")
        assert problem["type"].endswith(":not-found")
        assert problem["correlation"] == got.get("x-ehealth-correlation")
    page = ask(server, PREFIX + f"x?lang={lang}", headers={**NAVIGATION, "Accept-Language": "en"})
    assert page.get("content-type") == "text/html; charset=utf-8"
    assert f'lang="{lang}"' in page.text and LANGUAGES[lang] in page.text
    assert "EH3001" in page.text and page.get("x-ehealth-correlation") in page.text
    for got in (problem, page):
        pass
    assert page.get("cache-control") == "no-store"
    assert "default-src 'none'" in page.get("content-security-policy")
    assert "frame-ancestors 'none'" in page.get("content-security-policy")
    assert page.get("x-content-type-options") == "nosniff"
    assert page.get("content-language") == lang


@pytest.mark.parametrize("headers, kind", [
    ({}, "problem"),
    ({"Accept": "*/*"}, "problem"),
    ({"Accept": "text/html", "Sec-Fetch-Mode": "cors"}, "problem"),
    ({"Accept": "text/html", "X-Requested-With": "XMLHttpRequest"}, "problem"),
    ({"Accept": "application/json", "Sec-Fetch-Mode": "navigate"}, "problem"),
    ({"Accept": "text/html"}, "page"),
    ({"Sec-Fetch-Mode": "navigate"}, "page"),
])
def test_who_gets_a_page(httpd, headers, kind):
    got = ask(httpd(**BASE), PREFIX + "x", headers=headers)
    assert got.get("content-type").startswith("text/html" if kind == "page" else "application/problem+json")


def test_method_and_head(httpd):
    server = httpd(**BASE)
    got = ask(server, PREFIX + "status", "DELETE")
    assert (got.status, got.get("allow"), got.get("x-ehealth-error")) == (405, "GET, HEAD", "EH3002")
    head = ask(server, PREFIX + "x", "HEAD")
    assert (head.status, head.body) == (404, b"") and int(head.get("content-length")) > 0
    assert ask(server, PREFIX + "status", "HEAD").status == 200
    with_body = ask(server, PREFIX + "status", body=b"x" * 10)
    assert (with_body.status, with_body.get("x-ehealth-error")) == (413, "EH1003")


def test_correlation_follows_trace_context(httpd):
    server = httpd(**BASE)
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    good = ask(server, PREFIX + "x", headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    assert good.get("x-ehealth-correlation") == trace
    for bad in (f"00-{trace.upper()}-00f067aa0ba902b7-01", f"00-{trace}-0000000000000000-01", f"ff-{trace}-00f067aa0ba902b7-01",
                f"00-{'0' * 32}-00f067aa0ba902b7-01", f"00-{trace}-00f067aa0ba902b7-01-x", "x", f"00-{trace}"):
        got = ask(server, PREFIX + "x", headers={"traceparent": bad}).get("x-ehealth-correlation")
        assert re.fullmatch(r"[0-9a-f]{16}", got), bad
    assert trace in server.log_text()  # the same id stands in the log


def test_header_always_reaches_errors(httpd):
    server = httpd('Header always set X-Site "mine"\n', **BASE)
    assert ask(server, PREFIX + "x").get("x-site") == "mine"
    assert ask(server, PREFIX + "status").get("x-site") == "mine"


def test_connection_survives_an_error(httpd):
    server = httpd(**BASE)
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as sock:
        small = b"POST /.ehealth/x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
        sock.sendall(small + b"GET /.ehealth/y HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        data = b"".join(iter(lambda: sock.recv(65536), b""))
    assert data.count(b"HTTP/1.1 404") == 2
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as sock:
        sock.sendall(b"POST /.ehealth/x HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\n")
        data = b"".join(iter(lambda: sock.recv(65536), b""))  # closed by the server, without waiting for 100 MB
    assert data.count(b"HTTP/1.1 404") == 1 and b"Connection: close" in data


# -- status and metrics -----------------------------------------------------------------------------------------------

def test_status_forms(httpd):
    server = httpd("<Location /server/health>\nSetHandler ehealth-status\n</Location>\n"
                   "<Location /server/metrics>\nSetHandler ehealth-metrics\n</Location>\n", **BASE)
    for path in (PREFIX + "status", "/server/health"):
        status = ask(server, path).json()
        assert status["version"] and status["uptime_s"] >= 0 and status["public_url"] == server.url
        assert [k["id"] for k in status["keys"]] == [1] and status["keys"][0]["current"] and status["keys"][0]["age_days"] == 0
        assert {j["name"] for j in status["jobs"]} >= {"audit-seal", "purge"}
        assert status["database"]["driver"] == "sqlite3"
    text = ask(server, PREFIX + "status?auto").text
    assert re.search(r"^database\.driver: sqlite3$", text, re.M) and re.search(r"^uptime_s: \d+$", text, re.M)
    page = ask(server, PREFIX + "status", headers=NAVIGATION)
    assert page.get("content-type") == "text/html; charset=utf-8" and "sqlite3" in page.text
    for path in (PREFIX + "metrics", "/server/metrics"):
        metrics = ask(server, path)
        assert metrics.get("content-type") == "text/plain; version=0.0.4; charset=utf-8"
        assert_prometheus(metrics.text)
        assert 'ehealth_requests_total{result="error"}' in metrics.text


def assert_prometheus(text):
    """Text format 0.0.4 by its own rules: TYPE once per name and before its samples, no sample twice."""
    types, samples = {}, set()
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            name, kind = line.split()[2:4]
            assert name not in types
            types[name] = kind
        elif line and not line.startswith("#"):
            match = re.fullmatch(r'([a-zA-Z_:][\w:]*)(\{[^}]*\})? (-?[\d.e+]+|NaN)', line)
            assert match, line
            base = re.sub(r"_(bucket|sum|count)$", "", match[1])
            assert match[1] in types or types.get(base) == "histogram", line
            assert (match[1], match[2]) not in samples
            samples.add((match[1], match[2]))
    assert text.endswith("\n") and samples


@pytest.mark.parametrize("allow, headers, status", [
    ("", {}, 200),
    ("", {"X-Forwarded-For": "10.1.2.3"}, 403),  # a front end on this machine: not local
    ("EHealthStatusAllow 10.0.0.0/8", {}, 403),
    ("EHealthStatusAllow 10.0.0.0/8 127.0.0.1", {"X-Forwarded-For": "10.1.2.3"}, 200),
    ("EHealthStatusAllow 10.0.0.0/8\nEHealthStatusAllow local", {}, 200),
    ("EHealthStatusAllow ::1", {}, 403),
    ("EHealthStatusAllow local\nRemoteIPHeader X-Client\nRemoteIPInternalProxy 127.0.0.1", {"X-Client": "192.0.2.7"}, 403),
    ("EHealthStatusAllow 192.0.2.0/24\nRemoteIPHeader X-Client\nRemoteIPInternalProxy 127.0.0.1",
     {"X-Client": "192.0.2.7"}, 200),
])
def test_status_is_for_the_named(httpd, allow, headers, status):
    server = httpd(allow, modules=("remoteip",), **BASE)
    for path in ("status", "metrics"):
        got = ask(server, PREFIX + path, headers=headers)
        assert got.status == status
        if status == 403:
            assert got.get("x-ehealth-error") == "EH5007" and "version" not in got.text
