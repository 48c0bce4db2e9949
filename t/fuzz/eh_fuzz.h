/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What the fuzz targets share. A target tells findings by abort(): eh_fuzz_check states what must hold for every input,
 * so that a target finds wrong answers and not only bad memory.
 */
#ifndef EH_FUZZ_H
#define EH_FUZZ_H

#include <apr_general.h>
#include <apr_pools.h>
#include <apr_strings.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ehealth/crypto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define eh_fuzz_check(condition)                                                           \
    do {                                                                                   \
        if (!(condition)) {                                                                \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                       \
        }                                                                                  \
    } while (0)

/** A fresh pool for one input; apr is initialised on the first call. Destroy it at the end. */
static __attribute__((unused)) apr_pool_t *eh_fuzz_pool(void)
{
    static int ready;
    apr_pool_t *p;

    if (!ready) {
        apr_initialize();
        /* What a target keeps for ever hangs in mapped pools, where LeakSanitizer does not look: given back at exit, and
         * that before OpenSSL's own handler, which eh_crypto_init registers first. */
        eh_fuzz_check(eh_crypto_init() == APR_SUCCESS);
        atexit(apr_terminate);
        ready = 1;
    }
    apr_pool_create(&p, NULL);
    return p;
}

/** The input as text in p; NULL when a NUL byte would cut it. */
static __attribute__((unused)) char *eh_fuzz_text(apr_pool_t *p, const uint8_t *data, size_t size)
{
    return memchr(data, 0, size) ? NULL : apr_pstrmemdup(p, (const char *)data, size);
}

#endif
