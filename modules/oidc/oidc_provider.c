/* SPDX-License-Identifier: Apache-2.0 */
#include "oidc.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#define URL_MAX 2048
#define SECONDS_MAX (30 * 86400) /* of a session: a month, as a guard against a slip of the pen */
#define LEEWAY_MAX 600
#define STATE_MIN 60
#define STATE_MAX 3600

void oidc_conf_init(oidc_conf_t *conf, const char *name)
{
    memset(conf, 0, sizeof(*conf));
    conf->name = name;
    conf->acr_missing_ok = conf->userinfo = conf->leeway = -1;
    conf->session_max = conf->session_idle = conf->state_timeout = -1;
}

const char *oidc_binding_cookie(int secure) { return secure ? "__Host-eh-b" : "eh-b"; }

const eh_idp_t *oidc_preset(const char *name)
{
    EH_PROVIDERS_EACH(pp)
    {
        if (!strcmp((*pp)->group, "ehealth-idp") && !strcmp((*pp)->name, name)) return (*pp)->vtable;
    }
    return NULL;
}

const char *const *oidc_preset_names(apr_pool_t *p)
{
    apr_array_header_t *a = apr_array_make(p, 4, sizeof(const char *));

    EH_PROVIDERS_EACH(pp)
    {
        if (!strcmp((*pp)->group, "ehealth-idp")) APR_ARRAY_PUSH(a, const char *) = (*pp)->name;
    }
    APR_ARRAY_PUSH(a, const char *) = NULL;
    return (const char *const *)a->elts;
}

static int host_is_loopback(const char *host)
{
    return !strcmp(host, "localhost") || !strcmp(host, "[::1]") || !strcmp(host, "::1") || !strcmp(host, "127.0.0.1");
}

