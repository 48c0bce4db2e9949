/* SPDX-License-Identifier: Apache-2.0 */
/* The outbound pool against t/unit/http_peer.py, a peer that misbehaves on demand. */
#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_strings.h>
#include <arpa/inet.h>
#include <check.h>
#include <dlfcn.h>
#include <jansson.h>
#include <netdb.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "modules/io/http_int.h"

extern char **environ;

static apr_pool_t *root, *p;
static json_t *peer;
static char logged[65536];
static int warnings;

/* --- name resolution: libcurl finds these instead of libc's --- */

typedef int getaddrinfo_fn(const char *, const char *, const struct addrinfo *, struct addrinfo **);
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **res);

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **res)
{
    getaddrinfo_fn *next = (getaddrinfo_fn *)dlsym(RTLD_NEXT, "getaddrinfo");

    if (node && !strcmp(node, "slow.test")) {
        usleep(2000000);
        return EAI_AGAIN;
    }
    if (node && !strcmp(node, "peer.test")) node = "127.0.0.1";
    return next(node, service, hints, res);
}

/* --- the peer --- */

static void start_peer(pid_t *pid, int *hold)
{
    const char *srcdir = getenv("srcdir");
    char script[4096], line[4096];
    char *argv[] = {(char *)"/usr/bin/python3", (char *)"-W", (char *)"ignore", script, NULL};
    int in[2], out[2];
    posix_spawn_file_actions_t fa;
    FILE *f;

    snprintf(script, sizeof(script), "%s/t/unit/http_peer.py", srcdir ? srcdir : ".");
    if (pipe(in) || pipe(out)) abort();
    posix_spawn_file_actions_init(&fa);
    posix_spawn_file_actions_adddup2(&fa, in[0], 0);
    posix_spawn_file_actions_adddup2(&fa, out[1], 1);
    posix_spawn_file_actions_addclose(&fa, in[1]);
    posix_spawn_file_actions_addclose(&fa, out[0]);
    if (posix_spawn(pid, argv[0], &fa, NULL, argv, environ)) abort();
    posix_spawn_file_actions_destroy(&fa);
    close(in[0]);
    close(out[1]);
    f = fdopen(out[0], "r");
    if (!fgets(line, sizeof(line), f)) {
        fprintf(stderr, "http_peer.py did not start\n");
        exit(1);
    }
    fclose(f);
    peer = json_loads(line, 0, NULL);
    *hold = in[1];
}

static int port(const char *name)
{
    return (int)json_integer_value(json_object_get(json_object_get(peer, "ports"), name));
}

static const char *file(const char *name)
{
    return apr_pstrcat(root, json_string_value(json_object_get(peer, "dir")), "/", name, NULL);
}

static const char *url(const char *listener, const char *path)
{
    return apr_psprintf(p, "%s://localhost:%d%s", !strcmp(listener, "http") ? "http" : "https", port(listener), path);
}

/* --- fixtures --- */

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;

static void keep_log(void *baton, eh_log_e level, apr_status_t rv, const char *tag, const char *message)
{
    apr_size_t used;

    pthread_mutex_lock(&log_lock);
    used = strlen(logged);
    if (level <= EH_LOG_WARNING) warnings++;
    snprintf(logged + used, sizeof(logged) - used, "%s %s\n", tag, message);
    pthread_mutex_unlock(&log_lock);
}

static const eh_log_t test_log = {EH_LOG_DEBUG, keep_log, NULL};
static eh_err_t err;

static void setup(void)
{
    apr_pool_create(&p, root);
    *logged = '\0';
    warnings = 0;
}

static void teardown(void) { apr_pool_destroy(p); }

/* Short deadlines, the test CA, http to loopback. */
static eh_httppool_conf_t conf(void)
{
    eh_httppool_conf_t c = {0};

    c.ca_bundle = file("ca.pem");
    c.total_timeout = apr_time_from_sec(4);
    c.connect_timeout = apr_time_from_sec(2);
    c.http_loopback = 1;
    return c;
}

static eh_http_t *pool_of(eh_httppool_conf_t c)
{
    eh_http_t *http = NULL;

    ck_assert_int_eq(eh_httppool_create(&http, &c, &test_log, p), APR_SUCCESS);
    return http;
}

static eh_http_res_t *res;
static apr_time_t took; /* ms */

static apr_status_t ask(eh_http_t *http, eh_http_req_t req)
{
    apr_time_t begun = eh_mono_now();
    apr_status_t rv;

    if (!req.method) req.method = "GET";
    memset(&err, 0, sizeof(err));
    res = NULL;
    rv = eh_http_perform(http, &req, &res, &err, p);
    took = (eh_mono_now() - begun) / 1000;
    ck_assert((rv == APR_SUCCESS) == (err.code == EH_E_NONE));
    ck_assert((rv == APR_SUCCESS) == (res != NULL));
    return rv;
}

static apr_status_t get(eh_http_t *http, const char *listener, const char *path)
{
    return ask(http, (eh_http_req_t){.url = url(listener, path)});
}

static void ck_ok(apr_status_t rv, int status, const char *body)
{
    ck_assert_msg(rv == APR_SUCCESS, "EH%d %s (%s)", err.code, err.detail, err.cause);
    ck_assert_int_eq(res->status, status);
    if (body) ck_assert_str_eq(res->body, body);
    ck_assert_uint_eq(res->len, strlen(res->body));
}

static void ck_err(apr_status_t rv, eh_code_e code, const char *detail, const char *cause)
{
    ck_assert_int_ne(rv, APR_SUCCESS);
    ck_assert_msg(err.code == code, "EH%d, not EH%d: %s (%s)", err.code, code, err.detail, err.cause);
    if (detail) ck_assert_msg(err.detail && strstr(err.detail, detail), "detail: %s", err.detail);
    if (cause) ck_assert_msg(err.cause && strstr(err.cause, cause), "cause: %s", err.cause);
}

