/* SPDX-License-Identifier: Apache-2.0 */
#include "eh_test.h"

#include "ehealth/json.h"

static json_t *load(const char *text)
{
    json_t *j = NULL;

    ck_assert_rv_ok(eh_json_load(&j, text, strlen(text), eh_test_new_err(), eh_test_pool));
    return j;
}

START_TEST(loads)
{
    json_t *j = load("{\"a\":[1,2.5,null,true],\"é\":\"\\u20ac\"}");

    ck_assert_str_eq(eh_json_str(j, "é"), "€");
    ck_assert_ptr_null(eh_json_str(j, "a"));
    ck_assert_ptr_null(eh_json_str(j, "b"));
    ck_assert_ptr_null(eh_json_str(NULL, "b"));
    ck_assert_uint_eq(json_array_size(load("[]")), 0);
}
END_TEST

/* Text, line and column the error must name. */
static const struct {
    const char *text;
    apr_size_t len;
    const char *detail;
} bad[] = {
    {"", 0, "ends too early"},
    {"{", 1, "ends too early"},
    {"{\"a\":1,\"a\":2}", 13, "the same name twice"},
    {"{\"a\":{\"b\":1,\"b\":1}}", 19, "the same name twice"},
    {"{\"a\":\"\\u0000\"}", 14, "NUL"},
    {"{\"a\\u0000\":1}", 13, "NUL"},
    {"{\"a\":\"\xff\"}", 9, "UTF-8"},
    {"{\"a\":\"\xed\xa0\x80\"}", 11, "UTF-8"},
    {"{\"a\":\"\\ud800\"}", 14, "syntax error"},
    {"1", 1, "syntax error"},
    {"\"text\"", 6, "syntax error"},
    {"null", 4, "syntax error"},
    {"{} {}", 5, "something follows"},
    {"[1,]", 4, "syntax error"},
    {"{'a':1}", 7, "syntax error"},
    {"[01]", 4, "syntax error"},
    {"[NaN]", 5, "syntax error"},
    {"[1e999]", 7, "too large"},
    {"[99999999999999999999]", 22, "too large"},
    {"{}\0", 3, "something follows"},
};

START_TEST(refuses)
{
    json_t *j;

    ck_assert_int_ne(eh_json_load(&j, bad[_i].text, bad[_i].len, eh_test_new_err(), eh_test_pool), APR_SUCCESS);
    ck_assert_int_eq(eh_test_err.code, EH_E_JSON);
    ck_assert_msg(strstr(eh_test_err.detail, bad[_i].detail) != NULL, "row %d: %s", _i, eh_test_err.detail);
}
END_TEST

START_TEST(error_names_the_place_not_the_content)
{
    const char *text = "{\n \"name\": \"Dupont\",\n \"ssin\" 85073003328\n}";
    json_t *j;

    ck_assert_int_ne(eh_json_load(&j, text, strlen(text), eh_test_new_err(), eh_test_pool), APR_SUCCESS);
    ck_assert_ptr_nonnull(strstr(eh_test_err.cause, "line 3"));
    ck_assert_ptr_nonnull(strstr(eh_test_err.detail, "Line 3"));
    ck_assert_ptr_null(strstr(eh_test_err.cause, "85073003328"));
    ck_assert_ptr_null(strstr(eh_test_err.detail, "85073003328"));
    ck_assert_ptr_null(strstr(eh_test_err.cause, "ssin"));
}
END_TEST

START_TEST(limits)
{
    char *text = apr_palloc(eh_test_pool, EH_JSON_MAX + 1);
    json_t *j;

    memset(text, ' ', EH_JSON_MAX + 1);
    text[0] = '[';
    text[EH_JSON_MAX] = ']';
    ck_assert_int_ne(eh_json_load(&j, text, EH_JSON_MAX + 1, eh_test_new_err(), eh_test_pool), APR_SUCCESS);
    ck_assert_int_eq(eh_test_err.code, EH_E_LIMIT);
    text[EH_JSON_MAX - 1] = ']';
    ck_assert_rv_ok(eh_json_load(&j, text, EH_JSON_MAX, eh_test_new_err(), eh_test_pool));
    memset(text, '[', 100000);
    ck_assert_int_ne(eh_json_load(&j, text, 100000, eh_test_new_err(), eh_test_pool), APR_SUCCESS);
    ck_assert_int_eq(eh_test_err.code, EH_E_JSON);
    ck_assert_ptr_nonnull(strstr(eh_test_err.detail, "nested"));
}
END_TEST

START_TEST(owned_by_the_pool)
{
    apr_pool_t *sub;
    json_t *j = json_object();

    apr_pool_create(&sub, eh_test_pool);
    json_incref(j);
    ck_assert_ptr_eq(eh_json_own(j, sub), j);
    ck_assert_uint_eq(j->refcount, 2);
    apr_pool_destroy(sub);
    ck_assert_uint_eq(j->refcount, 1);
    json_decref(j);
    ck_assert_ptr_null(eh_json_own(NULL, eh_test_pool));
}
END_TEST

START_TEST(dumps)
{
    json_t *j = load("{\"b\": 1, \"a\": [ true, \"é\\n\\\"\" ]}");

    ck_assert_str_eq(eh_json_dump(j, 0, eh_test_pool), "{\"b\":1,\"a\":[true,\"é\\n\\\"\"]}");
    ck_assert_str_eq(eh_json_dump(j, 1, eh_test_pool), "{\"a\":[true,\"é\\n\\\"\"],\"b\":1}");
    ck_assert_str_eq(eh_json_dump(json_object_get(j, "b"), 0, eh_test_pool), "1");
    ck_assert_ptr_null(eh_json_dump(NULL, 0, eh_test_pool));
}
END_TEST

