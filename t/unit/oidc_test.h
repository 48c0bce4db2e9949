/* SPDX-License-Identifier: Apache-2.0 */
/** What the log-in's unit tests share: an eh_ctx_t of fakes with a clock that stands still, a provider that answers from a
 *  table, and keys to sign its tokens with. */
#ifndef OIDC_TEST_H
#define OIDC_TEST_H

#include "eh_test.h"

#include <apr_thread_mutex.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "ehealth/codec.h"
#include "ehealth/crypto.h"
#include "ehealth/jose.h"
#include "modules/oidc/oidc.h"

#define FX_EPOCH INT64_C(1790000000) /* s: 2026-09-21 */
#define FX_PUBLIC "https://portal.hospital.example"
#define FX_ISSUER "https://op.example/realm"

/* ---------------------------------------------------------------- the provider's answers */

typedef struct fx_answer_t {
    const char *url;
    int status;
    const char *type, *body;
    const char *cache_control;
    apr_status_t rv; /* with code: the exchange fails */
    eh_code_e code;
    apr_time_t date;
} fx_answer_t;

#define FX_MAX 16
static fx_answer_t fx_answers[FX_MAX];
static int fx_calls; /* exchanges in all */
static eh_http_req_t fx_last;
static char fx_last_body[8192], fx_last_url[2048];
static char fx_logged[16384];
static int fx_warnings;
static apr_time_t fx_now;
static apr_thread_mutex_t *fx_mutex;
static apr_interval_time_t fx_slow; /* real time that each exchange takes */

EH_TEST_FN fx_answer_t *fx_answer(const char *url)
{
    int i;

    for (i = 0; i < FX_MAX && fx_answers[i].url; i++) {
        if (!strcmp(fx_answers[i].url, url)) return &fx_answers[i];
    }
    ck_assert_int_lt(i, FX_MAX);
    fx_answers[i].url = url;
    fx_answers[i].status = 200;
    fx_answers[i].type = "application/json";
    return &fx_answers[i];
}

EH_TEST_FN void fx_serve(const char *url, const char *body) { fx_answer(url)->body = body; }

static apr_status_t fx_perform(eh_http_t *http, const eh_http_req_t *req, eh_http_res_t **pres, eh_err_t *err,
                               apr_pool_t *p)
{
    eh_http_res_t *res = apr_pcalloc(p, sizeof(*res));
    fx_answer_t *a = NULL;
    int i;

    if (fx_slow) apr_sleep(fx_slow);
    apr_thread_mutex_lock(fx_mutex);
    fx_calls++;
    fx_last = *req;
    apr_cpystrn(fx_last_body, req->body ? req->body : "", sizeof(fx_last_body));
    apr_cpystrn(fx_last_url, req->url, sizeof(fx_last_url));
    apr_thread_mutex_unlock(fx_mutex);
    for (i = 0; i < FX_MAX && fx_answers[i].url; i++) {
        if (!strcmp(fx_answers[i].url, req->url)) a = &fx_answers[i];
    }
    if (!a) return eh_err_set(err, EH_E_HTTP_UNREACHABLE, APR_ECONNREFUSED, NULL);
    if (a->rv) return eh_err_set(err, a->code, a->rv, NULL);
    if (req->max_response && a->body && strlen(a->body) > req->max_response) {
        return eh_err_set(err, EH_E_HTTP_TOO_LARGE, APR_ENOSPC, NULL);
    }
    res->status = a->status;
    res->content_type = a->type;
    res->headers = apr_table_make(p, 1);
    if (a->cache_control) apr_table_set(res->headers, "cache-control", a->cache_control);
    res->body = apr_pstrdup(p, a->body ? a->body : "");
    res->len = strlen(res->body);
    res->date = a->date;
    *pres = res;
    return APR_SUCCESS;
}

/* ---------------------------------------------------------------- a database that knows used states only */

static const char *fx_used_state; /* digest of the one that was used, NULL = none */
static apr_status_t fx_db_down;

