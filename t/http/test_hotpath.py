# SPDX-License-Identifier: Apache-2.0
"""Sessions in memory: what ends one ends it in every child, and what is no session never reaches a page."""
import concurrent.futures
import time

import pytest

from oidcworld import OidcWorld, practitioner, protect

pytestmark = pytest.mark.asan

NAVIGATE = [("Sec-Fetch-Mode", "navigate"), ("Accept", "text/html")]
STUDENT = practitioner(rpps="99700003033", given="Chloé", family="Amélineau", category="E")
NURSE = practitioner(rpps="99700004049", given="Maëlys", family="Dœuff", profession="60")
ELSEWHERE = practitioner(rpps="99700002027", given="Zoë", family="D’Haese", place={
    "numeroFinessSite": "990000200", "numeroSiretSite": "99900000200017",
    "identifiantTechniqueDeLaStructure": "R10000000000200"})


@pytest.fixture(scope="module")
def world(ca):
    with OidcWorld(providers=("psc", "other"), conf=protect() + protect("/open/other", login="other")) as w:
        yield w


def statuses(world, cookie, n=48, path="/portal/whoami"):
    """Of n requests on n connections at once: both children answer some."""
    def one(_):
        return world.browser().raw("GET", world.url + path, [*NAVIGATE, ("Cookie", cookie)]).status

    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        return set(pool.map(one, range(n)))


def session(world, **kw):
    return "eh-s-psc=" + world.log_in(**kw).cookie("eh-s-psc")


def in_both_children(world, cookie):
    """Each child reads a session from the database once; then it is in both. A slow portal keeps one child busy enough for
    the other to take its share."""
    name = 'ehealth_session_lookups_total{result="database"}'
    before = world.metric(name) - 1  # the log-in's own first page
    world.portal.server.delay = 0.3
    try:
        for _ in range(20):
            assert statuses(world, cookie) == {200}
            if world.metric(name) >= before + 2:
                return
    finally:
        world.portal.server.delay = 0
    raise AssertionError("only one child ever answered")


# -- ends -------------------------------------------------------------------------------------------------------------


def test_revocation_reaches_every_child_within_a_second(world):
    cookie = session(world)
    in_both_children(world, cookie)
    world.revoke_all()
    time.sleep(1)
    world.portal.clear()
    assert statuses(world, cookie) == {302}
    assert world.portal.hits == 0


def test_log_out_ends_it_in_every_child_at_once(world):
    browser = world.log_in()
    cookie = "eh-s-psc=" + browser.cookie("eh-s-psc")
    in_both_children(world, cookie)
    browser.get(world.url + "/.ehealth/logout")
    assert statuses(world, cookie) == {200}  # asking ends nothing
    done = browser.submit()
    assert done.status == 200 and "/.ehealth/logged-out" in done.url
    world.portal.clear()
    assert statuses(world, cookie) == {302}
    assert world.portal.hits == 0
    assert browser.cookie("eh-s-psc") is None


@pytest.mark.parametrize("headers", [[("Sec-Fetch-Site", "cross-site")], [("Sec-Fetch-Site", "same-site")],
                                     [("Origin", "https://evil.example")], []])
def test_another_site_cannot_log_out(world, headers):
    cookie = session(world)
    answer = world.browser().raw("POST", world.url + "/.ehealth/logout", [*headers, ("Cookie", cookie)], b"")
    assert answer.status == 403
    assert statuses(world, cookie, 2) == {200}


def test_a_new_log_in_has_a_new_ticket_and_ends_the_old_one(world):
    browser = world.log_in()
    old = browser.cookie("eh-s-psc")
    browser.get(world.url + "/.ehealth/login/psc?target=/portal/whoami")
    new = browser.cookie("eh-s-psc")
    assert new != old
    assert statuses(world, "eh-s-psc=" + new, 8) == {200}
    assert statuses(world, "eh-s-psc=" + old, 8) == {302}


def test_a_ticket_chosen_by_somebody_else_is_not_adopted(world):
    browser = world.browser()
    planted = "A" * 43
    world.op.person = practitioner()
    page = browser.get(world.url + "/portal/whoami", headers=[("Cookie", f"eh-s-psc={planted}")], follow=False)
    assert page.status == 302
    world.log_in(browser=browser)
    assert browser.cookie("eh-s-psc") != planted
    assert statuses(world, f"eh-s-psc={planted}", 4) == {302}


def schema(postgres, name):
    """What `ehctl migrate` does to an empty PostgreSQL, by the same program."""
    with OidcWorld(database=("pgsql", postgres.params(name))) as world:
        world.httpd.allow("EH2006")
        world.httpd.migrate()


def test_survives_a_graceful_restart(ca):
    with OidcWorld() as world:
        cookie = session(world)
        world.httpd.graceful()
        assert statuses(world, cookie, 8) == {200}


