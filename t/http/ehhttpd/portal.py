# SPDX-License-Identifier: Apache-2.0
"""The legacy portal: an application of its time that believes the headers of the proxy in front of it and keeps its own
JSESSIONID. It decodes nothing by itself but percent signs. Also a program: portal.py PORT."""
import html
import json
import secrets
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

IDENTITY = ["X-Remote-User", "X-Account", "X-Display-Name", "X-Given-Name", "X-Family-Name", "X-Roles", "X-Structures",
            "X-Tenants", "X-Login-Level", "X-Provider"]

LABELS = {
    "X-Remote-User": "Identité nationale", "X-Account": "Compte", "X-Display-Name": "Nom affiché",
    "X-Given-Name": "Prénom", "X-Family-Name": "Nom", "X-Roles": "Profession", "X-Structures": "Structures",
    "X-Tenants": "Établissement", "X-Login-Level": "Niveau", "X-Provider": "Fournisseur",
}

PAGE = """<!DOCTYPE html>
<html lang="fr"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Dossier patient – Hôpital Saint-Jean</title><link rel="stylesheet" href="/demo/portal.css"></head>
<body>
<header><p class="brand">Hôpital Saint-Jean <span>Dossier patient 4.2</span></p></header>
<main>
<h1>Bonjour {name}</h1>
<p>Cette application ne connaît ni Pro Santé Connect ni eHealth : elle lit les en-têtes que le serveur lui envoie.</p>
<h2>Ce qui a été transmis au portail</h2>
<div class="scroll" tabindex="0" role="region" aria-label="En-têtes reçus">
<table><thead><tr><th scope="col">Information</th><th scope="col">En-tête</th><th scope="col">Valeur décodée</th></tr></thead>
<tbody>
{rows}
</tbody></table></div>
<p>Session du portail : <code>JSESSIONID</code> {session}, page vue {count} fois.</p>
<p class="actions"><a class="button" href="/.ehealth/logout">Se déconnecter…</a> <a href="/">Retour à la démonstration</a></p>
</main></body></html>
"""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "LegacyPortal/4.2"

    def log_message(self, *args):
        pass

    def _answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        headers = list(self.headers.items())
        path = urlsplit(self.path).path
        with self.server.lock:
            self.server.requests.append({"method": self.command, "path": self.path, "headers": headers, "body": body})
            if len(self.server.requests) > 10000:
                del self.server.requests[:5000]
        if self.server.delay:
            threading.Event().wait(self.server.delay)
        session = self._session()
        if path.endswith("/whoami"):
            self._send("application/json", json.dumps({"headers": headers, "session": session["count"]}), session)
        elif path.endswith("/favicon.ico"):
            self.send_error(404)
        else:
            self._send("text/html; charset=utf-8", self._page(session), session)

    do_GET = do_POST = do_HEAD = do_PUT = do_DELETE = do_OPTIONS = _answer

    def _session(self):
        sent = dict(part.strip().partition("=")[::2] for part in (self.headers.get("Cookie") or "").split(";"))
        with self.server.lock:
            session = self.server.sessions.get(sent.get("JSESSIONID"))
            if session is None:
                session = {"id": secrets.token_hex(16).upper(), "count": 0, "new": True}
                self.server.sessions[session["id"]] = session
            session["count"] += 1
        return session

    def _page(self, session):
        rows = []
        for name in IDENTITY:
            value = unquote(self.headers.get(name) or "")
            shown = html.escape(value) or "<span class=\"none\">(absent)</span>"
            rows.append(f"<tr><th scope=\"row\">{LABELS[name]}</th><td><code>{name}</code></td><td>{shown}</td></tr>")
        name = html.escape(unquote(self.headers.get("X-Display-Name") or "")) or "inconnu"
        return PAGE.format(name=name, rows="\n".join(rows), session=session["id"][:6] + "…", count=session["count"])

    def _send(self, kind, text, session):
        data = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-store")
        if session.pop("new", False):
            self.send_header("Set-Cookie", f"JSESSIONID={session['id']}; Path=/portal; HttpOnly; SameSite=Lax")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port):
        super().__init__(("127.0.0.1", port), _Handler)
        self.requests, self.sessions, self.lock, self.delay = [], {}, threading.Lock(), 0


class Portal:
    """The portal inside the test program: `requests` holds all it was asked, oldest first."""

    def __init__(self, port=0):
        self.server = _Server(port)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    @property
    def requests(self):
        with self.server.lock:
            return list(self.server.requests)

    @property
    def hits(self):
        return len(self.requests)

    def clear(self):
        with self.server.lock:
            self.server.requests.clear()

    def last(self):
        """Headers of the last request, by lower-case name; a name that came twice is a list."""
        out = {}
        for name, value in self.requests[-1]["headers"]:
            key = name.lower()
            if key in out:
                out[key] = (out[key] if isinstance(out[key], list) else [out[key]]) + [value]
            else:
                out[key] = value
        return out

    def identity(self):
        """The ten identity headers of the last request, decoded."""
        last = self.last()
        return {name: unquote(last[name.lower()]) for name in IDENTITY if name.lower() in last}

    def close(self):
        self.server.shutdown()
        self.server.server_close()


if __name__ == "__main__":
    _Server(int(sys.argv[1])).serve_forever()
