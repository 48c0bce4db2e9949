/* SPDX-License-Identifier: Apache-2.0 */
#include "oidc_userinfo.h"

#include <string.h>

#include "ehealth/json.h"

static int audience_has(const json_t *aud, const char *client_id)
{
    const json_t *a;
    size_t i;

    if (json_is_string(aud)) return !strcmp(json_string_value(aud), client_id);
    json_array_foreach(aud, i, a)
    {
        if (json_is_string(a) && !strcmp(json_string_value(a), client_id)) return 1;
    }
    return 0;
}

static apr_status_t read_json(json_t **pclaims, const char *body, apr_size_t len, eh_err_t *err, apr_pool_t *p)
{
    eh_err_t why = {0};

    if (eh_json_load(pclaims, body, len, &why, p) || !json_is_object(*pclaims)) {
        return eh_err_setf(err, p, EH_E_USERINFO, APR_EINVAL, NULL, "userinfo is no JSON object");
    }
    return APR_SUCCESS;
}

/* §5.3.2: a signed answer should name issuer and audience; when it does they must be right. */
static apr_status_t read_jwt(json_t **pclaims, const eh_ctx_t *ctx, oidc_cache_t *cache, const oidc_provider_t *prov,
                             const oidc_metadata_t *md, const eh_http_res_t *res, eh_err_t *err, apr_pool_t *p)
{
    const json_t *iss, *aud;
    json_int_t exp;
    eh_jws_t *jws;
    apr_status_t rv;
    const char *c;
    int dots = 0;

    for (c = res->body; *c; c++)
        dots += *c == '.';
    if (dots == 4) {
        return eh_err_set(err, EH_E_USERINFO, APR_ENOTIMPL,
                          "The provider encrypts userinfo; have it set to plain or signed in the registration.");
    }
    if (!EH_OK(eh_jws_split(&jws, res->body, res->len, err, p)) ||
        !EH_OK(oidc_jwks_verify(cache, ctx, prov, md, jws, err, p)) ||
        !EH_OK(read_json(pclaims, jws->payload, jws->payload_len, err, p))) {
        return rv;
    }
    iss = json_object_get(*pclaims, "iss");
    aud = json_object_get(*pclaims, "aud");
    if (iss && (!json_is_string(iss) || strcmp(json_string_value(iss), prov->issuer))) {
        return eh_err_set(err, EH_E_TOKEN_ISSUER, APR_EINVAL, "The signed userinfo has another issuer.");
    }
    if (aud && !audience_has(aud, prov->client_id)) {
        return eh_err_set(err, EH_E_TOKEN_AUDIENCE, APR_EINVAL, "The signed userinfo is meant for another client.");
    }
    rv = eh_json_int(&exp, *pclaims, "exp");
    if (rv == APR_EINVAL || (rv == APR_SUCCESS && exp + prov->leeway <= apr_time_sec(eh_now(ctx)))) {
        return eh_err_set(err, EH_E_USERINFO, APR_TIMEUP, "The signed userinfo has expired.");
    }
    return APR_SUCCESS;
}

static int not_offered(int status) { return status == 403 || status == 404 || status == 405 || status == 501; }

apr_status_t oidc_userinfo(json_t **pclaims, const eh_ctx_t *ctx, oidc_cache_t *cache, const oidc_provider_t *prov,
                           const oidc_metadata_t *md, const char *access_token, const json_t *id, eh_err_t *err,
                           apr_pool_t *p)
{
    apr_table_t *headers = apr_table_make(p, 1);
    eh_http_req_t req = {.method = "GET",
                         .url = md->userinfo_endpoint,
                         .headers = headers,
                         .bearer = access_token,
                         .cert = prov->client_cert,
                         .max_response = OIDC_USERINFO_MAX};
    eh_http_res_t *res;
    const char *sub;
    apr_status_t rv;

    *pclaims = NULL;
    if (prov->userinfo == EH_USERINFO_OFF || !md->userinfo_endpoint) return APR_SUCCESS; /* required: checked before */
    apr_table_setn(headers, "Accept", "application/json, application/jwt");
    if (!EH_OK(eh_http_perform(ctx->http, &req, &res, err, p))) return rv;
    if (res->status != 200) {
        if (prov->userinfo == EH_USERINFO_OPTIONAL && not_offered(res->status)) {
            eh_log(ctx->log, EH_LOG_INFO, 0, "", "provider %s does not offer userinfo (%d)", prov->name, res->status);
            return APR_SUCCESS;
        }
        return eh_err_setf(err, p, EH_E_USERINFO, APR_EGENERAL, NULL, "userinfo answered %d", res->status);
    }
    rv = !strcmp(res->content_type, "application/jwt") ? read_jwt(pclaims, ctx, cache, prov, md, res, err, p)
                                                       : read_json(pclaims, res->body, res->len, err, p);
    if (rv) return rv;
    sub = json_string_value(json_object_get(*pclaims, "sub"));
    if (!sub || strcmp(sub, json_string_value(json_object_get(id, "sub")))) {
        return eh_err_set(err, EH_E_TOKEN_SUBJECT, APR_EINVAL,
                          sub ? NULL : "The provider did not say whose information it gave.");
    }
    return APR_SUCCESS;
}
