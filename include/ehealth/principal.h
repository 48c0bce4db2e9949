/* SPDX-License-Identifier: Apache-2.0 */
/** Who is logged in, as every module sees it. Built once at log-in, immutable, shared by many requests. */
#ifndef EHEALTH_PRINCIPAL_H
#define EHEALTH_PRINCIPAL_H

#include <apr_pools.h>
#include <apr_time.h>
#include <jansson.h>

#include "ehealth/err.h"

typedef struct eh_principal_t {
    const char *provider;     /* name of the <EHealthProvider> */
    const char *issuer;
    const char *subject;      /* `sub` of the ID token */
    const char *account;      /* the national id as the provider gives it: PSC SubjectNameID, I.AM ssin, else sub */
    const char *person;       /* kind:value, e.g. "rpps:10101010101", "ssin:85010112345", "sub:…": key of grants */
    const char *log_id;       /* keyed hash of person for logs and audit */
    const char *name, *given_name, *family_name; /* UTF-8, "" when unknown */
    const char *acr;          /* as received, "" when absent */
    int acr_rank;             /* by the preset: eidas1 = 1 …; 0 = unranked */
    apr_time_t auth_time;     /* 0 when unknown */
    apr_time_t expires;       /* absolute end of the session */
    const char *const *roles; /* "physician", "nurse", "student", "suspended", …; NULL-terminated */
    const char *const *structures; /* "finess:750000001", "siret:…", "nihii:71012345"; NULL-terminated */
    const char *const *tenants;    /* names of <EHealthTenant> this person belongs to; NULL-terminated */
    const json_t *claims;     /* ID token and userinfo merged (userinfo wins); read-only, may be shared by threads */
} eh_principal_t;

/** 1 when list (NULL-terminated, may be NULL) holds s exactly. */
int eh_list_has(const char *const *list, const char *s);

#endif
