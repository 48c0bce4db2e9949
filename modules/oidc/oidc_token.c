/* SPDX-License-Identifier: Apache-2.0 */
/* ID token validation, OpenID Connect Core 1.0 §3.1.3.7, with the cautions of RFC 8725. */
#include "oidc.h"

#include <apr_cstr.h>
#include <apr_strings.h>
#include <openssl/evp.h>
#include <string.h>

#include "ehealth/codec.h"
#include "ehealth/crypto.h"
#include "ehealth/json.h"

#define AUDIENCES_MAX 32
#define TIME_MIN INT64_C(946684800)  /* 2000-01-01: nothing was issued before */
#define TIME_MAX INT64_C(7258118400) /* 2200-01-01: an absurd value, and safely within apr_time_t */

/** A NumericDate in a sane range, in seconds. required 0: *pt = 0 when absent. */
static apr_status_t take_time(apr_int64_t *pt, const json_t *claims, const char *name, int required, eh_err_t *err,
                              apr_pool_t *p)
{
    json_int_t v = 0;
    apr_status_t rv = eh_json_int(&v, claims, name);

    *pt = 0;
    if (rv == APR_ENOENT && !required) return APR_SUCCESS;
    if (rv == APR_ENOENT) return eh_err_setf(err, p, EH_E_TOKEN_FORM, rv, NULL, "no %s", name);
    if (rv || v < TIME_MIN || v > TIME_MAX) {
        return eh_err_setf(err, p, EH_E_TOKEN_FORM, APR_EINVAL, NULL, "%s is no sane time", name);
    }
    *pt = v;
    return APR_SUCCESS;
}

static apr_status_t check_times(const json_t *claims, const oidc_provider_t *prov, apr_time_t now_us, eh_err_t *err,
                                apr_pool_t *p)
{
    apr_int64_t now = apr_time_sec(now_us), exp, iat, nbf, auth_time = 0;
    const json_t *auth = json_object_get(claims, "auth_time");
    apr_status_t rv;

    if (!EH_OK(take_time(&exp, claims, "exp", 1, err, p)) || !EH_OK(take_time(&iat, claims, "iat", 1, err, p)) ||
        !EH_OK(take_time(&nbf, claims, "nbf", 0, err, p))) {
        return rv;
    }
    /* Keycloak writes auth_time 0 when it does not know. */
    if (auth && !json_is_null(auth) && !(json_is_integer(auth) && json_integer_value(auth) == 0) &&
        !EH_OK(take_time(&auth_time, claims, "auth_time", 0, err, p))) {
        return rv;
    }
    if (exp + prov->leeway <= now) {
        return eh_err_setf(err, p, EH_E_TOKEN_TIME, APR_TIMEUP, NULL, "expired %" APR_INT64_T_FMT " s ago", now - exp);
    }
    if (iat - prov->leeway > now || nbf - prov->leeway > now || auth_time - prov->leeway > now) {
        return eh_err_setf(err, p, EH_E_TOKEN_TIME, APR_EINVAL, NULL, "%s is %" APR_INT64_T_FMT " s in the future",
                           iat - prov->leeway > now   ? "iat"
                           : nbf - prov->leeway > now ? "nbf"
                                                      : "auth_time",
                           (iat - prov->leeway > now   ? iat
                            : nbf - prov->leeway > now ? nbf
                                                       : auth_time) -
                               now);
    }
    if (exp < iat) return eh_err_set(err, EH_E_TOKEN_FORM, APR_EINVAL, NULL);
    return APR_SUCCESS;
}

/* Other audiences are nobody we know: they are tolerated only when azp says that the token was issued to us. */
static apr_status_t check_audience(const json_t *claims, const oidc_provider_t *prov, eh_err_t *err)
{
    const json_t *aud = json_object_get(claims, "aud"), *azp = json_object_get(claims, "azp"), *a;
    int ours = 0, others = 0;
    const char *s;
    size_t i;

    if (json_is_string(aud)) {
        ours = !strcmp(json_string_value(aud), prov->client_id);
    } else if (json_is_array(aud) && json_array_size(aud) <= AUDIENCES_MAX) {
        json_array_foreach(aud, i, a)
        {
            if (!(s = json_string_value(a))) return eh_err_set(err, EH_E_TOKEN_AUDIENCE, APR_EINVAL, NULL);
            if (!strcmp(s, prov->client_id)) {
                ours = 1;
            } else {
                others = 1;
            }
        }
    }
    if (!ours)
        return eh_err_set(err, EH_E_TOKEN_AUDIENCE, APR_EINVAL, "The log-in token is not addressed to this client.");
    if (azp && (!json_is_string(azp) || strcmp(json_string_value(azp), prov->client_id))) {
        return eh_err_set(err, EH_E_TOKEN_AUDIENCE, APR_EINVAL, "The log-in token was issued to another client (azp).");
    }
    if (others && !azp) {
        return eh_err_set(err, EH_E_TOKEN_AUDIENCE, APR_EINVAL,
                          "The log-in token has several audiences and does not say for whom it was issued (azp).");
    }
    return APR_SUCCESS;
}