static apr_status_t fx_db_run(eh_db_t *db, eh_db_mode_e mode, eh_tx_fn *fn, void *baton, eh_err_t *err, apr_pool_t *p)
{
    eh_tx_t tx = {db->ops, EH_DB_SQLITE};

    if (fx_db_down) return eh_err_set(err, EH_E_DB_DOWN, fx_db_down, NULL);
    return fn(&tx, baton, err, p);
}

static apr_status_t fx_db_exec(eh_tx_t *tx, const eh_stmt_t *stmt, const char *const *args, int *affected,
                               eh_err_t *err)
{
    return eh_err_set(err, EH_E_INTERNAL, APR_ENOTIMPL, NULL);
}

static apr_status_t fx_db_select(eh_tx_t *tx, const eh_stmt_t *stmt, const char *const *args, eh_rows_t **prows,
                                 eh_err_t *err, apr_pool_t *p)
{
    static const char *const one = "1";

    if (strcmp(stmt->name, "oidc_state_used")) return eh_err_set(err, EH_E_INTERNAL, APR_ENOTIMPL, NULL);
    *prows = apr_pcalloc(p, sizeof(**prows));
    (*prows)->cells = &one;
    (*prows)->ncols = 1;
    (*prows)->nrows = fx_used_state && !strcmp(fx_used_state, args[0]);
    return APR_SUCCESS;
}

/* ---------------------------------------------------------------- the context */

static const eh_http_ops_t fx_http_ops = {fx_perform};
static eh_http_t fx_http = {&fx_http_ops};
static const eh_db_ops_t fx_db_ops = {fx_db_run, fx_db_exec, fx_db_select};
static eh_db_t fx_db = {&fx_db_ops, EH_DB_SQLITE};
static eh_log_t fx_log;
static eh_ctx_t fx_ctx;
static eh_keyring_t *fx_keys;
static oidc_conf_t fx_conf;
static oidc_provider_t *fx_prov;
static oidc_cache_t *fx_cache;

static apr_time_t fx_clock(void *baton) { return fx_now; }
static apr_status_t fx_random(void *baton, unsigned char *buf, apr_size_t len) { return eh_random(buf, len); }
static void fx_write_log(void *baton, eh_log_e level, apr_status_t rv, const char *tag, const char *message)
{
    size_t used = strlen(fx_logged);

    if (level <= EH_LOG_WARNING) fx_warnings++;
    apr_snprintf(fx_logged + used, sizeof(fx_logged) - used, "%s\n", message);
}

#define FX_METADATA                                                                                            \
    "{\"issuer\":\"" FX_ISSUER "\",\"authorization_endpoint\":\"https://op.example/auth\",\"token_endpoint\":" \
    "\"https://op.example/token\",\"jwks_uri\":\"https://op.example/jwks\",\"userinfo_endpoint\":"             \
    "\"https://op.example/userinfo\",\"end_session_endpoint\":\"https://op.example/logout\"}"

/** Resolves fx_conf again, after a test has changed it. */
EH_TEST_FN void fx_resolve(void)
{
    const char *sentence = NULL;
    apr_status_t rv = oidc_provider_resolve(&fx_prov, &fx_conf, FX_PUBLIC, 0, &sentence, eh_test_pool);

    ck_assert_msg(rv == APR_SUCCESS, "%s", sentence ? sentence : "?");
}

EH_TEST_FN void fx_setup(void)
{
    static const char ring[] = "1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n";

    eh_test_setup();
    memset(fx_answers, 0, sizeof(fx_answers));
    fx_calls = fx_warnings = 0;
    fx_slow = 0;
    fx_used_state = NULL;
    fx_db_down = APR_SUCCESS;
    fx_logged[0] = '\0';
    fx_now = apr_time_from_sec(FX_EPOCH);
    fx_log.level = EH_LOG_DEBUG;
    fx_log.write = fx_write_log;
    ck_assert_rv_ok(apr_thread_mutex_create(&fx_mutex, APR_THREAD_MUTEX_DEFAULT, eh_test_pool));
    ck_assert_rv_ok(eh_crypto_init());
    ck_assert_rv_ok(eh_keyring_parse(&fx_keys, ring, sizeof(ring) - 1, &eh_test_err, eh_test_pool));
    memset(&fx_ctx, 0, sizeof(fx_ctx));
    fx_ctx.now = fx_clock;
    fx_ctx.random = fx_random;
    fx_ctx.log = &fx_log;
    fx_ctx.db = &fx_db;
    fx_ctx.http = &fx_http;
    fx_ctx.keys = fx_keys;
    fx_ctx.public_url = FX_PUBLIC;
    fx_ctx.correlation = "test-1";
    ck_assert_rv_ok(oidc_cache_create(&fx_cache, eh_test_pool));
    oidc_conf_init(&fx_conf, "op");
    fx_conf.preset = "oidc";
    fx_conf.issuer = FX_ISSUER;
    fx_conf.client_id = "client-1";
    fx_conf.client_secret = "s3cr:t/+ %";
    fx_resolve();
    fx_serve(FX_ISSUER "/.well-known/openid-configuration", FX_METADATA);
}

