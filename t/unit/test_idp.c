/* SPDX-License-Identifier: Apache-2.0 */
/* What each preset makes of claims. The JSON has the shape of the operators' own samples; people and numbers are invented
 * (the RPPS numbers have a right check digit). */
#include "eh_test.h"

#include <apr_tables.h>
#include <jansson.h>

#include "ehealth/idp.h"
#include "modules/oidc/oidc.h"
#include "modules/oidc/oidc_claims.h"

static eh_identity_t who;
static eh_idp_policy_t policy;

static json_t *parse(const char *text)
{
    json_error_t e;
    json_t *j = json_loads(text, 0, &e);

    ck_assert_msg(j != NULL, "test JSON: %s at %d in %s", e.text, e.position, text);
    return j;
}

static apr_status_t map(const char *preset, const char *text)
{
    const eh_idp_t *idp = oidc_preset(preset);
    json_t *claims = parse(text);
    apr_status_t rv;

    ck_assert_ptr_nonnull(idp);
    memset(&who, 0, sizeof(who));
    rv = idp->map(&who, claims, &policy, eh_test_new_err(), eh_test_pool);
    /* A mapping keeps nothing of the claims: the result is still good when they are gone. */
    json_decref(claims);
    return rv;
}

static const char *joined(const char *const *list)
{
    const char *s = "";

    for (; *list; list++)
        s = apr_pstrcat(eh_test_pool, s, *s ? " " : "", *list, NULL);
    return s;
}

#define OK(preset, text) ck_assert_rv_ok(map(preset, text))
#define REFUSED(preset, text, expected)                   \
    do {                                                  \
        ck_assert_int_ne(map(preset, text), APR_SUCCESS); \
        ck_assert_int_eq(eh_test_err.code, expected);     \
        ck_assert_ptr_nonnull(eh_test_err.detail);        \
    } while (0)
#define ROLES(expected) ck_assert_str_eq(joined(who.roles), expected)
#define PLACES(expected) ck_assert_str_eq(joined(who.structures), expected)

static void setup(void)
{
    eh_test_setup();
    memset(&policy, 0, sizeof(policy));
    policy.acr_missing_ok = 1;
}

/* ------------------------------------------------------------------------------------------ Pro Santé Connect */

#define PSC(id, rest) "{\"sub\":\"f:550dc1c8:x\",\"SubjectNameID\":\"" id "\"" rest "}"
#define EXERCICES(list) ",\"SubjectRefPro\":{\"codeCivilite\":\"MME\",\"exercices\":[" list "]}"
#define EXERCICE(profession, category, activities)                                        \
    "{\"codeProfession\":\"" profession "\",\"codeCategorieProfessionnelle\":\"" category \
    "\",\"codeTypeSavoirFaire\":\"S\",\"codeSavoirFaire\":\"SM54\",\"activities\":[" activities "]}"
#define RPPS "899700000013"

START_TEST(psc_physician_in_a_practice)
{
    OK("prosanteconnect",
       PSC(RPPS,
           ",\"given_name\":\"CLAIRE\",\"family_name\":\"EXEMPLE\",\"acr\":\"eidas1\",\"authMode\":\"CARD\"" EXERCICES(
               EXERCICE("10", "C",
                        "{\"codeModeExercice\":\"L\",\"numeroSiretSite\":\"\",\"numeroFinessSite\":\"\","
                        "\"numeroFinessetablissementJuridique\":\"\",\"identifiantTechniqueDeLaStructure\":"
                        "\"R100000000000001\",\"raisonSocialeSite\":\"CABINET EXEMPLE\"}"))));
    ck_assert_str_eq(who.account, RPPS);
    ck_assert_str_eq(who.person, "rpps:99700000013");
    ck_assert_str_eq(who.name, "CLAIRE EXEMPLE");
    ck_assert_str_eq(who.given_name, "CLAIRE");
    ck_assert_str_eq(who.family_name, "EXEMPLE");
    ck_assert_str_eq(who.acr, "eidas1");
    ck_assert_int_eq(who.acr_rank, 1);
    ROLES("physician professional");
    PLACES("structure:R100000000000001");
}
END_TEST

START_TEST(psc_hospital_gives_site_and_legal_entity)
{
    OK("prosanteconnect",
       PSC(RPPS, EXERCICES(EXERCICE(
                     "60", "F",
                     "{\"numeroSiretSite\":\"26750000100017\",\"numeroSirenSite\":\"267500001\","
                     "\"numeroFinessSite\":\"750000011\",\"numeroFinessetablissementJuridique\":\"750000001\","
                     "\"identifiantTechniqueDeLaStructure\":\"F750000011\"},"
                     "{\"numeroFinessSite\":\"750000029\",\"numeroFinessetablissementJuridique\":\"750000001\"}"))));
    ROLES("nurse professional");
    PLACES("finess:750000011 finess:750000001 siret:26750000100017 siren:267500001 structure:F750000011 "
           "finess:750000029");
}
END_TEST

