/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <apr_strings.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/param_build.h>

#include "ehealth/codec.h"
#include "ehealth/json.h"
#include "jose_private.h"

#define JWKS_MAX (1024 * 1024) /* bytes */
#define JWKS_KEYS_MAX 64
#define RSA_NUMBERS 8
#define RSA_BYTES_MAX (JOSE_RSA_MAX_BITS / 8 + 1) /* a leading zero is let through */

/** Decodes a member; exact: its length (0: 1 to RSA_BYTES_MAX). NULL when absent, of another type or length. */
static unsigned char *bytes(apr_size_t *plen, const json_t *jwk, const char *name, apr_size_t exact, apr_pool_t *p)
{
    const json_t *v = json_object_get(jwk, name);
    unsigned char *out;

    if (!json_is_string(v) || json_string_length(v) > (RSA_BYTES_MAX + 2) / 3 * 4 ||
        eh_b64url_decode(&out, plen, json_string_value(v), json_string_length(v), p))
        return NULL;
    if (exact ? *plen != exact : *plen == 0 || *plen > RSA_BYTES_MAX) {
        OPENSSL_cleanse(out, *plen);
        return NULL;
    }
    return out;
}

/** Decodes a member to a number. Secret ones are marked, so that every copy OpenSSL makes is wiped. */
static BIGNUM *number(const json_t *jwk, const char *name, apr_size_t exact, int secret, apr_pool_t *p)
{
    apr_size_t len;
    unsigned char *b = bytes(&len, jwk, name, exact, p);
    BIGNUM *bn = b ? (secret ? BN_secure_new() : BN_new()) : NULL;

    if (bn && !BN_bin2bn(b, (int)len, bn)) {
        BN_clear_free(bn);
        bn = NULL;
    }
    if (b && secret) OPENSSL_cleanse(b, len);
    return bn;
}

static EVP_PKEY *from_params(const char *type, int is_private, OSSL_PARAM_BLD *bld)
{
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *pkey = NULL;

    if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, is_private ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, params) != 1)
        pkey = NULL;
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    return pkey;
}

/* RFC 7518 §6.3: n and e; d; then all of p, q, dp, dq, qi, or none. */
static const struct {
    const char *name, *param;
} rsa_members[RSA_NUMBERS] = {
    {"n", OSSL_PKEY_PARAM_RSA_N},          {"e", OSSL_PKEY_PARAM_RSA_E},
    {"d", OSSL_PKEY_PARAM_RSA_D},          {"p", OSSL_PKEY_PARAM_RSA_FACTOR1},
    {"q", OSSL_PKEY_PARAM_RSA_FACTOR2},    {"dp", OSSL_PKEY_PARAM_RSA_EXPONENT1},
    {"dq", OSSL_PKEY_PARAM_RSA_EXPONENT2}, {"qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1},
};

static EVP_PKEY *rsa_key(const char **wrong, const json_t *jwk, int is_private, apr_pool_t *p)
{
    BIGNUM *bn[RSA_NUMBERS] = {NULL};
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    EVP_PKEY *pkey = NULL;
    int i, n = !is_private ? 2 : json_object_get(jwk, "p") ? RSA_NUMBERS : 3, ok = bld != NULL;

    *wrong = "an RSA member that is missing or malformed";
    if (json_object_get(jwk, "oth")) {
        *wrong = "an RSA key of more than two primes";
        ok = 0;
    }
    for (i = 0; i < n && ok; i++) {
        bn[i] = number(jwk, rsa_members[i].name, 0, i >= 2, p);
        ok = bn[i] && OSSL_PARAM_BLD_push_BN(bld, rsa_members[i].param, bn[i]);
    }
    /* Before OpenSSL computes with it: its time grows with the cube of the size. */
    if (ok && BN_num_bits(bn[0]) > JOSE_RSA_MAX_BITS) {
        *wrong = "an RSA key above 8192 bits";
        ok = 0;
    }
    if (ok && !(pkey = from_params("RSA", is_private, bld))) *wrong = "an RSA key that OpenSSL does not take";
    for (i = 0; i < RSA_NUMBERS; i++)
        BN_clear_free(bn[i]);
    OSSL_PARAM_BLD_free(bld);
    return pkey;
}

static apr_size_t coordinate_bytes(const char *crv)
{
    if (!crv) return 0;
    if (strcmp(crv, "P-256") == 0) return 32;
    if (strcmp(crv, "P-384") == 0) return 48;
    return strcmp(crv, "P-521") == 0 ? 66 : 0;
}

static EVP_PKEY *ec_key(const char **wrong, const json_t *jwk, int is_private, apr_pool_t *p)
{
    const char *crv = eh_json_str(jwk, "crv");
    apr_size_t size = coordinate_bytes(crv), len;
    unsigned char point[1 + 2 * JOSE_EC_MAX_BYTES], *x, *y;
    OSSL_PARAM_BLD *bld;
    BIGNUM *d = NULL;
    EVP_PKEY *pkey = NULL;

    *wrong = "an EC curve other than P-256, P-384 and P-521";
    if (!size) return NULL;
    *wrong = "an EC coordinate that is missing, malformed or of the wrong length";
    if (!(x = bytes(&len, jwk, "x", size, p)) || !(y = bytes(&len, jwk, "y", size, p)) ||
        (is_private && !(d = number(jwk, "d", size, 1, p))))
        return NULL;
    point[0] = 0x04; /* uncompressed */
    memcpy(point + 1, x, size);
    memcpy(point + 1 + size, y, size);
    *wrong = "an EC point that is not on its curve";
    bld = OSSL_PARAM_BLD_new();
    if (bld && OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, crv, 0) &&
        OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * size) &&
        (!d || OSSL_PARAM_BLD_push_BN_pad(bld, OSSL_PKEY_PARAM_PRIV_KEY, d, size)))
        pkey = from_params("EC", is_private, bld);
    OSSL_PARAM_BLD_free(bld);
    BN_clear_free(d);
    return pkey;
}