@pytest.mark.parametrize("mpm", ["worker", "prefork"])
def test_other_mpm(mpm):
    """One thread or many: the same life of a session."""
    with OidcWorld(mpm=mpm) as world:
        browser = world.log_in()
        cookie = "eh-s-psc=" + browser.cookie("eh-s-psc")
        in_both_children(world, cookie)
        browser.get(world.url + "/.ehealth/logout")
        assert browser.submit().status == 200
        assert statuses(world, cookie) == {302}


def test_database_gone_is_503_after_the_grace_and_nobody_is_logged_out(postgres):
    name = postgres.create_database()
    database = "pgsql", postgres.params(name)
    schema(postgres, name)
    with OidcWorld(grace="EHealthSessionGrace 2\nEHealthDatabaseTimeout 300 500\n", database=database) as world:
        world.httpd.allow(r"EH20\d\d|session-revocations|session-seen|audit-seal")
        cookie = session(world)
        in_both_children(world, cookie)
        postgres.freeze()
        try:
            assert statuses(world, cookie, 8) == {200}  # within the grace
            time.sleep(4)
            world.portal.clear()
            assert statuses(world, cookie, 8) == {503}
            assert world.portal.hits == 0
        finally:
            postgres.thaw()
        end = time.monotonic() + 15
        while statuses(world, cookie, 4) != {200}:
            assert time.monotonic() < end, "not back"
            time.sleep(0.2)


# -- what is no session -----------------------------------------------------------------------------------------------


def flip(text, at):
    return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1:]


def test_tampered_cookies(world):
    good = session(world).split("=")[1]
    bad = [flip(good, 0), flip(good, 20), flip(good, 41), good[:-1], good + "A", "", "A" * 43, "A" * 4000, good.swapcase(),
           good + "=", '"' + good + '"', "%41" + good[1:], good[:20] + "\u00e9".encode().decode("latin-1") + good[22:]]
    world.portal.clear()
    for value in bad:
        answer = world.browser().raw("GET", world.url + "/portal/whoami", [*NAVIGATE, ("Cookie", f"eh-s-psc={value}")])
        assert answer.status == 302, value
    assert world.portal.hits == 0


def test_two_different_tickets_are_none(world):
    good = session(world)
    for cookie in (f"{good}; eh-s-psc={'A' * 43}", f"eh-s-psc={'A' * 43}; {good}"):
        assert statuses(world, cookie, 2) == {302}
    assert statuses(world, f"{good}; {good}", 2) == {200}


def test_a_session_of_one_provider_is_none_of_another(world):
    good = session(world)
    assert statuses(world, good.replace("eh-s-psc", "eh-s-other"), 4, "/open/other/whoami") == {302}
    assert statuses(world, good, 4, "/open/other/whoami") == {302}
    assert statuses(world, good, 4) == {200}


def test_a_session_of_one_host_is_none_of_another():
    hosts = """
<VirtualHost *:${PORT}>
    ServerName 127.0.0.1
    ProxyPass /portal {portal}/portal
</VirtualHost>
<VirtualHost *:${PORT}>
    ServerName localhost
    EHealthPublicURL http://localhost:${PORT}
    ProxyPass /portal {portal}/portal
</VirtualHost>
"""
    with OidcWorld(conf=protect() + hosts) as world:
        here = session(world)
        other_url = f"http://localhost:{world.httpd.port}"
        there = "eh-s-psc=" + world.log_in(url=other_url).cookie("eh-s-psc")
        for url, cookie, status in ((world.url, here, 200), (other_url, there, 200), (world.url, there, 302),
                                    (other_url, here, 302), (world.url, here, 200), (other_url, there, 200)):
            for _ in range(4):
                answer = world.browser().raw("GET", url + "/portal/whoami", [*NAVIGATE, ("Cookie", cookie)])
                assert answer.status == status, (url, cookie)


# -- 302 or 401 -------------------------------------------------------------------------------------------------------

CLIENTS = [
    ("GET", NAVIGATE, 302),
    ("HEAD", NAVIGATE, 302),
    ("GET", [("Accept", "text/html")], 302),  # a browser before Sec-Fetch
    ("POST", NAVIGATE, 401),                  # a form cannot be carried through a log-in
    ("GET", [("Sec-Fetch-Mode", "cors"), ("Accept", "text/html")], 401),
    ("GET", [("Sec-Fetch-Mode", "no-cors"), ("Accept", "image/*")], 401),
    ("GET", [("X-Requested-With", "XMLHttpRequest"), ("Accept", "text/html")], 401),
    ("GET", [("Accept", "text/event-stream")], 401),
    ("GET", [("Accept", "application/json")], 401),
    ("GET", [], 401),
    ("OPTIONS", [("Origin", "https://evil.example"), ("Access-Control-Request-Method", "GET")], 401),
]


