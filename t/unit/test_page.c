/* SPDX-License-Identifier: Apache-2.0 */
#include <libxml/HTMLparser.h>

#include "ehealth/codec.h"
#include "ehealth/crypto.h"
#include "ehealth/page.h"
#include "eh_test.h"

static apr_pool_t *p;

static void setup(void) { p = eh_test_pool; }

START_TEST(test_lang)
{
    static const struct {
        const char *header;
        eh_lang_e lang;
    } cases[] = {
        {NULL, EH_LANG_EN},
        {"", EH_LANG_EN},
        {"fr", EH_LANG_FR},
        {"FR-be", EH_LANG_FR},
        {"nl-BE,nl;q=0.9,fr;q=0.8,en;q=0.7", EH_LANG_NL},
        {"es, it;q=0.9", EH_LANG_EN},
        {"es, it;q=0.9, de;q=0.1", EH_LANG_DE},
        {"fr;q=0.5, de;q=0.51", EH_LANG_DE},
        {"fr;q=0.5, de;q=0.5", EH_LANG_FR},
        {"fr;q=0, de;q=0.001", EH_LANG_DE},
        {"fr;q=0", EH_LANG_EN},
        {"fr;q=0.000", EH_LANG_EN},
        {"*;q=1, fr;q=0.3", EH_LANG_FR},
        {" \tfr \t; \tQ=0.4 , nl ; q=0.5", EH_LANG_NL},
        {"fr;level=1;q=0.2, nl;q=0.3", EH_LANG_NL},
        {"fra, nlx, deu", EH_LANG_EN}, /* three letters are other tags */
        {"fr;q=1.5, nl;q=0.1", EH_LANG_NL},
        {"fr;q=2, nl;q=0.1", EH_LANG_NL},
        {"fr;q=, nl;q=0.1", EH_LANG_NL},
        {"fr;q=0.1234, nl;q=0.1", EH_LANG_NL},
        {"fr;q=1.000, nl", EH_LANG_FR},
        {",,;;,fr", EH_LANG_FR},
        {"f", EH_LANG_EN},
        {"d e", EH_LANG_EN},
    };
    eh_lang_e lang = EH_LANG_NL;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        ck_assert_msg(eh_lang_from_accept(cases[i].header) == cases[i].lang, "'%s': %s", cases[i].header,
                      eh_lang_code(eh_lang_from_accept(cases[i].header)));
    ck_assert_int_eq(eh_lang_parse(&lang, "de"), APR_SUCCESS);
    ck_assert_int_eq(lang, EH_LANG_DE);
    ck_assert_int_eq(eh_lang_parse(&lang, "DE"), APR_EINVAL);
    ck_assert_int_eq(eh_lang_parse(&lang, "de-AT"), APR_EINVAL);
    ck_assert_int_eq(eh_lang_parse(&lang, NULL), APR_EINVAL);
    ck_assert_int_eq(lang, EH_LANG_DE);
    ck_assert_str_eq(eh_lang_code(EH_LANG_NL), "nl");
}
END_TEST

START_TEST(test_csp)
{
    eh_page_t page = {EH_LANG_EN};
    eh_err_t err = {EH_E_DENIED};
    const char *html = eh_page_error(p, &page, &err), *from, *to, *digest;
    unsigned char sha[EH_SHA256_LEN];

    ck_assert_int_eq(eh_crypto_init(), APR_SUCCESS);
    from = strstr(html, "<style>") + 7;
    to = strstr(from, "</style>");
    eh_sha256(sha, from, (apr_size_t)(to - from));
    digest = eh_b64(p, sha, sizeof(sha));
    ck_assert_msg(strstr(eh_page_csp(p, NULL), apr_pstrcat(p, "style-src 'sha256-", digest, "';", NULL)) != NULL,
                  "the style changed: STYLE_DIGEST is now %s", digest);
    ck_assert_ptr_null(strstr(to + 8, "<style"));
    ck_assert_ptr_null(strstr(html, "<script"));
    ck_assert_ptr_null(strstr(html, " style="));
    ck_assert_ptr_nonnull(strstr(eh_page_csp(p, NULL), "default-src 'none'"));
    ck_assert_ptr_nonnull(strstr(eh_page_csp(p, NULL), "frame-ancestors 'none'"));
    ck_assert_ptr_nonnull(
        strstr(eh_page_csp(p, "https://idp.example:8443"), "form-action 'self' https://idp.example:8443"));
    ck_assert_str_eq(eh_page_csp(p, "https://idp.example; script-src *"), eh_page_csp(p, NULL));
    ck_assert_str_eq(eh_page_csp(p, "https://idp.example/path"), eh_page_csp(p, NULL));
    ck_assert_str_eq(eh_page_csp(p, "*"), eh_page_csp(p, NULL));
    ck_assert_str_eq(eh_page_csp(p, "https://"), eh_page_csp(p, NULL));
}
END_TEST

