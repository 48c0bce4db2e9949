/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What mod_ehealth gives the other modules: one versioned vtable. This header names httpd types, so only mod_*.c files
 * include it. Use: in register_hooks order does not matter; in pre_config call
 *     APR_RETRIEVE_OPTIONAL_FN(eh_base_get)(EH_BASE_MAGIC)
 * (NULL function: mod_ehealth is not loaded; NULL result: another version) and register routes, metrics, jobs and shared
 * memory there. mod_ehealth lays them out in its post_config, which runs first.
 */
#ifndef EHEALTH_BASE_H
#define EHEALTH_BASE_H

#include <httpd.h>
#include <apr_optional.h>

#include "ehealth/ctx.h"
#include "ehealth/metrics.h"
#include "ehealth/principal.h"
#include "ehealth/rate.h"
#include "ehealth/req.h"
#include "ehealth/tenant.h"

#define EH_BASE_MAGIC 0x45480001u
#define EH_PREFIX "/.ehealth/" /* reserved: ahead of mod_proxy and mod_rewrite, exempt from site-wide Require */

typedef enum {
    EH_JOB_CHILD,  /* in every child */
    EH_JOB_NODE,   /* in one child of this server (expiring lease in shared memory) */
    EH_JOB_CLUSTER /* on one node (lease in the database) */
} eh_job_scope_e;

/** Background step: short (≤ 1 s), with a deadline of its own, repeatable. p is cleared after each run. */
typedef struct eh_job_t {
    const char *name;
    eh_job_scope_e scope;
    apr_interval_time_t every;
    apr_status_t (*run)(void *baton, const eh_ctx_t *ctx, apr_pool_t *p);
    void *baton;
} eh_job_t;

typedef struct eh_base_t {
    unsigned magic;
    apr_size_t size; /* sizeof(eh_base_t) of the base: test before using a later member */

    /* --- registration: pre_config of the caller --- */
    void (*add_routes)(const eh_route_t *routes, int n);
    void (*add_metrics)(const eh_metric_def_t *defs, int n);
    void (*add_job)(const eh_job_t *job);
    /** Shared memory of a fixed size, zeroed, the same in all children; *mem is set in the base's post_config. */
    void (*add_shared)(const char *name, apr_size_t size, void **mem);
    /** Adds an object under key to the status JSON. */
    void (*add_status)(const char *key, json_t *(*fn)(server_rec *s, apr_pool_t *p));
    /** Adds a member to each host of `-t -D DUMP_EHEALTH` (shape: modules/tools/ehctl.h). NULL = leave it out. */
    void (*add_dump)(const char *key, json_t *(*fn)(server_rec *s, apr_pool_t *p));

    /* --- run time --- */
    /** Ports for a request: correlation, public URL of its virtual host. Cached; lives as long as r. */
    const eh_ctx_t *(*ctx)(request_rec *r);
    /** Ports without a request (start-up, jobs). The pools exist after child_init. */
    void (*ctx_server)(server_rec *s, eh_ctx_t *out);
    eh_metrics_t *(*metrics)(void);
    const char *(*public_url)(const server_rec *s); /* NULL when not configured */
    const eh_tenant_t *const *(*tenants)(const server_rec *s); /* NULL-terminated */
    const eh_keyring_t *(*keys)(void); /* after post_config */
    int (*outbound_http_allowed)(const server_rec *s); /* plain http to loopback is configured on (tests) */

    /** Answers with the error: problem+json or page by the client's nature, headers, log line. Returns DONE. */
    int (*fail)(request_rec *r, const eh_err_t *err);
    /** Takes a token of a rate class for key (bytes). OK, or the answer of fail() when the limit is reached. */
    int (*limit)(request_rec *r, const char *klass, const void *key, apr_size_t len);
    /** Writes the audit record's event-log line; the row is the caller's transaction's business. */
    void (*event)(request_rec *r, const eh_audit_rec_t *rec);
    /** Sets / reads the request's principal (any module may ask who is logged in). */
    void (*set_principal)(request_rec *r, const eh_principal_t *who);
    const eh_principal_t *(*principal)(request_rec *r);
    /** 1 when the client is a browser navigating (it can follow a redirect to a log-in), 0 for XHR, EventSource, … */
    int (*is_navigation)(request_rec *r);
    /** Sessions that EHealthSharedSize makes room for. Known from check_config on, where add_shared may still be called. */
    int (*shared_sessions)(void);
    const char *(*contact)(const server_rec *s); /* EHealthContact, NULL = none */
} eh_base_t;

APR_DECLARE_OPTIONAL_FN(const eh_base_t *, eh_base_get, (unsigned magic));

#endif
