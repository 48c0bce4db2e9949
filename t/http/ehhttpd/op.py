# SPDX-License-Identifier: Apache-2.0
"""Starts t/demo/op: npm's oidc-provider in the shapes of Pro Santé Connect and I.AM Connect, with its control door."""
import json
import os
import signal
import urllib.request
from pathlib import Path

from . import proc


def node():
    """The pinned node of ./setup; EH_NODE overrides."""
    given = os.environ.get("EH_NODE")
    if given:
        return Path(given)
    for arch in ("x64", "arm64"):
        path = proc.WORK / "npm" / "node_modules" / f"node-linux-{arch}" / "bin" / "node"
        if path.exists():
            return path
    raise RuntimeError(f"no node below {proc.WORK}/npm: run ./setup check first")


class Op:
    """
    The two providers in one node process.

    alg       signs ID tokens: RS256, PS256, ES256, EdDSA
    clients   {"psc": [client metadata], "iam": [...]}, as oidc-provider takes them
    tls       (certificate, key, client CA) or None for plain http on loopback
    """

    def __init__(self, clients, alg="RS256", tls=None, ports=None, folder=None, detach=False, settings=None):
        names = ("wallet", "psc", "iam", "control")
        self.ports = dict(zip(names, ports or proc.free_ports(len(names))))
        self.folder = proc.Folder(prefix="eh-op-", path=folder)
        self.own_folder = folder is None
        scheme, host = ("https", "localhost") if tls else ("http", "127.0.0.1")
        self.wallet = f"{scheme}://{host}:{self.ports['wallet']}"
        self.psc_issuer = f"{scheme}://{host}:{self.ports['psc']}/auth/realms/esante-wallet"
        self.iam_issuer = f"{scheme}://{host}:{self.ports['iam']}/auth/realms/healthcare"
        self.control = f"http://127.0.0.1:{self.ports['control']}"
        self.psc_metadata = self.psc_issuer + "/.well-known/wallet-openid-configuration"
        self.iam_metadata = self.iam_issuer + "/.well-known/openid-configuration"
        conf = {"host": host, "ports": self.ports, "alg": alg, "clients": clients, **(settings or {}),
                "tls": {"cert": str(tls[0]), "key": str(tls[1]), "ca": str(tls[2])} if tls else None}
        self._conf = self.folder.path / "op.json"
        self._conf.write_text(json.dumps(conf))
        self._conf.chmod(0o600)
        self.detach = detach
        self.process = None

    def start(self, timeout=30):
        modules = proc.WORK / "npm" / "node_modules"
        env = {**os.environ, "EH_NODE_MODULES": os.environ.get("EH_NODE_MODULES") or str(modules), "NO_COLOR": "1"}
        env.pop("NODE_OPTIONS", None)
        self.process = proc.Process([node(), proc.ROOT / "t" / "demo" / "op" / "op.mjs", self._conf],
                                    self.folder.path / "op.log", env=env, detach=self.detach)
        for port in self.ports.values():
            if not proc.wait_port(port, timeout, self.process.alive):
                raise RuntimeError("the OpenID provider did not start:\n" + self.process.tail())
        return self

    def stop(self):
        if self.process is not None:
            self.process.stop(timeout=5)
            self.process = None
        if self.own_folder:
            self.folder.remove()

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        self.stop()

    def tell(self, what, **args):
        """A word to the control door: see t/demo/op/control.mjs. Returns its answer."""
        req = urllib.request.Request(f"{self.control}/{what}", data=json.dumps(args).encode(), method="POST",
                                     headers={"Content-Type": "application/json"})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(req, timeout=15) as answer:
            return json.loads(answer.read())

    def people(self):
        return json.loads((proc.ROOT / "t" / "demo" / "op" / "people.json").read_text())["people"]

    def freeze(self):
        self.process.kill(signal.SIGSTOP)

    def thaw(self):
        self.process.kill(signal.SIGCONT)
