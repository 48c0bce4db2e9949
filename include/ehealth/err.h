/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Errors: `apr_status_t` for flow, `eh_err_t` for the story.
 *
 * A function that can fail for a reason worth telling takes an `eh_err_t *err` (caller's, zeroed) as the parameter
 * before its pool(s), fills it once, and returns a status other than APR_SUCCESS. `err` may be NULL.
 * The stable number `EHnnnn` appears alike in the log line, the page and the `X-EHealth-Error` header, so that a user
 * can read it out to support. All codes: err_codes.def; cause and remedy of each: conf/errors.md.
 */
#ifndef EHEALTH_ERR_H
#define EHEALTH_ERR_H

#include <apr_errno.h>
#include <apr_pools.h>

typedef enum {
    EH_E_NONE = 0,
#define EH_E(name, number, http, en, fr, nl, de) EH_E_##name = number,
#include "ehealth/err_codes.def"
#undef EH_E
} eh_code_e;

typedef enum { EH_LANG_EN, EH_LANG_FR, EH_LANG_NL, EH_LANG_DE, EH_LANG_COUNT } eh_lang_e;

typedef struct eh_err_t {
    eh_code_e code;
    apr_status_t rv;    /* what the failing call returned */
    const char *detail; /* one English sentence, safe to show to anybody; NULL = none beyond the title */
    const char *cause;  /* for the log alone: technical, yet free of secrets, tokens and patient data */
    int retry_after;    /* seconds after which a retry makes sense; 0 = not stated */
    const char *login;  /* local path that starts a log-in, when that is the remedy: the problem's member "login" and a
                           link on the page; NULL = none */
} eh_err_t;

/** What the table says of a code. Never NULL: an unknown code gives INTERNAL. */
typedef struct eh_err_info_t {
    eh_code_e code;
    int http;                         /* status of the answer */
    const char *slug;                 /* lower-case name with '-': last part of the problem type URN */
    const char *title[EH_LANG_COUNT]; /* UTF-8 */
} eh_err_info_t;

const eh_err_info_t *eh_err_info(eh_code_e code);

/** Number of rows of the table, and row i: for the page that lists them and for the guard that holds docs to code. */
int eh_err_count(void);
const eh_err_info_t *eh_err_at(int i);

/**
 * Records an error. The first one wins: a later call on the same err changes nothing, so that the cause is kept.
 * detail and cause must live as long as err (literals, or allocated from its pool).
 * @return rv, or APR_EGENERAL when rv is APR_SUCCESS, so that callers can `return eh_err_set(...)`.
 */
apr_status_t eh_err_set(eh_err_t *err, eh_code_e code, apr_status_t rv, const char *detail);

/** As eh_err_set, with a formatted cause (log only) allocated from p. detail may be NULL. */
apr_status_t eh_err_setf(eh_err_t *err, apr_pool_t *p, eh_code_e code, apr_status_t rv, const char *detail,
                         const char *cause_fmt, ...) __attribute__((format(printf, 6, 7)));

/**
 * Moves what err points to into p: whoever destroys or clears a pool that the failed calls were given must do this first,
 * since detail and cause may stand in it. err may be NULL.
 */
void eh_err_keep(eh_err_t *err, apr_pool_t *p);

/** "EH4003" in p. */
const char *eh_err_tag(apr_pool_t *p, eh_code_e code);

/** RFC 9457 body (application/problem+json) in p: type, title (lang), status, detail, code, correlation. */
const char *eh_err_problem_json(apr_pool_t *p, const eh_err_t *err, eh_lang_e lang, const char *correlation);

/** `expr && expr` chains: EH_OK(call) is true when call returned APR_SUCCESS; the status stays in rv. */
#define EH_OK(call) (APR_SUCCESS == (rv = (call)))

#endif
