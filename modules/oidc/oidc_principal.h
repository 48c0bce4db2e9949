/* SPDX-License-Identifier: Apache-2.0 */
/** A log-in's identity as stored JSON and as a principal. */
#ifndef MODULES_OIDC_PRINCIPAL_H
#define MODULES_OIDC_PRINCIPAL_H

#include "oidc.h"

/** What is sealed into a session: identity and claims. Owned by p; NULL when memory is out. */
json_t *oidc_principal_json(const oidc_login_t *login, apr_pool_t *p);
/** And back; everything in p, j kept alive by the caller's p. NULL when j is none of ours. tenants are left empty. */
eh_principal_t *oidc_principal_make(json_t *j, const eh_ctx_t *ctx, const oidc_provider_t *prov, apr_time_t expires,
                                    apr_pool_t *p);
/** Fills who->tenants: granted names (n of them) and the tenants that list one of the person's structures. */
void oidc_principal_tenants(eh_principal_t *who, const char *const *granted, int n, const eh_tenant_t *const *tenants,
                            apr_pool_t *p);

/** Keyed hashes of index columns, and the pseudonym of a person in logs and audit. */
const char *oidc_subject_hash(const eh_ctx_t *ctx, const char *issuer, const char *subject, apr_pool_t *p);
const char *oidc_sid_hash(const eh_ctx_t *ctx, const char *issuer, const char *sid, apr_pool_t *p);
const char *oidc_person_hash(const eh_ctx_t *ctx, const char *person, apr_pool_t *p);
const char *oidc_log_id(const eh_ctx_t *ctx, const char *person, apr_pool_t *p);

#endif
