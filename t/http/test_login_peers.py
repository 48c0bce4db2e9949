# SPDX-License-Identifier: Apache-2.0
"""How the server proves itself to the provider, signed userinfo, grants by an administrator, and what nobody may read in
a log."""
import json
import re
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

from ehhttpd import Browser, Op, proc

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "demo"))

from test_login import TOLD, app, is_refused, log_in, log_out, make, nobody_is_in  # noqa: E402, F401
from world import CLIENT, World, clients  # noqa: E402

pytestmark = pytest.mark.asan
AUTH = {"RS256": ["rsa", "-pkeyopt", "rsa_keygen_bits:2048"], "PS256": ["rsa", "-pkeyopt", "rsa_keygen_bits:2048"],
        "ES256": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "EdDSA": ["ed25519"]}


def client_secret(text, method):
    return text.replace("    EHealthClientSecret file:${DIR}/conf/psc.secret\n", f"    EHealthClientAuth {method}\n", 1) \
        if method != "client_secret_post" else \
        text.replace("    EHealthClientSecret", "    EHealthClientAuth client_secret_post\n    EHealthClientSecret", 1)


def jwk_of(pem, alg):
    """The public key as a JWK, by another JOSE than ours."""
    from jwcrypto import jwk
    key = jwk.JWK.from_pem(Path(pem).read_bytes())
    return {**json.loads(key.export_public()), "alg": alg, "use": "sig", "kid": "demo-key"}


def enters(world, app):
    browser = Browser(ca=world.httpd.ca and world.httpd.ca.cert)
    assert log_in(browser, world, "psc", "helene").status == 200
    assert app.identity() == TOLD["psc", "helene"]


@pytest.mark.parametrize("name,secret", [("plain", "s3cret"), ("needs-encoding", "p a%+:&=s\"'~")])
@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_client_secret(make, app, method, name, secret):
    """RFC 6749 §2.3.1: id and secret are form-encoded before Basic, which many forget."""
    world = make(client={"token_endpoint_auth_method": method, "client_secret": secret}, secret=secret,
                 edit=(lambda t: client_secret(t, method)) if method == "client_secret_post" else None)
    enters(world, app)


def test_wrong_client_secret(make, app):
    world = make(client={"client_secret": "another"})
    world.httpd.allow("EH4103")
    browser = Browser()
    page = log_in(browser, world, "psc", "helene")
    is_refused(page, "EH4103", 502)
    nobody_is_in(browser, world, app, "psc")


@pytest.mark.parametrize("alg", list(AUTH))
def test_private_key_jwt(make, app, tmp_path, alg):
    pem = tmp_path / "client.pem"
    proc.run(["openssl", "genpkey", "-algorithm", *AUTH[alg], "-out", pem])
    text = pem.read_text()
    world = make(
        client={"token_endpoint_auth_method": "private_key_jwt", "client_secret": None,
                "token_endpoint_auth_signing_alg": alg, "jwks": {"keys": [jwk_of(pem, alg)]}},
        edit=lambda t: client_secret(t, "private_key_jwt\n    EHealthClientKey ${DIR}/conf/client.pem "
                                        f"{alg} demo-key"),
        files={"client.pem": text})
    enters(world, app)


@pytest.fixture
def tls_op(ca):
    cert, key = ca.issue("op", subject="/CN=localhost")
    return cert, key, ca.cert


def test_tls_client_auth(make, app, ca, tls_op):
    """Provider and server over TLS, the client certificate is the proof: RFC 8705."""
    cert, key = ca.issue("portal-client", kind="client", subject="/C=FR/O=Hopital Saint-Jean/CN=portal")
    world = make(
        op_tls=tls_op,
        client={"token_endpoint_auth_method": "tls_client_auth", "client_secret": None,
                "tls_client_auth_subject_dn": "CN=portal,O=Hopital Saint-Jean,C=FR"},
        edit=lambda t: client_secret(t, "tls_client_auth\n    EHealthClientCertificate ${DIR}/conf/client.pem "
                                        "${DIR}/conf/client.key").replace("EHealthOutboundHTTP loopback\n", ""),
        more=f"EHealthCABundle {ca.cert}\n",
        files={"client.pem": Path(cert).read_text(), "client.key": Path(key).read_text()})
    enters(world, app)


def test_provider_with_an_unknown_authority(make, app, tls_op):
    world = make(op_tls=tls_op, edit=lambda t: t.replace("EHealthOutboundHTTP loopback\n", ""))
    world.httpd.allow("EH21|EH41")
    page = Browser().get(f"{world.url}/portal/psc/")
    assert page.status in (502, 503) and page.url.startswith(world.url)
    assert app.hits == 0


@pytest.mark.parametrize("shape", ["psc", "iam"])
def test_endpoints_without_metadata(make, app, shape):
    """EHealthMetadataURL none: the way in and the way out by what the directives say; the description is never asked for."""
    def written(text):
        variable = shape.upper()
        oidc = f"${{{variable}_ISSUER}}/protocol/openid-connect"
        lines = [f"EHealth{name} {oidc}/{path}" for name, path in (
            ("AuthorizationEndpoint", "auth"), ("TokenEndpoint", "token"), ("UserinfoEndpoint", "userinfo"),
            ("JWKSURI", "certs"), ("EndSessionEndpoint", "logout"))]
        return re.sub(rf"EHealthMetadataURL +\$\{{{variable}_METADATA\}}", "\n".join(["EHealthMetadataURL none", *lines]), text)

    world = make(edit=written)
    browser = Browser()
    assert log_in(browser, world, shape, "helene").status == 200
    assert app.identity() == TOLD[shape, "helene"]
    assert "logout" in log_out(browser, world).url, "the provider asks"
    assert "discovery" not in world.op.tell("counts", shape=shape)


