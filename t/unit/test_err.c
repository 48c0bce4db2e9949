/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>

#include "ehealth/err.h"
#include "ehealth/log.h"
#include "eh_test.h"

static apr_pool_t *p;

static void setup(void) { p = eh_test_pool; }

static const char *member(json_t *j, const char *key) { return json_string_value(json_object_get(j, key)); }

START_TEST(test_table)
{
    ck_assert_str_eq(eh_err_info(EH_E_DB_UNKNOWN_OUTCOME)->slug, "db-unknown-outcome");
    ck_assert_str_eq(eh_err_info(EH_E_JSON)->slug, "json");
    ck_assert_int_eq(eh_err_info(EH_E_RATE_LIMIT)->http, 429);
    ck_assert_int_eq(eh_err_info((eh_code_e)4242)->code, EH_E_INTERNAL);
    ck_assert_int_eq(eh_err_info(EH_E_NONE)->code, EH_E_INTERNAL);
    ck_assert_str_eq(eh_err_info(EH_E_LOGIN_REQUIRED)->title[EH_LANG_NL], "Gelieve in te loggen.");
    ck_assert_str_eq(eh_err_tag(p, EH_E_DB_DOWN), "EH2000");
    for (int i = 0; i < eh_err_count(); i++) {
        const eh_err_info_t *info = eh_err_at(i);

        ck_assert_uint_eq(strspn(info->slug, "abcdefghijklmnopqrstuvwxyz-"), strlen(info->slug));
        ck_assert_int_ge(info->http, 400);
        ck_assert_int_le(info->http, 599);
        for (int k = 0; k < i; k++)
            ck_assert_str_ne(eh_err_at(k)->slug, info->slug);
    }
}
END_TEST

START_TEST(test_first_one_wins)
{
    eh_err_t err = {0};

    ck_assert_int_eq(eh_err_set(&err, EH_E_DB_DOWN, APR_SUCCESS, "d"), APR_EGENERAL);
    ck_assert_int_eq(err.rv, APR_EGENERAL);
    ck_assert_int_eq(eh_err_setf(&err, p, EH_E_JSON, APR_EINVAL, "other", "late %d", 1), APR_EINVAL);
    ck_assert_int_eq(err.code, EH_E_DB_DOWN);
    ck_assert_str_eq(err.detail, "d");
    ck_assert_ptr_null(err.cause);
    ck_assert_int_eq(eh_err_set(NULL, EH_E_JSON, APR_EINVAL, NULL), APR_EINVAL);
    ck_assert_int_eq(eh_err_setf(NULL, p, EH_E_JSON, APR_EINVAL, NULL, "%s", "x"), APR_EINVAL);

    memset(&err, 0, sizeof(err));
    eh_err_setf(&err, p, EH_E_JSON, APR_EINVAL, NULL, "at %zu of %s", (size_t)7, "metadata");
    ck_assert_str_eq(err.cause, "at 7 of metadata");
}
END_TEST

START_TEST(test_problem)
{
    eh_err_t err = {EH_E_DB_BUSY,   APR_TIMEUP, "A \"quoted\"\nline \xff\xc3\xa9.",
                    "secret cause", 5,          "/.ehealth/login/psc"};
    const char *text = eh_err_problem_json(p, &err, EH_LANG_FR, "abc-1");
    json_error_t je;
    json_t *j = json_loads(text, JSON_REJECT_DUPLICATES, &je);

    ck_assert_msg(j != NULL, "%s: %s", je.text, text);
    ck_assert_str_eq(member(j, "type"), "urn:ehealth:error:db-busy");
    ck_assert_str_eq(member(j, "title"), "Le serveur est très sollicité ; réessayez dans un instant.");
    ck_assert_int_eq(json_integer_value(json_object_get(j, "status")), 503);
    ck_assert_str_eq(member(j, "code"), "EH2001");
    ck_assert_str_eq(member(j, "detail"), "A \"quoted\"\nline \xef\xbf\xbd\xc3\xa9.");
    ck_assert_str_eq(member(j, "correlation"), "abc-1");
    ck_assert_int_eq(json_integer_value(json_object_get(j, "retry_after")), 5);
    ck_assert_str_eq(member(j, "login"), "/.ehealth/login/psc");
    ck_assert_uint_eq(json_object_size(j), 8);
    ck_assert_ptr_null(strstr(text, "secret"));
    json_decref(j);

    memset(&err, 0, sizeof(err));
    err.code = EH_E_NOT_FOUND;
    ck_assert_str_eq(eh_err_problem_json(p, &err, (eh_lang_e)99, ""),
                     "{\"type\":\"urn:ehealth:error:not-found\",\"title\":\"There is nothing at this address.\","
                     "\"status\":404,\"code\":\"EH3001\"}");
}
END_TEST

