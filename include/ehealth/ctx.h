/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The ports through which everything below the glue reaches the outside. A feature takes an `eh_ctx_t *` and nothing
 * else: tests fill one with fakes, the modules and ehctl with the real thing. Copy the struct freely; it owns nothing.
 */
#ifndef EHEALTH_CTX_H
#define EHEALTH_CTX_H

#include <apr_time.h>

#include "ehealth/audit.h"
#include "ehealth/db.h"
#include "ehealth/err.h"
#include "ehealth/http.h"
#include "ehealth/keyring.h"
#include "ehealth/log.h"
#include "ehealth/metrics.h"

typedef struct eh_ctx_t {
    apr_time_t (*now)(void *baton);                                    /* wall clock, µs since 1970 */
    apr_status_t (*random)(void *baton, unsigned char *buf, apr_size_t len); /* cryptographic randomness */
    void *port_baton;                                                  /* for now and random */
    const eh_log_t *log;
    eh_db_t *db;
    eh_http_t *http;
    const eh_keyring_t *keys;
    eh_audit_t *audit;       /* event log port; rows go through eh_audit_insert in the caller's transaction */
    eh_metrics_t *metrics;   /* may be NULL: counting is then a no-op */
    const char *public_url;  /* "https://host[:port]", no trailing slash; what browsers use */
    const char *correlation; /* id of the request or job, [A-Za-z0-9-], never NULL */
} eh_ctx_t;

static inline apr_time_t eh_now(const eh_ctx_t *ctx) { return ctx->now(ctx->port_baton); }

#endif
