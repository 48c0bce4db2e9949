/* SPDX-License-Identifier: Apache-2.0 */
/* mod_ehealth: the base module. What the process has once (keys, database, outbound HTTP, shared memory, background
 * work) lives here; other modules reach it through the vtable of ehealth/base.h. */
#define EH_DECLARES_MODULE
#include "mod_ehealth.h"

#include <signal.h>

#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mpm_common.h>
#include <ap_provider.h>
#include <apr_strings.h>

#include "ehealth/crypto.h"
#include "ehealth/db_pool.h"
#include "ehealth/provider.h"

/* The one piece of state that is not const: a process has one set of input/output. The parent fills it before it
 * forks, each child completes its own copy in child_init; afterwards it is only read. */
eh_process_t eh_process;

/* --- registration --- */

static void full(const char *what)
{
    if (!eh_process.reg.overflow) eh_process.reg.overflow = what;
}

static void add_routes(const eh_route_t *routes, int n)
{
    eh_registry_t *reg = &eh_process.reg;
    int i;

    for (i = 0; i < n; i++) {
        if (reg->nroutes == EH_MAX_ROUTES) {
            full("routes");
            return;
        }
        reg->routes[reg->nroutes++] = &routes[i];
        if (routes[i].rate_class && eh_limit_add_class(routes[i].rate_class) < 0) full("rate classes");
    }
}

static void add_metrics(const eh_metric_def_t *defs, int n)
{
    eh_registry_t *reg = &eh_process.reg;
    int i;

    for (i = 0; i < n; i++) {
        if (reg->nmetrics == EH_MAX_METRICS) {
            full("metrics");
            return;
        }
        reg->metrics[reg->nmetrics++] = &defs[i];
    }
}

static void add_job(const eh_job_t *job)
{
    if (eh_process.reg.njobs == EH_MAX_JOBS) {
        full("background jobs");
        return;
    }
    eh_process.reg.jobs[eh_process.reg.njobs++] = *job;
}

static void add_shared(const char *name, apr_size_t size, void **mem)
{
    eh_shared_t *sh;

    if (eh_process.reg.nshared == EH_MAX_SHARED) {
        full("blocks of shared memory");
        return;
    }
    sh = &eh_process.reg.shared[eh_process.reg.nshared++];
    sh->name = name;
    sh->size = size;
    sh->mem = mem;
}

static void add_named(eh_named_fn_t *list, int *n, const char *what, const char *key,
                      json_t *(*fn)(server_rec *s, apr_pool_t *p))
{
    if (*n == EH_MAX_STATUS) {
        full(what);
        return;
    }
    list[*n].key = key;
    list[(*n)++].fn = fn;
}

static void add_status(const char *key, json_t *(*fn)(server_rec *s, apr_pool_t *p))
{
    add_named(eh_process.reg.status, &eh_process.reg.nstatus, "status entries", key, fn);
}

static void add_dump(const char *key, json_t *(*fn)(server_rec *s, apr_pool_t *p))
{
    add_named(eh_process.reg.dump, &eh_process.reg.ndump, "dump entries", key, fn);
}

/* --- per request --- */

const eh_rconf_t eh_rconf_filters_in = {.filters_in = 1};

eh_rconf_t *eh_rconf(request_rec *r)
{
    eh_rconf_t *rc = ap_get_module_config(r->request_config, &ehealth_module);

    if (!rc || rc == &eh_rconf_filters_in) {
        unsigned filters_in = rc != NULL;

        rc = apr_pcalloc(r->pool, sizeof(*rc));
        rc->filters_in = filters_in;
        ap_set_module_config(r->request_config, &ehealth_module, rc);
    }
    return rc;
}

static apr_time_t port_now(void *baton) { return apr_time_now(); }
static apr_status_t port_random(void *baton, unsigned char *buf, apr_size_t len) { return eh_random(buf, len); }

