/* SPDX-License-Identifier: Apache-2.0 */
/* What a provider says over the network: metadata, keys, certificate, clock. */
#include "ehctl_check.h"

#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#include "ehealth/jose.h"
#include "ehealth/json.h"

typedef struct net_t {
    check_t *c;
    const json_t *host, *provider, *meta;
    eh_http_t *http;
    const eh_http_cert_t *cert;
    const char *asked; /* hosts asked already, each between blanks: their TLS and clock are told once */
} net_t;

/* --- the way out --- */

static const char *proxy_name(const check_t *c, const json_t *host)
{
    const char *proxy = eh_json_str(host, "proxy"), *at;

    if (!proxy) return NULL;
    at = strrchr(proxy, '@'); /* user and password before it are nobody's business */
    return at ? check_text(c, "http://%s", at + 1) : proxy;
}

static apr_interval_time_t limit(const json_t *host, const char *key)
{
    json_int_t n;

    return eh_json_int(&n, json_object_get(host, "outbound"), key) == APR_SUCCESS ? apr_time_from_sec(n) : 0;
}

eh_http_t *check_http(check_t *c, const json_t *host)
{
    const json_t *except = json_object_get(host, "proxy_except");
    eh_httppool_conf_t conf = {.user_agent = "ehctl", .max_handles = 1};
    const char **list = apr_pcalloc(c->p, sizeof(*list) * (json_array_size(except) + 1));
    eh_http_t *http;
    size_t i;

    for (i = 0; i < json_array_size(except); i++)
        list[i] = json_string_value(json_array_get(except, i));
    conf.proxy = eh_json_str(host, "proxy");
    conf.no_proxy = list;
    conf.ca_bundle = eh_json_str(host, "ca_bundle");
    conf.connect_timeout = limit(host, "connect");
    conf.total_timeout = limit(host, "total");
    conf.http_loopback = json_is_true(json_object_get(json_object_get(host, "outbound"), "http_loopback"));
    if (eh_httppool_create(&http, &conf, c->ctl->verbose ? &c->ctl->log : NULL, c->p) == APR_SUCCESS) return http;
    check_report(c, CHECK_FAIL, "ca-bundle",
                 "EHealthCABundle is a PEM file that the server's user may read; EHealthProxy is "
                 "http://[user:password@]host:port",
                 "the outbound connections of this host cannot be set up (CA bundle %s, proxy %s)",
                 conf.ca_bundle ? conf.ca_bundle : "of the system", conf.proxy ? proxy_name(c, host) : "none");
    return NULL;
}

static const char *remedy(const net_t *n, const eh_err_t *err)
{
    const check_t *c = n->c;
    const char *bundle = eh_json_str(n->host, "ca_bundle"), *cause = err->cause ? err->cause : "";
    const char *proxy = proxy_name(c, n->host);

    if (err->code == EH_E_CONFIG) return "mend the client certificate as told above";
    if (err->code == EH_E_HTTP_TLS && strstr(cause, "among the trusted")) {
        return bundle ? check_text(c, "add the certificate of that authority (PEM) to %s", bundle)
                      : "add the certificate of that authority to the system (Debian: put it into "
                        "/usr/local/share/ca-certificates as .crt, run update-ca-certificates) or to a file named by "
                        "EHealthCABundle; when it is the hospital's own, a gateway opens TLS on the way out";
    }
    if (err->code == EH_E_HTTP_TLS && strstr(cause, "issued for"))
        return "compare the address with the provider's documents; DNS or a gateway may lead elsewhere";
    if (err->code == EH_E_HTTP_TLS && (strstr(cause, "expired") || strstr(cause, "not yet valid")))
        return "see whether this machine's clock is right; if it is, the provider must renew its certificate";
    if (err->code == EH_E_HTTP_TLS && err->detail && strstr(err->detail, "client certificate"))
        return "see EHealthClientCertificate: the provider must know that very certificate";
    if (proxy)
        return check_text(c,
                          "see whether the proxy %s lets this server through to that host, or list the host in "
                          "EHealthProxyExcept",
                          proxy);
    return "open the firewall for this server's way out to that host, or name the hospital's proxy with EHealthProxy";
}

