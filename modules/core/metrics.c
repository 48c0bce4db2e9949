/* SPDX-License-Identifier: Apache-2.0 */
#include "ehealth/metrics.h"

#include <apr_strings.h>
#include <apr_time.h>
#include <stdatomic.h>
#include <string.h>

#include "text.h"

/* Sums at the end; a cell fills two cache lines, so that two busy metrics never share one. */
typedef struct cell_t {
    _Atomic int64_t value[EH_HISTOGRAM_BUCKETS]; /* counter and gauge: value[0]; histogram: one count a bucket */
    _Atomic int64_t sum;                         /* histogram: µs */
    int64_t pad[16 - EH_HISTOGRAM_BUCKETS - 1];
} cell_t;
_Static_assert(sizeof(cell_t) == 128, "two cache lines");
#define LINE 64

struct eh_metrics_t {
    const eh_metric_def_t *const *defs;
    int n;
    cell_t *cells;
};

/* Upper bounds. The first half tells cache hits from database hits, the second shows slow peers. */
static const struct {
    int64_t micros;
    const char *le;
} buckets[EH_HISTOGRAM_BUCKETS] = {
    {100, "0.0001"}, {500, "0.0005"}, {1000, "0.001"}, {5000, "0.005"},  {10000, "0.01"},  {50000, "0.05"},
    {100000, "0.1"}, {500000, "0.5"}, {1000000, "1"},  {2500000, "2.5"}, {10000000, "10"}, {INT64_MAX, "+Inf"},
};

apr_size_t eh_metrics_size(int n) { return (apr_size_t)(n > 0 ? n : 0) * sizeof(cell_t) + LINE; }

static int name_ok(const char *s)
{
    return *s && !(*s >= '0' && *s <= '9') &&
           s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:")] == '\0';
}

/* name="value"[,name="value"]…, values escaped. */
static int labels_ok(const char *s)
{
    while (*s) {
        apr_size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

        if (n == 0 || (*s >= '0' && *s <= '9') || s[n] != '=' || s[n + 1] != '"') return 0;
        for (s += n + 2; *s && *s != '"'; s++) {
            if (*s == '\n' || (*s == '\\' && *++s != '\\' && *s != '"' && *s != 'n')) return 0;
        }
        if (*s++ != '"') return 0;
        if (*s == ',' && s[1]) {
            s++;
        } else if (*s) {
            return 0;
        }
    }
    return 1;
}

static int clashes(const eh_metric_def_t *a, const eh_metric_def_t *b)
{
    if (strcmp(a->name, b->name) != 0) return 0;
    return a->type != b->type || strcmp(a->labels, b->labels) == 0;
}

eh_metrics_t *eh_metrics_make(const eh_metric_def_t *const *defs, int n, void *mem, apr_pool_t *p)
{
    eh_metrics_t *m;
    int i, k;

    for (i = 0; i < n; i++) {
        if (!name_ok(defs[i]->name) || !labels_ok(defs[i]->labels)) return NULL;
        for (k = 0; k < i; k++) {
            if (clashes(defs[i], defs[k])) return NULL;
        }
    }
    m = apr_palloc(p, sizeof(*m));
    m->defs = defs;
    m->n = n;
    m->cells = (cell_t *)(((uintptr_t)mem + LINE - 1) & ~(uintptr_t)(LINE - 1));
    return m;
}

int eh_metrics_index(const eh_metrics_t *m, const eh_metric_def_t *def)
{
    for (int i = 0; m && i < m->n; i++) {
        if (m->defs[i] == def) return i;
    }
    return -1;
}

static cell_t *cell_of(const eh_metrics_t *m, int index)
{
    return m && index >= 0 && index < m->n ? &m->cells[index] : NULL;
}

void eh_metrics_add(eh_metrics_t *m, int index, int64_t n)
{
    cell_t *c = cell_of(m, index);
    if (c && m->defs[index]->type != EH_HISTOGRAM) atomic_fetch_add_explicit(&c->value[0], n, memory_order_relaxed);
}

void eh_metrics_set(eh_metrics_t *m, int index, int64_t value)
{
    cell_t *c = cell_of(m, index);
    if (c && m->defs[index]->type != EH_HISTOGRAM) atomic_store_explicit(&c->value[0], value, memory_order_relaxed);
}

