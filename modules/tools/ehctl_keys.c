/* SPDX-License-Identifier: Apache-2.0 */
/* The key file: its text is edited line by line, so that comments and order stay; it is replaced as a whole or not at all. */
#include "ehctl_args.h"

#include <apr_strings.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "ehealth/codec.h"
#include "ehealth/crypto.h"
#include "ehealth/json.h"
#include "ehealth/keys.h"

typedef struct work_t {
    const char *file, *group, *id;
    char *text; /* of the file, secret */
    eh_keyring_t *ring;
    apr_pool_t *p;
} work_t;

static apr_status_t trouble(work_t *w, int os_error, const char *what, eh_err_t *err)
{
    char reason[128];

    apr_strerror(APR_FROM_OS_ERROR(os_error), reason, sizeof(reason));
    return eh_err_set(err, EH_E_KEY_FILE, APR_FROM_OS_ERROR(os_error),
                      apr_psprintf(w->p, "%s %s: %s.", what, w->file, reason));
}

/* The path: --file, or what the server says. */
static apr_status_t locate(eh_ctl_t *ctl, work_t *w, eh_err_t *err)
{
    const json_t *dump;
    const char *source;
    apr_status_t rv;

    if (w->file) return APR_SUCCESS;
    if (!EH_OK(eh_ctl_dump(&dump, ctl, err))) return rv;
    source = eh_json_str(dump, "key_file");
    if (source && !strncmp(source, "file:", 5)) source += 5;
    if (!source || *source != '/') {
        return eh_err_set(err, EH_E_KEY_FILE, APR_ENOENT, "EHealthKeyFile does not name a file; name it with --file.");
    }
    w->file = source;
    if (!w->group) w->group = eh_json_str(dump, "group");
    return APR_SUCCESS;
}

static apr_status_t load(work_t *w, eh_err_t *err)
{
    apr_size_t len;
    apr_status_t rv;

    if (!EH_OK(eh_secret_file_load(&w->text, &len, w->file, EH_KEY_FILE_MAX, EH_E_KEY_FILE, err, w->p))) return rv;
    return eh_keyring_parse(&w->ring, w->text, len, err, w->p);
}

static int give_to(int fd, const work_t *w, const struct stat *old)
{
    gid_t gid = old ? old->st_gid : getegid();
    uid_t uid = old ? old->st_uid : geteuid();
    struct group *gr;

    if (!old && w->group) {
        gr = *w->group == '#' ? getgrgid((gid_t)strtoul(w->group + 1, NULL, 10)) : getgrnam(w->group);
        if (!gr) return ENOENT;
        gid = gr->gr_gid;
    }
    if ((uid != geteuid() || gid != getegid()) && fchown(fd, uid, gid)) return errno;
    return fchmod(fd, 0640) ? errno : 0;
}

static int write_all(int fd, const char *text, size_t len)
{
    while (len) {
        ssize_t n = write(fd, text, len);

        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno;
        text += n;
        len -= (size_t)n;
    }
    return fsync(fd) ? errno : 0;
}

static int sync_folder(const work_t *w)
{
    const char *slash = strrchr(w->file, '/');
    const char *folder = !slash             ? "."
                         : slash == w->file ? "/"
                                            : apr_pstrmemdup(w->p, w->file, (apr_size_t)(slash - w->file));
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

    if (fd < 0) return errno;
    rc = fsync(fd) ? errno : 0;
    close(fd);
    return rc;
}

/* Writes beside and renames over it; the new file's name, taken exclusively, keeps a second ehctl out. fresh: the file must
 * not exist yet. */
static apr_status_t replace(work_t *w, const char *text, int fresh, eh_err_t *err)
{
    const char *beside = apr_pstrcat(w->p, w->file, ".new", NULL);
    struct stat old;
    int exists = stat(w->file, &old) == 0, rc, fd;

    if (fresh && exists) return trouble(w, EEXIST, "There already is a key file", err);
    fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST) {
        return eh_err_set(
            err, EH_E_KEY_FILE, APR_EEXIST,
            apr_psprintf(w->p, "%s exists: another ehctl is at work, or one died; then remove it.", beside));
    }
    if (fd < 0) return trouble(w, errno, "Cannot write beside", err);
    rc = write_all(fd, text, strlen(text));
    if (!rc) rc = give_to(fd, w, exists ? &old : NULL);
    close(fd);
    /* link does not replace: nobody's key file is lost when two make a first one at the same time. */
    if (!rc && fresh) rc = link(beside, w->file) ? errno : 0;
    if (!rc && !fresh) rc = rename(beside, w->file) ? errno : 0;
    if (rc || fresh) unlink(beside);
    if (!rc) rc = sync_folder(w);
    return rc ? trouble(w, rc, "Cannot write", err) : APR_SUCCESS;
}

