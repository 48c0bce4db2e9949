/* SPDX-License-Identifier: Apache-2.0 */
/* A module on mod_ehealth for tests alone: routes, a job and shared memory that show what the base does around them. */
#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <apr_strings.h>
#include <stdatomic.h>
#include <unistd.h>

#include "ehealth/base.h"
#include "ehealth/codec.h"
#include "ehealth/crypto.h"

#define STREAM_LEN 1000000

static const eh_base_t *base;

typedef struct shared_t {
    _Atomic int64_t child_runs, node_runs;
} shared_t;
static void *shared;

/* Answers with the length and digest of the body, read in small pieces. */
static apr_status_t digest_body(const eh_ctx_t *ctx, const eh_req_t *req, eh_res_t *res, eh_err_t *err)
{
    unsigned char digest[EH_SHA256_LEN];
    const char *body;
    apr_size_t len;
    apr_status_t rv = eh_req_body(req, 100000, &body, &len, err);

    if (rv != APR_SUCCESS) return rv;
    if ((rv = eh_sha256(digest, body, len)) != APR_SUCCESS) return rv;
    return eh_res_json(res, 200, json_pack("{s:I, s:s}", "len", (json_int_t)len, "sha256", eh_hex(req->p, digest, 32)),
                       req->p);
}

/* Byte n of the stream is 'a' + n % 26. */
static apr_status_t make_bytes(void *baton, apr_off_t from, apr_off_t len, eh_write_fn *write, void *write_baton)
{
    char piece[777];
    apr_size_t n, i;
    apr_status_t rv;

    while (len > 0) {
        n = len < (apr_off_t)sizeof(piece) ? (apr_size_t)len : sizeof(piece);
        for (i = 0; i < n; i++) {
            piece[i] = (char)('a' + (from + (apr_off_t)i) % 26);
        }
        if (baton && from > STREAM_LEN / 2) return APR_EGENERAL;
        if ((rv = write(write_baton, piece, n)) != APR_SUCCESS) return rv;
        from += n;
        len -= n;
    }
    return APR_SUCCESS;
}

static apr_status_t stream(const eh_ctx_t *ctx, const eh_req_t *req, eh_res_t *res, eh_err_t *err)
{
    res->content_type = "text/plain";
    apr_table_setn(res->headers, "ETag", "\"v1\"");
    res->produce = make_bytes;
    res->produce_baton = strstr(req->query, "break") ? res : NULL;
    res->produce_len = STREAM_LEN;
    return APR_SUCCESS;
}

static apr_status_t said(const eh_ctx_t *ctx, const eh_req_t *req, eh_res_t *res, eh_err_t *err)
{
    const char *name = apr_table_get(req->params, "name");

    apr_table_addn(res->headers, "Set-Cookie", "a=1; Path=/");
    apr_table_addn(res->headers, "Set-Cookie", "b=2; Path=/");
    return eh_res_json(res, 200,
                       json_pack("{s:s, s:s, s:s, s:s}", "name", name ? name : "", "query", req->query, "remote",
                                 req->remote, "public_url", ctx->public_url ? ctx->public_url : ""),
                       req->p);
}

static apr_status_t refuse(const eh_ctx_t *ctx, const eh_req_t *req, eh_res_t *res, eh_err_t *err)
{
    err->retry_after = 7;
    return eh_err_setf(err, req->p, EH_E_DB_DOWN, APR_EGENERAL, "Told by the probe.", "secret cause");
}

static apr_status_t silent(const eh_ctx_t *ctx, const eh_req_t *req, eh_res_t *res, eh_err_t *err)
{
    return APR_EGENERAL;
}

static apr_status_t counts(const eh_ctx_t *ctx, const eh_req_t *req, eh_res_t *res, eh_err_t *err)
{
    shared_t *sh = shared;

    return eh_res_json(res, 200,
                       json_pack("{s:I, s:I, s:i}", "child_runs", (json_int_t)sh->child_runs, "node_runs",
                                 (json_int_t)sh->node_runs, "pid", (int)getpid()),
                       req->p);
}

/* Logs an event whose fields come from the request: what an attacker would try. */
static apr_status_t event(const eh_ctx_t *ctx, const eh_req_t *req, eh_res_t *res, eh_err_t *err)
{
    const char *agent = apr_table_get(req->headers, "User-Agent");
    eh_audit_rec_t rec = {.event = "probe.event",
                          .outcome = EH_OUTCOME_OK,
                          .code = "",
                          .actor = "",
                          .subject = "",
                          .tenant = "",
                          .provider = "",
                          .detail = agent ? agent : ""};

    base->event(req->host, &rec);
    return eh_res_json(res, 200, json_object(), req->p);
}

