/* SPDX-License-Identifier: Apache-2.0 */
/* The callback from query to identity against a provider made of a table. */
#include "oidc_test.h"

#define BINDING "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define TOKEN_URL "https://op.example/token"
#define USERINFO_URL "https://op.example/userinfo"
#define METADATA_URL FX_ISSUER "/.well-known/openid-configuration"
#define ACCESS "access-token-1"
#define REFRESH "refresh-token-1"

static eh_jwk_t *rsa;
static oidc_state_t *attempt;
static const char *state, *nonce;
static json_t *claims;
static oidc_login_t *login;

static void start(int step)
{
    ck_assert_rv_ok(oidc_state_make(&attempt, &fx_ctx, fx_prov, "/portal", step, eh_test_new_err(), eh_test_pool));
    ck_assert_rv_ok(oidc_state_seal(&state, &fx_ctx, attempt, BINDING, &eh_test_err, eh_test_pool));
    nonce = oidc_state_nonce(&fx_ctx, attempt, eh_test_pool);
    json_object_set_new(claims, "nonce", json_string(nonce));
}

static const char *dumped(json_t *j)
{
    char *dump = json_dumps(j, JSON_COMPACT);
    const char *s = apr_pstrdup(eh_test_pool, dump);

    free(dump);
    return s;
}

/** The token endpoint answers with the claims as they are now. */
static void issue(void)
{
    fx_serve(TOKEN_URL, apr_psprintf(eh_test_pool,
                                     "{\"access_token\":\"" ACCESS "\",\"refresh_token\":\"" REFRESH
                                     "\",\"token_type\":\"bearer\",\"expires_in\":120,\"refresh_expires_in\":1800,"
                                     "\"id_token\":\"%s\"}",
                                     fx_sign(rsa, EH_RS256, dumped(claims))));
}

static void setup(void)
{
    fx_setup();
    rsa = fx_key("RSA", "k-rsa");
    fx_serve("https://op.example/jwks", fx_jwks(1, (eh_jwk_t *[]){rsa, NULL}));
    fx_serve(USERINFO_URL, "{\"sub\":\"user-1\",\"name\":\"Zoë Müller\",\"email\":\"z@example.org\"}");
    claims = json_pack("{s:s,s:s,s:s,s:I,s:I,s:I,s:s}", "iss", FX_ISSUER, "sub", "user-1", "aud", "client-1", "exp",
                       (json_int_t)FX_EPOCH + 300, "iat", (json_int_t)FX_EPOCH, "auth_time", (json_int_t)FX_EPOCH - 10,
                       "sid", "sid-1");
    start(0);
    issue();
}

static void teardown(void)
{
    json_decref(claims);
    eh_test_teardown();
}

static apr_status_t callback(const char *extra)
{
    const char *query = apr_pstrcat(eh_test_pool, "state=", state, extra, NULL);

    login = NULL;
    return oidc_callback(&login, &fx_ctx, fx_cache, fx_prov, query, BINDING, eh_test_new_err(), eh_test_pool);
}

#define LOGS_IN(extra)                      \
    do {                                    \
        apr_status_t got = callback(extra); \
        ck_assert_rv_ok(got);               \
    } while (0)
#define REFUSED(extra, expected)                                                                             \
    do {                                                                                                     \
        ck_assert_int_ne(callback(extra), APR_SUCCESS);                                                      \
        ck_assert_msg(eh_test_err.code == expected, "EH%04d (%s), wanted " #expected, (int)eh_test_err.code, \
                      eh_test_err.cause ? eh_test_err.cause : "-");                                          \
        ck_assert_ptr_nonnull(login);                                                                        \
    } while (0)

