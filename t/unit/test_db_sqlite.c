/* SPDX-License-Identifier: Apache-2.0 */
#include "db_contract.c" /* eh_test.h keeps its state per translation unit */

#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "modules/io/db_mutex.h"

static char folder[] = "/tmp/eh-db-XXXXXX"; /* made in main */
static char path[64];

static const char *beside(const char *suffix) { return apr_pstrcat(eh_test_pool, path, suffix, NULL); }

static void reset(void)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", ".lock", ".away"};
    size_t i;

    for (i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
        unlink(beside(suffixes[i]));
}

static int first_cell(void *data, int ncols, char **values, char **names)
{
    const char **value = data;

    if (value && !*value && values[0]) *value = apr_pstrdup(eh_test_pool, values[0]);
    return 0;
}

static void sql(const char *text, const char **value)
{
    sqlite3 *db;

    if (value) *value = NULL;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    ck_assert_msg(sqlite3_exec(db, text, first_cell, (void *)value, NULL) == SQLITE_OK, "%s: %s", text,
                  sqlite3_errmsg(db));
    sqlite3_close(db);
}

static void down(void) { ck_assert_int_eq(rename(path, beside(".away")), 0); }

static void up(void) { ck_assert_int_eq(rename(beside(".away"), path), 0); }

const db_fixture_t fixture = {
    .driver = "sqlite3",
    .params = path,
    .dialect = EH_DB_SQLITE,
    .reset = reset,
    .sql = sql,
    .down = down,
    .up = up,
    .sleep_sql = "WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 2000000000) "
                 "SELECT count(*) FROM g",
};

static eh_db_t *open_t(void)
{
    eh_dbpool_conf_t conf = db_conf();

    db_migrated();
    sql("CREATE TABLE t (id TEXT PRIMARY KEY, v TEXT)", NULL);
    db_log[0] = '\0';
    conf.query_timeout = apr_time_from_msec(500);
    return db_open(&conf);
}

/* Runs fn in a write transaction of a child process with a pool of its own. */
static pid_t writer(eh_tx_fn *fn)
{
    eh_dbpool_conf_t conf = db_conf();
    eh_db_t *db;
    pid_t pid;

    fflush(stdout);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid) return pid;
    if (eh_dbpool_create(&db, &conf, &db_log_port, NULL, NULL, eh_test_pool)) _exit(1);
    _exit(eh_db_run(db, EH_DB_WRITE, fn, NULL, NULL, eh_test_pool) != APR_SUCCESS);
}

static apr_status_t insert_then(eh_tx_t *tx, int signal_number, eh_err_t *err)
{
    const char *args[] = {"of the child", NULL};
    apr_status_t rv = eh_tx_exec(tx, &put, args, NULL, err);

    if (rv == APR_SUCCESS) kill(getpid(), signal_number);
    return rv;
}

static apr_status_t insert_and_die(eh_tx_t *tx, void *baton, eh_err_t *err, apr_pool_t *p)
{
    return insert_then(tx, SIGKILL, err);
}

static apr_status_t insert_and_stop(eh_tx_t *tx, void *baton, eh_err_t *err, apr_pool_t *p)
{
    return insert_then(tx, SIGSTOP, err);
}

START_TEST(a_writer_that_dies_gives_the_mutex_back)
{
    eh_db_t *db = open_t();
    one_t in = {&put, {"of the parent", NULL}};
    int status;
    pid_t pid = writer(insert_and_die);

    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    ck_assert_rv_ok(db_exec1(db, &in)); /* DB_BUSY were the mutex still the dead one's */
    ck_sql("SELECT group_concat(id) FROM t", "of the parent");
    in.args[0] = "again";
    ck_assert_rv_ok(db_exec1(db, &in)); /* the mutex is whole again */
}
END_TEST

