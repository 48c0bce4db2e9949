/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions in a real database: SQLite, then PostgreSQL where it is installed. */
#include "oidc_test.h"

#include <sys/wait.h>
#include <unistd.h>

#include "ehealth/db_pool.h"
#include "modules/oidc/oidc_principal.h"

static char folder[] = "/tmp/eh-oidc-XXXXXX"; /* made in main */
static eh_dbpool_conf_t conf;
static eh_db_t *db;
static oidc_login_t login;
static json_t *claims;
static char line[4096]; /* the event log's last line */
static int lines;

static const eh_tenant_t st_jean = {"st-jean", "Saint-Jean", (const char *const[]){"finess:750000011", NULL}};
static const eh_tenant_t other = {"other", "Other", (const char *const[]){"finess:690000022", NULL}};
static const eh_tenant_t *const tenants[] = {&st_jean, &other, NULL};

/* ---------------------------------------------------------------- helpers */

typedef struct one_t {
    const eh_stmt_t *stmt;
    const char *args[4];
    eh_rows_t *rows;
} one_t;

static apr_status_t exec_tx(eh_tx_t *tx, void *baton, eh_err_t *err, apr_pool_t *p)
{
    one_t *one = baton;
    return eh_tx_exec(tx, one->stmt, one->args, NULL, err);
}

static apr_status_t select_tx(eh_tx_t *tx, void *baton, eh_err_t *err, apr_pool_t *p)
{
    one_t *one = baton;
    return eh_tx_select(tx, one->stmt, one->args, &one->rows, err, eh_test_pool);
}

static void sql(const eh_stmt_t *stmt, const char *a, const char *b)
{
    one_t one = {.stmt = stmt, .args = {a, b}};

    ck_assert_rv_ok(eh_db_run(db, EH_DB_WRITE, exec_tx, &one, eh_test_new_err(), eh_test_pool));
}

static const char *cell(const eh_stmt_t *stmt)
{
    one_t one = {.stmt = stmt};

    ck_assert_rv_ok(eh_db_run(db, EH_DB_READ, select_tx, &one, eh_test_new_err(), eh_test_pool));
    return one.rows->nrows ? eh_cell(one.rows, 0, 0) : NULL;
}

#define STMT(id, n, text) static const eh_stmt_t id = {"t_" #id, n, {text, NULL}}
STMT(clear_sessions, 0, "DELETE FROM eh_session");
STMT(clear_revocations, 0, "DELETE FROM eh_revocation");
STMT(clear_states, 0, "DELETE FROM eh_used_state");
STMT(clear_grants, 0, "DELETE FROM eh_grant");
STMT(clear_audit, 0, "DELETE FROM eh_audit");
STMT(count_sessions, 0, "SELECT COUNT(*) FROM eh_session");
STMT(count_states, 0, "SELECT COUNT(*) FROM eh_used_state");
STMT(count_revocations, 0, "SELECT COUNT(*) FROM eh_revocation");
STMT(count_audit, 0, "SELECT COUNT(*) FROM eh_audit");
STMT(
    last_event, 0,
    "SELECT event || ' ' || outcome || ' ' || code || ' ' || provider || ' ' || remote FROM eh_audit ORDER BY seq DESC "
    "LIMIT 1");
STMT(whole_session, 0,
     "SELECT ticket_h || host || provider || subject_h || COALESCE(sid_h, '') || person_h || claims_sealed || "
     "tokens_sealed FROM eh_session");
STMT(sealed_of_session, 0, "SELECT claims_sealed || tokens_sealed FROM eh_session");
STMT(seen_of_session, 0, "SELECT last_seen FROM eh_session");
STMT(rename_host, 1, "UPDATE eh_session SET host = %s");
STMT(rename_provider, 1, "UPDATE eh_session SET provider = %s");
STMT(grant, 1,
     "INSERT INTO eh_grant (tenant, person_h, person_sealed, granted_at, granted_by) VALUES ('granted', %s, 'x', 0, "
     "'t')");
STMT(grant_past, 1,
     "INSERT INTO eh_grant (tenant, person_h, person_sealed, granted_at, granted_by, expires_at) VALUES ('past', "
     "%s, 'x', 0, 't', 1)");

static void take_line(void *baton, const char *json, apr_size_t len)
{
    lines++;
    apr_cpystrn(line, json, sizeof(line));
}

static eh_audit_t audit_port = {take_line, NULL};