START_TEST(oidcc_client_test_scope_userinfo_claims)
{
    LOGS_IN("&code=c1&session_state=x");
    ck_assert_str_eq(login->subject, "user-1");
    ck_assert_str_eq(login->issuer, FX_ISSUER);
    ck_assert_str_eq(login->sid, "sid-1");
    ck_assert(login->auth_time == apr_time_from_sec(FX_EPOCH - 10));
    ck_assert_str_eq(login->identity.account, "user-1");
    ck_assert_str_eq(login->identity.name, "Zoë Müller");
    ck_assert_str_eq(json_string_value(json_object_get(login->claims, "email")), "z@example.org");
    ck_assert_str_eq(login->state->target, "/portal");
    ck_assert_str_eq(login->tokens.access_token, ACCESS);
    ck_assert_str_eq(login->tokens.refresh_token, REFRESH);
    ck_assert(login->tokens.access_expires == apr_time_from_sec(FX_EPOCH + 120));
    ck_assert(login->tokens.refresh_expires == apr_time_from_sec(FX_EPOCH + 1800));
}
END_TEST

START_TEST(oidcc_client_test_client_secret_basic)
{
    apr_table_t *form;

    fx_serve(USERINFO_URL, NULL);
    fx_conf.userinfo = EH_USERINFO_OFF;
    fx_resolve();
    LOGS_IN("&code=c%2F1%2B%26x");
    /* The last exchange is the key set; the one before it was the redemption. Ask again with everything cached. */
    fx_used_state = NULL;
    LOGS_IN("&code=c%2F1%2B%26x");
    ck_assert_str_eq(fx_last_url, TOKEN_URL);
    ck_assert_str_eq(fx_last.method, "POST");
    ck_assert_str_eq(fx_last.basic_user, "client-1");
    ck_assert_str_eq(fx_last.basic_password, "s3cr%3At%2F%2B+%25"); /* RFC 6749 §2.3.1 encodes before Basic does */
    ck_assert_str_eq(fx_last.content_type, "application/x-www-form-urlencoded");
    ck_assert_rv_ok(eh_form_parse(&form, fx_last_body, strlen(fx_last_body), 32, eh_test_pool));
    ck_assert_int_eq(apr_table_elts(form)->nelts, 4);
    ck_assert_str_eq(apr_table_get(form, "grant_type"), "authorization_code");
    ck_assert_str_eq(apr_table_get(form, "code"), "c/1+&x");
    ck_assert_str_eq(apr_table_get(form, "redirect_uri"), FX_PUBLIC "/.ehealth/callback/op");
    ck_assert_str_eq(apr_table_get(form, "code_verifier"), oidc_state_verifier(&fx_ctx, attempt, eh_test_pool));
    ck_assert_ptr_null(strstr(fx_logged, "s3cr"));
}
END_TEST

static apr_table_t *redeemed_with(const char *method)
{
    apr_table_t *form;

    fx_conf.client_auth = method;
    fx_conf.userinfo = EH_USERINFO_OFF;
    fx_resolve();
    LOGS_IN("&code=c1");
    LOGS_IN("&code=c1");
    ck_assert_str_eq(fx_last_url, TOKEN_URL);
    ck_assert_rv_ok(eh_form_parse(&form, fx_last_body, strlen(fx_last_body), 32, eh_test_pool));
    return form;
}

START_TEST(client_secret_post)
{
    apr_table_t *form = redeemed_with("client_secret_post");

    ck_assert_str_eq(apr_table_get(form, "client_id"), "client-1");
    ck_assert_str_eq(apr_table_get(form, "client_secret"), "s3cr:t/+ %");
    ck_assert_ptr_null(fx_last.basic_user);
}
END_TEST

START_TEST(client_authentication_none)
{
    apr_table_t *form = redeemed_with("none");

    ck_assert_str_eq(apr_table_get(form, "client_id"), "client-1");
    ck_assert_ptr_null(apr_table_get(form, "client_secret"));
    ck_assert_ptr_null(fx_last.basic_user);
    ck_assert_ptr_null(fx_last.cert);
}
END_TEST

START_TEST(tls_client_certificate)
{
    static const eh_http_cert_t cert = {"/etc/ehealth/client.pem", NULL};
    apr_table_t *form;

    fx_conf.client_cert = &cert;
    form = redeemed_with("tls_client_auth");
    ck_assert_str_eq(apr_table_get(form, "client_id"), "client-1");
    ck_assert_ptr_null(apr_table_get(form, "client_secret"));
    ck_assert_ptr_eq(fx_last.cert, &cert);
}
END_TEST