int oidc_url_ok(const char *url, int allow_http)
{
    char hostname[256];
    const char *host, *end, *port;
    const unsigned char *c;
    apr_size_t len;

    if (!url || strlen(url) > URL_MAX) return 0;
    for (c = (const unsigned char *)url; *c; c++) {
        if (*c <= 0x20 || *c >= 0x7f || strchr("\\\"<>^`{|}#", *c)) return 0;
    }
    if (!strncmp(url, "https://", 8)) {
        host = url + 8;
    } else if (allow_http && !strncmp(url, "http://", 7)) {
        host = url + 7;
    } else {
        return 0;
    }
    len = strcspn(host, "/?");
    if (len == 0 || len >= sizeof(hostname) || memchr(host, '@', len)) return 0;
    memcpy(hostname, host, len);
    hostname[len] = '\0';
    end = hostname[0] == '[' ? strchr(hostname, ']') : NULL;
    if (hostname[0] == '[' && !end) return 0;
    if ((port = strchr(end ? end : hostname, ':'))) {
        apr_size_t digits = strspn(port + 1, "0123456789");
        if (digits == 0 || digits > 5 || port[1 + digits] || apr_atoi64(port + 1) > 65535) return 0;
        hostname[port - hostname] = '\0';
    }
    if (!*hostname) return 0;
    if (hostname[0] != '[' &&
        strspn(hostname, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") != strlen(hostname)) {
        return 0;
    }
    return url[4] == 's' || host_is_loopback(hostname);
}

static const char *list_names(const char *const *names, apr_pool_t *p)
{
    const char *s = "";

    for (; *names; names++)
        s = apr_pstrcat(p, s, *s ? ", " : "", *names, NULL);
    return s;
}

static const char *env_names(const eh_idp_t *idp, apr_pool_t *p)
{
    const eh_idp_env_t *e;
    const char *s = "";

    for (e = idp->envs; e->name; e++)
        s = apr_pstrcat(p, s, *s ? ", " : "", e->name, NULL);
    return s;
}

static int name_ok(const char *name)
{
    apr_size_t len = name ? strlen(name) : 0;

    return len >= 1 && len <= OIDC_NAME_MAX && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

static const char *pick_preset(oidc_provider_t *v, const oidc_conf_t *c, apr_pool_t *p)
{
    if (!name_ok(c->name)) {
        return "The name of an <EHealthProvider> has 1 to 32 characters of a-z, 0-9 and '-'.";
    }
    v->name = c->name;
    /* A default would read the claims of a national provider as those of just any: nobody would be a professional, and
     * nothing would say why. */
    if (!(v->preset = c->preset)) {
        return apr_psprintf(p, "EHealthPreset is missing: write one of: %s.", list_names(oidc_preset_names(p), p));
    }
    if (!(v->idp = oidc_preset(v->preset))) {
        return apr_psprintf(p, "EHealthPreset %s is not known; write one of: %s.", v->preset,
                            list_names(oidc_preset_names(p), p));
    }
    for (v->env = v->idp->envs; c->environment && v->env->name; v->env++) {
        if (!strcmp(v->env->name, c->environment)) break;
    }
    if (!v->env->name) {
        return apr_psprintf(p, "EHealthEnvironment %s is not known to preset %s; write one of: %s.", c->environment,
                            v->preset, env_names(v->idp, p));
    }
    return NULL;
}

/** The host and port of a URL that oidc_url_ok has accepted. */
static const char *authority(const char *url, apr_pool_t *p)
{
    const char *host = strstr(url, "://") + 3;

    return apr_pstrmemdup(p, host, strcspn(host, "/?"));
}

/* Acceptance and production side by side would log people in with test identities: an issuer that belongs to another
 * environment of the preset is a slip, and so is an endpoint on another environment's host. */
static const char *check_environment(const oidc_provider_t *v, apr_pool_t *p)
{
    const struct {
        const char *directive, *url;
    } urls[] = {
        {"EHealthMetadataURL", v->metadata_url},
        {"EHealthAuthorizationEndpoint", v->authorization_endpoint},
        {"EHealthTokenEndpoint", v->token_endpoint},
        {"EHealthUserinfoEndpoint", v->userinfo_endpoint},
        {"EHealthJWKSURI", v->jwks_uri},
        {"EHealthEndSessionEndpoint", v->end_session_endpoint},
    };
    const eh_idp_env_t *e;
    apr_size_t i;

    for (e = v->idp->envs; e->name; e++) {
        if (e == v->env || !e->issuer) continue;
        if (!strcmp(e->issuer, v->issuer)) {
            return apr_psprintf(p,
                                "EHealthIssuer %s belongs to environment %s, but EHealthEnvironment is %s with issuer "
                                "%s; make the two agree.",
                                v->issuer, e->name, v->env->name, v->env->issuer);
        }
        for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
            const char *host = urls[i].url ? authority(urls[i].url, p) : NULL;
            if (!host ||
                (strcmp(host, authority(e->issuer, p)) && strcmp(host, authority(e->authorization_endpoint, p)))) {
                continue;
            }
            return apr_psprintf(p,
                                "%s %s belongs to environment %s (issuer %s), but the issuer here is %s; make the two "
                                "agree.",
                                urls[i].directive, urls[i].url, e->name, e->issuer, v->issuer);
        }
    }
    return NULL;
}

static const char *take_urls(oidc_provider_t *v, const oidc_conf_t *c, apr_pool_t *p)
{
    const struct {
        const char *directive, *value;
        const char **out;
    } urls[] = {
        {"EHealthIssuer", c->issuer ? c->issuer : v->env->issuer, &v->issuer},
        {"EHealthAuthorizationEndpoint", c->authorization_endpoint, &v->authorization_endpoint},
        {"EHealthTokenEndpoint", c->token_endpoint, &v->token_endpoint},
        {"EHealthUserinfoEndpoint", c->userinfo_endpoint, &v->userinfo_endpoint},
        {"EHealthJWKSURI", c->jwks_uri, &v->jwks_uri},
        {"EHealthEndSessionEndpoint", c->end_session_endpoint, &v->end_session_endpoint},
    };
    apr_size_t i;

    for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        *urls[i].out = urls[i].value;
        if (!urls[i].value || oidc_url_ok(urls[i].value, v->allow_http)) continue;
        return apr_psprintf(p, "%s must be an https:// URL without user name and fragment%s.", urls[i].directive,
                            v->allow_http ? " (or http:// to 127.0.0.1 or localhost)" : "");
    }
    if (!v->issuer) {
        return apr_psprintf(p,
                            "EHealthIssuer is missing: preset %s does not know the provider's address; write "
                            "EHealthIssuer https://…",
                            v->preset);
    }
    if (strchr(v->issuer, '?')) return "EHealthIssuer must not have a query (OpenID Connect Discovery 1.0 §4).";
    v->metadata_url = c->metadata_url;
    if (!v->metadata_url) {
        v->metadata_url =
            c->issuer || !v->env->metadata_url
                ? apr_pstrcat(
                      p, apr_pstrmemdup(p, v->issuer, strlen(v->issuer) - (v->issuer[strlen(v->issuer) - 1] == '/')),
                      v->idp->metadata_path, NULL)
                : v->env->metadata_url;
    } else if (!strcmp(v->metadata_url, "none")) {
        v->metadata_url = NULL;
    } else if (!oidc_url_ok(v->metadata_url, v->allow_http)) {
        return "EHealthMetadataURL must be an https:// URL, or none.";
    }
    /* An administrator's issuer is another server than the preset's: its static table must not be mixed in. */
    if (c->issuer && v->env->issuer && strcmp(c->issuer, v->env->issuer)) {
        eh_idp_env_t *bare = apr_pcalloc(p, sizeof(*bare));
        const char *mixed;
        if ((mixed = check_environment(v, p))) return mixed;
        bare->name = v->env->name;
        v->env = bare;
        return NULL;
    }
    return v->env->issuer ? check_environment(v, p) : NULL;
}

