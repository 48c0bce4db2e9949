/* SPDX-License-Identifier: Apache-2.0 */
#include "ehealth/crypto.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>

#define GCM_NONCE_LEN 12
#define GCM_TAG_LEN 16

/* What is fetched once: a fetch by name walks the providers' tables and costs more than a small hash. */
static struct {
    EVP_MD *sha256;
    EVP_MAC *hmac;
    EVP_KDF *hkdf;
    EVP_CIPHER *gcm;
    pthread_key_t key;
} lib;
static pthread_mutex_t lib_lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_int lib_ready;

/* Contexts of one thread. Making one costs several times what using it does. */
typedef struct {
    EVP_MD_CTX *sha256;
    EVP_MAC_CTX *hmac;
    EVP_CIPHER_CTX *seal, *open; /* two, so that neither changes direction and rebuilds itself */
} contexts_t;

static void contexts_free(void *data)
{
    contexts_t *c = data;

    if (!c) return;
    EVP_MD_CTX_free(c->sha256);
    EVP_MAC_CTX_free(c->hmac);
    EVP_CIPHER_CTX_free(c->seal);
    EVP_CIPHER_CTX_free(c->open);
    free(c);
}

static void lib_free(void)
{
    EVP_MD_free(lib.sha256);
    EVP_MAC_free(lib.hmac);
    EVP_KDF_free(lib.hkdf);
    EVP_CIPHER_free(lib.gcm);
    lib.sha256 = NULL;
    lib.hmac = NULL;
    lib.hkdf = NULL;
    lib.gcm = NULL;
}

/*
 * Runs at exit, and when httpd unloads the module this is linked into (each restart does): without it every restart
 * would use up one of the process's 1024 thread keys and leave a destructor that points into unmapped code. Registered
 * after OpenSSL's own handler, hence run before it.
 */
static void lib_unload(void)
{
    pthread_mutex_lock(&lib_lock);
    if (atomic_exchange(&lib_ready, 0)) {
        contexts_free(pthread_getspecific(lib.key));
        pthread_key_delete(lib.key);
        lib_free();
    }
    pthread_mutex_unlock(&lib_lock);
}

apr_status_t eh_crypto_init(void)
{
    static int at_exit;
    int ok;

    if (atomic_load_explicit(&lib_ready, memory_order_acquire)) return APR_SUCCESS;
    pthread_mutex_lock(&lib_lock);
    ok = atomic_load(&lib_ready);
    if (!ok) {
        ok = OPENSSL_init_crypto(0, NULL) == 1 &&
             (lib.sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL)) && (lib.hmac = EVP_MAC_fetch(NULL, "HMAC", NULL)) &&
             (lib.hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL)) &&
             (lib.gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL)) && (at_exit || !atexit(lib_unload)) &&
             (at_exit = 1) && !pthread_key_create(&lib.key, contexts_free);
        if (ok) {
            atomic_store_explicit(&lib_ready, 1, memory_order_release);
        } else {
            lib_free();
        }
    }
    pthread_mutex_unlock(&lib_lock);
    return ok ? APR_SUCCESS : APR_EGENERAL;
}

static contexts_t *contexts(void)
{
    contexts_t *c;

    if (eh_crypto_init()) return NULL;
    if ((c = pthread_getspecific(lib.key))) return c;
    c = calloc(1, sizeof(*c));
    if (c && pthread_setspecific(lib.key, c)) {
        free(c);
        c = NULL;
    }
    return c;
}

/* Each is made when the thread first needs it: most threads only ever hash, and a server has many threads. */

static EVP_MD_CTX *sha256_context(void)
{
    contexts_t *c = contexts();

    if (!c || c->sha256) return c ? c->sha256 : NULL;
    if ((c->sha256 = EVP_MD_CTX_new()) && !EVP_DigestInit_ex2(c->sha256, lib.sha256, NULL)) {
        EVP_MD_CTX_free(c->sha256);
        c->sha256 = NULL;
    }
    return c->sha256;
}

static EVP_MAC_CTX *hmac_context(void)
{
    OSSL_PARAM digest[2] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA2-256", 0),
                            OSSL_PARAM_construct_end()};
    contexts_t *c = contexts();

    if (!c || c->hmac) return c ? c->hmac : NULL;
    if ((c->hmac = EVP_MAC_CTX_new(lib.hmac)) && !EVP_MAC_CTX_set_params(c->hmac, digest)) {
        EVP_MAC_CTX_free(c->hmac);
        c->hmac = NULL;
    }
    return c->hmac;
}

static EVP_CIPHER_CTX *gcm_context(int sealing)
{
    contexts_t *c = contexts();
    EVP_CIPHER_CTX **slot;

    if (!c) return NULL;
    slot = sealing ? &c->seal : &c->open;
    if (*slot) return *slot;
    if ((*slot = EVP_CIPHER_CTX_new()) && !EVP_CipherInit_ex2(*slot, lib.gcm, NULL, NULL, sealing, NULL)) {
        EVP_CIPHER_CTX_free(*slot);
        *slot = NULL;
    }
    return *slot;
}

/** A failure must not stay in the thread's OpenSSL error queue: mod_ssl and curl would take it for theirs. */
static apr_status_t done(int ok)
{
    ERR_pop_to_mark();
    return ok ? APR_SUCCESS : APR_EGENERAL;
}

