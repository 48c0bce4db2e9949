/* SPDX-License-Identifier: Apache-2.0 */
#include "oidc_fuzz.h"

/* A discovery document: what is taken is our issuer's, and every endpoint is one that we would call. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *p = eh_fuzz_pool();
    oidc_provider_t *prov = fz_provider(p);
    oidc_metadata_t *md;
    eh_err_t err = {0};

    if (oidc_metadata_parse(&md, prov, (const char *)data, size, &err, p)) {
        eh_fuzz_check(err.code == EH_E_PROVIDER_METADATA || err.code == EH_E_PROVIDER_ISSUER);
    } else {
        eh_fuzz_check(!strcmp(md->issuer, "https://op.example"));
        eh_fuzz_check(!md->authorization_endpoint || oidc_url_ok(md->authorization_endpoint, 0));
        eh_fuzz_check(!md->token_endpoint || !strncmp(md->token_endpoint, "https://", 8));
        eh_fuzz_check(!md->jwks_uri || !strncmp(md->jwks_uri, "https://", 8));
        eh_fuzz_check(!md->userinfo_endpoint || !strncmp(md->userinfo_endpoint, "https://", 8));
        eh_fuzz_check(!md->end_session_endpoint || !strncmp(md->end_session_endpoint, "https://", 8));
    }
    apr_pool_destroy(p);
    return 0;
}
