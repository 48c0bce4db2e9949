/* SPDX-License-Identifier: Apache-2.0 */
/* ID token validation. Names oidcc_client_test_* follow the module ids of the OpenID Foundation's relying-party tests. */
#include "oidc_test.h"

#define NONCE "n-0S6_WzA2Mj"
#define ACCESS "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"

static eh_jwk_t *rsa, *ec, *ed;
static json_t *claims;

static void setup(void)
{
    fx_setup();
    rsa = fx_key("RSA", "k-rsa");
    ec = fx_key("EC", "k-ec");
    ed = fx_key("ED25519", "k-ed");
    fx_serve("https://op.example/jwks", fx_jwks(1, (eh_jwk_t *[]){rsa, ec, ed, NULL}));
    claims = json_pack("{s:s,s:s,s:s,s:I,s:I,s:s}", "iss", FX_ISSUER, "sub", "user-1", "aud", "client-1", "exp",
                       (json_int_t)FX_EPOCH + 300, "iat", (json_int_t)FX_EPOCH, "nonce", NONCE);
    ck_assert_ptr_nonnull(claims);
}

static void teardown(void)
{
    json_decref(claims);
    eh_test_teardown();
}

static const char *payload(void)
{
    char *dump = json_dumps(claims, JSON_COMPACT);
    const char *s = apr_pstrdup(eh_test_pool, dump);

    free(dump);
    return s;
}

static apr_status_t verify(const char *jwt)
{
    const oidc_metadata_t *md;
    json_t *out = NULL;
    apr_status_t rv;

    ck_assert_rv_ok(oidc_metadata_get(&md, fx_cache, &fx_ctx, fx_prov, eh_test_new_err(), eh_test_pool));
    rv = oidc_token_verify(&out, fx_cache, &fx_ctx, fx_prov, md, jwt, NONCE, ACCESS, &eh_test_err, eh_test_pool);
    if (rv == APR_SUCCESS) ck_assert_str_eq(json_string_value(json_object_get(out, "sub")), "user-1");
    return rv;
}

static const char *rs256(void) { return fx_sign(rsa, EH_RS256, payload()); }

#define ACCEPTED(jwt)                   \
    do {                                \
        apr_status_t got = verify(jwt); \
        ck_assert_rv_ok(got);           \
    } while (0)
#define REFUSED(jwt, expected)                                                                               \
    do {                                                                                                     \
        ck_assert_int_ne(verify(jwt), APR_SUCCESS);                                                          \
        ck_assert_msg(eh_test_err.code == expected, "EH%04d (%s), wanted " #expected, (int)eh_test_err.code, \
                      eh_test_err.cause ? eh_test_err.cause : "-");                                          \
    } while (0)

START_TEST(oidcc_client_test) { ACCEPTED(rs256()); }
END_TEST

START_TEST(oidcc_client_test_invalid_iss)
{
    json_object_set_new(claims, "iss", json_string(FX_ISSUER "/"));
    REFUSED(rs256(), EH_E_TOKEN_ISSUER);
    json_object_set_new(claims, "iss", json_string("https://op.example"));
    REFUSED(rs256(), EH_E_TOKEN_ISSUER);
    json_object_set_new(claims, "iss", json_integer(1));
    REFUSED(rs256(), EH_E_TOKEN_ISSUER);
    json_object_del(claims, "iss");
    REFUSED(rs256(), EH_E_TOKEN_ISSUER);
}
END_TEST

START_TEST(oidcc_client_test_missing_sub)
{
    json_object_del(claims, "sub");
    REFUSED(rs256(), EH_E_TOKEN_FORM);
    json_object_set_new(claims, "sub", json_string(""));
    REFUSED(rs256(), EH_E_TOKEN_FORM);
    json_object_set_new(claims, "sub", json_integer(7));
    REFUSED(rs256(), EH_E_TOKEN_FORM);
    json_object_set_new(claims, "sub", json_string("us\xc3\xa9r"));
    REFUSED(rs256(), EH_E_TOKEN_FORM);
    json_object_set_new(claims, "sub", json_string("a\nb"));
    REFUSED(rs256(), EH_E_TOKEN_FORM);
}
END_TEST

