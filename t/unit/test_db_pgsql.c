/* SPDX-License-Identifier: Apache-2.0 */
#include "db_contract.c" /* eh_test.h keeps its state per translation unit */

#include <libpq-fe.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define SKIP 77 /* of automake's test driver */

static char folder[] = "/tmp/eh-dbt-XXXXXX"; /* made in main */
static char params[256];
static PGconn *oracle; /* past the code under test */

/* Runs pg.sh; its first line of output in out. */
static int script(const char *action, char *out, int size)
{
    const char *src = getenv("EH_SRCDIR");
    char command[512];
    FILE *f;
    int rc;

    snprintf(command, sizeof(command), "sh %s/t/unit/pg.sh %s %s", src ? src : ".", action, folder);
    f = popen(command, "r");
    if (!f) return 1;
    if (out && !fgets(out, size, f)) *out = '\0';
    rc = pclose(f);
    return WIFEXITED(rc) ? WEXITSTATUS(rc) : 1;
}

static void connect_oracle(void)
{
    if (oracle && PQstatus(oracle) == CONNECTION_OK) return;
    PQfinish(oracle);
    oracle = PQconnectdb(params);
    ck_assert_msg(PQstatus(oracle) == CONNECTION_OK, "%s", PQerrorMessage(oracle));
}

static void sql(const char *text, const char **value)
{
    PGresult *res;

    connect_oracle();
    res = PQexec(oracle, text);
    ck_assert_msg(PQresultStatus(res) == PGRES_COMMAND_OK || PQresultStatus(res) == PGRES_TUPLES_OK, "%s: %s", text,
                  PQerrorMessage(oracle));
    if (value) {
        *value = PQntuples(res) && !PQgetisnull(res, 0, 0) ? apr_pstrdup(eh_test_pool, PQgetvalue(res, 0, 0)) : NULL;
    }
    PQclear(res);
}

static void reset(void)
{
    sql("SET client_min_messages = warning", NULL);
    sql("DROP SCHEMA public CASCADE", NULL);
    sql("CREATE SCHEMA public", NULL);
}

static void down(void)
{
    PQfinish(oracle);
    oracle = NULL;
    ck_assert_int_eq(script("stop", NULL, 0), 0);
}

static void up(void) { ck_assert_int_eq(script("up", NULL, 0), 0); }

const db_fixture_t fixture = {
    .driver = "pgsql",
    .params = params,
    .dialect = EH_DB_PGSQL,
    .reset = reset,
    .sql = sql,
    .down = down,
    .up = up,
    .sleep_sql = "SELECT pg_sleep(10)::text",
};

static const eh_stmt_t pid_of = {"t-pid", 0, {"SELECT pg_backend_pid()::text"}};

static eh_db_t *open_t(int connections)
{
    eh_dbpool_conf_t conf = db_conf();

    db_migrated();
    sql("CREATE TABLE t (id TEXT PRIMARY KEY, v TEXT)", NULL);
    db_log[0] = '\0';
    conf.connections = connections;
    return db_open(&conf);
}

static const char *backend(eh_db_t *db)
{
    one_t out = {&pid_of};

    ck_assert_rv_ok(db_select1(db, &out));
    return eh_cell(out.rows, 0, 0);
}

static void terminate(const char *pid)
{
    const char *ok = NULL;

    sql(apr_psprintf(eh_test_pool, "SELECT pg_terminate_backend(%s, 2000)", pid), &ok);
    ck_assert_str_eq(ok, "t");
}

/* --- lost connections --- */

START_TEST(an_idle_connection_that_died_is_not_used)
{
    eh_db_t *db = open_t(1);
    one_t in = {&put, {"x", NULL}};

    terminate(backend(db));
    ck_assert_rv_ok(db_exec1(db, &in));
    ck_assert_int_eq(in.calls, 1); /* seen before use: not even a retry */
}
END_TEST

typedef struct killer_t {
    int calls, kill_until; /* kills its own connection in calls up to this */
    int before;            /* before its insert, else after */
} killer_t;

