/* SPDX-License-Identifier: Apache-2.0 */
/* The audit chain over the real pool, on SQLite and, where it is installed, on PostgreSQL. */
#include "t/unit/eh_test.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ehealth/audit.h"
#include "ehealth/codec.h"
#include "ehealth/crypto.h"
#include "ehealth/db_pool.h"

#define ROWS 1203
#define EARLY 1000 /* sealed first; the head of that moment is kept */

static char folder[] = "/tmp/eh-chain-XXXXXX", sqlite_path[64], pg_params[256];
static const char *const drivers[][2] = {{"sqlite3", sqlite_path}, {"pgsql", pg_params}};
static int driver_count = 1;

static eh_dbpool_conf_t conf;
static eh_db_t *db;
static const char *early_head;

static void quiet(void *baton, eh_log_e level, apr_status_t rv, const char *tag, const char *message) {}
static const eh_log_t silence = {EH_LOG_ERR, quiet, NULL};

static eh_keyring_t *ring(const char *ids)
{
    unsigned char bytes[EH_KEY_LEN];
    const char *text = "";
    eh_keyring_t *r = NULL;

    /* "a1" is key 1, made from "a": a key file refuses bytes that are all alike */
    for (; *ids; ids += 2) {
        eh_sha256(bytes, ids, 1);
        text = apr_psprintf(eh_test_pool, "%s%c %s\n", text, ids[1], eh_b64url(eh_test_pool, bytes, sizeof(bytes)));
    }
    ck_assert_msg(eh_keyring_parse(&r, text, strlen(text), eh_test_new_err(), eh_test_pool) == APR_SUCCESS, "%s %s",
                  eh_test_err.detail, eh_test_err.cause);
    return r;
}

typedef struct sql_t {
    const char *text, *value;
    int affected;
} sql_t;

static apr_status_t sql_tx(eh_tx_t *tx, void *baton, eh_err_t *err, apr_pool_t *p)
{
    static int serial;
    sql_t *sql = baton;
    eh_stmt_t *stmt = apr_pcalloc(eh_test_pool, sizeof(*stmt));
    eh_rows_t *rows;
    apr_status_t rv;

    stmt->name = apr_psprintf(eh_test_pool, "test-%d", serial++);
    stmt->sql[EH_DB_SQLITE] = sql->text;
    if (strncmp(sql->text, "SELECT", 6) != 0) return eh_tx_exec(tx, stmt, NULL, &sql->affected, err);
    rv = eh_tx_select(tx, stmt, NULL, &rows, err, eh_test_pool);
    sql->value = rv == APR_SUCCESS && rows->nrows ? eh_cell(rows, 0, 0) : NULL;
    return rv;
}

/* Statements separated by ';'. Returns the first cell of the last one when it is a SELECT. */
static const char *sql(const char *text)
{
    char *state, *copy = apr_pstrdup(eh_test_pool, text), *one;
    sql_t s = {NULL};

    for (one = apr_strtok(copy, ";", &state); one; one = apr_strtok(NULL, ";", &state)) {
        s.text = one + strspn(one, " ");
        s.value = NULL;
        ck_assert_msg(eh_db_run(db, EH_DB_WRITE, sql_tx, &s, eh_test_new_err(), eh_test_pool) == APR_SUCCESS, "%s: %s",
                      s.text, eh_test_err.cause);
    }
    return s.value;
}

static apr_status_t insert_tx(eh_tx_t *tx, void *baton, eh_err_t *err, apr_pool_t *p)
{
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < *(int *)baton && rv == APR_SUCCESS; i++) {
        eh_audit_rec_t rec = {.at = 1700000000000000 + i,
                              .event = "login.success",
                              .outcome = EH_OUTCOME_DENIED,
                              .code = "EH5001",
                              .actor = apr_psprintf(p, "actor-%d", i),
                              .subject = "",
                              .tenant = "st-jean",
                              .provider = "psc",
                              .remote = "192.0.2.1",
                              .host = "https://h.example",
                              .correlation = apr_psprintf(p, "c-%d", i),
                              .detail = "caf\xc3\xa9 'x' %s \\"};
        rv = eh_audit_insert(tx, &rec, err, p);
    }
    return rv;
}