@pytest.mark.parametrize("alg", ["RS256", "ES256"])
def test_userinfo_as_signed_jwt(make, app, alg):
    world = make(alg=alg, client={"userinfo_signed_response_alg": alg})
    enters(world, app)


def test_plain_http_needs_permission(make, app):
    """Without EHealthOutboundHTTP loopback a provider on plain http is refused by configtest, in words."""
    with pytest.raises(RuntimeError, match="https"):
        make(edit=lambda t: t.replace("EHealthOutboundHTTP loopback\n", ""))


def test_grant_by_an_administrator(make, app):
    """Zoë works elsewhere by her provider's word; a grant makes her one of ours, and its end ends that."""
    world = make()
    is_refused(log_in(Browser(), world, "psc", "zoe"), "EH5001", 403)

    world.httpd.ehctl("users", "grant", "--tenant", "st-jean", "--person", "rpps:99700002027")
    browser = Browser()
    assert log_in(browser, world, "psc", "zoe").status == 200
    assert app.identity()["X-Tenants"] == "st-jean"
    listed = world.httpd.ehctl("users", "list").stdout
    assert "rpps:99700002027" in listed and "st-jean" in listed


def test_nothing_about_a_person_in_any_log(make, app):
    """Log-ins, refusals, spoilt answers, log-outs; then every file that the server wrote is searched."""
    world = make(more="EHealthEventLog ${DIR}/logs/events.log\nCustomLog ${DIR}/logs/user.log \"%h %u %{X-Remote-User}i\"\n"
                      "LogLevel debug\n".replace(" %{X-Remote-User}i", ""))
    world.httpd.allow("EH")
    tickets = []
    for shape, who in [("psc", "helene"), ("psc", "zoe"), ("psc", "chloe"), ("iam", "maelys"), ("iam", "francois")]:
        browser = Browser()
        log_in(browser, world, shape, who)
        browser.get(f"{world.url}/portal/{shape}/whoami")
        tickets += [c["value"] for (_, name, _), c in browser.cookies.items() if name.startswith("eh-")]
        tickets += [url.split("code=")[1].split("&")[0] for _, url, _ in browser.sent if "code=" in url]
        log_out(browser, world)
    for order in ({"drop": ["nonce"]}, {"sign": "broken"}, {"set": {"sub": 7}}):
        world.op.tell("tamper", shape="psc", id_token=order)
        log_in(Browser(), world, "psc", "helene")
    world.op.tell("reset")
    told = Browser().get(world.url + "/.ehealth/status?auto").text + Browser().get(world.url + "/.ehealth/metrics").text
    written = {path.name: path.read_text(errors="replace") for path in (world.httpd.dir / "logs").iterdir()}
    # httpd's own access log holds the request line, and with it code and state of a callback: used once, worthless then
    written.pop("access.log")
    assert "login.success" in written["events.log"] and "access.refused" in written["events.log"]
    assert len(written["user.log"].splitlines()) > 20
    secrets = {world.secret, *tickets}
    for person in world.op.people():
        secrets |= {person["given_name"], person["family_name"], person.get("psc", {}).get("rpps", ""),
                    person.get("iam", {}).get("ssin", "")}
    secrets.discard("")
    for name, text in {**written, "status and metrics": told}.items():
        found = [s for s in secrets if s in text or s in unquote(text)]
        assert not found, f"{name}: {found}"
    database = (world.httpd.state / "ehealth.db").read_bytes() + (world.httpd.state / "ehealth.db-wal").read_bytes()
    found = [s for s in secrets if s.encode() in database]
    assert not found, f"database: {found}"


@pytest.mark.parametrize("lang,word", [("fr", "établissement"), ("nl", "instelling"), ("de", "Einrichtung"),
                                       ("en", "organisation")])
def test_refusal_in_the_persons_language(make, app, lang, word):
    world = make()
    browser = Browser(languages=f"{lang},en;q=0.1")
    page = log_in(browser, world, "psc", "zoe")
    assert page.status == 403 and page.page.lang == lang and word in page.words


def test_flood_of_logins_is_limited_for_that_browser_alone(make, app):
    world = make()
    flood = Browser()
    statuses = [flood.get(f"{world.url}/.ehealth/login/psc", follow=False).status for _ in range(60)]
    assert 429 in statuses and statuses[0] == 303
    answer = flood.get(f"{world.url}/.ehealth/login/psc", follow=False)
    assert answer.status == 429 and int(answer.get("Retry-After")) >= 1 and "EH3003" in answer.words
    assert log_in(Browser(), world, "psc", "helene").status == 200, "another person behind the same address"


def test_disk_cache_serves_nobody_elses_page(make, app):
    """mod_cache's quick handler runs before any authentication."""
    cache = "CacheQuickHandler on\nCacheEnable disk /\nCacheRoot ${DIR}/cache\nCacheIgnoreCacheControl On\n" \
            "CacheIgnoreNoLastMod On\nCacheDefaultExpire 3600\nCacheStorePrivate On\n"
    world = make(more=cache, modules=("macro", "negotiation", "cache", "cache_disk"))
    cache_dir = world.httpd.folder.sub("cache", owner=world.httpd.user)
    assert cache_dir.is_dir()
    first, second = Browser(), Browser()
    log_in(first, world, "psc", "helene")
    first.get(f"{world.url}/portal/psc/whoami")
    log_in(second, world, "psc", "maelys")
    app.clear()
    second.get(f"{world.url}/portal/psc/whoami")
    assert app.hits == 1 and app.identity() == TOLD["psc", "maelys"]
    assert Browser().get(f"{world.url}/portal/psc/whoami", follow=False).status == 302
    assert app.hits == 1
