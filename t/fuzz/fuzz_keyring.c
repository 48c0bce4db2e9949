/* SPDX-License-Identifier: Apache-2.0 */
#include "eh_fuzz.h"

#include "ehealth/keyring.h"

/* What parses has a current key, unique ids, all purposes, and seals names a stranger cannot. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *p = eh_fuzz_pool();
    apr_uint32_t ids[EH_KEYRING_MAX];
    eh_keyring_t *ring = NULL;
    eh_err_t err = {0};
    int i, k, n;

    if (eh_keyring_parse(&ring, (const char *)data, size, &err, p) == APR_SUCCESS) {
        n = eh_keyring_ids(ring, ids, EH_KEYRING_MAX);
        eh_fuzz_check(n >= 1 && ids[0] == eh_keyring_current(ring));
        for (i = 0; i < n; i++) {
            eh_fuzz_check(ids[i] != 0 && eh_keyring_key(ring, ids[i], EH_PURPOSE_STATE));
            eh_fuzz_check(eh_keyring_created(ring, ids[i]) < APR_INT64_C(253402300800000000));
            for (k = 0; k < i; k++)
                eh_fuzz_check(ids[i] != ids[k]);
        }
        eh_fuzz_check(strlen(eh_keyring_hash(ring, 0, EH_PURPOSE_INDEX, "sub", "x", p)) == 43);
    } else {
        eh_fuzz_check(err.code == EH_E_KEY_FILE && err.cause);
    }
    apr_pool_destroy(p);
    return 0;
}
