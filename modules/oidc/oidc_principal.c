/* SPDX-License-Identifier: Apache-2.0 */
#include "oidc_principal.h"

#include <apr_strings.h>

#include "ehealth/json.h"
#include "oidc_claims.h"

#define FORMAT 1 /* of the stored JSON; another one is a session that has ended */

static json_t *list_json(const char *const *list)
{
    json_t *a = json_array();

    for (; list && *list; list++)
        json_array_append_new(a, json_string(*list));
    return a;
}

json_t *oidc_principal_json(const oidc_login_t *login, apr_pool_t *p)
{
    const eh_identity_t *who = &login->identity;
    json_t *j = json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:I, s:o, s:o, s:O}", "v", FORMAT, "iss",
                          login->issuer, "sub", login->subject, "account", who->account, "person", who->person, "name",
                          who->name, "given_name", who->given_name, "family_name", who->family_name, "acr", who->acr,
                          "acr_rank", who->acr_rank, "auth_time", (json_int_t)login->auth_time, "roles",
                          list_json(who->roles), "structures", list_json(who->structures), "claims", login->claims);

    return j ? eh_json_own(j, p) : NULL;
}

static const char *const *read_list(const json_t *a, apr_pool_t *p)
{
    apr_array_header_t *out = apr_array_make(p, (int)json_array_size(a) + 1, sizeof(const char *));
    const json_t *v;
    size_t i;

    json_array_foreach(a, i, v)
    {
        if (json_is_string(v)) APR_ARRAY_PUSH(out, const char *) = json_string_value(v);
    }
    APR_ARRAY_PUSH(out, const char *) = NULL;
    return (const char *const *)out->elts;
}

eh_principal_t *oidc_principal_make(json_t *j, const eh_ctx_t *ctx, const oidc_provider_t *prov, apr_time_t expires,
                                    apr_pool_t *p)
{
    static const char *const none[] = {NULL};
    eh_principal_t *who = apr_pcalloc(p, sizeof(*who));
    json_t *claims = NULL, *roles = NULL, *structures = NULL;
    json_int_t auth_time = 0;
    int format = 0;

    if (json_unpack(j, "{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:I, s:o, s:o, s:o}", "v", &format, "iss",
                    &who->issuer, "sub", &who->subject, "account", &who->account, "person", &who->person, "name",
                    &who->name, "given_name", &who->given_name, "family_name", &who->family_name, "acr", &who->acr,
                    "acr_rank", &who->acr_rank, "auth_time", &auth_time, "roles", &roles, "structures", &structures,
                    "claims", &claims) ||
        format != FORMAT || !json_is_object(claims)) {
        return NULL;
    }
    who->provider = prov->name;
    who->log_id = oidc_log_id(ctx, who->person, p);
    who->auth_time = auth_time;
    who->expires = expires;
    who->roles = read_list(roles, p);
    who->structures = read_list(structures, p);
    who->tenants = none;
    who->claims = claims;
    return who->log_id ? who : NULL;
}

void oidc_principal_tenants(eh_principal_t *who, const char *const *granted, int n, const eh_tenant_t *const *tenants,
                            apr_pool_t *p)
{
    const char *const *s;
    oidc_list_t list;
    int i;

    oidc_list_init(&list, p);
    for (i = 0; i < n; i++)
        oidc_list_add(&list, granted[i]);
    for (; tenants && *tenants; tenants++) {
        for (s = (*tenants)->structures; s && *s; s++) {
            if (eh_list_has(who->structures, *s)) oidc_list_add(&list, (*tenants)->name);
        }
    }
    who->tenants = oidc_list_done(&list);
}

const char *oidc_subject_hash(const eh_ctx_t *ctx, const char *issuer, const char *subject, apr_pool_t *p)
{
    return eh_keyring_hash(ctx->keys, 0, EH_PURPOSE_INDEX, "subject", apr_pstrcat(p, issuer, "\x1f", subject, NULL), p);
}

const char *oidc_sid_hash(const eh_ctx_t *ctx, const char *issuer, const char *sid, apr_pool_t *p)
{
    return eh_keyring_hash(ctx->keys, 0, EH_PURPOSE_INDEX, "sid", apr_pstrcat(p, issuer, "\x1f", sid, NULL), p);
}

const char *oidc_person_hash(const eh_ctx_t *ctx, const char *person, apr_pool_t *p)
{
    return eh_keyring_hash(ctx->keys, 0, EH_PURPOSE_INDEX, EH_LABEL_PERSON, person, p);
}

const char *oidc_log_id(const eh_ctx_t *ctx, const char *person, apr_pool_t *p)
{
    return eh_keyring_hash(ctx->keys, 0, EH_PURPOSE_LOGID, EH_LABEL_PERSON, person, p);
}
