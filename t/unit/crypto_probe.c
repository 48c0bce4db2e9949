/* SPDX-License-Identifier: Apache-2.0 */
/** A loadable module with libehcore inside, as httpd's modules have it: test_crypto loads and unloads it many times. */
#include "ehealth/crypto.h"

int eh_crypto_probe(void);

int eh_crypto_probe(void)
{
    unsigned char out[EH_SHA256_LEN];

    return eh_crypto_init() || eh_sha256(out, "a", 1) || out[0] != 0xca; /* ca978112… */
}
