/* SPDX-License-Identifier: Apache-2.0 */
/* A session is a row keyed by the digest of a 256-bit ticket that only the browser has. Claims are sealed with the ticket
 * mixed into the key, so that database and key file together do not open them; tokens under the server key alone, so that
 * log-out works without the browser. The associated data names host, provider and ticket: a row or a cookie moved to
 * another virtual host or provider does not open. */
#include <apr_strings.h>
#include <string.h>

#include "ehealth/codec.h"
#include "ehealth/crypto.h"
#include "ehealth/json.h"
#include "ehealth/seal.h"
#include "oidc_principal.h"
#include "oidc_store.h"

#define TICKET_BYTES 32
#define LEAST_LIFE apr_time_from_sec(60) /* a session that would end sooner is a new log-in */
#define GRANTS_MAX 256

static const eh_stmt_t stmt_use_state = {"oidc_use_state",
                                         2,
                                         {"INSERT INTO eh_used_state (state_h, expires_at) VALUES (%s, %s)",
                                          "INSERT INTO eh_used_state (state_h, expires_at) VALUES (%s, %s::bigint)"}};
static const eh_stmt_t stmt_insert = {
    "oidc_session_insert",
    13,
    {"INSERT INTO eh_session (ticket_h, host, provider, subject_h, sid_h, person_h, created_at, auth_time, expires_at, "
     "idle_limit, last_seen, claims_sealed, tokens_sealed) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
     "INSERT INTO eh_session (ticket_h, host, provider, subject_h, sid_h, person_h, created_at, auth_time, expires_at, "
     "idle_limit, last_seen, claims_sealed, tokens_sealed) VALUES (%s, %s, %s, %s, %s, %s, %s::bigint, %s::bigint, "
     "%s::bigint, %s::bigint, %s::bigint, %s, %s)"}};
static const eh_stmt_t stmt_select = {"oidc_session_select",
                                      1,
                                      {"SELECT host, provider, person_h, created_at, auth_time, expires_at, "
                                       "idle_limit, last_seen, revoked_at, generation, "
                                       "claims_sealed FROM eh_session WHERE ticket_h = %s",
                                       NULL}};
static const eh_stmt_t stmt_grants = {
    "oidc_grants",
    2,
    {"SELECT tenant FROM eh_grant WHERE person_h = %s AND (expires_at IS NULL OR expires_at > %s)",
     "SELECT tenant FROM eh_grant WHERE person_h = %s AND (expires_at IS NULL OR expires_at > "
     "%s::bigint)"}};
static const eh_stmt_t stmt_tokens = {
    "oidc_session_tokens",
    3,
    {"SELECT tokens_sealed FROM eh_session WHERE ticket_h = %s AND host = %s AND provider = %s "
     "AND revoked_at IS NULL",
     NULL}};
/* What an ended session held is erased with it. */
static const eh_stmt_t stmt_end = {
    "oidc_session_end",
    2,
    {"UPDATE eh_session SET revoked_at = %s, claims_sealed = '', tokens_sealed = '' WHERE ticket_h "
     "= %s AND revoked_at IS NULL",
     "UPDATE eh_session SET revoked_at = %s::bigint, claims_sealed = '', tokens_sealed = '' WHERE "
     "ticket_h = %s AND revoked_at IS NULL"}};
static const eh_stmt_t stmt_revoke = {"oidc_revoke",
                                      2,
                                      {"INSERT INTO eh_revocation (ticket_h, at) VALUES (%s, %s)",
                                       "INSERT INTO eh_revocation (ticket_h, at) VALUES (%s, %s::bigint)"}};

const char *oidc_ticket_digest(const char *ticket, apr_pool_t *p)
{
    unsigned char *raw, digest[EH_SHA256_LEN];
    apr_size_t len;

    if (!oidc_binding_valid(ticket)) return NULL; /* the same form */
    if (eh_b64url_decode(&raw, &len, ticket, OIDC_TICKET_LEN, p) || len != TICKET_BYTES) return NULL;
    if (eh_sha256(digest, raw, len)) return NULL;
    return eh_b64url(p, digest, sizeof(digest));
}

static const char *aad_of(const char *column, const eh_ctx_t *ctx, const oidc_provider_t *prov, const char *ticket_h,
                          apr_pool_t *p)
{
    return apr_pstrcat(p, "eh_session.", column, "\x1f", ctx->public_url, "\x1f", prov->name, "\x1f", ticket_h, NULL);
}