@pytest.mark.parametrize("method, headers, status", CLIENTS)
def test_who_is_redirected(world, method, headers, status):
    world.portal.clear()
    answer = world.browser().raw(method, world.url + "/portal/a?b=%26c", headers, b"" if method == "POST" else None)
    assert answer.status == status and world.portal.hits == 0
    assert "no-store" in answer.get("Cache-Control")
    assert answer.get("Set-Cookie") is None  # nothing is made before the person is sent to log in
    if status == 302:
        assert answer.get("Location") == "/.ehealth/login/psc?target=%2Fportal%2Fa%3Fb%3D%2526c"
    else:
        assert answer.get("WWW-Authenticate") and answer.get("X-EHealth-Error") == "EH4000"
        if method != "POST":
            assert answer.get("Content-Type") == "application/problem+json"
            assert answer.json()["login"] == "/.ehealth/login/psc?target=%2Fportal%2Fa%3Fb%3D%2526c"


def test_an_ended_session_says_so(world):
    cookie = session(world)
    world.revoke_all()
    time.sleep(1)
    answer = world.browser().raw("GET", world.url + "/portal/whoami", [("Cookie", cookie)])
    assert answer.status == 401 and answer.json()["code"] == "EH4500"


def test_the_reserved_prefix_is_reachable_and_lends_nothing_else(ca):
    """A whole site behind the log-in: the log-in itself is not, everything else is."""
    site = "ProxyPass / {portal}/\n" + protect("/", require="<RequireAll>\nRequire valid-user\n</RequireAll>")
    with OidcWorld(conf=site) as world:
        assert world.log_in().cookie("eh-s-psc")
        world.portal.clear()
        for path in ("/.ehealth/../portal", "/.ehealth/%2e%2e/portal", "/.ehealth//../portal", "/%2eehealth/..%2fportal",
                     "//.ehealth/", "/.ehealth", "/.EHEALTH/logout", "/.ehealth;/logout", "/x/../portal"):
            answer = world.browser().raw("GET", world.url + path, NAVIGATE)
            assert answer.status in (302, 400, 404), f"{path}: {answer.status}"
        assert world.portal.hits == 0
        assert world.browser().raw("GET", world.url + "/.ehealth/login/psc", NAVIGATE).status == 303


def test_callback_path_of_ones_own(ca):
    with OidcWorld(session="EHealthCallbackPath /oidc/back") as world:
        browser = world.log_in()
        assert any("/oidc/back?" in url for _, url, _ in browser.sent)


# -- let in or not ----------------------------------------------------------------------------------------------------

REFUSALS = [
    ("Require ehealth-role nurse", practitioner(), "EH5000"),
    ("<RequireAll>\nRequire ehealth-role physician\nRequire ehealth-member st-jean\n</RequireAll>", ELSEWHERE, "EH5001"),
    ("Require ehealth-role physician", STUDENT, "EH5005"),
    ("Require ehealth-acr 2", practitioner(), "EH5002"),
    ("Require ehealth-acr eidas3", practitioner(), "EH5002"),
    ("Require ehealth-claim authMode OTP", practitioner(), "EH5003"),
    ("<RequireAll>\nRequire valid-user\nRequire not ehealth-role physician\n</RequireAll>", practitioner(), "EH5007"),
    ("<RequireAny>\nRequire ehealth-role pharmacist\nRequire ehealth-member st-jean\n</RequireAny>", ELSEWHERE, "EH5000"),
    ("Require user somebody-else", practitioner(), "EH5007"),
]
ADMISSIONS = [
    ("Require ehealth-role nurse physician", practitioner()),
    ("Require ehealth-role nurse physician", NURSE),
    ("Require ehealth-member st-jean", practitioner()),
    ("Require ehealth-acr 1", practitioner()),
    ("Require ehealth-acr eidas3 eidas1", practitioner()),
    ("Require ehealth-claim authMode OTP CARD", practitioner()),
    ("Require ehealth-claim SubjectRefPro.exercices[].codeProfession 10", practitioner()),
    ("Require ehealth-claim email_verified false", practitioner()),
    ("<RequireAny>\nRequire ehealth-role pharmacist\nRequire ehealth-member st-jean\n</RequireAny>", practitioner()),
    ("<RequireAll>\nRequire valid-user\n<RequireNone>\nRequire ehealth-role student\n</RequireNone>\n</RequireAll>",
     practitioner()),
    ("Require ours", practitioner()),
]