static json_t *echoed(void)
{
    json_t *j = json_loads(res->body, 0, NULL);

    ck_assert_ptr_nonnull(j);
    return j;
}

static const char *member(json_t *j, const char *key) { return json_string_value(json_object_get(j, key)); }

static int hits(eh_http_t *http, const char *name)
{
    json_t *j;
    int n;

    ck_ok(get(http, "http", "/hits"), 200, NULL);
    j = echoed();
    n = (int)json_integer_value(json_object_get(j, name));
    json_decref(j);
    return n;
}

static int client_port(eh_http_t *http, const char *listener, const eh_http_cert_t *cert, const char **client)
{
    json_t *j;
    int n;

    ck_ok(ask(http, (eh_http_req_t){.url = url(listener, "/echo"), .cert = cert}), 200, NULL);
    j = echoed();
    n = (int)json_integer_value(json_object_get(j, "peer"));
    if (client) *client = apr_pstrdup(p, member(j, "client"));
    json_decref(j);
    return n;
}

/* --- answers --- */

START_TEST(an_answer_is_handed_over_whole)
{
    eh_http_t *http = pool_of(conf());
    apr_time_t now = apr_time_now();

    ck_ok(get(http, "tls", "/ok"), 200, "hello");
    ck_assert_str_eq(res->content_type, "application/json");
    ck_assert_str_eq(apr_table_get(res->headers, "X-ONE"), "1");
    ck_assert_int_lt(llabs((long long)(res->date - now)), apr_time_from_sec(5));
    ck_assert_int_eq(apr_time_sec(res->cert_expires), 2493072000); /* 2049-01-01T00:00:00Z */
    ck_ok(get(http, "tls", "/ok"), 200, "hello");
    ck_assert_int_eq(res->cert_expires, 0); /* a kept connection shows none */
    ck_ok(get(http, "tls", "/nothing"), 404, "nothing here");
    ck_assert_int_eq(warnings, 0);
}
END_TEST

START_TEST(connections_are_kept)
{
    eh_http_t *http = pool_of(conf());
    int first = client_port(http, "tls", NULL, NULL);

    ck_assert_int_eq(client_port(http, "tls", NULL, NULL), first);
    ck_assert_int_ne(client_port(http, "tls12", NULL, NULL), 0);
    ck_assert_int_eq(client_port(http, "tls", NULL, NULL), first);
}
END_TEST

START_TEST(a_request_is_sent_as_given)
{
    eh_httppool_conf_t c = conf();
    eh_http_t *http;
    apr_table_t *headers = apr_table_make(p, 2);
    json_t *j, *h;

    c.user_agent = "ehealth/test";
    http = pool_of(c);
    apr_table_setn(headers, "Accept", "application/json");
    apr_table_setn(headers, "X-Empty", "");
    ck_ok(ask(http, (eh_http_req_t){.method = "POST",
                                    .url = url("tls", "/echo?q=1"),
                                    .headers = headers,
                                    .basic_user = "client%3A1",
                                    .basic_password = "s3cret",
                                    .content_type = "application/x-www-form-urlencoded",
                                    .body = "a=b&c",
                                    .body_len = 4}),
          200, NULL);
    j = echoed();
    h = json_object_get(j, "headers");
    ck_assert_str_eq(member(j, "method"), "POST");
    ck_assert_str_eq(member(j, "path"), "/echo?q=1");
    ck_assert_str_eq(member(j, "tls"), "TLSv1.3");
    ck_assert_str_eq(member(h, "authorization"), "Basic Y2xpZW50JTNBMTpzM2NyZXQ=");
    ck_assert_str_eq(member(h, "content-type"), "application/x-www-form-urlencoded");
    ck_assert_str_eq(member(h, "content-length"), "4");
    ck_assert_str_eq(member(j, "body"), "a=b&");
    ck_assert_str_eq(member(h, "accept"), "application/json");
    ck_assert_str_eq(member(h, "x-empty"), "");
    ck_assert_str_eq(member(h, "user-agent"), "ehealth/test");
    ck_assert_ptr_null(json_object_get(h, "accept-encoding"));
    ck_assert_ptr_null(json_object_get(h, "expect"));
    json_decref(j);
    /* the handle of before carries nothing over */
    ck_ok(ask(http, (eh_http_req_t){.method = "DELETE", .url = url("tls", "/echo"), .bearer = "tok"}), 200, NULL);
    j = echoed();
    h = json_object_get(j, "headers");
    ck_assert_str_eq(member(j, "method"), "DELETE");
    ck_assert_str_eq(member(j, "body"), "");
    ck_assert_str_eq(member(h, "authorization"), "Bearer tok");
    ck_assert_ptr_null(json_object_get(h, "content-type"));
    json_decref(j);
    ck_ok(get(http, "tls", "/echo"), 200, NULL);
    j = echoed();
    ck_assert_ptr_null(json_object_get(json_object_get(j, "headers"), "authorization"));
    json_decref(j);
    ck_ok(ask(http, (eh_http_req_t){.method = "POST", .url = url("tls", "/echo")}), 200, NULL);
    j = echoed();
    ck_assert_str_eq(member(json_object_get(j, "headers"), "content-length"), "0");
    json_decref(j);
}
END_TEST

START_TEST(redirects_are_answers)
{
    eh_http_t *http = pool_of(conf());
    int before = hits(http, "/ok");

    ck_ok(get(http, "tls", "/redirect"), 302, "");
    ck_assert_str_eq(apr_table_get(res->headers, "Location"), "/ok");
    ck_assert_int_eq(hits(http, "/ok"), before);
}
END_TEST

