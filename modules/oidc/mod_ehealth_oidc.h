/* SPDX-License-Identifier: Apache-2.0 */
/** What the files of mod_ehealth_oidc.so share: httpd's side of a log-in. The protocol itself is in oidc.h. */
#ifndef MOD_EHEALTH_OIDC_H
#define MOD_EHEALTH_OIDC_H

#include <httpd.h>
#include <http_config.h>
#include <http_log.h>

#include "ehealth/base.h"
#include "hot_cache.h"
#include "hot_names.h"
#include "hot_slots.h"
#include "oidc.h"

extern module AP_MODULE_DECLARE_DATA ehealth_oidc_module;
APLOG_USE_MODULE(ehealth_oidc);

#define EHO_AUTH_TYPE "ehealth"
#define EHO_UNSET (-1)
#define EHO_GRACE_DEFAULT 300 /* s that cached sessions are believed while revocations cannot be read */
#define EHO_VALUES_MAX 256    /* identity headers and environment variables of the whole configuration */
#define EHO_POLL apr_time_from_msec(250)
#define EHO_FLUSH apr_time_from_sec(20) /* last-seen to the database; must stay ≤ 60 s */
#define EHO_PURGE apr_time_from_sec(600)
#define EHO_AUDIT_EVERY apr_time_from_sec(60)  /* one audit row of refusals a session in this time */
#define EHO_POLL_DEADLINE apr_time_from_sec(1) /* a job's step is short */
#define EHO_CACHE_A_THREAD 128                 /* sessions that a child remembers for each of its threads */

/* --- metrics (mod_ehealth_oidc_metrics.c) --- */
typedef enum {
    EHO_M_HIT,
    EHO_M_MISS,
    EHO_M_ENDED,
    EHO_M_UNKNOWN,
    EHO_M_CHALLENGE_REDIRECT,
    EHO_M_CHALLENGE_401,
    EHO_M_DENIED,
    EHO_M_SPOOFED,
    EHO_M_LOGIN_STARTED,
    EHO_M_LOGIN_OK,
    EHO_M_LOGIN_FAILED,
    EHO_M_LOGOUT,
    EHO_M_REVOKED,
    EHO_M_POLL_FAILED,
    EHO_M_SEEN_FLUSHED,
    EHO_M_LOGIN_TIME,
    EHO_M_COUNT
} eho_metric_e;
extern const eh_metric_def_t eho_metrics[];
extern const int eho_nmetrics;
void eho_metrics_find(void);
void eho_count(eho_metric_e which, int64_t n);
void eho_observe(eho_metric_e which, int64_t micros);

/* --- configuration (mod_ehealth_oidc_config.c) --- */

typedef enum { EHO_HEADER, EHO_ENV, EHO_USER } eho_kind_e;

/** One EHealthIdentityHeader, EHealthIdentityEnv or EHealthRemoteUser. Made once while the configuration is read. */
typedef struct eho_value_t {
    int index; /* of the rendered value in a cache entry */
    eho_kind_e kind;
    const char *name; /* "" for the user */
    const oidc_template_t *text;
} eho_value_t;

/** Per directory. */
typedef struct eho_dir_t {
    const char *login;          /* provider's name; NULL = not said */
    int login_index;            /* of the name: see eho_srv_t.by_login */
    apr_array_header_t *values; /* of const eho_value_t *; NULL = none said here */
    const eho_value_t *user;    /* NULL = not said */
} eho_dir_t;

/** What one <EHealthProvider> said, before it is resolved for a virtual host. */
typedef struct eho_spec_t {
    oidc_conf_t conf;
    const char *where;          /* "file:line", for messages */
    const char *secret_source;  /* "literal" or "file:/path", for the dump; NULL = none */
    const char *key_file;       /* for the dump */
    apr_array_header_t *params; /* of oidc_param_t */
} eho_spec_t;

/** Per virtual host. */
typedef struct eho_srv_t {
    apr_array_header_t *specs; /* of eho_spec_t *, as written here; after merging those of the main server too */
    eho_spec_t *open;          /* the container being read */
    int grace;                 /* s */
    int own;                   /* has providers of its own */
    /* resolved by check_config: */
    apr_array_header_t *providers;          /* of const oidc_provider_t *, in the order of specs */
    const oidc_provider_t *const *by_login; /* by eho_dir_t.login_index */
    const struct ap_logconf *quiet;         /* this server's log configuration without authz_core's refusals */
} eho_srv_t;

/** State of this process. Filled while the configuration is read and in child_init, afterwards only read. */
typedef struct eho_process_t {
    const eh_base_t *base;
    server_rec *main;
    apr_pool_t *pconf;
    apr_array_header_t *logins;  /* of const char *: names that EHealthLogin used, by index */
    apr_array_header_t *uses;    /* of eho_use_t: to be checked when everything is read */
    apr_array_header_t *headers; /* of const char *: names of all identity headers */
    int nvalues;
    const eho_value_t *log_id; /* the default user */
    const hot_names_t *names;  /* of headers */
    int sessions;              /* size of the shared table */
    void *shared;
    hot_slots_t *slots;
    hot_cache_t *cache;      /* this child's */
    oidc_cache_t *documents; /* metadata and key sets, this child's */
    int authz_core_index;    /* of mod_authz_core, -1 when it is not there */
    int metric[EHO_M_COUNT]; /* by eho_metric_e */
} eho_process_t;
extern eho_process_t eho;

