/* SPDX-License-Identifier: Apache-2.0 */
#include "hot_slots.h"

#include <string.h>

#define HOT_WORDS (HOT_DIGEST_LEN / 8)
#define HOT_MIN_SETS 16
#define HOT_GROUP 64 /* slots to one bit of the map: about a page of memory */
#define HOT_CLAIM_TRIES 16

/* generation: 0 = never used; otherwise a count in the upper bits and these two */
#define GEN_REVOKED UINT64_C(1)
#define GEN_BUSY UINT64_C(2) /* being written: readers pass over it */
#define GEN_STEP UINT64_C(4)

/* One cache line. The digest is kept as atomics because a reader may race with a claim; it then sees a generation that
 * moved and throws away what it read. */
typedef struct slot_t {
    _Atomic uint64_t generation;
    _Atomic int64_t seen;
    _Atomic int64_t flushed;
    _Atomic uint64_t digest[HOT_WORDS];
    uint64_t pad;
} slot_t;
_Static_assert(sizeof(slot_t) == 64, "a slot is one cache line");

typedef struct head_t {
    _Atomic uint64_t next_generation;
    _Atomic int64_t polled;
    _Atomic int64_t poll_mark;
    uint32_t sets; /* a power of two; written by every process alike */
    uint32_t pad0;
    uint64_t pad[4];
} head_t;
_Static_assert(sizeof(head_t) == 64, "slots stay aligned to cache lines");

/* Behind the head: the slots, then a map with one bit for each group that was ever claimed in. Who walks the table skips
 * the rest, so that a table made for many sessions costs memory only for those that came. */
struct hot_slots_t {
    head_t head;
    slot_t slots[];
};

static uint32_t groups_of(uint32_t sets) { return (sets * HOT_WAYS + HOT_GROUP - 1) / HOT_GROUP; }

static _Atomic uint64_t *map_of(const hot_slots_t *t)
{
    return (_Atomic uint64_t *)(uintptr_t)&t->slots[t->head.sets * HOT_WAYS];
}

/* The next slot at or after i in a group that was claimed in; the number of slots when there is none. */
static uint32_t next_slot(const hot_slots_t *t, uint32_t i)
{
    uint32_t end = t->head.sets * HOT_WAYS;

    while (i < end) {
        uint32_t group = i / HOT_GROUP;
        uint64_t bits = atomic_load_explicit(&map_of(t)[group / 64], memory_order_acquire) >> (group % 64);

        if (bits & 1) return i;
        if (bits == 0) {
            i = (group / 64 + 1) * 64 * HOT_GROUP;
        } else {
            i = (group + (uint32_t)__builtin_ctzll(bits)) * HOT_GROUP;
        }
    }
    return end;
}

static uint32_t sets_for(int sessions)
{
    /* a quarter more than asked for, so that sets do not overflow long before the table is full */
    uint64_t want = ((uint64_t)(sessions > 0 ? sessions : 1) * 5 / 4 + HOT_WAYS - 1) / HOT_WAYS;
    uint32_t sets = HOT_MIN_SETS;

    while (sets < want && sets < (UINT32_C(1) << 24))
        sets <<= 1;
    return sets;
}

apr_size_t hot_slots_size(int sessions)
{
    uint32_t sets = sets_for(sessions);

    return sizeof(head_t) + (apr_size_t)sets * HOT_WAYS * sizeof(slot_t) +
           (groups_of(sets) + 63) / 64 * sizeof(uint64_t);
}

hot_slots_t *hot_slots_at(void *mem, int sessions)
{
    hot_slots_t *t = mem;

    t->head.sets = sets_for(sessions);
    return t;
}

static void words_of(uint64_t w[HOT_WORDS], const unsigned char digest[HOT_DIGEST_LEN])
{
    memcpy(w, digest, HOT_DIGEST_LEN);
}

static uint32_t first_of(const hot_slots_t *t, const uint64_t w[HOT_WORDS])
{
    return (uint32_t)(w[0] & (t->head.sets - 1)) * HOT_WAYS;
}

