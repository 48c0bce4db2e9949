/* SPDX-License-Identifier: Apache-2.0 */
/** Userinfo (OpenID Connect Core §5.3). */
#ifndef MODULES_OIDC_USERINFO_H
#define MODULES_OIDC_USERINFO_H

#include "oidc.h"

/**
 * Fetches the claims about the person whose verified ID token claims are id. *pclaims: NULL when the policy is off, or
 * optional and the provider does not offer userinfo to this client (no endpoint, 403, 404, 405, 501). JSON and signed JWT.
 * USERINFO, TOKEN_SUBJECT (someone else's), JWS, JWK, TOKEN_ISSUER, TOKEN_AUDIENCE (of a signed answer), HTTP_*.
 */
apr_status_t oidc_userinfo(json_t **pclaims, const eh_ctx_t *ctx, oidc_cache_t *cache, const oidc_provider_t *prov,
                           const oidc_metadata_t *md, const char *access_token, const json_t *id, eh_err_t *err,
                           apr_pool_t *p);

#endif
