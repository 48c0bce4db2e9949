/* SPDX-License-Identifier: Apache-2.0 */
/* Plain text of a state: fields "1", id, key id, issued (µs), step, provider, host, target, separated by US (0x1f), which
 * none of them can contain. */
#include "oidc.h"

#include <apr_strings.h>
#include <string.h>

#include "ehealth/codec.h"
#include "ehealth/crypto.h"
#include "ehealth/seal.h"

#define FIELDS 8
#define SEP "\x1f"
#define TOKEN_MAX 4096
#define FUTURE_MAX apr_time_from_sec(60) /* clocks of two nodes */

static apr_status_t random_text(const char **ptext, const eh_ctx_t *ctx, eh_err_t *err, apr_pool_t *p)
{
    unsigned char raw[32];
    apr_status_t rv = ctx->random(ctx->port_baton, raw, sizeof(raw));

    if (rv) return eh_err_set(err, EH_E_CRYPTO, rv, NULL);
    *ptext = eh_b64url(p, raw, sizeof(raw));
    return APR_SUCCESS;
}

apr_status_t oidc_binding_new(const char **pvalue, const eh_ctx_t *ctx, eh_err_t *err, apr_pool_t *p)
{
    return random_text(pvalue, ctx, err, p);
}

int oidc_binding_valid(const char *value)
{
    return value && strlen(value) == OIDC_TICKET_LEN &&
           strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == OIDC_TICKET_LEN;
}

apr_status_t oidc_state_make(oidc_state_t **pst, const eh_ctx_t *ctx, const oidc_provider_t *prov, const char *target,
                             int step, eh_err_t *err, apr_pool_t *p)
{
    oidc_state_t *st = apr_pcalloc(p, sizeof(*st));
    apr_status_t rv;

    if (!EH_OK(random_text(&st->id, ctx, err, p))) return rv;
    st->key_id = eh_keyring_current(ctx->keys);
    st->provider = prov->name;
    st->host = ctx->public_url;
    st->target =
        target && strlen(target) <= OIDC_TARGET_MAX && eh_target_is_local(target) ? apr_pstrdup(p, target) : "/";
    st->issued = eh_now(ctx);
    st->step = step;
    *pst = st;
    return APR_SUCCESS;
}

/* The cookie's digest in the associated data ties the token to the browser without putting the cookie into it. */
static const char *state_aad(const char *binding, apr_pool_t *p)
{
    unsigned char digest[EH_SHA256_LEN];

    if (eh_sha256(digest, binding, strlen(binding))) return NULL;
    return apr_pstrcat(p, "oidc-state" SEP, eh_b64url(p, digest, sizeof(digest)), NULL);
}

apr_status_t oidc_state_seal(const char **ptoken, const eh_ctx_t *ctx, const oidc_state_t *st, const char *binding,
                             eh_err_t *err, apr_pool_t *p)
{
    const char *aad = state_aad(binding, p);
    const char *plain =
        apr_psprintf(p, "1" SEP "%s" SEP "%u" SEP "%" APR_TIME_T_FMT SEP "%d" SEP "%s" SEP "%s" SEP "%s", st->id,
                     st->key_id, st->issued, st->step, st->provider, st->host, st->target);

    if (!aad) return eh_err_set(err, EH_E_CRYPTO, APR_EGENERAL, NULL);
    return eh_seal(ptoken, ctx->keys, EH_PURPOSE_STATE, aad, plain, strlen(plain), err, p);
}

static int parse_number(apr_int64_t *pn, const char *s, apr_int64_t max)
{
    apr_size_t len = strlen(s);

    if (len == 0 || len > 18 || strspn(s, "0123456789") != len) return 0;
    *pn = apr_atoi64(s);
    return *pn <= max;
}

