/* SPDX-License-Identifier: Apache-2.0 */
/* Require ehealth-role|ehealth-claim|ehealth-acr|ehealth-member, and what is said to somebody who is known but not let in.
 * The lines are parsed once; a request compares strings. Each refusal leaves its reason, so that the page can tell it. */
#include "mod_ehealth_oidc.h"

#include <ap_provider.h>
#include <http_core.h>
#include <http_request.h>
#include <mod_auth.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include "ehealth/json.h"

#define WORDS_MAX 64

/* A parsed Require line. */
typedef struct need_t {
    const char *path;         /* ehealth-claim */
    const char *const *words; /* NULL-terminated */
    const char *shown;        /* the words, for the page */
    int rank;                 /* ehealth-acr by number; 0 = by name */
} need_t;

static const char *parse_words(need_t **pneed, cmd_parms *cmd, const char *line, const char *what, int with_path)
{
    apr_array_header_t *words = apr_array_make(cmd->pool, 4, sizeof(const char *));
    need_t *need = apr_pcalloc(cmd->pool, sizeof(*need));

    if (with_path) need->path = ap_getword_conf(cmd->pool, &line);
    while (*line)
        APR_ARRAY_PUSH(words, const char *) = ap_getword_conf(cmd->pool, &line);
    if (words->nelts == 0 || (with_path && !*need->path)) return apr_psprintf(cmd->pool, "write Require %s", what);
    if (words->nelts > WORDS_MAX) return apr_psprintf(cmd->pool, "more than %d values", WORDS_MAX);
    need->shown = apr_array_pstrcat(cmd->pool, words, ',');
    APR_ARRAY_PUSH(words, const char *) = NULL;
    need->words = (const char *const *)words->elts;
    *pneed = need;
    return NULL;
}

static const char *parse_role(cmd_parms *cmd, const char *line, const void **parsed)
{
    return parse_words((need_t **)(void *)parsed, cmd, line, "ehealth-role physician [nurse ...]", 0);
}

static const char *parse_claim(cmd_parms *cmd, const char *line, const void **parsed)
{
    return parse_words((need_t **)(void *)parsed, cmd, line, "ehealth-claim path.of.claim value [value ...]", 1);
}

static const char *parse_acr(cmd_parms *cmd, const char *line, const void **parsed)
{
    need_t *need;
    const char *sentence = parse_words(&need, cmd, line, "ehealth-acr 2 (a rank) or ehealth-acr eidas2 [...]", 0);

    if (sentence) return sentence;
    if (apr_isdigit(*need->words[0])) {
        if (need->words[1] || need->words[0][1] || *need->words[0] == '0') {
            return "write Require ehealth-acr with one rank from 1 to 9, or with names";
        }
        need->rank = *need->words[0] - '0';
    }
    *parsed = need;
    return NULL;
}

static const char *parse_member(cmd_parms *cmd, const char *line, const void **parsed)
{
    need_t *need;
    const char *sentence = parse_words(&need, cmd, line, "ehealth-member tenant [tenant ...]", 0);

    if (sentence) return sentence;
    for (int i = 0; need->words[i]; i++)
        eho_use_tenant(cmd, need->words[i]);
    *parsed = need;
    return NULL;
}

/* --- checks --- */

static authz_status judged(request_rec *r, int granted, eho_denied_e why, const char *wanted)
{
    eho_req_t *rq;

    if (granted) return AUTHZ_GRANTED;
    rq = eho_req(r);
    rq->denied |= why;
    if (!rq->wanted) rq->wanted = wanted;
    return AUTHZ_DENIED;
}

static authz_status check_role(request_rec *r, const char *line, const void *parsed)
{
    const eh_principal_t *who = eho.base->principal(r);
    const need_t *need = parsed;
    int granted = 0;

    if (!who) return AUTHZ_DENIED_NO_USER;
    for (int i = 0; need->words[i] && !granted; i++)
        granted = eh_list_has(who->roles, need->words[i]);
    return judged(r, granted, EHO_DENIED_ROLE, need->shown);
}

static authz_status check_member(request_rec *r, const char *line, const void *parsed)
{
    const eh_principal_t *who = eho.base->principal(r);
    const need_t *need = parsed;
    int granted = 0;

    if (!who) return AUTHZ_DENIED_NO_USER;
    for (int i = 0; need->words[i] && !granted; i++)
        granted = eh_list_has(who->tenants, need->words[i]);
    return judged(r, granted, EHO_DENIED_MEMBER, need->shown);
}

static authz_status check_acr(request_rec *r, const char *line, const void *parsed)
{
    const eh_principal_t *who = eho.base->principal(r);
    const need_t *need = parsed;
    int granted;

    if (!who) return AUTHZ_DENIED_NO_USER;
    /* By name nothing is compared but the name: which one is stronger only the preset's rank tells. */
    granted = need->rank ? who->acr_rank >= need->rank : *who->acr && eh_list_has(need->words, who->acr);
    return judged(r, granted, EHO_DENIED_ACR, need->shown);
}

static int claim_is(void *baton, const json_t *match)
{
    const need_t *need = baton;
    char number[32];

    switch (json_typeof(match)) {
    case JSON_STRING: return eh_list_has(need->words, json_string_value(match));
    case JSON_INTEGER:
        apr_snprintf(number, sizeof(number), "%" APR_INT64_T_FMT, (apr_int64_t)json_integer_value(match));
        return eh_list_has(need->words, number);
    case JSON_TRUE: return eh_list_has(need->words, "true");
    case JSON_FALSE: return eh_list_has(need->words, "false");
    default: return 0;
    }
}

