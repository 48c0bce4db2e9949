/* SPDX-License-Identifier: Apache-2.0 */
#include "db_internal.h"

#include <apr_strings.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BUSY_SLEEP apr_time_from_msec(2) /* somebody outside the suite has the file locked */
#define WAL_PATIENCE apr_time_from_sec(2)
#define PROGRESS_STEPS 1000 /* virtual machine steps between two looks at the deadline: about 20 µs */

static apr_status_t lite_params(const char **pparams, const eh_dbpool_conf_t *conf, eh_err_t *err, apr_pool_t *p)
{
    if (!strncmp(conf->params, "file:", 5) || strchr(conf->params, ':') == conf->params) {
        return eh_err_set(err, EH_E_CONFIG, APR_EINVAL, "The parameter of sqlite3 is the path of a file.");
    }
    if (pparams) *pparams = apr_pstrdup(p, conf->params);
    return APR_SUCCESS;
}

static apr_status_t lite_init(eh_dbpool_t *pool, eh_err_t *err)
{
    if (!sqlite3_threadsafe()) {
        return eh_err_set(err, EH_E_CONFIG, APR_ENOTIMPL, "This SQLite library was built without threads.");
    }
    pool->wmutex = eh_wmutex_make(apr_pstrcat(pool->p, pool->params, ".lock", NULL), pool->p);
    return APR_SUCCESS;
}

/* SQLite would make an empty database where the real one is missing. */
static apr_status_t lite_before_open(eh_dbpool_t *pool, const char **cause, apr_pool_t *p)
{
    struct stat st;
    apr_status_t rv;
    char reason[128];

    if (stat(pool->params, &st) != 0 || !S_ISREG(st.st_mode)) {
        *cause = "there is no such database file";
        return APR_ENOENT;
    }
    rv = eh_wmutex_open(pool->wmutex);
    if (rv != APR_SUCCESS) {
        *cause = apr_psprintf(p, "%s.lock: %s", pool->params, apr_strerror(rv, reason, sizeof(reason)));
    }
    return rv;
}

static int deadline_passed(void *data)
{
    db_conn_t *c = data;

    return c->deadline && db_mono() >= c->deadline;
}

static int read_mode(void *data, int ncols, char **values, char **names)
{
    apr_cpystrn(data, values[0] ? values[0] : "", 16);
    return 0;
}

/* Changing to WAL needs the file alone; once it is done, it is written in the file. */
static apr_status_t ensure_wal(db_conn_t *c, const char **cause)
{
    apr_int64_t until = db_mono() + WAL_PATIENCE;
    char mode[16] = "";

    sqlite3_exec(c->native, "PRAGMA journal_mode", read_mode, mode, NULL);
    if (!strcmp(mode, "wal")) return APR_SUCCESS;
    if (eh_wmutex_lock(c->pool->wmutex, until) != APR_SUCCESS) {
        *cause = "the write mutex is kept by others";
        return APR_TIMEUP;
    }
    while (sqlite3_exec(c->native, "PRAGMA journal_mode=WAL", read_mode, mode, NULL) == SQLITE_BUSY &&
           db_mono() < until)
        apr_sleep(BUSY_SLEEP);
    eh_wmutex_unlock(c->pool->wmutex);
    if (!strcmp(mode, "wal")) return APR_SUCCESS;
    *cause = "write-ahead logging cannot be turned on (network file system? read-only?)";
    return APR_EGENERAL;
}

static apr_status_t lite_after_open(db_conn_t *c, const char **cause)
{
    sqlite3 *db = c->native;

    sqlite3_extended_result_codes(db, 1);
    /* Each connection would touch 120 KB of lookaside at once and keep up to 2 MB of pages; a child has many, and one that
     * is little used should cost little. Busy is no error: then it stays. */
    sqlite3_db_config(db, SQLITE_DBCONFIG_LOOKASIDE, NULL, 0, 0);
    sqlite3_progress_handler(db, PROGRESS_STEPS, deadline_passed, c);
    if (ensure_wal(c, cause) != APR_SUCCESS) return APR_EGENERAL;
    /* FULL: what was committed survives a power cut. Never busy_timeout: APR's driver sleeps holding its process mutex. */
    if (sqlite3_exec(
            db,
            "PRAGMA synchronous=FULL;PRAGMA foreign_keys=ON;PRAGMA trusted_schema=OFF;PRAGMA temp_store=MEMORY;"
            "PRAGMA journal_size_limit=67108864;PRAGMA cache_size=-512",
            NULL, NULL, NULL) != SQLITE_OK) {
        *cause = apr_psprintf(c->cp, "sqlite %d", sqlite3_extended_errcode(db));
        return APR_EGENERAL;
    }
    return APR_SUCCESS;
}

