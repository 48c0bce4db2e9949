/* SPDX-License-Identifier: Apache-2.0 */
#include "ehctl_args.h"

#include <apr_strings.h>
#include <stdio.h>
#include <string.h>

#define ID_LEN 12 /* characters of a session's digest that are shown and accepted */
#define LIST_MAX 1000

/* One set of statements a selector; each condition has one parameter. */
#define COLUMNS "substr(ticket_h, 1, 12), host, provider, created_at, last_seen, expires_at"
#define LIVE_SQLITE "revoked_at IS NULL AND expires_at > %s AND "
#define LIVE_PGSQL "revoked_at IS NULL AND expires_at > %s::bigint AND "
#define SELECTOR(id, condition)                                                                                      \
    {                                                                                                                \
        {"sessions-list-" id,                                                                                        \
         2,                                                                                                          \
         {"SELECT " COLUMNS " FROM eh_session WHERE " LIVE_SQLITE condition " ORDER BY created_at DESC LIMIT 1001",  \
          "SELECT " COLUMNS " FROM eh_session WHERE " LIVE_PGSQL condition " ORDER BY created_at DESC LIMIT 1001"}}, \
            {"sessions-end-" id,                                                                                     \
             3,                                                                                                      \
             {"UPDATE eh_session SET revoked_at = %s, claims_sealed = '', tokens_sealed = '' WHERE " LIVE_SQLITE     \
                  condition,                                                                                         \
              "UPDATE eh_session SET revoked_at = %s::bigint, claims_sealed = '', tokens_sealed = '' "               \
              "WHERE " LIVE_PGSQL condition}},                                                                       \
        {                                                                                                            \
            "sessions-tell-" id, 3,                                                                                  \
            {                                                                                                        \
                "INSERT INTO eh_revocation (ticket_h, at) SELECT ticket_h, revoked_at FROM eh_session "              \
                "WHERE revoked_at = %s AND expires_at > %s AND " condition,                                          \
                    "INSERT INTO eh_revocation (ticket_h, at) SELECT ticket_h, revoked_at FROM eh_session "          \
                    "WHERE revoked_at = %s::bigint AND expires_at > %s::bigint AND " condition                       \
            }                                                                                                        \
        }                                                                                                            \
    }

typedef struct selector_t {
    eh_stmt_t list, end, tell;
} selector_t;

enum { BY_PERSON, BY_SUBJECT, BY_PROVIDER, BY_ID, BY_ALL };
static const selector_t selectors[] = {
    [BY_PERSON] = SELECTOR("person", "person_h = %s"),
    [BY_SUBJECT] = SELECTOR("subject", "subject_h = %s"),
    [BY_PROVIDER] = SELECTOR("provider", "provider = %s"),
    [BY_ID] = SELECTOR("id", "substr(ticket_h, 1, 12) = %s"),
    [BY_ALL] = SELECTOR("all", "'all' = %s"),
};
static const char *const selector_words[] = {"by=person", "by=subject", "by=provider", "by=id", "by=all"};

typedef struct work_t {
    const char *person, *issuer, *subject, *provider, *id;
    int all, which;
    const char *value; /* of the condition */
    apr_time_t now;
    eh_audit_rec_t rec;
    int affected;
    eh_rows_t *rows;
    apr_pool_t *p;
} work_t;

static apr_status_t read_them(eh_tx_t *tx, void *baton, eh_err_t *err, apr_pool_t *ptemp)
{
    work_t *w = baton;
    const char *args[] = {apr_psprintf(ptemp, "%" APR_TIME_T_FMT, w->now), w->value};

    return eh_tx_select(tx, &selectors[w->which].list, args, &w->rows, err, w->p);
}

/* Ends them first and tells what was ended: a session that begins meanwhile is in both or in none. */
static apr_status_t end_them(eh_tx_t *tx, void *baton, eh_err_t *err, apr_pool_t *ptemp)
{
    work_t *w = baton;
    const char *now = apr_psprintf(ptemp, "%" APR_TIME_T_FMT, w->now);
    const char *args[] = {now, now, w->value};
    apr_status_t rv;
    int told = 0;

    w->affected = 0;
    if (!EH_OK(eh_tx_exec(tx, &selectors[w->which].end, args, &w->affected, err)) || !w->affected) return rv;
    if (!EH_OK(eh_tx_exec(tx, &selectors[w->which].tell, args, &told, err))) return rv;
    if (told != w->affected)
        return eh_err_setf(err, ptemp, EH_E_INTERNAL, APR_EGENERAL, NULL, "%d ended, %d told", w->affected, told);
    w->rec.detail =
        apr_psprintf(ptemp, "%s %s count=%d", eh_ctl_operator(ptemp), selector_words[w->which], w->affected);
    return eh_audit_insert(tx, &w->rec, err, ptemp);
}

/* Exactly one way to say which. @return 0, or EH_EXIT_USAGE after complaining. */
static int choose(eh_ctl_t *ctl, work_t *w, const char *name, int revoking)
{
    int n = !!w->person + !!(w->issuer || w->subject) + !!w->provider + !!w->id + w->all;

    if (n > 1) return eh_ctl_usage(ctl, name, "say in one way which sessions are meant");
    if (n == 0 && revoking) {
        return eh_ctl_usage(ctl, name, "say which: --person, --issuer and --subject, --provider, --id or --all");
    }
    if (!w->issuer != !w->subject) return eh_ctl_usage(ctl, name, "--issuer and --subject belong together");
    if (w->person && !eh_ctl_is_person(w->person)) {
        return eh_ctl_usage(ctl, name,
                            "a person is written kind:value, for instance rpps:10101010101 or ssin:85010112345");
    }
    if (w->id && strlen(w->id) != ID_LEN)
        return eh_ctl_usage(ctl, name, "an id has 12 characters, as the list shows it");
    w->which = w->person ? BY_PERSON : w->issuer ? BY_SUBJECT : w->provider ? BY_PROVIDER : w->id ? BY_ID : BY_ALL;
    return 0;
}

