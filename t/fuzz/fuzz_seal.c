/* SPDX-License-Identifier: Apache-2.0 */
#include "eh_fuzz.h"

#include "ehealth/codec.h"
#include "ehealth/seal.h"

static const char keys[] = "2 ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8\n"
                           "1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8 retired\n";

/* The input as a token: it must not open, but for the seeds that were sealed so. As a text: it must come back. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *p = eh_fuzz_pool();
    const char *plain, *sealed;
    eh_keyring_t *ring;
    eh_err_t err = {0};
    apr_size_t len;
    char *token;

    eh_fuzz_check(eh_keyring_parse(&ring, keys, sizeof(keys) - 1, NULL, p) == APR_SUCCESS);
    token = eh_fuzz_text(p, data, size);
    if (token && eh_unseal(&plain, &len, ring, EH_PURPOSE_SESSION, "sessions/claims/42", token, &err, p)) {
        eh_fuzz_check(err.code == EH_E_SEAL || err.code == EH_E_KEY_UNKNOWN);
    } else if (token) {
        eh_fuzz_check(strcmp(plain, "hello") == 0); /* nobody without the key makes another one */
    }
    eh_fuzz_check(eh_seal(&sealed, ring, EH_PURPOSE_STATE, "fuzz", data, size, NULL, p) == APR_SUCCESS);
    eh_fuzz_check(eh_unseal(&plain, &len, ring, EH_PURPOSE_STATE, "fuzz", sealed, NULL, p) == APR_SUCCESS);
    eh_fuzz_check(len == size && memcmp(plain, data, size) == 0);
    token = eh_b64url(p, data, size); /* past the first door, more often than chance would */
    eh_fuzz_check(eh_unseal(&plain, &len, ring, EH_PURPOSE_STATE, "fuzz", token, NULL, p) != APR_SUCCESS);
    apr_pool_destroy(p);
    return 0;
}
