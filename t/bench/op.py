# SPDX-License-Identifier: Apache-2.0
"""An OpenID provider small enough to leave the second core to the load: says yes to everybody, signs RS256, and tells what
Pro Santé Connect tells of a practitioner (24 claims in the ID token, 14 in userinfo). Not a model of a provider's errors:
t/demo/op is."""
import json
import secrets
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

from jwcrypto import jwk, jws

PLACE = {"numeroFinessSite": "990000101", "numeroSiretSite": "99900000100019", "raisonSocialeSite": "Hôpital Saint-Jean",
         "identifiantTechniqueDeLaStructure": "R10000000000101", "codeModeExercice": "S", "codeSecteurDactivite": "SA01",
         "codeSectionTableauPharmaciens": "", "codeRole": "", "ancienIdentifiantDeLaStructure": "1990000101"}


def practitioner(rpps="99700001011", given="Hélène", family="Lefèvre-Noël", profession="10", category="C", place=None):
    """(claims of the ID token, claims of userinfo) besides those of the protocol."""
    national = "8" + rpps
    sub = f"f:550dc1c8-d97b-4b1e-ac8c-8eb4471cf9dd:{national}"
    refpro = {"codeCivilite": "MME", "exercices": [{
        "codeProfession": profession, "codeCategorieProfessionnelle": category, "codeCiviliteDexercice": "DR",
        "nomDexercice": family.upper(), "prenomDexercice": given, "codeTypeSavoirFaire": "S", "codeSavoirFaire": "SM54",
        "activities": [dict(PLACE, **(place or {}))]}]}
    both = {"sub": sub, "SubjectNameID": national, "given_name": given, "family_name": family,
            "name": f"{given} {family}", "preferred_username": national, "email_verified": False}
    token = {**both, "typ": "ID", "azp": "bench", "SubjectOrganization": "Hôpital Saint-Jean", "PSI_Locale": "1.2.250.1.213.1.3.1.1",
             "authMode": "CARD", "UITVersion": "1.0", "Palier_Authentification": "APPPRIP3^1.2.250.1.213.1.5.1.1.1",
             "session_state": secrets.token_urlsafe(16), "sid": secrets.token_urlsafe(16)}
    userinfo = {**both, "SubjectOrganization": "Hôpital Saint-Jean", "SubjectOrganizationID": "990000101",
                "Mode_Acces_Raison": "", "Acces_Regulation_Medicale": "FAUX", "SubjectRefPro": refpro,
                "otherIds": [{"identifiant": national, "origine": "RPPS", "qualite": 1}],
                "SubjectRole": [f"{profession}^1.2.250.1.213.1.1.5.5"]}
    return token, userinfo


class Op:
    """with Op() as op: op.issuer, op.metadata; `op.person` is who logs in next."""

    def __init__(self, port=0):
        self.key = jwk.JWK.generate(kty="RSA", size=2048, kid="bench-1", alg="RS256", use="sig")
        self.person = practitioner()
        self.codes, self.tokens, self.hits = {}, {}, {}
        op = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_GET(self):
                op.serve(self)

            do_POST = do_GET

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.issuer = f"http://127.0.0.1:{self.port}/realm"
        self.metadata = self.issuer + "/.well-known/openid-configuration"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exc):
        self.server.shutdown()
        self.server.server_close()

    # -- answers ----------------------------------------------------------------------------------------------------

    @staticmethod
    def _send(h, status, body=b"", kind="application/json", headers=()):
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
        h.send_response(status)
        h.send_header("Content-Type", kind)
        h.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            h.send_header(name, value)
        h.end_headers()
        h.wfile.write(body)

    def serve(self, h):
        parts = urlsplit(h.path)
        query = {k: v[0] for k, v in parse_qs(parts.query).items()}
        length = int(h.headers.get("Content-Length") or 0)
        form = {k: v[0] for k, v in parse_qs(h.rfile.read(length).decode()).items()} if length else {}
        what = parts.path.removeprefix("/realm/")
        self.hits[what] = self.hits.get(what, 0) + 1
        if what == ".well-known/openid-configuration":
            self._send(h, 200, self.discovery())
        elif what == "jwks":
            self._send(h, 200, {"keys": [json.loads(self.key.export_public())]})
        elif what == "authorize":
            self.authorize(h, query)
        elif what == "token":
            self.token(h, form)
        elif what == "userinfo":
            person = self.tokens.get((h.headers.get("Authorization") or "").removeprefix("Bearer "))
            self._send(h, 200 if person else 401, person[1] if person else {"error": "invalid_token"})
        elif what == "logout":
            back = query.get("post_logout_redirect_uri", "/")
            state = "?" + urlencode({"state": query["state"]}) if "state" in query else ""
            self._send(h, 302, headers=[("Location", back + state)])
        else:
            self._send(h, 404, {"error": "not_found"})

    def discovery(self):
        at = {name + "_endpoint": f"{self.issuer}/{path}" for name, path in
              [("authorization", "authorize"), ("token", "token"), ("userinfo", "userinfo"), ("end_session", "logout")]}
        return {"issuer": self.issuer, "jwks_uri": self.issuer + "/jwks", **at, "response_types_supported": ["code"],
                "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["RS256"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic"], "scopes_supported": ["openid"],
                "code_challenge_methods_supported": ["S256"], "authorization_response_iss_parameter_supported": True}

    def authorize(self, h, query):
        code = secrets.token_urlsafe(24)
        self.codes[code] = (query.get("nonce"), query.get("client_id"), self.person)
        answer = urlencode({"code": code, "state": query.get("state", ""), "iss": self.issuer})
        self._send(h, 302, headers=[("Location", query["redirect_uri"] + "?" + answer)])

    def token(self, h, form):
        known = self.codes.pop(form.get("code"), None)
        if known is None:
            return self._send(h, 400, {"error": "invalid_grant"})
        nonce, client, person = known
        now, access = int(time.time()), secrets.token_urlsafe(32)
        claims = {**person[0], "iss": self.issuer, "aud": client, "iat": now, "exp": now + 3600, "auth_time": now,
                  "jti": secrets.token_urlsafe(16), "acr": "eidas1"}
        if nonce:
            claims["nonce"] = nonce
        signed = jws.JWS(json.dumps(claims))
        signed.add_signature(self.key, None, json.dumps({"alg": "RS256", "kid": "bench-1"}))
        self.tokens[access] = person
        return self._send(h, 200, {"access_token": access, "token_type": "Bearer", "expires_in": 3600,
                                   "refresh_token": secrets.token_urlsafe(32),
                                   "id_token": signed.serialize(compact=True)})


if __name__ == "__main__":
    with Op(int(sys.argv[1]) if len(sys.argv) > 1 else 0) as running:
        print(running.issuer, flush=True)
        threading.Event().wait()
