/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Inside of the outbound HTTP pool: hosts (breaker, in-flight counts), slots (kept easy handles), TLS trust and words.
 * Times named `now` are microseconds of the monotonic clock: a stepped wall clock must not stretch a deadline.
 */
#ifndef EH_HTTP_INT_H
#define EH_HTTP_INT_H

#include <curl/curl.h>
#include <openssl/x509.h>
#include <pthread.h>

#include "ehealth/http_pool.h"

#define EH_HOST_KEY_MAX 280   /* "https://" + 253 + ":65535" */
#define EH_CERT_IDENT_MAX 640 /* two paths and their versions, or refused */
#define EH_TLS_WORDS_MAX 256

/* --- hosts and breaker: pure, the caller holds the lock (http_breaker.c) --- */

typedef enum { EH_BREAKER_CLOSED, EH_BREAKER_OPEN_, EH_BREAKER_PROBING } eh_breaker_e;
typedef enum {
    EH_OUTCOME_GOOD,
    EH_OUTCOME_BAD,
    EH_OUTCOME_NONE /* our own fault: says nothing of the peer */
} eh_peer_e;
typedef enum { EH_BREAKER_SAME, EH_BREAKER_OPENED, EH_BREAKER_CLOSED_AGAIN } eh_breaker_change_e;

typedef struct eh_host_t {
    char key[EH_HOST_KEY_MAX]; /* "" = free entry */
    int in_flight, waiting, fails;
    eh_breaker_e state;
    apr_time_t open_until;
    apr_time_t used;
} eh_host_t;

/** Finds or makes the entry of key. A full table gives up its least recently used idle entry; NULL when none is idle. */
eh_host_t *eh_host_get(eh_host_t *hosts, int n, const char *key, apr_time_t now);
/** 1 when a request may go to the host now. Otherwise 0, and *retry: whole seconds until it makes sense (≥ 1). */
int eh_breaker_may(const eh_host_t *host, apr_time_t now, int *retry);
/** The caller, having asked eh_breaker_may, starts a request: a half-open breaker takes it as its probe. */
void eh_breaker_start(eh_host_t *host, apr_time_t now);
eh_breaker_change_e eh_breaker_report(eh_host_t *host, eh_peer_e outcome, apr_time_t now);

/* --- slots (http_slots.c) --- */

/** What the TLS verification of the slot's newest handshake saw. */
typedef struct eh_tls_seen_t {
    int error; /* X509_V_…; X509_V_OK */
    int asked; /* the peer asked for a client certificate and there was none to show */
    apr_time_t expires;
    char subject[EH_TLS_WORDS_MAX]; /* the certificate that failed, else the peer's */
    char issuer[EH_TLS_WORDS_MAX];
    char names[EH_TLS_WORDS_MAX]; /* the peer certificate's subjectAltName hosts */
} eh_tls_seen_t;

typedef struct eh_slot_t {
    CURL *easy; /* NULL until first used, and after an error */
    int busy;
    char host[EH_HOST_KEY_MAX];    /* spoken to last: its kept connection is probably still there */
    char ident[EH_CERT_IDENT_MAX]; /* client certificate of all its connections; "" = none */
    apr_time_t used;
    eh_tls_seen_t seen;
    X509_STORE *trust; /* the pool's */
} eh_slot_t;

typedef struct eh_httppool_t {
    eh_http_t http; /* first: this is what callers hold */
    eh_httppool_conf_t conf;
    const eh_log_t *log;
    pid_t pid;
    X509_STORE *trust;
    pthread_mutex_t lock;
    pthread_cond_t freed;
    int waiting, busy;
    eh_slot_t *slots;
    eh_host_t hosts[EH_HTTP_MAX_HOSTS];
} eh_httppool_t;

/**
 * Takes a slot for an exchange with host key under client certificate ident, waiting at most until deadline.
 * Errors: HTTP_BREAKER, HTTP_BUSY, INTERNAL.
 */