static oidc_state_t *new_state(void)
{
    oidc_state_t *st;

    ck_assert_rv_ok(oidc_state_make(&st, &fx_ctx, fx_prov, "/portal", 0, eh_test_new_err(), eh_test_pool));
    return st;
}

static void setup(void)
{
    static const char *const roles[] = {"physician", "professional", NULL};
    static const char *const structures[] = {"finess:750000011", NULL};

    fx_setup();
    ck_assert_rv_ok(eh_dbpool_create(&db, &conf, &fx_log, NULL, &eh_test_err, eh_test_pool));
    fx_ctx.db = db;
    fx_ctx.audit = &audit_port;
    lines = 0;
    line[0] = '\0';
    sql(&clear_sessions, NULL, NULL);
    sql(&clear_revocations, NULL, NULL);
    sql(&clear_states, NULL, NULL);
    sql(&clear_grants, NULL, NULL);
    sql(&clear_audit, NULL, NULL);
    claims = json_pack("{s:s,s:s,s:[s,s]}", "sub", "sub-canary", "email", "zoe@canary.example", "langs", "fr", "nl");
    memset(&login, 0, sizeof(login));
    login.state = new_state();
    login.issuer = FX_ISSUER;
    login.subject = "sub-canary";
    login.sid = "sid-canary";
    login.auth_time = fx_now - apr_time_from_sec(100);
    login.identity.account = "899700000013";
    login.identity.person = "rpps:99700000013";
    login.identity.name = "Zoë Canary";
    login.identity.given_name = "Zoë";
    login.identity.family_name = "Canary";
    login.identity.acr = "eidas1";
    login.identity.acr_rank = 1;
    login.identity.roles = roles;
    login.identity.structures = structures;
    login.claims = claims;
    login.tokens.id_token = "id.token.canary";
    login.tokens.access_token = "access-canary";
    login.tokens.refresh_token = "refresh-canary";
}

static void teardown(void)
{
    json_decref(claims);
    eh_test_teardown();
}

static const char *created(oidc_session_t **ps)
{
    oidc_session_t *s;
    const char *ticket = NULL;
    apr_status_t rv = oidc_session_create(&ticket, ps ? ps : &s, &fx_ctx, fx_prov, &login, tenants, "192.0.2.7",
                                          eh_test_new_err(), eh_test_pool);

    ck_assert_rv_ok(rv);
    return ticket;
}

static oidc_session_t *loaded(const char *ticket)
{
    oidc_session_t *s = NULL;
    apr_status_t rv = oidc_session_load(&s, &fx_ctx, fx_prov, ticket, tenants, eh_test_new_err(), eh_test_pool);

    ck_assert_rv_ok(rv);
    return s;
}

static void gone(const char *ticket)
{
    oidc_session_t *s = NULL;

    ck_assert_int_ne(oidc_session_load(&s, &fx_ctx, fx_prov, ticket, tenants, eh_test_new_err(), eh_test_pool),
                     APR_SUCCESS);
    ck_assert_msg(eh_test_err.code == EH_E_SESSION_EXPIRED, "EH%04d", (int)eh_test_err.code);
    ck_assert_ptr_null(s);
}

static const char *joined(const char *const *list)
{
    const char *s = "";

    for (; *list; list++)
        s = apr_pstrcat(eh_test_pool, s, *s ? " " : "", *list, NULL);
    return s;
}

/* ---------------------------------------------------------------- tests */

START_TEST(what_is_stored_comes_back)
{
    oidc_session_t *made, *s;
    const char *ticket = created(&made);

    ck_assert_uint_eq(strlen(ticket), 43);
    s = loaded(ticket);
    ck_assert_str_eq(s->ticket_h, oidc_ticket_digest(ticket, eh_test_pool));
    ck_assert_str_eq(s->ticket_h, made->ticket_h);
    ck_assert_str_eq(s->principal->provider, "op");
    ck_assert_str_eq(s->principal->issuer, FX_ISSUER);
    ck_assert_str_eq(s->principal->subject, "sub-canary");
    ck_assert_str_eq(s->principal->account, "899700000013");
    ck_assert_str_eq(s->principal->person, "rpps:99700000013");
    ck_assert_str_eq(s->principal->name, "Zoë Canary");
    ck_assert_str_eq(s->principal->acr, "eidas1");
    ck_assert_int_eq(s->principal->acr_rank, 1);
    ck_assert_str_eq(joined(s->principal->roles), "physician professional");
    ck_assert_str_eq(joined(s->principal->structures), "finess:750000011");
    ck_assert_str_eq(joined(s->principal->tenants), "st-jean");
    ck_assert_str_eq(joined(made->principal->tenants), "st-jean");
    ck_assert_str_eq(json_string_value(json_object_get(s->principal->claims, "email")), "zoe@canary.example");
    ck_assert_uint_eq(strlen(s->principal->log_id), 43);
    ck_assert_str_eq(s->principal->log_id, made->principal->log_id);
    ck_assert(s->principal->auth_time == fx_now - apr_time_from_sec(100));
    ck_assert(s->expires == fx_now - apr_time_from_sec(100) + apr_time_from_sec(14400));
    ck_assert(s->principal->expires == s->expires);
    ck_assert(s->idle == apr_time_from_sec(1800));
    ck_assert_int_eq(s->generation, 1);
    ck_assert_str_ne(ticket, (login.state = new_state(), created(NULL)));
}
END_TEST

