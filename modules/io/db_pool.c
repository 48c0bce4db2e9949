/* SPDX-License-Identifier: Apache-2.0 */
#include "db_internal.h"

#include <apr_strings.h>
#include <string.h>

#define CAUSE_MAX 300                    /* bytes of a driver's connect message that are kept */
#define CLOSE_GRACE apr_time_from_sec(1) /* beyond the deadlines, for callers that are still inside at the end */

const eh_metric_def_t eh_dbpool_metrics[] = {
    {"ehealth_db_transactions_total", "result=\"ok\"", EH_COUNTER, "Database transactions by result."},
    {"ehealth_db_transactions_total", "result=\"failed\"", EH_COUNTER, "Database transactions by result."},
    {"ehealth_db_transactions_total", "result=\"busy\"", EH_COUNTER, "Database transactions by result."},
    {"ehealth_db_transactions_total", "result=\"down\"", EH_COUNTER, "Database transactions by result."},
    {"ehealth_db_transactions_total", "result=\"timeout\"", EH_COUNTER, "Database transactions by result."},
    {"ehealth_db_transactions_total", "result=\"unknown\"", EH_COUNTER, "Database transactions by result."},
    {"ehealth_db_retries_total", "", EH_COUNTER, "Database transactions that were repeated."},
    {"ehealth_db_connects_total", "result=\"ok\"", EH_COUNTER, "Database connections made."},
    {"ehealth_db_connects_total", "result=\"failed\"", EH_COUNTER, "Database connections made."},
    {"ehealth_db_transaction_seconds", "", EH_HISTOGRAM, "Duration of database transactions, waiting included."},
};
const int eh_dbpool_metrics_count = sizeof(eh_dbpool_metrics) / sizeof(eh_dbpool_metrics[0]);
_Static_assert(sizeof(eh_dbpool_metrics) / sizeof(eh_dbpool_metrics[0]) == DB_M_COUNT, "one definition a metric");

void eh_db_count(eh_dbpool_t *pool, int metric) { eh_metrics_add(pool->metrics, pool->metric[metric], 1); }

const db_dialect_t *eh_db_dialect(const char *driver)
{
    if (driver && !strcmp(driver, eh_db_sqlite.driver)) return &eh_db_sqlite;
    if (driver && !strcmp(driver, eh_db_pgsql.driver)) return &eh_db_pgsql;
    return NULL;
}

void eh_dbpool_conf_init(eh_dbpool_conf_t *conf, const char *driver, const char *params)
{
    memset(conf, 0, sizeof(*conf));
    conf->driver = driver;
    conf->params = params;
    conf->connections = 16;
    conf->acquire_timeout = apr_time_from_msec(500);
    conf->query_timeout = apr_time_from_sec(5);
}

apr_status_t eh_dbpool_conf_check(const eh_dbpool_conf_t *conf, eh_err_t *err, apr_pool_t *ptemp)
{
    const db_dialect_t *d = eh_db_dialect(conf->driver);

    if (!d) return eh_err_set(err, EH_E_CONFIG, APR_EINVAL, "The database driver must be sqlite3 or pgsql.");
    if (!conf->params || !*conf->params) {
        return eh_err_set(err, EH_E_CONFIG, APR_EINVAL,
                          "The database needs parameters: a file path (sqlite3) or a connection string (pgsql).");
    }
    if (conf->connections < 1 || conf->connections > EH_DB_CONNECTIONS_MAX) {
        return eh_err_setf(err, ptemp, EH_E_CONFIG, APR_EINVAL, "The number of database connections must be 1 to 256.",
                           "connections=%d", conf->connections);
    }
    if (conf->acquire_timeout <= 0 || conf->query_timeout <= 0) {
        return eh_err_set(err, EH_E_CONFIG, APR_EINVAL, "The database timeouts must be at least 1 ms.");
    }
    return d->params(NULL, conf, err, ptemp);
}

/* The driver's own words, on one line. Before the connection exists they know no values; the caller has made sure that
 * params parse, so that no part of them is quoted either. */
static const char *one_line(const char *text, apr_pool_t *p)
{
    char *s = apr_pstrndup(p, text ? text : "no reason given", CAUSE_MAX), *c;
    size_t n;

    for (c = s; *c; c++) {
        if ((unsigned char)*c < ' ') *c = ' ';
    }
    for (n = strlen(s); n && s[n - 1] == ' '; n--)
        s[n - 1] = '\0';
    return s;
}

static void disconnect(db_conn_t *c)
{
    if (!c->cp) return;
    if (c->handle) {
        apr_dbd_close(c->pool->driver, c->handle);
        apr_atomic_dec32(&c->pool->connected);
    }
    c->handle = NULL;
    c->native = NULL;
    c->stmts = NULL;
    c->recycle = 0;
    c->schema = 0;
    apr_pool_destroy(c->cp);
    c->cp = NULL;
}

