/* SPDX-License-Identifier: Apache-2.0 */
#include "eh_test.h"

#include "ehealth/codec.h"

/* RFC 4648 §10, without the padding for base64url. */
static const char *const rfc4648[][3] = {{"", "", ""},
                                         {"f", "Zg", "Zg=="},
                                         {"fo", "Zm8", "Zm8="},
                                         {"foo", "Zm9v", "Zm9v"},
                                         {"foob", "Zm9vYg", "Zm9vYg=="},
                                         {"fooba", "Zm9vYmE", "Zm9vYmE="},
                                         {"foobar", "Zm9vYmFy", "Zm9vYmFy"}};

START_TEST(b64_vectors)
{
    const char *const *v = rfc4648[_i];
    unsigned char *out;
    apr_size_t len;

    ck_assert_str_eq(eh_b64url(eh_test_pool, v[0], strlen(v[0])), v[1]);
    ck_assert_str_eq(eh_b64(eh_test_pool, v[0], strlen(v[0])), v[2]);
    ck_assert_rv_ok(eh_b64url_decode(&out, &len, v[1], strlen(v[1]), eh_test_pool));
    ck_assert_uint_eq(len, strlen(v[0]));
    ck_assert_str_eq((char *)out, v[0]);
}
END_TEST

START_TEST(b64_alphabets)
{
    unsigned char *out;
    apr_size_t len;

    ck_assert_str_eq(eh_b64url(eh_test_pool, "\xfb\xff\xbf", 3), "-_-_");
    ck_assert_str_eq(eh_b64(eh_test_pool, "\xfb\xff\xbf", 3), "+/+/");
    ck_assert_rv_ok(eh_b64url_decode(&out, &len, "-_-_", 4, eh_test_pool));
    ck_assert_uint_eq(len, 3);
    ck_assert_mem_eq(out, "\xfb\xff\xbf", 3);
    /* The length rules, not a NUL in the text, bound what is read. */
    ck_assert_rv_ok(eh_b64url_decode(&out, &len, "Zm9vYmFy", 4, eh_test_pool));
    ck_assert_str_eq((char *)out, "foo");
}
END_TEST

static const struct {
    const char *text;
    apr_size_t len;
} b64_bad[] = {
    {"Zg==", 4},  {"Zg=", 3},        {"Z", 1},    {"Zm9vY", 5},   /* padding, impossible lengths */
    {"Zh", 2},    {"Zm9", 3},        {"_-9", 3},  {"Zm9vYmG", 7}, /* trailing bits that are set */
    {"Zm8+", 4},  {"Zm8/", 4},       {"Zm 8", 4}, {"Zm8\n", 4},   /* other alphabet, white space */
    {"Zm\0v", 4}, {"Zm\xc3\xa9", 4}, {"Zm8.", 4}, {"\x80\x80\x80\x80", 4},
};

START_TEST(b64_refused)
{
    unsigned char *out;
    apr_size_t len;

    ck_assert_int_eq(eh_b64url_decode(&out, &len, b64_bad[_i].text, b64_bad[_i].len, eh_test_pool), APR_EINVAL);
}
END_TEST

START_TEST(hex)
{
    ck_assert_str_eq(eh_hex(eh_test_pool, "\x00\x01\x7f\x80\xff", 5), "00017f80ff");
    ck_assert_str_eq(eh_hex(eh_test_pool, "", 0), "");
}
END_TEST

/* `date -u -d @N` agrees with each of these. */
static const struct {
    apr_int64_t seconds;
    const char *text;
} times[] = {
    {0, "1970-01-01T00:00:00Z"},           {951782400, "2000-02-29T00:00:00Z"},    {1795341600, "2026-11-22T10:00:00Z"},
    {1709251199, "2024-02-29T23:59:59Z"},  {4107542400, "2100-03-01T00:00:00Z"},   {-1, "1969-12-31T23:59:59Z"},
    {-2208988800, "1900-01-01T00:00:00Z"}, {253402300799, "9999-12-31T23:59:59Z"},
};

START_TEST(time_both_ways)
{
    apr_time_t t = -1;

    ck_assert_str_eq(eh_time_rfc3339(eh_test_pool, times[_i].seconds * APR_USEC_PER_SEC), times[_i].text);
    ck_assert_rv_ok(eh_time_parse(&t, times[_i].text));
    ck_assert_int_eq(t, times[_i].seconds * APR_USEC_PER_SEC);
}
END_TEST

