/* SPDX-License-Identifier: Apache-2.0 */
/* Identity templates: what a portal is told, byte for byte. */
#include "oidc_test.h"

static eh_principal_t who;
static json_t *claims;

static void setup(void)
{
    static const char *const roles[] = {"physician", "professional", NULL};
    static const char *const structures[] = {"finess:750000011", "siret:26750000100017", NULL};
    static const char *const tenants[] = {"st-jean", NULL};

    eh_test_setup();
    claims = json_pack("{s:s,s:{s:s,s:[s,s]},s:i,s:b,s:n,s:f,s:s}", "email", "z@example.org", "userProfile", "ssin",
                       "85010112345", "langs", "fr", "n,l", "level", 3, "ok", 1, "nothing", "ratio", 0.5, "evil",
                       "a\r\nX-Admin: 1\x7f\xc2\x85z");
    memset(&who, 0, sizeof(who));
    who.provider = "psc";
    who.subject = "f:1:2";
    who.account = "899700000013";
    who.person = "rpps:99700000013";
    who.log_id = "Lk3";
    who.name = "Zoë Müller-Łódź";
    who.given_name = "Zoë";
    who.family_name = "D'Éon";
    who.acr = "eidas1";
    who.auth_time = apr_time_from_sec(1790000000);
    who.roles = roles;
    who.structures = structures;
    who.tenants = tenants;
    who.claims = claims;
}

static void teardown(void)
{
    json_decref(claims);
    eh_test_teardown();
}

static const char *render(const char *text, oidc_encoding_e encoding)
{
    oidc_template_t *t;
    const char *sentence = NULL, *out;
    const unsigned char *c;

    ck_assert_msg(oidc_template_compile(&t, text, encoding, &sentence, eh_test_pool) == APR_SUCCESS, "%s", sentence);
    out = oidc_template_render(t, &who, eh_test_pool);
    for (c = (const unsigned char *)out; *c; c++)
        ck_assert(*c >= 0x20 && *c != 0x7f);
    return out;
}

#define RENDERS(text, encoding, expected) ck_assert_str_eq(render(text, encoding), expected)

START_TEST(variables)
{
    RENDERS("%{account}", OIDC_ENC_RAW, "899700000013");
    RENDERS("%{person}", OIDC_ENC_RAW, "rpps:99700000013");
    RENDERS("%{name}", OIDC_ENC_RAW, "Zoë Müller-Łódź");
    RENDERS("%{given_name} %{family_name}", OIDC_ENC_RAW, "Zoë D'Éon");
    RENDERS("%{roles}", OIDC_ENC_RAW, "physician,professional");
    RENDERS("%{structures}", OIDC_ENC_RAW, "finess:750000011,siret:26750000100017");
    RENDERS("%{tenants}", OIDC_ENC_RAW, "st-jean");
    RENDERS("%{acr}/%{provider}/%{subject}/%{log_id}", OIDC_ENC_RAW, "eidas1/psc/f:1:2/Lk3");
    RENDERS("%{auth_time}", OIDC_ENC_RAW, "2026-09-21T14:13:20Z");
}
END_TEST

START_TEST(claims_by_path)
{
    RENDERS("%{claim:email}", OIDC_ENC_RAW, "z@example.org");
    RENDERS("%{claim:userProfile.ssin}", OIDC_ENC_RAW, "85010112345");
    RENDERS("%{claim:userProfile.langs}", OIDC_ENC_RAW, "fr,n,l");
    RENDERS("%{claim:userProfile.langs[]}", OIDC_ENC_PERCENT, "fr,n%2Cl"); /* only percent tells the two apart */
    RENDERS("%{claim:level} %{claim:ok} %{claim:ratio}", OIDC_ENC_RAW, "3 true 0.5");
    RENDERS("%{claim:userProfile}", OIDC_ENC_RAW, "{\"langs\":[\"fr\",\"n,l\"],\"ssin\":\"85010112345\"}");
    RENDERS("%{claim:nothing}", OIDC_ENC_RAW, "");
    RENDERS("%{claim:absent.path}", OIDC_ENC_RAW, "");
}
END_TEST

START_TEST(percent_encodes_values_not_text)
{
    RENDERS("name=%{name}; roles=%{roles}", OIDC_ENC_PERCENT,
            "name=Zo%C3%AB%20M%C3%BCller-%C5%81%C3%B3d%C5%BA; roles=physician,professional");
    RENDERS("%{structures}", OIDC_ENC_PERCENT, "finess%3A750000011,siret%3A26750000100017");
    RENDERS("100%% %{account}", OIDC_ENC_PERCENT, "100% 899700000013");
}
END_TEST

START_TEST(base64url_of_the_whole)
{
    RENDERS("%{name}", OIDC_ENC_BASE64URL, "Wm_DqyBNw7xsbGVyLcWBw7Nkxbo");
    RENDERS("a%{claim:absent}", OIDC_ENC_BASE64URL, "YQ");
}
END_TEST

