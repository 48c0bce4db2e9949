/* SPDX-License-Identifier: Apache-2.0 */
#include "oidc_fuzz.h"

#include "ehealth/seal.h"

/* A state from a browser opens only when we sealed it; and whatever plain text a right seal carries (first byte 's'), or
 * target is asked for (first byte 't'), what comes out is safe. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *p = eh_fuzz_pool();
    eh_ctx_t *ctx = fz_ctx(p);
    oidc_provider_t *prov = fz_provider(p);
    const char *token = NULL, *aad, *text;
    unsigned char digest[EH_SHA256_LEN];
    oidc_state_t *st = NULL;
    apr_status_t rv;

    if (size && data[0] == 's') {
        eh_sha256(digest, FZ_BINDING, strlen(FZ_BINDING));
        aad = apr_pstrcat(p, "oidc-state\x1f", eh_b64url(p, digest, sizeof(digest)), NULL);
        eh_fuzz_check(!eh_seal(&token, ctx->keys, EH_PURPOSE_STATE, aad, data + 1, size - 1, NULL, p));
        rv = oidc_state_open(&st, ctx, prov, token, FZ_BINDING, NULL, p);
        if (rv == APR_SUCCESS) {
            eh_fuzz_check(eh_target_is_local(st->target) && oidc_binding_valid(st->id));
            eh_fuzz_check(!strcmp(st->provider, "op") && !strcmp(st->host, "https://portal.example"));
            eh_fuzz_check(st->step == 0 || st->step == 1);
        }
    } else if (size && data[0] == 't' && (text = eh_fuzz_text(p, data + 1, size - 1))) {
        eh_fuzz_check(!oidc_state_make(&st, ctx, prov, text, 0, NULL, p));
        eh_fuzz_check(!oidc_state_seal(&token, ctx, st, FZ_BINDING, NULL, p));
        eh_fuzz_check(!oidc_state_open(&st, ctx, prov, token, FZ_BINDING, NULL, p));
        eh_fuzz_check(!strcmp(st->target, text) || !strcmp(st->target, "/"));
        eh_fuzz_check(eh_target_is_local(st->target));
    } else if ((text = eh_fuzz_text(p, data, size))) {
        eh_fuzz_check(oidc_state_open(&st, ctx, prov, text, FZ_BINDING, NULL, p) && !st);
    }
    apr_pool_destroy(p);
    return 0;
}
