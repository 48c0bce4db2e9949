/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Names of headers that only this server may set, and what a client may have written in their place. Back ends fold names
 * (CGI and WSGI make one variable of X-Remote-User, x_remote_user and X.Remote.User), so names are compared by a canonical
 * spelling: lower case, with '-' for '_' and '.'.
 */
#ifndef HOT_NAMES_H
#define HOT_NAMES_H

#include <apr_pools.h>
#include <apr_tables.h>
#include <stdint.h>

typedef struct hot_names_t hot_names_t;

/** Set of names (array of const char *, any spelling, repeats allowed), immutable, in p. */
hot_names_t *hot_names_make(const apr_array_header_t *names, apr_pool_t *p);
/** 1 when some spelling of name (len bytes) is in the set. */
int hot_names_has(const hot_names_t *set, const char *name, apr_size_t len);
int hot_names_count(const hot_names_t *set);

/** Removes every header of the set, in any spelling and number, from headers. @return how many. ptemp: scratch, used only
 *  when there is something to remove. */
int hot_names_scrub(const hot_names_t *set, apr_table_t *headers, apr_pool_t *ptemp);

/** A Connection header's value without names of the set (a proxy drops the headers named there). Words end where mod_proxy
 *  ends them: at commas, semicolons and blanks. *pvalue is left alone when there is none; else the words that remain are
 *  joined by commas; NULL when none does. @return how many were taken out. */
int hot_names_connection(const hot_names_t *set, const char **pvalue, apr_pool_t *p);

/** 1 when name is a token (RFC 9110 §5.1) that may be used as identity header: hop-by-hop, framing, credentials and
 *  routing headers may not. */
int hot_name_ok(const char *name);

#endif
