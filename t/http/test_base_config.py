# SPDX-License-Identifier: Apache-2.0
"""Directives of mod_ehealth: each wrong value stops configtest with a sentence that says what to write instead; what is
right reaches the virtual hosts that it should, as -D DUMP_EHEALTH tells."""
import json
import os
import shutil
import subprocess

import pytest

from ehhttpd import Httpd
from ehhttpd.httpd import layout
from ehhttpd.proc import is_root

WRONG = [
    ("EHealthPublicURL portal.example", "write https://portal.hospital.example"),
    ("EHealthPublicURL http://portal.example", "must start with https://"),
    ("EHealthPublicURL ftp://localhost", "must start with https://"),
    ("EHealthPublicURL https://portal.example/app", "more than an origin"),
    ("EHealthPublicURL https://u:p@portal.example", "more than an origin"),
    ("EHealthPublicURL https://portal.example/?a=b", "more than an origin"),
    ("EHealthPublicURL https://portail-santé.example", "xn-- form"),
    ("EHealthPublicURL https://", "not an absolute URL"),
    ("EHealthDatabase mysql x", "write sqlite3 (embedded) or pgsql"),
    ("EHealthDatabase pgsql", "pgsql needs connection parameters"),
    ("EHealthDatabaseConnections 0", "write a whole number from 1 to 256"),
    ("EHealthDatabaseConnections many", "write a whole number from 1 to 256"),
    ("EHealthDatabaseConnections 99999999999999999999", "write a whole number from 1 to 256"),
    ("EHealthDatabaseTimeout 5", "write a whole number from 10 to 60000"),
    ("EHealthDatabaseTimeout 500 0x10", "write a whole number from 10 to 600000"),
    ('EHealthEventLog "|"', "no program after"),
    ("EHealthBackground maybe", "must be On or Off"),
    ("EHealthSharedSize 10 65536", "write a whole number from 1024"),
    ("EHealthSharedSize 65536 -1", "write a whole number from 1024"),
    ("EHealthProxy proxy.example:3128", "write http://proxy.hospital.example:3128 or none"),
    ("EHealthProxy socks5://proxy.example", "write http://proxy.hospital.example:3128 or none"),
    ("EHealthProxy http://proxy.example/path", "write http://proxy.hospital.example:3128 or none"),
    ("EHealthProxy http://p.example\nEHealthProxyExcept https://x.example", "is not a host"),
    ("EHealthProxyExcept intranet.example", "EHealthProxyExcept without a proxy"),
    ("EHealthCABundle /nowhere/ca.pem", "EHealthCABundle /nowhere/ca.pem cannot be read"),
    ("EHealthOutboundTimeout 0 10", "write a whole number from 1 to 60"),
    ("EHealthOutboundTimeout 20 10", "shorter than the connection timeout"),
    ("EHealthOutboundHTTP always", "write never, or loopback"),
    ("EHealthLimit logins 3 60", "write one of login, callback, logout, status, other, address"),
    ("EHealthLimit login -3 60", "write a whole number from 0 to 1000000"),
    ("EHealthLimit login 3 0", "write a whole number from 1 to 86400"),
    ("EHealthStatusAllow 10.0.0.0/33", "write local, 10.1.0.0/16 or 2001:db8::/32"),
    ("EHealthStatusAllow portal.example", "write local, 10.1.0.0/16 or 2001:db8::/32"),
    ("EHealthContact \"a\tb\"", "write one line of UTF-8"),
    (f"EHealthContact {'x' * 201}", "write one line of UTF-8"),
    ("<EHealthTenant>\n</EHealthTenant>", "is not a name"),
    ("<EHealthTenant a/b>\n</EHealthTenant>", "is not a name"),
    ("<EHealthTenant a>\n</EHealthTenant>\n<EHealthTenant a>\n</EHealthTenant>", "configured twice"),
    ("<EHealthTenant a>\nEHealthStructure 750000001\n</EHealthTenant>", "is not kind:value"),
    ("<EHealthTenant a>\nEHealthStructure FINESS:750000001\n</EHealthTenant>", "is not kind:value"),
    ("<EHealthTenant a>\nEHealthTenantTitle \"a\x07\"\n</EHealthTenant>", "write one line of UTF-8"),
    ("<EHealthTenant a>\nEHealthProxy none\n</EHealthTenant>", "does not belong inside <EHealthTenant>"),
    ("EHealthStructure finess:1", "stands outside of a tenant"),
    ("EHealthTenantTitle x", "stands outside of a tenant"),
    ("<VirtualHost *:1>\nEHealthStateDir /tmp\n</VirtualHost>", "EHealthStateDir cannot occur within <VirtualHost> section"),
    ("<VirtualHost *:1>\nEHealthKeyFile /tmp/k\n</VirtualHost>", "EHealthKeyFile cannot occur within"),
    ("<VirtualHost *:1>\nEHealthDatabase sqlite3\n</VirtualHost>", "EHealthDatabase cannot occur within"),
    ("<VirtualHost *:1>\nEHealthDatabaseConnections 2\n</VirtualHost>", "EHealthDatabaseConnections cannot occur within"),
    ("<VirtualHost *:1>\nEHealthDatabaseTimeout 500\n</VirtualHost>", "EHealthDatabaseTimeout cannot occur within"),
    ("<VirtualHost *:1>\nEHealthEventLog x\n</VirtualHost>", "EHealthEventLog cannot occur within"),
    ("<VirtualHost *:1>\nEHealthBackground Off\n</VirtualHost>", "EHealthBackground cannot occur within"),
    ("<VirtualHost *:1>\nEHealthSharedSize 2048 2048\n</VirtualHost>", "EHealthSharedSize cannot occur within"),
    ("<Location />\nEHealthPublicURL https://a.example\n</Location>", "not allowed"),
    ("EHealthEventLog /nowhere/events", "the folder /nowhere/ does not exist"),
    ("EHealthStateDir /nowhere/at/all", 'make it with "install -d -o '),
    ("EHealthStateDir /etc/hosts", "is not a folder"),
    ("EHealthKeyFile /nowhere/keys", 'make it with "ehctl keys new --file /nowhere/keys --group '),
]


