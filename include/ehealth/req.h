/* SPDX-License-Identifier: Apache-2.0 */
/**
 * A request and its answer without httpd: what use cases see. The glue (modules/ehealth/mod_ehealth_request.c) makes the
 * one from a request_rec, and does authentication, CSRF, limits, audit of the route and error pages around the call.
 */
#ifndef EHEALTH_REQ_H
#define EHEALTH_REQ_H

#include <apr_pools.h>
#include <apr_tables.h>

#include "ehealth/ctx.h"
#include "ehealth/err.h"
#include "ehealth/principal.h"

typedef struct eh_req_t {
    apr_pool_t *p;                 /* lives as long as the request */
    const char *method;            /* "GET"; HEAD arrives as "GET" */
    const char *path;              /* decoded, normalised, with leading '/' */
    const char *query;             /* raw, "" when none */
    const apr_table_t *headers;
    const apr_table_t *params;     /* path parameters of the route, decoded */
    const char *remote;            /* client address */
    const char *fetch_site, *fetch_mode; /* Sec-Fetch-*, "" when absent */
    eh_lang_e lang;
    const eh_principal_t *principal; /* NULL: anonymous */
    apr_off_t content_length;      /* -1 unknown */
    /** Reads up to *len bytes of the body; *len = 0 at its end. LIMIT when it passes the route's cap. */
    apr_status_t (*read)(void *baton, char *buf, apr_size_t *len, eh_err_t *err);
    void *read_baton;
    void *host;                    /* in httpd the request_rec: only mod_*.c may look inside; NULL in other hosts */
} eh_req_t;

/** Produces body bytes [from, from+len) by calling write as often as needed; a non-success of write ends it. */
typedef apr_status_t eh_write_fn(void *baton, const char *data, apr_size_t len);
typedef apr_status_t eh_produce_fn(void *baton, apr_off_t from, apr_off_t len, eh_write_fn *write, void *write_baton);

typedef struct eh_res_t {
    int status;                    /* 200 when left 0 */
    const char *content_type;
    apr_table_t *headers;          /* answered as they are; Set-Cookie may repeat (apr_table_add) */
    const char *body;              /* either this … */
    apr_size_t len;
    eh_produce_fn *produce;        /* … or this, with total length produce_len (ranges are served by the glue) */
    void *produce_baton;
    apr_off_t produce_len;
} eh_res_t;

typedef apr_status_t eh_use_case_fn(const eh_ctx_t *ctx, const eh_req_t *req, eh_res_t *res, eh_err_t *err);

/** Route flags. */
enum {
    EH_ROUTE_PUBLIC = 1,   /* no principal needed */
    EH_ROUTE_PAGE = 2,     /* errors are pages for people unless the client asks for JSON */
    EH_ROUTE_SAME_SITE = 4 /* refused (CROSS_SITE) unless same-origin by Sec-Fetch-Site or Origin */
};

typedef struct eh_route_t {
    const char *method;    /* one method; GET serves HEAD too */
    const char *template_; /* "/.ehealth/callback/{provider}": {x} takes one non-empty segment */
    int flags;
    const char *rate_class; /* NULL = none */
    apr_size_t max_body;   /* bytes; 0 = no body accepted */
    eh_use_case_fn *fn;
} eh_route_t;

/**
 * Finds the route. *params: table in p. Returns APR_SUCCESS; or an error NOT_FOUND, METHOD (then *allow lists the
 * methods for the Allow header). Literal segments win over parameters.
 */
apr_status_t eh_route_find(const eh_route_t **proute, apr_table_t **params, const char **allow,
                           const eh_route_t *const *routes, int n, const char *method, const char *path, eh_err_t *err,
                           apr_pool_t *p);

/** Reads the whole body (at most max bytes) into p. */
apr_status_t eh_req_body(const eh_req_t *req, apr_size_t max, const char **pbody, apr_size_t *plen, eh_err_t *err);
/** Value of a cookie, NULL when absent or when the name occurs twice with different values. */
const char *eh_req_cookie(const eh_req_t *req, const char *name);

/** Answers with JSON (takes over the reference of j, also when it fails). */
apr_status_t eh_res_json(eh_res_t *res, int status, json_t *j, apr_pool_t *p);
/** 303 to url, which must be absolute or local already judged by the caller. APR_EINVAL: empty or with white space or a
 *  control character. res->headers must exist. */
apr_status_t eh_res_redirect(eh_res_t *res, const char *url);

#endif
