/* SPDX-License-Identifier: Apache-2.0 */
/* What can be said of a host and its providers without asking anybody. */
#include "ehctl_check.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <curl/curl.h>
#include <string.h>
#include <strings.h>

#include "ehealth/json.h"

static const char *part(const check_t *c, const char *url, CURLUPart what)
{
    CURLU *u = curl_url();
    char *value = NULL;
    const char *out = NULL;

    if (u && url && curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
        curl_url_get(u, what, &value, 0) == CURLUE_OK && value) {
        out = apr_pstrdup(c->p, value);
    }
    curl_free(value);
    curl_url_cleanup(u);
    return out;
}

const char *check_url_host(const check_t *c, const char *url)
{
    const char *host = part(c, url, CURLUPART_HOST);
    char *low = apr_pstrdup(c->p, host ? host : ""), *s;

    for (s = low; *s; s++)
        *s = (char)apr_tolower(*s);
    return low;
}

static int is_loopback_http(const char *url)
{
    static const char *const at[] = {"http://127.0.0.1", "http://localhost", "http://[::1]"};
    size_t i;

    for (i = 0; i < sizeof(at) / sizeof(*at); i++) {
        size_t len = strlen(at[i]);

        if (!strncmp(url, at[i], len) && (url[len] == '\0' || url[len] == ':' || url[len] == '/')) return 1;
    }
    return 0;
}

int check_is_secure(const json_t *host, const char *url)
{
    if (!strncmp(url, "https://", 8)) return 1;
    return json_is_true(json_object_get(json_object_get(host, "outbound"), "http_loopback")) && is_loopback_http(url);
}

void check_public_url(check_t *c, const json_t *host)
{
    const char *url = eh_json_str(host, "public_url"), *name = eh_json_str(host, "name"), *path, *at;
    int tls = json_is_true(json_object_get(host, "tls"));

    if (!url) {
        check_report(c, CHECK_FAIL, "public-url", "write \"EHealthPublicURL https://\" and the name that browsers use",
                     "this host has log-in providers and no public URL");
        return;
    }
    path = part(c, url, CURLUPART_PATH);
    at = check_url_host(c, url);
    if (!*at || (path && strcmp(path, "/")) || part(c, url, CURLUPART_QUERY) || part(c, url, CURLUPART_USER)) {
        check_report(c, CHECK_FAIL, "public-url", "write scheme and host alone, such as https://portal.example",
                     "EHealthPublicURL %s is more than an origin", url);
    } else if (is_loopback_http(url)) {
        check_report(c, CHECK_WARN, "public-url", "good for a demo on this machine only; people need https",
                     "EHealthPublicURL is %s", url);
    } else if (strncmp(url, "https://", 8)) {
        check_report(c, CHECK_FAIL, "public-url", "write it with https: the session cookie is not sent otherwise",
                     "EHealthPublicURL %s is not https", url);
    } else if (name && strncasecmp(name, at, strlen(at))) {
        check_report(c, CHECK_WARN, "public-url",
                     "if no front end stands before this server, make ServerName and EHealthPublicURL the same",
                     "the virtual host is %s, but browsers are sent to %s", name, url);
    } else {
        check_report(c, CHECK_OK, "public-url", NULL, "public URL %s%s", url,
                     tls ? "" : "; a front end speaks TLS for this host");
    }
}

/* --- addresses of a provider --- */

static const char *const endpoints[] = {"metadata_url", "authorization_endpoint", "token_endpoint", "userinfo_endpoint",
                                        "jwks_uri",     "end_session_endpoint"};