START_TEST(private_key_jwt_assertion)
{
    const char *algs[] = {"RSA", "EC", "ED25519"}, *seen = "";
    const char *const names[] = {"RS256", "ES256", "EdDSA"};
    int i;

    for (i = 0; i < 3; i++) {
        apr_table_t *form;
        const char *jwt;
        eh_jws_t *jws;
        json_t *assertion, *header;
        unsigned char *raw;
        apr_size_t len;

        fx_conf.client_key = fx_key(algs[i], apr_psprintf(eh_test_pool, "client-key-%d", i));
        form = redeemed_with("private_key_jwt");
        ck_assert_str_eq(apr_table_get(form, "client_id"), "client-1");
        ck_assert_ptr_null(apr_table_get(form, "client_secret"));
        ck_assert_str_eq(apr_table_get(form, "client_assertion_type"),
                         "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
        jwt = apr_table_get(form, "client_assertion");
        ck_assert_rv_ok(eh_jws_split(&jws, jwt, strlen(jwt), eh_test_new_err(), eh_test_pool));
        ck_assert_rv_ok(eh_jws_verify_key(jws, fx_conf.client_key, EH_ALG_ALL, &eh_test_err, eh_test_pool));
        ck_assert_rv_ok(eh_b64url_decode(&raw, &len, jwt, strcspn(jwt, "."), eh_test_pool));
        header = json_loadb((char *)raw, len, 0, NULL);
        ck_assert_str_eq(json_string_value(json_object_get(header, "alg")), names[i]);
        ck_assert_str_eq(json_string_value(json_object_get(header, "kid")),
                         apr_psprintf(eh_test_pool, "client-key-%d", i));
        assertion = json_loadb(jws->payload, jws->payload_len, 0, NULL);
        ck_assert_str_eq(json_string_value(json_object_get(assertion, "iss")), "client-1");
        ck_assert_str_eq(json_string_value(json_object_get(assertion, "sub")), "client-1");
        ck_assert_str_eq(json_string_value(json_object_get(assertion, "aud")), FX_ISSUER); /* a plain string */
        ck_assert_int_eq(json_integer_value(json_object_get(assertion, "iat")), FX_EPOCH);
        ck_assert_int_eq(json_integer_value(json_object_get(assertion, "exp")), FX_EPOCH + 60);
        ck_assert_str_ne(json_string_value(json_object_get(assertion, "jti")), seen);
        seen = apr_pstrdup(eh_test_pool, json_string_value(json_object_get(assertion, "jti")));
        json_decref(assertion);
        json_decref(header);
    }
}
END_TEST

START_TEST(private_key_jwt_for_the_token_endpoint)
{
    apr_table_t *form;
    const char *jwt;
    eh_jws_t *jws;

    fx_conf.client_key = fx_key("EC", "client-key-1");
    fx_conf.assertion_audience = "token_endpoint";
    form = redeemed_with("private_key_jwt");
    jwt = apr_table_get(form, "client_assertion");
    ck_assert_rv_ok(eh_jws_split(&jws, jwt, strlen(jwt), eh_test_new_err(), eh_test_pool));
    ck_assert_ptr_nonnull(strstr(jws->payload, "\"aud\":\"" TOKEN_URL "\""));
}
END_TEST

START_TEST(duplicate_parameters_are_refused)
{
    REFUSED(apr_psprintf(eh_test_pool, "&state=%s&code=c1", state), EH_E_LOGIN_RESPONSE);
    REFUSED("&code=c1&code=c1", EH_E_LOGIN_RESPONSE);
    REFUSED("&code=c1&code=c2", EH_E_LOGIN_RESPONSE);
    REFUSED("&error=access_denied&error=x", EH_E_LOGIN_RESPONSE);
    REFUSED("&code=c1&iss=" FX_ISSUER "&iss=" FX_ISSUER, EH_E_LOGIN_RESPONSE);
    REFUSED("&code=c1&error=access_denied", EH_E_LOGIN_RESPONSE);
    REFUSED("&code=%00", EH_E_LOGIN_RESPONSE);
    REFUSED("&code=%zz", EH_E_LOGIN_RESPONSE);
    ck_assert_int_eq(fx_calls, 0); /* the provider was not asked once */
}
END_TEST

START_TEST(a_callback_without_code_or_error)
{
    REFUSED("", EH_E_LOGIN_RESPONSE);
    REFUSED("&code=", EH_E_LOGIN_RESPONSE);
}
END_TEST

START_TEST(fapi2_client_test_ensure_authorization_response_with_invalid_state_fails)
{
    oidc_login_t *none;
    const char *good = apr_psprintf(eh_test_pool, "code=c1&state=%s", state);

    ck_assert_int_ne(
        oidc_callback(&none, &fx_ctx, fx_cache, fx_prov, "code=c1", BINDING, eh_test_new_err(), eh_test_pool),
        APR_SUCCESS);
    ck_assert_int_eq(eh_test_err.code, EH_E_LOGIN_STATE);
    ck_assert_int_ne(
        oidc_callback(&none, &fx_ctx, fx_cache, fx_prov, "code=c1&state=xyz", BINDING, eh_test_new_err(), eh_test_pool),
        APR_SUCCESS);
    ck_assert_int_eq(eh_test_err.code, EH_E_LOGIN_STATE);
    ck_assert_ptr_null(none->state);
    ck_assert_int_ne(oidc_callback(&none, &fx_ctx, fx_cache, fx_prov, good, NULL, eh_test_new_err(), eh_test_pool),
                     APR_SUCCESS);
    ck_assert_int_eq(eh_test_err.code, EH_E_LOGIN_STATE);
    ck_assert_int_ne(oidc_callback(&none, &fx_ctx, fx_cache, fx_prov, NULL, BINDING, eh_test_new_err(), eh_test_pool),
                     APR_SUCCESS);
    ck_assert_int_eq(eh_test_err.code, EH_E_LOGIN_RESPONSE);
    ck_assert_int_eq(fx_calls, 0);
}
END_TEST

START_TEST(a_used_state_costs_the_provider_nothing)
{
    fx_used_state = oidc_state_digest(attempt, eh_test_pool);
    fx_answer(TOKEN_URL)->rv = APR_EGENERAL;
    fx_answer(TOKEN_URL)->code = EH_E_INTERNAL; /* would show if it were asked */
    REFUSED("&code=c1", EH_E_LOGIN_REUSED);
    ck_assert_str_eq(login->state->target, "/portal");
}
END_TEST

START_TEST(an_expired_state_keeps_its_target)
{
    fx_now += apr_time_from_sec(901);
    REFUSED("&code=c1", EH_E_LOGIN_EXPIRED);
    ck_assert_str_eq(login->state->target, "/portal");
}
END_TEST

START_TEST(a_database_that_is_down_burns_no_code)
{
    fx_db_down = APR_ECONNREFUSED;
    fx_answer(TOKEN_URL)->rv = APR_EGENERAL;
    fx_answer(TOKEN_URL)->code = EH_E_INTERNAL;
    REFUSED("&code=c1", EH_E_DB_DOWN);
}
END_TEST

START_TEST(fapi2_client_test_invalid_authorization_response_iss)
{
    REFUSED("&code=c1&iss=https%3A%2F%2Fevil.example", EH_E_PROVIDER_ISSUER);
    REFUSED("&error=access_denied&iss=https%3A%2F%2Fevil.example", EH_E_PROVIDER_ISSUER);
    LOGS_IN("&code=c1&iss=https%3A%2F%2Fop.example%2Frealm");
    LOGS_IN("&code=c1"); /* not advertised: absent is fine */
}
END_TEST

START_TEST(fapi2_client_test_remove_authorization_response_iss)
{
    fx_serve(METADATA_URL,
             "{\"issuer\":\"" FX_ISSUER
             "\",\"authorization_endpoint\":\"https://op.example/auth\",\"token_endpoint\":\"" TOKEN_URL
             "\",\"jwks_uri\":\"https://op.example/jwks\",\"authorization_response_iss_parameter_supported\":true}");
    REFUSED("&code=c1", EH_E_PROVIDER_ISSUER);
    LOGS_IN("&code=c1&iss=https%3A%2F%2Fop.example%2Frealm");
}
END_TEST

START_TEST(answers_with_an_error)
{
    REFUSED("&error=access_denied&error_description=x", EH_E_LOGIN_CANCELLED);
    REFUSED("&error=temporarily_unavailable", EH_E_PROVIDER_DOWN);
    REFUSED("&error=server_error", EH_E_PROVIDER_DOWN);
    REFUSED("&error=unauthorized_client", EH_E_PROVIDER_CLIENT);
    REFUSED("&error=invalid_scope", EH_E_PROVIDER_CLIENT);
    REFUSED("&error=login_required", EH_E_LOGIN_REFUSED);
    REFUSED("&error=something_new", EH_E_LOGIN_REFUSED);
    REFUSED("&error=%3Cscript%3E", EH_E_LOGIN_REFUSED);
    ck_assert_ptr_null(strstr(eh_test_err.cause, "<"));
}
END_TEST

static void token_answer(int status, const char *body)
{
    fx_answer(TOKEN_URL)->status = status;
    fx_serve(TOKEN_URL, body);
}

START_TEST(token_endpoint_errors)
{
    token_answer(400, "{\"error\":\"invalid_grant\",\"error_description\":\"secret text\"}");
    REFUSED("&code=c1", EH_E_PROVIDER_TOKEN);
    ck_assert_ptr_nonnull(strstr(eh_test_err.cause, "invalid_grant"));
    ck_assert_ptr_null(strstr(eh_test_err.cause, "secret"));
    token_answer(401, "{\"error\":\"invalid_client\"}");
    REFUSED("&code=c1", EH_E_PROVIDER_CLIENT);
    token_answer(401, "denied");
    REFUSED("&code=c1", EH_E_PROVIDER_CLIENT);
    token_answer(503, "<html>");
    REFUSED("&code=c1", EH_E_PROVIDER_DOWN);
    token_answer(302, "");
    REFUSED("&code=c1", EH_E_PROVIDER_TOKEN);
    fx_answer(TOKEN_URL)->rv = APR_TIMEUP;
    fx_answer(TOKEN_URL)->code = EH_E_HTTP_TIMEOUT;
    REFUSED("&code=c1", EH_E_HTTP_TIMEOUT);
}
END_TEST

START_TEST(token_answers_that_are_no_token_answer)
{
    const char *jwt = fx_sign(rsa, EH_RS256, dumped(claims));
    const char *const bad[] = {
        "",
        "[]",
        "{\"access_token\":\"a\",\"id_token\":\"%s\"}", /* no token_type */
        "{\"access_token\":\"a\",\"token_type\":\"DPoP\",\"id_token\":\"%s\"}",
        "{\"access_token\":\"a\",\"token_type\":\"Bearer\"}", /* no id_token */
        "{\"token_type\":\"Bearer\",\"id_token\":\"%s\"}",    /* no access_token */
        "{\"access_token\":7,\"token_type\":\"Bearer\",\"id_token\":\"%s\"}",
        "{\"access_token\":\"a\\nb\",\"token_type\":\"Bearer\",\"id_token\":\"%s\"}",
        "{\"access_token\":\"a\",\"refresh_token\":[],\"token_type\":\"Bearer\",\"id_token\":\"%s\"}",
        "{\"access_token\":\"a\",\"expires_in\":-1,\"token_type\":\"Bearer\",\"id_token\":\"%s\"}",
        "{\"access_token\":\"a\",\"expires_in\":\"soon\",\"token_type\":\"Bearer\",\"id_token\":\"%s\"}",
        "{\"access_token\":\"a\",\"access_token\":\"b\",\"token_type\":\"Bearer\",\"id_token\":\"%s\"}",
    };
    apr_size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const char *hole = strstr(bad[i], "%s");
        token_answer(200,
                     hole ? apr_pstrcat(eh_test_pool, apr_pstrmemdup(eh_test_pool, bad[i], (apr_size_t)(hole - bad[i])),
                                        jwt, hole + 2, NULL)
                          : bad[i]);
        REFUSED("&code=c1", EH_E_PROVIDER_TOKEN);
    }
}
END_TEST