apr_status_t eh_random(unsigned char *buf, apr_size_t len)
{
    ERR_set_mark();
    /* The private generator: most of what is drawn here is secret. */
    return done(RAND_priv_bytes_ex(NULL, buf, len, 0) == 1);
}

apr_status_t eh_sha256(unsigned char out[EH_SHA256_LEN], const void *data, apr_size_t len)
{
    EVP_MD_CTX *ctx;
    unsigned n = 0;

    ERR_set_mark();
    /* NULL digest: starts again with the one the context has. */
    return done((ctx = sha256_context()) && EVP_DigestInit_ex2(ctx, NULL, NULL) && EVP_DigestUpdate(ctx, data, len) &&
                EVP_DigestFinal_ex(ctx, out, &n) && n == EH_SHA256_LEN);
}

apr_status_t eh_hmac_sha256(unsigned char out[EH_SHA256_LEN], const unsigned char *key, apr_size_t key_len,
                            const void *data, apr_size_t len)
{
    EVP_MAC_CTX *ctx;
    size_t n = 0;

    ERR_set_mark();
    return done((ctx = hmac_context()) && EVP_MAC_init(ctx, key, key_len, NULL) && EVP_MAC_update(ctx, data, len) &&
                EVP_MAC_final(ctx, out, &n, EH_SHA256_LEN) && n == EH_SHA256_LEN);
}

apr_status_t eh_hkdf_sha256(unsigned char *out, apr_size_t out_len, const unsigned char *ikm, apr_size_t ikm_len,
                            const unsigned char *salt, apr_size_t salt_len, const char *info)
{
    EVP_KDF_CTX *ctx;
    OSSL_PARAM params[5], *q = params;
    int ok;

    if (eh_crypto_init()) return APR_EGENERAL;
    ERR_set_mark();
    *q++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA2-256", 0);
    *q++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)ikm, ikm_len);
    if (salt_len) *q++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)salt, salt_len);
    if (info && *info) *q++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)info, strlen(info));
    *q = OSSL_PARAM_construct_end();
    ctx = EVP_KDF_CTX_new(lib.hkdf);
    ok = ikm_len && ctx && EVP_KDF_derive(ctx, out, out_len, params) == 1;
    EVP_KDF_CTX_free(ctx);
    return done(ok);
}

/** Associated data and text through an initialised context. */
static int gcm_run(EVP_CIPHER_CTX *ctx, const void *aad, apr_size_t aad_len, const void *in, apr_size_t len,
                   unsigned char *out)
{
    int n;

    if (aad_len > INT_MAX || len > INT_MAX) return 0;
    if (aad_len && !EVP_CipherUpdate(ctx, NULL, &n, aad, (int)aad_len)) return 0;
    return !len || (EVP_CipherUpdate(ctx, out, &n, in, (int)len) && (apr_size_t)n == len);
}

apr_status_t eh_gcm_encrypt(const unsigned char key[32], const unsigned char nonce[12], const void *aad,
                            apr_size_t aad_len, const void *in, apr_size_t len, unsigned char *out,
                            unsigned char tag[16])
{
    EVP_CIPHER_CTX *ctx;
    OSSL_PARAM get_tag[2] = {OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, tag, GCM_TAG_LEN),
                             OSSL_PARAM_construct_end()};
    unsigned char none[1];
    int n;

    ERR_set_mark();
    return done((ctx = gcm_context(1)) && EVP_EncryptInit_ex2(ctx, NULL, key, nonce, NULL) &&
                gcm_run(ctx, aad, aad_len, in, len, out) && EVP_EncryptFinal_ex(ctx, none, &n) &&
                EVP_CIPHER_CTX_get_params(ctx, get_tag));
}

apr_status_t eh_gcm_decrypt(const unsigned char key[32], const unsigned char nonce[12], const void *aad,
                            apr_size_t aad_len, const void *in, apr_size_t len, unsigned char *out,
                            const unsigned char tag[16])
{
    EVP_CIPHER_CTX *ctx;
    OSSL_PARAM set_tag[2] = {OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, (void *)tag, GCM_TAG_LEN),
                             OSSL_PARAM_construct_end()};
    unsigned char none[1];
    int n, ok;

    ERR_set_mark();
    ok = (ctx = gcm_context(0)) && EVP_DecryptInit_ex2(ctx, NULL, key, nonce, set_tag) &&
         gcm_run(ctx, aad, aad_len, in, len, out) && EVP_DecryptFinal_ex(ctx, none, &n);
    if (!ok) OPENSSL_cleanse(out, len);
    return done(ok);
}

int eh_equal(const void *a, apr_size_t a_len, const void *b, apr_size_t b_len)
{
    return a_len == b_len && CRYPTO_memcmp(a, b, a_len) == 0;
}

typedef struct {
    void *mem;
    apr_size_t len;
} secret_t;

static apr_status_t secret_wipe(void *data)
{
    secret_t *s = data;

    OPENSSL_cleanse(s->mem, s->len);
    return APR_SUCCESS;
}

void *eh_secret_alloc(apr_pool_t *p, apr_size_t len)
{
    secret_t *s = apr_palloc(p, sizeof(*s));

    s->mem = apr_pcalloc(p, len ? len : 1);
    s->len = len;
    apr_pool_cleanup_register(p, s, secret_wipe, apr_pool_cleanup_null);
    return s->mem;
}

char *eh_secret_dup(apr_pool_t *p, const char *s, apr_size_t len)
{
    char *copy = eh_secret_alloc(p, len + 1);

    memcpy(copy, s, len);
    return copy;
}