START_TEST(psc_student_of_medicine_is_no_physician)
{
    OK("prosanteconnect", PSC(RPPS, EXERCICES(EXERCICE("10", "E", "{\"numeroFinessSite\":\"750000011\"}"))));
    ROLES("student");
    PLACES("finess:750000011");
}
END_TEST

START_TEST(psc_military_and_civil_servants_practise)
{
    OK("prosanteconnect", PSC(RPPS, EXERCICES(EXERCICE("10", "M", ""))));
    ROLES("physician professional");
    OK("prosanteconnect", PSC(RPPS, EXERCICES(EXERCICE("50", "F", ""))));
    ROLES("midwife professional");
}
END_TEST

START_TEST(psc_category_missing_or_unknown_gives_no_right)
{
    OK("prosanteconnect", PSC(RPPS, EXERCICES("{\"codeProfession\":\"10\"}")));
    ROLES("");
    OK("prosanteconnect", PSC(RPPS, EXERCICES(EXERCICE("10", "", ""))));
    ROLES("");
    OK("prosanteconnect", PSC(RPPS, EXERCICES(EXERCICE("10", "c", ""))));
    ROLES("");
    OK("prosanteconnect", PSC(RPPS, EXERCICES(EXERCICE("10", "CE", ""))));
    ROLES("");
    OK("prosanteconnect", PSC(RPPS, EXERCICES("{\"codeProfession\":10,\"codeCategorieProfessionnelle\":\"C\"}")));
    ROLES("");
    OK("prosanteconnect", PSC(RPPS, EXERCICES("{\"codeProfession\":\"10\",\"codeCategorieProfessionnelle\":null}")));
    ROLES("");
}
END_TEST

START_TEST(psc_several_exercices_are_united)
{
    OK("prosanteconnect",
       PSC(RPPS, EXERCICES(EXERCICE("60", "C", "{\"numeroFinessSite\":\"750000011\"}") "," EXERCICE(
                     "10", "E", "{\"numeroFinessSite\":\"690000022\"}") "," EXERCICE("70", "C", ""))));
    ROLES("nurse professional student physiotherapist");
    /* Who is a nurse in one hospital and a student in another is not a nurse in the other. */
    PLACES("finess:750000011");
}
END_TEST

START_TEST(psc_professions_by_code)
{
    static const char *const expected[][2] = {
        {"10", "physician professional"},
        {"21", "pharmacist professional"},
        {"40", "dentist professional"},
        {"50", "midwife professional"},
        {"60", "nurse professional"},
        {"70", "physiotherapist professional"},
        {"80", "podiatrist professional"},
        {"91", "speech-therapist professional"},
        {"93", "psychologist professional"},
        {"98", "radiographer professional"},
        {"35", "care-assistant professional"},
        {"71", "osteopath"},
        {"73", "chiropractor"},
        {"41", "social-worker"},
        {"1", ""},
        {"100", ""},
        {"010", ""},
    };
    apr_size_t i;

    for (i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        OK("prosanteconnect",
           apr_psprintf(eh_test_pool,
                        "{\"SubjectNameID\":\"" RPPS "\",\"SubjectRefPro\":{\"exercices\":[{\"codeProfession\":\"%s\","
                        "\"codeCategorieProfessionnelle\":\"C\"}]}}",
                        expected[i][0]));
        ck_assert_msg(!strcmp(joined(who.roles), expected[i][1]), "profession %s gave '%s'", expected[i][0],
                      joined(who.roles));
    }
}
END_TEST

START_TEST(psc_subject_role_alone_gives_nothing)
{
    OK("prosanteconnect",
       PSC(RPPS, ",\"SubjectRole\":[\"10^1.2.250.1.213.1.1.5.5\"],\"SubjectOrganizationID\":\"F7500\""));
    ROLES("");
    PLACES("");
}
END_TEST

START_TEST(psc_kinds_of_national_id)
{
    static const char *const good[][2] = {
        {"899700000013", "rpps:99700000013"},
        {"0759300018", "adeli:759300018"},
        {"02A9300018", "adeli:2A9300018"},
        {"3750000011/AB-0001", "idnat:3750000011/AB-0001"},
        {"500000001815646/CPAT00045", "idnat:500000001815646/CPAT00045"},
        {"4267500001/12", "idnat:4267500001/12"},
        {"ANS20210107161422", "idnat:ANS20210107161422"},
        {"175930001/00", "idnat:175930001/00"},
        {"6100000000001", "idnat:6100000000001"},
    };
    static const char *const bad[] = {
        "899700000014",                                                        /* check digit */
        "89970000001",                                                         /* too short for an RPPS */
        "8997000000130",                                                       /* too long */
        "8997000000A3",                                                        /* letter */
        "075930001",                                                           /* ADELI too short */
        "07593000181",                                                         /* too long */
        "0759/00018",                                                          /* no letter or digit */
        "3750000011",                                                          /* no local number */
        "3/750000011ABC",                                                      /* nothing before the slash */
        "5000000018156/",                                                      /* empty local number */
        "5/00001815646",                                                       /* empty SIRET */
        "8997000",                                                             /* below 8 characters */
        "ANS 20210107",                                                        /* space */
        "ANS2021<script>",                                                     /* other characters */
        "ANS20210107161422ANS20210107161422ANS20210107161422ANS2021010716142", /* 65 characters */
        "ANS2021\\u00e9000",
    };
    apr_size_t i;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        OK("prosanteconnect", apr_psprintf(eh_test_pool, "{\"SubjectNameID\":\"%s\"}", good[i][0]));
        ck_assert_str_eq(who.account, good[i][0]);
        ck_assert_str_eq(who.person, good[i][1]);
    }
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char *text = apr_psprintf(eh_test_pool, "{\"SubjectNameID\":\"%s\"}", bad[i]);
        ck_assert_msg(map("prosanteconnect", text) != APR_SUCCESS, "accepted %s", bad[i]);
        ck_assert_int_eq(eh_test_err.code, EH_E_IDENTITY);
    }
}
END_TEST

