/* SPDX-License-Identifier: Apache-2.0 */
/* The state of a log-in: sealed, bound to the browser, derived secrets; and the URLs made of it. */
#include "oidc_test.h"

#define BINDING "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define OTHER "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA"

static const char *sealed(const char *target, int step)
{
    oidc_state_t *st;
    const char *token = NULL;

    ck_assert_rv_ok(oidc_state_make(&st, &fx_ctx, fx_prov, target, step, eh_test_new_err(), eh_test_pool));
    ck_assert_rv_ok(oidc_state_seal(&token, &fx_ctx, st, BINDING, &eh_test_err, eh_test_pool));
    return token;
}

static oidc_state_t *opened(const char *token)
{
    oidc_state_t *st = NULL;

    ck_assert_rv_ok(oidc_state_open(&st, &fx_ctx, fx_prov, token, BINDING, eh_test_new_err(), eh_test_pool));
    return st;
}

static eh_code_e refused(const char *token, const char *binding)
{
    oidc_state_t *st = NULL;

    ck_assert_int_ne(oidc_state_open(&st, &fx_ctx, fx_prov, token, binding, eh_test_new_err(), eh_test_pool),
                     APR_SUCCESS);
    return eh_test_err.code;
}

START_TEST(a_state_comes_back_as_it_went)
{
    oidc_state_t *st = opened(sealed("/portal/patients?id=4&x=%20y", 1));

    ck_assert_str_eq(st->target, "/portal/patients?id=4&x=%20y");
    ck_assert_str_eq(st->provider, "op");
    ck_assert_str_eq(st->host, FX_PUBLIC);
    ck_assert_int_eq(st->step, 1);
    ck_assert(st->issued == apr_time_from_sec(FX_EPOCH));
    ck_assert_uint_eq(st->key_id, 1);
    ck_assert_uint_eq(strlen(st->id), 43);
}
END_TEST

START_TEST(a_state_reveals_nothing)
{
    const char *token = sealed("/portal/secret-ward", 0);

    ck_assert_ptr_null(strstr(token, "ward"));
    ck_assert_uint_eq(strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), strlen(token));
    ck_assert_str_ne(token, sealed("/portal/secret-ward", 0));
}
END_TEST

START_TEST(unsafe_targets_become_the_root)
{
    static const char *const bad[] = {"https://evil.example/",
                                      "//evil.example",
                                      "/\\evil.example",
                                      "\\\\evil",
                                      "",
                                      "portal",
                                      "javascript:alert(1)",
                                      "/a\r\nSet-Cookie: x=1",
                                      "/a\tb",
                                      ("/\x1f"
                                       "x")};
    char *huge = apr_palloc(eh_test_pool, 2002);
    apr_size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_str_eq(opened(sealed(bad[i], 0))->target, "/");
    ck_assert_str_eq(opened(sealed(NULL, 0))->target, "/");
    memset(huge, 'a', 2001);
    huge[0] = '/';
    huge[2001] = '\0';
    ck_assert_str_eq(opened(sealed(huge, 0))->target, "/");
    huge[2000] = '\0';
    ck_assert_str_eq(opened(sealed(huge, 0))->target, huge);
    ck_assert_uint_lt(strlen(sealed(huge, 0)), 4096);
}
END_TEST

START_TEST(another_browser_does_not_open_it)
{
    const char *token = sealed("/", 0);

    ck_assert_int_eq(refused(token, OTHER), EH_E_LOGIN_STATE);
    ck_assert_int_eq(refused(token, NULL), EH_E_LOGIN_STATE);
    ck_assert_int_eq(refused(token, ""), EH_E_LOGIN_STATE);
    ck_assert_int_eq(refused(token, "AAAA"), EH_E_LOGIN_STATE);
    opened(token);
}
END_TEST