static void insert(int n)
{
    ck_assert_int_eq(eh_db_run(db, EH_DB_WRITE, insert_tx, &n, eh_test_new_err(), eh_test_pool), APR_SUCCESS);
}

static int seal(const eh_keyring_t *keys, int max)
{
    int sealed = -1;

    ck_assert_msg(eh_audit_seal(db, keys, max, &sealed, eh_test_new_err(), eh_test_pool) == APR_SUCCESS, "EH%d %s",
                  eh_test_err.code, eh_test_err.cause);
    return sealed;
}

static eh_audit_verdict_t verify(const eh_keyring_t *keys)
{
    eh_audit_verdict_t verdict;

    ck_assert_msg(eh_audit_verify(db, keys, &verdict, eh_test_new_err(), eh_test_pool) == APR_SUCCESS, "EH%d %s",
                  eh_test_err.code, eh_test_err.cause);
    return verdict;
}

static void open_fresh(int driver)
{
    const char *const tables[] = {"eh_audit", "eh_audit_head", "eh_lease"};
    size_t i;

    eh_dbpool_conf_init(&conf, drivers[driver][0], drivers[driver][1]);
    conf.query_timeout = apr_time_from_sec(20);
    ck_assert_int_eq(eh_migrate(&conf, 1700000000000000, NULL, &silence, eh_test_new_err(), eh_test_pool), APR_SUCCESS);
    ck_assert_int_eq(eh_dbpool_create(&db, &conf, &silence, NULL, eh_test_new_err(), eh_test_pool), APR_SUCCESS);
    for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
        sql(apr_pstrcat(eh_test_pool, "DELETE FROM ", tables[i], NULL));
}

static void open_sealed(int driver)
{
    open_fresh(driver);
    insert(ROWS);
    ck_assert_int_eq(seal(ring("a1"), EARLY), EARLY);
    early_head = sql("SELECT head_sealed FROM eh_audit_head");
    ck_assert_int_eq(seal(ring("a1"), 100000), ROWS - EARLY);
    ck_assert_int_eq(seal(ring("a1"), 1000), 0);
}

START_TEST(sound)
{
    eh_audit_verdict_t v;

    open_fresh(_i);
    v = verify(ring("a1"));
    ck_assert_int_eq(v.rows + v.unsealed + v.bad_seq, 0);
    ck_assert_str_eq(v.reason, "");
    ck_assert_str_eq(v.head, "");
    insert(3);
    ck_assert_int_eq(seal(ring("a1"), 2), 2);
    v = verify(ring("a1"));
    ck_assert_int_eq(v.rows, 2);
    ck_assert_int_eq(v.unsealed, 1);
    ck_assert_str_eq(v.reason, "");
    ck_assert_int_eq(seal(ring("a1"), 0), 1); /* at least one */
    insert(1);
    ck_assert_int_eq(seal(ring("a1"), 100), 1);
    v = verify(ring("a1"));
    ck_assert_int_eq(v.rows, 4);
    ck_assert_str_eq(v.reason, "");
    ck_assert_int_eq(strncmp(v.head, "4 ", 2), 0);
    ck_assert_uint_eq(strlen(v.head), 2 + 43);
}
END_TEST

