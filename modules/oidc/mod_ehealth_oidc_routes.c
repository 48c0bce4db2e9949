/* SPDX-License-Identifier: Apache-2.0 */
/* The addresses of a log-in and a log-out, below EH_PREFIX. Limits, same-site and error pages are the base's work. */
#include "mod_ehealth_oidc.h"

#include <apr_strings.h>

#include "ehealth/codec.h"
#include "ehealth/page.h"

#define LOGOUT_BODY_MAX 1024 /* a form with nothing in it */

/* --- cookies --- */

static const char *cookie_line(apr_pool_t *p, const char *name, const char *value, int secure, int end)
{
    /* Lax: the provider sends the browser back by a top-level GET. No Max-Age: a cookie of the session dies with the
     * browser; how long it is good for, the server alone decides. */
    return apr_pstrcat(p, name, "=", value, "; Path=/; HttpOnly; SameSite=Lax", secure ? "; Secure" : "",
                       end ? "; Max-Age=0" : "", NULL);
}

static const char *cookie_of(const eh_req_t *req, const char *name) { return eh_req_cookie(req, name); }

/* The browser's binding, made and sent when it has none. */
static apr_status_t binding_of(const char **pbinding, const eh_ctx_t *ctx, const eh_req_t *req, eh_res_t *res,
                               const oidc_provider_t *prov, eh_err_t *err)
{
    const char *name = oidc_binding_cookie(prov->secure), *value = cookie_of(req, name);
    apr_status_t rv;

    if (value && oidc_binding_valid(value)) {
        *pbinding = value;
        return APR_SUCCESS;
    }
    if (!EH_OK(oidc_binding_new(pbinding, ctx, err, req->p))) return rv;
    apr_table_addn(res->headers, "Set-Cookie", cookie_line(req->p, name, *pbinding, prov->secure, 0));
    return APR_SUCCESS;
}

static apr_status_t provider_of(const oidc_provider_t **pprov, const eh_req_t *req, eh_err_t *err)
{
    const request_rec *r = req->host;
    const char *name = apr_table_get(req->params, "provider");

    *pprov = eho_provider(r->server, name);
    if (*pprov && eho.documents && eho.cache) return APR_SUCCESS;
    if (*pprov) return eh_err_setf(err, req->p, EH_E_INTERNAL, APR_ENOMEM, NULL, "this child has no session cache");
    return eh_err_set(err, EH_E_NOT_FOUND, APR_ENOENT, "There is no log-in provider of that name.");
}

/* --- log-in --- */

static apr_status_t go_to_provider(const eh_ctx_t *ctx, const eh_req_t *req, eh_res_t *res, const oidc_provider_t *prov,
                                   const char *target, int step, eh_err_t *err)
{
    const char *binding, *url;
    apr_status_t rv;

    if (!EH_OK(binding_of(&binding, ctx, req, res, prov, err))) return rv;
    if (!EH_OK(oidc_authorize(&url, ctx, eho.documents, prov, target, step, binding, err, req->p))) return rv;
    eho_count(EHO_M_LOGIN_STARTED, 1);
    return eh_res_redirect(res, url);
}

static apr_status_t login(const eh_ctx_t *ctx, const eh_req_t *req, eh_res_t *res, eh_err_t *err)
{
    const oidc_provider_t *prov;
    const char *target = NULL;
    apr_table_t *params;
    apr_status_t rv;

    if (!EH_OK(provider_of(&prov, req, err))) return rv;
    rv = eh_form_parse(&params, req->query, strlen(req->query), OIDC_PARAMS_MAX, req->p);
    if (rv != APR_SUCCESS) return eh_err_set(err, EH_E_BAD_REQUEST, rv, NULL);
    if (eh_form_single(&target, params, "target") == APR_EINVAL) {
        return eh_err_set(err, EH_E_BAD_REQUEST, APR_EINVAL, "The target stands there twice.");
    }
    rv = go_to_provider(ctx, req, res, prov, target, 0, err);
    if (rv != APR_SUCCESS) err->login = eho_login_path(req->p, prov, target);
    return rv;
}

/* A ticket of an earlier log-in in the same browser: nobody could use it any more, so it ends. */
static void end_replaced(const eh_ctx_t *ctx, const eh_req_t *req, const oidc_provider_t *prov)
{
    const char *old = cookie_of(req, prov->session_cookie), *ticket_h = old ? oidc_ticket_digest(old, req->p) : NULL;
    eh_err_t err = {EH_E_NONE};

    if (!ticket_h) return;
    if (oidc_session_end(NULL, ctx, prov, ticket_h, "session.replaced", NULL, req->remote, &err, req->p) !=
        APR_SUCCESS) {
        eh_log_err(ctx->log, EH_LOG_WARNING, &err, ctx->correlation); /* it will end by its own limits */
    }
    eho_session_forget(ticket_h);
}

