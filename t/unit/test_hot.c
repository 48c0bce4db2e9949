/* SPDX-License-Identifier: Apache-2.0 */
/* The hot path without httpd: session slots shared by processes, the child's cache, header names, cookies. */
#include <apr_general.h>
#include <apr_strings.h>
#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "eh_test.h"
#include "modules/oidc/hot_cache.h"
#include "modules/oidc/hot_cookie.h"
#include "modules/oidc/hot_names.h"
#include "modules/oidc/hot_slots.h"

#define SEC APR_USEC_PER_SEC

#define pool eh_test_pool

static void digest_of(unsigned char d[HOT_DIGEST_LEN], uint64_t set, uint64_t n)
{
    memset(d, 0, HOT_DIGEST_LEN);
    memcpy(d, &set, 8);
    memcpy(d + 8, &n, 8);
}

static hot_slots_t *table(int sessions)
{
    return hot_slots_at(mmap(NULL, hot_slots_size(sessions), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0),
                        sessions);
}

/* --- slots --- */

START_TEST(slots_join_finds_again)
{
    hot_slots_t *t = table(100);
    unsigned char a[HOT_DIGEST_LEN], b[HOT_DIGEST_LEN];
    hot_ref_t ra, again, rb;

    digest_of(a, 1, 1);
    digest_of(b, 1, 2);
    ck_assert_int_eq(hot_slots_join(t, a, 10 * SEC, &ra), HOT_JOINED);
    ck_assert_int_eq(hot_slots_join(t, b, 10 * SEC, &rb), HOT_JOINED);
    ck_assert_int_eq(hot_slots_join(t, a, 20 * SEC, &again), HOT_JOINED);
    ck_assert(ra.index == again.index && ra.generation == again.generation);
    ck_assert(ra.index != rb.index);
    ck_assert_int_eq(hot_slots_used(t), 2);
    ck_assert(hot_slots_seen(t, ra) == 10 * SEC); /* joining again is not being seen */
}
END_TEST

START_TEST(slots_revoked_is_known_and_not_live)
{
    hot_slots_t *t = table(100);
    unsigned char a[HOT_DIGEST_LEN], b[HOT_DIGEST_LEN];
    hot_ref_t ra, rb;

    digest_of(a, 1, 1);
    digest_of(b, 1, 2);
    hot_slots_join(t, a, SEC, &ra);
    hot_slots_join(t, b, SEC, &rb);
    ck_assert_int_eq(hot_slots_revoke(t, a), 1);
    ck_assert_int_eq(hot_slots_revoke(t, a), 0); /* once */
    ck_assert(!hot_slots_live(t, ra));
    ck_assert(hot_slots_live(t, rb));
    ck_assert_int_eq(hot_slots_join(t, a, SEC, &ra), HOT_REVOKED);
}
END_TEST

START_TEST(slots_unknown_cannot_be_revoked)
{
    hot_slots_t *t = table(100);
    unsigned char a[HOT_DIGEST_LEN];

    digest_of(a, 1, 1);
    ck_assert_int_eq(hot_slots_revoke(t, a), 0);
}
END_TEST

/* The dangerous story: a slot is revoked, given to others, then claimed anew for the same session. What a child
 * remembered from before must not come alive again. */
START_TEST(slots_reuse_never_revives)
{
    hot_slots_t *t = table(1);
    unsigned char a[HOT_DIGEST_LEN], other[HOT_DIGEST_LEN];
    hot_ref_t old, ref;

    digest_of(a, 3, 1);
    hot_slots_join(t, a, SEC, &old);
    hot_slots_revoke(t, a);
    for (int i = 0; i < HOT_WAYS; i++) {
        digest_of(other, 3, 100 + (uint64_t)i);
        ck_assert_int_eq(hot_slots_join(t, other, (2 + i) * SEC, &ref), HOT_JOINED);
    }
    ck_assert_int_eq(hot_slots_join(t, a, 30 * SEC, &ref), HOT_JOINED); /* the mark is gone: the database decides */
    ck_assert(hot_slots_live(t, ref));
    ck_assert(!hot_slots_live(t, old));
}
END_TEST

