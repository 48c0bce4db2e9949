# SPDX-License-Identifier: Apache-2.0
"""What people copy must work: every file of conf/examples passes configtest, with the files it names made here, and the
defaults that conf/ehealth.conf tells are those of the code."""
import json
import re
import shutil

import pytest

from ehhttpd import Httpd, proc
from ehhttpd.httpd import layout
from ehhttpd.keyfile import write_keys

EXAMPLES = sorted((proc.ROOT / "conf" / "examples").glob("*.conf"))
ETC = re.compile(r"/etc/ehealth\b")


@pytest.fixture(scope="module")
def server(ca):
    """A server that has what an administrator prepared in /etc/ehealth: here ${DIR}/conf/etc."""
    s = Httpd("", ca=ca, keys=False, modules=("ssl", "remoteip", "cgid"))
    etc = s.dir / "conf" / "etc"
    (etc / "tls").mkdir(parents=True)
    write_keys(etc / "keys")
    cert, key = ca.issue("examples", subject="/CN=portal.hospital.example")
    for source, name in ((cert, "tls/site.pem"), (key, "tls/site.key"), (ca.cert, "tls/hospital-ca.pem")):
        shutil.copy(source, etc / name)
    proc.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", etc / "staff.key"])
    for name in ("psc.secret", "staff.secret"):
        (etc / name).write_text("secret\n")
    for path in etc.glob("*.*"):
        path.chmod(0o640 if path.is_file() else 0o755)
    yield s
    s.folder.remove()


def given(server, text):
    """configtest of the text, and what the server made of it."""
    text = ETC.sub(f"{server.dir}/conf/etc", text).replace("/var/log/apache2", f"{server.dir}/logs")
    code, said = server.configtest(text)
    assert code == 0 and "Syntax OK" in said, said
    server.write_conf(text)
    done = proc.run([layout()[0], "-t", "-D", "DUMP_EHEALTH", "-f", server.conf_file], env=server._environment())
    return said, json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))


def test_there_is_one_for_each_preset_and_place():
    assert {path.stem for path in EXAMPLES} == {"prosanteconnect", "iamconnect", "oidc", "legacy-portal", "pgsql-multi-node"}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_example(server, path):
    said, told = given(server, path.read_text())
    assert "warn" not in said.lower(), said
    host = next(h for h in told["hosts"] if h["providers"])
    wanted = set(re.findall(r"<EHealthProvider (\S+)>", path.read_text()))
    assert {p["name"] for p in host["providers"]} == wanted
    for provider in host["providers"]:
        callback = f"{host['public_url']}/.ehealth/callback/{provider['name']}"
        assert provider["redirect_uri"] == callback
        if "redirect uri" in path.read_text().lower():
            assert callback in path.read_text(), "the comment tells the address to register"


# What conf/ehealth.conf tells as default, by directive, and where the server tells what holds.
TOLD = {
    "EHealthDatabaseConnections": "16", "EHealthDatabaseTimeout": "500 5000", "EHealthOutboundTimeout": "3 9",
    "EHealthOutboundHTTP": "never", "EHealthLeeway": "60", "EHealthEnvironment": "production",
    "EHealthCallbackPath": "/.ehealth/callback/<name>", "EHealthPostLogoutPath": "/.ehealth/logged-out",
    "EHealthIDTokenAlg": "RS256; preset oidc: RS256 PS256 ES256 EdDSA",
    "EHealthUserinfo": "optional; prosanteconnect: required",
    "EHealthClientAuth": "client_secret_basic; iamconnect: none",
}
BARE = """<EHealthProvider {0}>
    EHealthPreset {0}
    EHealthClientID c
    {1}
</EHealthProvider>
"""


def reference():
    """{directive: its text} of conf/ehealth.conf, comment signs taken off."""
    parts = re.split(r"^## <?(EHealth\w+)", (proc.ROOT / "conf" / "ehealth.conf").read_text(), flags=re.M)
    return {name: " ".join(line.lstrip("# ") for line in text.splitlines())
            for name, text in zip(parts[1::2], parts[2::2])}


def test_defaults_of_the_reference_are_those_of_the_server(server):
    _, told = given(server, f"EHealthKeyFile {server.dir}/conf/etc/keys\n"
                    + BARE.format("prosanteconnect", "EHealthClientSecret s") + BARE.format("iamconnect", "")
                    + BARE.format("oidc", "EHealthClientSecret s\nEHealthIssuer https://op.example"))
    written, host = reference(), told["hosts"][0]
    for name, value in TOLD.items():
        assert f"Default: {value}" in written[name], name
    database, outbound = told["database"], host["outbound"]
    assert (database["driver"], database["connections"], database["acquire_ms"], database["query_ms"]) == \
        ("sqlite3", 16, 500, 5000)
    assert outbound == {"connect": 3, "total": 9, "http_loopback": False}
    providers = {p["name"]: p for p in host["providers"]}
    for name, auth, algs, userinfo in (
            ("prosanteconnect", "client_secret_basic", ["RS256"], "required"), ("iamconnect", "none", ["RS256"], "optional"),
            ("oidc", "client_secret_basic", ["RS256", "PS256", "ES256", "EdDSA"], "optional")):
        p = providers[name]
        assert (p["client_auth"], p["id_token_algs"], p["userinfo"]) == (auth, algs, userinfo)
        assert (p["leeway"], p["environment"]) == (60, "production")
        assert p["redirect_uri"].endswith(f"/.ehealth/callback/{name}")
        assert p["post_logout_redirect_uri"].endswith("/.ehealth/logged-out")
