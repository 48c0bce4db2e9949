/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdatomic.h>

#include "ehealth/rate.h"
#include "eh_test.h"

static apr_pool_t *p;
static const unsigned char seed[16] = "0123456789abcdef";
static const apr_time_t t0 = APR_INT64_C(1790000000) * APR_USEC_PER_SEC;

static void setup(void) { p = eh_test_pool; }

static eh_rate_t *make(int cells) { return eh_rate_make(apr_pcalloc(p, eh_rate_size(cells)), cells, seed, p); }

static eh_rate_answer_t take(eh_rate_t *rate, eh_rate_limit_t limit, int klass, const char *key, apr_time_t now)
{
    eh_rate_answer_t a = {-1, -1, -1};
    eh_rate_take(rate, &limit, klass, key, strlen(key), now, &a);
    return a;
}

START_TEST(test_bucket)
{
    const eh_rate_limit_t limit = {5, 10 * APR_USEC_PER_SEC};
    eh_rate_t *rate = make(1024);
    eh_rate_answer_t a;

    for (int i = 0; i < 5; i++) {
        a = take(rate, limit, 1, "k", t0);
        ck_assert_int_eq(a.allowed, 1);
        ck_assert_int_eq(a.remaining, 4 - i);
        ck_assert_int_eq(a.reset, 2 * (i + 1)); /* one token every 2 s */
    }
    a = take(rate, limit, 1, "k", t0);
    ck_assert_int_eq(a.allowed, 0);
    ck_assert_int_eq(a.remaining, 0);
    ck_assert_int_eq(a.reset, 2);
    a = take(rate, limit, 1, "k", t0 + 1999 * 1000);
    ck_assert_int_eq(a.allowed, 0);
    ck_assert_int_eq(a.reset, 1);
    ck_assert_int_eq(take(rate, limit, 1, "k", t0 + 2000 * 1000).allowed, 1);
    ck_assert_int_eq(take(rate, limit, 1, "k", t0 + 2000 * 1000).allowed, 0);
    /* Another key and another class have buckets of their own. */
    ck_assert_int_eq(take(rate, limit, 2, "k", t0).remaining, 4);
    ck_assert_int_eq(take(rate, limit, 1, "l", t0).remaining, 4);
    ck_assert_int_eq(take(rate, limit, 1, "", t0).remaining, 4);
    /* Full again after the window, and no fuller. */
    ck_assert_int_eq(take(rate, limit, 1, "k", t0 + 100 * APR_USEC_PER_SEC).remaining, 4);
}
END_TEST

START_TEST(test_edges)
{
    eh_rate_t *rate = make(8);
    eh_rate_answer_t a = take(rate, (eh_rate_limit_t){0, APR_USEC_PER_SEC}, 0, "k", t0);

    ck_assert_int_eq(a.allowed, 0);
    ck_assert_int_eq(a.reset, 1);
    ck_assert_int_eq(take(rate, (eh_rate_limit_t){-1, 0}, 0, "k", t0).allowed, 0);
    /* A window of 0 still lets a token take 100 µs. */
    ck_assert_int_eq(take(rate, (eh_rate_limit_t){1, 0}, 0, "z", t0).allowed, 1);
    ck_assert_int_eq(take(rate, (eh_rate_limit_t){1, 0}, 0, "z", t0).allowed, 0);
    ck_assert_int_eq(take(rate, (eh_rate_limit_t){1, 0}, 0, "z", t0 + 100).allowed, 1);
    /* Longer windows are a day. */
    take(rate, (eh_rate_limit_t){1, 90 * EH_RATE_WINDOW_MAX}, 0, "d", t0);
    ck_assert_int_eq(take(rate, (eh_rate_limit_t){1, 90 * EH_RATE_WINDOW_MAX}, 0, "d", t0).reset, 86400);
    ck_assert_int_eq(take(rate, (eh_rate_limit_t){1, 90 * EH_RATE_WINDOW_MAX}, 0, "d", t0 + EH_RATE_WINDOW_MAX).allowed,
                     1);
    take(rate, (eh_rate_limit_t){INT32_MAX, EH_RATE_WINDOW_MAX}, 0, "big", t0);
    ck_assert_int_eq(take(rate, (eh_rate_limit_t){INT32_MAX, EH_RATE_WINDOW_MAX}, 0, "big", t0).remaining,
                     INT32_MAX - 2);
}
END_TEST