START_TEST(every_changed_character_is_noticed)
{
    const char *token = sealed("/portal", 0);
    apr_size_t i, n = strlen(token);

    for (i = 0; i < n; i++) {
        char *changed = apr_pstrdup(eh_test_pool, token);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        ck_assert_int_eq(refused(changed, BINDING), EH_E_LOGIN_STATE);
        ck_assert_int_eq(refused(apr_pstrmemdup(eh_test_pool, token, i), BINDING), EH_E_LOGIN_STATE);
    }
    ck_assert_int_eq(refused(apr_pstrcat(eh_test_pool, token, "A", NULL), BINDING), EH_E_LOGIN_STATE);
    ck_assert_int_eq(refused(apr_pstrcat(eh_test_pool, token, "=", NULL), BINDING), EH_E_LOGIN_STATE);
    ck_assert_int_eq(refused(NULL, BINDING), EH_E_LOGIN_STATE);
    ck_assert_int_eq(refused("", BINDING), EH_E_LOGIN_STATE);
}
END_TEST

START_TEST(another_provider_or_host_does_not_open_it)
{
    const char *token = sealed("/", 0);

    fx_conf.name = "op2";
    fx_resolve();
    ck_assert_int_eq(refused(token, BINDING), EH_E_LOGIN_STATE);
    fx_conf.name = "op";
    fx_resolve();
    fx_ctx.public_url = "https://other.example";
    ck_assert_int_eq(refused(token, BINDING), EH_E_LOGIN_STATE);
    fx_ctx.public_url = FX_PUBLIC;
    opened(token);
}
END_TEST

START_TEST(an_old_state_has_expired_and_keeps_its_target)
{
    const char *token = sealed("/portal", 0);
    oidc_state_t *st = NULL;

    fx_now += apr_time_from_sec(900);
    opened(token);
    fx_now += 1;
    ck_assert_int_ne(oidc_state_open(&st, &fx_ctx, fx_prov, token, BINDING, eh_test_new_err(), eh_test_pool),
                     APR_SUCCESS);
    ck_assert_int_eq(eh_test_err.code, EH_E_LOGIN_EXPIRED);
    ck_assert_ptr_nonnull(st);
    ck_assert_str_eq(st->target, "/portal");
    fx_now -= apr_time_from_sec(3600);
    ck_assert_int_eq(refused(token, BINDING), EH_E_LOGIN_STATE); /* from the future */
}
END_TEST

START_TEST(another_purpose_or_key_does_not_open_it)
{
    static const char other_ring[] = "1 AQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n";
    eh_keyring_t *other;
    const char *token = sealed("/", 0);

    ck_assert_rv_ok(eh_keyring_parse(&other, other_ring, sizeof(other_ring) - 1, eh_test_new_err(), eh_test_pool));
    fx_ctx.keys = other;
    ck_assert_int_eq(refused(token, BINDING), EH_E_LOGIN_STATE);
}
END_TEST

START_TEST(a_rotation_in_between_changes_nothing)
{
    static const char rotated[] = "2 AQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n"
                                  "1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n";
    eh_keyring_t *ring;
    const char *token = sealed("/", 0), *nonce, *verifier;
    oidc_state_t *st = opened(token);

    nonce = oidc_state_nonce(&fx_ctx, st, eh_test_pool);
    verifier = oidc_state_verifier(&fx_ctx, st, eh_test_pool);
    ck_assert_rv_ok(eh_keyring_parse(&ring, rotated, sizeof(rotated) - 1, eh_test_new_err(), eh_test_pool));
    fx_ctx.keys = ring;
    st = opened(token);
    ck_assert_str_eq(oidc_state_nonce(&fx_ctx, st, eh_test_pool), nonce);
    ck_assert_str_eq(oidc_state_verifier(&fx_ctx, st, eh_test_pool), verifier);
    ck_assert_uint_eq(opened(sealed("/", 0))->key_id, 2);
}
END_TEST

