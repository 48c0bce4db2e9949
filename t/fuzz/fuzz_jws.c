/* SPDX-License-Identifier: Apache-2.0 */
#include "eh_fuzz.h"

#include <openssl/err.h>

#include "ehealth/codec.h"
#include "ehealth/jose.h"

/* The public keys of RFC 7515 A.3 and RFC 8037 A.2. The seeds signed with them are the only tokens that verify. */
static const char jwks[] = "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"ec\","
                           "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
                           "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},"
                           "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"ed\","
                           "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";

static const eh_jwks_t *keys(void)
{
    static eh_jwks_t *set;
    apr_pool_t *forever;

    if (!set) {
        apr_pool_create(&forever, NULL);
        eh_fuzz_check(eh_jwks_parse(&set, jwks, sizeof(jwks) - 1, NULL, forever) == APR_SUCCESS);
    }
    return set;
}

static void try_token(const char *text, size_t size, apr_pool_t *p)
{
    eh_err_t err = {0};
    eh_jws_t *jws;

    if (eh_jws_split(&jws, text, size, &err, p)) {
        eh_fuzz_check(err.code == EH_E_JWS);
        return;
    }
    /* One spelling only: the parts written out again are the token. */
    eh_fuzz_check(jws->signing_input_len < size && memcmp(jws->signing_input, text, jws->signing_input_len) == 0);
    eh_fuzz_check(strcmp(eh_b64url(p, jws->signature, jws->signature_len),
                         apr_pstrmemdup(p, text + jws->signing_input_len + 1, size - jws->signing_input_len - 1)) == 0);
    if (eh_jws_verify(jws, keys(), EH_ALG_ALL, &err, p)) {
        eh_fuzz_check(err.code == EH_E_JWS || err.code == EH_E_JWK);
    } else {
        eh_fuzz_check(strstr(jws->payload, "joe") || strstr(jws->payload, "jean") ||
                      strstr(jws->payload, "Ed25519 signing"));
    }
    eh_fuzz_check(eh_jws_verify(jws, keys(), 0, NULL, p) != APR_SUCCESS);
}

/* The input as a token, and as a header put before a signature, so that the header's parser is reached at once. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *p = eh_fuzz_pool();
    char *wrapped = apr_pstrcat(p, eh_b64url(p, data, size), ".e30.AAAA", NULL);

    try_token((const char *)data, size, p);
    try_token(wrapped, strlen(wrapped), p);
    eh_fuzz_check(ERR_peek_error() == 0);
    apr_pool_destroy(p);
    return 0;
}
