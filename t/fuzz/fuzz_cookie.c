/* SPDX-License-Identifier: Apache-2.0 */
#include "eh_fuzz.h"

#include "ehealth/req.h"

/* Input: cookie name, line break, Cookie header. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *p = eh_fuzz_pool();
    char *name = eh_fuzz_text(p, data, size), *header = name ? strchr(name, '\n') : NULL;
    eh_req_t req = {.p = p};
    apr_table_t *headers = apr_table_make(p, 1);
    const char *value, *again;

    req.headers = headers;
    if (header) {
        *header++ = '\0';
        apr_table_setn(headers, "Cookie", header);
        value = eh_req_cookie(&req, name);
        if (value) {
            size_t n = strlen(value);

            eh_fuzz_check(*name && strstr(header, value) && !strchr(value, ';'));
            eh_fuzz_check(n == 0 ||
                          (value[0] != ' ' && value[0] != '\t' && value[n - 1] != ' ' && value[n - 1] != '\t'));
            /* The same pair once more changes nothing; another value takes it away. */
            apr_table_setn(headers, "Cookie", apr_pstrcat(p, header, "; ", name, "=", value, NULL));
            again = eh_req_cookie(&req, name);
            eh_fuzz_check(again && strcmp(again, value) == 0);
            apr_table_setn(headers, "Cookie", apr_pstrcat(p, name, "=", value, "x; ", header, NULL));
            eh_fuzz_check(!eh_req_cookie(&req, name));
        }
    }
    apr_pool_destroy(p);
    return 0;
}
