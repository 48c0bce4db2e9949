/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets, keys and certificates of a provider. */
#include "ehctl_check.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ehealth/jose.h"
#include "ehealth/json.h"
#include "ehealth/keys.h"

static const char *str(const json_t *j, const char *key)
{
    const char *s = eh_json_str(j, key);

    return s ? s : "";
}

static void check_client_secret(check_t *c, const json_t *provider)
{
    const char *source = eh_json_str(provider, "client_secret_source"), *secret;
    eh_err_t err = {EH_E_NONE};

    if (!source) {
        check_report(c, CHECK_FAIL, "secret",
                     "write \"EHealthClientSecret file:/etc/ehealth/NAME.secret\", or another EHealthClientAuth",
                     "EHealthClientAuth %s needs a secret, and none is configured", str(provider, "client_auth"));
    } else if (!strcmp(source, "literal")) {
        check_report(c, CHECK_WARN, "secret",
                     "put it into a file of its own (mode 640) and write \"EHealthClientSecret file:/path\"",
                     "the client secret stands in the configuration itself, readable to whoever reads that");
    } else if (eh_secret_file_read(&secret, source, &err, c->p) != APR_SUCCESS) {
        check_report_err(c, "secret", "mend the file; log-ins fail with \"invalid_client\" otherwise", &err);
    } else {
        check_report(c, CHECK_OK, "secret", NULL, "client secret in %s", source + 5);
    }
}

static void check_signing_key(check_t *c, const json_t *provider)
{
    const char *file = eh_json_str(provider, "client_key_file");
    eh_err_t err = {EH_E_NONE};
    eh_jwk_t *key;
    apr_size_t len;
    char *pem;

    if (!file) {
        check_report(c, CHECK_FAIL, "client-key", "write \"EHealthClientKey /etc/ehealth/NAME.key\"",
                     "EHealthClientAuth private_key_jwt needs a key, and none is configured");
        return;
    }
    if (eh_secret_file_load(&pem, &len, file, EH_KEY_FILE_MAX, EH_E_CONFIG, &err, c->p) != APR_SUCCESS ||
        eh_jwk_from_pem(&key, pem, len, NULL, &err, c->p) != APR_SUCCESS) {
        check_report_err(c, "client-key",
                         check_text(c, "mend %s: a private key in PEM, for its owner and group alone", file), &err);
    } else if (!eh_jwk_is_private(key)) {
        check_report(c, CHECK_FAIL, "client-key", "name the file with the private key that belongs to it",
                     "%s holds a public key only", file);
    } else {
        check_report(c, CHECK_OK, "client-key", NULL, "client key %s", file);
    }
}

void check_secrets(check_t *c, const json_t *provider)
{
    const char *auth = str(provider, "client_auth");

    if (!strncmp(auth, "client_secret_", 14)) check_client_secret(c, provider);
    if (!strcmp(auth, "private_key_jwt")) check_signing_key(c, provider);
    if (!strcmp(auth, "tls_client_auth") && !eh_json_str(provider, "client_cert_file")) {
        check_report(c, CHECK_FAIL, "client-cert", "write \"EHealthClientCertificate /etc/ehealth/cert.pem key.pem\"",
                     "EHealthClientAuth tls_client_auth needs a certificate, and none is configured");
    }
}

static time_t not_after(const X509 *cert)
{
    struct tm tm;

    return ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) == 1 ? timegm(&tm) : 0;
}

static FILE *open_or_tell(check_t *c, const char *file, const char *what)
{
    FILE *f = fopen(file, "re");

    if (!f) {
        check_report(c, CHECK_FAIL, "client-cert",
                     check_text(c, "let the server's user read it: chgrp %s %s && chmod 640 %s", str(c->dump, "group"),
                                file, file),
                     "the client %s %s cannot be read by the server's user %s: %s", what, file, str(c->dump, "user"),
                     strerror(errno));
    }
    return f;
}

static void judge_cert(check_t *c, const char *file, X509 *cert, EVP_PKEY *key)
{
    time_t ends = not_after(cert), now = time(NULL);
    long days = (long)((ends - now) / 86400);

    if (X509_check_private_key(cert, key) != 1) {
        check_report(c, CHECK_FAIL, "client-cert", "name the key that the certificate was issued for",
                     "the client certificate %s and its key do not belong together", file);
    } else if (ends <= now) {
        check_report(c, CHECK_FAIL, "client-cert", "replace it by a renewed one; no restart is needed",
                     "the client certificate %s has expired", file);
    } else if (days < CHECK_EXPIRY_DAYS) {
        check_report(c, CHECK_WARN, "client-cert", "have it renewed in time; no restart is needed",
                     "the client certificate %s expires in %ld days", file, days);
    } else {
        check_report(c, CHECK_OK, "client-cert", NULL, "client certificate %s, valid for %ld days", file, days);
    }
}

/* The running server reads these anew for each connection, with the rights that we have by now. */
void check_client_cert(check_t *c, const json_t *provider)
{
    const char *cert_file = eh_json_str(provider, "client_cert_file");
    const char *key_file = eh_json_str(provider, "client_cert_key_file");
    FILE *cf = cert_file ? open_or_tell(c, cert_file, "certificate") : NULL, *kf;
    X509 *cert;
    EVP_PKEY *key;

    if (!cf) return;
    cert = PEM_read_X509(cf, NULL, NULL, NULL);
    fclose(cf);
    kf = open_or_tell(c, key_file ? key_file : cert_file, "key");
    /* An empty passphrase, lest OpenSSL asks for one on the terminal. */
    key = kf ? PEM_read_PrivateKey(kf, NULL, NULL, (void *)"") : NULL;
    if (!cert || (kf && !key)) {
        check_report(c, CHECK_FAIL, "client-cert", "write both as PEM, the key without a passphrase",
                     "the client %s %s is not readable as PEM", cert ? "key" : "certificate",
                     cert ? (key_file ? key_file : cert_file) : cert_file);
    } else if (key) {
        judge_cert(c, cert_file, cert, key);
    }
    if (kf) fclose(kf);
    EVP_PKEY_free(key);
    X509_free(cert);
    ERR_clear_error();
}
