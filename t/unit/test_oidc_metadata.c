/* SPDX-License-Identifier: Apache-2.0 */
/* Providers as configured, their metadata and key sets: fetched once, kept, served when the provider is away. */
#include "oidc_test.h"

#include <apr_thread_proc.h>

#define METADATA_URL FX_ISSUER "/.well-known/openid-configuration"
#define JWKS_URL "https://op.example/jwks"

static const oidc_metadata_t *md;

static apr_status_t get(void)
{
    md = NULL;
    return oidc_metadata_get(&md, fx_cache, &fx_ctx, fx_prov, eh_test_new_err(), eh_test_pool);
}

#define GOT()                     \
    do {                          \
        apr_status_t got = get(); \
        ck_assert_rv_ok(got);     \
    } while (0)
#define REFUSED(expected)                                                                                \
    do {                                                                                                 \
        ck_assert_int_ne(get(), APR_SUCCESS);                                                            \
        ck_assert_msg(eh_test_err.code == expected, "EH%04d, wanted " #expected, (int)eh_test_err.code); \
    } while (0)

static void break_metadata(void)
{
    fx_answer(METADATA_URL)->rv = APR_TIMEUP;
    fx_answer(METADATA_URL)->code = EH_E_HTTP_TIMEOUT;
}

START_TEST(oidcc_client_test_discovery_openid_config)
{
    GOT();
    ck_assert_str_eq(md->issuer, FX_ISSUER);
    ck_assert_str_eq(md->authorization_endpoint, "https://op.example/auth");
    ck_assert_str_eq(md->token_endpoint, "https://op.example/token");
    ck_assert_str_eq(md->userinfo_endpoint, "https://op.example/userinfo");
    ck_assert_str_eq(md->jwks_uri, JWKS_URL);
    ck_assert_str_eq(md->end_session_endpoint, "https://op.example/logout");
    ck_assert_ptr_null(md->revocation_endpoint);
    ck_assert_int_eq(md->iss_parameter, 0);
    ck_assert_int_eq(md->from_static, 0);
    ck_assert(md->fetched == fx_now);
    ck_assert_str_eq(fx_last.method, "GET");
}
END_TEST

START_TEST(oidcc_client_test_discovery_issuer_mismatch)
{
    static const char *const issuers[] = {"\"https://op.example\"", "\"" FX_ISSUER "/\"",
                                          "\"HTTPS://op.example/realm\"", "null", "7"};
    apr_size_t i;

    for (i = 0; i < sizeof(issuers) / sizeof(issuers[0]); i++) {
        fx_serve(
            METADATA_URL,
            apr_psprintf(eh_test_pool,
                         "{\"issuer\":%s,\"authorization_endpoint\":\"https://op.example/auth\",\"token_endpoint\":"
                         "\"https://op.example/token\",\"jwks_uri\":\"" JWKS_URL "\"}",
                         issuers[i]));
        REFUSED(EH_E_PROVIDER_ISSUER);
        fx_now += apr_time_from_sec(120);
    }
}
END_TEST

START_TEST(a_wrong_issuer_is_not_papered_over_by_the_static_table)
{
    oidc_conf_init(&fx_conf, "psc");
    fx_conf.preset = "prosanteconnect";
    fx_conf.client_id = "c";
    fx_conf.client_secret = "s";
    fx_resolve();
    fx_serve("https://auth.esw.esante.gouv.fr/auth/realms/esante-wallet/.well-known/wallet-openid-configuration",
             FX_METADATA);
    REFUSED(EH_E_PROVIDER_ISSUER);
}
END_TEST

START_TEST(documents_that_cannot_be_used)
{
    static const char *const bad[] = {
        "",
        "<html>",
        "[]",
        "{",
        "\"x\"",
        "{\"issuer\":\"" FX_ISSUER "\",\"issuer\":\"" FX_ISSUER "\"}",
        "{\"issuer\":\"" FX_ISSUER "\",\"authorization_endpoint\":\"http://op.example/"
                                   "auth\",\"token_endpoint\":\"https://o/t\",\"jwks_uri\":\"https://o/j\"}",
        "{\"issuer\":\"" FX_ISSUER "\",\"authorization_endpoint\":\"https://o/a\",\"token_endpoint\":\"file:///etc/"
                                   "passwd\",\"jwks_uri\":\"https://o/j\"}",
        "{\"issuer\":\"" FX_ISSUER
        "\",\"authorization_endpoint\":\"https://o/a\",\"token_endpoint\":7,\"jwks_uri\":\"https://o/j\"}",
        "{\"issuer\":\"" FX_ISSUER "\",\"authorization_endpoint\":\"https://o/a\",\"token_endpoint\":\"https://o/"
                                   "t\",\"jwks_uri\":\"https://u:p@o/j\"}",
        "{\"issuer\":\"" FX_ISSUER "\",\"authorization_endpoint\":\"https://o/a\",\"token_endpoint\":\"https://o/t\"}",
        "{\"issuer\":\"" FX_ISSUER "\"}",
    };
    apr_size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        fx_serve(METADATA_URL, bad[i]);
        ck_assert_rv_ok(oidc_cache_create(&fx_cache, eh_test_pool));
        REFUSED(EH_E_PROVIDER_METADATA);
    }
    fx_answer(METADATA_URL)->status = 404;
    ck_assert_rv_ok(oidc_cache_create(&fx_cache, eh_test_pool));
    REFUSED(EH_E_HTTP_STATUS);
}
END_TEST

