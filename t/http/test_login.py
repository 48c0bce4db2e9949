# SPDX-License-Identifier: Apache-2.0
"""The log-in from end to end: a browser, our httpd, npm's oidc-provider in both shapes, the legacy portal behind."""
import sys
import time
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from ehhttpd import Browser

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "demo"))

from world import CLIENT, World  # noqa: E402

ALGS = ["RS256", "PS256", "ES256", "EdDSA"]
BUTTON = {"helene": "Hélène", "zoe": "Zoë", "chloe": "Chloé", "maelys": "Maëlys", "francois": "François", "nuria": "Núria"}

# Written by hand from t/demo/op/people.json: what the untouched portal must be told.
TOLD = {
    ("psc", "helene"): {
        "X-Remote-User": "899700001011", "X-Account": "rpps:99700001011", "X-Display-Name": "Hélène Lefèvre-Noël",
        "X-Given-Name": "Hélène", "X-Family-Name": "Lefèvre-Noël", "X-Roles": "physician,professional",
        "X-Structures": "finess:990000101,siret:99900000100019,siren:999000001,structure:F990000101",
        "X-Tenants": "st-jean", "X-Login-Level": "eidas1", "X-Provider": "psc",
    },
    ("psc", "maelys"): {
        "X-Remote-User": "899700004049", "X-Account": "rpps:99700004049", "X-Display-Name": "Maëlys Dœuff-Åström",
        "X-Given-Name": "Maëlys", "X-Family-Name": "Dœuff-Åström", "X-Roles": "nurse,professional",
        "X-Structures": "finess:990000101,siret:99900000100019,siren:999000001,structure:F990000101",
        "X-Tenants": "st-jean", "X-Login-Level": "eidas1", "X-Provider": "psc",
    },
    ("iam", "helene"): {
        "X-Remote-User": "80010190177", "X-Account": "ssin:80010190177", "X-Display-Name": "Hélène Lefèvre-Noël",
        "X-Given-Name": "Hélène", "X-Family-Name": "Lefèvre-Noël", "X-Roles": "physician,professional",
        "X-Structures": "nihii11:19900143004,nihii:71099020", "X-Tenants": "st-jean", "X-Provider": "iam",
    },
    ("iam", "maelys"): {
        "X-Remote-User": "90030390444", "X-Account": "ssin:90030390444", "X-Display-Name": "Maëlys Dœuff-Åström",
        "X-Given-Name": "Maëlys", "X-Family-Name": "Dœuff-Åström", "X-Roles": "nurse,professional",
        "X-Structures": "nihii11:49900164401,nihii:71099020", "X-Tenants": "st-jean", "X-Provider": "iam",
    },
}

# Who is refused, with which code, and a word of the reason in the page's own language.
REFUSED = [
    ("psc", "zoe", "EH5001", "établissement"),
    ("iam", "zoe", "EH5001", "établissement"),
    ("psc", "chloe", "EH5005", "étudiant"),
    ("iam", "francois", "EH5004", "suspendu"),
    ("iam", "nuria", "EH5000", "profession"),
]


def log_in(browser, world, shape, person, path="/portal/{}/"):
    """From the portal's address to wherever the log-in ends."""
    page = browser.get(world.url + path.format(shape))
    assert page.status == 200 and "/login/" in page.url, f"{page} {page.words[:200]}"
    return browser.submit(BUTTON[person])


def log_out(browser, world):
    browser.get(world.url + "/.ehealth/logout")
    return browser.submit()


def session_cookie(browser, world, shape):
    secure = world.url.startswith("https")
    return browser.cookie(("__Host-" if secure else "") + f"eh-s-{shape}")


def is_refused(page, code, status):
    """A page for people that tells the code, not only a status."""
    assert page.status == status, f"{page} {page.words[:300]}"
    assert page.get("Content-Type").startswith("text/html")
    assert code in page.words, page.words[:400]
    assert page.page.lang == "fr"
    assert "no-store" in page.get("Cache-Control", "")


@pytest.fixture(scope="module")
def app():
    from ehhttpd import Portal
    server = Portal()
    yield server
    server.close()


@pytest.fixture(scope="module")
def shared(app):
    """One world for the tests that do not change its configuration."""
    with World(app.url) as world:
        yield world


@pytest.fixture
def world(shared, app):
    shared.op.tell("reset")
    app.clear()
    return shared


