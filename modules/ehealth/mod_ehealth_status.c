/* SPDX-License-Identifier: Apache-2.0 */
/* What the server tells about itself: status (JSON, text, page) and metrics (Prometheus), to whom EHealthStatusAllow
 * names. Nothing here is about a person. */
#include "mod_ehealth.h"

#include <http_protocol.h>
#include <ap_mpm.h>
#include <apr_strings.h>

#include "ehealth/codec.h"
#include "ehealth/crypto.h"
#include "ehealth/db_pool.h"
#include "ehealth/http_pool.h"
#include "ehealth/json.h"

#define EH_STATUS_HOSTS 64 /* outbound hosts listed */
#define EH_HEADINGS 6      /* levels that HTML has */
#define EH_STATUS_DEPTH 8  /* of nested objects in the text form */

/* --- the base's own metrics --- */

const eh_metric_def_t eh_base_metrics[] = {
    [EH_M_REQ_OK] = {"ehealth_requests_total", "result=\"ok\"", EH_COUNTER, "Requests under the reserved prefix."},
    [EH_M_REQ_ERROR] = {"ehealth_requests_total", "result=\"error\"", EH_COUNTER,
                        "Requests under the reserved prefix."},
    [EH_M_LIMITED] = {"ehealth_limited_total", "", EH_COUNTER, "Requests refused by a rate limit."},
    [EH_M_CROSS_SITE] = {"ehealth_cross_site_total", "", EH_COUNTER,
                         "Requests refused because another site sent them."},
    [EH_M_JOB_OK] = {"ehealth_jobs_total", "result=\"ok\"", EH_COUNTER, "Runs of background jobs."},
    [EH_M_JOB_FAILED] = {"ehealth_jobs_total", "result=\"failed\"", EH_COUNTER, "Runs of background jobs."},
    [EH_M_JOB_LATE] = {"ehealth_jobs_late_total", "", EH_COUNTER, "Runs of background jobs that took over a second."},
    [EH_M_JOB_TIME] = {"ehealth_job_seconds", "", EH_HISTOGRAM, "Duration of runs of background jobs."},
    [EH_M_REQ_TIME] = {"ehealth_request_seconds", "", EH_HISTOGRAM, "Duration of requests under the reserved prefix."},
    [EH_M_EVENT_LOST] = {"ehealth_events_lost_total", "", EH_COUNTER,
                         "Events that could not be written to the event log."},
};
const int eh_base_nmetrics = EH_M_BASE_COUNT;

/* The base registers first, so that its definitions have the first indexes (eh_shm_layout asserts it). */
void eh_count(eh_base_metric_e which, int64_t n) { eh_metrics_add(eh_process.metrics, (int)which, n); }
void eh_observe(eh_base_metric_e which, int64_t micros) { eh_metrics_observe(eh_process.metrics, (int)which, micros); }

/* --- access --- */

/* The machine itself. A front-end proxy on the same machine makes everybody look local, unless mod_remoteip has put the
 * real client in place: then what the proxy adds is the sign. */
static int is_local(request_rec *r)
{
    static const char *const proxied[] = {"X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"};
    apr_ipsubnet_t *v4, *v6;
    apr_size_t i;

    for (i = 0; i < sizeof(proxied) / sizeof(proxied[0]); i++) {
        if (r->useragent_addr == r->connection->client_addr && apr_table_get(r->headers_in, proxied[i])) return 0;
    }
    return (apr_ipsubnet_create(&v4, "127.0.0.0", "8", r->pool) == APR_SUCCESS &&
            apr_ipsubnet_test(v4, r->useragent_addr)) ||
           (apr_ipsubnet_create(&v6, "::1", NULL, r->pool) == APR_SUCCESS && apr_ipsubnet_test(v6, r->useragent_addr));
}

static int allowed(request_rec *r)
{
    const apr_array_header_t *list = eh_sconf(r->server)->status_allow;
    int i;

    if (!list) return is_local(r);
    for (i = 0; i < list->nelts; i++) {
        const eh_allow_t *a = &APR_ARRAY_IDX(list, i, eh_allow_t);

        if (a->net ? apr_ipsubnet_test(a->net, r->useragent_addr) : is_local(r)) return 1;
    }
    return 0;
}

static int gate(request_rec *r, int *answer)
{
    if (r->method_number != M_GET) {
        apr_table_setn(r->err_headers_out, "Allow", "GET, HEAD");
        *answer = eh_fail_code(r, EH_E_METHOD, NULL);
        return 0;
    }
    if (!allowed(r)) {
        *answer =
            eh_fail_code(r, EH_E_DENIED, "Status and metrics are for the addresses that EHealthStatusAllow names.");
        return 0;
    }
    return 1;
}