START_TEST(a_document_larger_than_its_cap)
{
    char *big = apr_palloc(eh_test_pool, OIDC_METADATA_MAX + 2);

    memset(big, ' ', OIDC_METADATA_MAX + 1);
    big[OIDC_METADATA_MAX + 1] = '\0';
    memcpy(big, "{}", 2);
    fx_serve(METADATA_URL, big);
    REFUSED(EH_E_HTTP_TOO_LARGE);
}
END_TEST

START_TEST(the_administrator_has_the_last_word)
{
    fx_conf.token_endpoint = "https://mtls.op.example/token";
    fx_conf.end_session_endpoint = "https://other.example/bye";
    fx_resolve();
    GOT();
    ck_assert_str_eq(md->token_endpoint, "https://mtls.op.example/token");
    ck_assert_str_eq(md->end_session_endpoint, "https://other.example/bye");
    ck_assert_str_eq(md->authorization_endpoint, "https://op.example/auth");
}
END_TEST

START_TEST(the_preset_steps_in_when_metadata_is_away)
{
    oidc_conf_init(&fx_conf, "psc");
    fx_conf.preset = "prosanteconnect";
    fx_conf.client_id = "c";
    fx_conf.client_secret = "s";
    fx_resolve();
    GOT();
    ck_assert_int_eq(md->from_static, 1);
    ck_assert_str_eq(md->authorization_endpoint, "https://wallet.esw.esante.gouv.fr/auth");
    ck_assert_str_eq(md->userinfo_endpoint,
                     "https://auth.esw.esante.gouv.fr/auth/realms/esante-wallet/protocol/openid-connect/userinfo");
    ck_assert_int_eq(fx_warnings, 1);
    ck_assert_int_eq(fx_calls, 1);
    GOT(); /* and is not asked again for every log-in */
    ck_assert_int_eq(fx_calls, 1);
}
END_TEST

START_TEST(no_metadata_at_all)
{
    fx_conf.metadata_url = "none";
    fx_conf.authorization_endpoint = "https://op.example/a";
    fx_conf.token_endpoint = "https://op.example/t";
    fx_conf.jwks_uri = "https://op.example/j";
    fx_resolve();
    GOT();
    ck_assert_int_eq(md->from_static, 1);
    ck_assert_str_eq(md->token_endpoint, "https://op.example/t");
    ck_assert_int_eq(fx_calls, 0);
}
END_TEST

