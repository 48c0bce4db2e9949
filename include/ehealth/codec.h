/* SPDX-License-Identifier: Apache-2.0 */
/** Small codecs. Strict: what is not exactly the format is refused. */
#ifndef EHEALTH_CODEC_H
#define EHEALTH_CODEC_H

#include <apr_pools.h>
#include <apr_tables.h>
#include <apr_time.h>

/** base64url without padding (RFC 4648 §5, RFC 7515 §2). */
char *eh_b64url(apr_pool_t *p, const void *data, apr_size_t len);
/** APR_EINVAL on padding, white space, another alphabet, or non-zero trailing bits. *pout is NUL-terminated. */
apr_status_t eh_b64url_decode(unsigned char **pout, apr_size_t *plen, const char *s, apr_size_t len, apr_pool_t *p);
/** Standard alphabet with padding (for HTTP Basic, stored text). */
char *eh_b64(apr_pool_t *p, const void *data, apr_size_t len);
char *eh_hex(apr_pool_t *p, const void *data, apr_size_t len);

/** RFC 3339 in UTC, seconds precision ("2026-11-22T10:00:00Z") / with microseconds. */
char *eh_time_rfc3339(apr_pool_t *p, apr_time_t t);
char *eh_time_rfc3339_us(apr_pool_t *p, apr_time_t t);
apr_status_t eh_time_parse(apr_time_t *pt, const char *s);

/** RFC 3986 percent-encoding of everything but unreserved characters. */
char *eh_percent(apr_pool_t *p, const char *s);
/** application/x-www-form-urlencoded of one value ('+' for space). */
char *eh_form_encode(apr_pool_t *p, const char *s);
/**
 * Parses a query or form body into a table, decoded. APR_EINVAL: bad escape, NUL, invalid UTF-8, or more than max pairs.
 * Repeated names are kept twice: callers that must not accept them use eh_form_single.
 */
apr_status_t eh_form_parse(apr_table_t **pt, const char *s, apr_size_t len, int max, apr_pool_t *p);
/** The value of name when it occurs exactly once. APR_ENOENT: not there; APR_EINVAL: more than once. */
apr_status_t eh_form_single(const char **pvalue, const apr_table_t *t, const char *name);

int eh_utf8_valid(const char *s, apr_size_t len);
/** For HTML text and quoted attributes. */
char *eh_html(apr_pool_t *p, const char *s);

/**
 * 1 when s is a safe same-origin target: starts with one '/', no "//" or "/\" start, no backslash, control character or
 * '#…@' trick; at most 2000 bytes. Open-redirect guard: nothing else is ever redirected to.
 */
int eh_target_is_local(const char *s);

#endif