START_TEST(fapi2_client_test_token_type_case_insensitivity)
{
    const char *jwt = fx_sign(rsa, EH_RS256, dumped(claims));

    token_answer(
        200, apr_psprintf(eh_test_pool, "{\"access_token\":\"a\",\"token_type\":\"bEaReR\",\"id_token\":\"%s\"}", jwt));
    LOGS_IN("&code=c1");
    ck_assert(login->tokens.access_expires == 0); /* token-endpoint-response-without-expires_in */
    ck_assert_ptr_null(login->tokens.refresh_token);
}
END_TEST

START_TEST(oidcc_client_test_nonce_invalid)
{
    json_object_set_new(claims, "nonce", json_string("another"));
    issue();
    REFUSED("&code=c1", EH_E_TOKEN_NONCE);
}
END_TEST

START_TEST(oidcc_client_test_userinfo_invalid_sub)
{
    fx_serve(USERINFO_URL, "{\"sub\":\"user-2\"}");
    REFUSED("&code=c1", EH_E_TOKEN_SUBJECT);
    fx_serve(USERINFO_URL, "{\"name\":\"x\"}");
    REFUSED("&code=c1", EH_E_TOKEN_SUBJECT);
    fx_serve(USERINFO_URL, "{\"sub\":[\"user-1\"]}");
    REFUSED("&code=c1", EH_E_TOKEN_SUBJECT);
}
END_TEST