static void check_return_address(check_t *c, const json_t *host, const json_t *provider, const char *key,
                                 const char *what)
{
    const char *url = eh_json_str(provider, key), *base = eh_json_str(host, "public_url");
    apr_size_t len = base ? strlen(base) : 0;

    if (!url) {
        check_report(c, CHECK_FAIL, key, "write EHealthPublicURL for this host", "there is no %s", what);
    } else if (!base || strncmp(url, base, len) || url[len] != '/' || strpbrk(url, "?#*")) {
        check_report(c, CHECK_FAIL, key, "it must be the public URL, a path, and nothing else",
                     "the %s %s is not below the public URL %s", what, url, base ? base : "(none)");
    } else {
        check_report(c, CHECK_OK, key, NULL, "%s to register with the provider: %s", what, url);
    }
}

void check_addresses(check_t *c, const json_t *host, const json_t *provider)
{
    const char *issuer = eh_json_str(provider, "issuer");
    size_t i;

    if (!issuer || !check_is_secure(host, issuer)) {
        check_report(c, CHECK_FAIL, "issuer", "write EHealthIssuer as the provider states it, with https",
                     "the issuer %s is not an https address", issuer ? issuer : "(none)");
    }
    for (i = 0; i < sizeof(endpoints) / sizeof(*endpoints); i++) {
        const char *url = eh_json_str(provider, endpoints[i]);

        if (url && !check_is_secure(host, url)) {
            check_report(c, CHECK_FAIL, "endpoints", "write it with https", "%s %s is not an https address",
                         endpoints[i], url);
        }
    }
    if (!eh_json_str(provider, "client_id")) {
        check_report(c, CHECK_FAIL, "client-id", "write EHealthClientID as the provider gave it",
                     "there is no client id");
    }
    check_return_address(c, host, provider, "redirect_uri", "redirect URI");
    check_return_address(c, host, provider, "post_logout_redirect_uri", "post-logout redirect URI");
}

/* --- production and test side by side --- */

static const char *label(const check_t *c, const json_t *host, const json_t *provider)
{
    const char *env = eh_json_str(provider, "environment");

    return check_text(c, "%s on %s (%s)", eh_json_str(provider, "name"), eh_json_str(host, "name"),
                      env ? env : "no environment");
}

static int same(const json_t *a, const json_t *b, const char *key)
{
    const char *x = eh_json_str(a, key), *y = eh_json_str(b, key);

    return x && y && !strcmp(x, y);
}

static void compare(check_t *c, const json_t *host, const json_t *one, const json_t *other_host, const json_t *other)
{
    int same_env = same(one, other, "environment");

    if (same(one, other, "issuer") && !same_env && eh_json_str(one, "environment") &&
        eh_json_str(other, "environment")) {
        check_report(c, CHECK_FAIL, "environment",
                     "one of the two names the wrong EHealthEnvironment or EHealthIssuer; make them agree",
                     "%s and %s have the same issuer %s", label(c, host, one), label(c, other_host, other),
                     eh_json_str(one, "issuer"));
    } else if (host == other_host && same(one, other, "preset") && !same(one, other, "issuer") && !same_env) {
        check_report(c, CHECK_WARN, "environment", "let people of the test environment log in at a test host only",
                     "%s and %s let people of two environments into one portal", label(c, host, one),
                     label(c, other_host, other));
    } else if (host == other_host && same(one, other, "issuer") && same(one, other, "client_id")) {
        check_report(c, CHECK_WARN, "duplicate", "keep one of them, unless they differ in scope or acr on purpose",
                     "%s and %s are the same client of the same issuer", label(c, host, one),
                     label(c, other_host, other));
    }
}

/* Each pair once: with the providers that stand before this one. */
void check_mix(check_t *c, const json_t *host, const json_t *provider)
{
    const json_t *hosts = json_object_get(c->dump, "hosts");
    size_t i, k;

    for (i = 0; i < json_array_size(hosts); i++) {
        const json_t *other_host = json_array_get(hosts, i), *list = json_object_get(other_host, "providers");

        for (k = 0; k < json_array_size(list); k++) {
            const json_t *other = json_array_get(list, k);

            if (other == provider) return;
            compare(c, host, provider, other_host, other);
        }
    }
}
