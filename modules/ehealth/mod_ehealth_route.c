/* SPDX-License-Identifier: Apache-2.0 */
/* The reserved prefix: claimed ahead of mod_proxy, mod_alias and mod_rewrite, exempt from Require, answered by our routes
 * and by nothing else. "Exempt" and "answered by us" are one flag of the request: whatever a strange spelling of a path
 * slips past, it can only ever reach a route of ours. */
#include "mod_ehealth.h"

#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mod_auth.h>
#include <apr_strings.h>

#include "ehealth/page.h"

#define EH_HANDLER "ehealth-route"
#define PREFIX_LEN (sizeof(EH_PREFIX) - 1)

/* r->uri is normalised by now: no "/./", "/../", and unreserved characters decoded. Case and ";parameters" count. */
static int is_ours(const request_rec *r) { return !r->proxyreq && r->uri && !strncmp(r->uri, EH_PREFIX, PREFIX_LEN); }

static int is_claimed(const request_rec *r)
{
    const eh_rconf_t *rc = ap_get_module_config(r->request_config, &ehealth_module);

    return rc && rc->claimed;
}

/* OK ends the hook: "ProxyPass / … mapping=encoded" does not see the request. */
static int pre_translate(request_rec *r) { return is_ours(r) ? OK : DECLINED; }

static int translate(request_rec *r)
{
    if (!is_ours(r)) return DECLINED;
    eh_rconf(r)->claimed = 1;
    r->filename = apr_pstrdup(r->pool, r->uri); /* nothing is there, but modules read it without asking */
    r->handler = EH_HANDLER; /* set early too: mod_dir's FallbackResource takes what has no handler */
    return OK;
}

/* No file, no folder, no .htaccess. */
static int map_to_storage(request_rec *r)
{
    if (!is_claimed(r)) return DECLINED;
    r->finfo.filetype = APR_NOFILE;
    return OK;
}

/* mod_rewrite, mod_alias and mod_dir act in <Location /> by their per-directory configuration, and a fixup cannot be
 * outrun. So this request gets a configuration of its own in which these three are as if never configured. It also ends
 * every identity of configurations by which httpd would let an internal redirect inherit our exemption. */
static int clear_redirectors(request_rec *r)
{
    static const char *const names[] = {"mod_rewrite.c", "mod_alias.c", "mod_dir.c"};
    ap_conf_vector_t *conf;
    module *m;
    apr_size_t i;

    if (!is_claimed(r)) return DECLINED;
    conf = ap_merge_per_dir_configs(r->pool, r->per_dir_config, ap_create_per_dir_config(r->pool));
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        m = ap_find_linked_module(names[i]);
        if (m && m->create_dir_config) ap_set_module_config(conf, m, m->create_dir_config(r->pool, NULL));
    }
    r->per_dir_config = conf;
    return OK;
}

static int allow(request_rec *r) { return is_claimed(r) ? OK : DECLINED; }

static int set_handler(request_rec *r)
{
    if (!is_claimed(r)) return DECLINED;
    r->handler = EH_HANDLER; /* whatever SetHandler, AddHandler or a rewriting fixup has put there */
    r->proxyreq = PROXYREQ_NONE;
    return OK;
}

/* On every request of the server, so without allocating: most have nothing of ours. */
static void filters_inserted(request_rec *r)
{
    if (ap_get_module_config(r->request_config, &ehealth_module)) {
        eh_rconf(r)->filters_in = 1;
    } else {
        ap_set_module_config(r->request_config, &ehealth_module, (void *)&eh_rconf_filters_in);
    }
}

/* A form or script of another site must not act with the cookies of ours (RFC 6265bis leaves SameSite to the browser). */
static int same_site(request_rec *r, const eh_req_t *req)
{
    const char *origin = apr_table_get(r->headers_in, "Origin"), *mine = eh_sconf(r->server)->public_url;

    if (*req->fetch_site) return !strcmp(req->fetch_site, "same-origin");
    return origin && mine && !strcasecmp(origin, mine);
}

