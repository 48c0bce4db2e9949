/* SPDX-License-Identifier: Apache-2.0 */
/* The base's own background jobs: sealing the audit chain, and sweeping what has outlived its use. */
#include "mod_ehealth.h"

#include <apr_strings.h>

#include "ehealth/db_pool.h"

#define EH_SEAL_STEP 500                            /* audit rows sealed in one step */
#define EH_REVOCATION_KEEP apr_time_from_sec(86400) /* longer than any node may be cut off and still serve */

static apr_status_t seal(void *baton, const eh_ctx_t *ctx, apr_pool_t *p)
{
    eh_err_t err = {EH_E_NONE};
    apr_status_t rv;
    int sealed = 0;

    if (!ctx->db || !ctx->keys) return APR_SUCCESS;
    rv = eh_audit_seal(ctx->db, ctx->keys, EH_SEAL_STEP, &sealed, &err, p);
    if (rv != APR_SUCCESS) eh_log_err(ctx->log, EH_LOG_INFO, &err, ctx->correlation);
    return rv;
}

static const eh_stmt_t purge_states = {
    "base.purge_states",
    1,
    {"DELETE FROM eh_used_state WHERE expires_at < %s", "DELETE FROM eh_used_state WHERE expires_at < %s::bigint"}};
static const eh_stmt_t purge_revocations = {
    "base.purge_revocations",
    1,
    {"DELETE FROM eh_revocation WHERE at < %s", "DELETE FROM eh_revocation WHERE at < %s::bigint"}};

static apr_status_t purge_tx(eh_tx_t *tx, void *baton, eh_err_t *err, apr_pool_t *ptemp)
{
    apr_time_t now = *(apr_time_t *)baton;
    const char *states[] = {apr_psprintf(ptemp, "%" APR_TIME_T_FMT, now)};
    const char *revocations[] = {apr_psprintf(ptemp, "%" APR_TIME_T_FMT, now - EH_REVOCATION_KEEP)};
    apr_status_t rv;

    if (!EH_OK(eh_tx_exec(tx, &purge_states, states, NULL, err))) return rv;
    return eh_tx_exec(tx, &purge_revocations, revocations, NULL, err);
}

static apr_status_t purge(void *baton, const eh_ctx_t *ctx, apr_pool_t *p)
{
    apr_time_t now = eh_now(ctx);
    eh_err_t err = {EH_E_NONE};
    apr_status_t rv;

    if (!ctx->db) return APR_SUCCESS;
    rv = eh_db_run(ctx->db, EH_DB_WRITE, purge_tx, &now, &err, p);
    if (rv != APR_SUCCESS) eh_log_err(ctx->log, EH_LOG_INFO, &err, ctx->correlation);
    return rv;
}

/* PostgreSQL is migrated by hand; a schema that is not this build's is said once, when it is found and when it is mended. */
static apr_status_t schema(void *baton, const eh_ctx_t *ctx, apr_pool_t *p)
{
    int *told = baton;
    eh_err_t err = {EH_E_NONE};
    apr_status_t rv;

    if (!ctx->db) return APR_SUCCESS;
    rv = eh_migrate_check(ctx->db, &err, p);
    if (err.code == EH_E_DB_SCHEMA && !*told) eh_log_err(ctx->log, EH_LOG_ERR, &err, ctx->correlation);
    if (rv == APR_SUCCESS && *told) eh_log(ctx->log, EH_LOG_NOTICE, 0, "", "the database has this build's schema now");
    if (rv == APR_SUCCESS || err.code == EH_E_DB_SCHEMA) *told = rv != APR_SUCCESS;
    return rv;
}

static int schema_told; /* touched by this child's runner thread alone */

/* audit-seal is NODE: it holds the lease of its chain in the database itself. */
static const eh_job_t jobs[] = {
    {"audit-seal", EH_JOB_NODE, apr_time_from_sec(1), seal, NULL},
    {"schema", EH_JOB_NODE, apr_time_from_sec(10), schema, &schema_told},
    {"purge", EH_JOB_CLUSTER, apr_time_from_sec(60), purge, NULL},
};

void eh_base_jobs_register(void (*add)(const eh_job_t *job))
{
    apr_size_t i;

    for (i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++) {
        add(&jobs[i]);
    }
}
