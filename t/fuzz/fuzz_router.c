/* SPDX-License-Identifier: Apache-2.0 */
#include "eh_fuzz.h"

#include "ehealth/req.h"

static const eh_route_t r0 = {"GET", "/"}, r1 = {"GET", "/.ehealth/login/{provider}"},
                        r2 = {"POST", "/.ehealth/logout"}, r3 = {"GET", "/.ehealth/{a}/{b}"},
                        r4 = {"PUT", "/.ehealth/{a}/x"}, r5 = {"GET", "/{a}/{b}/{c}/d"};
static const eh_route_t *const routes[] = {&r0, &r1, &r2, &r3, &r4, &r5};

/* The template with its parameters put in must be the path again. */
static void check_match(const eh_route_t *route, const apr_table_t *params, const char *path, apr_pool_t *p)
{
    const char *t = route->template_, *built = "";

    while (*t) {
        const char *open = strchr(t, '{'), *close, *value;

        if (!open) {
            built = apr_pstrcat(p, built, t, NULL);
            break;
        }
        close = strchr(open, '}');
        value = apr_table_get(params, apr_pstrmemdup(p, open + 1, (apr_size_t)(close - open - 1)));
        eh_fuzz_check(value && *value && !strchr(value, '/'));
        built = apr_pstrcat(p, built, apr_pstrmemdup(p, t, (apr_size_t)(open - t)), value, NULL);
        t = close + 1;
    }
    eh_fuzz_check(strcmp(built, path) == 0);
}

/* Input: method, white space, path. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *p = eh_fuzz_pool();
    char *method = eh_fuzz_text(p, data, size), *path = method ? strchr(method, ' ') : NULL;
    const eh_route_t *route;
    apr_table_t *params;
    const char *allow;
    eh_err_t err = {0};
    apr_status_t rv;

    if (path) {
        *path++ = '\0';
        rv = eh_route_find(&route, &params, &allow, routes, 6, method, path, &err, p);
        if (rv == APR_SUCCESS) {
            eh_fuzz_check(strcmp(route->method, strcmp(method, "HEAD") ? method : "GET") == 0);
            check_match(route, params, path, p);
        } else {
            eh_fuzz_check(!route && (err.code == EH_E_NOT_FOUND ? !allow : err.code == EH_E_METHOD && allow && *allow));
        }
    }
    apr_pool_destroy(p);
    return 0;
}