START_TEST(cached_for_a_day_or_as_the_provider_says)
{
    GOT();
    fx_now += apr_time_from_sec(86399);
    GOT();
    ck_assert_int_eq(fx_calls, 1);
    fx_now += apr_time_from_sec(1);
    fx_answer(METADATA_URL)->cache_control = "public, max-age=600";
    GOT();
    ck_assert_int_eq(fx_calls, 2);
    fx_now += apr_time_from_sec(599);
    GOT();
    ck_assert_int_eq(fx_calls, 2);
    fx_now += apr_time_from_sec(1);
    fx_answer(METADATA_URL)->cache_control = "no-cache, no-store";
    GOT();
    ck_assert_int_eq(fx_calls, 3);
    fx_now += apr_time_from_sec(299);
    GOT();
    ck_assert_int_eq(fx_calls, 3);
    fx_now += apr_time_from_sec(1);
    fx_answer(METADATA_URL)->cache_control = "max-age=99999999999999999999";
    GOT();
    ck_assert_int_eq(fx_calls, 4);
}
END_TEST

START_TEST(stale_while_the_provider_is_away)
{
    GOT();
    break_metadata();
    fx_now += apr_time_from_sec(86400);
    GOT();
    ck_assert_int_eq(md->from_static, 0);
    ck_assert_int_eq(fx_calls, 2);
    GOT();
    ck_assert_int_eq(fx_calls, 2); /* within the backoff */
    fx_now += apr_time_from_sec(2);
    GOT();
    ck_assert_int_eq(fx_calls, 3);
    fx_now += apr_time_from_sec(7 * 86400);
    REFUSED(EH_E_HTTP_TIMEOUT); /* a week is enough */
}
END_TEST

START_TEST(an_outage_costs_one_attempt_per_backoff)
{
    int i;

    break_metadata();
    for (i = 0; i < 200; i++)
        REFUSED(EH_E_HTTP_TIMEOUT);
    ck_assert_int_eq(fx_calls, 1);
    ck_assert_int_ge(eh_test_err.retry_after, 1);
    ck_assert_int_eq(fx_warnings, 1);
    fx_now += apr_time_from_sec(2); /* 2, 4, 8 … 60 s */
    REFUSED(EH_E_HTTP_TIMEOUT);
    ck_assert_int_eq(fx_calls, 2);
    fx_now += apr_time_from_sec(3);
    REFUSED(EH_E_HTTP_TIMEOUT);
    ck_assert_int_eq(fx_calls, 2);
    fx_now += apr_time_from_sec(1);
    REFUSED(EH_E_HTTP_TIMEOUT);
    ck_assert_int_eq(fx_calls, 3);
    for (i = 0; i < 10; i++) {
        fx_now += apr_time_from_sec(60);
        REFUSED(EH_E_HTTP_TIMEOUT);
    }
    ck_assert_int_eq(fx_calls, 13);
    fx_answer(METADATA_URL)->rv = APR_SUCCESS;
    fx_now += apr_time_from_sec(60);
    GOT();
    ck_assert_ptr_nonnull(strstr(fx_logged, "can be fetched again"));
}
END_TEST

START_TEST(a_clock_set_back_freezes_nothing)
{
    break_metadata();
    REFUSED(EH_E_HTTP_TIMEOUT);
    fx_answer(METADATA_URL)->rv = APR_SUCCESS;
    fx_now -= apr_time_from_sec(7 * 86400);
    GOT();
    fx_now -= apr_time_from_sec(7 * 86400);
    GOT();
    ck_assert_int_eq(fx_calls, 3); /* what was fetched in the future is fetched again */
}
END_TEST

/* ---------------------------------------------------------------- key sets */

static eh_jws_t *signed_by(eh_jwk_t *key, eh_alg_e alg)
{
    const char *jwt = fx_sign(key, alg, "{}");
    eh_jws_t *jws = NULL;

    ck_assert_rv_ok(eh_jws_split(&jws, jwt, strlen(jwt), eh_test_new_err(), eh_test_pool));
    return jws;
}

static apr_status_t verify(eh_jws_t *jws)
{
    GOT();
    return oidc_jwks_verify(fx_cache, &fx_ctx, fx_prov, md, jws, eh_test_new_err(), eh_test_pool);
}

static int asked(eh_jws_t *jws, eh_code_e expected)
{
    int before = fx_calls;
    apr_status_t rv = verify(jws);

    ck_assert_msg(eh_test_err.code == expected, "EH%04d (%d), wanted EH%04d", (int)eh_test_err.code, rv, (int)expected);
    return fx_calls - before;
}