extern const command_rec eho_cmds[];
void *eho_dir_create(apr_pool_t *p, char *path);
void *eho_dir_merge(apr_pool_t *p, void *base, void *over);
void *eho_srv_create(apr_pool_t *p, server_rec *s);
void *eho_srv_merge(apr_pool_t *p, void *base, void *over);
/** Forgets the last configuration and registers with the base. */
int eho_pre_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp);
/** Resolves the providers of every host; a wrong value stops configtest with a sentence. */
int eho_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main);
/** Remembers tenants that a Require names, to be checked against <EHealthTenant>. */
void eho_use_tenant(cmd_parms *cmd, const char *name);

static inline eho_srv_t *eho_srv(const server_rec *s)
{
    return ap_get_module_config(s->module_config, &ehealth_oidc_module);
}
static inline eho_dir_t *eho_dir(const request_rec *r)
{
    return ap_get_module_config(r->per_dir_config, &ehealth_oidc_module);
}
/** The provider of that name on this virtual host, NULL when there is none. */
const oidc_provider_t *eho_provider(const server_rec *s, const char *name);
/** "providers" of DUMP_EHEALTH, "login" of the status page. */
json_t *eho_dump(server_rec *s, apr_pool_t *p);
json_t *eho_status(server_rec *s, apr_pool_t *p);

/* --- per request --- */

typedef enum { EHO_DENIED_ROLE = 1, EHO_DENIED_MEMBER = 2, EHO_DENIED_ACR = 4, EHO_DENIED_CLAIM = 8 } eho_denied_e;

typedef struct eho_req_t {
    const oidc_provider_t *prov;
    hot_entry_t *entry; /* the session; lives as long as the request */
    const eh_principal_t *who;
    const char *cookie; /* the client's Cookie header before ours were taken out */
    unsigned cookie_taken : 1;
    unsigned judging : 1; /* inside our call of the authorization hooks */
    unsigned refused : 1; /* answered with something else than the page: no handler may run */
    int denied;           /* eho_denied_e of what a Require said no to */
    const char *wanted;   /* what the first of them wanted, in words that may be shown */
} eho_req_t;

/** The request's state, made when it is not there. A subrequest or internal redirect begins with its origin's cookie. */
eho_req_t *eho_req(request_rec *r);
/** The same without making one. */
eho_req_t *eho_req_peek(const request_rec *r);

/* --- header hygiene (mod_ehealth_oidc_scrub.c) --- */
int eho_scrub_hook(request_rec *r);
/** Takes our cookies out of the Cookie header, once. @return the value of `wanted` (may be NULL), in r->pool. */
const char *eho_take_cookies(request_rec *r, eho_req_t *rq, const char *wanted);
/** Before headers are changed for a request that has an origin: its own table, without the origin's identity. */
void eho_fresh_headers(request_rec *r);
int eho_fixups(request_rec *r);

/* --- sessions (mod_ehealth_oidc_cache.c) --- */

typedef enum {
    EHO_FOUND,
    EHO_NONE,   /* no ticket, or not the form of one */
    EHO_ENDED,  /* expired, logged out, unknown */
    EHO_UNKNOWN /* cannot be told now: err says why */
} eho_found_e;

/** The session of a ticket on this host and provider. *pentry carries a reference that r's pool gives back. */
eho_found_e eho_session_find(hot_entry_t **pentry, request_rec *r, const oidc_provider_t *prov, const char *ticket,
                             eh_err_t *err);
/** Ends it for every child of this node at once. */
void eho_session_forget(const char *ticket_h);
void eho_cache_child_init(apr_pool_t *pchild, server_rec *main);
void eho_jobs_register(const eh_base_t *base);

/* --- authentication (mod_ehealth_oidc_authn.c) --- */
int eho_check_authn(request_rec *r);
/** httpd asks nobody again for a subrequest or internal redirect in the same section as its origin: who was admitted there
 * is told to this request too. @return 1 when somebody was. */
int eho_adopt(request_rec *r);
void eho_insert_filter(request_rec *r);
void eho_filters_register(void);
/** Local path that starts a log-in with the provider and comes back to target (NULL: to "/"). In p. */
const char *eho_login_path(apr_pool_t *p, const oidc_provider_t *prov, const char *target);
/** Path and query of the request as the client wrote them. */
const char *eho_target(const request_rec *r);

/* --- authorization (mod_ehealth_oidc_authz.c) --- */
void eho_authz_register(apr_pool_t *p);
int eho_auth_checker(request_rec *r);

/* --- routes (mod_ehealth_oidc_routes.c) --- */
extern const eh_route_t eho_routes[];
extern const int eho_nroutes;
/** A callback path of the administrator's choice becomes the reserved one before anybody looks at the URL. */
int eho_callback_alias(request_rec *r);

#endif
