/* SPDX-License-Identifier: Apache-2.0 */
/** Shared by jwk*.c and jws.c alone. */
#ifndef JOSE_PRIVATE_H
#define JOSE_PRIVATE_H

#include <openssl/evp.h>

#include "ehealth/jose.h"

#define JOSE_RSA_MIN_BITS 2048
#define JOSE_RSA_MAX_BITS 8192 /* what is larger only costs time: a hostile JWKS must not */
#define JOSE_RSA_E_MAX_BITS 64 /* OpenSSL's own limit for large moduli (OPENSSL_RSA_MAX_PUBEXP_BITS) */
#define JOSE_EC_MAX_BYTES 66   /* a coordinate of P-521 */
#define JOSE_ED25519_BYTES 32
#define JOSE_KID_MAX 512 /* bytes */
#define JOSE_RSA_ALGS (EH_RS256 | EH_RS384 | EH_RS512 | EH_PS256 | EH_PS384 | EH_PS512)

typedef struct {
    eh_alg_e alg;
    const char *name;
    const char *digest; /* NULL: part of the signature scheme */
    int pss;
    int coordinate; /* bytes of R and of S in an ECDSA signature, 0 for others */
} jose_alg_t;

/** NULL when alg is not exactly one algorithm. */
const jose_alg_t *jose_alg(eh_alg_e alg);

struct eh_jwk_t {
    EVP_PKEY *pkey;
    const char *kid; /* "" when none */
    int algs;
    int is_private;
    json_t *pub; /* the members RFC 7638 §3.2 hashes, no others */
};

/**
 * Makes a key of pkey, which is taken over (freed with p, also on failure), after checking that it is one we sign or
 * verify with: type, size, exponent, curve, point, and that a private key belongs to its public half.
 * @return NULL, or what is wrong with it (a literal, without key material).
 */
const char *jose_jwk_make(eh_jwk_t **pout, EVP_PKEY *pkey, int is_private, const char *kid, apr_pool_t *p);

/**
 * Whether 32 bytes encode a point of edwards25519 that is worth trusting (RFC 8032 §5.1.3): canonical, on the curve,
 * not of small order. OpenSSL decodes the point only when it verifies, and takes points of small order, with which
 * one signature fits any message.
 */
int jose_ed25519_point_ok(const unsigned char point[JOSE_ED25519_BYTES]);

#endif
