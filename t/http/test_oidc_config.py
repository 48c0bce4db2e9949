# SPDX-License-Identifier: Apache-2.0
"""Every wrong directive of the log-in stops configtest with a sentence that says what to write instead."""
import json

import pytest

from ehhttpd import Httpd, proc

PSC = "<EHealthProvider psc>\nEHealthPreset prosanteconnect\nEHealthClientID x\nEHealthClientSecret s\n{}\n</EHealthProvider>\n"
HERE = "<Location /p>\nAuthType ehealth\nEHealthLogin psc\nRequire valid-user\n{}\n</Location>\n"
GOOD = PSC.format("") + HERE.format("")


@pytest.fixture(scope="module")
def server(ca):
    s = Httpd("", ca=ca, tls=True)
    (s.dir / "conf" / "open.secret").write_text("secret")
    (s.dir / "conf" / "open.secret").chmod(0o644)
    (s.dir / "conf" / "empty.secret").write_text("")
    (s.dir / "conf" / "no.pem").write_text("no key")
    (s.dir / "conf" / "no.pem").chmod(0o600)
    yield s
    s.folder.remove()


FAULTS = [
    (PSC.format("") + PSC.format(""), "stands twice on this host"),
    ("<EHealthProvider PSC>\n</EHealthProvider>\n", "small letters, digits"),
    ("<EHealthProvider a b>\n</EHealthProvider>\n", "write one name"),
    ("<EHealthProvider a>\n<EHealthProvider b>\n</EHealthProvider>\n</EHealthProvider>\n", "inside another"),
    ("EHealthIssuer https://op.example\n", "belongs inside <EHealthProvider name>"),
    (PSC.format("EHealthClientID y"), "EHealthClientID stands twice"),
    (PSC.format("").replace("EHealthPreset prosanteconnect\n", ""), "EHealthPreset is missing"),
    (PSC.format("EHealthPreset psc").replace("EHealthPreset prosanteconnect\n", ""), "prosanteconnect"),
    (PSC.format("EHealthEnvironment moon"), "production"),
    (PSC.format("EHealthIssuer http://op.example"), "https"),
    (PSC.format("EHealthScope profile"), "openid"),
    (PSC.format("EHealthACRMissing maybe"), "write accept or refuse"),
    (PSC.format("EHealthUserinfo perhaps"), "write off, optional or required"),
    (PSC.format("EHealthIDTokenAlg none"), "RS256"),
    (PSC.format("EHealthIDTokenAlg HS256"), "RS256"),
    (PSC.format("EHealthAuthParam state x"), "state"),
    (PSC.format("EHealthLeeway soon"), "no number of seconds"),
    (PSC.format("EHealthSession -1 0"), "no number of seconds"),
    (PSC.format("EHealthSession 10 0"), "EHealthSession"),
    (PSC.format("EHealthCallbackPath oidc/back"), "is no path"),
    (PSC.format("EHealthCallbackPath /a/../b"), "is no path"),
    (PSC.format("EHealthClientAuth magic"), "client_secret_basic"),
    (PSC.format("EHealthClientAuth client_secret_post issuer"), "only private_key_jwt takes an audience"),
    (PSC.format("EHealthClientAuth private_key_jwt"), "EHealthClientKey"),
    (PSC.format("EHealthClientAuth tls_client_auth"), "EHealthClientCertificate"),
    (PSC.format("EHealthClientKey ${DIR}/conf/no.pem"), "no usable private key"),
    (PSC.format("EHealthClientCertificate ${DIR}/conf/none.pem"), "there is no file"),
    (PSC.format("").replace("Secret s", "Secret file:${DIR}/conf/none"), "cannot be read"),
    (PSC.format("").replace("Secret s", "Secret file:${DIR}/conf/open.secret"), "chmod 640"),
    (PSC.format("").replace("Secret s", "Secret file:${DIR}/conf/empty.secret"), "1 to 4096 bytes"),
    (PSC.format("EHealthCallbackPath /back") + PSC.format("EHealthCallbackPath /back").replace("r psc>", "r b>"),
     "same EHealthCallbackPath /back"),
    (GOOD + "EHealthSessionGrace 0\n", "1 to 86400"),
    (GOOD.replace("EHealthLogin psc", "EHealthLogin iam"), "there is no <EHealthProvider iam>"),
    (GOOD.replace("Require valid-user", ""), "protects nothing without a Require"),
    (GOOD.replace("Require valid-user", "Require all granted\nRequire ehealth-role nurse"), 'write "Require valid-user" instead'),
    (GOOD.replace("Require valid-user", "<RequireAll>\nRequire ALL Granted\nRequire not ehealth-role student\n</RequireAll>"),
     "lets in who is not logged in"),
    (GOOD.replace("AuthType ehealth", "AuthType Basic"), 'needs "AuthType ehealth" beside it'),
    (PSC.format("") + "EHealthLogin psc\n", "EHealthLogin not allowed here"),
    (PSC.format("") + HERE.format("EHealthIdentityHeader Host %{account}"), "cannot carry an identity"),
    (PSC.format("") + HERE.format("EHealthIdentityHeader Transfer_Encoding %{account}"), "cannot carry an identity"),
    (PSC.format("") + HERE.format("EHealthIdentityHeader X-U %{acount}"), "may name: account"),
    (PSC.format("") + HERE.format("EHealthIdentityHeader X-U %{account} latin1"), "percent, raw, base64url or rfc8187"),
    (PSC.format("") + HERE.format("EHealthIdentityHeader X-U a\nEHealthIdentityHeader x-u b"), "stands twice"),
    (PSC.format("") + HERE.format("EHealthIdentityEnv HTTP_X a"), "cannot be used"),
    (PSC.format("") + HERE.format("EHealthIdentityEnv A-B a"), "no variable name"),
    (PSC.format("") + HERE.format("EHealthRemoteUser %{"), "EHealthRemoteUser"),
    (PSC.format("") + HERE.format("Require ehealth-member st-jean"), "there is no <EHealthTenant st-jean>"),
    (PSC.format("") + HERE.format("Require ehealth-role"), "ehealth-role physician"),
    (PSC.format("") + HERE.format("Require ehealth-claim a"), "path.of.claim value"),
    (PSC.format("") + HERE.format("Require ehealth-acr 12"), "one rank from 1 to 9"),
    (GOOD + "MergeTrailers On\n", "MergeTrailers Off"),
    ("Listen 127.0.0.1:1\n<VirtualHost *:1>\nServerName b.example\nEHealthPublicURL https://b.example\n"
     + HERE.format("") + "</VirtualHost>\n", "there is no <EHealthProvider psc> on b.example"),
]