static void ports(eh_ctx_t *ctx, const server_rec *s)
{
    const eh_sconf_t *conf = eh_sconf(s);

    ctx->now = port_now;
    ctx->random = port_random;
    ctx->db = eh_process.db;
    ctx->http = conf->http;
    ctx->keys = eh_process.keys;
    ctx->audit = eh_process.audit;
    ctx->metrics = eh_process.metrics;
    ctx->public_url = conf->public_url;
}

const eh_ctx_t *eh_ctx_of(request_rec *r)
{
    eh_rconf_t *rc = eh_rconf(r);

    if (!rc->ctx.now) {
        ports(&rc->ctx, r->server);
        rc->ctx.correlation = eh_correlation(r);
        eh_log_for_request(&rc->log, r);
        rc->ctx.log = &rc->log;
    }
    return &rc->ctx;
}

void eh_ctx_server(server_rec *s, eh_ctx_t *out)
{
    memset(out, 0, sizeof(*out));
    ports(out, s);
    out->correlation = "-";
    out->log = eh_log_of_server(s);
}

static void set_principal(request_rec *r, const eh_principal_t *who) { eh_rconf(r)->principal = who; }

const eh_principal_t *eh_principal_of(request_rec *r)
{
    const eh_rconf_t *rc;

    /* A subrequest or an internal redirect asks on behalf of the request it came from. */
    for (; r; r = r->main ? r->main : r->prev) {
        rc = ap_get_module_config(r->request_config, &ehealth_module);
        if (rc && rc->principal) return rc->principal;
    }
    return NULL;
}

static eh_metrics_t *get_metrics(void) { return eh_process.metrics; }
static const char *get_public_url(const server_rec *s) { return eh_sconf(s)->public_url; }
static const eh_tenant_t *const *get_tenants(const server_rec *s) { return eh_sconf(s)->tenant_list; }
static const eh_keyring_t *get_keys(void) { return eh_process.keys; }
static int get_outbound_http(const server_rec *s) { return eh_sconf(s)->outbound_http == EH_OUTBOUND_LOOPBACK; }
static int get_shared_sessions(void) { return eh_sconf(eh_process.main)->shared_sessions; }
static const char *get_contact(const server_rec *s) { return eh_sconf(s)->contact; }

static const eh_base_t base = {
    .magic = EH_BASE_MAGIC,
    .size = sizeof(eh_base_t),
    .add_routes = add_routes,
    .add_metrics = add_metrics,
    .add_job = add_job,
    .add_shared = add_shared,
    .add_status = add_status,
    .add_dump = add_dump,
    .ctx = eh_ctx_of,
    .ctx_server = eh_ctx_server,
    .metrics = get_metrics,
    .public_url = get_public_url,
    .tenants = get_tenants,
    .keys = get_keys,
    .outbound_http_allowed = get_outbound_http,
    .fail = eh_fail,
    .limit = eh_limit,
    .event = eh_event,
    .set_principal = set_principal,
    .principal = eh_principal_of,
    .is_navigation = eh_is_navigation,
    .shared_sessions = get_shared_sessions,
    .contact = get_contact,
};

static const eh_base_t *eh_base_get(unsigned magic) { return magic == EH_BASE_MAGIC ? &base : NULL; }

/* --- life cycle --- */

