/* SPDX-License-Identifier: Apache-2.0 */
#include "db_internal.h"

#include <apr_strings.h>
#include <string.h>

#define RUNS_BROKEN 2 /* of the function, when its connection was lost */
#define RUNS_SERIAL 4 /* when the server chose it as the victim of a deadlock */
#define SERIAL_PAUSE apr_time_from_msec(5)

/* One eh_db_run, over its attempts. */
typedef struct run_t {
    eh_dbpool_t *pool;
    eh_db_mode_e mode;
    eh_tx_fn *fn;
    void *baton;
    apr_int64_t turn_deadline; /* to get a connection */
    apr_int64_t deadline;      /* of everything */
    int fresh;                 /* the next attempt needs a new connection */
    int again;                 /* how often the function may run in all, for the fault that ended the last attempt */
} run_t;

typedef struct cached_t {
    const char *sql;
    apr_dbd_prepared_t *prepared;
    int reads_only;
} cached_t;

static const struct {
    eh_code_e code;
    apr_status_t rv;
} faults[] = {
    [DB_FAULT_NONE] = {EH_E_INTERNAL, APR_EGENERAL},      [DB_FAULT_QUERY] = {EH_E_DB_QUERY, APR_EGENERAL},
    [DB_FAULT_UNIQUE] = {EH_E_DB_UNIQUE, APR_EEXIST},     [DB_FAULT_TIMEOUT] = {EH_E_DB_TIMEOUT, APR_TIMEUP},
    [DB_FAULT_BUSY] = {EH_E_DB_BUSY, APR_EBUSY},          [DB_FAULT_SERIAL] = {EH_E_DB_BUSY, APR_EBUSY},
    [DB_FAULT_BROKEN] = {EH_E_DB_DOWN, APR_ECONNABORTED}, [DB_FAULT_DOWN] = {EH_E_DB_DOWN, APR_EGENERAL},
};

/* Tells the fault as an error; what: the statement's name or "BEGIN". */
static apr_status_t tell(const db_fault_t *fault, const char *what, eh_err_t *err, apr_pool_t *p)
{
    apr_status_t rv = eh_err_setf(err, p, faults[fault->kind].code, faults[fault->kind].rv, NULL, "%s: %s", what,
                                  *fault->state ? fault->state : "connection lost");

    if (err && eh_err_info(err->code)->http == 503) err->retry_after = 1;
    return rv;
}

/* Records the first failure of a transaction; from then on it can only roll back. */
static apr_status_t tx_fail(db_tx_t *tx, const char *what, int rc, eh_err_t *err)
{
    tx->conn->pool->dialect->classify(tx->conn, rc, &tx->fault);
    tx->failed = tell(&tx->fault, what, &tx->err, tx->ptemp);
    if (err && err->code == EH_E_NONE) *err = tx->err;
    return tx->failed;
}

static apr_status_t tx_refuse(db_tx_t *tx, const eh_stmt_t *stmt, const char *why, eh_err_t *err)
{
    tx->fault.kind = DB_FAULT_QUERY;
    tx->failed = eh_err_setf(&tx->err, tx->ptemp, EH_E_DB_QUERY, APR_EINVAL, NULL, "%s: %s", stmt->name, why);
    if (err && err->code == EH_E_NONE) *err = tx->err;
    return tx->failed;
}

/* APR's parser takes "%a" for a parameter without a word, even inside quotes: only %s and %% may stand there. */
static int count_args(const char *sql)
{
    int n = 0;

    for (; *sql; sql++) {
        if (*sql != '%') continue;
        sql++;
        if (*sql == 's')
            n++;
        else if (*sql != '%')
            return -1;
    }
    return n;
}

static apr_status_t allowed(db_tx_t *tx, const eh_stmt_t *stmt, const cached_t *entry, eh_err_t *err)
{
    if (tx->mode == EH_DB_WRITE || entry->reads_only) return APR_SUCCESS;
    return tx_refuse(tx, stmt, "a change in a read transaction", err);
}