/* The format of the seal, from its description, over the first row: stored chains must verify for ever. */
START_TEST(format)
{
    static const char cols[] = "event,outcome,code,actor,subject,tenant,provider,remote,host,correlation,detail";
    unsigned char key[EH_KEY_LEN], derived[EH_KEY_LEN], mac[EH_SHA256_LEN];
    const char *seq, *text;
    char *names, *name, *state;

    open_fresh(_i);
    insert(1);
    seal(ring("a1"), 1);
    seq = sql("SELECT seq FROM eh_audit");
    text = apr_psprintf(eh_test_pool,
                        "\x1e"
                        "eh-audit-1,1,1,%d:%s,16:1700000000000000,",
                        (int)strlen(seq), seq);
    names = apr_pstrdup(eh_test_pool, cols);
    for (name = apr_strtok(names, ",", &state); name; name = apr_strtok(NULL, ",", &state)) {
        const char *cell = sql(apr_psprintf(eh_test_pool, "SELECT %s FROM eh_audit", name));
        text = apr_psprintf(eh_test_pool, "%s%d:%s,", text, (int)strlen(cell), cell);
    }
    eh_sha256(key, "a", 1);
    ck_assert_int_eq(eh_hkdf_sha256(derived, sizeof(derived), key, sizeof(key), NULL, 0, "ehealth/1/audit"),
                     APR_SUCCESS);
    eh_hmac_sha256(mac, derived, sizeof(derived), text, strlen(text));
    ck_assert_str_eq(sql("SELECT seal FROM eh_audit"), eh_b64url(eh_test_pool, mac, sizeof(mac)));
}
END_TEST

#define SHIFT_UP                                                                 \
    "UPDATE eh_audit SET chain_seq = chain_seq + 100000 WHERE chain_seq >= 700;" \
    "UPDATE eh_audit SET chain_seq = chain_seq - 99999 WHERE chain_seq >= 100000;"
#define COPY                                                                                                       \
    "INSERT INTO eh_audit (at, event, outcome, code, actor, subject, tenant, provider, remote, host, correlation," \
    " detail, chain_seq, key_id, seal) SELECT at, event, outcome, code, actor, subject, tenant, provider, remote," \
    " host, correlation, detail, "

static const struct {
    const char *sql, *reason;
    int place;
} tampered[] = {
    /* edit */
    {"UPDATE eh_audit SET seq = 999999 WHERE chain_seq = 700", "edited", 700},
    {"UPDATE eh_audit SET at = at + 1 WHERE chain_seq = 1", "edited", 1},
    {"UPDATE eh_audit SET event = 'login.refused' WHERE chain_seq = 700", "edited", 700},
    {"UPDATE eh_audit SET outcome = 'ok' WHERE chain_seq = 700", "edited", 700},
    {"UPDATE eh_audit SET code = '' WHERE chain_seq = 700", "edited", 700},
    {"UPDATE eh_audit SET actor = 'x' WHERE chain_seq = 1203", "edited", 1203},
    {"UPDATE eh_audit SET subject = 'x' WHERE chain_seq = 700", "edited", 700},
    {"UPDATE eh_audit SET tenant = 'x' WHERE chain_seq = 700", "edited", 700},
    {"UPDATE eh_audit SET provider = 'x' WHERE chain_seq = 700", "edited", 700},
    {"UPDATE eh_audit SET remote = 'x' WHERE chain_seq = 1000", "edited", 1000},
    {"UPDATE eh_audit SET host = 'x' WHERE chain_seq = 1001", "edited", 1001},
    {"UPDATE eh_audit SET correlation = 'x' WHERE chain_seq = 700", "edited", 700},
    {"UPDATE eh_audit SET detail = detail || ' ' WHERE chain_seq = 700", "edited", 700},
    {"UPDATE eh_audit SET subject = actor, actor = '' WHERE chain_seq = 700", "edited", 700},
    {"UPDATE eh_audit SET seal = 'x' WHERE chain_seq = 700", "edited", 700},
    {"UPDATE eh_audit SET seal = NULL WHERE chain_seq = 700", "edited", 700},
    {"UPDATE eh_audit SET key_id = NULL WHERE chain_seq = 700", "edited", 700},
    {"UPDATE eh_audit SET key_id = 2 WHERE chain_seq = 700", "key", 700},
    {"UPDATE eh_audit SET seal = (SELECT seal FROM eh_audit WHERE chain_seq = 699) WHERE chain_seq = 700", "edited",
     700},
    /* delete */
    {"DELETE FROM eh_audit WHERE chain_seq = 1", "missing", 1},
    {"DELETE FROM eh_audit WHERE chain_seq = 700", "missing", 700},
    {"DELETE FROM eh_audit WHERE chain_seq BETWEEN 200 AND 1202", "missing", 200},
    {"UPDATE eh_audit SET chain_seq = NULL, key_id = NULL, seal = NULL WHERE chain_seq = 700", "missing", 700},
    {"DELETE FROM eh_audit WHERE chain_seq = 700; UPDATE eh_audit SET chain_seq = chain_seq + 100000 WHERE chain_seq > "
     "700;"
     "UPDATE eh_audit SET chain_seq = chain_seq - 100001 WHERE chain_seq > 100000",
     "edited", 700},
    /* insert */
    {COPY "1204, key_id, seal FROM eh_audit WHERE chain_seq = 1203", "edited", 1204},
    {COPY "0, key_id, seal FROM eh_audit WHERE chain_seq = 1", "order", 1},
    {COPY "-5, key_id, seal FROM eh_audit WHERE chain_seq = 700", "order", 1},
    {SHIFT_UP COPY "700, key_id, seal FROM eh_audit WHERE chain_seq = 699", "edited", 700},
    /* swap */
    {"UPDATE eh_audit SET chain_seq = -1 WHERE chain_seq = 300; UPDATE eh_audit SET chain_seq = 300 WHERE chain_seq = "
     "900;"
     "UPDATE eh_audit SET chain_seq = 900 WHERE chain_seq = -1",
     "order", 300},
    {"UPDATE eh_audit SET chain_seq = -1 WHERE chain_seq = 1; UPDATE eh_audit SET chain_seq = 1 WHERE chain_seq = 2;"
     "UPDATE eh_audit SET chain_seq = 2 WHERE chain_seq = -1",
     "order", 1},
    /* cut tail */
    {"DELETE FROM eh_audit WHERE chain_seq = 1203", "tail", 1203},
    {"DELETE FROM eh_audit WHERE chain_seq > 1000", "tail", 1001},
    {"DELETE FROM eh_audit WHERE chain_seq > 1000; UPDATE eh_audit_head SET chain_seq = 1000", "tail", 1001},
    {"DELETE FROM eh_audit_head", "tail", 1204},
    {"UPDATE eh_audit_head SET head_sealed = 'x'", "tail", 1204},
    /* empty table */
    {"DELETE FROM eh_audit", "tail", 1},
};