@pytest.fixture(scope="module")
def server():
    made = Httpd("", ehealth=("ehealth",))
    yield made
    made.folder.remove()


@pytest.mark.parametrize("conf, said", WRONG, ids=[w[0].replace("\n", " ")[:60] for w in WRONG])
def test_wrong_value_stops_configtest(server, conf, said):
    code, text = server.configtest(conf + "\n")
    assert code != 0 and said in text, text


def test_key_file_is_needed_only_in_use(server):
    bare = Httpd("", ehealth=("ehealth",), keys=False)
    code, text = bare.configtest()
    assert code != 0 and "EHealthKeyFile is missing: make a key file" in text
    conf = bare.conf_file.read_text()
    bare.conf_file.write_text("\n".join(line for line in conf.splitlines() if not line.startswith("EHealth")))
    done = subprocess.run([layout()[0], "-t", "-f", bare.conf_file], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr  # loaded by a2enmod, and not yet configured
    bare.folder.remove()


@pytest.mark.skipif(not is_root(), reason="needs to give a folder to somebody else")
def test_state_folder_of_somebody_else(server):
    folder = server.folder.sub("foreign", mode=0o755)
    code, text = server.configtest(f'EHealthStateDir "{folder}"\n')
    assert code != 0 and "is not writable by the server's user www-data" in text
    shutil.chown(folder, "root", "www-data")
    os.chmod(folder, 0o770)
    assert server.configtest(f'EHealthStateDir "{folder}"\n')[0] == 0


def dump(server, conf):
    server.write_conf(conf)
    done = subprocess.run([layout()[0], "-t", "-D", "DUMP_EHEALTH", "-f", server.conf_file], capture_output=True, text=True,
                          env=server._environment())
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_dump_and_inheritance(server):
    doc = dump(server, """
EHealthProxy http://proxy.example:3128
EHealthProxyExcept .intranet.example 10.0.0.0/8
EHealthOutboundTimeout 2 8
EHealthDatabaseTimeout 250
<EHealthTenant st-jean>
    EHealthTenantTitle "Clinique Saint-Jean"
    EHealthStructure finess:750000001 siret:12345678901234
    EHealthStructure nihii:71012345
</EHealthTenant>
<EHealthTenant other>
</EHealthTenant>
<VirtualHost *:${PORT}>
    ServerName a.example
    EHealthPublicURL https://A.Example:443/
    EHealthProxy none
    EHealthOutboundHTTP loopback
    <IfModule ehealth_module>
        <EHealthTenant st-jean>
            EHealthStructure finess:1
        </EHealthTenant>
    </IfModule>
</VirtualHost>
<VirtualHost *:${PORT}>
    ServerName b.example
</VirtualHost>
<VirtualHost *:${PORT}>
    ServerName c.example
    EHealthPublicURL https://[2001:db8::1]:8443
</VirtualHost>
""")
    main, a, b, c = ({h["name"].split(":")[0]: h for h in doc["hosts"]}[n] for n in
                     ("localhost", "a.example", "b.example", "c.example"))
    assert (doc["version"], doc["state_dir"], doc["user"]) == (1, str(server.state), server.user or doc["user"])
    assert doc["database"] == {"driver": "sqlite3", "params": f"{server.state}/ehealth.db", "connections": 16,
                               "acquire_ms": 250, "query_ms": 5000}
    assert main["public_url"] == server.url and main["proxy"] == "http://proxy.example:3128"
    assert main["proxy_except"] == [".intranet.example", "10.0.0.0/8"] and main["tls"] is False
    assert main["outbound"] == {"connect": 2, "total": 8, "http_loopback": False}
    assert [t["name"] for t in main["tenants"]] == ["other", "st-jean"] and main["providers"] == []
    assert main["tenants"][1] == {"name": "st-jean", "title": "Clinique Saint-Jean",
                                  "structures": ["finess:750000001", "siret:12345678901234", "nihii:71012345"]}
    # Its own values, and the main server's for the rest.
    assert (a["name"], a["public_url"], a["proxy"]) == (f"a.example:{server.port}", "https://a.example", None)
    assert a["outbound"] == {"connect": 2, "total": 8, "http_loopback": True}
    assert [t["name"] for t in a["tenants"]] == ["other", "st-jean"]
    assert a["tenants"][1]["structures"] == ["finess:1"] and a["file"] == str(server.conf_file) and a["line"] > 1
    assert (b["public_url"], b["proxy"]) == (main["public_url"], main["proxy"])
    assert c["public_url"] == "https://[2001:db8::1]:8443"


def test_dump_knows_which_host_speaks_tls(server):
    doc = dump(server, """
LoadModule ssl_module %s/mod_ssl.so
<VirtualHost *:${PORT}>
    ServerName a.example
    SSLEngine optional
</VirtualHost>
<VirtualHost *:${PORT}>
    ServerName b.example
    SSLEngine off
</VirtualHost>
""" % layout()[1])
    assert {h["name"].split(":")[0]: h["tls"] for h in doc["hosts"]} == \
        {"localhost": False, "a.example": True, "b.example": False}


def test_public_url_forms(server):
    for given, told in [("http://127.0.0.1:8080", "http://127.0.0.1:8080"), ("http://LOCALHOST/", "http://localhost"),
                        ("http://[::1]:81", "http://[::1]:81"), ("https://p.example:8443", "https://p.example:8443")]:
        doc = dump(server, f"EHealthPublicURL {given}\n")
        assert doc["hosts"][0]["public_url"] == told


def test_bad_key_file_stops_the_start():
    """Said by the start and already by configtest: which file, what is wrong, and never a key."""
    bad = Httpd("", ehealth=("ehealth",))
    (bad.dir / "conf" / "keys").write_text("1 notakey\n")
    with pytest.raises(RuntimeError) as story:
        bad.start()
    code, text = bad.configtest()
    assert code != 0 and "EH1103" in text and "notakey" not in text
    assert "EHealthKeyFile" in str(story.value) and "EH1103" in str(story.value) and "notakey" not in str(story.value)
    bad.folder.remove()
