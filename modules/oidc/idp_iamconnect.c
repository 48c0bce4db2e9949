/* SPDX-License-Identifier: Apache-2.0 */
/* eHealth I.AM Connect (Belgium), realm healthcare: people. Sources: smals-belgium/shared-digital-referral-prescription
 * (cookbook and Postman collection), shared-referral-prescription-webcomponent (ehealth-token*.ts), ehealthplatformstandards/
 * fhir-itb. Not verified against the server: the discovery URL (the path of Keycloak) and the signing algorithm; both have
 * a directive.
 * - The discipline is a key NAME of userProfile (physician, nurse, …), compared without regard to case, with `recognised`
 *   and `nihii11` in it. Not recognised = no professional.
 * - Role `restricted` in any resource_access = licence suspended: no professional, whatever userProfile says.
 * - Nobody with a discipline = citizen.
 * - The key of a person is the SSIN: eleven digits, never logged in clear. */
#include <apr_cstr.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#include "oidc_claims.h"

#define ORGANISATIONS_MAX 128
#define ROLES_PER_CLIENT_MAX 256

/* Spellings of a discipline key, in lower case, and its role. */
static const char *const disciplines[][2] = {
    {"physician", "physician"},
    {"doctor", "physician"},
    {"nurse", "nurse"},
    {"dentist", "dentist"},
    {"pharmacist", "pharmacist"},
    {"midwife", "midwife"},
    {"physiotherapist", "physiotherapist"},
    {"audician", "audiologist"},
    {"audiologist", "audiologist"},
    {"bandagist", "orthotist"},
    {"orthopedist", "orthotist"},
    {"clinicalpsychologist", "psychologist"},
    {"psychologist", "psychologist"},
    {"clinicalorthopedagogist", "orthopedagogue"},
    {"dietician", "dietitian"},
    {"dietitian", "dietitian"},
    {"implantprovider", "implant-provider"},
    {"labtechnologist", "laboratory-technician"},
    {"laboratorytechnologist", "laboratory-technician"},
    {"imagingtechnologist", "radiographer"},
    {"logopedist", "speech-therapist"},
    {"speechtherapist", "speech-therapist"},
    {"occupationaltherapist", "occupational-therapist"},
    {"optician", "optician"},
    {"orthoptist", "orthoptist"},
    {"podologist", "podiatrist"},
    {"pharmacyassistant", "pharmacy-technician"},
    {"pharmacyassistanttechnician", "pharmacy-technician"},
    {"practicalnurse", "care-assistant"},
    {"trussmaker", "orthotist"},
    {"ambulancefirstaid", "ambulance-driver"},
    {"patienttransport", "ambulance-driver"},
};

/** The role of a userProfile key, NULL when it is none. A key we do not know counts when its object says `recognised`. */
static const char *discipline_of(const char *key, const json_t *value, apr_pool_t *p)
{
    apr_size_t i;
    char *role, *c;

    if (!json_is_object(value)) return NULL;
    for (i = 0; i < sizeof(disciplines) / sizeof(disciplines[0]); i++) {
        if (!apr_cstr_casecmp(disciplines[i][0], key)) return disciplines[i][1];
    }
    if (!json_is_boolean(json_object_get(value, "recognised")) || strlen(key) > OIDC_LIST_ITEM_MAX) return NULL;
    role = apr_pstrdup(p, key);
    for (c = role; *c; c++) {
        if (!apr_isascii(*c) || !apr_isalnum(*c)) return NULL;
        *c = (char)apr_tolower(*c);
    }
    return role;
}

static int is_restricted(const json_t *claims)
{
    json_t *access = json_object_get(claims, "resource_access"), *client, *role;
    const char *name;
    size_t i;

    json_object_foreach(access, name, client)
    {
        json_array_foreach(json_object_get(client, "roles"), i, role)
        {
            if (i >= ROLES_PER_CLIENT_MAX) break;
            if (json_is_string(role) && !apr_cstr_casecmp(json_string_value(role), "restricted")) return 1;
        }
    }
    return 0;
}

static void add_organisations(oidc_list_t *structures, json_t *profile)
{
    json_t *organisations = json_object_get(profile, "organizations"), *entry, *organisation;
    const char *type, *nihii;
    size_t i;

    json_array_foreach(organisations, i, entry)
    {
        if (i >= ORGANISATIONS_MAX) break;
        json_object_foreach(entry, type, organisation)
        {
            nihii = oidc_claim(organisation, "nihii");
            if (oidc_digits_ok(nihii, 8, 11)) oidc_list_add_kind(structures, "nihii", nihii);
        }
    }
}

