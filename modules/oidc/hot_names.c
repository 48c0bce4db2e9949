/* SPDX-License-Identifier: Apache-2.0 */
#include "hot_names.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>
#include <strings.h>

#define NAME_MAX_LEN 256

struct hot_names_t {
    uint32_t mask; /* slots - 1 */
    int count;
    unsigned char first[256]; /* 1 = some name starts so, in this spelling: most headers end here */
    const char **slots;       /* canonical names by hash, open addressing */
};

static inline unsigned char fold(unsigned char c)
{
    if (c >= 'A' && c <= 'Z') return c | 0x20;
    return c == '_' || c == '.' ? '-' : c;
}

static uint32_t hash_of(const char *name, apr_size_t len)
{
    uint32_t h = 2166136261u; /* FNV-1a; the set is the administrator's, the probe is bounded by its size */

    for (apr_size_t i = 0; i < len; i++)
        h = (h ^ fold((unsigned char)name[i])) * 16777619u;
    return h ^ (h >> 15);
}

static int same_name(const char *canonical, const char *name, apr_size_t len)
{
    for (apr_size_t i = 0; i < len; i++) {
        if (canonical[i] == '\0' || (unsigned char)canonical[i] != fold((unsigned char)name[i])) return 0;
    }
    return canonical[len] == '\0';
}

hot_names_t *hot_names_make(const apr_array_header_t *names, apr_pool_t *p)
{
    hot_names_t *set = apr_pcalloc(p, sizeof(*set));
    uint32_t slots = 16;

    while (slots < (uint32_t)names->nelts * 4)
        slots <<= 1;
    set->mask = slots - 1;
    set->slots = apr_pcalloc(p, slots * sizeof(*set->slots));
    for (int i = 0; i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, const char *);
        apr_size_t len = strlen(name);
        uint32_t at = hash_of(name, len) & set->mask;
        char *canonical;

        if (len == 0 || hot_names_has(set, name, len)) continue;
        canonical = apr_pstrdup(p, name);
        for (char *c = canonical; *c; c++)
            *c = (char)fold((unsigned char)*c);
        for (int c = 0; c < 256; c++) {
            if (fold((unsigned char)c) == (unsigned char)canonical[0]) set->first[c] = 1;
        }
        while (set->slots[at])
            at = (at + 1) & set->mask;
        set->slots[at] = canonical;
        set->count++;
    }
    return set;
}

int hot_names_has(const hot_names_t *set, const char *name, apr_size_t len)
{
    uint32_t at;

    if (len == 0 || !set->first[(unsigned char)name[0]]) return 0;
    for (at = hash_of(name, len) & set->mask; set->slots[at]; at = (at + 1) & set->mask) {
        if (same_name(set->slots[at], name, len)) return 1;
    }
    return 0;
}

int hot_names_count(const hot_names_t *set) { return set->count; }

int hot_names_scrub(const hot_names_t *set, apr_table_t *headers, apr_pool_t *ptemp)
{
    const apr_array_header_t *a = apr_table_elts(headers);
    const apr_table_entry_t *e = (const apr_table_entry_t *)a->elts;
    apr_array_header_t *found = NULL;
    int before = a->nelts;

    for (int i = 0; i < a->nelts; i++) {
        if (e[i].key == NULL || !set->first[(unsigned char)e[i].key[0]]) continue;
        if (!hot_names_has(set, e[i].key, strlen(e[i].key))) continue;
        if (found == NULL) found = apr_array_make(ptemp, 4, sizeof(const char *));
        APR_ARRAY_PUSH(found, const char *) = e[i].key;
    }
    if (found == NULL) return 0;
    /* After the pass, because unset moves what is being walked. */
    for (int i = 0; i < found->nelts; i++)
        apr_table_unset(headers, APR_ARRAY_IDX(found, i, const char *));
    return before - apr_table_elts(headers)->nelts;
}

/* What mod_proxy reads (ap_get_token) ends a word at blanks and semicolons too, not only where RFC 9110 has its commas. */
#define WORD_ENDS ",; \t\r\n\v\f"

int hot_names_connection(const hot_names_t *set, const char **pvalue, apr_pool_t *p)
{
    const char *s = *pvalue;
    char *out, *o;
    int taken = 0;

    if (s == NULL || set->count == 0) return 0;
    o = out = apr_palloc(p, 2 * strlen(s) + 1); /* each word may get a comma where it had none */
    for (s += strspn(s, WORD_ENDS); *s; s += strspn(s, WORD_ENDS)) {
        apr_size_t len = strcspn(s, WORD_ENDS);

        if (hot_names_has(set, s, len)) {
            taken++;
        } else {
            if (o > out) *o++ = ',';
            memcpy(o, s, len);
            o += len;
        }
        s += len;
    }
    if (taken == 0) return 0;
    *o = '\0';
    *pvalue = *out ? out : NULL;
    return taken;
}

int hot_name_ok(const char *name)
{
    static const char *const reserved[] = {"accept-encoding",
                                           "authorization",
                                           "connection",
                                           "content-encoding",
                                           "content-length",
                                           "content-type",
                                           "cookie",
                                           "date",
                                           "expect",
                                           "forwarded",
                                           "host",
                                           "if-match",
                                           "if-modified-since",
                                           "if-none-match",
                                           "if-range",
                                           "if-unmodified-since",
                                           "keep-alive",
                                           "origin",
                                           "proxy-authorization",
                                           "proxy-connection",
                                           "range",
                                           "referer",
                                           "te",
                                           "trailer",
                                           "transfer-encoding",
                                           "upgrade",
                                           "via",
                                           "x-forwarded-for",
                                           "x-forwarded-host",
                                           "x-forwarded-proto",
                                           "x-forwarded-server",
                                           NULL};
    apr_size_t len = strlen(name);

    if (len == 0 || len > NAME_MAX_LEN) return 0;
    for (const char *c = name; *c; c++) {
        if (!apr_isalnum(*c) && !strchr("!#$%&'*+-.^_`|~", *c)) return 0;
    }
    for (int i = 0; reserved[i]; i++) {
        if (same_name(reserved[i], name, len)) return 0;
    }
    return strncasecmp(name, "sec-", 4) != 0;
}