START_TEST(every_fault_is_found)
{
    eh_audit_verdict_t v;
    const char *head;

    open_sealed(_i);
    v = verify(ring("a1"));
    ck_assert_str_eq(v.reason, "");
    ck_assert_int_eq(v.rows, ROWS);
    sql("DROP TABLE IF EXISTS kept; DROP TABLE IF EXISTS kept_head; CREATE TABLE kept AS SELECT * FROM eh_audit;"
        "CREATE TABLE kept_head AS SELECT * FROM eh_audit_head");
    for (size_t i = 0; i < sizeof(tampered) / sizeof(tampered[0]); i++) {
        sql(tampered[i].sql);
        v = verify(ring("a1"));
        ck_assert_msg(strcmp(v.reason, tampered[i].reason) == 0 && v.bad_seq == tampered[i].place, "%s: '%s' at %d",
                      tampered[i].sql, v.reason, (int)v.bad_seq);
        sql("DELETE FROM eh_audit; DELETE FROM eh_audit_head; INSERT INTO eh_audit SELECT * FROM kept;"
            "INSERT INTO eh_audit_head SELECT * FROM kept_head");
    }
    ck_assert_str_eq(verify(ring("a1")).reason, "");

    /* The head of an earlier moment, genuine, over all rows; then rows cut to fit it, which the head alone cannot show. */
    sql(apr_psprintf(eh_test_pool, "UPDATE eh_audit_head SET chain_seq = %d, head_sealed = '%s'", EARLY, early_head));
    v = verify(ring("a1"));
    ck_assert_str_eq(v.reason, "tail");
    sql("DELETE FROM eh_audit WHERE chain_seq > 1000");
    v = verify(ring("a1"));
    ck_assert_str_eq(v.reason, "");
    head = v.head;
    ck_assert_msg(strncmp(head, "1000 ", 5) == 0, "a head noted elsewhere tells: %s", head);
    sql("DROP TABLE kept; DROP TABLE kept_head");
}
END_TEST

