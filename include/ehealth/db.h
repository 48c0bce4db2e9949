/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Database port: short transactions over named statements, text parameters and text results.
 *
 * Implemented by modules/io/db_pool.c over APR DBD. Rules the caller may rely on:
 * - A connection is held only while the transaction function runs. Never stream a body inside one.
 * - The function may run again: once more on a fresh connection when its own broke before COMMIT was sent, and up to four
 *   times in all when the server chose it as the victim of a deadlock. It must therefore keep its results in its baton and
 *   reset them at its start.
 * - COMMIT is sent only when the function returned APR_SUCCESS and no statement failed. A connection lost during COMMIT
 *   gives DB_UNKNOWN_OUTCOME and is not repeated.
 * - Every call ends within the pool's deadlines: DB_BUSY (no connection free in time), DB_DOWN (cannot connect, breaker
 *   open), DB_TIMEOUT (a query passed its deadline).
 */
#ifndef EHEALTH_DB_H
#define EHEALTH_DB_H

#include <apr_pools.h>

#include "ehealth/err.h"

typedef enum { EH_DB_SQLITE, EH_DB_PGSQL, EH_DB_DIALECTS } eh_db_dialect_e;

/**
 * One statement in each dialect; make it `static const`. Parameters are written %s and bound as text: pgsql casts where
 * the column is not text (`%s::bigint`). A literal % is %%. sql[EH_DB_PGSQL] == NULL means "the same as SQLite".
 * name is its identity in the per-connection cache, in metrics and in logs.
 */
typedef struct eh_stmt_t {
    const char *name;
    int nargs;
    const char *sql[EH_DB_DIALECTS];
} eh_stmt_t;

typedef struct eh_tx_t eh_tx_t; /* an open transaction on one connection */
typedef struct eh_db_t eh_db_t;

typedef struct eh_rows_t {
    int nrows, ncols;
    const char *const *cells; /* row-major; NULL = SQL NULL */
} eh_rows_t;

typedef enum { EH_DB_READ, EH_DB_WRITE } eh_db_mode_e; /* WRITE on SQLite takes the cross-process write mutex */

typedef apr_status_t eh_tx_fn(eh_tx_t *tx, void *baton, eh_err_t *err, apr_pool_t *ptemp);

typedef struct eh_db_ops_t {
    apr_status_t (*run)(eh_db_t *db, eh_db_mode_e mode, eh_tx_fn *fn, void *baton, eh_err_t *err, apr_pool_t *ptemp);
    apr_status_t (*exec)(eh_tx_t *tx, const eh_stmt_t *stmt, const char *const *args, int *affected, eh_err_t *err);
    apr_status_t (*select)(eh_tx_t *tx, const eh_stmt_t *stmt, const char *const *args, eh_rows_t **prows,
                           eh_err_t *err, apr_pool_t *p);
} eh_db_ops_t;

/* Implementations embed these as their first member. */
struct eh_db_t {
    const eh_db_ops_t *ops;
    eh_db_dialect_e dialect;
};
struct eh_tx_t {
    const eh_db_ops_t *ops;
    eh_db_dialect_e dialect;
};

/** Runs fn in a transaction. ptemp is handed to fn; it is cleared before a second run, so results go elsewhere. */
static inline apr_status_t eh_db_run(eh_db_t *db, eh_db_mode_e mode, eh_tx_fn *fn, void *baton, eh_err_t *err,
                                     apr_pool_t *ptemp)
{
    return db->ops->run(db, mode, fn, baton, err, ptemp);
}

/** args: exactly stmt->nargs strings, NULL = SQL NULL. *affected (may be NULL): rows changed. A unique violation gives
 *  DB_UNIQUE; after any error the transaction can only roll back. */
static inline apr_status_t eh_tx_exec(eh_tx_t *tx, const eh_stmt_t *stmt, const char *const *args, int *affected,
                                      eh_err_t *err)
{
    return tx->ops->exec(tx, stmt, args, affected, err);
}

/** Reads all rows (at most 10 000, more is DB_QUERY) into p. *prows is never NULL on success. */
static inline apr_status_t eh_tx_select(eh_tx_t *tx, const eh_stmt_t *stmt, const char *const *args,
                                        eh_rows_t **prows, eh_err_t *err, apr_pool_t *p)
{
    return tx->ops->select(tx, stmt, args, prows, err, p);
}

static inline const char *eh_cell(const eh_rows_t *rows, int row, int col)
{
    return rows->cells[row * rows->ncols + col];
}

#endif