START_TEST(time_fractions_and_offsets)
{
    apr_time_t t;

    ck_assert_str_eq(eh_time_rfc3339_us(eh_test_pool, 1795341600000042), "2026-11-22T10:00:00.000042Z");
    ck_assert_str_eq(eh_time_rfc3339_us(eh_test_pool, -1), "1969-12-31T23:59:59.999999Z");
    ck_assert_str_eq(eh_time_rfc3339(eh_test_pool, -1), "1969-12-31T23:59:59Z");
    ck_assert_rv_ok(eh_time_parse(&t, "2026-11-22T10:00:00.000042Z"));
    ck_assert_int_eq(t, 1795341600000042);
    ck_assert_rv_ok(eh_time_parse(&t, "2026-11-22T10:00:00.5Z"));
    ck_assert_int_eq(t, 1795341600500000);
    ck_assert_rv_ok(eh_time_parse(&t, "2026-11-22T10:00:00.123456789Z"));
    ck_assert_int_eq(t, 1795341600123456);
    ck_assert_rv_ok(eh_time_parse(&t, "2026-11-22T11:00:00+01:00"));
    ck_assert_int_eq(t, 1795341600000000);
    ck_assert_rv_ok(eh_time_parse(&t, "2026-11-22T04:30:00-05:30"));
    ck_assert_int_eq(t, 1795341600000000);
}
END_TEST

static const char *const times_bad[] = {
    "",
    "2026-11-22",
    "2026-11-22 10:00:00Z",
    "2026-11-22T10:00:00",
    "2026-11-22T10:00Z",
    "2026-11-22T10:00:00z",
    "2026-11-22t10:00:00Z",
    "2026-11-22T10:00:00.Z",
    "2026-11-22T10:00:00.1234567890Z",
    "2026-11-22T10:00:00ZZ",
    "2026-11-22T10:00:00+1:00",
    "2026-11-22T10:00:00+24:00",
    "2026-11-22T10:00:00+01:60",
    "2026-11-22T10:00:00+0100",
    "2026-13-01T00:00:00Z",
    "2026-00-01T00:00:00Z",
    "2026-11-31T00:00:00Z",
    "2026-11-00T00:00:00Z",
    "2025-02-29T00:00:00Z",
    "2100-02-29T00:00:00Z",
    "2026-11-22T24:00:00Z",
    "2026-11-22T10:60:00Z",
    "2026-11-22T10:00:60Z",
    "26-11-22T10:00:00Z",
    " 2026-11-22T10:00:00Z",
    "+026-11-22T10:00:00Z",
    "2026-11-22T1\xd9\xa0:00:00Z",
};

START_TEST(time_refused)
{
    apr_time_t t;

    ck_assert_msg(eh_time_parse(&t, times_bad[_i]) == APR_EINVAL, "accepted '%s'", times_bad[_i]);
}
END_TEST

START_TEST(escapes)
{
    ck_assert_str_eq(eh_percent(eh_test_pool, "AZaz09-._~"), "AZaz09-._~");
    ck_assert_str_eq(eh_percent(eh_test_pool, " +%&=/?#\"'<>\n"), "%20%2B%25%26%3D%2F%3F%23%22%27%3C%3E%0A");
    ck_assert_str_eq(eh_percent(eh_test_pool, "Zoé"), "Zo%C3%A9");
    ck_assert_str_eq(eh_form_encode(eh_test_pool, "a b+c&é"), "a+b%2Bc%26%C3%A9");
    ck_assert_str_eq(eh_percent(eh_test_pool, ""), "");
    ck_assert_str_eq(eh_html(eh_test_pool, "<a href=\"x\" id='y'>&amp;</a> é"),
                     "&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;amp;&lt;/a&gt; é");
    ck_assert_str_eq(eh_html(eh_test_pool, ""), "");
}
END_TEST

static apr_status_t form(apr_table_t **t, const char *s, int max)
{
    return eh_form_parse(t, s, strlen(s), max, eh_test_pool);
}

START_TEST(form_parse)
{
    const char *v = NULL;
    apr_table_t *t;

    ck_assert_rv_ok(form(&t, "code=a%2Bb+c&state=&empty&x=1=2&%C3%A9=%e2%82%ac", 5));
    ck_assert_int_eq(apr_table_elts(t)->nelts, 5);
    ck_assert_rv_ok(eh_form_single(&v, t, "code"));
    ck_assert_str_eq(v, "a+b c");
    ck_assert_rv_ok(eh_form_single(&v, t, "state"));
    ck_assert_str_eq(v, "");
    ck_assert_rv_ok(eh_form_single(&v, t, "empty"));
    ck_assert_str_eq(v, "");
    ck_assert_rv_ok(eh_form_single(&v, t, "x"));
    ck_assert_str_eq(v, "1=2");
    ck_assert_rv_ok(eh_form_single(&v, t, "é"));
    ck_assert_str_eq(v, "€");
    ck_assert_int_eq(eh_form_single(&v, t, "nothing"), APR_ENOENT);
    ck_assert_rv_ok(form(&t, "", 0));
    ck_assert_int_eq(apr_table_elts(t)->nelts, 0);
    ck_assert_rv_ok(form(&t, "&&a=1&", 1));
    ck_assert_int_eq(apr_table_elts(t)->nelts, 1);
}
END_TEST

