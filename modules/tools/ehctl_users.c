/* SPDX-License-Identifier: Apache-2.0 */
/* Grants: a person belongs to a tenant because an administrator said so. */
#include "ehctl_args.h"

#include <apr_strings.h>
#include <stdio.h>
#include <string.h>

#include "ehealth/json.h"
#include "ehealth/seal.h"

#define DAYS_MAX 3650

static const eh_stmt_t stmt_grant = {
    "grant-put",
    6,
    {"INSERT INTO eh_grant (tenant, person_h, person_sealed, granted_at, granted_by, expires_at) "
     "VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (tenant, person_h) DO UPDATE SET person_sealed = "
     "excluded.person_sealed, "
     "granted_at = excluded.granted_at, granted_by = excluded.granted_by, expires_at = excluded.expires_at",
     "INSERT INTO eh_grant (tenant, person_h, person_sealed, granted_at, granted_by, expires_at) "
     "VALUES (%s, %s, %s, %s::bigint, %s, %s::bigint) ON CONFLICT (tenant, person_h) DO UPDATE SET "
     "person_sealed = excluded.person_sealed, granted_at = excluded.granted_at, granted_by = excluded.granted_by, "
     "expires_at = excluded.expires_at"}};
static const eh_stmt_t stmt_revoke = {"grant-delete", 2, {"DELETE FROM eh_grant WHERE tenant = %s AND person_h = %s"}};
static const eh_stmt_t stmt_list = {
    "grant-list",
    2,
    {"SELECT tenant, person_h, person_sealed, granted_at, granted_by, expires_at FROM eh_grant "
     "WHERE tenant = %s OR %s IS NULL ORDER BY tenant, granted_at",
     "SELECT tenant, person_h, person_sealed, granted_at, granted_by, expires_at FROM eh_grant "
     "WHERE tenant = %s::text OR %s::text IS NULL ORDER BY tenant, granted_at"}};

typedef struct work_t {
    const char *tenant, *person, *days;
    const eh_stmt_t *stmt;
    const char *args[6];
    eh_audit_rec_t rec;
    int affected;
    eh_rows_t *rows;
    apr_pool_t *p;
} work_t;

static const char *aad(const char *tenant, const char *person_h, apr_pool_t *p)
{
    return apr_pstrcat(p, "eh_grant.person_sealed\x1f", tenant, "\x1f", person_h, NULL);
}

static apr_status_t change(eh_tx_t *tx, void *baton, eh_err_t *err, apr_pool_t *ptemp)
{
    work_t *w = baton;
    apr_status_t rv;

    w->affected = 0;
    if (!EH_OK(eh_tx_exec(tx, w->stmt, w->args, &w->affected, err)) || !w->affected) return rv;
    return eh_audit_insert(tx, &w->rec, err, ptemp);
}

static apr_status_t read_all(eh_tx_t *tx, void *baton, eh_err_t *err, apr_pool_t *ptemp)
{
    work_t *w = baton;

    return eh_tx_select(tx, w->stmt, w->args, &w->rows, err, w->p);
}

/* A grant for a misspelt tenant would look like done. */
static apr_status_t known_tenant(eh_ctl_t *ctl, const char *tenant, eh_err_t *err)
{
    const json_t *dump, *host, *t;
    apr_size_t i, k;
    apr_status_t rv;

    if (!EH_OK(eh_ctl_dump(&dump, ctl, err))) return rv;
    json_array_foreach(json_object_get(dump, "hosts"), i, host)
    {
        json_array_foreach(json_object_get(host, "tenants"), k, t)
        {
            const char *name = eh_json_str(t, "name");

            if (name && !strcmp(name, tenant)) return APR_SUCCESS;
        }
    }
    return eh_err_set(
        err, EH_E_CONFIG, APR_ENOENT,
        apr_psprintf(ctl->p, "No <EHealthTenant> of the server's configuration is called \"%s\".", tenant));
}

