/* SPDX-License-Identifier: Apache-2.0 */
#include "oidc_fuzz.h"

/* The query of a callback, and that of a return from log-out. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *p = eh_fuzz_pool();
    char *query = eh_fuzz_text(p, data, size);
    oidc_response_t res;
    eh_err_t err = {0};

    if (query) {
        if (oidc_response_parse(&res, query, &err, p)) {
            eh_fuzz_check(err.code == EH_E_LOGIN_RESPONSE);
        } else {
            eh_fuzz_check(!(res.code && res.error) && size <= OIDC_QUERY_MAX);
            eh_fuzz_check(!res.code ||
                          (strlen(res.code) <= OIDC_CODE_MAX && eh_utf8_valid(res.code, strlen(res.code))));
        }
        /* Nobody guesses a log-out state. */
        if (oidc_logout_state_ok(fz_ctx(p), fz_provider(p), query, p) && strstr(query, "state=")) {
            apr_table_t *t;
            const char *state;
            eh_fuzz_check(eh_form_parse(&t, query, size, OIDC_PARAMS_MAX, p) == APR_SUCCESS);
            eh_fuzz_check(eh_form_single(&state, t, "state") == APR_ENOENT);
        }
    }
    apr_pool_destroy(p);
    return 0;
}
