/* SPDX-License-Identifier: Apache-2.0 */
#include "db_internal.h"

#include <apr_strings.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_TIMEOUT_MAX 30    /* s: a caller's thread waits for it */
#define SERVER_VERSION_MIN 130000 /* xid8 */

static void wipe(void *data)
{
    char *s = data;

    explicit_bzero(s, strlen(s));
}

static apr_status_t wipe_cleanup(void *data)
{
    wipe(data);
    return APR_SUCCESS;
}

/* key='value' with libpq's quoting. */
static char *append_option(char *conninfo, const char *key, const char *value, apr_pool_t *p)
{
    char *quoted = apr_palloc(p, 2 * strlen(value) + 1), *q = quoted, *joined;

    for (; *value; value++) {
        if (*value == '\'' || *value == '\\') *q++ = '\\';
        *q++ = *value;
    }
    *q = '\0';
    joined = apr_psprintf(p, "%s%s%s='%s'", conninfo, *conninfo ? " " : "", key, quoted);
    wipe(quoted);
    wipe(conninfo);
    return joined;
}

static const char *option(const PQconninfoOption *options, const char *key)
{
    for (; options->keyword; options++) {
        if (!strcmp(options->keyword, key)) return options->val;
    }
    return NULL;
}

/* Given options first, then what is missing of ours: a deadline on every way in which a server can fall silent. */
static const char *rebuild(const PQconninfoOption *options, const eh_dbpool_conf_t *conf, apr_pool_t *p)
{
    apr_int64_t query_ms = apr_time_as_msec(conf->query_timeout);
    const struct {
        const char *key, *value;
    } ours[] = {
        {"connect_timeout", query_ms < 3000 ? "2" : "3"},
        {"tcp_user_timeout", apr_psprintf(p, "%" APR_INT64_T_FMT, query_ms)},
        {"keepalives_idle", "30"},
        {"keepalives_interval", "5"},
        {"keepalives_count", "3"},
        {"client_encoding", "UTF8"},
        {"application_name", "ehealth"},
    };
    char *conninfo = apr_pstrdup(p, "");
    const PQconninfoOption *o;
    size_t i;

    for (o = options; o->keyword; o++) {
        if (o->val && strcmp(o->keyword, "client_encoding")) conninfo = append_option(conninfo, o->keyword, o->val, p);
    }
    for (i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        if (!option(options, ours[i].key) || !strcmp(ours[i].key, "client_encoding")) {
            conninfo = append_option(conninfo, ours[i].key, ours[i].value, p);
        }
    }
    apr_pool_cleanup_register(p, conninfo, wipe_cleanup, apr_pool_cleanup_null);
    return conninfo;
}

static apr_status_t pg_params(const char **pparams, const eh_dbpool_conf_t *conf, eh_err_t *err, apr_pool_t *p)
{
    /* Its message is dropped: it quotes the text, maybe the password. */
    PQconninfoOption *options = PQconninfoParse(conf->params, NULL);
    const char *timeout;
    apr_status_t rv = APR_SUCCESS;

    if (!options) {
        return eh_err_set(err, EH_E_CONFIG, APR_EINVAL,
                          "The PostgreSQL parameters are not a connection string such as \"host=db dbname=ehealth\".");
    }
    timeout = option(options, "connect_timeout");
    if (timeout && (atoi(timeout) < 2 || atoi(timeout) > CONNECT_TIMEOUT_MAX)) {
        rv = eh_err_set(err, EH_E_CONFIG, APR_EINVAL, "connect_timeout of PostgreSQL must be 2 to 30 seconds.");
    } else if (pparams) {
        *pparams = rebuild(options, conf, p);
    }
    PQconninfoFree(options);
    return rv;
}

static apr_status_t pg_init(eh_dbpool_t *pool, eh_err_t *err)
{
    apr_status_t rv = eh_db_watcher_start(&pool->watcher, pool->p);

    return rv == APR_SUCCESS ? rv : eh_err_set(err, EH_E_INTERNAL, rv, NULL);
}

static apr_status_t pg_before_open(eh_dbpool_t *pool, const char **cause, apr_pool_t *p) { return APR_SUCCESS; }

/* Notices would go to stderr with values of rows in them. */
static void drop_notice(void *arg, const PGresult *res) {}

static apr_status_t pg_after_open(db_conn_t *c, const char **cause)
{
    PGconn *conn = c->native;

    PQsetNoticeReceiver(conn, drop_notice, NULL);
    PQsetErrorVerbosity(conn, PQERRORS_SQLSTATE);
    if (PQserverVersion(conn) < SERVER_VERSION_MIN) {
        *cause = "PostgreSQL 13 or newer is needed";
        return APR_EGENERAL;
    }
    return APR_SUCCESS;
}