/* ---------------------------------------------------------------- keys and tokens */

/** A new private key of type "RSA", "EC" (P-256) or "ED25519" as PEM; malloc'ed. */
EH_TEST_FN char *fx_new_pem(const char *type)
{
    EVP_PKEY *pkey = !strcmp(type, "RSA")  ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048)
                     : !strcmp(type, "EC") ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256")
                                           : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    BIO *bio = BIO_new(BIO_s_mem());
    char *pem, *copy;
    long len;

    ck_assert_ptr_nonnull(pkey);
    ck_assert_int_eq(PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL), 1);
    len = BIO_get_mem_data(bio, &pem);
    copy = calloc(1, (size_t)len + 1);
    memcpy(copy, pem, (size_t)len);
    BIO_free(bio);
    EVP_PKEY_free(pkey);
    return copy;
}

/** A private key that no other call gives. */
EH_TEST_FN eh_jwk_t *fx_fresh_key(const char *type, const char *kid)
{
    eh_jwk_t *key = NULL;
    char *pem = fx_new_pem(type);

    ck_assert_rv_ok(eh_jwk_from_pem(&key, pem, strlen(pem), kid, &eh_test_err, eh_test_pool));
    free(pem);
    return key;
}

/** The private key of a name: the same one for the whole program, because making RSA keys is slow. */
EH_TEST_FN eh_jwk_t *fx_key(const char *type, const char *kid)
{
    static struct {
        char name[32], *pem;
    } kept[8];
    char name[32];
    eh_jwk_t *key = NULL;
    int i;

    apr_snprintf(name, sizeof(name), "%s %s", type, kid);
    for (i = 0; kept[i].pem && strcmp(kept[i].name, name); i++)
        ck_assert_int_lt(i, 7);
    if (!kept[i].pem) {
        memcpy(kept[i].name, name, sizeof(name));
        kept[i].pem = fx_new_pem(type);
    }
    ck_assert_rv_ok(eh_jwk_from_pem(&key, kept[i].pem, strlen(kept[i].pem), kid, &eh_test_err, eh_test_pool));
    return key;
}

/** A key set of the public halves; keys end with NULL. with_kid 0: without "kid". */
EH_TEST_FN const char *fx_jwks(int with_kid, eh_jwk_t *const *keys)
{
    json_t *set = json_pack("{s:[]}", "keys");
    const char *text;
    char *dump;

    for (; *keys; keys++) {
        json_t *pub = json_deep_copy(eh_jwk_public_json(*keys, eh_test_pool));
        if (!with_kid) json_object_del(pub, "kid");
        json_array_append_new(json_object_get(set, "keys"), pub);
    }
    dump = json_dumps(set, JSON_COMPACT);
    text = apr_pstrdup(eh_test_pool, dump);
    free(dump);
    json_decref(set);
    return text;
}

EH_TEST_FN const char *fx_b64(const char *s) { return eh_b64url(eh_test_pool, s, strlen(s)); }

/** Signs a payload text as it is. */
EH_TEST_FN const char *fx_sign(const eh_jwk_t *key, eh_alg_e alg, const char *payload)
{
    const char *jwt = NULL;

    ck_assert_rv_ok(eh_jws_sign(&jwt, key, alg, NULL, payload, strlen(payload), eh_test_new_err(), eh_test_pool));
    return jwt;
}

#endif
