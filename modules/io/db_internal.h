/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Inside of the database pool. One pool has slots (apr_reslist); a slot holds at most one connection and belongs to one
 * thread from db_acquire to db_release. Order of locks: writer gate, slot, shared write mutex; breaker and watch locks are
 * leaves and never held over I/O.
 */
#ifndef EH_DB_INTERNAL_H
#define EH_DB_INTERNAL_H

#include <apr_atomic.h>
#include <apr_dbd.h>
#include <apr_hash.h>
#include <apr_reslist.h>
#include <pthread.h>
#include <time.h>

#include "db_mutex.h"
#include "db_watch.h"
#include "ehealth/db_pool.h"

typedef struct eh_dbpool_t eh_dbpool_t;
typedef struct db_conn_t db_conn_t;
typedef struct db_dialect_t db_dialect_t;

typedef enum {
    DB_FAULT_NONE,
    DB_FAULT_QUERY,
    DB_FAULT_UNIQUE,
    DB_FAULT_TIMEOUT,
    DB_FAULT_BUSY,
    DB_FAULT_SERIAL, /* deadlock or serialisation: the transaction may be repeated */
    DB_FAULT_BROKEN, /* the connection is lost: repeat on a fresh one */
    DB_FAULT_DOWN    /* disk full, file damaged … : nothing to repeat */
} db_fault_e;

typedef struct db_fault_t {
    db_fault_e kind;
    char state[16]; /* SQLSTATE or "sqlite 1299" or "": safe to log */
} db_fault_t;

struct db_conn_t {
    eh_dbpool_t *pool;
    apr_pool_t *p;       /* the slot; allocator of its own, so that slots never contend */
    apr_pool_t *cp;      /* the connection: handle and statements; NULL = not connected */
    apr_pool_t *scratch; /* one statement */
    apr_dbd_t *handle;
    void *native; /* PGconn * or sqlite3 * */
    apr_hash_t *stmts;
    apr_int64_t idle_since; /* db_mono() */
    apr_int64_t deadline;   /* of the transaction that runs; 0 = none */
    db_watch_t watch;       /* pgsql */
    int recycle;            /* close at release: broken, or too many statements */
    int schema;             /* SQLite: version that the statements were prepared for */
    int commit_sent;
};

/** What differs between the two databases. */
struct db_dialect_t {
    const char *driver; /* of APR DBD */
    eh_db_dialect_e id;
    /** Checks params; *pparams (may be NULL): what the driver gets. Never quotes them in err. */
    apr_status_t (*params)(const char **pparams, const eh_dbpool_conf_t *conf, eh_err_t *err, apr_pool_t *p);
    /** Once per pool. */
    apr_status_t (*init)(eh_dbpool_t *pool, eh_err_t *err);
    /** Before and after apr_dbd_open_ex. *cause: why not, from cp. */
    apr_status_t (*before_open)(eh_dbpool_t *pool, const char **cause, apr_pool_t *p);
    apr_status_t (*after_open)(db_conn_t *c, const char **cause);
    /** 1 when an idle connection may be used; no round trip. */
    int (*alive)(db_conn_t *c);
    /** Classifies the failure that the last call on c returned as rc. */
    void (*classify)(db_conn_t *c, int rc, db_fault_t *fault);
    int (*begin)(db_conn_t *c, eh_db_mode_e mode);
    int (*commit)(db_conn_t *c);
    int (*rollback)(db_conn_t *c);
    /** 1 when the statement that was just prepared cannot change anything, or the server sees to that. */
    int (*reads_only)(db_conn_t *c);
    /** Several statements without parameters, for migrations. */
    int (*script)(db_conn_t *c, const char *sql);
    void (*arm)(db_conn_t *c);   /* c->deadline is set */
    int (*disarm)(db_conn_t *c); /* 1 = the deadline had passed and the connection was cut */
};

extern const db_dialect_t eh_db_sqlite;
extern const db_dialect_t eh_db_pgsql;

typedef struct db_breaker_t {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* monotonic clock */
    int fails;              /* in a row */
    int open;
    int connecting; /* callers that connect now */
    int stalled;    /* a caller waited in vain for its turn: the next ones do not wait */
    apr_interval_time_t backoff;
    apr_int64_t retry_at;
} db_breaker_t;

enum {
    DB_M_OK,
    DB_M_FAILED,
    DB_M_BUSY,
    DB_M_DOWN,
    DB_M_TIMEOUT,
    DB_M_UNKNOWN,
    DB_M_RETRIED,
    DB_M_CONNECT,
    DB_M_CONNECT_FAILED,
    DB_M_SECONDS,
    DB_M_COUNT
};

struct eh_dbpool_t {
    eh_db_t base;
    const db_dialect_t *dialect;
    apr_pool_t *p; /* own root: outlives a caller that is still inside when the owner's pool ends */
    eh_dbpool_conf_t conf;
    const char *params; /* for the driver; may hold a password */
    const apr_dbd_driver_t *driver;
    apr_reslist_t *slots;
    db_breaker_t breaker;
    db_watcher_t *watcher;        /* pgsql */
    eh_wmutex_t *wmutex;          /* SQLite */
    volatile apr_uint32_t in_use; /* callers inside eh_db_run */
    volatile apr_uint32_t connected;
    volatile apr_uint32_t closing;
    const eh_log_t *log;
    eh_metrics_t *metrics;
    int metric[DB_M_COUNT];
};

typedef struct db_tx_t {
    eh_tx_t base;
    db_conn_t *conn;
    eh_db_mode_e mode;
    apr_status_t failed; /* of the first statement that failed: nothing more is sent */
    db_fault_t fault;
    eh_err_t err;
    apr_pool_t *ptemp;
} db_tx_t;

/** Monotonic µs. */
static inline apr_int64_t db_mono(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (apr_int64_t)ts.tv_sec * APR_USEC_PER_SEC + ts.tv_nsec / 1000;
}

static inline struct timespec db_mono_ts(apr_int64_t mono)
{
    return (struct timespec){mono / APR_USEC_PER_SEC, (mono % APR_USEC_PER_SEC) * 1000};
}

const db_dialect_t *eh_db_dialect(const char *driver);

/* db_pool.c */
/** A slot with an open connection, by deadline (db_mono). fresh: whatever connection it had is replaced. */
apr_status_t eh_db_acquire(db_conn_t **pc, eh_dbpool_t *pool, int fresh, apr_int64_t deadline, eh_err_t *err,
                           apr_pool_t *ptemp);
void eh_db_release(db_conn_t *c);
void eh_db_count(eh_dbpool_t *pool, int metric);

/* db_breaker.c */
void eh_db_breaker_init(db_breaker_t *b);
void eh_db_breaker_destroy(db_breaker_t *b);
/** APR_SUCCESS: connect, then call leave. APR_EBUSY: refused by the open breaker. APR_TIMEUP: not one's turn in time. */
apr_status_t eh_db_breaker_enter(db_breaker_t *b, apr_int64_t deadline);
/** @return 1 when this call opened the breaker, -1 when it closed it, else 0. */
int eh_db_breaker_leave(db_breaker_t *b, int connected);

/* db_tx.c */
extern const eh_db_ops_t eh_db_ops;
/** Runs a script of statements in an open transaction. name: for errors. */
apr_status_t eh_db_script(eh_tx_t *tx, const char *name, const char *sql, eh_err_t *err);

#endif
