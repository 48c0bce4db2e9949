/* SPDX-License-Identifier: Apache-2.0 */
#include <apr_lib.h>
#include <apr_strings.h>
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "http_int.h"

/* One exchange. Lives on the caller's stack; libcurl holds pointers into it until the slot is given back. */
typedef struct exchange_t {
    eh_httppool_t *pool;
    const eh_http_req_t *req;
    eh_slot_t *slot;
    CURLU *url;
    char key[EH_HOST_KEY_MAX];     /* "https://host:port" */
    const char *host;              /* for sentences */
    char ident[EH_CERT_IDENT_MAX]; /* client certificate */
    int plain, loopback, direct;
    struct curl_slist *headers;
    char says[CURL_ERROR_SIZE];
    eh_http_res_t *res;
    char *body; /* malloc, wiped when p goes: token answers pass through here */
    apr_size_t len, room, cap;
    apr_size_t head_bytes;
    int head_lines, in_head;
    const char *refused; /* the answer is no HTTP we take */
    int too_large;
    apr_pool_t *p;
} exchange_t;

/* --- the request: nothing leaves before all of it was checked --- */

/* Other than a tab. */
static int has_control(const char *s)
{
    for (; *s; s++) {
        if (((unsigned char)*s < 0x20 && *s != '\t') || *s == 0x7f) return 1;
    }
    return 0;
}

/* RFC 9110 token */
static int is_token(const char *s)
{
    static const char other[] = "!#$%&'*+-.^_`|~";

    if (!s || !*s) return 0;
    for (; *s; s++) {
        if (!apr_isalnum(*s) && !strchr(other, *s)) return 0;
    }
    return 1;
}

static apr_status_t refuse(exchange_t *x, eh_err_t *err, eh_code_e code, const char *why)
{
    return eh_err_setf(err, x->p, code, APR_EINVAL, NULL, "%s%s%s", *x->key ? x->key : "", *x->key ? ": " : "", why);
}

