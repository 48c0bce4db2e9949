/* SPDX-License-Identifier: Apache-2.0 */
#include "db_contract.h"

#include <dirent.h>
#include <pthread.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

char db_log[16384];
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;

static void log_write(void *baton, eh_log_e level, apr_status_t rv, const char *tag, const char *message)
{
    size_t n;

    pthread_mutex_lock(&log_lock);
    n = strlen(db_log);
    snprintf(db_log + n, sizeof(db_log) - n, "%d %s %s\n", level, tag, message);
    pthread_mutex_unlock(&log_lock);
}

eh_log_t db_log_port = {EH_LOG_DEBUG, log_write, NULL};

double db_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

void db_no_canary(const eh_err_t *err)
{
    ck_assert(!err->detail || !strstr(err->detail, CANARY));
    ck_assert(!err->cause || !strstr(err->cause, CANARY));
    ck_assert(!strstr(db_log, CANARY));
}

eh_dbpool_conf_t db_conf(void)
{
    eh_dbpool_conf_t conf;

    eh_dbpool_conf_init(&conf, fixture.driver, fixture.params);
    conf.connections = 4;
    conf.acquire_timeout = apr_time_from_msec(300);
    conf.query_timeout = apr_time_from_msec(4000);
    return conf;
}

eh_db_t *db_open(const eh_dbpool_conf_t *conf)
{
    eh_db_t *db = NULL;

    ck_assert_rv_ok(eh_dbpool_create(&db, conf, &db_log_port, NULL, eh_test_new_err(), eh_test_pool));
    ck_assert_int_eq(db->dialect, fixture.dialect);
    return db;
}

void db_migrated(void)
{
    eh_dbpool_conf_t conf = db_conf();
    int applied = -1;

    fixture.reset();
    ck_assert_rv_ok(eh_migrate(&conf, 1700000000000000, &applied, &db_log_port, eh_test_new_err(), eh_test_pool));
    ck_assert_int_ge(applied, 1);
}

apr_status_t one_exec(eh_tx_t *tx, void *baton, eh_err_t *err, apr_pool_t *p)
{
    one_t *one = baton;

    one->calls++;
    one->affected = -1;
    return eh_tx_exec(tx, one->stmt, one->args, &one->affected, err);
}

apr_status_t one_select(eh_tx_t *tx, void *baton, eh_err_t *err, apr_pool_t *p)
{
    one_t *one = baton;

    one->calls++;
    one->rows = NULL;
    return eh_tx_select(tx, one->stmt, one->args, &one->rows, err, eh_test_pool);
}

apr_status_t db_exec1(eh_db_t *db, one_t *one)
{
    return eh_db_run(db, EH_DB_WRITE, one_exec, one, eh_test_new_err(), eh_test_pool);
}

apr_status_t db_select1(eh_db_t *db, one_t *one)
{
    return eh_db_run(db, EH_DB_READ, one_select, one, eh_test_new_err(), eh_test_pool);
}

static const eh_stmt_t put = {"t-put", 2, {"INSERT INTO t (id, v) VALUES (%s, %s)"}};
static const eh_stmt_t get = {"t-get", 1, {"SELECT id, v FROM t WHERE id = %s"}};
static const eh_stmt_t wrong = {"t-wrong", 0, {"INSERT INTO no_such_table VALUES ('" CANARY "')"}};

static eh_db_t *table_t(int connections)
{
    eh_dbpool_conf_t conf = db_conf();

    conf.connections = connections;
    db_migrated();
    fixture.sql("CREATE TABLE t (id TEXT PRIMARY KEY, v TEXT)", NULL);
    db_log[0] = '\0';
    return db_open(&conf);
}

/* --- values --- */

START_TEST(values_come_back_as_they_were)
{
    static const char *const values[] = {
        "",
        "x",
        "'",
        "''; DROP TABLE t; --",
        "\\",
        "a\\'b",
        "%s %d %% %",
        "$1 $2 ?1 :a @b",
        "\"quoted\"",
        "Zo\xc3\xab M\xc3\xbcller-\xc5\x81uk\xc3\xa1\xc5\xa1 \xe2\x82\xac \xf0\x9f\x8f\xa5",
        "line\nbreak\ttab\r",
        "NULL",
        " ",
    };
    eh_db_t *db = table_t(2);
    size_t i;

    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        const char *id = apr_psprintf(eh_test_pool, "k%d", (int)i);
        one_t in = {&put, {id, values[i]}}, out = {&get, {id}};

        ck_assert_rv_ok(db_exec1(db, &in));
        ck_assert_int_eq(in.affected, 1);
        ck_assert_rv_ok(db_select1(db, &out));
        ck_assert_int_eq(out.rows->nrows, 1);
        ck_assert_int_eq(out.rows->ncols, 2);
        ck_assert_str_eq(eh_cell(out.rows, 0, 0), id);
        ck_assert_ptr_nonnull(eh_cell(out.rows, 0, 1));
        ck_assert_str_eq(eh_cell(out.rows, 0, 1), values[i]);
    }
    ck_sql("SELECT count(*) FROM t", "13");
}
END_TEST