START_TEST(a_writer_that_hangs_makes_others_busy_in_time)
{
    eh_db_t *db = open_t();
    one_t in = {&put, {"of the parent", NULL}};
    int status;
    double t0, took;
    pid_t pid = writer(insert_and_stop);

    ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
    ck_assert(WIFSTOPPED(status));
    t0 = db_ms();
    ck_code(db_exec1(db, &in), EH_E_DB_BUSY);
    took = db_ms() - t0;
    ck_assert_double_ge(took, 700); /* 300 + 500 ms */
    ck_assert_double_lt(took, 1300);
    ck_assert_int_eq(in.calls, 0);
    kill(pid, SIGCONT);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert_rv_ok(db_exec1(db, &in));
    ck_sql("SELECT count(*) FROM t", "2");
}
END_TEST

/* The sqlite3 program, a backup: they know nothing of the mutex. */
START_TEST(a_foreign_writer_makes_us_busy_in_time)
{
    eh_db_t *db = open_t();
    one_t in = {&put, {"x", NULL}};
    sqlite3 *other;
    double t0, took;

    ck_assert_int_eq(sqlite3_open(path, &other), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    t0 = db_ms();
    ck_code(db_exec1(db, &in), EH_E_DB_BUSY);
    took = db_ms() - t0;
    ck_assert_double_ge(took, 700);
    ck_assert_double_lt(took, 1300);
    sqlite3_exec(other, "COMMIT", NULL, NULL, NULL);
    sqlite3_close(other);
    ck_assert_rv_ok(db_exec1(db, &in));
}
END_TEST

START_TEST(a_schema_change_meanwhile_is_not_noticed_by_callers)
{
    eh_dbpool_conf_t conf = db_conf();
    eh_db_t *db;
    one_t in = {&put, {"before", NULL}};

    open_t();
    conf.connections = 1;
    db = db_open(&conf);
    ck_assert_rv_ok(db_exec1(db, &in));
    sql("ALTER TABLE t ADD COLUMN w TEXT", NULL);
    sql("CREATE INDEX t_v ON t (v)", NULL);
    in.args[0] = "after";
    ck_assert_rv_ok(db_exec1(db, &in));
    ck_sql("SELECT count(*) FROM t", "2");
}
END_TEST

START_TEST(a_missing_file_is_not_made_anew)
{
    eh_db_t *db = open_t();
    one_t in = {&put, {"x", NULL}};
    struct stat st;

    reset();
    ck_code(db_exec1(db, &in), EH_E_DB_DOWN);
    ck_assert_int_ne(stat(path, &st), 0);
}
END_TEST

/* A child that starts before its state folder is in order has a pool all the same. */
START_TEST(a_folder_that_comes_later)
{
    const char *sub = apr_pstrcat(eh_test_pool, folder, "/later", NULL);
    eh_dbpool_conf_t conf = db_conf();
    one_t out = {&(const eh_stmt_t){"s-one", 0, {"SELECT 'one'"}}};
    eh_db_t *db;
    double t0;

    conf.params = apr_pstrcat(eh_test_pool, sub, "/ehealth.db", NULL);
    db = db_open(&conf);
    ck_code(db_select1(db, &out), EH_E_DB_DOWN);
    ck_assert_rv_ok(eh_migrate(&conf, 1, NULL, &db_log_port, eh_test_new_err(), eh_test_pool));
    t0 = db_ms();
    while (db_select1(db, &out) != APR_SUCCESS) {
        ck_assert_double_lt(db_ms() - t0, 1000);
        apr_sleep(apr_time_from_msec(10));
    }
    ck_assert_str_eq(eh_cell(out.rows, 0, 0), "one");
    ck_assert_int_eq(system(apr_pstrcat(eh_test_pool, "rm -r ", sub, NULL)), 0);
}
END_TEST

START_TEST(durable_and_checked)
{
    static const eh_stmt_t journal = {"p-journal", 0, {"PRAGMA journal_mode"}};
    static const eh_stmt_t sync = {"p-sync", 0, {"PRAGMA synchronous"}};
    static const eh_stmt_t keys = {"p-keys", 0, {"PRAGMA foreign_keys"}};
    static const eh_stmt_t busy = {"p-busy", 0, {"PRAGMA busy_timeout"}};
    eh_db_t *db = open_t();
    one_t j = {&journal}, s = {&sync}, k = {&keys}, b = {&busy};

    ck_assert_rv_ok(eh_db_run(db, EH_DB_WRITE, one_select, &j, eh_test_new_err(), eh_test_pool));
    ck_assert_str_eq(eh_cell(j.rows, 0, 0), "wal");
    ck_assert_rv_ok(eh_db_run(db, EH_DB_WRITE, one_select, &s, eh_test_new_err(), eh_test_pool));
    ck_assert_str_eq(eh_cell(s.rows, 0, 0), "2"); /* FULL */
    ck_assert_rv_ok(eh_db_run(db, EH_DB_WRITE, one_select, &k, eh_test_new_err(), eh_test_pool));
    ck_assert_str_eq(eh_cell(k.rows, 0, 0), "1");
    ck_assert_rv_ok(eh_db_run(db, EH_DB_WRITE, one_select, &b, eh_test_new_err(), eh_test_pool));
    ck_assert_str_eq(eh_cell(b.rows, 0, 0), "0");
}
END_TEST

static void mode_of(const char *file, mode_t mode, uid_t uid)
{
    struct stat st;

    ck_assert_msg(lstat(file, &st) == 0, "%s is missing", file);
    ck_assert_int_eq(st.st_mode & 07777, mode);
    ck_assert_int_eq(st.st_uid, uid);
}

/* In a folder that does not exist yet; as root for another user, when the test may. */
START_TEST(files_belong_to_the_servers_user_alone)
{
    const char *sub = apr_pstrcat(eh_test_pool, folder, "/state", NULL);
    eh_dbpool_conf_t conf = db_conf();
    uid_t uid = geteuid();
    mode_t old = umask(0);
    int applied = 0;

    conf.params = apr_pstrcat(eh_test_pool, sub, "/ehealth.db", NULL);
    if (uid == 0) {
        conf.run_as = 1;
        conf.uid = uid = 65534;
        conf.gid = 65534;
    }
    ck_assert_rv_ok(eh_migrate(&conf, 1, &applied, &db_log_port, eh_test_new_err(), eh_test_pool));
    umask(old);
    ck_assert_int_ge(applied, 1);
    mode_of(sub, 0700, uid);
    mode_of(conf.params, 0600, uid);
    mode_of(apr_pstrcat(eh_test_pool, conf.params, ".lock", NULL), 0600, uid);
    if (access(apr_pstrcat(eh_test_pool, conf.params, "-wal", NULL), F_OK) == 0)
        mode_of(apr_pstrcat(eh_test_pool, conf.params, "-wal", NULL), 0600, uid);
    unlink(conf.params);
    unlink(apr_pstrcat(eh_test_pool, conf.params, ".lock", NULL));
    if (geteuid() == 0) { /* errors come back from the other process whole */
        ck_assert_int_eq(chown(sub, 0, 0), 0);
        ck_code(eh_migrate(&conf, 1, &applied, &db_log_port, eh_test_new_err(), eh_test_pool), EH_E_STATE_FILE);
        ck_assert_ptr_nonnull(strstr(eh_test_err.cause, "ehealth.db"));
        ck_assert(APR_STATUS_IS_EACCES(eh_test_err.rv));
    }
    ck_assert_int_eq(rmdir(sub), 0);
}
END_TEST

START_TEST(only_plain_files)
{
    eh_dbpool_conf_t conf = db_conf();

    conf.params = ":memory:";
    ck_code(eh_dbpool_conf_check(&conf, eh_test_new_err(), eh_test_pool), EH_E_CONFIG);
    conf.params = "file:/tmp/x?mode=memory";
    ck_code(eh_dbpool_conf_check(&conf, eh_test_new_err(), eh_test_pool), EH_E_CONFIG);
}
END_TEST

/* --- the mutex by itself --- */

static apr_int64_t in_ms(int ms) { return (apr_int64_t)(db_ms() * 1000) + ms * 1000; }

static char *slurp(const char *file, size_t *plen)
{
    FILE *f = fopen(file, "rb");
    char *buf = apr_palloc(eh_test_pool, 4096);

    ck_assert_ptr_nonnull(f);
    *plen = fread(buf, 1, 4096, f);
    fclose(f);
    return buf;
}

static const char *spill(const char *file, const char *buf, size_t len)
{
    FILE *f = fopen(file, "wb");

    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(buf, 1, len, f), len);
    fclose(f);
    return file;
}