/* Runs before any directive is read and again at each restart: what the last configuration registered is forgotten. */
static int pre_config(apr_pool_t *p, apr_pool_t *plog, apr_pool_t *ptemp)
{
    if (eh_crypto_init() != APR_SUCCESS) {
        ap_log_perror(APLOG_MARK, APLOG_STARTUP | APLOG_CRIT, 0, p, "mod_ehealth: OpenSSL cannot be initialised");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    memset(&eh_process, 0, sizeof(eh_process));
    eh_limit_reset();
    add_metrics(eh_base_metrics, eh_base_nmetrics);
    add_metrics(eh_dbpool_metrics, eh_dbpool_metrics_count);
    add_routes(eh_base_routes, eh_base_nroutes);
    eh_base_jobs_register(add_job);
    return OK;
}

static int check_config(apr_pool_t *p, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main)
{
    eh_process.main = main;
    return eh_config_check(p, plog, ptemp, main);
}

static void test_config(apr_pool_t *p, server_rec *main)
{
    if (ap_exists_config_define("DUMP_EHEALTH")) eh_dump_config(p, main);
}

static int post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main)
{
    apr_status_t rv;

    /* httpd reads its configuration twice at start; the first round only shows whether it can be read. */
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) return OK;
    eh_process.main = main;
    eh_process.generation_started = apr_time_now();
    if (!EH_OK(eh_shm_layout(pconf, main)) || !EH_OK(eh_event_log_open(pconf, main)) ||
        !EH_OK(eh_io_post_config(pconf, ptemp, main))) {
        return HTTP_INTERNAL_SERVER_ERROR; /* each has said why */
    }
    ap_log_error(APLOG_MARK, APLOG_INFO, 0, main, "mod_ehealth %s: %d routes, %d metrics, %d background jobs",
                 EH_VERSION, eh_process.reg.nroutes, eh_process.reg.nmetrics, eh_process.reg.njobs);
    return OK;
}

/* Until a child serves, SIGTERM makes it destroy its pools inside the signal handler (just_die of the MPMs): harmless in
 * plain httpd, whose child_init does nearly nothing, fatal in the middle of making curl handles, threads or database
 * pools. So stop signals wait while the child_init hooks run: ours and those of the modules that build on us. */
static sigset_t signals_before;

static void child_init(apr_pool_t *pchild, server_rec *main)
{
    sigset_t stops;

    sigemptyset(&stops);
    sigaddset(&stops, SIGTERM);
    sigaddset(&stops, SIGHUP);
    sigaddset(&stops, SIGUSR1);
    sigaddset(&stops, SIGWINCH);
    sigaddset(&stops, SIGINT);
    pthread_sigmask(SIG_BLOCK, &stops, &signals_before);
    eh_io_child_init(pchild, main);
}

static void child_init_done(apr_pool_t *pchild, server_rec *main)
{
    /* Started last: jobs of other modules find what their child_init has made. */
    eh_runner_start(pchild, main);
    pthread_sigmask(SIG_SETMASK, &signals_before, NULL);
}

static void register_hooks(apr_pool_t *p)
{
    EH_PROVIDERS_EACH(pp) { ap_register_provider(p, (*pp)->group, (*pp)->name, (*pp)->version, (*pp)->vtable); }
    APR_REGISTER_OPTIONAL_FN(eh_base_get);

    /* First: the other modules register with us in their pre_config, after we forgot the last configuration. */
    ap_hook_pre_config(pre_config, NULL, NULL, APR_HOOK_REALLY_FIRST);
    /* First: defaults are resolved before another module's check looks at them. */
    ap_hook_check_config(check_config, NULL, NULL, APR_HOOK_REALLY_FIRST);
    /* Last: what others resolve in their own test_config or check_config is dumped too. */
    ap_hook_test_config(test_config, NULL, NULL, APR_HOOK_REALLY_LAST);
    /* First: other modules find keys and shared memory in their post_config. */
    ap_hook_post_config(post_config, NULL, NULL, APR_HOOK_REALLY_FIRST);
    /* First: the pools exist when the other modules' child_init asks for them. */
    ap_hook_child_init(child_init, NULL, NULL, APR_HOOK_REALLY_FIRST);
    /* Last: after the child_init of the modules that build on us. */
    ap_hook_child_init(child_init_done, NULL, NULL, APR_HOOK_REALLY_LAST);
    /* A child that drains after a graceful restart must not compete with its successors for background work. */
    ap_hook_child_stopping(eh_runner_stopping, NULL, NULL, APR_HOOK_MIDDLE);
    eh_route_hooks(p);
}

AP_DECLARE_MODULE(ehealth) = {
    STANDARD20_MODULE_STUFF, NULL, NULL, eh_config_create, eh_config_merge, eh_config_cmds, register_hooks,
};
