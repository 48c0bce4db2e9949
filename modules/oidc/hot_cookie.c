/* SPDX-License-Identifier: Apache-2.0 */
#include "hot_cookie.h"

#include <apr_strings.h>
#include <string.h>

/* Length of the name when one of our cookies starts at s, else 0. */
static apr_size_t our_name(const char *s)
{
    apr_size_t len = strcspn(s, "=;, \t");

    if (s[len] != '=' || len < 4) return 0;
    if (strncmp(s, "__Host-eh-", 10) == 0 || strncmp(s, "eh-s-", 5) == 0) return len;
    return len == 4 && memcmp(s, "eh-b", 4) == 0 ? len : 0;
}

static int is_blank(char c) { return c == ' ' || c == '\t'; }

/* The next of ours at or after s: must stand at the beginning or behind ';' or ','. *pstart: where its pair begins,
 * the separator and blanks before it included. */
static const char *next_ours(const char *header, const char *s, const char **pstart, apr_size_t *plen)
{
    for (; (s = strstr(s, "eh-")) != NULL; s++) {
        const char *name = s - header >= 7 && memcmp(s - 7, "__Host-", 7) == 0 ? s - 7 : s;
        const char *before = name;

        while (before > header && is_blank(before[-1]))
            before--;
        if (before > header && before[-1] != ';' && before[-1] != ',') continue;
        if ((*plen = our_name(name)) == 0) continue;
        *pstart = before > header ? before - 1 : header;
        return name;
    }
    return NULL;
}

static void see_value(hot_cookie_t *out, int *twice, const char *value, apr_size_t len, apr_pool_t *p)
{
    if (out->value == NULL) {
        out->value = apr_pstrmemdup(p, value, len);
    } else if (strlen(out->value) != len || memcmp(out->value, value, len) != 0) {
        *twice = 1;
    }
}

void hot_cookie_take(hot_cookie_t *out, const char *header, const char *wanted, apr_pool_t *p)
{
    apr_size_t want_len = wanted ? strlen(wanted) : 0, len;
    const char *s = header, *name, *start;
    char *o = NULL;
    int twice = 0;

    out->value = NULL;
    out->rest = header;
    out->taken = 0;
    if (header == NULL) return;
    while ((name = next_ours(header, s, &start, &len)) != NULL) {
        const char *value = name + len + 1, *end = value + strcspn(value, ";,");
        const char *trim = end;

        while (trim > value && is_blank(trim[-1]))
            trim--;
        /* Behind a comma it is part of another cookie's value, which any neighbour domain may have set: never believed. It
         * is taken out all the same, for applications that split there. */
        if (wanted && *start != ',' && len == want_len && memcmp(name, wanted, len) == 0) {
            see_value(out, &twice, value, (apr_size_t)(trim - value), p);
        }
        if (out->taken++ == 0) {
            out->rest = o = apr_palloc(p, strlen(header) + 1);
        }
        memcpy(o, s, (apr_size_t)(start - s));
        o += start - s;
        s = end;
    }
    if (twice) out->value = NULL;
    if (out->taken == 0) return;
    strcpy(o, s);
    /* The first pair went: its separator must not lead what is left. */
    while (*out->rest == ';' || *out->rest == ',' || is_blank(*out->rest))
        out->rest++;
    if (*out->rest == '\0') out->rest = NULL;
}
