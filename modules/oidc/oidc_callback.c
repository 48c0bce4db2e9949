/* SPDX-License-Identifier: Apache-2.0 */
#include "oidc.h"

#include <apr_cstr.h>
#include <apr_strings.h>
#include <string.h>

#include "ehealth/codec.h"
#include "ehealth/crypto.h"
#include "ehealth/json.h"
#include "oidc_claims.h"
#include "oidc_store.h"
#include "oidc_userinfo.h"

#define ERROR_MAX 64              /* bytes of an error code */
#define EXPIRES_MAX (400 * 86400) /* s: cap of expires_in */
#define SKEW_NOTICE 30            /* s of difference to the provider's clock worth a line */

apr_status_t oidc_response_parse(oidc_response_t *out, const char *query, eh_err_t *err, apr_pool_t *p)
{
    const struct {
        const char *name;
        const char **value;
        apr_size_t max;
    } params[] = {
        {"state", &out->state, OIDC_QUERY_MAX}, {"code", &out->code, OIDC_CODE_MAX},
        {"error", &out->error, ERROR_MAX},      {"error_description", &out->error_description, OIDC_QUERY_MAX},
        {"iss", &out->iss, OIDC_QUERY_MAX},
    };
    apr_size_t len = query ? strlen(query) : 0, i;
    apr_table_t *t;
    apr_status_t rv;

    memset(out, 0, sizeof(*out));
    if (len == 0 || len > OIDC_QUERY_MAX || eh_form_parse(&t, query, len, OIDC_PARAMS_MAX, p)) {
        return eh_err_set(err, EH_E_LOGIN_RESPONSE, APR_EINVAL, NULL);
    }
    for (i = 0; i < sizeof(params) / sizeof(params[0]); i++) {
        rv = eh_form_single(params[i].value, t, params[i].name);
        if (rv == APR_ENOENT) {
            *params[i].value = NULL;
            continue;
        }
        if (rv || strlen(*params[i].value) > params[i].max) {
            return eh_err_setf(err, p, EH_E_LOGIN_RESPONSE, APR_EINVAL, NULL, "parameter %s is %s", params[i].name,
                               rv ? "repeated" : "too long");
        }
    }
    if (out->code && out->error) {
        return eh_err_setf(err, p, EH_E_LOGIN_RESPONSE, APR_EINVAL, NULL, "code and error together");
    }
    return APR_SUCCESS;
}

/** An error code fit for the log: its own characters, or "?". */
static const char *error_word(const char *error)
{
    return error && *error && strlen(error) <= ERROR_MAX &&
                   strspn(error, "abcdefghijklmnopqrstuvwxyz_") == strlen(error)
               ? error
               : "?";
}

static apr_status_t refuse(const char *error, eh_err_t *err, apr_pool_t *p)
{
    static const struct {
        const char *error;
        eh_code_e code;
    } known[] = {
        {"access_denied", EH_E_LOGIN_CANCELLED},  {"temporarily_unavailable", EH_E_PROVIDER_DOWN},
        {"server_error", EH_E_PROVIDER_DOWN},     {"unauthorized_client", EH_E_PROVIDER_CLIENT},
        {"invalid_client", EH_E_PROVIDER_CLIENT}, {"invalid_request", EH_E_PROVIDER_CLIENT},
        {"invalid_scope", EH_E_PROVIDER_CLIENT},  {"unsupported_response_type", EH_E_PROVIDER_CLIENT},
    };
    eh_code_e code = EH_E_LOGIN_REFUSED;
    apr_size_t i;

    for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (!strcmp(known[i].error, error)) code = known[i].code;
    }
    return eh_err_setf(err, p, code, APR_EACCES, NULL, "the provider answered error=%s", error_word(error));
}

/* RFC 9207 §2.4; it holds for error answers too. */
static apr_status_t check_issuer(const oidc_response_t *res, const oidc_provider_t *prov, const oidc_metadata_t *md,
                                 eh_err_t *err)
{
    if (res->iss && strcmp(res->iss, prov->issuer)) {
        return eh_err_set(err, EH_E_PROVIDER_ISSUER, APR_EINVAL, NULL);
    }
    if (!res->iss && md->iss_parameter) {
        return eh_err_set(err, EH_E_PROVIDER_ISSUER, APR_ENOENT,
                          "The answer does not say which provider it comes from.");
    }
    return APR_SUCCESS;
}

static apr_status_t token_error(const eh_http_res_t *res, eh_err_t *err, apr_pool_t *p)
{
    eh_err_t ignored = {0};
    const char *error = NULL;
    eh_code_e code = EH_E_PROVIDER_TOKEN;
    json_t *j;

    if (!eh_json_load(&j, res->body, res->len, &ignored, p)) error = eh_json_str(j, "error");
    if (res->status >= 500) code = EH_E_PROVIDER_DOWN;
    if (error && (!strcmp(error, "invalid_client") || !strcmp(error, "unauthorized_client")))
        code = EH_E_PROVIDER_CLIENT;
    if (res->status == 401 && !error) code = EH_E_PROVIDER_CLIENT;
    return eh_err_setf(err, p, code, APR_EGENERAL, NULL, "the token endpoint answered %d, error=%s", res->status,
                       error_word(error));
}

