/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>

#include "ehealth/metrics.h"
#include "eh_test.h"

static apr_pool_t *p;

static void setup(void) { p = eh_test_pool; }

static const eh_metric_def_t ok = {"ehealth_login_total", "result=\"ok\"", EH_COUNTER, "Log-ins\nby \\ result."},
                             sessions = {"ehealth_sessions", "", EH_GAUGE, "Sessions."},
                             seconds = {"ehealth_db_seconds", "op=\"read\"", EH_HISTOGRAM, "Time."},
                             denied = {"ehealth_login_total", "result=\"denied\"", EH_COUNTER, "Other words."},
                             stranger = {"x", "", EH_COUNTER, ""};
static const eh_metric_def_t *const defs[] = {&ok, &sessions, &seconds, &denied};

static eh_metrics_t *make(const eh_metric_def_t *const *d, int n)
{
    return eh_metrics_make(d, n, apr_pcalloc(p, eh_metrics_size(n)), p);
}

/* By hand from the format's description (Prometheus text 0.0.4). */
static const char expected[] = "# HELP ehealth_login_total Log-ins\\nby \\\\ result.\n"
                               "# TYPE ehealth_login_total counter\n"
                               "ehealth_login_total{result=\"ok\"} 3\n"
                               "ehealth_login_total{result=\"denied\"} 1\n"
                               "# HELP ehealth_sessions Sessions.\n"
                               "# TYPE ehealth_sessions gauge\n"
                               "ehealth_sessions -4\n"
                               "# HELP ehealth_db_seconds Time.\n"
                               "# TYPE ehealth_db_seconds histogram\n"
                               "ehealth_db_seconds_bucket{op=\"read\",le=\"0.0001\"} 2\n"
                               "ehealth_db_seconds_bucket{op=\"read\",le=\"0.0005\"} 3\n"
                               "ehealth_db_seconds_bucket{op=\"read\",le=\"0.001\"} 3\n"
                               "ehealth_db_seconds_bucket{op=\"read\",le=\"0.005\"} 3\n"
                               "ehealth_db_seconds_bucket{op=\"read\",le=\"0.01\"} 3\n"
                               "ehealth_db_seconds_bucket{op=\"read\",le=\"0.05\"} 3\n"
                               "ehealth_db_seconds_bucket{op=\"read\",le=\"0.1\"} 3\n"
                               "ehealth_db_seconds_bucket{op=\"read\",le=\"0.5\"} 3\n"
                               "ehealth_db_seconds_bucket{op=\"read\",le=\"1\"} 4\n"
                               "ehealth_db_seconds_bucket{op=\"read\",le=\"2.5\"} 4\n"
                               "ehealth_db_seconds_bucket{op=\"read\",le=\"10\"} 4\n"
                               "ehealth_db_seconds_bucket{op=\"read\",le=\"+Inf\"} 5\n"
                               "ehealth_db_seconds_sum{op=\"read\"} 61.000201\n"
                               "ehealth_db_seconds_count{op=\"read\"} 5\n";

START_TEST(test_text)
{
    eh_metrics_t *m = make(defs, 4);

    eh_metrics_add(m, eh_metrics_index(m, &ok), 1);
    eh_metrics_add(m, eh_metrics_index(m, &ok), 2);
    eh_metrics_add(m, eh_metrics_index(m, &denied), 1);
    eh_metrics_set(m, eh_metrics_index(m, &sessions), 9);
    eh_metrics_set(m, eh_metrics_index(m, &sessions), -4);
    eh_metrics_observe(m, eh_metrics_index(m, &seconds), 100); /* a bound belongs to its bucket */
    eh_metrics_observe(m, eh_metrics_index(m, &seconds), 101);
    eh_metrics_observe(m, eh_metrics_index(m, &seconds), -7); /* a stepped clock counts as 0 */
    eh_metrics_observe(m, eh_metrics_index(m, &seconds), 1000000);
    eh_metrics_observe(m, eh_metrics_index(m, &seconds), 60000000);
    ck_assert_str_eq(eh_metrics_prometheus(m, p), expected);
    ck_assert_int_eq(eh_metrics_get(m, eh_metrics_index(m, &seconds)), 5);
    ck_assert_int_eq(eh_metrics_get(m, eh_metrics_index(m, &ok)), 3);
}
END_TEST

