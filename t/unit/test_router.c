/* SPDX-License-Identifier: Apache-2.0 */
#include "ehealth/req.h"
#include "eh_test.h"

static apr_pool_t *p;

static void setup(void) { p = eh_test_pool; }

static const eh_route_t by_param = {"GET", "/a/{x}"}, literal = {"GET", "/a/b"}, post_literal = {"POST", "/a/b"},
                        put_param = {"PUT", "/a/{x}"}, deep = {"GET", "/a/{x}/c/{y}"}, late = {"GET", "/a/{x}/c/d"},
                        early = {"GET", "/a/b/{x}/d"}, root = {"GET", "/"},
                        callback = {"GET", "/.ehealth/callback/{provider}"};
static const eh_route_t *const routes[] = {&by_param, &literal, &post_literal, &put_param, &deep,
                                           &late,     &early,   &root,         &callback};
#define N_ROUTES ((int)(sizeof(routes) / sizeof(routes[0])))

static const eh_route_t *found;
static apr_table_t *params;
static const char *allow;
static eh_err_t err;

static apr_status_t find(const char *method, const char *path)
{
    memset(&err, 0, sizeof(err));
    return eh_route_find(&found, &params, &allow, routes, N_ROUTES, method, path, &err, p);
}

START_TEST(test_params)
{
    ck_assert_int_eq(find("GET", "/.ehealth/callback/psc"), APR_SUCCESS);
    ck_assert_ptr_eq(found, &callback);
    ck_assert_str_eq(apr_table_get(params, "provider"), "psc");
    ck_assert_int_eq(find("GET", "/a/1 2/c/\xc3\xa9"), APR_SUCCESS);
    ck_assert_ptr_eq(found, &deep);
    ck_assert_str_eq(apr_table_get(params, "x"), "1 2");
    ck_assert_str_eq(apr_table_get(params, "y"), "\xc3\xa9");
    ck_assert_int_eq(find("GET", "/"), APR_SUCCESS);
    ck_assert_ptr_eq(found, &root);
    ck_assert_int_eq(apr_table_elts(params)->nelts, 0);
}
END_TEST

START_TEST(test_literal_wins)
{
    ck_assert_int_eq(find("GET", "/a/b"), APR_SUCCESS);
    ck_assert_ptr_eq(found, &literal);
    ck_assert_int_eq(find("PUT", "/a/b"), APR_SUCCESS); /* the literal one does not serve PUT */
    ck_assert_ptr_eq(found, &put_param);
    ck_assert_int_eq(find("GET", "/a/z/c/d"), APR_SUCCESS);
    ck_assert_ptr_eq(found, &late);
    ck_assert_int_eq(find("GET", "/a/b/c/d"), APR_SUCCESS); /* literal earlier beats literal later */
    ck_assert_ptr_eq(found, &early);
    ck_assert_str_eq(apr_table_get(params, "x"), "c");
}
END_TEST

START_TEST(test_methods)
{
    ck_assert_int_eq(find("HEAD", "/a/b"), APR_SUCCESS);
    ck_assert_ptr_eq(found, &literal);
    ck_assert_int_ne(find("DELETE", "/a/b"), APR_SUCCESS);
    ck_assert_int_eq(err.code, EH_E_METHOD);
    ck_assert_str_eq(allow, "GET, HEAD, POST, PUT");
    ck_assert_ptr_null(found);
    ck_assert_int_ne(find("get", "/a/b"), APR_SUCCESS); /* methods are case-sensitive (RFC 9110 §9.1) */
    ck_assert_int_eq(err.code, EH_E_METHOD);
    ck_assert_int_ne(find("POST", "/a/z"), APR_SUCCESS);
    ck_assert_str_eq(allow, "GET, HEAD, PUT");
}
END_TEST

START_TEST(test_not_found)
{
    static const char *const paths[] = {"",
                                        "a",
                                        "/a",
                                        "/a/",
                                        "//",
                                        "/a//b",
                                        "/A/b",
                                        "/a/b/",
                                        "/a/b/c",
                                        "/a/x/c/",
                                        "/.ehealth/callback/",
                                        "/.ehealth/callback/a/b"};

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        ck_assert_msg(find("GET", paths[i]) != APR_SUCCESS, "%s found", paths[i]);
        ck_assert_msg(err.code == EH_E_NOT_FOUND, "%s: EH%d", paths[i], err.code);
        ck_assert_ptr_null(allow);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("router");
    TCase *tc = eh_test_case(s, "router");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, test_params);
    tcase_add_test(tc, test_literal_wins);
    tcase_add_test(tc, test_methods);
    tcase_add_test(tc, test_not_found);
    return eh_test_main(s);
}
