/* SPDX-License-Identifier: Apache-2.0 */
/* Between httpd's request_rec and the request and answer that use cases know. Bodies stream both ways. */
#include "mod_ehealth.h"

#include <http_core.h>
#include <http_protocol.h>
#include <util_filter.h>
#include <apr_date.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include "ehealth/codec.h"
#include "ehealth/page.h"

#define EH_READ_STEP 8192
#define EH_READ_STALL apr_time_from_sec(20) /* between two pieces of a body */
#define EH_LANG_COOKIE "eh-lang"
#define EH_QUERY_MAX 64 /* parameters */

/* --- language --- */

/* What the person chose for this page, then for this browser, then what the browser says. */
eh_lang_e eh_lang_of(request_rec *r)
{
    eh_req_t req = {.headers = r->headers_in, .p = r->pool};
    eh_lang_e lang = eh_lang_from_accept(apr_table_get(r->headers_in, "Accept-Language"));
    const char *value = eh_req_cookie(&req, EH_LANG_COOKIE);
    apr_table_t *args = NULL;

    if (value) eh_lang_parse(&lang, value);
    if (r->args && strstr(r->args, "lang=") &&
        eh_form_parse(&args, r->args, strlen(r->args), EH_QUERY_MAX, r->pool) == APR_SUCCESS &&
        eh_form_single(&value, args, "lang") == APR_SUCCESS) {
        eh_lang_parse(&lang, value);
    }
    return lang;
}

/* --- request body --- */

typedef struct body_t {
    request_rec *r;
    apr_bucket_brigade *bb;
    apr_size_t max, given;
    apr_time_t deadline;
    int end;
} body_t;

/* Waits at most until the deadline, however slowly the bytes drip: mod_reqtimeout may not be loaded. */
static apr_status_t get_more(body_t *b)
{
    apr_socket_t *sock = ap_get_conn_socket(b->r->connection);
    apr_interval_time_t left = b->deadline - apr_time_now(), before = 0;
    apr_status_t rv;

    if (left <= 0) return APR_TIMEUP;
    if (sock) {
        apr_socket_timeout_get(sock, &before);
        if (left > EH_READ_STALL) left = EH_READ_STALL;
        if (before < 0 || before > left) apr_socket_timeout_set(sock, left);
    }
    rv = ap_get_brigade(b->r->input_filters, b->bb, AP_MODE_READBYTES, APR_BLOCK_READ, EH_READ_STEP);
    if (sock) apr_socket_timeout_set(sock, before);
    return rv;
}

static apr_status_t read_failed(body_t *b, apr_status_t rv, eh_err_t *err)
{
    b->end = 1;
    b->r->connection->keepalive = AP_CONN_CLOSE; /* what follows on this connection is the rest of this body */
    if (APR_STATUS_IS_TIMEUP(rv)) {
        return eh_err_set(err, EH_E_BODY_TIMEOUT, rv, "The body of the request did not arrive in time.");
    }
    if (rv == AP_FILTER_ERROR || APR_STATUS_IS_ENOSPC(rv)) { /* LimitRequestBody has said no */
        return eh_err_set(err, EH_E_LIMIT, rv, NULL);
    }
    return eh_err_setf(err, b->r->pool, EH_E_BAD_REQUEST, rv, "The body of the request could not be read.",
                       "read failed");
}

static apr_status_t body_read(void *baton, char *buf, apr_size_t *len, eh_err_t *err)
{
    body_t *b = baton;
    apr_bucket *e;
    const char *data;
    apr_size_t n, want = *len;
    apr_status_t rv;

    *len = 0;
    while (!b->end && *len == 0 && want > 0) {
        if (APR_BRIGADE_EMPTY(b->bb) && (rv = get_more(b)) != APR_SUCCESS) return read_failed(b, rv, err);
        if (APR_BRIGADE_EMPTY(b->bb)) return read_failed(b, APR_EOF, err); /* gone before the end */
        e = APR_BRIGADE_FIRST(b->bb);
        if (APR_BUCKET_IS_EOS(e)) {
            b->end = 1;
            break;
        }
        if (!APR_BUCKET_IS_METADATA(e)) {
            if ((rv = apr_bucket_read(e, &data, &n, APR_BLOCK_READ)) != APR_SUCCESS) return read_failed(b, rv, err);
            if (n > want) apr_bucket_split(e, n = want);
            memcpy(buf, data, n);
            *len = n;
        }
        apr_bucket_delete(e);
    }
    b->given += *len;
    if (b->given > b->max) {
        b->end = 1;
        b->r->connection->keepalive = AP_CONN_CLOSE;
        return eh_err_set(err, EH_E_LIMIT, APR_ENOSPC, NULL);
    }
    return APR_SUCCESS;
}

