/* SPDX-License-Identifier: Apache-2.0 */
#include "ehealth/codec.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#define TARGET_MAX 2000

/* <ctype.h> follows the locale; the formats here are ASCII. */
static int is_unreserved(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

static char *escape(apr_pool_t *p, const char *s, int form)
{
    static const char digits[] = "0123456789ABCDEF";
    char *out = apr_palloc(p, strlen(s) * 3 + 1), *o = out;

    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;

        /* '~' is not in the urlencoded set of the URL standard, '*' is: both sides decode either, so one rule serves. */
        if (is_unreserved(c)) {
            *o++ = (char)c;
        } else if (form && c == ' ') {
            *o++ = '+';
        } else {
            *o++ = '%';
            *o++ = digits[c >> 4];
            *o++ = digits[c & 0x0f];
        }
    }
    *o = '\0';
    return out;
}

char *eh_percent(apr_pool_t *p, const char *s) { return escape(p, s, 0); }

char *eh_form_encode(apr_pool_t *p, const char *s) { return escape(p, s, 1); }

/** Decodes s[0..len) into p; NULL when it is not what eh_form_parse takes. */
static char *form_decode(const char *s, apr_size_t len, apr_pool_t *p)
{
    char *out = apr_palloc(p, len + 1), *o = out;
    apr_size_t i;

    for (i = 0; i < len; i++) {
        if (s[i] == '%') {
            int hi, lo;

            if (len - i < 3) return NULL;
            hi = hex_value(s[i + 1]);
            lo = hex_value(s[i + 2]);
            if (hi < 0 || lo < 0) return NULL;
            *o = (char)(hi << 4 | lo);
            i += 2;
        } else {
            *o = s[i] == '+' ? ' ' : s[i];
        }
        if (*o++ == '\0') return NULL;
    }
    *o = '\0';
    return eh_utf8_valid(out, (apr_size_t)(o - out)) ? out : NULL;
}

apr_status_t eh_form_parse(apr_table_t **pt, const char *s, apr_size_t len, int max, apr_pool_t *p)
{
    apr_table_t *t = apr_table_make(p, 8);
    const char *end = s + len;
    int n = 0;

    while (s < end) {
        const char *amp = memchr(s, '&', (apr_size_t)(end - s)), *stop = amp ? amp : end, *eq;
        char *name, *value;

        if (stop > s) {
            if (++n > max) return APR_EINVAL;
            eq = memchr(s, '=', (apr_size_t)(stop - s));
            name = form_decode(s, (apr_size_t)((eq ? eq : stop) - s), p);
            value = eq ? form_decode(eq + 1, (apr_size_t)(stop - eq - 1), p) : apr_pstrdup(p, "");
            if (!name || !value) return APR_EINVAL;
            apr_table_addn(t, name, value);
        }
        s = stop + 1;
    }
    *pt = t;
    return APR_SUCCESS;
}

apr_status_t eh_form_single(const char **pvalue, const apr_table_t *t, const char *name)
{
    const apr_array_header_t *a = apr_table_elts(t);
    const apr_table_entry_t *e = (const apr_table_entry_t *)a->elts;
    const char *found = NULL;
    int i;

    /* Not apr_table_get: tables fold case, parameter names do not. */
    for (i = 0; i < a->nelts; i++) {
        if (strcmp(e[i].key, name) != 0) continue;
        if (found) return APR_EINVAL;
        found = e[i].val;
    }
    if (!found) return APR_ENOENT;
    *pvalue = found;
    return APR_SUCCESS;
}

/** Length of the well-formed sequence at s (Unicode 15, table 3-7), 0 when there is none. */
static int utf8_sequence(const unsigned char *s, apr_size_t left)
{
    unsigned char lo = 0x80, hi = 0xbf;
    int n, i;

    if (s[0] < 0x80) return 1;
    if (s[0] >= 0xc2 && s[0] <= 0xdf) {
        n = 2;
    } else if (s[0] >= 0xe0 && s[0] <= 0xef) {
        n = 3;
        if (s[0] == 0xe0) lo = 0xa0; /* shorter form exists */
        if (s[0] == 0xed) hi = 0x9f; /* surrogates */
    } else if (s[0] >= 0xf0 && s[0] <= 0xf4) {
        n = 4;
        if (s[0] == 0xf0) lo = 0x90;
        if (s[0] == 0xf4) hi = 0x8f; /* above U+10FFFF */
    } else {
        return 0;
    }
    if (left < (apr_size_t)n || s[1] < lo || s[1] > hi) return 0;
    for (i = 2; i < n; i++) {
        if (s[i] < 0x80 || s[i] > 0xbf) return 0;
    }
    return n;
}

int eh_utf8_valid(const char *s, apr_size_t len)
{
    const unsigned char *u = (const unsigned char *)s;

    while (len > 0) {
        int n = utf8_sequence(u, len);

        if (!n) return 0;
        u += n;
        len -= (apr_size_t)n;
    }
    return 1;
}

static const char *entity(char c)
{
    switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\'': return "&#39;";
    default: return NULL;
    }
}

char *eh_html(apr_pool_t *p, const char *s)
{
    apr_size_t len = 1;
    const char *c, *e;
    char *out, *o;

    for (c = s; *c; c++)
        len += (e = entity(*c)) ? strlen(e) : 1;
    o = out = apr_palloc(p, len);
    for (c = s; *c; c++) {
        if ((e = entity(*c))) {
            apr_size_t n = strlen(e);

            memcpy(o, e, n);
            o += n;
        } else {
            *o++ = *c;
        }
    }
    *o = '\0';
    return out;
}

int eh_target_is_local(const char *s)
{
    const unsigned char *u = (const unsigned char *)s;
    int fragment = 0;
    apr_size_t len;

    if (!s || s[0] != '/' || s[1] == '/' || s[1] == '\\') return 0;
    len = strlen(s);
    if (len > TARGET_MAX || !eh_utf8_valid(s, len)) return 0;
    for (; *u; u++) {
        /* Browsers drop tab and newline from a URL and read '\' as '/', so "/\t/host" would leave this origin. */
        if (*u <= ' ' || *u == 0x7f || *u == '\\') return 0;
        if (u[0] == 0xc2 && u[1] < 0xa0) return 0; /* C1 controls, U+0080–U+009F */
        if (*u == '#') fragment = 1;
        if (*u == '@' && fragment) return 0;
    }
    return 1;
}
