/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <apr_strings.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include "ehealth/codec.h"
#include "ehealth/json.h"
#include "jose_private.h"

#define JWS_MAX (64 * 1024)
#define JWS_HEADER_MAX (4 * 1024) /* encoded */
#define ALG_NAME_MAX 16
#define EC_DER_MAX (2 * (JOSE_EC_MAX_BYTES + 4) + 4)
#define SIGNATURE_MAX (JOSE_RSA_MAX_BITS / 8)

static const jose_alg_t algs[] = {
    {EH_RS256, "RS256", "SHA2-256", 0, 0},  {EH_RS384, "RS384", "SHA2-384", 0, 0},
    {EH_RS512, "RS512", "SHA2-512", 0, 0},  {EH_PS256, "PS256", "SHA2-256", 1, 0},
    {EH_PS384, "PS384", "SHA2-384", 1, 0},  {EH_PS512, "PS512", "SHA2-512", 1, 0},
    {EH_ES256, "ES256", "SHA2-256", 0, 32}, {EH_ES384, "ES384", "SHA2-384", 0, 48},
    {EH_ES512, "ES512", "SHA2-512", 0, 66}, {EH_EDDSA, "EdDSA", NULL, 0, 0},
};

#define ALGS ((int)(sizeof(algs) / sizeof(algs[0])))

const jose_alg_t *jose_alg(eh_alg_e alg)
{
    int i;

    for (i = 0; i < ALGS; i++) {
        if (algs[i].alg == alg) return &algs[i];
    }
    return NULL;
}

eh_alg_e eh_alg_parse(const char *name)
{
    int i;

    for (i = 0; i < ALGS; i++) {
        if (strcmp(algs[i].name, name) == 0) return algs[i].alg;
    }
    return strcmp(name, "Ed25519") == 0 ? EH_EDDSA : EH_ALG_NONE; /* RFC 9864 */
}

const char *eh_alg_name(eh_alg_e alg)
{
    const jose_alg_t *a = jose_alg(alg);

    return a ? a->name : NULL;
}

static apr_status_t malformed(const char *what, eh_err_t *err, apr_pool_t *p)
{
    return eh_err_setf(err, p, EH_E_JWS, APR_EINVAL, NULL, "JWS refused: %s", what);
}

/** Text of an optional header parameter. 0 when it is there but not a string. */
static int header_text(const char **ptext, const json_t *header, const char *name, apr_pool_t *p)
{
    const json_t *v = json_object_get(header, name);

    *ptext = NULL;
    if (!v) return 1;
    if (!json_is_string(v)) return 0;
    *ptext = apr_pstrdup(p, json_string_value(v));
    return 1;
}

static apr_status_t read_header(eh_jws_t *jws, const char *text, apr_size_t len, eh_err_t *err, apr_pool_t *p)
{
    eh_err_t json_err = {0};
    unsigned char *raw;
    apr_size_t raw_len;
    const char *alg;
    json_t *header;

    if (len == 0 || len > JWS_HEADER_MAX) return malformed("a header that is empty or above 4 KiB", err, p);
    if (eh_b64url_decode(&raw, &raw_len, text, len, p)) return malformed("a header that is not base64url", err, p);
    if (eh_json_load(&header, (const char *)raw, raw_len, &json_err, p)) return malformed("header: not JSON", err, p);
    if (!json_is_object(header)) return malformed("a header that is not an object", err, p);
    /* RFC 7515 §4.1.11: what we would have to understand, and do not. RFC 7797 changes what is signed. */
    if (json_object_get(header, "crit")) return malformed("a critical header parameter", err, p);
    if (json_object_get(header, "b64") && !json_is_true(json_object_get(header, "b64")))
        return malformed("an unencoded payload", err, p);
    if (!header_text(&alg, header, "alg", p) || !alg) return malformed("a header without alg", err, p);
    if (!header_text(&jws->kid, header, "kid", p) || !header_text(&jws->typ, header, "typ", p))
        return malformed("a header parameter of the wrong type", err, p);
    jws->alg = eh_alg_parse(alg);
    jws->alg_name = alg;
    return APR_SUCCESS;
}

