/* SPDX-License-Identifier: Apache-2.0 */
#include "ehealth/err.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <stdarg.h>

#define EH_E(name, number, http, en, fr, nl, de) {EH_E_##name, http, #name, {en, fr, nl, de}},
static const eh_err_info_t table[] = {
#include "ehealth/err_codes.def"
};
#undef EH_E

const eh_err_info_t *eh_err_info(eh_code_e code)
{
    int i;

    for (i = 0; i < eh_err_count(); i++) {
        if (table[i].code == code) return &table[i];
    }
    return &table[0];
}

int eh_err_count(void) { return (int)(sizeof(table) / sizeof(table[0])); }

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
    va_list ap;

    if (err && err->code == EH_E_NONE) {
        va_start(ap, cause_fmt);
        err->cause = apr_pvsprintf(p, cause_fmt, ap);
        va_end(ap);
    }
    return eh_err_set(err, code, rv, detail);
}

const char *eh_err_tag(apr_pool_t *p, eh_code_e code) { return apr_psprintf(p, "EH%04d", (int)code); }
