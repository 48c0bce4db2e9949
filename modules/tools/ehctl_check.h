/* SPDX-License-Identifier: Apache-2.0 */
/** Inside of `ehctl check`: findings, and the checks by what they look at. A check reports; it never stops the others. */
#ifndef EHCTL_CHECK_H
#define EHCTL_CHECK_H

#include "ehctl.h"
#include "ehealth/http_pool.h"

#define CHECK_EXPIRY_DAYS 30 /* a certificate that ends sooner is warned about */
#define CHECK_LEEWAY 60      /* s of clock difference, when the provider states no leeway */

typedef enum { CHECK_OK, CHECK_WARN, CHECK_FAIL } check_level_e;

typedef struct check_t {
    eh_ctl_t *ctl;
    apr_pool_t *p;
    const json_t *dump;
    const char *only; /* --host NAME */
    int offline;
    const char *scope; /* "" = the server; else "portal.example:443" or "portal.example:443 psc" */
    json_t *findings;
    int count[3];
} check_t;

/** Reports. id: stable word for scripts; remedy: an order in words, NULL only with CHECK_OK; fmt: what was found. */
void check_report(check_t *c, check_level_e level, const char *id, const char *remedy, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
/** CHECK_FAIL with the error's own words. */
void check_report_err(check_t *c, const char *id, const char *remedy, const eh_err_t *err);

const char *check_text(const check_t *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Files of a provider: what only root reads (before the drop), and what the running server reads (after it). */
void check_secrets(check_t *c, const json_t *provider);
void check_client_cert(check_t *c, const json_t *provider);

/* One host: its address and its mix of providers; then each provider over the network. */
void check_public_url(check_t *c, const json_t *host);
void check_mix(check_t *c, const json_t *host, const json_t *provider);
void check_addresses(check_t *c, const json_t *host, const json_t *provider);
void check_network(check_t *c, const json_t *host, const json_t *provider, eh_http_t *http);
/** NULL after reporting why there is none. */
eh_http_t *check_http(check_t *c, const json_t *host);

/** "https", or http to loopback where the host allows it. */
int check_is_secure(const json_t *host, const char *url);
/** Host name of a URL, lower case, in c->p; "" when it has none. */
const char *check_url_host(const check_t *c, const char *url);

#endif
