/* SPDX-License-Identifier: Apache-2.0 */
/** An organisation that uses this server, as configured by <EHealthTenant name>. */
#ifndef EHEALTH_TENANT_H
#define EHEALTH_TENANT_H

typedef struct eh_tenant_t {
    const char *name;
    const char *title;             /* shown to people; name when not configured */
    const char *const *structures; /* "finess:…", "nihii:…"; NULL-terminated */
} eh_tenant_t;

#endif
