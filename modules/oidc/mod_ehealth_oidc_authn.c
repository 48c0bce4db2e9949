/* SPDX-License-Identifier: Apache-2.0 */
/* Authentication: who is it? Answers with the session's principal, a way to log in, or an error; never with the page of
 * somebody who is not known. */
#include "mod_ehealth_oidc.h"

#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>
#include <util_filter.h>
#include <apr_strings.h>

#include "ehealth/codec.h"

static const char filter_name[] = "EHEALTH_PRIVATE";
static const char private_note[] = "ehealth-private"; /* in r->notes, which mod_dir takes over from its subrequest */

/* --- answers without a session --- */

const char *eho_target(const request_rec *r)
{
    const char *target = r->unparsed_uri;

    for (; r->prev; r = r->prev)
        target = r->prev->unparsed_uri; /* what the browser shows, not where we redirected to */
    return eh_target_is_local(target) ? target : "/";
}

const char *eho_login_path(apr_pool_t *p, const oidc_provider_t *prov, const char *target)
{
    const char *path = apr_pstrcat(p, EH_PREFIX "login/", prov->name, NULL);

    return target ? apr_pstrcat(p, path, "?target=", eh_form_encode(p, target), NULL) : path;
}

static int refuse(request_rec *r, const eh_err_t *err, int subrequest_status)
{
    eho_req(r)->refused = 1;
    /* A subrequest must not write to the client: its parent reads the status. */
    return r->main ? subrequest_status : eho.base->fail(r, err);
}

static int refuse_config(request_rec *r, const char *cause)
{
    eh_err_t err = {EH_E_NONE};

    eh_err_setf(&err, r->pool, EH_E_CONFIG, APR_EGENERAL, NULL, "%s", cause);
    return refuse(r, &err, HTTP_INTERNAL_SERVER_ERROR);
}

/* Nobody is logged in. A browser that navigates is sent to the log-in; for anything else a redirect to a page of another
 * site would be an answer that it cannot use. */
static int challenge(request_rec *r, const oidc_provider_t *prov, int ended)
{
    const char *login = eho_login_path(r->pool, prov, eho_target(r));
    eh_err_t err = {EH_E_NONE};

    eho_req(r)->refused = 1;
    if (r->main) return HTTP_UNAUTHORIZED;
    apr_table_setn(r->err_headers_out, "Cache-Control", "no-store");
    apr_table_mergen(r->err_headers_out, "Vary", "Cookie, Sec-Fetch-Mode");
    if (r->method_number == M_GET && eho.base->is_navigation(r)) {
        eho_count(EHO_M_CHALLENGE_REDIRECT, 1);
        apr_table_setn(r->headers_out, "Location", login);
        return HTTP_MOVED_TEMPORARILY;
    }
    eho_count(EHO_M_CHALLENGE_401, 1);
    apr_table_setn(r->err_headers_out, "WWW-Authenticate",
                   apr_pstrcat(r->pool, "EHealth realm=\"", prov->name, "\", login=\"", EH_PREFIX "login/", prov->name,
                               "\"", NULL));
    eh_err_set(&err, ended ? EH_E_SESSION_EXPIRED : EH_E_LOGIN_REQUIRED, APR_EGENERAL, NULL);
    err.login = login;
    return eho.base->fail(r, &err);
}

/* --- what the application is told --- */

static const char *value_of(request_rec *r, hot_entry_t *e, const eho_value_t *v)
{
    const char *s = hot_value(e, v->index);

    return s ? s : hot_value_keep(e, v->index, oidc_template_render(v->text, e->who, r->pool));
}

static void tell(request_rec *r, hot_entry_t *e, const eho_dir_t *dir)
{
    const eho_value_t *const *v = dir->values ? (const eho_value_t *const *)dir->values->elts : NULL;

    for (int i = 0; dir->values && i < dir->values->nelts; i++) {
        const char *s = value_of(r, e, v[i]);

        /* An absent value is an absent header: an empty one is somebody without a name to some applications. */
        if (*s) apr_table_setn(v[i]->kind == EHO_HEADER ? r->headers_in : r->subprocess_env, v[i]->name, s);
    }
}

/* The application hears of the session's person. */
static void introduce(request_rec *r, eho_req_t *rq, const oidc_provider_t *prov, hot_entry_t *e)
{
    rq->prov = prov;
    rq->entry = e;
    rq->who = e->who;
    eho.base->set_principal(r, e->who);
    tell(r, e, eho_dir(r));
    apr_table_setn(r->notes, private_note, "1");
    /* mod_cache must not keep the page of one person for another, whatever the application says of it. */
    apr_table_setn(r->subprocess_env, "no-cache", "1");
}

