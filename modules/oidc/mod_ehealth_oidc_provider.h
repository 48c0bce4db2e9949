/* SPDX-License-Identifier: Apache-2.0 */
/** Directives inside <EHealthProvider>, and what only the configuration files share. */
#ifndef MOD_EHEALTH_OIDC_PROVIDER_H
#define MOD_EHEALTH_OIDC_PROVIDER_H

#include "mod_ehealth_oidc.h"

/** A name that some directive relies on, to be looked up when the whole configuration is read. */
typedef struct eho_use_t {
    server_rec *server;
    const char *name;
    const char *where; /* "file:line" */
    int is_tenant;     /* else a provider */
} eho_use_t;

const char *eho_cmd_provider(cmd_parms *cmd, void *dir, const char *args);
const char *eho_cmd_text(cmd_parms *cmd, void *dir, const char *arg);
const char *eho_cmd_words(cmd_parms *cmd, void *dir, int argc, char *const argv[]);
const char *eho_cmd_secret(cmd_parms *cmd, void *dir, const char *arg);
const char *eho_cmd_auth(cmd_parms *cmd, void *dir, const char *method, const char *audience);
const char *eho_cmd_key(cmd_parms *cmd, void *dir, const char *file, const char *alg, const char *kid);
const char *eho_cmd_cert(cmd_parms *cmd, void *dir, const char *cert, const char *key);
const char *eho_cmd_acr_missing(cmd_parms *cmd, void *dir, const char *arg);
const char *eho_cmd_param(cmd_parms *cmd, void *dir, const char *name, const char *value);
const char *eho_cmd_algs(cmd_parms *cmd, void *dir, int argc, char *const argv[]);
const char *eho_cmd_userinfo(cmd_parms *cmd, void *dir, const char *arg);
const char *eho_cmd_number(cmd_parms *cmd, void *dir, const char *arg);
const char *eho_cmd_session(cmd_parms *cmd, void *dir, const char *max, const char *idle);
const char *eho_cmd_path(cmd_parms *cmd, void *dir, const char *arg);

#define EHO_AT(member) ((void *)APR_OFFSETOF(oidc_conf_t, member))
#define EHO_IN RSRC_CONF

#define EHO_PROVIDER_CMDS                                                                                             \
    AP_INIT_TAKE1("EHealthPreset", eho_cmd_text, EHO_AT(preset), EHO_IN, "prosanteconnect, iamconnect or oidc"),      \
        AP_INIT_TAKE1("EHealthEnvironment", eho_cmd_text, EHO_AT(environment), EHO_IN, "environment of the preset"),  \
        AP_INIT_TAKE1("EHealthClientID", eho_cmd_text, EHO_AT(client_id), EHO_IN, "client_id given by the provider"), \
        AP_INIT_TAKE1("EHealthClientSecret", eho_cmd_secret, NULL, EHO_IN, "client secret, or file:/path"),           \
        AP_INIT_TAKE12("EHealthClientAuth", eho_cmd_auth, NULL, EHO_IN,                                               \
                       "client authentication; for private_key_jwt also the assertion's audience"),                   \
        AP_INIT_TAKE123("EHealthClientKey", eho_cmd_key, NULL, EHO_IN,                                                \
                        "private key for private_key_jwt: file, alg, kid"),                                           \
        AP_INIT_TAKE12("EHealthClientCertificate", eho_cmd_cert, NULL, EHO_IN,                                        \
                       "client certificate: cert.pem, key.pem"),                                                      \
        AP_INIT_TAKE1("EHealthIssuer", eho_cmd_text, EHO_AT(issuer), EHO_IN, "issuer of the ID tokens"),              \
        AP_INIT_TAKE1("EHealthMetadataURL", eho_cmd_text, EHO_AT(metadata_url), EHO_IN,                               \
                      "discovery document, or none"),                                                                 \
        AP_INIT_TAKE1("EHealthAuthorizationEndpoint", eho_cmd_text, EHO_AT(authorization_endpoint), EHO_IN, "URL"),   \
        AP_INIT_TAKE1("EHealthTokenEndpoint", eho_cmd_text, EHO_AT(token_endpoint), EHO_IN, "URL"),                   \
        AP_INIT_TAKE1("EHealthUserinfoEndpoint", eho_cmd_text, EHO_AT(userinfo_endpoint), EHO_IN, "URL"),             \
        AP_INIT_TAKE1("EHealthJWKSURI", eho_cmd_text, EHO_AT(jwks_uri), EHO_IN, "URL"),                               \
        AP_INIT_TAKE1("EHealthEndSessionEndpoint", eho_cmd_text, EHO_AT(end_session_endpoint), EHO_IN, "URL"),        \
        AP_INIT_TAKE_ARGV("EHealthScope", eho_cmd_words, EHO_AT(scope), EHO_IN, "scopes, openid among them"),         \
        AP_INIT_TAKE_ARGV("EHealthACR", eho_cmd_words, EHO_AT(acr_values), EHO_IN, "acr_values to ask for, or none"), \
        AP_INIT_TAKE1("EHealthACRMissing", eho_cmd_acr_missing, NULL, EHO_IN, "accept or refuse"),                    \
        AP_INIT_TAKE2("EHealthAuthParam", eho_cmd_param, NULL, EHO_IN,                                                \
                      "more of the authorization request: name value"),                                               \
        AP_INIT_TAKE_ARGV("EHealthIDTokenAlg", eho_cmd_algs, NULL, EHO_IN, "signature algorithms of ID tokens"),      \
        AP_INIT_TAKE1("EHealthUserinfo", eho_cmd_userinfo, NULL, EHO_IN, "off, optional or required"),                \
        AP_INIT_TAKE1("EHealthLeeway", eho_cmd_number, EHO_AT(leeway), EHO_IN, "seconds that clocks may differ"),     \
        AP_INIT_TAKE1("EHealthAccountClaim", eho_cmd_text, EHO_AT(account_claim), EHO_IN,                             \
                      "path of the account's claim"),                                                                 \
        AP_INIT_TAKE1("EHealthRoleClaim", eho_cmd_text, EHO_AT(role_claim), EHO_IN, "path of the roles' claim"),      \
        AP_INIT_TAKE2("EHealthSession", eho_cmd_session, NULL, EHO_IN,                                                \
                      "seconds: longest session, longest pause (0 any)"),                                             \
        AP_INIT_TAKE1("EHealthStateTimeout", eho_cmd_number, EHO_AT(state_timeout), EHO_IN,                           \
                      "seconds a log-in may take"),                                                                   \
        AP_INIT_TAKE1("EHealthCallbackPath", eho_cmd_path, EHO_AT(callback_path), EHO_IN,                             \
                      "path registered as redirect"),                                                                 \
        AP_INIT_TAKE1("EHealthPostLogoutPath", eho_cmd_path, EHO_AT(post_logout_path), EHO_IN,                        \
                      "path registered for the return after log-out"),

#endif
