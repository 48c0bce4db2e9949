/* SPDX-License-Identifier: Apache-2.0 */
#include "eh_fuzz.h"

#include "modules/io/http_int.h"

/* What is let through is https, or http to loopback where that is allowed and then never by the proxy; and libcurl, asked
 * again, sees the very host that was judged. The first byte says whether loopback is allowed. */
static void check(const eh_exchange_t *x, int loopback_allowed, apr_pool_t *p)
{
    char *host = NULL, *scheme = NULL, *user = NULL;

    eh_fuzz_check(curl_url_get(x->url, CURLUPART_HOST, &host, 0) == CURLUE_OK);
    eh_fuzz_check(curl_url_get(x->url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK);
    eh_fuzz_check(curl_url_get(x->url, CURLUPART_USER, &user, 0) != CURLUE_OK);
    eh_fuzz_check(strcasecmp(host, x->host) == 0 && *host);
    eh_fuzz_check(
        strncmp(x->key, apr_pstrcat(p, scheme, "://", x->host, ":", NULL), strlen(scheme) + strlen(x->host) + 4) == 0);
    if (x->plain) {
        eh_fuzz_check(loopback_allowed && x->loopback && x->direct && strcmp(scheme, "http") == 0);
        eh_fuzz_check(!strcasecmp(host, "localhost") || !strncmp(host, "127.", 4) || *host == '[');
    } else {
        eh_fuzz_check(strcmp(scheme, "https") == 0);
    }
    curl_free(host);
    curl_free(scheme);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const no_proxy[] = {"10.0.0.0/8", "fd00::/8", ".example", "host", NULL};
    static eh_httppool_t pool;
    apr_pool_t *p = eh_fuzz_pool();
    char *text = size > 1 ? eh_fuzz_text(p, data + 1, size - 1) : NULL;
    eh_http_req_t req = {.method = "GET", .url = text};
    eh_exchange_t x = {.pool = &pool, .req = &req, .p = p};
    eh_err_t err = {EH_E_NONE};

    if (text) {
        pool.conf.http_loopback = data[0] & 1;
        pool.conf.proxy = "http://proxy:1";
        pool.conf.no_proxy = no_proxy;
        if (eh_request_url(&x, &err) == APR_SUCCESS) {
            check(&x, data[0] & 1, p);
        } else {
            eh_fuzz_check(err.code != EH_E_NONE);
        }
        eh_request_done(&x);
    }
    apr_pool_destroy(p);
    return 0;
}
