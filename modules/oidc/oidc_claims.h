/* SPDX-License-Identifier: Apache-2.0 */
/** What the presets share when they read claims: all lenient about absence, strict about what becomes an identity. */
#ifndef MODULES_OIDC_CLAIMS_H
#define MODULES_OIDC_CLAIMS_H

#include <apr_pools.h>
#include <jansson.h>

#include "ehealth/idp.h"

#define OIDC_LIST_MAX 256      /* roles, or structures, of one person */
#define OIDC_LIST_ITEM_MAX 128 /* bytes of one */
#define OIDC_ACCOUNT_MAX 255   /* bytes */
#define OIDC_DISPLAY_MAX 255   /* bytes of a name shown; longer ones are cut at a character */

/** A set of strings in order of arrival. What does not fit is dropped: fewer rights, never more. */
typedef struct oidc_list_t {
    apr_pool_t *p;
    const char *items[OIDC_LIST_MAX + 1];
    int n;
} oidc_list_t;

void oidc_list_init(oidc_list_t *l, apr_pool_t *p);
/** Adds s unless it is empty, too long, has a control character, or is there. */
void oidc_list_add(oidc_list_t *l, const char *s);
/** Adds "kind:value" under the same rules. */
void oidc_list_add_kind(oidc_list_t *l, const char *kind, const char *value);
/** NULL-terminated copy in the list's pool. */
const char *const *oidc_list_done(const oidc_list_t *l);

/** The string member, NULL when it is absent, null, empty or no string. */
const char *oidc_claim(const json_t *obj, const char *key);
/** First non-empty string at a path, NULL when none. */
const char *oidc_claim_path(const json_t *claims, const char *path);
/** 1 when s has 1 … max bytes of valid UTF-8 without control characters (C0, DEL, C1). */
int oidc_text_ok(const char *s, apr_size_t max);
/** 1 when s has min … max ASCII digits. */
int oidc_digits_ok(const char *s, apr_size_t min, apr_size_t max);
/** Fills name, given_name and family_name from the standard claims; "" when unknown. */
void oidc_identity_names(eh_identity_t *out, const json_t *claims, apr_pool_t *p);
/** s cut to OIDC_DISPLAY_MAX bytes at a character boundary, control characters as spaces; "" for NULL. */
const char *oidc_display(const char *s, apr_pool_t *p);
/** "eidas1" or "http://eidas.europa.eu/LoA/low" … = 1 to 3; 0 for anything else. */
int oidc_acr_rank(const char *acr);
/** acr of the claims into out (""/0 when absent); TOKEN_ACR when absent and the policy refuses that, or not a string. */
apr_status_t oidc_identity_acr(eh_identity_t *out, const json_t *claims, const eh_idp_policy_t *policy, eh_err_t *err,
                               apr_pool_t *p);
/** account from the policy's claim path, else dflt; IDENTITY when it is missing or no clean text. */
apr_status_t oidc_identity_account(eh_identity_t *out, const json_t *claims, const eh_idp_policy_t *policy,
                                   const char *dflt, eh_err_t *err, apr_pool_t *p);

#endif