/* label NULL: on pgsql the text is sent each time (PQexecParams), so nothing is lost with a server-side session. */
static apr_status_t prepared(apr_dbd_prepared_t **pstmt, db_tx_t *tx, const eh_stmt_t *stmt, eh_err_t *err)
{
    db_conn_t *c = tx->conn;
    const char *sql = stmt->sql[tx->base.dialect] ? stmt->sql[tx->base.dialect] : stmt->sql[EH_DB_SQLITE];
    cached_t *entry = apr_hash_get(c->stmts, stmt->name, APR_HASH_KEY_STRING);
    int rc;

    if (entry) {
        if (entry->sql != sql && strcmp(entry->sql, sql))
            return tx_refuse(tx, stmt, "two statements share a name", err);
        *pstmt = entry->prepared;
        return allowed(tx, stmt, entry, err);
    }
    if (!sql || count_args(sql) != stmt->nargs) return tx_refuse(tx, stmt, "parameters and nargs disagree", err);
    entry = apr_pcalloc(c->cp, sizeof(*entry));
    rc = apr_dbd_prepare(c->pool->driver, c->cp, c->handle, sql, NULL, &entry->prepared);
    if (rc) return tx_fail(tx, stmt->name, rc, err);
    entry->reads_only = c->pool->dialect->reads_only(c);
    /* Names and texts may come from a module that is unloaded before the pool is. */
    entry->sql = apr_pstrdup(c->cp, sql);
    apr_hash_set(c->stmts, apr_pstrdup(c->cp, stmt->name), APR_HASH_KEY_STRING, entry);
    if (apr_hash_count(c->stmts) >= EH_DB_STATEMENTS_MAX) c->recycle = 1;
    *pstmt = entry->prepared;
    return allowed(tx, stmt, entry, err);
}

/* Common beginning of exec and select. */
static apr_status_t ready(db_tx_t *tx, const eh_stmt_t *stmt, apr_dbd_prepared_t **pstmt, eh_err_t *err)
{
    if (tx->failed) {
        if (err && err->code == EH_E_NONE) *err = tx->err;
        return tx->failed;
    }
    if (db_mono() >= tx->conn->deadline) {
        tx->fault.kind = DB_FAULT_TIMEOUT;
        apr_cpystrn(tx->fault.state, "deadline", sizeof(tx->fault.state));
        tx->failed = tell(&tx->fault, stmt->name, &tx->err, tx->ptemp);
        if (err && err->code == EH_E_NONE) *err = tx->err;
        return tx->failed;
    }
    return prepared(pstmt, tx, stmt, err);
}

static apr_status_t db_exec(eh_tx_t *base, const eh_stmt_t *stmt, const char *const *args, int *affected, eh_err_t *err)
{
    db_tx_t *tx = (db_tx_t *)base;
    db_conn_t *c = tx->conn;
    apr_dbd_prepared_t *st = NULL;
    apr_status_t rv;
    int n = 0, rc;

    if (tx->mode != EH_DB_WRITE && !tx->failed) return tx_refuse(tx, stmt, "a change in a read transaction", err);
    if (!EH_OK(ready(tx, stmt, &st, err))) return rv;
    rc = apr_dbd_pquery(c->pool->driver, c->scratch, c->handle, &n, st, stmt->nargs, (const char **)args);
    apr_pool_clear(c->scratch);
    if (rc) return tx_fail(tx, stmt->name, rc, err);
    if (affected) *affected = n;
    return APR_SUCCESS;
}

/* Copies the result out of the driver's memory. */
static eh_rows_t *copy_rows(db_conn_t *c, apr_dbd_results_t *res, apr_pool_t *p)
{
    const apr_dbd_driver_t *driver = c->pool->driver;
    eh_rows_t *rows = apr_pcalloc(p, sizeof(*rows));
    apr_dbd_row_t *row = NULL;
    const char **cells, *text;
    int i, k;

    rows->nrows = apr_dbd_num_tuples(driver, res);
    rows->ncols = apr_dbd_num_cols(driver, res);
    rows->cells = cells = apr_pcalloc(p, sizeof(*cells) * (apr_size_t)(rows->nrows * rows->ncols + 1));
    for (i = 0; i < rows->nrows; i++) {
        if (apr_dbd_get_row(driver, c->scratch, res, &row, -1)) return NULL;
        for (k = 0; k < rows->ncols; k++) {
            /* get_entry cannot tell NULL from "" on pgsql; datum_get can. */
            text = NULL;
            if (apr_dbd_datum_get(driver, row, k, APR_DBD_TYPE_STRING, &text) == APR_SUCCESS && text) {
                *cells = apr_pstrdup(p, text);
            }
            cells++;
        }
    }
    return rows;
}

static apr_status_t db_select(eh_tx_t *base, const eh_stmt_t *stmt, const char *const *args, eh_rows_t **prows,
                              eh_err_t *err, apr_pool_t *p)
{
    db_tx_t *tx = (db_tx_t *)base;
    db_conn_t *c = tx->conn;
    apr_dbd_prepared_t *st = NULL;
    apr_dbd_results_t *res = NULL;
    apr_status_t rv;
    int rc;

    if (!EH_OK(ready(tx, stmt, &st, err))) return rv;
    /* seek 1: without it errors look like "no rows" and an empty result sleeps 100 ms. */
    rc = apr_dbd_pselect(c->pool->driver, c->scratch, c->handle, &res, st, 1, stmt->nargs, (const char **)args);
    if (rc)
        rv = tx_fail(tx, stmt->name, rc, err);
    else if (apr_dbd_num_tuples(c->pool->driver, res) > EH_DB_ROWS_MAX)
        rv = tx_refuse(tx, stmt, "too many rows", err);
    else if (!(*prows = copy_rows(c, res, p)))
        rv = tx_refuse(tx, stmt, "the driver lost a row", err);
    apr_pool_clear(c->scratch);
    return rv;
}