START_TEST(chunked_trailers_and_interim_answers)
{
    eh_http_t *http = pool_of(conf());

    ck_ok(get(http, "tls", "/chunked"), 200, "first second");
    ck_assert_ptr_null(apr_table_get(res->headers, "X-Late"));
    ck_ok(get(http, "tls", "/interim"), 200, "late");
    ck_assert_ptr_null(apr_table_get(res->headers, "X-Early"));
}
END_TEST

START_TEST(sizes_are_capped)
{
    eh_http_t *http = pool_of(conf());
    eh_http_req_t req = {.max_response = 5000};

    req.url = url("tls", "/size/5000");
    ck_ok(ask(http, req), 200, NULL);
    ck_assert_uint_eq(res->len, 5000);
    req.url = url("tls", "/size/5001");
    ck_err(ask(http, req), EH_E_HTTP_TOO_LARGE, NULL, "5000");
    req.url = url("tls", "/huge");
    ck_err(ask(http, req), EH_E_HTTP_TOO_LARGE, NULL, NULL);
    ck_err(get(http, "tls", "/huge"), EH_E_HTTP_TOO_LARGE, NULL, "1048576");
    ck_err(get(http, "tls", "/huge-length"), EH_E_HTTP_TOO_LARGE, NULL, NULL);
    ck_assert_int_lt(took, 1000);
    ck_err(get(http, "tls", "/many-headers"), EH_E_HTTP_TOO_LARGE, NULL, NULL);
    ck_err(get(http, "tls", "/long-headers"), EH_E_HTTP_TOO_LARGE, NULL, NULL);
    ck_ok(get(http, "tls", "/ok"), 200, "hello"); /* seven such answers are no outage */
}
END_TEST

START_TEST(malformed_answers_are_refused)
{
    static const char *const paths[] = {"/control-header", "/bare-cr", "/no-http", "/gzip"};
    size_t i;

    for (i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
        ck_err(get(pool_of(conf()), "tls", paths[i]), EH_E_HTTP_UNREACHABLE, "localhost", NULL);
        ck_assert_int_lt(took, 1000);
    }
}
END_TEST

START_TEST(broken_connections)
{
    eh_http_t *http = pool_of(conf());

    ck_err(get(http, "tls", "/close-mid"), EH_E_HTTP_UNREACHABLE, "closed the connection before its answer", NULL);
    ck_err(get(http, "tls", "/close-now"), EH_E_HTTP_UNREACHABLE, "closed the connection before its answer", NULL);
    ck_err(get(http, "closed", "/ok"), EH_E_HTTP_UNREACHABLE, "does not accept connections", NULL);
    ck_err(ask(http, (eh_http_req_t){.url = "https://nowhere.invalid/"}), EH_E_HTTP_UNREACHABLE,
           "The name nowhere.invalid cannot be resolved", NULL);
}
END_TEST

/* A kept connection may be gone by the time it is wanted again: nobody outside the pool should notice. */
START_TEST(a_kept_connection_that_was_closed)
{
    static const char *const listeners[] = {"tls", "tls12", "http"};
    eh_http_t *http = pool_of(conf());
    int i, n;

    for (i = 0; i < 3; i++) {
        for (n = 0; n < 6; n++) {
            ck_ok(ask(http, (eh_http_req_t){.method = n & 1 ? "POST" : "GET",
                                            .url = url(listeners[i], "/then-close"),
                                            .body = n & 1 ? "a=b" : NULL,
                                            .body_len = n & 1 ? 3 : 0}),
                  200, "bye");
            if (n > 2) usleep(20000); /* sometimes the farewell has arrived by then, sometimes not */
        }
    }
}
END_TEST

/* --- what is never sent --- */

START_TEST(addresses_that_policy_forbids)
{
    eh_httppool_conf_t c = conf();
    eh_http_t *http = pool_of(c), *strict;
    char longest[EH_HTTP_MAX_URL + 64];
    const char *const bad[] = {"http://192.0.2.1/",
                               "http://localhost.example/",
                               "http://127.0.0.1.example/",
                               "http://[::2]/",
                               "http://0.0.0.0/",
                               "http://128.0.0.1/",
                               "ftp://localhost/",
                               "file:///etc/passwd",
                               "https://user@localhost/",
                               "https://user:pw@localhost/",
                               "https://localhost/a b",
                               "https://localhost/a\r\nX: y",
                               "https://localhost/\x7f",
                               "https://localhost/\xc3\xa9",
                               "",
                               "localhost",
                               "//localhost/",
                               "https://",
                               "https:///x",
                               longest};
    size_t i;

    memset(longest, 'a', sizeof(longest));
    memcpy(longest, "https://localhost/", 18);
    longest[sizeof(longest) - 1] = '\0';
    for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        apr_status_t rv = ask(http, (eh_http_req_t){.url = bad[i]});

        ck_assert_msg(rv == APR_EINVAL && err.code == EH_E_HTTP_UNREACHABLE, "%.40s: %d EH%d", bad[i], rv, err.code);
    }
    ck_ok(ask(http, (eh_http_req_t){.url = apr_psprintf(p, "http://127.0.0.1:%d/ok", port("http"))}), 200, "hello");
    /* allowed, but nobody listens there: another status than the policy's */
    ck_assert_int_ne(ask(http, (eh_http_req_t){.url = apr_psprintf(p, "http://[::1]:%d/", port("closed"))}),
                     APR_EINVAL);
    c.http_loopback = 0;
    strict = pool_of(c);
    ck_assert_int_eq(get(strict, "http", "/ok"), APR_EINVAL);
    ck_err(APR_EINVAL, EH_E_HTTP_UNREACHABLE, NULL, "only https is allowed");
    ck_ok(get(strict, "tls", "/ok"), 200, "hello");
}
END_TEST

