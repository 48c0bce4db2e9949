/* SPDX-License-Identifier: Apache-2.0 */
#include "oidc_store.h"

#include <apr_strings.h>
#include <string.h>

#include "oidc_principal.h"

#define REVOCATIONS_MAX 5000          /* read at a time */
#define OVERLAP apr_time_from_sec(30) /* a transaction that drew its number earlier may commit so much later */
#define SEEN_BATCH 200
#define KEEP apr_time_from_sec(86400)

static const eh_stmt_t stmt_used = {"oidc_state_used", 1, {"SELECT 1 FROM eh_used_state WHERE state_h = %s", NULL}};
static const eh_stmt_t stmt_newest = {
    "oidc_revocation_newest", 0, {"SELECT COALESCE(MAX(seq), 0) FROM eh_revocation", NULL}};
static const eh_stmt_t stmt_since = {
    "oidc_revocation_since",
    1,
    {"SELECT seq, ticket_h FROM eh_revocation WHERE seq > %s ORDER BY seq LIMIT 5000",
     "SELECT seq, ticket_h FROM eh_revocation WHERE seq > %s::bigint ORDER BY seq LIMIT 5000"}};
static const eh_stmt_t stmt_again = {
    "oidc_revocation_again",
    3,
    {"SELECT seq, ticket_h FROM eh_revocation WHERE seq > %s - 5000 AND seq <= %s AND at > %s",
     "SELECT seq, ticket_h FROM eh_revocation WHERE seq > %s::bigint - 5000 AND seq <= "
     "%s::bigint AND at > %s::bigint"}};
static const eh_stmt_t stmt_seen = {
    "oidc_seen",
    3,
    {"UPDATE eh_session SET last_seen = %s WHERE ticket_h = %s AND last_seen < %s",
     "UPDATE eh_session SET last_seen = %s::bigint WHERE ticket_h = %s AND last_seen < %s::bigint"}};
static const eh_stmt_t purges[] = {
    {"oidc_purge_session",
     1,
     {"DELETE FROM eh_session WHERE ticket_h IN (SELECT ticket_h FROM eh_session WHERE "
      "expires_at < %s ORDER BY expires_at LIMIT 1000)",
      "DELETE FROM eh_session WHERE ticket_h IN (SELECT ticket_h FROM eh_session WHERE "
      "expires_at < %s::bigint ORDER BY expires_at LIMIT 1000)"}},
    {"oidc_purge_revocation",
     1,
     {"DELETE FROM eh_revocation WHERE seq IN (SELECT seq FROM eh_revocation WHERE at < %s "
      "ORDER BY seq LIMIT 1000)",
      "DELETE FROM eh_revocation WHERE seq IN (SELECT seq FROM eh_revocation WHERE at < "
      "%s::bigint ORDER BY seq LIMIT 1000)"}},
    {"oidc_purge_state",
     1,
     {"DELETE FROM eh_used_state WHERE state_h IN (SELECT state_h FROM eh_used_state WHERE "
      "expires_at < %s ORDER BY expires_at LIMIT 1000)",
      "DELETE FROM eh_used_state WHERE state_h IN (SELECT state_h FROM eh_used_state WHERE "
      "expires_at < %s::bigint ORDER BY expires_at LIMIT 1000)"}},
};

const char *oidc_arg(apr_pool_t *p, apr_int64_t n) { return apr_psprintf(p, "%" APR_INT64_T_FMT, n); }

void oidc_audit_init(eh_audit_rec_t *rec, const eh_ctx_t *ctx, const oidc_provider_t *prov, const char *event,
                     const char *remote)
{
    memset(rec, 0, sizeof(*rec));
    rec->at = eh_now(ctx);
    rec->event = event;
    rec->outcome = EH_OUTCOME_OK;
    rec->code = rec->actor = rec->subject = rec->tenant = rec->detail = "";
    rec->provider = prov->name;
    rec->remote = remote ? remote : "";
    rec->host = ctx->public_url;
    rec->correlation = ctx->correlation;
}

void oidc_audit_line(const eh_ctx_t *ctx, const eh_audit_rec_t *rec, apr_pool_t *p)
{
    const char *json;

    if (!ctx->audit) return;
    json = eh_audit_json(rec, p);
    ctx->audit->line(ctx->audit->baton, json, strlen(json));
}

typedef struct used_t {
    const char *digest;
    int used;
} used_t;

static apr_status_t used_tx(eh_tx_t *tx, void *baton, eh_err_t *err, apr_pool_t *ptemp)
{
    used_t *u = baton;
    eh_rows_t *rows;
    apr_status_t rv = eh_tx_select(tx, &stmt_used, &u->digest, &rows, err, ptemp);

    if (rv == APR_SUCCESS) u->used = rows->nrows > 0;
    return rv;
}

apr_status_t oidc_state_unused(const eh_ctx_t *ctx, const oidc_state_t *st, eh_err_t *err, apr_pool_t *p)
{
    used_t u = {.digest = oidc_state_digest(st, p)};
    apr_status_t rv = eh_db_run(ctx->db, EH_DB_READ, used_tx, &u, err, p);

    if (rv == APR_SUCCESS && u.used) return eh_err_set(err, EH_E_LOGIN_REUSED, APR_EEXIST, NULL);
    return rv;
}

