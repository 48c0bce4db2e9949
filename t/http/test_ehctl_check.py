# SPDX-License-Identifier: Apache-2.0
"""ehctl check against a server that "dumps" what the test wants, and a provider that misbehaves on demand."""
import base64
import copy
import getpass
import grp
import json
import os
import pwd
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ehhttpd import proc
from ehhttpd.httpd import layout
from ehhttpd.keyfile import write_keys

ROOT = Path(__file__).resolve().parents[2]
AS_ROOT = os.geteuid() == 0
USER = "www-data" if AS_ROOT else getpass.getuser()
GROUP = "www-data" if AS_ROOT else grp.getgrgid(os.getegid()).gr_name


def ehctl_program():
    return str(proc.build_dir() / "ehctl")


@pytest.fixture(scope="module")
def peer():
    p = subprocess.Popen([sys.executable, "-W", "ignore", str(ROOT / "t" / "unit" / "http_peer.py")],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    yield json.loads(p.stdout.readline())
    p.stdin.close()
    p.wait(20)


class Site:
    """A configuration in a folder of its own, and how ehctl judges it."""

    def __init__(self, peer):
        self.folder = proc.Folder(prefix="eh-ctl-")
        self.path = Path(self.folder.path)
        os.chmod(self.path, 0o755)
        self.peer = peer
        self.keys = write_keys(self.path / "keys", group=GROUP)
        self.state = self.path / "state"
        self.state.mkdir(mode=0o700)
        self.secret = self.write("psc.secret", "s3cret-of-the-client\n", 0o640)
        self.chown(self.state)
        self.dump = {
            "version": 1, "user": USER, "group": GROUP, "state_dir": str(self.state), "key_file": str(self.keys),
            "database": {"driver": "sqlite3", "params": str(self.state / "ehealth.db"), "connections": 16,
                         "acquire_ms": 500, "query_ms": 5000},
            "hosts": [{
                "name": "portal.example:443", "file": "/etc/apache2/sites-enabled/x.conf", "line": 3,
                "public_url": "https://portal.example", "proxy": None, "proxy_except": [],
                "ca_bundle": peer["dir"] + "/ca.pem",
                "outbound": {"connect": 2, "total": 3, "http_loopback": False}, "tls": True, "tenants": [],
                "providers": [self.provider("psc", "good")]}]}

    def provider(self, name, variant, listener="tls", host="localhost"):
        issuer = f"https://{host}:{self.peer['ports'][listener]}/op/{variant}"
        return {"name": name, "preset": "oidc", "environment": "production", "issuer": issuer,
                "metadata_url": issuer + "/.well-known/openid-configuration", "authorization_endpoint": None,
                "token_endpoint": None, "userinfo_endpoint": None, "jwks_uri": None, "end_session_endpoint": None,
                "client_id": "portal", "client_auth": "client_secret_basic",
                "client_secret_source": "file:" + str(self.secret), "client_key_file": None, "client_cert_file": None,
                "client_cert_key_file": None, "redirect_uri": f"https://portal.example/.ehealth/callback/{name}",
                "post_logout_redirect_uri": "https://portal.example/.ehealth/logged-out", "id_token_algs": ["RS256"],
                "userinfo": "required", "leeway": 60}

    @property
    def host(self):
        return self.dump["hosts"][0]

    @property
    def psc(self):
        return self.host["providers"][0]

    def chown(self, path):
        if AS_ROOT:
            shutil.chown(path, USER, GROUP)

    def write(self, name, text, mode):
        path = self.path / name
        path.write_text(text)
        path.chmod(mode)
        return path

    def run(self, *args):
        dump = self.write("dump.json", "Syntax OK\n" + json.dumps(self.dump), 0o600)
        return self.run_httpd("sh -c 'cat %s'" % dump, *args)

    @staticmethod
    def run_httpd(httpd, *args):
        return subprocess.run([ehctl_program(), "--httpd", httpd, *args], capture_output=True, text=True, timeout=60,
                              env={**os.environ, "https_proxy": "http://127.0.0.1:9", "LANG": "C.UTF-8"})

    def migrate(self):
        """The server's start does this; here the program itself."""
        done = self.run("migrate")
        assert done.returncode == 0, done.stderr

    def check(self, *args):
        """(exit code, {id: [finding, …]})"""
        done = self.run("check", "--json", *args)
        assert done.stderr == ""
        answer = json.loads(done.stdout)
        by_id = {}
        for f in answer["findings"]:
            by_id.setdefault(f["id"], []).append(f)
            assert (f["level"] == "ok") == (f["remedy"] is None), f
        for level in ("ok", "warn", "fail"):
            assert answer[level] == sum(f["level"] == level for f in answer["findings"])
        assert done.returncode == (1 if answer["fail"] else 0)
        return done.returncode, by_id

    def only_bad(self, id_, level, *args):
        """Exactly one finding is not ok, and it is this one. Returns it."""
        rc, by_id = self.check(*args)
        bad = [f for fs in by_id.values() for f in fs if f["level"] != "ok"]
        assert [(f["id"], f["level"]) for f in bad] == [(id_, level)], bad
        assert rc == (1 if level == "fail" else 0)
        return bad[0]


@pytest.fixture
def site(peer):
    s = Site(peer)
    s.migrate()
    yield s
    s.folder.remove()


def test_a_good_site_has_nothing_to_mend(site):
    rc, found = site.check()
    assert rc == 0
    assert {f["level"] for fs in found.values() for f in fs} == {"ok"}
    assert set(found) == {"key-file", "secret", "state-dir", "database", "public-url", "redirect_uri",
                          "post_logout_redirect_uri", "metadata", "clock", "issuer", "endpoints", "jwks"}
    assert found["jwks"][0]["scope"] == "portal.example:443 psc"
    if AS_ROOT:  # nothing of root's is left where the server writes
        assert {p.stat().st_uid for p in site.state.iterdir()} == {pwd.getpwnam(USER).pw_uid}


def test_lines_for_people(site):
    site.psc["client_secret_source"] = "literal"
    done = site.run("check")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert any(line.startswith("ok    key file ") for line in lines)
    assert any(line.startswith("warn  portal.example:443 psc: the client secret stands in the configuration") and " — put it into"
               in line for line in lines)
    assert lines[-1].endswith(" 1 to look at, 0 wrong")


def test_offline_asks_nobody(site):
    site.psc["metadata_url"] = "https://nowhere.invalid/"
    rc, found = site.check("--offline")
    assert rc == 0
    assert "metadata" not in found and "redirect_uri" in found


def test_one_host_of_several(site):
    other = copy.deepcopy(site.host)
    other.update(name="other.example:443", public_url="http://other.example", providers=[])
    site.dump["hosts"].append(other)
    assert site.check("--host", "portal.example")[0] == 0
    assert site.check("--host", "OTHER.example:443")[0] == 1
    assert site.check()[0] == 1
    rc, found = site.check("--host", "third.example")
    assert rc == 1 and "third.example" in found["hosts"][0]["what"]


# --- files ---

def test_key_file_readable_by_all(site):
    site.keys.chmod(0o644)
    bad = site.only_bad("key-file", "fail")
    assert "read by every user" in bad["what"] and "chmod 640" in bad["what"]


def test_key_file_missing(site):
    site.keys.unlink()
    bad = site.only_bad("key-file", "fail")
    assert "does not exist" in bad["what"] and "ehctl keys" in bad["remedy"]


def test_secret_with_an_invisible_character(site):
    site.secret.write_text("s3cret\u200b\n")
    bad = site.only_bad("secret", "fail")
    assert "position 7" in bad["what"] and "s3cret" not in bad["what"]


def test_secret_missing(site):
    site.psc["client_secret_source"] = None
    assert "EHealthClientSecret" in site.only_bad("secret", "fail")["remedy"]


def test_state_folder_of_somebody_else(site):
    if AS_ROOT:
        os.chown(site.state, 0, 0)
    else:
        site.state.chmod(0o500)
    rc, found = site.check()
    assert rc == 1 and found["state-dir"][0]["level"] == "fail"
    site.state.chmod(0o700)


def cert_provider(site, cert, key):
    site.psc.update(client_auth="tls_client_auth", client_secret_source=None, client_cert_file=str(cert),
                    client_cert_key_file=str(key))


def own_cert(site, name, mode=0o640):
    out = []
    for end in ("pem", "key"):
        path = site.path / f"{name}.{end}"
        shutil.copyfile(f"{site.peer['dir']}/{name}.{end}", path)
        site.chown(path)
        path.chmod(mode)
        out.append(path)
    return out


def test_private_key_unreadable_by_the_run_user(site):
    cert, key = own_cert(site, "client")
    cert_provider(site, cert, key)
    if AS_ROOT:
        os.chown(key, 0, 0)
        key.chmod(0o600)
    else:
        key.chmod(0)
    rc, found = site.check("--offline")
    bad = found["client-cert"][0]
    assert rc == 1 and bad["level"] == "fail"
    assert str(key) in bad["what"] and USER in bad["what"] and "chmod 640" in bad["remedy"]


def test_client_certificate(site):
    cert, key = own_cert(site, "client")
    cert_provider(site, cert, key)
    rc, found = site.check("--offline")
    assert rc == 0 and found["client-cert"][0]["level"] == "ok"
    _, other = own_cert(site, "client2")
    cert_provider(site, cert, other)
    assert "do not belong together" in site.only_bad("client-cert", "fail", "--offline")["what"]
    cert_provider(site, *own_cert(site, "clientold"))
    assert "has expired" in site.only_bad("client-cert", "fail", "--offline")["what"]
    cert_provider(site, key, key)
    assert "not readable as PEM" in site.only_bad("client-cert", "fail", "--offline")["what"]


def test_client_certificate_is_shown_to_the_provider(site):
    name, listener = "psc", "mtls"
    site.host["providers"] = [site.provider(name, "good", listener)]
    rc, found = site.check()
    assert rc == 1
    assert "asks for a client certificate" in found["metadata"][0]["what"]
    assert "EHealthClientCertificate" in found["metadata"][0]["remedy"]
    cert_provider(site, *own_cert(site, "client"))
    rc, found = site.check()
    assert rc == 0 and found["metadata"][0]["level"] == "ok"


def test_signing_key(site):
    _, key = own_cert(site, "client")
    site.psc.update(client_auth="private_key_jwt", client_secret_source=None, client_key_file=str(key))
    rc, found = site.check()
    assert rc == 0 and found["client-key"][0]["level"] == "ok"
    key.chmod(0o644)
    assert "read by every user" in site.only_bad("client-key", "fail")["what"]
    key.chmod(0o640)
    key.write_text("nonsense")
    site.only_bad("client-key", "fail")


# --- database ---

def test_database_missing(site):
    for f in site.state.iterdir():
        f.unlink()
    bad = site.only_bad("database", "fail")
    assert "No such file" in bad["what"] and "ehctl migrate" in bad["remedy"]
    assert list(site.state.iterdir()) == []  # looking does not make one


def test_database_without_schema(site):
    for f in site.state.iterdir():
        f.unlink()
    db = site.state / "ehealth.db"
    db.touch(mode=0o600)
    site.chown(db)
    assert "ehctl migrate" in site.only_bad("schema", "fail")["remedy"]


def test_database_password_is_never_shown(site):
    site.dump["database"].update(driver="pgsql", params="host=127.0.0.1 port=9 user=x password=hunter2 dbname=y")
    for args in (("check", "--json"), ("check",), ("check", "-v")):
        done = site.run(*args)
        assert done.returncode == 1
        assert "hunter2" not in done.stdout + done.stderr
    assert "PostgreSQL" in done.stdout


# --- addresses ---

def test_public_url(site):
    site.host["public_url"] = "https://portal.example/app"
    rc, found = site.check("--offline")
    assert rc == 1 and "more than an origin" in found["public-url"][0]["what"]
    site.host["public_url"] = "http://portal.example"
    rc, found = site.check("--offline")
    assert rc == 1 and "not https" in found["public-url"][0]["what"]
    assert "not below the public URL" in found["redirect_uri"][0]["what"]
    site.host["public_url"] = "https://portal.example"
    site.host["name"] = "internal.example:8443"
    assert "internal.example:8443" in site.only_bad("public-url", "warn")["what"]


def test_redirect_uri(site):
    for uri in ("https://portal.example.evil/.ehealth/callback/psc", "https://other.example/cb",
                "https://portal.example/cb?x=1", "http://portal.example/cb", None):
        site.psc["redirect_uri"] = uri
        site.only_bad("redirect_uri", "fail")


def test_production_and_acceptance_mixed(site):
    acpt = site.provider("psc-bas", "good")
    acpt.update(environment="acceptance", client_id="other")
    site.host["providers"].append(acpt)
    bad = site.only_bad("environment", "fail")
    assert "psc-bas on portal.example:443 (acceptance)" in bad["what"]
    assert "psc on portal.example:443 (production)" in bad["what"]
    acpt["issuer"] = acpt["issuer"].replace("/good", "/bare")
    acpt["metadata_url"] = acpt["metadata_url"].replace("/good", "/bare")
    acpt["token_endpoint"] = site.psc["issuer"] + "/token"
    assert "two environments" in site.only_bad("environment", "warn")["what"]
    acpt.update(site.psc, name="twice", redirect_uri="https://portal.example/.ehealth/callback/twice")
    assert "same client" in site.only_bad("duplicate", "warn")["what"]


# --- network ---

def test_wrong_issuer(site):
    site.psc["metadata_url"] = site.psc["metadata_url"].replace("/good", "/wrongissuer")
    bad = site.only_bad("issuer", "fail")
    assert "https://evil.example" in bad["what"] and site.psc["issuer"] in bad["what"]


def test_issuer_of_another_provider(site):
    other = site.provider("second", "bare")
    other.update(metadata_url=site.psc["metadata_url"], token_endpoint=site.psc["issuer"] + "/token")
    site.host["providers"].append(other)
    rc, found = site.check()
    bad = [f for f in found["issuer"] if f["level"] == "fail"]
    assert rc == 1 and len(bad) == 1 and "which is the issuer of provider psc" in bad[0]["what"]


@pytest.mark.parametrize("listener,what,remedy", [
    ("untrusted", "Rogue Test CA", "add the certificate of that authority (PEM) to"),
    ("expired", "has expired", "clock is right"),
    ("badname", "issued for: other.test", "DNS or a gateway"),
    ("old", "No secure connection", "firewall"),
    ("closed", "does not accept connections", "firewall"),
    ("hang", "did not answer in time", "EHealthProxy"),
])
def test_the_way_to_the_provider(site, listener, what, remedy):
    site.host["providers"] = [site.provider("psc", "good", listener)]
    begun = time.monotonic()
    bad = site.only_bad("metadata", "fail")
    assert time.monotonic() - begun < 8
    assert what in bad["what"] and remedy in bad["remedy"]


def test_unknown_authority_without_a_bundle_of_ours(site):
    site.host["ca_bundle"] = None
    bad = site.only_bad("metadata", "fail")
    assert "Trusted Test CA" in bad["what"] and "update-ca-certificates" in bad["remedy"]


def test_ca_bundle_missing(site):
    site.host["ca_bundle"] = str(site.path / "nothing.pem")
    assert "nothing.pem" in site.only_bad("ca-bundle", "fail")["what"]


def test_certificate_that_ends_soon(site):
    site.host["providers"] = [site.provider("psc", "good", "soon")]
    assert "expires in 9 days" in site.only_bad("tls-expiry", "warn")["what"]


def test_clock_skew(site):
    site.host["providers"] = [site.provider("psc", "skew")]
    bad = site.only_bad("clock", "warn")
    assert "s behind localhost" in bad["what"]
    assert abs(int(bad["what"].split("clock is ")[1].split(" s")[0]) - 600) <= 3
    site.psc["leeway"] = 900
    assert site.check()[1]["clock"][0]["level"] == "ok"


@pytest.mark.parametrize("variant,id_,level,what", [
    ("notjson", "metadata", "fail", "text/html"),
    ("nokeys", "jwks", "fail", "EH1200"),
    ("wrongkeys", "jwks", "fail", "no key of the provider (it has 1)"),
    ("plain", "endpoints", "fail", "http://op.example/token"),
    ("ps256", "algorithms", "fail", "EHealthIDTokenAlg"),
    ("bare", "endpoints", "fail", "token_endpoint"),
])
def test_documents(site, variant, id_, level, what):
    site.host["providers"] = [site.provider("psc", variant)]
    assert what in site.only_bad(id_, level)["what"]


def test_metadata_not_there(site):
    site.psc["metadata_url"] += "x"
    assert "status 404" in site.only_bad("metadata", "fail")["what"]


def test_static_endpoints(site):
    base = site.psc["issuer"]
    site.psc["userinfo_endpoint"] = base + "/other"
    assert base + "/other" in site.only_bad("endpoints", "warn")["what"]
    site.psc.update(metadata_url=None, authorization_endpoint=base + "/auth", token_endpoint=base + "/token",
                    userinfo_endpoint=base + "/userinfo", jwks_uri=base + "/jwks")
    rc, found = site.check()
    assert rc == 0 and found["jwks"][0]["level"] == "ok" and "metadata" not in found
    site.psc["userinfo_endpoint"] = None
    assert "userinfo_endpoint" in site.only_bad("endpoints", "fail")["what"]


def test_client_auth_not_offered(site):
    site.psc["client_auth"] = "client_secret_post"
    assert "client_secret_post" in site.only_bad("client-auth", "warn")["what"]


def test_proxy(site):
    port = site.peer["ports"]["proxy"]
    site.host["proxy"] = f"http://ward%207:p%40ss%3Aword@localhost:{port}"
    site.host["providers"] = [site.provider("psc", "good", host="peer.test")]
    rc, found = site.check()
    assert rc == 0
    assert f"proxy configured: http://localhost:{port}" in found["metadata"][0]["what"]
    site.host["proxy"] = f"http://ward:hunter2@localhost:{port}"
    bad = site.only_bad("metadata", "fail")
    assert "user name and password" in bad["what"] and f"http://localhost:{port}" in bad["remedy"]
    assert "hunter2" not in json.dumps(bad)
    site.host["proxy"] = f"http://localhost:{site.peer['ports']['closed']}"
    assert "proxy does not accept" in site.only_bad("metadata", "fail")["what"]


# --- the frame ---

def test_the_dump_of_a_real_server(site, httpd):
    """What the modules tell is what ehctl reads: no invented dump here."""
    server = httpd(f"""
EHealthCABundle {site.peer["dir"]}/ca.pem
EHealthOutboundTimeout 2 4
<EHealthProvider psc>
    EHealthPreset oidc
    EHealthIssuer {site.psc["issuer"]}
    EHealthClientID portal
    EHealthClientSecret file:{site.secret}
</EHealthProvider>
""")
    done = subprocess.run([ehctl_program(), "check", "--json", "--httpd", layout()[0], "-f", str(server.conf_file)],
                          capture_output=True, text=True, timeout=60, env=server._environment())
    assert done.returncode == 0, done.stdout + done.stderr
    findings = json.loads(done.stdout)["findings"]
    assert [f["id"] for f in findings if f["level"] != "ok"] == ["public-url"]  # http to loopback: good for a demo only
    assert {"key-file", "secret", "database", "metadata", "issuer", "jwks", "clock", "redirect_uri"} <= \
        {f["id"] for f in findings}
    redirect = [f["what"] for f in findings if f["id"] == "redirect_uri"]
    assert redirect == [f"redirect URI to register with the provider: {server.url}/.ehealth/callback/psc"]
    folder = Path(server.state)
    owners = {p.stat().st_uid for p in folder.iterdir()}
    assert owners == {pwd.getpwnam(USER).pw_uid}


def test_the_server_refuses_its_configuration():
    done = Site.run_httpd("sh -c 'echo AH00526: Syntax error on line 3 >&2; exit 1'", "check")
    assert done.returncode == 3
    assert "AH00526: Syntax error on line 3" in done.stderr


@pytest.mark.parametrize("said", ["", "Syntax OK", '{"version":2,"hosts":[]}', '{"version":1}', '{"version":1,', "[]"])
def test_what_is_no_dump(said):
    done = Site.run_httpd("sh -c 'echo %s'" % base64.b64encode(said.encode()).decode() if not said else
                          "printf %s%%.0s " + shlex.quote(said), "check")
    assert done.returncode == 3
    assert done.stdout == "" and "EH1001" in done.stderr


def test_usage():
    run = lambda *a: subprocess.run([ehctl_program(), *a], capture_output=True, text=True, timeout=20)  # noqa: E731
    assert run().returncode == 2
    assert run("--help").returncode == 0 and "check" in run("--help").stdout
    assert run("check", "--help").returncode == 0 and "--offline" in run("check", "--help").stdout
    assert run("nonsense").returncode == 2
    assert run("check", "--nonsense").returncode == 2
    assert run("check", "--host").returncode == 2
    assert run("--httpd").returncode == 2
    assert run("--nonsense", "check").returncode == 2
    assert run("--httpd", "/nonexistent", "check").returncode == 3
    assert run("--version").stdout.startswith("ehctl 0.")
