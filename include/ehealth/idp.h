/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Contract of an identity provider preset (group "idp"): one file modules/oidc/idp_<name>.c. A preset knows the hosts of
 * each environment, the request rules, and how claims become a principal. It does no I/O and keeps no state.
 * Facts and their sources: the comment at the top of each file.
 */
#ifndef EHEALTH_IDP_H
#define EHEALTH_IDP_H

#include <jansson.h>

#include "ehealth/jose.h"
#include "ehealth/principal.h"
#include "ehealth/provider.h"

/** Where one environment lives. NULL = the preset does not know; the configuration or the metadata must say. */
typedef struct eh_idp_env_t {
    const char *name; /* "production", "sandbox", "acceptance", "integration" */
    const char *issuer;
    const char *metadata_url;
    const char *authorization_endpoint; /* static fallbacks, used when metadata cannot be had */
    const char *token_endpoint;
    const char *userinfo_endpoint;
    const char *jwks_uri;
    const char *end_session_endpoint;
    const char *revocation_endpoint;
    const char *introspection_endpoint;
} eh_idp_env_t;

typedef enum { EH_USERINFO_OFF, EH_USERINFO_OPTIONAL, EH_USERINFO_REQUIRED } eh_userinfo_e;

/** What the administrator may have overridden and a mapping needs. NULL / 0 = the preset's own default. */
typedef struct eh_idp_policy_t {
    const char *account_claim; /* JSON path in the merged claims */
    const char *role_claim;    /* JSON path whose strings become roles as they are (preset oidc) */
    int acr_missing_ok;        /* a missing acr is accepted */
} eh_idp_policy_t;

/** The parts of a principal that claims decide; strings in p. */
typedef struct eh_identity_t {
    const char *account, *person;
    const char *name, *given_name, *family_name;
    const char *acr;
    int acr_rank;
    const char *const *roles, *const *structures;
} eh_identity_t;

typedef struct eh_idp_t {
    const char *title;                 /* for pages: "Pro Santé Connect" */
    const eh_idp_env_t *envs;          /* last has name NULL; the first is the default */
    const char *scope;
    const char *acr_values;            /* sent; NULL = none */
    const char *client_auth;           /* default method: "client_secret_basic", "none", … */
    int id_token_algs;                 /* default allowed set of eh_alg_e */
    eh_userinfo_e userinfo;
    const char *metadata_path;         /* appended to an issuer given by the administrator */
    int leeway;                        /* s */
    int session_max, session_idle;     /* s */
    int state_timeout;                 /* s */
    /** Maps merged claims (ID token + userinfo). IDENTITY, TOKEN_ACR on refusal, with a detail that says why. */
    apr_status_t (*map)(eh_identity_t *out, const json_t *claims, const eh_idp_policy_t *policy, eh_err_t *err,
                        apr_pool_t *p);
} eh_idp_t;

#endif