START_TEST(oidcc_client_test_signing_key_rotation_just_before_signing)
{
    eh_jwk_t *old = fx_key("RSA", "old"), *next = fx_key("EC", "next"), *later = fx_key("EC", "later");

    fx_serve(JWKS_URL, fx_jwks(1, (eh_jwk_t *[]){old, NULL}));
    GOT();
    ck_assert_int_eq(asked(signed_by(old, EH_RS256), EH_E_NONE), 1);
    ck_assert_int_eq(asked(signed_by(old, EH_RS256), EH_E_NONE), 0);
    fx_serve(JWKS_URL, fx_jwks(1, (eh_jwk_t *[]){old, next, NULL}));
    ck_assert_int_eq(asked(signed_by(next, EH_ES256), EH_E_NONE), 1); /* the one refetch */
    /* A second unknown one within the throttle is refused without a storm, and found after it. */
    fx_serve(JWKS_URL, fx_jwks(1, (eh_jwk_t *[]){old, next, later, NULL}));
    ck_assert_int_eq(asked(signed_by(later, EH_ES256), EH_E_JWK), 0);
    ck_assert_int_eq(asked(signed_by(later, EH_ES256), EH_E_JWK), 0);
    fx_now += apr_time_from_sec(30);
    ck_assert_int_eq(asked(signed_by(later, EH_ES256), EH_E_NONE), 1);
}
END_TEST

START_TEST(an_unknown_kid_that_stays_unknown)
{
    fx_serve(JWKS_URL, fx_jwks(1, (eh_jwk_t *[]){fx_key("RSA", "old"), NULL}));
    GOT();
    ck_assert_int_eq(asked(signed_by(fx_key("EC", "stranger"), EH_ES256), EH_E_JWK), 2); /* first fetch and refetch */
    ck_assert_int_eq(asked(signed_by(fx_key("EC", "stranger"), EH_ES256), EH_E_JWK), 0);
}
END_TEST

START_TEST(rotation_without_kids)
{
    eh_jwk_t *old = fx_key("EC", ""), *next = fx_fresh_key("EC", "");

    fx_serve(JWKS_URL, fx_jwks(0, (eh_jwk_t *[]){old, NULL}));
    GOT();
    ck_assert_int_eq(asked(signed_by(old, EH_ES256), EH_E_NONE), 1);
    fx_serve(JWKS_URL, fx_jwks(0, (eh_jwk_t *[]){next, NULL}));
    ck_assert_int_eq(asked(signed_by(next, EH_ES256), EH_E_NONE), 1);
}
END_TEST

START_TEST(an_algorithm_that_is_not_allowed_causes_no_refetch)
{
    fx_serve(JWKS_URL, fx_jwks(1, (eh_jwk_t *[]){fx_key("RSA", "old"), NULL}));
    GOT();
    ck_assert_int_eq(asked(signed_by(fx_key("RSA", "old"), EH_RS256), EH_E_NONE), 1);
    ck_assert_int_eq(asked(signed_by(fx_key("RSA", "old"), EH_RS512), EH_E_JWS), 0);
}
END_TEST

START_TEST(oidcc_client_test_discovery_jwks_uri_keys)
{
    static const char *const bad[] = {"", "{}", "{\"keys\":[]}", "{\"keys\":{}}",
                                      "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AA\"}]}"};
    eh_jws_t *jws = signed_by(fx_key("RSA", "old"), EH_RS256);
    apr_size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        fx_serve(JWKS_URL, bad[i]);
        ck_assert_rv_ok(oidc_cache_create(&fx_cache, eh_test_pool));
        ck_assert_int_ne(verify(jws), APR_SUCCESS);
    }
    fx_serve(JWKS_URL, fx_jwks(1, (eh_jwk_t *[]){fx_key("RSA", "old"), NULL}));
    ck_assert_rv_ok(oidc_cache_create(&fx_cache, eh_test_pool));
    GOT();
    ck_assert_int_eq(asked(jws, EH_E_NONE), 1);
}
END_TEST

