/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Audit: who, what, whose, why, from where, outcome. Two outputs from one record:
 * - a row of table eh_audit, inserted unsealed in the caller's transaction, chained and sealed afterwards by the runner
 *   (one chain = one writer: sealing inside requests would serialise them);
 * - one line of JSON in the event log, by our own encoder (httpd's LogFormat cannot write JSON).
 * No field carries a name, national identifier, token or content: persons appear as keyed hashes (eh_keyring_hash, LOGID).
 */
#ifndef EHEALTH_AUDIT_H
#define EHEALTH_AUDIT_H

#include "ehealth/db.h"
#include "ehealth/keyring.h"

typedef enum { EH_OUTCOME_OK, EH_OUTCOME_DENIED, EH_OUTCOME_ERROR } eh_outcome_e;

typedef struct eh_audit_rec_t {
    apr_time_t at;
    const char *event;       /* dotted, lower case: "login.success", "login.refused", "logout.local", … */
    eh_outcome_e outcome;
    const char *code;        /* "EH5001" when refused or failed, else "" */
    const char *actor;       /* log id of who acted, "" = nobody known */
    const char *subject;     /* log id of whose data, "" = none */
    const char *tenant;      /* "" = none */
    const char *provider;    /* log-in provider's name, "" = none */
    const char *remote;      /* client address as httpd trusts it */
    const char *host;        /* virtual host: public URL */
    const char *correlation;
    const char *detail;      /* short machine words ("acr=eidas1 method=CARD"), never free text; "" = none */
} eh_audit_rec_t;

/** Event log port: takes one JSON line without newline. */
struct eh_audit_t {
    void (*line)(void *baton, const char *json, apr_size_t len);
    void *baton;
};
typedef struct eh_audit_t eh_audit_t;

/** The event's JSON object on one line, in p. UTF-8, valid JSON whatever the input bytes. */
const char *eh_audit_json(const eh_audit_rec_t *rec, apr_pool_t *p);

/** Inserts the row; commits with the caller's transaction. */
apr_status_t eh_audit_insert(eh_tx_t *tx, const eh_audit_rec_t *rec, eh_err_t *err, apr_pool_t *ptemp);

/**
 * Seals up to max unsealed rows in order: h(n) = HMAC(key, h(n-1) 0x1e canonical row n). Holds lease "audit-seal", so
 * that one node does it (0 rows when another has it). *psealed: rows sealed. Only rows older than every open transaction
 * are taken: on pgsql eh_audit has a column `tx xid8 NOT NULL DEFAULT pg_current_xact_id()` for that.
 * Errors: those of the database, AUDIT_CHAIN when the chain's head is gone or does not open.
 */
apr_status_t eh_audit_seal(eh_db_t *db, const eh_keyring_t *ring, int max, int *psealed, eh_err_t *err, apr_pool_t *p);

/**
 * Result of a verification: sound sealed rows up to the first fault, rows that wait for a seal, and the place in the chain (column chain_seq) of
 * the first bad or missing row, 0 = none, with the reason:
 * "edited" a row, or its seal, is not what was sealed · "missing" a row within the chain is gone · "order" a sealed row
 * stands at another place · "key" the key of this row is not in the ring, or not the one it was sealed with · "tail" the
 * chain ends elsewhere than its head says.
 * What the database alone cannot show: rows and head both put back to an older state (compare with a head noted
 * elsewhere), and rows forged or removed before they were sealed (compare with the event log).
 */
typedef struct eh_audit_verdict_t {
    apr_int64_t rows, unsealed, bad_seq;
    const char *reason; /* "" when sound */
    const char *head;   /* "<chain_seq> <seal>" of the last sound row: note it elsewhere; "" for an empty chain */
} eh_audit_verdict_t;
/** APR_SUCCESS means that the verdict stands, good or bad. Recomputes the chain from the first row; finds edits, deletions, insertions, swaps and a cut tail (the head is kept
 *  sealed in table eh_audit_head). */
apr_status_t eh_audit_verify(eh_db_t *db, const eh_keyring_t *ring, eh_audit_verdict_t *verdict, eh_err_t *err,
                             apr_pool_t *p);

#endif