static void map_profile(eh_identity_t *out, const json_t *claims, json_t *profile, apr_pool_t *p)
{
    int restricted = is_restricted(claims), any = 0, recognised = 0;
    oidc_list_t roles, structures;
    const char *key, *role, *nihii;
    json_t *value;

    oidc_list_init(&roles, p);
    oidc_list_init(&structures, p);
    json_object_foreach(profile, key, value)
    {
        if (!(role = discipline_of(key, value, p))) continue;
        any = 1;
        if (restricted || !json_is_true(json_object_get(value, "recognised"))) continue;
        recognised = 1;
        oidc_list_add(&roles, role);
        nihii = oidc_claim(value, "nihii11");
        if (oidc_digits_ok(nihii, 11, 11)) oidc_list_add_kind(&structures, "nihii11", nihii);
    }
    if (recognised) {
        oidc_list_add(&roles, "professional");
    } else {
        oidc_list_add(&roles, any || restricted ? "suspended" : "citizen");
    }
    if (!restricted) add_organisations(&structures, profile);
    out->roles = oidc_list_done(&roles);
    out->structures = oidc_list_done(&structures);
}

/** The SSIN stands in userProfile, at the top, or in both; two different ones are two people. */
static apr_status_t find_ssin(const char **pssin, const json_t *claims, const json_t *profile, eh_err_t *err)
{
    const char *a = oidc_claim(profile, "ssin"), *b = oidc_claim(claims, "ssin");

    if (a && b && strcmp(a, b)) {
        return eh_err_set(err, EH_E_IDENTITY, APR_EINVAL, "The log-in carries two different national numbers.");
    }
    *pssin = a ? a : b;
    if (!*pssin) return eh_err_set(err, EH_E_IDENTITY, APR_ENOENT, "The log-in carries no national number (ssin).");
    if (!oidc_digits_ok(*pssin, 11, 11)) {
        return eh_err_set(err, EH_E_IDENTITY, APR_EINVAL, "The national number (ssin) has not eleven digits.");
    }
    return APR_SUCCESS;
}

static void map_names(eh_identity_t *out, const json_t *claims, const json_t *profile, apr_pool_t *p)
{
    oidc_identity_names(out, claims, p);
    if (!*out->given_name) out->given_name = oidc_display(oidc_claim(profile, "firstName"), p);
    if (!*out->family_name) out->family_name = oidc_display(oidc_claim(profile, "lastName"), p);
    if (!*out->name) {
        out->name =
            apr_pstrcat(p, out->given_name, *out->given_name && *out->family_name ? " " : "", out->family_name, NULL);
    }
}

static apr_status_t map(eh_identity_t *out, const json_t *claims, const eh_idp_policy_t *policy, eh_err_t *err,
                        apr_pool_t *p)
{
    json_t *profile = json_object_get(claims, "userProfile");
    const char *ssin = NULL;
    apr_status_t rv;

    if (!EH_OK(find_ssin(&ssin, claims, profile, err))) return rv;
    if (!EH_OK(oidc_identity_account(out, claims, policy, ssin, err, p))) return rv;
    out->person = apr_pstrcat(p, "ssin:", ssin, NULL);
    if (!EH_OK(oidc_identity_acr(out, claims, policy, err, p))) return rv;
    map_names(out, claims, profile, p);
    map_profile(out, claims, profile, p);
    return APR_SUCCESS;
}

#define IAM_OIDC(host, what) "https://" host "/auth/realms/healthcare/protocol/openid-connect/" what
#define IAM_ENV(label, host)                                                                         \
    {                                                                                                \
        .name = label, .issuer = "https://" host "/auth/realms/healthcare",                          \
        .metadata_url = "https://" host "/auth/realms/healthcare/.well-known/openid-configuration",  \
        .authorization_endpoint = IAM_OIDC(host, "auth"), .token_endpoint = IAM_OIDC(host, "token"), \
        .userinfo_endpoint = IAM_OIDC(host, "userinfo"), .jwks_uri = IAM_OIDC(host, "certs"),        \
        .end_session_endpoint = IAM_OIDC(host, "logout"),                                            \
        .introspection_endpoint = IAM_OIDC(host, "token/introspect"),                                \
    }

static const eh_idp_env_t envs[] = {
    IAM_ENV("production", "api.ehealth.fgov.be"),
    IAM_ENV("acceptance", "api-acpt.ehealth.fgov.be"),
    IAM_ENV("integration", "api-int.ehealth.fgov.be"),
    {.name = NULL},
};

static const eh_idp_t idp = {
    .title = "eHealth I.AM Connect",
    .envs = envs,
    .scope = "openid",
    .acr_values = NULL,
    .client_auth = "none", /* the official samples are public clients; as onboarded */
    .id_token_algs = EH_RS256,
    .userinfo = EH_USERINFO_OPTIONAL,
    .metadata_path = "/.well-known/openid-configuration",
    .leeway = 60,
    .session_max = 4 * 3600,
    .session_idle = 1800,
    .state_timeout = 900,
    .map = map,
};

EH_PROVIDER(idp, iamconnect, "0", &idp);