/* --- content --- */

static json_t *time_or_null(apr_time_t t, apr_pool_t *p)
{
    return t ? json_string(eh_time_rfc3339(p, t)) : json_null();
}

static json_t *database_json(server_rec *s, apr_pool_t *p)
{
    const eh_sconf_t *conf = eh_sconf(s);
    json_t *j = json_object();
    eh_dbpool_stat_t stat;
    eh_err_t err = {EH_E_NONE};

    json_object_set_new(j, "driver", json_string(conf->db_driver));
    json_object_set_new(j, "reachable", json_false());
    if (!eh_process.db) return j;
    eh_dbpool_stat(eh_process.db, &stat); /* before the probe below: it shows what requests find */
    json_object_set_new(j, "connections", json_integer(stat.connections));
    json_object_set_new(j, "connected", json_integer(stat.connected));
    json_object_set_new(j, "in_use", json_integer(stat.in_use));
    json_object_set_new(j, "breaker_open", json_boolean(stat.breaker_open));
    if (eh_migrate_check(eh_process.db, &err, p) == APR_SUCCESS || err.code == EH_E_DB_SCHEMA) {
        json_object_set_new(j, "reachable", json_true());
    }
    json_object_set_new(j, "error", err.code ? json_string(eh_err_tag(p, err.code)) : json_null());
    return j;
}

static json_t *keys_json(apr_pool_t *p)
{
    apr_uint32_t ids[EH_KEYRING_MAX];
    json_t *list = json_array();
    apr_time_t created;
    int i, n = eh_process.keys ? eh_keyring_ids(eh_process.keys, ids, EH_KEYRING_MAX) : 0;

    for (i = 0; i < n; i++) {
        created = eh_keyring_created(eh_process.keys, ids[i]);
        json_array_append_new(
            list,
            json_pack("{s:I, s:b, s:o, s:o}", "id", (json_int_t)ids[i], "current",
                      ids[i] == eh_keyring_current(eh_process.keys), "created", time_or_null(created, p), "age_days",
                      created ? json_integer((apr_time_now() - created) / apr_time_from_sec(86400)) : json_null()));
    }
    return list;
}

static json_t *jobs_json(apr_pool_t *p)
{
    static const char *const scopes[] = {"child", "node", "cluster"};
    json_t *list = json_array();
    int i;

    for (i = 0; i < eh_process.reg.njobs; i++) {
        const eh_job_t *job = &eh_process.reg.jobs[i];
        const eh_job_state_t *st = &eh_process.jobs[i];

        json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:o, s:I, s:I, s:o, s:i}", "name", job->name, "scope",
                                              scopes[job->scope], "last_run", time_or_null(st->last_run, p), "last_ok",
                                              time_or_null(st->last_ok, p), "runs", (json_int_t)st->runs, "failures",
                                              (json_int_t)st->failures, "error",
                                              st->last_code ? json_string(eh_err_tag(p, st->last_code)) : json_null(),
                                              "pid", (int)st->pid));
    }
    return list;
}

static json_t *outbound_json(server_rec *s, apr_pool_t *p)
{
    eh_httppool_host_t hosts[EH_STATUS_HOSTS];
    json_t *list = json_array();
    int i, n = eh_sconf(s)->http ? eh_httppool_hosts(eh_sconf(s)->http, hosts, EH_STATUS_HOSTS, p) : 0;

    for (i = 0; i < n; i++) {
        json_array_append_new(list,
                              json_pack("{s:s, s:i, s:i, s:b, s:o}", "host", hosts[i].host, "in_flight",
                                        hosts[i].in_flight, "fails", hosts[i].fails, "breaker_open", hosts[i].open,
                                        "until", time_or_null(hosts[i].open ? hosts[i].until : 0, p)));
    }
    return list;
}

