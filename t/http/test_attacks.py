# SPDX-License-Identifier: Apache-2.0
"""What an attacker with a browser, a script or a neighbouring domain tries against a protected portal."""
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, unquote, urlencode, urljoin, urlsplit

import pytest

from oidcworld import OidcWorld, protect

TRUE = {"X-Remote-User": "899700001011", "X-Roles": "physician,professional"}
NAVIGATE = [("Sec-Fetch-Mode", "navigate"), ("Accept", "text/html")]

CONF = (
    protect(more='Header set Cache-Control "public, max-age=60"\n'
                 "RewriteEngine On\n"
                 "RewriteRule ^.*/portal/old$ /portal/new [L]\n"
                 "RewriteRule ^.*/portal/leave$ /open/left [L]\n")
    + "Alias /files ${DIR}/htdocs\n"
    + protect("/files", more="DirectoryIndex none.html a.txt\nOptions +Includes\nAddOutputFilter INCLUDES .shtml\n"
                             "ErrorDocument 404 /files/a.txt\n")
)


@pytest.fixture(scope="module")
def world(ca):
    with OidcWorld(CONF, modules=("include",)) as w:
        (w.httpd.dir / "htdocs" / "a.txt").write_text("static")
        (w.httpd.dir / "htdocs" / "page.shtml").write_text('<!--#include virtual="/portal/part" -->')
        yield w


@pytest.fixture(scope="module")
def ticket(world):
    return world.log_in().cookie("eh-s-psc")


def ask(world, path, headers=(), method="GET"):
    """(answer, headers the portal saw or None)"""
    world.portal.clear()
    answer = world.browser().raw(method, world.url + path, headers)
    requests = world.portal.requests
    return answer, dict(map(tuple, requests[-1]["headers"])) if requests else None


def exchange(world, text):
    """Status line of the answer to exactly these lines."""
    with socket.create_connection(("127.0.0.1", world.httpd.port), timeout=10) as s:
        s.sendall(text.replace("\n", "\r\n").encode("latin-1"))
        return s.makefile("rb").readline().decode()


# -- headers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("connection", ["close;X-Roles", "close X-Roles", "a\tX_Roles;b", ";X-Roles", "close ; X-Roles , b",
                                        '"a" X-Roles', "close, ,;X-Roles;"])
def test_mod_proxy_splits_connection_at_more_than_commas(world, ticket, connection):
    """ap_get_token ends at blanks and semicolons too: a role header taken away is an application's default role."""
    answer, seen = ask(world, "/portal/whoami", [("Connection", connection), ("Cookie", f"eh-s-psc={ticket}")])
    assert answer.status == 200
    assert {name: seen.get(name) for name in TRUE} == TRUE


# -- cookies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tossed", ["x=1,eh-s-psc={t}", "x=1, eh-s-psc={t}", "x=1 ,\teh-s-psc={t}", "x=\"1,eh-s-psc={t}\""])
def test_a_neighbour_domain_cannot_log_a_person_in(world, ticket, tossed):
    """Any sibling domain may set "x=1,__Host-eh-s-…=<its own ticket>": a comma is part of a cookie's value (RFC 6265bis
    §5.6), and what stands behind it never had to keep the promise of the name."""
    answer, seen = ask(world, "/portal/whoami", [("Cookie", tossed.format(t=ticket)), *NAVIGATE])
    assert (answer.status, seen) == (302, None)


def test_a_neighbour_domain_cannot_log_a_person_out(world, ticket):
    other = "A" * 43
    answer, seen = ask(world, "/portal/whoami", [("Cookie", f"eh-s-psc={ticket}; x=1, eh-s-psc={other}")])
    assert answer.status == 200 and seen["X-Remote-User"] == TRUE["X-Remote-User"]
    assert ticket not in str(seen) and other not in str(seen)


# -- one section, several requests --------------------------------------------------------------------------------------


def test_redirected_inside_its_section_it_is_still_the_same_person(world, ticket):
    """httpd asks nobody again when the section is the same one: who was let in must be told to the page that is served, and
    the page must not be kept by anybody else."""
    answer, seen = ask(world, "/portal/old", [("X-Roles", "mallory"), ("Cookie", f"JSESSIONID=1; eh-s-psc={ticket}")])
    assert answer.status == 200
    assert {name: seen.get(name) for name in TRUE} == TRUE
    assert seen["Cookie"] == "JSESSIONID=1"
    assert answer.get("Cache-Control") == "private, max-age=60"


