/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What the unit test programs share: a pool per test, files of t/data, and a main.
 * Use: build a Suite, `return eh_test_main(suite);`. Prints TAP; returns non-zero when a test failed or none ran.
 */
#ifndef EH_TEST_H
#define EH_TEST_H

#include <apr_general.h>
#include <apr_pools.h>
#include <apr_strings.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ehealth/err.h"

/* Not every program uses every helper. */
#define EH_TEST_FN static __attribute__((unused))

static apr_pool_t *eh_test_pool; /* the pool of the running test */
static eh_err_t eh_test_err;     /* zeroed before each test */

EH_TEST_FN void eh_test_setup(void)
{
    apr_pool_create(&eh_test_pool, NULL);
    memset(&eh_test_err, 0, sizeof(eh_test_err));
}

EH_TEST_FN void eh_test_teardown(void)
{
    apr_pool_destroy(eh_test_pool);
    eh_test_pool = NULL;
}

/** A test case with the pool fixture, added to the suite. */
EH_TEST_FN TCase *eh_test_case(Suite *suite, const char *name)
{
    TCase *tc = tcase_create(name);

    tcase_add_checked_fixture(tc, eh_test_setup, eh_test_teardown);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(suite, tc);
    return tc;
}

/** A fresh zeroed error: for the second and later calls of a test. */
EH_TEST_FN eh_err_t *eh_test_new_err(void)
{
    memset(&eh_test_err, 0, sizeof(eh_test_err));
    return &eh_test_err;
}

/** The contents of t/data/<name>, NUL-terminated in p. EH_TESTDATA (set by make check) names the folder t/data. */
EH_TEST_FN char *eh_test_data(apr_size_t *plen, const char *name, apr_pool_t *p)
{
    const char *dir = getenv("EH_TESTDATA");
    const char *path = apr_pstrcat(p, dir ? dir : "t/data", "/", name, NULL);
    FILE *f = fopen(path, "rb");
    char *buf;
    long len;

    ck_assert_msg(f != NULL, "cannot open %s (is EH_TESTDATA set?)", path);
    fseek(f, 0, SEEK_END);
    len = ftell(f);
    rewind(f);
    ck_assert(len >= 0);
    buf = apr_palloc(p, (apr_size_t)len + 1);
    ck_assert_uint_eq(fread(buf, 1, (size_t)len, f), (size_t)len);
    buf[len] = '\0';
    fclose(f);
    if (plen) *plen = (apr_size_t)len;
    return buf;
}

static int eh_test_hex_value(char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; }

/** Bytes of lower- or upper-case hex text. Its own decoder: the tests do not lean on the code they judge. */
EH_TEST_FN unsigned char *eh_test_unhex(apr_size_t *plen, const char *hex, apr_pool_t *p)
{
    apr_size_t i, n = strlen(hex) / 2;
    unsigned char *out = apr_palloc(p, n + 1);

    ck_assert_uint_eq(strlen(hex) % 2, 0);
    for (i = 0; i < n; i++)
        out[i] = (unsigned char)(eh_test_hex_value(hex[2 * i]) << 4 | eh_test_hex_value(hex[2 * i + 1]));
    if (plen) *plen = n;
    return out;
}

#define ck_assert_rv_ok(expr) eh_test_rv_ok((expr), #expr, __FILE__, __LINE__)

EH_TEST_FN void eh_test_rv_ok(apr_status_t rv, const char *expr, const char *file, int line)
{
    ck_assert_msg(rv == APR_SUCCESS, "%s:%d: %s gave %d (EH%04d: %s)", file, line, expr, rv, (int)eh_test_err.code,
                  eh_test_err.cause ? eh_test_err.cause : "-");
}

EH_TEST_FN int eh_test_main(Suite *suite)
{
    SRunner *sr = srunner_create(suite);
    int failed, run;

    apr_initialize();
    srunner_set_fork_status(sr, CK_NOFORK);
    srunner_set_tap(sr, "-");
    srunner_run_all(sr, CK_SILENT);
    failed = srunner_ntests_failed(sr);
    run = srunner_ntests_run(sr);
    srunner_free(sr);
    apr_terminate();
    return failed || run == 0;
}

#endif
