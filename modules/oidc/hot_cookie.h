/* SPDX-License-Identifier: Apache-2.0 */
/** Our cookies in a Cookie header: finds the one that is asked for and takes all of ours out, so that no back end ever
 *  sees a ticket. Everything else stays as it was, byte for byte. */
#ifndef HOT_COOKIE_H
#define HOT_COOKIE_H

#include <apr_pools.h>

typedef struct hot_cookie_t {
    const char *value; /* of the wanted cookie, in p; NULL = absent, or there twice with different values */
    const char
        *rest; /* header without ours: the header itself when there were none, NULL when nothing else was in it */
    int taken; /* how many were taken out */
} hot_cookie_t;

/**
 * Ours are cookies whose names start with "__Host-eh-", "eh-s-" or are "eh-b". header may be NULL, wanted too.
 * A comma ends a cookie as a semicolon does when one of ours follows, because httpd joins repeated Cookie headers so. But
 * what follows is only taken out, never the value that was asked for: a comma may also be part of the value of a cookie
 * that a neighbour domain has set, and the browser checked no "__Host-" there (RFC 6265bis §5.7).
 */
void hot_cookie_take(hot_cookie_t *out, const char *header, const char *wanted, apr_pool_t *p);

#endif