def test_redirected_out_of_its_section_nobody_is_told(world, ticket):
    answer, seen = ask(world, "/portal/leave", [("Cookie", f"eh-s-psc={ticket}")])
    assert answer.status == 200 and not set(seen) & {*TRUE, "X-Display-Name", "Cookie"}


@pytest.mark.parametrize("path", ["/files/", "/files/none"])
def test_index_and_error_page_of_a_section_are_private(world, ticket, path):
    answer, _ = ask(world, path, [("Cookie", f"eh-s-psc={ticket}")])
    assert answer.text == "static"
    assert answer.get("Cache-Control") == "private, no-store"
    for cookie in ([], [("Cookie", "eh-s-psc=" + "A" * 43)]):
        answer, _ = ask(world, path, cookie)
        assert answer.status == 401 and "static" not in answer.text


def test_included_part_is_told_who_asks(world, ticket):
    answer, seen = ask(world, "/files/page.shtml", [("X-Roles", "mallory"), ("Cookie", f"eh-s-psc={ticket}")])
    assert answer.status == 200
    assert {name: seen.get(name) for name in TRUE} == TRUE


# -- a provider that hangs ------------------------------------------------------------------------------------------------


def test_hanging_provider_leaves_threads_for_everybody_else():
    """Thirty log-ins at once while the provider takes connections and never answers, in a child with sixteen threads that has
    never yet read the provider's description."""
    with OidcWorld(providers=("psc",), children=1, grace="EHealthOutboundTimeout 2 8\n") as world:
        world.httpd.allow("EH21|EH41")
        (world.httpd.dir / "htdocs" / "plain.txt").write_text("open")
        let_go = threading.Event()
        world.op.serve = lambda h: let_go.wait(20)
        try:
            with ThreadPoolExecutor(30) as crowd:
                started = time.monotonic()
                logins = [crowd.submit(world.browser().raw, "GET", world.url + "/.ehealth/login/psc", NAVIGATE)
                          for _ in range(30)]
                time.sleep(1)
                asked = time.monotonic()
                assert world.browser().raw("GET", world.url + "/plain.txt").text == "open"
                assert time.monotonic() - asked < 1
                answers = [login.result() for login in logins]
                assert time.monotonic() - started < 10
            assert {answer.status for answer in answers} <= {502, 503, 504}
            assert all("EH" in answer.get("X-EHealth-Error") for answer in answers)
        finally:
            let_go.set()


# -- HTTP/2 -------------------------------------------------------------------------------------------------------------


def test_http2_is_no_way_around(ca):
    conf = protect() + "Protocols h2c http/1.1\n"
    with OidcWorld(conf, modules=("http2",)) as world:
        ticket = world.log_in().cookie("eh-s-psc")

        def h2(path, *headers, how="--http2-prior-knowledge"):
            world.portal.clear()
            args = [arg for header in headers for arg in ("-H", header)]
            out = subprocess.run(["curl", "-s", how, "-o", "/dev/null", "-w",
                                  "%{http_version} %{http_code}", *args, world.url + path],
                                 capture_output=True, text=True, timeout=20, check=True).stdout
            requests = world.portal.requests
            return out, dict(map(tuple, requests[-1]["headers"])) if requests else None

        spoof = ("X-Roles: mallory", "x_remote_user: mallory", "X.Display.Name: mallory")
        assert h2("/portal/whoami", *spoof) == ("2 401", None)
        out, seen = h2("/portal/whoami", "Cookie: a=1", f"Cookie: eh-s-psc={ticket}", *spoof)
        assert out == "2 200" and "mallory" not in str(seen) and ticket not in str(seen)
        assert {name: seen.get(name) for name in TRUE} == TRUE and seen["Cookie"] == "a=1"
        out, seen = h2("/open/whoami", f"Cookie: eh-s-psc={ticket}", *spoof)
        assert out == "2 200" and "mallory" not in str(seen) and "Cookie" not in seen
        # the first request of an upgraded connection was read as HTTP/1.1
        assert h2("/portal/whoami", *spoof, how="--http2") == ("1.1 401", None), "refused before httpd upgrades"
        # With a session httpd reads it a second time as an HTTP/2 stream, without the ticket that was taken out the first time
        # and with the identity that was put in: that one must not be believed.
        assert h2("/portal/whoami", f"Cookie: eh-s-psc={ticket}", *spoof, how="--http2") == ("2 401", None)
        _, seen = h2("/open/whoami", f"Cookie: eh-s-psc={ticket}", *spoof, how="--http2")
        assert "mallory" not in str(seen) and ticket not in str(seen)


