/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Outbound HTTP port. Implemented by modules/io/http_curl.c over a pool of libcurl easy handles: https only (http only
 * to loopback and only when the pool was made with allow_http), certificates verified, redirects never followed, total
 * deadline, response cap, per-host circuit breaker, a bound on how many threads may wait at once.
 */
#ifndef EHEALTH_HTTP_H
#define EHEALTH_HTTP_H

#include <apr_pools.h>
#include <apr_tables.h>
#include <apr_time.h>

#include "ehealth/err.h"

typedef struct eh_http_t eh_http_t;

/** A client certificate for mutual TLS; paths of PEM files readable by the running user. */
typedef struct eh_http_cert_t {
    const char *cert_file;
    const char *key_file; /* NULL: in cert_file */
} eh_http_cert_t;

typedef struct eh_http_req_t {
    const char *method;           /* "GET", "POST", … */
    const char *url;
    const apr_table_t *headers;   /* may be NULL; a CR, LF or NUL in a value is refused */
    const char *basic_user;       /* HTTP Basic, already form-encoded as RFC 6749 §2.3.1 wants; NULL = none */
    const char *basic_password;
    const char *bearer;           /* Authorization: Bearer; NULL = none */
    const char *content_type;
    const char *body;             /* NULL = none */
    apr_size_t body_len;
    const eh_http_cert_t *cert;   /* NULL = none */
    apr_size_t max_response;      /* bytes; 0 = 1 MiB */
    apr_interval_time_t timeout;  /* total; 0 = the pool's default (10 s) */
} eh_http_req_t;

typedef struct eh_http_res_t {
    int status;
    apr_table_t *headers;         /* names case-insensitive; the final response's only */
    const char *content_type;     /* lower-case media type without parameters, "" when absent */
    const char *body;             /* NUL-terminated for convenience; len does not count it */
    apr_size_t len;
    apr_time_t date;              /* the peer's Date header, 0 when absent: for clock-skew diagnosis */
    apr_time_t cert_expires;      /* of the peer's certificate; 0 when the connection was a kept one, or plain */
} eh_http_res_t;

typedef struct eh_http_ops_t {
    apr_status_t (*perform)(eh_http_t *http, const eh_http_req_t *req, eh_http_res_t **pres, eh_err_t *err,
                            apr_pool_t *p);
} eh_http_ops_t;

struct eh_http_t {
    const eh_http_ops_t *ops;
};

/**
 * One exchange. APR_SUCCESS means that an answer arrived, whatever its status: the caller judges res->status.
 * Errors: HTTP_UNREACHABLE, HTTP_TIMEOUT, HTTP_TLS, HTTP_TOO_LARGE, HTTP_BREAKER, HTTP_BUSY. Before anything is sent:
 * HTTP_UNREACHABLE with APR_EINVAL for an address that policy forbids, INTERNAL with APR_EINVAL for a method or header
 * that cannot stand in a request, CONFIG when the client certificate cannot be read.
 * 5xx answers and transport errors count against the host's breaker.
 */
static inline apr_status_t eh_http_perform(eh_http_t *http, const eh_http_req_t *req, eh_http_res_t **pres,
                                           eh_err_t *err, apr_pool_t *p)
{
    return http->ops->perform(http, req, pres, err, p);
}

#endif
