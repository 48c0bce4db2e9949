/* SPDX-License-Identifier: Apache-2.0 */
/* Two faults that AddressSanitizer misses in an APR without pool debugging. Exit status 0: the fault went unseen. */
#include <apr_general.h>
#include <apr_pools.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    apr_pool_t *p, *child;
    volatile char *s;

    if (argc != 2 || apr_initialize() != APR_SUCCESS) return 2;
    apr_pool_create(&p, NULL);
    apr_pool_create(&child, p);
    s = apr_palloc(child, 10);
    s[9] = 'x';
    if (strcmp(argv[1], "overflow") == 0) s[12] = 'x';
    apr_pool_destroy(child);
    if (strcmp(argv[1], "after-destroy") == 0) s[0] = 'x';
    apr_pool_destroy(p);
    puts(argv[1]);
    return 0;
}