static int is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    char bare[64];
    apr_size_t len = strlen(host);

    if (!strcmp(host, "localhost")) return 1;
    if (inet_pton(AF_INET, host, &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
    if (*host != '[' || len < 4 || len >= sizeof(bare)) return 0;
    apr_cpystrn(bare, host + 1, len - 1);
    return inet_pton(AF_INET6, bare, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

/* "10.0.0.0/8" or "fd00::/8" against an address; a name is not resolved for it. */
static int in_subnet(const char *subnet, const char *host)
{
    const char *slash = strchr(subnet, '/');
    unsigned char net[16], addr[16], mask;
    char text[64];
    int bits, family, bytes;

    if (!slash || slash - subnet >= (long)sizeof(text)) return 0;
    apr_cpystrn(text, subnet, (apr_size_t)(slash - subnet) + 1);
    family = strchr(text, ':') ? AF_INET6 : AF_INET;
    bits = atoi(slash + 1);
    if (bits < 0 || bits > (family == AF_INET ? 32 : 128)) return 0;
    if (inet_pton(family, text, net) != 1 || inet_pton(family, host, addr) != 1) return 0;
    bytes = bits / 8;
    mask = (unsigned char)(0xff00 >> (bits % 8));
    return !memcmp(net, addr, (size_t)bytes) && (bits % 8 == 0 || !((net[bytes] ^ addr[bytes]) & mask));
}

static int goes_direct(const eh_httppool_conf_t *conf, const char *host)
{
    const char *const *e;
    char bare[256];
    apr_size_t hl;

    if (!conf->proxy) return 1;
    apr_cpystrn(bare, *host == '[' ? host + 1 : host, sizeof(bare));
    hl = strlen(bare);
    if (*host == '[' && hl) bare[--hl] = '\0';
    for (e = conf->no_proxy; e && *e; e++) {
        apr_size_t el = strlen(*e);

        if (!strcasecmp(*e, bare) || !strcasecmp(*e, host)) return 1;
        if (**e == '.' && hl > el && !strcasecmp(bare + hl - el, *e)) return 1;
        if (in_subnet(*e, bare)) return 1;
    }
    return 0;
}

/* What is checked here is handed to libcurl as parsed (CURLOPT_CURLU): no second parser that could see another host. */
static apr_status_t check_url(exchange_t *x, eh_err_t *err)
{
    char *scheme = NULL, *host = NULL, *port = NULL, *user = NULL;
    const char *url = x->req->url, *s, *why = NULL;

    for (s = url; s && *s; s++) {
        if ((unsigned char)*s <= 0x20 || (unsigned char)*s >= 0x7f) break;
    }
    if (!url || !*url || *s || s - url > EH_HTTP_MAX_URL)
        return refuse(x, err, EH_E_HTTP_UNREACHABLE, "the address is empty, too long, or has forbidden characters");
    /* libcurl takes "https:///x" for "https://x"; an address that loose is a mistake somewhere. */
    s = strstr(url, "://");
    if (!s || s[3] == '/') return refuse(x, err, EH_E_HTTP_UNREACHABLE, "the address is not a URL of a host");
    x->url = curl_url();
    if (!x->url) return eh_err_set(err, EH_E_INTERNAL, APR_ENOMEM, NULL);
    if (curl_url_set(x->url, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK ||
        curl_url_get(x->url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(x->url, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
        curl_url_get(x->url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK || strlen(host) > 253) {
        why = "the address is not a URL of a host";
    } else {
        char *c;

        for (c = host; *c; c++)
            *c = (char)apr_tolower(*c);
        apr_snprintf(x->key, sizeof(x->key), "%s://%s:%s", scheme, host, port);
        x->host = apr_pstrdup(x->p, host);
        x->plain = !strcmp(scheme, "http");
        x->loopback = is_loopback(host);
        x->direct = x->loopback || goes_direct(&x->pool->conf, host);
        if (curl_url_get(x->url, CURLUPART_USER, &user, 0) == CURLUE_OK) {
            why = "user names in an address are not used";
        } else if (x->plain) {
            if (!x->pool->conf.http_loopback || !x->loopback) why = "only https is allowed";
        } else if (strcmp(scheme, "https")) {
            why = "only https is allowed";
        }
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_free(user);
    return why ? refuse(x, err, EH_E_HTTP_UNREACHABLE, why) : APR_SUCCESS;
}

static apr_status_t add_header(exchange_t *x, const char *name, const char *value, eh_err_t *err)
{
    struct curl_slist *more;
    char *line;

    if (!is_token(name) || !value || has_control(value))
        return refuse(x, err, EH_E_INTERNAL, "a request header has forbidden characters");
    /* "Name;" is how libcurl is told to send an empty value. */
    line = *value ? apr_pstrcat(x->p, name, ": ", value, NULL) : apr_pstrcat(x->p, name, ";", NULL);
    more = curl_slist_append(x->headers, line);
    OPENSSL_cleanse(line, strlen(line));
    if (!more) return eh_err_set(err, EH_E_INTERNAL, APR_ENOMEM, NULL);
    x->headers = more;
    return APR_SUCCESS;
}

static apr_status_t check_headers(exchange_t *x, eh_err_t *err)
{
    const eh_http_req_t *req = x->req;
    const apr_array_header_t *arr = req->headers ? apr_table_elts(req->headers) : NULL;
    apr_status_t rv = APR_SUCCESS;
    int i;

    if (!is_token(req->method)) return refuse(x, err, EH_E_INTERNAL, "the request method is malformed");
    if (req->basic_user && (has_control(req->basic_user) || strchr(req->basic_user, ':') ||
                            (req->basic_password && has_control(req->basic_password))))
        return refuse(x, err, EH_E_INTERNAL, "the HTTP Basic credentials have forbidden characters");
    for (i = 0; rv == APR_SUCCESS && arr && i < arr->nelts; i++) {
        const apr_table_entry_t *e = &APR_ARRAY_IDX(arr, i, apr_table_entry_t);

        rv = add_header(x, e->key, e->val, err);
    }
    if (rv == APR_SUCCESS && req->bearer)
        rv = add_header(x, "Authorization", apr_pstrcat(x->p, "Bearer ", req->bearer, NULL), err);
    if (rv == APR_SUCCESS && req->content_type) rv = add_header(x, "Content-Type", req->content_type, err);
    if (rv == APR_SUCCESS) {
        /* No 100-continue dance: bodies are small, and proxies stumble over it. */
        struct curl_slist *more = curl_slist_append(x->headers, "Expect:");

        if (!more) return eh_err_set(err, EH_E_INTERNAL, APR_ENOMEM, NULL);
        x->headers = more;
    }
    return rv;
}

/* The identity of a client certificate is the files as they stand now: a renewed one must not ride on a connection that
 * the old one opened. */
static apr_status_t check_cert(exchange_t *x, eh_err_t *err)
{
    const eh_http_cert_t *cert = x->req->cert;
    const char *file[2];
    apr_size_t used = 0;
    int i;

    if (!cert) return APR_SUCCESS;
    file[0] = cert->cert_file;
    file[1] = cert->key_file ? cert->key_file : cert->cert_file;
    for (i = 0; i < 2; i++) {
        struct stat st;

        if (stat(file[i], &st) != 0 || access(file[i], R_OK) != 0) {
            return eh_err_set(err, EH_E_CONFIG, APR_FROM_OS_ERROR(errno),
                              apr_psprintf(x->p, "The client %s file %s cannot be read by the server's user.",
                                           i ? "key" : "certificate", file[i]));
        }
        used += (apr_size_t)snprintf(x->ident + used, sizeof(x->ident) - used, "%s|%llx.%llx.%llx.%llx.%lx|", file[i],
                                     (unsigned long long)st.st_dev, (unsigned long long)st.st_ino,
                                     (unsigned long long)st.st_size, (unsigned long long)st.st_mtim.tv_sec,
                                     (unsigned long)st.st_mtim.tv_nsec);
        if (used + 1 >= sizeof(x->ident))
            return eh_err_set(err, EH_E_CONFIG, APR_ENAMETOOLONG, "The client certificate's path is too long.");
    }
    return APR_SUCCESS;
}

/* --- the answer --- */

static apr_status_t wipe_body(void *data)
{
    eh_http_res_t *res = data;

    if (res->body) {
        OPENSSL_cleanse((char *)res->body, res->len);
        free((char *)res->body);
        res->body = NULL;
    }
    return APR_SUCCESS;
}

static size_t on_body(char *data, size_t size, size_t n, void *baton)
{
    exchange_t *x = baton;
    size_t len = size * n;

    if (len > x->cap - x->len) {
        x->too_large = 1;
        return 0;
    }
    if (x->len + len + 1 > x->room) {
        apr_size_t room = x->room ? x->room * 2 : 4096;
        char *more;

        while (room < x->len + len + 1)
            room *= 2;
        if (room > x->cap + 1) room = x->cap + 1;
        more = malloc(room);
        if (!more) return 0;
        if (x->body) {
            memcpy(more, x->body, x->len);
            OPENSSL_cleanse(x->body, x->len);
            free(x->body);
        }
        x->body = more;
        x->room = room;
    }
    memcpy(x->body + x->len, data, len);
    x->len += len;
    return len;
}

static void take_header(exchange_t *x, const char *line, apr_size_t len)
{
    const char *colon = memchr(line, ':', len);
    char *name, *value;

    if (!colon || colon == line) {
        x->refused = "a header line is malformed";
        return;
    }
    name = apr_pstrmemdup(x->p, line, (apr_size_t)(colon - line));
    colon++;
    len -= (apr_size_t)(colon - line);
    while (len && (*colon == ' ' || *colon == '\t')) {
        colon++;
        len--;
    }
    while (len && (colon[len - 1] == ' ' || colon[len - 1] == '\t'))
        len--;
    value = apr_pstrmemdup(x->p, colon, len);
    if (!is_token(name) || strlen(value) != len || has_control(value)) {
        x->refused = "a header has forbidden characters";
        return;
    }
    apr_table_addn(x->res->headers, name, value);
}

static size_t on_header(char *data, size_t size, size_t n, void *baton)
{
    exchange_t *x = baton;
    size_t len = size * n, all = len;

    x->head_bytes += len;
    x->head_lines++;
    if (x->head_bytes > EH_HTTP_MAX_HEADER_BYTES || x->head_lines > EH_HTTP_MAX_HEADERS) {
        x->too_large = 1;
        return 0;
    }
    if (len && data[len - 1] == '\n') len--;
    if (len && data[len - 1] == '\r') len--;
    if (len >= 5 && !memcmp(data, "HTTP/", 5)) { /* an interim answer's headers are dropped by the next status line */
        apr_table_clear(x->res->headers);
        x->in_head = 1;
    } else if (len == 0) {
        x->in_head = 0;
    } else if (x->in_head) { /* later lines are trailers of a chunked body: counted, never taken */
        take_header(x, data, len);
        if (x->refused) return 0;
    }
    return all;
}

static void finish(exchange_t *x)
{
    eh_http_res_t *res = x->res;
    const char *v = apr_table_get(res->headers, "Content-Type");
    long status = 0;

    curl_easy_getinfo(x->slot->easy, CURLINFO_RESPONSE_CODE, &status);
    res->status = (int)status;
    if (v) {
        char *type = apr_pstrmemdup(x->p, v, strcspn(v, "; \t")), *c;

        for (c = type; *c; c++)
            *c = (char)apr_tolower(*c);
        res->content_type = type;
    }
    v = apr_table_get(res->headers, "Date");
    if (v) {
        time_t t = curl_getdate(v, NULL);

        if (t > 0) res->date = apr_time_from_sec((apr_time_t)t);
    }
    v = apr_table_get(res->headers, "Content-Encoding");
    if (v && strcasecmp(v, "identity")) x->refused = "the answer is compressed although that was not offered";
    res->cert_expires = x->slot->seen.expires;
}

/* --- the exchange --- */

#define SET(opt, value) \
    if (cc == CURLE_OK) cc = curl_easy_setopt(x->slot->easy, opt, value)

static CURLcode set_policy(exchange_t *x)
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

static CURLcode set_request(exchange_t *x, apr_time_t deadline)
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
    SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)x->cap);
    SET(CURLOPT_ERRORBUFFER, x->says);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, x);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, x);
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

static int is_tls_failure(const exchange_t *x, CURLcode cc, const char *says)
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
        return (x->slot->seen.asked && x->head_lines == 0) || (strstr(says, "SSL routines") && strstr(says, " alert "));
    default: return 0;
    }
}

/* What went wrong on the way to or from the peer, in a sentence that anybody may read. */
static const char *transport_words(exchange_t *x, CURLcode cc)
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

static apr_status_t failed(exchange_t *x, CURLcode cc, eh_err_t *err, eh_peer_e *outcome)
{
    const char *says = *x->says ? x->says : curl_easy_strerror(cc), *detail, *cause;

    *outcome = EH_OUTCOME_BAD;
    if (x->too_large || cc == CURLE_FILESIZE_EXCEEDED) {
        *outcome = EH_OUTCOME_GOOD; /* it answers */
        return eh_err_setf(err, x->p, EH_E_HTTP_TOO_LARGE, APR_ENOSPC, NULL,
                           "%s: more than %" APR_SIZE_T_FMT " bytes of body, or %d lines or %d bytes of headers",
                           x->key, x->cap, EH_HTTP_MAX_HEADERS, EH_HTTP_MAX_HEADER_BYTES);
    }
    if (x->refused) {
        return eh_err_setf(err, x->p, EH_E_HTTP_UNREACHABLE, APR_EGENERAL, transport_words(x, CURLE_OK), "%s: %s",
                           x->key, x->refused);
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

static apr_status_t run(exchange_t *x, apr_time_t deadline, eh_err_t *err)
{
    apr_time_t begun = eh_mono_now();
    eh_peer_e outcome = EH_OUTCOME_GOOD;
    apr_status_t rv = APR_SUCCESS;
    CURLcode cc = set_policy(x);

    if (cc == CURLE_OK) cc = set_request(x, deadline);
    if (cc == CURLE_OK) cc = curl_easy_perform(x->slot->easy);
    if (cc == CURLE_OK) finish(x);
    if (cc != CURLE_OK || x->refused) {
        rv = failed(x, cc, err, &outcome);
    } else if (x->res->status >= 500) {
        outcome = EH_OUTCOME_BAD;
    }
    if (x->pool->log && x->pool->log->level >= EH_LOG_DEBUG) {
        eh_log(x->pool->log, EH_LOG_DEBUG, 0, "", "%s %s: %d, %d ms, %" APR_SIZE_T_FMT " bytes", x->req->method, x->key,
               x->res->status, (int)((eh_mono_now() - begun) / 1000), x->len);
    }
    eh_slot_give(x->pool, x->slot, cc == CURLE_OK && !x->refused, outcome);
    return rv;
}

static void clean(exchange_t *x)
{
    struct curl_slist *h;

    for (h = x->headers; h; h = h->next)
        OPENSSL_cleanse(h->data, strlen(h->data));
    curl_slist_free_all(x->headers);
    curl_url_cleanup(x->url);
}

static apr_status_t perform(eh_http_t *http, const eh_http_req_t *req, eh_http_res_t **pres, eh_err_t *err,
                            apr_pool_t *p)
{
    eh_httppool_t *pool = (eh_httppool_t *)http;
    exchange_t x = {.pool = pool, .req = req, .p = p};
    apr_interval_time_t timeout = req->timeout > 0 ? req->timeout : pool->conf.total_timeout;
    apr_time_t deadline = eh_mono_now() + (timeout < EH_HTTP_MAX_TIMEOUT ? timeout : EH_HTTP_MAX_TIMEOUT);
    apr_status_t rv;

    if (pool->pid != getpid())
        return eh_err_setf(err, p, EH_E_INTERNAL, APR_EINVAL, NULL, "the HTTP pool was made before a fork");
    x.cap = req->max_response ? req->max_response : EH_HTTP_MAX_RESPONSE;
    x.res = apr_pcalloc(p, sizeof(*x.res));
    x.res->headers = apr_table_make(p, 16);
    x.res->content_type = "";
    if (EH_OK(check_url(&x, err)) && EH_OK(check_headers(&x, err)) && EH_OK(check_cert(&x, err)) &&
        EH_OK(eh_slot_take(&x.slot, pool, x.key, x.ident, deadline, err, p))) {
        rv = run(&x, deadline, err);
    }
    x.res->len = x.len;
    if (x.body) x.body[x.len] = '\0';
    x.res->body = x.body;
    if (x.body) apr_pool_cleanup_register(p, x.res, wipe_body, apr_pool_cleanup_null);
    if (!x.res->body) x.res->body = "";
    clean(&x);
    if (rv == APR_SUCCESS) *pres = x.res;
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