static int admit(request_rec *r, eho_req_t *rq, const eho_dir_t *dir, const oidc_provider_t *prov, hot_entry_t *e)
{
    const char *user = value_of(r, e, dir->user ? dir->user : eho.log_id);
    eh_err_t err = {EH_E_NONE};

    if (!*user) {
        eh_err_set(&err, EH_E_DENIED_UNMAPPED, APR_EGENERAL, NULL);
        return refuse(r, &err, HTTP_FORBIDDEN);
    }
    r->user = (char *)user;
    r->ap_auth_type = (char *)EHO_AUTH_TYPE;
    introduce(r, rq, prov, e);
    return OK;
}

int eho_adopt(request_rec *r)
{
    const request_rec *from = r->prev && r->prev->per_dir_config == r->per_dir_config   ? r->prev
                              : r->main && r->main->per_dir_config == r->per_dir_config ? r->main
                                                                                        : NULL;
    const eho_req_t *origin = from ? eho_req_peek(from) : NULL;

    if (!origin || !origin->who || origin->refused) return 0;
    introduce(r, eho_req(r), origin->prov, origin->entry);
    return 1;
}

int eho_check_authn(request_rec *r)
{
    const eho_dir_t *dir = eho_dir(r);
    const char *type = ap_auth_type(r), *ticket;
    const oidc_provider_t *prov;
    eh_err_t err = {EH_E_NONE};
    hot_entry_t *e = NULL;
    eho_req_t *rq;
    int rc;

    if (!type || strcasecmp(type, EHO_AUTH_TYPE) != 0) return DECLINED;
    if (!dir->login) return refuse_config(r, "AuthType " EHO_AUTH_TYPE " without EHealthLogin");
    if ((prov = eho_srv(r->server)->by_login[dir->login_index]) == NULL) {
        return refuse_config(r, "EHealthLogin names a provider that this host does not have");
    }
    if (!eho.cache || !eho.documents) return refuse_config(r, "this child has no session cache");
    rq = eho_req(r);
    rq->prov = prov;
    eho_fresh_headers(r);
    ticket = eho_take_cookies(r, rq, prov->session_cookie);
    switch (eho_session_find(&e, r, prov, ticket, &err)) {
    case EHO_FOUND: break;
    case EHO_NONE: return challenge(r, prov, 0);
    case EHO_ENDED: return challenge(r, prov, 1);
    default: return refuse(r, &err, HTTP_SERVICE_UNAVAILABLE);
    }
    if (!r->main && (rc = eho.base->limit(r, "session", e->digest, HOT_DIGEST_LEN)) != OK) {
        rq->refused = 1;
        return rc;
    }
    return admit(r, rq, dir, prov, e);
}

/* --- nobody else may keep the answer --- */

static const char *without_public(apr_pool_t *p, const char *control)
{
    const char *out = "private";

    while (*control) {
        const char *word = ap_get_token(p, &control, 1);

        if (*word && strcasecmp(word, "public") != 0 && strncasecmp(word, "s-maxage", 8) != 0) {
            out = apr_pstrcat(p, out, ", ", word, NULL);
        }
        while (*control == ',' || *control == ' ' || *control == ';')
            control++;
    }
    return out;
}

/* The application's Cache-Control stays, made private; an answer without one is not kept at all: ward computers are
 * shared, and the next person has a Back button. */
static apr_status_t private_filter(ap_filter_t *f, apr_bucket_brigade *bb)
{
    request_rec *r = f->r;
    const char *control = apr_table_get(r->headers_out, "Cache-Control");

    ap_remove_output_filter(f);
    if (!control) control = apr_table_get(r->err_headers_out, "Cache-Control");
    if (!control) {
        apr_table_setn(r->headers_out, "Cache-Control", "private, no-store");
    } else if (!ap_find_token(r->pool, control, "private") && !ap_find_token(r->pool, control, "no-store")) {
        apr_table_unset(r->err_headers_out, "Cache-Control");
        apr_table_setn(r->headers_out, "Cache-Control", without_public(r->pool, control));
    }
    return ap_pass_brigade(f->next, bb);
}

static ap_filter_rec_t *private_handle;

void eho_filters_register(void)
{
    /* Behind what the application and mod_headers say, before the header is written. */
    private_handle = ap_register_output_filter(filter_name, private_filter, NULL, AP_FTYPE_PROTOCOL - 1);
}

void eho_insert_filter(request_rec *r)
{
    /* Not by our own state, which a subrequest does not leave behind when its page becomes that of the request. */
    if (!r->main && apr_table_get(r->notes, private_note))
        ap_add_output_filter_handle(private_handle, NULL, r, r->connection);
}
