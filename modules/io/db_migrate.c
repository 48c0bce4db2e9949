/* SPDX-License-Identifier: Apache-2.0 */
#include "db_internal.h"
#include "db_sql.h"

#include <apr_strings.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIGRATE_TIMEOUT apr_time_from_sec(600) /* of one file */
#define MIGRATE_ACQUIRE apr_time_from_sec(10)

static const char newer[] = "The database was made by a newer version of this software; update this server.";
static const char changed[] = "A migration was changed after it had been applied to this database.";
static const char missing[] = "The database is not up to date; run: ehctl migrate";

/* Waits for other servers that migrate; SQLite's writers are alone anyway. */
static const eh_stmt_t stmt_lock = {
    "migrate-lock", 0, {"SELECT '1'", "SELECT pg_advisory_xact_lock(4992030523113472)::text"}};
static const eh_stmt_t stmt_exists = {"migrate-exists",
                                      0,
                                      {"SELECT count(*) FROM sqlite_master WHERE type='table' AND name='eh_migration'",
                                       "SELECT CASE WHEN to_regclass('eh_migration') IS NULL THEN 0 ELSE 1 END"}};
static const eh_stmt_t stmt_list = {"migrate-list", 0, {"SELECT version, checksum FROM eh_migration ORDER BY version"}};
static const eh_stmt_t stmt_add = {
    "migrate-add",
    4,
    {"INSERT INTO eh_migration (version, name, checksum, applied_at) VALUES (%s, %s, %s, %s)",
     "INSERT INTO eh_migration (version, name, checksum, applied_at) "
     "VALUES (%s::bigint, %s, %s, %s::bigint)"}};
static const char create_table[] =
    "CREATE TABLE IF NOT EXISTS eh_migration (version BIGINT PRIMARY KEY, name TEXT NOT NULL,"
    " checksum TEXT NOT NULL, applied_at BIGINT NOT NULL)";

static const char *checksum(const char *sql, apr_pool_t *p)
{
    unsigned char md[32];
    char *hex = apr_palloc(p, 2 * sizeof(md) + 1);
    size_t i;

    if (!EVP_Digest(sql, strlen(sql), md, NULL, EVP_sha256(), NULL)) return NULL;
    for (i = 0; i < sizeof(md); i++)
        apr_snprintf(hex + 2 * i, 3, "%02x", md[i]);
    return hex;
}

static const eh_sqlfile_t *file_at(eh_db_dialect_e dialect, int n)
{
    const eh_sqlfile_t *f;

    for (f = eh_sqlfiles; f->dialect != EH_DB_DIALECTS; f++) {
        if (f->dialect == dialect && n-- == 0) return f;
    }
    return NULL;
}

/* What is applied must be a beginning of what we have. *pnext: the first file to apply, NULL = none. */
static apr_status_t compare(const eh_sqlfile_t **pnext, eh_tx_t *tx, eh_err_t *err, apr_pool_t *p)
{
    const eh_sqlfile_t *f;
    const char *version, *sum;
    eh_rows_t *rows;
    apr_status_t rv;
    int i;

    if (!EH_OK(eh_tx_select(tx, &stmt_list, NULL, &rows, err, p))) return rv;
    for (i = 0; i < rows->nrows; i++) {
        version = eh_cell(rows, i, 0);
        f = file_at(tx->dialect, i);
        if (!f || atoi(version) != f->version) {
            return eh_err_setf(err, p, EH_E_DB_SCHEMA, APR_EMISMATCH, newer, "migration %d is not known here",
                               atoi(version));
        }
        sum = checksum(f->sql, p);
        if (!sum || strcmp(sum, eh_cell(rows, i, 1))) {
            return eh_err_setf(err, p, EH_E_DB_SCHEMA, APR_EMISMATCH, changed, "%s", f->name);
        }
    }
    *pnext = file_at(tx->dialect, i);
    return APR_SUCCESS;
}

typedef struct step_t {
    apr_time_t now;
    const eh_sqlfile_t *applied; /* NULL = nothing was left to do */
} step_t;

