# SPDX-License-Identifier: Apache-2.0
"""The demonstration's parts put together: providers, httpd with demo.conf, pages. The demo and the tests start this."""
import secrets
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "http"))

from ehhttpd import Httpd, Op, proc  # noqa: E402

CLIENT = "demo-portal"


def clients(url, secret, **more):
    """Registration of the portal at both providers. PSC: confidential; I.AM: public, as in eHealth's samples."""

    def strip(client):
        return {name: value for name, value in client.items() if value is not None}

    def at(name):
        return {"redirect_uris": [f"{url}/.ehealth/callback/{name}"],
                "post_logout_redirect_uris": [f"{url}/.ehealth/logged-out"]}

    return {
        "psc": [strip({"client_id": CLIENT, **at("psc"), "client_secret": secret,
                       "token_endpoint_auth_method": "client_secret_basic", **more})],
        "iam": [{"client_id": CLIENT, **at("iam"), "token_endpoint_auth_method": "none"}],
    }


class World:
    """conf: configuration instead of, more: after demo.conf, edit: a change of it; client: more of the registration
    (None takes a member away), secret: what the server says; files: {name: text} in its conf folder; op_tls: see Op."""

    def __init__(self, portal_url, alg="RS256", conf=None, more="", folder=None, port=None, detach=False, op=None,
                 client=None, edit=None, secret=None, files=None, op_tls=None, **kw):
        self.secret = secret or secrets.token_urlsafe(32)
        port = port or proc.free_port()
        scheme, host = ("https", "localhost") if kw.get("tls") else ("http", "127.0.0.1")
        self.url = f"{scheme}://{host}:{port}"
        self.op = op or Op(clients(self.url, self.secret, **(client or {})), alg=alg, detach=detach, tls=op_tls,
                           folder=folder and Path(folder) / "op")
        text = (HERE / "demo.conf").read_text() if conf is None else conf
        text = edit(text) if edit else text
        kw.setdefault("modules", ("macro", "negotiation"))
        self.httpd = Httpd(
            text + "\n" + more, port=port, folder=folder and Path(folder) / "httpd", detach=detach,
            defines={"PORTAL": portal_url, "ALG": alg, "PSC_ISSUER": self.op.psc_issuer,
                     "PSC_METADATA": self.op.psc_metadata, "IAM_ISSUER": self.op.iam_issuer,
                     "IAM_METADATA": self.op.iam_metadata}, **kw)
        secret_file = self.httpd.dir / "conf" / "psc.secret"
        secret_file.write_text(self.secret + "\n")
        secret_file.chmod(0o640)
        if self.httpd.user:
            shutil.chown(secret_file, "root", self.httpd.user)
        for name, content in (files or {}).items():
            path = self.httpd.dir / "conf" / name
            path.write_text(content)
            path.chmod(0o640)
            if self.httpd.user:
                shutil.chown(path, "root", self.httpd.user)
        pages = proc.ROOT / "htdocs" / "demo"
        shutil.copytree(pages, self.httpd.dir / "htdocs" / "demo", dirs_exist_ok=True)
        for page in pages.glob("index.*.html"):
            shutil.copy(page, self.httpd.dir / "htdocs" / page.name)

    def start(self):
        self.op.start()
        if self.httpd.database and self.httpd.database[0] == "pgsql":
            self.httpd.migrate()
        self.httpd.start()
        return self

    def stop(self, check=True):
        try:
            self.httpd.stop(check=check)
        finally:
            self.op.stop()

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, value, trace):
        self.stop(check=kind is None)
