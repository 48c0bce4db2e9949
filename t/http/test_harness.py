# SPDX-License-Identifier: Apache-2.0
"""The harness itself: what it promises to the other tests must be able to fail."""
import pytest

from ehhttpd import Browser, Httpd, LogError

PLAIN = 'ProxyPass /portal {portal}\nProxyPassReverse /portal {portal}\n'


@pytest.mark.parametrize("mpm", ["event", "worker", "prefork"])
def test_serves_and_restarts(httpd, mpm):
    server = httpd(mpm=mpm, ehealth=())
    (server.dir / "htdocs" / "a.txt").write_text("hello")
    browser = Browser()
    for again in (server.graceful, server.restart):
        assert browser.get(server.url + "/a.txt").text == "hello"
        again()
    assert browser.get(server.url + "/a.txt").status == 200
    assert server.children()


def test_tls_is_verified(httpd, ca):
    server = httpd(tls=True, ehealth=())
    (server.dir / "htdocs" / "a.txt").write_text("hello")
    assert Browser(ca=ca.cert).get(server.url + "/a.txt").status == 200
    with pytest.raises(OSError):
        Browser().get(server.url + "/a.txt")


def test_unannounced_error_line_fails(httpd):
    server = httpd("ProxyPass /down http://127.0.0.1:1/\n", ehealth=())
    assert Browser().get(server.url + "/down").status == 503
    with pytest.raises(LogError, match="unannounced"):
        server.check_log()


def test_announced_error_line_passes(httpd):
    server = httpd("ProxyPass /down http://127.0.0.1:1/\n", ehealth=())
    server.expect(r"AH00957|failed")
    server.allow(r"AH01114")
    assert Browser().get(server.url + "/down").status == 503
    server.check_log()


def test_announced_line_that_never_comes_fails(httpd):
    server = httpd(ehealth=())
    server.expect("EH4001")
    with pytest.raises(LogError, match="not in the error log"):
        server.check_log(timeout=0.1)


def test_a_line_of_another_shape_is_bad():
    assert Httpd._is_bad("==12==ERROR: AddressSanitizer: heap-use-after-free")
    assert Httpd._is_bad("[t] [core:notice] [pid 1] AH00052: child pid 7 exit signal Segmentation fault (11)")
    assert not Httpd._is_bad("[t] [core:notice] [pid 1] AH00094: Command line: 'apache2'")


def test_portal_sees_what_was_sent(httpd, portal):
    server = httpd(PLAIN.format(portal=portal.url), ehealth=())
    browser = Browser()
    first = browser.get(server.url + "/portal/whoami", headers=[("X-Display-Name", "Zo%C3%AB")])
    assert first.status == 200
    assert portal.identity() == {"X-Display-Name": "Zoë"}
    assert portal.last()["sec-fetch-site"] == "none"
    assert browser.cookie("JSESSIONID")
    assert browser.get(server.url + "/portal/whoami").json()["session"] == 2


def test_browser_keeps_cookie_rules(httpd, ca):
    conf = ('Header always add Set-Cookie "__Host-ok=1; Path=/; Secure; HttpOnly; SameSite=Lax"\n'
            'Header always add Set-Cookie "__Host-bad=1; Path=/x; Secure"\n'
            'Header always add Set-Cookie "strict=1; Path=/; Secure; SameSite=Strict"\n')
    secure = httpd(conf, tls=True, ehealth=())
    browser = Browser(ca=ca.cert)
    browser.get(secure.url + "/none")
    assert browser.cookie("__Host-ok") == "1" and browser.cookie("__Host-bad") is None
    browser._navigate("GET", secure.url + "/none", "https://elsewhere.example/")
    sent = dict(browser.sent[-1][2])
    assert sent["Sec-Fetch-Site"] == "cross-site" and "strict" not in sent["Cookie"] and "__Host-ok" in sent["Cookie"]
    plain = httpd(conf, ehealth=())
    browser = Browser()
    browser.get(plain.url + "/none")
    assert not browser.cookies


def test_postgres(postgres):
    db = postgres.connect(postgres.create_database())
    cur = db.cursor()
    cur.execute("SELECT 'é'::text")
    assert cur.fetchone() == ("é",)
    db.close()
    postgres.freeze()
    postgres.thaw()
    postgres.connect("postgres").close()