@pytest.fixture
def make(app, ca):
    worlds = []

    def start(**kw):
        kw.setdefault("ca", ca)
        worlds.append(World(app.url, **kw).start())
        app.clear()
        return worlds[-1]

    yield start
    for world in worlds:
        world.stop()


# --- the way in ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alg", ALGS)
def test_both_providers_on_both_databases(make, app, database, alg):
    world = make(alg=alg, database=database)
    for shape, person in TOLD:
        browser = Browser()
        page = log_in(browser, world, shape, person)
        assert page.url == f"{world.url}/portal/{shape}/" and page.status == 200
        assert app.identity() == TOLD[shape, person]
        assert session_cookie(browser, world, shape)


@pytest.mark.asan
@pytest.mark.parametrize("shape,person", list(TOLD))
def test_portal_is_told_who_it_is(world, app, shape, person):
    browser = Browser()
    page = log_in(browser, world, shape, person)
    assert page.status == 200
    assert app.identity() == TOLD[shape, person]
    # on the wire: printable ASCII only, nothing lost in decoding
    assert all(0x20 <= ord(c) < 0x7F for _, value in app.requests[-1]["headers"] for c in value)
    again = browser.get(f"{world.url}/portal/{shape}/whoami")
    assert app.identity() == TOLD[shape, person]
    assert again.json()["session"] == 2, "the portal's own session lives on"
    assert app.hits == 2, "nothing reached the portal before the log-in"


@pytest.mark.asan
def test_session_cookie_over_tls(make, app, ca):
    world = make(tls=True)
    browser = Browser(ca=ca.cert)
    assert log_in(browser, world, "psc", "helene").status == 200
    lines = [line for url, line in browser.set_cookies if "eh-s-psc" in line]
    assert len(lines) == 1
    name, _, rest = lines[0].partition("=")
    attributes = {a.strip().lower() for a in rest.split(";")[1:]}
    assert name == "__Host-eh-s-psc" and attributes == {"path=/", "httponly", "secure", "samesite=lax"}
    assert len(rest.split(";")[0]) == 43


def test_our_cookies_do_not_reach_the_portal(world, app):
    browser = Browser()
    log_in(browser, world, "psc", "helene")
    browser.get(f"{world.url}/portal/psc/whoami")
    cookies = app.last()["cookie"]
    assert "JSESSIONID=" in cookies and "eh-s-" not in cookies


def test_target_with_query_and_accents_is_kept(world, app):
    browser = Browser()
    page = log_in(browser, world, "psc", "helene", "/portal/{}/dossier/%C3%A9t%C3%A9?q=a%26b&x=1")
    assert page.url == f"{world.url}/portal/psc/dossier/%C3%A9t%C3%A9?q=a%26b&x=1"
    assert app.requests[-1]["path"] == "/portal/psc/dossier/%C3%A9t%C3%A9?q=a%26b&x=1"


@pytest.mark.asan
@pytest.mark.parametrize("spelling", ["X-Remote-User", "x-remote-user", "X_Remote_User", "X-Remote_User"])
def test_client_cannot_name_itself(world, app, spelling):
    browser = Browser()
    log_in(browser, world, "psc", "helene")
    browser.get(f"{world.url}/portal/psc/whoami", headers=[(spelling, "899700002027")])
    assert app.identity() == TOLD["psc", "helene"]
    assert "899700002027" not in str(app.requests[-1]["headers"])


def test_connection_header_cannot_drop_the_identity(world, app):
    browser = Browser()
    log_in(browser, world, "psc", "helene")
    browser.get(f"{world.url}/portal/psc/whoami", headers=[("Connection", "close, X-Remote-User, X-Roles, X-Tenants")])
    assert app.identity() == TOLD["psc", "helene"]


def test_script_gets_401_not_a_redirect(world, app):
    browser = Browser()
    browser.get(world.url + "/")
    answer = browser.fetch("/portal/psc/whoami", headers=[("Accept", "application/json")])
    assert answer.status == 401 and answer.get("Content-Type") == "application/problem+json"
    assert answer.json()["code"] == "EH4000"
    assert app.hits == 0


def test_two_tabs_and_two_providers(world, app):
    browser = Browser()
    first = browser.get(f"{world.url}/portal/psc/a")
    second = browser.get(f"{world.url}/portal/psc/b")
    assert browser.submit("Hélène", page=first).url == f"{world.url}/portal/psc/a"
    # the provider knows her by now; the second tab's form was made for an interaction of its own
    assert browser.submit("Hélène", page=second).url == f"{world.url}/portal/psc/b"
    assert log_in(browser, world, "iam", "maelys").status == 200
    assert browser.get(f"{world.url}/portal/psc/whoami").status == 200
    assert app.identity() == TOLD["psc", "helene"]