static apr_status_t killed(eh_tx_t *tx, void *baton, eh_err_t *err, apr_pool_t *p)
{
    killer_t *k = baton;
    const char *args[] = {"once", NULL};
    eh_rows_t *rows;
    apr_status_t rv;

    k->calls++;
    if (!EH_OK(eh_tx_select(tx, &pid_of, NULL, &rows, err, p))) return rv;
    if (k->before && k->calls <= k->kill_until) terminate(eh_cell(rows, 0, 0));
    rv = eh_tx_exec(tx, &put, args, NULL, err);
    if (!k->before && k->calls <= k->kill_until) terminate(eh_cell(rows, 0, 0));
    return rv;
}

START_TEST(a_connection_lost_in_the_transaction_is_retried_once)
{
    eh_db_t *db = open_t(1);
    killer_t k = {0, 1, 1};

    ck_assert_rv_ok(eh_db_run(db, EH_DB_WRITE, killed, &k, eh_test_new_err(), eh_test_pool));
    ck_assert_int_eq(k.calls, 2);
    ck_sql("SELECT count(*) FROM t", "1");
    k = (killer_t){0, 9, 1};
    sql("DELETE FROM t", NULL);
    ck_code(eh_db_run(db, EH_DB_WRITE, killed, &k, eh_test_new_err(), eh_test_pool), EH_E_DB_DOWN);
    ck_assert_int_eq(k.calls, 2); /* once more, not for ever */
    ck_sql("SELECT count(*) FROM t", "0");
}
END_TEST

/* Lost after the last statement and before COMMIT: nothing was sent, so nothing is unknown. */
START_TEST(a_connection_lost_before_commit_is_retried)
{
    eh_db_t *db = open_t(1);
    killer_t k = {0, 1, 0};

    ck_assert_rv_ok(eh_db_run(db, EH_DB_WRITE, killed, &k, eh_test_new_err(), eh_test_pool));
    ck_assert_int_eq(k.calls, 2);
    ck_sql("SELECT count(*) FROM t", "1");
}
END_TEST

START_TEST(a_connection_lost_during_commit_has_an_unknown_outcome)
{
    eh_db_t *db = open_t(1);
    one_t in = {&put, {CANARY, NULL}};

    sql("CREATE FUNCTION suicide() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(2); RETURN NULL; END$$",
        NULL);
    sql("CREATE CONSTRAINT TRIGGER s AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
        "EXECUTE FUNCTION suicide()",
        NULL);
    ck_code(db_exec1(db, &in), EH_E_DB_UNKNOWN_OUTCOME);
    ck_assert_int_eq(in.calls, 1);
    ck_sql("SELECT count(*) FROM t", "0");
    sql("DROP TRIGGER s ON t", NULL);
    ck_assert_rv_ok(db_exec1(db, &in));
}
END_TEST

START_TEST(a_commit_cut_at_the_deadline_has_an_unknown_outcome)
{
    eh_dbpool_conf_t conf = db_conf();
    one_t in = {&put, {"x", NULL}};
    eh_db_t *db;
    double t0;

    open_t(1);
    conf.connections = 1;
    conf.acquire_timeout = apr_time_from_msec(200);
    conf.query_timeout = apr_time_from_msec(400);
    db = db_open(&conf);
    /* The trigger stops its own process, so that the server cannot end the statement by itself. */
    sql("CREATE EXTENSION IF NOT EXISTS plpgsql", NULL);
    sql("CREATE FUNCTION freeze() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN "
        "EXECUTE format('COPY (SELECT 1) TO PROGRAM %L', 'kill -STOP ' || pg_backend_pid()); RETURN NULL; END$$",
        NULL);
    sql("CREATE CONSTRAINT TRIGGER s AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
        "EXECUTE FUNCTION freeze()",
        NULL);
    t0 = db_ms();
    ck_code(db_exec1(db, &in), EH_E_DB_UNKNOWN_OUTCOME);
    ck_assert_double_lt(db_ms() - t0, 900);
    ck_assert_int_eq(in.calls, 1);
    ck_assert_int_eq(script("thaw", NULL, 0), 0);
}
END_TEST

/* Holds its connection until all threads hold one. */
static apr_status_t meet(eh_tx_t *tx, void *baton, eh_err_t *err, apr_pool_t *p)
{
    pthread_barrier_wait(baton);
    return APR_SUCCESS;
}

