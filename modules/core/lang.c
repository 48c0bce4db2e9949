/* SPDX-License-Identifier: Apache-2.0 */
#include <apr_lib.h>
#include <string.h>

#include "ehealth/page.h"

static const char codes[EH_LANG_COUNT][3] = {"en", "fr", "nl", "de"};

const char *eh_lang_code(eh_lang_e lang) { return codes[(unsigned)lang < EH_LANG_COUNT ? lang : EH_LANG_EN]; }

apr_status_t eh_lang_parse(eh_lang_e *plang, const char *code)
{
    for (int i = 0; code && i < EH_LANG_COUNT; i++) {
        if (strcmp(code, codes[i]) == 0) {
            *plang = (eh_lang_e)i;
            return APR_SUCCESS;
        }
    }
    return APR_EINVAL;
}

/* qvalue in thousandths (RFC 9110 §12.4.2): 0[.ddd] or 1[.000]; -1 when it is something else. */
static int quality(const char *s, const char *end)
{
    int q, unit = 100;

    if (s == end || (*s != '0' && *s != '1')) return -1;
    q = (*s++ - '0') * 1000;
    if (s < end && *s != '.') return -1;
    if (s < end && end - ++s > 3) return -1;
    for (; s < end; s++, unit /= 10) {
        if (!apr_isdigit(*s)) return -1;
        q += (*s - '0') * unit;
    }
    return q <= 1000 ? q : -1;
}

/* Quality of one element `range[;q=…]`; its parameters other than q are ignored. */
static int element_quality(const char *s, const char *end)
{
    while (s < end) {
        const char *next = memchr(s, ';', (size_t)(end - s)), *stop = next ? next : end;

        while (s < stop && (*s == ' ' || *s == '\t'))
            s++;
        while (stop > s && (stop[-1] == ' ' || stop[-1] == '\t'))
            stop--;
        if (stop - s >= 2 && apr_tolower(*s) == 'q' && s[1] == '=') return quality(s + 2, stop);
        s = next ? next + 1 : end;
    }
    return 1000;
}

/* Our language of a range: its primary subtag decides ("fr-BE" is "fr"). -1 when it is none of ours. */
static int range_lang(const char *s, apr_size_t len)
{
    if (len < 2 || (len > 2 && s[2] != '-')) return -1;
    for (int i = 0; i < EH_LANG_COUNT; i++) {
        if (apr_tolower(s[0]) == codes[i][0] && apr_tolower(s[1]) == codes[i][1]) return i;
    }
    return -1;
}

eh_lang_e eh_lang_from_accept(const char *s)
{
    eh_lang_e best = EH_LANG_EN;
    int best_q = 0;

    while (s && *s) {
        const char *end = s + strcspn(s, ","), *range = s + strspn(s, " \t"), *semi;
        apr_size_t len;
        int lang, q;

        if (range > end) range = end;
        semi = memchr(range, ';', (size_t)(end - range));
        len = (apr_size_t)((semi ? semi : end) - range);
        while (len > 0 && (range[len - 1] == ' ' || range[len - 1] == '\t'))
            len--;
        lang = range_lang(range, len);
        q = lang >= 0 ? semi ? element_quality(semi + 1, end) : 1000 : 0;
        if (q > best_q) {
            best_q = q;
            best = (eh_lang_e)lang;
        }
        s = *end ? end + 1 : end;
    }
    return best;
}
