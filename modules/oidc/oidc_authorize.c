/* SPDX-License-Identifier: Apache-2.0 */
#include "oidc.h"

#include <apr_strings.h>
#include <string.h>

#include "ehealth/codec.h"

static const char *add(apr_pool_t *p, const char *url, const char *name, const char *value)
{
    return apr_pstrcat(p, url, strchr(url, '?') ? "&" : "?", eh_percent(p, name), "=", eh_percent(p, value), NULL);
}

/** The administrator's parameters; those of a forced log-in replace theirs of the same name. */
static const char *add_extra(apr_pool_t *p, const char *url, const oidc_provider_t *prov, int step)
{
    int i;

    for (i = 0; i < prov->n_auth_params; i++) {
        if (step && (!strcmp(prov->auth_params[i].name, "prompt") || !strcmp(prov->auth_params[i].name, "max_age"))) {
            continue;
        }
        url = add(p, url, prov->auth_params[i].name, prov->auth_params[i].value);
    }
    return step ? add(p, url, "prompt", "login") : url;
}

apr_status_t oidc_authorize(const char **purl, const eh_ctx_t *ctx, oidc_cache_t *cache, const oidc_provider_t *prov,
                            const char *target, int step, const char *binding, eh_err_t *err, apr_pool_t *p)
{
    const oidc_metadata_t *md;
    const char *token, *nonce, *verifier, *url, *challenge;
    oidc_state_t *st;
    apr_status_t rv;

    if (!oidc_binding_valid(binding)) return eh_err_set(err, EH_E_INTERNAL, APR_EINVAL, NULL);
    if (!EH_OK(oidc_metadata_get(&md, cache, ctx, prov, err, p)) ||
        !EH_OK(oidc_state_make(&st, ctx, prov, target, step, err, p)) ||
        !EH_OK(oidc_state_seal(&token, ctx, st, binding, err, p))) {
        return rv;
    }
    nonce = oidc_state_nonce(ctx, st, p);
    verifier = oidc_state_verifier(ctx, st, p);
    challenge = verifier ? oidc_pkce_challenge(verifier, p) : NULL;
    if (!nonce || !challenge) return eh_err_set(err, EH_E_KEY_UNKNOWN, APR_EGENERAL, NULL);
    url = add(p, md->authorization_endpoint, "response_type", "code");
    url = add(p, url, "client_id", prov->client_id);
    url = add(p, url, "redirect_uri", prov->redirect_uri);
    url = add(p, url, "scope", prov->scope);
    if (prov->acr_values) url = add(p, url, "acr_values", prov->acr_values);
    url = add(p, url, "state", token);
    url = add(p, url, "nonce", nonce);
    url = add(p, url, "code_challenge", challenge);
    url = add(p, url, "code_challenge_method", "S256");
    *purl = add_extra(p, url, prov, step);
    return APR_SUCCESS;
}
