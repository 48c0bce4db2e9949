/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Hot path, shared part: one slot for each session in use on this node, in memory shared by all children. A slot tells
 * whether what a child remembers of a session may still be believed, and when the session was last used.
 *
 * Lock-free: a child that is killed anywhere in here leaves nothing locked. A slot carries a generation, new at each
 * claim. A child remembers (index, generation) with its copy of a session and believes the copy only while the slot
 * still has that generation: revoking, evicting and reusing a slot all change it. Whoever finds it changed asks the
 * database again, so the table may be too small without ever being wrong.
 *
 * Order that makes revocation certain: a child claims the slot BEFORE it reads the session from the database, and a
 * revocation is marked here AFTER it was committed there. Whatever interleaves, the child either reads the revocation
 * or finds its slot marked.
 */
#ifndef HOT_SLOTS_H
#define HOT_SLOTS_H

#include <apr_time.h>
#include <stdatomic.h>
#include <stdint.h>

#define HOT_DIGEST_LEN 32 /* SHA-256 of the ticket: uniformly distributed, so its bits serve as hash */
#define HOT_WAYS 8        /* slots a session may stand in */

typedef struct hot_slots_t hot_slots_t;

typedef struct hot_ref_t {
    uint32_t index;
    uint64_t generation;
} hot_ref_t;

typedef enum {
    HOT_JOINED,  /* ref is set */
    HOT_REVOKED, /* the session was ended; no need to ask the database */
    HOT_CROWDED  /* no slot could be had: serve this request from the database and remember nothing */
} hot_join_e;

/** Bytes for about so many sessions (rounded up to a full power of two of sets). */
apr_size_t hot_slots_size(int sessions);
/** Lays the table over zeroed memory of hot_slots_size(sessions) bytes: the same result in every process. */
hot_slots_t *hot_slots_at(void *mem, int sessions);

/** The session's slot: the one that it has, or a new one in place of the one in its set that was unused for longest.
 *  A new slot counts as last seen at `now`. */
hot_join_e hot_slots_join(hot_slots_t *t, const unsigned char digest[HOT_DIGEST_LEN], apr_time_t now, hot_ref_t *ref);

/** 1 while the slot still stands for what ref was made for. */
int hot_slots_live(const hot_slots_t *t, hot_ref_t ref);

apr_time_t hot_slots_seen(const hot_slots_t *t, hot_ref_t ref);
/** Moves last-seen forward, at most once a second (a shared cache line is not written on every request). */
void hot_slots_touch(hot_slots_t *t, hot_ref_t ref, apr_time_t now);

/** Marks every slot of the session ended. @return how many there were; 0 = nobody on this node remembers it. */
int hot_slots_revoke(hot_slots_t *t, const unsigned char digest[HOT_DIGEST_LEN]);

/** A session whose last-seen was not yet written to the database. */
typedef struct hot_dirty_t {
    unsigned char digest[HOT_DIGEST_LEN];
    apr_time_t seen;
    hot_ref_t ref;
} hot_dirty_t;
/** Fills out with up to max of them, starting at *cursor (0 at first), which moves on. @return how many; 0 = end. */
int hot_slots_dirty(const hot_slots_t *t, uint32_t *cursor, hot_dirty_t *out, int max);
/** To be called once `d` is in the database. */
void hot_slots_flushed(hot_slots_t *t, const hot_dirty_t *d);

/** Slots that stand for a session now. */
int hot_slots_used(const hot_slots_t *t);

/** When revocations were last read from the database with success, and up to which one. */
apr_time_t hot_slots_polled(const hot_slots_t *t);
void hot_slots_set_polled(hot_slots_t *t, apr_time_t when);
int64_t hot_slots_poll_mark(const hot_slots_t *t);
void hot_slots_set_poll_mark(hot_slots_t *t, int64_t mark);

#endif
