/* SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <string.h>
#include <unistd.h>

#include "http_int.h"

#define SET(opt, value) \
    if (cc == CURLE_OK) cc = curl_easy_setopt(x->slot->easy, opt, value)

static CURLcode set_policy(eh_exchange_t *x)
{
    const eh_httppool_conf_t *conf = &x->pool->conf;
    CURLcode cc = CURLE_OK;

    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); /* do not wait past the deadline for a resolver thread */
    SET(CURLOPT_PROTOCOLS_STR, x->plain ? "http" : "https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1); /* one exchange a connection at a time: h2 gains nothing */
    SET(CURLOPT_ACCEPT_ENCODING, (char *)NULL);
    SET(CURLOPT_USERAGENT, conf->user_agent);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_CAINFO, (char *)NULL); /* trust comes from the pool's store, in eh_tls_setup */
    SET(CURLOPT_CAPATH, (char *)NULL);
    SET(CURLOPT_SSL_CTX_FUNCTION, eh_tls_setup);
    SET(CURLOPT_SSL_CTX_DATA, x->slot);
    SET(CURLOPT_MAXCONNECTS, 2L);
    SET(CURLOPT_MAXAGE_CONN, (long)EH_HTTP_KEEP_IDLE);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_LOW_SPEED_LIMIT, (long)EH_HTTP_LOW_SPEED);
    SET(CURLOPT_LOW_SPEED_TIME, (long)conf->low_time);
    /* Explicit both ways: unset, libcurl would read http_proxy and no_proxy from the environment. */
    SET(CURLOPT_PROXY, x->direct ? "" : conf->proxy);
    SET(CURLOPT_NOPROXY, "");
    SET(CURLOPT_HTTPPROXYTUNNEL, x->direct ? 0L : 1L);
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    return cc;
}

static CURLcode set_request(eh_exchange_t *x, apr_time_t deadline)
{
    const eh_http_req_t *req = x->req;
    apr_time_t left = (deadline - eh_mono_now()) / 1000, connect = x->pool->conf.connect_timeout / 1000;
    int posts = !strcmp(req->method, "POST");
    CURLcode cc = CURLE_OK;

    if (left < 1) left = 1;
    SET(CURLOPT_TIMEOUT_MS, (long)left);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)(connect < left ? connect : left));
    SET(CURLOPT_CURLU, x->url);
    SET(CURLOPT_HTTPHEADER, x->headers);
    SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)x->answer.cap);
    SET(CURLOPT_ERRORBUFFER, x->says);
    SET(CURLOPT_WRITEFUNCTION, eh_answer_body);
    SET(CURLOPT_WRITEDATA, &x->answer);
    SET(CURLOPT_HEADERFUNCTION, eh_answer_header);
    SET(CURLOPT_HEADERDATA, &x->answer);
    if (req->body || posts) {
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(req->body ? req->body_len : 0));
        SET(CURLOPT_POSTFIELDS, req->body ? req->body : "");
    }
    if (!strcmp(req->method, "HEAD")) {
        SET(CURLOPT_NOBODY, 1L);
    } else if (!posts && (req->body || strcmp(req->method, "GET"))) {
        SET(CURLOPT_CUSTOMREQUEST, req->method);
    }
    if (req->basic_user) {
        SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        SET(CURLOPT_USERNAME, req->basic_user);
        SET(CURLOPT_PASSWORD, req->basic_password ? req->basic_password : "");
    }
    if (req->cert) {
        SET(CURLOPT_SSLCERT, req->cert->cert_file);
        SET(CURLOPT_SSLKEY, req->cert->key_file ? req->cert->key_file : req->cert->cert_file);
    }
    return cc;
}
#undef SET

static int is_tls_failure(const eh_exchange_t *x, CURLcode cc, const char *says)
{
    switch (cc) {
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CLIENTCERT: return 1;
    /* TLS 1.3 tells of a missing client certificate only after the handshake, and a reset may swallow what it tells. */
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
        return (x->slot->seen.asked && x->answer.head_lines == 0) ||
               (strstr(says, "SSL routines") && strstr(says, " alert "));
    default: return 0;
    }
}

/* What went wrong on the way to or from the peer, in a sentence that anybody may read. */
static const char *transport_words(eh_exchange_t *x, CURLcode cc)
{
    long via = 0;

    curl_easy_getinfo(x->slot->easy, CURLINFO_HTTP_CONNECTCODE, &via);
    if (!x->direct && via == 407) return "The outbound proxy does not accept this server's user name and password.";
    if (!x->direct && via >= 300)
        return apr_psprintf(x->p, "The outbound proxy refuses connections to %s (status %d).", x->host, (int)via);
    switch (cc) {
    case CURLE_COULDNT_RESOLVE_PROXY: return "The name of the outbound proxy cannot be resolved.";
    case CURLE_COULDNT_RESOLVE_HOST: return apr_psprintf(x->p, "The name %s cannot be resolved.", x->host);
    case CURLE_COULDNT_CONNECT:
        return x->direct ? apr_psprintf(x->p, "%s does not accept connections.", x->host)
                         : "The outbound proxy does not accept connections.";
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
        return apr_psprintf(x->p, "%s closed the connection before its answer was complete.", x->host);
    default: return apr_psprintf(x->p, "The answer of %s is not usable.", x->host);
    }
}