/* Applies the next file, if there is one. */
static apr_status_t step(eh_tx_t *tx, void *baton, eh_err_t *err, apr_pool_t *p)
{
    step_t *s = baton;
    const char *args[4];
    const eh_sqlfile_t *f;
    eh_rows_t *rows;
    apr_status_t rv;

    s->applied = NULL;
    if (!EH_OK(eh_tx_select(tx, &stmt_lock, NULL, &rows, err, p))) return rv;
    if (!EH_OK(eh_db_script(tx, "migrate-table", create_table, err))) return rv;
    if (!EH_OK(compare(&f, tx, err, p)) || !f) return rv;
    if (!EH_OK(eh_db_script(tx, f->name, f->sql, err))) return rv;
    args[0] = apr_itoa(p, f->version);
    args[1] = f->name;
    args[2] = checksum(f->sql, p);
    args[3] = apr_psprintf(p, "%" APR_TIME_T_FMT, s->now);
    if (!args[2]) return eh_err_set(err, EH_E_CRYPTO, APR_EGENERAL, NULL);
    if (EH_OK(eh_tx_exec(tx, &stmt_add, args, NULL, err))) s->applied = f;
    return rv;
}

static apr_status_t migrate_here(const eh_dbpool_conf_t *conf, apr_time_t now, int *papplied, const eh_log_t *log,
                                 eh_err_t *err, apr_pool_t *p)
{
    eh_dbpool_conf_t slow = *conf;
    step_t s = {now, NULL};
    eh_db_t *db;
    apr_status_t rv;

    slow.connections = 1;
    slow.acquire_timeout = MIGRATE_ACQUIRE;
    slow.query_timeout = MIGRATE_TIMEOUT;
    if (!EH_OK(eh_dbpool_create(&db, &slow, log, NULL, err, p))) return rv;
    while (EH_OK(eh_db_run(db, EH_DB_WRITE, step, &s, err, p)) && s.applied) {
        eh_log(log, EH_LOG_NOTICE, 0, "", "database migration %s applied", s.applied->name);
        ++*papplied;
    }
    return rv;
}

static apr_status_t file_error(const char *path, int os_error, const char *what, eh_err_t *err, apr_pool_t *p)
{
    return eh_err_setf(err, p, EH_E_STATE_FILE, APR_FROM_OS_ERROR(os_error), NULL, "%s: %s", path, what);
}

static const char *folder_of(const char *path, apr_pool_t *p)
{
    const char *slash = strrchr(path, '/');

    if (!slash) return ".";
    return slash == path ? "/" : apr_pstrmemdup(p, path, (apr_size_t)(slash - path));
}

static apr_status_t make_folder(const eh_dbpool_conf_t *conf, eh_err_t *err, apr_pool_t *p)
{
    const char *folder = folder_of(conf->params, p);

    if (mkdir(folder, 0700)) {
        return errno == EEXIST ? APR_SUCCESS : file_error(folder, errno, "cannot make the folder", err, p);
    }
    if (conf->run_as && geteuid() == 0 && lchown(folder, conf->uid, conf->gid)) {
        return file_error(folder, errno, "cannot give the folder to the server's user", err, p);
    }
    return APR_SUCCESS;
}

/* SQLite's own open would take the umask's rights; its -wal and -shm take after this file. */
static apr_status_t make_file(const char *path, eh_err_t *err, apr_pool_t *p)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd >= 0) {
        close(fd);
    } else if (errno != EEXIST) {
        return file_error(path, errno, "cannot make the database file", err, p);
    }
    if (access(path, R_OK | W_OK) || access(folder_of(path, p), R_OK | W_OK | X_OK)) {
        return file_error(path, errno, "the server's user may not write the database file or its folder", err, p);
    }
    return APR_SUCCESS;
}

static apr_status_t migrate_as_is(const eh_dbpool_conf_t *conf, apr_time_t now, int *papplied, const eh_log_t *log,
                                  eh_err_t *err, apr_pool_t *ptemp)
{
    apr_status_t rv = APR_SUCCESS;
    apr_pool_t *p;

    *papplied = 0;
    if (eh_db_dialect(conf->driver) == &eh_db_sqlite) rv = make_file(conf->params, err, ptemp);
    if (rv != APR_SUCCESS) return rv;
    apr_pool_create(&p, ptemp);
    rv = migrate_here(conf, now, papplied, log, err, p);
    /* The pool must be closed before we return. */
    eh_err_keep(err, ptemp);
    apr_pool_destroy(p);
    return rv;
}