/* A callback that cannot be used (Back button, second tab, bookmark) by somebody who is logged in is no error. */
static int already_in(const eh_req_t *req, const oidc_provider_t *prov, const eh_err_t *why)
{
    eh_err_t err = {EH_E_NONE};
    hot_entry_t *e;

    if (why->code != EH_E_LOGIN_STATE && why->code != EH_E_LOGIN_EXPIRED && why->code != EH_E_LOGIN_REUSED) return 0;
    return eho_session_find(&e, req->host, prov, cookie_of(req, prov->session_cookie), &err) == EHO_FOUND;
}

static apr_status_t callback_failed(const eh_ctx_t *ctx, const eh_req_t *req, eh_res_t *res,
                                    const oidc_provider_t *prov, const oidc_login_t *in, eh_err_t *err, apr_status_t rv)
{
    const char *target = in && in->state ? in->state->target : "/";

    if (err->code == EH_E_LOGIN_OLD && in && in->state && in->state->step == 0) {
        memset(err, 0, sizeof(*err));
        return go_to_provider(ctx, req, res, prov, target, 1, err);
    }
    if (already_in(req, prov, err)) {
        memset(err, 0, sizeof(*err));
        return eh_res_redirect(res, target);
    }
    eho_count(EHO_M_LOGIN_FAILED, 1);
    oidc_login_refused(ctx, prov, in, err, req->remote, req->p);
    err->login = eho_login_path(req->p, prov, target);
    return rv;
}

static apr_status_t callback(const eh_ctx_t *ctx, const eh_req_t *req, eh_res_t *res, eh_err_t *err)
{
    const request_rec *r = req->host;
    apr_time_t began = eh_now(ctx);
    const oidc_provider_t *prov;
    oidc_login_t *in = NULL;
    oidc_session_t *session;
    const char *ticket;
    apr_status_t rv;

    if (!EH_OK(provider_of(&prov, req, err))) return rv;
    if (!EH_OK(oidc_callback(&in, ctx, eho.documents, prov, req->query,
                             cookie_of(req, oidc_binding_cookie(prov->secure)), err, req->p)) ||
        !EH_OK(oidc_session_create(&ticket, &session, ctx, prov, in, eho.base->tenants(r->server), req->remote, err,
                                   req->p))) {
        return callback_failed(ctx, req, res, prov, in, err, rv);
    }
    end_replaced(ctx, req, prov);
    apr_table_addn(res->headers, "Set-Cookie", cookie_line(req->p, prov->session_cookie, ticket, prov->secure, 0));
    eho_count(EHO_M_LOGIN_OK, 1);
    eho_observe(EHO_M_LOGIN_TIME, eh_now(ctx) - began);
    return eh_res_redirect(res, in->state->target);
}

int eho_callback_alias(request_rec *r)
{
    const eho_srv_t *srv = eho_srv(r->server);

    for (int i = 0; srv->providers && i < srv->providers->nelts; i++) {
        const oidc_provider_t *prov = APR_ARRAY_IDX(srv->providers, i, const oidc_provider_t *);

        if (r->uri && strcmp(r->uri, prov->callback_path) == 0) {
            r->uri = r->parsed_uri.path = apr_pstrcat(r->pool, EH_PREFIX "callback/", prov->name, NULL);
            break;
        }
    }
    return DECLINED;
}

/* --- log-out --- */

static apr_status_t notice(const eh_req_t *req, eh_res_t *res, const eh_ctx_t *ctx, const eh_page_words_t *words,
                           const char *form_action, const char *form_origin)
{
    const request_rec *r = req->host;
    eh_page_t page = {.lang = req->lang,
                      .correlation = ctx->correlation,
                      .contact = eho.base->contact(r->server),
                      .link_url = "/",
                      .form_action = form_action};

    res->content_type = EH_PAGE_CONTENT_TYPE;
    res->body = eh_page_notice(req->p, &page, words);
    res->len = strlen(res->body);
    apr_table_setn(res->headers, "Content-Security-Policy", eh_page_csp(req->p, form_origin));
    apr_table_setn(res->headers, "Content-Language", eh_lang_code(req->lang));
    return APR_SUCCESS;
}

/* Where the answer to the form may lead: the provider that this browser is logged in with. */
static const char *logout_origin(const eh_ctx_t *ctx, const eh_req_t *req)
{
    const request_rec *r = req->host;
    const eho_srv_t *srv = eho_srv(r->server);

    for (int i = 0; i < srv->providers->nelts; i++) {
        const oidc_provider_t *prov = APR_ARRAY_IDX(srv->providers, i, const oidc_provider_t *);
        const oidc_metadata_t *md;
        eh_err_t err = {EH_E_NONE};
        apr_uri_t uri;

        if (!cookie_of(req, prov->session_cookie)) continue;
        if (oidc_metadata_get(&md, eho.documents, ctx, prov, &err, req->p) != APR_SUCCESS) continue;
        if (!md->end_session_endpoint || apr_uri_parse(req->p, md->end_session_endpoint, &uri) != APR_SUCCESS) continue;
        return apr_pstrcat(req->p, uri.scheme, "://", uri.hostinfo, NULL);
    }
    return NULL;
}