START_TEST(null_is_not_empty)
{
    eh_db_t *db = table_t(1);
    one_t in = {&put, {"n", NULL}}, out = {&get, {"n"}}, none = {&get, {"nobody"}};

    ck_assert_rv_ok(db_exec1(db, &in));
    ck_sql("SELECT count(*) FROM t WHERE v IS NULL", "1");
    ck_assert_rv_ok(db_select1(db, &out));
    ck_assert_int_eq(out.rows->nrows, 1);
    ck_assert_ptr_null(eh_cell(out.rows, 0, 1));
    ck_assert_rv_ok(db_select1(db, &none));
    ck_assert_int_eq(none.rows->nrows, 0);
}
END_TEST

START_TEST(five_megabytes)
{
    eh_db_t *db = table_t(1);
    apr_size_t n = 5 * 1024 * 1024, i;
    char *big = apr_palloc(eh_test_pool, n + 1);
    one_t in = {&put, {"big", big}}, out = {&get, {"big"}};

    for (i = 0; i < n; i++)
        big[i] = (char)('a' + i % 23);
    big[n] = '\0';
    ck_assert_rv_ok(db_exec1(db, &in));
    ck_sql("SELECT length(v) FROM t", "5242880");
    ck_assert_rv_ok(db_select1(db, &out));
    ck_assert_uint_eq(strlen(eh_cell(out.rows, 0, 1)), n);
    ck_assert(!memcmp(eh_cell(out.rows, 0, 1), big, n));
}
END_TEST

START_TEST(ten_thousand_rows_and_not_one_more)
{
    static const eh_stmt_t all = {"t-all", 0, {"SELECT id FROM t ORDER BY id"}};
    eh_db_t *db = table_t(1);
    one_t out = {&all};

    fixture.sql(
        "INSERT INTO t (id) WITH RECURSIVE g(i) AS (SELECT 10001 UNION ALL SELECT i + 1 FROM g WHERE i < 20000) "
        "SELECT CAST(i AS TEXT) FROM g",
        NULL);
    ck_assert_rv_ok(db_select1(db, &out));
    ck_assert_int_eq(out.rows->nrows, 10000);
    ck_assert_str_eq(eh_cell(out.rows, 0, 0), "10001");
    ck_assert_str_eq(eh_cell(out.rows, 9999, 0), "20000");
    fixture.sql("INSERT INTO t (id) VALUES ('" CANARY "')", NULL);
    ck_code(db_select1(db, &out), EH_E_DB_QUERY);
}
END_TEST

START_TEST(percent_signs)
{
    static const eh_stmt_t like = {"t-like", 1, {"SELECT id FROM t WHERE id LIKE 'a%%z' OR id = %s ORDER BY id"}};
    static const eh_stmt_t bare = {"t-bare", 0, {"SELECT id FROM t WHERE id LIKE '%after'"}};
    static const eh_stmt_t few = {"t-few", 1, {"SELECT id FROM t WHERE id = %s OR v = %s"}};
    static const eh_stmt_t twin = {"t-like", 0, {"SELECT 'another text under a known name'"}};
    eh_db_t *db = table_t(1);
    one_t ok = {&like, {"other"}}, bad = {&bare}, less = {&few, {"x", "y"}}, same = {&twin};

    fixture.sql("INSERT INTO t (id) VALUES ('abcz'), ('az'), ('ax'), ('other')", NULL);
    ck_assert_rv_ok(db_select1(db, &ok));
    ck_assert_int_eq(ok.rows->nrows, 3);
    ck_assert_str_eq(eh_cell(ok.rows, 2, 0), "other");
    ck_code(db_select1(db, &bad), EH_E_DB_QUERY);
    ck_code(db_select1(db, &less), EH_E_DB_QUERY);
    ck_code(db_select1(db, &same), EH_E_DB_QUERY);
}
END_TEST

/* --- transactions --- */

START_TEST(unique_violation)
{
    eh_db_t *db = table_t(1);
    one_t in = {&put, {CANARY, CANARY}};

    ck_assert_rv_ok(db_exec1(db, &in));
    ck_code(db_exec1(db, &in), EH_E_DB_UNIQUE);
    ck_assert_ptr_nonnull(strstr(eh_test_err.cause, "t-put"));
    ck_sql("SELECT count(*) FROM t", "1");
    ck_assert_int_eq(in.calls, 2);
}
END_TEST

