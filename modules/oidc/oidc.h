/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Log-in by OpenID Connect (authorization code + PKCE S256 + state + nonce only): what the glue in mod_*.c calls.
 * Nothing here knows httpd; the outside is reached through the ports of eh_ctx_t alone.
 *
 * Order of a log-in, seen from the glue:
 *   configtest     oidc_provider_resolve, oidc_template_compile
 *   child_init     oidc_cache_create
 *   login/{p}      oidc_binding_valid / oidc_binding_new → cookie; oidc_authorize → 302
 *   callback/{p}   oidc_callback → oidc_session_create → cookie, 302 to login->state->target;
 *                  on failure oidc_login_refused, then base->fail
 *   any request    cookie → oidc_ticket_digest → glue's cache, else oidc_session_load → oidc_template_render
 *   jobs           oidc_revocations, oidc_seen_flush, oidc_purge
 *   logout         oidc_session_end → oidc_logout_url → 302 (or the logged-out page)
 * Audit: the functions here insert the row in their transaction and write the event-log line after the commit; the glue
 * adds nothing.
 */
#ifndef MODULES_OIDC_H
#define MODULES_OIDC_H

#include <apr_pools.h>
#include <apr_tables.h>
#include <jansson.h>

#include "ehealth/ctx.h"
#include "ehealth/idp.h"
#include "ehealth/principal.h"
#include "ehealth/tenant.h"

/* Limits. All sizes in bytes. */
#define OIDC_NAME_MAX 32     /* provider name: [a-z0-9-], because it is part of a cookie name and of a URL */
#define OIDC_TARGET_MAX 2000 /* longer targets become "/" */
#define OIDC_QUERY_MAX 16384 /* callback query */
#define OIDC_PARAMS_MAX 32   /* pairs in a callback query */
#define OIDC_CODE_MAX 4096   /* authorization code */
#define OIDC_METADATA_MAX (256 * 1024)
#define OIDC_JWKS_MAX (256 * 1024)
#define OIDC_TOKEN_RESPONSE_MAX (256 * 1024)
#define OIDC_TOKEN_MAX (64 * 1024) /* one token */
#define OIDC_USERINFO_MAX (256 * 1024)
#define OIDC_SUB_MAX 255        /* OIDC Core §2 */
#define OIDC_TICKET_LEN 43      /* base64url of 256 bits: session ticket, browser binding */
#define OIDC_METADATA_TTL 86400 /* s; upper bound, Cache-Control may shorten it down to OIDC_TTL_MIN */
#define OIDC_JWKS_TTL 3600
#define OIDC_TTL_MIN 300
#define OIDC_METADATA_STALE (7 * 86400) /* s after expiry during which an unreachable provider's last answer serves */
#define OIDC_JWKS_STALE 86400
#define OIDC_REFETCH_THROTTLE 30 /* s between fetches of a JWKS caused by an unknown kid */
#define OIDC_BACKOFF_MIN 2       /* s after a first failed fetch; doubles up to OIDC_BACKOFF_MAX */
#define OIDC_BACKOFF_MAX 60
#define OIDC_FOLLOWER_WAIT 5   /* s that a request waits for another's fetch of the same document */
#define OIDC_FOLLOWERS_MAX 16    /* threads of a process that wait so at once; the next is told to try again */
#define OIDC_ASSERTION_LIFE 60 /* s: exp - iat of a client assertion; Keycloak caps it */

/* ------------------------------------------------------------------------------------------------ providers */

typedef enum {
    OIDC_AUTH_BASIC,           /* client_secret_basic */
    OIDC_AUTH_POST,            /* client_secret_post */
    OIDC_AUTH_NONE,            /* none: public client, client_id in the body */
    OIDC_AUTH_PRIVATE_KEY_JWT, /* RFC 7523 */
    OIDC_AUTH_TLS              /* tls_client_auth, RFC 8705 */
} oidc_client_auth_e;

typedef struct oidc_param_t {
    const char *name, *value;
} oidc_param_t;