START_TEST(key_sets_are_kept_for_an_hour_and_served_stale_for_a_day)
{
    eh_jws_t *jws = signed_by(fx_key("RSA", "old"), EH_RS256);

    fx_serve(JWKS_URL, fx_jwks(1, (eh_jwk_t *[]){fx_key("RSA", "old"), NULL}));
    GOT();
    ck_assert_int_eq(asked(jws, EH_E_NONE), 1);
    fx_now += apr_time_from_sec(3599);
    ck_assert_int_eq(asked(jws, EH_E_NONE), 0);
    fx_now += apr_time_from_sec(1);
    fx_answer(JWKS_URL)->status = 503;
    ck_assert_int_eq(asked(jws, EH_E_NONE), 1);
    fx_now += apr_time_from_sec(86400);
    ck_assert_int_ne(verify(jws), APR_SUCCESS);
    ck_assert_int_eq(eh_test_err.code, EH_E_HTTP_STATUS);
}
END_TEST

/* A set in use lives on when a newer one takes its place: the sanitizer would tell. */
START_TEST(a_key_set_in_use_outlives_its_replacement)
{
    const eh_jwks_t *set;
    apr_pool_t *request;

    fx_serve(JWKS_URL, fx_jwks(1, (eh_jwk_t *[]){fx_key("RSA", "old"), NULL}));
    GOT();
    apr_pool_create(&request, eh_test_pool);
    ck_assert_rv_ok(oidc_jwks_get(&set, fx_cache, &fx_ctx, fx_prov, md, eh_test_new_err(), request));
    fx_now += apr_time_from_sec(3600);
    fx_serve(JWKS_URL, fx_jwks(1, (eh_jwk_t *[]){fx_key("EC", "next"), NULL}));
    ck_assert_int_eq(asked(signed_by(fx_key("EC", "next"), EH_ES256), EH_E_NONE), 1);
    ck_assert_int_eq(eh_jwks_has(set, "old"), 1);
    apr_pool_destroy(request);
}
END_TEST

/* ---------------------------------------------------------------- many at once */

#define THREADS 16

static int successes, failures;

static void *APR_THREAD_FUNC ask(apr_thread_t *thread, void *baton)
{
    const oidc_metadata_t *mine;
    eh_err_t err = {0};
    apr_pool_t *pool;
    apr_status_t rv;

    apr_pool_create_unmanaged_ex(&pool, NULL, NULL);
    rv = oidc_metadata_get(&mine, fx_cache, &fx_ctx, fx_prov, &err, pool);
    apr_thread_mutex_lock(fx_mutex);
    if (rv == APR_SUCCESS && !strcmp(mine->token_endpoint, "https://op.example/token")) {
        successes++;
    } else {
        failures++;
    }
    apr_thread_mutex_unlock(fx_mutex);
    apr_pool_destroy(pool);
    return NULL;
}

static void ask_at_once(void)
{
    apr_thread_t *threads[THREADS];
    apr_status_t ignored;
    int i;

    successes = failures = 0;
    for (i = 0; i < THREADS; i++)
        ck_assert_rv_ok(apr_thread_create(&threads[i], NULL, ask, NULL, eh_test_pool));
    for (i = 0; i < THREADS; i++)
        apr_thread_join(&ignored, threads[i]);
}

START_TEST(sixteen_at_once_cause_one_fetch)
{
    fx_slow = apr_time_from_msec(200);
    ask_at_once();
    ck_assert_int_eq(successes, THREADS);
    ck_assert_int_eq(fx_calls, 1);
}
END_TEST

START_TEST(sixteen_at_once_during_an_outage_cause_one_fetch)
{
    fx_slow = apr_time_from_msec(200);
    break_metadata();
    ask_at_once();
    ck_assert_int_eq(failures, THREADS);
    ck_assert_int_eq(fx_calls, 1);
}
END_TEST

START_TEST(who_has_a_stale_answer_does_not_wait)
{
    apr_time_t began;
    apr_thread_t *thread;
    apr_status_t ignored;

    GOT();
    fx_now += apr_time_from_sec(86400);
    fx_slow = apr_time_from_msec(1500);
    successes = failures = 0;
    ck_assert_rv_ok(apr_thread_create(&thread, NULL, ask, NULL, eh_test_pool));
    apr_sleep(apr_time_from_msec(200)); /* it is fetching now */
    began = apr_time_now();
    GOT();
    ck_assert(apr_time_now() - began < apr_time_from_msec(700));
    apr_thread_join(&ignored, thread);
    ck_assert_int_eq(successes, 1);
    ck_assert_int_eq(fx_calls, 2);
}
END_TEST