/* Two good statements around a bad one; the function itself says all is well. */
static apr_status_t middle(eh_tx_t *tx, void *baton, eh_err_t *err, apr_pool_t *p)
{
    const char *a[] = {"one", NULL}, *b[] = {"two", NULL};
    apr_status_t *seen = baton;

    seen[0] = eh_tx_exec(tx, &put, a, NULL, err);
    seen[1] = eh_tx_exec(tx, &wrong, NULL, NULL, NULL);
    seen[2] = eh_tx_exec(tx, &put, b, NULL, NULL);
    return APR_SUCCESS;
}

START_TEST(an_error_in_the_middle_is_never_success)
{
    eh_db_t *db = table_t(1);
    apr_status_t seen[3];
    one_t in = {&put, {"after", NULL}};

    ck_code(eh_db_run(db, EH_DB_WRITE, middle, seen, eh_test_new_err(), eh_test_pool), EH_E_DB_QUERY);
    ck_assert_int_eq(seen[0], APR_SUCCESS);
    ck_assert_int_ne(seen[1], APR_SUCCESS);
    ck_assert_int_ne(seen[2], APR_SUCCESS);
    ck_assert_ptr_nonnull(strstr(eh_test_err.cause, "t-wrong"));
    ck_sql("SELECT count(*) FROM t", "0");
    ck_assert_rv_ok(db_exec1(db, &in)); /* the only connection is usable */
    ck_sql("SELECT count(*) FROM t", "1");
}
END_TEST

static apr_status_t changes_its_mind(eh_tx_t *tx, void *baton, eh_err_t *err, apr_pool_t *p)
{
    const char *a[] = {"one", NULL};
    apr_status_t rv = eh_tx_exec(tx, &put, a, NULL, err);

    return rv == APR_SUCCESS ? eh_err_set(err, EH_E_DENIED, APR_EACCES, "no") : rv;
}

START_TEST(the_functions_own_error_rolls_back)
{
    eh_db_t *db = table_t(1);

    ck_assert_int_eq(eh_db_run(db, EH_DB_WRITE, changes_its_mind, NULL, eh_test_new_err(), eh_test_pool), APR_EACCES);
    ck_assert_int_eq(eh_test_err.code, EH_E_DENIED);
    ck_sql("SELECT count(*) FROM t", "0");
    /* err may be NULL */
    ck_assert_int_eq(eh_db_run(db, EH_DB_WRITE, changes_its_mind, NULL, NULL, eh_test_pool), APR_EACCES);
}
END_TEST

START_TEST(a_commit_that_fails_is_no_success)
{
    static const eh_stmt_t child = {"c-put", 0, {"INSERT INTO c (ref) VALUES ('" CANARY "')"}};
    eh_db_t *db = table_t(1);
    one_t in = {&child};

    fixture.sql("CREATE TABLE c (ref TEXT REFERENCES t (id) DEFERRABLE INITIALLY DEFERRED)", NULL);
    ck_code(db_exec1(db, &in), EH_E_DB_QUERY);
    ck_assert_int_eq(in.calls, 1);
    ck_sql("SELECT count(*) FROM c", "0");
    in = (one_t){&put, {"next", NULL}};
    ck_assert_rv_ok(db_exec1(db, &in));
}
END_TEST

START_TEST(read_transactions_do_not_write)
{
    static const eh_stmt_t sly = {"t-sly", 0, {"INSERT INTO t (id) VALUES ('sly') RETURNING id"}};
    eh_db_t *db = table_t(1);
    one_t in = {&put, {"x", NULL}}, back = {&sly};

    ck_code(eh_db_run(db, EH_DB_READ, one_exec, &in, eh_test_new_err(), eh_test_pool), EH_E_DB_QUERY);
    ck_assert_int_ne(db_select1(db, &back), APR_SUCCESS);
    ck_sql("SELECT count(*) FROM t", "0");
    ck_assert_rv_ok(eh_db_run(db, EH_DB_WRITE, one_select, &back, eh_test_new_err(), eh_test_pool));
    ck_assert_str_eq(eh_cell(back.rows, 0, 0), "sly");
    ck_sql("SELECT count(*) FROM t", "1");
}
END_TEST

START_TEST(affected_rows)
{
    static const eh_stmt_t upd = {"t-upd", 1, {"UPDATE t SET v = 'new' WHERE v = %s"}};
    eh_db_t *db = table_t(1);
    one_t some = {&upd, {"old"}}, none = {&upd, {"absent"}};

    fixture.sql("INSERT INTO t (id, v) VALUES ('a', 'old'), ('b', 'old'), ('c', 'kept')", NULL);
    ck_assert_rv_ok(db_exec1(db, &some));
    ck_assert_int_eq(some.affected, 2);
    ck_assert_rv_ok(db_exec1(db, &none));
    ck_assert_int_eq(none.affected, 0);
}
END_TEST

