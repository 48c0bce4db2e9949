/* SPDX-License-Identifier: Apache-2.0 */
/* How an error reaches a client: one place decides on problem+json or a page, sets the headers and writes the log line. */
#include "mod_ehealth.h"

#include <http_protocol.h>
#include <http_request.h>
#include <apr_strings.h>

#include "ehealth/codec.h"
#include "ehealth/page.h"

static int accepts(request_rec *r, const char *what)
{
    const char *accept = apr_table_get(r->headers_in, "Accept");

    return accept && ap_strcasestr(accept, what);
}

int eh_is_navigation(request_rec *r)
{
    const char *mode = apr_table_get(r->headers_in, "Sec-Fetch-Mode"), *with;

    if (mode) return !strcmp(mode, "navigate");
    /* Browsers before Sec-Fetch (and http to a host that is not loopback): scripts give themselves away. */
    with = apr_table_get(r->headers_in, "X-Requested-With");
    return !with && accepts(r, "text/html") && !apr_table_get(r->headers_in, "Upgrade");
}

static int wants_page(request_rec *r)
{
    const eh_rconf_t *rc = eh_rconf(r);

    if (accepts(r, "json") && !accepts(r, "text/html")) return 0;
    return eh_is_navigation(r) || (rc->route && (rc->route->flags & EH_ROUTE_PAGE) && !accepts(r, "json"));
}

void eh_security_headers(apr_table_t *h, const char *csp)
{
    apr_table_setn(h, "X-Content-Type-Options", "nosniff");
    apr_table_setn(h, "Referrer-Policy", "no-referrer");
    apr_table_setn(h, "X-Frame-Options", "DENY");
    apr_table_setn(h, "Cross-Origin-Resource-Policy", "same-origin");
    apr_table_setn(h, "Content-Security-Policy", csp ? csp : "default-src 'none'; frame-ancestors 'none'");
}

static eh_log_e level_of(const eh_err_t *err, int http)
{
    /* A limit reached, an expired log-in, a refused person: the client's business. The rest is for an administrator. */
    if (http < 500) return EH_LOG_INFO;
    return err->code == EH_E_INTERNAL || http == 500 ? EH_LOG_ERR : EH_LOG_WARNING;
}

static const char *error_page(request_rec *r, const eh_err_t *err, const eh_err_info_t *info)
{
    eh_page_t page = {.lang = eh_lang_of(r), .correlation = eh_correlation(r), .home_url = "/"};

    page.contact = eh_sconf(r->server)->contact;
    /* Somebody is logged in and refused, perhaps at a ward's computer as the person before. Who set the principal has the
     * route. */
    if (info->http == HTTP_FORBIDDEN && eh_principal_of(r)) page.logout_url = EH_PREFIX "logout";
    /* A link that repeats the request: only where that may help, and never a callback, whose state is used up. */
    if (r->method_number == M_GET && (info->http == HTTP_TOO_MANY_REQUESTS || info->http == HTTP_SERVICE_UNAVAILABLE) &&
        !ap_strstr_c(r->uri, "/callback/") && eh_target_is_local(r->unparsed_uri)) {
        page.link_url = r->unparsed_uri;
    }
    return eh_page_error(r->pool, &page, err);
}

static void write_body(request_rec *r, const eh_err_t *err, const eh_err_info_t *info)
{
    const char *body;

    if (wants_page(r)) {
        body = error_page(r, err, info);
        ap_set_content_type(r, EH_PAGE_CONTENT_TYPE);
        eh_security_headers(r->err_headers_out, eh_page_csp(r->pool, NULL));
    } else {
        body = eh_err_problem_json(r->pool, err, eh_lang_of(r), eh_correlation(r));
        ap_set_content_type(r, "application/problem+json");
        eh_security_headers(r->err_headers_out, NULL);
    }
    apr_table_setn(r->err_headers_out, "Content-Language", eh_lang_code(eh_lang_of(r)));
    apr_table_mergen(r->err_headers_out, "Vary", "Accept, Accept-Language");
    ap_set_content_length(r, strlen(body));
    if (!r->header_only) ap_rputs(body, r);
}

int eh_fail(request_rec *r, const eh_err_t *err)
{
    const eh_err_info_t *info = eh_err_info(err->code);
    const eh_ctx_t *ctx = eh_ctx_of(r);

    eh_log_err(ctx->log, level_of(err, info->http), err, NULL);
    eh_count(EH_M_REQ_ERROR, 1);
    if (r->sent_bodyct || r->eos_sent) { /* too late to say anything: at least do not let it look whole */
        r->connection->keepalive = AP_CONN_CLOSE;
        return DONE;
    }
    eh_request_discard(r);
    if (ap_status_drops_connection(info->http)) r->connection->keepalive = AP_CONN_CLOSE;
    r->status = info->http;
    r->status_line = NULL;
    apr_table_unset(r->headers_out, "ETag");
    apr_table_unset(r->headers_out, "Last-Modified");
    apr_table_unset(r->headers_out, "Content-Encoding");
    apr_table_unset(r->headers_out, "Accept-Ranges");
    apr_table_setn(r->err_headers_out, "X-EHealth-Error", eh_err_tag(r->pool, info->code));
    apr_table_setn(r->err_headers_out, "X-EHealth-Correlation", eh_correlation(r));
    apr_table_setn(r->err_headers_out, "Cache-Control", "no-store");
    /* A scheme that no browser knows: RFC 9110 wants a challenge with 401, people want no password dialogue. */
    if (info->http == HTTP_UNAUTHORIZED) apr_table_setn(r->err_headers_out, "WWW-Authenticate", "EHealth");
    if (err->retry_after > 0) {
        apr_table_setn(r->err_headers_out, "Retry-After", apr_itoa(r->pool, err->retry_after));
    }
    /* Before the handler phase nobody has inserted the filters that add "Header always" lines. */
    if (!eh_rconf(r)->filters_in) ap_run_insert_error_filter(r);
    write_body(r, err, info);
    return DONE;
}

int eh_fail_code(request_rec *r, eh_code_e code, const char *detail)
{
    eh_err_t err = {EH_E_NONE};

    eh_err_set(&err, code, APR_EGENERAL, detail);
    return eh_fail(r, &err);
}
