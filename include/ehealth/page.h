/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Pages for people: an error, or a notice (logged out, log-out to be confirmed). Plain accessible HTML in the four
 * languages of the suite, all of them in one document: the language switch is a link within the page (#fr), so that it
 * works on any answer – the callback of a used log-in too – without a second request. No script, one inline style whose
 * digest stands in the Content-Security-Policy.
 */
#ifndef EHEALTH_PAGE_H
#define EHEALTH_PAGE_H

#include <apr_pools.h>
#include <apr_tables.h>

#include "ehealth/err.h"

#define EH_PAGE_CONTENT_TYPE "text/html; charset=utf-8"

/** Best of our languages for an Accept-Language header (RFC 9110 §12.5.4; NULL allowed). EN when none fits. */
eh_lang_e eh_lang_from_accept(const char *accept_language);
/** "fr" → EH_LANG_FR, exactly so written: for ?lang= and a cookie. APR_EINVAL: not one of ours, *plang untouched. */
apr_status_t eh_lang_parse(eh_lang_e *plang, const char *code);
/** "en", "fr", "nl", "de". */
const char *eh_lang_code(eh_lang_e lang);

/** What a page says, in each language. */
typedef struct eh_page_words_t {
    const char *title[EH_LANG_COUNT];  /* heading */
    const char *lead[EH_LANG_COUNT];   /* one paragraph */
    const char *hint[EH_LANG_COUNT];   /* what to do; NULL = none */
    const char *button[EH_LANG_COUNT]; /* of the form; NULL = no form */
    const char *link[EH_LANG_COUNT];   /* text of link_url; NULL = no link */
} eh_page_words_t;

extern const eh_page_words_t eh_words_logged_out;      /* here and at the provider, or it was not asked */
extern const eh_page_words_t eh_words_logged_out_here; /* here only: the provider could not be reached */
extern const eh_page_words_t eh_words_logout_confirm;  /* form: button "Log out"; link: "Stay logged in" */

/** URLs are local paths ("/x") or https:// or http://; anything else is left out of the page. */
typedef struct eh_page_t {
    eh_lang_e lang;
    const char *correlation;        /* shown as reference; NULL = none */
    const char *contact;            /* EHealthContact; NULL = none */
    const char *link_url;           /* error: "Try again"; notice: words->link. NULL = none */
    const char *home_url;           /* "Start page"; NULL = none */
    const char *logout_url;         /* error: "Log out"; NULL = none */
    const char *form_action;        /* notice with a button: where the form POSTs to, a local path */
    const apr_table_t *form_fields; /* hidden fields; may be NULL */
} eh_page_t;

/** The HTML document in p. Shows title, explanation, remedy, detail, code, reference; err->login as a link. Never shows
 *  err->cause. */
const char *eh_page_error(apr_pool_t *p, const eh_page_t *page, const eh_err_t *err);
const char *eh_page_notice(apr_pool_t *p, const eh_page_t *page, const eh_page_words_t *words);

/**
 * Value of Content-Security-Policy to send with either page. form_origin: origin ("https://idp.example") that the answer to
 * the form may redirect to besides our own – browsers hold redirects after a POST to form-action, too –, NULL = none. An
 * origin with any other character than those of a host and port is left out.
 */
const char *eh_page_csp(apr_pool_t *p, const char *form_origin);

#endif