START_TEST(keys)
{
    eh_audit_verdict_t v;
    int sealed;

    open_sealed(_i);
    v = verify(ring("b1")); /* the same id, another key */
    ck_assert_str_eq(v.reason, "key");
    ck_assert_int_eq(v.bad_seq, 1);
    v = verify(ring("a2")); /* the key under another id: id 1 is not there */
    ck_assert_str_eq(v.reason, "key");
    ck_assert_int_eq(v.bad_seq, 1);

    /* Rotation: the chain goes on under the new key, and wants both. */
    insert(2);
    ck_assert_int_eq(seal(ring("b2a1"), 100), 2);
    ck_assert_str_eq(sql("SELECT max(key_id) FROM eh_audit"), "2");
    v = verify(ring("b2a1"));
    ck_assert_str_eq(v.reason, "");
    ck_assert_int_eq(v.rows, ROWS + 2);
    v = verify(ring("b2"));
    ck_assert_str_eq(v.reason, "key");
    ck_assert_int_eq(v.bad_seq, 1);
    v = verify(ring("a1"));
    ck_assert_str_eq(v.reason, "key");
    ck_assert_int_eq(v.bad_seq, ROWS + 1);

    /* A chain whose head does not open, or is gone, is not continued by guess. */
    insert(1);
    ck_assert_int_ne(eh_audit_seal(db, ring("c2a1"), 100, &sealed, eh_test_new_err(), eh_test_pool), APR_SUCCESS);
    ck_assert_int_eq(eh_test_err.code, EH_E_AUDIT_CHAIN);
    ck_assert_int_eq(sealed, 0);
    sql("DELETE FROM eh_audit_head");
    ck_assert_int_ne(eh_audit_seal(db, ring("b2a1"), 100, &sealed, eh_test_new_err(), eh_test_pool), APR_SUCCESS);
    ck_assert_int_eq(eh_test_err.code, EH_E_AUDIT_CHAIN);
    ck_assert_str_eq(sql("SELECT count(*) FROM eh_audit WHERE chain_seq IS NULL"), "1");
}
END_TEST

/* Within an open transaction that has inserted a row: a later row is committed, and somebody seals. */
/* Writes over whatever memory has been given back. */
static void reuse_memory(void)
{
    apr_pool_t *p;
    int i;

    apr_pool_create(&p, eh_test_pool);
    for (i = 0; i < 32; i++)
        memset(apr_palloc(p, 4096), 'x', 4096);
    apr_pool_destroy(p);
}

START_TEST(failures_can_be_read_afterwards)
{
    eh_audit_verdict_t verdict;
    int sealed;

    open_fresh(_i);
    insert(1);
    sql("ALTER TABLE eh_audit_head RENAME TO eh_audit_hidden");
    ck_assert_int_ne(eh_audit_seal(db, ring("a1"), 100, &sealed, eh_test_new_err(), eh_test_pool), APR_SUCCESS);
    reuse_memory();
    ck_assert_int_eq(eh_test_err.code, EH_E_DB_QUERY);
    ck_assert_ptr_nonnull(strstr(eh_test_err.cause, "audit-"));
    ck_assert_int_ne(eh_audit_verify(db, ring("a1"), &verdict, eh_test_new_err(), eh_test_pool), APR_SUCCESS);
    reuse_memory();
    ck_assert_int_eq(eh_test_err.code, EH_E_DB_QUERY);
    ck_assert_ptr_nonnull(strstr(eh_test_err.cause, "audit-"));
    sql("ALTER TABLE eh_audit_hidden RENAME TO eh_audit_head");
}
END_TEST