/* What the forked process tells its parent. */
typedef struct report_t {
    apr_status_t rv;
    eh_code_e code;
    int applied, retry_after;
    char detail[256], cause[512];
} report_t;

static void migrate_forked(int fd, const eh_dbpool_conf_t *conf, apr_time_t now, const eh_log_t *log, apr_pool_t *p)
{
    eh_err_t err = {0};
    report_t r;
    ssize_t done;

    memset(&r, 0, sizeof(r));
    if (setgroups(1, &conf->gid) || setgid(conf->gid) || setuid(conf->uid)) {
        r.rv = file_error("setuid", errno, "cannot become the server's user", &err, p);
    } else {
        r.rv = migrate_as_is(conf, now, &r.applied, log, &err, p);
    }
    r.code = err.code;
    r.retry_after = err.retry_after;
    if (err.detail) apr_cpystrn(r.detail, err.detail, sizeof(r.detail));
    if (err.cause) apr_cpystrn(r.cause, err.cause, sizeof(r.cause));
    do {
        done = write(fd, &r, sizeof(r)); /* less than PIPE_BUF: whole or not at all */
    } while (done < 0 && errno == EINTR);
    _exit(done == (ssize_t)sizeof(r) ? 0 : 1);
}
_Static_assert(sizeof(report_t) <= 4096, "one write to a pipe");

static apr_status_t migrate_as_user(const eh_dbpool_conf_t *conf, apr_time_t now, int *papplied, const eh_log_t *log,
                                    eh_err_t *err, apr_pool_t *p)
{
    report_t r;
    ssize_t n;
    int fds[2];
    pid_t pid;

    if (pipe2(fds, O_CLOEXEC)) return file_error("pipe", errno, "cannot start the migration", err, p);
    pid = fork();
    if (pid == 0) {
        close(fds[0]);
        migrate_forked(fds[1], conf, now, log, p);
    }
    close(fds[1]);
    do {
        n = pid > 0 ? read(fds[0], &r, sizeof(r)) : -1;
    } while (pid > 0 && n < 0 && errno == EINTR);
    close(fds[0]);
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    if (n != (ssize_t)sizeof(r))
        return file_error("fork", pid < 0 ? errno : EPIPE, "the migration process failed", err, p);
    *papplied = r.applied;
    if (r.rv == APR_SUCCESS) return APR_SUCCESS;
    eh_err_setf(err, p, r.code, r.rv, *r.detail ? apr_pstrdup(p, r.detail) : NULL, "%s", r.cause);
    if (err) err->retry_after = r.retry_after;
    return r.rv;
}

apr_status_t eh_migrate(const eh_dbpool_conf_t *conf, apr_time_t now, int *papplied, const eh_log_t *log, eh_err_t *err,
                        apr_pool_t *ptemp)
{
    apr_status_t rv;
    int applied = 0;

    if (!EH_OK(eh_dbpool_conf_check(conf, err, ptemp))) return rv;
    if (eh_db_dialect(conf->driver) == &eh_db_sqlite && !EH_OK(make_folder(conf, err, ptemp))) return rv;
    if (geteuid() == 0 && conf->run_as && conf->uid != 0) {
        rv = migrate_as_user(conf, now, &applied, log, err, ptemp);
    } else {
        rv = migrate_as_is(conf, now, &applied, log, err, ptemp);
    }
    if (papplied) *papplied = applied;
    return rv;
}

static apr_status_t check(eh_tx_t *tx, void *baton, eh_err_t *err, apr_pool_t *p)
{
    const eh_sqlfile_t *next;
    eh_rows_t *rows;
    apr_status_t rv;

    if (!EH_OK(eh_tx_select(tx, &stmt_exists, NULL, &rows, err, p))) return rv;
    if (!strcmp(eh_cell(rows, 0, 0), "0")) return eh_err_set(err, EH_E_DB_SCHEMA, APR_ENOENT, missing);
    if (!EH_OK(compare(&next, tx, err, p))) return rv;
    return next ? eh_err_setf(err, p, EH_E_DB_SCHEMA, APR_EMISMATCH, missing, "%s is not applied", next->name)
                : APR_SUCCESS;
}

apr_status_t eh_migrate_check(eh_db_t *db, eh_err_t *err, apr_pool_t *ptemp)
{
    return eh_db_run(db, EH_DB_READ, check, NULL, err, ptemp);
}