typedef struct meeting_t {
    eh_db_t *db;
    pthread_barrier_t *all;
} meeting_t;

static void *meet_thread(void *data)
{
    meeting_t *m = data;
    apr_pool_t *p;

    apr_pool_create(&p, NULL);
    eh_db_run(m->db, EH_DB_READ, meet, m->all, NULL, p);
    apr_pool_destroy(p);
    return NULL;
}

/* All connections of the pool are open and die together. */
START_TEST(a_restart_of_the_server_is_over_within_a_second)
{
    eh_db_t *db = open_t(4);
    one_t in = {&put, {"after", NULL}};
    pthread_barrier_t all;
    meeting_t m = {db, &all};
    pthread_t threads[4];
    eh_dbpool_stat_t stat;
    double t0;
    int i;

    pthread_barrier_init(&all, NULL, 4);
    for (i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, meet_thread, &m), 0);
    for (i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&all);
    eh_dbpool_stat(db, &stat);
    ck_assert_int_eq(stat.connected, 4);
    down();
    up();
    t0 = db_ms();
    ck_assert_rv_ok(db_exec1(db, &in));
    ck_assert_double_lt(db_ms() - t0, 1000);
    ck_sql("SELECT count(*) FROM t", "1");
}
END_TEST

/* --- a server that is there and does not answer --- */

typedef struct shot_t {
    eh_db_t *db;
    double ms;
    eh_err_t err;
    apr_status_t rv;
} shot_t;

static void *shoot(void *data)
{
    shot_t *s = data;
    one_t out = {&put, {"x", NULL}};
    apr_pool_t *p;
    double t0 = db_ms();

    apr_pool_create(&p, NULL);
    s->rv = eh_db_run(s->db, EH_DB_WRITE, one_exec, &out, &s->err, p);
    s->ms = db_ms() - t0;
    s->err.cause = s->err.detail = NULL;
    apr_pool_destroy(p);
    return NULL;
}

START_TEST(a_frozen_server_holds_nobody_beyond_the_deadline)
{
    eh_dbpool_conf_t conf = db_conf();
    shot_t shots[8];
    pthread_t threads[8];
    one_t in = {&put, {"thawed", NULL}};
    eh_dbpool_stat_t stat;
    eh_db_t *db;
    double t0;
    int i;

    open_t(1);
    conf.connections = 8;
    conf.acquire_timeout = apr_time_from_msec(300);
    conf.query_timeout = apr_time_from_msec(700);
    db = db_open(&conf);
    backend(db); /* one open connection */
    ck_assert_int_eq(script("freeze", NULL, 0), 0);
    /* The open one is cut at the deadline. */
    t0 = db_ms();
    ck_code(db_exec1(db, &in), EH_E_DB_TIMEOUT);
    ck_assert_double_ge(db_ms() - t0, 650);
    ck_assert_double_lt(db_ms() - t0, 1400);
    /* New ones hang in the connect (2 s, libpq's least): EH_DB_CONNECTING of them, the others are told soon. */
    for (i = 0; i < 8; i++) {
        shots[i] = (shot_t){.db = db};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, shoot, &shots[i]), 0);
    }
    for (i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    int slow = 0;
    for (i = 0; i < 8; i++) {
        ck_assert_int_ne(shots[i].rv, APR_SUCCESS);
        ck_assert_int_eq(shots[i].err.code, EH_E_DB_DOWN);
        ck_assert_double_lt(shots[i].ms, 3500);
        if (shots[i].ms > 1200) slow++;
    }
    ck_assert_int_le(slow, EH_DB_CONNECTING);
    eh_dbpool_stat(db, &stat);
    ck_assert_int_eq(stat.breaker_open, 1);
    ck_assert_int_eq(script("thaw", NULL, 0), 0);
    t0 = db_ms();
    while (db_exec1(db, &in) != APR_SUCCESS) {
        ck_assert_double_lt(db_ms() - t0, 1000);
        apr_sleep(apr_time_from_msec(10));
    }
    ck_sql("SELECT count(*) FROM t WHERE id = 'thawed'", "1");
}
END_TEST

