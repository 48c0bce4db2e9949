/* SPDX-License-Identifier: Apache-2.0 */
#include "oidc_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fz_map("prosanteconnect", data, size);
    return 0;
}
