/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <apr_strings.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>

#include "ehealth/codec.h"
#include "ehealth/crypto.h"
#include "ehealth/json.h"
#include "jose_private.h"

static const struct {
    const char *group; /* OpenSSL's name */
    const char *crv;
    int bytes; /* of a coordinate */
    int algs;
} curves[] = {
    {"prime256v1", "P-256", 32, EH_ES256}, {"secp384r1", "P-384", 48, EH_ES384}, {"secp521r1", "P-521", 66, EH_ES512}};

#define CURVES ((int)(sizeof(curves) / sizeof(curves[0])))

static apr_status_t free_pkey(void *data)
{
    EVP_PKEY_free(data);
    return APR_SUCCESS;
}

/** Adds a number of the key as base64url of exactly len bytes (0: as many as it needs). */
static int describe_bn(json_t *pub, const char *name, const EVP_PKEY *pkey, const char *param, int len, apr_pool_t *p)
{
    unsigned char buf[JOSE_RSA_MAX_BITS / 8];
    BIGNUM *bn = NULL;
    int ok = EVP_PKEY_get_bn_param(pkey, param, &bn);

    if (ok && !len) len = BN_num_bytes(bn);
    ok = ok && len <= (int)sizeof(buf) && BN_bn2binpad(bn, buf, len) == len &&
         !json_object_set_new(pub, name, json_string(eh_b64url(p, buf, (apr_size_t)len)));
    BN_free(bn);
    return ok;
}

static const char *check_rsa(eh_jwk_t *key, apr_pool_t *p)
{
    int bits = EVP_PKEY_get_bits(key->pkey), odd, ebits;
    BIGNUM *e = NULL;

    if (bits < JOSE_RSA_MIN_BITS) return "an RSA key below 2048 bits";
    if (bits > JOSE_RSA_MAX_BITS) return "an RSA key above 8192 bits";
    if (!EVP_PKEY_get_bn_param(key->pkey, OSSL_PKEY_PARAM_RSA_E, &e)) return "an RSA key without exponent";
    odd = BN_is_odd(e);
    ebits = BN_num_bits(e);
    BN_free(e);
    if (!odd || ebits < 2) return "an RSA exponent that is even or below 3";
    if (ebits > JOSE_RSA_E_MAX_BITS) return "an RSA exponent above 64 bits";
    key->algs = JOSE_RSA_ALGS;
    json_object_set_new(key->pub, "kty", json_string("RSA"));
    return describe_bn(key->pub, "n", key->pkey, OSSL_PKEY_PARAM_RSA_N, 0, p) &&
                   describe_bn(key->pub, "e", key->pkey, OSSL_PKEY_PARAM_RSA_E, 0, p)
               ? NULL
               : "an RSA key that cannot be described";
}

static const char *check_ec(eh_jwk_t *key, apr_pool_t *p)
{
    char group[32];
    int i;

    if (!EVP_PKEY_get_utf8_string_param(key->pkey, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group), NULL))
        return "an EC key without a named curve";
    for (i = 0; i < CURVES && strcmp(group, curves[i].group) != 0; i++)
        ;
    if (i == CURVES) return "an EC curve other than P-256, P-384 and P-521";
    key->algs = curves[i].algs;
    json_object_set_new(key->pub, "kty", json_string("EC"));
    json_object_set_new(key->pub, "crv", json_string(curves[i].crv));
    return describe_bn(key->pub, "x", key->pkey, OSSL_PKEY_PARAM_EC_PUB_X, curves[i].bytes, p) &&
                   describe_bn(key->pub, "y", key->pkey, OSSL_PKEY_PARAM_EC_PUB_Y, curves[i].bytes, p)
               ? NULL
               : "an EC key that cannot be described";
}

static const char *check_ed25519(eh_jwk_t *key, apr_pool_t *p)
{
    unsigned char x[JOSE_ED25519_BYTES];
    size_t len = sizeof(x);

    if (!EVP_PKEY_get_raw_public_key(key->pkey, x, &len) || len != sizeof(x)) return "an Ed25519 key without a point";
    if (!jose_ed25519_point_ok(x)) return "an Ed25519 point that is not on the curve, or of small order";
    key->algs = EH_EDDSA;
    json_object_set_new(key->pub, "kty", json_string("OKP"));
    json_object_set_new(key->pub, "crv", json_string("Ed25519"));
    json_object_set_new(key->pub, "x", json_string(eh_b64url(p, x, len)));
    return NULL;
}

