# SPDX-License-Identifier: Apache-2.0
"""Our JOSE (t/unit/jose_tool) against python3-jwcrypto and npm jose, both ways, for every algorithm.

EH_BUILDDIR: where jose_tool was built (default: the build under test). EH_NODE, EH_NODE_MODULES: as for the OpenID provider of the demo.
"""
import base64
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from jwcrypto import jwk as jwc_jwk
from jwcrypto import jws as jwc_jws

from ehhttpd import op, proc

HERE = Path(__file__).resolve().parent
DATA = HERE.parent / "data/jose"
RFC = json.loads((DATA / "rfc.json").read_text())
ATTACKS = json.loads((DATA / "attacks.json").read_text())
PAYLOAD = '{"iss":"https://op.example","name":"Zoé Ångström – 医師"}'
ALGS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
CURVE = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
PUBLIC = ("kty", "crv", "n", "e", "x", "y")


def tool(*args, stdin="", check=True):
    """Runs jose_tool; returns its output, or the cause when check is off and it refuses."""
    build = Path(os.environ.get("EH_BUILDDIR") or proc.build_dir())
    done = subprocess.run([build / "t/unit/jose_tool", *map(str, args)], input=stdin.encode(), capture_output=True,
                          timeout=30)
    if check:
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()
    assert done.returncode == 1, f"accepted: {args}"
    return done.stderr.decode()


class Npm:
    name = "npm jose"
    algs = ALGS + ["Ed25519"]

    @staticmethod
    def ask(*jobs):
        modules = os.environ.get("EH_NODE_MODULES") or str(proc.WORK / "npm" / "node_modules")
        done = subprocess.run([op.node(), HERE / "jose_interop.mjs"], input=json.dumps(jobs).encode(),
                              capture_output=True, timeout=60, env={**os.environ, "EH_NODE_MODULES": modules})
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)

    @classmethod
    def one(cls, **job):
        answer = cls.ask(job)[0]
        assert "ok" in answer, f"{job['op']}: {answer}"
        return answer["ok"]

    @classmethod
    def generate(cls, alg):
        return cls.one(op="generate", alg=alg)

    @classmethod
    def sign(cls, alg, key, payload, kid=None):
        return cls.one(op="sign", alg=alg, jwk=key, payload=payload, kid=kid)

    @classmethod
    def verify(cls, alg, key, token):
        return cls.one(op="verify", alg=alg, jwk=key, token=token)

    @classmethod
    def thumbprint(cls, key):
        return cls.one(op="thumbprint", jwk=key)


class Jwcrypto:
    name = "jwcrypto"
    algs = ALGS

    @staticmethod
    def generate(alg):
        if alg[:2] in ("RS", "PS"):
            key = jwc_jwk.JWK.generate(kty="RSA", size=2048)
        elif alg in CURVE:
            key = jwc_jwk.JWK.generate(kty="EC", crv=CURVE[alg])
        else:
            key = jwc_jwk.JWK.generate(kty="OKP", crv="Ed25519")
        return json.loads(key.export_private())

    @staticmethod
    def sign(alg, key, payload, kid=None):
        signer = jwc_jws.JWS(payload.encode())
        signer.allowed_algs = [alg]
        header = {"alg": alg, "kid": kid} if kid else {"alg": alg}
        signer.add_signature(jwc_jwk.JWK(**key), alg, json.dumps(header))
        return signer.serialize(compact=True)

    @staticmethod
    def verify(alg, key, token):
        verifier = jwc_jws.JWS()
        verifier.allowed_algs = [alg]
        verifier.deserialize(token, jwc_jwk.JWK(**key), alg=alg)
        return verifier.payload.decode()

    @staticmethod
    def thumbprint(key):
        return jwc_jwk.JWK(**key).thumbprint()


PAIRS = [pytest.param(oracle, alg, id=f"{oracle.name}-{alg}") for oracle in (Npm, Jwcrypto) for alg in oracle.algs]


def public(key, **more):
    return {**{k: v for k, v in key.items() if k in PUBLIC}, **more}


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def tampered(token):
    head, body, signature = token.split(".")
    raw = bytearray(base64.urlsafe_b64decode(signature + "=="))
    raw[len(raw) // 2] ^= 1
    return f"{head}.{body}." + base64.urlsafe_b64encode(bytes(raw)).rstrip(b"=").decode()


@pytest.mark.parametrize("oracle, alg", PAIRS)
def test_theirs_to_ours(oracle, alg, tmp_path):
    """Their key and signature: ours verifies by JWKS with and without kid, and by JWK; not when a bit differs."""
    key = oracle.generate(alg)
    jwks = write(tmp_path / "jwks", {"keys": [public(key, kid="k1")]})
    token = oracle.sign(alg, key, PAYLOAD, kid="k1")
    assert tool("verify", jwks, alg, stdin=token) == PAYLOAD
    assert tool("verify", jwks, alg, stdin=oracle.sign(alg, key, PAYLOAD)) == PAYLOAD
    assert tool("verify", write(tmp_path / "jwk", public(key)), "ALL", stdin=token) == PAYLOAD
    assert "signature is not valid" in tool("verify", jwks, alg, stdin=tampered(token), check=False)
    other = "ES256" if alg != "ES256" else "RS256"
    assert "not allowed" in tool("verify", jwks, other, stdin=token, check=False)


@pytest.mark.parametrize("oracle, alg", PAIRS)
def test_ours_to_theirs(oracle, alg, tmp_path):
    """Our signature by their private key: they verify it, and agree on public key and thumbprint."""
    key = oracle.generate(alg)
    mine = write(tmp_path / "jwk", {**key, "kid": "k1"})
    token = tool("sign", mine, alg, stdin=PAYLOAD)
    described = json.loads(tool("public", mine))
    header = json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))
    assert header == {"alg": "EdDSA" if alg == "Ed25519" else alg, "kid": "k1"}
    assert oracle.verify(header["alg"], public(key), token) == PAYLOAD
    assert public(described) == public(key)
    assert oracle.verify(header["alg"], public(described), token) == PAYLOAD
    assert tool("thumbprint", mine).strip() == oracle.thumbprint(public(key))