static apr_status_t failed(eh_exchange_t *x, CURLcode cc, eh_err_t *err, eh_peer_e *outcome)
{
    const char *says = *x->says ? x->says : curl_easy_strerror(cc), *detail, *cause;

    *outcome = EH_OUTCOME_BAD;
    if (x->answer.too_large || cc == CURLE_FILESIZE_EXCEEDED) {
        *outcome = EH_OUTCOME_GOOD; /* it answers */
        return eh_err_setf(err, x->p, EH_E_HTTP_TOO_LARGE, APR_ENOSPC, NULL,
                           "%s: more than %" APR_SIZE_T_FMT " bytes of body, or %d lines or %d bytes of headers",
                           x->key, x->answer.cap, EH_HTTP_MAX_HEADERS, EH_HTTP_MAX_HEADER_BYTES);
    }
    if (x->answer.refused) {
        return eh_err_setf(err, x->p, EH_E_HTTP_UNREACHABLE, APR_EGENERAL, transport_words(x, CURLE_OK), "%s: %s",
                           x->key, x->answer.refused);
    }
    if (cc == CURLE_OPERATION_TIMEDOUT) {
        return eh_err_setf(err, x->p, EH_E_HTTP_TIMEOUT, APR_TIMEUP,
                           apr_psprintf(x->p, "%s did not answer in time.", x->host), "%s: %s", x->key, says);
    }
    if (cc == CURLE_SSL_CERTPROBLEM) { /* our file, not the peer */
        *outcome = EH_OUTCOME_NONE;
        return eh_err_setf(err, x->p, EH_E_CONFIG, APR_EINVAL,
                           apr_psprintf(x->p, "The client certificate %s or its key cannot be used.",
                                        x->req->cert ? x->req->cert->cert_file : ""),
                           "%s", says);
    }
    if (cc == CURLE_OUT_OF_MEMORY || cc == CURLE_FAILED_INIT || cc == CURLE_UNKNOWN_OPTION ||
        cc == CURLE_NOT_BUILT_IN || (cc == CURLE_WRITE_ERROR)) {
        *outcome = EH_OUTCOME_NONE;
        return eh_err_setf(err, x->p, EH_E_INTERNAL, APR_ENOMEM, NULL, "%s: %s", x->key, says);
    }
    if (is_tls_failure(x, cc, says)) {
        eh_tls_words(&detail, &cause, &x->slot->seen, cc, says, x->host, x->p);
        return eh_err_setf(err, x->p, EH_E_HTTP_TLS, APR_EGENERAL, detail, "%s: %s", x->key, cause);
    }
    return eh_err_setf(err, x->p, EH_E_HTTP_UNREACHABLE, APR_EGENERAL, transport_words(x, cc), "%s: %s", x->key, says);
}

static apr_status_t run(eh_exchange_t *x, apr_time_t deadline, eh_err_t *err)
{
    apr_time_t begun = eh_mono_now();
    eh_peer_e outcome = EH_OUTCOME_GOOD;
    apr_status_t rv = APR_SUCCESS;
    CURLcode cc = set_policy(x);

    if (cc == CURLE_OK) cc = set_request(x, deadline);
    if (cc == CURLE_OK) cc = curl_easy_perform(x->slot->easy);
    if (cc == CURLE_OK) {
        long status = 0;

        curl_easy_getinfo(x->slot->easy, CURLINFO_RESPONSE_CODE, &status);
        x->answer.res->status = (int)status;
        x->answer.res->cert_expires = x->slot->seen.expires;
        eh_answer_read(&x->answer);
    }
    if (cc != CURLE_OK || x->answer.refused) {
        rv = failed(x, cc, err, &outcome);
    } else if (x->answer.res->status >= 500) {
        outcome = EH_OUTCOME_BAD;
    }
    if (x->pool->log && x->pool->log->level >= EH_LOG_DEBUG) {
        eh_log(x->pool->log, EH_LOG_DEBUG, 0, "", "%s %s: %d, %d ms, %" APR_SIZE_T_FMT " bytes", x->req->method, x->key,
               x->answer.res->status, (int)((eh_mono_now() - begun) / 1000), x->answer.len);
    }
    eh_slot_give(x->pool, x->slot, cc == CURLE_OK && !x->answer.refused, outcome);
    return rv;
}