START_TEST(sub_of_256_characters_is_refused)
{
    char *sub = apr_palloc(eh_test_pool, 257);

    memset(sub, 'a', 256);
    sub[256] = '\0';
    json_object_set_new(claims, "sub", json_string(sub));
    REFUSED(rs256(), EH_E_TOKEN_FORM);
}
END_TEST

START_TEST(oidcc_client_test_invalid_aud)
{
    json_object_set_new(claims, "aud", json_string("client-2"));
    REFUSED(rs256(), EH_E_TOKEN_AUDIENCE);
    json_object_set_new(claims, "aud", json_string("client-1 "));
    REFUSED(rs256(), EH_E_TOKEN_AUDIENCE);
    json_object_set_new(claims, "aud", json_pack("[]"));
    REFUSED(rs256(), EH_E_TOKEN_AUDIENCE);
    json_object_set_new(claims, "aud", json_pack("[s,i]", "client-1", 4));
    REFUSED(rs256(), EH_E_TOKEN_AUDIENCE);
    json_object_set_new(claims, "aud", json_pack("{s:s}", "a", "client-1"));
    REFUSED(rs256(), EH_E_TOKEN_AUDIENCE);
}
END_TEST

START_TEST(oidcc_client_test_missing_aud)
{
    json_object_del(claims, "aud");
    REFUSED(rs256(), EH_E_TOKEN_AUDIENCE);
}
END_TEST

START_TEST(audiences_in_an_array)
{
    json_object_set_new(claims, "aud", json_pack("[s]", "client-1"));
    ACCEPTED(rs256());
    json_object_set_new(claims, "aud", json_pack("[s,s]", "client-1", "account"));
    REFUSED(rs256(), EH_E_TOKEN_AUDIENCE); /* nobody says to whom it was issued */
    json_object_set_new(claims, "azp", json_string("client-1"));
    ACCEPTED(rs256());
    json_object_set_new(claims, "azp", json_string("account"));
    REFUSED(rs256(), EH_E_TOKEN_AUDIENCE);
    json_object_set_new(claims, "aud", json_string("client-1"));
    REFUSED(rs256(), EH_E_TOKEN_AUDIENCE);
    json_object_set_new(claims, "azp", json_null());
    REFUSED(rs256(), EH_E_TOKEN_AUDIENCE);
}
END_TEST

START_TEST(thirty_three_audiences_are_refused)
{
    json_t *aud = json_array();
    int i;

    for (i = 0; i < 33; i++)
        json_array_append_new(aud, json_string("client-1"));
    json_object_set_new(claims, "aud", aud);
    REFUSED(rs256(), EH_E_TOKEN_AUDIENCE);
}
END_TEST

START_TEST(oidcc_client_test_missing_iat)
{
    json_object_del(claims, "iat");
    REFUSED(rs256(), EH_E_TOKEN_FORM);
}
END_TEST

START_TEST(fapi2_client_test_invalid_missing_exp)
{
    json_object_del(claims, "exp");
    REFUSED(rs256(), EH_E_TOKEN_FORM);
}
END_TEST

START_TEST(times_at_the_edge_of_the_leeway)
{
    json_object_set_new(claims, "iat", json_integer(FX_EPOCH - 1000));
    json_object_set_new(claims, "exp", json_integer(FX_EPOCH - 59));
    ACCEPTED(rs256());
    json_object_set_new(claims, "exp", json_integer(FX_EPOCH - 60));
    REFUSED(rs256(), EH_E_TOKEN_TIME);
    json_object_set_new(claims, "exp", json_integer(FX_EPOCH + 1000));
    json_object_set_new(claims, "iat", json_integer(FX_EPOCH + 60));
    ACCEPTED(rs256());
    json_object_set_new(claims, "iat", json_integer(FX_EPOCH + 61));
    REFUSED(rs256(), EH_E_TOKEN_TIME);
    json_object_set_new(claims, "iat", json_integer(FX_EPOCH));
    json_object_set_new(claims, "nbf", json_integer(FX_EPOCH + 60));
    ACCEPTED(rs256());
    json_object_set_new(claims, "nbf", json_integer(FX_EPOCH + 61));
    REFUSED(rs256(), EH_E_TOKEN_TIME);
}
END_TEST