START_TEST(header_injection_is_refused)
{
    eh_http_t *http = pool_of(conf());
    int before = hits(http, "/ok");
    const struct {
        const char *name, *value, *bearer, *user, *password, *type, *method;
    } bad[] = {
        {.name = "X-A", .value = "a\r\nX-B: b"},
        {.name = "X-A", .value = "a\nb"},
        {.name = "X-A", .value = "a\x01"},
        {.name = "X-A: b\r\nX-B", .value = "c"},
        {.name = "X A", .value = "b"},
        {.name = "", .value = "b"},
        {.bearer = "tok\r\nX-B: b"},
        {.user = "u\n", .password = "p"},
        {.user = "u", .password = "p\r"},
        {.user = "u:v", .password = "p"},
        {.type = "text/plain\r\nX-B: b"},
        {.method = "GET /x"},
        {.method = ""},
        {.method = "G\r\nET"},
    };
    size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        apr_table_t *t = apr_table_make(p, 1);
        eh_http_req_t req = {.url = url("tls", "/ok"),
                             .method = bad[i].method,
                             .headers = t,
                             .bearer = bad[i].bearer,
                             .basic_user = bad[i].user,
                             .basic_password = bad[i].password,
                             .content_type = bad[i].type};
        apr_status_t rv;

        if (bad[i].name) apr_table_addn(t, bad[i].name, bad[i].value);
        rv = ask(http, req);
        ck_assert_msg(rv == APR_EINVAL && err.code == EH_E_INTERNAL, "%d: %d EH%d", (int)i, rv, err.code);
    }
    ck_assert_int_eq(hits(http, "/ok"), before);
}
END_TEST

/* --- deadlines --- */

START_TEST(every_wait_ends)
{
    eh_httppool_conf_t c = conf();
    eh_http_t *http;

    c.connect_timeout = apr_time_from_msec(500);
    c.total_timeout = apr_time_from_msec(800);
    http = pool_of(c);
    ck_err(get(http, "tls", "/slow-headers"), EH_E_HTTP_TIMEOUT, "did not answer in time", NULL);
    ck_assert(took >= 750 && took < 1500);
    ck_err(get(http, "tls", "/drip"), EH_E_HTTP_TIMEOUT, NULL, NULL);
    ck_assert(took >= 750 && took < 1500);
    ck_err(get(http, "hang", "/"), EH_E_HTTP_TIMEOUT, NULL, NULL); /* no TLS answer: the connect timeout */
    ck_assert(took >= 450 && took < 780);
    ck_err(ask(http, (eh_http_req_t){.url = url("tls", "/slow-headers"), .timeout = apr_time_from_msec(200)}),
           EH_E_HTTP_TIMEOUT, NULL, NULL);
    ck_assert(took >= 150 && took < 700);
    ck_err(ask(http, (eh_http_req_t){.url = "https://slow.test/"}), EH_E_HTTP_TIMEOUT, NULL, NULL);
    ck_assert_msg(took >= 400 && took < 1500, "a slow name server took %d ms", (int)took);
}
END_TEST

START_TEST(a_trickle_is_given_up)
{
    eh_httppool_conf_t c = conf();

    c.low_time = 1;
    c.total_timeout = apr_time_from_sec(9);
    ck_err(get(pool_of(c), "tls", "/drip"), EH_E_HTTP_TIMEOUT, NULL, NULL);
    ck_assert(took >= 900 && took < 4000);
}
END_TEST

/* --- TLS --- */

START_TEST(peers_that_cannot_be_verified)
{
    eh_httppool_conf_t c = conf();
    eh_http_t *http = pool_of(c);

    ck_err(get(http, "badname", "/ok"), EH_E_HTTP_TLS, "issued for another name", "other.test");
    ck_err(get(http, "untrusted", "/ok"), EH_E_HTTP_TLS, "authority that this server does not trust",
           "CN = Rogue Test CA");
    ck_err(get(http, "expired", "/ok"), EH_E_HTTP_TLS, "has expired", "CN = expired");
    ck_err(get(http, "old", "/ok"), EH_E_HTTP_TLS, "No secure connection", NULL);
    ck_err(ask(http, (eh_http_req_t){.url = apr_psprintf(p, "https://localhost:%d/", port("http"))}), EH_E_HTTP_TLS,
           "No secure connection", NULL); /* plain http behind an https address */
    c.ca_bundle = NULL;                   /* the system's roots do not know the test's CA */
    ck_err(get(pool_of(c), "tls", "/ok"), EH_E_HTTP_TLS, "authority that this server does not trust",
           "CN = Trusted Test CA");
}
END_TEST

START_TEST(tls_12_is_enough)
{
    json_t *j;

    ck_ok(get(pool_of(conf()), "tls12", "/echo"), 200, NULL);
    j = echoed();
    ck_assert_str_eq(member(j, "tls"), "TLSv1.2");
    json_decref(j);
}
END_TEST

START_TEST(a_wrong_ca_bundle_is_refused_at_once)
{
    eh_httppool_conf_t c = conf();
    eh_http_t *http = NULL;

    c.ca_bundle = file("nothing.pem");
    ck_assert_int_ne(eh_httppool_create(&http, &c, &test_log, p), APR_SUCCESS);
    ck_assert_ptr_nonnull(strstr(logged, "nothing.pem"));
    c.ca_bundle = file("server.key");
    ck_assert_int_ne(eh_httppool_create(&http, &c, &test_log, p), APR_SUCCESS);
    c = conf();
    c.proxy = "socks5://localhost";
    ck_assert_int_ne(eh_httppool_create(&http, &c, &test_log, p), APR_SUCCESS);
    ck_assert_ptr_null(http);
}
END_TEST

