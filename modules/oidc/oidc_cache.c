/* SPDX-License-Identifier: Apache-2.0 */
#include "oidc_cache.h"

#include <apr_atomic.h>
#include <apr_cstr.h>
#include <apr_strings.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <string.h>

typedef struct slot_t {
    struct slot_t *next;
    const char *key, *what, *provider;
    apr_thread_mutex_t *mutex; /* never held while fetching */
    apr_thread_cond_t *cond;
    oidc_snap_t *snap; /* last good version, NULL = none yet */
    apr_time_t fetched, fresh_until, stale_until;
    apr_time_t renewed; /* last fetch that an unknown kid caused */
    apr_time_t failed;  /* 0 = the last fetch went well */
    int failures;       /* in a row */
    eh_code_e failure;  /* of the last fetch */
    int fetching;
} slot_t;

struct oidc_cache_t {
    apr_pool_t *pool;
    apr_thread_mutex_t *mutex; /* of the list of slots */
    slot_t *slots;
    int n;
    volatile apr_uint32_t followers; /* threads that wait for a fetch of another */
    apr_uint32_t max_followers;
};

static void snap_release(oidc_snap_t *snap)
{
    if (snap && apr_atomic_dec32(&snap->refs) == 0) apr_pool_destroy(snap->pool);
}

static apr_status_t snap_cleanup(void *data)
{
    snap_release(data);
    return APR_SUCCESS;
}

/** Takes a reference that p gives back. */
static const oidc_snap_t *snap_hold(oidc_snap_t *snap, apr_pool_t *p)
{
    apr_atomic_inc32(&snap->refs);
    apr_pool_cleanup_register(p, snap, snap_cleanup, apr_pool_cleanup_null);
    return snap;
}

/** A pool of its own, with its own allocator: the last holder may be any thread. */
static apr_status_t snap_make(oidc_snap_t **psnap)
{
    apr_pool_t *pool;
    oidc_snap_t *snap;
    apr_status_t rv = apr_pool_create_unmanaged_ex(&pool, NULL, NULL);

    if (rv) return rv;
    snap = apr_pcalloc(pool, sizeof(*snap));
    snap->pool = pool;
    apr_atomic_set32(&snap->refs, 1);
    *psnap = snap;
    return APR_SUCCESS;
}

static apr_status_t cache_cleanup(void *data)
{
    oidc_cache_t *cache = data;
    slot_t *s;

    for (s = cache->slots; s; s = s->next)
        snap_release(s->snap);
    apr_pool_destroy(cache->pool); /* unmanaged: nobody else does */
    return APR_SUCCESS;
}

apr_status_t oidc_cache_create(oidc_cache_t **pcache, apr_pool_t *p)
{
    oidc_cache_t *cache = apr_pcalloc(p, sizeof(*cache));
    apr_status_t rv;

    /* A pool of its own with its own allocator: slots are made at run time by any thread, under our mutex alone. */
    if (!EH_OK(apr_pool_create_unmanaged_ex(&cache->pool, NULL, NULL))) return rv;
    if (!EH_OK(apr_thread_mutex_create(&cache->mutex, APR_THREAD_MUTEX_DEFAULT, p))) {
        apr_pool_destroy(cache->pool);
        return rv;
    }
    apr_pool_cleanup_register(p, cache, cache_cleanup, apr_pool_cleanup_null);
    cache->max_followers = OIDC_FOLLOWERS_MAX;
    *pcache = cache;
    return APR_SUCCESS;
}

void oidc_cache_threads(oidc_cache_t *cache, int threads)
{
    if (threads / 2 < OIDC_FOLLOWERS_MAX) cache->max_followers = (apr_uint32_t)(threads / 2);
}

static apr_status_t slot_find(slot_t **pslot, oidc_cache_t *cache, const oidc_fetch_t *f)
{
    apr_status_t rv = APR_SUCCESS;
    slot_t *s;

    apr_thread_mutex_lock(cache->mutex);
    for (s = cache->slots; s && strcmp(s->key, f->key); s = s->next)
        continue;
    if (!s && cache->n >= OIDC_DOCUMENTS_MAX) rv = APR_ENOSPC;
    if (!s && !rv) {
        s = apr_pcalloc(cache->pool, sizeof(*s));
        s->key = apr_pstrdup(cache->pool, f->key);
        s->what = apr_pstrdup(cache->pool, f->what);
        s->provider = apr_pstrdup(cache->pool, f->prov->name);
        if (EH_OK(apr_thread_mutex_create(&s->mutex, APR_THREAD_MUTEX_DEFAULT, cache->pool)) &&
            EH_OK(apr_thread_cond_create(&s->cond, cache->pool))) {
            s->next = cache->slots;
            cache->slots = s;
            cache->n++;
        }
    }
    apr_thread_mutex_unlock(cache->mutex);
    *pslot = s;
    return rv;
}