/* The server ends the statement by itself, shortly before: the connection survives, and nothing runs on over there. */
START_TEST(a_slow_query_is_ended_on_the_server_too)
{
    const eh_stmt_t slow = {"t-slow", 0, {fixture.sleep_sql}};
    eh_dbpool_conf_t conf = db_conf();
    one_t out = {&slow};
    const char *pid;
    eh_db_t *db;

    conf.connections = 1;
    conf.acquire_timeout = conf.query_timeout = apr_time_from_msec(250);
    db_migrated();
    db = db_open(&conf);
    pid = backend(db);
    ck_code(db_select1(db, &out), EH_E_DB_TIMEOUT);
    ck_assert_ptr_nonnull(strstr(eh_test_err.cause, "57014"));
    ck_assert_str_eq(backend(db), pid);
    ck_sql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'", "0");
}
END_TEST

/* --- conflicts --- */

typedef struct pair_t {
    eh_db_t *db;
    const char *first, *second;
    pthread_barrier_t *both;
    int calls;
    apr_status_t rv;
} pair_t;

static apr_status_t lock_both(eh_tx_t *tx, void *baton, eh_err_t *err, apr_pool_t *p)
{
    static const eh_stmt_t touch = {"t-touch", 1, {"UPDATE t SET v = v || 'x' WHERE id = %s"}};
    pair_t *pair = baton;
    const char *a[] = {pair->first}, *b[] = {pair->second};
    apr_status_t rv;

    pair->calls++;
    if (!EH_OK(eh_tx_exec(tx, &touch, a, NULL, err))) return rv;
    if (pair->calls == 1) pthread_barrier_wait(pair->both);
    return eh_tx_exec(tx, &touch, b, NULL, err);
}

static void *lock_thread(void *data)
{
    pair_t *pair = data;
    apr_pool_t *p;

    apr_pool_create(&p, NULL);
    pair->rv = eh_db_run(pair->db, EH_DB_WRITE, lock_both, pair, NULL, p);
    apr_pool_destroy(p);
    return NULL;
}

START_TEST(a_deadlock_is_retried)
{
    eh_db_t *db = open_t(2);
    pthread_barrier_t both;
    pair_t ab = {db, "a", "b", &both}, ba = {db, "b", "a", &both};
    pthread_t one, two;

    sql("INSERT INTO t VALUES ('a', ''), ('b', '')", NULL);
    pthread_barrier_init(&both, NULL, 2);
    ck_assert_int_eq(pthread_create(&one, NULL, lock_thread, &ab), 0);
    ck_assert_int_eq(pthread_create(&two, NULL, lock_thread, &ba), 0);
    pthread_join(one, NULL);
    pthread_join(two, NULL);
    pthread_barrier_destroy(&both);
    ck_assert_int_eq(ab.rv, APR_SUCCESS);
    ck_assert_int_eq(ba.rv, APR_SUCCESS);
    ck_assert_int_ge(ab.calls + ba.calls, 3);
    ck_sql("SELECT string_agg(v, ',') FROM t", "xx,xx");
}
END_TEST

/* A reader sees one state of the database, as on SQLite. */
static apr_status_t read_twice(eh_tx_t *tx, void *baton, eh_err_t *err, apr_pool_t *p)
{
    static const eh_stmt_t count = {"t-count", 0, {"SELECT count(*) FROM t"}};
    eh_rows_t *first, *second;
    apr_status_t rv;

    if (!EH_OK(eh_tx_select(tx, &count, NULL, &first, err, p))) return rv;
    sql("INSERT INTO t VALUES ('meanwhile')", NULL);
    if (!EH_OK(eh_tx_select(tx, &count, NULL, &second, err, p))) return rv;
    ck_assert_str_eq(eh_cell(first, 0, 0), "0");
    ck_assert_str_eq(eh_cell(second, 0, 0), "0");
    return rv;
}

START_TEST(readers_see_one_state)
{
    eh_db_t *db = open_t(1);

    ck_assert_rv_ok(eh_db_run(db, EH_DB_READ, read_twice, NULL, eh_test_new_err(), eh_test_pool));
    ck_sql("SELECT count(*) FROM t", "1");
}
END_TEST

/* --- secrets --- */

