/* SPDX-License-Identifier: Apache-2.0 */
/** Between mod_ehealth_config.c (directives) and mod_ehealth_check.c (what can be judged only when all are read). */
#ifndef MOD_EHEALTH_CONFIG_H
#define MOD_EHEALTH_CONFIG_H

#include "mod_ehealth.h"

#define EH_TENANT_NAME_MAX 64

struct eh_tenant_conf_t {
    eh_tenant_t pub;
    apr_array_header_t *structures; /* const char *, NULL at the end once the section is closed */
};

/** Replaces what was not configured by its default. Idempotent: hosts without directives share the main server's. */
void eh_config_defaults(eh_sconf_t *conf);

/** Whom the children run as: User and Group, or the caller when httpd is not started by root. */
void eh_run_user(apr_uid_t *uid, apr_gid_t *gid);
const char *eh_run_user_name(apr_pool_t *p);
const char *eh_run_group_name(apr_pool_t *p);

#endif