/** Signs and verifies once: shows that a private key belongs to its public half, whatever provider holds it. */
static int signs_for_itself(EVP_PKEY *pkey, const char *digest)
{
    static const unsigned char text[] = "ehealth";
    unsigned char sig[JOSE_RSA_MAX_BITS / 8];
    size_t len = sizeof(sig);
    EVP_MD_CTX *s = EVP_MD_CTX_new(), *v = EVP_MD_CTX_new();
    int ok = s && v && EVP_DigestSignInit_ex(s, NULL, digest, NULL, NULL, pkey, NULL) == 1 &&
             EVP_DigestSign(s, sig, &len, text, sizeof(text)) == 1 &&
             EVP_DigestVerifyInit_ex(v, NULL, digest, NULL, NULL, pkey, NULL) == 1 &&
             EVP_DigestVerify(v, sig, len, text, sizeof(text)) == 1;

    EVP_MD_CTX_free(s);
    EVP_MD_CTX_free(v);
    return ok;
}

/** The mathematics of the numbers: a composite modulus, a point of the group, a private key of this public one. */
static const char *check_numbers(const eh_jwk_t *key)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
    BIGNUM *factor = NULL;
    int ok = ctx && (key->algs == EH_EDDSA || EVP_PKEY_public_check(ctx) == 1);

    if (ok && key->is_private) {
        /* An RSA key may come without its primes (RFC 7518 §6.3.2); OpenSSL's own check needs them. */
        int whole = key->algs & JOSE_RSA_ALGS ? EVP_PKEY_get_bn_param(key->pkey, OSSL_PKEY_PARAM_RSA_FACTOR1, &factor)
                                              : key->algs != EH_EDDSA;

        ok = signs_for_itself(key->pkey, key->algs == EH_EDDSA ? NULL : "SHA2-256") &&
             (!whole || EVP_PKEY_check(ctx) == 1);
    }
    BN_clear_free(factor);
    EVP_PKEY_CTX_free(ctx);
    if (ok) return NULL;
    return key->is_private ? "a private key whose numbers do not belong together" : "a public key with invalid numbers";
}

const char *jose_jwk_make(eh_jwk_t **pout, EVP_PKEY *pkey, int is_private, const char *kid, apr_pool_t *p)
{
    eh_jwk_t *key = apr_pcalloc(p, sizeof(*key));
    const char *wrong;

    apr_pool_cleanup_register(p, pkey, free_pkey, apr_pool_cleanup_null);
    key->pkey = pkey;
    key->is_private = is_private;
    key->pub = eh_json_own(json_object(), p);
    if (EVP_PKEY_is_a(pkey, "RSA")) {
        wrong = check_rsa(key, p);
    } else if (EVP_PKEY_is_a(pkey, "EC")) {
        wrong = check_ec(key, p);
    } else if (EVP_PKEY_is_a(pkey, "ED25519")) {
        wrong = check_ed25519(key, p);
    } else {
        wrong = "a key that is neither RSA, EC nor Ed25519";
    }
    if (!wrong) wrong = check_numbers(key);
    if (wrong) return wrong;
    if (!kid && !(kid = eh_jwk_thumbprint(key, p))) return "a key that cannot be hashed";
    if (strlen(kid) > JOSE_KID_MAX) return "a key id that is too long";
    key->kid = apr_pstrdup(p, kid);
    *pout = key;
    return NULL;
}

json_t *eh_jwk_public_json(const eh_jwk_t *key, apr_pool_t *p)
{
    json_t *j = eh_json_own(json_deep_copy(key->pub), p);

    json_object_set_new(j, "use", json_string("sig"));
    if (*key->kid) json_object_set_new(j, "kid", json_string(key->kid));
    if (jose_alg(key->algs)) json_object_set_new(j, "alg", json_string(eh_alg_name(key->algs)));
    return j;
}

const char *eh_jwk_kid(const eh_jwk_t *key) { return key->kid; }

const char *eh_jwk_thumbprint(const eh_jwk_t *key, apr_pool_t *p)
{
    unsigned char hash[EH_SHA256_LEN];
    const char *text = eh_json_dump(key->pub, 1, p);

    if (!text || eh_sha256(hash, text, strlen(text))) return NULL;
    return eh_b64url(p, hash, sizeof(hash));
}

int eh_jwk_algs(const eh_jwk_t *key) { return key->algs; }

int eh_jwk_is_private(const eh_jwk_t *key) { return key->is_private; }
