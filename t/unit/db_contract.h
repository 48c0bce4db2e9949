/* SPDX-License-Identifier: Apache-2.0 */
/** One suite for both databases: test_db_sqlite.c and test_db_pgsql.c give the fixture and add their own cases. */
#ifndef EH_T_DB_CONTRACT_H
#define EH_T_DB_CONTRACT_H

#include "ehealth/db_pool.h"
#include "ehealth/lease.h"
#include "eh_test.h"

#define CANARY "c4n4ry-184127512345678" /* looks like patient data: must show up in no error and no log line */

typedef struct db_fixture_t {
    const char *driver;
    const char *params;
    eh_db_dialect_e dialect;
    /** Empties the database. */
    void (*reset)(void);
    /** Runs SQL past the code under test; *value (may be NULL): first cell, in the test's pool, NULL when none. */
    void (*sql)(const char *sql, const char **value);
    /** Makes the database unreachable, and reachable again. */
    void (*down)(void);
    void (*up)(void);
    const char *sleep_sql; /* a select that takes ten seconds, with a column */
} db_fixture_t;

extern const db_fixture_t fixture;

/** Log port of the tests: keeps everything in db_log. */
extern char db_log[16384];
extern eh_log_t db_log_port;

/** Configuration of the fixture with short deadlines. */
eh_dbpool_conf_t db_conf(void);
/** A pool in the test's pool. */
eh_db_t *db_open(const eh_dbpool_conf_t *conf);
/** Fresh database, migrated. */
void db_migrated(void);

/** One statement as a transaction function. */
typedef struct one_t {
    const eh_stmt_t *stmt;
    const char *args[8];
    int affected;
    eh_rows_t *rows; /* in eh_test_pool */
    int calls;
} one_t;
eh_tx_fn one_exec, one_select;
/** eh_db_run of a one_t in the test's pool and error. */
apr_status_t db_exec1(eh_db_t *db, one_t *one);
apr_status_t db_select1(eh_db_t *db, one_t *one);

/** ms since start, by the monotonic clock. */
double db_ms(void);

/** Fails the test when CANARY is in the error or the log. */
void db_no_canary(const eh_err_t *err);

/** The value of a one-cell query past the code under test equals want. */
#define ck_sql(query, want)                           \
    do {                                              \
        const char *got_ = NULL;                      \
        fixture.sql(query, &got_);                    \
        ck_assert_str_eq(got_ ? got_ : "NULL", want); \
    } while (0)
#define ck_code(expr, want)                                                                                            \
    do {                                                                                                               \
        apr_status_t rv_ = (expr);                                                                                     \
        ck_assert_msg(rv_ != APR_SUCCESS && eh_test_err.code == (want), #expr " gave %d EH%04d (%s), expected EH%04d", \
                      rv_, (int)eh_test_err.code, eh_test_err.cause ? eh_test_err.cause : "-", (int)(want));           \
        ck_assert_int_eq(eh_test_err.rv, rv_);                                                                         \
        db_no_canary(&eh_test_err);                                                                                    \
    } while (0)

void db_contract_cases(Suite *suite);

#endif
