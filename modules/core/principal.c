/* SPDX-License-Identifier: Apache-2.0 */
#include "ehealth/principal.h"

#include <string.h>

int eh_list_has(const char *const *list, const char *s)
{
    if (!list || !s) return 0;
    for (; *list; list++) {
        if (strcmp(*list, s) == 0) return 1;
    }
    return 0;
}
