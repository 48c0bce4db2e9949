/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Database pool: the eh_db_t of ehealth/db.h over APR DBD, for SQLite and PostgreSQL.
 *
 * Life cycle. A pool is made in the process that uses it (httpd: child_init) and never crosses a fork: connections,
 * threads and locks would be shared with the parent. It makes no connection at its creation: a database that is down
 * then is DB_DOWN at the first call and nothing else. It is thread-safe. It ends with p: calls that still run are
 * waited for, up to their deadline. Threads that use it must be stopped by a pre-cleanup of p registered later.
 *
 * Deadlines of one eh_db_run: at most acquire_timeout for a free connection, then at most query_timeout for the whole
 * transaction, its retry included. Only a caller who happens to make a connection may be held longer, by what libpq
 * allows a connect (connect_timeout of the parameters, 3 s unless given, never below 2 s, per host); at most
 * EH_DB_CONNECTING callers do so at the same time, all others get DB_DOWN or DB_BUSY after acquire_timeout, and at once
 * while the breaker is open.
 *
 * Breaker: EH_DB_BREAKER_FAILS failed connects in a row open it; then one caller probes after 250 ms, 500 ms, 750 ms,
 * 750 ms … and the first success closes it.
 *
 * Errors never carry the database's message text, which quotes values: cause is the statement's name and the SQLSTATE
 * (pgsql) or result code (SQLite).
 */
#ifndef EHEALTH_DB_POOL_H
#define EHEALTH_DB_POOL_H

#include <apr_time.h>
#include <apr_user.h>

#include "ehealth/db.h"
#include "ehealth/log.h"
#include "ehealth/metrics.h"

#define EH_DB_CONNECTIONS_MAX 256                   /* connections of one pool, at most */
#define EH_DB_CONNECTING 4                          /* of them being made at the same time */
#define EH_DB_BREAKER_FAILS 3                       /* failed connects in a row that open the breaker */
#define EH_DB_BREAKER_FIRST apr_time_from_msec(250) /* until the first probe */
#define EH_DB_BREAKER_MAX apr_time_from_msec(750)   /* between probes, at most */
#define EH_DB_IDLE_MAX apr_time_from_sec(300)       /* an unused connection is closed after this */
#define EH_DB_STATEMENTS_MAX 512                    /* statements remembered by one connection */
#define EH_DB_ROWS_MAX 10000                        /* rows of one eh_tx_select */

typedef struct eh_dbpool_conf_t {
    const char *driver; /* "sqlite3" or "pgsql" */
    const char *params; /* sqlite3: path of the file; pgsql: libpq connection string or URI */
    int connections;    /* 1–EH_DB_CONNECTIONS_MAX */
    apr_interval_time_t acquire_timeout;
    apr_interval_time_t query_timeout;
    /* For eh_migrate called by root (httpd's parent): the user whom files belong to and as whom the work is done. */
    int run_as; /* 0 = as the caller */
    apr_uid_t uid;
    apr_gid_t gid;
} eh_dbpool_conf_t;

/** 16 connections, 500 ms, 5 s, no run_as. */
void eh_dbpool_conf_init(eh_dbpool_conf_t *conf, const char *driver, const char *params);

/** Checks a configuration without touching the database: CONFIG with a sentence that never quotes the parameters. */
apr_status_t eh_dbpool_conf_check(const eh_dbpool_conf_t *conf, eh_err_t *err, apr_pool_t *ptemp);

/**
 * Makes a pool. conf is copied; log and metrics (may be NULL) must outlive p.
 * Errors: CONFIG.
 */
apr_status_t eh_dbpool_create(eh_db_t **pdb, const eh_dbpool_conf_t *conf, const eh_log_t *log, eh_metrics_t *metrics,
                              eh_err_t *err, apr_pool_t *p);

/** A look at a pool, for the status page. */
typedef struct eh_dbpool_stat_t {
    int connections;  /* configured */
    int in_use;       /* callers that wait for a connection or run a transaction */
    int connected;    /* open connections */
    int breaker_open; /* 1 = connects are refused until the next probe */
} eh_dbpool_stat_t;
void eh_dbpool_stat(eh_db_t *db, eh_dbpool_stat_t *stat);

/** The pool's metrics, to be laid out by who owns the metrics memory. */
extern const eh_metric_def_t eh_dbpool_metrics[];
extern const int eh_dbpool_metrics_count;

/**
 * Brings the database to this build's schema: the numbered files of conf/sql/<dialect>, which are compiled in. Each is
 * applied in a transaction of its own under a lock, so that several servers may start at once; what is already applied
 * is compared by checksum. SQLite: makes the folder (0700) and the file (0600) when they are missing. When the caller
 * is root and conf->run_as is set, the work is done by a forked process with that user's rights, so that no root-owned
 * file is left behind. Leaves no connection open. *papplied: number of files applied now (may be NULL).
 * Errors: DB_SCHEMA (a file was changed after it was applied, or the database is newer), STATE_FILE, DB_*.
 */
apr_status_t eh_migrate(const eh_dbpool_conf_t *conf, apr_time_t now, int *papplied, const eh_log_t *log, eh_err_t *err,
                        apr_pool_t *ptemp);

/** DB_SCHEMA unless the database has exactly this build's schema. Reads only. */
apr_status_t eh_migrate_check(eh_db_t *db, eh_err_t *err, apr_pool_t *ptemp);

#endif