static int run_route(request_rec *r, const eh_route_t *route, eh_req_t *req)
{
    eh_res_t res = {0};
    eh_err_t err = {EH_E_NONE};
    apr_status_t rv;
    int rc;

    if ((route->flags & EH_ROUTE_SAME_SITE) && !same_site(r, req)) {
        eh_count(EH_M_CROSS_SITE, 1);
        return eh_fail_code(r, EH_E_CROSS_SITE, NULL);
    }
    if (!(route->flags & EH_ROUTE_PUBLIC) && !req->principal) return eh_fail_code(r, EH_E_LOGIN_REQUIRED, NULL);
    if (route->rate_class && (rc = eh_limit_request(r, route->rate_class)) != OK) return rc;
    if (req->content_length > (apr_off_t)route->max_body || (req->content_length < 0 && route->max_body == 0)) {
        return eh_fail_code(r, EH_E_LIMIT, route->max_body ? NULL : "This address takes no body.");
    }
    eh_rconf(r)->body_read = req->read != NULL;
    res.headers = apr_table_make(r->pool, 4);
    rv = route->fn(eh_ctx_of(r), req, &res, &err);
    if (rv != APR_SUCCESS) {
        if (err.code == EH_E_NONE)
            eh_err_setf(&err, r->pool, EH_E_INTERNAL, rv, NULL, "a route failed without a reason");
        return eh_fail(r, &err);
    }
    if (res.status == DONE) return DONE; /* the use case has answered through its host (eh_req_t.host) itself */
    eh_count(EH_M_REQ_OK, 1);
    eh_security_headers(r->headers_out, res.content_type && !strncmp(res.content_type, "text/html", 9)
                                            ? eh_page_csp(r->pool, NULL)
                                            : NULL);
    apr_table_setn(r->headers_out, "Cache-Control", "no-store"); /* unless the route says otherwise */
    return eh_response_send(r, &res);
}

static int handler(request_rec *r)
{
    const eh_route_t *route = NULL;
    const char *allowed = NULL;
    apr_table_t *params = NULL;
    eh_err_t err = {EH_E_NONE};
    apr_time_t start = apr_time_now();
    eh_req_t *req;
    int rc;

    if (!is_claimed(r)) return DECLINED;
    if (eh_route_find(&route, &params, &allowed, eh_process.reg.routes, eh_process.reg.nroutes,
                      r->header_only ? "GET" : r->method, r->uri, &err, r->pool) != APR_SUCCESS) {
        if (allowed) apr_table_setn(r->err_headers_out, "Allow", allowed);
        rc = eh_fail(r, &err);
    } else {
        eh_rconf(r)->route = route;
        req = eh_request_make(r, route->max_body);
        req->params = params;
        rc = run_route(r, route, req);
    }
    eh_observe(EH_M_REQ_TIME, apr_time_now() - start);
    return rc;
}

/* SetHandler ehealth-status and ehealth-metrics anywhere the administrator likes. */
static int named_handlers(request_rec *r)
{
    if (!r->handler) return DECLINED;
    if (!strcmp(r->handler, "ehealth-status")) return eh_status_handler(r);
    if (!strcmp(r->handler, "ehealth-metrics")) return eh_metrics_handler(r);
    return DECLINED;
}

void eh_route_hooks(apr_pool_t *p)
{
    /* First of all: mod_proxy maps "ProxyPass /" here and in translate_name, mod_alias and mod_rewrite in the latter. */
    ap_hook_pre_translate_name(pre_translate, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_translate_name(translate, NULL, NULL, APR_HOOK_REALLY_FIRST);
    /* First: mod_proxy and core would walk folders for it. */
    ap_hook_map_to_storage(map_to_storage, NULL, NULL, APR_HOOK_REALLY_FIRST);
    /* First: before anybody acts on the per-directory configuration. */
    ap_hook_post_perdir_config(clear_redirectors, NULL, NULL, APR_HOOK_REALLY_FIRST);
    /* First: OK here means that neither mod_authz_core nor a log-in module is asked. */
    ap_hook_check_access_ex(allow, NULL, NULL, APR_HOOK_REALLY_FIRST, AP_AUTH_INTERNAL_PER_CONF);
    /* Last: after all who set a handler. */
    ap_hook_fixups(set_handler, NULL, NULL, APR_HOOK_REALLY_LAST);
    ap_hook_insert_filter(filters_inserted, NULL, NULL, APR_HOOK_REALLY_LAST);
    /* First: mod_actions and others answer by method or type, not by handler. */
    ap_hook_handler(handler, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_handler(named_handlers, NULL, NULL, APR_HOOK_MIDDLE);
}
