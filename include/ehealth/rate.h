/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Rate limits: token buckets in shared memory, a set-associative table of cells indexed by a keyed hash. Lock-free.
 * When a set is full the bucket that would refill soonest is replaced: a flood of keys can only ever make limits
 * milder for others, never lock them out.
 */
#ifndef EHEALTH_RATE_H
#define EHEALTH_RATE_H

#include <apr_pools.h>
#include <apr_time.h>
#include <stdint.h>

#define EH_RATE_WINDOW_MAX (24 * 3600 * APR_USEC_PER_SEC)

typedef struct eh_rate_limit_t {
    int burst;                  /* tokens when full: requests allowed per window; ≤ 0 refuses all */
    apr_interval_time_t window; /* time in which burst tokens come back; at most EH_RATE_WINDOW_MAX; a token takes
                                   at least 100 µs */
} eh_rate_limit_t;

typedef struct eh_rate_answer_t {
    int allowed;
    int remaining;             /* whole tokens left */
    int reset;                 /* seconds until full / until one token when refused, rounded up, ≥ 1 when refused */
} eh_rate_answer_t;

typedef struct eh_rate_t eh_rate_t;
apr_size_t eh_rate_size(int cells);
/** Lays a table over zeroed shared memory. seed: 16 random bytes, the same in every process. */
eh_rate_t *eh_rate_make(void *mem, int cells, const unsigned char seed[16], apr_pool_t *p);
/** Takes one token of (klass, key). */
void eh_rate_take(eh_rate_t *rate, const eh_rate_limit_t *limit, int klass, const void *key, apr_size_t len,
                  apr_time_t now, eh_rate_answer_t *answer);

#endif