/* The certificate's end and the clock, once a host. */
static void tell_of_host(net_t *n, const char *at, const eh_http_res_t *res, apr_time_t asked, apr_time_t answered)
{
    check_t *c = n->c;
    json_int_t leeway;
    long skew;

    if (res->cert_expires) {
        long days = (long)(apr_time_sec(res->cert_expires - answered) / 86400);

        if (days < CHECK_EXPIRY_DAYS)
            check_report(c, CHECK_WARN, "tls-expiry", "ask the provider whether the renewal is under way",
                         "the certificate of %s expires in %ld days", at, days);
    }
    if (eh_json_int(&leeway, n->provider, "leeway") != APR_SUCCESS) leeway = CHECK_LEEWAY;
    if (!res->date) return;
    /* The Date header has whole seconds and was written somewhere between question and answer. */
    skew = (long)apr_time_sec((asked + answered) / 2 - res->date);
    if (labs(skew) > leeway) {
        check_report(c, CHECK_WARN, "clock", "let chrony or systemd-timesyncd keep this machine's clock",
                     "this machine's clock is %ld s %s %s; log-ins fail beyond %d s", labs(skew),
                     skew > 0 ? "ahead of" : "behind", at, (int)leeway);
    } else {
        check_report(c, CHECK_OK, "clock", NULL, "clock agrees with %s within %d s", at, (int)leeway);
    }
}

static int already_asked(net_t *n, const char *at)
{
    const char *mark = check_text(n->c, " %s ", at);

    if (strstr(n->asked, mark)) return 1;
    n->asked = check_text(n->c, "%s%s", n->asked, mark);
    return 0;
}

static const eh_http_res_t *fetch(net_t *n, const char *id, const char *url)
{
    eh_http_req_t req = {.method = "GET", .url = url, .cert = n->cert};
    apr_table_t *headers = apr_table_make(n->c->p, 1);
    eh_http_res_t *res;
    eh_err_t err = {EH_E_NONE};
    const char *at = check_url_host(n->c, url);
    apr_time_t asked = apr_time_now();

    apr_table_setn(headers, "Accept", "application/json");
    req.headers = headers;
    if (eh_http_perform(n->http, &req, &res, &err, n->c->p) != APR_SUCCESS) {
        check_report_err(n->c, id, remedy(n, &err), &err);
        return NULL;
    }
    if (!already_asked(n, at)) tell_of_host(n, at, res, asked, apr_time_now());
    return res;
}

static const eh_http_res_t *fetch_document(net_t *n, const char *id, const char *url, const char *what)
{
    const eh_http_res_t *res = fetch(n, id, url);

    if (res && res->status != 200) {
        check_report(n->c, CHECK_FAIL, id, "compare the address with the provider's documents",
                     "the %s at %s answers with status %d", what, url, res->status);
        return NULL;
    }
    return res;
}

/* --- metadata --- */

static int lists(const json_t *array, const char *value)
{
    size_t i;

    for (i = 0; i < json_array_size(array); i++) {
        const char *s = json_string_value(json_array_get(array, i));

        if (s && !strcmp(s, value)) return 1;
    }
    return 0;
}

/* Whose issuer it is, when it is that of another configured provider. */
static const char *owner_of(const check_t *c, const char *issuer)
{
    const json_t *hosts = json_object_get(c->dump, "hosts");
    size_t i, k;

    for (i = 0; i < json_array_size(hosts); i++) {
        const json_t *list = json_object_get(json_array_get(hosts, i), "providers");

        for (k = 0; k < json_array_size(list); k++) {
            const char *other = eh_json_str(json_array_get(list, k), "issuer");

            if (other && !strcmp(other, issuer))
                return check_text(c, ", which is the issuer of provider %s",
                                  eh_json_str(json_array_get(list, k), "name"));
        }
    }
    return "";
}