START_TEST(more_statements_than_a_connection_remembers)
{
    eh_db_t *db = table_t(1);
    eh_dbpool_stat_t stat;
    int i;

    for (i = 0; i < EH_DB_STATEMENTS_MAX + 20; i++) {
        eh_stmt_t s = {apr_psprintf(eh_test_pool, "gen-%d", i), 0, {apr_psprintf(eh_test_pool, "SELECT '%d'", i)}};
        one_t out = {&s};

        ck_assert_rv_ok(db_select1(db, &out));
        ck_assert_str_eq(eh_cell(out.rows, 0, 0), apr_itoa(eh_test_pool, i));
    }
    eh_dbpool_stat(db, &stat);
    ck_assert_int_eq(stat.connected, 1);
    ck_assert_int_eq(stat.in_use, 0);
}
END_TEST

/* --- deadlines --- */

START_TEST(a_slow_query_ends_at_its_deadline)
{
    const eh_stmt_t slow = {"t-slow", 0, {fixture.sleep_sql}};
    eh_dbpool_conf_t conf = db_conf();
    one_t out = {&slow}, in = {&put, {"after", NULL}};
    eh_db_t *db;
    double t0;

    table_t(1);
    conf.connections = 1;
    conf.acquire_timeout = apr_time_from_msec(200);
    conf.query_timeout = apr_time_from_msec(300);
    db = db_open(&conf);
    t0 = db_ms();
    ck_code(db_select1(db, &out), EH_E_DB_TIMEOUT);
    ck_assert_double_lt(db_ms() - t0, 900);
    ck_assert_int_eq(eh_test_err.retry_after, 1);
    ck_assert_int_eq(out.calls, 1);
    ck_assert_rv_ok(db_exec1(db, &in));
}
END_TEST

typedef struct holder_t {
    eh_db_t *db;
    eh_db_mode_e mode;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    int inside, leave;
    apr_status_t rv;
} holder_t;

static apr_status_t hold(eh_tx_t *tx, void *baton, eh_err_t *err, apr_pool_t *p)
{
    holder_t *h = baton;

    pthread_mutex_lock(&h->lock);
    h->inside = 1;
    pthread_cond_broadcast(&h->cond);
    while (!h->leave)
        pthread_cond_wait(&h->cond, &h->lock);
    pthread_mutex_unlock(&h->lock);
    return APR_SUCCESS;
}

static void *hold_thread(void *data)
{
    holder_t *h = data;
    apr_pool_t *p;

    apr_pool_create(&p, NULL);
    h->rv = eh_db_run(h->db, h->mode, hold, h, NULL, p);
    apr_pool_destroy(p);
    return NULL;
}

static void hold_start(holder_t *h, eh_db_t *db, eh_db_mode_e mode, pthread_t *thread)
{
    *h = (holder_t){.db = db, .mode = mode};
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->cond, NULL);
    ck_assert_int_eq(pthread_create(thread, NULL, hold_thread, h), 0);
    pthread_mutex_lock(&h->lock);
    while (!h->inside)
        pthread_cond_wait(&h->cond, &h->lock);
    pthread_mutex_unlock(&h->lock);
}

static void hold_let_go(holder_t *h)
{
    pthread_mutex_lock(&h->lock);
    h->leave = 1;
    pthread_cond_broadcast(&h->cond);
    pthread_mutex_unlock(&h->lock);
}

static void hold_end(holder_t *h, pthread_t thread)
{
    hold_let_go(h);
    pthread_join(thread, NULL);
    pthread_cond_destroy(&h->cond);
    pthread_mutex_destroy(&h->lock);
    ck_assert_int_eq(h->rv, APR_SUCCESS);
}

START_TEST(an_exhausted_pool_says_busy_in_time)
{
    eh_db_t *db = table_t(1);
    eh_dbpool_stat_t stat;
    one_t out = {&get, {"x"}};
    holder_t h;
    pthread_t thread;
    double t0, took;

    hold_start(&h, db, EH_DB_READ, &thread);
    t0 = db_ms();
    ck_code(db_select1(db, &out), EH_E_DB_BUSY);
    took = db_ms() - t0;
    ck_assert_double_ge(took, 250);
    ck_assert_double_lt(took, 800);
    ck_assert_int_eq(eh_test_err.retry_after, 1);
    ck_assert_int_eq(out.calls, 0);
    eh_dbpool_stat(db, &stat);
    ck_assert_int_eq(stat.in_use, 1);
    hold_end(&h, thread);
    ck_assert_rv_ok(db_select1(db, &out));
    eh_dbpool_stat(db, &stat);
    ck_assert_int_eq(stat.in_use, 0);
    ck_assert_int_eq(stat.connections, 1);
}
END_TEST