START_TEST(oidcc_client_test_userinfo_bearer_header)
{
    LOGS_IN("&code=c1");
    LOGS_IN("&code=c1");
    ck_assert_str_eq(fx_last_url, USERINFO_URL);
    ck_assert_str_eq(fx_last.method, "GET");
    ck_assert_str_eq(fx_last.bearer, ACCESS);
    ck_assert_ptr_null(fx_last.body);
    ck_assert_uint_eq(fx_last.max_response, 256 * 1024);
}
END_TEST

START_TEST(userinfo_answers)
{
    fx_serve(USERINFO_URL, "<html>");
    REFUSED("&code=c1", EH_E_USERINFO);
    fx_serve(USERINFO_URL, "[]");
    REFUSED("&code=c1", EH_E_USERINFO);
    fx_answer(USERINFO_URL)->status = 500;
    REFUSED("&code=c1", EH_E_USERINFO);
    fx_answer(USERINFO_URL)->status = 401;
    REFUSED("&code=c1", EH_E_USERINFO);
    /* Preset oidc asks for it but does not insist where it is not offered to this client. */
    fx_answer(USERINFO_URL)->status = 403;
    LOGS_IN("&code=c1");
    ck_assert_str_eq(login->identity.name, "");
    fx_conf.userinfo = EH_USERINFO_REQUIRED;
    fx_resolve();
    REFUSED("&code=c1", EH_E_USERINFO);
    fx_answer(USERINFO_URL)->rv = APR_TIMEUP;
    fx_answer(USERINFO_URL)->code = EH_E_HTTP_TIMEOUT;
    REFUSED("&code=c1", EH_E_HTTP_TIMEOUT);
    fx_conf.userinfo = EH_USERINFO_OFF;
    fx_resolve();
    LOGS_IN("&code=c1");
}
END_TEST

