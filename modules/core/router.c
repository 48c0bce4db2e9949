/* SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <string.h>

#include "ehealth/req.h"

static int is_param(const char *seg, apr_size_t len) { return len >= 2 && seg[0] == '{' && seg[len - 1] == '}'; }

static apr_size_t seg_len(const char *s)
{
    const char *end = strchr(s, '/');
    return end ? (apr_size_t)(end - s) : strlen(s);
}

/* Both walk segment by segment; a parameter takes one segment that is not empty. */
static int matches(const char *template_, const char *path)
{
    if (*template_ != '/' || *path != '/') return 0;
    while (*template_ == '/' && *path == '/') {
        apr_size_t tl = seg_len(++template_), pl = seg_len(++path);

        if (is_param(template_, tl) ? pl == 0 : (tl != pl || memcmp(template_, path, tl) != 0)) return 0;
        template_ += tl;
        path += pl;
    }
    return *template_ == '\0' && *path == '\0';
}

/* Of two templates that match the same path: the one that is literal where they first differ in kind. */
static int more_literal(const char *a, const char *b)
{
    while (*a == '/' && *b == '/') {
        apr_size_t al = seg_len(++a), bl = seg_len(++b);
        int ap = is_param(a, al), bp = is_param(b, bl);

        if (ap != bp) return bp;
        a += al;
        b += bl;
    }
    return 0;
}

static apr_table_t *params_of(const char *template_, const char *path, apr_pool_t *p)
{
    apr_table_t *t = apr_table_make(p, 2);

    while (*template_ == '/' && *path == '/') {
        apr_size_t tl = seg_len(++template_), pl = seg_len(++path);

        if (is_param(template_, tl)) {
            apr_table_addn(t, apr_pstrmemdup(p, template_ + 1, tl - 2), apr_pstrmemdup(p, path, pl));
        }
        template_ += tl;
        path += pl;
    }
    return t;
}

static int listed(const char *allow, const char *method)
{
    apr_size_t n = strlen(method);

    for (const char *s = allow; s && *s; s = strchr(s, ',') ? strchr(s, ',') + 2 : NULL) {
        if (strncmp(s, method, n) == 0 && (s[n] == ',' || s[n] == '\0')) return 1;
    }
    return 0;
}

static const char *also(const char *allow, const char *method, apr_pool_t *p)
{
    if (listed(allow, method)) return allow;
    allow = *allow ? apr_pstrcat(p, allow, ", ", method, NULL) : method;
    return strcmp(method, "GET") == 0 ? also(allow, "HEAD", p) : allow;
}

apr_status_t eh_route_find(const eh_route_t **proute, apr_table_t **params, const char **allow,
                           const eh_route_t *const *routes, int n, const char *method, const char *path, eh_err_t *err,
                           apr_pool_t *p)
{
    const eh_route_t *best = NULL;
    const char *methods = "";
    int i;

    *proute = NULL;
    *params = NULL;
    *allow = NULL;
    if (strcmp(method, "HEAD") == 0) method = "GET";
    for (i = 0; i < n; i++) {
        const eh_route_t *route = routes[i];

        if (!matches(route->template_, path)) continue;
        methods = also(methods, route->method, p);
        if (strcmp(route->method, method) != 0) continue;
        if (!best || more_literal(route->template_, best->template_)) best = route;
    }
    if (best) {
        *proute = best;
        *params = params_of(best->template_, path, p);
        return APR_SUCCESS;
    }
    if (*methods) {
        *allow = methods;
        return eh_err_set(err, EH_E_METHOD, APR_EINVAL, NULL);
    }
    return eh_err_set(err, EH_E_NOT_FOUND, APR_ENOENT, NULL);
}