apr_status_t eh_db_script(eh_tx_t *base, const char *name, const char *sql, eh_err_t *err)
{
    db_tx_t *tx = (db_tx_t *)base;
    int rc;

    if (tx->failed) return tx->failed;
    rc = tx->conn->pool->dialect->script(tx->conn, sql);
    return rc ? tx_fail(tx, name, rc, err) : APR_SUCCESS;
}

/* What the end of an attempt means for the connection and for a repetition. */
static void judge(run_t *run, db_tx_t *tx, int cut)
{
    if (cut) tx->fault.kind = DB_FAULT_TIMEOUT;
    run->fresh = tx->fault.kind == DB_FAULT_BROKEN;
    run->again = run->fresh ? RUNS_BROKEN : tx->fault.kind == DB_FAULT_SERIAL ? RUNS_SERIAL : 0;
    if (cut || run->fresh || tx->fault.kind == DB_FAULT_DOWN) tx->conn->recycle = 1;
}

/* A cut connection shows up as a lost one: tell it for what it was. */
static apr_status_t tell_end(db_tx_t *tx, const char *what, int cut, eh_err_t *err)
{
    if (cut) {
        memset(err, 0, sizeof(*err));
        tx->fault.kind = DB_FAULT_TIMEOUT;
        apr_cpystrn(tx->fault.state, "cut at the deadline", sizeof(tx->fault.state));
    }
    return tell(&tx->fault, what, err, tx->ptemp);
}

static apr_status_t finish_failed(run_t *run, db_tx_t *tx, apr_status_t rv, eh_err_t *err)
{
    const db_dialect_t *d = run->pool->dialect;
    int lost = tx->fault.kind == DB_FAULT_BROKEN, cut;

    if (!lost && d->rollback(tx->conn)) tx->conn->recycle = 1;
    cut = d->disarm(tx->conn);
    if (tx->failed) {
        if (cut && tx->fault.kind == DB_FAULT_BROKEN) {
            rv = tell_end(tx, "transaction", 1, err);
        } else {
            if (rv == APR_SUCCESS) rv = tx->failed;
            if (err->code == EH_E_NONE) *err = tx->err;
        }
        judge(run, tx, cut);
    } else if (cut) {
        tx->conn->recycle = 1;
    }
    return rv;
}

static apr_status_t finish(run_t *run, db_tx_t *tx, eh_err_t *err)
{
    const db_dialect_t *d = run->pool->dialect;
    db_conn_t *c = tx->conn;
    int rc = d->commit(c), cut;

    if (rc) d->classify(c, rc, &tx->fault);
    /* Ask for the error before: a rollback changes what the connection says. */
    if (rc && tx->fault.kind != DB_FAULT_BROKEN && d->rollback(c)) c->recycle = 1;
    cut = d->disarm(c);
    if (!rc) {
        if (cut) c->recycle = 1;
        return APR_SUCCESS;
    }
    judge(run, tx, cut);
    if (run->mode == EH_DB_READ && c->recycle) return APR_SUCCESS; /* all was read; nothing was to be kept */
    if (c->commit_sent && (cut || run->fresh)) {
        run->again = 0;
        eh_err_setf(err, tx->ptemp, EH_E_DB_UNKNOWN_OUTCOME, APR_EGENERAL, NULL, "COMMIT: connection %s",
                    cut ? "cut at the deadline" : "lost");
        return APR_EGENERAL;
    }
    return tell_end(tx, "COMMIT", cut, err);
}

static apr_status_t transact(run_t *run, db_conn_t *c, eh_err_t *err, apr_pool_t *ptemp)
{
    const db_dialect_t *d = run->pool->dialect;
    db_tx_t tx = {.base = {&eh_db_ops, d->id}, .conn = c, .mode = run->mode, .ptemp = ptemp};
    apr_status_t rv;
    int rc, cut;

    c->deadline = run->deadline;
    d->arm(c);
    rc = d->begin(c, run->mode);
    if (rc) {
        d->classify(c, rc, &tx.fault);
        cut = d->disarm(c);
        judge(run, &tx, cut);
        c->recycle = 1;
        return tell_end(&tx, "BEGIN", cut, err);
    }
    rv = run->fn(&tx.base, run->baton, err, ptemp);
    rv = rv == APR_SUCCESS && !tx.failed ? finish(run, &tx, err) : finish_failed(run, &tx, rv, err);
    return rv;
}