/**
 * What the directives of one <EHealthProvider> said. Zero it with oidc_conf_init: NULL, 0 and -1 mean "not said", the
 * preset then decides. Strings are not copied.
 */
typedef struct oidc_conf_t {
    const char *name;
    const char *preset;      /* "prosanteconnect", "iamconnect", "oidc"; must be said */
    const char *environment; /* default: the preset's first */
    const char *client_id;
    const char *client_secret;         /* already read from its file, trimmed */
    const char *client_auth;           /* method name of RFC 7591 §2 */
    const eh_jwk_t *client_key;        /* for private_key_jwt; set its kid when it is read. NULL = none */
    eh_alg_e client_key_alg;           /* 0 = RS256, ES256 … by the key's type */
    const char *assertion_audience;    /* "issuer" (default, Keycloak ≥ 26), "token_endpoint", or a literal URL */
    const eh_http_cert_t *client_cert; /* shown on every back-channel call when set, whatever client_auth is */
    const char *issuer, *metadata_url; /* metadata_url "none": static endpoints only */
    const char *authorization_endpoint, *token_endpoint, *userinfo_endpoint, *jwks_uri, *end_session_endpoint;
    const char *scope;
    const char *acr_values;                /* "none" = send none */
    int acr_missing_ok;                    /* -1 not said */
    const apr_array_header_t *auth_params; /* of oidc_param_t; NULL = none. Protocol parameters are refused */
    int id_token_algs;                     /* set of eh_alg_e, 0 not said */
    int userinfo;                          /* eh_userinfo_e, -1 not said */
    int leeway;                            /* s, -1 not said */
    const char *account_claim, *role_claim;
    int session_max, session_idle, state_timeout; /* s, -1 not said; session_idle 0 = none */
    const char *callback_path;                    /* default "/.ehealth/callback/<name>" */
    const char *post_logout_path;                 /* default "/.ehealth/logged-out" */
} oidc_conf_t;

void oidc_conf_init(oidc_conf_t *conf, const char *name);

/** A provider ready for use: complete, checked, immutable. Endpoints here are what the administrator set; the rest comes
 *  from the metadata (oidc_metadata_get), and from `env` when that cannot be had. */
typedef struct oidc_provider_t {
    const char *name;
    const char *preset;
    const eh_idp_t *idp;
    const eh_idp_env_t *env; /* never NULL; may name no host (preset oidc) */
    const char *issuer;
    const char *metadata_url; /* NULL: static endpoints only */
    const char *authorization_endpoint, *token_endpoint, *userinfo_endpoint, *jwks_uri, *end_session_endpoint;
    const char *client_id, *client_secret;
    oidc_client_auth_e client_auth;
    const eh_jwk_t *client_key;
    eh_alg_e client_key_alg;
    const char *assertion_audience;
    const eh_http_cert_t *client_cert;
    const char *scope, *acr_values;  /* acr_values NULL = none */
    const oidc_param_t *auth_params; /* n_auth_params of them */
    int n_auth_params;
    int id_token_algs;
    eh_userinfo_e userinfo;
    int leeway, session_max, session_idle, state_timeout; /* s */
    eh_idp_policy_t policy;
    const char *callback_path, *redirect_uri;
    const char *post_logout_path, *post_logout_uri;
    int allow_http;             /* plain http to loopback is allowed (tests, demo) */
    int secure;                 /* public URL is https: cookies are Secure with prefix __Host- */
    const char *session_cookie; /* "__Host-eh-s-<name>", or "eh-s-<name>" when !secure */
} oidc_provider_t;

/** Name of the browser-binding cookie for a public URL: "__Host-eh-b" or "eh-b". */
const char *oidc_binding_cookie(int secure);

/** The preset of that name, NULL when there is none. */
const eh_idp_t *oidc_preset(const char *name);
/** Names of all presets, NULL-terminated, in p: for configtest's sentence. */
const char *const *oidc_preset_names(apr_pool_t *p);