START_TEST(slots_full_set_gives_up_the_oldest)
{
    hot_slots_t *t = table(1);
    unsigned char d[HOT_DIGEST_LEN];
    hot_ref_t ref[HOT_WAYS], extra;

    for (int i = 0; i < HOT_WAYS; i++) {
        digest_of(d, 5, 1 + (uint64_t)i);
        hot_slots_join(t, d, (10 + i) * SEC, &ref[i]);
    }
    hot_slots_touch(t, ref[0], 100 * SEC); /* now ref[1] is the one not seen for longest */
    digest_of(d, 5, 99);
    ck_assert_int_eq(hot_slots_join(t, d, 101 * SEC, &extra), HOT_JOINED);
    ck_assert_uint_eq(extra.index, ref[1].index);
    ck_assert(!hot_slots_live(t, ref[1]));
    ck_assert(hot_slots_live(t, ref[0]) && hot_slots_live(t, ref[2]));
}
END_TEST

START_TEST(slots_touch_once_a_second_and_flush)
{
    hot_slots_t *t = table(100);
    unsigned char a[HOT_DIGEST_LEN];
    uint32_t cursor = 0;
    hot_dirty_t dirty[4];
    hot_ref_t ref;

    digest_of(a, 1, 1);
    hot_slots_join(t, a, 10 * SEC, &ref);
    ck_assert_int_eq(hot_slots_dirty(t, &cursor, dirty, 4), 0);
    hot_slots_touch(t, ref, 10 * SEC + SEC / 2);
    ck_assert(hot_slots_seen(t, ref) == 10 * SEC);
    hot_slots_touch(t, ref, 11 * SEC);
    ck_assert(hot_slots_seen(t, ref) == 11 * SEC);
    hot_slots_touch(t, ref, 5 * SEC); /* never back */
    ck_assert(hot_slots_seen(t, ref) == 11 * SEC);
    cursor = 0;
    ck_assert_int_eq(hot_slots_dirty(t, &cursor, dirty, 4), 1);
    ck_assert_mem_eq(dirty[0].digest, a, HOT_DIGEST_LEN);
    ck_assert(dirty[0].seen == 11 * SEC);
    ck_assert_int_eq(hot_slots_dirty(t, &cursor, dirty + 1, 3), 0);
    hot_slots_flushed(t, &dirty[0]);
    cursor = 0;
    ck_assert_int_eq(hot_slots_dirty(t, &cursor, dirty, 4), 0);
    hot_slots_touch(t, ref, 13 * SEC);
    hot_slots_revoke(t, a);
    cursor = 0;
    ck_assert_int_eq(hot_slots_dirty(t, &cursor, dirty, 4), 0); /* the ended one's last-seen is nobody's business */
}
END_TEST

/* Another process sees the mark: the table lives in shared memory and holds no pointers. */
START_TEST(slots_across_processes)
{
    hot_slots_t *t = table(100);
    unsigned char a[HOT_DIGEST_LEN];
    hot_ref_t ref;
    int status;
    pid_t pid;

    digest_of(a, 1, 1);
    hot_slots_join(t, a, SEC, &ref);
    if ((pid = fork()) == 0) _exit(hot_slots_revoke(t, a) == 1 ? 0 : 1);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert(!hot_slots_live(t, ref));
}
END_TEST

typedef struct storm_t {
    hot_slots_t *t;
    unsigned seed;
    _Atomic int *wrong;
} storm_t;

/* Threads fight for few slots; whoever holds a live reference must be looking at its own session. */
static void *storm(void *arg)
{
    storm_t *s = arg;

    for (int i = 0; i < 20000; i++) {
        unsigned char d[HOT_DIGEST_LEN];
        hot_ref_t ref;

        digest_of(d, 7, 1 + (uint64_t)(rand_r(&s->seed) % 24));
        if (hot_slots_join(s->t, d, (apr_time_t)i, &ref) == HOT_JOINED && hot_slots_live(s->t, ref)) {
            hot_ref_t again;
            /* the same session has the same slot, or ours is gone by now */
            if (hot_slots_join(s->t, d, (apr_time_t)i, &again) == HOT_JOINED && again.generation != ref.generation &&
                again.index == ref.index && hot_slots_live(s->t, ref)) {
                atomic_fetch_add(s->wrong, 1);
            }
        }
        if (i % 50 == 0) hot_slots_revoke(s->t, d);
    }
    return NULL;
}