static int same_digest(const slot_t *s, const uint64_t w[HOT_WORDS])
{
    uint64_t diff = 0;

    for (int i = 0; i < HOT_WORDS; i++)
        diff |= atomic_load_explicit(&s->digest[i], memory_order_relaxed) ^ w[i];
    return diff == 0;
}

/* The generation under which s holds the digest, 0 when it does not. */
static uint64_t held(const slot_t *s, const uint64_t w[HOT_WORDS])
{
    uint64_t g = atomic_load_explicit(&s->generation, memory_order_acquire);

    if (g == 0 || (g & GEN_BUSY) || !same_digest(s, w)) return 0;
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&s->generation, memory_order_relaxed) == g ? g : 0;
}

/* Takes over s, which had generation g. @return the new generation, 0 when another process was faster. */
static uint64_t claim(hot_slots_t *t, slot_t *s, uint64_t g, const uint64_t w[HOT_WORDS], apr_time_t now)
{
    uint64_t fresh = atomic_fetch_add_explicit(&t->head.next_generation, GEN_STEP, memory_order_relaxed) + GEN_STEP;

    if (!atomic_compare_exchange_strong_explicit(&s->generation, &g, fresh | GEN_BUSY, memory_order_acq_rel,
                                                 memory_order_relaxed)) {
        return 0;
    }
    atomic_thread_fence(memory_order_release);
    if (g == 0) {
        uint32_t group = (uint32_t)(s - t->slots) / HOT_GROUP;
        atomic_fetch_or_explicit(&map_of(t)[group / 64], UINT64_C(1) << (group % 64), memory_order_release);
    }
    for (int i = 0; i < HOT_WORDS; i++)
        atomic_store_explicit(&s->digest[i], w[i], memory_order_relaxed);
    atomic_store_explicit(&s->seen, now, memory_order_relaxed);
    atomic_store_explicit(&s->flushed, now, memory_order_relaxed);
    /* Fails only when a claim that took over a busy slot was faster: then the slot is that one's. */
    g = fresh | GEN_BUSY;
    return atomic_compare_exchange_strong_explicit(&s->generation, &g, fresh, memory_order_release,
                                                   memory_order_relaxed)
               ? fresh
               : 0;
}

/* Free before least recently used; one that is being written, or was when its writer was killed, comes last. */
static slot_t *victim_of(hot_slots_t *t, uint32_t first, uint64_t *pg)
{
    slot_t *victim = NULL;
    int64_t oldest = INT64_MAX;

    for (int i = 0; i < HOT_WAYS; i++) {
        slot_t *s = &t->slots[first + i];
        uint64_t g = atomic_load_explicit(&s->generation, memory_order_acquire);
        int64_t seen = g == 0 ? INT64_MIN : (g & GEN_BUSY) ? INT64_MAX : atomic_load(&s->seen);

        if (victim == NULL || seen < oldest) {
            victim = s;
            oldest = seen;
            *pg = g;
        }
    }
    return victim;
}

hot_join_e hot_slots_join(hot_slots_t *t, const unsigned char digest[HOT_DIGEST_LEN], apr_time_t now, hot_ref_t *ref)
{
    uint64_t w[HOT_WORDS], g;
    uint32_t first;

    words_of(w, digest);
    first = first_of(t, w);
    for (int tries = 0; tries < HOT_CLAIM_TRIES; tries++) {
        slot_t *s;

        for (int i = 0; i < HOT_WAYS; i++) {
            if ((g = held(&t->slots[first + i], w)) == 0) continue;
            if (g & GEN_REVOKED) return HOT_REVOKED;
            ref->index = first + i;
            ref->generation = g;
            return HOT_JOINED;
        }
        s = victim_of(t, first, &g);
        if ((g = claim(t, s, g, w, now)) != 0) {
            ref->index = (uint32_t)(s - t->slots);
            ref->generation = g;
            return HOT_JOINED;
        }
    }
    return HOT_CROWDED;
}

int hot_slots_live(const hot_slots_t *t, hot_ref_t ref)
{
    return atomic_load_explicit(&t->slots[ref.index].generation, memory_order_acquire) == ref.generation;
}

