/* SPDX-License-Identifier: Apache-2.0 */
/* Any OpenID Connect provider. It knows no host: EHealthIssuer must be set, the rest comes from discovery (OpenID
 * Connect Discovery 1.0 §4). Account: claim sub unless EHealthAccountClaim says otherwise; roles: the strings at
 * EHealthRoleClaim, as they are; no structures. */
#include <apr_strings.h>

#include "ehealth/json.h"
#include "oidc_claims.h"

static int take_role(void *baton, const json_t *match)
{
    const json_t *v;
    size_t i;

    if (json_is_string(match)) {
        oidc_list_add(baton, json_string_value(match));
    } else if (json_is_array(match)) {
        json_array_foreach(match, i, v) oidc_list_add(baton, json_string_value(v));
    }
    return 0;
}

static apr_status_t map(eh_identity_t *out, const json_t *claims, const eh_idp_policy_t *policy, eh_err_t *err,
                        apr_pool_t *p)
{
    const char *iss = oidc_claim(claims, "iss"), *sub = oidc_claim(claims, "sub");
    static const char *const none[] = {NULL};
    oidc_list_t roles;
    apr_status_t rv;

    if (!iss || !sub) return eh_err_set(err, EH_E_IDENTITY, APR_ENOENT, "The log-in names no subject.");
    if (!EH_OK(oidc_identity_account(out, claims, policy, sub, err, p))) return rv;
    /* Two providers may well use the same sub for different people: the issuer is part of who someone is. */
    out->person = apr_pstrcat(p, "sub:", iss, "#", sub, NULL);
    oidc_identity_names(out, claims, p);
    if (!EH_OK(oidc_identity_acr(out, claims, policy, err, p))) return rv;
    oidc_list_init(&roles, p);
    if (policy->role_claim) eh_json_path(claims, policy->role_claim, take_role, &roles);
    out->roles = oidc_list_done(&roles);
    out->structures = none;
    return APR_SUCCESS;
}

static const eh_idp_env_t envs[] = {{.name = "production"}, {.name = NULL}};

static const eh_idp_t idp = {
    .title = "OpenID Connect",
    .envs = envs,
    .scope = "openid",
    .acr_values = NULL,
    .client_auth = "client_secret_basic",
    .id_token_algs = EH_RS256 | EH_PS256 | EH_ES256 | EH_EDDSA,
    .userinfo = EH_USERINFO_OPTIONAL,
    .metadata_path = "/.well-known/openid-configuration",
    .leeway = 60,
    .session_max = 4 * 3600,
    .session_idle = 1800,
    .state_timeout = 900,
    .map = map,
};

EH_PROVIDER(idp, oidc, "0", &idp);