START_TEST(nonce_and_verifier_are_secrets_of_one_attempt)
{
    oidc_state_t *a = opened(sealed("/", 0)), *b = opened(sealed("/", 0));
    const char *nonce = oidc_state_nonce(&fx_ctx, a, eh_test_pool);
    const char *verifier = oidc_state_verifier(&fx_ctx, a, eh_test_pool);

    ck_assert_uint_eq(strlen(verifier), 43); /* RFC 7636 §4.1 asks for 43 to 128 */
    ck_assert_str_ne(nonce, verifier);
    ck_assert_str_ne(nonce, oidc_state_nonce(&fx_ctx, b, eh_test_pool));
    ck_assert_str_ne(verifier, oidc_state_verifier(&fx_ctx, b, eh_test_pool));
    ck_assert_str_ne(oidc_state_digest(a, eh_test_pool), oidc_state_digest(b, eh_test_pool));
    a->key_id = 77;
    ck_assert_ptr_null(oidc_state_nonce(&fx_ctx, a, eh_test_pool));
    ck_assert_ptr_null(oidc_state_verifier(&fx_ctx, a, eh_test_pool));
}
END_TEST

START_TEST(challenge_of_rfc_7636_appendix_b)
{
    ck_assert_str_eq(oidc_pkce_challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", eh_test_pool),
                     "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
}
END_TEST

START_TEST(binding_values)
{
    const char *a, *b;

    ck_assert_rv_ok(oidc_binding_new(&a, &fx_ctx, &eh_test_err, eh_test_pool));
    ck_assert_rv_ok(oidc_binding_new(&b, &fx_ctx, &eh_test_err, eh_test_pool));
    ck_assert_str_ne(a, b);
    ck_assert(oidc_binding_valid(a));
    ck_assert(!oidc_binding_valid(NULL));
    ck_assert(!oidc_binding_valid(""));
    ck_assert(!oidc_binding_valid("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="));
    ck_assert(!oidc_binding_valid("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));
    ck_assert_str_eq(oidc_binding_cookie(1), "__Host-eh-b");
    ck_assert_str_eq(oidc_binding_cookie(0), "eh-b");
}
END_TEST

/* ---------------------------------------------------------------- authorization URL */

static apr_table_t *query_of(const char *url, const char *endpoint)
{
    apr_table_t *t;
    const char *q = strchr(url, '?');

    ck_assert_ptr_nonnull(q);
    ck_assert_str_eq(apr_pstrmemdup(eh_test_pool, url, (apr_size_t)(q - url)), endpoint);
    ck_assert_rv_ok(eh_form_parse(&t, q + 1, strlen(q + 1), 32, eh_test_pool));
    return t;
}

START_TEST(authorization_request_of_pro_sante_connect)
{
    oidc_state_t *st;
    apr_table_t *t;
    const char *url;

    oidc_conf_init(&fx_conf, "psc");
    fx_conf.preset = "prosanteconnect";
    fx_conf.environment = "sandbox";
    fx_conf.client_id = "ans-poc-bas";
    fx_conf.client_secret = "x";
    fx_resolve();
    /* Its metadata is out of reach: the static table serves. */
    ck_assert_rv_ok(
        oidc_authorize(&url, &fx_ctx, fx_cache, fx_prov, "/portal", 0, BINDING, &eh_test_err, eh_test_pool));
    t = query_of(url, "https://wallet.bas.psc.esante.gouv.fr/auth");
    ck_assert_int_eq(apr_table_elts(t)->nelts, 9);
    ck_assert_str_eq(apr_table_get(t, "response_type"), "code");
    ck_assert_str_eq(apr_table_get(t, "client_id"), "ans-poc-bas");
    ck_assert_str_eq(apr_table_get(t, "redirect_uri"), FX_PUBLIC "/.ehealth/callback/psc");
    ck_assert_str_eq(apr_table_get(t, "scope"), "openid scope_all");
    ck_assert_str_eq(apr_table_get(t, "acr_values"), "eidas1");
    ck_assert_str_eq(apr_table_get(t, "code_challenge_method"), "S256");
    ck_assert_ptr_nonnull(strstr(url, "scope=openid%20scope_all&"));
    st = opened(apr_table_get(t, "state"));
    ck_assert_str_eq(st->target, "/portal");
    ck_assert_str_eq(apr_table_get(t, "nonce"), oidc_state_nonce(&fx_ctx, st, eh_test_pool));
    ck_assert_str_eq(apr_table_get(t, "code_challenge"),
                     oidc_pkce_challenge(oidc_state_verifier(&fx_ctx, st, eh_test_pool), eh_test_pool));
    ck_assert_ptr_null(strstr(url, oidc_state_verifier(&fx_ctx, st, eh_test_pool)));
}
END_TEST

START_TEST(authorization_request_with_extra_parameters)
{
    apr_array_header_t *params = apr_array_make(eh_test_pool, 2, sizeof(oidc_param_t));
    oidc_param_t *param;
    apr_table_t *t;
    const char *url;

    param = apr_array_push(params);
    param->name = "kc_idp_hint";
    param->value = "hôpital & co";
    param = apr_array_push(params);
    param->name = "prompt";
    param->value = "consent";
    fx_conf.auth_params = params;
    fx_conf.authorization_endpoint = "https://op.example/auth?tenant=7";
    fx_resolve();
    ck_assert_rv_ok(oidc_authorize(&url, &fx_ctx, fx_cache, fx_prov, "/", 0, BINDING, &eh_test_err, eh_test_pool));
    t = query_of(url, "https://op.example/auth");
    ck_assert_str_eq(apr_table_get(t, "tenant"), "7");
    ck_assert_str_eq(apr_table_get(t, "kc_idp_hint"), "hôpital & co");
    ck_assert_str_eq(apr_table_get(t, "prompt"), "consent");
    ck_assert_ptr_null(apr_table_get(t, "acr_values"));
    /* A forced log-in replaces the administrator's prompt. */
    ck_assert_rv_ok(oidc_authorize(&url, &fx_ctx, fx_cache, fx_prov, "/", 1, BINDING, &eh_test_err, eh_test_pool));
    t = query_of(url, "https://op.example/auth");
    ck_assert_str_eq(apr_table_get(t, "prompt"), "login");
    ck_assert_int_eq(opened(apr_table_get(t, "state"))->step, 1);
}
END_TEST

START_TEST(authorization_request_needs_a_binding)
{
    const char *url;

    ck_assert_int_ne(oidc_authorize(&url, &fx_ctx, fx_cache, fx_prov, "/", 0, NULL, &eh_test_err, eh_test_pool),
                     APR_SUCCESS);
}
END_TEST

/* ---------------------------------------------------------------- log-out */

START_TEST(log_out_url_and_its_return)
{
    apr_table_t *t;
    const char *url, *state;

    ck_assert_rv_ok(oidc_logout_url(&url, &fx_ctx, fx_cache, fx_prov, "a.b.c", &eh_test_err, eh_test_pool));
    t = query_of(url, "https://op.example/logout");
    ck_assert_str_eq(apr_table_get(t, "id_token_hint"), "a.b.c");
    ck_assert_str_eq(apr_table_get(t, "post_logout_redirect_uri"), FX_PUBLIC "/.ehealth/logged-out");
    ck_assert_str_eq(apr_table_get(t, "client_id"), "client-1");
    state = apr_psprintf(eh_test_pool, "state=%s", apr_table_get(t, "state"));
    ck_assert_int_eq(oidc_logout_state_ok(&fx_ctx, fx_prov, state, eh_test_pool), 1);
    ck_assert_int_eq(oidc_logout_state_ok(&fx_ctx, fx_prov, "", eh_test_pool), 1);
    ck_assert_int_eq(oidc_logout_state_ok(&fx_ctx, fx_prov, NULL, eh_test_pool), 1);
    ck_assert_int_eq(oidc_logout_state_ok(&fx_ctx, fx_prov, "session_state=x", eh_test_pool), 1);
}
END_TEST

/* oidcc-client-test-rp-init-logout-other-state */
START_TEST(oidcc_client_test_rp_init_logout_other_state)
{
    apr_table_t *t;
    const char *url, *state, *q;
    char *changed;

    ck_assert_rv_ok(oidc_logout_url(&url, &fx_ctx, fx_cache, fx_prov, NULL, &eh_test_err, eh_test_pool));
    t = query_of(url, "https://op.example/logout");
    ck_assert_ptr_null(apr_table_get(t, "id_token_hint"));
    state = apr_table_get(t, "state");
    q = apr_psprintf(eh_test_pool, "state=%s", state);
    changed = apr_pstrdup(eh_test_pool, q);
    changed[strlen(changed) - 5] ^= 1;
    ck_assert_int_eq(oidc_logout_state_ok(&fx_ctx, fx_prov, changed, eh_test_pool), 0);
    ck_assert_int_eq(oidc_logout_state_ok(&fx_ctx, fx_prov, "state=", eh_test_pool), 0);
    ck_assert_int_eq(oidc_logout_state_ok(&fx_ctx, fx_prov, "state=xyz", eh_test_pool), 0);
    ck_assert_int_eq(oidc_logout_state_ok(&fx_ctx, fx_prov, "state=.", eh_test_pool), 0);
    ck_assert_int_eq(oidc_logout_state_ok(&fx_ctx, fx_prov, "state=99999999999999999999.x", eh_test_pool), 0);
    ck_assert_int_eq(oidc_logout_state_ok(&fx_ctx, fx_prov, apr_psprintf(eh_test_pool, "%s&%s", q, q), eh_test_pool),
                     0);
    fx_now += apr_time_from_sec(601);
    ck_assert_int_eq(oidc_logout_state_ok(&fx_ctx, fx_prov, q, eh_test_pool), 0);
}
END_TEST

START_TEST(a_provider_without_end_session_endpoint)
{
    const char *url = "x";

    fx_serve(FX_ISSUER "/.well-known/openid-configuration",
             "{\"issuer\":\"" FX_ISSUER "\",\"authorization_endpoint\":\"https://op.example/auth\",\"token_endpoint\":"
             "\"https://op.example/token\",\"jwks_uri\":\"https://op.example/jwks\"}");
    ck_assert_rv_ok(oidc_logout_url(&url, &fx_ctx, fx_cache, fx_prov, "a.b.c", &eh_test_err, eh_test_pool));
    ck_assert_ptr_null(url);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("oidc_state");
    TCase *tc = tcase_create("state");

    tcase_add_checked_fixture(tc, fx_setup, eh_test_teardown);
    suite_add_tcase(s, tc);
    tcase_add_test(tc, a_state_comes_back_as_it_went);
    tcase_add_test(tc, a_state_reveals_nothing);
    tcase_add_test(tc, unsafe_targets_become_the_root);
    tcase_add_test(tc, another_browser_does_not_open_it);
    tcase_add_test(tc, every_changed_character_is_noticed);
    tcase_add_test(tc, another_provider_or_host_does_not_open_it);
    tcase_add_test(tc, an_old_state_has_expired_and_keeps_its_target);
    tcase_add_test(tc, another_purpose_or_key_does_not_open_it);
    tcase_add_test(tc, a_rotation_in_between_changes_nothing);
    tcase_add_test(tc, nonce_and_verifier_are_secrets_of_one_attempt);
    tcase_add_test(tc, challenge_of_rfc_7636_appendix_b);
    tcase_add_test(tc, binding_values);
    tcase_add_test(tc, authorization_request_of_pro_sante_connect);
    tcase_add_test(tc, authorization_request_with_extra_parameters);
    tcase_add_test(tc, authorization_request_needs_a_binding);
    tcase_add_test(tc, log_out_url_and_its_return);
    tcase_add_test(tc, oidcc_client_test_rp_init_logout_other_state);
    tcase_add_test(tc, a_provider_without_end_session_endpoint);
    return s;
}

int main(void) { return eh_test_main(suite()); }