START_TEST(times_as_numbers_of_every_kind)
{
    static const char *const absurd[] = {"1e300",      "-1",           "0",  "1.5", "\"1790000300\"",
                                         "null",       "true",         "[]", "{}",  "9223372036854775807",
                                         "7258118401", "1790000300.25"};
    apr_size_t i;

    json_object_set_new(claims, "exp", json_real(1790000300.0)); /* an integral float is a number of seconds */
    ACCEPTED(rs256());
    for (i = 0; i < sizeof(absurd) / sizeof(absurd[0]); i++) {
        const char *names[] = {"exp", "iat", "nbf"};
        int k;
        for (k = 0; k < 3; k++) {
            json_t *saved = json_incref(json_object_get(claims, names[k]));
            json_object_set_new(claims, names[k], json_loads(absurd[i], JSON_DECODE_ANY, NULL));
            REFUSED(rs256(), EH_E_TOKEN_FORM);
            if (saved) {
                json_object_set_new(claims, names[k], saved);
            } else {
                json_object_del(claims, names[k]);
            }
        }
    }
    ACCEPTED(rs256());
}
END_TEST

START_TEST(auth_time_unknown_or_absurd)
{
    json_object_set_new(claims, "auth_time", json_integer(0)); /* Keycloak's "unknown" */
    ACCEPTED(rs256());
    json_object_set_new(claims, "auth_time", json_integer(FX_EPOCH - 3000));
    ACCEPTED(rs256());
    json_object_set_new(claims, "auth_time", json_integer(FX_EPOCH + 61));
    REFUSED(rs256(), EH_E_TOKEN_TIME);
    json_object_set_new(claims, "auth_time", json_string("yesterday"));
    REFUSED(rs256(), EH_E_TOKEN_FORM);
}
END_TEST

START_TEST(oidcc_client_test_nonce_invalid)
{
    json_object_set_new(claims, "nonce", json_string(NONCE "x"));
    REFUSED(rs256(), EH_E_TOKEN_NONCE);
    json_object_set_new(claims, "nonce", json_string(""));
    REFUSED(rs256(), EH_E_TOKEN_NONCE);
    json_object_set_new(claims, "nonce", json_pack("[s]", NONCE));
    REFUSED(rs256(), EH_E_TOKEN_NONCE);
    json_object_del(claims, "nonce");
    REFUSED(rs256(), EH_E_TOKEN_NONCE);
}
END_TEST

START_TEST(oidcc_client_test_kid_absent_single_jwks)
{
    eh_jwk_t *nameless = fx_key("RSA", "");

    fx_serve("https://op.example/jwks", fx_jwks(0, (eh_jwk_t *[]){nameless, NULL}));
    ACCEPTED(fx_sign(nameless, EH_RS256, payload()));
}
END_TEST

START_TEST(oidcc_client_test_kid_absent_multiple_jwks)
{
    eh_jwk_t *nameless = fx_key("RSA", "");

    fx_serve("https://op.example/jwks", fx_jwks(0, (eh_jwk_t *[]){rsa, ec, nameless, NULL}));
    ACCEPTED(fx_sign(nameless, EH_RS256, payload()));
}
END_TEST

START_TEST(oidcc_client_test_idtoken_sig_none)
{
    const char *none[] = {"none", "None", "NONE", "nOnE"};
    int i;

    for (i = 0; i < 4; i++) {
        const char *header = apr_psprintf(eh_test_pool, "{\"alg\":\"%s\"}", none[i]);
        REFUSED(apr_pstrcat(eh_test_pool, fx_b64(header), ".", fx_b64(payload()), ".", NULL), EH_E_JWS);
    }
}
END_TEST

START_TEST(oidcc_client_test_invalid_sig_rs256)
{
    const char *jwt = rs256();
    char *changed = apr_pstrdup(eh_test_pool, jwt);
    char *sig = strrchr(changed, '.') + 1;

    sig[10] = sig[10] == 'A' ? 'B' : 'A';
    REFUSED(changed, EH_E_JWS);
    REFUSED(apr_pstrmemdup(eh_test_pool, jwt, (apr_size_t)(strrchr(jwt, '.') - jwt + 1)), EH_E_JWS);
    REFUSED(fx_sign(fx_fresh_key("RSA", "k-rsa"), EH_RS256, payload()), EH_E_JWS); /* another key of that name */
}
END_TEST

