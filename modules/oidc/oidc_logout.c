/* SPDX-License-Identifier: Apache-2.0 */
/* RP-initiated log-out (OpenID Connect RP-Initiated Logout 1.0). `state` is "<µs>.<keyed hash>": it proves that a return is
 * one of ours without anything stored. */
#include "oidc.h"

#include <apr_strings.h>
#include <string.h>

#include "ehealth/codec.h"
#include "ehealth/crypto.h"

#define RETURN_MAX apr_time_from_sec(600)

static const char *mac(const eh_ctx_t *ctx, const oidc_provider_t *prov, apr_uint32_t key_id, const char *at,
                       apr_pool_t *p)
{
    return eh_keyring_hash(ctx->keys, key_id, EH_PURPOSE_CSRF, "logout",
                           apr_pstrcat(p, ctx->public_url, "\x1f", prov->name, "\x1f", at, NULL), p);
}

apr_status_t oidc_logout_url(const char **purl, const eh_ctx_t *ctx, oidc_cache_t *cache, const oidc_provider_t *prov,
                             const char *id_token, eh_err_t *err, apr_pool_t *p)
{
    const oidc_metadata_t *md;
    const char *at, *url;
    apr_status_t rv;

    *purl = NULL;
    if (!EH_OK(oidc_metadata_get(&md, cache, ctx, prov, err, p))) return rv;
    if (!md->end_session_endpoint) return APR_SUCCESS;
    at = apr_psprintf(p, "%" APR_TIME_T_FMT, eh_now(ctx));
    url = apr_pstrcat(p, md->end_session_endpoint, strchr(md->end_session_endpoint, '?') ? "&" : "?", NULL);
    if (id_token) url = apr_pstrcat(p, url, "id_token_hint=", eh_percent(p, id_token), "&", NULL);
    *purl = apr_pstrcat(p, url, "post_logout_redirect_uri=", eh_percent(p, prov->post_logout_uri),
                        "&client_id=", eh_percent(p, prov->client_id), "&state=", at, ".",
                        mac(ctx, prov, eh_keyring_current(ctx->keys), at, p), NULL);
    return APR_SUCCESS;
}

int oidc_logout_state_ok(const eh_ctx_t *ctx, const oidc_provider_t *prov, const char *query, apr_pool_t *p)
{
    apr_uint32_t ids[EH_KEYRING_MAX];
    apr_table_t *t;
    apr_status_t rv;
    const char *state, *dot, *at, *want;
    apr_size_t len;
    int i, n;

    if (!query || !*query) return 1;
    len = strlen(query);
    if (len > OIDC_QUERY_MAX || eh_form_parse(&t, query, len, OIDC_PARAMS_MAX, p)) return 0;
    rv = eh_form_single(&state, t, "state");
    if (rv == APR_ENOENT) return 1;
    if (rv || !(dot = strchr(state, '.')) || dot == state || dot - state > 18) return 0;
    at = apr_pstrmemdup(p, state, (apr_size_t)(dot - state));
    if (strspn(at, "0123456789") != strlen(at)) return 0;
    if (eh_now(ctx) - apr_atoi64(at) > RETURN_MAX || apr_atoi64(at) - eh_now(ctx) > RETURN_MAX) return 0;
    n = eh_keyring_ids(ctx->keys, ids, EH_KEYRING_MAX);
    for (i = 0; i < n; i++) {
        want = mac(ctx, prov, ids[i], at, p);
        if (want && eh_equal(want, strlen(want), dot + 1, strlen(dot + 1))) return 1;
    }
    return 0;
}