# -- where a log-in may lead ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", [
    "//evil.example/", "///evil.example", "/\\evil.example", "\\\\evil.example", "/%09/evil.example", "/\t/evil.example",
    "https://evil.example/", "http:evil.example", "javascript:alert(1)", "/ok\r\nSet-Cookie: a=b",
    ".evil.example", "@evil.example", "%2f%2fevil.example", "/.//evil.example", "/..//evil.example", "/%5cevil.example",
])
def test_no_log_in_leads_to_another_site(world, target):
    """The browser's own reading of Location decides: relative to this site it must stay on this site."""
    browser = world.browser()
    page = browser.get(world.url + "/.ehealth/login/psc?" + urlencode({"target": target}))
    assert urlsplit(page.url).netloc == urlsplit(world.url).netloc
    for step in page.history:
        place = urlsplit(urljoin(world.url, step.get("Location").replace("\\", "/")))
        assert place.netloc in (urlsplit(world.url).netloc, urlsplit(world.op.issuer).netloc)
        assert step.get("Set-Cookie", "").find("a=b") < 0


@pytest.mark.parametrize("line", ["//evil.example/portal/x", "http://evil.example/portal/x", "/portal/\\evil.example",
                                  "//evil.example/../portal/x", "/\\evil.example/../portal/x"])
def test_no_request_line_makes_a_foreign_target(world, line):
    text = ""
    with socket.create_connection(("127.0.0.1", world.httpd.port), timeout=10) as s:
        s.sendall(f"GET {line} HTTP/1.1\r\nHost: 127.0.0.1:{world.httpd.port}\r\nAccept: text/html\r\n"
                  "Sec-Fetch-Mode: navigate\r\nConnection: close\r\n\r\n".encode())
        text = s.makefile("rb").read().decode()
    for header in text.split("\r\n\r\n")[0].split("\r\n"):
        if header.lower().startswith("location:"):
            where = header.split(":", 1)[1].strip()
            assert where.startswith("/.ehealth/login/psc?target=%2F") or where == "/.ehealth/login/psc"
            assert unquote(where.split("target=")[1])[:2] not in ("//", "/\\")


# -- ways past a Require ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def doors():
    """One server with every odd way of writing a rule, and a folder whose owner may write .htaccess."""
    conf = (
        protect("/files/any", require="<RequireAny>\nRequire ip 10.9.8.7\nRequire ehealth-role nurse\n</RequireAny>")
        + protect("/files/none", require="<RequireAll>\nRequire valid-user\n<RequireNone>\nRequire ehealth-role physician\n"
                                         "</RequireNone>\n</RequireAll>")
        + protect("/files/not", require="<RequireAll>\nRequire valid-user\nRequire not ehealth-role physician\n</RequireAll>")
        + protect("/files/owner")
        + protect("/portal/compat", more="Order deny,allow\nDeny from all\nAllow from 127.0.0.1\nSatisfy Any\n")
        + protect("/portal/whoami") + protect("/files/index/a.txt")
        + "Alias /files ${DIR}/htdocs\n"
          "<Directory ${DIR}/htdocs>\nAllowOverride All\nOptions +Includes\nAddOutputFilter INCLUDES .shtml\n"
          "DirectoryIndex a.txt\nRequire all granted\n</Directory>\n")
    with OidcWorld(conf, modules=("access_compat", "include")) as w:
        root = w.httpd.dir / "htdocs"
        for name in ("any", "none", "not", "owner", "override", "index"):
            (root / name).mkdir()
            (root / name / "a.txt").write_text("secret of " + name)
        (root / "owner" / ".htaccess").write_text("AuthType None\nRequire all granted\n")
        (root / "override" / ".htaccess").write_text("EHealthLogin psc\n")
        (root / "part.shtml").write_text('(<!--#include virtual="/portal/whoami" -->)')
        w.who = [("Cookie", "eh-s-psc=" + w.log_in().cookie("eh-s-psc"))]
        yield w


@pytest.mark.parametrize("name, physician", [("any", 403), ("none", 403), ("not", 403), ("owner", 200)])
def test_odd_rules_refuse(doors, name, physician):
    for path in (f"/files/{name}/a.txt", f"/files/{name}/", f"/files//{name}/./a.txt", f"/files/x/../{name}/a.txt",
                 f"/files/%{ord(name[0]):02x}{name[1:]}/a.txt"):
        answer, _ = ask(doors, path)
        assert answer.status in (401, 403) and "secret" not in answer.text, path
        answer, _ = ask(doors, path, doors.who)
        assert answer.status == physician and ("secret" in answer.text) == (physician == 200), path