/**
 * Completes and checks. On failure *psentence (in p) tells the administrator what to write instead and in which
 * directive; it contains no secret. public_url: "https://host[:port]" of the virtual host. allow_http:
 * EHealthOutboundHTTP loopback. The result and the strings it takes from conf live as long as p and conf's.
 */
apr_status_t oidc_provider_resolve(oidc_provider_t **pprov, const oidc_conf_t *conf, const char *public_url,
                                   int allow_http, const char **psentence, apr_pool_t *p);

/** 1 when url is an absolute https URL without user, fragment, white space or control character (http to a loopback
 *  literal or localhost when allow_http). */
int oidc_url_ok(const char *url, int allow_http);

/* ------------------------------------------------------------------------------------------------ metadata, keys */

/** A provider's endpoints: administrator's value, else metadata, else the preset's static value. */
typedef struct oidc_metadata_t {
    const char *issuer;
    const char *authorization_endpoint, *token_endpoint, *jwks_uri; /* never NULL */
    const char *userinfo_endpoint, *end_session_endpoint, *revocation_endpoint, *introspection_endpoint;
    int iss_parameter;  /* authorization_response_iss_parameter_supported (RFC 9207 §3) */
    int from_static;    /* the metadata could not be had: the preset's static table serves */
    apr_time_t fetched; /* 0 when from_static */
} oidc_metadata_t;

/** Reads a discovery document (OIDC Discovery §3, RFC 8414) for prov: issuer must match exactly. Pure; fuzzed.
 *  PROVIDER_METADATA, PROVIDER_ISSUER. */
apr_status_t oidc_metadata_parse(oidc_metadata_t **pmd, const oidc_provider_t *prov, const char *json, apr_size_t len,
                                 eh_err_t *err, apr_pool_t *p);

/**
 * Process-wide cache of metadata and key sets; thread-safe. Make one per child in child_init (never before the fork).
 * One fetch at a time for each document; nobody holds a lock while fetching; those who come meanwhile get the last good
 * answer, or wait at most OIDC_FOLLOWER_WAIT. A failed fetch is not repeated before a backoff has passed.
 */
typedef struct oidc_cache_t oidc_cache_t;
apr_status_t oidc_cache_create(oidc_cache_t **pcache, apr_pool_t *p);
/** A process with so many threads has at most half of them waiting for a provider's documents, so that one that hangs does
 * not take them all. Before the first request. */
void oidc_cache_threads(oidc_cache_t *cache, int threads);

/** *pmd lives in p. PROVIDER_METADATA (nothing known and no static table), PROVIDER_ISSUER, or the fetch's error. */
apr_status_t oidc_metadata_get(const oidc_metadata_t **pmd, oidc_cache_t *cache, const eh_ctx_t *ctx,
                               const oidc_provider_t *prov, eh_err_t *err, apr_pool_t *p);

/** The provider's key set, kept alive by p. */
apr_status_t oidc_jwks_get(const eh_jwks_t **pset, oidc_cache_t *cache, const eh_ctx_t *ctx,
                           const oidc_provider_t *prov, const oidc_metadata_t *md, eh_err_t *err, apr_pool_t *p);

/** Verifies jws with the provider's keys; an unknown kid causes one refetch, at most every OIDC_REFETCH_THROTTLE, and
 *  fails when the kid is still unknown. JWK, JWS, or the fetch's error. */
apr_status_t oidc_jwks_verify(oidc_cache_t *cache, const eh_ctx_t *ctx, const oidc_provider_t *prov,
                              const oidc_metadata_t *md, const eh_jws_t *jws, eh_err_t *err, apr_pool_t *p);

/** For the status page and ehctl: age of what is cached, in words that name no secret. JSON array, new reference. */
json_t *oidc_cache_status(oidc_cache_t *cache, const eh_ctx_t *ctx);

/* ------------------------------------------------------------------------------------------------ state */

