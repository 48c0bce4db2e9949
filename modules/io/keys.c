/* SPDX-License-Identifier: Apache-2.0 */
#include "ehealth/keys.h"

#include <apr_strings.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ehealth/crypto.h"
#include "ehealth/provider.h"

static const eh_keys_provider_t *find_provider(const char *name, apr_size_t len)
{
    EH_PROVIDERS_EACH(pp)
    {
        if (!strcmp((*pp)->group, "ehealth-keys") && strlen((*pp)->name) == len && !strncmp((*pp)->name, name, len))
            return (*pp)->vtable;
    }
    return NULL;
}

apr_status_t eh_keys_load(eh_keyring_t **pring, const char *source, eh_err_t *err, apr_pool_t *p)
{
    const eh_keys_provider_t *provider;
    const char *colon = strchr(source, ':'), *where = source;
    apr_size_t len = 4;

    if (*source == '/') {
        provider = find_provider("file", len);
    } else if (colon) {
        len = (apr_size_t)(colon - source);
        where = colon + 1;
        provider = find_provider(source, len);
    } else {
        return eh_err_set(err, EH_E_KEY_FILE, APR_EINVAL,
                          "A key source is an absolute path, or \"provider:…\" such as \"file:/etc/ehealth/keys\".");
    }
    if (!provider) {
        return eh_err_set(err, EH_E_KEY_FILE, APR_ENOTIMPL,
                          apr_psprintf(p, "This build has no key source named \"%.*s\"; use \"file:/path\".",
                                       (int)(len > 32 ? 32 : len), *source == '/' ? "file" : source));
    }
    return provider->load(pring, where, err, p);
}

/* Says what is wrong with the file's or folder's rights and how to mend it; NULL when nothing is. */
static const char *unsafe_rights(const char *path, const struct stat *st, apr_pool_t *p)
{
    const char *slash = strrchr(path, '/');
    const char *dir = slash == path ? "/" : apr_pstrmemdup(p, path, (apr_size_t)(slash - path));
    struct stat ds;

    if (st->st_mode & (S_IROTH | S_IWOTH | S_IWGRP)) {
        return apr_psprintf(
            p, "%s may be %s; run: chmod 640 %s (or 600), its group being one that the server reads it by.", path,
            st->st_mode & S_IWOTH   ? "written by every user of this machine"
            : st->st_mode & S_IROTH ? "read by every user of this machine"
                                    : "written by its group",
            path);
    }
    if (stat(dir, &ds) != 0) return apr_psprintf(p, "The folder %s cannot be examined.", dir);
    if ((ds.st_mode & S_IWOTH) && !((ds.st_mode & S_ISVTX) && (st->st_uid == 0 || st->st_uid == geteuid()))) {
        return apr_psprintf(p, "Every user of this machine may replace files in the folder %s; run: chmod o-w %s.", dir,
                            dir);
    }
    return NULL;
}

static const char *open_failure(const char *path, int e, apr_pool_t *p)
{
    switch (e) {
    case ENOENT:
    case ENOTDIR: return apr_psprintf(p, "The file %s does not exist.", path);
    case EACCES:
        return apr_psprintf(p, "The file %s, or a folder above it, may not be read by user id %ld.", path,
                            (long)geteuid());
    default: return apr_psprintf(p, "The file %s cannot be opened.", path);
    }
}

/* The whole of fd; a short read is no error, a longer file than fstat said is. */
static apr_status_t read_all(char **ptext, apr_size_t *plen, int fd, apr_size_t size, apr_pool_t *p)
{
    char *buf = eh_secret_alloc(p, size + 1);
    apr_size_t got = 0;

    while (got < size) {
        ssize_t n = read(fd, buf + got, size - got);

        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return APR_FROM_OS_ERROR(errno);
        if (n == 0) break;
        got += (apr_size_t)n;
    }
    buf[got] = '\0';
    *ptext = buf;
    *plen = got;
    return APR_SUCCESS;
}

apr_status_t eh_secret_file_load(char **ptext, apr_size_t *plen, const char *path, apr_size_t max, eh_code_e code,
                                 eh_err_t *err, apr_pool_t *p)
{
    char real[PATH_MAX];
    struct stat st;
    const char *why;
    apr_status_t rv;
    int fd;

    if (*path != '/') {
        return eh_err_set(err, code, APR_EINVAL, apr_psprintf(p, "The path %s must be absolute.", path));
    }
    /* The rights that count are those of the file in the end and of the folder it lies in, not of a link to it. */
    if (!realpath(path, real)) {
        rv = APR_FROM_OS_ERROR(errno);
        return eh_err_set(err, code, rv, open_failure(path, errno, p));
    }
    /* O_NONBLOCK: a FIFO must not hold up the server's start. */
    fd = open(real, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY);
    if (fd < 0) {
        rv = APR_FROM_OS_ERROR(errno);
        return eh_err_set(err, code, rv, open_failure(path, errno, p));
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        why = apr_psprintf(p, "%s is not a regular file.", path);
    } else if (st.st_size == 0) {
        why = apr_psprintf(p, "The file %s is empty.", path);
    } else if ((apr_uint64_t)st.st_size > max) {
        why = apr_psprintf(p, "The file %s is larger than %" APR_SIZE_T_FMT " bytes; is it the right one?", path, max);
    } else {
        why = unsafe_rights(real, &st, p);
    }
    if (why) {
        close(fd);
        return eh_err_set(err, code, APR_EINVAL, why);
    }
    rv = read_all(ptext, plen, fd, (apr_size_t)st.st_size, p);
    close(fd);
    if (rv != APR_SUCCESS) {
        return eh_err_set(err, code, rv, apr_psprintf(p, "The file %s cannot be read.", path));
    }
    return APR_SUCCESS;
}

static int is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

apr_status_t eh_secret_file_read(const char **psecret, const char *source, eh_err_t *err, apr_pool_t *p)
{
    char *text;
    apr_size_t len, i, from = 0;
    const char *name = "The secret";
    apr_status_t rv;

    if (!strncmp(source, "file:", 5)) {
        const char *path = source + 5;

        rv = eh_secret_file_load(&text, &len, path, EH_SECRET_MAX, EH_E_CONFIG, err, p);
        if (rv != APR_SUCCESS) return rv;
        name = apr_psprintf(p, "The secret in %s", path);
        while (from < len && is_blank(text[from]))
            from++;
        while (len > from && is_blank(text[len - 1]))
            len--;
    } else {
        len = strlen(source);
        if (len > EH_SECRET_MAX) return eh_err_set(err, EH_E_CONFIG, APR_EINVAL, "The secret is too long.");
        text = eh_secret_dup(p, source, len);
    }
    if (from == len) return eh_err_set(err, EH_E_CONFIG, APR_EINVAL, apr_psprintf(p, "%s is empty.", name));
    for (i = from; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c >= 0x20 && c <= 0x7e) continue;
        return eh_err_set(err, EH_E_CONFIG, APR_EINVAL,
                          apr_psprintf(p,
                                       "%s has an invisible or non-ASCII character (byte 0x%02x) at position "
                                       "%" APR_SIZE_T_FMT "; copy it again from where it was issued, as plain text.",
                                       name, c, i - from + 1));
    }
    text[len] = '\0';
    *psecret = text + from;
    return APR_SUCCESS;
}
