/* SPDX-License-Identifier: Apache-2.0 */
/* Client authentication: RFC 6749 §2.3.1 (secret), RFC 7523 §2.2 (private_key_jwt), RFC 8705 §2.1 (TLS certificate). */
#include "oidc.h"

#include <apr_strings.h>
#include <string.h>

#include "ehealth/codec.h"
#include "ehealth/json.h"

static const char *assertion_audience(const oidc_provider_t *prov, const oidc_metadata_t *md)
{
    if (!strcmp(prov->assertion_audience, "issuer")) return prov->issuer;
    if (!strcmp(prov->assertion_audience, "token_endpoint")) return md->token_endpoint;
    return prov->assertion_audience;
}

/* A fresh jti for every attempt and aud as one plain string: Keycloak ≥ 26.2 refuses anything else. */
static apr_status_t make_assertion(const char **pjwt, const eh_ctx_t *ctx, const oidc_provider_t *prov,
                                   const oidc_metadata_t *md, eh_err_t *err, apr_pool_t *p)
{
    json_int_t now = apr_time_sec(eh_now(ctx));
    unsigned char raw[16];
    const char *payload;
    json_t *claims;
    apr_status_t rv;

    if (!EH_OK(ctx->random(ctx->port_baton, raw, sizeof(raw)))) return eh_err_set(err, EH_E_CRYPTO, rv, NULL);
    claims = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "iss", prov->client_id, "sub", prov->client_id, "aud",
                       assertion_audience(prov, md), "jti", eh_b64url(p, raw, sizeof(raw)), "iat", now, "exp",
                       now + OIDC_ASSERTION_LIFE);
    if (!claims || !(payload = eh_json_dump(eh_json_own(claims, p), 0, p))) {
        return eh_err_set(err, EH_E_INTERNAL, APR_EGENERAL, NULL);
    }
    return eh_jws_sign(pjwt, prov->client_key, prov->client_key_alg, NULL, payload, strlen(payload), err, p);
}

static apr_status_t authenticate(eh_http_req_t *req, const eh_ctx_t *ctx, const oidc_provider_t *prov,
                                 const oidc_metadata_t *md, apr_table_t *form, eh_err_t *err, apr_pool_t *p)
{
    const char *jwt;
    apr_status_t rv;

    switch (prov->client_auth) {
    case OIDC_AUTH_BASIC:
        req->basic_user = eh_form_encode(p, prov->client_id);
        req->basic_password = eh_form_encode(p, prov->client_secret);
        return APR_SUCCESS;
    case OIDC_AUTH_POST: apr_table_setn(form, "client_secret", prov->client_secret); break;
    case OIDC_AUTH_PRIVATE_KEY_JWT:
        if (!EH_OK(make_assertion(&jwt, ctx, prov, md, err, p))) return rv;
        apr_table_setn(form, "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
        apr_table_setn(form, "client_assertion", jwt);
        break;
    case OIDC_AUTH_NONE:
    case OIDC_AUTH_TLS: break;
    }
    apr_table_setn(form, "client_id", prov->client_id);
    return APR_SUCCESS;
}

static const char *encode_form(const apr_table_t *form, apr_pool_t *p)
{
    const apr_array_header_t *a = apr_table_elts(form);
    const apr_table_entry_t *e = (const apr_table_entry_t *)a->elts;
    apr_array_header_t *pieces = apr_array_make(p, a->nelts * 4 + 1, sizeof(const char *));
    int i;

    for (i = 0; i < a->nelts; i++) {
        if (i) APR_ARRAY_PUSH(pieces, const char *) = "&";
        APR_ARRAY_PUSH(pieces, const char *) = eh_form_encode(p, e[i].key);
        APR_ARRAY_PUSH(pieces, const char *) = "=";
        APR_ARRAY_PUSH(pieces, const char *) = eh_form_encode(p, e[i].val);
    }
    return apr_array_pstrcat(p, pieces, 0);
}

apr_status_t oidc_client_post(eh_http_res_t **pres, const eh_ctx_t *ctx, const oidc_provider_t *prov,
                              const oidc_metadata_t *md, const char *url, apr_table_t *form, eh_err_t *err,
                              apr_pool_t *p)
{
    apr_table_t *headers = apr_table_make(p, 1);
    eh_http_req_t req = {.method = "POST",
                         .url = url,
                         .headers = headers,
                         .content_type = "application/x-www-form-urlencoded",
                         .cert = prov->client_cert,
                         .max_response = OIDC_TOKEN_RESPONSE_MAX};
    apr_status_t rv;

    apr_table_setn(headers, "Accept", "application/json");
    if (!EH_OK(authenticate(&req, ctx, prov, md, form, err, p))) return rv;
    req.body = encode_form(form, p);
    req.body_len = strlen(req.body);
    return eh_http_perform(ctx->http, &req, pres, err, p);
}