START_TEST(psc_without_national_id_is_refused)
{
    REFUSED("prosanteconnect", "{\"sub\":\"f:1:899700000013\",\"preferred_username\":\"899700000013\"}", EH_E_IDENTITY);
    REFUSED("prosanteconnect", "{\"SubjectNameID\":\"\"}", EH_E_IDENTITY);
    REFUSED("prosanteconnect", "{\"SubjectNameID\":null}", EH_E_IDENTITY);
    REFUSED("prosanteconnect", "{\"SubjectNameID\":899700000013}", EH_E_IDENTITY);
    REFUSED("prosanteconnect", "{\"SubjectNameID\":[\"899700000013\"]}", EH_E_IDENTITY);
}
END_TEST

START_TEST(psc_acr_is_ranked_not_compared)
{
    OK("prosanteconnect", PSC(RPPS, ",\"acr\":\"eidas1\""));
    ck_assert_int_eq(who.acr_rank, 1);
    OK("prosanteconnect", PSC(RPPS, ",\"acr\":\"eidas2\""));
    ck_assert_int_eq(who.acr_rank, 2);
    OK("prosanteconnect", PSC(RPPS, ",\"acr\":\"eidas3\""));
    ck_assert_int_eq(who.acr_rank, 3);
    ck_assert_str_eq(who.acr, "eidas3");
    REFUSED("prosanteconnect", PSC(RPPS, ",\"acr\":\"eidas0\""), EH_E_TOKEN_ACR);
    REFUSED("prosanteconnect", PSC(RPPS, ",\"acr\":\"EIDAS3\""), EH_E_TOKEN_ACR);
    REFUSED("prosanteconnect", PSC(RPPS, ",\"acr\":\"0\""), EH_E_TOKEN_ACR);
    REFUSED("prosanteconnect", PSC(RPPS, ",\"acr\":1"), EH_E_TOKEN_ACR);
    REFUSED("prosanteconnect", PSC(RPPS, ",\"acr\":[\"eidas1\"]"), EH_E_TOKEN_ACR);
}
END_TEST

START_TEST(psc_missing_acr_by_policy)
{
    OK("prosanteconnect", PSC(RPPS, ""));
    ck_assert_str_eq(who.acr, "");
    ck_assert_int_eq(who.acr_rank, 1);
    OK("prosanteconnect", PSC(RPPS, ",\"acr\":null"));
    OK("prosanteconnect", PSC(RPPS, ",\"acr\":\"\""));
    policy.acr_missing_ok = 0;
    REFUSED("prosanteconnect", PSC(RPPS, ""), EH_E_TOKEN_ACR);
    REFUSED("prosanteconnect", PSC(RPPS, ",\"acr\":\"\""), EH_E_TOKEN_ACR);
    OK("prosanteconnect", PSC(RPPS, ",\"acr\":\"eidas1\""));
}
END_TEST

START_TEST(psc_odd_shapes_log_in_without_rights)
{
    static const char *const odd[] = {
        ",\"SubjectRefPro\":null",
        ",\"SubjectRefPro\":\"\"",
        ",\"SubjectRefPro\":[]",
        ",\"SubjectRefPro\":{}",
        ",\"SubjectRefPro\":{\"exercices\":null}",
        ",\"SubjectRefPro\":{\"exercices\":{}}",
        ",\"SubjectRefPro\":{\"exercices\":[]}",
        ",\"SubjectRefPro\":{\"exercices\":[null,1,\"x\",[],{}]}",
    };
    apr_size_t i;

    for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        OK("prosanteconnect", apr_pstrcat(eh_test_pool, "{\"SubjectNameID\":\"" RPPS "\"", odd[i], "}", NULL));
        ROLES("");
        PLACES("");
    }
    /* An exercice without activities, with nulls in them, and fields nobody knows yet. */
    OK("prosanteconnect", PSC(RPPS, EXERCICES("{\"codeProfession\":\"21\",\"codeCategorieProfessionnelle\":\"C\"}")));
    ROLES("pharmacist professional");
    OK("prosanteconnect", PSC(RPPS, ",\"nouveauChamp\":{\"a\":[1,2]}" EXERCICES(EXERCICE(
                                        "21", "C",
                                        "null,{\"numeroFinessSite\":null,\"numeroSiretSite\":7,\"added\":true},"
                                        "{\"numeroFinessSite\":\"750000037\"}"))));
    PLACES("finess:750000037");
}
END_TEST

