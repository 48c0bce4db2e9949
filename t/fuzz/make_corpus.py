#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seeds of core's fuzz targets from t/data/jose and the lists below. Findings are added by hand."""
import json
import pathlib

HERE = pathlib.Path(__file__).parent
RFC = json.loads((HERE / "../data/jose/rfc.json").read_text())
ATTACKS = json.loads((HERE / "../data/jose/attacks.json").read_text())
K1, K2 = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8"


def write(area, seeds):
    folder = HERE / "corpus" / area
    folder.mkdir(parents=True, exist_ok=True)
    for i, seed in enumerate(seeds):
        (folder / f"seed-{i:02d}").write_bytes(seed if isinstance(seed, bytes) else seed.encode())


def pick(cases, *words):
    return [c for c in cases if any(w in c["name"] for w in words)]


write("b64url", ["Zg", "Zm8", "Zm9v", "Zm9vYg==", "-_-_", "Zh", "2026-11-22T10:00:00Z", "2026-11-22T10:00:00.5+01:00",
                 "1900-02-29T24:00:00Z", bytes(range(256))])
write("form", ["code=a%2Bb+c&state=&empty&x=1=2&%C3%A9=%e2%82%ac", "a=%", "a=%00", "a=%c0%80", "&&a=1&", "a=1&a=2",
               "/portal/?q=a%20b#x", "//evil.example", "/\\\\evil.example", "/\t/evil", "/a#x@evil", "<a href='\"'>&",
               "&".join(f"k{i}={i}" for i in range(65))])
write("json_path", ["sub\n{\"sub\":\"s\"}", "r[].a[0]\n{\"r\":[{\"a\":[1,2]},{\"a\":[3]}]}", "'a.b'\n{\"a.b\":1.0}",
                    "'it''s'\n{\"it's\":{}}", "[0][]\n[[1,2],3]", "'\n{}", "a[99999999999999999999]\n{\"a\":[]}",
                    "a\n{\"a\":1,\"a\":2}", "a\n{\"a\":\"\\u0000\"}", "a\n[1e999]", "x\n" + "[" * 3000,
                    "SubjectRefPro.exercices[].activities[].x\n{\"SubjectRefPro\":{\"exercices\":[{\"activities\":[{}]}]}}"])
write("keyring", [f"1 {K1}\n", f"# c\r\n2 {K2} created=2026-11-22\n1 {K1} retired # old\n", f"0 {K1}", f"1 {K1}\n1 {K2}",
                  f"1 {K1} retired", f"4294967295 {K1}", "1 " + "A" * 43, f"1 {K1} created=2026-02-30", "1\n", "\n\n"])
write("seal", ["AQAAAAFkZWZnaGlqa2xtbm8xSY8AFdBSlDnCtJ-6onR4A9uXhcw", "Af____5kZWZnaGlqa2xtbm_FWgXmu6dHcf0hfdrqa_OW957tDnM",
               "AQAAAAFkZWZnaGlqa2xtbm8", "", b"\x01\0\0\0\1" + bytes(28), b"\x02\0\0\0\1" + bytes(28), bytes(33)])
write("jws", [v["compact"] for v in RFC["jws"]] +
      [c["token"] for c in pick(ATTACKS["tokens"], "control ES256", "control EdDSA", "crit", "b64", "twice", "NUL",
                                "foreign key", "form:", "r and s")] +
      ['{"alg":"ES256","kid":"ec"}', '{"alg":"EdDSA","typ":"JWT"}', '{"alg":"none"}'])
write("jwk", [json.dumps(v["key"]) for v in RFC["jws"]] + [json.dumps(s) for s in RFC["jwks"].values()] +
      [json.dumps(ATTACKS["set"])] + [json.dumps(c["jwk"]) for c in pick(
          ATTACKS["keys"], "1024", "exponent", "off the curve", "small order", "EC private", "P-384", "symmetric",
          "key_ops", "leading zero", "oth", "X25519", "31 bytes")])
write("router", ["GET /", "GET /.ehealth/login/psc", "HEAD /.ehealth/login/psc", "POST /.ehealth/logout", "PUT /.ehealth/a/x",
                 "GET /.ehealth//x", "GET //", "DELETE /.ehealth/logout", "GET /a/b/c/d", "GET /.ehealth/login/{provider}",
                 "GET", " /", "get /.ehealth/login/psc"])
write("cookie", ["a\na=1; b=2", "a\na=1; a=2", "a\na=1;a=1", "__Host-eh-s-psc\nx=y; __Host-eh-s-psc=abc; z", "a\n \ta = 1 ;;",
                 "a\na=\"q;q\"", "=\n==", "\n=1", "a\na", "a=b\na=b=c"])
write("accept_lang", ["fr-BE,fr;q=0.9,nl;q=0.8,en;q=0.7", "*", "de;q=0", "fr;q=0.5,de;q=0.51", ",,;;q=,", "nl;q=1.5",
                      "fr;level=1;q=0.2", "fr", "EN-us;Q=1.000", "d"])
write("audit_json", ["plain", "\"\\\b\n\t\x01\x7f", "\u00e9\u20ac\u2028\u0085", b"\xff\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80",
                     "<script>\"'&</script>", "https://x.example/\"onclick=", "/a?b=1&c=2", "javascript:alert(1)", b"\xc3",
                     "\u00e9" * 600, ""])