/** Fresh browser-binding cookie value (OIDC_TICKET_LEN characters). */
apr_status_t oidc_binding_new(const char **pvalue, const eh_ctx_t *ctx, eh_err_t *err, apr_pool_t *p);
/** 1 when it has the form of one (any value of that form is as good: it is only compared with itself). */
int oidc_binding_valid(const char *value);

/**
 * One log-in attempt. It lives in the `state` parameter alone, sealed and bound to the browser; nothing is stored before
 * the callback, so that any number of tabs and a restart in between are fine.
 */
typedef struct oidc_state_t {
    const char *id;      /* 256 random bits, base64url: nonce and PKCE verifier are derived from it */
    apr_uint32_t key_id; /* master key of the derivation: survives a rotation in between */
    const char *provider;
    const char *host;   /* public URL */
    const char *target; /* local path where the person wanted to go */
    apr_time_t issued;
    int step; /* 0: first attempt; 1: a fresh authentication is demanded (prompt=login) */
} oidc_state_t;

apr_status_t oidc_state_make(oidc_state_t **pst, const eh_ctx_t *ctx, const oidc_provider_t *prov, const char *target,
                             int step, eh_err_t *err, apr_pool_t *p);
apr_status_t oidc_state_seal(const char **ptoken, const eh_ctx_t *ctx, const oidc_state_t *st, const char *binding,
                             eh_err_t *err, apr_pool_t *p);
/** LOGIN_STATE: not ours, another browser's, another provider's or host's; LOGIN_EXPIRED (then *pst is set, so that a
 *  fresh attempt can keep the target). */
apr_status_t oidc_state_open(oidc_state_t **pst, const eh_ctx_t *ctx, const oidc_provider_t *prov, const char *token,
                             const char *binding, eh_err_t *err, apr_pool_t *p);
/** 43 characters each, in p; NULL when the key is gone. */
const char *oidc_state_nonce(const eh_ctx_t *ctx, const oidc_state_t *st, apr_pool_t *p);
const char *oidc_state_verifier(const eh_ctx_t *ctx, const oidc_state_t *st, apr_pool_t *p);
/** S256 challenge of a verifier (RFC 7636 §4.2). */
const char *oidc_pkce_challenge(const char *verifier, apr_pool_t *p);
/** Key of eh_used_state. */
const char *oidc_state_digest(const oidc_state_t *st, apr_pool_t *p);

/* ------------------------------------------------------------------------------------------------ flow */

/**
 * URL that starts a log-in. target: where to go afterwards (anything that is not a safe local path becomes "/").
 * step: see oidc_state_t. binding: the browser's binding cookie value, which the glue has set or sets now.
 */
apr_status_t oidc_authorize(const char **purl, const eh_ctx_t *ctx, oidc_cache_t *cache, const oidc_provider_t *prov,
                            const char *target, int step, const char *binding, eh_err_t *err, apr_pool_t *p);

/** What the token endpoint gave. Secret: from eh_secret memory where it matters, never logged. */
typedef struct oidc_tokens_t {
    const char *id_token, *access_token;
    const char *refresh_token;  /* NULL when none */
    apr_time_t access_expires;  /* 0 unknown */
    apr_time_t refresh_expires; /* 0 unknown (Keycloak: refresh_expires_in) */
} oidc_tokens_t;

typedef struct oidc_login_t {
    const oidc_state_t *state; /* NULL when not even the state was good */
    const char *issuer, *subject;
    const char *sid;      /* NULL when the ID token has none */
    apr_time_t auth_time; /* 0 unknown */
    eh_identity_t identity;
    json_t *claims; /* merged; owned by p */
    oidc_tokens_t tokens;
} oidc_login_t;

/**
 * The callback: query as it arrived (raw), binding cookie value (NULL when absent). *plogin is set in every case; on
 * failure only its state may be. One distinct code for each way to fail:
 * LOGIN_RESPONSE, LOGIN_STATE, LOGIN_EXPIRED, LOGIN_REUSED, LOGIN_CANCELLED, LOGIN_REFUSED, LOGIN_OLD (restart it with
 * step 1 when login->state->step is 0), PROVIDER_*, TOKEN_*, JWS, JWK, USERINFO, IDENTITY, HTTP_*, DB_*.
 */
