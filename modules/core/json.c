/* SPDX-License-Identifier: Apache-2.0 */
#include "ehealth/json.h"

#include <apr_strings.h>
#include <string.h>

#define EXACT_INT_MAX 9007199254740992.0 /* 2^53: beyond it a double skips integers */
#define PATH_NAME_MAX 256                /* bytes of one name in a path */

static apr_status_t release(void *data)
{
    json_decref(data);
    return APR_SUCCESS;
}

json_t *eh_json_own(json_t *j, apr_pool_t *p)
{
    if (j) apr_pool_cleanup_register(p, j, release, apr_pool_cleanup_null);
    return j;
}

/* jansson's own text quotes the input ("near '…'"), which may be a name or a token: never into a log. */
static const char *reason(const json_error_t *e)
{
    switch (json_error_code(e)) {
    case json_error_duplicate_key: return "the same name twice in an object";
    case json_error_premature_end_of_input: return "it ends too early";
    case json_error_end_of_input_expected: return "something follows the value";
    case json_error_null_character:
    case json_error_null_byte_in_key: return "it contains a NUL character";
    case json_error_invalid_utf8: return "it is not UTF-8";
    case json_error_stack_overflow: return "it is nested too deeply";
    case json_error_numeric_overflow: return "a number is too large";
    case json_error_out_of_memory: return "there is no memory left";
    default: return "a syntax error";
    }
}

apr_status_t eh_json_load(json_t **pjson, const char *s, apr_size_t len, eh_err_t *err, apr_pool_t *p)
{
    json_error_t e;
    json_t *j;

    if (len > EH_JSON_MAX) {
        return eh_err_setf(err, p, EH_E_LIMIT, APR_EINVAL, NULL, "JSON of %" APR_SIZE_T_FMT " bytes, at most %d", len,
                           EH_JSON_MAX);
    }
    j = json_loadb(s, len, JSON_REJECT_DUPLICATES, &e);
    if (!j) {
        const char *text = apr_psprintf(p, "Line %d, column %d: %s.", e.line, e.column, reason(&e));

        return eh_err_setf(err, p, EH_E_JSON, APR_EINVAL, text, "invalid JSON at line %d, column %d: %s", e.line,
                           e.column, reason(&e));
    }
    *pjson = eh_json_own(j, p);
    return APR_SUCCESS;
}

char *eh_json_dump(const json_t *j, int canonical, apr_pool_t *p)
{
    size_t flags = JSON_COMPACT | JSON_ENCODE_ANY | (canonical ? JSON_SORT_KEYS : 0);
    size_t len = json_dumpb(j, NULL, 0, flags);
    char *out;

    if (len == 0) return NULL;
    out = apr_palloc(p, len + 1);
    if (json_dumpb(j, out, len, flags) != len) return NULL;
    out[len] = '\0';
    return out;
}

const char *eh_json_str(const json_t *obj, const char *key) { return json_string_value(json_object_get(obj, key)); }

apr_status_t eh_json_int(json_int_t *pvalue, const json_t *obj, const char *key)
{
    const json_t *v = json_object_get(obj, key);
    double d;

    if (!v) return APR_ENOENT;
    if (json_is_integer(v)) {
        *pvalue = json_integer_value(v);
        return APR_SUCCESS;
    }
    if (!json_is_real(v)) return APR_EINVAL;
    d = json_real_value(v);
    if (d < -EXACT_INT_MAX || d > EXACT_INT_MAX || d != (double)(json_int_t)d) return APR_EINVAL;
    *pvalue = (json_int_t)d;
    return APR_SUCCESS;
}

typedef struct {
    int (*fn)(void *baton, const json_t *match);
    void *baton;
} visitor_t;

/** Reads the name at *path, plain or quoted ('' stands for one '), and moves *path behind it. 0: malformed. */
static int path_name(char name[PATH_NAME_MAX + 1], const char **path)
{
    const char *s = *path;
    int n = 0, quoted = *s == '\'', closed = 0;

    if (quoted) s++;
    for (; *s; s++) {
        if (quoted) {
            if (*s == '\'' && *++s != '\'') {
                closed = 1;
                break;
            }
        } else if (*s == '.' || *s == '[') {
            break;
        }
        if (n == PATH_NAME_MAX) return 0;
        name[n++] = *s;
    }
    if (quoted ? !closed : n == 0) return 0;
    if (*s && *s != '.' && *s != '[') return 0;
    name[n] = '\0';
    *path = s;
    return 1;
}

static int walk(const json_t *j, const char *path, const visitor_t *v);

/** "[]" or "[n]" at path. */
static int walk_index(const json_t *j, const char *path, const visitor_t *v)
{
    const char *s = path + 1;
    apr_size_t i, index = 0;
    int any = *s == ']', rc = 0;

    if (!json_is_array(j)) return 0;
    if (!any) {
        if (*s == '0' && s[1] != ']') return 0;
        for (; *s >= '0' && *s <= '9'; s++) {
            index = index * 10 + (apr_size_t)(*s - '0');
            if (index > EH_JSON_MAX) return 0; /* more elements than bytes */
        }
        if (s == path + 1) return 0;
    }
    if (*s++ != ']' || (*s && *s != '.' && *s != '[')) return 0;
    if (!any) return walk(json_array_get(j, index), s, v);
    for (i = 0; i < json_array_size(j) && rc == 0; i++)
        rc = walk(json_array_get(j, i), s, v);
    return rc;
}

static int walk(const json_t *j, const char *path, const visitor_t *v)
{
    char name[PATH_NAME_MAX + 1];

    if (!j) return 0;
    if (!*path) return v->fn(v->baton, j);
    if (*path == '[') return walk_index(j, path, v);
    if (*path++ != '.' || !path_name(name, &path)) return 0;
    return walk(json_object_get(j, name), path, v);
}

int eh_json_path(const json_t *j, const char *path, int (*fn)(void *baton, const json_t *match), void *baton)
{
    visitor_t v = {fn, baton};
    char name[PATH_NAME_MAX + 1];

    if (!j || !path || !*path) return 0;
    if (*path == '[') return walk(j, path, &v);
    if (!path_name(name, &path)) return 0;
    return walk(json_object_get(j, name), path, &v);
}
