/* SPDX-License-Identifier: Apache-2.0 */
#include "oidc.h"

#include <apr_strings.h>
#include <string.h>

#include "ehealth/json.h"
#include "oidc_cache.h"

/** Copies an endpoint of the document; a URL that we would not call makes the whole document unusable. */
static int take_url(const char **pout, const json_t *doc, const char *key, int allow_http, apr_pool_t *p)
{
    const json_t *j = json_object_get(doc, key);
    const char *s;

    if (!j || json_is_null(j)) return 1;
    s = json_string_value(j);
    if (!oidc_url_ok(s, allow_http)) return 0;
    *pout = apr_pstrdup(p, s);
    return 1;
}

apr_status_t oidc_metadata_parse(oidc_metadata_t **pmd, const oidc_provider_t *prov, const char *json, apr_size_t len,
                                 eh_err_t *err, apr_pool_t *p)
{
    oidc_metadata_t *md = apr_pcalloc(p, sizeof(*md));
    const struct {
        const char *key;
        const char **out;
    } urls[] = {
        {"authorization_endpoint", &md->authorization_endpoint},
        {"token_endpoint", &md->token_endpoint},
        {"jwks_uri", &md->jwks_uri},
        {"userinfo_endpoint", &md->userinfo_endpoint},
        {"end_session_endpoint", &md->end_session_endpoint},
        {"revocation_endpoint", &md->revocation_endpoint},
        {"introspection_endpoint", &md->introspection_endpoint},
    };
    eh_err_t why = {0};
    const char *issuer;
    json_t *doc;
    apr_size_t i;

    if (len > OIDC_METADATA_MAX || eh_json_load(&doc, json, len, &why, p) || !json_is_object(doc)) {
        return eh_err_setf(err, p, EH_E_PROVIDER_METADATA, APR_EINVAL, NULL, "the metadata is no JSON object%s%s",
                           why.cause ? ": " : "", why.cause ? why.cause : "");
    }
    issuer = eh_json_str(doc, "issuer");
    if (!issuer || strcmp(issuer, prov->issuer)) {
        return eh_err_setf(err, p, EH_E_PROVIDER_ISSUER, APR_EINVAL,
                           "The metadata names another issuer than the configuration.",
                           "expected %s, metadata has %.200s", prov->issuer, issuer ? issuer : "none");
    }
    md->issuer = prov->issuer;
    for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        if (take_url(urls[i].out, doc, urls[i].key, prov->allow_http, p)) continue;
        return eh_err_setf(err, p, EH_E_PROVIDER_METADATA, APR_EINVAL, NULL, "%s is no usable https URL", urls[i].key);
    }
    md->iss_parameter = json_is_true(json_object_get(doc, "authorization_response_iss_parameter_supported"));
    *pmd = md;
    return APR_SUCCESS;
}

static apr_status_t get_document(eh_http_res_t **pres, const oidc_fetch_t *f, const char *url, apr_size_t max,
                                 eh_err_t *err, apr_pool_t *p)
{
    apr_table_t *headers = apr_table_make(p, 1);
    eh_http_req_t req = {.method = "GET", .url = url, .headers = headers, .max_response = max};
    apr_status_t rv;

    apr_table_setn(headers, "Accept", "application/json, application/jwk-set+json");
    req.cert = f->prov->client_cert;
    if (!EH_OK(eh_http_perform(f->ctx->http, &req, pres, err, p))) return rv;
    if ((*pres)->status != 200) {
        return eh_err_setf(err, p, EH_E_HTTP_STATUS, APR_EGENERAL, NULL, "%s answered %d", url, (*pres)->status);
    }
    return APR_SUCCESS;
}

static apr_status_t fetch_metadata(oidc_snap_t *snap, int *pttl, const oidc_fetch_t *f, eh_err_t *err, apr_pool_t *p)
{
    oidc_metadata_t *md, *kept;
    eh_http_res_t *res;
    apr_status_t rv;

    if (!EH_OK(get_document(&res, f, f->prov->metadata_url, OIDC_METADATA_MAX, err, p)) ||
        !EH_OK(oidc_metadata_parse(&md, f->prov, res->body, res->len, err, p))) {
        return rv;
    }
    kept = apr_pmemdup(snap->pool, md, sizeof(*md));
#define KEEP(member) kept->member = md->member ? apr_pstrdup(snap->pool, md->member) : NULL
    KEEP(issuer);
    KEEP(authorization_endpoint);
    KEEP(token_endpoint);
    KEEP(jwks_uri);
    KEEP(userinfo_endpoint);
    KEEP(end_session_endpoint);
    KEEP(revocation_endpoint);
    KEEP(introspection_endpoint);
#undef KEEP
    kept->fetched = eh_now(f->ctx);
    snap->md = kept;
    *pttl = oidc_cache_ttl(apr_table_get(res->headers, "Cache-Control"), OIDC_METADATA_TTL);
    return APR_SUCCESS;
}

static const char *first(const char *a, const char *b, const char *c) { return a ? a : b ? b : c; }

