/* SPDX-License-Identifier: Apache-2.0 */
/** What the log-in's fuzz targets share: one context whose clock stands still, and one provider. */
#ifndef OIDC_FUZZ_H
#define OIDC_FUZZ_H

#include "eh_fuzz.h"

#include <jansson.h>

#include "ehealth/codec.h"
#include "ehealth/json.h"
#include "modules/oidc/oidc.h"
#include "modules/oidc/oidc_claims.h"

#define FZ_NOW INT64_C(1790000000)
#define FZ_BINDING "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static apr_time_t fz_clock(void *baton) { return apr_time_from_sec(FZ_NOW); }
static apr_status_t fz_random(void *baton, unsigned char *buf, apr_size_t len)
{
    memset(buf, 7, len); /* reproducible */
    return APR_SUCCESS;
}
static void fz_write(void *baton, eh_log_e level, apr_status_t rv, const char *tag, const char *message) {}
static const eh_log_t fz_log = {EH_LOG_DEBUG, fz_write, NULL};

/** A context in p. */
static __attribute__((unused)) eh_ctx_t *fz_ctx(apr_pool_t *p)
{
    static const char ring[] = "1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n";
    eh_ctx_t *ctx = apr_pcalloc(p, sizeof(*ctx));
    eh_keyring_t *keys;

    eh_fuzz_check(eh_keyring_parse(&keys, ring, sizeof(ring) - 1, NULL, p) == APR_SUCCESS);
    ctx->now = fz_clock;
    ctx->random = fz_random;
    ctx->log = &fz_log;
    ctx->keys = keys;
    ctx->public_url = "https://portal.example";
    ctx->correlation = "fuzz";
    return ctx;
}

/** A provider in p. */
static __attribute__((unused)) oidc_provider_t *fz_provider(apr_pool_t *p)
{
    const char *sentence;
    oidc_provider_t *prov;
    oidc_conf_t conf;

    oidc_conf_init(&conf, "op");
    conf.preset = "oidc";
    conf.issuer = "https://op.example";
    conf.client_id = "client-1";
    conf.client_secret = "secret";
    eh_fuzz_check(oidc_provider_resolve(&prov, &conf, "https://portal.example", 0, &sentence, p) == APR_SUCCESS);
    return prov;
}

/** Whatever a preset makes of claims keeps these promises. */
static __attribute__((unused)) void fz_map(const char *preset, const uint8_t *data, size_t size)
{
    apr_pool_t *p = eh_fuzz_pool();
    eh_idp_policy_t policy = {.acr_missing_ok = size & 1};
    const char *const *s;
    eh_identity_t who;
    eh_err_t err = {0};
    json_t *claims;
    int n;

    memset(&who, 0, sizeof(who));
    if (eh_json_load(&claims, (const char *)data, size, &err, p) || !json_is_object(claims)) {
        apr_pool_destroy(p);
        return;
    }
    memset(&err, 0, sizeof(err));
    if (oidc_preset(preset)->map(&who, claims, &policy, &err, p)) {
        eh_fuzz_check(err.code == EH_E_IDENTITY || err.code == EH_E_TOKEN_ACR);
    } else {
        eh_fuzz_check(oidc_text_ok(who.account, OIDC_ACCOUNT_MAX) && oidc_text_ok(who.person, 512));
        eh_fuzz_check(!*who.name || oidc_text_ok(who.name, OIDC_DISPLAY_MAX * 2 + 1));
        eh_fuzz_check(who.given_name && who.family_name && who.acr && who.acr_rank >= 0 && who.acr_rank <= 3);
        for (s = who.roles, n = 0; *s; s++, n++)
            eh_fuzz_check(oidc_text_ok(*s, OIDC_LIST_ITEM_MAX));
        eh_fuzz_check(n <= OIDC_LIST_MAX);
        for (s = who.structures, n = 0; *s; s++, n++)
            eh_fuzz_check(oidc_text_ok(*s, OIDC_LIST_ITEM_MAX) && strchr(*s, ':'));
        eh_fuzz_check(n <= OIDC_LIST_MAX);
        /* Nobody is at once without rights and with them. */
        if (eh_list_has(who.roles, "suspended") || eh_list_has(who.roles, "citizen")) {
            eh_fuzz_check(!who.roles[1] && !eh_list_has(who.roles, "professional"));
        }
    }
    apr_pool_destroy(p);
}

#endif