START_TEST(the_password_is_never_told)
{
    eh_dbpool_conf_t conf = db_conf();
    one_t in = {&put, {"x", NULL}};
    eh_db_t *db;
    int i;

    db_log[0] = '\0';
    conf.params = "host=127.0.0.1 port=1 user=eh dbname=eh password=" CANARY;
    db = db_open(&conf);
    for (i = 0; i < 4; i++)
        ck_code(db_exec1(db, &in), EH_E_DB_DOWN);
    ck_assert_ptr_nonnull(strstr(db_log, "refused")); /* libpq's reason is there */
    conf.params = "host=127.0.0.1 " CANARY;
    ck_code(eh_dbpool_conf_check(&conf, eh_test_new_err(), eh_test_pool), EH_E_CONFIG);
    conf.params = "postgresql://eh:" CANARY "@[broken";
    ck_code(eh_dbpool_conf_check(&conf, eh_test_new_err(), eh_test_pool), EH_E_CONFIG);
    conf.params = "host=127.0.0.1 connect_timeout=0";
    ck_code(eh_dbpool_conf_check(&conf, eh_test_new_err(), eh_test_pool), EH_E_CONFIG);
}
END_TEST

START_TEST(uris_and_odd_passwords_reach_the_server)
{
    static const eh_stmt_t app = {"t-app", 0, {"SELECT current_setting('application_name')"}};
    eh_dbpool_conf_t conf = db_conf();
    const char *port = strstr(params, "port=") + 5;
    one_t out = {&app};

    db_migrated();
    conf.params =
        apr_psprintf(eh_test_pool, "postgresql://eh:a%%27%%5C%%20b@127.0.0.1:%.*s/postgres?application_name=it%%27s",
                     (int)strcspn(port, " "), port);
    ck_assert_rv_ok(db_select1(db_open(&conf), &out));
    ck_assert_str_eq(eh_cell(out.rows, 0, 0), "it's");
}
END_TEST

static int started(void)
{
    char port[16] = "";
    int rc;

    if (!mkdtemp(folder)) return 1;
    rc = script("start", port, sizeof(port));
    port[strcspn(port, "\n")] = '\0';
    snprintf(params, sizeof(params), "host=127.0.0.1 port=%s user=eh dbname=postgres", port);
    return rc;
}

static void remove_cluster(void)
{
    if (script("remove", NULL, 0)) fprintf(stderr, "could not remove %s\n", folder);
}

static void interrupted(int sig)
{
    remove_cluster();
    _exit(1);
}

int main(void)
{
    Suite *suite = suite_create("db_pgsql");
    TCase *tc;
    int rc = started();

    if (rc) {
        remove_cluster();
        if (rc == SKIP) puts("1..0 # SKIP PostgreSQL is not installed");
        return rc;
    }
    signal(SIGINT, interrupted);
    signal(SIGTERM, interrupted);
    db_contract_cases(suite);

    tc = eh_test_case(suite, "lost connections");
    tcase_add_test(tc, an_idle_connection_that_died_is_not_used);
    tcase_add_test(tc, a_connection_lost_in_the_transaction_is_retried_once);
    tcase_add_test(tc, a_connection_lost_before_commit_is_retried);
    tcase_add_test(tc, a_connection_lost_during_commit_has_an_unknown_outcome);
    tcase_add_test(tc, a_commit_cut_at_the_deadline_has_an_unknown_outcome);
    tcase_add_test(tc, a_restart_of_the_server_is_over_within_a_second);

    tc = eh_test_case(suite, "a frozen server");
    tcase_add_test(tc, a_frozen_server_holds_nobody_beyond_the_deadline);
    tcase_add_test(tc, a_slow_query_is_ended_on_the_server_too);

    tc = eh_test_case(suite, "conflicts");
    tcase_add_test(tc, a_deadlock_is_retried);
    tcase_add_test(tc, readers_see_one_state);

    tc = eh_test_case(suite, "secrets");
    tcase_add_test(tc, the_password_is_never_told);
    tcase_add_test(tc, uris_and_odd_passwords_reach_the_server);

    rc = eh_test_main(suite);
    PQfinish(oracle);
    remove_cluster();
    return rc;
}