static void copy_file(const char *from, const char *to)
{
    ck_assert_int_eq(apr_file_copy(from, to, APR_FPROT_UREAD | APR_FPROT_UWRITE, p), APR_SUCCESS);
}

static void mutual_tls(const char *listener)
{
    eh_http_t *http = pool_of(conf());
    eh_http_cert_t one = {file("client.pem"), file("client.key")}, two = {file("client2.pem"), file("client2.key")};
    eh_http_cert_t moving = {file("moving.pem"), file("moving.key")};
    eh_http_cert_t old = {file("clientold.pem"), file("clientold.key")};
    const char *who;
    int first;

    ck_err(get(http, listener, "/ok"), EH_E_HTTP_TLS, "asks for a client certificate", NULL);
    first = client_port(http, listener, &one, &who);
    ck_assert_str_eq(who, "client");
    ck_assert_int_eq(client_port(http, listener, &one, &who), first);
    ck_assert_str_eq(who, "client");
    ck_assert_int_ne(client_port(http, listener, &two, &who), first);
    ck_assert_str_eq(who, "client2");
    ck_err(get(http, listener, "/ok"), EH_E_HTTP_TLS, "asks for a client certificate",
           NULL); /* none shown, none borrowed */
    ck_assert_int_eq(client_port(http, listener, &one, &who), first);
    ck_assert_int_ne(ask(http, (eh_http_req_t){.url = url(listener, "/ok"), .cert = &old}), APR_SUCCESS); /* expired */
    /* renewed under the same name */
    copy_file(one.cert_file, moving.cert_file);
    copy_file(one.key_file, moving.key_file);
    client_port(http, listener, &moving, &who);
    ck_assert_str_eq(who, "client");
    usleep(20000); /* file times move in ticks of some milliseconds */
    copy_file(two.cert_file, moving.cert_file);
    copy_file(two.key_file, moving.key_file);
    client_port(http, listener, &moving, &who);
    ck_assert_str_eq(who, "client2");
}

START_TEST(client_certificates_are_kept_apart)
{
    mutual_tls("mtls");
    mutual_tls("mtls12");
}
END_TEST

START_TEST(one_handle_serves_two_certificates)
{
    eh_httppool_conf_t c = conf();
    eh_http_cert_t one = {file("client.pem"), file("client.key")}, two = {file("client2.pem"), file("client2.key")};
    const char *who;
    eh_http_t *http;

    c.max_handles = 1;
    http = pool_of(c);
    client_port(http, "mtls12", &one, &who);
    ck_assert_str_eq(who, "client");
    client_port(http, "mtls12", &two, &who);
    ck_assert_str_eq(who, "client2");
    ck_err(get(http, "mtls12", "/ok"), EH_E_HTTP_TLS, "asks for a client certificate", NULL);
}
END_TEST

START_TEST(client_certificates_that_cannot_be_used)
{
    eh_http_t *http = pool_of(conf());
    eh_http_cert_t missing = {file("nothing.pem"), NULL}, mixed = {file("client.pem"), file("client2.key")};
    int i;

    for (i = 0; i <= EH_HTTP_BREAKER_FAILS; i++) { /* our own fault never opens the breaker */
        ck_err(ask(http, (eh_http_req_t){.url = url("mtls", "/ok"), .cert = &missing}), EH_E_CONFIG, "nothing.pem",
               NULL);
        ck_err(ask(http, (eh_http_req_t){.url = url("mtls", "/ok"), .cert = &mixed}), EH_E_CONFIG, "client.pem", NULL);
    }
}
END_TEST

/* --- proxy --- */

START_TEST(the_proxy_is_used_where_it_should)
{
    eh_httppool_conf_t c = conf();
    const char *direct_for_test[] = {"PEER.test", NULL}, *suffix[] = {".test", NULL},
               *not [] = {"test", "er.test", NULL};
    const char *target = apr_psprintf(p, "https://peer.test:%d/ok", port("tls"));
    eh_http_t *http;
    int n;

    c.proxy = apr_psprintf(p, "http://ward%%207:p%%40ss%%3Aword@localhost:%d", port("proxy"));
    http = pool_of(c);
    n = hits(http, "CONNECT peer.test");
    ck_ok(ask(http, (eh_http_req_t){.url = target}), 200, "hello");
    ck_assert_ptr_null(apr_table_get(res->headers, "X-Proxy"));
    ck_assert_int_eq(hits(http, "CONNECT peer.test"), ++n);
    ck_ok(get(http, "tls", "/ok"), 200, "hello"); /* loopback: never by the proxy */
    ck_assert_int_eq(hits(http, "CONNECT localhost"), 0);
    setenv("no_proxy", "*", 1);
    ck_ok(ask(pool_of(c), (eh_http_req_t){.url = target}), 200, "hello");
    ck_assert_int_eq(hits(http, "CONNECT peer.test"), ++n);
    unsetenv("no_proxy");
    c.no_proxy = not ;
    ck_ok(ask(pool_of(c), (eh_http_req_t){.url = target}), 200, "hello");
    ck_assert_int_eq(hits(http, "CONNECT peer.test"), ++n);
    c.no_proxy = direct_for_test;
    ck_ok(ask(pool_of(c), (eh_http_req_t){.url = target}), 200, "hello");
    c.no_proxy = suffix;
    ck_ok(ask(pool_of(c), (eh_http_req_t){.url = target}), 200, "hello");
    setenv("https_proxy", c.proxy, 1);
    c.proxy = NULL;
    ck_ok(ask(pool_of(c), (eh_http_req_t){.url = target}), 200, "hello");
    unsetenv("https_proxy");
    ck_assert_int_eq(hits(http, "CONNECT peer.test"), n);
}
END_TEST

