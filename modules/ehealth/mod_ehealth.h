/* SPDX-License-Identifier: Apache-2.0 */
/** What the files of mod_ehealth.so share. Nothing here is seen by other modules: they use include/ehealth/base.h. */
#ifndef MOD_EHEALTH_H
#define MOD_EHEALTH_H

#include <httpd.h>
#include <http_config.h>
#include <http_log.h>
#include <apr_hash.h>

#include "ehealth/base.h"

extern module AP_MODULE_DECLARE_DATA ehealth_module;
#ifndef EH_DECLARES_MODULE /* AP_DECLARE_MODULE says this itself */
APLOG_USE_MODULE(ehealth);
#endif

#define EH_VERSION "0.1.0"
#define EH_UNSET (-1)

/* Named limits. */
#define EH_MAX_ROUTES 128
#define EH_MAX_METRICS 512
#define EH_MAX_JOBS 32
#define EH_MAX_SHARED 16
#define EH_MAX_STATUS 16
#define EH_MAX_CLASSES 16
#define EH_BODY_DEADLINE apr_time_from_sec(120) /* for the whole of a request body */
#define EH_DISCARD_MAX 65536                    /* bytes of an unread body worth reading to keep a connection */
#define EH_RATE_CELLS 65536
#define EH_CORRELATION_LEN 16

/* --- configuration (mod_ehealth_config.c) --- */

typedef enum { EH_OUTBOUND_NEVER, EH_OUTBOUND_LOOPBACK } eh_outbound_e;

typedef struct eh_limit_conf_t {
    int count;  /* requests in a window; EH_UNSET = not configured, 0 = no limit */
    int window; /* seconds */
} eh_limit_conf_t;

/**
 * Every member of the server configuration once: X(type, member, unset, default). Struct, create, merge and defaults are
 * generated from these lists, so that none of them can forget one. G: whole server only; V: per virtual host.
 */
#define EH_SCONF_GLOBAL(X)                               \
    X(const char *, state_dir, NULL, "/var/lib/ehealth") \
    X(const char *, key_file, NULL, NULL)                \
    X(const char *, db_driver, NULL, "sqlite3")          \
    X(const char *, db_params, NULL, NULL)               \
    X(int, db_connections, EH_UNSET, 16)                 \
    X(int, db_acquire_ms, EH_UNSET, 500)                 \
    X(int, db_query_ms, EH_UNSET, 5000)                  \
    X(const char *, event_log, NULL, NULL)               \
    X(int, background, EH_UNSET, 1)                      \
    X(int, shared_sessions, EH_UNSET, 65536)             \
    X(int, shared_buckets, EH_UNSET, EH_RATE_CELLS)
#define EH_SCONF_VHOST(X)                              \
    X(const char *, public_url, NULL, NULL)            \
    X(const char *, proxy, NULL, NULL)                 \
    X(apr_array_header_t *, proxy_except, NULL, NULL)  \
    X(const char *, ca_bundle, NULL, NULL)             \
    X(int, connect_s, EH_UNSET, 3)                     \
    X(int, total_s, EH_UNSET, 9)                       \
    X(int, outbound_http, EH_UNSET, EH_OUTBOUND_NEVER) \
    X(apr_array_header_t *, status_allow, NULL, NULL)  \
    X(const char *, contact, NULL, NULL)

typedef struct eh_tenant_conf_t eh_tenant_conf_t;

typedef struct eh_sconf_t {
#define X(type, member, unset, dflt) type member;
    EH_SCONF_GLOBAL(X)
    EH_SCONF_VHOST(X)
#undef X
    eh_limit_conf_t limits[EH_MAX_CLASSES]; /* by class index; merged one by one */
    apr_hash_t *tenants;                    /* name -> eh_tenant_conf_t; a virtual host's replaces the main server's */
    eh_tenant_conf_t *open_tenant;          /* while its section is read */
    const eh_tenant_t *const *tenant_list;  /* resolved */
    eh_http_t *http;                        /* set in child_init; shared by hosts with equal outbound settings */
    eh_log_t log;                           /* writes to this host's error log */
} eh_sconf_t;