/* RS256's public key used as an HMAC secret: the algorithm does not even exist here. */
START_TEST(oidcc_client_test_invalid_sig_hs256)
{
    unsigned char mac[32];
    const char *input =
        apr_pstrcat(eh_test_pool, fx_b64("{\"alg\":\"HS256\",\"kid\":\"k-rsa\"}"), ".", fx_b64(payload()), NULL);
    const char *key = fx_answer("https://op.example/jwks")->body;

    ck_assert_rv_ok(eh_hmac_sha256(mac, (const unsigned char *)key, strlen(key), input, strlen(input)));
    REFUSED(apr_pstrcat(eh_test_pool, input, ".", eh_b64url(eh_test_pool, mac, 32), NULL), EH_E_JWS);
    REFUSED(apr_pstrcat(eh_test_pool, input, ".", eh_b64url(eh_test_pool, fx_prov->client_secret, 8), NULL), EH_E_JWS);
}
END_TEST

START_TEST(oidcc_client_test_invalid_sig_es256)
{
    const char *jwt = fx_sign(ec, EH_ES256, payload());
    char *changed = apr_pstrdup(eh_test_pool, jwt);
    char *sig = strrchr(changed, '.') + 1;

    ACCEPTED(jwt);
    sig[3] = sig[3] == 'A' ? 'B' : 'A';
    REFUSED(changed, EH_E_JWS);
}
END_TEST

START_TEST(every_default_algorithm_of_preset_oidc)
{
    ACCEPTED(fx_sign(rsa, EH_PS256, payload()));
    ACCEPTED(fx_sign(ec, EH_ES256, payload()));
    ACCEPTED(fx_sign(ed, EH_EDDSA, payload()));
    REFUSED(fx_sign(rsa, EH_RS512, payload()), EH_E_JWS);
    REFUSED(fx_sign(rsa, EH_RS384, payload()), EH_E_JWS);
}
END_TEST

START_TEST(fapi2_client_test_invalid_alternate_alg)
{
    fx_conf.id_token_algs = EH_ES256;
    fx_resolve();
    REFUSED(rs256(), EH_E_JWS);
    REFUSED(fx_sign(ed, EH_EDDSA, payload()), EH_E_JWS);
    ACCEPTED(fx_sign(ec, EH_ES256, payload()));
}
END_TEST

/* at_hash of "jHkWEd…" worked out with python3: base64url(left half of the digest). */
START_TEST(at_hash_by_algorithm)
{
    json_object_set_new(claims, "at_hash", json_string("77QmUPtjPfzWtF2AnpK9RQ"));
    ACCEPTED(rs256());
    REFUSED(fx_sign(ed, EH_EDDSA, payload()), EH_E_TOKEN_HASH); /* Ed25519 goes with SHA-512 */
    json_object_set_new(claims, "at_hash", json_string("q7nS86GgvvFaZkzALLWqJYaJIKw2wCDAVfCAsm5CrBM"));
    ACCEPTED(fx_sign(ed, EH_EDDSA, payload()));
    REFUSED(rs256(), EH_E_TOKEN_HASH);
}
END_TEST

START_TEST(oidcc_client_test_invalid_athash)
{
    json_object_set_new(claims, "at_hash", json_string("2SmKENGwc1g33EvYXaxkGw"));
    REFUSED(rs256(), EH_E_TOKEN_HASH);
    json_object_set_new(claims, "at_hash", json_string(""));
    REFUSED(rs256(), EH_E_TOKEN_HASH);
    json_object_set_new(claims, "at_hash", json_integer(1));
    REFUSED(rs256(), EH_E_TOKEN_HASH);
}
END_TEST

