/* SPDX-License-Identifier: Apache-2.0 */
#include "db_internal.h"

#include <apr_strings.h>
#include <apr_time.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAGIC "EHWMTX1"

typedef struct shared_t {
    char magic[8];
    uint32_t size; /* of this struct: programs of another ABI stay out */
    char boot[64]; /* id of the boot that the mutex was made in */
    pthread_mutex_t mutex;
} shared_t;

struct eh_wmutex_t {
    const char *path;
    shared_t *shared; /* NULL = not yet open */
    pthread_mutex_t opening;
    pthread_mutex_t gate;
};

static void boot_id(char *buf, size_t size)
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, buf, size - 1) : -1;

    if (fd >= 0) close(fd);
    buf[n > 0 ? n : 0] = '\0';
}

static int mutex_init(pthread_mutex_t *m)
{
    pthread_mutexattr_t attr;
    int rc;

    pthread_mutexattr_init(&attr);
    rc = pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    if (!rc) rc = pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    if (!rc) rc = pthread_mutex_init(m, &attr);
    pthread_mutexattr_destroy(&attr);
    return rc;
}

/* Under flock: makes the mutex when the file is new or from an earlier boot. */
static int prepare(shared_t *s)
{
    char boot[sizeof(s->boot)];
    int rc = 0;

    boot_id(boot, sizeof(boot));
    if (memcmp(s->magic, MAGIC, sizeof(MAGIC)) || s->size != sizeof(*s) || strncmp(s->boot, boot, sizeof(s->boot))) {
        memset(s, 0, sizeof(*s));
        rc = mutex_init(&s->mutex);
        if (rc) return rc;
        memcpy(s->boot, boot, sizeof(boot));
        s->size = sizeof(*s);
        memcpy(s->magic, MAGIC, sizeof(MAGIC));
    }
    return rc;
}

static apr_status_t unmap(void *data)
{
    eh_wmutex_t *m = data;

    if (m->shared) munmap(m->shared, sizeof(*m->shared));
    pthread_mutex_destroy(&m->gate);
    pthread_mutex_destroy(&m->opening);
    return APR_SUCCESS;
}

eh_wmutex_t *eh_wmutex_make(const char *path, apr_pool_t *p)
{
    eh_wmutex_t *m = apr_pcalloc(p, sizeof(*m));

    m->path = apr_pstrdup(p, path);
    pthread_mutex_init(&m->gate, NULL);
    pthread_mutex_init(&m->opening, NULL);
    apr_pool_cleanup_register(p, m, unmap, apr_pool_cleanup_null);
    return m;
}

static int map_file(shared_t **pshared, int fd)
{
    void *map = MAP_FAILED;
    struct stat st;
    int rc = 0;

    while (flock(fd, LOCK_EX) && errno == EINTR)
        continue;
    if (fstat(fd, &st)) rc = errno;
    if (!rc && !S_ISREG(st.st_mode)) rc = EINVAL;
    if (!rc && st.st_size < (off_t)sizeof(shared_t) && ftruncate(fd, sizeof(shared_t))) rc = errno;
    if (!rc) {
        map = mmap(NULL, sizeof(shared_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        rc = map == MAP_FAILED ? errno : prepare(map);
    }
    flock(fd, LOCK_UN); /* close alone would not: the mapping keeps the open file */
    if (rc && map != MAP_FAILED) munmap(map, sizeof(shared_t));
    if (!rc) *pshared = map;
    return rc;
}

apr_status_t eh_wmutex_open(eh_wmutex_t *m)
{
    int fd, rc = 0;

    pthread_mutex_lock(&m->opening);
    if (!m->shared) {
        fd = open(m->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        rc = fd < 0 ? errno : map_file(&m->shared, fd);
        if (fd >= 0) close(fd);
    }
    pthread_mutex_unlock(&m->opening);
    return rc ? APR_FROM_OS_ERROR(rc) : APR_SUCCESS;
}

#ifdef __SANITIZE_THREAD__
/* GCC 12's thread sanitizer does not know pthread_mutex_clocklock and would take every unlock for a mistake. */
static int lock_until(pthread_mutex_t *m, apr_int64_t deadline)
{
    apr_int64_t at = apr_time_now() + (deadline - db_mono());
    struct timespec ts = {apr_time_sec(at), apr_time_usec(at) * 1000};

    return pthread_mutex_timedlock(m, &ts);
}
#else
static int lock_until(pthread_mutex_t *m, apr_int64_t deadline)
{
    struct timespec ts = db_mono_ts(deadline);

    return pthread_mutex_clocklock(m, CLOCK_MONOTONIC, &ts);
}
#endif

static apr_status_t lock_status(int rc)
{
    if (rc == 0) return APR_SUCCESS;
    return rc == ETIMEDOUT ? APR_TIMEUP : APR_EGENERAL;
}

apr_status_t eh_wmutex_enter(eh_wmutex_t *m, apr_int64_t deadline)
{
    return lock_status(lock_until(&m->gate, deadline));
}

void eh_wmutex_leave(eh_wmutex_t *m) { pthread_mutex_unlock(&m->gate); }

apr_status_t eh_wmutex_lock(eh_wmutex_t *m, apr_int64_t deadline)
{
    int rc = lock_until(&m->shared->mutex, deadline);

    /* The holder died. What it had begun, SQLite takes back by itself; the mutex guards no other state. */
    if (rc == EOWNERDEAD) rc = pthread_mutex_consistent(&m->shared->mutex);
    return lock_status(rc);
}

void eh_wmutex_unlock(eh_wmutex_t *m) { pthread_mutex_unlock(&m->shared->mutex); }