static void *let_go_soon(void *data)
{
    apr_sleep(apr_time_from_msec(150));
    hold_let_go(data);
    return NULL;
}

/* The owner's pool ends while a transaction runs: it is waited for, and nothing is freed under its feet. */
START_TEST(the_end_of_the_pool_waits_for_callers)
{
    eh_dbpool_conf_t conf = db_conf();
    pthread_t thread, helper;
    apr_pool_t *p;
    eh_db_t *db;
    holder_t h;
    double t0;

    table_t(1);
    apr_pool_create(&p, eh_test_pool);
    ck_assert_rv_ok(eh_dbpool_create(&db, &conf, &db_log_port, NULL, eh_test_new_err(), p));
    hold_start(&h, db, EH_DB_WRITE, &thread);
    ck_assert_int_eq(pthread_create(&helper, NULL, let_go_soon, &h), 0);
    t0 = db_ms();
    apr_pool_destroy(p);
    ck_assert_double_ge(db_ms() - t0, 100);
    pthread_join(helper, NULL);
    hold_end(&h, thread);
    ck_assert_str_eq(db_log, "");
}
END_TEST

START_TEST(a_database_that_is_down_and_comes_back)
{
    eh_dbpool_conf_t conf = db_conf();
    one_t in = {&put, {"back", NULL}};
    eh_dbpool_stat_t stat;
    eh_db_t *db;
    double t0;
    int i;

    table_t(1);
    fixture.down();
    db = db_open(&conf); /* no error: the child must have a pool */
    for (i = 0; i < EH_DB_BREAKER_FAILS; i++)
        ck_code(db_exec1(db, &in), EH_E_DB_DOWN);
    eh_dbpool_stat(db, &stat);
    ck_assert_int_eq(stat.breaker_open, 1);
    t0 = db_ms();
    for (i = 0; i < 100; i++)
        ck_code(db_exec1(db, &in), EH_E_DB_DOWN);
    ck_assert_double_lt(db_ms() - t0, 200); /* refused, not tried */
    ck_assert_int_eq(eh_test_err.retry_after, 1);
    ck_assert_ptr_nonnull(strstr(db_log, "4 EH2000 "));
    ck_assert_ptr_null(strstr(strstr(db_log, "EH2000") + 1, "EH2000")); /* one line an outage */
    fixture.up();
    t0 = db_ms();
    while (db_exec1(db, &in) != APR_SUCCESS) {
        ck_assert_double_lt(db_ms() - t0, 1000);
        apr_sleep(apr_time_from_msec(10));
    }
    ck_assert_int_eq(in.calls, 1);
    ck_assert_ptr_nonnull(strstr(db_log, "is back"));
    eh_dbpool_stat(db, &stat);
    ck_assert_int_eq(stat.breaker_open, 0);
    ck_sql("SELECT count(*) FROM t", "1");
}
END_TEST

/* --- many writers --- */

#define PROCESSES 4
#define THREADS 4
#define ROUNDS 15

/* Reads, then writes what it read plus one: a lost update shows in the sum. */
static apr_status_t add_one(eh_tx_t *tx, void *baton, eh_err_t *err, apr_pool_t *p)
{
    static const eh_stmt_t read = {"n-read", 0, {"SELECT n FROM counter", "SELECT n FROM counter FOR UPDATE"}};
    static const eh_stmt_t write = {"n-write", 1, {"UPDATE counter SET n = %s", "UPDATE counter SET n = %s::bigint"}};
    eh_rows_t *rows;
    const char *args[1];
    apr_status_t rv;

    if (!EH_OK(eh_tx_select(tx, &read, NULL, &rows, err, p))) return rv;
    args[0] = apr_itoa(p, atoi(eh_cell(rows, 0, 0)) + 1);
    return eh_tx_exec(tx, &write, args, NULL, err);
}

static void *adder(void *data)
{
    apr_pool_t *p;
    long failed = 0;
    int i;

    apr_pool_create(&p, NULL);
    for (i = 0; i < ROUNDS; i++) {
        if (eh_db_run(data, EH_DB_WRITE, add_one, NULL, NULL, p) != APR_SUCCESS) failed++;
        apr_pool_clear(p);
    }
    apr_pool_destroy(p);
    return (void *)failed;
}

static int add_in_threads(void)
{
    eh_dbpool_conf_t conf = db_conf();
    pthread_t threads[THREADS];
    void *failed;
    apr_pool_t *p;
    eh_db_t *db;
    int i, bad = 0;

    conf.acquire_timeout = apr_time_from_sec(20);
    conf.query_timeout = apr_time_from_sec(20);
    apr_pool_create(&p, NULL);
    if (eh_dbpool_create(&db, &conf, &db_log_port, NULL, NULL, p)) return 1;
    for (i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, adder, db)) return 1;
    for (i = 0; i < THREADS; i++) {
        pthread_join(threads[i], &failed);
        if (failed) bad = 1;
    }
    apr_pool_destroy(p);
    return bad;
}