START_TEST(test_clock)
{
    const eh_rate_limit_t limit = {2, 60 * APR_USEC_PER_SEC};
    /* Forwards, backwards, past the wrap of the stored time (318 days), and half of it: never a lock-out. */
    static const apr_int64_t days[] = {1, -1, 100, -100, 159, 160, 318, 319, -318, 400, 800};

    for (size_t i = 0; i < sizeof(days) / sizeof(days[0]); i++) {
        eh_rate_t *rate = make(8);

        while (take(rate, limit, 0, "k", t0).allowed)
            ;
        ck_assert_msg(take(rate, limit, 0, "k", t0 + days[i] * EH_RATE_WINDOW_MAX).allowed == 1, "after %d days",
                      (int)days[i]);
    }
    /* The moment of the wrap itself (2^38 ticks of 100 µs) does not refill a bucket. */
    {
        const apr_time_t wrap = (APR_INT64_C(1) << 38) * 100 * 70;
        eh_rate_t *rate = make(8);

        ck_assert_int_eq(take(rate, limit, 0, "k", wrap - 1000).allowed, 1);
        ck_assert_int_eq(take(rate, limit, 0, "k", wrap - 1000).allowed, 1);
        ck_assert_int_eq(take(rate, limit, 0, "k", wrap + 1000).allowed, 0);
        ck_assert_int_eq(take(rate, limit, 0, "k", wrap + 29 * APR_USEC_PER_SEC).allowed, 0);
        ck_assert_int_eq(take(rate, limit, 0, "k", wrap + 30 * APR_USEC_PER_SEC).allowed, 1);
    }
}
END_TEST

/* A flood of keys on a table of one set: each newcomer is served, and the bucket that owes most stays. */
START_TEST(test_flood_is_mild)
{
    const eh_rate_limit_t heavy = {100, 100 * APR_USEC_PER_SEC}, light = {10, 10 * APR_USEC_PER_SEC};
    eh_rate_t *rate = make(8);

    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(take(rate, heavy, 1, "abuser", t0).allowed, 1);
    for (int i = 0; i < 10000; i++)
        ck_assert_int_eq(take(rate, light, 2, apr_psprintf(p, "%d", i), t0).allowed, 1);
    ck_assert_int_eq(take(rate, heavy, 1, "abuser", t0).allowed, 0);
}
END_TEST

/* Against a plain model with as many cells as keys: never more allowed than the limit says, over any stretch. */
START_TEST(test_property)
{
    enum { KEYS = 40 };
    const eh_rate_limit_t limit = {7, 7 * APR_USEC_PER_SEC};
    eh_rate_t *rate = make(4096);
    apr_time_t full[KEYS] = {0}, now = t0;
    unsigned r = 12345;

    for (int i = 0; i < 20000; i++) {
        int k, expect;

        r = r * 1103515245u + 12345u;
        k = (int)(r >> 16) % KEYS;
        r = r * 1103515245u + 12345u;
        now += (r >> 16) % 50 * 1000; /* whole ticks */
        if (full[k] < now) full[k] = now;
        expect = full[k] + APR_USEC_PER_SEC - now <= limit.window;
        if (expect) full[k] += APR_USEC_PER_SEC;
        ck_assert_msg(take(rate, limit, 0, apr_psprintf(p, "k%d", k), now).allowed == expect, "step %d", i);
    }
}
END_TEST

typedef struct job_t {
    eh_rate_t *rate;
    const eh_rate_limit_t *limit;
    pthread_barrier_t *start;
    int keys, rounds;
    _Atomic int *allowed;
} job_t;

static void *rush(void *baton)
{
    job_t *job = baton;

    pthread_barrier_wait(job->start);
    for (int i = 0; i < job->rounds * job->keys; i++) {
        int k = i % job->keys;
        eh_rate_answer_t a;

        eh_rate_take(job->rate, job->limit, 3, &k, sizeof(k), t0, &a);
        if (a.allowed) atomic_fetch_add(&job->allowed[k], 1);
    }
    return NULL;
}

/* Four threads on the same keys at one instant: exactly burst are let through. */
START_TEST(test_threads)
{
    enum { THREADS = 4, KEYS = 64 };
    const eh_rate_limit_t limit = {50, 3600 * APR_USEC_PER_SEC};
    _Atomic int allowed[KEYS] = {0};
    pthread_barrier_t start;
    job_t job = {make(65536), &limit, &start, KEYS, 40, allowed};
    pthread_t t[THREADS];

    pthread_barrier_init(&start, NULL, THREADS);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&t[i], NULL, rush, &job), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    pthread_barrier_destroy(&start);
    for (int k = 0; k < KEYS; k++)
        ck_assert_msg(allowed[k] == 50, "key %d: %d", k, allowed[k]);
}
END_TEST

/* The same on a table that is far too small: nobody is locked out, and no bucket gives less than its burst. */
START_TEST(test_threads_crowded)
{
    enum { THREADS = 4, KEYS = 64 };
    const eh_rate_limit_t limit = {50, 3600 * APR_USEC_PER_SEC};
    _Atomic int allowed[KEYS] = {0};
    pthread_barrier_t start;
    job_t job = {make(8), &limit, &start, KEYS, 40, allowed};
    pthread_t t[THREADS];

    pthread_barrier_init(&start, NULL, THREADS);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&t[i], NULL, rush, &job), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    pthread_barrier_destroy(&start);
    for (int k = 0; k < KEYS; k++)
        ck_assert_msg(allowed[k] >= 50, "key %d: %d", k, allowed[k]);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("rate");
    TCase *tc = eh_test_case(s, "rate");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, test_bucket);
    tcase_add_test(tc, test_edges);
    tcase_add_test(tc, test_clock);
    tcase_add_test(tc, test_flood_is_mild);
    tcase_add_test(tc, test_property);
    tcase_add_test(tc, test_threads);
    tcase_add_test(tc, test_threads_crowded);
    return eh_test_main(s);
}