START_TEST(psc_sixteen_kilobytes_of_activities)
{
    const char *list = "";
    int i;

    for (i = 0; i < 60; i++) {
        list =
            apr_psprintf(eh_test_pool,
                         "%s%s{\"numeroFinessSite\":\"7500%05d\",\"raisonSocialeSite\":\"ETABLISSEMENT DE SANTE %d\","
                         "\"complementDestinataire\":\"\",\"libelleVoie\":\"DE L'EXEMPLE AVEC UN NOM TRES LONG\","
                         "\"codePostal\":\"75009\",\"codePays\":\"99000\",\"telephone\":\"\",\"adresseEMail\":\"\","
                         "\"autoriteDenregistrement\":\"CNOM/CNOM/CNOM\"}",
                         list, i ? "," : "", i, i);
    }
    ck_assert_uint_gt(strlen(list), 16000);
    OK("prosanteconnect",
       apr_psprintf(eh_test_pool,
                    "{\"SubjectNameID\":\"" RPPS "\",\"SubjectRefPro\":{\"exercices\":[{\"codeProfession\":\"10\","
                    "\"codeCategorieProfessionnelle\":\"C\",\"activities\":[%s]}]}}",
                    list));
    ROLES("physician professional");
    ck_assert_str_eq(who.structures[0], "finess:750000000");
    ck_assert_str_eq(who.structures[59], "finess:750000059");
    ck_assert_ptr_null(who.structures[60]);
}
END_TEST

START_TEST(psc_more_places_than_fit_are_dropped)
{
    const char *list = "";
    int i, n;

    for (i = 0; i < 400; i++) {
        list = apr_psprintf(eh_test_pool,
                            "%s%s{\"codeProfession\":\"10\",\"codeCategorieProfessionnelle\":\"C\","
                            "\"activities\":[{\"numeroFinessSite\":\"7%08d\"},{\"numeroFinessSite\":\"6%08d\"},"
                            "{\"numeroFinessSite\":\"5%08d\"},{\"numeroFinessSite\":\"4%08d\"},"
                            "{\"numeroFinessSite\":\"3%08d\"}]}",
                            list, i ? "," : "", i, i, i, i, i);
    }
    OK("prosanteconnect",
       apr_psprintf(eh_test_pool, "{\"SubjectNameID\":\"" RPPS "\",\"SubjectRefPro\":{\"exercices\":[%s]}}", list));
    for (n = 0; who.structures[n]; n++)
        continue;
    ck_assert_int_eq(n, OIDC_LIST_MAX);
}
END_TEST

START_TEST(psc_control_characters_never_become_identity)
{
    policy.account_claim = "login";
    REFUSED("prosanteconnect", PSC(RPPS, ",\"login\":\"dr\\r\\nX-Admin: 1\""), EH_E_IDENTITY);
    REFUSED("prosanteconnect", PSC(RPPS, ",\"login\":\"a\\u0085b\""), EH_E_IDENTITY);
    REFUSED("prosanteconnect", PSC(RPPS, ""), EH_E_IDENTITY);
    OK("prosanteconnect", PSC(RPPS, ",\"login\":\"zoé.müller\""));
    ck_assert_str_eq(who.account, "zoé.müller");
    ck_assert_str_eq(who.person, "rpps:99700000013"); /* who someone is does not follow the account */
}
END_TEST

START_TEST(psc_names_lose_control_characters_only)
{
    OK("prosanteconnect", PSC(RPPS, ",\"given_name\":\"Zoë\\tÉlodie\",\"family_name\":\"D'Éon\\u0085Łódź\""));
    ck_assert_str_eq(who.given_name, "Zoë Élodie");
    ck_assert_str_eq(who.family_name, "D'Éon Łódź");
    ck_assert_str_eq(who.name, "Zoë Élodie D'Éon Łódź");
}
END_TEST

START_TEST(psc_places_with_control_characters_are_dropped)
{
    OK("prosanteconnect", PSC(RPPS, EXERCICES(EXERCICE("10", "C", "{\"numeroFinessSite\":\"7500\\n0001\"}"))));
    PLACES("");
}
END_TEST