static apr_status_t logout_question(const eh_ctx_t *ctx, const eh_req_t *req, eh_res_t *res, eh_err_t *err)
{
    if (!eho.documents) return eh_err_setf(err, req->p, EH_E_INTERNAL, APR_ENOMEM, NULL, "this child has no caches");
    return notice(req, res, ctx, &eh_words_logout_confirm, EH_PREFIX "logout", logout_origin(ctx, req));
}

/* Ends the browser's session with one provider. *purl: where the provider's own log-out is, when it has one. */
static apr_status_t end_one(const char **purl, int *only_here, const eh_ctx_t *ctx, const eh_req_t *req, eh_res_t *res,
                            const oidc_provider_t *prov, eh_err_t *err)
{
    const char *ticket = cookie_of(req, prov->session_cookie), *id_token = NULL;
    const char *ticket_h = ticket ? oidc_ticket_digest(ticket, req->p) : NULL;
    const eh_principal_t *who = NULL;
    eh_err_t none = {EH_E_NONE};
    hot_entry_t *e;
    apr_status_t rv;

    *purl = NULL;
    if (!ticket) return APR_SUCCESS;
    apr_table_addn(res->headers, "Set-Cookie", cookie_line(req->p, prov->session_cookie, "", prov->secure, 1));
    if (!ticket_h) return APR_SUCCESS;
    if (eho_session_find(&e, req->host, prov, ticket, &none) == EHO_FOUND) who = e->who;
    rv = oidc_session_end(&id_token, ctx, prov, ticket_h, "logout.local", who, req->remote, err, req->p);
    /* After the commit, so that nobody can read it as alive again; without a commit at least on this node. */
    eho_session_forget(ticket_h);
    if (rv != APR_SUCCESS) return rv;
    memset(&none, 0, sizeof(none));
    if (id_token && oidc_logout_url(purl, ctx, eho.documents, prov, id_token, &none, req->p) != APR_SUCCESS) {
        *purl = NULL;
        *only_here = 1; /* the provider's address is not known now: the person is logged out here all the same */
        eh_log_err(ctx->log, EH_LOG_WARNING, &none, ctx->correlation);
    }
    return APR_SUCCESS;
}

static apr_status_t logout(const eh_ctx_t *ctx, const eh_req_t *req, eh_res_t *res, eh_err_t *err)
{
    const request_rec *r = req->host;
    const eho_srv_t *srv = eho_srv(r->server);
    const char *to = NULL, *url;
    apr_status_t rv, first = APR_SUCCESS;
    int only_here = 0;

    if (!eho.documents || !eho.cache) {
        return eh_err_setf(err, req->p, EH_E_INTERNAL, APR_ENOMEM, NULL, "this child has no caches");
    }
    for (int i = 0; i < srv->providers->nelts; i++) {
        const oidc_provider_t *prov = APR_ARRAY_IDX(srv->providers, i, const oidc_provider_t *);

        rv = end_one(&url, &only_here, ctx, req, res, prov, err);
        if (rv != APR_SUCCESS && first == APR_SUCCESS) first = rv;
        if (url && !to) to = url;
    }
    if (first != APR_SUCCESS) return first; /* "you are logged out" must be true */
    eho_count(EHO_M_LOGOUT, 1);
    apr_table_setn(res->headers, "Clear-Site-Data", "\"cache\", \"storage\"");
    return eh_res_redirect(res, to ? to : only_here ? EH_PREFIX "logged-out?here=1" : EH_PREFIX "logged-out");
}

static apr_status_t logged_out(const eh_ctx_t *ctx, const eh_req_t *req, eh_res_t *res, eh_err_t *err)
{
    const request_rec *r = req->host;
    const eho_srv_t *srv = eho_srv(r->server);
    int ours = srv->providers->nelts == 0;

    for (int i = 0; i < srv->providers->nelts && !ours; i++) {
        ours = oidc_logout_state_ok(ctx, APR_ARRAY_IDX(srv->providers, i, const oidc_provider_t *), req->query, req->p);
    }
    if (!ours) return eh_err_set(err, EH_E_LOGOUT_CSRF, APR_EINVAL, NULL);
    return notice(req, res, ctx, strcmp(req->query, "here=1") == 0 ? &eh_words_logged_out_here : &eh_words_logged_out,
                  NULL, NULL);
}

const eh_route_t eho_routes[] = {
    {"GET", EH_PREFIX "login/{provider}", EH_ROUTE_PUBLIC | EH_ROUTE_PAGE, "login", 0, login},
    {"GET", EH_PREFIX "callback/{provider}", EH_ROUTE_PUBLIC | EH_ROUTE_PAGE, "callback", 0, callback},
    {"GET", EH_PREFIX "logout", EH_ROUTE_PUBLIC | EH_ROUTE_PAGE, NULL, 0, logout_question},
    {"POST", EH_PREFIX "logout", EH_ROUTE_PUBLIC | EH_ROUTE_PAGE | EH_ROUTE_SAME_SITE, "logout", LOGOUT_BODY_MAX,
     logout},
    {"GET", EH_PREFIX "logged-out", EH_ROUTE_PUBLIC | EH_ROUTE_PAGE, NULL, 0, logged_out},
};
const int eho_nroutes = (int)(sizeof(eho_routes) / sizeof(eho_routes[0]));