START_TEST(slots_storm)
{
    hot_slots_t *t = table(1);
    _Atomic int wrong = 0;
    pthread_t th[4];
    storm_t s[4];

    for (int i = 0; i < 4; i++) {
        s[i] = (storm_t){t, (unsigned)i + 1, &wrong};
        ck_assert_int_eq(pthread_create(&th[i], NULL, storm, &s[i]), 0);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(th[i], NULL);
    ck_assert_int_eq(wrong, 0);
    ck_assert_int_le(hot_slots_used(t), HOT_WAYS);
}
END_TEST

/* Walks find what stands anywhere in a large table, and touch no page in which nothing ever stood. */
START_TEST(slots_walk_is_complete_and_cheap)
{
    hot_slots_t *t = table(65536);
    unsigned char d[HOT_DIGEST_LEN];
    hot_dirty_t dirty[8];
    unsigned char pages[4096];
    uint32_t cursor = 0;
    int n = 0, got, resident = 0;
    hot_ref_t ref;

    for (int i = 0; i < 5; i++) {
        static const uint64_t sets[] = {0, 7, 8, 9001, 16383};
        digest_of(d, sets[i], 1 + (uint64_t)i);
        ck_assert_int_eq(hot_slots_join(t, d, 10 * SEC, &ref), HOT_JOINED);
        hot_slots_touch(t, ref, 20 * SEC);
    }
    while ((got = hot_slots_dirty(t, &cursor, dirty, 2)) > 0)
        n += got;
    ck_assert_int_eq(n, 5);
    ck_assert_int_eq(hot_slots_used(t), 5);
    ck_assert_int_eq(mincore(t, hot_slots_size(65536), pages), 0);
    for (size_t i = 0; i < (hot_slots_size(65536) + 4095) / 4096; i++)
        resident += pages[i] & 1;
    ck_assert_int_le(resident, 12);
}
END_TEST

START_TEST(slots_poll_state)
{
    hot_slots_t *t = table(10);

    ck_assert(hot_slots_polled(t) == 0 && hot_slots_poll_mark(t) == 0);
    hot_slots_set_polled(t, 42);
    hot_slots_set_poll_mark(t, 7);
    ck_assert(hot_slots_polled(t) == 42 && hot_slots_poll_mark(t) == 7);
}
END_TEST

/* --- cache --- */

static hot_entry_t *entry(hot_cache_t *c, uint64_t set, uint64_t n)
{
    hot_entry_t *e = hot_entry_make(c);

    memcpy(e->digest, &n, 8);
    memcpy(e->digest + 8, &set, 8);
    return e;
}

START_TEST(cache_get_put_drop)
{
    hot_entry_t *e, *other, *got;
    hot_cache_t *c;

    ck_assert_int_eq(hot_cache_create(&c, 100, 2, pool), APR_SUCCESS);
    e = entry(c, 1, 1);
    ck_assert_ptr_null(hot_cache_get(c, e->digest, 1));
    hot_cache_put(c, e, 1);
    ck_assert_int_eq(hot_cache_count(c), 1);
    got = hot_cache_get(c, e->digest, 2);
    ck_assert_ptr_eq(got, e);
    hot_entry_release(got);
    other = entry(c, 1, 1); /* the same session, loaded again */
    hot_cache_put(c, other, 3);
    ck_assert_int_eq(hot_cache_count(c), 1);
    ck_assert_str_eq(hot_value_keep(e, 0, "kept"), "kept"); /* who still holds the old one may go on */
    got = hot_cache_get(c, e->digest, 4);
    ck_assert_ptr_eq(got, other);
    hot_entry_release(got);
    hot_entry_release(e);
    hot_cache_drop(c, other->digest);
    ck_assert_int_eq(hot_cache_count(c), 0);
    ck_assert_ptr_null(hot_cache_get(c, other->digest, 5));
    hot_entry_release(other);
}
END_TEST

START_TEST(cache_evicts_least_recently_used)
{
    hot_entry_t *e[9], *got;
    hot_cache_t *c;

    ck_assert_int_eq(hot_cache_create(&c, 8, 1, pool), APR_SUCCESS);
    for (uint32_t i = 0; i < 8; i++) {
        e[i] = entry(c, 1, 1 + i);
        hot_cache_put(c, e[i], 10 + i);
    }
    got = hot_cache_get(c, e[0]->digest, 100);
    hot_entry_release(got);
    e[8] = entry(c, 1, 50);
    hot_cache_put(c, e[8], 101);
    ck_assert_int_eq(hot_cache_count(c), 8);
    ck_assert_ptr_null(hot_cache_get(c, e[1]->digest, 102));
    ck_assert_ptr_nonnull(got = hot_cache_get(c, e[0]->digest, 102));
    hot_entry_release(got);
    for (int i = 0; i < 9; i++)
        hot_entry_release(e[i]);
}
END_TEST

START_TEST(cache_values_are_kept_once)
{
    hot_cache_t *c;
    hot_entry_t *e;
    const char *first;

    ck_assert_int_eq(hot_cache_create(&c, 8, 3, pool), APR_SUCCESS);
    e = entry(c, 1, 1);
    ck_assert_ptr_null(hot_value(e, 2));
    first = hot_value_keep(e, 2, "one");
    ck_assert_ptr_eq(hot_value_keep(e, 2, "two"), first);
    ck_assert_str_eq(hot_value(e, 2), "one");
    hot_entry_release(e);
}
END_TEST

/* --- names --- */

static hot_names_t *names(void)
{
    apr_array_header_t *a = apr_array_make(pool, 3, sizeof(const char *));

    APR_ARRAY_PUSH(a, const char *) = "X-Remote-User";
    APR_ARRAY_PUSH(a, const char *) = "x_remote.user"; /* the same */
    APR_ARRAY_PUSH(a, const char *) = "Remote-Name";
    return hot_names_make(a, pool);
}

static const struct {
    const char *name;
    int ours;
} spellings[] = {
    {"X-Remote-User", 1},  {"x-remote-user", 1},  {"X_REMOTE_USER", 1},  {"X.Remote_User", 1},
    {"x-Remote.useR", 1},  {"remote_name", 1},    {"REMOTE.NAME", 1},    {"X-Remote-Use", 0},
    {"X-Remote-Users", 0}, {"-X-Remote-User", 0}, {"X-Remote-User ", 0}, {"X", 0},
    {"Remote", 0},         {"X--Remote-User", 0}, {"Host", 0},
};

START_TEST(names_spellings)
{
    ck_assert_int_eq(hot_names_count(names()), 2);
    ck_assert_int_eq(hot_names_has(names(), spellings[_i].name, strlen(spellings[_i].name)), spellings[_i].ours);
}
END_TEST

START_TEST(names_scrub_all_at_once)
{
    apr_table_t *t = apr_table_make(pool, 8);

    apr_table_addn(t, "Host", "a");
    apr_table_addn(t, "X-Remote-User", "mallory");
    apr_table_addn(t, "x_remote_user", "mallory");
    apr_table_addn(t, "Accept", "text/html");
    apr_table_addn(t, "X-REMOTE-USER", "mallory2");
    apr_table_addn(t, "Remote.Name", "");
    apr_table_addn(t, "X-Other", "stays");
    ck_assert_int_eq(hot_names_scrub(names(), t, pool), 4);
    ck_assert_int_eq(apr_table_elts(t)->nelts, 3);
    ck_assert_str_eq(apr_table_get(t, "X-Other"), "stays");
    ck_assert_str_eq(apr_table_get(t, "Accept"), "text/html");
    ck_assert_ptr_null(apr_table_get(t, "X-Remote-User"));
    ck_assert_int_eq(hot_names_scrub(names(), t, pool), 0);
}
END_TEST

static const struct {
    const char *in, *out;
    int taken;
} connections[] = {
    {"keep-alive", "keep-alive", 0},
    {"X-Remote-User", NULL, 1},
    {"keep-alive, X-Remote-User", "keep-alive", 1},
    {"x_remote_user, Upgrade", "Upgrade", 1},
    {"close,X-Remote-User,te, remote.name ,Upgrade", "close,te,Upgrade", 2},
    {"X-Remote-Userx", "X-Remote-Userx", 0},
    {"", "", 0},
    {",,X-Remote-User,,", NULL, 1},
    {"close;X-Remote-User", "close", 1}, /* from here on what mod_proxy splits and RFC 9110 does not */
    {"a X-Remote-User\tb", "a,b", 1},
    {"; ;x.remote.user ;,", NULL, 1},
    {"a;b", "a;b", 0},
};

START_TEST(names_connection)
{
    const char *value = connections[_i].in;

    ck_assert_int_eq(hot_names_connection(names(), &value, pool), connections[_i].taken);
    if (connections[_i].out) {
        ck_assert_ptr_nonnull(value);
        ck_assert_str_eq(value, connections[_i].out);
    } else {
        ck_assert_ptr_null(value);
    }
}
END_TEST

START_TEST(names_that_may_not_be_used)
{
    static const char *const bad[] = {
        "Host", "connection",     "Transfer_Encoding", "Cookie",         "",          "X Remote",
        "X:Y",  "Sec-Fetch-Mode", "X-Forwarded-For",   "Content.Length", "N\303\251", "Authorization"};
    static const char *const good[] = {"X-Remote-User", "Remote-Name", "X-Acr"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(!hot_name_ok(bad[i]), "%s", bad[i]);
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        ck_assert_msg(hot_name_ok(good[i]), "%s", good[i]);
}
END_TEST

/* --- cookies --- */

static const struct {
    const char *in, *value, *rest;
} cookies[] = {
    {NULL, NULL, NULL},
    {"a=1; b=2", NULL, "a=1; b=2"},
    {"__Host-eh-s-psc=T", "T", NULL},
    {"a=1; __Host-eh-s-psc=T; b=2", "T", "a=1; b=2"},
    {"__Host-eh-s-psc=T; b=2;c=\"x y\"", "T", "b=2;c=\"x y\""},
    {"a=1;__Host-eh-s-psc=T", "T", "a=1"},
    {"a=1; __Host-eh-s-iam=U; __Host-eh-b=B; __Host-eh-s-psc=T", "T", "a=1"},
    {"__Host-eh-s-psc=T; __Host-eh-s-psc=T", "T", NULL},
    {"__Host-eh-s-psc=T; a=1; __Host-eh-s-psc=U", NULL, "a=1"}, /* which is ours cannot be told */
    {"a=1, __Host-eh-s-psc=T", NULL, "a=1"},                    /* two headers, or a neighbour's value: not believed */
    {"__Host-eh-s-psc=T; a=1,__Host-eh-s-psc=U", "T", "a=1"},
    {",__Host-eh-s-psc=T", NULL, NULL},
    {"a=1;, __Host-eh-s-psc=T", NULL, "a=1;"},
    {"a=x__Host-eh-s-psc=T", NULL, "a=x__Host-eh-s-psc=T"},     /* part of somebody's value */
    {"eh-s-psc=T; eh-b=B; eh-lang=fr", NULL, "eh-lang=fr"},     /* plain http names; the language is no secret */
    {"a=eh-s-psc", NULL, "a=eh-s-psc"},
    {"__Host-eh-s-psc", NULL, "__Host-eh-s-psc"},
    {"__Host-eh-s-psc=", "", NULL},
    {"  a=1 ;  __Host-eh-s-psc=T ; b=2", "T", "a=1 ; b=2"},
    {"__host-eh-s-psc=T", NULL, "__host-eh-s-psc=T"}, /* cookie names are case-sensitive */
};

START_TEST(cookie_take)
{
    hot_cookie_t got;

    hot_cookie_take(&got, cookies[_i].in, "__Host-eh-s-psc", pool);
    if (cookies[_i].value) {
        ck_assert_ptr_nonnull(got.value);
        ck_assert_str_eq(got.value, cookies[_i].value);
    } else {
        ck_assert_ptr_null(got.value);
    }
    if (cookies[_i].rest) {
        ck_assert_ptr_nonnull(got.rest);
        ck_assert_str_eq(got.rest, cookies[_i].rest);
    } else {
        ck_assert_ptr_null(got.rest);
    }
}
END_TEST

START_TEST(cookie_take_nothing_wanted)
{
    hot_cookie_t got;

    hot_cookie_take(&got, "eh-b=B; JSESSIONID=1", NULL, pool);
    ck_assert_ptr_null(got.value);
    ck_assert_str_eq(got.rest, "JSESSIONID=1");
    ck_assert_int_eq(got.taken, 1);
}
END_TEST

#define COUNT(a) (int)(sizeof(a) / sizeof((a)[0]))

int main(void)
{
    Suite *s = suite_create("hot");
    TCase *tc = eh_test_case(s, "hot");

    tcase_add_test(tc, slots_join_finds_again);
    tcase_add_test(tc, slots_revoked_is_known_and_not_live);
    tcase_add_test(tc, slots_unknown_cannot_be_revoked);
    tcase_add_test(tc, slots_reuse_never_revives);
    tcase_add_test(tc, slots_full_set_gives_up_the_oldest);
    tcase_add_test(tc, slots_touch_once_a_second_and_flush);
    tcase_add_test(tc, slots_across_processes);
    tcase_add_test(tc, slots_storm);
    tcase_add_test(tc, slots_walk_is_complete_and_cheap);
    tcase_add_test(tc, slots_poll_state);
    tcase_add_test(tc, cache_get_put_drop);
    tcase_add_test(tc, cache_evicts_least_recently_used);
    tcase_add_test(tc, cache_values_are_kept_once);
    tcase_add_loop_test(tc, names_spellings, 0, COUNT(spellings));
    tcase_add_test(tc, names_scrub_all_at_once);
    tcase_add_loop_test(tc, names_connection, 0, COUNT(connections));
    tcase_add_test(tc, names_that_may_not_be_used);
    tcase_add_loop_test(tc, cookie_take, 0, COUNT(cookies));
    tcase_add_test(tc, cookie_take_nothing_wanted);
    return eh_test_main(s);
}