@pytest.mark.parametrize("mpm", ["worker", "prefork"])
def test_smoke_on_other_mpm(make, app, mpm):
    world = make(mpm=mpm)
    for shape in ("psc", "iam"):
        browser = Browser()
        log_in(browser, world, shape, "helene")
        for _ in range(12):  # other children than the one that logged her in
            assert browser.get(f"{world.url}/portal/{shape}/whoami").status == 200
        assert app.identity() == TOLD[shape, "helene"]
        assert log_out(browser, world).status == 200
        assert browser.get(f"{world.url}/portal/{shape}/whoami", follow=False).status == 302


def test_session_survives_restart_and_graceful(make, app):
    world = make()
    browser = Browser()
    log_in(browser, world, "psc", "helene")
    for again in (world.httpd.graceful, world.httpd.restart):
        again()
        assert browser.get(f"{world.url}/portal/psc/whoami").status == 200
        assert app.identity() == TOLD["psc", "helene"]


def test_login_in_flight_survives_restart(make, app):
    world = make()
    browser = Browser()
    browser.get(f"{world.url}/portal/psc/")
    world.httpd.restart()
    assert browser.submit("Hélène").status == 200
    assert app.identity() == TOLD["psc", "helene"]


# --- who is refused -----------------------------------------------------------------------------------------------------


@pytest.mark.asan
@pytest.mark.parametrize("shape,person,code,word", REFUSED)
def test_refused_with_a_reason(world, app, shape, person, code, word):
    browser = Browser()
    page = log_in(browser, world, shape, person)
    is_refused(page, code, 403)
    assert word in page.words
    assert "/.ehealth/logout" in [link["href"] for link in page.page.links]  # the next person at this computer
    assert app.hits == 0
    # it stays 403: a 401 or a redirect would start the log-in again
    assert browser.get(f"{world.url}/portal/{shape}/whoami", follow=False).status == 403
    answer = browser.fetch(f"{world.url}/portal/{shape}/whoami", headers=[("Accept", "application/json")])
    assert answer.status == 403 and answer.json()["code"] == code
    assert app.hits == 0


# --- keys that rotate -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alg", ALGS)
@pytest.mark.parametrize("shape", ["psc", "iam"])
def test_key_rotated_just_before_signing(make, app, shape, alg):
    """Our JWKS cache is warm; the provider signs with a key that is minutes younger."""
    world = make(alg=alg, children=1)  # each child has a cache of its own
    assert log_in(Browser(), world, shape, "helene").status == 200
    world.op.tell("rotate", shape=shape, keep=False)
    assert log_in(Browser(), world, shape, "helene").status == 200
    assert world.op.tell("counts", shape=shape)["certs"] == 2, "one fetch, one refetch for the unknown kid"


@pytest.mark.parametrize("alg", ALGS)
@pytest.mark.parametrize("shape", ["psc", "iam"])
def test_key_rotated_just_after_signing(make, app, shape, alg):
    """The token is signed, then the provider turns to a new key before we verify: the cached old key still serves."""
    world = make(alg=alg, children=1)
    assert log_in(Browser(), world, shape, "helene").status == 200
    world.op.tell("rotate-after-signing", shape=shape, keep=False)
    assert log_in(Browser(), world, shape, "helene").status == 200
    # and the provider that keeps its old key in the set is fine for a server that starts cold
    world.op.tell("reset")
    world.httpd.restart()
    world.op.tell("rotate-after-signing", shape=shape, keep=True)
    assert log_in(Browser(), world, shape, "helene").status == 200


def test_unknown_key_is_not_fetched_for_again_and_again(make, app):
    """A flood of made-up kids costs the provider one fetch, and nobody is let in."""
    world = make(children=1)
    assert log_in(Browser(), world, "psc", "helene").status == 200
    world.op.tell("tamper", shape="psc", id_token={"sign": "foreign", "header": {"kid": "made-up"}})
    world.httpd.allow("EH12")
    for _ in range(4):
        assert log_in(Browser(), world, "psc", "helene").status == 502
    assert world.op.tell("counts", shape="psc")["certs"] == 2


# --- answers that are not what they should be ----------------------------------------------------------------------------