START_TEST(test_absent_is_no_op)
{
    eh_metrics_t *m = make(defs, 4);

    ck_assert_int_eq(eh_metrics_index(m, &stranger), -1);
    ck_assert_int_eq(eh_metrics_index(NULL, &ok), -1);
    eh_metrics_add(NULL, 0, 1);
    eh_metrics_set(NULL, 0, 1);
    eh_metrics_observe(NULL, 0, 1);
    eh_metrics_add(m, -1, 1);
    eh_metrics_add(m, 4, 1);
    eh_metrics_add(m, eh_metrics_index(m, &seconds), 1);
    eh_metrics_observe(m, eh_metrics_index(m, &ok), 1);
    ck_assert_int_eq(eh_metrics_get(m, 0) + eh_metrics_get(m, 1) + eh_metrics_get(m, 2) + eh_metrics_get(m, 3), 0);
    ck_assert_int_eq(eh_metrics_get(NULL, 0), 0);
    ck_assert_str_eq(eh_metrics_prometheus(NULL, p), "");
}
END_TEST

START_TEST(test_definitions)
{
    static const eh_metric_def_t bad_name = {"9x", "", EH_COUNTER, ""}, no_name = {"", "", EH_COUNTER, ""},
                                 bare = {"a", "x=y", EH_COUNTER, ""}, open = {"a", "x=\"y", EH_COUNTER, ""},
                                 quote = {"a", "x=\"a\"b\"", EH_COUNTER, ""}, comma = {"a", "x=\"a\",", EH_COUNTER, ""},
                                 escape = {"a", "x=\"\\t\"", EH_COUNTER, ""}, half = {"a", "x=\"\\", EH_COUNTER, ""},
                                 good = {"a", "x=\"\\\\ \\\" \\n\",y=\"\"", EH_COUNTER, ""};
    static const eh_metric_def_t *const wrong[] = {&bad_name, &no_name, &bare, &open, &quote, &comma, &escape, &half};
    static const eh_metric_def_t twin = {"a", "", EH_COUNTER, ""}, other = {"a", "x=\"1\"", EH_GAUGE, ""};
    static const eh_metric_def_t *const twins[] = {&twin, &twin}, *const types[] = {&twin, &other},
                                        *const fine[] = {&good, &twin};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        ck_assert_msg(make(&wrong[i], 1) == NULL, "%s{%s} was taken", wrong[i]->name, wrong[i]->labels);
    ck_assert_ptr_null(make(twins, 2));
    ck_assert_ptr_null(make(types, 2));
    ck_assert_ptr_nonnull(make(fine, 2));
    ck_assert_str_eq(eh_metrics_label(p, "provider", "a\"b\\c\nd\xff"), "provider=\"a\\\"b\\\\c\\nd\xef\xbf\xbd\"");
}
END_TEST

#define THREADS 4
#define EACH 20000

static void *hammer(void *baton)
{
    eh_metrics_t *m = baton;

    for (int i = 0; i < EACH; i++) {
        eh_metrics_add(m, 0, 1);
        eh_metrics_observe(m, 2, i % 200);
    }
    return NULL;
}

START_TEST(test_nothing_is_lost)
{
    eh_metrics_t *m = make(defs, 4);
    pthread_t t[THREADS];

    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&t[i], NULL, hammer, m), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    ck_assert_int_eq(eh_metrics_get(m, 0), THREADS * EACH);
    ck_assert_int_eq(eh_metrics_get(m, 2), THREADS * EACH);
    /* 0..199 µs, each EACH/200 times: mean 99.5 µs */
    ck_assert_ptr_nonnull(strstr(eh_metrics_prometheus(m, p), "_sum{op=\"read\"} 7.960000\n"));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("metrics");
    TCase *tc = eh_test_case(s, "metrics");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, test_text);
    tcase_add_test(tc, test_absent_is_no_op);
    tcase_add_test(tc, test_definitions);
    tcase_add_test(tc, test_nothing_is_lost);
    return eh_test_main(s);
}
