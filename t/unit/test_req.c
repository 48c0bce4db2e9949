/* SPDX-License-Identifier: Apache-2.0 */
#include "ehealth/req.h"
#include "eh_test.h"

static apr_pool_t *p;
static apr_table_t *headers;
static eh_req_t req;

/* A body of `left` bytes 'x', handed out in pieces of at most `piece`; fails when `broken` bytes are left. */
typedef struct source_t {
    apr_size_t left, piece, broken;
} source_t;

static apr_status_t pull(void *baton, char *buf, apr_size_t *len, eh_err_t *err)
{
    source_t *src = baton;
    apr_size_t n = src->left < src->piece ? src->left : src->piece;

    if (src->broken && src->left <= src->broken) return eh_err_set(err, EH_E_BAD_REQUEST, APR_ECONNABORTED, "gone");
    if (n > *len) n = *len;
    memset(buf, 'x', n);
    src->left -= n;
    *len = n;
    return APR_SUCCESS;
}

static void setup(void)
{
    p = eh_test_pool;
    headers = apr_table_make(p, 4);
    memset(&req, 0, sizeof(req));
    req.p = p;
    req.headers = headers;
    req.content_length = -1;
}

static const char *cookie(const char *header, const char *name)
{
    apr_table_clear(headers);
    apr_table_set(headers, "cookie", header);
    return eh_req_cookie(&req, name);
}

START_TEST(test_cookie)
{
    ck_assert_ptr_null(eh_req_cookie(&req, "a"));
    ck_assert_str_eq(cookie("a=1", "a"), "1");
    ck_assert_str_eq(cookie("x=9; a=1; b=2", "a"), "1");
    ck_assert_str_eq(cookie(" \t a = 1 ;;; b=2", "a"), "1");
    ck_assert_str_eq(cookie("a=", "a"), "");
    ck_assert_str_eq(cookie("a=b=c==", "a"), "b=c==");
    ck_assert_str_eq(cookie("__Host-eh-s-psc=tok", "__Host-eh-s-psc"), "tok");
    ck_assert_ptr_null(cookie("A=1", "a"));
    ck_assert_ptr_null(cookie("aa=1; ba=2", "a"));
    ck_assert_ptr_null(cookie("a; =1; ;=", "a"));
    ck_assert_ptr_null(cookie("=1", ""));
    ck_assert_ptr_null(cookie("", "a"));
}
END_TEST

START_TEST(test_cookie_twice)
{
    ck_assert_str_eq(cookie("a=1; b=2; a=1", "a"), "1");
    ck_assert_ptr_null(cookie("a=1; b=2; a=2", "a"));
    ck_assert_ptr_null(cookie("a=1; a=", "a"));
    ck_assert_ptr_null(cookie("a=2; a=1; a=2", "a"));
    apr_table_clear(headers);
    apr_table_add(headers, "Cookie", "a=1");
    apr_table_add(headers, "Cookie", "a=2");
    ck_assert_ptr_null(eh_req_cookie(&req, "a"));
}
END_TEST

START_TEST(test_body)
{
    static const apr_size_t sizes[] = {0, 1, 8191, 8192, 8193, 100000};
    static const apr_size_t pieces[] = {1000, 8192, 1000000};

    for (size_t i = 0; i < 6; i++) {
        for (size_t k = 0; k < 3; k++) {
            source_t src = {sizes[i], pieces[k], 0};
            eh_err_t err = {0};
            const char *body;
            apr_size_t len;

            req.read = pull;
            req.read_baton = &src;
            ck_assert_int_eq(eh_req_body(&req, 100000, &body, &len, &err), APR_SUCCESS);
            ck_assert_uint_eq(len, sizes[i]);
            ck_assert_uint_eq(strlen(body), sizes[i]);
        }
    }
}
END_TEST

START_TEST(test_body_refused)
{
    source_t src = {11, 4, 0};
    eh_err_t err = {0};
    const char *body;
    apr_size_t len;

    req.read = pull;
    req.read_baton = &src;
    ck_assert_int_ne(eh_req_body(&req, 10, &body, &len, &err), APR_SUCCESS);
    ck_assert_int_eq(err.code, EH_E_LIMIT);

    memset(&err, 0, sizeof(err));
    src.left = 11;
    req.content_length = 11;
    ck_assert_int_ne(eh_req_body(&req, 10, &body, &len, &err), APR_SUCCESS);
    ck_assert_int_eq(err.code, EH_E_LIMIT);
    ck_assert_uint_eq(src.left, 11); /* refused unread */

    memset(&err, 0, sizeof(err));
    req.content_length = -1;
    src.left = 1;
    ck_assert_int_ne(eh_req_body(&req, 0, &body, &len, &err), APR_SUCCESS);
    ck_assert_int_eq(err.code, EH_E_LIMIT);

    memset(&err, 0, sizeof(err));
    src = (source_t){100, 10, 50};
    ck_assert_int_eq(eh_req_body(&req, 1000, &body, &len, &err), APR_ECONNABORTED);
    ck_assert_str_eq(err.detail, "gone");
}
END_TEST

START_TEST(test_answers)
{
    eh_res_t res = {0};

    res.headers = apr_table_make(p, 2);
    ck_assert_int_eq(eh_res_json(&res, 201, json_pack("{s:s}", "a", "\xc3\xa9"), p), APR_SUCCESS);
    ck_assert_int_eq(res.status, 201);
    ck_assert_str_eq(res.content_type, "application/json");
    ck_assert_str_eq(res.body, "{\"a\":\"\xc3\xa9\"}");
    ck_assert_uint_eq(res.len, 10);
    ck_assert_int_ne(eh_res_json(&res, 200, NULL, p), APR_SUCCESS);

    ck_assert_int_eq(eh_res_redirect(&res, "https://idp.example/auth?x=1"), APR_SUCCESS);
    ck_assert_int_eq(res.status, 303);
    ck_assert_str_eq(apr_table_get(res.headers, "Location"), "https://idp.example/auth?x=1");
    ck_assert_int_ne(eh_res_redirect(&res, "/a\r\nSet-Cookie: x=1"), APR_SUCCESS);
    ck_assert_int_ne(eh_res_redirect(&res, ""), APR_SUCCESS);
    ck_assert_int_ne(eh_res_redirect(&res, "/a b"), APR_SUCCESS);
}
END_TEST

START_TEST(test_list)
{
    static const char *const list[] = {"physician", "nurse", NULL};

    ck_assert_int_eq(eh_list_has(list, "nurse"), 1);
    ck_assert_int_eq(eh_list_has(list, "nurs"), 0);
    ck_assert_int_eq(eh_list_has(list, "Nurse"), 0);
    ck_assert_int_eq(eh_list_has(list, ""), 0);
    ck_assert_int_eq(eh_list_has(list, NULL), 0);
    ck_assert_int_eq(eh_list_has(NULL, "nurse"), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("req");
    TCase *tc = eh_test_case(s, "req");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, test_cookie);
    tcase_add_test(tc, test_cookie_twice);
    tcase_add_test(tc, test_body);
    tcase_add_test(tc, test_body_refused);
    tcase_add_test(tc, test_answers);
    tcase_add_test(tc, test_list);
    return eh_test_main(s);
}
