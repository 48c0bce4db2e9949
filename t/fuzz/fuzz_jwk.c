/* SPDX-License-Identifier: Apache-2.0 */
#include "eh_fuzz.h"

#include <openssl/err.h>

#include "ehealth/jose.h"
#include "ehealth/json.h"

/* What is accepted has a thumbprint that its own public half, read again, has too. */
static void check_key(const eh_jwk_t *key, apr_pool_t *p)
{
    const json_t *pub = eh_jwk_public_json(key, p);
    eh_jwk_t *again;

    eh_fuzz_check(!json_object_get(pub, "d") && !json_object_get(pub, "k"));
    eh_fuzz_check((eh_jwk_algs(key) & ~EH_ALG_ALL) == 0);
    eh_fuzz_check(eh_jwk_from_json(&again, pub, NULL, p) == APR_SUCCESS);
    eh_fuzz_check(strcmp(eh_jwk_thumbprint(again, p), eh_jwk_thumbprint(key, p)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *p = eh_fuzz_pool();
    eh_err_t err = {0};
    eh_jwks_t *set;
    eh_jwk_t *key;
    json_t *j;
    int i;

    if (eh_json_load(&j, (const char *)data, size, NULL, p) == APR_SUCCESS) {
        if (eh_jwk_from_json(&key, j, &err, p) == APR_SUCCESS) {
            check_key(key, p);
        } else {
            eh_fuzz_check(err.code == EH_E_JWK);
        }
        if (eh_jwks_parse(&set, (const char *)data, size, NULL, p) == APR_SUCCESS) {
            eh_fuzz_check(eh_jwks_count(set) >= 1 && eh_jwks_count(set) <= 64);
            for (i = 0; i < eh_jwks_count(set); i++)
                eh_fuzz_check(eh_jwk_algs(eh_jwks_at(set, i)) && !eh_jwk_is_private(eh_jwks_at(set, i)));
        }
    }
    if (size > 10 && memcmp(data, "-----BEGIN", 10) == 0 &&
        eh_jwk_from_pem(&key, (const char *)data, size, NULL, NULL, p) == APR_SUCCESS)
        check_key(key, p);
    eh_fuzz_check(ERR_peek_error() == 0); /* nothing is left for mod_ssl or curl to trip over */
    apr_pool_destroy(p);
    return 0;
}