/** One entry of EHealthStatusAllow: net == NULL stands for "local". */
typedef struct eh_allow_t {
    apr_ipsubnet_t *net;
    const char *text;
} eh_allow_t;

extern const command_rec eh_config_cmds[];
void *eh_config_create(apr_pool_t *p, server_rec *s);
void *eh_config_merge(apr_pool_t *p, void *base, void *over);
eh_sconf_t *eh_sconf(const server_rec *s);
/** check_config hook: cross checks of all hosts, then fills in the defaults. */
int eh_config_check(apr_pool_t *p, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main);
/** 1 when any host has a public URL: only then database and keys are needed. */
int eh_config_in_use(server_rec *main);
/** test_config hook: JSON of the resolved configuration on standard output under -D DUMP_EHEALTH. */
void eh_dump_config(apr_pool_t *p, server_rec *main);

/* --- registrations by other modules (mod_ehealth.c) --- */

typedef struct eh_named_fn_t {
    const char *key;
    json_t *(*fn)(server_rec *s, apr_pool_t *p);
} eh_named_fn_t;

typedef struct eh_shared_t {
    const char *name;
    apr_size_t size;
    void **mem;
} eh_shared_t;

typedef struct eh_registry_t {
    const eh_route_t *routes[EH_MAX_ROUTES];
    int nroutes;
    const eh_metric_def_t *metrics[EH_MAX_METRICS];
    int nmetrics;
    eh_job_t jobs[EH_MAX_JOBS];
    int njobs;
    eh_shared_t shared[EH_MAX_SHARED];
    int nshared;
    eh_named_fn_t status[EH_MAX_STATUS];
    int nstatus;
    eh_named_fn_t dump[EH_MAX_STATUS];
    int ndump;
    const char *overflow; /* what did not fit: stops start-up */
} eh_registry_t;

/** State of this process: set by post_config (parent) and child_init. */
typedef struct eh_process_t {
    eh_registry_t reg;
    server_rec *main;
    const eh_keyring_t *keys;
    eh_db_t *db;
    eh_metrics_t *metrics;
    eh_rate_t *rate;
    apr_time_t *started;         /* shared: when this server first started */
    const char *node;            /* shared: random id of this server, the same over graceful restarts */
    struct eh_job_state_t *jobs; /* shared: one per registered job */
    eh_audit_t *audit;
    apr_time_t generation_started;
} eh_process_t;

extern eh_process_t eh_process;

/* --- per request (mod_ehealth.c) --- */

typedef struct eh_rconf_t {
    unsigned claimed : 1;    /* under EH_PREFIX: answered by our handler and nobody else */
    unsigned filters_in : 1; /* output filters are inserted */
    unsigned body_read : 1;
    const eh_route_t *route;
    eh_ctx_t ctx;
    eh_log_t log;
    const char *correlation;
    const eh_principal_t *principal;
} eh_rconf_t;

/** Made when first asked for. */
eh_rconf_t *eh_rconf(request_rec *r);
/** Stands in the place of a request's own one while nothing but filters_in is known of it. */
extern const eh_rconf_t eh_rconf_filters_in;
const eh_ctx_t *eh_ctx_of(request_rec *r);
void eh_ctx_server(server_rec *s, eh_ctx_t *out);
const char *eh_correlation(request_rec *r);
const eh_principal_t *eh_principal_of(request_rec *r);

/* --- log (mod_ehealth_log.c) --- */
void eh_log_for_request(eh_log_t *log, request_rec *r);
const eh_log_t *eh_log_of_server(server_rec *s); /* lives as long as the configuration */
apr_status_t eh_event_log_open(apr_pool_t *p, server_rec *main);
void eh_event(request_rec *r, const eh_audit_rec_t *rec);