apr_status_t eh_jws_split(eh_jws_t **pjws, const char *compact, apr_size_t len, eh_err_t *err, apr_pool_t *p)
{
    eh_jws_t *jws = apr_pcalloc(p, sizeof(*jws));
    const char *end = compact + len, *dot1, *dot2;
    unsigned char *raw;
    apr_size_t raw_len;
    apr_status_t rv;

    if (len > JWS_MAX) return malformed("more than 64 KiB", err, p);
    dot1 = memchr(compact, '.', len);
    dot2 = dot1 ? memchr(dot1 + 1, '.', (apr_size_t)(end - dot1 - 1)) : NULL;
    if (!dot2 || memchr(dot2 + 1, '.', (apr_size_t)(end - dot2 - 1))) return malformed("not three parts", err, p);
    if (!EH_OK(read_header(jws, compact, (apr_size_t)(dot1 - compact), err, p))) return rv;
    if (eh_b64url_decode(&raw, &jws->payload_len, dot1 + 1, (apr_size_t)(dot2 - dot1 - 1), p))
        return malformed("a payload that is not base64url", err, p);
    jws->payload = (const char *)raw;
    if (eh_b64url_decode(&raw, &raw_len, dot2 + 1, (apr_size_t)(end - dot2 - 1), p))
        return malformed("a signature that is not base64url", err, p);
    jws->signature = raw;
    jws->signature_len = raw_len;
    jws->signing_input_len = (apr_size_t)(dot2 - compact);
    jws->signing_input = apr_pstrmemdup(p, compact, jws->signing_input_len);
    *pjws = jws;
    return APR_SUCCESS;
}

/** PSS with the salt as long as the digest (RFC 7518 §3.5); MGF1 takes the digest of the signature by default. */
static int set_padding(EVP_PKEY_CTX *ctx, const jose_alg_t *a)
{
    if (!a->pss) return 1;
    return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
}

/** R || S to the DER form OpenSSL wants; its length, 0 on failure. */
static int raw_to_der(unsigned char der[EC_DER_MAX], const unsigned char *raw, int coordinate)
{
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, coordinate, NULL), *s = BN_bin2bn(raw + coordinate, coordinate, NULL);
    int len = 0;

    if (sig && r && s && ECDSA_SIG_set0(sig, r, s)) {
        r = s = NULL; /* the signature owns them now */
        if (i2d_ECDSA_SIG(sig, NULL) <= EC_DER_MAX) len = i2d_ECDSA_SIG(sig, &der);
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(sig);
    return len > 0 ? len : 0;
}

static int der_to_raw(unsigned char *raw, const unsigned char *der, size_t len, int coordinate)
{
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)len);
    int ok = sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, coordinate) == coordinate &&
             BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + coordinate, coordinate) == coordinate;

    ECDSA_SIG_free(sig);
    return ok;
}

/** Whether the signature is one of this key over the signing input. The algorithm is known to fit the key. */
static int verifies(const eh_jws_t *jws, const eh_jwk_t *key, const jose_alg_t *a)
{
    unsigned char der[EC_DER_MAX];
    const unsigned char *sig = jws->signature;
    apr_size_t len = jws->signature_len;
    EVP_PKEY_CTX *pctx;
    EVP_MD_CTX *ctx;
    int ok;

    if (a->coordinate) {
        if (len != 2 * (apr_size_t)a->coordinate || !(len = (apr_size_t)raw_to_der(der, sig, a->coordinate))) return 0;
        sig = der;
    } else if (len != (apr_size_t)EVP_PKEY_get_size(key->pkey)) {
        return 0;
    }
    ctx = EVP_MD_CTX_new();
    ok = ctx && EVP_DigestVerifyInit_ex(ctx, &pctx, a->digest, NULL, NULL, key->pkey, NULL) == 1 &&
         set_padding(pctx, a) &&
         EVP_DigestVerify(ctx, sig, len, (const unsigned char *)jws->signing_input, jws->signing_input_len) == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}

/** The algorithm of the token when it may be used at all. */
static const jose_alg_t *allowed_alg(const eh_jws_t *jws, int allowed)
{
    return jws->alg & allowed & EH_ALG_ALL ? jose_alg(jws->alg) : NULL;
}

/** Names the algorithm, as who set the server up needs it, but never lets a token write freely into the log. */
static apr_status_t forbidden(const eh_jws_t *jws, eh_err_t *err, apr_pool_t *p)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-";
    apr_size_t len = strlen(jws->alg_name);
    int safe = len <= ALG_NAME_MAX && strspn(jws->alg_name, plain) == len;

    return malformed(apr_psprintf(p, "its algorithm '%s' is not allowed here", safe ? jws->alg_name : "?"), err, p);
}

apr_status_t eh_jws_verify_key(const eh_jws_t *jws, const eh_jwk_t *key, int allowed, eh_err_t *err, apr_pool_t *p)
{
    const jose_alg_t *a = allowed_alg(jws, allowed);
    int ok;

    if (!a) return forbidden(jws, err, p);
    if (!(key->algs & a->alg)) return malformed("its algorithm does not fit the key", err, p);
    ERR_set_mark();
    ok = verifies(jws, key, a);
    ERR_pop_to_mark();
    return ok ? APR_SUCCESS : malformed("the signature is not valid", err, p);
}