static apr_status_t seal_tokens(const char **psealed, const eh_ctx_t *ctx, const oidc_provider_t *prov,
                                const oidc_tokens_t *t, const char *ticket_h, eh_err_t *err, apr_pool_t *p)
{
    json_t *j = json_pack("{s:s?, s:s?, s:s?, s:I, s:I}", "id_token", t->id_token, "access_token", t->access_token,
                          "refresh_token", t->refresh_token, "access_expires", (json_int_t)t->access_expires,
                          "refresh_expires", (json_int_t)t->refresh_expires);
    const char *text = j ? eh_json_dump(eh_json_own(j, p), 0, p) : NULL;

    if (!text) return eh_err_set(err, EH_E_INTERNAL, APR_ENOMEM, NULL);
    return eh_seal(psealed, ctx->keys, EH_PURPOSE_SESSION, aad_of("tokens", ctx, prov, ticket_h, p), text, strlen(text),
                   err, p);
}

/* The row in the making. Everything is computed before the transaction; it only writes. */
typedef struct create_t {
    const char *used_args[2], *args[13], *grant_args[2];
    const eh_audit_rec_t *rec;
    eh_rows_t *grants;
    apr_pool_t *p;
} create_t;

static apr_status_t create_tx(eh_tx_t *tx, void *baton, eh_err_t *err, apr_pool_t *ptemp)
{
    create_t *c = baton;
    eh_err_t why = {0};
    apr_status_t rv;

    if (!EH_OK(eh_tx_exec(tx, &stmt_use_state, c->used_args, NULL, &why))) {
        if (why.code == EH_E_DB_UNIQUE) return eh_err_set(err, EH_E_LOGIN_REUSED, rv, NULL);
        if (err && err->code == EH_E_NONE) *err = why;
        return rv;
    }
    if (!EH_OK(eh_tx_exec(tx, &stmt_insert, c->args, NULL, err)) ||
        !EH_OK(eh_tx_select(tx, &stmt_grants, c->grant_args, &c->grants, err, c->p))) {
        return rv;
    }
    return eh_audit_insert(tx, c->rec, err, ptemp);
}

static void take_grants(eh_principal_t *who, const eh_rows_t *rows, const eh_tenant_t *const *tenants, apr_pool_t *p)
{
    const char *granted[GRANTS_MAX];
    int i, n = rows->nrows < GRANTS_MAX ? rows->nrows : GRANTS_MAX;

    for (i = 0; i < n; i++)
        granted[i] = eh_cell(rows, i, 0);
    oidc_principal_tenants(who, granted, n, tenants, p);
}

/** The absolute end: counted from the provider's authentication, which a session must not outlive by its maximum. */
static apr_status_t bounds(oidc_session_t *s, const oidc_login_t *login, const oidc_provider_t *prov, apr_time_t now,
                           eh_err_t *err)
{
    s->created = s->last_seen = now;
    s->auth_time = login->auth_time && login->auth_time < now ? login->auth_time : now;
    s->expires = s->auth_time + apr_time_from_sec(prov->session_max);
    s->idle = apr_time_from_sec(prov->session_idle);
    s->generation = 1;
    if (s->expires < now + LEAST_LIFE) return eh_err_set(err, EH_E_LOGIN_OLD, APR_TIMEUP, NULL);
    return APR_SUCCESS;
}

static apr_status_t new_ticket(const char **pticket, unsigned char raw[TICKET_BYTES], const eh_ctx_t *ctx,
                               eh_err_t *err, apr_pool_t *p)
{
    apr_status_t rv = ctx->random(ctx->port_baton, raw, TICKET_BYTES);
    const char *text;

    if (rv) return eh_err_set(err, EH_E_CRYPTO, rv, NULL);
    text = eh_b64url(p, raw, TICKET_BYTES);
    *pticket = eh_secret_dup(p, text, strlen(text));
    return APR_SUCCESS;
}