START_TEST(the_status_names_no_secret)
{
    json_t *status;
    char *text;

    GOT();
    status = oidc_cache_status(fx_cache, &fx_ctx);
    ck_assert_uint_eq(json_array_size(status), 1);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(status, 0), "provider")), "op");
    ck_assert(json_is_true(json_object_get(json_array_get(status, 0), "fresh")));
    text = json_dumps(status, 0);
    ck_assert_ptr_null(strstr(text, "s3cr"));
    free(text);
    json_decref(status);
}
END_TEST

/* ---------------------------------------------------------------- configuration */

static const char *sentence_of(const char *public_url, int allow_http)
{
    const char *sentence = NULL;
    oidc_provider_t *prov;
    apr_status_t rv = oidc_provider_resolve(&prov, &fx_conf, public_url, allow_http, &sentence, eh_test_pool);

    ck_assert_int_eq(rv == APR_SUCCESS, sentence == NULL);
    return sentence ? sentence : "";
}

#define SAYS(part)                                                                \
    do {                                                                          \
        const char *sentence = sentence_of(FX_PUBLIC, 0);                         \
        ck_assert_msg(strstr(sentence, part), "'%s' lacks '%s'", sentence, part); \
        ck_assert_ptr_null(strstr(sentence, "s3cr"));                             \
    } while (0)

START_TEST(sentences_of_configtest)
{
    fx_conf.client_id = NULL;
    SAYS("EHealthClientID is missing");
    fx_conf.client_id = "client-1";
    fx_conf.client_secret = NULL;
    SAYS("EHealthClientSecret is missing");
    fx_conf.client_secret = "s3cr\xc2\xa0";
    SAYS("EHealthClientSecret is empty or has a character that is not printable");
    fx_conf.client_secret = "s3cr";
    fx_conf.client_auth = "client_secret_jwt";
    SAYS("client_secret_basic, client_secret_post, none, private_key_jwt, tls_client_auth");
    fx_conf.client_auth = "private_key_jwt";
    SAYS("EHealthClientKey is missing");
    fx_conf.client_key = fx_key("EC", "k");
    fx_conf.client_key_alg = EH_RS256;
    SAYS("does not fit the key");
    fx_conf.client_auth = "tls_client_auth";
    SAYS("EHealthClientCertificate is missing");
    fx_conf.client_auth = NULL;
    fx_conf.client_key = NULL;
    fx_conf.preset = "psc";
    SAYS("EHealthPreset psc is not known");
    SAYS("prosanteconnect");
    fx_conf.preset = "prosanteconnect";
    fx_conf.environment = "bas";
    SAYS("production, sandbox");
    fx_conf.preset = NULL;
    SAYS("EHealthPreset is missing");
    SAYS("iamconnect, ");
    fx_conf.preset = "oidc";
    fx_conf.environment = NULL;
    fx_conf.issuer = NULL;
    SAYS("EHealthIssuer is missing");
    fx_conf.issuer = "http://op.example";
    SAYS("EHealthIssuer must be an https:// URL");
    fx_conf.issuer = FX_ISSUER;
    fx_conf.metadata_url = "none";
    SAYS("EHealthAuthorizationEndpoint is missing");
    fx_conf.metadata_url = NULL;
    fx_conf.scope = "profile openidx";
    SAYS("EHealthScope must contain openid");
    fx_conf.scope = "profile openid";
    fx_conf.leeway = 601;
    SAYS("EHealthLeeway");
    fx_conf.leeway = -1;
    fx_conf.session_max = 59;
    SAYS("EHealthSession");
    fx_conf.session_max = -1;
    fx_conf.state_timeout = 5;
    SAYS("EHealthStateTimeout");
    fx_conf.state_timeout = -1;
    fx_conf.callback_path = "callback";
    SAYS("EHealthCallbackPath");
    fx_conf.callback_path = "/a/../b";
    SAYS("EHealthCallbackPath");
    fx_conf.callback_path = "/oauth2/callback";
    fx_conf.name = "Bad_Name";
    SAYS("a-z");
    fx_conf.name = "op";
    ck_assert_str_eq(sentence_of(FX_PUBLIC, 0), "");
}
END_TEST

