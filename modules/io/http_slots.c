/* SPDX-License-Identifier: Apache-2.0 */
/* Easy handles are kept because each keeps its connections (0.14 ms against 1.84 ms for a new TLS connection). No CURLSH:
 * libcurl does not support sharing connections between threads, and what is left to share (DNS, TLS sessions) is not worth
 * its locks and would let sessions wander between client certificates. */
#include <apr_strings.h>
#include <string.h>
#include <time.h>

#include "http_int.h"

apr_time_t eh_mono_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (apr_time_t)ts.tv_sec * APR_USEC_PER_SEC + ts.tv_nsec / 1000;
}

static void wait_until(eh_httppool_t *pool, apr_time_t when)
{
    struct timespec ts = {when / APR_USEC_PER_SEC, (when % APR_USEC_PER_SEC) * 1000};

    pthread_cond_timedwait(&pool->freed, &pool->lock, &ts);
}

/* The free slot that fits best: same peer and certificate, then an unused one, then the same certificate, then the one
 * that has idled longest (its handle is replaced when the certificate differs). */
static eh_slot_t *best_slot(eh_httppool_t *pool, const char *key, const char *ident)
{
    eh_slot_t *best = NULL;
    int i, best_rank = -1;

    for (i = 0; i < pool->conf.max_handles; i++) {
        eh_slot_t *s = &pool->slots[i];
        int same, rank;

        if (s->busy) continue; /* its other members belong to another thread */
        same = s->easy && !strcmp(s->ident, ident);
        rank = same && !strcmp(s->host, key) ? 3 : !s->easy ? 2 : same ? 1 : 0;
        if (rank > best_rank || (rank == best_rank && s->used < best->used)) {
            best = s;
            best_rank = rank;
        }
    }
    return best;
}

static apr_status_t busy(eh_err_t *err, const char *key, const char *why, apr_pool_t *p)
{
    if (err) err->retry_after = 1;
    return eh_err_setf(err, p, EH_E_HTTP_BUSY, APR_TIMEUP, NULL, "%s: %s", key, why);
}

/* Under the lock: waits until the host's cap and the number of handles allow one more. */
static apr_status_t wait_turn(eh_httppool_t *pool, const char *key, apr_time_t deadline, eh_host_t **phost,
                              eh_err_t *err, apr_pool_t *p)
{
    apr_time_t now = eh_mono_now();
    apr_time_t give_up = now + pool->conf.max_wait < deadline ? now + pool->conf.max_wait : deadline;
    int per_host_waiting = (pool->conf.max_waiting + 1) / 2;

    for (;;) {
        eh_host_t *host = eh_host_get(pool->hosts, EH_HTTP_MAX_HOSTS, key, now);
        int retry, late;

        if (!host) return busy(err, key, "too many hosts in use at once", p);
        if (!eh_breaker_may(host, now, &retry)) {
            if (err) err->retry_after = retry;
            return eh_err_setf(err, p, EH_E_HTTP_BREAKER, APR_EAGAIN, NULL, "%s: %d failures in a row", key,
                               host->fails);
        }
        if (host->in_flight < pool->conf.max_per_host && pool->busy < pool->conf.max_handles) {
            *phost = host;
            return APR_SUCCESS;
        }
        late = now >= give_up;
        if (late || pool->waiting >= pool->conf.max_waiting || host->waiting >= per_host_waiting) {
            return busy(err, key,
                        late                                      ? "no connection became free in time"
                        : pool->waiting >= pool->conf.max_waiting ? "too many threads wait already"
                                                                  : "too many threads wait for this host already",
                        p);
        }
        pool->waiting++;
        host->waiting++;
        wait_until(pool, give_up);
        pool->waiting--;
        host->waiting--; /* entries with waiters stay in place */
        now = eh_mono_now();
    }
}