/* The name of the example in the facts file, encoded as RFC 8187 §3.2.3 does it. */
START_TEST(rfc8187_of_the_whole)
{
    RENDERS("%{name}", OIDC_ENC_RFC8187, "UTF-8''Zo%C3%AB%20M%C3%BCller-%C5%81%C3%B3d%C5%BA");
    RENDERS("%{family_name}", OIDC_ENC_RFC8187, "UTF-8''D%27%C3%89on");
    RENDERS("a*%%!#$&+-.^_`|~", OIDC_ENC_RFC8187, "UTF-8''a%2A%25!#$&+-.^_`|~");
}
END_TEST

START_TEST(control_characters_never_come_out)
{
    RENDERS("%{claim:evil}", OIDC_ENC_RAW, "a  X-Admin: 1  z");
    RENDERS("%{claim:evil}", OIDC_ENC_PERCENT, "a%0D%0AX-Admin%3A%201%7F%C2%85z");
    who.name = "a\nb";
    RENDERS("%{name}", OIDC_ENC_RAW, "a b");
    RENDERS("%{name}", OIDC_ENC_RFC8187, "UTF-8''a%0Ab");
}
END_TEST

START_TEST(nothing_is_nothing)
{
    static const char *const none[] = {NULL};

    who.name = "";
    who.roles = none;
    who.structures = NULL;
    who.auth_time = 0;
    RENDERS("%{name}", OIDC_ENC_RFC8187, "");
    RENDERS("%{name}", OIDC_ENC_BASE64URL, "");
    RENDERS("%{roles}", OIDC_ENC_PERCENT, "");
    RENDERS("%{structures}", OIDC_ENC_RAW, "");
    RENDERS("%{auth_time}", OIDC_ENC_RAW, "");
    RENDERS("[%{name}]", OIDC_ENC_RAW, "[]");
}
END_TEST

START_TEST(encodings_by_name)
{
    ck_assert_int_eq(oidc_encoding_parse(NULL), OIDC_ENC_PERCENT);
    ck_assert_int_eq(oidc_encoding_parse("raw"), OIDC_ENC_RAW);
    ck_assert_int_eq(oidc_encoding_parse("percent"), OIDC_ENC_PERCENT);
    ck_assert_int_eq(oidc_encoding_parse("base64url"), OIDC_ENC_BASE64URL);
    ck_assert_int_eq(oidc_encoding_parse("rfc8187"), OIDC_ENC_RFC8187);
    ck_assert_int_eq(oidc_encoding_parse("latin1"), -1);
    ck_assert_int_eq(oidc_encoding_parse(""), -1);
}
END_TEST

static const char *sentence_of(const char *text)
{
    oidc_template_t *t;
    const char *sentence = NULL;

    ck_assert_int_ne(oidc_template_compile(&t, text, OIDC_ENC_RAW, &sentence, eh_test_pool), APR_SUCCESS);
    ck_assert_ptr_nonnull(sentence);
    return sentence;
}

START_TEST(mistakes_are_explained)
{
    char *big = apr_palloc(eh_test_pool, 1026);
    const char *parts = "";
    int i;

    ck_assert_ptr_nonnull(
        strstr(sentence_of("%{acount}"), "%{acount} is not known; a template may name: account, person"));
    ck_assert_ptr_nonnull(strstr(sentence_of("%{}"), "is not known"));
    ck_assert_ptr_nonnull(strstr(sentence_of("%account"), "write %% for a percent sign"));
    ck_assert_ptr_nonnull(strstr(sentence_of("%{account"), "write %%"));
    ck_assert_ptr_nonnull(strstr(sentence_of("100%"), "write %%"));
    ck_assert_ptr_nonnull(strstr(sentence_of("%{claim:}"), "path of a claim"));
    ck_assert_ptr_nonnull(strstr(sentence_of("%{claim:'a.b}"), "path of a claim"));
    ck_assert_ptr_nonnull(strstr(sentence_of(""), "must not be empty"));
    ck_assert_ptr_nonnull(strstr(sentence_of("a\r\nb"), "control characters"));
    ck_assert_ptr_nonnull(strstr(sentence_of("a\xc2\x85%{acr}"), "control characters")); /* C1 NEL */
    ck_assert_ptr_nonnull(strstr(sentence_of("a\xff"), "UTF-8"));
    memset(big, 'a', 1025);
    big[1025] = '\0';
    ck_assert_ptr_nonnull(strstr(sentence_of(big), "1024"));
    for (i = 0; i < 70; i++)
        parts = apr_pstrcat(eh_test_pool, parts, "%{acr}", NULL);
    ck_assert_ptr_nonnull(strstr(sentence_of(parts), "too many parts"));
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("oidc_template");
    TCase *tc = tcase_create("template");

    tcase_add_checked_fixture(tc, setup, teardown);
    suite_add_tcase(s, tc);
    tcase_add_test(tc, variables);
    tcase_add_test(tc, claims_by_path);
    tcase_add_test(tc, percent_encodes_values_not_text);
    tcase_add_test(tc, base64url_of_the_whole);
    tcase_add_test(tc, rfc8187_of_the_whole);
    tcase_add_test(tc, control_characters_never_come_out);
    tcase_add_test(tc, nothing_is_nothing);
    tcase_add_test(tc, encodings_by_name);
    tcase_add_test(tc, mistakes_are_explained);
    return s;
}

int main(void) { return eh_test_main(suite()); }
