/* SPDX-License-Identifier: Apache-2.0 */
/* Pro Santé Connect (France, ANS). Sources: ansforge/keycloak-prosanteconnect (hosts, acr), ansforge/psc-admin-portal and
 * ansforge/PSC-POC (ANS's own httpd settings, userinfo samples), IG securisation-transport 1.2.0 (lifetimes: access token
 * 2 min, SSO session 4 h or 30 min idle), ansforge/IG-NOS (code systems).
 * - Two hosts: people see wallet.*, everything else, the issuer too, is auth.*; the metadata is at a path of its own.
 * - acr: eidas1 is asked for; the answer is ranked, never compared: eidas1 < eidas2 < eidas3.
 * - The national id is SubjectNameID: one digit for its kind and the identifier (8 + RPPS, 0 + ADELI, 3/4/5 +
 *   FINESS/SIREN/SIRET + '/' + local number, ANS… for test identities). sub is a storage id and may change.
 * - Missing values are empty strings, rarely null; arrays may be absent; fields are added over time. */
#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#include "oidc_claims.h"

#define EXERCICES_MAX 64   /* of one person; more are ignored */
#define ACTIVITIES_MAX 128 /* of one exercice */

typedef struct profession_t {
    const char *code, *role;
    int health; /* a health profession (TRE_G15), and so "professional"; the others are titles or social professions */
} profession_t;

/* TRE_G15-ProfessionSante, TRE_R95-UsagerTitre, TRE_R94-ProfessionSocial. */
static const profession_t professions[] = {
    {"10", "physician", 1},
    {"21", "pharmacist", 1},
    {"26", "audiologist", 1},
    {"28", "optician", 1},
    {"31", "dental-assistant", 1},
    {"32", "medical-physicist", 1},
    {"35", "care-assistant", 1},
    {"36", "ambulance-driver", 1},
    {"37", "childcare-assistant", 1},
    {"38", "pharmacy-technician", 1},
    {"39", "pharmacy-technician", 1},
    {"40", "dentist", 1},
    {"41", "social-worker", 0},
    {"50", "midwife", 1},
    {"60", "nurse", 1},
    {"69", "psychiatric-nurse", 1},
    {"70", "physiotherapist", 1},
    {"71", "osteopath", 0},
    {"72", "psychotherapist", 0},
    {"73", "chiropractor", 0},
    {"80", "podiatrist", 1},
    {"81", "orthoprosthetist", 1},
    {"82", "pedorthist", 1},
    {"83", "orthotist", 1},
    {"84", "ocularist", 1},
    {"85", "epithetist", 1},
    {"86", "laboratory-technician", 1},
    {"91", "speech-therapist", 1},
    {"92", "orthoptist", 1},
    {"93", "psychologist", 1},
    {"94", "occupational-therapist", 1},
    {"95", "dietitian", 1},
    {"96", "psychomotor-therapist", 1},
    {"97", "genetic-counsellor", 0},
    {"98", "radiographer", 1},
};

static int luhn_ok(const char *digits)
{
    int sum = 0, twice = 0, d;
    const char *c;

    for (c = digits + strlen(digits); c-- > digits; twice = !twice) {
        d = *c - '0';
        if (twice && (d *= 2) > 9) d -= 9;
        sum += d;
    }
    return sum % 10 == 0;
}

/** 1 when id has a form that PSC gives out. Unknown kinds pass when their characters do: kinds are added. */
static int national_id_ok(const char *id)
{
    apr_size_t len = strlen(id);
    const char *c;

    if (len < 8 || len > 64) return 0;
    for (c = id; *c; c++) {
        if (!apr_isascii(*c) || (!apr_isalnum(*c) && !strchr("/_-", *c))) return 0;
    }
    switch (id[0]) {
    case '8': return len == 12 && oidc_digits_ok(id, 12, 12) && luhn_ok(id + 1);
    case '0': return len == 10 && !strpbrk(id, "/_-");
    case '3':
    case '4':
    case '5': return strchr(id + 1, '/') > id + 1 && strchr(id + 1, '/')[1] != '\0';
    default: return 1;
    }
}

static const char *person_of(const char *id, apr_pool_t *p)
{
    if (id[0] == '8') return apr_pstrcat(p, "rpps:", id + 1, NULL);
    if (id[0] == '0') return apr_pstrcat(p, "adeli:", id + 1, NULL);
    return apr_pstrcat(p, "idnat:", id, NULL);
}

typedef enum { CATEGORY_UNKNOWN, CATEGORY_STUDENT, CATEGORY_QUALIFIED } category_e;

/* TRE_R09: Civil, Fonctionnaire, Militaire practise; Étudiant does not. An unknown category gives no right. */
static category_e category_of(const json_t *exercice)
{
    const char *c = oidc_claim(exercice, "codeCategorieProfessionnelle");

    if (!c || c[1]) return CATEGORY_UNKNOWN;
    if (c[0] == 'E') return CATEGORY_STUDENT;
    return strchr("CFM", c[0]) ? CATEGORY_QUALIFIED : CATEGORY_UNKNOWN;
}

static void add_profession(oidc_list_t *roles, const json_t *exercice)
{
    const char *code = oidc_claim(exercice, "codeProfession");
    apr_size_t i;

    for (i = 0; code && i < sizeof(professions) / sizeof(professions[0]); i++) {
        if (strcmp(professions[i].code, code)) continue;
        oidc_list_add(roles, professions[i].role);
        if (professions[i].health) oidc_list_add(roles, "professional");
    }
}

