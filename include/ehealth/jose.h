/* SPDX-License-Identifier: Apache-2.0 */
/**
 * JWK (RFC 7517), JWS compact serialisation (RFC 7515), algorithms of RFC 7518 and RFC 8037 on OpenSSL 3 EVP.
 * The algorithm is chosen by configuration and key type, never by the token: a token's header `alg` must be in the
 * allowed set AND fit the key. `none` and HMAC do not exist here. Header parameters `crit`, `b64:false` are refused;
 * `jku`, `x5u`, `jwk`, `x5c` are ignored (a key comes from the configured JWKS alone). RSA below 2048 bits, exponent
 * < 3 or even, and points off the curve are refused when the key is read.
 */
#ifndef EHEALTH_JOSE_H
#define EHEALTH_JOSE_H

#include <apr_pools.h>
#include <jansson.h>

#include "ehealth/err.h"

typedef enum {
    EH_ALG_NONE = 0, /* "no algorithm given", never accepted */
    EH_RS256 = 1 << 0, EH_RS384 = 1 << 1, EH_RS512 = 1 << 2,
    EH_PS256 = 1 << 3, EH_PS384 = 1 << 4, EH_PS512 = 1 << 5,
    EH_ES256 = 1 << 6, EH_ES384 = 1 << 7, EH_ES512 = 1 << 8,
    EH_EDDSA = 1 << 9, /* Ed25519; header "EdDSA" or "Ed25519" */
} eh_alg_e;
#define EH_ALG_ALL ((1 << 10) - 1)

/** "RS256" → EH_RS256; 0 when unknown. And back: NULL when alg is not exactly one algorithm. */
eh_alg_e eh_alg_parse(const char *name);
const char *eh_alg_name(eh_alg_e alg);

typedef struct eh_jwk_t eh_jwk_t;   /* one key; freed with its pool */
typedef struct eh_jwks_t eh_jwks_t; /* a set */

/** Reads a JWK object (public, or private when it has "d"). JWK on failure. */
apr_status_t eh_jwk_from_json(eh_jwk_t **pkey, const json_t *jwk, eh_err_t *err, apr_pool_t *p);
/** Reads a PEM private or public key, or certificate. kid may be NULL: then RFC 7638 thumbprint. */
apr_status_t eh_jwk_from_pem(eh_jwk_t **pkey, const char *pem, apr_size_t len, const char *kid, eh_err_t *err,
                             apr_pool_t *p);
/** The public half as a new reference, owned by p. */
json_t *eh_jwk_public_json(const eh_jwk_t *key, apr_pool_t *p);
const char *eh_jwk_kid(const eh_jwk_t *key); /* "" when none */
/** base64url SHA-256 thumbprint (RFC 7638) in p. */
const char *eh_jwk_thumbprint(const eh_jwk_t *key, apr_pool_t *p);
/** Algorithms this key can serve, as a set (a JWK's own "alg" narrows it; "use":"enc" makes it 0). */
int eh_jwk_algs(const eh_jwk_t *key);
int eh_jwk_is_private(const eh_jwk_t *key);

/** Reads {"keys":[…]}. Members that are not usable for signatures are skipped, as RFC 7517 §5 asks, and so are private
 *  keys: what everybody can read proves nothing. None left: JWK. At most 64 members and 1 MiB. */
apr_status_t eh_jwks_parse(eh_jwks_t **pset, const char *json, apr_size_t len, eh_err_t *err, apr_pool_t *p);
int eh_jwks_count(const eh_jwks_t *set);
const eh_jwk_t *eh_jwks_at(const eh_jwks_t *set, int i);
/** Whether a key with this kid is there (kid NULL: any key). */
int eh_jwks_has(const eh_jwks_t *set, const char *kid);

/** A JWS taken apart, nothing verified. Caps: 64 KiB in all, header 4 KiB. Errors: JWS. */
typedef struct eh_jws_t {
    eh_alg_e alg;         /* 0 when the header names one we do not have */
    const char *alg_name; /* as the header has it */
    const char *kid;      /* NULL when absent */
    const char *typ;      /* NULL when absent */
    const char *payload;  /* decoded, NUL-terminated */
    apr_size_t payload_len;
    const char *signing_input;
    apr_size_t signing_input_len;
    const unsigned char *signature;
    apr_size_t signature_len;
} eh_jws_t;
apr_status_t eh_jws_split(eh_jws_t **pjws, const char *compact, apr_size_t len, eh_err_t *err, apr_pool_t *p);

/**
 * Verifies with the key of set that fits: by kid when the token names one; without a kid every key of a fitting type is
 * tried. allowed: set of eh_alg_e. APR_ENOENT with code JWK: no key with that kid (the caller may refetch once);
 * any other failure: JWS.
 */
apr_status_t eh_jws_verify(const eh_jws_t *jws, const eh_jwks_t *set, int allowed, eh_err_t *err, apr_pool_t *p);
apr_status_t eh_jws_verify_key(const eh_jws_t *jws, const eh_jwk_t *key, int allowed, eh_err_t *err, apr_pool_t *p);

/** Signs payload. header_extra (may be NULL): object merged into {"alg","kid"(if any)}; it must not name those. */
apr_status_t eh_jws_sign(const char **pcompact, const eh_jwk_t *key, eh_alg_e alg, const json_t *header_extra,
                         const char *payload, apr_size_t len, eh_err_t *err, apr_pool_t *p);

#endif