def test_log_in_is_not_for_htaccess(doors):
    doors.httpd.allow("EHealthLogin not allowed here")
    answer, _ = ask(doors, "/files/override/a.txt", doors.who)
    assert answer.status == 500 and "secret" not in answer.text


def test_satisfy_any_by_address_is_nobody(doors):
    """Let in by address, not by log-in: then nobody is named, whatever cookie or header came along."""
    answer, seen = ask(doors, "/portal/compat/whoami", [("X-Roles", "mallory"), *doors.who])
    assert answer.status == 200 and not set(seen) & {*TRUE, "Cookie"}


def test_open_page_includes_nothing_protected_for_strangers(doors):
    doors.httpd.allow("subrequest setup returned 401")
    answer, seen = ask(doors, "/files/part.shtml")
    assert answer.status == 200 and answer.text.startswith("(") and seen is None
    answer, seen = ask(doors, "/files/part.shtml", [("X-Roles", "mallory"), *doors.who])
    assert {name: seen.get(name) for name in TRUE} == TRUE


def test_protected_index_of_an_open_folder(doors):
    """mod_dir asks by a subrequest and then serves it as the folder's own page."""
    answer, _ = ask(doors, "/files/index/")
    assert answer.status == 401 and "secret" not in answer.text
    answer, _ = ask(doors, "/files/index/", doors.who)
    assert answer.text == "secret of index" and answer.get("Cache-Control") == "private, no-store"


# -- floods -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("piece", ["; eh-s-psc=" + "A" * 43, "eh-", ";eh-s-", " \t", ",", ";__Host-eh-"])
def test_giant_cookie_header_costs_no_time(world, ticket, piece):
    """Eight kilobytes, as many as httpd takes of one header, however many lines it comes in."""
    line = (piece * 8100)[:8100]
    started = time.monotonic()
    answer, seen = ask(world, "/portal/whoami", [("Cookie", line)])
    assert answer.status == 401 and seen is None
    assert time.monotonic() - started < 1


def test_junk_codes_do_not_open_the_breaker(world):
    """An outsider can start log-ins and send invented codes: the provider says no to those, and to nobody else."""
    world.httpd.allow("EH4102.*invalid_grant")
    for _ in range(8):
        browser = world.browser()
        begun = browser.get(world.url + "/.ehealth/login/psc", follow=False)
        state = parse_qs(urlsplit(begun.get("Location")).query)["state"][0]
        page = browser.get(world.url + "/.ehealth/callback/psc?" + urlencode({"code": "junk", "state": state,
                                                                            "iss": world.op.issuer}))
        assert page.status >= 400 and "EH" in page.get("X-EHealth-Error")
    world.log_in()


def test_hanging_token_endpoint_is_told_within_ten_seconds_and_ends_no_session():
    """Twenty callbacks at once to a provider that takes the code and never answers, with the built-in time limits."""
    with OidcWorld(children=1) as world:
        world.httpd.allow("EH21|EH41")
        inside = world.log_in()
        begun = []
        for _ in range(20):
            browser = world.browser()
            first = browser.get(world.url + "/.ehealth/login/psc", follow=False)
            state = parse_qs(urlsplit(first.get("Location")).query)["state"][0]
            query = urlencode({"code": "c", "state": state, "iss": world.op.issuer})
            begun.append((browser, f"{world.url}/.ehealth/callback/psc?{query}"))
        let_go = threading.Event()
        world.op.serve = lambda h: let_go.wait(20)
        try:
            with ThreadPoolExecutor(20) as crowd:
                started = time.monotonic()
                callbacks = [crowd.submit(browser.get, url, follow=False) for browser, url in begun]
                time.sleep(1)
                asked = time.monotonic()
                assert inside.get(world.url + "/portal/whoami").status == 200
                assert time.monotonic() - asked < 1
                answers = [callback.result() for callback in callbacks]
                took = time.monotonic() - started
            assert {answer.status for answer in answers} <= {502, 503, 504}, answers
            assert all("EH" in answer.words and answer.get("Content-Type").startswith("text/html") for answer in answers)
            assert took < 10
            assert inside.get(world.url + "/portal/whoami").status == 200
        finally:
            let_go.set()