/* Reads what an idle server has sent: nothing, a changed setting – or its farewell. */
static int still_open(PGconn *conn)
{
    struct pollfd fd = {.fd = PQsocket(conn), .events = POLLIN};

    if (fd.fd < 0 || PQstatus(conn) != CONNECTION_OK) return 0;
    while (poll(&fd, 1, 0) > 0) {
        if (!PQconsumeInput(conn) || PQstatus(conn) != CONNECTION_OK) return 0;
        PQisBusy(conn); /* parses what was read */
    }
    return PQstatus(conn) == CONNECTION_OK;
}

static int pg_alive(db_conn_t *c) { return still_open(c->native) && PQtransactionStatus(c->native) == PQTRANS_IDLE; }

/* With verbosity SQLSTATE the message is "ERROR:  23505", whatever the language of the first word. */
static void sqlstate(const char *message, char *state, size_t size)
{
    size_t end = strcspn(message, "\n"), i;

    *state = '\0';
    while (end && message[end - 1] == ' ')
        end--;
    if (end < 6 || message[end - 6] != ' ') return;
    for (i = end - 5; i < end; i++) {
        if (!((message[i] >= '0' && message[i] <= '9') || (message[i] >= 'A' && message[i] <= 'Z'))) return;
    }
    apr_cpystrn(state, message + end - 5, size < 6 ? size : 6);
}

static const struct {
    const char *prefix;
    db_fault_e kind;
} states[] = {
    {"23505", DB_FAULT_UNIQUE}, {"57014", DB_FAULT_TIMEOUT}, {"40001", DB_FAULT_SERIAL}, {"40P01", DB_FAULT_SERIAL},
    {"55P03", DB_FAULT_BUSY},   {"08", DB_FAULT_BROKEN},     {"57P", DB_FAULT_BROKEN},   {"25P03", DB_FAULT_BROKEN},
    {"25006", DB_FAULT_BROKEN}, /* read-only: the server was demoted; another host of the list may lead now */
    {"53", DB_FAULT_DOWN},      {"58", DB_FAULT_DOWN},
};

static void pg_classify(db_conn_t *c, int rc, db_fault_t *fault)
{
    const char *message = apr_dbd_error(c->pool->driver, c->handle, rc);
    size_t i;

    sqlstate(message ? message : "", fault->state, sizeof(fault->state));
    fault->kind = DB_FAULT_QUERY;
    for (i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        if (!strncmp(fault->state, states[i].prefix, strlen(states[i].prefix))) fault->kind = states[i].kind;
    }
    if (PQstatus(c->native) != CONNECTION_OK) fault->kind = DB_FAULT_BROKEN;
}

static int query(db_conn_t *c, const char *sql)
{
    int n = 0;

    return apr_dbd_query(c->pool->driver, c->handle, &n, sql);
}

/* One round trip. The server's own timeout comes a little before our deadline and spares the connection; it also ends the
 * work there, which a cut socket does not. SET LOCAL, because a pooler in between may hand the session to others. */
static int pg_begin(db_conn_t *c, eh_db_mode_e mode)
{
    apr_int64_t left = apr_time_as_msec(c->deadline - db_mono()), ms = left - left / 10;
    char sql[256];

    if (ms < 1) ms = 1;
    apr_snprintf(sql, sizeof(sql),
                 "BEGIN%s;SET LOCAL statement_timeout=%" APR_INT64_T_FMT
                 ";SET LOCAL idle_in_transaction_session_timeout=%" APR_INT64_T_FMT,
                 mode == EH_DB_READ ? " ISOLATION LEVEL REPEATABLE READ READ ONLY" : "", ms, 2 * left + 1000);
    return query(c, sql);
}

static int pg_commit(db_conn_t *c)
{
    /* A server that is gone before COMMIT is sent has not committed: that is worth a look. */
    c->commit_sent = 0;
    if (!still_open(c->native)) return -1;
    /* COMMIT of a failed transaction is answered like a success. */
    if (PQtransactionStatus(c->native) != PQTRANS_INTRANS) return -1;
    c->commit_sent = 1;
    return query(c, "COMMIT");
}

static int pg_rollback(db_conn_t *c) { return query(c, "ROLLBACK"); }

static int pg_reads_only(db_conn_t *c) { return 1; } /* BEGIN … READ ONLY */

static void pg_arm(db_conn_t *c) { eh_db_watch_arm(c->pool->watcher, &c->watch, PQsocket(c->native), c->deadline); }

static int pg_disarm(db_conn_t *c)
{
    c->deadline = 0;
    return eh_db_watch_disarm(c->pool->watcher, &c->watch);
}

const db_dialect_t eh_db_pgsql = {
    .driver = "pgsql",
    .id = EH_DB_PGSQL,
    .params = pg_params,
    .init = pg_init,
    .before_open = pg_before_open,
    .after_open = pg_after_open,
    .alive = pg_alive,
    .classify = pg_classify,
    .begin = pg_begin,
    .commit = pg_commit,
    .rollback = pg_rollback,
    .reads_only = pg_reads_only,
    .script = query,
    .arm = pg_arm,
    .disarm = pg_disarm,
};