/* --- request bridge (mod_ehealth_request.c) --- */
eh_lang_e eh_lang_of(request_rec *r);
/** Builds the request as use cases see it. max_body caps what read() gives out. */
eh_req_t *eh_request_make(request_rec *r, apr_size_t max_body);
/** Sends what a use case answered: headers, then body or producer, with HEAD, ranges and If-Range. */
int eh_response_send(request_rec *r, eh_res_t *res);
/** Reads away or gives up an unread body, before an answer that does not depend on it. */
void eh_request_discard(request_rec *r);

/* --- errors (mod_ehealth_error.c) --- */
int eh_fail(request_rec *r, const eh_err_t *err);
int eh_fail_code(request_rec *r, eh_code_e code, const char *detail);
int eh_is_navigation(request_rec *r);
/** Headers that every answer of ours carries. csp: NULL = for what is no page. */
void eh_security_headers(apr_table_t *headers, const char *csp);

/* --- routes (mod_ehealth_route.c) --- */
void eh_route_hooks(apr_pool_t *p);

/* --- limits (mod_ehealth_limit.c) --- */
/** Index of a class or -1. Classes: built-in ones and those that registered routes name. */
int eh_limit_class(const char *klass);
const char *eh_limit_classes(apr_pool_t *p); /* for messages: "login, callback, …" */
void eh_limit_reset(void);
int eh_limit_add_class(const char *klass);
void eh_limit_defaults(eh_sconf_t *conf);
int eh_limit(request_rec *r, const char *klass, const void *key, apr_size_t len);
/** Class limit of whoever asks (principal, browser binding), and the ceiling of the address. */
int eh_limit_request(request_rec *r, const char *klass);

/* --- shared memory (mod_ehealth_shm.c) --- */
apr_status_t eh_shm_layout(apr_pool_t *pconf, server_rec *main);

/* --- input/output of the process (mod_ehealth_io.c) --- */
struct eh_dbpool_conf_t;
/** The database as configured, with the user whom its files belong to. */
void eh_db_conf(struct eh_dbpool_conf_t *out, const eh_sconf_t *conf);
apr_status_t eh_io_post_config(apr_pool_t *pconf, apr_pool_t *ptemp, server_rec *main);
void eh_io_child_init(apr_pool_t *pchild, server_rec *main);

/* --- status (mod_ehealth_status.c) --- */
int eh_status_handler(request_rec *r);
int eh_metrics_handler(request_rec *r);
extern const eh_route_t eh_base_routes[]; /* the same under EH_PREFIX */
extern const int eh_base_nroutes;
extern const eh_metric_def_t eh_base_metrics[];
extern const int eh_base_nmetrics;
typedef enum {
    EH_M_REQ_OK,
    EH_M_REQ_ERROR,
    EH_M_LIMITED,
    EH_M_CROSS_SITE,
    EH_M_JOB_OK,
    EH_M_JOB_FAILED,
    EH_M_JOB_LATE,
    EH_M_JOB_TIME,
    EH_M_REQ_TIME,
    EH_M_EVENT_LOST,
    EH_M_BASE_COUNT
} eh_base_metric_e;
void eh_count(eh_base_metric_e which, int64_t n);
void eh_observe(eh_base_metric_e which, int64_t micros);

/* --- background (mod_ehealth_runner.c) --- */

/** What status and the other children know of a job; in shared memory. */
typedef struct eh_job_state_t {
    uint64_t lease;   /* atomic: expiry (ms, CLOCK_MONOTONIC) << 24 | pid; NODE and CLUSTER */
    int64_t last_run; /* µs since 1970 */
    int64_t last_ok;
    int64_t runs, failures;
    int32_t last_code; /* eh_code_e of the last failure */
    int32_t pid;       /* who ran it last */
} eh_job_state_t;

void eh_runner_start(apr_pool_t *pchild, server_rec *main);
void eh_runner_stopping(apr_pool_t *pchild, int graceful);
void eh_base_jobs_register(void (*add)(const eh_job_t *job)); /* mod_ehealth_jobs.c */

#endif
