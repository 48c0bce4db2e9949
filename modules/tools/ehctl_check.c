/* SPDX-License-Identifier: Apache-2.0 */
#include "ehctl_check.h"

#include <apr_strings.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ehealth/json.h"

/* --- findings --- */

const char *check_text(const check_t *c, const char *fmt, ...)
{
    va_list ap;
    const char *s;

    va_start(ap, fmt);
    s = apr_pvsprintf(c->p, fmt, ap);
    va_end(ap);
    return s;
}

/* Findings stand on one line each; a certificate's name may hold anything. */
static const char *one_line(apr_pool_t *p, const char *s)
{
    char *out = apr_pstrdup(p, s), *c;

    for (c = out; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = ' ';
    }
    return out;
}

void check_report(check_t *c, check_level_e level, const char *id, const char *remedy, const char *fmt, ...)
{
    static const char *const words[] = {"ok", "warn", "FAIL"}, *const json_words[] = {"ok", "warn", "fail"};
    const char *what;
    va_list ap;

    va_start(ap, fmt);
    what = one_line(c->p, apr_pvsprintf(c->p, fmt, ap));
    va_end(ap);
    if (remedy) remedy = one_line(c->p, remedy);
    c->count[level]++;
    if (c->ctl->json) {
        json_array_append_new(c->findings, json_pack("{s:s, s:s, s:s, s:s, s:s?}", "level", json_words[level], "scope",
                                                     c->scope, "id", id, "what", what, "remedy", remedy));
        return;
    }
    printf("%-5s %s%s%s%s%s\n", words[level], c->scope, *c->scope ? ": " : "", what, remedy ? " — " : "",
           remedy ? remedy : "");
    fflush(stdout); /* the network may take its time over the next line */
}

void check_report_err(check_t *c, const char *id, const char *remedy, const eh_err_t *err)
{
    check_report(c, CHECK_FAIL, id, remedy, "%s %s%s%s%s%s", eh_err_tag(c->p, err->code),
                 err->detail ? err->detail : eh_err_info(err->code)->title[EH_LANG_EN], err->cause ? " (" : "",
                 err->cause ? err->cause : "", err->cause ? ")" : "", "");
}

/* --- the server --- */

static void check_user(check_t *c)
{
    const char *user = eh_json_str(c->dump, "user");
    struct passwd *me = getpwuid(geteuid());

    if (geteuid() == 0 || !user || (me && !strcmp(me->pw_name, user))) return;
    check_report(
        c, CHECK_WARN, "user", "run it as root (sudo ehctl check)",
        "ehctl runs as %s, neither as root nor as the server's user %s: what it may read differs from the server",
        me ? me->pw_name : "an unknown user", user);
}

static void check_keys(check_t *c)
{
    eh_err_t err = {EH_E_NONE};
    eh_keyring_t *ring;
    apr_uint32_t ids[EH_KEYRING_MAX];
    const char *file = eh_json_str(c->dump, "key_file");

    if (eh_ctl_keys(&ring, c->ctl, &err) != APR_SUCCESS) {
        check_report_err(c, "key-file",
                         APR_STATUS_IS_ENOENT(err.rv)
                             ? "make one as \"ehctl keys --help\" tells, and keep a copy of it "
                               "in a safe place: without it what is stored cannot be read"
                             : "mend the file; without keys the server does not start",
                         &err);
        return;
    }
    check_report(c, CHECK_OK, "key-file", NULL, "key file %s: current key %u, %d in all", file,
                 eh_keyring_current(ring), eh_keyring_ids(ring, ids, EH_KEYRING_MAX));
}