apr_status_t oidc_callback(oidc_login_t **plogin, const eh_ctx_t *ctx, oidc_cache_t *cache, const oidc_provider_t *prov,
                           const char *query, const char *binding, eh_err_t *err, apr_pool_t *p);

/** Parameters of a callback, each at most once (RFC 6749 §3.1). Pure; fuzzed. LOGIN_RESPONSE. */
typedef struct oidc_response_t {
    const char *state, *code, *error, *error_description, *iss; /* NULL when absent */
} oidc_response_t;
apr_status_t oidc_response_parse(oidc_response_t *out, const char *query, eh_err_t *err, apr_pool_t *p);

/** Claims of an ID token whose signature is verified by the caller of this pure check (OIDC Core §3.1.3.7). nonce NULL:
 *  not checked (refreshed token). access_token NULL: at_hash not checked. *pclaims owned by p. TOKEN_*. */
apr_status_t oidc_token_claims(json_t **pclaims, const oidc_provider_t *prov, const eh_jws_t *jws, const char *nonce,
                               const char *access_token, apr_time_t now, eh_err_t *err, apr_pool_t *p);
/** Splits, verifies, checks. */
apr_status_t oidc_token_verify(json_t **pclaims, oidc_cache_t *cache, const eh_ctx_t *ctx, const oidc_provider_t *prov,
                               const oidc_metadata_t *md, const char *id_token, const char *nonce,
                               const char *access_token, eh_err_t *err, apr_pool_t *p);

/** Adds client authentication to a POST of form fields and sends it. headers, table of fields (changed). */
apr_status_t oidc_client_post(eh_http_res_t **pres, const eh_ctx_t *ctx, const oidc_provider_t *prov,
                              const oidc_metadata_t *md, const char *url, apr_table_t *form, eh_err_t *err,
                              apr_pool_t *p);

/* ------------------------------------------------------------------------------------------------ sessions */

/** Key of a session in database, caches and revocations: base64url(SHA-256(ticket)), 43 characters, in p. NULL when the
 *  cookie value has not the form of a ticket. */
const char *oidc_ticket_digest(const char *ticket, apr_pool_t *p);

typedef struct oidc_session_t {
    const char *ticket_h;
    apr_time_t created, auth_time, expires, last_seen;
    apr_interval_time_t idle; /* 0 = none */
    apr_int64_t generation;
    const eh_principal_t *principal; /* in the pool given to the call, with its claims and tenants */
} oidc_session_t;

/**
 * Stores the log-in: used state, session and audit row in one transaction. *pticket: the cookie's value (secret).
 * tenants: of the virtual host, NULL-terminated. remote: client address for the audit.
 * LOGIN_REUSED, LOGIN_OLD (the provider's authentication is older than a session may be), DB_*.
 */
apr_status_t oidc_session_create(const char **pticket, oidc_session_t **psession, const eh_ctx_t *ctx,
                                 const oidc_provider_t *prov, const oidc_login_t *login,
                                 const eh_tenant_t *const *tenants, const char *remote, eh_err_t *err, apr_pool_t *p);

/**
 * Reads a session. p becomes the principal's pool: give it one of its own when the principal is to be cached.
 * SESSION_EXPIRED: unknown, ended, past its bounds, or made on another host or for another provider. DB_*: not known now.
 */
apr_status_t oidc_session_load(oidc_session_t **psession, const eh_ctx_t *ctx, const oidc_provider_t *prov,
                               const char *ticket, const eh_tenant_t *const *tenants, eh_err_t *err, apr_pool_t *p);

/**
 * Ends a session: revoked_at, a row in eh_revocation and the audit row in one transaction. Idempotent (an unknown one is
 * APR_SUCCESS). event: "logout.local", "logout.provider", "session.revoked". who may be NULL. *pid_token (may be
 * NULL): ID token for id_token_hint, NULL when there is none.
 */