static EVP_PKEY *okp_key(const char **wrong, const json_t *jwk, int is_private, apr_pool_t *p)
{
    const char *crv = eh_json_str(jwk, "crv");
    unsigned char *x, *d, derived[JOSE_ED25519_BYTES];
    size_t derived_len = sizeof(derived);
    apr_size_t len;
    EVP_PKEY *pkey;

    *wrong = "an OKP curve other than Ed25519";
    if (!crv || strcmp(crv, "Ed25519") != 0) return NULL;
    *wrong = "an Ed25519 member that is missing, malformed or of the wrong length";
    if (!(x = bytes(&len, jwk, "x", JOSE_ED25519_BYTES, p))) return NULL;
    if (!is_private) return EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, x, len);
    if (!(d = bytes(&len, jwk, "d", JOSE_ED25519_BYTES, p))) return NULL;
    pkey = EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519", NULL, d, len);
    OPENSSL_cleanse(d, len);
    /* OpenSSL computes the public half itself: a JWK that states another one is a mistake somebody should hear of. */
    if (pkey && (!EVP_PKEY_get_raw_public_key(pkey, derived, &derived_len) || derived_len != len ||
                 CRYPTO_memcmp(derived, x, len) != 0)) {
        *wrong = "a private key whose numbers do not belong together";
        EVP_PKEY_free(pkey);
        return NULL;
    }
    return pkey;
}

/** Narrows the algorithms to what "use", "key_ops" and "alg" say (RFC 7517 §4.2–4.4). Returns what is wrong. */
static const char *narrow(eh_jwk_t *key, const json_t *jwk)
{
    const json_t *use = json_object_get(jwk, "use"), *ops = json_object_get(jwk, "key_ops"), *op;
    const json_t *alg = json_object_get(jwk, "alg");
    int signs = !ops, algs;
    size_t i;

    if ((use && !json_is_string(use)) || (ops && !json_is_array(ops)) || (alg && !json_is_string(alg)))
        return "a key whose use, key_ops or alg is of the wrong type";
    json_array_foreach(ops, i, op)
    {
        const char *s = json_string_value(op);

        if (s && (strcmp(s, "verify") == 0 || (key->is_private && strcmp(s, "sign") == 0))) signs = 1;
    }
    if (!signs || (use && strcmp(json_string_value(use), "sig") != 0)) {
        key->algs = 0;
        return NULL;
    }
    if (!alg) return NULL;
    algs = eh_alg_parse(json_string_value(alg));
    if (algs && !(key->algs & algs)) return "a key whose alg does not fit its type";
    key->algs &= algs;
    return NULL;
}