START_TEST(psc_hosts_and_request)
{
    const eh_idp_t *idp = oidc_preset("prosanteconnect");

    ck_assert_str_eq(idp->envs[0].name, "production");
    ck_assert_str_eq(idp->envs[0].issuer, "https://auth.esw.esante.gouv.fr/auth/realms/esante-wallet");
    ck_assert_str_eq(
        idp->envs[0].metadata_url,
        "https://auth.esw.esante.gouv.fr/auth/realms/esante-wallet/.well-known/wallet-openid-configuration");
    ck_assert_str_eq(idp->envs[0].authorization_endpoint, "https://wallet.esw.esante.gouv.fr/auth");
    ck_assert_str_eq(idp->envs[0].token_endpoint,
                     "https://auth.esw.esante.gouv.fr/auth/realms/esante-wallet/protocol/openid-connect/token");
    ck_assert_str_eq(
        idp->envs[0].introspection_endpoint,
        "https://auth.esw.esante.gouv.fr/auth/realms/esante-wallet/protocol/openid-connect/token/introspect");
    ck_assert_str_eq(idp->envs[1].name, "sandbox");
    ck_assert_str_eq(idp->envs[1].issuer, "https://auth.bas.psc.esante.gouv.fr/auth/realms/esante-wallet");
    ck_assert_str_eq(idp->envs[1].authorization_endpoint, "https://wallet.bas.psc.esante.gouv.fr/auth");
    ck_assert_str_eq(idp->envs[1].end_session_endpoint,
                     "https://auth.bas.psc.esante.gouv.fr/auth/realms/esante-wallet/protocol/openid-connect/logout");
    ck_assert_ptr_null(idp->envs[2].name);
    ck_assert_str_eq(idp->scope, "openid scope_all");
    ck_assert_str_eq(idp->acr_values, "eidas1");
    ck_assert_int_eq(idp->userinfo, EH_USERINFO_REQUIRED);
    ck_assert_int_eq(idp->session_max, 14400);
    ck_assert_int_eq(idp->session_idle, 1800);
    ck_assert_int_eq(idp->state_timeout, 900);
    ck_assert_int_eq(idp->id_token_algs, EH_RS256);
}
END_TEST

/* ------------------------------------------------------------------------------------------ I.AM Connect */

#define SSIN "85010112345"
#define IAM(profile, rest) "{\"sub\":\"0f1e\",\"userProfile\":{\"ssin\":\"" SSIN "\"" profile "}" rest "}"

START_TEST(iam_physician_of_two_organisations)
{
    OK("iamconnect",
       IAM(",\"firstName\":\"An\",\"lastName\":\"Voorbeeld\",\"gender\":\"F\",\"physician\":{\"recognised\":true,"
           "\"nihii11\":\"11234567890\"},\"organizations\":[{\"hospital\":{\"nihii\":\"71012345\",\"name\":\"AZ\"}},"
           "{\"otdPharmacy\":{\"nihii\":\"21012345\",\"name\":\"Apotheek\"}}]",
           ",\"resource_access\":{\"nihdi-uhmep-api\":{\"roles\":[\"prescriber\"]}}"));
    ck_assert_str_eq(who.account, SSIN);
    ck_assert_str_eq(who.person, "ssin:" SSIN);
    ck_assert_str_eq(who.name, "An Voorbeeld");
    ck_assert_str_eq(who.given_name, "An");
    ck_assert_str_eq(who.family_name, "Voorbeeld");
    ROLES("physician professional");
    PLACES("nihii11:11234567890 nihii:71012345 nihii:21012345");
}
END_TEST

START_TEST(iam_discipline_key_without_regard_to_case)
{
    static const char *const keys[][2] = {
        {"physician", "physician"},
        {"Physician", "physician"},
        {"PHYSICIAN", "physician"},
        {"nurse", "nurse"},
        {"Nurse", "nurse"},
        {"dentist", "dentist"},
        {"Pharmacist", "pharmacist"},
        {"midWife", "midwife"},
        {"physioTherapist", "physiotherapist"},
        {"speechTherapist", "speech-therapist"},
        {"occupationalTherapist", "occupational-therapist"},
        {"practicalNurse", "care-assistant"},
        {"newProfession", "newprofession"},
    };
    apr_size_t i;

    for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        OK("iamconnect",
           apr_psprintf(eh_test_pool, "{\"userProfile\":{\"ssin\":\"" SSIN "\",\"%s\":{\"recognised\":true}}}",
                        keys[i][0]));
        ck_assert_str_eq(joined(who.roles), apr_pstrcat(eh_test_pool, keys[i][1], " professional", NULL));
    }
}
END_TEST

START_TEST(iam_not_recognised_is_suspended)
{
    OK("iamconnect", IAM(",\"physician\":{\"recognised\":false,\"nihii11\":\"11234567890\"}", ""));
    ROLES("suspended");
    PLACES("");
    /* Only the word true is recognition. */
    OK("iamconnect", IAM(",\"physician\":{}", ""));
    ROLES("suspended");
    OK("iamconnect", IAM(",\"physician\":{\"recognised\":\"true\"}", ""));
    ROLES("suspended");
    OK("iamconnect", IAM(",\"physician\":{\"recognised\":1}", ""));
    ROLES("suspended");
    OK("iamconnect", IAM(",\"newProfession\":{\"recognised\":false}", ""));
    ROLES("suspended");
}
END_TEST

START_TEST(iam_one_of_two_disciplines_recognised)
{
    OK("iamconnect", IAM(",\"nurse\":{\"recognised\":false},\"physician\":{\"recognised\":true}", ""));
    ROLES("physician professional");
    OK("iamconnect", IAM(",\"nurse\":{\"recognised\":true},\"physician\":{\"recognised\":false}", ""));
    ROLES("nurse professional");
}
END_TEST

