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
 * A comma ends a cookie as a semicolon does when one of ours follows: httpd joins repeated Cookie headers so.
 */
void hot_cookie_take(hot_cookie_t *out, const char *header, const char *wanted, apr_pool_t *p);

#endif
