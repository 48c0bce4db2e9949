/* SPDX-License-Identifier: Apache-2.0 */
/** jansson with this suite's strictness: duplicates and NUL refused, size capped, freed with a pool. */
#ifndef EHEALTH_JSON_H
#define EHEALTH_JSON_H

#include <apr_pools.h>
#include <jansson.h>

#include "ehealth/err.h"

#define EH_JSON_MAX (10 * 1024 * 1024)

/** Parses one JSON object or array; the reference is released with p. Errors: JSON (with line and column), LIMIT. */
apr_status_t eh_json_load(json_t **pjson, const char *s, apr_size_t len, eh_err_t *err, apr_pool_t *p);
/** Releases j with p (takes over the caller's reference). Returns j. */
json_t *eh_json_own(json_t *j, apr_pool_t *p);
/** Compact text in p; keys sorted when canonical. NULL on failure. */
char *eh_json_dump(const json_t *j, int canonical, apr_pool_t *p);
/** NULL when absent or of another type. */
const char *eh_json_str(const json_t *obj, const char *key);
/** Integer seconds; accepts an integral real within ±2^53. APR_ENOENT absent, APR_EINVAL another type. */
apr_status_t eh_json_int(json_int_t *pvalue, const json_t *obj, const char *key);
/**
 * Follows a path: names separated by '.', "[]" = any element of an array, "[n]" = that one; a name with a dot is quoted
 * 'a.b'. Calls fn for each match until it returns non-zero, which is returned; 0 when it never did.
 */
int eh_json_path(const json_t *j, const char *path, int (*fn)(void *baton, const json_t *match), void *baton);

#endif