static apr_status_t check_subject(const json_t *claims, eh_err_t *err)
{
    const char *sub = json_string_value(json_object_get(claims, "sub")), *c;

    if (!sub || !*sub) return eh_err_set(err, EH_E_TOKEN_FORM, APR_ENOENT, "The log-in token names no subject.");
    for (c = sub; *c; c++) {
        if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e) {
            return eh_err_set(err, EH_E_TOKEN_FORM, APR_EINVAL, "The subject is not printable ASCII.");
        }
    }
    if (c - sub > OIDC_SUB_MAX) return eh_err_set(err, EH_E_TOKEN_FORM, APR_EINVAL, "The subject is too long.");
    return APR_SUCCESS;
}

static apr_status_t check_nonce(const json_t *claims, const char *nonce, eh_err_t *err)
{
    const char *got = json_string_value(json_object_get(claims, "nonce"));

    if (!nonce) return APR_SUCCESS;
    if (!got) return eh_err_set(err, EH_E_TOKEN_NONCE, APR_ENOENT, "The log-in token carries no nonce.");
    if (!eh_equal(got, strlen(got), nonce, strlen(nonce))) return eh_err_set(err, EH_E_TOKEN_NONCE, APR_EINVAL, NULL);
    return APR_SUCCESS;
}

/** OIDC Core §3.1.3.6: left half of the hash that goes with the signature's algorithm; Ed25519 hashes with SHA-512. */
static apr_status_t check_at_hash(const json_t *claims, eh_alg_e alg, const char *access_token, eh_err_t *err,
                                  apr_pool_t *p)
{
    const json_t *at_hash = json_object_get(claims, "at_hash");
    const char *name = "SHA256", *want;
    unsigned char digest[EVP_MAX_MD_SIZE];
    size_t len = 0;

    if (!access_token || !at_hash) return APR_SUCCESS;
    if (alg == EH_RS384 || alg == EH_PS384 || alg == EH_ES384) name = "SHA384";
    if (alg == EH_RS512 || alg == EH_PS512 || alg == EH_ES512 || alg == EH_EDDSA) name = "SHA512";
    if (!json_is_string(at_hash) ||
        EVP_Q_digest(NULL, name, NULL, access_token, strlen(access_token), digest, &len) != 1) {
        return eh_err_set(err, EH_E_TOKEN_HASH, APR_EINVAL, NULL);
    }
    want = eh_b64url(p, digest, len / 2);
    if (!eh_equal(want, strlen(want), json_string_value(at_hash), json_string_length(at_hash))) {
        return eh_err_set(err, EH_E_TOKEN_HASH, APR_EINVAL, "The access token does not belong to the log-in token.");
    }
    return APR_SUCCESS;
}

apr_status_t oidc_token_claims(json_t **pclaims, const oidc_provider_t *prov, const eh_jws_t *jws, const char *nonce,
                               const char *access_token, apr_time_t now, eh_err_t *err, apr_pool_t *p)
{
    eh_err_t why = {0};
    const char *iss;
    json_t *claims;
    apr_status_t rv;

    /* Another kind of token, such as a log-out or an access token, says so in its header (RFC 8725 §3.11). */
    if (jws->typ && apr_cstr_casecmp(jws->typ, "JWT")) {
        return eh_err_set(err, EH_E_TOKEN_FORM, APR_EINVAL, "The log-in token is a token of another type.");
    }
    if (eh_json_load(&claims, jws->payload, jws->payload_len, &why, p) || !json_is_object(claims)) {
        return eh_err_set(err, EH_E_TOKEN_FORM, APR_EINVAL, "The log-in token is no JSON object.");
    }
    iss = json_string_value(json_object_get(claims, "iss"));
    if (!iss || strcmp(iss, prov->issuer)) {
        return eh_err_setf(err, p, EH_E_TOKEN_ISSUER, APR_EINVAL, NULL, "expected %s, token has %.200s", prov->issuer,
                           iss ? iss : "none");
    }
    if (!EH_OK(check_audience(claims, prov, err)) || !EH_OK(check_times(claims, prov, now, err, p)) ||
        !EH_OK(check_subject(claims, err)) || !EH_OK(check_nonce(claims, nonce, err)) ||
        !EH_OK(check_at_hash(claims, jws->alg, access_token, err, p))) {
        return rv;
    }
    *pclaims = claims;
    return APR_SUCCESS;
}

apr_status_t oidc_token_verify(json_t **pclaims, oidc_cache_t *cache, const eh_ctx_t *ctx, const oidc_provider_t *prov,
                               const oidc_metadata_t *md, const char *id_token, const char *nonce,
                               const char *access_token, eh_err_t *err, apr_pool_t *p)
{
    eh_jws_t *jws;
    apr_status_t rv;

    if (!EH_OK(eh_jws_split(&jws, id_token, strlen(id_token), err, p)) ||
        !EH_OK(oidc_jwks_verify(cache, ctx, prov, md, jws, err, p))) {
        return rv;
    }
    return oidc_token_claims(pclaims, prov, jws, nonce, access_token, eh_now(ctx), err, p);
}