apr_status_t oidc_session_end(const char **pid_token, const eh_ctx_t *ctx, const oidc_provider_t *prov,
                              const char *ticket_h, const char *event, const eh_principal_t *who, const char *remote,
                              eh_err_t *err, apr_pool_t *p);

/** Audit row and event line of a refused log-in. login may be NULL. Failure is logged, not returned: the person's page
 *  comes first. */
void oidc_login_refused(const eh_ctx_t *ctx, const oidc_provider_t *prov, const oidc_login_t *login,
                        const eh_err_t *why, const char *remote, apr_pool_t *p);

/**
 * Calls fn for each revocation after *pseq and for those of the last 30 s again (sequence order is not commit order);
 * then advances *pseq. At most 5000 a call; *pmore says that there are more. Start with *pseq = -1: only sets it to the
 * newest, since a child starts with an empty cache.
 */
apr_status_t oidc_revocations(apr_int64_t *pseq, int *pmore, const eh_ctx_t *ctx,
                              void (*fn)(void *baton, const char *ticket_h), void *baton, eh_err_t *err, apr_pool_t *p);

typedef struct oidc_seen_t {
    const char *ticket_h;
    apr_time_t seen;
} oidc_seen_t;
/** Writes last_seen of n sessions, in transactions of at most 200; never moves it backwards. */
apr_status_t oidc_seen_flush(const eh_ctx_t *ctx, const oidc_seen_t *seen, int n, eh_err_t *err, apr_pool_t *p);

/** Deletes what has ended long enough ago: sessions a day after their absolute end, revocations after a day, used states
 *  when they would be expired anyway. At most 1000 of each a call. */
apr_status_t oidc_purge(const eh_ctx_t *ctx, eh_err_t *err, apr_pool_t *p);

/* ------------------------------------------------------------------------------------------------ log-out */

/** URL of the provider's end_session endpoint (OIDC RP-Initiated Logout 1.0 §2). *purl NULL: the provider has none. */
apr_status_t oidc_logout_url(const char **purl, const eh_ctx_t *ctx, oidc_cache_t *cache, const oidc_provider_t *prov,
                             const char *id_token, eh_err_t *err, apr_pool_t *p);
/** Judges `state` of the return: 1 ours or absent (Pro Santé Connect drops it), 0 foreign, repeated or too old. */
int oidc_logout_state_ok(const eh_ctx_t *ctx, const oidc_provider_t *prov, const char *query, apr_pool_t *p);

/* ------------------------------------------------------------------------------------------------ templates */

typedef enum { OIDC_ENC_PERCENT, OIDC_ENC_RAW, OIDC_ENC_BASE64URL, OIDC_ENC_RFC8187 } oidc_encoding_e;

/** Literal text with %{account} %{person} %{name} %{given_name} %{family_name} %{roles} %{structures} %{tenants} %{acr}
 *  %{provider} %{subject} %{log_id} %{auth_time} %{claim:path}; "%%" is a percent sign. Immutable. */
typedef struct oidc_template_t oidc_template_t;

/** NULL (default) or an encoding's name; -1 when unknown. */
int oidc_encoding_parse(const char *name);
/** On failure *psentence says what is wrong and what may stand there. */
apr_status_t oidc_template_compile(oidc_template_t **pt, const char *text, oidc_encoding_e encoding,
                                   const char **psentence, apr_pool_t *p);
/**
 * The value for who, in p; "" when all variables are empty and there is no literal text. Lists are joined by ','.
 * raw: UTF-8 as it is, control characters become a space. percent: every value (each element of a list) percent-encoded,
 * literal text as it is. base64url, rfc8187 (UTF-8''…): the whole. Never contains a control character.
 */
const char *oidc_template_render(const oidc_template_t *t, const eh_principal_t *who, apr_pool_t *p);

#endif