/* A clock that was set back must not keep a document fresh, or a backoff running, for as long as it jumped. */
static int is_fresh(const slot_t *s, apr_time_t now)
{
    return s->snap && now < s->fresh_until && now >= s->fetched - apr_time_from_sec(60);
}

static int may_serve_stale(const slot_t *s, apr_time_t now) { return s->snap && now < s->stale_until; }

static apr_time_t backoff(const slot_t *s)
{
    int i, sec = OIDC_BACKOFF_MIN;

    for (i = 1; i < s->failures && sec < OIDC_BACKOFF_MAX; i++)
        sec *= 2;
    return apr_time_from_sec(sec < OIDC_BACKOFF_MAX ? sec : OIDC_BACKOFF_MAX);
}

static int backing_off(const slot_t *s, apr_time_t now)
{
    return s->failed && now >= s->failed && now < s->failed + backoff(s);
}

/** Waits for the fetch of another thread, with the slot's mutex held. @return 0 at once when too many wait already: each is
 * a thread that serves nobody else, and a provider that hangs must not get them all. */
static int follow(oidc_cache_t *cache, slot_t *s, apr_time_t give_up)
{
    int may = apr_atomic_inc32(&cache->followers) < cache->max_followers;

    if (may) apr_thread_cond_timedwait(s->cond, s->mutex, give_up - apr_time_now());
    apr_atomic_dec32(&cache->followers);
    return may;
}

/** Fetches with the slot's mutex released, and stores what came. Called and returns with the mutex held. */
static apr_status_t fetch(slot_t *s, const oidc_fetch_t *f, eh_err_t *err, apr_pool_t *p)
{
    oidc_snap_t *snap = NULL;
    eh_err_t why = {0};
    int ttl = OIDC_TTL_MIN, had_failed;
    apr_status_t rv;
    apr_time_t now;

    s->fetching = 1;
    apr_thread_mutex_unlock(s->mutex);
    if (EH_OK(snap_make(&snap))) rv = f->fn(snap, &ttl, f, &why, p);
    apr_thread_mutex_lock(s->mutex);
    s->fetching = 0;
    now = eh_now(f->ctx);
    had_failed = s->failed != 0;
    if (rv == APR_SUCCESS) {
        snap_release(s->snap);
        s->snap = snap;
        s->fetched = now;
        s->fresh_until = now + apr_time_from_sec(ttl);
        s->stale_until = s->fresh_until + apr_time_from_sec(f->stale);
        s->failed = 0;
        s->failures = 0;
    } else {
        /* What is told of the failure may live in the pool that goes with snap. */
        why.cause = why.cause ? apr_pstrdup(p, why.cause) : NULL;
        why.detail = why.detail ? apr_pstrdup(p, why.detail) : NULL;
        snap_release(snap);
        s->failed = now;
        s->failures++;
        s->failure = why.code ? why.code : EH_E_INTERNAL;
        if (err && err->code == EH_E_NONE) *err = why;
        eh_err_set(err, EH_E_INTERNAL, rv, NULL);
    }
    apr_thread_cond_broadcast(s->cond);
    if (rv) {
        eh_log(f->ctx->log, EH_LOG_WARNING, rv, eh_err_tag(p, s->failure),
               "provider %s: the %s cannot be fetched (%s); %s, next attempt in %d s", f->prov->name, f->what,
               why.cause ? why.cause : eh_err_info(s->failure)->title[EH_LANG_EN],
               may_serve_stale(s, now) ? "the last good one serves" : "none is at hand", (int)apr_time_sec(backoff(s)));
    } else if (had_failed) {
        eh_log(f->ctx->log, EH_LOG_NOTICE, 0, "", "provider %s: the %s can be fetched again", f->prov->name, f->what);
    }
    return rv;
}

static apr_status_t unavailable(const slot_t *s, apr_time_t now, eh_err_t *err)
{
    eh_code_e code = s->failed ? s->failure : EH_E_PROVIDER_DOWN;
    apr_status_t rv = eh_err_set(err, code, APR_TIMEUP, NULL);

    if (err && !err->retry_after) {
        err->retry_after = s->failed ? (int)apr_time_sec(s->failed + backoff(s) - now) + 1 : OIDC_BACKOFF_MIN;
    }
    return rv;
}