static void check_issuer(net_t *n)
{
    const char *want = eh_json_str(n->provider, "issuer"), *got = eh_json_str(n->meta, "issuer");

    if (want && got && !strcmp(want, got)) {
        check_report(n->c, CHECK_OK, "issuer", NULL, "issuer %s", got);
    } else {
        check_report(
            n->c, CHECK_FAIL, "issuer",
            "the two must be equal to the letter (a final / counts): correct EHealthIssuer, EHealthMetadataURL or "
            "EHealthEnvironment",
            "the metadata name the issuer %s%s, the configuration expects %s", got ? got : "(none)",
            got ? owner_of(n->c, got) : "", want ? want : "(none)");
    }
}

static void check_endpoints(net_t *n)
{
    static const struct {
        const char *key, *directive;
        int required;
    } all[] = {{"authorization_endpoint", "EHealthAuthorizationEndpoint", 1},
               {"token_endpoint", "EHealthTokenEndpoint", 1},
               {"jwks_uri", "EHealthJWKSURI", 1},
               {"userinfo_endpoint", "EHealthUserinfoEndpoint", 0},
               {"end_session_endpoint", "EHealthEndSessionEndpoint", 0}};
    const char *userinfo = eh_json_str(n->provider, "userinfo");
    int wrong = 0;
    size_t i;

    for (i = 0; i < sizeof(all) / sizeof(*all); i++) {
        const char *fixed = eh_json_str(n->provider, all[i].key),
                   *told = n->meta ? eh_json_str(n->meta, all[i].key) : NULL;
        int required = all[i].required || (i == 3 && userinfo && !strcmp(userinfo, "required"));

        if (!fixed && !told && required) {
            wrong++;
            check_report(n->c, CHECK_FAIL, "endpoints", check_text(n->c, "write %s", all[i].directive),
                         "neither the metadata nor the configuration name the %s", all[i].key);
        }
        if (!fixed && told && !check_is_secure(n->host, told)) {
            wrong++;
            check_report(n->c, CHECK_FAIL, "endpoints", "tell the provider; it is never used over plain http",
                         "the metadata name %s %s, which is not https", all[i].key, told);
        }
        if (fixed && told && strcmp(fixed, told)) {
            wrong++;
            check_report(n->c, CHECK_WARN, "endpoints",
                         check_text(n->c, "remove %s, or ask the provider which of them is right", all[i].directive),
                         "the configuration names %s %s, the metadata %s", all[i].key, fixed, told);
        }
    }
    if (!wrong) check_report(n->c, CHECK_OK, "endpoints", NULL, "all endpoints are known and on https");
}

static void check_abilities(net_t *n)
{
    const json_t *algs = json_object_get(n->provider, "id_token_algs");
    const json_t *offered = json_object_get(n->meta, "id_token_signing_alg_values_supported");
    const json_t *methods = json_object_get(n->meta, "token_endpoint_auth_methods_supported");
    const char *auth = eh_json_str(n->provider, "client_auth");
    size_t i, fits = 0;

    for (i = 0; i < json_array_size(algs); i++) {
        const char *alg = json_string_value(json_array_get(algs, i));

        fits += alg && lists(offered, alg);
    }
    if (json_array_size(offered) && !fits) {
        check_report(n->c, CHECK_FAIL, "algorithms", "write EHealthIDTokenAlg with one that the provider offers",
                     "the provider signs with none of the algorithms of EHealthIDTokenAlg");
    }
    if (json_array_size(methods) && auth && strcmp(auth, "none") && !lists(methods, auth)) {
        check_report(n->c, CHECK_WARN, "client-auth", "ask the provider how this client was registered",
                     "the provider does not list EHealthClientAuth %s among its methods", auth);
    }
}