/* A direct try at these addresses is answered by nobody; by the proxy, it would be a refusal with status 403. */
START_TEST(subnets_are_exceptions_for_addresses)
{
    const char *nets[] = {"192.0.2.0/25", "2001:db8::/33", "192.0.2.240", "2001:db8:ffff::1", NULL};
    const struct {
        const char *url;
        int direct;
    } t[] = {{"https://192.0.2.127/", 1},        {"https://192.0.2.128/", 0},        {"https://192.0.2.240/", 1},
             {"https://[2001:db8:7fff::1]/", 1}, {"https://[2001:db8:8000::1]/", 0}, {"https://[2001:db8:ffff::1]/", 1},
             {"https://198.51.100.1/", 0},       {"https://192.0.2.1.example/", 0}};
    eh_httppool_conf_t c = conf();
    size_t i;

    c.connect_timeout = apr_time_from_msec(50);
    c.no_proxy = nets;
    c.proxy = apr_psprintf(p, "http://ward%%207:p%%40ss%%3Aword@localhost:%d", port("proxy"));
    for (i = 0; i < sizeof(t) / sizeof(*t); i++) {
        int refused;

        ck_assert_int_ne(ask(pool_of(c), (eh_http_req_t){.url = t[i].url}), APR_SUCCESS);
        refused = err.detail && strstr(err.detail, "status 403");
        ck_assert_msg(refused == !t[i].direct, "%s: %s", t[i].url, err.detail);
    }
}
END_TEST

START_TEST(what_a_proxy_refuses)
{
    eh_httppool_conf_t c = conf();

    c.proxy = apr_psprintf(p, "http://ward:SECRET@localhost:%d", port("proxy"));
    ck_err(ask(pool_of(c), (eh_http_req_t){.url = "https://peer.test/"}), EH_E_HTTP_UNREACHABLE,
           "does not accept this server's user name", NULL);
    c.proxy = apr_psprintf(p, "http://ward%%207:p%%40ss%%3Aword@localhost:%d", port("proxy"));
    ck_err(ask(pool_of(c), (eh_http_req_t){.url = "https://elsewhere.test/"}), EH_E_HTTP_UNREACHABLE,
           "refuses connections to elsewhere.test (status 403)", NULL);
    ck_err(ask(pool_of(c), (eh_http_req_t){.url = apr_psprintf(p, "https://peer.test:%d/", port("badname"))}),
           EH_E_HTTP_TLS, "issued for another name", NULL);
    c.proxy = apr_psprintf(p, "http://localhost:%d", port("closed"));
    ck_err(ask(pool_of(c), (eh_http_req_t){.url = "https://peer.test/"}), EH_E_HTTP_UNREACHABLE,
           "The outbound proxy does not accept connections", NULL);
    ck_assert_ptr_null(strstr(logged, "SECRET"));
}
END_TEST

/* --- breaker and caps --- */

START_TEST(five_failures_open_the_breaker)
{
    eh_http_t *http = pool_of(conf());
    eh_httppool_host_t seen[8];
    int i, n = hits(http, "/status/500");

    for (i = 0; i < 4; i++)
        ck_ok(get(http, "tls", "/status/500"), 500, "status");
    ck_ok(get(http, "tls", "/ok"), 200, "hello"); /* only failures in a row count */
    for (i = 0; i < 5; i++)
        ck_ok(get(http, "tls", "/status/500"), 500, "status");
    ck_assert_int_eq(warnings, 1);
    ck_err(get(http, "tls", "/ok"), EH_E_HTTP_BREAKER, NULL, "5 failures in a row");
    ck_assert_int_lt(took, 100);
    ck_assert(err.retry_after >= 9 && err.retry_after <= 10);
    ck_ok(get(http, "tls12", "/ok"), 200, "hello"); /* another port is another peer */
    ck_assert_int_eq(hits(http, "/status/500"), n + 9);
    ck_assert_int_eq(eh_httppool_hosts(http, seen, 8, p), 3);
    for (i = 0; i < 3; i++)
        ck_assert_int_eq(seen[i].open, strstr(seen[i].host, url("tls", "")) != NULL);
}
END_TEST

START_TEST(transport_errors_open_it_too_and_client_errors_do_not)
{
    eh_http_t *http = pool_of(conf());
    int i;

    for (i = 0; i < 8; i++)
        ck_ok(get(http, "tls", "/status/429"), 429, "status");
    for (i = 0; i < 5; i++)
        ck_err(get(http, "closed", "/"), EH_E_HTTP_UNREACHABLE, NULL, NULL);
    ck_err(get(http, "closed", "/"), EH_E_HTTP_BREAKER, NULL, NULL);
    for (i = 0; i < 5; i++)
        ck_err(get(http, "untrusted", "/"), EH_E_HTTP_TLS, NULL, NULL);
    ck_err(get(http, "untrusted", "/"), EH_E_HTTP_BREAKER, NULL, NULL);
}
END_TEST