static apr_status_t open_handle(db_conn_t *c, const char **cause, apr_pool_t *ptemp)
{
    eh_dbpool_t *pool = c->pool;
    const char *message = NULL;
    apr_status_t rv;

    apr_pool_create(&c->cp, c->p);
    rv = pool->dialect->before_open(pool, cause, c->cp);
    if (rv == APR_SUCCESS) {
        rv = apr_dbd_open_ex(pool->driver, c->cp, pool->params, &c->handle, &message);
        if (rv != APR_SUCCESS) {
            c->handle = NULL;
            *cause = message;
        } else {
            apr_atomic_inc32(&pool->connected);
            c->native = apr_dbd_native_handle(pool->driver, c->handle);
            c->stmts = apr_hash_make(c->cp);
            rv = pool->dialect->after_open(c, cause);
        }
    }
    *cause = rv == APR_SUCCESS ? NULL : one_line(*cause, ptemp);
    if (rv != APR_SUCCESS) disconnect(c);
    return rv;
}

static apr_status_t connect_slot(db_conn_t *c, apr_int64_t deadline, eh_err_t *err, apr_pool_t *ptemp)
{
    eh_dbpool_t *pool = c->pool;
    const char *cause = NULL;
    apr_status_t rv = eh_db_breaker_enter(&pool->breaker, deadline);
    int turned;

    if (rv != APR_SUCCESS) {
        eh_err_setf(err, ptemp, EH_E_DB_DOWN, rv, NULL, "%s",
                    rv == APR_TIMEUP ? "others are still waiting for a connection" : "connecting failed a moment ago");
        if (err) err->retry_after = 1;
        return rv;
    }
    rv = open_handle(c, &cause, ptemp);
    turned = eh_db_breaker_leave(&pool->breaker, rv == APR_SUCCESS);
    eh_db_count(pool, rv == APR_SUCCESS ? DB_M_CONNECT : DB_M_CONNECT_FAILED);
    if (turned > 0) {
        eh_log(pool->log, EH_LOG_WARNING, 0, "EH2000",
               "the database (%s) cannot be reached: %s; further attempts follow", pool->conf.driver, cause);
    } else if (turned < 0) {
        eh_log(pool->log, EH_LOG_NOTICE, 0, "", "the database (%s) is back", pool->conf.driver);
    }
    if (rv == APR_SUCCESS) return rv;
    eh_err_setf(err, ptemp, EH_E_DB_DOWN, rv, NULL, "connect: %s", cause);
    if (err) err->retry_after = 1;
    return rv;
}

apr_status_t eh_db_acquire(db_conn_t **pc, eh_dbpool_t *pool, int fresh, apr_int64_t deadline, eh_err_t *err,
                           apr_pool_t *ptemp)
{
    void *slot = NULL;
    apr_status_t rv;
    db_conn_t *c;

    if (apr_atomic_read32(&pool->closing)) {
        return eh_err_setf(err, ptemp, EH_E_DB_DOWN, APR_EGENERAL, NULL, "the pool is being closed");
    }
    rv = apr_reslist_acquire(pool->slots, &slot);
    if (rv != APR_SUCCESS) {
        eh_err_setf(err, ptemp, EH_E_DB_BUSY, rv, NULL, "all %d connections are in use", pool->conf.connections);
        if (err) err->retry_after = 1;
        return rv;
    }
    c = slot;
    if (c->cp && (fresh || !pool->dialect->alive(c))) disconnect(c);
    if (!c->cp) rv = connect_slot(c, deadline, err, ptemp);
    if (rv != APR_SUCCESS) {
        eh_db_release(c);
        return rv;
    }
    *pc = c;
    return APR_SUCCESS;
}

void eh_db_release(db_conn_t *c)
{
    eh_dbpool_t *pool = c->pool;

    if (c->recycle) disconnect(c);
    c->idle_since = db_mono();
    apr_reslist_release(pool->slots, c);
}

/* Runs under the list's lock: an empty slot, never a connect. */
static apr_status_t slot_make(void **pslot, void *baton, apr_pool_t *unused)
{
    apr_allocator_t *allocator;
    apr_pool_t *p = NULL;
    db_conn_t *c;
    apr_status_t rv = apr_allocator_create(&allocator);

    if (rv != APR_SUCCESS) return rv;
    rv = apr_pool_create_ex(&p, NULL, NULL, allocator);
    if (rv != APR_SUCCESS) {
        apr_allocator_destroy(allocator);
        return rv;
    }
    apr_allocator_owner_set(allocator, p);
    apr_pool_tag(p, "eh_db_slot");
    c = apr_pcalloc(p, sizeof(*c));
    c->pool = baton;
    c->p = p;
    apr_pool_create(&c->scratch, p);
    *pslot = c;
    return APR_SUCCESS;
}