/* libxml2's HTML parser knows HTML 4: names of HTML 5 elements are all it may complain of. */
static void parse_error(void *baton, xmlErrorPtr e)
{
    if (e->code == XML_HTML_UNKNOWN_TAG) return;
    ck_abort_msg("line %d: %s", e->line, e->message);
}

static void well_formed(const char *html)
{
    htmlDocPtr doc;

    ck_assert(eh_utf8_valid(html, strlen(html)));
    xmlSetStructuredErrorFunc(NULL, parse_error);
    doc = htmlReadMemory(html, (int)strlen(html), "page", "utf-8", HTML_PARSE_NONET);
    ck_assert_ptr_nonnull(doc);
    xmlFreeDoc(doc);
    xmlSetStructuredErrorFunc(NULL, NULL);
}

static int count(const char *s, const char *what)
{
    int n = 0;

    for (; (s = strstr(s, what)); s++)
        n++;
    return n;
}

START_TEST(test_error_page)
{
    eh_page_t page = {EH_LANG_FR, "c-1", "Helpdesk 12 34", "/portal?a=1&b=2", "/"};
    eh_err_t err = {EH_E_DENIED_MEMBER, APR_EGENERAL, "No structure of this log-in matches.", "the secret cause", 0};
    const char *html = eh_page_error(p, &page, &err);

    well_formed(html);
    ck_assert_ptr_nonnull(strstr(html, "<html lang=\"fr\">"));
    ck_assert_ptr_nonnull(strstr(html, "<section id=\"fr\" lang=\"fr\" class=\"own\"><h1>Vous n’êtes pas enregistré"));
    ck_assert_ptr_nonnull(strstr(html, "<section id=\"de\" lang=\"de\"><h1>Sie sind nicht als Mitarbeitende"));
    ck_assert_int_eq(count(html, "class=\"own\""), 1);
    ck_assert_int_eq(count(html, "<h1>"), 4);
    /* The reader's own section is the last, or the style could not put it away. */
    ck_assert(strstr(html, "<section id=\"fr\"") > strstr(html, "<section id=\"de\""));
    ck_assert(strstr(html, "<section id=\"fr\"") > strstr(html, "<section id=\"nl\""));
    ck_assert_int_eq(count(html, "<dd>EH5001</dd>"), 4);
    ck_assert_int_eq(count(html, "<dd>c-1</dd>"), 4);
    ck_assert_int_eq(count(html, "<dd>Helpdesk 12 34</dd>"), 4);
    ck_assert_int_eq(count(html, "<dd lang=\"en\">No structure of this log-in matches.</dd>"), 4);
    ck_assert_int_eq(count(html, "href=\"/portal?a=1&amp;b=2\""), 4);
    ck_assert_ptr_null(strstr(html, "secret cause"));
    ck_assert_int_eq(count(html, "href=\"#"), 4);
    ck_assert_int_eq(count(html, "/.ehealth/logout"), 0);
    page.logout_url = "/.ehealth/logout";
    ck_assert_int_eq(count(eh_page_error(p, &page, &err), "<a href=\"/.ehealth/logout\">"), 4);
}
END_TEST

