#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Makes attacks.json with python3-cryptography alone, so that what our code must refuse was not made by our code.

Run by hand when a case is added:  /usr/bin/python3 t/data/jose/make_attacks.py > t/data/jose/attacks.json
"tokens": verified with "set" (or their own "jwks") and "allowed"; "expect" is ok, JWS, JWK or ENOENT (JWK, to refetch).
"keys": single JWKs; "expect" is ok (then "algs"), or a part of the cause that must be named.
"""
import base64
import hashlib
import hmac
import json
import pathlib

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

HERE = pathlib.Path(__file__).parent
RFC = json.loads((HERE / "rfc.json").read_text())


def b64(data):
    if isinstance(data, str):
        data = data.encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def num(value, length=None):
    return b64(value.to_bytes(length or (value.bit_length() + 7) // 8, "big"))


def unnum(text):
    return int.from_bytes(base64.urlsafe_b64decode(text + "=="), "big")


def key_of(source):
    return next(v["key"] for v in RFC["jws"] if v["source"] == source)


RSA, EC, P521, ED = (key_of(s) for s in ("RFC 7520 4.1", "RFC 7515 A.3", "RFC 7520 4.3", "RFC 8037 A.4"))
CURVES = {"P-256": (ec.SECP256R1(), 32), "P-384": (ec.SECP384R1(), 48), "P-521": (ec.SECP521R1(), 66)}
ORDER256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
PRIME256 = 2**256 - 2**224 + 2**192 + 2**96 - 1
ORDER25519 = 2**252 + 27742317777372353535851937790883648493
HASH = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}


def rsa_private(jwk):
    v = {n: unnum(jwk[n]) for n in ("n", "e", "d", "p", "q", "dp", "dq", "qi")}
    public = rsa.RSAPublicNumbers(v["e"], v["n"])
    return rsa.RSAPrivateNumbers(v["p"], v["q"], v["d"], v["dp"], v["dq"], v["qi"], public).private_key()


def ec_private(jwk):
    curve, _ = CURVES[jwk["crv"]]
    return ec.EllipticCurvePublicNumbers(unnum(jwk["x"]), unnum(jwk["y"]), curve), ec.derive_private_key(
        unnum(jwk["d"]), curve)


def rsa_jwk(private):
    n, pub = private.private_numbers(), private.public_key().public_numbers()
    return {"kty": "RSA", "n": num(pub.n), "e": num(pub.e), "d": num(n.d), "p": num(n.p), "q": num(n.q),
            "dp": num(n.dmp1), "dq": num(n.dmq1), "qi": num(n.iqmp)}


def ec_jwk(private, crv):
    size, n = CURVES[crv][1], private.private_numbers()
    return {"kty": "EC", "crv": crv, "x": num(n.public_numbers.x, size), "y": num(n.public_numbers.y, size),
            "d": num(n.private_value, size)}


def public(jwk, **more):
    out = {k: v for k, v in jwk.items() if k in ("kty", "crv", "n", "e", "x", "y")}
    out.update(more)
    return out


def raw_ec(der, size):
    r, s = utils.decode_dss_signature(der)
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def sign(jwk, alg, data, salt=None, mgf=None):
    if alg in ("EdDSA", "Ed25519"):
        return ed25519.Ed25519PrivateKey.from_private_bytes(unnum(jwk["d"]).to_bytes(32, "big")).sign(data)
    digest = HASH[alg[2:]]
    if alg.startswith("ES"):
        return raw_ec(ec_private(jwk)[1].sign(data, ec.ECDSA(digest)), CURVES[jwk["crv"]][1])
    if alg.startswith("RS"):
        return rsa_private(jwk).sign(data, padding.PKCS1v15(), digest)
    pss = padding.PSS(padding.MGF1(mgf or digest), digest.digest_size if salt is None else salt)
    return rsa_private(jwk).sign(data, pss, digest)


PAYLOAD = '{"iss":"https://op.example","sub":"jean"}'


def compact(header, signature, payload=PAYLOAD):
    """signature: a function of the signing input, or the bytes."""
    text = b64(header if isinstance(header, (str, bytes)) else json.dumps(header, separators=(",", ":")))
    text += "." + b64(payload)
    return text + "." + b64(signature(text.encode()) if callable(signature) else signature)


def signed(jwk, alg, header, **more):
    return compact(header, lambda data: sign(jwk, alg, data, **more))


RSA2 = rsa_jwk(rsa.generate_private_key(65537, 2048))
P384 = ec_jwk(ec.generate_private_key(ec.SECP384R1()), "P-384")
EVIL = rsa_jwk(rsa.generate_private_key(65537, 2048))
SET = {"keys": [public(RSA, kid="rsa", use="sig"), public(EC, kid="ec"), public(P384, kid="ec384"),
                public(P521, kid="ec521"), public(ED, kid="ed"), public(RSA2, kid="rsa512", alg="RS512"),
                public(RSA2, kid="enc", use="enc"), public(RSA2, kid="ops", key_ops=["encrypt"])]}
tokens, keys = [], []


def token(name, text, expect="JWS", jwks=None, allowed="ALL"):
    case = {"name": name, "token": text, "expect": expect, "allowed": allowed}
    if jwks:
        case["jwks"] = jwks
    tokens.append(case)


def key(name, jwk, expect, algs=None):
    case = {"name": name, "jwk": jwk, "expect": expect}
    if algs is not None:
        case["algs"] = algs
    keys.append(case)


def controls():
    for alg in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"):
        token(f"control {alg}", signed(RSA, alg, {"alg": alg, "kid": "rsa"}), "ok")
    for alg, jwk, kid in (("ES256", EC, "ec"), ("ES384", P384, "ec384"), ("ES512", P521, "ec521"),
                          ("EdDSA", ED, "ed"), ("Ed25519", ED, "ed")):
        token(f"control {alg}", signed(jwk, alg, {"alg": alg, "kid": kid}), "ok")
        token(f"control {alg}, no kid: every fitting key is tried", signed(jwk, alg, {"alg": alg}), "ok")
    token("control: no kid, the second fitting key", signed(RSA2, "RS512", {"alg": "RS512"}), "ok")
    token("control: foreign jku, x5u, jwk, x5c are ignored", signed(RSA, "RS256", {
        "alg": "RS256", "kid": "rsa", "jku": "https://evil.example/jwks", "x5u": "https://evil.example/c",
        "jwk": public(EVIL), "x5c": ["AAAA"], "x5t": "AAAA"}), "ok")
    token("control: b64 true", signed(RSA, "RS256", {"alg": "RS256", "kid": "rsa", "b64": True}), "ok")
    token("control: unknown header parameters and typ", signed(RSA, "RS256", {
        "alg": "RS256", "kid": "rsa", "typ": "JWT", "cty": "x", "nonce": 1}), "ok")


def confusion():
    pub = rsa_private(RSA).public_key()
    pem = pub.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    secrets = {"SPKI PEM": pem, "SPKI PEM, no newline": pem.rstrip(b"\n"),
               "PKCS#1 PEM": pub.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.PKCS1),
               "SPKI DER": pub.public_bytes(serialization.Encoding.DER,
                                            serialization.PublicFormat.SubjectPublicKeyInfo),
               "JWK": json.dumps(SET["keys"][0]).encode(), "modulus": base64.urlsafe_b64decode(RSA["n"] + "==")}
    for name, secret in secrets.items():
        for alg in ("HS256", "HS384", "HS512"):
            digest = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}[alg]
            token(f"{alg} with the public key as secret: {name}",
                  compact({"alg": alg, "kid": "rsa"}, lambda d: hmac.new(secret, d, digest).digest()))
    for none in ("none", "None", "NONE", "nOnE", "", "null"):
        token(f"alg '{none}' unsigned", compact({"alg": none, "kid": "rsa"}, b""))
        token(f"alg '{none}' with a signature left on", signed(RSA, "RS256", {"alg": none, "kid": "rsa"}))
    token("RS256 with no signature", compact({"alg": "RS256", "kid": "rsa"}, b""))
    token("RSA key under an ES256 header", signed(EC, "ES256", {"alg": "ES256", "kid": "rsa"}))
    token("EC key under an RS256 header", signed(RSA, "RS256", {"alg": "RS256", "kid": "ec"}))
    token("Ed25519 key under an ES256 header", signed(ED, "EdDSA", {"alg": "ES256", "kid": "ed"}))
    token("P-256 key under an ES384 header", signed(EC, "ES256", {"alg": "ES384", "kid": "ec"}))
    token("P-256 signature with SHA-384 under ES256", compact(
        {"alg": "ES256", "kid": "ec"}, lambda d: raw_ec(ec_private(EC)[1].sign(d, ec.ECDSA(hashes.SHA384())), 32)))
    token("PS256 signature under RS256", signed(RSA, "PS256", {"alg": "RS256", "kid": "rsa"}))
    token("RS256 signature under PS256", signed(RSA, "RS256", {"alg": "PS256", "kid": "rsa"}))
    token("RS256 signature under RS512", signed(RSA, "RS256", {"alg": "RS512", "kid": "rsa"}))
    token("alg in lower case", signed(RSA, "RS256", {"alg": "rs256", "kid": "rsa"}))
    token("ES256K", signed(EC, "ES256", {"alg": "ES256K", "kid": "ec"}))
    token("RS1", compact({"alg": "RS1", "kid": "rsa"},
                         lambda d: rsa_private(RSA).sign(d, padding.PKCS1v15(), hashes.SHA1())))
    token("RS256 over SHA-1", compact({"alg": "RS256", "kid": "rsa"},
                                      lambda d: rsa_private(RSA).sign(d, padding.PKCS1v15(), hashes.SHA1())))
    token("PS256 without salt", signed(RSA, "PS256", {"alg": "PS256", "kid": "rsa"}, salt=0))
    token("PS256 with a salt of 20 bytes", signed(RSA, "PS256", {"alg": "PS256", "kid": "rsa"}, salt=20))
    token("PS256 with the longest salt", signed(RSA, "PS256", {"alg": "PS256", "kid": "rsa"}, salt=222))
    token("PS256 with MGF1 over SHA-1", signed(RSA, "PS256", {"alg": "PS256", "kid": "rsa"}, mgf=hashes.SHA1()))
    good = signed(RSA, "RS256", {"alg": "RS256", "kid": "rsa"})
    token("not among the allowed algorithms", good, allowed="ES256,EdDSA")
    token("nothing is allowed", good, allowed="")
    token("PS256 when only RS256 is allowed", signed(RSA, "PS256", {"alg": "PS256", "kid": "rsa"}), allowed="RS256")


def headers():
    good = {"alg": "RS256", "kid": "rsa"}
    for name, more in {
            "crit names a known parameter": {"crit": ["kid"]}, "crit names an unknown one": {"crit": ["x"], "x": 1},
            "crit empty": {"crit": []}, "crit null": {"crit": None}, "crit text": {"crit": "exp"},
            "b64 false": {"b64": False}, "b64 false, critical": {"b64": False, "crit": ["b64"]},
            "b64 text": {"b64": "true"}, "b64 null": {"b64": None}, "kid a number": {"kid": 1},
            "kid null": {"kid": None}, "alg a list": {"alg": ["RS256"]}, "alg null": {"alg": None},
            "typ a number": {"typ": 1}}.items():
        token(name, signed(RSA, "RS256", {**good, **more}))
    token("no alg", signed(RSA, "RS256", {"kid": "rsa"}))
    for name, text in {
            "alg twice, the good one last": '{"alg":"none","alg":"RS256","kid":"rsa"}',
            "alg twice, the good one first": '{"alg":"RS256","alg":"none","kid":"rsa"}',
            "kid twice": '{"alg":"RS256","kid":"rsa","kid":"ec"}', "not JSON": "alg=RS256",
            "empty object": "{}", "an array": '["RS256"]', "a string": '"RS256"', "trailing text": '{"alg":"RS256"}x',
            "byte order mark": "\ufeff" + '{"alg":"RS256","kid":"rsa"}', "NUL in alg": '{"alg":"RS256\\u0000"}',
            "above 4 KiB": '{"alg":"RS256","kid":"rsa","x":"' + "x" * 4000 + '"}'}.items():
        token(f"header: {name}", signed(RSA, "RS256", text))
    token("header: not UTF-8", signed(RSA, "RS256", b'{"alg":"RS256","kid":"\xff"}'))
    evil = public(EVIL)
    for name, more in {"jwk": {"jwk": evil}, "jku": {"jku": "https://evil.example/jwks"},
                       "x5u": {"x5u": "https://evil.example/cert.pem"}, "x5c": {"x5c": ["AAAA"]}}.items():
        token(f"foreign key, offered by {name}", signed(EVIL, "RS256", {"alg": "RS256", **more}))
        token(f"foreign key, offered by {name}, our kid", signed(EVIL, "RS256", {**good, **more}))
    token("kid of another key of the same type", signed(RSA, "RS512", {"alg": "RS512", "kid": "rsa512"}))
    token("kid that nobody has", signed(RSA, "RS256", {"alg": "RS256", "kid": "gone"}), "ENOENT")
    token("kid by prefix", signed(RSA, "RS256", {"alg": "RS256", "kid": "rs"}), "ENOENT")
    token("kid in another case", signed(RSA, "RS256", {"alg": "RS256", "kid": "RSA"}), "ENOENT")
    token("kid as a path", signed(RSA, "RS256", {"alg": "RS256", "kid": "../rsa"}), "ENOENT")
    token("unknown kid does not help a forbidden alg", compact({"alg": "none", "kid": "gone"}, b""))
    token("key for encryption by use", signed(RSA2, "RS256", {"alg": "RS256", "kid": "enc"}), "ENOENT")
    token("key for encryption by key_ops", signed(RSA2, "RS256", {"alg": "RS256", "kid": "ops"}), "ENOENT")
    token("key narrowed to another alg", signed(RSA2, "RS256", {"alg": "RS256", "kid": "rsa512"}))
    token("key narrowed to another alg, no kid", signed(RSA2, "RS256", {"alg": "RS256"}))
    twins = {"keys": [public(RSA, kid="k"), public(RSA2, kid="k"), public(EC, kid="k")]}
    token("two keys of one kid: the first", signed(RSA, "RS256", {"alg": "RS256", "kid": "k"}), "ok", twins)
    token("two keys of one kid: the second", signed(RSA2, "RS256", {"alg": "RS256", "kid": "k"}), "ok", twins)
    token("two keys of one kid: the other type", signed(EC, "ES256", {"alg": "ES256", "kid": "k"}), "ok", twins)
    token("two keys of one kid: neither", signed(EVIL, "RS256", {"alg": "RS256", "kid": "k"}), "JWS", twins)
    lone = {"keys": [public(RSA)]}
    token("one key without kid, token without", signed(RSA, "RS256", {"alg": "RS256"}), "ok", lone)
    token("one key without kid, token with", signed(RSA, "RS256", {"alg": "RS256", "kid": "x"}), "ENOENT", lone)
    token("no kid, no key of the type", signed(EC, "ES256", {"alg": "ES256"}), "JWS", lone)


def signatures():
    head = {"alg": "ES256", "kid": "ec"}

    def es(name, change):
        token(f"ES256: {name}", compact(head, lambda d: change(*(lambda s: (s[:32], s[32:]))(sign(EC, "ES256", d)))))

    zero, order = bytes(32), ORDER256.to_bytes(32, "big")
    es("r and s zero", lambda r, s: zero + zero)
    es("r zero", lambda r, s: zero + s)
    es("s zero", lambda r, s: r + zero)
    es("r the order", lambda r, s: order + s)
    es("s the order", lambda r, s: r + order)
    es("r and s the order", lambda r, s: order + order)
    es("r and s one", lambda r, s: zero[:31] + b"\1" + zero[:31] + b"\1")
    es("r and s all ones", lambda r, s: b"\xff" * 64)
    es("r the prime", lambda r, s: PRIME256.to_bytes(32, "big") + s)
    es("r and s swapped", lambda r, s: s + r)
    es("one byte short", lambda r, s: r + s[:31])
    es("leading byte cut", lambda r, s: (r + s)[1:])
    es("one byte more", lambda r, s: r + s + b"\0")
    es("33-byte halves", lambda r, s: b"\0" + r + b"\0" + s)
    es("only r", lambda r, s: r)
    token("ES256: DER instead of raw", compact(head, lambda d: ec_private(EC)[1].sign(d, ec.ECDSA(hashes.SHA256()))))
    token("ES512: without the leading zero bytes", compact(
        {"alg": "ES512", "kid": "ec521"}, lambda d: (lambda s: s[1:66] + s[67:])(sign(P521, "ES512", d))))
    n, size = unnum(RSA["n"]), 256
    head = {"alg": "RS256", "kid": "rsa"}

    def rs(name, change):
        token(f"RS256: {name}", compact(head, lambda d: change(sign(RSA, "RS256", d))))

    rs("last byte cut", lambda s: s[:-1])
    rs("first byte cut", lambda s: s[1:])
    rs("leading zero", lambda s: b"\0" + s)
    rs("trailing zero", lambda s: s + b"\0")
    rs("zero", lambda s: bytes(size))
    rs("one", lambda s: bytes(size - 1) + b"\1")
    rs("the modulus", lambda s: n.to_bytes(size, "big"))
    rs("plus the modulus", lambda s: (int.from_bytes(s, "big") + n).to_bytes(size + 1, "big"))
    rs("one bit", lambda s: s[:-1] + bytes([s[-1] ^ 1]))
    head = {"alg": "EdDSA", "kid": "ed"}

    def ed(name, change):
        token(f"EdDSA: {name}", compact(head, lambda d: change(sign(ED, "EdDSA", d))))

    ed("63 bytes", lambda s: s[:-1])
    ed("65 bytes", lambda s: s + b"\0")
    ed("zero", lambda s: bytes(64))
    ed("s plus the order", lambda s: s[:32] + (
        int.from_bytes(s[32:], "little") + ORDER25519).to_bytes(32, "little"))
    ed("r the neutral element", lambda s: b"\1" + bytes(31) + s[32:])
    good = signed(RSA, "RS256", {"alg": "RS256", "kid": "rsa"})
    h, p, s = good.split(".")
    other = b64(PAYLOAD.replace("jean", "luc"))
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    token("form: another payload", f"{h}.{other}.{s}")
    token("form: another header", b64('{"alg":"RS256","kid":"rsa" }') + f".{p}.{s}")
    token("form: padding", f"{h}.{p}.{s}==")
    token("form: last character with bits set", f"{h}.{p}.{s[:-1]}{alphabet[alphabet.index(s[-1]) | 1]}")
    token("form: standard alphabet", f"{h}.{p}." + s.replace("-", "+").replace("_", "/"))
    token("form: newline at the end", good + "\n")
    token("form: blank at the start", " " + good)
    token("form: two parts", f"{h}.{p}")
    token("form: four parts", good + ".")
    token("form: five parts", f"{h}.{p}.{s}.{p}.{s}")
    token("form: empty", "")
    token("form: dots", "..")
    token("form: empty header", f".{p}.{s}")
    token("form: detached payload", f"{h}..{s}")
    token("form: JSON serialization", json.dumps({"protected": h, "payload": p, "signature": s}))


def refused_rsa():
    small = rsa.generate_private_key(65537, 1024)
    key("RSA 1024", rsa_jwk(small), "below 2048")
    key("RSA 1024 public", public(rsa_jwk(small)), "below 2048")
    n = unnum(RSA["n"])
    key("RSA 2047", {**public(RSA), "n": num(n >> 1 | 1)}, "below 2048")
    key("RSA 2048 with zeros in front of 1024", {
        "kty": "RSA", "e": "AQAB", "n": num(small.public_key().public_numbers().n, 256)}, "below 2048")
    key("RSA 8200", {"kty": "RSA", "e": "AQAB", "n": num((1 << 8199) + 1)}, "above 8192")
    key("RSA 100000", {"kty": "RSA", "e": "AQAB", "n": num((1 << 99999) + 1)}, "missing or malformed")
    key("RSA modulus even", {**public(RSA), "n": num(n & ~1)}, "invalid numbers")
    key("RSA modulus prime", {**public(RSA), "n": num(2**2203 - 1)}, "invalid numbers")
    key("RSA modulus with a small factor", {**public(RSA), "n": num(n // 3 * 3 if n // 3 * 3 % 2 else (n // 3 - 1) * 3)},
        "invalid numbers")
    for e in (0, 1, 2, 4, 65536):
        key(f"RSA exponent {e}", {**public(RSA), "e": num(e, (e.bit_length() + 7) // 8 or 1)}, "exponent")
    key("RSA exponent of 65 bits", {**public(RSA), "e": num((1 << 64) + 1)}, "above 64 bits")
    key("RSA exponent the modulus", {**public(RSA), "e": RSA["n"]}, "above 64 bits")
    key("RSA n missing", {"kty": "RSA", "e": "AQAB"}, "missing or malformed")
    key("RSA e missing", {"kty": "RSA", "n": RSA["n"]}, "missing or malformed")
    key("RSA n empty", {**public(RSA), "n": ""}, "missing or malformed")
    key("RSA n a number", {**public(RSA), "n": 5}, "missing or malformed")
    key("RSA n padded", {**public(RSA), "n": RSA["n"] + "="}, "missing or malformed")
    key("RSA n in the standard alphabet", {**public(RSA), "n": RSA["n"].replace("-", "+").replace("_", "/")},
        "missing or malformed")
    key("RSA for ES256", {**public(RSA), "alg": "ES256"}, "does not fit")
    key("RSA for EdDSA", {**public(RSA), "alg": "EdDSA"}, "does not fit")
    key("RSA private, another d", {**RSA, "d": RSA2["d"]}, "belong together")
    key("RSA private, d off by two", {**RSA, "d": num(unnum(RSA["d"]) + 2)}, "belong together")
    key("RSA private, another p", {**RSA, "p": RSA2["p"]}, "belong together")
    key("RSA private, another n", {**RSA, "n": RSA2["n"]}, "belong together")
    key("RSA private, d alone of another", {**public(RSA), "d": RSA2["d"]}, "belong together")
    key("RSA private, q missing", {k: v for k, v in RSA.items() if k != "q"}, "missing or malformed")
    key("RSA private, qi missing", {k: v for k, v in RSA.items() if k != "qi"}, "missing or malformed")
    key("RSA private, d null", {**public(RSA), "d": None}, "missing or malformed")
    key("RSA private, more than two primes", {**RSA, "oth": []}, "more than two primes")


def refused_ec():
    x, y = unnum(EC["x"]), unnum(EC["y"])

    def at(px, py, size=32):
        return {"kty": "EC", "crv": "P-256", "x": num(px, size), "y": num(py, size)}

    key("EC off the curve: y + 1", at(x, y + 1), "not on its curve")
    key("EC off the curve: x + 1", at(x + 1, y), "not on its curve")
    key("EC off the curve: swapped", at(y, x), "not on its curve")
    key("EC off the curve: 0, 0", at(0, 0), "not on its curve")
    # b of the curve replaced: a point of a weak sibling, as invalid-curve attacks send it
    key("EC off the curve: 1, 1", at(1, 1), "not on its curve")
    key("EC x the prime", at(PRIME256, y), "not on its curve")
    key("EC y plus the prime", {**at(x, y), "y": num((1 << 256) - 1)}, "not on its curve")
    key("EC x of 31 bytes", {**public(EC), "x": b64(bytes(31))}, "wrong length")
    key("EC x of 33 bytes", {**public(EC), "x": num(x, 33)}, "wrong length")
    key("EC y of 33 bytes", {**public(EC), "y": num(y, 33)}, "wrong length")
    key("EC x missing", {"kty": "EC", "crv": "P-256", "y": EC["y"]}, "wrong length")
    key("EC y missing", {"kty": "EC", "crv": "P-256", "x": EC["x"]}, "wrong length")
    key("EC P-256 point as P-384", {**public(EC), "crv": "P-384"}, "wrong length")
    key("EC P-256 point padded as P-384", {"kty": "EC", "crv": "P-384", "x": num(x, 48), "y": num(y, 48)},
        "not on its curve")
    key("EC secp256k1", {**public(EC), "crv": "secp256k1"}, "other than P-256")
    key("EC p-256", {**public(EC), "crv": "p-256"}, "other than P-256")
    key("EC prime256v1", {**public(EC), "crv": "prime256v1"}, "other than P-256")
    key("EC without curve", {k: v for k, v in public(EC).items() if k != "crv"}, "other than P-256")
    key("EC for RS256", {**public(EC), "alg": "RS256"}, "does not fit")
    key("EC P-256 for ES384", {**public(EC), "alg": "ES384"}, "does not fit")
    key("EC private of another", {**EC, "d": num(unnum(EC["d"]) + 1, 32)}, "belong together")
    key("EC private zero", {**EC, "d": b64(bytes(32))}, "")
    key("EC private the order", {**EC, "d": num(ORDER256, 32)}, "")
    key("EC private plus the order", {**EC, "d": num(unnum(EC["d"]) + ORDER256 if unnum(EC["d"]) + ORDER256 < 2**256
                                                     else 2**256 - 1, 32)}, "")
    key("EC private of 31 bytes", {**EC, "d": b64(bytes(30) + b"\1")}, "wrong length")
    key("EC private without point", {"kty": "EC", "crv": "P-256", "d": EC["d"]}, "wrong length")


def refused_okp():
    def at(data):
        return {"kty": "OKP", "crv": "Ed25519", "x": b64(bytes.fromhex(data))}

    # The small-order points of RFC 7748 §7 / libsodium's list, with both signs, and their non-canonical spellings.
    for point in ("0100000000000000000000000000000000000000000000000000000000000000",
                  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                  "0000000000000000000000000000000000000000000000000000000000000000",
                  "0000000000000000000000000000000000000000000000000000000000000080",
                  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
                  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
                  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
                  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
                  "0100000000000000000000000000000000000000000000000000000000000080",
                  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
                  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
                  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"):
        key(f"Ed25519 small order {point[:4]}…{point[-2:]}", at(point), "small order")
    p = 2**255 - 19
    d = -121665 * pow(121666, -1, p) % p
    off = [y for y in range(2, 40) if pow((y * y - 1) * pow(d * y * y + 1, -1, p), (p - 1) // 2, p) != 1]
    for y in off[:4]:
        key(f"Ed25519 off the curve: y = {y}", at(y.to_bytes(32, "little").hex()), "not on the curve")
    on = next(y for y in range(2, 40) if y not in off)
    key(f"Ed25519 on the curve: y = {on}", at(on.to_bytes(32, "little").hex()), "ok", "EdDSA")
    key("Ed25519 of 31 bytes", {**public(ED), "x": b64(bytes(31))}, "wrong length")
    key("Ed25519 of 33 bytes", {**public(ED), "x": b64(bytes(33))}, "wrong length")
    key("Ed25519 x missing", {"kty": "OKP", "crv": "Ed25519"}, "wrong length")
    key("Ed25519 private of another", {**ED, "d": b64(bytes(range(32)))}, "belong together")
    key("Ed25519 private of 31 bytes", {**ED, "d": b64(bytes(range(31)))}, "wrong length")
    key("Ed25519 for ES256", {**public(ED), "alg": "ES256"}, "does not fit")
    key("X25519", {**public(ED), "crv": "X25519"}, "other than Ed25519")
    key("Ed448", {"kty": "OKP", "crv": "Ed448", "x": b64(bytes(57))}, "other than Ed25519")


def refused_other():
    key("symmetric", {"kty": "oct", "k": b64(bytes(32)), "alg": "HS256"}, "key type")
    key("type in lower case", {**public(RSA), "kty": "rsa"}, "key type")
    key("no type", {"n": RSA["n"], "e": RSA["e"]}, "not a JWK")
    key("type a number", {**public(RSA), "kty": 1}, "not a JWK")
    key("kid a number", public(RSA, kid=1), "key id")
    key("kid above 512 bytes", public(RSA, kid="k" * 513), "key id")
    key("use a number", public(RSA, use=1), "wrong type")
    key("key_ops text", public(RSA, key_ops="verify"), "wrong type")
    key("alg a number", public(RSA, alg=1), "wrong type")


def accepted():
    every = "RS256,RS384,RS512,PS256,PS384,PS512"
    key("RSA, no alg", public(RSA), "ok", every)
    key("RSA private", RSA, "ok", every)
    key("RSA private, d alone", {**public(RSA), "d": RSA["d"]}, "ok", every)
    key("RSA, leading zero", {**public(RSA), "n": num(unnum(RSA["n"]), 257)}, "ok", every)
    key("RSA, exponent 3", public(rsa_jwk(rsa.generate_private_key(3, 2048))), "ok", every)
    key("RSA 3072", public(rsa_jwk(rsa.generate_private_key(65537, 3072))), "ok", every)
    key("RSA for PS512", public(RSA, alg="PS512"), "ok", "PS512")
    key("RSA for encryption", public(RSA, use="enc"), "ok", "")
    key("RSA for encryption by alg", public(RSA, alg="RSA-OAEP"), "ok", "")
    key("RSA of unknown use", public(RSA, use="tls"), "ok", "")
    key("RSA, key_ops verify", public(RSA, key_ops=["verify"]), "ok", every)
    key("RSA, key_ops empty", public(RSA, key_ops=[]), "ok", "")
    key("RSA public, key_ops sign", public(RSA, key_ops=["sign"]), "ok", "")
    key("RSA private, key_ops sign", {**RSA, "key_ops": ["sign"]}, "ok", every)
    key("EC P-256", public(EC), "ok", "ES256")
    key("EC P-256 private", EC, "ok", "ES256")
    key("EC P-384", public(P384), "ok", "ES384")
    key("EC P-521 private", P521, "ok", "ES512")
    key("Ed25519", public(ED), "ok", "EdDSA")
    key("Ed25519 private, fully specified alg", {**ED, "alg": "Ed25519"}, "ok", "EdDSA")
    key("unknown members, x5c ignored", public(EC, x5c=["AAAA"], x5t="x", foo={"a": 1}), "ok", "ES256")


for make in (controls, confusion, headers, signatures, refused_rsa, refused_ec, refused_okp, refused_other, accepted):
    make()
print(json.dumps({"made_by": "t/data/jose/make_attacks.py", "set": SET, "tokens": tokens, "keys": keys}, indent=0))
