# SPDX-License-Identifier: Apache-2.0
"""A certificate authority for one run, made with the openssl program: servers for localhost, client certificates."""
from pathlib import Path

from .proc import run

_EXT = """[server]
subjectAltName = DNS:localhost, IP:127.0.0.1
extendedKeyUsage = serverAuth
basicConstraints = critical, CA:FALSE
[client]
extendedKeyUsage = clientAuth
basicConstraints = critical, CA:FALSE
"""


class CA:
    def __init__(self, folder, name="ehealth test authority"):
        self.dir = Path(folder)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.cert = self.dir / "ca.pem"
        self._key = self.dir / "ca.key"
        (self.dir / "ext.cnf").write_text(_EXT)
        run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
             "30", "-subj", f"/CN={name}", "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", self._key,
             "-out", self.cert])

    def issue(self, name, kind="server", subject=None, days=30):
        """Returns (certificate, key), PEM files. kind: server or client."""
        key, csr, cert = (self.dir / f"{name}.{ext}" for ext in ("key", "csr", "pem"))
        run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
             subject or f"/CN={name}", "-keyout", key, "-out", csr])
        run(["openssl", "x509", "-req", "-in", csr, "-CA", self.cert, "-CAkey", self._key, "-CAcreateserial", "-days",
             str(days), "-extfile", self.dir / "ext.cnf", "-extensions", kind, "-out", cert])
        key.chmod(0o644)  # a throw-away key; a client key is read by www-data
        return cert, key