@pytest.mark.parametrize("conf, words", FAULTS, ids=range(len(FAULTS)))
def test_wrong_values_are_told(server, conf, words):
    code, said = server.configtest(conf)
    assert code != 0 and words in said, said
    assert "secret" not in said.replace("EHealthClientSecret", "").replace(".secret", "").replace("client_secret", "")


@pytest.mark.parametrize("conf", [
    GOOD,
    GOOD.replace("<Location /p>", "<Location /p>\n<IfModule ehealth_oidc_module>").replace("</Location>",
                                                                                           "</IfModule>\n</Location>"),
    GOOD.replace("Require valid-user", "<RequireAll>\nRequire valid-user\n</RequireAll>"),
    GOOD.replace("AuthType ehealth", 'AuthType "eHealth"'),
    PSC.format("EHealthSession 3600 0\nEHealthACR eidas2 eidas3\nEHealthScope openid scope_all\n"
               "EHealthIDTokenAlg RS256 ES256\nEHealthAuthParam ui_locales fr") + HERE.format(""),
])
def test_right_values_pass(server, conf):
    code, said = server.configtest(conf)
    assert code == 0, said


def test_the_dump_tells_all_but_the_secret(server):
    server.write_conf(PSC.format("EHealthCallbackPath /back").replace("Secret s", "Secret very-hidden"))
    done = proc.run([*server_command(server), "-t", "-D", "DUMP_EHEALTH"], check=False, env=server._environment())
    text = next(line for line in done.stdout.splitlines() if line.startswith("{"))
    assert "very-hidden" not in done.stdout
    told = json.loads(text)["hosts"][0]["providers"][0]
    assert told["client_secret_source"] == "literal" and told["redirect_uri"] == server.url + "/back"
    assert (told["preset"], told["environment"], told["userinfo"]) == ("prosanteconnect", "production", "required")
    assert told["id_token_algs"] == ["RS256"] and told["leeway"] == 60


def server_command(server):
    from ehhttpd.httpd import layout
    return [str(layout()[0]), "-f", str(server.conf_file)]