void eh_request_discard(request_rec *r)
{
    eh_rconf_t *rc = eh_rconf(r);
    const char *cl = apr_table_get(r->headers_in, "Content-Length");
    int chunked = apr_table_get(r->headers_in, "Transfer-Encoding") != NULL;

    if (rc->body_read || r->main) return;
    rc->body_read = 1;
    if (!cl && !chunked) return;
    /* A client that waits for "100 Continue" sends nothing if it gets an answer instead. */
    if (chunked || apr_table_get(r->headers_in, "Expect") || apr_atoi64(cl) > EH_DISCARD_MAX) {
        r->connection->keepalive = AP_CONN_CLOSE;
    } else {
        ap_discard_request_body(r);
    }
}

/* --- request --- */

eh_req_t *eh_request_make(request_rec *r, apr_size_t max_body)
{
    eh_req_t *req = apr_pcalloc(r->pool, sizeof(*req));
    const char *cl = apr_table_get(r->headers_in, "Content-Length"), *h;
    char *end = NULL;
    body_t *b;

    req->p = r->pool;
    req->method = r->header_only ? "GET" : r->method;
    req->path = r->uri;
    req->query = r->args ? r->args : "";
    req->headers = r->headers_in;
    req->remote = r->useragent_ip;
    req->fetch_site = (h = apr_table_get(r->headers_in, "Sec-Fetch-Site")) ? h : "";
    req->fetch_mode = (h = apr_table_get(r->headers_in, "Sec-Fetch-Mode")) ? h : "";
    req->lang = eh_lang_of(r);
    req->principal = eh_principal_of(r);
    req->host = r;
    req->content_length = apr_table_get(r->headers_in, "Transfer-Encoding") ? -1 : 0;
    if (cl && (apr_strtoff(&req->content_length, cl, &end, 10) != APR_SUCCESS || *end)) req->content_length = -1;
    if (req->content_length != 0 && max_body > 0 && !r->main && !r->prev) {
        b = apr_pcalloc(r->pool, sizeof(*b));
        b->r = r;
        b->bb = apr_brigade_create(r->pool, r->connection->bucket_alloc);
        b->max = max_body;
        b->deadline = apr_time_now() + EH_BODY_DEADLINE;
        req->read = body_read;
        req->read_baton = b;
    }
    return req;
}

/* --- answer --- */

static int put_header(void *baton, const char *name, const char *value)
{
    request_rec *r = baton;

    if (!strcasecmp(name, "Set-Cookie")) {
        apr_table_add(r->headers_out, name, value);
    } else {
        apr_table_set(r->headers_out, name, value);
    }
    return 1;
}

/* Strong comparison: a range of one version must not be glued to another (RFC 9110 §13.1.5). */
static int if_range_holds(request_rec *r)
{
    const char *cond = apr_table_get(r->headers_in, "If-Range"), *mine;
    apr_time_t date;

    if (!cond) return 1;
    if (*cond == '"') {
        mine = apr_table_get(r->headers_out, "ETag");
        return mine && !strcmp(cond, mine);
    }
    mine = apr_table_get(r->headers_out, "Last-Modified");
    date = apr_date_parse_http(cond);
    return mine && date != APR_DATE_BAD && date == apr_date_parse_http(mine);
}

typedef enum { RANGE_ALL, RANGE_PART, RANGE_NONE } range_e;

