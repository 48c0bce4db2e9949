/* SPDX-License-Identifier: Apache-2.0 */
/* The process's input and output: keys and schema in the parent, database and outbound HTTP pools in each child. */
#include "mod_ehealth_config.h"

#include <unistd.h>
#include <apr_strings.h>
#include <sqlite3.h>

#include "ehealth/db_pool.h"
#include "ehealth/http_pool.h"
#include "ehealth/keys.h"

void eh_db_conf(eh_dbpool_conf_t *out, const eh_sconf_t *conf)
{
    eh_dbpool_conf_init(out, conf->db_driver, conf->db_params);
    out->connections = conf->db_connections;
    out->acquire_timeout = apr_time_from_msec(conf->db_acquire_ms);
    out->query_timeout = apr_time_from_msec(conf->db_query_ms);
    out->run_as = geteuid() == 0;
    eh_run_user(&out->uid, &out->gid);
}

/* SQLite is ours alone: its schema is brought up here. PostgreSQL may be down, shared by nodes of different versions, or
 * not ours to change: `ehctl migrate` does it, and children that find another schema answer DB_SCHEMA. */
static void migrate(server_rec *main, const eh_sconf_t *conf, apr_pool_t *ptemp)
{
    eh_dbpool_conf_t db;
    eh_err_t err = {EH_E_NONE};
    int applied = 0;

    if (strcmp(conf->db_driver, "sqlite3")) return;
    eh_db_conf(&db, conf);
    if (eh_migrate(&db, apr_time_now(), &applied, eh_log_of_server(main), &err, ptemp) != APR_SUCCESS) {
        /* A database that is out of order must not keep the whole web server down. */
        eh_log_err(eh_log_of_server(main), EH_LOG_ERR, &err, NULL);
    } else if (applied) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, main, "mod_ehealth: database brought up to date, %d steps", applied);
    }
}

/* Libraries set themselves up on first use: done here, before the fork, the children share what that leaves in memory
 * (half a megabyte each) and start faster. Nothing of it stays open. */
static void warm_up(server_rec *main, const eh_sconf_t *conf, apr_pool_t *ptemp)
{
    static const char sql[] = "CREATE TABLE a (b TEXT PRIMARY KEY, c BIGINT); CREATE INDEX d ON a (c); BEGIN; "
                              "INSERT INTO a VALUES ('x', 1); SELECT c, count(*) FROM a WHERE b = 'x' AND c > 0 GROUP BY "
                              "c ORDER BY c; UPDATE a SET c = 2 WHERE b = 'x'; DELETE FROM a WHERE c = 2; COMMIT";
    eh_httppool_conf_t http = {0};
    eh_http_t *made = NULL;
    sqlite3 *db = NULL;

    http.ca_bundle = conf->ca_bundle;
    eh_httppool_create(&made, &http, eh_log_of_server(main), ptemp);
    if (strcmp(conf->db_driver, "sqlite3") != 0) return;
    if (sqlite3_open(":memory:", &db) == SQLITE_OK) sqlite3_exec(db, sql, NULL, NULL, NULL);
    sqlite3_close(db);
}

apr_status_t eh_io_post_config(apr_pool_t *pconf, apr_pool_t *ptemp, server_rec *main)
{
    const eh_sconf_t *conf = eh_sconf(main);
    eh_keyring_t *ring = NULL;
    eh_err_t err = {EH_E_NONE};
    apr_status_t rv;

    eh_process.keys = NULL;
    if (!eh_config_in_use(main)) return APR_SUCCESS;
    rv = eh_keys_load(&ring, conf->key_file, &err, pconf);
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_CRIT, rv, main, "EH%d: EHealthKeyFile %s: %s", (int)err.code,
                     conf->key_file, err.detail ? err.detail : eh_err_info(err.code)->title[EH_LANG_EN]);
        return rv;
    }
    eh_process.keys = ring;
    migrate(main, conf, ptemp);
    warm_up(main, conf, ptemp);
    return APR_SUCCESS;
}

static int same_text(const char *a, const char *b) { return a == b || (a && b && !strcmp(a, b)); }

static int same_list(const apr_array_header_t *a, const apr_array_header_t *b)
{
    int i;

    if (!a || !b) return a == b;
    if (a->nelts != b->nelts) return 0;
    for (i = 0; i < a->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(a, i, const char *), APR_ARRAY_IDX(b, i, const char *))) return 0;
    }
    return 1;
}

static int same_outbound(const eh_sconf_t *a, const eh_sconf_t *b)
{
    return same_text(a->proxy, b->proxy) && same_list(a->proxy_except, b->proxy_except) &&
           same_text(a->ca_bundle, b->ca_bundle) && a->connect_s == b->connect_s && a->total_s == b->total_s &&
           a->outbound_http == b->outbound_http;
}

static eh_http_t *make_http(server_rec *s, const eh_sconf_t *conf, apr_pool_t *pchild)
{
    eh_httppool_conf_t http = {0};
    eh_http_t *made = NULL;
    const char **except;
    int i;

    http.proxy = conf->proxy && *conf->proxy ? conf->proxy : NULL;
    if (conf->proxy_except) {
        except = apr_pcalloc(pchild, (conf->proxy_except->nelts + 1) * sizeof(*except));
        for (i = 0; i < conf->proxy_except->nelts; i++) {
            except[i] = APR_ARRAY_IDX(conf->proxy_except, i, const char *);
        }
        http.no_proxy = except;
    }
    http.ca_bundle = conf->ca_bundle;
    http.connect_timeout = apr_time_from_sec(conf->connect_s);
    http.total_timeout = apr_time_from_sec(conf->total_s);
    http.user_agent = "mod_ehealth/" EH_VERSION;
    http.http_loopback = conf->outbound_http == EH_OUTBOUND_LOOPBACK;
    /* A failure was logged in words by the pool; requests that need it answer with an error of their own. */
    eh_httppool_create(&made, &http, eh_log_of_server(s), pchild);
    return made;
}

void eh_io_child_init(apr_pool_t *pchild, server_rec *main)
{
    eh_dbpool_conf_t db;
    eh_err_t err = {EH_E_NONE};
    server_rec *s, *t;

    if (!eh_config_in_use(main)) return;
    eh_db_conf(&db, eh_sconf(main));
    if (eh_dbpool_create(&eh_process.db, &db, eh_log_of_server(main), eh_process.metrics, &err, pchild) !=
        APR_SUCCESS) {
        eh_log_err(eh_log_of_server(main), EH_LOG_ERR, &err, NULL);
    }
    for (s = main; s; s = s->next) {
        for (t = main; t != s && !same_outbound(eh_sconf(t), eh_sconf(s)); t = t->next) {
        }
        eh_sconf(s)->http = t != s ? eh_sconf(t)->http : make_http(s, eh_sconf(s), pchild);
    }
}
