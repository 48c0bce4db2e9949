/* SPDX-License-Identifier: Apache-2.0 */
#include "ehealth/seal.h"

#include <apr_strings.h>
#include <string.h>

#include <openssl/crypto.h>

#include "ehealth/codec.h"
#include "ehealth/crypto.h"

#define VERSION 0x01
#define HEAD_LEN (1 + 4)
#define NONCE_LEN 12
#define TAG_LEN 16
#define MIXED_INFO "ehealth/1/mixed"

/** What is authenticated beside the text: head of the token, then where it belongs. */
static unsigned char *associated(apr_size_t *plen, const unsigned char head[HEAD_LEN], const char *aad, apr_pool_t *p)
{
    apr_size_t len = strlen(aad);
    unsigned char *out = apr_palloc(p, HEAD_LEN + len);

    memcpy(out, head, HEAD_LEN);
    memcpy(out + HEAD_LEN, aad, len);
    *plen = HEAD_LEN + len;
    return out;
}

static apr_status_t seal(const char **ptoken, const unsigned char *key, apr_uint32_t id, const char *aad,
                         const void *plain, apr_size_t len, eh_err_t *err, apr_pool_t *p)
{
    unsigned char *out, *ad;
    apr_size_t ad_len;
    apr_status_t rv;

    if (len > EH_SEAL_MAX)
        return eh_err_setf(err, p, EH_E_LIMIT, APR_EINVAL, NULL, "%" APR_SIZE_T_FMT " bytes to seal", len);
    out = apr_palloc(p, len + EH_SEAL_OVERHEAD);
    out[0] = VERSION;
    out[1] = (unsigned char)(id >> 24);
    out[2] = (unsigned char)(id >> 16);
    out[3] = (unsigned char)(id >> 8);
    out[4] = (unsigned char)id;
    ad = associated(&ad_len, out, aad, p);
    if (!EH_OK(eh_random(out + HEAD_LEN, NONCE_LEN)) ||
        !EH_OK(eh_gcm_encrypt(key, out + HEAD_LEN, ad, ad_len, plain, len, out + HEAD_LEN + NONCE_LEN,
                              out + HEAD_LEN + NONCE_LEN + len)))
        return eh_err_setf(err, p, EH_E_CRYPTO, rv, NULL, "sealing failed in OpenSSL");
    *ptoken = eh_b64url(p, out, len + EH_SEAL_OVERHEAD);
    return APR_SUCCESS;
}

typedef struct {
    const unsigned char *bytes;
    apr_size_t len;
    apr_uint32_t id;
} token_t;

static apr_status_t take_apart(token_t *t, const char *token, eh_err_t *err, apr_pool_t *p)
{
    unsigned char *b;
    apr_size_t text_len = strlen(token);

    if (text_len > (EH_SEAL_MAX + EH_SEAL_OVERHEAD) / 3 * 4 + 3 || eh_b64url_decode(&b, &t->len, token, text_len, p) ||
        t->len < EH_SEAL_OVERHEAD || b[0] != VERSION)
        return eh_err_setf(err, p, EH_E_SEAL, APR_EINVAL, NULL, "not a sealed value");
    t->bytes = b;
    t->id = (apr_uint32_t)b[1] << 24 | (apr_uint32_t)b[2] << 16 | (apr_uint32_t)b[3] << 8 | b[4];
    return APR_SUCCESS;
}

static apr_status_t open_token(const char **pplain, apr_size_t *plen, const token_t *t, const unsigned char *key,
                               const char *aad, eh_err_t *err, apr_pool_t *p)
{
    apr_size_t len = t->len - EH_SEAL_OVERHEAD, ad_len;
    const unsigned char *nonce = t->bytes + HEAD_LEN, *text = nonce + NONCE_LEN;
    unsigned char *ad = associated(&ad_len, t->bytes, aad, p);
    char *out = eh_secret_alloc(p, len + 1);
    apr_status_t rv;

    if (!EH_OK(eh_gcm_decrypt(key, nonce, ad, ad_len, text, len, (unsigned char *)out, text + len)))
        return eh_err_setf(err, p, EH_E_SEAL, rv, NULL, "a sealed value does not open under key %u: changed, or moved",
                           t->id);
    *pplain = out;
    *plen = len;
    return APR_SUCCESS;
}

