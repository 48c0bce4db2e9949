/* SPDX-License-Identifier: Apache-2.0 */
/** The cache behind oidc_metadata_get and oidc_jwks_get: documents of providers, one fetch at a time for each. */
#ifndef MODULES_OIDC_CACHE_H
#define MODULES_OIDC_CACHE_H

#include "oidc.h"

#define OIDC_DOCUMENTS_MAX 512 /* two a provider */

/** One version of a document, immutable and counted; it lives in a pool of its own. Exactly one of md and jwks is set. */
typedef struct oidc_snap_t {
    apr_pool_t *pool;
    volatile apr_uint32_t refs;
    oidc_metadata_t *md;
    eh_jwks_t *jwks;
} oidc_snap_t;

typedef struct oidc_fetch_t oidc_fetch_t;

/** Fetches and reads the document into snap (its pool), *pttl: seconds for which it is fresh. */
typedef apr_status_t oidc_fetch_fn(oidc_snap_t *snap, int *pttl, const oidc_fetch_t *f, eh_err_t *err, apr_pool_t *p);

struct oidc_fetch_t {
    const eh_ctx_t *ctx;
    const oidc_provider_t *prov;
    const char *key;  /* of the document in the cache */
    const char *what; /* for the log: "metadata", "key set" */
    const char *url;
    int stale; /* s after expiry during which it still serves when it cannot be fetched */
    oidc_fetch_fn *fn;
};

/** The document, fresh, or stale when it cannot be fetched now. Kept alive by p. */
apr_status_t oidc_cache_get(const oidc_snap_t **psnap, oidc_cache_t *cache, const oidc_fetch_t *f, eh_err_t *err,
                            apr_pool_t *p);
/** A newer version than seen, fetched at most every OIDC_REFETCH_THROTTLE. *psnap == seen: there is none now. */
apr_status_t oidc_cache_renew(const oidc_snap_t **psnap, oidc_cache_t *cache, const oidc_fetch_t *f,
                              const oidc_snap_t *seen, eh_err_t *err, apr_pool_t *p);
/** Lifetime by a Cache-Control header (NULL: max), between OIDC_TTL_MIN and max seconds. */
int oidc_cache_ttl(const char *cache_control, int max);

#endif