/** A token string into *pout; 0 when it is there but is none. */
static int take_token(const char **pout, const json_t *j, const char *name, apr_pool_t *p)
{
    const json_t *v = json_object_get(j, name);
    const char *s = json_string_value(v), *c;

    *pout = NULL;
    if (!v || json_is_null(v)) return 1;
    if (!s || !*s || json_string_length(v) > OIDC_TOKEN_MAX) return 0;
    for (c = s; *c; c++) {
        if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e) return 0; /* VSCHAR, RFC 6749 A.12 */
    }
    *pout = eh_secret_dup(p, s, json_string_length(v));
    return 1;
}

/** 0 when name is there but is no number of seconds. */
static int take_expiry(apr_time_t *pt, const json_t *j, const char *name, apr_time_t now)
{
    json_int_t sec = 0;
    apr_status_t rv = eh_json_int(&sec, j, name);

    *pt = 0;
    if (rv == APR_ENOENT) return 1;
    if (rv || sec < 0) return 0;
    if (sec > 0) *pt = now + apr_time_from_sec(sec > EXPIRES_MAX ? EXPIRES_MAX : sec); /* Keycloak: 0 = no end */
    return 1;
}

static apr_status_t read_tokens(oidc_tokens_t *tokens, const eh_http_res_t *res, apr_time_t now, eh_err_t *err,
                                apr_pool_t *p)
{
    eh_err_t why = {0};
    const char *type;
    json_t *j;

    if (res->status != 200) return token_error(res, err, p);
    if (eh_json_load(&j, res->body, res->len, &why, p) || !json_is_object(j)) {
        return eh_err_setf(err, p, EH_E_PROVIDER_TOKEN, APR_EINVAL, NULL, "the token answer is no JSON object");
    }
    type = eh_json_str(j, "token_type");
    if (!type || apr_cstr_casecmp(type, "Bearer")) {
        return eh_err_setf(err, p, EH_E_PROVIDER_TOKEN, APR_EINVAL, NULL, "token_type is not Bearer");
    }
    if (!take_token(&tokens->id_token, j, "id_token", p) || !take_token(&tokens->access_token, j, "access_token", p) ||
        !take_token(&tokens->refresh_token, j, "refresh_token", p)) {
        return eh_err_setf(err, p, EH_E_PROVIDER_TOKEN, APR_EINVAL, NULL, "a token is malformed or too large");
    }
    if (!tokens->id_token || !tokens->access_token) {
        return eh_err_setf(err, p, EH_E_PROVIDER_TOKEN, APR_ENOENT, NULL, "no %s",
                           tokens->id_token ? "access_token" : "id_token");
    }
    if (!take_expiry(&tokens->access_expires, j, "expires_in", now) ||
        !take_expiry(&tokens->refresh_expires, j, "refresh_expires_in", now)) {
        return eh_err_setf(err, p, EH_E_PROVIDER_TOKEN, APR_EINVAL, NULL, "expires_in is no number of seconds");
    }
    return APR_SUCCESS;
}

static apr_status_t redeem(oidc_login_t *login, int *pskew, const char *code, const eh_ctx_t *ctx,
                           const oidc_provider_t *prov, const oidc_metadata_t *md, eh_err_t *err, apr_pool_t *p)
{
    const char *verifier = oidc_state_verifier(ctx, login->state, p);
    apr_table_t *form = apr_table_make(p, 8);
    eh_http_res_t *res;
    apr_status_t rv;

    if (!verifier) return eh_err_set(err, EH_E_LOGIN_STATE, APR_ENOENT, NULL); /* its key was removed meanwhile */
    apr_table_setn(form, "grant_type", "authorization_code");
    apr_table_setn(form, "code", code);
    apr_table_setn(form, "redirect_uri", prov->redirect_uri);
    apr_table_setn(form, "code_verifier", verifier);
    if (!EH_OK(oidc_client_post(&res, ctx, prov, md, md->token_endpoint, form, err, p))) return rv;
    *pskew = res->date ? (int)apr_time_sec(eh_now(ctx) - res->date) : 0;
    return read_tokens(&login->tokens, res, eh_now(ctx), err, p);
}

/* Protocol claims come from the ID token, which is signed for this log-in; about the person userinfo is newer. */
static json_t *merge(const json_t *id, const json_t *userinfo, apr_pool_t *p)
{
    static const char *const protocol[] = {"iss", "aud", "sub",       "exp",     "iat",    "nbf", "jti", "nonce",
                                           "azp", "sid", "auth_time", "at_hash", "c_hash", "typ", "amr", NULL};
    json_t *out = eh_json_own(json_copy((json_t *)id), p);
    int i;

    if (!out || !userinfo) return out;
    json_object_update(out, (json_t *)userinfo);
    for (i = 0; protocol[i]; i++) {
        json_t *v = json_object_get(id, protocol[i]);
        if (v) {
            json_object_set(out, protocol[i], v);
        } else {
            json_object_del(out, protocol[i]);
        }
    }
    if (oidc_claim(id, "acr")) json_object_set(out, "acr", json_object_get(id, "acr"));
    return out;
}

