/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <apr_strings.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
#define ELLIPSIS "\xe2\x80\xa6"    /* U+2026 */

void eh_text_init(eh_text_t *t, apr_pool_t *p, apr_size_t cap)
{
    t->p = p;
    t->cap = cap < 64 ? 64 : cap;
    t->len = 0;
    t->s = apr_palloc(p, t->cap);
    t->s[0] = '\0';
}

void eh_text_add(eh_text_t *t, const char *s, apr_size_t len)
{
    if (t->cap - t->len <= len) {
        apr_size_t cap = (t->len + len + 1) * 2;
        char *grown = apr_palloc(t->p, cap);

        memcpy(grown, t->s, t->len);
        t->s = grown;
        t->cap = cap;
    }
    memcpy(t->s + t->len, s, len);
    t->len += len;
    t->s[t->len] = '\0';
}

void eh_text_str(eh_text_t *t, const char *s) { eh_text_add(t, s, strlen(s)); }

void eh_text_fmt(eh_text_t *t, const char *fmt, ...)
{
    char small[256];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(small, sizeof(small), fmt, ap);
    va_end(ap);
    if (n < 0) return;
    if ((apr_size_t)n < sizeof(small)) {
        eh_text_add(t, small, (apr_size_t)n);
    } else {
        char *big = apr_palloc(t->p, (apr_size_t)n + 1);

        va_start(ap, fmt);
        vsnprintf(big, (apr_size_t)n + 1, fmt, ap);
        va_end(ap);
        eh_text_add(t, big, (apr_size_t)n);
    }
}

int eh_text_utf8_len(const char *str, apr_size_t len)
{
    const unsigned char *s = (const unsigned char *)str;
    unsigned char lo = 0x80, hi = 0xbf;
    int n, i;

    if (len == 0) return 0;
    if (s[0] < 0x80) return 1;
    if (s[0] >= 0xc2 && s[0] <= 0xdf) {
        n = 2;
    } else if (s[0] >= 0xe0 && s[0] <= 0xef) {
        n = 3;
        if (s[0] == 0xe0) lo = 0xa0;
        if (s[0] == 0xed) hi = 0x9f;
    } else if (s[0] >= 0xf0 && s[0] <= 0xf4) {
        n = 4;
        if (s[0] == 0xf0) lo = 0x90;
        if (s[0] == 0xf4) hi = 0x8f;
    } else {
        return 0;
    }
    if (len < (apr_size_t)n || s[1] < lo || s[1] > hi) return 0;
    for (i = 2; i < n; i++) {
        if (s[i] < 0x80 || s[i] > 0xbf) return 0;
    }
    return n;
}

const char *eh_text_utf8(apr_pool_t *p, const char *s, apr_size_t max)
{
    eh_text_t t;
    apr_size_t len, i;

    if (!s) return "";
    len = strlen(s);
    eh_text_init(&t, p, (len < max ? len : max) + 8);
    for (i = 0; i < len;) {
        int n = eh_text_utf8_len(s + i, len - i);

        if (t.len + (n ? (apr_size_t)n : 3) > max) {
            eh_text_str(&t, ELLIPSIS);
            break;
        }
        if (n) {
            eh_text_add(&t, s + i, (apr_size_t)n);
            i += (apr_size_t)n;
        } else {
            eh_text_str(&t, REPLACEMENT);
            i++;
        }
    }
    return t.s;
}

static void add_json_char(eh_text_t *t, const char *s, int n)
{
    unsigned char c = (unsigned char)s[0];

    if (n == 1 && (c == '"' || c == '\\')) {
        char esc[2] = {'\\', (char)c};
        eh_text_add(t, esc, 2);
    } else if (n == 1 && (c < 0x20 || c == 0x7f)) {
        eh_text_fmt(t, "\\u%04x", c);
    } else if (n == 2 && c == 0xc2 && (unsigned char)s[1] < 0xa0) {
        eh_text_fmt(t, "\\u%04x", (unsigned char)s[1]);
    } else if (n == 3 && c == 0xe2 && (unsigned char)s[1] == 0x80 && ((unsigned char)s[2] & 0xfe) == 0xa8) {
        eh_text_fmt(t, "\\u%04x", 0x2000 | ((unsigned char)s[2] & 0x3f));
    } else {
        eh_text_add(t, s, (apr_size_t)n);
    }
}

void eh_text_json(eh_text_t *t, const char *s)
{
    apr_size_t len = s ? strlen(s) : 0, i;

    eh_text_add(t, "\"", 1);
    for (i = 0; i < len;) {
        int n = eh_text_utf8_len(s + i, len - i);

        if (n) {
            add_json_char(t, s + i, n);
            i += (apr_size_t)n;
        } else {
            eh_text_str(t, REPLACEMENT);
            i++;
        }
    }
    eh_text_add(t, "\"", 1);
}