static void check_state_dir(check_t *c)
{
    const char *dir = eh_json_str(c->dump, "state_dir"), *user = eh_json_str(c->dump, "user");
    struct stat st;

    if (!dir || stat(dir, &st) != 0) {
        check_report(
            c, CHECK_FAIL, "state-dir",
            check_text(c, "run: install -d -m 700 -o %s %s", user ? user : "www-data", dir ? dir : "/var/lib/ehealth"),
            "the state folder %s cannot be looked into: %s", dir ? dir : "(EHealthStateDir)",
            dir ? strerror(errno) : "it is not configured");
    } else if (!S_ISDIR(st.st_mode) || access(dir, R_OK | W_OK | X_OK) != 0) {
        check_report(c, CHECK_FAIL, "state-dir", check_text(c, "run: chown %s %s", user, dir),
                     "the server's user %s may not write to the state folder %s", user, dir);
    } else if (st.st_mode & (S_IWOTH | S_IROTH)) {
        check_report(c, CHECK_FAIL, "state-dir", check_text(c, "run: chmod o-rwx %s", dir),
                     "every user of this machine may look into the state folder %s", dir);
    } else {
        check_report(c, CHECK_OK, "state-dir", NULL, "state folder %s", dir);
    }
}

static int sqlite_file_missing(check_t *c, const json_t *db)
{
    const char *path = eh_json_str(db, "params");
    struct stat st;

    if (!path || strcmp(eh_json_str(db, "driver"), "sqlite3") || stat(path, &st) == 0) return 0;
    check_report(c, CHECK_FAIL, "database", "run: ehctl migrate (the server's start makes it, too)",
                 "the database file %s cannot be opened: %s", path, strerror(errno));
    return 1;
}

static void check_database(check_t *c)
{
    const json_t *conf = json_object_get(c->dump, "database");
    const char *driver = eh_json_str(conf, "driver");
    eh_err_t err = {EH_E_NONE};
    eh_db_t *db;

    if (driver && sqlite_file_missing(c, conf)) return;
    if (eh_ctl_db(&db, c->ctl, &err) == APR_SUCCESS && eh_migrate_check(db, &err, c->p) == APR_SUCCESS) {
        check_report(c, CHECK_OK, "database", NULL, "database (%s) answers and has this build's schema", driver);
    } else if (err.code == EH_E_DB_SCHEMA) {
        check_report_err(c, "schema", "run: ehctl migrate (and use ehctl and modules of the same build on every node)",
                         &err);
    } else if (driver && !strcmp(driver, "pgsql")) {
        check_report_err(c, "database",
                         "see whether PostgreSQL runs and whether the words of EHealthDatabase (host, dbname, user, "
                         "password) let psql in from this machine",
                         &err);
    } else {
        check_report_err(c, "database", "see who owns the file and its folder: they must be the server's user", &err);
    }
}

/* --- all hosts --- */

/* A main server without a port of its own is told as "name:0". */
static const char *host_name(const check_t *c, const json_t *host)
{
    const char *name = eh_json_str(host, "name");
    apr_size_t len = name ? strlen(name) : 0;

    if (!len) return "(unnamed host)";
    return len > 2 && !strcmp(name + len - 2, ":0") ? apr_pstrmemdup(c->p, name, len - 2) : name;
}

static int wanted(const check_t *c, const json_t *host)
{
    const char *name = host_name(c, host);
    apr_size_t len = strcspn(name, ":");

    return !c->only || !strcasecmp(name, c->only) || (strlen(c->only) == len && !strncasecmp(name, c->only, len)) ||
           !strcasecmp(check_url_host(c, eh_json_str(host, "public_url")), c->only);
}

typedef void each_fn(check_t *c, const json_t *host, const json_t *provider, void *baton);

static void each_provider(check_t *c, const json_t *host, each_fn *fn, void *baton)
{
    const json_t *providers = json_object_get(host, "providers");
    size_t i;

    for (i = 0; i < json_array_size(providers); i++) {
        const json_t *provider = json_array_get(providers, i);
        const char *name = eh_json_str(provider, "name");

        c->scope = check_text(c, "%s %s", host_name(c, host), name ? name : "?");
        fn(c, host, provider, baton);
    }
    c->scope = "";
}

static void files_of_root(check_t *c, const json_t *host, const json_t *provider, void *baton)
{
    check_secrets(c, provider);
}