static const char *check_endpoints(const oidc_provider_t *v)
{
    if (v->metadata_url) return NULL;
    if (!v->authorization_endpoint && !v->env->authorization_endpoint) {
        return "EHealthAuthorizationEndpoint is missing: with EHealthMetadataURL none it must be set.";
    }
    if (!v->token_endpoint && !v->env->token_endpoint) {
        return "EHealthTokenEndpoint is missing: with EHealthMetadataURL none it must be set.";
    }
    if (!v->jwks_uri && !v->env->jwks_uri) {
        return "EHealthJWKSURI is missing: with EHealthMetadataURL none it must be set.";
    }
    if (v->userinfo == EH_USERINFO_REQUIRED && !v->userinfo_endpoint && !v->env->userinfo_endpoint) {
        return "EHealthUserinfoEndpoint is missing: with EHealthMetadataURL none and EHealthUserinfo required it must "
               "be "
               "set.";
    }
    return NULL;
}

static const char *take_client_key(oidc_provider_t *v, const oidc_conf_t *c)
{
    int algs, bit;

    v->client_key = c->client_key;
    v->client_key_alg = c->client_key_alg;
    if (v->client_auth != OIDC_AUTH_PRIVATE_KEY_JWT) return NULL;
    if (!v->client_key) return "EHealthClientKey is missing: EHealthClientAuth private_key_jwt needs it.";
    if (!eh_jwk_is_private(v->client_key)) return "EHealthClientKey must hold a private key.";
    algs = eh_jwk_algs(v->client_key);
    for (bit = EH_RS256; !v->client_key_alg && bit <= EH_EDDSA; bit <<= 1) {
        if (algs & bit) v->client_key_alg = (eh_alg_e)bit;
    }
    if (!v->client_key_alg || !(algs & (int)v->client_key_alg)) {
        return "The algorithm of EHealthClientKey does not fit the key.";
    }
    return NULL;
}

static int visible_ascii(const char *s)
{
    for (; *s; s++) {
        if ((unsigned char)*s < 0x20 || (unsigned char)*s > 0x7e) return 0;
    }
    return 1;
}

