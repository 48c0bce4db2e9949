/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Leases in table eh_lease: of all nodes, the holder of a name does the work, until expires_at.
 *
 * Time is the caller's clock (ctx->now, µs), not the database's: so SQLite and PostgreSQL, tests and servers agree.
 * Skew between nodes shortens or stretches a lease by as much: a holder whose clock is s behind may believe for s longer
 * that it holds. So ttl must be well above the skew that NTP leaves, and work that must not be done twice is written in
 * the same transaction as the take or renew (the row lock serialises the holders).
 */
#ifndef EHEALTH_LEASE_H
#define EHEALTH_LEASE_H

#include <apr_time.h>

#include "ehealth/db.h"

#define EH_LEASE_HOLDER_MAX 128 /* bytes of a holder's id, as of a name */

/**
 * Takes or renews lease name for holder until now + ttl: *ptaken is 1 when holder has it afterwards (it was free, expired,
 * or holder's own), 0 when another one holds it. holder: an id unique to the node and process, not secret.
 * In the caller's transaction (EH_DB_WRITE): committed or rolled back with it.
 */
apr_status_t eh_lease_take(int *ptaken, eh_tx_t *tx, const char *name, const char *holder, apr_time_t now,
                           apr_interval_time_t ttl, eh_err_t *err, apr_pool_t *ptemp);

/** As eh_lease_take, but never takes over: *pheld is 0 when holder does not hold an unexpired lease any more. */
apr_status_t eh_lease_renew(int *pheld, eh_tx_t *tx, const char *name, const char *holder, apr_time_t now,
                            apr_interval_time_t ttl, eh_err_t *err, apr_pool_t *ptemp);

/** Gives the lease back; nothing happens when holder does not hold it. */
apr_status_t eh_lease_release(eh_tx_t *tx, const char *name, const char *holder, eh_err_t *err, apr_pool_t *ptemp);

/** The three in a transaction of their own. */
apr_status_t eh_lease_take_now(int *ptaken, eh_db_t *db, const char *name, const char *holder, apr_time_t now,
                               apr_interval_time_t ttl, eh_err_t *err, apr_pool_t *ptemp);
apr_status_t eh_lease_renew_now(int *pheld, eh_db_t *db, const char *name, const char *holder, apr_time_t now,
                                apr_interval_time_t ttl, eh_err_t *err, apr_pool_t *ptemp);
apr_status_t eh_lease_release_now(eh_db_t *db, const char *name, const char *holder, eh_err_t *err, apr_pool_t *ptemp);

#endif