void eh_metrics_observe(eh_metrics_t *m, int index, int64_t micros)
{
    cell_t *c = cell_of(m, index);
    int b = 0;

    if (!c || m->defs[index]->type != EH_HISTOGRAM) return;
    if (micros < 0) micros = 0; /* a stepped clock */
    while (micros > buckets[b].micros)
        b++;
    atomic_fetch_add_explicit(&c->value[b], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&c->sum, micros, memory_order_relaxed);
}

int64_t eh_metrics_get(const eh_metrics_t *m, int index)
{
    cell_t *c = cell_of(m, index);
    int64_t sum = 0;

    if (!c) return 0;
    if (m->defs[index]->type != EH_HISTOGRAM) return atomic_load_explicit(&c->value[0], memory_order_relaxed);
    for (int b = 0; b < EH_HISTOGRAM_BUCKETS; b++) {
        sum += atomic_load_explicit(&c->value[b], memory_order_relaxed);
    }
    return sum;
}

const char *eh_metrics_label(apr_pool_t *p, const char *name, const char *value)
{
    eh_text_t t;

    eh_text_init(&t, p, strlen(name) + strlen(value) + 16);
    eh_text_fmt(&t, "%s=\"", name);
    for (value = eh_text_utf8(p, value, 256); *value; value++) {
        if (*value == '\n') {
            eh_text_str(&t, "\\n");
        } else {
            if (*value == '\\' || *value == '"') eh_text_str(&t, "\\");
            eh_text_add(&t, value, 1);
        }
    }
    eh_text_str(&t, "\"");
    return t.s;
}

static void write_help(eh_text_t *t, const eh_metric_def_t *def)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};

    eh_text_fmt(t, "# HELP %s ", def->name);
    for (const char *s = def->help; *s; s++) {
        if (*s == '\\' || *s == '\n') {
            eh_text_str(t, *s == '\n' ? "\\n" : "\\\\");
        } else {
            eh_text_add(t, s, 1);
        }
    }
    eh_text_fmt(t, "\n# TYPE %s %s\n", def->name, types[def->type]);
}

static void write_series(eh_text_t *t, const eh_metric_def_t *def, cell_t *c)
{
    const char *open = *def->labels ? "{" : "", *close = *def->labels ? "}" : "";
    int64_t count = 0, sum;

    if (def->type != EH_HISTOGRAM) {
        eh_text_fmt(t, "%s%s%s%s %lld\n", def->name, open, def->labels, close,
                    (long long)atomic_load_explicit(&c->value[0], memory_order_relaxed));
        return;
    }
    /* The count is the sum of what was just read, so that _count equals the +Inf bucket while others add. */
    for (int b = 0; b < EH_HISTOGRAM_BUCKETS; b++) {
        count += atomic_load_explicit(&c->value[b], memory_order_relaxed);
        eh_text_fmt(t, "%s_bucket{%s%sle=\"%s\"} %lld\n", def->name, def->labels, *def->labels ? "," : "",
                    buckets[b].le, (long long)count);
    }
    sum = atomic_load_explicit(&c->sum, memory_order_relaxed);
    eh_text_fmt(t, "%s_sum%s%s%s %lld.%06lld\n", def->name, open, def->labels, close,
                (long long)(sum / APR_USEC_PER_SEC), (long long)(sum % APR_USEC_PER_SEC));
    eh_text_fmt(t, "%s_count%s%s%s %lld\n", def->name, open, def->labels, close, (long long)count);
}

const char *eh_metrics_prometheus(const eh_metrics_t *m, apr_pool_t *p)
{
    eh_text_t t;

    eh_text_init(&t, p, m ? (apr_size_t)m->n * 256 : 0);
    for (int i = 0; m && i < m->n; i++) {
        int seen = 0;

        for (int k = 0; k < i && !seen; k++) {
            seen = strcmp(m->defs[k]->name, m->defs[i]->name) == 0;
        }
        if (seen) continue;
        /* All series of a name stand together, whoever defined them (the format wants it). */
        write_help(&t, m->defs[i]);
        for (int k = i; k < m->n; k++) {
            if (strcmp(m->defs[k]->name, m->defs[i]->name) == 0) write_series(&t, m->defs[k], &m->cells[k]);
        }
    }
    return t.s;
}
