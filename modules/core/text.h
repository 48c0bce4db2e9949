/* SPDX-License-Identifier: Apache-2.0 */
/** Inside core: a growing text buffer in a pool, and JSON strings that are valid whatever bytes come in. */
#ifndef EH_CORE_TEXT_H
#define EH_CORE_TEXT_H

#include <apr_pools.h>

typedef struct eh_text_t {
    apr_pool_t *p;
    char *s; /* NUL-terminated at all times */
    apr_size_t len, cap;
} eh_text_t;

void eh_text_init(eh_text_t *t, apr_pool_t *p, apr_size_t cap);
void eh_text_add(eh_text_t *t, const char *s, apr_size_t len);
void eh_text_str(eh_text_t *t, const char *s);
void eh_text_fmt(eh_text_t *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/**
 * Length of the well-formed UTF-8 sequence at s (at most len bytes), 0 when there is none: overlong forms, surrogates and
 * what lies beyond U+10FFFF are malformed (RFC 3629 §4).
 */
int eh_text_utf8_len(const char *s, apr_size_t len);

/** s as UTF-8 in p: each malformed byte becomes U+FFFD; what passes max bytes is cut at a character and marked "…". */
const char *eh_text_utf8(apr_pool_t *p, const char *s, apr_size_t max);

/** Adds s as a JSON string with its quotes. NULL is "". Controls (C0, DEL, C1, U+2028/9) are escaped: one line stays one. */
void eh_text_json(eh_text_t *t, const char *s);

#endif
