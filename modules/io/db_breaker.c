/* SPDX-License-Identifier: Apache-2.0 */
#include "db_internal.h"

void eh_db_breaker_init(db_breaker_t *b)
{
    pthread_condattr_t attr;

    pthread_mutex_init(&b->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&b->changed, &attr);
    pthread_condattr_destroy(&attr);
}

void eh_db_breaker_destroy(db_breaker_t *b)
{
    pthread_cond_destroy(&b->changed);
    pthread_mutex_destroy(&b->lock);
}

/* One's turn to connect: the probe's when open, one of EH_DB_CONNECTING when closed. */
static apr_status_t try_enter(const db_breaker_t *b)
{
    if (b->open) return b->connecting == 0 && db_mono() >= b->retry_at ? APR_SUCCESS : APR_EBUSY;
    if (b->connecting < EH_DB_CONNECTING) return APR_SUCCESS;
    return b->stalled ? APR_EBUSY : APR_EAGAIN;
}

apr_status_t eh_db_breaker_enter(db_breaker_t *b, apr_int64_t deadline)
{
    struct timespec ts = db_mono_ts(deadline);
    apr_status_t rv;

    pthread_mutex_lock(&b->lock);
    while ((rv = try_enter(b)) == APR_EAGAIN) {
        if (pthread_cond_timedwait(&b->changed, &b->lock, &ts) && try_enter(b) == APR_EAGAIN) {
            b->stalled = 1;
            rv = APR_TIMEUP;
            break;
        }
    }
    if (rv == APR_SUCCESS) b->connecting++;
    pthread_mutex_unlock(&b->lock);
    return rv;
}

int eh_db_breaker_leave(db_breaker_t *b, int connected)
{
    int turned = 0;

    pthread_mutex_lock(&b->lock);
    b->connecting--;
    b->stalled = 0;
    if (connected) {
        turned = b->open ? -1 : 0;
        b->open = 0;
        b->fails = 0;
        b->backoff = 0;
    } else {
        b->fails++;
        if (b->open || b->fails >= EH_DB_BREAKER_FAILS) {
            turned = b->open ? 0 : 1;
            b->open = 1;
            b->backoff += EH_DB_BREAKER_FIRST;
            if (b->backoff > EH_DB_BREAKER_MAX) b->backoff = EH_DB_BREAKER_MAX;
            b->retry_at = db_mono() + b->backoff;
        }
    }
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
    return turned;
}
