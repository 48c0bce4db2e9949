/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Metrics: counters, gauges and histograms in memory shared by all children, written out as Prometheus text (0.0.4).
 * A module defines its metrics once with a static table; the base lays all tables out before the children start.
 * Counting is one relaxed atomic add. Labels are fixed at definition: no value from outside ever becomes a label.
 */
#ifndef EHEALTH_METRICS_H
#define EHEALTH_METRICS_H

#include <apr_pools.h>
#include <stdint.h>

typedef enum { EH_COUNTER, EH_GAUGE, EH_HISTOGRAM } eh_metric_e;

typedef struct eh_metric_def_t {
    const char *name;   /* "ehealth_login_total" */
    const char *labels; /* "result=\"ok\"" or "" */
    eh_metric_e type;
    const char *help;
} eh_metric_def_t;

#define EH_HISTOGRAM_BUCKETS 12 /* upper bounds in µs: see metrics.c; last is +Inf */

typedef struct eh_metrics_t eh_metrics_t;

/** Bytes needed for n definitions. */
apr_size_t eh_metrics_size(int n);
/** Lays defs (n, must outlive it) over zeroed memory mem of eh_metrics_size(n) bytes. NULL when a definition is wrong: a
 *  malformed name or labels, the same series twice, or one name with two types. */
eh_metrics_t *eh_metrics_make(const eh_metric_def_t *const *defs, int n, void *mem, apr_pool_t *p);
/** Index of a definition by its address, -1 when it was not laid out. Call once, keep the index. */
int eh_metrics_index(const eh_metrics_t *m, const eh_metric_def_t *def);
/** All accept m == NULL or index < 0 and then do nothing. */
void eh_metrics_add(eh_metrics_t *m, int index, int64_t n);
void eh_metrics_set(eh_metrics_t *m, int index, int64_t value);
void eh_metrics_observe(eh_metrics_t *m, int index, int64_t micros);
int64_t eh_metrics_get(const eh_metrics_t *m, int index);
/** `name="value"` in p with the value escaped, for eh_metric_def_t.labels of what is named by configuration. */
const char *eh_metrics_label(apr_pool_t *p, const char *name, const char *value);
/** Prometheus text of all, in p; HELP and TYPE once per name. */
const char *eh_metrics_prometheus(const eh_metrics_t *m, apr_pool_t *p);

#endif