static void signed_userinfo(const char *payload)
{
    fx_answer(USERINFO_URL)->type = "application/jwt";
    fx_serve(USERINFO_URL, fx_sign(rsa, EH_RS256, payload));
}

START_TEST(oidcc_client_test_userinfo_signed)
{
    signed_userinfo("{\"sub\":\"user-1\",\"iss\":\"" FX_ISSUER "\",\"aud\":[\"client-1\"],\"name\":\"Signed\"}");
    LOGS_IN("&code=c1");
    ck_assert_str_eq(login->identity.name, "Signed");
    signed_userinfo("{\"sub\":\"user-1\",\"name\":\"Bare\"}");
    LOGS_IN("&code=c1");
    signed_userinfo("{\"sub\":\"user-1\",\"iss\":\"https://evil.example\"}");
    REFUSED("&code=c1", EH_E_TOKEN_ISSUER);
    signed_userinfo("{\"sub\":\"user-1\",\"aud\":\"client-2\"}");
    REFUSED("&code=c1", EH_E_TOKEN_AUDIENCE);
    signed_userinfo("{\"sub\":\"user-2\"}");
    REFUSED("&code=c1", EH_E_TOKEN_SUBJECT);
    signed_userinfo("{\"sub\":\"user-1\",\"exp\":1789999000}");
    REFUSED("&code=c1", EH_E_USERINFO);
    fx_serve(USERINFO_URL, fx_sign(fx_fresh_key("RSA", "k-rsa"), EH_RS256, "{\"sub\":\"user-1\"}"));
    REFUSED("&code=c1", EH_E_JWS);
    fx_serve(USERINFO_URL,
             apr_pstrcat(eh_test_pool, fx_b64("{\"alg\":\"none\"}"), ".", fx_b64("{\"sub\":\"user-1\"}"), ".", NULL));
    REFUSED("&code=c1", EH_E_JWS);
    fx_serve(USERINFO_URL, "a.b.c.d.e");
    REFUSED("&code=c1", EH_E_USERINFO);
}
END_TEST

