/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>

#include "ehealth/audit.h"
#include "ehealth/codec.h"
#include "eh_test.h"

static apr_pool_t *p;

static void setup(void) { p = eh_test_pool; }

static eh_audit_rec_t sample(void)
{
    eh_audit_rec_t rec = {
        .at = APR_INT64_C(1767225600123456), /* 2026-01-01T00:00:00.123456Z */
        .event = "login.refused",
        .outcome = EH_OUTCOME_DENIED,
        .code = "EH5001",
        .actor = "Ab_1",
        .subject = "",
        .tenant = "st-jean",
        .provider = "psc",
        .remote = "192.0.2.7",
        .host = "https://portal.example",
        .correlation = "c-1",
        .detail = "acr=eidas1 method=CARD",
    };
    return rec;
}

START_TEST(test_line)
{
    eh_audit_rec_t rec = sample();

    ck_assert_str_eq(eh_audit_json(&rec, p),
                     "{\"at\":\"2026-01-01T00:00:00.123456Z\",\"event\":\"login.refused\",\"outcome\":\"denied\","
                     "\"code\":\"EH5001\",\"actor\":\"Ab_1\",\"subject\":\"\",\"tenant\":\"st-jean\","
                     "\"provider\":\"psc\",\"remote\":\"192.0.2.7\",\"host\":\"https://portal.example\","
                     "\"correlation\":\"c-1\",\"detail\":\"acr=eidas1 method=CARD\"}");
}
END_TEST

static const char *round_trip(const char *in)
{
    eh_audit_rec_t rec = sample();
    const char *line, *out;
    json_error_t je;
    json_t *j;

    rec.detail = in;
    line = eh_audit_json(&rec, p);
    ck_assert_msg(eh_utf8_valid(line, strlen(line)), "not UTF-8: %s", line);
    for (const unsigned char *c = (const unsigned char *)line; *c; c++)
        ck_assert_int_ge(*c, 0x20);
    j = json_loads(line, JSON_REJECT_DUPLICATES, &je);
    ck_assert_msg(j != NULL, "%s: %s", je.text, line);
    ck_assert_uint_eq(json_object_size(j), 12);
    out = apr_pstrdup(p, json_string_value(json_object_get(j, "detail")));
    json_decref(j);
    return out;
}