/* Names in logs are pseudonyms: the same as in the log-in's own audit rows. */
static void prepare(work_t *w, const eh_keyring_t *ring, const char *event)
{
    eh_ctl_audit(&w->rec, event, eh_ctl_operator(w->p));
    w->rec.tenant = w->tenant;
    w->rec.subject = eh_keyring_hash(ring, 0, EH_PURPOSE_LOGID, EH_LABEL_PERSON, w->person, w->p);
    w->args[0] = w->tenant;
    w->args[1] = eh_keyring_hash(ring, 0, EH_PURPOSE_INDEX, EH_LABEL_PERSON, w->person, w->p);
}

static apr_status_t prepare_grant(work_t *w, const eh_keyring_t *ring, eh_err_t *err)
{
    apr_time_t now = apr_time_now();

    prepare(w, ring, "users.granted");
    w->stmt = &stmt_grant;
    w->args[3] = apr_psprintf(w->p, "%" APR_TIME_T_FMT, now);
    w->args[4] = apr_pstrcat(w->p, "ehctl ", eh_ctl_operator(w->p), NULL);
    w->args[5] =
        w->days ? apr_psprintf(w->p, "%" APR_TIME_T_FMT, now + apr_time_from_sec(86400 * apr_atoi64(w->days))) : NULL;
    return eh_seal(&w->args[2], ring, EH_PURPOSE_GRANT, aad(w->tenant, w->args[1], w->p), w->person, strlen(w->person),
                   err, w->p);
}

static int done(eh_ctl_t *ctl, const work_t *w, int granting)
{
    if (!w->affected) {
        if (ctl->json)
            eh_ctl_print_json(json_pack("{s:i}", "changed", 0));
        else
            fprintf(stderr, "ehctl: this person has no grant for \"%s\"\n", w->tenant);
        return EH_EXIT_FAIL;
    }
    if (ctl->json)
        eh_ctl_print_json(json_pack("{s:i}", "changed", w->affected));
    else if (granting)
        printf("Granted. It counts from the next log-in on.\n");
    else
        printf("Revoked. To end what is open now: ehctl sessions revoke --person ...\n");
    return EH_EXIT_OK;
}

static int change_grant(eh_ctl_t *ctl, work_t *w, int granting, const char *name)
{
    eh_err_t err = {EH_E_NONE};
    eh_keyring_t *ring;
    eh_db_t *db;
    apr_status_t rv = APR_SUCCESS;

    if (!w->tenant || !w->person) return eh_ctl_usage(ctl, name, "--tenant and --person are needed");
    if (!eh_ctl_is_person(w->person)) {
        return eh_ctl_usage(ctl, name,
                            "a person is written kind:value, for instance rpps:10101010101 or ssin:85010112345");
    }
    if (w->days && (apr_atoi64(w->days) < 1 || apr_atoi64(w->days) > DAYS_MAX ||
                    strspn(w->days, "0123456789") != strlen(w->days))) {
        return eh_ctl_usage(ctl, name, "--days is a number from 1 to 3650");
    }
    if (granting) rv = known_tenant(ctl, w->tenant, &err);
    if (rv == APR_SUCCESS) rv = eh_ctl_keys(&ring, ctl, &err);
    if (rv == APR_SUCCESS) rv = eh_ctl_db(&db, ctl, &err);
    if (rv != APR_SUCCESS) return eh_ctl_failed(ctl, &err);
    if (granting) {
        rv = prepare_grant(w, ring, &err);
    } else {
        prepare(w, ring, "users.revoked");
        w->stmt = &stmt_revoke;
    }
    if (rv == APR_SUCCESS) rv = eh_db_run(db, EH_DB_WRITE, change, w, &err, w->p);
    return rv == APR_SUCCESS ? done(ctl, w, granting) : eh_ctl_failed(ctl, &err);
}