static apr_status_t refused_tx(eh_tx_t *tx, void *baton, eh_err_t *err, apr_pool_t *ptemp)
{
    return eh_audit_insert(tx, baton, err, ptemp);
}

void oidc_login_refused(const eh_ctx_t *ctx, const oidc_provider_t *prov, const oidc_login_t *login,
                        const eh_err_t *why, const char *remote, apr_pool_t *p)
{
    eh_audit_rec_t rec;
    eh_err_t err = {0};

    oidc_audit_init(&rec, ctx, prov, "login.refused", remote);
    rec.outcome = eh_err_info(why->code)->http < 500 ? EH_OUTCOME_DENIED : EH_OUTCOME_ERROR;
    rec.code = eh_err_tag(p, why->code);
    if (login && login->identity.person) rec.actor = oidc_log_id(ctx, login->identity.person, p);
    oidc_audit_line(ctx, &rec, p);
    /* A row only for attempts that began here: nobody may fill the database with invented callbacks. */
    if (!login || !login->state) return;
    if (eh_db_run(ctx->db, EH_DB_WRITE, refused_tx, &rec, &err, p)) {
        eh_log_err(ctx->log, EH_LOG_ERR, &err, ctx->correlation);
    }
}

typedef struct revocations_t {
    apr_int64_t since;
    apr_time_t now;
    eh_rows_t *rows, *again;
    apr_pool_t *p;
} revocations_t;

static apr_status_t revocations_tx(eh_tx_t *tx, void *baton, eh_err_t *err, apr_pool_t *ptemp)
{
    revocations_t *r = baton;
    const char *args[3] = {oidc_arg(ptemp, r->since), oidc_arg(ptemp, r->since), oidc_arg(ptemp, r->now - OVERLAP)};
    apr_status_t rv;

    r->again = NULL;
    if (r->since < 0) return eh_tx_select(tx, &stmt_newest, NULL, &r->rows, err, r->p);
    if (!EH_OK(eh_tx_select(tx, &stmt_since, args, &r->rows, err, r->p))) return rv;
    if (tx->dialect == EH_DB_SQLITE) return APR_SUCCESS; /* one writer at a time: numbers appear in order */
    return eh_tx_select(tx, &stmt_again, args, &r->again, err, r->p);
}

apr_status_t oidc_revocations(apr_int64_t *pseq, int *pmore, const eh_ctx_t *ctx,
                              void (*fn)(void *baton, const char *ticket_h), void *baton, eh_err_t *err, apr_pool_t *p)
{
    revocations_t r = {.since = *pseq, .now = eh_now(ctx), .p = p};
    apr_status_t rv;
    int i;

    *pmore = 0;
    if (!EH_OK(eh_db_run(ctx->db, EH_DB_READ, revocations_tx, &r, err, p))) return rv;
    if (*pseq < 0) {
        *pseq = apr_atoi64(eh_cell(r.rows, 0, 0));
        return APR_SUCCESS;
    }
    for (i = 0; r.again && i < r.again->nrows; i++)
        fn(baton, eh_cell(r.again, i, 1));
    for (i = 0; i < r.rows->nrows; i++) {
        fn(baton, eh_cell(r.rows, i, 1));
        *pseq = apr_atoi64(eh_cell(r.rows, i, 0));
    }
    *pmore = r.rows->nrows >= REVOCATIONS_MAX;
    return APR_SUCCESS;
}

typedef struct seen_batch_t {
    const oidc_seen_t *seen;
    int n;
} seen_batch_t;

static apr_status_t seen_tx(eh_tx_t *tx, void *baton, eh_err_t *err, apr_pool_t *ptemp)
{
    const seen_batch_t *b = baton;
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; rv == APR_SUCCESS && i < b->n; i++) {
        const char *at = oidc_arg(ptemp, b->seen[i].seen);
        const char *args[3] = {at, b->seen[i].ticket_h, at};
        rv = eh_tx_exec(tx, &stmt_seen, args, NULL, err);
    }
    return rv;
}

apr_status_t oidc_seen_flush(const eh_ctx_t *ctx, const oidc_seen_t *seen, int n, eh_err_t *err, apr_pool_t *p)
{
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; rv == APR_SUCCESS && i < n; i += SEEN_BATCH) {
        seen_batch_t b = {seen + i, n - i < SEEN_BATCH ? n - i : SEEN_BATCH};
        rv = eh_db_run(ctx->db, EH_DB_WRITE, seen_tx, &b, err, p);
    }
    return rv;
}

static apr_status_t purge_tx(eh_tx_t *tx, void *baton, eh_err_t *err, apr_pool_t *ptemp)
{
    apr_time_t now = *(const apr_time_t *)baton;
    const char *before[] = {oidc_arg(ptemp, now - KEEP), oidc_arg(ptemp, now - KEEP), oidc_arg(ptemp, now)};
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; rv == APR_SUCCESS && i < 3; i++)
        rv = eh_tx_exec(tx, &purges[i], &before[i], NULL, err);
    return rv;
}

apr_status_t oidc_purge(const eh_ctx_t *ctx, eh_err_t *err, apr_pool_t *p)
{
    apr_time_t now = eh_now(ctx);

    return eh_db_run(ctx->db, EH_DB_WRITE, purge_tx, &now, err, p);
}
