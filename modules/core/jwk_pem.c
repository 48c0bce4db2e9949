/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "jose_private.h"

#define PEM_MAX (256 * 1024) /* a key with its certificate chain */

/** Instead of OpenSSL's default, which asks on the terminal: a server that starts must not wait for a person. */
static int no_passphrase(char *buf, int size, int rwflag, void *baton)
{
    *(int *)baton = 1;
    return -1;
}

/** The first private key of the text, else its first public key, else that of its first certificate. */
static EVP_PKEY *read_pem(int *is_private, int *encrypted, const char *pem, int len)
{
    BIO *bio = BIO_new_mem_buf(pem, len);
    EVP_PKEY *pkey = NULL;
    X509 *cert = NULL;

    if (!bio) return NULL;
    pkey = PEM_read_bio_PrivateKey_ex(bio, NULL, no_passphrase, encrypted, NULL, NULL);
    *is_private = pkey != NULL;
    if (!pkey && !*encrypted && BIO_reset(bio) == 1)
        pkey = PEM_read_bio_PUBKEY_ex(bio, NULL, no_passphrase, encrypted, NULL, NULL);
    if (!pkey && !*encrypted && BIO_reset(bio) == 1 && (cert = PEM_read_bio_X509(bio, NULL, no_passphrase, encrypted)))
        pkey = X509_get_pubkey(cert);
    X509_free(cert);
    BIO_free(bio);
    return pkey;
}

apr_status_t eh_jwk_from_pem(eh_jwk_t **pkey, const char *pem, apr_size_t len, const char *kid, eh_err_t *err,
                             apr_pool_t *p)
{
    const char *wrong = "no key and no certificate in PEM";
    int is_private = 0, encrypted = 0;
    EVP_PKEY *evp;

    if (len > PEM_MAX) return eh_err_setf(err, p, EH_E_JWK, APR_EINVAL, NULL, "PEM of %" APR_SIZE_T_FMT " bytes", len);
    ERR_set_mark();
    evp = read_pem(&is_private, &encrypted, pem, (int)len);
    if (evp) {
        wrong = jose_jwk_make(pkey, evp, is_private, kid, p);
    } else if (encrypted) {
        wrong = "a private key with a passphrase; store it without one, readable by the server alone";
    }
    ERR_pop_to_mark();
    return wrong ? eh_err_setf(err, p, EH_E_JWK, APR_EINVAL, NULL, "PEM refused: %s", wrong) : APR_SUCCESS;
}
