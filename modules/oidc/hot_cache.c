/* SPDX-License-Identifier: Apache-2.0 */
#include "hot_cache.h"

#include <apr_allocator.h>
#include <apr_thread_mutex.h>
#include <stdlib.h>
#include <string.h>

#define CACHE_WAYS 8
#define CACHE_LOCKS 32

typedef struct set_t {
    hot_entry_t *way[CACHE_WAYS];
} set_t;

struct hot_cache_t {
    apr_thread_mutex_t *locks[CACHE_LOCKS];
    uint32_t sets; /* a power of two, at least CACHE_LOCKS */
    int values;
    _Atomic int count;
    set_t set[];
};

/* Entries may be destroyed by any thread, so their pools hang off no parent: what is left at the child's end goes here. */
static apr_status_t cache_cleanup(void *data)
{
    hot_cache_t *c = data;

    for (uint32_t i = 0; i < c->sets; i++) {
        for (int w = 0; w < CACHE_WAYS; w++) {
            if (c->set[i].way[w]) hot_entry_release(c->set[i].way[w]);
        }
    }
    free(c);
    return APR_SUCCESS;
}

apr_status_t hot_cache_create(hot_cache_t **pcache, int capacity, int values, apr_pool_t *p)
{
    uint32_t sets = CACHE_LOCKS;
    hot_cache_t *c;
    apr_status_t rv;

    if (capacity > HOT_CACHE_MAX) capacity = HOT_CACHE_MAX;
    while ((int)sets * CACHE_WAYS < capacity)
        sets <<= 1;
    /* calloc: pages of sets that nobody uses are never touched, and so cost nothing */
    c = calloc(1, sizeof(*c) + sets * sizeof(set_t));
    if (c == NULL) return APR_ENOMEM;
    c->sets = sets;
    c->values = values;
    for (int i = 0; i < CACHE_LOCKS; i++) {
        rv = apr_thread_mutex_create(&c->locks[i], APR_THREAD_MUTEX_DEFAULT, p);
        if (rv != APR_SUCCESS) {
            free(c);
            return rv;
        }
    }
    apr_pool_cleanup_register(p, c, cache_cleanup, apr_pool_cleanup_null);
    *pcache = c;
    return APR_SUCCESS;
}

hot_entry_t *hot_entry_make(hot_cache_t *cache)
{
    hot_entry_t *e = calloc(1, sizeof(*e) + (size_t)cache->values * sizeof(e->values[0]));
    apr_allocator_t *allocator;

    if (e == NULL) return NULL;
    if (apr_allocator_create(&allocator) != APR_SUCCESS) {
        free(e);
        return NULL;
    }
    apr_allocator_max_free_set(allocator, 1);
    if (apr_pool_create_unmanaged_ex(&e->pool, NULL, allocator) != APR_SUCCESS) {
        apr_allocator_destroy(allocator);
        free(e);
        return NULL;
    }
    apr_allocator_owner_set(allocator, e->pool);
    e->n_values = cache->values;
    atomic_store(&e->refs, 1);
    return e;
}

void hot_entry_release(hot_entry_t *e)
{
    if (atomic_fetch_sub_explicit(&e->refs, 1, memory_order_acq_rel) != 1) return;
    for (int i = 0; i < e->n_values; i++)
        free(atomic_load_explicit(&e->values[i], memory_order_relaxed));
    apr_pool_destroy(e->pool);
    free(e);
}

static set_t *set_of(hot_cache_t *c, const unsigned char digest[HOT_DIGEST_LEN], apr_thread_mutex_t **plock)
{
    uint32_t h;

    /* other bits than those that choose the shared slot */
    memcpy(&h, digest + 8, sizeof(h));
    *plock = c->locks[h & (CACHE_LOCKS - 1)];
    return &c->set[h & (c->sets - 1)];
}

static int way_of(const set_t *set, const unsigned char digest[HOT_DIGEST_LEN])
{
    for (int w = 0; w < CACHE_WAYS; w++) {
        if (set->way[w] && memcmp(set->way[w]->digest, digest, HOT_DIGEST_LEN) == 0) return w;
    }
    return -1;
}

hot_entry_t *hot_cache_get(hot_cache_t *c, const unsigned char digest[HOT_DIGEST_LEN], uint32_t now_s)
{
    apr_thread_mutex_t *lock;
    set_t *set = set_of(c, digest, &lock);
    hot_entry_t *e = NULL;
    int w;

    apr_thread_mutex_lock(lock);
    if ((w = way_of(set, digest)) >= 0) {
        e = set->way[w];
        e->used = now_s;
        atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed);
    }
    apr_thread_mutex_unlock(lock);
    return e;
}

void hot_cache_put(hot_cache_t *c, hot_entry_t *e, uint32_t now_s)
{
    apr_thread_mutex_t *lock;
    set_t *set = set_of(c, e->digest, &lock);
    hot_entry_t *old;
    int w;

    atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed);
    apr_thread_mutex_lock(lock);
    if ((w = way_of(set, e->digest)) < 0) {
        w = 0;
        for (int i = 0; i < CACHE_WAYS; i++) {
            if (set->way[i] == NULL) {
                w = i;
                break;
            }
            if (set->way[i]->used < set->way[w]->used) w = i;
        }
    }
    old = set->way[w];
    e->used = now_s;
    set->way[w] = e;
    apr_thread_mutex_unlock(lock);
    if (old) {
        hot_entry_release(old);
    } else {
        atomic_fetch_add_explicit(&c->count, 1, memory_order_relaxed);
    }
}

void hot_cache_drop(hot_cache_t *c, const unsigned char digest[HOT_DIGEST_LEN])
{
    apr_thread_mutex_t *lock;
    set_t *set = set_of(c, digest, &lock);
    hot_entry_t *e = NULL;
    int w;

    apr_thread_mutex_lock(lock);
    if ((w = way_of(set, digest)) >= 0) {
        e = set->way[w];
        set->way[w] = NULL;
    }
    apr_thread_mutex_unlock(lock);
    if (e == NULL) return;
    atomic_fetch_sub_explicit(&c->count, 1, memory_order_relaxed);
    hot_entry_release(e);
}

const char *hot_value_keep(hot_entry_t *e, int index, const char *text)
{
    char *mine = strdup(text), *expected = NULL;

    if (mine == NULL) return text;
    if (atomic_compare_exchange_strong(&e->values[index], &expected, mine)) return mine;
    free(mine);
    return expected;
}

int hot_cache_count(hot_cache_t *c) { return atomic_load_explicit(&c->count, memory_order_relaxed); }