static const char *take_client(oidc_provider_t *v, const oidc_conf_t *c, apr_pool_t *p)
{
    static const char *const names[] = {"client_secret_basic", "client_secret_post", "none",
                                        "private_key_jwt",     "tls_client_auth",    NULL};
    const char *method = c->client_auth;
    int i;

    if (!c->client_id || !*c->client_id)
        return "EHealthClientID is missing: write the client id from your registration.";
    if (!visible_ascii(c->client_id)) return "EHealthClientID has a character that is not printable ASCII.";
    v->client_id = c->client_id;
    v->client_secret = c->client_secret;
    if (v->client_secret && (!*v->client_secret || !visible_ascii(v->client_secret))) {
        return "EHealthClientSecret is empty or has a character that is not printable ASCII; copy it again.";
    }
    if (!method) {
        /* What is configured says how to authenticate where the preset's own way cannot work. */
        method = v->idp->client_auth;
        if (!strcmp(method, "none") && c->client_secret) method = "client_secret_basic";
        if (c->client_key && !c->client_secret) method = "private_key_jwt";
    }
    for (i = 0; names[i] && strcmp(names[i], method); i++)
        continue;
    if (!names[i]) {
        return apr_psprintf(p, "EHealthClientAuth %s is not known; write one of: %s.", method, list_names(names, p));
    }
    v->client_auth = (oidc_client_auth_e)i;
    if (v->client_auth <= OIDC_AUTH_POST && !v->client_secret) {
        return apr_psprintf(p,
                            "EHealthClientSecret is missing: EHealthClientAuth %s needs it (write "
                            "EHealthClientSecret file:/path).",
                            method);
    }
    v->client_cert = c->client_cert;
    if (v->client_auth == OIDC_AUTH_TLS && (!v->client_cert || !v->client_cert->cert_file)) {
        return "EHealthClientCertificate is missing: EHealthClientAuth tls_client_auth needs it.";
    }
    v->assertion_audience = c->assertion_audience ? c->assertion_audience : "issuer";
    return take_client_key(v, c);
}

static const char *take_params(oidc_provider_t *v, const oidc_conf_t *c, apr_pool_t *p)
{
    static const char *const ours[] = {
        "response_type", "response_mode", "client_id",      "redirect_uri",          "scope",
        "state",         "nonce",         "code_challenge", "code_challenge_method", "acr_values",
        "request",       "request_uri",   "client_secret",  "registration",          NULL};
    int i, k;

    v->scope = c->scope ? c->scope : v->idp->scope;
    if (!visible_ascii(v->scope) || strpbrk(v->scope, "\"\\"))
        return "EHealthScope has a character that is not allowed.";
    for (i = 0; v->scope[i]; i++) {
        if (!strncmp(v->scope + i, "openid", 6) && (i == 0 || v->scope[i - 1] == ' ') &&
            (v->scope[i + 6] == ' ' || !v->scope[i + 6])) {
            break;
        }
    }
    if (!v->scope[i]) return "EHealthScope must contain openid.";
    v->acr_values = c->acr_values ? c->acr_values : v->idp->acr_values;
    if (v->acr_values && !strcmp(v->acr_values, "none")) v->acr_values = NULL;
    if (v->acr_values && !visible_ascii(v->acr_values)) return "EHealthACR has a character that is not allowed.";
    if (!c->auth_params) return NULL;
    v->auth_params = (const oidc_param_t *)c->auth_params->elts;
    v->n_auth_params = c->auth_params->nelts;
    for (i = 0; i < v->n_auth_params; i++) {
        for (k = 0; ours[k]; k++) {
            if (strcmp(ours[k], v->auth_params[i].name)) continue;
            return apr_psprintf(p, "EHealthAuthParam %s is not possible: the module sets this parameter itself.",
                                ours[k]);
        }
        for (k = 0; k < i; k++) {
            if (strcmp(v->auth_params[k].name, v->auth_params[i].name)) continue;
            return apr_psprintf(p, "EHealthAuthParam %s is given twice.", v->auth_params[i].name);
        }
    }
    return NULL;
}