apr_status_t eh_jws_verify(const eh_jws_t *jws, const eh_jwks_t *set, int allowed, eh_err_t *err, apr_pool_t *p)
{
    const jose_alg_t *a = allowed_alg(jws, allowed);
    int i, fitting = 0, ok = 0;

    /* Before the key is looked for: a token nobody would accept must not make the caller fetch keys. */
    if (!a) return forbidden(jws, err, p);
    if (jws->kid && !eh_jwks_has(set, jws->kid))
        return eh_err_setf(err, p, EH_E_JWK, APR_ENOENT, NULL, "no key with the key id of the token");
    ERR_set_mark();
    for (i = 0; i < eh_jwks_count(set) && !ok; i++) {
        const eh_jwk_t *key = eh_jwks_at(set, i);

        if ((jws->kid && strcmp(jws->kid, key->kid) != 0) || !(key->algs & a->alg)) continue;
        fitting++;
        ok = verifies(jws, key, a);
    }
    ERR_pop_to_mark();
    if (ok) return APR_SUCCESS;
    return malformed(fitting ? "the signature is not valid" : "its algorithm does not fit any key", err, p);
}

static apr_status_t cannot_sign(const char *why, eh_err_t *err, apr_pool_t *p)
{
    return eh_err_setf(err, p, EH_E_CRYPTO, APR_EGENERAL, NULL, "cannot sign: %s", why);
}

/** Signs len bytes of text into raw form; *plen: in the room of sig, out its length. */
static int sign_raw(unsigned char *sig, size_t *plen, const eh_jwk_t *key, const jose_alg_t *a, const char *text,
                    apr_size_t len)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char der[EC_DER_MAX];
    size_t der_len = sizeof(der);
    EVP_PKEY_CTX *pctx;
    int ok =
        ctx && EVP_DigestSignInit_ex(ctx, &pctx, a->digest, NULL, NULL, key->pkey, NULL) == 1 && set_padding(pctx, a);

    if (ok && a->coordinate) {
        ok = EVP_DigestSign(ctx, der, &der_len, (const unsigned char *)text, len) == 1 &&
             der_to_raw(sig, der, der_len, a->coordinate);
        *plen = 2 * (size_t)a->coordinate;
    } else if (ok) {
        ok = EVP_DigestSign(ctx, sig, plen, (const unsigned char *)text, len) == 1;
    }
    EVP_MD_CTX_free(ctx);
    return ok;
}

static json_t *make_header(const eh_jwk_t *key, const jose_alg_t *a, const json_t *extra, apr_pool_t *p)
{
    static const char *const ours[] = {"alg", "kid", "crit", "b64"};
    json_t *header = eh_json_own(json_object(), p);
    size_t i;

    for (i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        if (json_object_get(extra, ours[i])) return NULL;
    }
    json_object_set_new(header, "alg", json_string(a->name));
    if (*key->kid) json_object_set_new(header, "kid", json_string(key->kid));
    if (extra && json_object_update(header, (json_t *)extra)) return NULL;
    return header;
}

apr_status_t eh_jws_sign(const char **pcompact, const eh_jwk_t *key, eh_alg_e alg, const json_t *header_extra,
                         const char *payload, apr_size_t len, eh_err_t *err, apr_pool_t *p)
{
    const jose_alg_t *a = jose_alg(alg);
    unsigned char sig[SIGNATURE_MAX];
    size_t sig_len = sizeof(sig);
    json_t *header;
    char *text, *input;
    int ok;

    if (!a || !(key->algs & alg)) return cannot_sign("the algorithm does not fit the key", err, p);
    if (!key->is_private) return cannot_sign("the key is not a private one", err, p);
    if (len > JWS_MAX) return cannot_sign("the payload is too large", err, p);
    header = make_header(key, a, header_extra, p);
    text = header ? eh_json_dump(header, 0, p) : NULL;
    if (!text) return cannot_sign("the header names alg, kid, crit or b64, or is not an object", err, p);
    input = apr_pstrcat(p, eh_b64url(p, text, strlen(text)), ".", eh_b64url(p, payload, len), NULL);
    ERR_set_mark();
    ok = sign_raw(sig, &sig_len, key, a, input, strlen(input));
    ERR_pop_to_mark();
    if (!ok) return cannot_sign("OpenSSL refused", err, p);
    *pcompact = apr_pstrcat(p, input, ".", eh_b64url(p, sig, sig_len), NULL);
    return APR_SUCCESS;
}