static void add_structures(oidc_list_t *structures, const json_t *exercice)
{
    static const char *const fields[][2] = {
        {"numeroFinessSite", "finess"},
        {"numeroFinessetablissementJuridique", "finess"}, /* one number space: no site has a legal entity's number */
        {"numeroSiretSite", "siret"},
        {"numeroSirenSite", "siren"},
        {"identifiantTechniqueDeLaStructure", "structure"},
    };
    const json_t *activities = json_object_get(exercice, "activities"), *a;
    size_t i, k;

    json_array_foreach(activities, i, a)
    {
        if (i >= ACTIVITIES_MAX) break;
        for (k = 0; k < sizeof(fields) / sizeof(fields[0]); k++) {
            oidc_list_add_kind(structures, fields[k][1], oidc_claim(a, fields[k][0]));
        }
    }
}

/* Roles are the union over all exercices. Places are those of the exercices in which the person practises: somebody who
 * is a nurse in A and a student in B is not a nurse in B. Only who practises nowhere counts where he studies. */
static void map_exercices(eh_identity_t *out, const json_t *claims, apr_pool_t *p)
{
    const json_t *exercices = json_object_get(json_object_get(claims, "SubjectRefPro"), "exercices"), *e;
    oidc_list_t roles, practises, studies;
    int qualified = 0;
    size_t i;

    oidc_list_init(&roles, p);
    oidc_list_init(&practises, p);
    oidc_list_init(&studies, p);
    json_array_foreach(exercices, i, e)
    {
        if (i >= EXERCICES_MAX) break;
        switch (category_of(e)) {
        case CATEGORY_QUALIFIED:
            qualified = 1;
            add_profession(&roles, e);
            add_structures(&practises, e);
            break;
        case CATEGORY_STUDENT:
            oidc_list_add(&roles, "student");
            add_structures(&studies, e);
            break;
        case CATEGORY_UNKNOWN: break;
        }
    }
    out->roles = oidc_list_done(&roles);
    out->structures = oidc_list_done(qualified ? &practises : &studies);
}

static apr_status_t map(eh_identity_t *out, const json_t *claims, const eh_idp_policy_t *policy, eh_err_t *err,
                        apr_pool_t *p)
{
    const char *id = oidc_claim(claims, "SubjectNameID");
    apr_status_t rv;

    if (!id) return eh_err_set(err, EH_E_IDENTITY, APR_ENOENT, "The log-in carries no SubjectNameID.");
    if (!national_id_ok(id)) {
        return eh_err_set(err, EH_E_IDENTITY, APR_EINVAL, "SubjectNameID is no well-formed national identifier.");
    }
    if (!EH_OK(oidc_identity_account(out, claims, policy, id, err, p))) return rv;
    out->person = person_of(id, p);
    if (!EH_OK(oidc_identity_acr(out, claims, policy, err, p))) return rv;
    if (!*out->acr) {
        out->acr_rank = 1; /* PSC knows no weaker log-in; ANS's own Keycloak plug-in reads a missing acr so */
    } else if (out->acr_rank == 0) {
        return eh_err_set(err, EH_E_TOKEN_ACR, APR_EACCES, "The strength of the log-in (acr) is none that is known.");
    }
    oidc_identity_names(out, claims, p);
    map_exercices(out, claims, p);
    return APR_SUCCESS;
}

#define PSC_ENV(label, auth, wallet)                                                                          \
    {                                                                                                         \
        .name = label, .issuer = "https://" auth "/auth/realms/esante-wallet",                                \
        .metadata_url = "https://" auth "/auth/realms/esante-wallet/.well-known/wallet-openid-configuration", \
        .authorization_endpoint = "https://" wallet "/auth", .token_endpoint = PSC_OIDC(auth, "token"),       \
        .userinfo_endpoint = PSC_OIDC(auth, "userinfo"), .jwks_uri = PSC_OIDC(auth, "certs"),                 \
        .end_session_endpoint = PSC_OIDC(auth, "logout"), .revocation_endpoint = PSC_OIDC(auth, "revoke"),    \
        .introspection_endpoint = PSC_OIDC(auth, "token/introspect"),                                         \
    }
#define PSC_OIDC(auth, what) "https://" auth "/auth/realms/esante-wallet/protocol/openid-connect/" what

static const eh_idp_env_t envs[] = {
    PSC_ENV("production", "auth.esw.esante.gouv.fr", "wallet.esw.esante.gouv.fr"),
    PSC_ENV("sandbox", "auth.bas.psc.esante.gouv.fr", "wallet.bas.psc.esante.gouv.fr"),
    {.name = NULL},
};

static const eh_idp_t idp = {
    .title = "Pro Santé Connect",
    .envs = envs,
    .scope = "openid scope_all",
    .acr_values = "eidas1",
    .client_auth = "client_secret_basic",
    .id_token_algs = EH_RS256, /* observed; EHealthIDTokenAlg widens it */
    .userinfo = EH_USERINFO_REQUIRED,
    .metadata_path = "/.well-known/wallet-openid-configuration",
    .leeway = 60,
    .session_max = 4 * 3600, /* an application session must not outlive the provider's: RIE-PS v2 EXI 13 */
    .session_idle = 1800,
    .state_timeout = 900, /* card PIN and mobile approval take minutes */
    .map = map,
};

EH_PROVIDER(idp, prosanteconnect, "0", &idp);
