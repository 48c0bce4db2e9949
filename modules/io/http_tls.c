/* SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <dirent.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#include "http_int.h"

static apr_status_t free_store(void *data)
{
    X509_STORE_free(data);
    return APR_SUCCESS;
}

/* A folder counts as a store of roots when c_rehash was run on it: "1a2b3c4d.0". */
static int is_hashed_dir(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    int found = 0;

    if (!d) return 0;
    while (!found && (e = readdir(d))) {
        size_t len = strlen(e->d_name);

        found = len == 10 && e->d_name[8] == '.' && strspn(e->d_name, "0123456789abcdef") == 8;
    }
    closedir(d);
    return found;
}

apr_status_t eh_tls_trust(X509_STORE **ptrust, const char *ca_bundle, const eh_log_t *log, apr_pool_t *p)
{
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
    X509_STORE *store = X509_STORE_new();
    const char *what = ca_bundle;
    int ok;

    if (!store) return APR_ENOMEM;
    apr_pool_cleanup_register(p, store, free_store, apr_pool_cleanup_null);
    /* One store for all connections: libcurl would parse the whole bundle anew for each, and keep a copy with each. */
    if (ca_bundle) {
        ok = X509_STORE_load_file(store, ca_bundle);
    } else if (info->capath && is_hashed_dir(info->capath)) {
        what = info->capath; /* read one root at a time, when asked for */
        ok = X509_STORE_load_path(store, info->capath);
    } else {
        what = info->cainfo ? info->cainfo : "OpenSSL's default";
        ok = info->cainfo ? X509_STORE_load_file(store, info->cainfo) : X509_STORE_set_default_paths(store);
    }
    ERR_clear_error();
    if (!ok) {
        if (log)
            eh_log(log, EH_LOG_ERR, APR_EINVAL, "EH1001",
                   "the certification authorities cannot be read from %s; it must be a PEM file that the server's user "
                   "may read",
                   what);
        return APR_EINVAL;
    }
    /* An intermediate in the bundle may anchor a chain, as curl has it: hospitals are often given only that one. */
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST);
    *ptrust = store;
    return APR_SUCCESS;
}

static void note_name(char *out, X509_NAME *name)
{
    BIO *bio = BIO_new(BIO_s_mem());
    int n = 0;

    if (bio && X509_NAME_print_ex(bio, name, 0, (XN_FLAG_RFC2253 | XN_FLAG_SPC_EQ) & ~ASN1_STRFLGS_ESC_MSB) >= 0)
        n = BIO_read(bio, out, EH_TLS_WORDS_MAX - 1);
    out[n > 0 ? n : 0] = '\0';
    BIO_free(bio);
}

static apr_time_t expiry(const X509 *cert)
{
    struct tm tm;

    if (ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) != 1) return 0;
    return apr_time_from_sec((apr_time_t)timegm(&tm));
}

static void note_hosts(char *out, const X509 *cert)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    apr_size_t used = 0;
    int i;

    for (i = 0; names && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, i);
        int len;

        if (n->type != GEN_DNS) continue;
        len = ASN1_STRING_length(n->d.dNSName);
        if (len <= 0 || used + (apr_size_t)len + 3 >= EH_TLS_WORDS_MAX) break;
        if (used) {
            memcpy(out + used, ", ", 2);
            used += 2;
        }
        memcpy(out + used, ASN1_STRING_get0_data(n->d.dNSName), (apr_size_t)len);
        used += (apr_size_t)len;
    }
    out[used] = '\0';
    GENERAL_NAMES_free(names);
}

/* Stands in for X509_verify_cert only to look on: its verdict is passed through untouched. */
static int verify(X509_STORE_CTX *ctx, void *baton)
{
    eh_slot_t *slot = baton;
    eh_tls_seen_t *seen = &slot->seen;
    int ok = X509_verify_cert(ctx);
    X509 *leaf = X509_STORE_CTX_get0_cert(ctx), *bad = X509_STORE_CTX_get_current_cert(ctx);

    seen->error = X509_STORE_CTX_get_error(ctx);
    if (leaf) {
        seen->expires = expiry(leaf);
        note_hosts(seen->names, leaf);
    }
    if (seen->error == X509_V_OK || !bad) bad = leaf;
    if (bad) {
        note_name(seen->subject, X509_get_subject_name(bad));
        note_name(seen->issuer, X509_get_issuer_name(bad));
    }
    return ok;
}

/* Called only when no certificate is configured. Without it a refusal would read "handshake failure", or nothing at all. */
static int note_asked(SSL *ssl, X509 **cert, EVP_PKEY **key)
{
    eh_slot_t *slot = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

    if (slot) slot->seen.asked = 1;
    return 0; /* none */
}

CURLcode eh_tls_setup(CURL *easy, void *ssl_ctx, void *baton)
{
    /* The slot outlives the connection, and with it this SSL_CTX. */
    SSL_CTX_set1_cert_store(ssl_ctx, ((eh_slot_t *)baton)->trust);
    SSL_CTX_set_cert_verify_callback(ssl_ctx, verify, baton);
    SSL_CTX_set_app_data(ssl_ctx, baton);
    SSL_CTX_set_client_cert_cb(ssl_ctx, note_asked);
    return CURLE_OK;
}

void eh_tls_words(const char **detail, const char **cause, const eh_tls_seen_t *seen, CURLcode cc,
                  const char *curl_says, const char *host, apr_pool_t *p)
{
    switch (seen->error) {
    case X509_V_OK: break;
    case X509_V_ERR_CERT_HAS_EXPIRED:
        *detail = apr_psprintf(p, "The certificate of %s has expired.", host);
        *cause = apr_psprintf(p, "expired: \"%s\"", seen->subject);
        return;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        *detail = apr_psprintf(p, "The certificate of %s is not valid yet; the clocks may differ.", host);
        *cause = apr_psprintf(p, "not yet valid: \"%s\"", seen->subject);
        return;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        *detail = apr_psprintf(p, "%s shows a certificate of an authority that this server does not trust.", host);
        *cause = apr_psprintf(p, "authority not among the trusted ones: \"%s\" (issuer of \"%s\")", seen->issuer,
                              seen->subject);
        return;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        *detail = apr_psprintf(p, "%s shows a certificate of an authority that this server does not trust.", host);
        *cause = apr_psprintf(p, "self-signed and not among the trusted ones: \"%s\"", seen->subject);
        return;
    default:
        *detail = apr_psprintf(p, "The certificate of %s cannot be verified.", host);
        *cause = apr_psprintf(p, "%s: \"%s\"", X509_verify_cert_error_string(seen->error), seen->subject);
        return;
    }
    if (cc == CURLE_PEER_FAILED_VERIFICATION) {
        *detail = apr_psprintf(p, "The certificate of %s was issued for another name.", host);
        *cause = apr_psprintf(p, "issued for: %s", *seen->names ? seen->names : seen->subject);
    } else if (seen->asked) {
        *detail = apr_psprintf(p, "%s asks for a client certificate, and none is configured.", host);
        *cause = curl_says;
    } else if (strstr(curl_says, "alert bad certificate") || strstr(curl_says, "alert unknown ca") ||
               strstr(curl_says, "alert certificate") || cc == CURLE_SSL_CLIENTCERT) {
        *detail = apr_psprintf(p, "%s does not accept this server's client certificate.", host);
        *cause = curl_says;
    } else {
        *detail = apr_psprintf(p, "No secure connection could be agreed on with %s.", host);
        *cause = curl_says;
    }
}
