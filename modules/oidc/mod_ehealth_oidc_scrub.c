/* SPDX-License-Identifier: Apache-2.0 */
/* Header hygiene: nobody but this module tells a back end who is logged in. */
#include "mod_ehealth_oidc.h"

#include <http_protocol.h>
#include <apr_strings.h>

#include "hot_cookie.h"

eho_req_t *eho_req_peek(const request_rec *r) { return ap_get_module_config(r->request_config, &ehealth_oidc_module); }

eho_req_t *eho_req(request_rec *r)
{
    eho_req_t *rq = eho_req_peek(r), *origin = NULL;
    const request_rec *from = r->main ? r->main : r->prev;

    if (rq) return rq;
    rq = apr_pcalloc(r->pool, sizeof(*rq));
    if (from) origin = eho_req_peek(from);
    if (origin && origin->cookie_taken) {
        /* The origin has already taken our cookies out of the headers that this request shares with it. */
        rq->cookie = origin->cookie;
        rq->cookie_taken = 1;
    } else {
        rq->cookie = apr_table_get(r->headers_in, "Cookie");
    }
    ap_set_module_config(r->request_config, &ehealth_oidc_module, rq);
    return rq;
}

/* Runs on every request that comes in from outside, before any other module reads a header: OPTIONS, reserved URLs,
 * unprotected pages, HTTP/2 streams. */
int eho_scrub_hook(request_rec *r)
{
    const char *connection, *kept;
    int n;

    if (eho.names == NULL || hot_names_count(eho.names) == 0) return DECLINED;
    n = hot_names_scrub(eho.names, r->headers_in, r->pool);
    if ((connection = kept = apr_table_get(r->headers_in, "Connection")) != NULL &&
        hot_names_connection(eho.names, &kept, r->pool)) {
        /* mod_proxy drops what Connection names: a client could make our header disappear. */
        if (kept) {
            apr_table_setn(r->headers_in, "Connection", kept);
        } else {
            apr_table_unset(r->headers_in, "Connection");
        }
        n++;
    }
    if (n) {
        eho_count(EHO_M_SPOOFED, n);
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "removed %d header(s) in which the client claimed an identity", n);
    }
    return DECLINED;
}

const char *eho_take_cookies(request_rec *r, eho_req_t *rq, const char *wanted)
{
    hot_cookie_t found;

    hot_cookie_take(&found, rq->cookie, wanted, r->pool);
    if (!rq->cookie_taken) {
        rq->cookie_taken = 1;
        if (found.taken && found.rest) {
            apr_table_setn(r->headers_in, "Cookie", found.rest);
        } else if (found.taken) {
            apr_table_unset(r->headers_in, "Cookie");
        }
    }
    return found.value;
}

void eho_fresh_headers(request_rec *r)
{
    if (!r->main && !r->prev) return;
    /* A subrequest shares the table with its parent, which still has a handler to run. */
    if (r->main) r->headers_in = apr_table_copy(r->pool, r->headers_in);
    if (eho.names) hot_names_scrub(eho.names, r->headers_in, r->pool);
}

static int origin_has_identity(const request_rec *r)
{
    for (r = r->main ? r->main : r->prev; r; r = r->main ? r->main : r->prev) {
        const eho_req_t *rq = eho_req_peek(r);

        if (rq && rq->who) return 1;
    }
    return 0;
}

/* Last look before a handler runs. Protected pages were served by check_authn; here are all the others. */
int eho_fixups(request_rec *r)
{
    eho_req_t *rq = eho_req_peek(r);

    if (rq && rq->refused) return HTTP_FORBIDDEN; /* what has been refused must not be served after all */
    if ((rq && rq->who) || eho_adopt(r)) return OK;
    /* Redirected internally from a protected page to an open one: the identity was meant for the protected one. */
    if ((r->main || r->prev) && origin_has_identity(r)) eho_fresh_headers(r);
    /* Our own routes read the cookies themselves. */
    if (strncmp(r->uri, EH_PREFIX, sizeof(EH_PREFIX) - 1) == 0) return OK;
    if (rq == NULL && apr_table_get(r->headers_in, "Cookie") == NULL) return OK;
    rq = eho_req(r);
    if (!rq->cookie_taken) eho_take_cookies(r, rq, NULL);
    return OK;
}