PAST, FUTURE = -4000, 4000
ID_TOKEN = [  # what the provider is made to say, the code that we must tell
    ("iss-other", {"set": {"iss": "https://evil.example/auth/realms/esante-wallet"}}, "EH4110"),
    ("iss-slash", {"set": {"iss": "+/"}}, "EH4110"),
    ("aud-other", {"set": {"aud": "another-portal"}}, "EH4111"),
    ("aud-list-of-others", {"set": {"aud": ["another-portal", "third"]}}, "EH4111"),
    ("aud-missing", {"drop": ["aud"]}, "EH4111"),
    ("azp-other", {"set": {"aud": [CLIENT, "x"], "azp": "another-portal"}}, "EH4111"),
    ("expired", {"set": {"exp": PAST}}, "EH4112"),
    ("issued-in-the-future", {"set": {"iat": FUTURE, "exp": 2 * FUTURE}}, "EH4112"),
    ("not-yet-valid", {"set": {"nbf": FUTURE}}, "EH4112"),
    ("exp-missing", {"drop": ["exp"]}, "EH4115"),
    ("iat-missing", {"drop": ["iat"]}, "EH4115"),
    ("sub-missing", {"drop": ["sub"]}, "EH4115"),
    ("sub-number", {"set": {"sub": 7}}, "EH4115"),
    ("exp-text", {"set": {"exp": "tomorrow"}}, "EH4115"),
    ("nonce-other", {"set": {"nonce": "x" * 43}}, "EH4113"),
    ("nonce-missing", {"drop": ["nonce"]}, "EH4113"),
    ("at-hash-wrong", {"set": {"at_hash": "A" * 22}}, "EH4119"),
    ("signature-broken", {"sign": "broken"}, "EH1201"),
    ("signature-missing", {"sign": "strip"}, "EH1201"),
    ("alg-none", {"sign": "none"}, "EH1201"),
    ("alg-hs256-public-key", {"sign": "hs256"}, "EH1201"),
    ("alg-hs256-client-secret", {"sign": "hs256-secret", "secret": True}, "EH1201"),
    ("foreign-key-same-kid", {"sign": "foreign"}, "EH1201"),
    ("foreign-key-in-header", {"sign": "foreign", "jwk": True}, "EH1201"),
    ("crit", {"header": {"crit": ["x"], "x": 1}}, "EH1201"),
    ("alg-swapped-in-header", {"header": {"alg": "PS256"}}, "EH1201"),
    ("id-token-missing", {"omit": True}, "EH4102"),
    ("id-token-not-a-jwt", {"raw": "hello"}, "EH1201"),
]


def order_for(world, shape, order):
    """Times of an order are seconds from now; '+/' is appended to the true issuer; True is the client's secret."""
    now, out = int(time.time()), dict(order)
    if out.get("secret") is True:
        out["secret"] = world.secret
    if "set" in out:
        out["set"] = {k: now + v if k in ("exp", "iat", "nbf") and isinstance(v, int) else v
                      for k, v in out["set"].items()}
        if out["set"].get("iss") == "+/":
            out["set"]["iss"] = (world.op.psc_issuer if shape == "psc" else world.op.iam_issuer) + "/"
    return out


def nobody_is_in(browser, world, app, shape):
    assert session_cookie(browser, world, shape) is None
    assert app.hits == 0
    assert browser.get(f"{world.url}/portal/{shape}/whoami", follow=False).status == 302
    assert app.hits == 0


@pytest.mark.asan
@pytest.mark.parametrize("shape", ["psc", "iam"])
@pytest.mark.parametrize("name,order,code", ID_TOKEN, ids=[row[0] for row in ID_TOKEN])
def test_spoilt_id_token(world, app, shape, name, order, code):
    world.op.tell("tamper", shape=shape, id_token=order_for(world, shape, order))
    world.httpd.allow(code)
    browser = Browser()
    page = log_in(browser, world, shape, "helene")
    is_refused(page, code, 502)
    nobody_is_in(browser, world, app, shape)


USERINFO = [
    ("sub-of-another", {"set": {"sub": "f:550dc1c8-d97b-4b1e-ac8c-8eb4471cf9dd:899700002027"}}, "EH4114", 502),
    ("sub-missing", {"drop": ["sub"]}, "EH4114", 502),
    ("not-json", {"raw": "<html>"}, "EH4117", 502),
    ("not-an-object", {"raw": "[1]"}, "EH4117", 502),
    ("national-id-missing", {"drop": ["SubjectNameID"]}, "EH4118", 403),
    ("national-id-bad-check-digit", {"set": {"SubjectNameID": "899700001012"}}, "EH4118", 403),
    ("jwt-broken", {"jwt": True, "sign": "broken"}, "EH1201", 502),
    ("jwt-none", {"jwt": True, "sign": "none"}, "EH1201", 502),
    ("jwt-of-another-issuer", {"jwt": True, "set": {"iss": "https://evil.example", "aud": CLIENT}}, "EH4110", 502),
]