/* A file whose mutex was held when the machine went down: only the boot id tells that nobody holds it. */
START_TEST(a_mutex_of_an_earlier_boot_is_free)
{
    const char *file = beside(".m"), *copy = beside(".m2");
    size_t len, idlen, i;
    char *bytes, *id;
    eh_wmutex_t *held, *same, *rebooted;

    held = eh_wmutex_make(file, eh_test_pool);
    ck_assert_rv_ok(eh_wmutex_open(held));
    ck_assert_rv_ok(eh_wmutex_lock(held, in_ms(200)));
    bytes = slurp(file, &len);
    id = slurp("/proc/sys/kernel/random/boot_id", &idlen);
    ck_assert_uint_ge(idlen, 36);
    spill(copy, bytes, len);
    same = eh_wmutex_make(copy, eh_test_pool);
    ck_assert_rv_ok(eh_wmutex_open(same));
    ck_assert_int_eq(eh_wmutex_lock(same, in_ms(100)), APR_TIMEUP);
    for (i = 0; i + 36 <= len && memcmp(bytes + i, id, 36); i++)
        continue;
    ck_assert_uint_le(i + 36, len);
    bytes[i] = bytes[i] == '0' ? '1' : '0';
    spill(copy, bytes, len);
    rebooted = eh_wmutex_make(copy, eh_test_pool);
    ck_assert_rv_ok(eh_wmutex_open(rebooted));
    ck_assert_rv_ok(eh_wmutex_lock(rebooted, in_ms(100)));
    eh_wmutex_unlock(rebooted);
    eh_wmutex_unlock(held);
    unlink(file);
    unlink(copy);
}
END_TEST