START_TEST(protocol_claims_stay_those_of_the_id_token)
{
    fx_serve(
        USERINFO_URL,
        "{\"sub\":\"user-1\",\"iss\":\"https://evil.example\",\"aud\":\"x\",\"exp\":1,\"nonce\":\"x\",\"azp\":\"x\","
        "\"sid\":\"other\",\"auth_time\":5,\"acr\":\"weak\",\"jti\":\"j\",\"locale\":\"fr\"}");
    json_object_set_new(claims, "acr", json_string("strong"));
    json_object_set_new(claims, "locale", json_string("nl"));
    issue();
    LOGS_IN("&code=c1");
    ck_assert_str_eq(json_string_value(json_object_get(login->claims, "iss")), FX_ISSUER);
    ck_assert_str_eq(json_string_value(json_object_get(login->claims, "aud")), "client-1");
    ck_assert_str_eq(json_string_value(json_object_get(login->claims, "sid")), "sid-1");
    ck_assert_str_eq(json_string_value(json_object_get(login->claims, "nonce")), nonce);
    ck_assert_ptr_null(json_object_get(login->claims, "azp"));
    ck_assert_ptr_null(json_object_get(login->claims, "jti"));
    ck_assert(login->auth_time == apr_time_from_sec(FX_EPOCH - 10));
    ck_assert_str_eq(login->identity.acr, "strong");
    ck_assert_str_eq(json_string_value(json_object_get(login->claims, "locale")), "fr");
}
END_TEST

START_TEST(acr_falls_back_to_userinfo)
{
    fx_serve(USERINFO_URL, "{\"sub\":\"user-1\",\"acr\":\"eidas2\"}");
    LOGS_IN("&code=c1");
    ck_assert_int_eq(login->identity.acr_rank, 2);
}
END_TEST

START_TEST(an_acr_that_was_not_asked_for)
{
    fx_conf.acr_values = "urn:gold eidas2";
    fx_resolve();
    LOGS_IN("&code=c1"); /* missing: by policy */
    json_object_set_new(claims, "acr", json_string("urn:gold"));
    issue();
    LOGS_IN("&code=c1");
    json_object_set_new(claims, "acr", json_string("eidas3"));
    issue();
    LOGS_IN("&code=c1");
    json_object_set_new(claims, "acr", json_string("eidas1"));
    issue();
    REFUSED("&code=c1", EH_E_TOKEN_ACR);
    json_object_set_new(claims, "acr", json_string("urn:silver"));
    issue();
    REFUSED("&code=c1", EH_E_TOKEN_ACR);
    fx_conf.acr_missing_ok = 0;
    fx_resolve();
    json_object_del(claims, "acr");
    issue();
    REFUSED("&code=c1", EH_E_TOKEN_ACR);
}
END_TEST

START_TEST(a_forced_log_in_must_be_fresh)
{
    start(1);
    issue();
    LOGS_IN("&code=c1"); /* 10 s before the attempt, within the leeway */
    json_object_set_new(claims, "auth_time", json_integer(FX_EPOCH - 62));
    issue();
    REFUSED("&code=c1", EH_E_LOGIN_OLD);
    ck_assert_int_eq(login->state->step, 1);
    json_object_del(claims, "auth_time");
    issue();
    REFUSED("&code=c1", EH_E_LOGIN_OLD);
}
END_TEST