static const char *take_policy(oidc_provider_t *v, const oidc_conf_t *c)
{
    v->id_token_algs = c->id_token_algs ? c->id_token_algs : v->idp->id_token_algs;
    v->userinfo = c->userinfo >= 0 ? (eh_userinfo_e)c->userinfo : v->idp->userinfo;
    v->leeway = c->leeway >= 0 ? c->leeway : v->idp->leeway;
    v->session_max = c->session_max >= 0 ? c->session_max : v->idp->session_max;
    v->session_idle = c->session_idle >= 0 ? c->session_idle : v->idp->session_idle;
    v->state_timeout = c->state_timeout >= 0 ? c->state_timeout : v->idp->state_timeout;
    v->policy.account_claim = c->account_claim;
    v->policy.role_claim = c->role_claim;
    v->policy.acr_missing_ok = c->acr_missing_ok >= 0 ? c->acr_missing_ok : 1;
    if (v->leeway > LEEWAY_MAX) return "EHealthLeeway is at most 600 seconds; correct the clock instead.";
    if (v->session_max < 60 || v->session_max > SECONDS_MAX) {
        return "EHealthSession: the longest session is between 60 seconds and 30 days.";
    }
    if (v->session_idle && v->session_idle < 60)
        return "EHealthSession: the idle time is 0 (none) or at least 60 seconds.";
    if (v->state_timeout < STATE_MIN || v->state_timeout > STATE_MAX) {
        return "EHealthStateTimeout is between 60 and 3600 seconds.";
    }
    return NULL;
}

static int path_ok(const char *path)
{
    const char *dot;

    if (path[0] != '/' || strlen(path) > 512 || strstr(path, "//")) return 0;
    if (strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/") != strlen(path)) return 0;
    for (dot = strstr(path, "/."); dot; dot = strstr(dot + 1, "/.")) {
        apr_size_t n = strcspn(dot + 1, "/");
        if (n == 1 || (n == 2 && dot[2] == '.')) return 0; /* httpd would never hand us such a path */
    }
    return 1;
}

static const char *take_public(oidc_provider_t *v, const oidc_conf_t *c, const char *public_url, apr_pool_t *p)
{
    if (!public_url)
        return "EHealthPublicURL is missing: write the address that browsers use, such as "
               "EHealthPublicURL https://portal.hospital.example";
    if (!oidc_url_ok(public_url, 1) || strpbrk(strstr(public_url, "://") + 3, "/?")) {
        return "EHealthPublicURL must be https://host or https://host:port, without a path "
               "(http:// only for 127.0.0.1 or localhost).";
    }
    v->secure = !strncmp(public_url, "https:", 6);
    v->callback_path = c->callback_path ? c->callback_path : apr_pstrcat(p, "/.ehealth/callback/", v->name, NULL);
    v->post_logout_path = c->post_logout_path ? c->post_logout_path : "/.ehealth/logged-out";
    if (!path_ok(v->callback_path)) return "EHealthCallbackPath must be an absolute path without query.";
    if (!path_ok(v->post_logout_path)) return "EHealthPostLogoutPath must be an absolute path without query.";
    v->redirect_uri = apr_pstrcat(p, public_url, v->callback_path, NULL);
    v->post_logout_uri = apr_pstrcat(p, public_url, v->post_logout_path, NULL);
    v->session_cookie = apr_pstrcat(p, v->secure ? "__Host-eh-s-" : "eh-s-", v->name, NULL);
    return NULL;
}

apr_status_t oidc_provider_resolve(oidc_provider_t **pprov, const oidc_conf_t *conf, const char *public_url,
                                   int allow_http, const char **psentence, apr_pool_t *p)
{
    oidc_provider_t *v = apr_pcalloc(p, sizeof(*v));
    const char *s;

    v->allow_http = allow_http;
    if (!(s = pick_preset(v, conf, p)) && !(s = take_urls(v, conf, p)) && !(s = take_client(v, conf, p)) &&
        !(s = take_params(v, conf, p)) && !(s = take_policy(v, conf)) && !(s = check_endpoints(v))) {
        s = take_public(v, conf, public_url, p);
    }
    *psentence = s;
    if (s) return APR_EINVAL;
    *pprov = v;
    return APR_SUCCESS;
}
