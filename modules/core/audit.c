/* SPDX-License-Identifier: Apache-2.0 */
#include "ehealth/audit.h"

#include <apr_strings.h>

#include "ehealth/codec.h"
#include "text.h"

/* Bytes of one field, in the row and in the line alike: part of what comes in (an address, a path) is the client's. */
#define FIELD_MAX 1024

static const char *outcome_name(eh_outcome_e outcome)
{
    switch (outcome) {
    case EH_OUTCOME_OK: return "ok";
    case EH_OUTCOME_DENIED: return "denied";
    case EH_OUTCOME_ERROR: return "error";
    }
    return "error";
}

static void add_member(eh_text_t *t, const char *name, const char *value)
{
    eh_text_fmt(t, ",\"%s\":", name);
    eh_text_json(t, eh_text_utf8(t->p, value, FIELD_MAX));
}

/* Every member is always there, "" when it has nothing to say: readers need no case distinction. */
const char *eh_audit_json(const eh_audit_rec_t *rec, apr_pool_t *p)
{
    eh_text_t t;

    eh_text_init(&t, p, 512);
    eh_text_fmt(&t, "{\"at\":\"%s\"", eh_time_rfc3339_us(p, rec->at));
    add_member(&t, "event", rec->event);
    add_member(&t, "outcome", outcome_name(rec->outcome));
    add_member(&t, "code", rec->code);
    add_member(&t, "actor", rec->actor);
    add_member(&t, "subject", rec->subject);
    add_member(&t, "tenant", rec->tenant);
    add_member(&t, "provider", rec->provider);
    add_member(&t, "remote", rec->remote);
    add_member(&t, "host", rec->host);
    add_member(&t, "correlation", rec->correlation);
    add_member(&t, "detail", rec->detail);
    eh_text_str(&t, "}");
    return t.s;
}

#define COLUMNS "at, event, outcome, code, actor, subject, tenant, provider, remote, host, correlation, detail"

static const eh_stmt_t insert_row = {
    "audit-insert",
    12,
    {"INSERT INTO eh_audit (" COLUMNS ") VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
     "INSERT INTO eh_audit (" COLUMNS ") VALUES (%s::bigint, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"}};

apr_status_t eh_audit_insert(eh_tx_t *tx, const eh_audit_rec_t *rec, eh_err_t *err, apr_pool_t *ptemp)
{
    const char *raw[] = {rec->code,   rec->actor, rec->subject,     rec->tenant, rec->provider,
                         rec->remote, rec->host,  rec->correlation, rec->detail};
    const char *args[12];
    int i;

    args[0] = apr_psprintf(ptemp, "%" APR_TIME_T_FMT, rec->at);
    args[1] = eh_text_utf8(ptemp, rec->event, FIELD_MAX);
    args[2] = outcome_name(rec->outcome);
    for (i = 0; i < 9; i++) {
        args[3 + i] = eh_text_utf8(ptemp, raw[i], FIELD_MAX);
    }
    return eh_tx_exec(tx, &insert_row, args, NULL, err);
}
