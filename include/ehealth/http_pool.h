/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The outbound HTTP pool behind the port of http.h, over libcurl easy handles (modules/io/http_curl.c).
 *
 * What it promises, all enforced here and nowhere else:
 * - https only, TLS 1.2 or newer, peer and host name verified; http only to loopback and only when http_loopback is set.
 * - Redirects are answers (status 3xx), never followed. No cookies, no decompression, no proxy from the environment.
 * - connect_timeout, a total deadline, and a floor of EH_HTTP_LOW_SPEED bytes/s over EH_HTTP_LOW_TIME seconds.
 * - Response body, header count and header bytes are capped (HTTP_TOO_LARGE).
 * - At most max_handles exchanges at once, at most max_per_host of them to one host; at most max_waiting threads wait for
 *   a handle, for max_wait at the longest: beyond that HTTP_BUSY at once. One failing peer cannot use up the workers.
 * - Per-host breaker: EH_HTTP_BREAKER_FAILS consecutive transport errors or 5xx open it for EH_HTTP_BREAKER_OPEN; then one
 *   probe decides. While open: HTTP_BREAKER with retry_after.
 * - A kept connection that was authenticated with a client certificate is used again only with the very same files in
 *   the very same version (path, inode, size, mtime).
 * - Loopback peers are never asked through the proxy: the name would mean the proxy's own loopback.
 * - No URL query, user info, header value, token or body in a log line or error.
 *
 * Threads: perform is thread-safe. Processes: create the pool in child_init; nothing of it may cross fork(). The pool
 * closes its connections when its APR pool goes; no thread may be inside perform then.
 */
#ifndef EHEALTH_HTTP_POOL_H
#define EHEALTH_HTTP_POOL_H

#include "ehealth/http.h"
#include "ehealth/log.h"

#define EH_HTTP_MAX_RESPONSE (1024 * 1024) /* bytes, when the request names no cap */
#define EH_HTTP_MAX_HEADERS 100            /* response header lines */
#define EH_HTTP_MAX_HEADER_BYTES (64 * 1024)
#define EH_HTTP_MAX_URL 8000
#define EH_HTTP_MAX_HOSTS 64 /* hosts remembered by breaker and per-host cap */
#define EH_HTTP_LOW_SPEED 64 /* bytes/s */
#define EH_HTTP_LOW_TIME 10  /* s; long enough for a peer that thinks before its first byte */
#define EH_HTTP_MAX_TIMEOUT apr_time_from_sec(60)
#define EH_HTTP_BREAKER_FAILS 5
#define EH_HTTP_BREAKER_OPEN apr_time_from_sec(10)
#define EH_HTTP_KEEP_IDLE 30 /* s a connection may idle before it is reused */

typedef struct eh_httppool_conf_t {
    const char *proxy;                   /* "http://[user:password@]host:port"; NULL = direct */
    const char *const *no_proxy;         /* hosts reached directly: "host" exact, ".domain" suffix, address, or subnet
                                         * ("10.0.0.0/8": compared with addresses only, names are not resolved);
                                         * NULL-terminated */
    const char *ca_bundle;               /* PEM file that REPLACES the system's roots; NULL = the system's */
    apr_interval_time_t connect_timeout; /* 0 = 3 s */
    apr_interval_time_t total_timeout;   /* 0 = 10 s; a request may ask for less or more, at most 60 s */
    apr_interval_time_t max_wait;        /* for a handle; 0 = 500 ms */
    const char *user_agent;              /* NULL = "ehealth" */
    int max_handles;                     /* 0 = 16 */
    int max_per_host;                    /* 0 = half of max_handles, at least 1 */
    int max_waiting;                     /* 0 = 16; -1 = nobody waits */
    int low_time;                        /* s below EH_HTTP_LOW_SPEED before giving up; 0 = EH_HTTP_LOW_TIME */
    int http_loopback;                   /* plain http to 127.0.0.0/8, ::1 and localhost is allowed (demo, tests) */
} eh_httppool_conf_t;

/**
 * Makes a pool that lives as long as p (strings of conf are copied). log may be NULL; it must outlive the pool.
 * Errors: APR_EINVAL for a proxy URL of another scheme or a CA bundle that cannot be read (logged in words).
 */
apr_status_t eh_httppool_create(eh_http_t **phttp, const eh_httppool_conf_t *conf, const eh_log_t *log, apr_pool_t *p);

/** State of one host, for the status page. */
typedef struct eh_httppool_host_t {
    const char *host; /* "scheme://host:port" */
    int in_flight;
    int fails;        /* consecutive */
    int open;         /* the breaker is open or half-open */
    apr_time_t until; /* when open: time of the next probe */
} eh_httppool_host_t;

/** Copies the state of at most max hosts into hosts (strings in p); returns how many. */
int eh_httppool_hosts(eh_http_t *http, eh_httppool_host_t *hosts, int max, apr_pool_t *p);

#endif