apr_status_t eh_slot_take(eh_slot_t **pslot, eh_httppool_t *pool, const char *key, const char *ident,
                          apr_time_t deadline, eh_err_t *err, apr_pool_t *p)
{
    eh_host_t *host = NULL;
    eh_slot_t *slot;
    apr_status_t rv;

    pthread_mutex_lock(&pool->lock);
    rv = wait_turn(pool, key, deadline, &host, err, p);
    if (rv != APR_SUCCESS) {
        pthread_mutex_unlock(&pool->lock);
        return rv;
    }
    eh_breaker_start(host, eh_mono_now());
    slot = best_slot(pool, key, ident);
    slot->busy = 1;
    pool->busy++;
    pthread_mutex_unlock(&pool->lock);

    /* libcurl's own matching of connections is not relied on: another certificate, another handle. */
    if (slot->easy && strcmp(slot->ident, ident)) {
        curl_easy_cleanup(slot->easy);
        slot->easy = NULL;
    }
    apr_cpystrn(slot->host, key, sizeof(slot->host));
    apr_cpystrn(slot->ident, ident, sizeof(slot->ident));
    memset(&slot->seen, 0, sizeof(slot->seen));
    if (!slot->easy) slot->easy = curl_easy_init();
    if (!slot->easy) {
        eh_slot_give(pool, slot, 0, EH_OUTCOME_NONE);
        return eh_err_set(err, EH_E_INTERNAL, APR_ENOMEM, NULL);
    }
    *pslot = slot;
    return APR_SUCCESS;
}

static void tell(eh_httppool_t *pool, const char *key, eh_breaker_change_e change)
{
    if (!pool->log || change == EH_BREAKER_SAME) return;
    if (change == EH_BREAKER_OPENED) {
        eh_log(pool->log, EH_LOG_WARNING, 0, "EH2104",
               "%s failed %d times in a row and is left alone for %d s; see the errors before this one", key,
               EH_HTTP_BREAKER_FAILS, (int)apr_time_sec(EH_HTTP_BREAKER_OPEN));
    } else {
        eh_log(pool->log, EH_LOG_NOTICE, 0, "", "%s answers again", key);
    }
}

void eh_slot_give(eh_httppool_t *pool, eh_slot_t *slot, int keep, eh_peer_e outcome)
{
    eh_breaker_change_e change = EH_BREAKER_SAME;
    eh_host_t *host;
    char key[EH_HOST_KEY_MAX];
    apr_time_t now;

    if (slot->easy && keep) {
        /* Drops what points at the caller's memory and every credential; connections stay. */
        curl_easy_reset(slot->easy);
    } else if (slot->easy) {
        curl_easy_cleanup(slot->easy);
        slot->easy = NULL;
    }
    memcpy(key, slot->host, sizeof(key));
    now = eh_mono_now();
    pthread_mutex_lock(&pool->lock);
    host = eh_host_get(pool->hosts, EH_HTTP_MAX_HOSTS, key, now);
    if (host) change = eh_breaker_report(host, outcome, now); /* never NULL: in_flight held the entry */
    slot->busy = 0;
    slot->used = now;
    pool->busy--;
    pthread_cond_broadcast(&pool->freed);
    pthread_mutex_unlock(&pool->lock);
    tell(pool, key, change);
}

int eh_httppool_hosts(eh_http_t *http, eh_httppool_host_t *out, int max, apr_pool_t *p)
{
    eh_httppool_t *pool = (eh_httppool_t *)http;
    apr_time_t wall = apr_time_now(), now = eh_mono_now();
    int i, n = 0;

    pthread_mutex_lock(&pool->lock);
    for (i = 0; i < EH_HTTP_MAX_HOSTS && n < max; i++) {
        const eh_host_t *h = &pool->hosts[i];

        if (!*h->key) continue;
        out[n].host = apr_pstrdup(p, h->key);
        out[n].in_flight = h->in_flight;
        out[n].fails = h->fails;
        out[n].open = h->state != EH_BREAKER_CLOSED;
        out[n].until = out[n].open ? wall + (h->open_until - now) : 0;
        n++;
    }
    pthread_mutex_unlock(&pool->lock);
    return n;
}