START_TEST(another_type_of_token_is_refused)
{
    json_t *header = json_pack("{s:s}", "typ", "logout+jwt");
    const char *jwt;

    ck_assert_rv_ok(
        eh_jws_sign(&jwt, rsa, EH_RS256, header, payload(), strlen(payload()), eh_test_new_err(), eh_test_pool));
    REFUSED(jwt, EH_E_TOKEN_FORM);
    json_object_set_new(header, "typ", json_string("at+jwt"));
    ck_assert_rv_ok(
        eh_jws_sign(&jwt, rsa, EH_RS256, header, payload(), strlen(payload()), eh_test_new_err(), eh_test_pool));
    REFUSED(jwt, EH_E_TOKEN_FORM);
    json_object_set_new(header, "typ", json_string("jwt"));
    ck_assert_rv_ok(
        eh_jws_sign(&jwt, rsa, EH_RS256, header, payload(), strlen(payload()), eh_test_new_err(), eh_test_pool));
    ACCEPTED(jwt);
    json_decref(header);
}
END_TEST

START_TEST(payloads_that_are_no_object)
{
    static const char *const odd[] = {"[]", "\"x\"", "1", "null", "", "{\"iss\":", "{\"iss\":\"a\",\"iss\":\"b\"}"};
    apr_size_t i;

    for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
        REFUSED(fx_sign(rsa, EH_RS256, odd[i]), EH_E_TOKEN_FORM);
}
END_TEST

START_TEST(a_refreshed_token_has_no_nonce)
{
    const char *jwt;
    json_t *out;
    eh_jws_t *jws;

    json_object_del(claims, "nonce");
    jwt = rs256();
    ck_assert_rv_ok(eh_jws_split(&jws, jwt, strlen(jwt), eh_test_new_err(), eh_test_pool));
    ck_assert_rv_ok(oidc_token_claims(&out, fx_prov, jws, NULL, NULL, fx_now, &eh_test_err, eh_test_pool));
}
END_TEST

START_TEST(refusals_quote_no_claim_about_the_person)
{
    json_object_set_new(claims, "sub", json_string("899700000013"));
    json_object_set_new(claims, "nonce", json_string("wrong"));
    REFUSED(rs256(), EH_E_TOKEN_NONCE);
    ck_assert(!eh_test_err.cause || !strstr(eh_test_err.cause, "8997"));
    ck_assert(!eh_test_err.detail || !strstr(eh_test_err.detail, "8997"));
    ck_assert_ptr_null(strstr(fx_logged, "8997"));
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("oidc_token");
    TCase *tc = tcase_create("id token");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(s, tc);
    tcase_add_test(tc, oidcc_client_test);
    tcase_add_test(tc, oidcc_client_test_invalid_iss);
    tcase_add_test(tc, oidcc_client_test_missing_sub);
    tcase_add_test(tc, sub_of_256_characters_is_refused);
    tcase_add_test(tc, oidcc_client_test_invalid_aud);
    tcase_add_test(tc, oidcc_client_test_missing_aud);
    tcase_add_test(tc, audiences_in_an_array);
    tcase_add_test(tc, thirty_three_audiences_are_refused);
    tcase_add_test(tc, oidcc_client_test_missing_iat);
    tcase_add_test(tc, fapi2_client_test_invalid_missing_exp);
    tcase_add_test(tc, times_at_the_edge_of_the_leeway);
    tcase_add_test(tc, times_as_numbers_of_every_kind);
    tcase_add_test(tc, auth_time_unknown_or_absurd);
    tcase_add_test(tc, oidcc_client_test_nonce_invalid);
    tcase_add_test(tc, oidcc_client_test_kid_absent_single_jwks);
    tcase_add_test(tc, oidcc_client_test_kid_absent_multiple_jwks);
    tcase_add_test(tc, oidcc_client_test_idtoken_sig_none);
    tcase_add_test(tc, oidcc_client_test_invalid_sig_rs256);
    tcase_add_test(tc, oidcc_client_test_invalid_sig_hs256);
    tcase_add_test(tc, oidcc_client_test_invalid_sig_es256);
    tcase_add_test(tc, every_default_algorithm_of_preset_oidc);
    tcase_add_test(tc, fapi2_client_test_invalid_alternate_alg);
    tcase_add_test(tc, at_hash_by_algorithm);
    tcase_add_test(tc, oidcc_client_test_invalid_athash);
    tcase_add_test(tc, another_type_of_token_is_refused);
    tcase_add_test(tc, payloads_that_are_no_object);
    tcase_add_test(tc, a_refreshed_token_has_no_nonce);
    tcase_add_test(tc, refusals_quote_no_claim_about_the_person);
    return s;
}

int main(void) { return eh_test_main(suite()); }
