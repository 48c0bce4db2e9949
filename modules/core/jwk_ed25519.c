/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <openssl/bn.h>

#include "jose_private.h"

static const char prime_hex[] = "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed"; /* 2^255 - 19 */
static const char d_hex[] = "52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3";     /* -121665/121666 */

/*
 * y decides, the sign bit of x does not: with y² = s, x² = (s - 1) / (d·s + 1) must be a square. Small orders are
 * y = 1 (1), y = -1 (2), y = 0 (4), and where 2P has y = 0 (8), that is d·s² + 2·s - 1 = 0.
 */
static int y_ok(BIGNUM *y, BN_CTX *ctx)
{
    BIGNUM *prime = BN_CTX_get(ctx), *d = BN_CTX_get(ctx), *s = BN_CTX_get(ctx), *u = BN_CTX_get(ctx);
    BIGNUM *v = BN_CTX_get(ctx), *t = BN_CTX_get(ctx);

    if (!t || !BN_hex2bn(&prime, prime_hex) || !BN_hex2bn(&d, d_hex) || BN_cmp(y, prime) >= 0 ||
        !BN_mod_sqr(s, y, prime, ctx) || !BN_copy(u, s) || !BN_sub_word(u, 1) || !BN_mod_mul(v, d, s, prime, ctx) ||
        !BN_copy(t, v) || !BN_add_word(v, 1))
        return 0;
    if (BN_is_zero(y) || BN_is_one(s)) return 0;
    /* t = d·s; d·s² + 2·s - 1 = (t + 2)·s - 1 */
    if (!BN_add_word(t, 2) || !BN_mod_mul(t, t, s, prime, ctx) || BN_is_one(t)) return 0;
    /* u/v is a square exactly when u·v is */
    return BN_mod_mul(t, u, v, prime, ctx) && BN_kronecker(t, prime, ctx) == 1;
}

int jose_ed25519_point_ok(const unsigned char point[JOSE_ED25519_BYTES])
{
    unsigned char little[JOSE_ED25519_BYTES];
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *y;
    int ok = 0;

    if (!ctx) return 0;
    memcpy(little, point, sizeof(little));
    little[JOSE_ED25519_BYTES - 1] &= 0x7f; /* the sign of x */
    BN_CTX_start(ctx);
    y = BN_CTX_get(ctx);
    if (y && BN_lebin2bn(little, sizeof(little), y)) ok = y_ok(y, ctx);
    BN_CTX_end(ctx);
    BN_CTX_free(ctx);
    return ok;
}