static json_t *status_json(request_rec *r)
{
    apr_pool_t *p = r->pool;
    const eh_registry_t *reg = &eh_process.reg;
    apr_time_t now = apr_time_now();
    json_t *j = json_object(), *more;
    int generation = 0, i;

    ap_mpm_query(AP_MPMQ_GENERATION, &generation);
    json_object_set_new(j, "version", json_string(EH_VERSION));
    json_object_set_new(j, "now", time_or_null(now, p));
    json_object_set_new(j, "started", time_or_null(*eh_process.started, p));
    json_object_set_new(j, "uptime_s", json_integer(apr_time_sec(now - *eh_process.started)));
    json_object_set_new(j, "configured", time_or_null(eh_process.generation_started, p));
    json_object_set_new(j, "generation", json_integer(generation));
    json_object_set_new(j, "pid", json_integer(getpid()));
    json_object_set_new(j, "mpm", json_string(ap_show_mpm()));
    json_object_set_new(j, "public_url",
                        eh_sconf(r->server)->public_url ? json_string(eh_sconf(r->server)->public_url) : json_null());
    json_object_set_new(j, "database", database_json(r->server, p));
    json_object_set_new(j, "keys", keys_json(p));
    json_object_set_new(j, "jobs", jobs_json(p));
    json_object_set_new(j, "outbound", outbound_json(r->server, p));
    for (i = 0; i < reg->nstatus; i++) {
        more = reg->status[i].fn(r->server, p);
        if (more) json_object_set_new(j, reg->status[i].key, more);
    }
    return j;
}

/* --- forms --- */

/* "database.reachable: true", one value a line, as mod_status' ?auto. */
static void put_text(request_rec *r, const char *path, const json_t *j, int depth)
{
    const char *key;
    json_t *value;
    apr_size_t i;

    if (depth > EH_STATUS_DEPTH) return;
    if (json_is_object(j)) {
        json_object_foreach((json_t *)j, key, value)
        {
            put_text(r, *path ? apr_pstrcat(r->pool, path, ".", key, NULL) : key, value, depth + 1);
        }
    } else if (json_is_array(j)) {
        json_array_foreach(j, i, value)
        {
            key = eh_json_str(value, "name");
            put_text(r, apr_psprintf(r->pool, "%s[%s]", path, key ? key : apr_itoa(r->pool, (int)i)), value, depth + 1);
        }
    } else if (json_is_string(j)) {
        ap_rprintf(r, "%s: %s\n", path, json_string_value(j));
    } else if (json_is_integer(j)) {
        ap_rprintf(r, "%s: %" APR_INT64_T_FMT "\n", path, (apr_int64_t)json_integer_value(j));
    } else {
        ap_rprintf(r, "%s: %s\n", path, json_is_true(j) ? "true" : json_is_false(j) ? "false" : "-");
    }
}

static int is_scalar(const json_t *j) { return !json_is_object(j) && !json_is_array(j); }

static const char *scalar_html(apr_pool_t *p, const json_t *j)
{
    if (json_is_string(j)) return eh_html(p, json_string_value(j));
    if (json_is_integer(j)) return apr_psprintf(p, "%" APR_INT64_T_FMT, (apr_int64_t)json_integer_value(j));
    return json_is_true(j) ? "yes" : json_is_false(j) ? "no" : "–";
}

/* The members that are single values, one a row. */
static void put_pairs(request_rec *r, const json_t *obj)
{
    const char *key;
    json_t *value;

    ap_rputs("<table><tbody>\n", r);
    json_object_foreach((json_t *)obj, key, value)
    {
        if (!is_scalar(value)) continue;
        ap_rvputs(r, "<tr><th scope=\"row\">", eh_html(r->pool, key), "</th><td>", scalar_html(r->pool, value),
                  "</td></tr>\n", NULL);
    }
    ap_rputs("</tbody></table>\n", r);
}

/* Things of a kind: one a row, the members of the first as columns. */
static void put_list(request_rec *r, const char *title, const json_t *list)
{
    const json_t *first = json_array_get(list, 0);
    const char *key;
    json_t *item, *value;
    apr_size_t i;

    if (!first) {
        ap_rputs("<p>none</p>\n", r);
        return;
    }
    if (!json_is_object(first)) {
        ap_rputs("<ul>\n", r);
        json_array_foreach((json_t *)list, i, item)
        {
            if (is_scalar(item)) ap_rvputs(r, "<li>", scalar_html(r->pool, item), "</li>\n", NULL);
        }
        ap_rputs("</ul>\n", r);
        return;
    }
    /* in a frame that scrolls by itself, so that the page does not on a phone; reachable by keyboard */
    ap_rvputs(r, "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"", eh_html(r->pool, title),
              "\"><table><thead><tr>", NULL);
    json_object_foreach((json_t *)first, key, value)
        ap_rvputs(r, "<th scope=\"col\">", eh_html(r->pool, key), "</th>", NULL);
    ap_rputs("</tr></thead><tbody>\n", r);
    json_array_foreach((json_t *)list, i, item)
    {
        ap_rputs("<tr>", r);
        json_object_foreach((json_t *)first, key, value)
        {
            const json_t *cell = json_object_get(item, key);

            ap_rvputs(r, "<td>", cell && is_scalar(cell) ? scalar_html(r->pool, cell) : "–", "</td>", NULL);
        }
        ap_rputs("</tr>\n", r);
    }
    ap_rputs("</tbody></table></div>\n", r);
}