START_TEST(public_urls)
{
    static const char *const bad[] = {"https://portal.example/",
                                      "https://portal.example/app",
                                      "http://portal.example",
                                      "portal.example",
                                      "https://user@portal.example",
                                      "https://portal.example?x",
                                      "https://",
                                      "https://portal.example:port",
                                      "https://portal.example:99999"};
    apr_size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ck_assert_msg(strstr(sentence_of(bad[i], 0), "EHealthPublicURL"), "accepted %s", bad[i]);
    }
    ck_assert_ptr_nonnull(strstr(sentence_of(NULL, 0), "EHealthPublicURL is missing"));
    ck_assert_str_eq(sentence_of("https://portal.example:8443", 0), "");
    ck_assert_str_eq(sentence_of("http://127.0.0.1:8080", 0), "");
    ck_assert_str_eq(sentence_of("http://localhost:8080", 0), "");
    ck_assert_str_ne(sentence_of("http://127.0.0.1.evil.example", 0), "");
}
END_TEST

START_TEST(urls_that_would_be_called)
{
    static const char *const good[] = {"https://a", "https://a.b:443/c?d=e", "https://[2001:db8::1]/x"};
    static const char *const bad[] = {"http://a/",
                                      "ftp://a/",
                                      "https:///x",
                                      "https://a b/",
                                      "https://a/\n",
                                      "https://u@a/",
                                      "https://a/#f",
                                      "https://a\\b/",
                                      "//a/",
                                      "a",
                                      "",
                                      "https://a:/",
                                      "https://[::1",
                                      "https://a_b/",
                                      "https://a:1:2/",
                                      "HTTPS://a/"};
    apr_size_t i;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        ck_assert_msg(oidc_url_ok(good[i], 0), "%s", good[i]);
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(!oidc_url_ok(bad[i], 0), "%s", bad[i]);
    ck_assert(!oidc_url_ok(NULL, 0));
    ck_assert(oidc_url_ok("http://127.0.0.1:9000/x", 1));
    ck_assert(oidc_url_ok("http://[::1]:9000/x", 1));
    ck_assert(oidc_url_ok("http://localhost/x", 1));
    ck_assert(!oidc_url_ok("http://10.0.0.1/x", 1));
    ck_assert(!oidc_url_ok("http://localhost.evil.example/x", 1));
    ck_assert(!oidc_url_ok("http://127.0.0.1@evil.example/x", 1));
}
END_TEST

/* Scenario 29: acceptance and production mixed up. */
START_TEST(mixed_environments_are_named)
{
    oidc_conf_init(&fx_conf, "be");
    fx_conf.preset = "iamconnect";
    fx_conf.client_id = "c";
    fx_conf.issuer = "https://api-acpt.ehealth.fgov.be/auth/realms/healthcare";
    SAYS("https://api-acpt.ehealth.fgov.be/auth/realms/healthcare");
    SAYS("https://api.ehealth.fgov.be/auth/realms/healthcare");
    fx_conf.environment = "acceptance";
    ck_assert_str_eq(sentence_of(FX_PUBLIC, 0), "");
    fx_conf.issuer = NULL;
    fx_conf.token_endpoint = "https://api.ehealth.fgov.be/auth/realms/healthcare/protocol/openid-connect/token";
    SAYS("EHealthTokenEndpoint");
    SAYS("production");
    fx_conf.token_endpoint = NULL;
    ck_assert_str_eq(sentence_of(FX_PUBLIC, 0), "");
    oidc_conf_init(&fx_conf, "fr");
    fx_conf.preset = "prosanteconnect";
    fx_conf.client_id = "c";
    fx_conf.client_secret = "s";
    fx_conf.authorization_endpoint = "https://wallet.bas.psc.esante.gouv.fr/auth";
    SAYS("sandbox");
}
END_TEST