static apr_status_t prepare(eh_db_t **pdb, eh_ctl_t *ctl, work_t *w, eh_err_t *err)
{
    eh_keyring_t *ring = NULL;
    apr_status_t rv = APR_SUCCESS;

    w->now = apr_time_now();
    if (w->which <= BY_SUBJECT && !EH_OK(eh_ctl_keys(&ring, ctl, err))) return rv;
    if (!EH_OK(eh_ctl_db(pdb, ctl, err))) return rv;
    eh_ctl_audit(&w->rec, "sessions.revoked", "");
    switch (w->which) {
    case BY_PERSON:
        w->value = eh_keyring_hash(ring, 0, EH_PURPOSE_INDEX, EH_LABEL_PERSON, w->person, w->p);
        w->rec.subject = eh_keyring_hash(ring, 0, EH_PURPOSE_LOGID, EH_LABEL_PERSON, w->person, w->p);
        break;
    case BY_SUBJECT:
        w->value = eh_keyring_hash(ring, 0, EH_PURPOSE_INDEX, "subject",
                                   apr_pstrcat(w->p, w->issuer, "\x1f", w->subject, NULL), w->p);
        break;
    case BY_PROVIDER:
        w->value = w->provider;
        w->rec.provider = w->provider;
        break;
    case BY_ID: w->value = w->id; break;
    default: w->value = "all";
    }
    return rv;
}

static int list(eh_ctl_t *ctl, work_t *w)
{
    int i, n = w->rows->nrows > LIST_MAX ? LIST_MAX : w->rows->nrows;
    json_t *all = json_array();
    const eh_rows_t *r = w->rows;

    for (i = 0; i < n; i++) {
        if (ctl->json) {
            json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "id", eh_cell(r, i, 0), "host",
                                                 eh_cell(r, i, 1), "provider", eh_cell(r, i, 2), "created_at",
                                                 eh_cell(r, i, 3), "last_seen", eh_cell(r, i, 4), "expires_at",
                                                 eh_cell(r, i, 5)));
        } else {
            printf("%s  %-12s %s  since %s, seen %s, until %s\n", eh_cell(r, i, 0), eh_cell(r, i, 2), eh_cell(r, i, 1),
                   eh_ctl_time(eh_cell(r, i, 3), w->p), eh_ctl_time(eh_cell(r, i, 4), w->p),
                   eh_ctl_time(eh_cell(r, i, 5), w->p));
        }
    }
    if (ctl->json)
        eh_ctl_print_json(json_pack("{s:O, s:b}", "sessions", all, "more", r->nrows > LIST_MAX));
    else if (r->nrows > LIST_MAX)
        printf("... and more.\n");
    else if (!n)
        printf("No sessions.\n");
    json_decref(all);
    return EH_EXIT_OK;
}

static int run(eh_ctl_t *ctl, int argc, const char *const *argv, apr_pool_t *p)
{
    static const char *const names[] = {"list", "revoke", NULL};
    const char *sub = eh_ctl_subcommand(ctl, argc, argv, names);
    work_t w = {.p = p};
    const eh_opt_t opts[] = {{"--person", &w.person},
                             {"--issuer", &w.issuer},
                             {"--subject", &w.subject},
                             {"--provider", &w.provider},
                             {"--id", &w.id},
                             {"--all", NULL, &w.all},
                             {NULL}};
    eh_err_t err = {EH_E_NONE};
    eh_db_t *db;
    int revoking;

    if (!sub || eh_ctl_options(ctl, argc, argv, 2, opts, NULL)) return EH_EXIT_USAGE;
    revoking = !strcmp(sub, "revoke");
    if (choose(ctl, &w, argv[0], revoking)) return EH_EXIT_USAGE;
    if (prepare(&db, ctl, &w, &err) != APR_SUCCESS ||
        eh_db_run(db, revoking ? EH_DB_WRITE : EH_DB_READ, revoking ? end_them : read_them, &w, &err, p) !=
            APR_SUCCESS) {
        return eh_ctl_failed(ctl, &err);
    }
    if (!revoking) return list(ctl, &w);
    if (ctl->json)
        eh_ctl_print_json(json_pack("{s:i}", "revoked", w.affected));
    else
        printf("%d session%s ended.\n", w.affected, w.affected == 1 ? "" : "s");
    return EH_EXIT_OK;
}

static const eh_cmd_t cmd = {
    "who is logged in, and ending it",
    "list|revoke [--person KIND:VALUE | --issuer URL --subject SUB | --provider NAME | --id ID | --all]\n\n"
    "  list     live sessions, the newest first (at most 1000); without a choice all\n"
    "  revoke   ends the chosen ones on all servers within moments; log-in at the provider itself is not touched\n\n"
    "KIND:VALUE is the person as the log-in provider tells it: rpps:10101010101, ssin:85010112345. ID is the first "
    "column\n"
    "of the list.",
    run,
};

EH_PROVIDER(cmd, sessions, "0", &cmd);