apr_status_t eh_slot_take(eh_slot_t **pslot, eh_httppool_t *pool, const char *key, const char *ident,
                          apr_time_t deadline, eh_err_t *err, apr_pool_t *p);
/** Gives it back; keep 0 destroys the handle with its connections. Counts outcome against the host. */
void eh_slot_give(eh_httppool_t *pool, eh_slot_t *slot, int keep, eh_peer_e outcome);

apr_time_t eh_mono_now(void);

/* --- the answer (http_answer.c): what libcurl's callbacks fill, within caps --- */

typedef struct eh_answer_t {
    eh_http_res_t *res;
    char *body; /* malloc, wiped when p goes: token answers pass through here */
    apr_size_t len, room, cap;
    apr_size_t head_bytes;
    int head_lines, in_head;
    int too_large;       /* a cap was passed */
    const char *refused; /* why the answer is no HTTP that we take; NULL = it is */
    apr_pool_t *p;
} eh_answer_t;

void eh_answer_begin(eh_answer_t *x, apr_size_t cap, apr_pool_t *p);
/** CURLOPT_WRITEFUNCTION and CURLOPT_HEADERFUNCTION; baton is the eh_answer_t. */
size_t eh_answer_body(char *data, size_t size, size_t n, void *baton);
size_t eh_answer_header(char *data, size_t size, size_t n, void *baton);
/** After the transfer: content type and date; may still refuse. */
void eh_answer_read(eh_answer_t *x);
/** Hands the body over to res and p, whatever the outcome. */
void eh_answer_end(eh_answer_t *x);

/* --- the request (http_request.c): nothing leaves before all of it was checked --- */

/** One exchange. Lives on the caller's stack; libcurl holds pointers into it until the slot is given back. */
typedef struct eh_exchange_t {
    eh_httppool_t *pool;
    const eh_http_req_t *req;
    eh_slot_t *slot;
    CURLU *url;
    char key[EH_HOST_KEY_MAX];     /* "https://host:port"; "" until the URL was read */
    const char *host;              /* for sentences */
    char ident[EH_CERT_IDENT_MAX]; /* client certificate */
    int plain, loopback, direct;
    struct curl_slist *headers;
    char says[CURL_ERROR_SIZE];
    eh_answer_t answer;
    apr_pool_t *p;
} eh_exchange_t;

/** Fills url, key, host and the way to it from req->url, or refuses it (HTTP_UNREACHABLE, APR_EINVAL). */
apr_status_t eh_request_url(eh_exchange_t *x, eh_err_t *err);
/** Fills headers from the request's members, or refuses them (INTERNAL, APR_EINVAL). */
apr_status_t eh_request_headers(eh_exchange_t *x, eh_err_t *err);
/** Fills ident. CONFIG when a file cannot be read. */
apr_status_t eh_request_cert(eh_exchange_t *x, eh_err_t *err);
/** Wipes and frees what the three made; also after a failure. */
void eh_request_done(eh_exchange_t *x);

int eh_http_is_token(const char *s);    /* RFC 9110 §5.6.2; 0 for NULL and "" */
int eh_http_has_control(const char *s); /* a control character other than a tab */

/* --- TLS (http_tls.c) --- */

/** The store of trusted roots: of conf.ca_bundle, or the system's. */
apr_status_t eh_tls_trust(X509_STORE **ptrust, const char *ca_bundle, const eh_log_t *log, apr_pool_t *p);
/** CURLOPT_SSL_CTX_FUNCTION; baton is the eh_slot_t. */
CURLcode eh_tls_setup(CURL *easy, void *ssl_ctx, void *slot);
/** Why the peer could not be verified, in a sentence (detail) and with names (cause, in p). */
void eh_tls_words(const char **detail, const char **cause, const eh_tls_seen_t *seen, CURLcode cc,
                  const char *curl_says, const char *host, apr_pool_t *p);

#endif
