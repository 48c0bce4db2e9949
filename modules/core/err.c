/* SPDX-License-Identifier: Apache-2.0 */
#include "ehealth/err.h"

#include <apr_strings.h>
#include <stdarg.h>
#include <stdio.h>

#include "text.h"

enum {
#define EH_E(name, number, http, en, fr, nl, de) ROW_##name,
#include "ehealth/err_codes.def"
#undef EH_E
    ROWS
};

#define SLUG_MAX 32
static char slugs[ROWS][SLUG_MAX];

/* C cannot lower a string at compile time. Filled when the object is loaded, before any thread exists; const after. */
__attribute__((constructor)) static void fill_slugs(void)
{
#define EH_E(name, number, http, en, fr, nl, de)                                                  \
    _Static_assert(sizeof(#name) <= SLUG_MAX, "error name too long");                             \
    for (size_t i = 0; i < sizeof(#name); i++) {                                                  \
        char c = #name[i];                                                                        \
        slugs[ROW_##name][i] = c == '_' ? '-' : c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; \
    }
#include "ehealth/err_codes.def"
#undef EH_E
}

#define EH_E(name, number, http, en, fr, nl, de) {EH_E_##name, http, slugs[ROW_##name], {en, fr, nl, de}},
static const eh_err_info_t table[] = {
#include "ehealth/err_codes.def"
};
#undef EH_E

const eh_err_info_t *eh_err_info(eh_code_e code)
{
    int i;

    for (i = 0; i < ROWS; i++) {
        if (table[i].code == code) return &table[i];
    }
    return &table[ROW_INTERNAL];
}

int eh_err_count(void) { return ROWS; }

const eh_err_info_t *eh_err_at(int i) { return &table[i]; }

apr_status_t eh_err_set(eh_err_t *err, eh_code_e code, apr_status_t rv, const char *detail)
{
    if (rv == APR_SUCCESS) rv = APR_EGENERAL;
    if (err && err->code == EH_E_NONE) {
        err->code = code;
        err->rv = rv;
        err->detail = detail;
    }
    return rv;
}

apr_status_t eh_err_setf(eh_err_t *err, apr_pool_t *p, eh_code_e code, apr_status_t rv, const char *detail,
                         const char *cause_fmt, ...)
{
    if (err && err->code == EH_E_NONE) {
        va_list ap;
        int n;

        /* libc's formatter: the attribute promises its formats, APR's knows fewer. */
        va_start(ap, cause_fmt);
        n = vsnprintf(NULL, 0, cause_fmt, ap);
        va_end(ap);
        if (n >= 0) {
            char *cause = apr_palloc(p, (apr_size_t)n + 1);

            va_start(ap, cause_fmt);
            vsnprintf(cause, (apr_size_t)n + 1, cause_fmt, ap);
            va_end(ap);
            err->cause = cause;
        }
    }
    return eh_err_set(err, code, rv, detail);
}

void eh_err_keep(eh_err_t *err, apr_pool_t *p)
{
    if (!err || err->code == EH_E_NONE) return;
    err->detail = apr_pstrdup(p, err->detail); /* NULL stays NULL */
    err->cause = apr_pstrdup(p, err->cause);
    err->login = apr_pstrdup(p, err->login);
}

const char *eh_err_tag(apr_pool_t *p, eh_code_e code) { return apr_psprintf(p, "EH%04d", (int)code); }

const char *eh_err_problem_json(apr_pool_t *p, const eh_err_t *err, eh_lang_e lang, const char *correlation)
{
    const eh_err_info_t *info = eh_err_info(err->code);
    eh_text_t t;

    if ((unsigned)lang >= EH_LANG_COUNT) lang = EH_LANG_EN;
    eh_text_init(&t, p, 512);
    eh_text_fmt(&t, "{\"type\":\"urn:ehealth:error:%s\",\"title\":", info->slug);
    eh_text_json(&t, info->title[lang]);
    eh_text_fmt(&t, ",\"status\":%d,\"code\":\"EH%04d\"", info->http, (int)info->code);
    if (err->detail) {
        eh_text_str(&t, ",\"detail\":");
        eh_text_json(&t, err->detail);
    }
    if (correlation && *correlation) {
        eh_text_str(&t, ",\"correlation\":");
        eh_text_json(&t, correlation);
    }
    if (err->login) {
        eh_text_str(&t, ",\"login\":");
        eh_text_json(&t, err->login);
    }
    if (err->retry_after > 0) eh_text_fmt(&t, ",\"retry_after\":%d", err->retry_after);
    eh_text_str(&t, "}");
    return t.s;
}
