/* SPDX-License-Identifier: Apache-2.0 */
#include "ehealth/rate.h"

#include <apr_siphash.h>
#include <stdatomic.h>
#include <string.h>

/*
 * A cell is one 64-bit word: 26 bits of tag, 38 bits of time. The time is the moment at which the bucket is full again
 * ("theoretical arrival time" of the generic cell rate algorithm, ITU-T I.371): the whole state of a token bucket in one
 * number, which one compare-and-swap moves, and which is at once the order of eviction.
 * Times count 100 µs and wrap after 318 days. Differences are taken modulo that; one that cannot be (beyond the longest
 * window: a stepped clock, a cell untouched for half a year) reads as a full bucket, never as a lock-out.
 */
#define TIME_BITS 38
#define TIME_MASK ((UINT64_C(1) << TIME_BITS) - 1)
#define TICK 100 /* µs */
#define WAYS 8   /* cells a set: one cache line */
#define LINE 64

typedef _Atomic uint64_t cell_t;

struct eh_rate_t {
    cell_t *cells;
    uint64_t sets; /* a power of two */
    unsigned char seed[16];
};

static uint64_t sets_of(int cells)
{
    uint64_t sets = 1;

    while (sets * WAYS < (uint64_t)(cells > 0 ? cells : 1))
        sets <<= 1;
    return sets;
}

apr_size_t eh_rate_size(int cells) { return (apr_size_t)(sets_of(cells) * WAYS * sizeof(cell_t) + LINE); }

eh_rate_t *eh_rate_make(void *mem, int cells, const unsigned char seed[16], apr_pool_t *p)
{
    eh_rate_t *rate = apr_palloc(p, sizeof(*rate));

    rate->cells = (cell_t *)(((uintptr_t)mem + LINE - 1) & ~(uintptr_t)(LINE - 1));
    rate->sets = sets_of(cells);
    memcpy(rate->seed, seed, sizeof(rate->seed));
    return rate;
}

/* Two keyed hashes in a row: the first over the key, the second binds the class, without copying the key. */
static uint64_t hash_of(const eh_rate_t *rate, int klass, const void *key, apr_size_t len)
{
    uint64_t mix[2] = {apr_siphash24(key, len, rate->seed), (uint64_t)klass};

    return apr_siphash24(mix, sizeof(mix), rate->seed);
}

/* Ticks until the bucket of this cell is full, 0 when it is or when the value cannot be. */
static uint64_t debt_of(uint64_t cell, uint64_t now, uint64_t most)
{
    uint64_t d = (cell - now) & TIME_MASK;

    return d <= most ? d : 0;
}

/* Own cell of tag, else the one to replace: the first that is full from a place the hash tells (so that two who insert
 * the same key meet in one cell), else the one that is full soonest. */
static int choose(cell_t *set, uint64_t tag, uint64_t now, uint64_t seen[WAYS], int *own)
{
    const uint64_t day = (uint64_t)EH_RATE_WINDOW_MAX / TICK;
    uint64_t least = UINT64_MAX, own_debt = 0;
    int victim = 0, mine = -1;

    for (int k = 0; k < WAYS; k++) {
        int i = (int)((tag + (uint64_t)k) % WAYS);
        uint64_t d;

        seen[i] = atomic_load_explicit(&set[i], memory_order_relaxed);
        d = debt_of(seen[i], now, day);
        if (seen[i] >> TIME_BITS == tag && (mine < 0 || d > own_debt)) {
            mine = i;
            own_debt = d;
        }
        if (d < least) {
            least = d;
            victim = i;
        }
    }
    *own = mine >= 0;
    return mine >= 0 ? mine : victim;
}

void eh_rate_take(eh_rate_t *rate, const eh_rate_limit_t *limit, int klass, const void *key, apr_size_t len,
                  apr_time_t at, eh_rate_answer_t *answer)
{
    uint64_t window = (uint64_t)(limit->window < 0                    ? 0
                                 : limit->window > EH_RATE_WINDOW_MAX ? EH_RATE_WINDOW_MAX
                                                                      : limit->window) /
                      TICK;
    uint64_t burst = limit->burst > 0 ? (uint64_t)limit->burst : 0;
    uint64_t each = burst ? (window + burst - 1) / burst : 0; /* ticks for one token to come back */
    uint64_t now = (uint64_t)(at / TICK) & TIME_MASK;
    uint64_t h = hash_of(rate, klass, key, len), tag = h >> TIME_BITS, seen[WAYS], debt, full;
    cell_t *set = &rate->cells[(h & (rate->sets - 1)) * WAYS];
    int i, own;

    if (tag == 0) tag = 1; /* 0 is an untouched cell */
    if (burst && each == 0) each = 1;
    full = burst * each;
    do {
        i = choose(set, tag, now, seen, &own);
        debt = own ? debt_of(seen[i], now, full) : 0;
        answer->allowed = debt + each <= full && burst > 0;
        if (!answer->allowed) {
            uint64_t wait = burst ? debt + each - full : window;

            answer->remaining = 0;
            answer->reset = (int)((wait * TICK + APR_USEC_PER_SEC - 1) / APR_USEC_PER_SEC);
            if (answer->reset < 1) answer->reset = 1;
            return;
        }
        debt += each;
    } while (!atomic_compare_exchange_weak_explicit(&set[i], &seen[i], tag << TIME_BITS | ((now + debt) & TIME_MASK),
                                                    memory_order_relaxed, memory_order_relaxed));
    answer->remaining = (int)((full - debt) / each);
    answer->reset = (int)((debt * TICK + APR_USEC_PER_SEC - 1) / APR_USEC_PER_SEC);
}