/** As eh_jwk_from_json; returns what is wrong with the key. */
static const char *read_key(eh_jwk_t **pout, const json_t *jwk, apr_pool_t *p)
{
    const char *kty = eh_json_str(jwk, "kty"), *wrong = NULL;
    const json_t *kid = json_object_get(jwk, "kid");
    int is_private = json_object_get(jwk, "d") != NULL;
    EVP_PKEY *pkey;

    if (!json_is_object(jwk) || !kty) return "not a JWK object";
    if (kid && !json_is_string(kid)) return "a key id that is not text";
    if (strcmp(kty, "RSA") == 0) {
        pkey = rsa_key(&wrong, jwk, is_private, p);
    } else if (strcmp(kty, "EC") == 0) {
        pkey = ec_key(&wrong, jwk, is_private, p);
    } else if (strcmp(kty, "OKP") == 0) {
        pkey = okp_key(&wrong, jwk, is_private, p);
    } else {
        return "a key type other than RSA, EC and OKP";
    }
    if (!pkey) return wrong;
    wrong = jose_jwk_make(pout, pkey, is_private, kid ? json_string_value(kid) : "", p);
    return wrong ? wrong : narrow(*pout, jwk);
}

apr_status_t eh_jwk_from_json(eh_jwk_t **pkey, const json_t *jwk, eh_err_t *err, apr_pool_t *p)
{
    const char *wrong;

    ERR_set_mark();
    wrong = read_key(pkey, jwk, p);
    ERR_pop_to_mark();
    return wrong ? eh_err_setf(err, p, EH_E_JWK, APR_EINVAL, NULL, "JWK refused: %s", wrong) : APR_SUCCESS;
}

struct eh_jwks_t {
    int n;
    const eh_jwk_t *keys[JWKS_KEYS_MAX];
};

/** Adds a member of the set when it can verify; returns why it does not. */
static const char *add_key(eh_jwks_t *set, const json_t *jwk, apr_pool_t *p)
{
    eh_jwk_t *key;
    const char *wrong;

    /* A private key in a published set is known to everybody: nothing it verifies proves anything. */
    if (json_object_get(jwk, "d")) return "a private key in a published set";
    if ((wrong = read_key(&key, jwk, p))) return wrong;
    if (!key->algs) return "a key that is not for signatures";
    set->keys[set->n++] = key;
    return NULL;
}

apr_status_t eh_jwks_parse(eh_jwks_t **pset, const char *json, apr_size_t len, eh_err_t *err, apr_pool_t *p)
{
    eh_jwks_t *set = apr_pcalloc(p, sizeof(*set));
    eh_err_t json_err = {0};
    const json_t *keys, *jwk;
    const char *first = NULL, *wrong;
    json_t *j;
    size_t i;

    if (len > JWKS_MAX)
        return eh_err_setf(err, p, EH_E_JWK, APR_EINVAL, NULL, "JWKS of %" APR_SIZE_T_FMT " bytes", len);
    if (eh_json_load(&j, json, len, &json_err, p))
        return eh_err_setf(err, p, EH_E_JWK, APR_EINVAL, NULL, "JWKS: %s", json_err.cause);
    keys = json_object_get(j, "keys");
    if (!json_is_array(keys)) return eh_err_setf(err, p, EH_E_JWK, APR_EINVAL, NULL, "JWKS without an array \"keys\"");
    if (json_array_size(keys) > JWKS_KEYS_MAX) {
        return eh_err_setf(err, p, EH_E_JWK, APR_EINVAL, NULL, "JWKS of %" APR_SIZE_T_FMT " keys, at most %d",
                           json_array_size(keys), JWKS_KEYS_MAX);
    }
    ERR_set_mark();
    json_array_foreach(keys, i, jwk)
    {
        wrong = add_key(set, jwk, p);
        if (wrong && !first) first = wrong;
    }
    ERR_pop_to_mark();
    if (!set->n) {
        return eh_err_setf(err, p, EH_E_JWK, APR_EINVAL, NULL, "JWKS: none of %d keys can verify signatures; first: %s",
                           (int)json_array_size(keys), first ? first : "there is none");
    }
    *pset = set;
    return APR_SUCCESS;
}

int eh_jwks_count(const eh_jwks_t *set) { return set->n; }

const eh_jwk_t *eh_jwks_at(const eh_jwks_t *set, int i) { return i >= 0 && i < set->n ? set->keys[i] : NULL; }

int eh_jwks_has(const eh_jwks_t *set, const char *kid)
{
    int i;

    for (i = 0; i < set->n; i++) {
        if (!kid || strcmp(set->keys[i]->kid, kid) == 0) return 1;
    }
    return 0;
}