static authz_status check_claim(request_rec *r, const char *line, const void *parsed)
{
    const eh_principal_t *who = eho.base->principal(r);
    const need_t *need = parsed;

    if (!who) return AUTHZ_DENIED_NO_USER;
    return judged(r, who->claims && eh_json_path(who->claims, need->path, claim_is, (void *)(uintptr_t)need),
                  EHO_DENIED_CLAIM, NULL);
}

static const authz_provider role_provider = {check_role, parse_role};
static const authz_provider claim_provider = {check_claim, parse_claim};
static const authz_provider acr_provider = {check_acr, parse_acr};
static const authz_provider member_provider = {check_member, parse_member};

void eho_authz_register(apr_pool_t *p)
{
    static const struct {
        const char *name;
        const authz_provider *provider;
    } all[] = {{"ehealth-role", &role_provider},
               {"ehealth-claim", &claim_provider},
               {"ehealth-acr", &acr_provider},
               {"ehealth-member", &member_provider}};

    for (int i = 0; i < 4; i++) {
        ap_register_auth_provider(p, AUTHZ_PROVIDER_GROUP, all[i].name, AUTHZ_PROVIDER_VERSION, all[i].provider,
                                  AP_AUTH_INTERNAL_PER_CONF);
    }
}

/* --- the refusal --- */

/* The reason that helps the person most: first what no other page of this site would change either. */
static void explain(eh_err_t *err, request_rec *r, const eho_req_t *rq)
{
    const char *detail = NULL;
    eh_code_e code = EH_E_DENIED;

    if (eh_list_has(rq->who->roles, "suspended")) {
        code = EH_E_DENIED_SUSPENDED;
    } else if (eh_list_has(rq->who->roles, "student") && (rq->denied & EHO_DENIED_ROLE || !rq->denied)) {
        code = EH_E_DENIED_STUDENT;
    } else if (rq->denied & EHO_DENIED_ROLE) {
        code = EH_E_DENIED_ROLE;
        detail = apr_pstrcat(r->pool, "It is open to: ", rq->wanted, ".", NULL);
    } else if (rq->denied & EHO_DENIED_MEMBER) {
        code = EH_E_DENIED_MEMBER;
    } else if (rq->denied & EHO_DENIED_ACR) {
        code = EH_E_DENIED_ACR;
    } else if (rq->denied & EHO_DENIED_CLAIM) {
        code = EH_E_DENIED_CLAIM;
    }
    eh_err_set(err, code, APR_EGENERAL, detail);
}

static apr_status_t insert(eh_tx_t *tx, void *rec, eh_err_t *err, apr_pool_t *ptemp)
{
    return eh_audit_insert(tx, rec, err, ptemp);
}

/* One row a minute and session: a page with fifty images refused is one refusal, and nobody may fill the table. */
static void record(request_rec *r, const eho_req_t *rq, const eh_err_t *why)
{
    const eh_ctx_t *ctx = eho.base->ctx(r);
    eh_audit_rec_t rec = {.at = eh_now(ctx), .event = "access.refused", .outcome = EH_OUTCOME_DENIED};
    int64_t told = atomic_load_explicit(&rq->entry->told, memory_order_relaxed);
    eh_err_t err = {EH_E_NONE};

    if (rec.at - told < EHO_AUDIT_EVERY) return;
    if (!atomic_compare_exchange_strong(&rq->entry->told, &told, rec.at)) return;
    rec.code = eh_err_tag(r->pool, why->code);
    rec.actor = rec.subject = rq->who->log_id;
    rec.tenant = "";
    rec.provider = rq->prov->name;
    rec.remote = r->useragent_ip;
    rec.host = ctx->public_url;
    rec.correlation = ctx->correlation;
    rec.detail = "";
    eho.base->event(r, &rec);
    if (eh_db_run(ctx->db, EH_DB_WRITE, insert, &rec, &err, r->pool) != APR_SUCCESS) {
        /* The refusal stands without its row; the event log has its line. */
        eh_log_err(ctx->log, EH_LOG_WARNING, &err, ctx->correlation);
    }
}

static const struct ap_logconf *quiet_log(request_rec *r)
{
    const module *m;
    struct ap_logconf *log;

    if (!r->log) return eho_srv(r->server)->quiet;
    log = ap_new_log_config(r->pool, r->log); /* this section has a LogLevel of its own */
    if ((m = ap_find_linked_module("mod_authz_core.c")) != NULL) {
        ap_set_module_loglevel(r->pool, log, m->module_index, APLOG_CRIT);
    }
    return log;
}

int eho_auth_checker(request_rec *r)
{
    eho_req_t *rq = eho_req_peek(r);
    const struct ap_logconf *log = r->log;
    eh_err_t err = {EH_E_NONE};
    int rc;

    if (!rq || !rq->who || rq->judging) return DECLINED;
    rq->judging = 1;
    r->log = quiet_log(r);
    rc = ap_run_auth_checker(r); /* everybody but us */
    r->log = log;
    rq->judging = 0;
    if (rc != HTTP_UNAUTHORIZED && rc != HTTP_FORBIDDEN) return rc;
    rq->refused = 1;
    eho_count(EHO_M_DENIED, 1);
    if (r->main) return HTTP_FORBIDDEN;
    explain(&err, r, rq);
    record(r, rq, &err);
    return eho.base->fail(r, &err);
}