START_TEST(an_open_breaker_probes_once)
{
    eh_host_t hosts[4] = {0}, *h = eh_host_get(hosts, 4, "https://a:1", 1);
    apr_time_t t = apr_time_from_sec(1000);
    int i, retry;

    for (i = 0; i < 5; i++) {
        ck_assert_int_eq(eh_breaker_may(h, t, &retry), 1);
        eh_breaker_start(h, t);
        ck_assert_int_eq(eh_breaker_report(h, EH_OUTCOME_BAD, t), i == 4 ? EH_BREAKER_OPENED : EH_BREAKER_SAME);
    }
    ck_assert_int_eq(eh_breaker_may(h, t + apr_time_from_msec(9999), &retry), 0);
    ck_assert_int_eq(retry, 1);
    t += apr_time_from_sec(10);
    ck_assert_int_eq(eh_breaker_may(h, t, &retry), 1);
    eh_breaker_start(h, t);
    ck_assert_int_eq(eh_breaker_may(h, t, &retry), 0); /* the probe is under way */
    ck_assert_int_eq(eh_breaker_report(h, EH_OUTCOME_BAD, t), EH_BREAKER_SAME);
    ck_assert_int_eq(eh_breaker_may(h, t + apr_time_from_sec(9), &retry), 0); /* one bad probe: ten more seconds */
    t += apr_time_from_sec(10);
    eh_breaker_start(h, t);
    ck_assert_int_eq(eh_breaker_report(h, EH_OUTCOME_NONE, t), EH_BREAKER_SAME); /* told nothing: probe again */
    ck_assert_int_eq(eh_breaker_may(h, t, &retry), 1);
    eh_breaker_start(h, t);
    ck_assert_int_eq(eh_breaker_report(h, EH_OUTCOME_GOOD, t), EH_BREAKER_CLOSED_AGAIN);
    ck_assert_int_eq(eh_breaker_may(h, t, &retry), 1);
    ck_assert_int_eq(h->fails, 0);
    ck_assert_int_eq(h->in_flight, 0);
}
END_TEST

START_TEST(stragglers_do_not_prolong_an_outage)
{
    eh_host_t hosts[1] = {0}, *h = eh_host_get(hosts, 1, "https://a:1", 1);
    int i, retry;

    for (i = 0; i < 7; i++)
        eh_breaker_start(h, 0);
    for (i = 0; i < 5; i++)
        eh_breaker_report(h, EH_OUTCOME_BAD, 0);
    ck_assert_int_eq(eh_breaker_report(h, EH_OUTCOME_BAD, apr_time_from_sec(8)), EH_BREAKER_SAME);
    ck_assert_int_eq(eh_breaker_may(h, apr_time_from_sec(10), &retry), 1);
    ck_assert_ptr_null(eh_host_get(hosts, 1, "https://b:1", 1)); /* one is still in flight */
    ck_assert_int_eq(eh_breaker_report(h, EH_OUTCOME_GOOD, apr_time_from_sec(9)), EH_BREAKER_CLOSED_AGAIN);
    ck_assert_ptr_nonnull(eh_host_get(hosts, 1, "https://b:1", 1));
}
END_TEST

START_TEST(a_full_table_forgets_only_idle_hosts)
{
    eh_host_t hosts[3] = {0}, *a = eh_host_get(hosts, 3, "a", 1), *b = eh_host_get(hosts, 3, "b", 2);
    eh_host_t *c = eh_host_get(hosts, 3, "c", 3);
    int i;

    for (i = 0; i < 5; i++) {
        eh_breaker_start(a, 10);
        eh_breaker_report(a, EH_OUTCOME_BAD, 10);
    }
    eh_breaker_start(b, 11);
    ck_assert_ptr_eq(eh_host_get(hosts, 3, "d", 20), c); /* a is open, b in flight */
    ck_assert_ptr_eq(eh_host_get(hosts, 3, "a", 21), a);
    ck_assert_int_eq(a->fails, 5);
    ck_assert_ptr_eq(eh_host_get(hosts, 3, "e", apr_time_from_sec(60)), c);
}
END_TEST

typedef struct worker_t {
    pthread_t thread;
    eh_http_t *http;
    const char *url;
    apr_pool_t *pool;
    eh_code_e code;
    int status;
    apr_time_t took;
} worker_t;

static void *work(void *baton)
{
    worker_t *w = baton;
    eh_http_req_t req = {.method = "GET", .url = w->url};
    eh_http_res_t *r = NULL;
    eh_err_t e = {0};
    apr_time_t begun = eh_mono_now();

    if (eh_http_perform(w->http, &req, &r, &e, w->pool) == APR_SUCCESS) w->status = r->status;
    w->code = e.code;
    w->took = (eh_mono_now() - begun) / 1000;
    return NULL;
}

