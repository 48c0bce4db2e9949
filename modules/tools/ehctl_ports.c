/* SPDX-License-Identifier: Apache-2.0 */
/* What commands reach the world with: the server's configuration, its user, keys and database. */
#include "ehctl.h"

#include <apr_strings.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ehealth/crypto.h"
#include "ehealth/db_pool.h"
#include "ehealth/json.h"
#include "ehealth/keys.h"

#define DUMP_MAX (4 * 1024 * 1024) /* bytes of configuration */
#define WORDS_MAX 4096             /* bytes of the server's complaints that are shown */
#define DUMP_SECONDS 60

extern char **environ;

/* --- the server's configuration --- */

typedef struct output_t {
    char *text;
    apr_size_t len, max;
    int fd;
} output_t;

static long seconds(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (long)ts.tv_sec;
}

/* Reads both outputs until both ended: reading one after the other could block for ever. */
static apr_status_t collect(output_t out[2])
{
    long end = seconds() + DUMP_SECONDS;

    while (out[0].fd >= 0 || out[1].fd >= 0) {
        struct pollfd pfd[2] = {{out[0].fd, POLLIN, 0}, {out[1].fd, POLLIN, 0}};
        long left = end - seconds();
        int i;

        if (left <= 0 || poll(pfd, 2, (int)left * 1000) == 0) return APR_TIMEUP;
        for (i = 0; i < 2; i++) {
            char waste[4096];
            int full = out[i].len == out[i].max;
            ssize_t n;

            if (out[i].fd < 0 || !pfd[i].revents) continue;
            n = full ? read(out[i].fd, waste, sizeof(waste))
                     : read(out[i].fd, out[i].text + out[i].len, out[i].max - out[i].len);
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) {
                close(out[i].fd);
                out[i].fd = -1;
            } else if (!full) {
                out[i].len += (apr_size_t)n;
            }
        }
    }
    return APR_SUCCESS;
}

static char **server_command(eh_ctl_t *ctl)
{
    char **words, **args;
    int n = 0, k;

    if (apr_tokenize_to_argv(ctl->httpd, &words, ctl->p) != APR_SUCCESS || !words[0]) return NULL;
    while (words[n])
        n++;
    args = apr_pcalloc(ctl->p, sizeof(*args) * (apr_size_t)(n + 6));
    for (k = 0; k < n; k++)
        args[k] = words[k];
    if (ctl->conf) {
        args[k++] = apr_pstrdup(ctl->p, "-f");
        args[k++] = apr_pstrdup(ctl->p, ctl->conf);
    }
    args[k++] = apr_pstrdup(ctl->p, "-t");
    args[k++] = apr_pstrdup(ctl->p, "-D");
    args[k++] = apr_pstrdup(ctl->p, "DUMP_EHEALTH");
    return args;
}

static apr_status_t spawn_server(pid_t *pid, char **args, output_t out[2])
{
    posix_spawn_file_actions_t fa;
    int fd[2][2], i, rc;

    for (i = 0; i < 2; i++) {
        if (pipe2(fd[i], O_CLOEXEC) != 0) return APR_FROM_OS_ERROR(errno);
    }
    posix_spawn_file_actions_init(&fa);
    posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&fa, fd[0][1], 1);
    posix_spawn_file_actions_adddup2(&fa, fd[1][1], 2);
    rc = posix_spawnp(pid, args[0], &fa, NULL, args, environ);
    posix_spawn_file_actions_destroy(&fa);
    for (i = 0; i < 2; i++) {
        close(fd[i][1]);
        out[i].fd = fd[i][0];
        if (rc != 0) close(fd[i][0]);
    }
    return rc == 0 ? APR_SUCCESS : APR_FROM_OS_ERROR(rc);
}

/* The document starts at the first line that starts with a brace: configuration tests like to chat. */
static const char *document(const char *text)
{
    while (text && *text && *text != '{') {
        text = strchr(text, '\n');
        if (text) text++;
    }
    return text && *text ? text : NULL;
}

static const char *without_last_newline(char *s)
{
    apr_size_t len = strlen(s);

    while (len && (s[len - 1] == '\n' || s[len - 1] == ' '))
        s[--len] = '\0';
    return s;
}