START_TEST(the_row_names_nobody)
{
    const char *ticket = created(NULL), *row = cell(&whole_session);
    const char *secrets[] = {"canary", "Canary", "8997", "9970", ticket, "eidas", "physician"};
    apr_size_t i;

    for (i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        ck_assert_ptr_null(strstr(row, secrets[i]));
        ck_assert_ptr_null(strstr(fx_logged, secrets[i]));
        ck_assert_ptr_null(strstr(line, secrets[i]));
    }
}
END_TEST

START_TEST(success_is_audited_in_the_same_transaction)
{
    created(NULL);
    ck_assert_str_eq(cell(&last_event), "login.success ok  op 192.0.2.7");
    ck_assert_int_eq(lines, 1);
    ck_assert_ptr_nonnull(strstr(line, "login.success"));
    ck_assert_str_eq(cell(&count_states), "1");
}
END_TEST

START_TEST(a_state_is_used_once)
{
    oidc_session_t *s;
    const char *ticket;

    created(NULL);
    ck_assert_int_ne(oidc_session_create(&ticket, &s, &fx_ctx, fx_prov, &login, tenants, "192.0.2.7", eh_test_new_err(),
                                         eh_test_pool),
                     APR_SUCCESS);
    ck_assert_int_eq(eh_test_err.code, EH_E_LOGIN_REUSED);
    ck_assert_str_eq(cell(&count_sessions), "1"); /* nothing half-written */
    ck_assert_str_eq(cell(&count_audit), "1");
    ck_assert_int_eq(lines, 1);
}
END_TEST