/** Computes the row of s and the principal. */
static apr_status_t prepare(create_t *c, oidc_session_t *s, eh_principal_t **pwho, const unsigned char *raw,
                            const eh_ctx_t *ctx, const oidc_provider_t *prov, const oidc_login_t *login, eh_err_t *err,
                            apr_pool_t *p)
{
    json_t *j = oidc_principal_json(login, p);
    const char *text = j ? eh_json_dump(j, 0, p) : NULL, *claims, *tokens;
    int i = 0;
    apr_status_t rv;

    *pwho = text ? oidc_principal_make(j, ctx, prov, s->expires, p) : NULL;
    if (!*pwho) return eh_err_set(err, EH_E_INTERNAL, APR_EGENERAL, NULL);
    if (!EH_OK(eh_seal_with(&claims, ctx->keys, EH_PURPOSE_SESSION, raw, TICKET_BYTES,
                            aad_of("claims", ctx, prov, s->ticket_h, p), text, strlen(text), err, p)) ||
        !EH_OK(seal_tokens(&tokens, ctx, prov, &login->tokens, s->ticket_h, err, p))) {
        return rv;
    }
    c->used_args[0] = oidc_state_digest(login->state, p);
    c->used_args[1] = oidc_arg(p, login->state->issued + apr_time_from_sec(prov->state_timeout + 3600));
    c->args[i++] = s->ticket_h;
    c->args[i++] = ctx->public_url;
    c->args[i++] = prov->name;
    c->args[i++] = oidc_subject_hash(ctx, login->issuer, login->subject, p);
    c->args[i++] = login->sid ? oidc_sid_hash(ctx, login->issuer, login->sid, p) : NULL;
    c->args[i++] = oidc_person_hash(ctx, login->identity.person, p);
    c->args[i++] = oidc_arg(p, s->created);
    c->args[i++] = oidc_arg(p, s->auth_time);
    c->args[i++] = oidc_arg(p, s->expires);
    c->args[i++] = oidc_arg(p, s->idle);
    c->args[i++] = oidc_arg(p, s->last_seen);
    c->args[i++] = claims;
    c->args[i++] = tokens;
    c->grant_args[0] = c->args[5];
    c->grant_args[1] = oidc_arg(p, s->created);
    return APR_SUCCESS;
}

apr_status_t oidc_session_create(const char **pticket, oidc_session_t **psession, const eh_ctx_t *ctx,
                                 const oidc_provider_t *prov, const oidc_login_t *login,
                                 const eh_tenant_t *const *tenants, const char *remote, eh_err_t *err, apr_pool_t *p)
{
    oidc_session_t *s = apr_pcalloc(p, sizeof(*s));
    unsigned char *raw = eh_secret_alloc(p, TICKET_BYTES);
    create_t c = {.p = p};
    eh_principal_t *who;
    eh_audit_rec_t rec;
    apr_status_t rv;

    if (!EH_OK(bounds(s, login, prov, eh_now(ctx), err)) || !EH_OK(new_ticket(pticket, raw, ctx, err, p))) return rv;
    s->ticket_h = oidc_ticket_digest(*pticket, p);
    if (!EH_OK(prepare(&c, s, &who, raw, ctx, prov, login, err, p))) return rv;
    oidc_audit_init(&rec, ctx, prov, "login.success", remote);
    rec.actor = who->log_id;
    rec.detail = apr_psprintf(p, "preset=%s rank=%d", prov->preset, who->acr_rank);
    c.rec = &rec;
    if (!EH_OK(eh_db_run(ctx->db, EH_DB_WRITE, create_tx, &c, err, p))) return rv;
    oidc_audit_line(ctx, &rec, p);
    take_grants(who, c.grants, tenants, p);
    s->principal = who;
    *psession = s;
    return APR_SUCCESS;
}

typedef struct load_t {
    const char *ticket_h, *now;
    eh_rows_t *row, *grants;
    apr_pool_t *p;
} load_t;

static apr_status_t load_tx(eh_tx_t *tx, void *baton, eh_err_t *err, apr_pool_t *ptemp)
{
    load_t *l = baton;
    const char *args[2] = {l->ticket_h, l->now};
    apr_status_t rv;

    l->grants = NULL;
    if (!EH_OK(eh_tx_select(tx, &stmt_select, args, &l->row, err, l->p)) || l->row->nrows == 0) return rv;
    args[0] = eh_cell(l->row, 0, 2);
    return eh_tx_select(tx, &stmt_grants, args, &l->grants, err, l->p);
}

static apr_int64_t number(const eh_rows_t *row, int col)
{
    const char *s = eh_cell(row, 0, col);
    return s ? apr_atoi64(s) : 0;
}

static apr_status_t expired(eh_err_t *err, const char *cause)
{
    apr_status_t rv = eh_err_set(err, EH_E_SESSION_EXPIRED, APR_ENOENT, NULL);

    if (err && err->code == EH_E_SESSION_EXPIRED && !err->cause) err->cause = cause;
    return rv;
}

/** Judges the row and copies its times. */
static apr_status_t judge(oidc_session_t *s, const eh_rows_t *row, const eh_ctx_t *ctx, const oidc_provider_t *prov,
                          eh_err_t *err)
{
    apr_time_t now = eh_now(ctx);

    if (row->nrows != 1) return expired(err, "unknown");
    if (strcmp(eh_cell(row, 0, 0), ctx->public_url) || strcmp(eh_cell(row, 0, 1), prov->name)) {
        return expired(err, "made for another host or provider");
    }
    s->created = number(row, 3);
    s->auth_time = number(row, 4);
    s->expires = number(row, 5);
    s->idle = number(row, 6);
    s->last_seen = number(row, 7);
    s->generation = number(row, 9);
    if (eh_cell(row, 0, 8)) return expired(err, "ended");
    if (now >= s->expires) return expired(err, "past its absolute end");
    if (s->idle && now - s->last_seen > s->idle) return expired(err, "idle for too long");
    return APR_SUCCESS;
}