static apr_status_t late_tx(eh_tx_t *tx, void *baton, eh_err_t *err, apr_pool_t *p)
{
    int one = 1;
    apr_status_t rv = insert_tx(tx, &one, err, p);

    if (rv != APR_SUCCESS) return rv;
    insert(2);
    *(int *)baton = seal(ring("a1"), 100);
    return APR_SUCCESS;
}

/* While another sealer holds the lease. */
static apr_status_t held_tx(eh_tx_t *tx, void *baton, eh_err_t *err, apr_pool_t *p)
{
    static const eh_stmt_t hold = {
        "test-hold", 0, {"SELECT 1 FROM eh_lease WHERE name = 'audit-seal' FOR UPDATE", NULL}};
    eh_rows_t *rows;
    apr_status_t rv = eh_tx_select(tx, &hold, NULL, &rows, err, p);

    if (rv == APR_SUCCESS) *(int *)baton = seal(ring("a1"), 100);
    return rv;
}

START_TEST(open_transactions)
{
    int sealed = -1;

    if (strcmp(drivers[_i][0], "pgsql") != 0) return; /* SQLite has one writer: there is no such moment */
    open_fresh(_i);
    insert(1);
    ck_assert_int_eq(seal(ring("a1"), 100), 1);
    ck_assert_int_eq(eh_db_run(db, EH_DB_WRITE, late_tx, &sealed, eh_test_new_err(), eh_test_pool), APR_SUCCESS);
    ck_assert_int_eq(sealed, 0); /* not past the open one, whose row has the lower number */
    insert(1);
    ck_assert_int_eq(eh_db_run(db, EH_DB_WRITE, held_tx, &sealed, eh_test_new_err(), eh_test_pool), APR_SUCCESS);
    ck_assert_int_eq(sealed, 0);
    ck_assert_int_eq(seal(ring("a1"), 100), 4);
    ck_assert_str_eq(verify(ring("a1")).reason, "");
    ck_assert_str_eq(
        sql("SELECT count(*) FROM eh_audit a JOIN eh_audit b ON a.chain_seq < b.chain_seq AND a.seq > b.seq"), "0");
}
END_TEST

static int pg(const char *action, char *out, int size)
{
    const char *src = getenv("EH_SRCDIR");
    const char *top = src ? src : getenv("srcdir");
    char command[512];
    FILE *f;
    int rc;

    snprintf(command, sizeof(command), "sh %s/t/unit/pg.sh %s %s", top ? top : ".", action, folder);
    if (!(f = popen(command, "r"))) return 1;
    if (out && !fgets(out, size, f)) *out = '\0';
    rc = pclose(f);
    return WIFEXITED(rc) ? WEXITSTATUS(rc) : 1;
}

int main(void)
{
    Suite *suite = suite_create("audit chain");
    TCase *tc = eh_test_case(suite, "chain");
    char line[256] = "";
    int rc;

    if (!mkdtemp(folder) || eh_crypto_init() != APR_SUCCESS) return 1;
    chmod(folder, 0711);
    snprintf(sqlite_path, sizeof(sqlite_path), "%s/ehealth.db", folder);
    rc = pg("start", line, sizeof(line));
    if (rc == 0) {
        line[strcspn(line, "\n")] = '\0';
        snprintf(pg_params, sizeof(pg_params), "host=127.0.0.1 port=%.10s user=eh dbname=postgres", line);
        driver_count = 2;
    } else if (rc != 77) {
        fprintf(stderr, "pg.sh start: %d\n", rc);
        return 1;
    }
    tcase_add_loop_test(tc, sound, 0, driver_count);
    tcase_add_loop_test(tc, format, 0, driver_count);
    tcase_add_loop_test(tc, every_fault_is_found, 0, driver_count);
    tcase_add_loop_test(tc, keys, 0, driver_count);
    tcase_add_loop_test(tc, failures_can_be_read_afterwards, 0, driver_count);
    tcase_add_loop_test(tc, open_transactions, 0, driver_count);
    rc = eh_test_main(suite);
    if (driver_count == 2) pg("remove", NULL, 0);
    snprintf(line, sizeof(line), "rm -rf %s", folder);
    return system(line) != 0 || rc;
}
