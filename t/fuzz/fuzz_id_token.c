/* SPDX-License-Identifier: Apache-2.0 */
#include "oidc_fuzz.h"

/* The payload of a token whose signature was right: what passes names us, the issuer, a subject, and a sane time. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *p = eh_fuzz_pool();
    oidc_provider_t *prov = fz_provider(p);
    eh_jws_t jws = {.alg = EH_RS256, .payload = apr_pstrmemdup(p, (const char *)data, size), .payload_len = size};
    eh_err_t err = {0};
    json_t *claims;
    json_int_t exp;

    if (oidc_token_claims(&claims, prov, &jws, "nonce-1", "access-1", apr_time_from_sec(FZ_NOW), &err, p)) {
        eh_fuzz_check(err.code >= EH_E_TOKEN_ISSUER && err.code <= EH_E_TOKEN_HASH);
    } else {
        eh_fuzz_check(!strcmp(eh_json_str(claims, "iss"), "https://op.example"));
        eh_fuzz_check(!strcmp(eh_json_str(claims, "nonce"), "nonce-1"));
        eh_fuzz_check(strlen(eh_json_str(claims, "sub")) <= OIDC_SUB_MAX);
        eh_fuzz_check(eh_json_int(&exp, claims, "exp") == APR_SUCCESS && exp > FZ_NOW - prov->leeway);
        eh_fuzz_check(memmem(data, size, "client-1", 8) || memmem(data, size, "\\u", 2));
    }
    apr_pool_destroy(p);
    return 0;
}