/* The person in clear, or why not: a key that is gone, a row that was moved. */
static const char *person_of(const eh_rows_t *rows, int i, const eh_keyring_t *ring, apr_pool_t *p)
{
    const char *plain, *now;
    apr_size_t len;

    if (eh_unseal(&plain, &len, ring, EH_PURPOSE_GRANT, aad(eh_cell(rows, i, 0), eh_cell(rows, i, 1), p),
                  eh_cell(rows, i, 2), NULL, p) != APR_SUCCESS) {
        return "(cannot be opened: the key is missing, or the row was changed)";
    }
    now = eh_keyring_hash(ring, 0, EH_PURPOSE_INDEX, EH_LABEL_PERSON, plain, p);
    if (strcmp(now, eh_cell(rows, i, 1))) return apr_pstrcat(p, plain, " (without effect: grant it again)", NULL);
    return plain;
}

static int list(eh_ctl_t *ctl, work_t *w)
{
    eh_err_t err = {EH_E_NONE};
    json_t *all = json_array();
    eh_keyring_t *ring;
    eh_db_t *db;
    int i;

    w->stmt = &stmt_list;
    w->args[0] = w->args[1] = w->tenant;
    if (eh_ctl_keys(&ring, ctl, &err) != APR_SUCCESS || eh_ctl_db(&db, ctl, &err) != APR_SUCCESS ||
        eh_db_run(db, EH_DB_READ, read_all, w, &err, w->p) != APR_SUCCESS) {
        json_decref(all);
        return eh_ctl_failed(ctl, &err);
    }
    for (i = 0; i < w->rows->nrows; i++) {
        const char *person = person_of(w->rows, i, ring, w->p), *expires = eh_cell(w->rows, i, 5);

        if (ctl->json) {
            json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:s, s:s?}", "tenant", eh_cell(w->rows, i, 0),
                                                 "person", person, "granted_at", eh_cell(w->rows, i, 3), "granted_by",
                                                 eh_cell(w->rows, i, 4), "expires_at", expires));
        } else {
            printf("%-20s %-30s granted %s by %s, %s%s\n", eh_cell(w->rows, i, 0), person,
                   eh_ctl_time(eh_cell(w->rows, i, 3), w->p), eh_cell(w->rows, i, 4),
                   !expires                               ? "without end"
                   : apr_atoi64(expires) > apr_time_now() ? "until "
                                                          : "EXPIRED ",
                   expires ? eh_ctl_time(expires, w->p) : "");
        }
    }
    if (ctl->json) eh_ctl_print_json(json_pack("{s:O}", "grants", all));
    json_decref(all);
    return EH_EXIT_OK;
}

static int run(eh_ctl_t *ctl, int argc, const char *const *argv, apr_pool_t *p)
{
    static const char *const names[] = {"grant", "revoke", "list", NULL};
    const char *sub = eh_ctl_subcommand(ctl, argc, argv, names);
    work_t w = {.p = p};
    const eh_opt_t opts[] = {{"--tenant", &w.tenant}, {"--person", &w.person}, {"--days", &w.days}, {NULL}};

    if (!sub || eh_ctl_options(ctl, argc, argv, 2, opts, NULL)) return EH_EXIT_USAGE;
    if (!strcmp(sub, "list")) {
        if (w.person || w.days) return eh_ctl_usage(ctl, argv[0], "list takes --tenant only");
        return list(ctl, &w);
    }
    if (w.days && !strcmp(sub, "revoke")) return eh_ctl_usage(ctl, argv[0], "--days belongs to grant");
    return change_grant(ctl, &w, !strcmp(sub, "grant"), argv[0]);
}

static const eh_cmd_t cmd = {
    "who belongs to a tenant by an administrator's word",
    "grant|revoke|list [--tenant NAME] [--person KIND:VALUE] [--days N]\n\n"
    "  grant  --tenant NAME --person KIND:VALUE [--days N]   the person belongs to the tenant, for N days or without "
    "end\n"
    "  revoke --tenant NAME --person KIND:VALUE              not any more\n"
    "  list   [--tenant NAME]                                all grants\n\n"
    "KIND:VALUE is the person as the log-in provider tells it: rpps:10101010101, ssin:85010112345. The database holds "
    "it\n"
    "sealed and as a keyed hash only.",
    run,
};

EH_PROVIDER(cmd, users, "0", &cmd);