START_TEST(test_hostile_bytes)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"\"\\/\b\f\n\r\t\x01\x7f", "\"\\/\b\f\n\r\t\x01\x7f"},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"\xe2\x80\xa8\xe2\x80\xa9\xc2\x85", "\xe2\x80\xa8\xe2\x80\xa9\xc2\x85"},
        {"\xff", "\xef\xbf\xbd"},
        {"\xc3", "\xef\xbf\xbd"},
        {"a\xc0\xaf", "a\xef\xbf\xbd\xef\xbf\xbd"},                               /* overlong '/' */
        {"\xe0\x80\xaf", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},                 /* overlong '/' in three */
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},                 /* a surrogate */
        {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* U+110000 */
        {"\xf0\x80\x80\xaf", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"}, /* U+10FFFF is the last */
        {NULL, ""},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        ck_assert_str_eq(round_trip(cases[i].in), cases[i].out);
    /* Separators that end a line for some readers are escaped, not only valid. */
    {
        eh_audit_rec_t rec = sample();
        rec.detail = "\xe2\x80\xa8\xe2\x80\xa9\xc2\x85\x7f";
        ck_assert_ptr_nonnull(strstr(eh_audit_json(&rec, p), "\"\\u2028\\u2029\\u0085\\u007f\""));
    }
}
END_TEST

/* Every pair of bytes, so every broken lead and follower. */
START_TEST(test_all_pairs)
{
    for (int a = 1; a < 256; a++) {
        for (int b = 1; b < 256; b++) {
            char in[3] = {(char)a, (char)b, '\0'};
            const char *out;

            apr_pool_clear(p);
            out = round_trip(in);
            ck_assert(eh_utf8_valid(out, strlen(out)));
            if (eh_utf8_valid(in, 2)) ck_assert_str_eq(out, in);
        }
    }
}
END_TEST

START_TEST(test_long_fields)
{
    char *in = apr_palloc(p, 4001);
    const char *out;

    for (int i = 0; i < 4000; i += 2)
        memcpy(in + i, "\xc3\xa9", 2);
    in[4000] = '\0';
    out = round_trip(in + 1); /* odd phase: first byte is a stray follower */
    ck_assert_uint_le(strlen(out), 1024 + 3);
    ck_assert_uint_ge(strlen(out), 1020);
    ck_assert_str_eq(out + strlen(out) - 3, "\xe2\x80\xa6");
}
END_TEST

/* A transaction that keeps what it was given. */
typedef struct fake_tx_t {
    eh_tx_t tx;
    const eh_stmt_t *stmt;
    const char *args[12];
} fake_tx_t;

static apr_status_t keep(eh_tx_t *tx, const eh_stmt_t *stmt, const char *const *args, int *affected, eh_err_t *err)
{
    fake_tx_t *fake = (fake_tx_t *)tx;

    ck_assert_int_eq(stmt->nargs, 12);
    fake->stmt = stmt;
    memcpy(fake->args, args, sizeof(fake->args));
    return APR_SUCCESS;
}

static apr_status_t refuse(eh_tx_t *tx, const eh_stmt_t *stmt, const char *const *args, int *affected, eh_err_t *err)
{
    return eh_err_set(err, EH_E_DB_DOWN, APR_EGENERAL, NULL);
}

static int count(const char *s, const char *what)
{
    int n = 0;

    for (; (s = strstr(s, what)); s++)
        n++;
    return n;
}

START_TEST(test_insert)
{
    static const eh_db_ops_t ops = {NULL, keep, NULL}, broken = {NULL, refuse, NULL};
    fake_tx_t fake = {{&ops, EH_DB_SQLITE}, NULL, {NULL}};
    eh_audit_rec_t rec = sample();
    eh_err_t err = {0};

    rec.tenant = NULL;
    rec.remote = "\xff";
    ck_assert_int_eq(eh_audit_insert(&fake.tx, &rec, &err, p), APR_SUCCESS);
    ck_assert_str_eq(fake.args[0], "1767225600123456");
    ck_assert_str_eq(fake.args[1], "login.refused");
    ck_assert_str_eq(fake.args[2], "denied");
    ck_assert_str_eq(fake.args[3], "EH5001");
    ck_assert_str_eq(fake.args[4], "Ab_1");
    ck_assert_str_eq(fake.args[5], "");
    ck_assert_str_eq(fake.args[6], "");
    ck_assert_str_eq(fake.args[7], "psc");
    ck_assert_str_eq(fake.args[8], "\xef\xbf\xbd"); /* PostgreSQL refuses what is not UTF-8 */
    ck_assert_str_eq(fake.args[9], "https://portal.example");
    ck_assert_str_eq(fake.args[10], "c-1");
    ck_assert_str_eq(fake.args[11], "acr=eidas1 method=CARD");
    ck_assert_int_eq(count(fake.stmt->sql[EH_DB_SQLITE], "%s"), 12);
    ck_assert_int_eq(count(fake.stmt->sql[EH_DB_PGSQL], "%s"), 12);
    fake.tx.ops = &broken;
    ck_assert_int_ne(eh_audit_insert(&fake.tx, &rec, &err, p), APR_SUCCESS);
    ck_assert_int_eq(err.code, EH_E_DB_DOWN);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("audit");
    TCase *tc = eh_test_case(s, "record");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, test_line);
    tcase_add_test(tc, test_hostile_bytes);
    tcase_add_test(tc, test_all_pairs);
    tcase_add_test(tc, test_long_fields);
    tcase_add_test(tc, test_insert);
    return eh_test_main(s);
}