START_TEST(no_update_is_lost)
{
    pid_t pids[PROCESSES];
    int i, status;

    db_migrated();
    fixture.sql("CREATE TABLE counter (n BIGINT)", NULL);
    fixture.sql("INSERT INTO counter VALUES (0)", NULL);
    fflush(stdout);
    for (i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        ck_assert_int_ge(pids[i], 0);
        if (pids[i] == 0) _exit(add_in_threads());
    }
    for (i = 0; i < PROCESSES; i++) {
        ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
        ck_assert_int_eq(status, 0);
    }
    ck_sql("SELECT n FROM counter", "240"); /* 4 x 4 x 15 */
}
END_TEST

/* --- migrations --- */

static int files_of(const char *folder)
{
    const char *src = getenv("EH_SRCDIR");
    DIR *d = opendir(apr_psprintf(eh_test_pool, "%s/conf/sql/%s", src ? src : ".", folder));
    struct dirent *e;
    int n = 0;

    ck_assert_msg(d != NULL, "EH_SRCDIR does not lead to conf/sql");
    while ((e = readdir(d)) != NULL)
        if (strstr(e->d_name, ".sql")) n++;
    closedir(d);
    return n;
}

START_TEST(migrations_are_applied_once)
{
    eh_dbpool_conf_t conf = db_conf();
    int applied = -1, all = files_of(fixture.dialect == EH_DB_SQLITE ? "sqlite" : "pgsql");
    eh_db_t *db;

    fixture.reset();
    if (fixture.dialect == EH_DB_PGSQL) { /* an SQLite file must exist before a pool may read it */
        db = db_open(&conf);
        ck_code(eh_migrate_check(db, eh_test_new_err(), eh_test_pool), EH_E_DB_SCHEMA);
        ck_assert_ptr_nonnull(strstr(eh_test_err.detail, "ehctl migrate"));
    }
    ck_assert_rv_ok(eh_migrate(&conf, 1700000000000000, &applied, &db_log_port, eh_test_new_err(), eh_test_pool));
    ck_assert_int_eq(applied, all); /* also: what lies in conf/sql is compiled in */
    ck_sql("SELECT count(*) FROM eh_migration", apr_itoa(eh_test_pool, all));
    ck_sql("SELECT name FROM eh_migration WHERE version = 1", "001_base.sql");
    ck_sql("SELECT applied_at FROM eh_migration WHERE version = 1", "1700000000000000");
    ck_sql("SELECT length(checksum) FROM eh_migration WHERE version = 1", "64");
    ck_sql("SELECT count(*) FROM eh_session", "0");
    ck_assert_rv_ok(eh_migrate(&conf, 1800000000000000, &applied, &db_log_port, eh_test_new_err(), eh_test_pool));
    ck_assert_int_eq(applied, 0);
    ck_sql("SELECT applied_at FROM eh_migration WHERE version = 1", "1700000000000000");
    ck_assert_rv_ok(eh_migrate_check(db_open(&conf), eh_test_new_err(), eh_test_pool));
}
END_TEST

START_TEST(a_changed_migration_is_refused)
{
    eh_dbpool_conf_t conf = db_conf();
    eh_db_t *db;

    db_migrated();
    db = db_open(&conf);
    fixture.sql("UPDATE eh_migration SET checksum = 'edited' WHERE version = 1", NULL);
    ck_code(eh_migrate(&conf, 1, NULL, &db_log_port, eh_test_new_err(), eh_test_pool), EH_E_DB_SCHEMA);
    ck_assert_ptr_nonnull(strstr(eh_test_err.cause, "001_base.sql"));
    ck_code(eh_migrate_check(db, eh_test_new_err(), eh_test_pool), EH_E_DB_SCHEMA);
}
END_TEST

START_TEST(a_newer_database_is_refused)
{
    eh_dbpool_conf_t conf = db_conf();
    eh_db_t *db;

    db_migrated();
    db = db_open(&conf);
    fixture.sql("INSERT INTO eh_migration VALUES (999, '999_future.sql', 'x', 1)", NULL);
    ck_code(eh_migrate(&conf, 1, NULL, &db_log_port, eh_test_new_err(), eh_test_pool), EH_E_DB_SCHEMA);
    ck_assert_ptr_nonnull(strstr(eh_test_err.detail, "newer"));
    ck_code(eh_migrate_check(db, eh_test_new_err(), eh_test_pool), EH_E_DB_SCHEMA);
}
END_TEST