START_TEST(iam_restricted_in_any_client_is_suspended)
{
    OK("iamconnect",
       IAM(",\"physician\":{\"recognised\":true,\"nihii11\":\"11234567890\"},\"organizations\":[{\"hospital\":"
           "{\"nihii\":\"71012345\"}}]",
           ",\"resource_access\":{\"a\":{\"roles\":[\"prescriber\"]},\"b\":{\"roles\":[\"patient\",\"restricted\"]}}"));
    ROLES("suspended");
    PLACES("");
    OK("iamconnect",
       IAM(",\"physician\":{\"recognised\":true}", ",\"resource_access\":{\"a\":{\"roles\":[\"Restricted\"]}}"));
    ROLES("suspended");
    OK("iamconnect", IAM("", ",\"resource_access\":{\"a\":{\"roles\":[\"restricted\"]}}"));
    ROLES("suspended");
    OK("iamconnect",
       IAM(",\"physician\":{\"recognised\":true}", ",\"resource_access\":{\"a\":{\"roles\":[\"unrestricted\"]}}"));
    ROLES("physician professional");
}
END_TEST

START_TEST(iam_citizen)
{
    OK("iamconnect",
       IAM(",\"firstName\":\"Jan\",\"lastName\":\"Burger\"", ",\"resource_access\":{\"a\":{\"roles\":[\"patient\"]}}"));
    ROLES("citizen");
    PLACES("");
    /* Keys that are no discipline do not make a professional. */
    OK("iamconnect",
       IAM(",\"gender\":\"F\",\"physician\":true,\"mandators\":[{\"ssin\":\"1\"}],\"address\":{\"city\":\"Gent\"}",
           ""));
    ROLES("citizen");
    OK("iamconnect", "{\"ssin\":\"" SSIN "\"}");
    ROLES("citizen");
    ck_assert_str_eq(who.person, "ssin:" SSIN);
}
END_TEST

START_TEST(iam_odd_shapes)
{
    OK("iamconnect", IAM(",\"physician\":null,\"organizations\":null", ",\"resource_access\":[]"));
    ROLES("citizen");
    OK("iamconnect",
       IAM(",\"organizations\":[null,1,\"x\",{\"hospital\":null},{\"hospital\":{\"nihii\":\"\"}},"
           "{\"hospital\":{\"nihii\":71012345}},{\"hospital\":{\"nihii\":\"7101\\n345\"}},{\"hospital\":{\"nihii\":"
           "\"7101234\"}}]",
           ",\"resource_access\":{\"a\":null,\"b\":{\"roles\":\"restricted\"},\"c\":{\"roles\":[1,null]}}"));
    ROLES("citizen");
    PLACES("");
    OK("iamconnect", IAM(",\"physician\":{\"recognised\":true,\"nihii11\":\"123\"}", ""));
    PLACES("");
    OK("iamconnect", IAM(",\"weird key\":{\"recognised\":true}", ""));
    ROLES("citizen");
}
END_TEST

START_TEST(iam_ssin_rules)
{
    REFUSED("iamconnect", "{\"sub\":\"x\"}", EH_E_IDENTITY);
    REFUSED("iamconnect", "{\"userProfile\":{\"ssin\":\"\"}}", EH_E_IDENTITY);
    REFUSED("iamconnect", "{\"userProfile\":{\"ssin\":\"8501011234\"}}", EH_E_IDENTITY);
    REFUSED("iamconnect", "{\"userProfile\":{\"ssin\":\"850101123456\"}}", EH_E_IDENTITY);
    REFUSED("iamconnect", "{\"userProfile\":{\"ssin\":\"85.01.01-123.45\"}}", EH_E_IDENTITY);
    REFUSED("iamconnect", "{\"userProfile\":{\"ssin\":85010112345}}", EH_E_IDENTITY);
    REFUSED("iamconnect", "{\"ssin\":\"85010112346\",\"userProfile\":{\"ssin\":\"" SSIN "\"}}", EH_E_IDENTITY);
    OK("iamconnect", "{\"ssin\":\"" SSIN "\",\"userProfile\":{\"ssin\":\"" SSIN "\"}}");
}
END_TEST

START_TEST(iam_refusals_quote_no_national_number)
{
    map("iamconnect", "{\"ssin\":\"85010112346\",\"userProfile\":{\"ssin\":\"" SSIN "\"}}");
    ck_assert_ptr_null(strstr(eh_test_err.detail, "8501"));
    ck_assert(!eh_test_err.cause || !strstr(eh_test_err.cause, "8501"));
    map("prosanteconnect", PSC("899700000014", ""));
    ck_assert_ptr_null(strstr(eh_test_err.detail, "8997"));
    ck_assert(!eh_test_err.cause || !strstr(eh_test_err.cause, "8997"));
}
END_TEST

START_TEST(iam_account_by_another_claim)
{
    policy.account_claim = "userProfile.physician.nihii11";
    OK("iamconnect", IAM(",\"physician\":{\"recognised\":true,\"nihii11\":\"11234567890\"}", ""));
    ck_assert_str_eq(who.account, "11234567890");
    ck_assert_str_eq(who.person, "ssin:" SSIN);
    REFUSED("iamconnect", IAM("", ""), EH_E_IDENTITY);
}
END_TEST