/** Takes the plain text apart; 0 when it is none of ours. */
static int parse_plain(oidc_state_t *st, const char *plain, apr_size_t len, apr_pool_t *p)
{
    const char *f[FIELDS];
    char *rest = apr_pstrmemdup(p, plain, len), *sep;
    apr_int64_t key_id, issued, step;
    int i;

    if (strlen(rest) != len) return 0;
    for (i = 0; i < FIELDS; i++) {
        f[i] = rest;
        sep = strchr(rest, 0x1f);
        if ((i < FIELDS - 1) != (sep != NULL)) return 0;
        if (sep) {
            *sep = '\0';
            rest = sep + 1;
        }
    }
    if (strcmp(f[0], "1") || !oidc_binding_valid(f[1]) || !parse_number(&key_id, f[2], 0xffffffffLL) ||
        !parse_number(&issued, f[3], APR_INT64_MAX) || !parse_number(&step, f[4], 1) || !eh_target_is_local(f[7])) {
        return 0;
    }
    st->id = f[1];
    st->key_id = (apr_uint32_t)key_id;
    st->issued = issued;
    st->step = (int)step;
    st->provider = f[5];
    st->host = f[6];
    st->target = f[7];
    return 1;
}

apr_status_t oidc_state_open(oidc_state_t **pst, const eh_ctx_t *ctx, const oidc_provider_t *prov, const char *token,
                             const char *binding, eh_err_t *err, apr_pool_t *p)
{
    oidc_state_t *st = apr_pcalloc(p, sizeof(*st));
    apr_time_t now = eh_now(ctx);
    eh_err_t why = {0};
    const char *plain, *aad;
    apr_size_t len;

    *pst = NULL;
    if (!token || !*token || strlen(token) > TOKEN_MAX) {
        return eh_err_set(err, EH_E_LOGIN_STATE, APR_EINVAL, NULL);
    }
    if (!oidc_binding_valid(binding)) {
        return eh_err_set(err, EH_E_LOGIN_STATE, APR_ENOENT,
                          "The browser did not send back the log-in cookie; cookies may be switched off.");
    }
    aad = state_aad(binding, p);
    if (!aad || eh_unseal(&plain, &len, ctx->keys, EH_PURPOSE_STATE, aad, token, &why, p) ||
        !parse_plain(st, plain, len, p)) {
        return eh_err_setf(err, p, EH_E_LOGIN_STATE, APR_EINVAL, NULL, "state does not open (%s)",
                           eh_err_tag(p, why.code));
    }
    if (strcmp(st->provider, prov->name) || strcmp(st->host, ctx->public_url)) {
        return eh_err_set(err, EH_E_LOGIN_STATE, APR_EINVAL, "The log-in was started elsewhere.");
    }
    if (st->issued > now + FUTURE_MAX) return eh_err_set(err, EH_E_LOGIN_STATE, APR_EINVAL, NULL);
    *pst = st;
    if (now - st->issued > apr_time_from_sec(prov->state_timeout)) {
        return eh_err_set(err, EH_E_LOGIN_EXPIRED, APR_TIMEUP, NULL);
    }
    return APR_SUCCESS;
}

static const char *derive(const eh_ctx_t *ctx, const oidc_state_t *st, const char *label, apr_pool_t *p)
{
    if (!eh_keyring_key(ctx->keys, st->key_id, EH_PURPOSE_PKCE)) return NULL;
    return eh_keyring_hash(ctx->keys, st->key_id, EH_PURPOSE_PKCE, label, st->id, p);
}

const char *oidc_state_nonce(const eh_ctx_t *ctx, const oidc_state_t *st, apr_pool_t *p)
{
    return derive(ctx, st, "nonce", p);
}

const char *oidc_state_verifier(const eh_ctx_t *ctx, const oidc_state_t *st, apr_pool_t *p)
{
    return derive(ctx, st, "verifier", p);
}

const char *oidc_pkce_challenge(const char *verifier, apr_pool_t *p)
{
    unsigned char digest[EH_SHA256_LEN];

    if (eh_sha256(digest, verifier, strlen(verifier))) return NULL;
    return eh_b64url(p, digest, sizeof(digest));
}

const char *oidc_state_digest(const oidc_state_t *st, apr_pool_t *p) { return oidc_pkce_challenge(st->id, p); }