START_TEST(resolved_values)
{
    ck_assert_str_eq(fx_prov->redirect_uri, FX_PUBLIC "/.ehealth/callback/op");
    ck_assert_str_eq(fx_prov->post_logout_uri, FX_PUBLIC "/.ehealth/logged-out");
    ck_assert_str_eq(fx_prov->session_cookie, "__Host-eh-s-op");
    ck_assert_str_eq(fx_prov->metadata_url, METADATA_URL);
    ck_assert_int_eq(fx_prov->client_auth, OIDC_AUTH_BASIC);
    ck_assert_int_eq(fx_prov->policy.acr_missing_ok, 1);
    fx_conf.issuer = "https://op.example/";
    fx_conf.client_secret = NULL;
    fx_conf.client_key = fx_key("ED25519", "k");
    fx_conf.acr_values = "none";
    fx_resolve();
    ck_assert_str_eq(fx_prov->metadata_url, "https://op.example/.well-known/openid-configuration");
    ck_assert_int_eq(fx_prov->client_auth, OIDC_AUTH_PRIVATE_KEY_JWT);
    ck_assert_int_eq(fx_prov->client_key_alg, EH_EDDSA);
    ck_assert_ptr_null(fx_prov->acr_values);
}
END_TEST

START_TEST(parameters_that_are_ours)
{
    apr_array_header_t *params = apr_array_make(eh_test_pool, 1, sizeof(oidc_param_t));
    oidc_param_t *param = apr_array_push(params);

    param->name = "redirect_uri";
    param->value = "x";
    fx_conf.auth_params = params;
    SAYS("EHealthAuthParam redirect_uri");
    param->name = "prompt";
    *(oidc_param_t *)apr_array_push(params) = *param;
    SAYS("twice");
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("oidc_metadata");
    TCase *tc = tcase_create("metadata");

    tcase_add_checked_fixture(tc, fx_setup, eh_test_teardown);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(s, tc);
    tcase_add_test(tc, oidcc_client_test_discovery_openid_config);
    tcase_add_test(tc, oidcc_client_test_discovery_issuer_mismatch);
    tcase_add_test(tc, a_wrong_issuer_is_not_papered_over_by_the_static_table);
    tcase_add_test(tc, documents_that_cannot_be_used);
    tcase_add_test(tc, a_document_larger_than_its_cap);
    tcase_add_test(tc, the_administrator_has_the_last_word);
    tcase_add_test(tc, the_preset_steps_in_when_metadata_is_away);
    tcase_add_test(tc, no_metadata_at_all);
    tcase_add_test(tc, cached_for_a_day_or_as_the_provider_says);
    tcase_add_test(tc, stale_while_the_provider_is_away);
    tcase_add_test(tc, an_outage_costs_one_attempt_per_backoff);
    tcase_add_test(tc, a_clock_set_back_freezes_nothing);
    tcase_add_test(tc, oidcc_client_test_signing_key_rotation_just_before_signing);
    tcase_add_test(tc, an_unknown_kid_that_stays_unknown);
    tcase_add_test(tc, rotation_without_kids);
    tcase_add_test(tc, an_algorithm_that_is_not_allowed_causes_no_refetch);
    tcase_add_test(tc, oidcc_client_test_discovery_jwks_uri_keys);
    tcase_add_test(tc, key_sets_are_kept_for_an_hour_and_served_stale_for_a_day);
    tcase_add_test(tc, a_key_set_in_use_outlives_its_replacement);
    tcase_add_test(tc, sixteen_at_once_cause_one_fetch);
    tcase_add_test(tc, sixteen_at_once_during_an_outage_cause_one_fetch);
    tcase_add_test(tc, who_has_a_stale_answer_does_not_wait);
    tcase_add_test(tc, the_status_names_no_secret);
    tcase_add_test(tc, sentences_of_configtest);
    tcase_add_test(tc, public_urls);
    tcase_add_test(tc, urls_that_would_be_called);
    tcase_add_test(tc, mixed_environments_are_named);
    tcase_add_test(tc, resolved_values);
    tcase_add_test(tc, parameters_that_are_ours);
    return s;
}

int main(void) { return eh_test_main(suite()); }