/* "<id> <key> created=<today>\n" in wiped memory. */
static apr_status_t new_line(char **pline, work_t *w, apr_uint32_t id, eh_err_t *err)
{
    unsigned char *raw = eh_secret_alloc(w->p, EH_KEY_LEN);
    char *key, *line;

    if (eh_random(raw, EH_KEY_LEN) != APR_SUCCESS) return eh_err_set(err, EH_E_CRYPTO, APR_EGENERAL, NULL);
    key = eh_b64url(w->p, raw, EH_KEY_LEN);
    line = eh_secret_alloc(w->p, 128);
    apr_snprintf(line, 128, "%u %s created=%.10s\n", (unsigned)id, key, eh_time_rfc3339(w->p, apr_time_now()));
    OPENSSL_cleanse(key, strlen(key));
    *pline = line;
    return APR_SUCCESS;
}

static apr_status_t make(work_t *w, eh_err_t *err)
{
    char *line;
    apr_status_t rv;

    if (!EH_OK(new_line(&line, w, 1, err))) return rv;
    return replace(w, line, 1, err);
}

/* The new key goes on top: it seals from the next reload on, the others still open. */
static apr_status_t rotate(work_t *w, apr_uint32_t *pid, eh_err_t *err)
{
    apr_uint32_t ids[EH_KEYRING_MAX], top = 0;
    char *line, *text;
    apr_status_t rv;
    int n, i;

    if (!EH_OK(load(w, err))) return rv;
    n = eh_keyring_ids(w->ring, ids, EH_KEYRING_MAX);
    for (i = 0; i < n; i++)
        if (ids[i] > top) top = ids[i];
    if (n == EH_KEYRING_MAX || top == APR_UINT32_MAX) {
        return eh_err_set(err, EH_E_KEY_FILE, APR_ENOSPC,
                          "The key file is full; remove keys under which nothing is sealed.");
    }
    *pid = top + 1;
    if (!EH_OK(new_line(&line, w, top + 1, err))) return rv;
    text = eh_secret_alloc(w->p, strlen(line) + strlen(w->text) + 1);
    apr_cpystrn(text, line, strlen(line) + 1);
    memcpy(text + strlen(line), w->text, strlen(w->text) + 1);
    return replace(w, text, 0, err);
}

/* The line of a key; *pend: where its content ends (before a comment or the line's end). */
static char *line_of(char *text, apr_uint32_t id, char **pend)
{
    char *s = text, *end;

    for (; *s; s = *end ? end + 1 : end) {
        end = s + strcspn(s, "\n");
        if (strtoul(s, NULL, 10) == id && *(s + strspn(s, " \t")) != '#') {
            *pend = s + strcspn(s, "#\n");
            return s;
        }
    }
    return NULL;
}

static int is_retired(char *text, apr_uint32_t id)
{
    char *end, *s = line_of(text, id, &end), *word = s ? strstr(s, "retired") : NULL;

    return word && word < end;
}