START_TEST(integers)
{
    json_t *j = load("{\"i\":-5,\"r\":1700000000.0,\"f\":1.5,\"e\":9007199254740992.0,\"big\":9007199254740994.0,"
                     "\"huge\":1e300,\"low\":-1e300,\"s\":\"1\",\"b\":true,\"n\":null,\"max\":9223372036854775807}");
    static const char *const wrong[] = {"f", "big", "huge", "low", "s", "b", "n"};
    json_int_t v = 0;
    size_t i;

    ck_assert_rv_ok(eh_json_int(&v, j, "i"));
    ck_assert_int_eq(v, -5);
    ck_assert_rv_ok(eh_json_int(&v, j, "r"));
    ck_assert_int_eq(v, 1700000000);
    ck_assert_rv_ok(eh_json_int(&v, j, "e"));
    ck_assert_int_eq(v, 9007199254740992);
    ck_assert_rv_ok(eh_json_int(&v, j, "max"));
    ck_assert_int_eq(v, 9223372036854775807);
    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        ck_assert_msg(eh_json_int(&v, j, wrong[i]) == APR_EINVAL, "%s", wrong[i]);
    ck_assert_int_eq(eh_json_int(&v, j, "absent"), APR_ENOENT);
}
END_TEST

static const char document[] =
    "{\"sub\":\"s\",\"a.b\":\"dot\",\"it's\":\"quote\",\"\":\"empty\",\"roles\":[\"x\",\"y\",[\"z\"]],"
    "\"SubjectRefPro\":{\"exercices\":[{\"codeProfession\":\"10\",\"activities\":[{\"id\":\"A\"},{\"id\":\"B\"}]},"
    "{\"codeProfession\":\"60\",\"activities\":[{\"id\":\"C\"}]}]},\"http://x/y\":{\"z\":[1]}}";

/* Path, and every match in order, '|' between. */
static const char *const paths[][2] = {
    {"sub", "\"s\""},
    {"absent", ""},
    {"sub.x", ""},
    {"sub[]", ""},
    {"roles[]", "\"x\"|\"y\"|[\"z\"]"},
    {"roles[1]", "\"y\""},
    {"roles[2][0]", "\"z\""},
    {"roles[][]", "\"z\""},
    {"roles[3]", ""},
    {"roles", "[\"x\",\"y\",[\"z\"]]"},
    {"roles.0", ""},
    {"SubjectRefPro.exercices[].codeProfession", "\"10\"|\"60\""},
    {"SubjectRefPro.exercices[].activities[].id", "\"A\"|\"B\"|\"C\""},
    {"SubjectRefPro.exercices[1].activities[0].id", "\"C\""},
    {"SubjectRefPro[].x", ""},
    {"a.b", ""},
    {"'a.b'", "\"dot\""},
    {"'it''s'", "\"quote\""},
    {"''", "\"empty\""},
    {"'http://x/y'.z[]", "1"},
    {"'http://x/y'.'z'[0]", "1"},
    /* malformed: never a match */
    {"", ""},
    {".sub", ""},
    {"sub.", ""},
    {"roles[", ""},
    {"roles[1", ""},
    {"roles[01]", ""},
    {"roles[-1]", ""},
    {"roles[+1]", ""},
    {"roles[x]", ""},
    {"roles[1]x", ""},
    {"roles[99999999999999999999999999]", ""},
    {"roles[4294967297]", ""},
    {"'sub", ""},
    {"'sub''", ""},
    {"'sub'x", ""},
    {"roles..x", ""},
    {"[0]", ""},
};

static int collect(void *baton, const json_t *match)
{
    char **text = baton;

    *text = apr_pstrcat(eh_test_pool, **text ? apr_pstrcat(eh_test_pool, *text, "|", NULL) : "",
                        eh_json_dump(match, 0, eh_test_pool), NULL);
    return 0;
}

START_TEST(path)
{
    char *found = apr_pstrdup(eh_test_pool, "");

    ck_assert_int_eq(eh_json_path(load(document), paths[_i][0], collect, &found), 0);
    ck_assert_msg(strcmp(found, paths[_i][1]) == 0, "%s: found '%s'", paths[_i][0], found);
}
END_TEST

static int stop_at_y(void *baton, const json_t *match)
{
    ++*(int *)baton;
    return strcmp(json_string_value(match), "y") == 0 ? 42 : 0;
}

START_TEST(path_stops)
{
    int calls = 0;

    ck_assert_int_eq(eh_json_path(load("{\"r\":[\"x\",\"y\",\"z\"]}"), "r[]", stop_at_y, &calls), 42);
    ck_assert_int_eq(calls, 2);
    calls = 0;
    ck_assert_int_eq(eh_json_path(load("[\"y\"]"), "[0]", stop_at_y, &calls), 42);
    ck_assert_int_eq(eh_json_path(NULL, "a", stop_at_y, &calls), 0);
    ck_assert_int_eq(eh_json_path(load("[]"), NULL, stop_at_y, &calls), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("json");
    TCase *tc = eh_test_case(s, "load and dump");

    tcase_add_test(tc, loads);
    tcase_add_loop_test(tc, refuses, 0, (int)(sizeof(bad) / sizeof(bad[0])));
    tcase_add_test(tc, error_names_the_place_not_the_content);
    tcase_add_test(tc, limits);
    tcase_add_test(tc, owned_by_the_pool);
    tcase_add_test(tc, dumps);
    tcase_add_test(tc, integers);
    tc = eh_test_case(s, "path");
    tcase_add_loop_test(tc, path, 0, (int)(sizeof(paths) / sizeof(paths[0])));
    tcase_add_test(tc, path_stops);
    return eh_test_main(s);
}