START_TEST(iam_hosts)
{
    const eh_idp_t *idp = oidc_preset("iamconnect");

    ck_assert_str_eq(idp->envs[0].name, "production");
    ck_assert_str_eq(idp->envs[0].issuer, "https://api.ehealth.fgov.be/auth/realms/healthcare");
    ck_assert_str_eq(idp->envs[0].authorization_endpoint,
                     "https://api.ehealth.fgov.be/auth/realms/healthcare/protocol/openid-connect/auth");
    ck_assert_str_eq(idp->envs[1].name, "acceptance");
    ck_assert_str_eq(idp->envs[1].issuer, "https://api-acpt.ehealth.fgov.be/auth/realms/healthcare");
    ck_assert_str_eq(idp->envs[1].jwks_uri,
                     "https://api-acpt.ehealth.fgov.be/auth/realms/healthcare/protocol/openid-connect/certs");
    ck_assert_str_eq(idp->envs[2].name, "integration");
    ck_assert_str_eq(idp->envs[2].issuer, "https://api-int.ehealth.fgov.be/auth/realms/healthcare");
    ck_assert_ptr_null(idp->envs[3].name);
    ck_assert_str_eq(idp->client_auth, "none");
    ck_assert_str_eq(idp->scope, "openid");
    ck_assert_ptr_null(idp->acr_values);
}
END_TEST

/* ------------------------------------------------------------------------------------------ any provider */

START_TEST(oidc_defaults)
{
    OK("oidc", "{\"iss\":\"https://op.example\",\"sub\":\"248289761001\",\"name\":\"Jane Doe\",\"acr\":\"urn:gold\"}");
    ck_assert_str_eq(who.account, "248289761001");
    ck_assert_str_eq(who.person, "sub:https://op.example#248289761001");
    ck_assert_str_eq(who.name, "Jane Doe");
    ck_assert_str_eq(who.acr, "urn:gold");
    ck_assert_int_eq(who.acr_rank, 0);
    ROLES("");
    PLACES("");
}
END_TEST

START_TEST(oidc_same_sub_of_two_issuers_is_two_people)
{
    const char *first;

    OK("oidc", "{\"iss\":\"https://a.example\",\"sub\":\"1\"}");
    first = who.person;
    OK("oidc", "{\"iss\":\"https://b.example\",\"sub\":\"1\"}");
    ck_assert_str_ne(first, who.person);
}
END_TEST

START_TEST(oidc_roles_and_account_by_claim)
{
    policy.account_claim = "email";
    policy.role_claim = "realm_access.roles";
    OK("oidc",
       "{\"iss\":\"https://op.example\",\"sub\":\"1\",\"email\":\"jane@example.org\",\"realm_access\":{\"roles\":"
       "[\"doctor\",\"\",7,null,\"doctor\",\"bad\\nrole\",\"nurse\"]}}");
    ck_assert_str_eq(who.account, "jane@example.org");
    ROLES("doctor nurse");
    policy.role_claim = "groups[].name";
    OK("oidc", "{\"iss\":\"https://"
               "op.example\",\"sub\":\"1\",\"email\":\"j@x\",\"groups\":[{\"name\":\"a\"},{\"name\":\"b\"},{}]}");
    ROLES("a b");
    policy.role_claim = "role";
    OK("oidc", "{\"iss\":\"https://op.example\",\"sub\":\"1\",\"email\":\"j@x\",\"role\":\"solo\"}");
    ROLES("solo");
    OK("oidc", "{\"iss\":\"https://op.example\",\"sub\":\"1\",\"email\":\"j@x\",\"role\":{\"x\":1}}");
    ROLES("");
    REFUSED("oidc", "{\"iss\":\"https://op.example\",\"sub\":\"1\"}", EH_E_IDENTITY);
    REFUSED("oidc", "{\"iss\":\"https://op.example\",\"sub\":\"1\",\"email\":[]}", EH_E_IDENTITY);
}
END_TEST

START_TEST(oidc_acr_policy_and_eidas_names)
{
    policy.acr_missing_ok = 0;
    REFUSED("oidc", "{\"iss\":\"https://op.example\",\"sub\":\"1\"}", EH_E_TOKEN_ACR);
    OK("oidc", "{\"iss\":\"https://op.example\",\"sub\":\"1\",\"acr\":\"http://eidas.europa.eu/LoA/substantial\"}");
    ck_assert_int_eq(who.acr_rank, 2);
}
END_TEST

START_TEST(oidc_account_is_bounded)
{
    char *long_one = apr_palloc(eh_test_pool, 300);

    memset(long_one, 'a', 299);
    long_one[299] = '\0';
    policy.account_claim = "u";
    REFUSED("oidc", apr_psprintf(eh_test_pool, "{\"iss\":\"i\",\"sub\":\"1\",\"u\":\"%s\"}", long_one), EH_E_IDENTITY);
    long_one[255] = '\0';
    OK("oidc", apr_psprintf(eh_test_pool, "{\"iss\":\"i\",\"sub\":\"1\",\"u\":\"%s\"}", long_one));
    /* A displayed name is cut at a character. */
    long_one[254] = '\0';
    OK("oidc", apr_psprintf(eh_test_pool, "{\"iss\":\"i\",\"sub\":\"1\",\"u\":\"x\",\"name\":\"%sé\"}", long_one));
    ck_assert_str_eq(who.name, long_one);
}
END_TEST