static void put_section(request_rec *r, const char *title, const json_t *j, int level)
{
    const char *h = apr_itoa(r->pool, level), *key;
    json_t *value;

    if (level > EH_HEADINGS) return;
    ap_rvputs(r, "<h", h, ">", eh_html(r->pool, title), "</h", h, ">\n", NULL);
    if (json_is_array(j)) {
        put_list(r, title, j);
        return;
    }
    put_pairs(r, j);
    json_object_foreach((json_t *)j, key, value)
    {
        if (!is_scalar(value)) put_section(r, key, value, level + 1);
    }
}

static const char style[] =
    ":root{color-scheme:light dark}"
    "body{font:1rem/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .6rem;"
    "border-bottom:1px solid #8886;font-weight:400;overflow-wrap:anywhere}"
    "td{font-variant-numeric:tabular-nums}thead th{font-weight:600}tbody th{width:40%;max-width:14rem}"
    ".wide{overflow-x:auto}.wide td,.wide th{overflow-wrap:normal;white-space:nowrap}h2{font-size:1.25rem;margin:2rem "
    "0 .5rem}h3{font-size:1rem;margin:1rem 0 0}";

static const char *style_csp(apr_pool_t *p)
{
    unsigned char digest[EH_SHA256_LEN];

    if (eh_sha256(digest, style, sizeof(style) - 1) != APR_SUCCESS) return NULL;
    return apr_pstrcat(p, "default-src 'none'; style-src 'sha256-", eh_b64(p, digest, sizeof(digest)),
                       "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'", NULL);
}

/* For administrators: in English like the configuration and the log. */
static void put_page(request_rec *r, const json_t *j)
{
    ap_rvputs(r, "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">",
              "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>eHealth status</title>",
              "<style>", style, "</style></head>\n<body><main>\n", NULL);
    put_section(r, "eHealth status", j, 1);
    ap_rputs("</main></body></html>\n", r);
}

int eh_status_handler(request_rec *r)
{
    int answer;
    json_t *j;
    char *text;

    if (!gate(r, &answer)) return answer;
    j = eh_json_own(status_json(r), r->pool);
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    if (r->args && !strncmp(r->args, "auto", 4)) {
        eh_security_headers(r->headers_out, NULL);
        ap_set_content_type(r, "text/plain; charset=utf-8");
        put_text(r, "", j, 0);
        return OK;
    }
    if (eh_is_navigation(r)) {
        eh_security_headers(r->headers_out, style_csp(r->pool));
        ap_set_content_type(r, "text/html; charset=utf-8");
        put_page(r, j);
        return OK;
    }
    eh_security_headers(r->headers_out, NULL);
    ap_set_content_type(r, "application/json");
    text = json_dumps(j, JSON_INDENT(1));
    if (text) ap_rputs(text, r);
    ap_rputs("\n", r);
    free(text);
    return OK;
}

int eh_metrics_handler(request_rec *r)
{
    int answer;

    if (!gate(r, &answer)) return answer;
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    eh_security_headers(r->headers_out, NULL);
    ap_set_content_type(r, "text/plain; version=0.0.4; charset=utf-8");
    ap_rputs(eh_metrics_prometheus(eh_process.metrics, r->pool), r);
    return OK;
}

/* --- the same under the reserved prefix --- */

static apr_status_t status_route(const eh_ctx_t *ctx, const eh_req_t *req, eh_res_t *res, eh_err_t *err)
{
    eh_status_handler(req->host);
    res->status = DONE;
    return APR_SUCCESS;
}

static apr_status_t metrics_route(const eh_ctx_t *ctx, const eh_req_t *req, eh_res_t *res, eh_err_t *err)
{
    eh_metrics_handler(req->host);
    res->status = DONE;
    return APR_SUCCESS;
}

const eh_route_t eh_base_routes[] = {
    {"GET", EH_PREFIX "status", EH_ROUTE_PUBLIC, NULL, 0, status_route},
    {"GET", EH_PREFIX "metrics", EH_ROUTE_PUBLIC, NULL, 0, metrics_route},
};
const int eh_base_nroutes = sizeof(eh_base_routes) / sizeof(eh_base_routes[0]);