/** Administrator, metadata (md NULL: none), preset: in this order. */
static apr_status_t complete(const oidc_metadata_t **pout, const oidc_provider_t *prov, const oidc_metadata_t *md,
                             eh_err_t *err, apr_pool_t *p)
{
    static const oidc_metadata_t nothing;
    oidc_metadata_t *out = apr_pcalloc(p, sizeof(*out));
    const eh_idp_env_t *env = prov->env;

    out->from_static = !md;
    if (!md) md = &nothing;
    out->issuer = prov->issuer;
    out->fetched = md->fetched;
    out->iss_parameter = md->iss_parameter;
    out->authorization_endpoint =
        first(prov->authorization_endpoint, md->authorization_endpoint, env->authorization_endpoint);
    out->token_endpoint = first(prov->token_endpoint, md->token_endpoint, env->token_endpoint);
    out->jwks_uri = first(prov->jwks_uri, md->jwks_uri, env->jwks_uri);
    out->userinfo_endpoint = first(prov->userinfo_endpoint, md->userinfo_endpoint, env->userinfo_endpoint);
    out->end_session_endpoint = first(prov->end_session_endpoint, md->end_session_endpoint, env->end_session_endpoint);
    out->revocation_endpoint = first(md->revocation_endpoint, env->revocation_endpoint, NULL);
    out->introspection_endpoint = first(md->introspection_endpoint, env->introspection_endpoint, NULL);
    if (!out->authorization_endpoint || !out->token_endpoint || !out->jwks_uri) {
        return eh_err_setf(err, p, EH_E_PROVIDER_METADATA, APR_ENOENT, NULL, "no %s known for provider %s",
                           !out->authorization_endpoint ? "authorization_endpoint"
                           : !out->token_endpoint       ? "token_endpoint"
                                                        : "jwks_uri",
                           prov->name);
    }
    if (prov->userinfo == EH_USERINFO_REQUIRED && !out->userinfo_endpoint) {
        return eh_err_setf(err, p, EH_E_PROVIDER_METADATA, APR_ENOENT, NULL,
                           "no userinfo_endpoint known for provider %s", prov->name);
    }
    *pout = out;
    return APR_SUCCESS;
}

apr_status_t oidc_metadata_get(const oidc_metadata_t **pmd, oidc_cache_t *cache, const eh_ctx_t *ctx,
                               const oidc_provider_t *prov, eh_err_t *err, apr_pool_t *p)
{
    oidc_fetch_t f = {.ctx = ctx, .prov = prov, .what = "metadata", .stale = OIDC_METADATA_STALE, .fn = fetch_metadata};
    const oidc_snap_t *snap;
    eh_err_t why = {0};
    apr_status_t rv;

    if (!prov->metadata_url) return complete(pmd, prov, NULL, err, p);
    f.key =
        apr_pstrcat(p, "metadata\x1f", prov->metadata_url, "\x1f", prov->issuer, prov->allow_http ? "\x1fh" : "", NULL);
    if (EH_OK(oidc_cache_get(&snap, cache, &f, &why, p))) return complete(pmd, prov, snap->md, err, p);
    /* A wrong issuer is no outage: falling back would hide a mix-up. */
    if (why.code != EH_E_PROVIDER_ISSUER && complete(pmd, prov, NULL, NULL, p) == APR_SUCCESS) return APR_SUCCESS;
    if (err && err->code == EH_E_NONE) *err = why;
    return rv;
}

static apr_status_t fetch_jwks(oidc_snap_t *snap, int *pttl, const oidc_fetch_t *f, eh_err_t *err, apr_pool_t *p)
{
    eh_http_res_t *res;
    apr_status_t rv;

    if (!EH_OK(get_document(&res, f, f->url, OIDC_JWKS_MAX, err, p)) ||
        !EH_OK(eh_jwks_parse(&snap->jwks, res->body, res->len, err, snap->pool))) {
        return rv;
    }
    *pttl = oidc_cache_ttl(apr_table_get(res->headers, "Cache-Control"), OIDC_JWKS_TTL);
    return APR_SUCCESS;
}

static void jwks_fetch(oidc_fetch_t *f, const eh_ctx_t *ctx, const oidc_provider_t *prov, const oidc_metadata_t *md,
                       apr_pool_t *p)
{
    memset(f, 0, sizeof(*f));
    f->ctx = ctx;
    f->prov = prov;
    f->what = "key set";
    f->url = md->jwks_uri;
    f->stale = OIDC_JWKS_STALE;
    f->fn = fetch_jwks;
    f->key = apr_pstrcat(p, "jwks\x1f", md->jwks_uri, NULL);
}

apr_status_t oidc_jwks_get(const eh_jwks_t **pset, oidc_cache_t *cache, const eh_ctx_t *ctx,
                           const oidc_provider_t *prov, const oidc_metadata_t *md, eh_err_t *err, apr_pool_t *p)
{
    const oidc_snap_t *snap;
    oidc_fetch_t f;
    apr_status_t rv;

    jwks_fetch(&f, ctx, prov, md, p);
    if (!EH_OK(oidc_cache_get(&snap, cache, &f, err, p))) return rv;
    *pset = snap->jwks;
    return APR_SUCCESS;
}

apr_status_t oidc_jwks_verify(oidc_cache_t *cache, const eh_ctx_t *ctx, const oidc_provider_t *prov,
                              const oidc_metadata_t *md, const eh_jws_t *jws, eh_err_t *err, apr_pool_t *p)
{
    const oidc_snap_t *snap, *newer;
    eh_err_t why = {0}, ignored = {0};
    oidc_fetch_t f;
    apr_status_t rv;

    jwks_fetch(&f, ctx, prov, md, p);
    if (!EH_OK(oidc_cache_get(&snap, cache, &f, err, p))) return rv;
    if (EH_OK(eh_jws_verify(jws, snap->jwks, prov->id_token_algs, &why, p))) return APR_SUCCESS;
    /* The provider may have changed its keys since: look once. Where it gives no kid, any failure may mean that; an
     * algorithm that is not allowed never does. */
    if ((rv == APR_ENOENT || !jws->kid) && (jws->alg & prov->id_token_algs) &&
        oidc_cache_renew(&newer, cache, &f, snap, &ignored, p) == APR_SUCCESS && newer != snap) {
        return eh_jws_verify(jws, newer->jwks, prov->id_token_algs, err, p);
    }
    if (err && err->code == EH_E_NONE) *err = why;
    return rv;
}