apr_status_t oidc_cache_get(const oidc_snap_t **psnap, oidc_cache_t *cache, const oidc_fetch_t *f, eh_err_t *err,
                            apr_pool_t *p)
{
    apr_time_t give_up = apr_time_now() + apr_time_from_sec(OIDC_FOLLOWER_WAIT), now;
    apr_status_t rv;
    slot_t *s;

    if (!EH_OK(slot_find(&s, cache, f))) return eh_err_set(err, EH_E_INTERNAL, rv, NULL);
    apr_thread_mutex_lock(s->mutex);
    for (;;) {
        now = eh_now(f->ctx);
        if (is_fresh(s, now)) break;
        if (!s->fetching && !backing_off(s, now)) {
            if (!EH_OK(fetch(s, f, may_serve_stale(s, now) ? NULL : err, p)) && !may_serve_stale(s, now)) goto leave;
            break;
        }
        if (may_serve_stale(s, now)) break;
        if (!s->fetching || apr_time_now() >= give_up) {
            rv = unavailable(s, now, err);
            goto leave;
        }
        if (!follow(cache, s, give_up)) {
            if (err) err->retry_after = 1;
            rv = eh_err_setf(err, p, EH_E_HTTP_BUSY, APR_EAGAIN, NULL, "too many threads wait for the %s already",
                             f->what);
            goto leave;
        }
    }
    *psnap = snap_hold(s->snap, p);
    rv = APR_SUCCESS;
leave:
    apr_thread_mutex_unlock(s->mutex);
    return rv;
}

apr_status_t oidc_cache_renew(const oidc_snap_t **psnap, oidc_cache_t *cache, const oidc_fetch_t *f,
                              const oidc_snap_t *seen, eh_err_t *err, apr_pool_t *p)
{
    apr_time_t give_up = apr_time_now() + apr_time_from_sec(OIDC_FOLLOWER_WAIT), now;
    apr_status_t rv;
    slot_t *s;

    if (!EH_OK(slot_find(&s, cache, f))) return eh_err_set(err, EH_E_INTERNAL, rv, NULL);
    *psnap = seen;
    apr_thread_mutex_lock(s->mutex);
    while (s->snap == seen && s->fetching && apr_time_now() < give_up && follow(cache, s, give_up))
        continue;
    now = eh_now(f->ctx);
    if (s->snap == seen && !s->fetching && !backing_off(s, now) &&
        (now < s->renewed || now >= s->renewed + apr_time_from_sec(OIDC_REFETCH_THROTTLE))) {
        s->renewed = now;
        rv = fetch(s, f, err, p);
    }
    if (s->snap && s->snap != seen) *psnap = snap_hold(s->snap, p);
    apr_thread_mutex_unlock(s->mutex);
    return rv;
}

int oidc_cache_ttl(const char *cache_control, int max)
{
    char *copy, *last, *token;
    char buf[512];
    int ttl = max;

    if (!cache_control) return max;
    apr_cpystrn(buf, cache_control, sizeof(buf));
    copy = buf;
    for (token = apr_strtok(copy, ", \t", &last); token; token = apr_strtok(NULL, ", \t", &last)) {
        if (!apr_cstr_casecmp(token, "no-store") || !apr_cstr_casecmp(token, "no-cache")) return OIDC_TTL_MIN;
        if (!apr_cstr_casecmpn(token, "max-age=", 8)) {
            apr_int64_t n = apr_atoi64(token + 8);
            ttl = n < OIDC_TTL_MIN ? OIDC_TTL_MIN : n > max ? max : (int)n;
        }
    }
    return ttl;
}

json_t *oidc_cache_status(oidc_cache_t *cache, const eh_ctx_t *ctx)
{
    json_t *list = json_array();
    apr_time_t now = eh_now(ctx);
    slot_t *s;

    apr_thread_mutex_lock(cache->mutex);
    for (s = cache->slots; s; s = s->next) {
        apr_thread_mutex_lock(s->mutex);
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:b, s:b, s:I, s:i}", "provider", s->provider, "document", s->what,
                                        "present", s->snap != NULL, "fresh", is_fresh(s, now), "age_seconds",
                                        s->snap ? (json_int_t)apr_time_sec(now - s->fetched) : (json_int_t)-1,
                                        "failures", s->failures));
        apr_thread_mutex_unlock(s->mutex);
    }
    apr_thread_mutex_unlock(cache->mutex);
    return list;
}