START_TEST(oidcc_client_test_signing_key_rotation)
{
    eh_jwk_t *next = fx_key("EC", "k-next");

    LOGS_IN("&code=c1");
    fx_serve("https://op.example/jwks", fx_jwks(1, (eh_jwk_t *[]){next, NULL}));
    rsa = next;
    fx_serve(TOKEN_URL,
             apr_psprintf(eh_test_pool, "{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"id_token\":\"%s\"}",
                          fx_sign(next, EH_ES256, dumped(claims))));
    LOGS_IN("&code=c1"); /* one refetch finds it */
    ck_assert_int_eq(fx_warnings, 0);
}
END_TEST

START_TEST(no_secret_reaches_log_or_error)
{
    const char *secrets[] = {
        ACCESS, REFRESH, "s3cr", "the-code", state, nonce, oidc_state_verifier(&fx_ctx, attempt, eh_test_pool)};
    apr_size_t i;

    json_object_set_new(claims, "aud", json_string("client-2"));
    issue();
    REFUSED("&code=the-code", EH_E_TOKEN_AUDIENCE);
    eh_log_err(&fx_log, EH_LOG_ERR, &eh_test_err, "test-1");
    ck_assert_uint_gt(strlen(fx_logged), 0);
    for (i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
        ck_assert_ptr_null(strstr(fx_logged, secrets[i]));
}
END_TEST

START_TEST(a_clock_that_is_off_is_told)
{
    fx_answer(TOKEN_URL)->date = fx_now + apr_time_from_sec(400);
    LOGS_IN("&code=c1");
    ck_assert_ptr_nonnull(strstr(fx_logged, "clock differs by -400 s"));
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("oidc_callback");
    TCase *tc = tcase_create("callback");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(s, tc);
    tcase_add_test(tc, oidcc_client_test_scope_userinfo_claims);
    tcase_add_test(tc, oidcc_client_test_client_secret_basic);
    tcase_add_test(tc, client_secret_post);
    tcase_add_test(tc, client_authentication_none);
    tcase_add_test(tc, tls_client_certificate);
    tcase_add_test(tc, private_key_jwt_assertion);
    tcase_add_test(tc, private_key_jwt_for_the_token_endpoint);
    tcase_add_test(tc, duplicate_parameters_are_refused);
    tcase_add_test(tc, a_callback_without_code_or_error);
    tcase_add_test(tc, fapi2_client_test_ensure_authorization_response_with_invalid_state_fails);
    tcase_add_test(tc, a_used_state_costs_the_provider_nothing);
    tcase_add_test(tc, an_expired_state_keeps_its_target);
    tcase_add_test(tc, a_database_that_is_down_burns_no_code);
    tcase_add_test(tc, fapi2_client_test_invalid_authorization_response_iss);
    tcase_add_test(tc, fapi2_client_test_remove_authorization_response_iss);
    tcase_add_test(tc, answers_with_an_error);
    tcase_add_test(tc, token_endpoint_errors);
    tcase_add_test(tc, token_answers_that_are_no_token_answer);
    tcase_add_test(tc, fapi2_client_test_token_type_case_insensitivity);
    tcase_add_test(tc, oidcc_client_test_nonce_invalid);
    tcase_add_test(tc, oidcc_client_test_userinfo_invalid_sub);
    tcase_add_test(tc, oidcc_client_test_userinfo_bearer_header);
    tcase_add_test(tc, userinfo_answers);
    tcase_add_test(tc, oidcc_client_test_userinfo_signed);
    tcase_add_test(tc, protocol_claims_stay_those_of_the_id_token);
    tcase_add_test(tc, acr_falls_back_to_userinfo);
    tcase_add_test(tc, an_acr_that_was_not_asked_for);
    tcase_add_test(tc, a_forced_log_in_must_be_fresh);
    tcase_add_test(tc, oidcc_client_test_signing_key_rotation);
    tcase_add_test(tc, no_secret_reaches_log_or_error);
    tcase_add_test(tc, a_clock_that_is_off_is_told);
    return s;
}

int main(void) { return eh_test_main(suite()); }