static apr_status_t slot_free(void *slot, void *baton, apr_pool_t *unused)
{
    db_conn_t *c = slot;

    disconnect(c);
    apr_pool_destroy(c->p);
    return APR_SUCCESS;
}

/* End of the owner's pool. A caller that is still inside would meet freed memory (and apr_reslist an assertion): wait for
 * as long as its deadlines allow, then rather leak at the end of the process. */
static apr_status_t pool_close(void *data)
{
    eh_dbpool_t *pool = data;
    apr_int64_t until = db_mono() + pool->conf.acquire_timeout + pool->conf.query_timeout + CLOSE_GRACE;

    apr_atomic_set32(&pool->closing, 1);
    while (apr_atomic_read32(&pool->in_use) && db_mono() < until)
        apr_sleep(apr_time_from_msec(5));
    if (apr_atomic_read32(&pool->in_use)) {
        eh_log(pool->log, EH_LOG_ERR, 0, "EH1000", "%u database transactions did not end in time; left behind",
               (unsigned)apr_atomic_read32(&pool->in_use));
        return APR_SUCCESS;
    }
    apr_reslist_destroy(pool->slots);
    if (pool->watcher) eh_db_watcher_stop(pool->watcher);
    eh_db_breaker_destroy(&pool->breaker);
    apr_pool_destroy(pool->p);
    return APR_SUCCESS;
}

static apr_status_t load_driver(eh_dbpool_t *pool, eh_err_t *err, apr_pool_t *p)
{
    apr_status_t rv = apr_dbd_init(p);

    if (rv == APR_SUCCESS) rv = apr_dbd_get_driver(p, pool->dialect->driver, &pool->driver);
    if (rv != APR_SUCCESS) {
        return eh_err_setf(err, p, EH_E_CONFIG, rv,
                           "The database driver cannot be loaded; on Debian install libaprutil1-dbd-pgsql or "
                           "libaprutil1-dbd-sqlite3.",
                           "apr_dbd driver %s", pool->dialect->driver);
    }
    return rv;
}

static apr_status_t make_slots(eh_dbpool_t *pool, eh_err_t *err)
{
    apr_status_t rv = apr_reslist_create(&pool->slots, 0, 0, pool->conf.connections, EH_DB_IDLE_MAX, slot_make,
                                         slot_free, pool, pool->p);

    if (rv != APR_SUCCESS) return eh_err_set(err, EH_E_INTERNAL, rv, NULL);
    apr_reslist_timeout_set(pool->slots, pool->conf.acquire_timeout);
    return APR_SUCCESS;
}

apr_status_t eh_dbpool_create(eh_db_t **pdb, const eh_dbpool_conf_t *conf, const eh_log_t *log, eh_metrics_t *metrics,
                              eh_err_t *err, apr_pool_t *p)
{
    eh_dbpool_t *pool;
    apr_pool_t *root;
    apr_status_t rv;
    int i;

    if (!EH_OK(eh_dbpool_conf_check(conf, err, p))) return rv;
    if (!EH_OK(apr_pool_create(&root, NULL))) return eh_err_set(err, EH_E_INTERNAL, rv, NULL);
    apr_pool_tag(root, "eh_dbpool");
    pool = apr_pcalloc(root, sizeof(*pool));
    pool->p = root;
    pool->conf = *conf;
    pool->dialect = eh_db_dialect(conf->driver);
    pool->conf.driver = pool->dialect->driver;
    pool->conf.params = apr_pstrdup(root, conf->params);
    pool->base.ops = &eh_db_ops;
    pool->base.dialect = pool->dialect->id;
    pool->log = log;
    pool->metrics = metrics;
    for (i = 0; i < DB_M_COUNT; i++)
        pool->metric[i] = metrics ? eh_metrics_index(metrics, &eh_dbpool_metrics[i]) : -1;
    eh_db_breaker_init(&pool->breaker);

    if (EH_OK(pool->dialect->params(&pool->params, &pool->conf, err, root)) && EH_OK(load_driver(pool, err, p)) &&
        EH_OK(make_slots(pool, err)) && EH_OK(pool->dialect->init(pool, err))) {
        apr_pool_pre_cleanup_register(p, pool, pool_close);
        *pdb = &pool->base;
        return APR_SUCCESS;
    }
    eh_err_keep(err, p);
    eh_db_breaker_destroy(&pool->breaker);
    apr_pool_destroy(root);
    return rv;
}

void eh_dbpool_stat(eh_db_t *db, eh_dbpool_stat_t *stat)
{
    eh_dbpool_t *pool = (eh_dbpool_t *)db;

    stat->connections = pool->conf.connections;
    stat->in_use = (int)apr_atomic_read32(&pool->in_use);
    stat->connected = (int)apr_atomic_read32(&pool->connected);
    pthread_mutex_lock(&pool->breaker.lock);
    stat->breaker_open = pool->breaker.open;
    pthread_mutex_unlock(&pool->breaker.lock);
}