apr_status_t oidc_session_load(oidc_session_t **psession, const eh_ctx_t *ctx, const oidc_provider_t *prov,
                               const char *ticket, const eh_tenant_t *const *tenants, eh_err_t *err, apr_pool_t *p)
{
    oidc_session_t *s = apr_pcalloc(p, sizeof(*s));
    const char *ticket_h = oidc_ticket_digest(ticket, p), *plain;
    load_t l = {.ticket_h = ticket_h, .now = oidc_arg(p, eh_now(ctx)), .p = p};
    eh_err_t why = {0};
    eh_principal_t *who;
    unsigned char *raw;
    apr_size_t len;
    apr_status_t rv;
    json_t *j;

    if (!ticket_h) return expired(err, "no ticket");
    if (!EH_OK(eh_db_run(ctx->db, EH_DB_READ, load_tx, &l, err, p)) || !EH_OK(judge(s, l.row, ctx, prov, err)))
        return rv;
    s->ticket_h = ticket_h;
    if (!EH_OK(eh_b64url_decode(&raw, &len, ticket, strlen(ticket), p))) return expired(err, "no ticket");
    if (eh_unseal_with(&plain, &len, ctx->keys, EH_PURPOSE_SESSION, raw, TICKET_BYTES,
                       aad_of("claims", ctx, prov, ticket_h, p), eh_cell(l.row, 0, 10), &why, p) ||
        eh_json_load(&j, plain, len, &why, p) || !(who = oidc_principal_make(j, ctx, prov, s->expires, p))) {
        return expired(err, "its claims do not open");
    }
    take_grants(who, l.grants, tenants, p);
    s->principal = who;
    *psession = s;
    return APR_SUCCESS;
}

typedef struct end_t {
    const char *key_args[3], *end_args[2], *revoke_args[2];
    const eh_audit_rec_t *rec;
    eh_rows_t *tokens;
    int ended;
    apr_pool_t *p;
} end_t;

static apr_status_t end_tx(eh_tx_t *tx, void *baton, eh_err_t *err, apr_pool_t *ptemp)
{
    end_t *e = baton;
    apr_status_t rv;

    e->ended = 0;
    if (!EH_OK(eh_tx_select(tx, &stmt_tokens, e->key_args, &e->tokens, err, e->p)) || e->tokens->nrows == 0 ||
        !EH_OK(eh_tx_exec(tx, &stmt_end, e->end_args, &e->ended, err)) || e->ended == 0 ||
        !EH_OK(eh_tx_exec(tx, &stmt_revoke, e->revoke_args, NULL, err))) {
        return rv;
    }
    return eh_audit_insert(tx, e->rec, err, ptemp);
}

static const char *open_id_token(const eh_ctx_t *ctx, const oidc_provider_t *prov, const char *ticket_h,
                                 const char *sealed, apr_pool_t *p)
{
    eh_err_t why = {0};
    const char *plain;
    apr_size_t len;
    json_t *j;

    if (eh_unseal(&plain, &len, ctx->keys, EH_PURPOSE_SESSION, aad_of("tokens", ctx, prov, ticket_h, p), sealed, &why,
                  p) ||
        eh_json_load(&j, plain, len, &why, p)) {
        return NULL; /* its key was removed: the provider then asks the person instead */
    }
    return eh_json_str(j, "id_token");
}

apr_status_t oidc_session_end(const char **pid_token, const eh_ctx_t *ctx, const oidc_provider_t *prov,
                              const char *ticket_h, const char *event, const eh_principal_t *who, const char *remote,
                              eh_err_t *err, apr_pool_t *p)
{
    const char *now = oidc_arg(p, eh_now(ctx));
    end_t e = {.key_args = {ticket_h, ctx->public_url, prov->name},
               .end_args = {now, ticket_h},
               .revoke_args = {ticket_h, now},
               .p = p};
    eh_audit_rec_t rec;
    apr_status_t rv;

    if (pid_token) *pid_token = NULL;
    oidc_audit_init(&rec, ctx, prov, event, remote);
    if (who) rec.actor = who->log_id;
    e.rec = &rec;
    if (!EH_OK(eh_db_run(ctx->db, EH_DB_WRITE, end_tx, &e, err, p)) || !e.ended) return rv;
    oidc_audit_line(ctx, &rec, p);
    if (pid_token) *pid_token = open_id_token(ctx, prov, ticket_h, eh_cell(e.tokens, 0, 0), p);
    return APR_SUCCESS;
}