apr_time_t hot_slots_seen(const hot_slots_t *t, hot_ref_t ref)
{
    return atomic_load_explicit(&t->slots[ref.index].seen, memory_order_relaxed);
}

void hot_slots_touch(hot_slots_t *t, hot_ref_t ref, apr_time_t now)
{
    slot_t *s = &t->slots[ref.index];
    int64_t seen = atomic_load_explicit(&s->seen, memory_order_relaxed);

    if (now - seen < apr_time_from_sec(1)) return;
    /* One attempt: when it fails, another request of the same second has just moved it. */
    atomic_compare_exchange_strong_explicit(&s->seen, &seen, now, memory_order_relaxed, memory_order_relaxed);
}

int hot_slots_revoke(hot_slots_t *t, const unsigned char digest[HOT_DIGEST_LEN])
{
    uint64_t w[HOT_WORDS], g;
    uint32_t first;
    int n = 0;

    words_of(w, digest);
    first = first_of(t, w);
    for (int i = 0; i < HOT_WAYS; i++) {
        slot_t *s = &t->slots[first + i];

        if ((g = held(s, w)) == 0 || (g & GEN_REVOKED)) continue;
        /* Exchanged, not or-ed: the slot may meanwhile stand for someone else, who must stay logged in. */
        n += atomic_compare_exchange_strong_explicit(&s->generation, &g, g | GEN_REVOKED, memory_order_acq_rel,
                                                     memory_order_relaxed);
    }
    return n;
}

int hot_slots_dirty(const hot_slots_t *t, uint32_t *cursor, hot_dirty_t *out, int max)
{
    uint32_t end = t->head.sets * HOT_WAYS;
    int n = 0;

    for (*cursor = next_slot(t, *cursor); *cursor < end && n < max; *cursor = next_slot(t, *cursor + 1)) {
        const slot_t *s = &t->slots[*cursor];
        uint64_t g = atomic_load_explicit(&s->generation, memory_order_acquire), w[HOT_WORDS];
        int64_t seen;

        if (g == 0 || (g & (GEN_BUSY | GEN_REVOKED))) continue;
        seen = atomic_load_explicit(&s->seen, memory_order_relaxed);
        if (seen <= atomic_load_explicit(&s->flushed, memory_order_relaxed)) continue;
        for (int i = 0; i < HOT_WORDS; i++)
            w[i] = atomic_load_explicit(&s->digest[i], memory_order_relaxed);
        atomic_thread_fence(memory_order_acquire);
        if (atomic_load_explicit(&s->generation, memory_order_relaxed) != g) continue;
        memcpy(out[n].digest, w, HOT_DIGEST_LEN);
        out[n].seen = seen;
        out[n].ref.index = *cursor;
        out[n].ref.generation = g;
        n++;
    }
    return n;
}

void hot_slots_flushed(hot_slots_t *t, const hot_dirty_t *d)
{
    slot_t *s = &t->slots[d->ref.index];

    if (hot_slots_live(t, d->ref)) atomic_store_explicit(&s->flushed, d->seen, memory_order_relaxed);
}

int hot_slots_used(const hot_slots_t *t)
{
    uint32_t end = t->head.sets * HOT_WAYS;
    int n = 0;

    for (uint32_t i = next_slot(t, 0); i < end; i = next_slot(t, i + 1)) {
        uint64_t g = atomic_load_explicit(&t->slots[i].generation, memory_order_relaxed);
        n += g != 0 && !(g & (GEN_BUSY | GEN_REVOKED));
    }
    return n;
}

apr_time_t hot_slots_polled(const hot_slots_t *t)
{
    return atomic_load_explicit(&t->head.polled, memory_order_relaxed);
}

void hot_slots_set_polled(hot_slots_t *t, apr_time_t when)
{
    atomic_store_explicit(&t->head.polled, when, memory_order_relaxed);
}

int64_t hot_slots_poll_mark(const hot_slots_t *t)
{
    return atomic_load_explicit(&t->head.poll_mark, memory_order_acquire);
}

void hot_slots_set_poll_mark(hot_slots_t *t, int64_t mark)
{
    atomic_store_explicit(&t->head.poll_mark, mark, memory_order_release);
}