@pytest.fixture(scope="module")
def rooms(ca):
    """One location for each line of the tables."""
    conf = "<AuthzProviderAlias ehealth-member ours st-jean>\n</AuthzProviderAlias>\n"
    for i, (require, *_) in enumerate(REFUSALS):
        conf += protect(f"/portal/no/{i}", require=require)
    for i, (require, *_) in enumerate(ADMISSIONS):
        conf += protect(f"/portal/yes/{i}", require=require)
    with OidcWorld(conf=conf) as w:
        yield w


@pytest.mark.parametrize("i", range(len(REFUSALS)), ids=[r[2] + "-" + str(i) for i, r in enumerate(REFUSALS)])
def test_refused_with_the_reason(rooms, i):
    _, who, code = REFUSALS[i]
    browser = rooms.log_in(f"/portal/no/{i}/whoami", who, status=403)
    rooms.portal.clear()
    page = browser.get(rooms.url + f"/portal/no/{i}/whoami")
    assert page.status == 403 and not page.history and code in page.words
    answer = browser.fetch(rooms.url + f"/portal/no/{i}/whoami", headers=[("Accept", "application/json")])
    assert answer.status == 403 and answer.json()["code"] == code
    assert rooms.portal.hits == 0
    assert rooms.sql("SELECT count(*) FROM eh_audit WHERE event = 'access.refused' AND code = ?", code)[0][0] >= 1
    assert "AH01631" not in rooms.httpd.log_text()  # httpd's own line would carry REMOTE_USER


@pytest.mark.parametrize("i", range(len(ADMISSIONS)))
def test_admitted(rooms, i):
    _, who = ADMISSIONS[i]
    rooms.log_in(f"/portal/yes/{i}/whoami", who)


def test_remote_user_and_environment():
    conf = protect(more="EHealthRemoteUser %{person}\nEHealthIdentityEnv EH_NAME %{name}\n"
                   'RequestHeader set X-Seen "%{EH_NAME}e"\nRequestHeader set X-User "expr=%{REMOTE_USER}"')
    with OidcWorld(conf=conf) as world:
        world.log_in()
        seen = world.portal.last()
        assert seen["x-user"] == "rpps:99700001011"
        assert seen["x-seen"].encode("latin-1").decode() == "Hélène Lefèvre-Noël"


def test_a_value_that_is_not_there_is_no_header():
    with OidcWorld(conf=protect(more="EHealthIdentityHeader X-Mail %{claim:email}")) as world:
        world.log_in()
        assert "x-mail" not in world.portal.last()


def test_nobody_without_an_account_gets_in():
    with OidcWorld(conf=protect(more="EHealthRemoteUser %{claim:local_account}")) as world:
        world.log_in(status=403)
        assert "EH5006" in world.log_in(status=403).page.words and world.portal.hits == 0


def test_inner_section_adds_to_the_outer_and_replaces_by_name():
    conf = protect() + ("<Location /portal/inner>\nEHealthIdentityHeader X-Roles doctor\n"
                        "EHealthIdentityHeader X-Level %{acr}\n</Location>\n")
    with OidcWorld(conf=conf) as world:
        browser = world.log_in()
        assert world.portal.last()["x-roles"] == "physician,professional" and "x-level" not in world.portal.last()
        browser.get(world.url + "/portal/inner/whoami")
        seen = world.portal.last()
        assert (seen["x-roles"], seen["x-level"], seen["x-remote-user"]) == ("doctor", "eidas1", "899700001011")


# -- caches -----------------------------------------------------------------------------------------------------------


def test_a_shared_cache_never_serves_somebody_elses_page():
    conf = protect(more='Header set Cache-Control "public, max-age=600, s-maxage=600"') + (
        "CacheRoot ${DIR}/run/cache\nCacheQuickHandler On\nCacheEnable disk /\nCacheIgnoreNoLastMod On\n"
        "CacheDefaultExpire 600\nCacheStoreNoStore On\nCacheStorePrivate On\n"
        '<Location /open>\nHeader set Cache-Control "public, max-age=600"\n</Location>\n')
    with OidcWorld(conf=conf, modules=("cache", "cache_disk")) as world:
        (world.httpd.dir / "run" / "cache").mkdir(mode=0o777)
        (world.httpd.dir / "run" / "cache").chmod(0o777)
        first, second = world.log_in(), world.log_in(who=NURSE)
        for browser, who in ((first, "899700001011"), (second, "899700004049"), (first, "899700001011")):
            page = browser.get(world.url + "/portal/whoami")
            assert dict(page.json()["headers"])["X-Remote-User"] == who
            assert page.get("Cache-Control") == "private, max-age=600"
        assert world.browser().raw("GET", world.url + "/portal/whoami", NAVIGATE).status == 302
        world.portal.clear()
        for _ in range(3):
            assert world.browser().raw("GET", world.url + "/open/same").status == 200
        assert world.portal.hits < 3  # the cache is at work