/** Whether one of the values asked for was reached: the same word, or a ranked one that is as strong. */
static int acr_satisfies(const eh_identity_t *who, const char *asked, apr_pool_t *p)
{
    char *last, *word, *copy = apr_pstrdup(p, asked);

    for (word = apr_strtok(copy, " ", &last); word; word = apr_strtok(NULL, " ", &last)) {
        int rank = oidc_acr_rank(word);
        if (!strcmp(word, who->acr) || (rank > 0 && who->acr_rank >= rank)) return 1;
    }
    return 0;
}

static apr_status_t identify(oidc_login_t *login, const oidc_provider_t *prov, eh_err_t *err, apr_pool_t *p)
{
    json_int_t auth_time = 0;
    apr_status_t rv;

    login->issuer = prov->issuer;
    login->subject = json_string_value(json_object_get(login->claims, "sub"));
    login->sid = oidc_claim(login->claims, "sid");
    if (eh_json_int(&auth_time, login->claims, "auth_time") == APR_SUCCESS) {
        login->auth_time = apr_time_from_sec(auth_time);
    }
    if (!EH_OK(prov->idp->map(&login->identity, login->claims, &prov->policy, err, p))) return rv;
    /* A provider may ignore acr_values: what came back is what counts. */
    if (prov->acr_values && *login->identity.acr && !acr_satisfies(&login->identity, prov->acr_values, p)) {
        return eh_err_set(err, EH_E_TOKEN_ACR, APR_EACCES, NULL);
    }
    return APR_SUCCESS;
}

/* A forced log-in that the provider answered from its old session is none. */
static apr_status_t check_fresh(const oidc_login_t *login, const oidc_provider_t *prov, eh_err_t *err)
{
    if (login->state->step == 0) return APR_SUCCESS;
    if (login->auth_time && login->auth_time >= login->state->issued - apr_time_from_sec(prov->leeway + 1)) {
        return APR_SUCCESS;
    }
    return eh_err_set(err, EH_E_LOGIN_OLD, APR_EACCES, NULL);
}

/** From the code to an identity. */
static apr_status_t complete(oidc_login_t *login, const char *code, const eh_ctx_t *ctx, oidc_cache_t *cache,
                             const oidc_provider_t *prov, const oidc_metadata_t *md, eh_err_t *err, apr_pool_t *p)
{
    json_t *id, *userinfo = NULL;
    int skew = 0;
    apr_status_t rv;

    if (!EH_OK(oidc_state_unused(ctx, login->state, err, p)) ||
        !EH_OK(redeem(login, &skew, code, ctx, prov, md, err, p))) {
        return rv;
    }
    rv = oidc_token_verify(&id, cache, ctx, prov, md, login->tokens.id_token, oidc_state_nonce(ctx, login->state, p),
                           login->tokens.access_token, err, p);
    if (skew > SKEW_NOTICE || skew < -SKEW_NOTICE) {
        eh_log(ctx->log, EH_LOG_NOTICE, 0, "", "this server's clock differs by %d s from that of provider %s", skew,
               prov->name);
    }
    if (rv || !EH_OK(oidc_userinfo(&userinfo, ctx, cache, prov, md, login->tokens.access_token, id, err, p))) return rv;
    if (!(login->claims = merge(id, userinfo, p))) return eh_err_set(err, EH_E_INTERNAL, APR_ENOMEM, NULL);
    if (!EH_OK(identify(login, prov, err, p))) return rv;
    return check_fresh(login, prov, err);
}

apr_status_t oidc_callback(oidc_login_t **plogin, const eh_ctx_t *ctx, oidc_cache_t *cache, const oidc_provider_t *prov,
                           const char *query, const char *binding, eh_err_t *err, apr_pool_t *p)
{
    oidc_login_t *login = apr_pcalloc(p, sizeof(*login));
    const oidc_metadata_t *md;
    oidc_response_t res;
    oidc_state_t *st;
    apr_status_t rv;

    *plogin = login;
    if (!EH_OK(oidc_response_parse(&res, query, err, p))) return rv;
    rv = oidc_state_open(&st, ctx, prov, res.state, binding, err, p);
    login->state = st;
    if (rv || !EH_OK(oidc_metadata_get(&md, cache, ctx, prov, err, p)) || !EH_OK(check_issuer(&res, prov, md, err))) {
        return rv;
    }
    if (res.error) return refuse(res.error, err, p);
    if (!res.code || !*res.code) return eh_err_set(err, EH_E_LOGIN_RESPONSE, APR_ENOENT, NULL);
    return complete(login, res.code, ctx, cache, prov, md, err, p);
}
