/* SPDX-License-Identifier: Apache-2.0 */
#include "db_internal.h"

#include <signal.h>
#include <sys/socket.h>

struct db_watcher_t {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    db_watch_t *armed;   /* list */
    apr_int64_t wake_at; /* when the thread looks next; INT64_MAX = not before it is told */
    int stop;
};

/* Cuts what is overdue; returns the nearest deadline of the rest. */
static apr_int64_t sweep(db_watcher_t *w, apr_int64_t now)
{
    apr_int64_t nearest = INT64_MAX;
    db_watch_t *e;

    for (e = w->armed; e; e = e->next) {
        if (e->cut) continue;
        if (e->deadline <= now) {
            e->cut = 1;
            shutdown(e->fd, SHUT_RDWR);
        } else if (e->deadline < nearest) {
            nearest = e->deadline;
        }
    }
    return nearest;
}

static void *watch(void *data)
{
    db_watcher_t *w = data;
    struct timespec ts;

    pthread_mutex_lock(&w->lock);
    while (!w->stop) {
        w->wake_at = sweep(w, db_mono());
        if (w->wake_at == INT64_MAX) {
            pthread_cond_wait(&w->changed, &w->lock);
        } else {
            ts = db_mono_ts(w->wake_at);
            pthread_cond_timedwait(&w->changed, &w->lock, &ts);
        }
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

apr_status_t eh_db_watcher_start(db_watcher_t **pw, apr_pool_t *p)
{
    db_watcher_t *w = apr_pcalloc(p, sizeof(*w));
    pthread_condattr_t attr;
    sigset_t all, old;
    int rc;

    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->changed, &attr);
    pthread_condattr_destroy(&attr);
    w->wake_at = INT64_MAX;

    /* The MPM's signals are for its own threads. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(&w->thread, NULL, watch, w);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc) return APR_FROM_OS_ERROR(rc);
    *pw = w;
    return APR_SUCCESS;
}

void eh_db_watcher_stop(db_watcher_t *w)
{
    pthread_mutex_lock(&w->lock);
    w->stop = 1;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
}

void eh_db_watch_arm(db_watcher_t *w, db_watch_t *e, int fd, apr_int64_t deadline)
{
    pthread_mutex_lock(&w->lock);
    e->fd = fd;
    e->deadline = deadline;
    e->cut = 0;
    e->armed = 1;
    e->prev = NULL;
    e->next = w->armed;
    if (e->next) e->next->prev = e;
    w->armed = e;
    /* Deadlines grow with time, so the thread is rarely woken: only when it sleeps past this one. */
    if (deadline < w->wake_at) {
        w->wake_at = deadline;
        pthread_cond_signal(&w->changed);
    }
    pthread_mutex_unlock(&w->lock);
}

int eh_db_watch_disarm(db_watcher_t *w, db_watch_t *e)
{
    int cut = 0;

    pthread_mutex_lock(&w->lock);
    if (e->armed) {
        if (e->prev)
            e->prev->next = e->next;
        else
            w->armed = e->next;
        if (e->next) e->next->prev = e->prev;
        e->armed = 0;
        cut = e->cut;
    }
    pthread_mutex_unlock(&w->lock);
    return cut;
}