static apr_status_t write_turn(run_t *run, apr_status_t rv, eh_err_t *err, apr_pool_t *ptemp)
{
    if (rv == APR_SUCCESS) return rv;
    if (rv != APR_TIMEUP) return eh_err_setf(err, ptemp, EH_E_STATE_FILE, rv, NULL, "the write mutex is beyond repair");
    eh_err_setf(err, ptemp, EH_E_DB_BUSY, rv, NULL, "other writers kept the database");
    if (err) err->retry_after = 1;
    return rv;
}

static apr_status_t attempt(run_t *run, eh_err_t *err, apr_pool_t *ptemp)
{
    eh_wmutex_t *m = run->mode == EH_DB_WRITE ? run->pool->wmutex : NULL;
    db_conn_t *c = NULL;
    apr_status_t rv;

    run->again = 0;
    if (m && !EH_OK(write_turn(run, eh_wmutex_enter(m, run->deadline), err, ptemp))) return rv;
    rv = eh_db_acquire(&c, run->pool, run->fresh, run->turn_deadline, err, ptemp);
    if (rv == APR_SUCCESS) {
        if (m) rv = write_turn(run, eh_wmutex_lock(m, run->deadline), err, ptemp);
        if (rv == APR_SUCCESS) {
            rv = transact(run, c, err, ptemp);
            if (m) eh_wmutex_unlock(m);
        }
        eh_db_release(c);
    }
    if (m) eh_wmutex_leave(m);
    return rv;
}

static void count_result(eh_dbpool_t *pool, apr_status_t rv, eh_code_e code, apr_int64_t started)
{
    int m = DB_M_FAILED;

    if (rv == APR_SUCCESS)
        m = DB_M_OK;
    else if (code == EH_E_DB_BUSY)
        m = DB_M_BUSY;
    else if (code == EH_E_DB_DOWN)
        m = DB_M_DOWN;
    else if (code == EH_E_DB_TIMEOUT)
        m = DB_M_TIMEOUT;
    else if (code == EH_E_DB_UNKNOWN_OUTCOME)
        m = DB_M_UNKNOWN;
    eh_db_count(pool, m);
    eh_metrics_observe(pool->metrics, pool->metric[DB_M_SECONDS], db_mono() - started);
}

/* The victim of a deadlock that starts over at once meets the same opponent: give that one a little time, of odd lengths. */
static apr_interval_time_t serial_pause(apr_int64_t started, int tries)
{
    return tries * (SERIAL_PAUSE + (started / 7 + tries) % SERIAL_PAUSE);
}

static apr_status_t db_run(eh_db_t *base, eh_db_mode_e mode, eh_tx_fn *fn, void *baton, eh_err_t *err,
                           apr_pool_t *ptemp)
{
    eh_dbpool_t *pool = (eh_dbpool_t *)base;
    apr_int64_t started = db_mono();
    run_t run = {.pool = pool, .mode = mode, .fn = fn, .baton = baton};
    eh_err_t local;
    apr_pool_t *p;
    apr_status_t rv;
    int tries;

    apr_atomic_inc32(&pool->in_use);
    run.turn_deadline = started + pool->conf.acquire_timeout;
    run.deadline = run.turn_deadline + pool->conf.query_timeout;
    for (tries = 1;; tries++) {
        memset(&local, 0, sizeof(local));
        /* A pool of its own, because the caller's may hold what the second run still needs. */
        if (!EH_OK(apr_pool_create(&p, ptemp))) break;
        rv = attempt(&run, &local, p);
        if (rv == APR_SUCCESS || tries >= run.again || db_mono() >= run.deadline) break;
        eh_db_count(pool, DB_M_RETRIED);
        apr_pool_destroy(p);
        if (!run.fresh) apr_sleep(serial_pause(started, tries));
        /* The first connection's end was news to us, not a queue: the second has its own time for a turn. */
        run.turn_deadline = db_mono() + pool->conf.acquire_timeout;
        if (run.turn_deadline > run.deadline) run.turn_deadline = run.deadline;
    }
    if (rv != APR_SUCCESS && local.code == EH_E_NONE) eh_err_set(&local, EH_E_INTERNAL, rv, NULL);
    count_result(pool, rv, local.code, started);
    if (rv != APR_SUCCESS && err && err->code == EH_E_NONE) *err = local;
    apr_atomic_dec32(&pool->in_use); /* the pool may be gone from here on */
    return rv;
}

const eh_db_ops_t eh_db_ops = {db_run, db_exec, db_select};