PEM = {"RSA": ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "P-256": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
       "P-384": ["EC", "-pkeyopt", "ec_paramgen_curve:P-384"], "P-521": ["EC", "-pkeyopt", "ec_paramgen_curve:P-521"],
       "Ed25519": ["ED25519"]}


@pytest.mark.parametrize("kind", PEM)
@pytest.mark.parametrize("oracle", [Npm, Jwcrypto], ids=lambda o: o.name)
def test_pem_of_openssl(oracle, kind, tmp_path):
    """A key as an administrator makes it with openssl: what we publish of it is what the others need to verify."""
    pem = tmp_path / "key.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", *PEM[kind], "-out", pem], check=True, timeout=60,
                   capture_output=True)
    described = json.loads(tool("public", pem))
    assert described["kid"] == tool("thumbprint", pem).strip() == oracle.thumbprint(public(described))
    alg = described.get("alg", "PS256")
    assert oracle.verify(alg, public(described), tool("sign", pem, alg, stdin=PAYLOAD)) == PAYLOAD


@pytest.mark.parametrize("vector", RFC["jws"], ids=lambda v: v["source"])
def test_vectors_are_right(vector):
    """The vectors of t/unit/test_jose.c hold for the others, so that a misremembered one would be seen."""
    for oracle in (Npm, Jwcrypto):
        assert oracle.verify(vector["alg"], public(vector["key"]), vector["compact"]) == vector["payload"]
        if "thumbprint" in vector:
            assert oracle.thumbprint(public(vector["key"])) == vector["thumbprint"]


def test_thumbprints_are_right():
    for vector in RFC["thumbprint"]:
        for oracle in (Npm, Jwcrypto):
            assert oracle.thumbprint(public(vector["key"])) == vector["thumbprint"]


# Where we are stricter than npm jose, by decision: RFC 7797 is not ours, and a token has one spelling.
STRICTER = {
    "b64 false", "b64 false, critical", "b64 text", "b64 null", "typ a number", "header: alg twice, the good one last",
    "header: byte order mark", "header: above 4 KiB", "form: padding", "form: last character with bits set",
    "form: newline at the end"}


def test_hostile_tokens_and_npm():
    """What we accept of attacks.json npm jose accepts too; what it accepts beyond that is listed, name by name."""
    cases = [c for c in ATTACKS["tokens"] if c["allowed"] == "ALL" and "jwks" not in c]
    answers = Npm.ask(*({"op": "verifySet", "jwks": ATTACKS["set"], "token": c["token"]} for c in cases))
    assert len(cases) > 130
    refused = {c["name"]: a["error"] for c, a in zip(cases, answers) if c["expect"] == "ok" and "ok" not in a}
    # Without a kid and with two keys that fit it leaves the choice to its caller; we try both.
    assert all("ERR_JWKS_MULTIPLE_MATCHING_KEYS" in error for error in refused.values()), refused
    assert {c["name"] for c, a in zip(cases, answers) if c["expect"] != "ok" and "ok" in a} == STRICTER


@pytest.mark.skipif(not shutil.which("jose"), reason="Debian's package jose is not installed")
def test_jose_cli(tmp_path):
    """A third one, in C: both ways for one algorithm of each kind it has."""
    for alg in ("RS256", "PS384", "ES256", "ES512"):
        key = tmp_path / f"{alg}.jwk"
        subprocess.run(["jose", "jwk", "gen", "-i", json.dumps({"alg": alg}), "-o", key], check=True)
        token = subprocess.run(["jose", "jws", "sig", "-I", "-", "-k", key, "-c"], input=PAYLOAD.encode(),
                               capture_output=True, check=True).stdout.decode().strip()
        assert tool("verify", key, alg, stdin=token) == PAYLOAD
        ours = tmp_path / "ours"
        ours.write_text(tool("sign", key, alg, stdin=PAYLOAD))
        theirs = subprocess.run(["jose", "jws", "ver", "-i", ours, "-k", key, "-O", "-"], capture_output=True, check=True)
        assert theirs.stdout.decode() == PAYLOAD