static apr_status_t retire(work_t *w, eh_err_t *err)
{
    static const char mark[] = " retired";
    apr_uint32_t id = (apr_uint32_t)strtoul(w->id, NULL, 10), ids[EH_KEYRING_MAX];
    char *end, *text;
    apr_status_t rv;
    int n, i, live = 0;

    if (!EH_OK(load(w, err))) return rv;
    n = eh_keyring_ids(w->ring, ids, EH_KEYRING_MAX);
    for (i = 0; i < n; i++)
        live += ids[i] != id && !is_retired(w->text, ids[i]);
    if (!line_of(w->text, id, &end))
        return eh_err_set(err, EH_E_KEY_FILE, APR_ENOENT, "The key file has no key with this id.");
    if (is_retired(w->text, id)) return eh_err_set(err, EH_E_KEY_FILE, APR_EEXIST, "This key is retired already.");
    if (!live) return eh_err_set(err, EH_E_KEY_FILE, APR_EINVAL, "This is the only key that seals; rotate first.");
    while (end > w->text && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    text = eh_secret_alloc(w->p, strlen(w->text) + sizeof(mark));
    memcpy(text, w->text, (size_t)(end - w->text));
    memcpy(text + (end - w->text), mark, sizeof(mark) - 1);
    memcpy(text + (end - w->text) + sizeof(mark) - 1, end, strlen(end) + 1);
    return replace(w, text, 0, err);
}

static int list(eh_ctl_t *ctl, work_t *w)
{
    apr_uint32_t ids[EH_KEYRING_MAX], current = eh_keyring_current(w->ring);
    int n = eh_keyring_ids(w->ring, ids, EH_KEYRING_MAX), i;
    json_t *all = json_array();

    for (i = 0; i < n; i++) {
        apr_time_t created = eh_keyring_created(w->ring, ids[i]);
        const char *date = created ? apr_pstrndup(w->p, eh_time_rfc3339(w->p, created), 10) : NULL;
        const char *state = ids[i] == current ? "current" : is_retired(w->text, ids[i]) ? "retired" : "opens";

        if (ctl->json) {
            json_array_append_new(
                all, json_pack("{s:I, s:s, s:s?}", "id", (json_int_t)ids[i], "state", state, "created", date));
        } else {
            printf("%10u  %-8s  %s\n", (unsigned)ids[i], state, date ? date : "-");
        }
    }
    if (ctl->json) eh_ctl_print_json(json_pack("{s:O}", "keys", all));
    json_decref(all);
    return EH_EXIT_OK;
}

static int changed(eh_ctl_t *ctl, apr_uint32_t id, const char *words)
{
    if (ctl->json)
        eh_ctl_print_json(json_pack("{s:I}", "id", (json_int_t)id));
    else
        printf("Key %u %s\n", (unsigned)id, words);
    return EH_EXIT_OK;
}

static int run(eh_ctl_t *ctl, int argc, const char *const *argv, apr_pool_t *p)
{
    static const char *const names[] = {"list", "new", "rotate", "retire", NULL};
    const char *sub = eh_ctl_subcommand(ctl, argc, argv, names);
    work_t w = {.p = p};
    const eh_opt_t opts[] = {{"--file", &w.file}, {"--group", &w.group}, {NULL}};
    eh_err_t err = {EH_E_NONE};
    apr_uint32_t id = 1;
    int retiring;

    if (!sub) return EH_EXIT_USAGE;
    retiring = !strcmp(sub, "retire");
    if (eh_ctl_options(ctl, argc, argv, 2, opts, retiring ? &w.id : NULL)) return EH_EXIT_USAGE;
    if (w.group && strcmp(sub, "new")) return eh_ctl_usage(ctl, argv[0], "--group belongs to new");
    if (retiring && (!w.id || !*w.id || strlen(w.id) > 10 || strspn(w.id, "0123456789") != strlen(w.id))) {
        return eh_ctl_usage(ctl, argv[0], "retire needs the id of a key");
    }
    if (locate(ctl, &w, &err) != APR_SUCCESS) return eh_ctl_failed(ctl, &err);
    if (!strcmp(sub, "new")) {
        return make(&w, &err) == APR_SUCCESS ? changed(ctl, id, "made: keep a copy of the file in a safe place.")
                                             : eh_ctl_fail(ctl, &err);
    }
    if (!strcmp(sub, "rotate")) {
        return rotate(&w, &id, &err) == APR_SUCCESS
                   ? changed(ctl, id, "is on top. Now on all servers: the same file, then a graceful reload.")
                   : eh_ctl_fail(ctl, &err);
    }
    if (retiring) {
        id = (apr_uint32_t)strtoul(w.id, NULL, 10);
        return retire(&w, &err) == APR_SUCCESS ? changed(ctl, id, "seals no more; it still opens.")
                                               : eh_ctl_fail(ctl, &err);
    }
    return load(&w, &err) == APR_SUCCESS ? list(ctl, &w) : eh_ctl_fail(ctl, &err);
}

static const eh_cmd_t cmd = {
    "the key file: making, rotating, retiring keys",
    "list|new|rotate|retire ID [--file PATH] [--group NAME]\n\n"
    "  list        ids, dates and states; never a key\n"
    "  new         makes the file with a first key, mode 0640, for the server's group or --group\n"
    "  rotate      puts a new key on top: it seals from the next graceful reload on, the others still open\n"
    "  retire ID   this key seals no more\n\n"
    "PATH is that of EHealthKeyFile unless given. Do not delete the last line: the oldest key is the one under which "
    "persons\n"
    "are indexed (grants, sessions, pseudonyms in logs); without it they are strangers.",
    run,
};

EH_PROVIDER(cmd, keys, "0", &cmd);
