/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Hot path, part of one child: what is known of the sessions in use, ready to be handed to a request without JSON, SQL or
 * rendering. Bounded: a full set gives up its least recently used entry. Thread-safe; entries are immutable but for
 * values rendered on first use, and live until the last request that holds one has ended.
 */
#ifndef HOT_CACHE_H
#define HOT_CACHE_H

#include <apr_pools.h>

#include "ehealth/principal.h"
#include "hot_slots.h"

#define HOT_CACHE_MAX 8192 /* sessions that one child remembers at most, whatever the node's table holds */

typedef struct hot_cache_t hot_cache_t;

typedef struct hot_entry_t {
    unsigned char digest[HOT_DIGEST_LEN];
    const char *ticket_h; /* the digest as the database writes it */
    const void *scope;    /* the provider of the virtual host it is valid on; compared, never followed */
    hot_ref_t slot;
    apr_time_t expires;       /* absolute end */
    apr_interval_time_t idle; /* 0 = none */
    const eh_principal_t *who;
    _Atomic int64_t told; /* when a refusal was last written to the audit table */
    /* the rest is the cache's own */
    apr_pool_t *pool;
    _Atomic int refs;
    uint32_t used; /* s since 1970; guarded by the set's lock */
    int n_values;
    _Atomic(char *) values[]; /* by index of what is rendered */
} hot_entry_t;

/** capacity: entries; values: how many different things can be rendered for an entry. */
apr_status_t hot_cache_create(hot_cache_t **pcache, int capacity, int values, apr_pool_t *p);

/** A new entry with a pool of its own (entry->pool), for the principal. The caller fills it and holds one reference. */
hot_entry_t *hot_entry_make(hot_cache_t *cache);
/** Gives a reference back; the last one destroys. */
void hot_entry_release(hot_entry_t *e);

/** The entry, with a reference for the caller; NULL when it is not there. Judges nothing: see hot_slots_live. */
hot_entry_t *hot_cache_get(hot_cache_t *cache, const unsigned char digest[HOT_DIGEST_LEN], uint32_t now_s);
/** Puts e in (the cache takes a reference of its own), in place of one with the same digest. */
void hot_cache_put(hot_cache_t *cache, hot_entry_t *e, uint32_t now_s);
/** Takes it out. */
void hot_cache_drop(hot_cache_t *cache, const unsigned char digest[HOT_DIGEST_LEN]);

/** The value rendered before, NULL when it was not. Lives as long as the entry. */
static inline const char *hot_value(const hot_entry_t *e, int index)
{
    return atomic_load_explicit(&e->values[index], memory_order_acquire);
}
/** Keeps a copy of text as the value, unless another thread was faster. @return the value that is kept. */
const char *hot_value_keep(hot_entry_t *e, int index, const char *text);

/** Entries in the cache now. */
int hot_cache_count(hot_cache_t *cache);

#endif
