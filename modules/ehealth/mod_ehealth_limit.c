/* SPDX-License-Identifier: Apache-2.0 */
/* Rate limits. A hospital sits behind one address: what counts is who asks (principal, else the browser's binding
 * cookie); the address itself has a ceiling of its own, high enough for a hospital and low enough for a flood. */
#include "mod_ehealth.h"

#include <http_protocol.h>
#include <apr_strings.h>

#include "ehealth/rate.h"

/* Built-in classes; a route may name others, which start with the default of "other". */
static const struct {
    const char *name;
    int count, window;
} builtin[] = {
    {"login", 30, 60},   {"callback", 30, 60}, {"logout", 30, 60},
    {"status", 120, 60}, {"other", 120, 60},   {"address", 3000, 60}, /* ceiling of one address, all classes together */
    {"session", 0, 60}, /* requests of one session to protected pages: no limit unless configured */
};
#define NBUILTIN (int)(sizeof(builtin) / sizeof(builtin[0]))
#define OTHER 4
#define ADDRESS 5

#define EH_BINDING_COOKIE "__Host-eh-b"
#define EH_BINDING_COOKIE_HTTP "eh-b" /* plain http on loopback: tests and demo */
#define EH_BINDING_MIN 16             /* shorter than this is nobody's binding */

static const char *classes[EH_MAX_CLASSES];
static int nclasses;

void eh_limit_reset(void)
{
    for (nclasses = 0; nclasses < NBUILTIN; nclasses++) {
        classes[nclasses] = builtin[nclasses].name;
    }
}

int eh_limit_class(const char *klass)
{
    int i;

    for (i = 0; i < nclasses; i++) {
        if (!strcmp(classes[i], klass)) return i;
    }
    return -1;
}

int eh_limit_add_class(const char *klass)
{
    int i = eh_limit_class(klass);

    if (i >= 0) return i;
    if (nclasses == EH_MAX_CLASSES) return -1;
    classes[nclasses] = klass;
    return nclasses++;
}

const char *eh_limit_classes(apr_pool_t *p)
{
    const char *all = classes[0];
    int i;

    for (i = 1; i < nclasses; i++) {
        all = apr_pstrcat(p, all, ", ", classes[i], NULL);
    }
    return all;
}

void eh_limit_defaults(eh_sconf_t *conf)
{
    int i, like;

    for (i = 0; i < EH_MAX_CLASSES; i++) {
        like = i < NBUILTIN ? i : OTHER;
        if (conf->limits[i].count != EH_UNSET) continue;
        conf->limits[i].count = builtin[like].count;
        conf->limits[i].window = builtin[like].window;
    }
}

static int take(request_rec *r, int klass, const void *key, apr_size_t len)
{
    const eh_limit_conf_t *conf = &eh_sconf(r->server)->limits[klass];
    eh_rate_limit_t limit = {conf->count, apr_time_from_sec(conf->window)};
    eh_rate_answer_t answer;
    eh_err_t err = {EH_E_NONE};

    if (!eh_process.rate || conf->count == 0) return OK;
    eh_rate_take(eh_process.rate, &limit, klass, key, len, apr_time_now(), &answer);
    if (klass != ADDRESS || !answer.allowed) {
        /* draft-ietf-httpapi-ratelimit-headers: q quota, w window, r remaining, t seconds until reset */
        apr_table_setn(r->err_headers_out, "RateLimit-Policy",
                       apr_psprintf(r->pool, "\"%s\";q=%d;w=%d", classes[klass], conf->count, conf->window));
        apr_table_setn(r->err_headers_out, "RateLimit",
                       apr_psprintf(r->pool, "\"%s\";r=%d;t=%d", classes[klass], answer.remaining, answer.reset));
    }
    if (answer.allowed) return OK;
    eh_count(EH_M_LIMITED, 1);
    err.retry_after = answer.reset;
    eh_err_setf(&err, r->pool, EH_E_RATE_LIMIT, APR_EAGAIN, NULL, "class %s", classes[klass]);
    return eh_fail(r, &err);
}

/* The part of an address that one customer has: a whole IPv4 address, a /64 of IPv6. */
static apr_size_t address_key(request_rec *r, const void **key)
{
    const apr_sockaddr_t *sa = r->useragent_addr;
    const unsigned char *a = sa->ipaddr_ptr;

    *key = a;
    if (sa->ipaddr_len == 4) return 4;
    if (!memcmp(a, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12)) { /* v4-mapped */
        *key = a + 12;
        return 4;
    }
    return 8;
}

int eh_limit(request_rec *r, const char *klass, const void *key, apr_size_t len)
{
    int i = eh_limit_class(klass);

    /* A class nobody declared is a mistake of the calling module: the default limit is the safe reading. */
    return take(r, i < 0 ? OTHER : i, key, len);
}

static const char *binding(request_rec *r)
{
    eh_req_t req = {.headers = r->headers_in, .p = r->pool};
    const char *value = eh_req_cookie(&req, EH_BINDING_COOKIE);

    if (!value) value = eh_req_cookie(&req, EH_BINDING_COOKIE_HTTP);
    return value && strlen(value) >= EH_BINDING_MIN ? value : NULL;
}

int eh_limit_request(request_rec *r, const char *klass)
{
    const eh_principal_t *who = eh_principal_of(r);
    const char *id = who ? who->person : binding(r);
    const void *addr;
    apr_size_t len = address_key(r, &addr);
    int rc = take(r, ADDRESS, addr, len);

    /* Without an identity only the ceiling counts: the first request of each browser of a hospital looks like this. */
    if (rc != OK || !id) return rc;
    return eh_limit(r, klass, id, strlen(id));
}