static void at_run_time(check_t *c, const json_t *host, const json_t *provider, void *http)
{
    check_client_cert(c, provider);
    check_addresses(c, host, provider);
    check_mix(c, host, provider);
    if (http) check_network(c, host, provider, http);
}

static int check_hosts(check_t *c, int before_drop)
{
    const json_t *hosts = json_object_get(c->dump, "hosts");
    int n = 0;
    size_t i;

    for (i = 0; i < json_array_size(hosts); i++) {
        const json_t *host = json_array_get(hosts, i);

        if (!wanted(c, host)) continue;
        n++;
        if (before_drop) {
            each_provider(c, host, files_of_root, NULL);
            continue;
        }
        c->scope = host_name(c, host);
        check_public_url(c, host);
        if (json_array_size(json_object_get(host, "providers")) == 0) {
            check_report(c, CHECK_WARN, "providers", "write an <EHealthProvider> when people shall log in here",
                         "no log-in provider is configured");
        }
        each_provider(c, host, at_run_time, c->offline ? NULL : check_http(c, host));
    }
    return n;
}

static int finish(check_t *c)
{
    int rc = c->count[CHECK_FAIL] ? EH_EXIT_FAIL : EH_EXIT_OK;

    if (c->ctl->json) {
        eh_ctl_print_json(json_pack("{s:o, s:i, s:i, s:i}", "findings", c->findings, "ok", c->count[CHECK_OK], "warn",
                                    c->count[CHECK_WARN], "fail", c->count[CHECK_FAIL]));
    } else {
        json_decref(c->findings);
        printf("%d ok, %d to look at, %d wrong\n", c->count[CHECK_OK], c->count[CHECK_WARN], c->count[CHECK_FAIL]);
    }
    return rc;
}

static int run(eh_ctl_t *ctl, int argc, const char *const *argv, apr_pool_t *p)
{
    check_t c = {.ctl = ctl, .p = p, .scope = ""};
    eh_err_t err = {EH_E_NONE};
    int i;

    for (i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--offline")) {
            c.offline = 1;
        } else if (!strcmp(argv[i], "--host") && i + 1 < argc) {
            c.only = argv[++i];
        } else {
            return eh_ctl_usage(ctl, argv[0], "\"%s\" is not understood here", argv[i]);
        }
    }
    if (eh_ctl_dump(&c.dump, ctl, &err) != APR_SUCCESS) {
        eh_ctl_fail(ctl, &err);
        return EH_EXIT_CONF;
    }
    c.findings = json_array();
    check_user(&c);
    check_keys(&c);
    if (check_hosts(&c, 1) == 0) {
        check_report(&c, CHECK_FAIL, "hosts",
                     c.only ? "name one of: apachectl -S shows them"
                            : "write \"EHealthPublicURL https://portal.example\" in the virtual host that people use",
                     c.only ? "there is no host %s with a public URL" : "no virtual host has a public URL%s",
                     c.only ? c.only : "");
    }
    if (eh_ctl_drop(ctl, &err) != APR_SUCCESS) {
        json_decref(c.findings);
        return eh_ctl_fail(ctl, &err);
    }
    check_state_dir(&c);
    check_database(&c);
    check_hosts(&c, 0);
    return finish(&c);
}

static const eh_cmd_t cmd = {
    .summary = "look for what would keep people from logging in, and say what to do",
    .usage =
        "[--host NAME] [--offline]\n\n"
        "Checks the configuration that the server resolved: keys and secrets, state folder, database, the public\n"
        "URL, and for each log-in provider its files, metadata, keys, TLS chain, the way through the proxy and the\n"
        "clocks. Prints one line a finding: ok, warn or FAIL, and what to do. Run it as root: it becomes the\n"
        "server's user before it touches files or the network. Exits with 1 when a line says FAIL.\n\n"
        "  --host NAME   only the virtual host of that name, or with that public URL\n"
        "  --offline     nothing over the network but the database",
    .run = run,
};

EH_PROVIDER(cmd, check, "0", &cmd);