START_TEST(the_mutex_file_is_no_way_out)
{
    const char *file = beside(".m"), *target = beside(".target");
    eh_wmutex_t *m = eh_wmutex_make(file, eh_test_pool);
    struct stat st;

    ck_assert_int_eq(symlink(target, file), 0);
    ck_assert_int_ne(eh_wmutex_open(m), APR_SUCCESS);
    ck_assert_int_ne(stat(target, &st), 0);
    unlink(file);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("db_sqlite");
    TCase *tc;
    int rc;

    if (!mkdtemp(folder)) return 1;
    if (chmod(folder, 0711)) return 1; /* the other user of a test passes through */
    snprintf(path, sizeof(path), "%s/ehealth.db", folder);
    db_contract_cases(suite);

    tc = eh_test_case(suite, "sqlite");
    tcase_add_test(tc, a_writer_that_dies_gives_the_mutex_back);
    tcase_add_test(tc, a_writer_that_hangs_makes_others_busy_in_time);
    tcase_add_test(tc, a_foreign_writer_makes_us_busy_in_time);
    tcase_add_test(tc, a_schema_change_meanwhile_is_not_noticed_by_callers);
    tcase_add_test(tc, a_missing_file_is_not_made_anew);
    tcase_add_test(tc, a_folder_that_comes_later);
    tcase_add_test(tc, durable_and_checked);
    tcase_add_test(tc, files_belong_to_the_servers_user_alone);
    tcase_add_test(tc, only_plain_files);
    tcase_add_test(tc, a_mutex_of_an_earlier_boot_is_free);
    tcase_add_test(tc, the_mutex_file_is_no_way_out);

    rc = eh_test_main(suite);
    apr_initialize();
    apr_pool_create(&eh_test_pool, NULL);
    reset();
    apr_terminate();
    rmdir(folder);
    return rc;
}
