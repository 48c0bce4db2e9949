/* SPDX-License-Identifier: Apache-2.0 */
#include "ehealth/lease.h"

#include <apr_strings.h>
#include <string.h>

static const eh_stmt_t stmt_take = {
    "lease-take",
    5,
    {"INSERT INTO eh_lease (name, holder, expires_at) VALUES (%s, %s, %s) ON CONFLICT (name) DO UPDATE "
     "SET holder = excluded.holder, expires_at = excluded.expires_at "
     "WHERE eh_lease.holder = %s OR eh_lease.expires_at <= CAST(%s AS BIGINT)",
     "INSERT INTO eh_lease (name, holder, expires_at) VALUES (%s, %s, %s::bigint) ON CONFLICT (name) DO "
     "UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at "
     "WHERE eh_lease.holder = %s OR eh_lease.expires_at <= %s::bigint"}};
static const eh_stmt_t stmt_renew = {"lease-renew",
                                     4,
                                     {"UPDATE eh_lease SET expires_at = %s WHERE name = %s AND holder = %s "
                                      "AND expires_at > CAST(%s AS BIGINT)",
                                      "UPDATE eh_lease SET expires_at = %s::bigint WHERE name = %s AND holder = %s "
                                      "AND expires_at > %s::bigint"}};
static const eh_stmt_t stmt_release = {"lease-release", 2, {"DELETE FROM eh_lease WHERE name = %s AND holder = %s"}};

static const char *micros(apr_time_t t, apr_pool_t *p) { return apr_psprintf(p, "%" APR_TIME_T_FMT, t); }

static apr_status_t check_names(const char *name, const char *holder, eh_err_t *err)
{
    if (*name && *holder && strlen(name) <= EH_LEASE_HOLDER_MAX && strlen(holder) <= EH_LEASE_HOLDER_MAX) {
        return APR_SUCCESS;
    }
    return eh_err_set(err, EH_E_INTERNAL, APR_EINVAL, NULL);
}

apr_status_t eh_lease_take(int *ptaken, eh_tx_t *tx, const char *name, const char *holder, apr_time_t now,
                           apr_interval_time_t ttl, eh_err_t *err, apr_pool_t *ptemp)
{
    const char *args[] = {name, holder, micros(now + ttl, ptemp), holder, micros(now, ptemp)};
    apr_status_t rv;
    int n = 0;

    *ptaken = 0;
    if (EH_OK(check_names(name, holder, err)) && EH_OK(eh_tx_exec(tx, &stmt_take, args, &n, err))) *ptaken = n == 1;
    return rv;
}

apr_status_t eh_lease_renew(int *pheld, eh_tx_t *tx, const char *name, const char *holder, apr_time_t now,
                            apr_interval_time_t ttl, eh_err_t *err, apr_pool_t *ptemp)
{
    const char *args[] = {micros(now + ttl, ptemp), name, holder, micros(now, ptemp)};
    apr_status_t rv;
    int n = 0;

    *pheld = 0;
    if (EH_OK(check_names(name, holder, err)) && EH_OK(eh_tx_exec(tx, &stmt_renew, args, &n, err))) *pheld = n == 1;
    return rv;
}

apr_status_t eh_lease_release(eh_tx_t *tx, const char *name, const char *holder, eh_err_t *err, apr_pool_t *ptemp)
{
    const char *args[] = {name, holder};

    return eh_tx_exec(tx, &stmt_release, args, NULL, err);
}

typedef struct lease_t {
    const char *name, *holder;
    apr_time_t now;
    apr_interval_time_t ttl;
    int result;
} lease_t;

static apr_status_t take(eh_tx_t *tx, void *baton, eh_err_t *err, apr_pool_t *p)
{
    lease_t *l = baton;

    return eh_lease_take(&l->result, tx, l->name, l->holder, l->now, l->ttl, err, p);
}

static apr_status_t renew(eh_tx_t *tx, void *baton, eh_err_t *err, apr_pool_t *p)
{
    lease_t *l = baton;

    return eh_lease_renew(&l->result, tx, l->name, l->holder, l->now, l->ttl, err, p);
}

static apr_status_t release(eh_tx_t *tx, void *baton, eh_err_t *err, apr_pool_t *p)
{
    lease_t *l = baton;

    return eh_lease_release(tx, l->name, l->holder, err, p);
}

/* *presult only counts what was committed. */
static apr_status_t run_now(int *presult, eh_db_t *db, eh_tx_fn *fn, lease_t *l, eh_err_t *err, apr_pool_t *ptemp)
{
    apr_status_t rv = eh_db_run(db, EH_DB_WRITE, fn, l, err, ptemp);

    *presult = rv == APR_SUCCESS ? l->result : 0;
    return rv;
}

apr_status_t eh_lease_take_now(int *ptaken, eh_db_t *db, const char *name, const char *holder, apr_time_t now,
                               apr_interval_time_t ttl, eh_err_t *err, apr_pool_t *ptemp)
{
    lease_t l = {name, holder, now, ttl, 0};

    return run_now(ptaken, db, take, &l, err, ptemp);
}

apr_status_t eh_lease_renew_now(int *pheld, eh_db_t *db, const char *name, const char *holder, apr_time_t now,
                                apr_interval_time_t ttl, eh_err_t *err, apr_pool_t *ptemp)
{
    lease_t l = {name, holder, now, ttl, 0};

    return run_now(pheld, db, renew, &l, err, ptemp);
}

apr_status_t eh_lease_release_now(eh_db_t *db, const char *name, const char *holder, eh_err_t *err, apr_pool_t *ptemp)
{
    lease_t l = {name, holder, 0, 0, 0};
    int ignored;

    return run_now(&ignored, db, release, &l, err, ptemp);
}