static int read_metadata(net_t *n, const char *url)
{
    const eh_http_res_t *res = fetch_document(n, "metadata", url, "metadata document");
    eh_err_t err = {EH_E_NONE};
    json_t *j;

    if (!res) return 0;
    if (eh_json_load(&j, res->body, res->len, &err, n->c->p) != APR_SUCCESS || !json_is_object(j)) {
        check_report(
            n->c, CHECK_FAIL, "metadata", "look at it with a browser: a gateway's own log-in page often comes instead",
            "what %s answers (%s) is no metadata document", url, *res->content_type ? res->content_type : "no type");
        return 0;
    }
    n->meta = j;
    check_report(n->c, CHECK_OK, "metadata", NULL, "metadata read from %s%s%s", url,
                 proxy_name(n->c, n->host) ? "; proxy configured: " : "",
                 proxy_name(n->c, n->host) ? proxy_name(n->c, n->host) : "");
    return 1;
}

/* --- keys and the remaining hosts --- */

static const char *endpoint(const net_t *n, const char *key)
{
    const char *fixed = eh_json_str(n->provider, key);

    return fixed ? fixed : n->meta ? eh_json_str(n->meta, key) : NULL;
}

static void check_jwks(net_t *n)
{
    const char *url = endpoint(n, "jwks_uri");
    const json_t *algs = json_object_get(n->provider, "id_token_algs");
    const eh_http_res_t *res = url && check_is_secure(n->host, url) ? fetch_document(n, "jwks", url, "key set") : NULL;
    eh_err_t err = {EH_E_NONE};
    eh_jwks_t *set;
    int i, usable = 0, wanted = 0;
    size_t k;

    if (!res) return;
    if (eh_jwks_parse(&set, res->body, res->len, &err, n->c->p) != APR_SUCCESS) {
        check_report_err(n->c, "jwks", "compare EHealthJWKSURI with the provider's documents", &err);
        return;
    }
    for (k = 0; k < json_array_size(algs); k++) {
        const char *alg = json_string_value(json_array_get(algs, k));

        wanted |= alg ? (int)eh_alg_parse(alg) : 0;
    }
    for (i = 0; i < eh_jwks_count(set); i++)
        usable += (eh_jwk_algs(eh_jwks_at(set, i)) & wanted) != 0;
    if (usable) {
        check_report(n->c, CHECK_OK, "jwks", NULL, "%d of %d keys of the provider can verify its tokens", usable,
                     eh_jwks_count(set));
    } else {
        check_report(n->c, CHECK_FAIL, "jwks", "write EHealthIDTokenAlg for the kind of key that the provider has",
                     "no key of the provider (it has %d) fits the algorithms of EHealthIDTokenAlg", eh_jwks_count(set));
    }
}

/* Any answer will do: it shows that name, firewall, proxy and TLS let us through. */
static void check_reach(net_t *n, const char *key)
{
    const char *url = endpoint(n, key), *at = url ? check_url_host(n->c, url) : "";

    if (!*at || !check_is_secure(n->host, url) || strstr(n->asked, check_text(n->c, " %s ", at))) return;
    if (fetch(n, "reach", url)) check_report(n->c, CHECK_OK, "reach", NULL, "%s can be reached", at);
}

void check_network(check_t *c, const json_t *host, const json_t *provider, eh_http_t *http)
{
    eh_http_cert_t cert = {eh_json_str(provider, "client_cert_file"), eh_json_str(provider, "client_cert_key_file")};
    net_t n = {.c = c, .host = host, .provider = provider, .http = http, .asked = " "};
    const char *url = eh_json_str(provider, "metadata_url");

    if (cert.cert_file) n.cert = &cert;
    if (url && !check_is_secure(host, url)) return; /* told by check_addresses */
    if (url && !read_metadata(&n, url)) return;
    if (n.meta) {
        check_issuer(&n);
        check_abilities(&n);
    }
    check_endpoints(&n);
    check_jwks(&n);
    check_reach(&n, "token_endpoint");
    check_reach(&n, "userinfo_endpoint");
}