START_TEST(tickets_that_are_none)
{
    const char *ticket = created(NULL);
    char *changed = apr_pstrdup(eh_test_pool, ticket);

    changed[5] = changed[5] == 'A' ? 'B' : 'A';
    gone(changed);
    gone("");
    gone(NULL);
    gone("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    gone(oidc_ticket_digest(ticket, eh_test_pool)); /* what the database holds is no ticket */
    gone(apr_pstrcat(eh_test_pool, ticket, "A", NULL));
    ck_assert_ptr_null(oidc_ticket_digest("x", eh_test_pool));
    loaded(ticket);
}
END_TEST

/* CVE-2017-6807 of a peer: the session of site A was good on site B. */
START_TEST(no_other_host_or_provider)
{
    const char *ticket = created(NULL);

    fx_ctx.public_url = "https://b.example";
    gone(ticket);
    fx_ctx.public_url = FX_PUBLIC;
    fx_conf.name = "op2";
    fx_resolve();
    gone(ticket);
    /* Not even when somebody edits the row. */
    sql(&rename_provider, "op2", NULL);
    gone(ticket);
    sql(&rename_provider, "op", NULL);
    fx_conf.name = "op";
    fx_resolve();
    loaded(ticket);
    sql(&rename_host, "https://b.example", NULL);
    fx_ctx.public_url = "https://b.example";
    gone(ticket);
}
END_TEST

START_TEST(another_key_file_does_not_open_it)
{
    static const char ring[] = "1 AQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n";
    const char *ticket = created(NULL);
    eh_keyring_t *keys;

    ck_assert_rv_ok(eh_keyring_parse(&keys, ring, sizeof(ring) - 1, eh_test_new_err(), eh_test_pool));
    fx_ctx.keys = keys;
    gone(ticket);
}
END_TEST

START_TEST(a_rotated_key_still_opens_it)
{
    static const char ring[] = "2 AQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n"
                               "1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n";
    const char *ticket = created(NULL), *before = loaded(ticket)->principal->log_id;
    eh_keyring_t *keys;

    ck_assert_rv_ok(eh_keyring_parse(&keys, ring, sizeof(ring) - 1, eh_test_new_err(), eh_test_pool));
    fx_ctx.keys = keys;
    ck_assert_str_eq(loaded(ticket)->principal->log_id, before);
}
END_TEST

START_TEST(the_absolute_end)
{
    const char *ticket = created(NULL);
    oidc_seen_t seen = {oidc_ticket_digest(ticket, eh_test_pool), fx_now + apr_time_from_sec(14299)};

    ck_assert_rv_ok(oidc_seen_flush(&fx_ctx, &seen, 1, eh_test_new_err(), eh_test_pool));
    fx_now += apr_time_from_sec(14299);
    loaded(ticket);
    fx_now += apr_time_from_sec(1); /* four hours after the authentication, which was 100 s before the log-in */
    gone(ticket);
}
END_TEST

START_TEST(idle_time)
{
    const char *ticket = created(NULL);
    oidc_seen_t seen = {oidc_ticket_digest(ticket, eh_test_pool), fx_now + apr_time_from_sec(1000)};
    oidc_seen_t earlier = {seen.ticket_h, fx_now + apr_time_from_sec(500)};

    ck_assert_rv_ok(oidc_seen_flush(&fx_ctx, &seen, 1, eh_test_new_err(), eh_test_pool));
    ck_assert_rv_ok(oidc_seen_flush(&fx_ctx, &earlier, 1, eh_test_new_err(), eh_test_pool));
    ck_assert(apr_atoi64(cell(&seen_of_session)) == seen.seen); /* never backwards */
    fx_now = seen.seen + apr_time_from_sec(1800);
    loaded(ticket);
    fx_now += 1;
    gone(ticket);
}
END_TEST

START_TEST(no_idle_time_and_no_auth_time)
{
    oidc_session_t *s;

    fx_conf.session_idle = 0;
    fx_conf.session_max = 600;
    fx_resolve();
    login.auth_time = 0;
    created(&s);
    ck_assert(s->expires == fx_now + apr_time_from_sec(600));
    ck_assert(s->idle == 0);
    login.state = new_state();
    login.auth_time = fx_now + apr_time_from_sec(30); /* the provider's clock is ahead: not a longer session */
    created(&s);
    ck_assert(s->expires == fx_now + apr_time_from_sec(600));
}
END_TEST

START_TEST(an_old_authentication_starts_no_session)
{
    oidc_session_t *s;
    const char *ticket;

    login.auth_time = fx_now - apr_time_from_sec(14400 - 59);
    ck_assert_int_ne(oidc_session_create(&ticket, &s, &fx_ctx, fx_prov, &login, tenants, "192.0.2.7", eh_test_new_err(),
                                         eh_test_pool),
                     APR_SUCCESS);
    ck_assert_int_eq(eh_test_err.code, EH_E_LOGIN_OLD);
    ck_assert_str_eq(cell(&count_states), "0");
    login.auth_time = fx_now - apr_time_from_sec(14400 - 60);
    created(NULL);
}
END_TEST

START_TEST(grants_join_structures)
{
    const char *ticket = created(NULL);
    const char *person = oidc_person_hash(&fx_ctx, "rpps:99700000013", eh_test_pool);

    sql(&grant, person, NULL);
    sql(&grant_past, person, NULL);
    ck_assert_str_eq(joined(loaded(ticket)->principal->tenants), "granted st-jean");
    sql(&clear_grants, NULL, NULL);
    sql(&grant, oidc_person_hash(&fx_ctx, "rpps:99700000021", eh_test_pool), NULL);
    ck_assert_str_eq(joined(loaded(ticket)->principal->tenants), "st-jean"); /* somebody else's */
}
END_TEST

typedef struct heard_t {
    int n;
    const char *last;
} heard_t;

static void hear(void *baton, const char *ticket_h)
{
    heard_t *h = baton;
    h->n++;
    h->last = apr_pstrdup(eh_test_pool, ticket_h);
}

START_TEST(log_out_ends_tells_and_erases)
{
    oidc_session_t *s;
    const char *ticket = created(&s), *id_token = NULL;
    apr_int64_t seq = -1;
    heard_t heard = {0};
    int more;

    ck_assert_rv_ok(oidc_revocations(&seq, &more, &fx_ctx, hear, &heard, eh_test_new_err(), eh_test_pool));
    ck_assert_int_ge(seq, 0);
    ck_assert_rv_ok(oidc_session_end(&id_token, &fx_ctx, fx_prov, s->ticket_h, "logout.local", s->principal,
                                     "192.0.2.7", eh_test_new_err(), eh_test_pool));
    ck_assert_str_eq(id_token, "id.token.canary");
    gone(ticket);
    ck_assert_str_eq(cell(&sealed_of_session), "");
    ck_assert_str_eq(cell(&last_event), "logout.local ok  op 192.0.2.7");
    ck_assert_rv_ok(oidc_revocations(&seq, &more, &fx_ctx, hear, &heard, eh_test_new_err(), eh_test_pool));
    ck_assert_int_ge(heard.n, 1);
    ck_assert_str_eq(heard.last, s->ticket_h);
    ck_assert_int_eq(more, 0);
    /* Once more: nothing happens. */
    ck_assert_rv_ok(oidc_session_end(&id_token, &fx_ctx, fx_prov, s->ticket_h, "logout.local", NULL, "192.0.2.7",
                                     eh_test_new_err(), eh_test_pool));
    ck_assert_ptr_null(id_token);
    ck_assert_str_eq(cell(&count_revocations), "1");
    ck_assert_str_eq(cell(&count_audit), "2");
    ck_assert_int_eq(lines, 2);
    fx_now += apr_time_from_sec(31);
    heard.n = 0;
    ck_assert_rv_ok(oidc_revocations(&seq, &more, &fx_ctx, hear, &heard, eh_test_new_err(), eh_test_pool));
    ck_assert_int_eq(heard.n, 0);
}
END_TEST

START_TEST(another_host_cannot_end_it)
{
    oidc_session_t *s;
    const char *ticket = created(&s);

    fx_ctx.public_url = "https://b.example";
    ck_assert_rv_ok(oidc_session_end(NULL, &fx_ctx, fx_prov, s->ticket_h, "logout.local", NULL, "", eh_test_new_err(),
                                     eh_test_pool));
    fx_ctx.public_url = FX_PUBLIC;
    loaded(ticket);
    ck_assert_str_eq(cell(&count_revocations), "0");
}
END_TEST

START_TEST(refusals_leave_a_trace_only_when_they_began_here)
{
    eh_err_t why = {.code = EH_E_TOKEN_ACR};

    oidc_login_refused(&fx_ctx, fx_prov, &login, &why, "192.0.2.7", eh_test_pool);
    ck_assert_str_eq(cell(&last_event), "login.refused denied EH4116 op 192.0.2.7");
    ck_assert_int_eq(lines, 1);
    why.code = EH_E_LOGIN_STATE;
    login.state = NULL;
    oidc_login_refused(&fx_ctx, fx_prov, &login, &why, "192.0.2.7", eh_test_pool);
    oidc_login_refused(&fx_ctx, fx_prov, NULL, &why, "192.0.2.7", eh_test_pool);
    ck_assert_str_eq(cell(&count_audit), "1");
    ck_assert_int_eq(lines, 3);
    ck_assert_ptr_null(strstr(line, "9970"));
}
END_TEST

START_TEST(purge_takes_what_is_over)
{
    oidc_session_t *s;
    const char *ticket = created(&s);

    ck_assert_rv_ok(oidc_session_end(NULL, &fx_ctx, fx_prov, s->ticket_h, "logout.local", NULL, "", eh_test_new_err(),
                                     eh_test_pool));
    login.state = new_state();
    ticket = created(&s);
    ck_assert_rv_ok(oidc_purge(&fx_ctx, eh_test_new_err(), eh_test_pool));
    loaded(ticket);
    ck_assert_str_eq(cell(&count_sessions), "2");
    fx_now += apr_time_from_sec(900 + 3600 + 1);
    ck_assert_rv_ok(oidc_purge(&fx_ctx, eh_test_new_err(), eh_test_pool));
    ck_assert_str_eq(cell(&count_states), "0");
    ck_assert_str_eq(cell(&count_revocations), "1");
    fx_now += apr_time_from_sec(86400 + 14400);
    ck_assert_rv_ok(oidc_purge(&fx_ctx, eh_test_new_err(), eh_test_pool));
    ck_assert_str_eq(cell(&count_sessions), "0");
    ck_assert_str_eq(cell(&count_revocations), "0");
    ck_assert_str_eq(cell(&count_audit), "3"); /* the trail stays */
}
END_TEST

START_TEST(many_last_seens)
{
    oidc_seen_t seen[450];
    oidc_session_t *s;
    int i;

    created(&s);
    for (i = 0; i < 450; i++) {
        seen[i].ticket_h = i == 449 ? s->ticket_h : "unknown";
        seen[i].seen = fx_now + 7;
    }
    ck_assert_rv_ok(oidc_seen_flush(&fx_ctx, seen, 450, eh_test_new_err(), eh_test_pool));
    ck_assert(apr_atoi64(cell(&seen_of_session)) == fx_now + 7);
    ck_assert_rv_ok(oidc_seen_flush(&fx_ctx, seen, 0, eh_test_new_err(), eh_test_pool));
}
END_TEST

/* ---------------------------------------------------------------- both databases */

static Suite *suite(const char *name)
{
    Suite *s = suite_create(name);
    TCase *tc = tcase_create("session");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(s, tc);
    tcase_add_test(tc, what_is_stored_comes_back);
    tcase_add_test(tc, the_row_names_nobody);
    tcase_add_test(tc, success_is_audited_in_the_same_transaction);
    tcase_add_test(tc, a_state_is_used_once);
    tcase_add_test(tc, tickets_that_are_none);
    tcase_add_test(tc, no_other_host_or_provider);
    tcase_add_test(tc, another_key_file_does_not_open_it);
    tcase_add_test(tc, a_rotated_key_still_opens_it);
    tcase_add_test(tc, the_absolute_end);
    tcase_add_test(tc, idle_time);
    tcase_add_test(tc, no_idle_time_and_no_auth_time);
    tcase_add_test(tc, an_old_authentication_starts_no_session);
    tcase_add_test(tc, grants_join_structures);
    tcase_add_test(tc, log_out_ends_tells_and_erases);
    tcase_add_test(tc, another_host_cannot_end_it);
    tcase_add_test(tc, refusals_leave_a_trace_only_when_they_began_here);
    tcase_add_test(tc, purge_takes_what_is_over);
    tcase_add_test(tc, many_last_seens);
    return s;
}

/* Runs pg.sh; its first line of output in out. */
static int script(const char *action, char *out, int size)
{
    const char *src = getenv("EH_SRCDIR");
    char command[512];
    FILE *f;
    int rc;

    snprintf(command, sizeof(command), "sh %s/t/unit/pg.sh %s %s", src ? src : ".", action, folder);
    f = popen(command, "r");
    if (!f) return 1;
    if (out && !fgets(out, size, f)) *out = '\0';
    rc = pclose(f);
    return WIFEXITED(rc) ? WEXITSTATUS(rc) : 1;
}

static int run(const char *driver, const char *params)
{
    eh_err_t err = {0};
    apr_pool_t *p;
    SRunner *sr;
    int failed;

    apr_pool_create(&p, NULL);
    eh_dbpool_conf_init(&conf, driver, params);
    fx_log.write = fx_write_log;
    if (eh_migrate(&conf, apr_time_now(), NULL, &fx_log, &err, p)) {
        printf("Bail out! migration of %s: EH%04d %s\n", driver, (int)err.code, err.cause ? err.cause : "");
        return 1;
    }
    sr = srunner_create(suite(driver));
    srunner_set_fork_status(sr, CK_NOFORK);
    srunner_set_tap(sr, "-");
    srunner_run_all(sr, CK_SILENT);
    failed = srunner_ntests_failed(sr) || srunner_ntests_run(sr) != 18;
    srunner_free(sr);
    apr_pool_destroy(p);
    return failed;
}

int main(void)
{
    char path[64], port[64], params[256], command[64];
    int failed, rc;

    apr_initialize();
    if (!mkdtemp(folder)) return 1;
    snprintf(path, sizeof(path), "%s/ehealth.db", folder);
    failed = run("sqlite3", path);
    rc = script("start", port, sizeof(port));
    if (rc == 0) {
        port[strcspn(port, "\n")] = 0;
        snprintf(params, sizeof(params), "host=127.0.0.1 port=%s user=eh dbname=postgres", port);
        failed |= run("pgsql", params);
        script("remove", NULL, 0);
    } else if (rc != 77) {
        failed = 1;
    } else {
        printf("# PostgreSQL is not installed: SQLite only\n");
    }
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    if (system(command)) failed = 1;
    apr_terminate();
    return failed;
}