START_TEST(test_remedies)
{
    eh_page_t page = {EH_LANG_EN};
    eh_err_t err = {EH_E_DB_BUSY, APR_TIMEUP, NULL, NULL, 7};
    const char *html = eh_page_error(p, &page, &err);

    ck_assert_ptr_nonnull(strstr(html, "<p>You can try again in 7 s.</p>"));
    ck_assert_ptr_nonnull(strstr(html, "<p>Vous pourrez réessayer dans 7 s.</p>"));
    ck_assert_ptr_null(strstr(html, "Detail"));

    memset(&err, 0, sizeof(err));
    err.code = EH_E_LOGIN_REQUIRED;
    err.login = "/.ehealth/login/psc?target=%2F";
    html = eh_page_error(p, &page, &err);
    ck_assert_ptr_nonnull(strstr(html, "<a class=\"btn\" href=\"/.ehealth/login/psc?target=%2F\">Log in</a>"));
    ck_assert_ptr_null(strstr(html, "again in"));

    for (int i = 0; i < eh_err_count(); i++) {
        memset(&err, 0, sizeof(err));
        err.code = eh_err_at(i)->code;
        html = eh_page_error(p, &page, &err);
        well_formed(html);
        ck_assert_ptr_null(strstr(html, "(null)"));
        ck_assert_ptr_null(strstr(html, "<p></p>"));
    }
}
END_TEST

START_TEST(test_hostile)
{
    eh_page_t page = {(eh_lang_e)77, "\"><script>1</script>", "<b>\xff", "javascript:alert(1)", "//evil.example/"};
    eh_err_t err = {
        EH_E_BAD_REQUEST, APR_EINVAL, "</dd><script>2</script>", NULL, 0, "https://ok.example/\"onclick=\"x"};
    const char *html = eh_page_error(p, &page, &err);

    well_formed(html);
    ck_assert_ptr_null(strstr(html, "<script"));
    ck_assert_ptr_null(strstr(html, "<b>"));
    ck_assert_ptr_null(strstr(html, "javascript:"));
    ck_assert_ptr_null(strstr(html, "evil.example"));
    ck_assert_ptr_null(strstr(html, "\"onclick"));
    ck_assert_ptr_nonnull(strstr(html, "\xef\xbf\xbd"));
    ck_assert_ptr_nonnull(strstr(html, "<html lang=\"en\">"));
    page.home_url = "http://\xff"; /* found by fuzz_audit_json */
    ck_assert_ptr_null(strstr(eh_page_error(p, &page, &err), "http://"));
    page.home_url = "/\\evil.example";
    ck_assert_ptr_null(strstr(eh_page_error(p, &page, &err), "evil.example"));
}
END_TEST

START_TEST(test_notices)
{
    static const eh_page_words_t *const all[] = {&eh_words_logged_out, &eh_words_logged_out_here,
                                                 &eh_words_logout_confirm};
    eh_page_t page = {.lang = EH_LANG_NL, .link_url = "/portal", .form_action = "/.ehealth/logout"};
    apr_table_t *fields = apr_table_make(p, 1);
    const char *html;

    apr_table_set(fields, "csrf", "a\"b");
    page.form_fields = fields;
    for (size_t i = 0; i < 3; i++) {
        html = eh_page_notice(p, &page, all[i]);
        well_formed(html);
        ck_assert_ptr_null(strstr(html, "(null)"));
        ck_assert_int_eq(count(html, "href=\"/portal\""), 4);
        ck_assert_int_eq(count(html, "<form"), i == 2 ? 4 : 0);
        ck_assert_ptr_null(strstr(html, "<dl>"));
    }
    ck_assert_ptr_nonnull(strstr(html, "<form method=\"post\" action=\"/.ehealth/logout\"><input type=\"hidden\" "
                                       "name=\"csrf\" value=\"a&quot;b\"><button type=\"submit\">Uitloggen</button>"));
    page.form_action = "https://evil.example/";
    ck_assert_ptr_null(strstr(eh_page_notice(p, &page, &eh_words_logout_confirm), "<form"));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("page");
    TCase *tc = eh_test_case(s, "page");
    int rc;

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, test_lang);
    tcase_add_test(tc, test_csp);
    tcase_add_test(tc, test_error_page);
    tcase_add_test(tc, test_remedies);
    tcase_add_test(tc, test_hostile);
    tcase_add_test(tc, test_notices);
    rc = eh_test_main(s);
    xmlCleanupParser(); /* what libxml2 keeps would be a leak to the sanitizer */
    return rc;
}
