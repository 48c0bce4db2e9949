/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing leaves before all of a request was checked. */
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

int eh_http_has_control(const char *s)
{
    for (; *s; s++) {
        if (((unsigned char)*s < 0x20 && *s != '\t') || *s == 0x7f) return 1;
    }
    return 0;
}

int eh_http_is_token(const char *s)
{
    static const char other[] = "!#$%&'*+-.^_`|~";

    if (!s || !*s) return 0;
    for (; *s; s++) {
        if (!apr_isalnum(*s) && !strchr(other, *s)) return 0;
    }
    return 1;
}

static apr_status_t refuse(eh_exchange_t *x, eh_err_t *err, eh_code_e code, const char *why)
{
    return eh_err_setf(err, x->p, code, APR_EINVAL, NULL, "%s%s%s", x->key, *x->key ? ": " : "", why);
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
apr_status_t eh_request_url(eh_exchange_t *x, eh_err_t *err)
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

static apr_status_t add_header(eh_exchange_t *x, const char *name, const char *value, eh_err_t *err)
{
    struct curl_slist *more;
    char *line;

    if (!eh_http_is_token(name) || !value || eh_http_has_control(value))
        return refuse(x, err, EH_E_INTERNAL, "a request header has forbidden characters");
    /* "Name;" is how libcurl is told to send an empty value. */
    line = *value ? apr_pstrcat(x->p, name, ": ", value, NULL) : apr_pstrcat(x->p, name, ";", NULL);
    more = curl_slist_append(x->headers, line);
    OPENSSL_cleanse(line, strlen(line));
    if (!more) return eh_err_set(err, EH_E_INTERNAL, APR_ENOMEM, NULL);
    x->headers = more;
    return APR_SUCCESS;
}

apr_status_t eh_request_headers(eh_exchange_t *x, eh_err_t *err)
{
    const eh_http_req_t *req = x->req;
    const apr_array_header_t *arr = req->headers ? apr_table_elts(req->headers) : NULL;
    apr_status_t rv = APR_SUCCESS;
    int i;

    if (!eh_http_is_token(req->method)) return refuse(x, err, EH_E_INTERNAL, "the request method is malformed");
    if (req->basic_user && (eh_http_has_control(req->basic_user) || strchr(req->basic_user, ':') ||
                            (req->basic_password && eh_http_has_control(req->basic_password))))
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
apr_status_t eh_request_cert(eh_exchange_t *x, eh_err_t *err)
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

void eh_request_done(eh_exchange_t *x)
{
    struct curl_slist *h;

    for (h = x->headers; h; h = h->next)
        OPENSSL_cleanse(h->data, strlen(h->data));
    curl_slist_free_all(x->headers);
    curl_url_cleanup(x->url);
}