static int lite_alive(db_conn_t *c) { return sqlite3_get_autocommit(c->native); }

static void lite_classify(db_conn_t *c, int rc, db_fault_t *fault)
{
    int code = sqlite3_extended_errcode(c->native);

    /* After a select the driver resets the statement twice, and with it the reason. */
    if (code == SQLITE_OK && deadline_passed(c)) code = SQLITE_INTERRUPT;
    apr_snprintf(fault->state, sizeof(fault->state), "sqlite %d", code);
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED: fault->kind = DB_FAULT_BUSY; break;
    case SQLITE_INTERRUPT: fault->kind = DB_FAULT_TIMEOUT; break;
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_CORRUPT:
    case SQLITE_CANTOPEN:
    case SQLITE_NOTADB:
    case SQLITE_NOMEM:
    case SQLITE_READONLY: fault->kind = DB_FAULT_DOWN; break;
    case SQLITE_CONSTRAINT:
        fault->kind =
            code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY ? DB_FAULT_UNIQUE : DB_FAULT_QUERY;
        break;
    default: fault->kind = DB_FAULT_QUERY;
    }
}

/* The transaction's own statements go past the driver: its process-wide mutex would make every reader wait for fsync. */
static int exec_native(db_conn_t *c, const char *sql) { return sqlite3_exec(c->native, sql, NULL, NULL, NULL); }

/* The driver prepares with sqlite3_prepare of old, whose statements fail after a change of the schema: start over with new
 * ones. The old ones stay with the connection, so that is given up at the end. */
static void forget_statements(db_conn_t *c)
{
    if (apr_hash_count(c->stmts) == 0) return;
    c->stmts = apr_hash_make(c->cp);
    c->recycle = 1;
}

static int schema_version(void *data, int ncols, char **values, char **names)
{
    *(int *)data = values[0] ? atoi(values[0]) : 0;
    return 0;
}

static int lite_begin(db_conn_t *c, eh_db_mode_e mode)
{
    int version = 0, rc;

    while ((rc = exec_native(c, mode == EH_DB_READ ? "BEGIN" : "BEGIN IMMEDIATE")) && (rc & 0xff) == SQLITE_BUSY &&
           db_mono() < c->deadline)
        apr_sleep(BUSY_SLEEP);
    /* Reading anything also fixes the state that a reader sees from here on. */
    if (!rc) rc = sqlite3_exec(c->native, "PRAGMA schema_version", schema_version, &version, NULL);
    if (!rc && version != c->schema) {
        forget_statements(c);
        rc = exec_native(c,
                         "SELECT 1 FROM sqlite_master LIMIT 0"); /* unlike the driver's, makes SQLite read the schema */
        c->schema = version;
    }
    return rc;
}

/* Not by PRAGMA query_only: to turn it on and off would invalidate the prepared statements. The newest is first in line. */
static int lite_reads_only(db_conn_t *c)
{
    sqlite3_stmt *newest = sqlite3_next_stmt(c->native, NULL);

    return newest && sqlite3_stmt_readonly(newest);
}

static int lite_script(db_conn_t *c, const char *sql)
{
    forget_statements(c);
    return exec_native(c, sql);
}

static int lite_commit(db_conn_t *c)
{
    c->deadline = 0; /* from here on the deadline must not interrupt */
    c->commit_sent = 1;
    return exec_native(c, "COMMIT");
}

static int lite_rollback(db_conn_t *c)
{
    c->deadline = 0;
    return sqlite3_get_autocommit(c->native) ? 0
                                             : exec_native(c, "ROLLBACK"); /* SQLite rolls some errors back itself */
}

static void lite_arm(db_conn_t *c) {} /* the progress handler reads c->deadline */

static int lite_disarm(db_conn_t *c)
{
    c->deadline = 0;
    return 0;
}

const db_dialect_t eh_db_sqlite = {
    .driver = "sqlite3",
    .id = EH_DB_SQLITE,
    .params = lite_params,
    .init = lite_init,
    .before_open = lite_before_open,
    .after_open = lite_after_open,
    .alive = lite_alive,
    .classify = lite_classify,
    .begin = lite_begin,
    .commit = lite_commit,
    .rollback = lite_rollback,
    .reads_only = lite_reads_only,
    .script = lite_script,
    .arm = lite_arm,
    .disarm = lite_disarm,
};
