/* SPDX-License-Identifier: Apache-2.0 */
#include "eh_fuzz.h"

#include "ehealth/codec.h"

/* Base64url has one spelling a value: what decodes encodes back to the very same text. Times likewise read back. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *p = eh_fuzz_pool();
    unsigned char *out;
    apr_size_t len;
    apr_time_t t, again;
    char *text;

    if (eh_b64url_decode(&out, &len, (const char *)data, size, p) == APR_SUCCESS) {
        text = eh_b64url(p, out, len);
        eh_fuzz_check(strlen(text) == size && memcmp(text, data, size) == 0);
    }
    text = eh_b64url(p, data, size);
    eh_fuzz_check(eh_b64url_decode(&out, &len, text, strlen(text), p) == APR_SUCCESS);
    eh_fuzz_check(len == size && memcmp(out, data, size) == 0);
    eh_fuzz_check(strlen(eh_hex(p, data, size)) == 2 * size && strlen(eh_b64(p, data, size)) == (size + 2) / 3 * 4);
    text = eh_fuzz_text(p, data, size);
    if (text && eh_time_parse(&t, text) == APR_SUCCESS && t >= 0) {
        eh_fuzz_check(eh_time_parse(&again, eh_time_rfc3339_us(p, t)) == APR_SUCCESS && again == t);
    }
    apr_pool_destroy(p);
    return 0;
}