static apr_status_t judge(const json_t **pdump, eh_ctl_t *ctl, int status, output_t out[2], eh_err_t *err)
{
    const char *text = document(out[0].text);
    eh_err_t bad = {EH_E_NONE};
    json_t *j = NULL;

    if (status != 0) {
        return eh_err_set(err, EH_E_CONFIG, APR_EGENERAL,
                          apr_psprintf(ctl->p, "The web server does not accept its configuration:\n%s",
                                       *out[1].text ? without_last_newline(out[1].text) : "(it said nothing)"));
    }
    if (!text) {
        return eh_err_set(
            err, EH_E_CONFIG, APR_EGENERAL,
            apr_psprintf(ctl->p,
                         "\"%s\" told nothing about mod_ehealth: is the module loaded in the server that it "
                         "starts (Debian: a2enmod ehealth), and is it the right server (--httpd, -f)?",
                         ctl->httpd));
    }
    if (out[0].len == out[0].max || eh_json_load(&j, text, strlen(text), &bad, ctl->p) != APR_SUCCESS ||
        !json_is_object(j) || json_integer_value(json_object_get(j, "version")) != 1 ||
        !json_is_array(json_object_get(j, "hosts"))) {
        return eh_err_set(
            err, EH_E_CONFIG, APR_EGENERAL,
            "The server told its configuration in a form that this ehctl does not know; install ehctl and "
            "modules from the same build.");
    }
    *pdump = ctl->dump = j;
    return APR_SUCCESS;
}

apr_status_t eh_ctl_dump(const json_t **pdump, eh_ctl_t *ctl, eh_err_t *err)
{
    output_t out[2] = {{apr_pcalloc(ctl->p, DUMP_MAX + 1), 0, DUMP_MAX, -1},
                       {apr_pcalloc(ctl->p, WORDS_MAX + 1), 0, WORDS_MAX, -1}};
    char **args = server_command(ctl);
    apr_status_t rv;
    pid_t pid;
    int status;

    if (ctl->dump) {
        *pdump = ctl->dump;
        return APR_SUCCESS;
    }
    rv = args ? spawn_server(&pid, args, out) : APR_EINVAL;
    if (rv != APR_SUCCESS) {
        return eh_err_set(err, EH_E_CONFIG, rv,
                          apr_psprintf(ctl->p,
                                       "\"%s\" cannot be started; name the server's control program with --httpd.",
                                       ctl->httpd));
    }
    rv = collect(out);
    if (rv != APR_SUCCESS) kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (rv != APR_SUCCESS) {
        return eh_err_set(err, EH_E_CONFIG, rv, apr_psprintf(ctl->p, "\"%s\" does not come to an end.", ctl->httpd));
    }
    return judge(pdump, ctl, status, out, err);
}

/* --- the server's user --- */

static apr_status_t resolve_user(uid_t *uid, gid_t *gid, const char **name, const json_t *dump)
{
    const char *user = eh_json_str(dump, "user"), *group = eh_json_str(dump, "group");
    struct passwd *pw;
    struct group *gr;

    if (!user || !group) return APR_EINVAL;
    if (*user == '#') {
        *uid = (uid_t)strtoul(user + 1, NULL, 10);
        pw = getpwuid(*uid);
    } else {
        pw = getpwnam(user);
        if (!pw) return APR_ENOENT;
        *uid = pw->pw_uid;
    }
    *name = pw ? pw->pw_name : NULL;
    if (*group == '#') {
        *gid = (gid_t)strtoul(group + 1, NULL, 10);
    } else {
        gr = getgrnam(group);
        if (!gr) return APR_ENOENT;
        *gid = gr->gr_gid;
    }
    return APR_SUCCESS;
}