START_TEST(an_unapplied_migration_is_noticed)
{
    eh_dbpool_conf_t conf = db_conf();
    eh_db_t *db;

    db_migrated();
    db = db_open(&conf);
    fixture.sql("DELETE FROM eh_migration", NULL);
    ck_code(eh_migrate_check(db, eh_test_new_err(), eh_test_pool), EH_E_DB_SCHEMA);
    /* The tables are there already: the migration fails as a whole and leaves no row that says otherwise. */
    ck_code(eh_migrate(&conf, 1, NULL, &db_log_port, eh_test_new_err(), eh_test_pool), EH_E_DB_QUERY);
    ck_sql("SELECT count(*) FROM eh_migration", "0");
}
END_TEST

START_TEST(several_servers_migrate_at_once)
{
    eh_dbpool_conf_t conf = db_conf();
    pid_t pids[PROCESSES];
    int i, status;

    fixture.reset();
    fflush(stdout);
    for (i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        ck_assert_int_ge(pids[i], 0);
        if (pids[i] == 0) _exit(eh_migrate(&conf, 1, NULL, &db_log_port, NULL, eh_test_pool) != APR_SUCCESS);
    }
    for (i = 0; i < PROCESSES; i++) {
        ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
        ck_assert_int_eq(status, 0);
    }
    ck_sql("SELECT count(*) FROM eh_migration WHERE version = 1", "1");
}
END_TEST

/* --- leases --- */

#define AT(seconds) ((apr_time_t)1700000000000000 + apr_time_from_sec(seconds))
#define TTL apr_time_from_sec(30)

static int take(eh_db_t *db, const char *who, apr_time_t now)
{
    int taken = -1;

    ck_assert_rv_ok(eh_lease_take_now(&taken, db, "job", who, now, TTL, eh_test_new_err(), eh_test_pool));
    return taken;
}

static int renew(eh_db_t *db, const char *who, apr_time_t now)
{
    int held = -1;

    ck_assert_rv_ok(eh_lease_renew_now(&held, db, "job", who, now, TTL, eh_test_new_err(), eh_test_pool));
    return held;
}

START_TEST(leases)
{
    eh_db_t *db = table_t(2);
    int taken = -1;

    ck_assert_int_eq(take(db, "a", AT(0)), 1);
    ck_assert_int_eq(take(db, "b", AT(1)), 0);
    ck_assert_int_eq(take(db, "a", AT(10)), 1); /* renews: until 40 */
    ck_assert_int_eq(take(db, "b", AT(39)), 0);
    ck_assert_int_eq(renew(db, "b", AT(39)), 0);
    ck_assert_int_eq(renew(db, "a", AT(39)), 1); /* until 69 */
    ck_assert_int_eq(take(db, "b", AT(40)), 0);
    ck_assert_int_eq(renew(db, "a", AT(69)), 0); /* too late */
    ck_assert_int_eq(take(db, "b", AT(69)), 1);
    ck_assert_int_eq(take(db, "a", AT(70)), 0);
    ck_assert_rv_ok(eh_lease_release_now(db, "job", "a", eh_test_new_err(), eh_test_pool)); /* not a's to give */
    ck_assert_int_eq(take(db, "a", AT(70)), 0);
    ck_assert_rv_ok(eh_lease_release_now(db, "job", "b", eh_test_new_err(), eh_test_pool));
    ck_assert_int_eq(take(db, "a", AT(70)), 1);
    ck_sql("SELECT holder FROM eh_lease", "a");
    ck_sql("SELECT expires_at FROM eh_lease", "1700000100000000");
    ck_assert_int_ne(eh_lease_take_now(&taken, db, "", "a", AT(0), TTL, NULL, eh_test_pool), APR_SUCCESS);
    ck_assert_int_eq(taken, 0);
}
END_TEST

static apr_status_t take_and_fail(eh_tx_t *tx, void *baton, eh_err_t *err, apr_pool_t *p)
{
    apr_status_t rv = eh_lease_take(baton, tx, "job", "a", AT(0), TTL, err, p);

    return rv == APR_SUCCESS ? APR_EGENERAL : rv;
}

START_TEST(a_lease_belongs_to_its_transaction)
{
    eh_db_t *db = table_t(1);
    int taken = -1;

    ck_code(eh_db_run(db, EH_DB_WRITE, take_and_fail, &taken, eh_test_new_err(), eh_test_pool), EH_E_INTERNAL);
    ck_assert_int_eq(taken, 1);
    ck_assert_int_eq(take(db, "b", AT(1)), 1); /* it was rolled back */
}
END_TEST

/* --- configuration and metrics --- */

