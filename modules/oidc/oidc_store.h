/* SPDX-License-Identifier: Apache-2.0 */
/** What the parts of the session store share. */
#ifndef MODULES_OIDC_STORE_H
#define MODULES_OIDC_STORE_H

#include "oidc.h"

/** LOGIN_REUSED when this attempt has been completed before. Asked ahead of the code exchange, so that a replayed callback
 *  costs the provider nothing and the person reads why; what counts is the insert in oidc_session_create. */
apr_status_t oidc_state_unused(const eh_ctx_t *ctx, const oidc_state_t *st, eh_err_t *err, apr_pool_t *p);

/** A record with what ctx and prov know; the caller adds outcome, actor, detail. */
void oidc_audit_init(eh_audit_rec_t *rec, const eh_ctx_t *ctx, const oidc_provider_t *prov, const char *event,
                     const char *remote);
/** Its event-log line; after the commit. */
void oidc_audit_line(const eh_ctx_t *ctx, const eh_audit_rec_t *rec, apr_pool_t *p);
/** A number as a statement's argument, in p. */
const char *oidc_arg(apr_pool_t *p, apr_int64_t n);

#endif