static void crowd(worker_t *w, int n, eh_http_t *http, const char *to)
{
    int i;

    for (i = 0; i < n; i++) {
        memset(&w[i], 0, sizeof(w[i]));
        w[i].http = http;
        w[i].url = to;
        apr_pool_create_unmanaged_ex(&w[i].pool, NULL, NULL);
        ck_assert_int_eq(pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
    }
}

static int join(worker_t *w, int n, int *busy)
{
    int i, ok = 0;

    for (i = 0, *busy = 0; i < n; i++) {
        pthread_join(w[i].thread, NULL);
        ok += w[i].status == 200;
        *busy += w[i].code == EH_E_HTTP_BUSY;
        apr_pool_destroy(w[i].pool);
    }
    return ok;
}

START_TEST(a_slow_peer_cannot_use_up_the_workers)
{
    eh_httppool_conf_t c = conf();
    worker_t w[8];
    eh_http_t *http;
    int i, ok, busy, at_once = 0;

    c.max_handles = 4; /* two a host */
    c.max_waiting = 2; /* one a host */
    c.max_wait = apr_time_from_msec(250);
    http = pool_of(c);
    crowd(w, 8, http, url("http", "/think"));
    usleep(100000);
    ck_ok(get(http, "tls", "/ok"), 200, "hello");
    ck_assert_int_lt(took, 500);
    ok = join(w, 8, &busy);
    for (i = 0; i < 8; i++)
        at_once += w[i].code == EH_E_HTTP_BUSY && w[i].took < 200;
    ck_assert_int_eq(ok, 2);
    ck_assert_int_eq(busy, 6);
    ck_assert_int_eq(at_once, 5); /* one waited its quarter of a second */
    ck_ok(get(http, "http", "/ok"), 200, "hello");
}
END_TEST

START_TEST(who_waits_is_served)
{
    eh_httppool_conf_t c = conf();
    worker_t w[4];
    int busy;

    c.max_handles = 2;
    c.max_per_host = 2;
    c.max_wait = apr_time_from_sec(3);
    crowd(w, 4, pool_of(c), url("http", "/think"));
    ck_assert_int_eq(join(w, 4, &busy), 4);
    ck_assert_int_eq(busy, 0);
}
END_TEST

/* --- fork, secrets --- */

START_TEST(nothing_crosses_a_fork)
{
    eh_http_t *http = pool_of(conf());
    int first = client_port(http, "tls", NULL, NULL), status;
    pid_t child = fork();

    ck_assert_int_ne(child, -1);
    if (child == 0) {
        eh_http_req_t req = {.method = "GET", .url = url("tls", "/ok")};
        eh_http_res_t *r = NULL;
        eh_err_t e = {0};
        apr_status_t rv = eh_http_perform(http, &req, &r, &e, p);

        apr_pool_destroy(p); /* as httpd does with a pool made too early */
        _exit(rv == APR_EINVAL && e.code == EH_E_INTERNAL ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(client_port(http, "tls", NULL, NULL), first); /* the child did not hang up for us */
}
END_TEST

START_TEST(no_secret_reaches_log_or_error)
{
    static const char *const listeners[] = {"tls", "badname", "untrusted", "closed", "expired"};
    static const char *const paths[] = {"/ok", "/close-mid", "/redirect", "/bare-cr", "/huge-length"};
    eh_http_t *http = pool_of(conf());
    apr_table_t *t = apr_table_make(p, 1);
    size_t i, j;

    apr_table_setn(t, "X-Secret", "SECRET");
    for (i = 0; i < 5; i++) {
        for (j = 0; j < (i ? 1u : 5u); j++) {
            ask(http, (eh_http_req_t){.url = apr_pstrcat(p, url(listeners[i], paths[j]), "?code=SECRET#SECRET", NULL),
                                      .method = "POST",
                                      .headers = t,
                                      .bearer = "SECRET",
                                      .body = "client_secret=SECRET",
                                      .body_len = 20});
            ck_assert(!err.detail || !strstr(err.detail, "SECRET"));
            ck_assert(!err.cause || !strstr(err.cause, "SECRET"));
        }
    }
    ask(http, (eh_http_req_t){.url = "https://SECRET:SECRET@localhost/SECRET"});
    ck_assert(!err.cause || !strstr(err.cause, "SECRET"));
    ask(http, (eh_http_req_t){.url = "https://local host/SECRET"});
    ck_assert(!err.cause || !strstr(err.cause, "SECRET"));
    ck_assert_ptr_null(strstr(logged, "SECRET"));
    ck_assert_ptr_nonnull(strstr(logged, "POST https://localhost:")); /* there is a log to look into */
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("http");
    TCase *tc = tcase_create("http");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, an_answer_is_handed_over_whole);
    tcase_add_test(tc, connections_are_kept);
    tcase_add_test(tc, a_request_is_sent_as_given);
    tcase_add_test(tc, redirects_are_answers);
    tcase_add_test(tc, chunked_trailers_and_interim_answers);
    tcase_add_test(tc, sizes_are_capped);
    tcase_add_test(tc, malformed_answers_are_refused);
    tcase_add_test(tc, broken_connections);
    tcase_add_test(tc, a_kept_connection_that_was_closed);
    tcase_add_test(tc, addresses_that_policy_forbids);
    tcase_add_test(tc, header_injection_is_refused);
    tcase_add_test(tc, every_wait_ends);
    tcase_add_test(tc, a_trickle_is_given_up);
    tcase_add_test(tc, peers_that_cannot_be_verified);
    tcase_add_test(tc, tls_12_is_enough);
    tcase_add_test(tc, a_wrong_ca_bundle_is_refused_at_once);
    tcase_add_test(tc, client_certificates_are_kept_apart);
    tcase_add_test(tc, one_handle_serves_two_certificates);
    tcase_add_test(tc, client_certificates_that_cannot_be_used);
    tcase_add_test(tc, the_proxy_is_used_where_it_should);
    tcase_add_test(tc, subnets_are_exceptions_for_addresses);
    tcase_add_test(tc, what_a_proxy_refuses);
    tcase_add_test(tc, five_failures_open_the_breaker);
    tcase_add_test(tc, transport_errors_open_it_too_and_client_errors_do_not);
    tcase_add_test(tc, an_open_breaker_probes_once);
    tcase_add_test(tc, stragglers_do_not_prolong_an_outage);
    tcase_add_test(tc, a_full_table_forgets_only_idle_hosts);
    tcase_add_test(tc, a_slow_peer_cannot_use_up_the_workers);
    tcase_add_test(tc, who_waits_is_served);
    tcase_add_test(tc, nothing_crosses_a_fork);
    tcase_add_test(tc, no_secret_reaches_log_or_error);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    SRunner *sr;
    pid_t pid;
    int hold, failed;

    apr_initialize();
    apr_pool_create(&root, NULL);
    start_peer(&pid, &hold);
    sr = srunner_create(suite());
    srunner_set_fork_status(sr, CK_NOFORK);
    srunner_set_tap(sr, "-");
    srunner_run_all(sr, CK_SILENT);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    close(hold);
    waitpid(pid, NULL, 0);
    json_decref(peer);
    apr_terminate();
    return failed ? 1 : 0;
}