@pytest.mark.asan
@pytest.mark.parametrize("name,order,code,status", USERINFO, ids=[row[0] for row in USERINFO])
def test_spoilt_userinfo(world, app, name, order, code, status):
    world.op.tell("tamper", shape="psc", userinfo=order)
    world.httpd.allow(code)
    browser = Browser()
    page = log_in(browser, world, "psc", "helene")
    is_refused(page, code, status)
    nobody_is_in(browser, world, app, "psc")


def test_acr_is_ranked_not_compared(world, app):
    for acr, good in (("eidas3", True), ("eidas2", True), ("eidas0", False), ("1", False)):
        world.op.tell("tamper", shape="psc", id_token={"set": {"acr": acr}})
        browser = Browser()
        world.httpd.allow("EH4116")
        page = log_in(browser, world, "psc", "helene")
        assert page.status == (200 if good else 403)
        if good:
            assert app.identity()["X-Login-Level"] == acr
        else:
            assert "EH4116" in page.words and session_cookie(browser, world, "psc") is None


# --- state, browser, callback ---------------------------------------------------------------------------------------------


def callback_of(browser, world, shape="psc", person="helene"):
    """Goes through the log-in up to the redirect to our callback, without following it."""
    browser.get(f"{world.url}/portal/{shape}/")
    page = browser.submit(BUTTON[person], follow=False)
    for _ in range(4):
        target = page.get("Location")
        if target.startswith(world.url):
            return target
        page = browser.follow(target, page, follow=False)
    raise AssertionError("no callback")


def with_query(url, **changes):
    parts = urlsplit(url)
    query = {k: v[0] for k, v in parse_qs(parts.query).items()}
    query.update(changes)
    return parts._replace(query=urlencode({k: v for k, v in query.items() if v is not None})).geturl()


@pytest.mark.asan
@pytest.mark.parametrize("name,change,code,status", [
    ("unknown-state", {"state": "x" * 60}, "EH4001", 400),
    ("no-state", {"state": None}, "EH4001", 400),
    ("no-code", {"code": None}, "EH4007", 400),
    ("iss-of-another", {"iss": "https://evil.example"}, "EH4101", 502),
    ("iss-missing-though-promised", {"iss": None}, "EH4101", 502),
    ("made-up-code", {"code": "x" * 43}, "EH4102", 502),
    ("cancelled", {"code": None, "error": "access_denied"}, "EH4005", 403),
    ("provider-error", {"code": None, "error": "server_error"}, "EH4104", 503),
])
def test_bad_callback(world, app, name, change, code, status):
    browser = Browser()
    url = callback_of(browser, world)
    world.httpd.allow(code)
    page = browser.get(with_query(url, **change))
    is_refused(page, code, status)
    nobody_is_in(browser, world, app, "psc")


@pytest.mark.asan
def test_state_is_bound_to_the_browser(world, app):
    """Log-in CSRF: an attacker hands his own half-finished log-in to a victim."""
    attacker, victim = Browser(), Browser()
    url = callback_of(attacker, world)
    victim.get(f"{world.url}/portal/psc/")  # the victim has a binding cookie, too
    world.httpd.allow("EH4001")
    page = victim.get(url)
    is_refused(page, "EH4001", 400)
    nobody_is_in(victim, world, app, "psc")


def test_state_is_used_once(world, app):
    browser = Browser()
    url = callback_of(browser, world)
    assert browser.get(url).status == 200
    # the same browser, logged in: Back is no error
    assert browser.get(url).url == f"{world.url}/portal/psc/"
    # the same browser without its session: refused
    browser.cookies = {k: v for k, v in browser.cookies.items() if "eh-s-" not in k[1]}
    app.clear()
    world.httpd.allow("EH4003|EH4102")
    page = browser.get(url)
    assert page.status in (400, 502) and session_cookie(browser, world, "psc") is None
    assert app.hits == 0