typedef struct seen_t {
    int calls;
    eh_log_e level;
    apr_status_t rv;
    char tag[16], message[2048];
} seen_t;

static void keep(void *baton, eh_log_e level, apr_status_t rv, const char *tag, const char *message)
{
    seen_t *seen = baton;

    seen->calls++;
    seen->level = level;
    seen->rv = rv;
    apr_cpystrn(seen->tag, tag, sizeof(seen->tag));
    apr_cpystrn(seen->message, message, sizeof(seen->message));
}

START_TEST(test_log_cleans)
{
    seen_t seen = {0};
    eh_log_t log = {EH_LOG_INFO, keep, &seen};

    eh_log(&log, EH_LOG_DEBUG, 0, "", "not this %d", 1);
    ck_assert_int_eq(seen.calls, 0);
    eh_log(&log, EH_LOG_INFO, 17, NULL, "a\nb\tc\x1b[31m\x7f d\xc3\xa9 %s", "\xff\xc2\x9b");
    ck_assert_str_eq(seen.message, "a\\nb\\tc\\x1b[31m\\x7f d\xc3\xa9 \\xff\\u009b");
    ck_assert_str_eq(seen.tag, "");
    ck_assert_int_eq(seen.rv, 17);
    eh_log(NULL, EH_LOG_ERR, 0, "", "nowhere");
}
END_TEST

START_TEST(test_log_is_bounded)
{
    seen_t seen = {0};
    eh_log_t log = {EH_LOG_DEBUG, keep, &seen};
    char *line = apr_palloc(p, 5001);

    /* Every phase of a two-byte character against the end of the buffer. */
    for (int shift = 0; shift < 4; shift++) {
        memset(line, 'x', 5000);
        for (int i = shift; i < 4998; i += 2)
            memcpy(line + i, "\xc3\xa9", 2);
        line[5000] = '\0';
        eh_log(&log, EH_LOG_ERR, 0, "EH1000", "%s", line);
        ck_assert_uint_le(strlen(seen.message), 1023);
        ck_assert_uint_ge(strlen(seen.message), 1010);
        ck_assert_str_eq(seen.message + strlen(seen.message) - 3, "...");
        ck_assert_ptr_null(strstr(seen.message, "\\x"));
    }
    memset(line, '\n', 5000);
    eh_log(&log, EH_LOG_ERR, 0, "EH1000", "%s", line);
    ck_assert_uint_le(strlen(seen.message), 1023);
}
END_TEST

START_TEST(test_log_err)
{
    seen_t seen = {0};
    eh_log_t log = {EH_LOG_DEBUG, keep, &seen};
    eh_err_t err = {EH_E_HTTP_TLS, APR_EGENERAL, "The certificate has expired.", "curl 60 of idp.example", 0};

    eh_log_err(&log, EH_LOG_WARNING, &err, "c-9");
    ck_assert_str_eq(seen.tag, "EH2102");
    ck_assert_int_eq(seen.level, EH_LOG_WARNING);
    ck_assert_str_eq(seen.message, "The identity of a remote service could not be verified. The certificate has "
                                   "expired. (curl 60 of idp.example) correlation=c-9");
    err.detail = err.cause = NULL;
    eh_log_err(&log, EH_LOG_WARNING, &err, NULL);
    ck_assert_str_eq(seen.message, "The identity of a remote service could not be verified.");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("err");
    TCase *tc = eh_test_case(s, "err and log");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, test_table);
    tcase_add_test(tc, test_first_one_wins);
    tcase_add_test(tc, test_problem);
    tcase_add_test(tc, test_log_cleans);
    tcase_add_test(tc, test_log_is_bounded);
    tcase_add_test(tc, test_log_err);
    return eh_test_main(s);
}