static const eh_stmt_t insert_row = {
    "probe_insert",
    2,
    {"INSERT INTO eh_probe (id, at) VALUES (%s, %s)", "INSERT INTO eh_probe (id, at) VALUES (%s, %s::bigint)"}};

static apr_status_t insert(eh_tx_t *tx, void *baton, eh_err_t *err, apr_pool_t *ptemp)
{
    const char *args[] = {baton, apr_psprintf(ptemp, "%" APR_TIME_T_FMT, apr_time_now())};

    return eh_tx_exec(tx, &insert_row, args, NULL, err);
}

/* Answers 201 when, and only when, the row whose id is the body is committed. */
static apr_status_t write_row(const eh_ctx_t *ctx, const eh_req_t *req, eh_res_t *res, eh_err_t *err)
{
    const char *id;
    apr_size_t len;
    apr_status_t rv;

    if (!EH_OK(eh_req_body(req, 64, &id, &len, err))) return rv;
    if (!EH_OK(eh_db_run(ctx->db, EH_DB_WRITE, insert, (void *)id, err, req->p))) return rv;
    return eh_res_json(res, 201, json_object(), req->p);
}

static const eh_route_t routes[] = {
    {"POST", "/.ehealth/probe/write", EH_ROUTE_PUBLIC, NULL, 64, write_row},
    {"POST", "/.ehealth/probe/body", EH_ROUTE_PUBLIC, NULL, 100000, digest_body},
    {"POST", "/.ehealth/probe/same-site", EH_ROUTE_PUBLIC | EH_ROUTE_SAME_SITE, NULL, 100, said},
    {"GET", "/.ehealth/probe/stream", EH_ROUTE_PUBLIC, NULL, 0, stream},
    {"GET", "/.ehealth/probe/said/{name}", EH_ROUTE_PUBLIC, NULL, 0, said},
    {"GET", "/.ehealth/probe/limited", EH_ROUTE_PUBLIC, "probe", 0, said},
    {"GET", "/.ehealth/probe/members", 0, NULL, 0, said},
    {"GET", "/.ehealth/probe/refuse", EH_ROUTE_PUBLIC | EH_ROUTE_PAGE, NULL, 0, refuse},
    {"GET", "/.ehealth/probe/silent", EH_ROUTE_PUBLIC, NULL, 0, silent},
    {"GET", "/.ehealth/probe/counts", EH_ROUTE_PUBLIC, NULL, 0, counts},
    {"GET", "/.ehealth/probe/event", EH_ROUTE_PUBLIC, NULL, 0, event},
};

static apr_status_t count_run(void *baton, const eh_ctx_t *ctx, apr_pool_t *p)
{
    shared_t *sh = shared;

    atomic_fetch_add(baton ? &sh->node_runs : &sh->child_runs, 1);
    return APR_SUCCESS;
}

static apr_status_t always_fails(void *baton, const eh_ctx_t *ctx, apr_pool_t *p) { return APR_EGENERAL; }

static int on_node;
static const eh_job_t jobs[] = {
    {"probe-child", EH_JOB_CHILD, apr_time_from_msec(50), count_run, NULL},
    {"probe-node", EH_JOB_NODE, apr_time_from_msec(50), count_run, &on_node},
    {"probe-fails", EH_JOB_NODE, apr_time_from_msec(50), always_fails, NULL},
};

static json_t *status(server_rec *s, apr_pool_t *p) { return json_pack("{s:s}", "says", "hello"); }

static int pre_config(apr_pool_t *p, apr_pool_t *plog, apr_pool_t *ptemp)
{
    APR_OPTIONAL_FN_TYPE(eh_base_get) *get = APR_RETRIEVE_OPTIONAL_FN(eh_base_get);
    apr_size_t i;

    base = get ? get(EH_BASE_MAGIC) : NULL;
    if (!base || get(EH_BASE_MAGIC + 1)) return HTTP_INTERNAL_SERVER_ERROR;
    base->add_routes(routes, sizeof(routes) / sizeof(routes[0]));
    base->add_shared("probe", sizeof(shared_t), &shared);
    base->add_status("probe", status);
    for (i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++) {
        if (jobs[i].run != always_fails || ap_exists_config_define("EHPROBE_FAILS")) base->add_job(&jobs[i]);
    }
    return OK;
}

/* "SetHandler ehprobe-fail": an error told by a module outside of the prefix, from a hook before the handler. */
static int fail_early(request_rec *r)
{
    eh_err_t err = {EH_E_LOGIN_REQUIRED};

    return r->handler && !strcmp(r->handler, "ehprobe-fail") ? base->fail(r, &err) : DECLINED;
}

static void register_hooks(apr_pool_t *p)
{
    ap_hook_pre_config(pre_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_fixups(fail_early, NULL, NULL, APR_HOOK_LAST);
}

AP_DECLARE_MODULE(ehprobe) = {STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, register_hooks};