def test_callback_of_another_provider(world, app):
    """Mix-up: the answer of one provider is delivered to the other's callback."""
    browser = Browser()
    url = callback_of(browser, world, "iam")
    world.httpd.allow("EH4001|EH4101")
    page = browser.get(url.replace("/callback/iam", "/callback/psc"))
    assert page.status in (400, 502) and ("EH4001" in page.words or "EH4101" in page.words)
    nobody_is_in(browser, world, app, "psc")


def test_expired_state(make, app):
    world = make()
    browser = Browser()
    url = callback_of(browser, world)
    world.httpd.shift_clock(901)  # Pro Santé Connect: 15 minutes for card and PIN
    world.httpd.allow("EH4002")
    page = browser.get(url)
    is_refused(page, "EH4002", 400)
    nobody_is_in(browser, world, app, "psc")


def test_session_ends(make, app):
    """Idle after half an hour, over after four hours, whatever the browser keeps."""
    world = make()
    idle, busy = Browser(), Browser()
    log_in(idle, world, "psc", "helene")
    log_in(busy, world, "psc", "maelys")
    world.httpd.shift_clock(1700)
    assert busy.get(f"{world.url}/portal/psc/whoami").status == 200
    world.httpd.shift_clock(1900)
    assert idle.get(f"{world.url}/portal/psc/whoami", follow=False).status == 302
    world.httpd.shift_clock(4 * 3600 + 60)
    assert busy.get(f"{world.url}/portal/psc/whoami", follow=False).status == 302


# --- the way out -----------------------------------------------------------------------------------------------------------


@pytest.mark.asan
@pytest.mark.parametrize("shape", ["psc", "iam"])
def test_logout_here_and_at_the_provider(world, app, shape):
    browser = Browser()
    log_in(browser, world, shape, "helene")
    ticket = session_cookie(browser, world, shape)
    for _ in range(12):  # every child has the session in its memory
        assert browser.get(f"{world.url}/portal/{shape}/whoami").status == 200
    browser.get(world.url + "/.ehealth/logout")
    page = browser.submit()
    assert "logout" in page.url and page.status == 200, "the provider asks"
    assert session_cookie(browser, world, shape) is None, "the session here is over before the provider answers"
    page = browser.submit("Se déconnecter" if shape == "psc" else "Afmelden")
    assert page.url.startswith(world.url + "/.ehealth/logged-out") and page.status == 200
    app.clear()
    # Back and refresh: the log-in starts again, at a provider that does not know her any more
    page = browser.get(f"{world.url}/portal/{shape}/")
    assert "/login/" in page.url and app.hits == 0
    # a copy of the cookie is worth nothing, in whichever child
    for _ in range(12):
        answer = Browser().raw("GET", f"{world.url}/portal/{shape}/whoami", [("Cookie", f"eh-s-{shape}={ticket}")])
        assert answer.status == 401 and app.hits == 0


def test_logout_is_not_for_other_sites(world, app):
    browser = Browser()
    log_in(browser, world, "psc", "helene")
    page = browser.post(world.url + "/.ehealth/logout", initiator="https://evil.example/")
    assert page.status == 403 and "EH3004" in page.words
    assert browser.get(f"{world.url}/portal/psc/whoami").status == 200


def test_logged_out_page_does_not_follow_foreign_state(world):
    page = Browser().get(world.url + "/.ehealth/logged-out?state=made-up")
    assert page.status in (200, 403)
    if page.status == 403:
        assert "EH4501" in page.words


# --- a provider in trouble ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("endpoint,fault", [
    ("token", {"status": 500}), ("token", {"drop": True}), ("userinfo", {"status": 503}), ("userinfo", {"drop": True}),
])
def test_provider_in_trouble(make, app, endpoint, fault):
    world = make()
    world.op.tell("fault", shape="psc", endpoint=endpoint, **fault)
    browser = Browser()
    world.httpd.allow("EH21|EH41")
    page = log_in(browser, world, "psc", "helene")
    assert page.status in (502, 503) and "EH" in page.words
    nobody_is_in(browser, world, app, "psc")
    world.op.tell("reset")
    assert log_in(Browser(), world, "psc", "helene").status == 200, "and it goes on when the provider is back"


def test_metadata_down_at_first(make, app):
    """Without its description the static table of a preset would name the real hosts: refused, and told so."""
    world = make()
    world.op.tell("fault", shape="psc", endpoint="discovery", status=503)
    world.httpd.allow("EH21|EH41")
    page = Browser().get(f"{world.url}/portal/psc/")
    assert page.status in (502, 503) and "EH" in page.words and page.get("Location") is None
    assert page.url.startswith(world.url), "nobody is sent to a host that the administrator did not write"