static apr_status_t unknown_key(apr_uint32_t id, eh_err_t *err, apr_pool_t *p)
{
    return eh_err_setf(err, p, EH_E_KEY_UNKNOWN, APR_ENOENT, NULL, "key %u is not in the key file", id);
}

apr_status_t eh_seal(const char **ptoken, const eh_keyring_t *ring, eh_purpose_e purpose, const char *aad,
                     const void *plain, apr_size_t len, eh_err_t *err, apr_pool_t *p)
{
    apr_uint32_t id = eh_keyring_current(ring);
    const unsigned char *key = eh_keyring_key(ring, id, purpose);

    return key ? seal(ptoken, key, id, aad, plain, len, err, p) : unknown_key(id, err, p);
}

apr_status_t eh_unseal(const char **pplain, apr_size_t *plen, const eh_keyring_t *ring, eh_purpose_e purpose,
                       const char *aad, const char *token, eh_err_t *err, apr_pool_t *p)
{
    const unsigned char *key;
    apr_status_t rv;
    token_t t;

    if (!EH_OK(take_apart(&t, token, err, p))) return rv;
    key = eh_keyring_key(ring, t.id, purpose);
    return key ? open_token(pplain, plen, &t, key, aad, err, p) : unknown_key(t.id, err, p);
}

/** The ring's key with the caller's secret mixed in. */
static apr_status_t mix(unsigned char out[EH_KEY_LEN], const unsigned char *key, const unsigned char *secret,
                        apr_size_t secret_len, eh_err_t *err, apr_pool_t *p)
{
    apr_status_t rv = APR_EINVAL;

    /* An empty salt is valid HKDF, but here it would silently take the second secret out of the key. */
    if (secret_len && EH_OK(eh_hkdf_sha256(out, EH_KEY_LEN, key, EH_KEY_LEN, secret, secret_len, MIXED_INFO)))
        return APR_SUCCESS;
    return eh_err_setf(err, p, EH_E_CRYPTO, rv, NULL, "mixing a secret of %" APR_SIZE_T_FMT " bytes failed",
                       secret_len);
}

apr_status_t eh_seal_with(const char **ptoken, const eh_keyring_t *ring, eh_purpose_e purpose,
                          const unsigned char *secret, apr_size_t secret_len, const char *aad, const void *plain,
                          apr_size_t len, eh_err_t *err, apr_pool_t *p)
{
    apr_uint32_t id = eh_keyring_current(ring);
    const unsigned char *key = eh_keyring_key(ring, id, purpose);
    unsigned char mixed[EH_KEY_LEN];
    apr_status_t rv;

    if (!key) return unknown_key(id, err, p);
    if (!EH_OK(mix(mixed, key, secret, secret_len, err, p))) return rv;
    rv = seal(ptoken, mixed, id, aad, plain, len, err, p);
    OPENSSL_cleanse(mixed, sizeof(mixed));
    return rv;
}

apr_status_t eh_unseal_with(const char **pplain, apr_size_t *plen, const eh_keyring_t *ring, eh_purpose_e purpose,
                            const unsigned char *secret, apr_size_t secret_len, const char *aad, const char *token,
                            eh_err_t *err, apr_pool_t *p)
{
    unsigned char mixed[EH_KEY_LEN];
    const unsigned char *key;
    apr_status_t rv;
    token_t t;

    if (!EH_OK(take_apart(&t, token, err, p))) return rv;
    key = eh_keyring_key(ring, t.id, purpose);
    if (!key) return unknown_key(t.id, err, p);
    if (!EH_OK(mix(mixed, key, secret, secret_len, err, p))) return rv;
    rv = open_token(pplain, plen, &t, mixed, aad, err, p);
    OPENSSL_cleanse(mixed, sizeof(mixed));
    return rv;
}