START_TEST(all_presets_are_registered)
{
    const char *const *names = oidc_preset_names(eh_test_pool);
    int n;

    for (n = 0; names[n]; n++)
        continue;
    ck_assert_int_eq(n, 3);
    ck_assert_ptr_nonnull(oidc_preset("oidc"));
    ck_assert_ptr_nonnull(oidc_preset("prosanteconnect"));
    ck_assert_ptr_nonnull(oidc_preset("iamconnect"));
    ck_assert_ptr_null(oidc_preset("psc"));
    ck_assert_ptr_null(oidc_preset(""));
}
END_TEST

/* The contract that every preset keeps, whatever the claims are. */
START_TEST(contract_of_every_preset)
{
    static const char *const odd[] = {"{}", "{\"sub\":1}", "{\"iss\":null,\"sub\":\"\"}", "{\"acr\":{}}",
                                      "{\"SubjectNameID\":{},\"userProfile\":[],\"resource_access\":1}"};
    const char *const *name;
    apr_size_t i;

    for (name = oidc_preset_names(eh_test_pool); *name; name++) {
        const eh_idp_t *idp = oidc_preset(*name);
        ck_assert_ptr_nonnull(idp->title);
        ck_assert_ptr_nonnull(idp->envs[0].name);
        ck_assert_ptr_nonnull(strstr(idp->scope, "openid"));
        ck_assert_int_ne(idp->id_token_algs, 0);
        ck_assert_int_gt(idp->session_max, 0);
        ck_assert_int_ge(idp->state_timeout, 60);
        ck_assert(idp->metadata_path[0] == '/');
        for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
            ck_assert_int_ne(map(*name, odd[i]), APR_SUCCESS);
            ck_assert_int_ne(eh_test_err.code, EH_E_NONE);
            ck_assert_ptr_nonnull(eh_test_err.detail);
        }
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("idp");
    TCase *tc = tcase_create("presets");

    tcase_add_checked_fixture(tc, setup, eh_test_teardown);
    suite_add_tcase(s, tc);
    tcase_add_test(tc, psc_physician_in_a_practice);
    tcase_add_test(tc, psc_hospital_gives_site_and_legal_entity);
    tcase_add_test(tc, psc_student_of_medicine_is_no_physician);
    tcase_add_test(tc, psc_military_and_civil_servants_practise);
    tcase_add_test(tc, psc_category_missing_or_unknown_gives_no_right);
    tcase_add_test(tc, psc_several_exercices_are_united);
    tcase_add_test(tc, psc_professions_by_code);
    tcase_add_test(tc, psc_subject_role_alone_gives_nothing);
    tcase_add_test(tc, psc_kinds_of_national_id);
    tcase_add_test(tc, psc_without_national_id_is_refused);
    tcase_add_test(tc, psc_acr_is_ranked_not_compared);
    tcase_add_test(tc, psc_missing_acr_by_policy);
    tcase_add_test(tc, psc_odd_shapes_log_in_without_rights);
    tcase_add_test(tc, psc_sixteen_kilobytes_of_activities);
    tcase_add_test(tc, psc_more_places_than_fit_are_dropped);
    tcase_add_test(tc, psc_control_characters_never_become_identity);
    tcase_add_test(tc, psc_names_lose_control_characters_only);
    tcase_add_test(tc, psc_places_with_control_characters_are_dropped);
    tcase_add_test(tc, psc_hosts_and_request);
    tcase_add_test(tc, iam_physician_of_two_organisations);
    tcase_add_test(tc, iam_discipline_key_without_regard_to_case);
    tcase_add_test(tc, iam_not_recognised_is_suspended);
    tcase_add_test(tc, iam_one_of_two_disciplines_recognised);
    tcase_add_test(tc, iam_restricted_in_any_client_is_suspended);
    tcase_add_test(tc, iam_citizen);
    tcase_add_test(tc, iam_odd_shapes);
    tcase_add_test(tc, iam_ssin_rules);
    tcase_add_test(tc, iam_refusals_quote_no_national_number);
    tcase_add_test(tc, iam_account_by_another_claim);
    tcase_add_test(tc, iam_hosts);
    tcase_add_test(tc, oidc_defaults);
    tcase_add_test(tc, oidc_same_sub_of_two_issuers_is_two_people);
    tcase_add_test(tc, oidc_roles_and_account_by_claim);
    tcase_add_test(tc, oidc_acr_policy_and_eidas_names);
    tcase_add_test(tc, oidc_account_is_bounded);
    tcase_add_test(tc, all_presets_are_registered);
    tcase_add_test(tc, contract_of_every_preset);
    return s;
}

int main(void) { return eh_test_main(suite()); }