apr_status_t eh_ctl_drop(eh_ctl_t *ctl, eh_err_t *err)
{
    const json_t *dump;
    const char *name = NULL;
    uid_t uid = 0;
    gid_t gid = 0;
    apr_status_t rv;

    if (ctl->dropped || geteuid() != 0) return APR_SUCCESS;
    rv = eh_ctl_dump(&dump, ctl, err);
    if (rv != APR_SUCCESS) return rv;
    rv = resolve_user(&uid, &gid, &name, dump);
    if (rv != APR_SUCCESS) {
        return eh_err_set(err, EH_E_CONFIG, rv, "The server's User or Group is not known to this machine.");
    }
    /* A server that itself runs as root leaves nothing to drop. */
    if (uid != 0) {
        if ((name ? initgroups(name, gid) : setgroups(1, &gid)) != 0 || setgid(gid) != 0 || setuid(uid) != 0 ||
            setuid(0) == 0) {
            return eh_err_set(err, EH_E_INTERNAL, APR_FROM_OS_ERROR(errno), "ehctl cannot become the server's user.");
        }
    }
    ctl->dropped = 1;
    return APR_SUCCESS;
}

/* --- keys, database, ports --- */

apr_status_t eh_ctl_keys(eh_keyring_t **pring, eh_ctl_t *ctl, eh_err_t *err)
{
    const json_t *dump;
    const char *source;
    apr_status_t rv = eh_ctl_dump(&dump, ctl, err);

    if (rv != APR_SUCCESS) return rv;
    if (!ctl->keys) {
        source = eh_json_str(dump, "key_file");
        if (!source) {
            return eh_err_set(err, EH_E_KEY_FILE, APR_ENOENT,
                              "EHealthKeyFile is not configured; write it, for instance "
                              "\"EHealthKeyFile /etc/ehealth/keys\".");
        }
        rv = eh_keys_load(&ctl->keys, source, err, ctl->p);
    }
    *pring = ctl->keys;
    return rv;
}

static int limit_of(const json_t *db, const char *key, int fallback)
{
    json_int_t n;

    return eh_json_int(&n, db, key) == APR_SUCCESS && n > 0 && n < 1000000 ? (int)n : fallback;
}

apr_status_t eh_ctl_db_conf(eh_dbpool_conf_t *out, eh_ctl_t *ctl, eh_err_t *err)
{
    const json_t *dump, *db;
    apr_status_t rv = eh_ctl_dump(&dump, ctl, err);

    if (rv != APR_SUCCESS) return rv;
    db = json_object_get(dump, "database");
    if (!eh_json_str(db, "driver") || !eh_json_str(db, "params"))
        return eh_err_set(err, EH_E_CONFIG, APR_EINVAL, "The server did not tell which database it uses.");
    eh_dbpool_conf_init(out, eh_json_str(db, "driver"), eh_json_str(db, "params"));
    out->connections = 2; /* a command works alone; the server's connections are the server's */
    out->acquire_timeout = apr_time_from_msec(5000);
    out->query_timeout = apr_time_from_msec(limit_of(db, "query_ms", 5000));
    return APR_SUCCESS;
}

apr_status_t eh_ctl_db(eh_db_t **pdb, eh_ctl_t *ctl, eh_err_t *err)
{
    eh_dbpool_conf_t conf;
    eh_err_t later = {EH_E_NONE};
    eh_keyring_t *ring;
    apr_status_t rv;

    if (ctl->db) {
        *pdb = ctl->db;
        return APR_SUCCESS;
    }
    rv = eh_ctl_db_conf(&conf, ctl, err);
    if (rv != APR_SUCCESS) return rv;
    eh_ctl_keys(&ring, ctl, &later); /* while we may; whoever needs them asks again and gets the error */
    rv = eh_ctl_drop(ctl, err);
    if (rv == APR_SUCCESS) rv = eh_dbpool_create(&ctl->db, &conf, &ctl->log, NULL, err, ctl->p);
    *pdb = ctl->db;
    return rv;
}

static apr_time_t wall_clock(void *baton) { return apr_time_now(); }

static apr_status_t system_random(void *baton, unsigned char *buf, apr_size_t len) { return eh_random(buf, len); }

void eh_ctl_ctx(eh_ctl_t *ctl, eh_ctx_t *out)
{
    memset(out, 0, sizeof(*out));
    out->now = wall_clock;
    out->random = system_random;
    out->log = &ctl->log;
    out->db = ctl->db;
    out->keys = ctl->keys;
    out->correlation = "ehctl";
}