/* "bytes=a-b", "a-" or "-n"; several ranges are answered with the whole (allowed by RFC 9110 §14.2). */
static range_e range_of(request_rec *r, apr_off_t total, apr_off_t *from, apr_off_t *len)
{
    const char *s = apr_table_get(r->headers_in, "Range");
    char *end;
    apr_off_t a = -1, b = -1;

    *from = 0;
    *len = total;
    if (!s || r->method_number != M_GET || r->header_only || strncasecmp(s, "bytes=", 6) || strchr(s, ',') ||
        !if_range_holds(r))
        return RANGE_ALL;
    s += 6;
    if (apr_isdigit(*s)) {
        if (apr_strtoff(&a, s, &end, 10) != APR_SUCCESS) return RANGE_ALL;
        s = end;
    }
    if (*s++ != '-') return RANGE_ALL;
    if (apr_isdigit(*s)) {
        if (apr_strtoff(&b, s, &end, 10) != APR_SUCCESS) return RANGE_ALL;
        s = end;
    }
    if (*s || (a < 0 && b < 0) || (a >= 0 && b >= 0 && b < a)) return RANGE_ALL;
    if (a < 0) { /* the last b bytes */
        if (b == 0) return RANGE_NONE;
        a = b < total ? total - b : 0;
        b = total - 1;
    }
    if (a >= total) return RANGE_NONE;
    if (b < 0 || b >= total) b = total - 1;
    *from = a;
    *len = b - a + 1;
    return RANGE_PART;
}

typedef struct writer_t {
    request_rec *r;
    apr_bucket_brigade *bb;
    apr_off_t left;
} writer_t;

static apr_status_t write_piece(void *baton, const char *data, apr_size_t len)
{
    writer_t *w = baton;
    apr_status_t rv;

    if (w->r->connection->aborted) return APR_ECONNABORTED;
    if ((apr_off_t)len > w->left) return APR_EINVAL; /* more than announced: the producer is wrong */
    w->left -= len;
    if (!EH_OK(ap_fwrite(w->r->output_filters, w->bb, data, len))) return rv;
    /* Handing on each piece lets slow clients push back on the producer instead of on our memory. */
    if (!APR_BRIGADE_EMPTY(w->bb)) {
        rv = ap_pass_brigade(w->r->output_filters, w->bb);
        apr_brigade_cleanup(w->bb);
    }
    return rv;
}

static int produce(request_rec *r, eh_res_t *res)
{
    writer_t w = {r, apr_brigade_create(r->pool, r->connection->bucket_alloc), 0};
    apr_off_t from;
    apr_status_t rv;

    switch (range_of(r, res->produce_len, &from, &w.left)) {
    case RANGE_NONE:
        apr_table_setn(r->headers_out, "Content-Range",
                       apr_psprintf(r->pool, "bytes */%" APR_OFF_T_FMT, res->produce_len));
        r->status = HTTP_RANGE_NOT_SATISFIABLE;
        ap_set_content_length(r, 0);
        return OK;
    case RANGE_PART:
        r->status = HTTP_PARTIAL_CONTENT;
        apr_table_setn(r->headers_out, "Content-Range",
                       apr_psprintf(r->pool, "bytes %" APR_OFF_T_FMT "-%" APR_OFF_T_FMT "/%" APR_OFF_T_FMT, from,
                                    from + w.left - 1, res->produce_len));
        break;
    case RANGE_ALL: break;
    }
    apr_table_setn(r->headers_out, "Accept-Ranges", "bytes");
    ap_set_content_length(r, w.left);
    if (r->header_only) return OK;
    rv = res->produce(res->produce_baton, from, w.left, write_piece, &w);
    if (rv != APR_SUCCESS || w.left) {
        /* The status line is out: all that can be said now is that this answer is not whole. */
        if (!r->connection->aborted) {
            ap_log_rerror(APLOG_MARK, APLOG_ERR, rv, r,
                          "EH1000: an answer broke off with %" APR_OFF_T_FMT " bytes to go", w.left);
        }
        r->connection->keepalive = AP_CONN_CLOSE;
        APR_BRIGADE_INSERT_TAIL(w.bb, ap_bucket_error_create(HTTP_BAD_GATEWAY, NULL, r->pool, w.bb->bucket_alloc));
        ap_pass_brigade(r->output_filters, w.bb);
        r->connection->aborted = 1;
    }
    return OK;
}

int eh_response_send(request_rec *r, eh_res_t *res)
{
    int rc;

    r->status = res->status ? res->status : HTTP_OK;
    r->status_line = NULL;
    if (res->headers) apr_table_do(put_header, r, res->headers, NULL);
    if (res->content_type) ap_set_content_type(r, apr_pstrdup(r->pool, res->content_type));
    if (r->status == HTTP_OK && (rc = ap_meets_conditions(r)) != OK) return rc; /* 304, 412: httpd sends them bare */
    if (res->produce) return produce(r, res);
    ap_set_content_length(r, res->len);
    if (!r->header_only && res->len) ap_rwrite(res->body, (int)res->len, r);
    return OK;
}