static apr_status_t perform(eh_http_t *http, const eh_http_req_t *req, eh_http_res_t **pres, eh_err_t *err,
                            apr_pool_t *p)
{
    eh_httppool_t *pool = (eh_httppool_t *)http;
    eh_exchange_t x = {.pool = pool, .req = req, .p = p};
    apr_interval_time_t timeout = req->timeout > 0 ? req->timeout : pool->conf.total_timeout;
    apr_time_t deadline = eh_mono_now() + (timeout < EH_HTTP_MAX_TIMEOUT ? timeout : EH_HTTP_MAX_TIMEOUT);
    apr_status_t rv;

    if (pool->pid != getpid())
        return eh_err_setf(err, p, EH_E_INTERNAL, APR_EINVAL, NULL, "the HTTP pool was made before a fork");
    eh_answer_begin(&x.answer, req->max_response ? req->max_response : EH_HTTP_MAX_RESPONSE, p);
    if (EH_OK(eh_request_url(&x, err)) && EH_OK(eh_request_headers(&x, err)) && EH_OK(eh_request_cert(&x, err)) &&
        EH_OK(eh_slot_take(&x.slot, pool, x.key, x.ident, deadline, err, p))) {
        rv = run(&x, deadline, err);
    }
    eh_answer_end(&x.answer);
    eh_request_done(&x);
    if (rv == APR_SUCCESS) *pres = x.answer.res;
    return rv;
}

/* --- the pool --- */

static const eh_http_ops_t ops = {perform};
static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_ready;

/* Never undone: other users of libcurl in the process may still need it. */
static void init_curl(void) { curl_ready = curl_global_init(CURL_GLOBAL_DEFAULT); }

static apr_status_t destroy(void *data)
{
    eh_httppool_t *pool = data;
    int i;

    /* A forked child must not say good-bye on connections that it shares with its parent. */
    if (pool->pid != getpid()) return APR_SUCCESS;
    for (i = 0; i < pool->conf.max_handles; i++) {
        if (pool->slots[i].easy) curl_easy_cleanup(pool->slots[i].easy);
    }
    pthread_cond_destroy(&pool->freed);
    pthread_mutex_destroy(&pool->lock);
    return APR_SUCCESS;
}

static const char *const *copy_list(const char *const *list, apr_pool_t *p)
{
    const char **out;
    int n = 0, i;

    while (list && list[n])
        n++;
    out = apr_pcalloc(p, sizeof(*out) * (apr_size_t)(n + 1));
    for (i = 0; i < n; i++)
        out[i] = apr_pstrdup(p, list[i]);
    return out;
}

static void settle(eh_httppool_conf_t *c, const eh_httppool_conf_t *from, apr_pool_t *p)
{
    *c = *from;
    c->proxy = apr_pstrdup(p, from->proxy);
    c->ca_bundle = apr_pstrdup(p, from->ca_bundle);
    c->user_agent = apr_pstrdup(p, from->user_agent ? from->user_agent : "ehealth");
    c->no_proxy = copy_list(from->no_proxy, p);
    if (c->connect_timeout <= 0) c->connect_timeout = apr_time_from_sec(3);
    if (c->total_timeout <= 0) c->total_timeout = apr_time_from_sec(10);
    if (c->max_wait <= 0) c->max_wait = apr_time_from_msec(500);
    if (c->max_handles <= 0) c->max_handles = 16;
    if (c->max_per_host <= 0) c->max_per_host = c->max_handles > 1 ? c->max_handles / 2 : 1;
    if (c->max_waiting == 0) c->max_waiting = 16;
    if (c->max_waiting < 0) c->max_waiting = 0;
    if (c->low_time <= 0) c->low_time = EH_HTTP_LOW_TIME;
}

static apr_status_t complain(const eh_log_t *log, const char *what)
{
    if (log) eh_log(log, EH_LOG_ERR, APR_EINVAL, "EH1001", "%s", what);
    return APR_EINVAL;
}

apr_status_t eh_httppool_create(eh_http_t **phttp, const eh_httppool_conf_t *conf, const eh_log_t *log, apr_pool_t *p)
{
    eh_httppool_t *pool = apr_pcalloc(p, sizeof(*pool));
    const curl_version_info_data *info;
    pthread_condattr_t attr;
    apr_status_t rv;
    int i;

    pthread_once(&curl_once, init_curl);
    info = curl_version_info(CURLVERSION_NOW);
    if (curl_ready != CURLE_OK || !info->ssl_version || !strstr(info->ssl_version, "OpenSSL"))
        return complain(log, "libcurl must be the build with OpenSSL (Debian: libcurl4)");
    if (conf->proxy && strncasecmp(conf->proxy, "http://", 7))
        return complain(log, "the outbound proxy must be written http://[user:password@]host:port");
    settle(&pool->conf, conf, p);
    rv = eh_tls_trust(&pool->trust, pool->conf.ca_bundle, log, p);
    if (rv != APR_SUCCESS) return rv;
    pool->http.ops = &ops;
    pool->log = log;
    pool->pid = getpid();
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->freed, &attr);
    pthread_condattr_destroy(&attr);
    pool->slots = apr_pcalloc(p, sizeof(eh_slot_t) * (apr_size_t)pool->conf.max_handles);
    for (i = 0; i < pool->conf.max_handles; i++)
        pool->slots[i].trust = pool->trust;
    apr_pool_cleanup_register(p, pool, destroy, apr_pool_cleanup_null);
    *phttp = &pool->http;
    return APR_SUCCESS;
}
