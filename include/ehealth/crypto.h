/* SPDX-License-Identifier: Apache-2.0 */
/** Thin, prefetched wrappers over OpenSSL 3 EVP. Thread-safe. All return APR_SUCCESS or APR_EGENERAL. */
#ifndef EHEALTH_CRYPTO_H
#define EHEALTH_CRYPTO_H

#include <apr_errno.h>
#include <apr_pools.h>

#define EH_SHA256_LEN 32

/** Fetches algorithms once per process; idempotent and thread-safe. Every host calls it before anything else here. */
apr_status_t eh_crypto_init(void);

apr_status_t eh_random(unsigned char *buf, apr_size_t len);
apr_status_t eh_sha256(unsigned char out[EH_SHA256_LEN], const void *data, apr_size_t len);
apr_status_t eh_hmac_sha256(unsigned char out[EH_SHA256_LEN], const unsigned char *key, apr_size_t key_len,
                            const void *data, apr_size_t len);
apr_status_t eh_hkdf_sha256(unsigned char *out, apr_size_t out_len, const unsigned char *ikm, apr_size_t ikm_len,
                            const unsigned char *salt, apr_size_t salt_len, const char *info);

/** One-shot AES-256-GCM; out holds len bytes, tag 16. */
apr_status_t eh_gcm_encrypt(const unsigned char key[32], const unsigned char nonce[12], const void *aad,
                            apr_size_t aad_len, const void *in, apr_size_t len, unsigned char *out,
                            unsigned char tag[16]);
/** On a wrong tag out is cleansed and APR_EGENERAL returned. */
apr_status_t eh_gcm_decrypt(const unsigned char key[32], const unsigned char nonce[12], const void *aad,
                            apr_size_t aad_len, const void *in, apr_size_t len, unsigned char *out,
                            const unsigned char tag[16]);

/** Constant time in the contents; lengths are not secret. 1 = equal. */
int eh_equal(const void *a, apr_size_t a_len, const void *b, apr_size_t b_len);

/** Memory that is wiped when p goes: for secrets. */
void *eh_secret_alloc(apr_pool_t *p, apr_size_t len);
char *eh_secret_dup(apr_pool_t *p, const char *s, apr_size_t len);

#endif
