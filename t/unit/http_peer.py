#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A peer that misbehaves on demand, for test_http and test_ehctl_check. Loopback only, on free ports.

Prints one line of JSON (ports, paths of certificates) and serves until its standard input ends. Answers are written by
hand on the socket: a tidy HTTP library could not be made to send half of them.
"""
import base64
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

HITS = {}
LOCK = threading.Lock()
PROXY_USER, PROXY_PASSWORD = "ward 7", "p@ss:word"


def sh(*args, cwd):
    subprocess.run(args, cwd=cwd, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def make_certs(d):
    """ca: trusted; rogue: not. server (localhost, peer.test), badname, expired, soon (10 days), client, client2."""
    with open(os.path.join(d, "ca.cnf"), "w", encoding="ascii") as f:
        f.write("[ca]\ndefault_ca=c\n[c]\ndatabase=index.txt\nnew_certs_dir=.\nserial=serial\ndefault_md=sha256\n"
                "policy=p\ncopy_extensions=copy\nunique_subject=no\n[p]\ncommonName=supplied\n")
    open(os.path.join(d, "index.txt"), "w", encoding="ascii").close()
    with open(os.path.join(d, "serial"), "w", encoding="ascii") as f:
        f.write("01\n")
    ec = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    for ca, name in (("ca", "Trusted Test CA"), ("rogue", "Rogue Test CA")):
        sh("openssl", "req", "-x509", *ec, "-keyout", ca + ".key", "-out", ca + ".pem", "-days", "3650",
           "-subj", "/CN=" + name, "-addext", "basicConstraints=critical,CA:TRUE",
           "-addext", "keyUsage=critical,keyCertSign", cwd=d)

    def leaf(name, sans, ca="ca", start="20200101000000Z", end="20490101000000Z", usage="serverAuth"):
        args = ["openssl", "req", "-new", *ec, "-keyout", name + ".key", "-out", name + ".csr", "-subj", "/CN=" + name,
                "-addext", "extendedKeyUsage=" + usage]
        if sans:
            args += ["-addext", "subjectAltName=" + sans]
        sh(*args, cwd=d)
        sh("openssl", "ca", "-batch", "-config", "ca.cnf", "-cert", ca + ".pem", "-keyfile", ca + ".key", "-notext",
           "-startdate", start, "-enddate", end, "-in", name + ".csr", "-out", name + ".pem", cwd=d)

    good = "DNS:localhost,DNS:peer.test,DNS:slow.test,IP:127.0.0.1"
    leaf("server", good)
    leaf("badname", "DNS:other.test")
    leaf("expired", good, end="20210101000000Z")
    leaf("soon", good, end=time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + 10 * 86400)))
    leaf("untrusted", good, ca="rogue")
    leaf("client", "", usage="clientAuth")
    leaf("client2", "", usage="clientAuth")
    leaf("clientold", "", usage="clientAuth", end="20210101000000Z")
    # An RSA certificate as well: the old protocol versions have no cipher in common with a picky client otherwise.
    sh("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "old.key", "-out", "old.pem", "-days", "30",
       "-subj", "/CN=localhost", "-addext", "subjectAltName=" + good, cwd=d)


def read_head(f):
    line = f.readline(65536)
    if not line:
        return None
    method, path, _ = line.decode("latin-1").split(" ", 2)
    headers = {}
    while True:
        line = f.readline(65536).decode("latin-1").rstrip("\r\n")
        if not line:
            return method, path, headers
        k, v = line.split(":", 1)
        headers[k.lower()] = v.strip()


def date(offset=0):
    return "Date: " + time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + offset))


def simple(conn, status, body, *more, ctype="text/plain", offset=0):
    body = body if isinstance(body, bytes) else body.encode()
    head = [f"HTTP/1.1 {status}", date(offset), f"Content-Type: {ctype}", f"Content-Length: {len(body)}", *more]
    conn.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body)


class Peer:
    def __init__(self, cert_dir):
        self.dir = cert_dir
        self.ports = {}
        out = subprocess.run(["openssl", "rsa", "-in", self.path("old.key"), "-modulus", "-noout"], check=True,
                             capture_output=True, text=True).stdout
        n = base64.urlsafe_b64encode(bytes.fromhex(out.strip().split("=")[1])).decode().rstrip("=")
        self.jwk = {"kty": "RSA", "kid": "r1", "use": "sig", "alg": "RS256", "e": "AQAB", "n": n}

    def path(self, name):
        return os.path.join(self.dir, name)

    # --- answers; each returns False when the connection is to be closed ---

    def op(self, conn, scheme, at, rest):
        """A provider's documents: /op/VARIANT/.well-known/openid-configuration and /op/VARIANT/jwks."""
        variant, doc = rest.split("/", 1)
        base = f"{scheme}://{at}/op/{variant}"
        offset = 600 if variant == "skew" else 0
        if doc == "jwks":
            keys = [] if variant == "nokeys" else [self.jwk]
            if variant == "wrongkeys":
                keys = [{"kty": "EC", "crv": "P-256", "kid": "e1", "use": "sig",
                         "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                         "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]
            simple(conn, "200 OK", json.dumps({"keys": keys}), ctype="application/json", offset=offset)
            return True
        if doc != ".well-known/openid-configuration":
            simple(conn, "404 Not Found", "no such document")
            return True
        if variant == "notjson":
            simple(conn, "200 OK", "<html>log in to the proxy</html>", ctype="text/html")
            return True
        meta = {"issuer": base, "authorization_endpoint": base + "/auth", "token_endpoint": base + "/token",
                "userinfo_endpoint": base + "/userinfo", "jwks_uri": base + "/jwks",
                "end_session_endpoint": base + "/logout", "response_types_supported": ["code"],
                "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["RS256"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "private_key_jwt"]}
        if variant == "wrongissuer":
            meta["issuer"] = "https://evil.example"
        if variant == "plain":
            meta["token_endpoint"] = "http://op.example/token"
        if variant == "ps256":
            meta["id_token_signing_alg_values_supported"] = ["PS256"]
        if variant == "bare":
            del meta["token_endpoint"]
        simple(conn, "200 OK", json.dumps(meta), ctype="application/json", offset=offset)
        return True

    def answer(self, conn, f, scheme, method, path, headers):
        body = f.read(int(headers.get("content-length", 0)))
        name = path.split("?")[0]
        with LOCK:
            HITS[name] = HITS.get(name, 0) + 1
        if name.startswith("/op/"):
            return self.op(conn, scheme, headers["host"], name[4:])
        if name == "/ok":
            simple(conn, "200 OK", "hello", "X-One: 1", "x-one: 2", ctype='Application/JSON; charset="utf-8"')
        elif name == "/echo":
            doc = {"method": method, "path": path, "headers": headers, "body": body.decode("latin-1"),
                   "peer": conn.getpeername()[1]}
            if isinstance(conn, ssl.SSLSocket):
                cert = conn.getpeercert()
                doc["tls"] = conn.version()
                doc["client"] = dict(x[0] for x in cert["subject"])["commonName"] if cert else None
            simple(conn, "200 OK", json.dumps(doc), ctype="application/json")
        elif name == "/hits":
            with LOCK:
                simple(conn, "200 OK", json.dumps(HITS), ctype="application/json")
        elif name.startswith("/status/"):
            simple(conn, name[8:] + " Whatever", "status")
        elif name == "/slow-headers":
            time.sleep(5)
            return False
        elif name == "/think":
            time.sleep(0.7)
            simple(conn, "200 OK", "thought")
        elif name == "/drip":
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            for _ in range(100):
                conn.sendall(b"x")
                time.sleep(0.1)
            return False
        elif name == "/huge":
            conn.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
            for _ in range(64):
                conn.sendall(b"y" * 65536)
            return False
        elif name == "/huge-length":
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n")
            return False
        elif name.startswith("/size/"):
            simple(conn, "200 OK", "z" * int(name[6:]))
        elif name == "/chunked":
            conn.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/plain\r\n"
                         b"Trailer: X-Late\r\n\r\n5\r\nfirst\r\n7\r\n second\r\n0\r\nX-Late: no\r\n\r\n")
        elif name == "/interim":
            conn.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\nX-Early: yes\r\n\r\n")
            simple(conn, "200 OK", "late")
        elif name == "/redirect":
            conn.sendall(b"HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n")
        elif name == "/then-close":  # promises to keep the connection, and does not
            simple(conn, "200 OK", "bye")
            return False
        elif name == "/close-mid":
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            return False
        elif name == "/close-now":
            return False
        elif name == "/many-headers":
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + b"X-A: b\r\n" * 150 + b"\r\n")
        elif name == "/long-headers":
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + (b"X-A: " + b"b" * 8000 + b"\r\n") * 12 + b"\r\n")
        elif name == "/control-header":
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-A: a\x01b\r\n\r\n")
        elif name == "/bare-cr":
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-A: a\rSet-Cookie: b\r\n\r\n")
        elif name == "/no-http":
            conn.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
            return False
        elif name == "/gzip":
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd")
        else:
            simple(conn, "404 Not Found", "nothing here")
        return True

    # --- listeners ---

    def listen(self, name, serve, backlog=64):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", 0))
        s.listen(backlog)
        self.ports[name] = s.getsockname()[1]
        if serve:
            threading.Thread(target=self.accept, args=(s, serve), daemon=True).start()
        return s

    def accept(self, s, serve):
        while True:
            conn, _ = s.accept()
            threading.Thread(target=self.guarded, args=(serve, conn), daemon=True).start()

    @staticmethod
    def guarded(serve, conn):
        try:
            serve(conn)
        except (OSError, ValueError):
            pass  # the client went away or spoke nonsense: that is what is being tested
        finally:
            try:
                conn.close()
            except OSError:
                pass

    def http(self, scheme):
        def serve(conn):
            f = conn.makefile("rb")
            while True:
                head = read_head(f)
                if not head or not self.answer(conn, f, scheme, *head):
                    conn.close()
                    f.close()
                    return
        return serve

    def tls(self, name, cert, tweak=None):
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ctx.load_cert_chain(self.path(cert + ".pem"), self.path(cert + ".key"))
        if tweak:
            tweak(ctx)
        inner = self.http("https")

        def serve(conn):
            conn.settimeout(10)
            inner(ctx.wrap_socket(conn, server_side=True))
        self.listen(name, serve)

    def proxy(self, conn):
        f = conn.makefile("rb", buffering=0)
        method, target, headers = read_head(f)
        with LOCK:
            HITS["CONNECT " + target.split(":")[0]] = HITS.get("CONNECT " + target.split(":")[0], 0) + 1
        want = "Basic " + base64.b64encode(f"{PROXY_USER}:{PROXY_PASSWORD}".encode()).decode()
        if method != "CONNECT":
            conn.sendall(b"HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n")
            return
        if headers.get("proxy-authorization") != want:
            conn.sendall(b"HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n")
            return
        host, port = target.rsplit(":", 1)
        if host != "peer.test":
            conn.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            return
        up = socket.create_connection(("127.0.0.1", int(port)))
        conn.sendall(b"HTTP/1.1 200 Connection established\r\nX-Proxy: yes\r\n\r\n")

        def pump(a, b):
            try:
                while True:
                    data = a.recv(65536)
                    if not data:
                        break
                    b.sendall(data)
            except OSError:
                pass
            finally:
                try:
                    b.shutdown(socket.SHUT_WR)
                except OSError:
                    pass
        t = threading.Thread(target=pump, args=(up, conn), daemon=True)
        t.start()
        pump(conn, up)
        t.join()
        up.close()

    def start(self):
        def only_old(ctx):
            ctx.minimum_version = ssl.TLSVersion.TLSv1
            ctx.maximum_version = ssl.TLSVersion.TLSv1_1
            ctx.set_ciphers("ALL:@SECLEVEL=0")

        def only_12(ctx):
            ctx.maximum_version = ssl.TLSVersion.TLSv1_2

        def want_cert(ctx):
            ctx.verify_mode = ssl.CERT_REQUIRED
            ctx.load_verify_locations(self.path("ca.pem"))

        self.listen("http", self.http("http"))
        self.tls("tls", "server")
        self.tls("tls12", "server", only_12)
        self.tls("badname", "badname")
        self.tls("expired", "expired")
        self.tls("soon", "soon")
        self.tls("untrusted", "untrusted")
        self.tls("old", "old", only_old)
        self.tls("mtls", "server", want_cert)
        self.tls("mtls12", "server", lambda c: (want_cert(c), only_12(c)))
        self.hang = self.listen("hang", None)
        self.listen("proxy", self.proxy)
        gone = self.listen("closed", None)
        gone.close()


def main():
    d = tempfile.mkdtemp(prefix="eh-peer-")
    try:
        os.chmod(d, 0o755)
        make_certs(d)
        peer = Peer(d)
        peer.start()
        print(json.dumps({"dir": d, "ports": peer.ports}), flush=True)
        sys.stdin.read()
    finally:
        shutil.rmtree(d, ignore_errors=True)


if __name__ == "__main__":
    main()