START_TEST(wrong_configurations)
{
    eh_dbpool_conf_t conf = db_conf();

    conf.driver = "oracle";
    ck_code(eh_dbpool_conf_check(&conf, eh_test_new_err(), eh_test_pool), EH_E_CONFIG);
    conf = db_conf();
    conf.params = "";
    ck_code(eh_dbpool_conf_check(&conf, eh_test_new_err(), eh_test_pool), EH_E_CONFIG);
    conf = db_conf();
    conf.connections = 0;
    ck_code(eh_dbpool_conf_check(&conf, eh_test_new_err(), eh_test_pool), EH_E_CONFIG);
    conf.connections = EH_DB_CONNECTIONS_MAX + 1;
    ck_code(eh_dbpool_conf_check(&conf, eh_test_new_err(), eh_test_pool), EH_E_CONFIG);
    conf = db_conf();
    conf.query_timeout = 0;
    ck_code(eh_dbpool_conf_check(&conf, eh_test_new_err(), eh_test_pool), EH_E_CONFIG);
    conf = db_conf();
    ck_assert_rv_ok(eh_dbpool_conf_check(&conf, eh_test_new_err(), eh_test_pool));
}
END_TEST

START_TEST(transactions_are_counted)
{
    const eh_metric_def_t *defs[32];
    eh_dbpool_conf_t conf = db_conf();
    eh_metrics_t *m;
    eh_db_t *db;
    one_t in = {&put, {"x", NULL}};
    int i;

    table_t(1);
    ck_assert_int_le(eh_dbpool_metrics_count, 32);
    for (i = 0; i < eh_dbpool_metrics_count; i++)
        defs[i] = &eh_dbpool_metrics[i];
    m = eh_metrics_make(defs, i, apr_pcalloc(eh_test_pool, eh_metrics_size(i)), eh_test_pool);
    ck_assert_rv_ok(eh_dbpool_create(&db, &conf, &db_log_port, m, eh_test_new_err(), eh_test_pool));
    ck_assert_rv_ok(db_exec1(db, &in));
    ck_assert_int_ne(db_exec1(db, &in), APR_SUCCESS);
    for (i = 0; i < eh_dbpool_metrics_count; i++) {
        int64_t n = eh_metrics_get(m, eh_metrics_index(m, defs[i]));

        if (!strcmp(defs[i]->name, "ehealth_db_transactions_total")) {
            ck_assert_int_eq(n, !strcmp(defs[i]->labels, "result=\"ok\"") ||
                                    !strcmp(defs[i]->labels, "result=\"failed\""));
        } else if (!strcmp(defs[i]->name, "ehealth_db_connects_total")) {
            ck_assert_int_eq(n, !strcmp(defs[i]->labels, "result=\"ok\""));
        }
    }
}
END_TEST

void db_contract_cases(Suite *suite)
{
    TCase *tc = eh_test_case(suite, "values");

    tcase_add_test(tc, values_come_back_as_they_were);
    tcase_add_test(tc, null_is_not_empty);
    tcase_add_test(tc, five_megabytes);
    tcase_add_test(tc, ten_thousand_rows_and_not_one_more);
    tcase_add_test(tc, percent_signs);

    tc = eh_test_case(suite, "transactions");
    tcase_add_test(tc, unique_violation);
    tcase_add_test(tc, an_error_in_the_middle_is_never_success);
    tcase_add_test(tc, the_functions_own_error_rolls_back);
    tcase_add_test(tc, a_commit_that_fails_is_no_success);
    tcase_add_test(tc, read_transactions_do_not_write);
    tcase_add_test(tc, affected_rows);
    tcase_add_test(tc, more_statements_than_a_connection_remembers);

    tc = eh_test_case(suite, "deadlines");
    tcase_add_test(tc, a_slow_query_ends_at_its_deadline);
    tcase_add_test(tc, an_exhausted_pool_says_busy_in_time);
    tcase_add_test(tc, the_end_of_the_pool_waits_for_callers);
    tcase_add_test(tc, a_database_that_is_down_and_comes_back);

    tc = eh_test_case(suite, "many writers");
    tcase_add_test(tc, no_update_is_lost);

    tc = eh_test_case(suite, "migrations");
    tcase_add_test(tc, migrations_are_applied_once);
    tcase_add_test(tc, a_changed_migration_is_refused);
    tcase_add_test(tc, a_newer_database_is_refused);
    tcase_add_test(tc, an_unapplied_migration_is_noticed);
    tcase_add_test(tc, several_servers_migrate_at_once);

    tc = eh_test_case(suite, "leases");
    tcase_add_test(tc, leases);
    tcase_add_test(tc, a_lease_belongs_to_its_transaction);

    tc = eh_test_case(suite, "configuration");
    tcase_add_test(tc, wrong_configurations);
    tcase_add_test(tc, transactions_are_counted);
}