START_TEST(form_names_are_exact)
{
    const char *v = NULL;
    apr_table_t *t;

    ck_assert_rv_ok(form(&t, "code=1&Code=2&state=x&state=x", 4));
    ck_assert_rv_ok(eh_form_single(&v, t, "code")); /* apr tables fold case; parameters do not */
    ck_assert_str_eq(v, "1");
    ck_assert_rv_ok(eh_form_single(&v, t, "Code"));
    ck_assert_str_eq(v, "2");
    ck_assert_int_eq(eh_form_single(&v, t, "CODE"), APR_ENOENT);
    ck_assert_int_eq(eh_form_single(&v, t, "state"), APR_EINVAL);
}
END_TEST

static const char *const forms_bad[] = {
    "a=%",      "a=%4",        "a=%zz",  "a=%4g",          "%00=1",    "a=%00",     "a=%ff",
    "a=%c0%80", "a=%ed%a0%80", "a=\xff", "a=%f5%80%80%80", "a=%e2%82", "a=1&b=%e2", "a=1&b=2&c=3&d=4"};

START_TEST(form_refused)
{
    apr_table_t *t;

    ck_assert_msg(form(&t, forms_bad[_i], 3) == APR_EINVAL, "accepted '%s'", forms_bad[_i]);
}
END_TEST

START_TEST(form_nul)
{
    apr_table_t *t;

    ck_assert_int_eq(eh_form_parse(&t, "a=1\0b", 5, 9, eh_test_pool), APR_EINVAL);
}
END_TEST

START_TEST(utf8)
{
    static const char *const good[] = {"",
                                       "a",
                                       "\xc2\x80",
                                       "\xdf\xbf",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "\xef\xbf\xbf",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf",
                                       "Zo\xc3\xa9"};
    static const char *const bad[] = {"\x80",
                                      "\xbf",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xc2",
                                      "\xc2\x41",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xed\xbf\xbf",
                                      "\xe2\x82",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "\xfe",
                                      "a\xc3"};
    size_t i;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        ck_assert_msg(eh_utf8_valid(good[i], strlen(good[i])), "good %d", (int)i);
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(!eh_utf8_valid(bad[i], strlen(bad[i])), "bad %d", (int)i);
    ck_assert(eh_utf8_valid("\0", 1)); /* U+0000 is a character; who must not have it says so */
    ck_assert(!eh_utf8_valid("\xc3\xa9", 1));
}
END_TEST

static const char *const targets_good[] = {
    "/", "/portal/?q=a%20b&r=/x//y", "/a@b", "/a#section", "/%2f/evil", "/é", "/a:b@c/d?e=f@g"};
static const char *const targets_bad[] = {
    "",
    "portal",
    "//evil.example",
    "/\\evil.example",
    "\\/evil.example",
    "https://evil.example/",
    "/a\\b",
    "/\t/evil",
    "/a\nb",
    "/a\rb",
    "/a b",
    "/a\x7f",
    "/\xc2\x85x",
    "/#@evil",
    "/a#x@evil",
    "/\xff",
    "/\x01",
    " /a",
    "javascript:alert(1)",
    "/\xc2\x9f",
    "?x",
};

START_TEST(target_good) { ck_assert_msg(eh_target_is_local(targets_good[_i]), "refused '%s'", targets_good[_i]); }
END_TEST

START_TEST(target_bad) { ck_assert_msg(!eh_target_is_local(targets_bad[_i]), "accepted '%s'", targets_bad[_i]); }
END_TEST

START_TEST(target_length)
{
    char *s = apr_palloc(eh_test_pool, 2002);

    memset(s, 'a', 2001);
    s[0] = '/';
    s[2001] = '\0';
    ck_assert(!eh_target_is_local(s));
    s[2000] = '\0';
    ck_assert(eh_target_is_local(s));
    ck_assert(!eh_target_is_local(NULL));
}
END_TEST

#define N(a) (int)(sizeof(a) / sizeof((a)[0]))

int main(void)
{
    Suite *s = suite_create("codec");
    TCase *tc = eh_test_case(s, "base64, hex");

    tcase_add_loop_test(tc, b64_vectors, 0, N(rfc4648));
    tcase_add_test(tc, b64_alphabets);
    tcase_add_loop_test(tc, b64_refused, 0, N(b64_bad));
    tcase_add_test(tc, hex);
    tc = eh_test_case(s, "time");
    tcase_add_loop_test(tc, time_both_ways, 0, N(times));
    tcase_add_test(tc, time_fractions_and_offsets);
    tcase_add_loop_test(tc, time_refused, 0, N(times_bad));
    tc = eh_test_case(s, "forms and escapes");
    tcase_add_test(tc, escapes);
    tcase_add_test(tc, form_parse);
    tcase_add_test(tc, form_names_are_exact);
    tcase_add_loop_test(tc, form_refused, 0, N(forms_bad));
    tcase_add_test(tc, form_nul);
    tcase_add_test(tc, utf8);
    tcase_add_loop_test(tc, target_good, 0, N(targets_good));
    tcase_add_loop_test(tc, target_bad, 0, N(targets_bad));
    tcase_add_test(tc, target_length);
    return eh_test_main(s);
}
