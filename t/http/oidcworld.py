# SPDX-License-Identifier: Apache-2.0
"""httpd with our log-in in front of the legacy portal, and the bench's provider that says yes to everybody: for tests of
what happens around a session rather than of the log-in itself."""
import sqlite3
import sys
import time
from pathlib import Path

from ehhttpd import Browser, Httpd, Portal

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))

from op import Op, practitioner  # noqa: E402,F401

TENANT = """
<EHealthTenant st-jean>
    EHealthTenantTitle "Hôpital Saint-Jean"
    EHealthStructure finess:990000101
</EHealthTenant>
"""
PROVIDER = """
<EHealthProvider {name}>
    EHealthPreset prosanteconnect
    EHealthIssuer {op.issuer}
    EHealthMetadataURL {op.metadata}
    EHealthClientID bench
    EHealthClientSecret bench-secret
    {more}
</EHealthProvider>
"""
PROTECT = """
<Location {path}>
    AuthType ehealth
    EHealthLogin {login}
    {require}
    EHealthIdentityHeader X-Remote-User %{{account}}
    EHealthIdentityHeader X-Display-Name %{{name}}
    EHealthIdentityHeader X-Roles %{{roles}}
    {more}
</Location>
"""


def provider(op, name="psc", more=""):
    return PROVIDER.format(op=op, name=name, more=more)


def protect(path="/portal", login="psc", require="Require valid-user", more=""):
    return PROTECT.format(path=path, login=login, require=require, more=more)


class OidcWorld:
    """with OidcWorld(conf) as w: w.log_in() gives a Browser with a session. {portal} in conf is the portal's address; conf
    None: /portal protected, /open not, both passed on to the portal."""

    def __init__(self, conf=None, providers=("psc",), grace="", session="", ca=None, **kw):
        self.op, self.portal, self.ca = Op().__enter__(), Portal(), ca
        if conf is None:
            conf = protect()
        text = "EHealthOutboundHTTP loopback\n" + grace + TENANT
        text += "".join(provider(self.op, name, session) for name in providers)
        text += f"ProxyPass /portal {self.portal.url}/portal\nProxyPass /open {self.portal.url}/open\n"
        self.httpd = Httpd(text + conf.replace("{portal}", self.portal.url), ca=ca, **kw)
        self.url = self.httpd.url

    def __enter__(self):
        self.httpd.start()
        return self

    def __exit__(self, kind, value, trace):
        try:
            self.httpd.stop(check=kind is None)
        finally:
            self.portal.close()
            self.op.__exit__()

    def browser(self):
        return Browser(ca=self.ca.cert if self.ca else None)

    def log_in(self, path="/portal/whoami", who=None, browser=None, url=None, status=200):
        self.op.person = who or practitioner()
        browser = browser or self.browser()
        answer = browser.get((url or self.url) + path)
        assert answer.status == status, f"{answer} {answer.words[:300]}"
        return browser

    def metric(self, line):
        """Value of one line of the metrics, by its name and labels."""
        text = self.browser().raw("GET", self.url + "/.ehealth/metrics").text
        found = [row.rsplit(" ", 1)[1] for row in text.splitlines() if row.rsplit(" ", 1)[0] == line]
        assert len(found) == 1, f"{line} is not in\n{text}"
        return float(found[0])

    def sql(self, statement, *args):
        """On the embedded database, as an administrator's tool would."""
        db = sqlite3.connect(self.httpd.state / "ehealth.db", timeout=10)
        try:
            with db:
                return db.execute(statement, args).fetchall()
        finally:
            db.close()

    def revoke_all(self):
        """What `ehctl sessions revoke` writes."""
        now = int(time.time() * 1e6)
        self.sql("INSERT INTO eh_revocation (ticket_h, at) SELECT ticket_h, ? FROM eh_session", now)
        self.sql("UPDATE eh_session SET revoked_at = ? WHERE revoked_at IS NULL", now)
