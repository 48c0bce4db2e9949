/* SPDX-License-Identifier: Apache-2.0 */
#include "oidc_claims.h"

#include <apr_strings.h>
#include <string.h>

#include "ehealth/codec.h"
#include "ehealth/json.h"

void oidc_list_init(oidc_list_t *l, apr_pool_t *p)
{
    l->p = p;
    l->n = 0;
    l->items[0] = NULL;
}

void oidc_list_add(oidc_list_t *l, const char *s)
{
    int i;

    if (!oidc_text_ok(s, OIDC_LIST_ITEM_MAX) || l->n >= OIDC_LIST_MAX) return;
    for (i = 0; i < l->n; i++) {
        if (!strcmp(l->items[i], s)) return;
    }
    l->items[l->n++] = apr_pstrdup(l->p, s);
    l->items[l->n] = NULL;
}

void oidc_list_add_kind(oidc_list_t *l, const char *kind, const char *value)
{
    if (!oidc_text_ok(value, OIDC_LIST_ITEM_MAX)) return;
    oidc_list_add(l, apr_pstrcat(l->p, kind, ":", value, NULL));
}

const char *const *oidc_list_done(const oidc_list_t *l)
{
    return apr_pmemdup(l->p, l->items, (apr_size_t)(l->n + 1) * sizeof(l->items[0]));
}

const char *oidc_claim(const json_t *obj, const char *key)
{
    const char *s = json_string_value(json_object_get(obj, key));
    return (s && *s) ? s : NULL;
}

static int take_string(void *baton, const json_t *match)
{
    const char **ps = baton;
    const char *s = json_string_value(match);

    if (!s || !*s) return 0;
    *ps = s;
    return 1;
}

const char *oidc_claim_path(const json_t *claims, const char *path)
{
    const char *s = NULL;

    eh_json_path(claims, path, take_string, &s);
    return s;
}

static int control_at(const char *s)
{
    unsigned char c = (unsigned char)s[0];

    if (c < 0x20 || c == 0x7f) return 1;
    return c == 0xc2 && (unsigned char)s[1] >= 0x80 && (unsigned char)s[1] <= 0x9f;
}

int oidc_text_ok(const char *s, apr_size_t max)
{
    apr_size_t len;
    const char *c;

    if (!s || !*s || (len = strlen(s)) > max || !eh_utf8_valid(s, len)) return 0;
    for (c = s; *c; c++) {
        if (control_at(c)) return 0;
    }
    return 1;
}

int oidc_digits_ok(const char *s, apr_size_t min, apr_size_t max)
{
    apr_size_t n = s ? strspn(s, "0123456789") : 0;
    return s && !s[n] && n >= min && n <= max;
}

const char *oidc_display(const char *s, apr_pool_t *p)
{
    apr_size_t len;
    char *out, *c;

    if (!s || !eh_utf8_valid(s, strlen(s))) return "";
    len = strlen(s);
    if (len > OIDC_DISPLAY_MAX) {
        len = OIDC_DISPLAY_MAX;
        while (len > 0 && ((unsigned char)s[len] & 0xc0) == 0x80)
            len--;
    }
    out = apr_pstrmemdup(p, s, len);
    for (c = out; *c; c++) {
        if (!control_at(c)) continue;
        if ((unsigned char)*c == 0xc2) memmove(c, c + 1, strlen(c));
        *c = ' ';
    }
    return out;
}

void oidc_identity_names(eh_identity_t *out, const json_t *claims, apr_pool_t *p)
{
    const char *name = oidc_claim(claims, "name");

    out->given_name = oidc_display(oidc_claim(claims, "given_name"), p);
    out->family_name = oidc_display(oidc_claim(claims, "family_name"), p);
    if (!name) {
        name =
            apr_pstrcat(p, out->given_name, *out->given_name && *out->family_name ? " " : "", out->family_name, NULL);
    }
    out->name = oidc_display(name, p);
}

int oidc_acr_rank(const char *acr)
{
    static const char *const names[][2] = {
        {"eidas1", "http://eidas.europa.eu/LoA/low"},
        {"eidas2", "http://eidas.europa.eu/LoA/substantial"},
        {"eidas3", "http://eidas.europa.eu/LoA/high"},
    };
    int i;

    for (i = 0; acr && i < 3; i++) {
        if (!strcmp(acr, names[i][0]) || !strcmp(acr, names[i][1])) return i + 1;
    }
    return 0;
}

apr_status_t oidc_identity_acr(eh_identity_t *out, const json_t *claims, const eh_idp_policy_t *policy, eh_err_t *err,
                               apr_pool_t *p)
{
    const json_t *j = json_object_get(claims, "acr");
    const char *acr;

    out->acr = "";
    out->acr_rank = 0;
    if (!j || json_is_null(j) || (json_is_string(j) && !*json_string_value(j))) {
        if (policy->acr_missing_ok) return APR_SUCCESS;
        return eh_err_set(err, EH_E_TOKEN_ACR, APR_EACCES, "The log-in does not state how strong it was (acr).");
    }
    acr = json_string_value(j);
    if (!oidc_text_ok(acr, OIDC_LIST_ITEM_MAX)) {
        return eh_err_set(err, EH_E_TOKEN_ACR, APR_EACCES, "The log-in states its strength (acr) in an unknown form.");
    }
    out->acr = apr_pstrdup(p, acr);
    out->acr_rank = oidc_acr_rank(acr);
    return APR_SUCCESS;
}

apr_status_t oidc_identity_account(eh_identity_t *out, const json_t *claims, const eh_idp_policy_t *policy,
                                   const char *dflt, eh_err_t *err, apr_pool_t *p)
{
    const char *account = policy->account_claim ? oidc_claim_path(claims, policy->account_claim) : dflt;

    if (!account) {
        return eh_err_setf(err, p, EH_E_IDENTITY, APR_ENOENT, "The account claim is missing.", "no string at %s",
                           policy->account_claim ? policy->account_claim : "the preset's account claim");
    }
    if (!oidc_text_ok(account, OIDC_ACCOUNT_MAX)) {
        return eh_err_set(err, EH_E_IDENTITY, APR_EINVAL, "The account claim is too long or has control characters.");
    }
    out->account = apr_pstrdup(p, account);
    return APR_SUCCESS;
}
