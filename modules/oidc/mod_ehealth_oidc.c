/* SPDX-License-Identifier: Apache-2.0 */
/* mod_ehealth_oidc: logs people in at an OpenID provider and tells the application behind who they are. */
#include "mod_ehealth_oidc.h"

#include <ap_provider.h>
#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mod_auth.h>

#include "ehealth/provider.h"

/* The one piece of state that is not const; see mod_ehealth_oidc.h for who writes it when. */
eho_process_t eho;

/* A refusal is an answer, not an error of the server, and httpd's own line would carry REMOTE_USER into the error log:
 * this server's log levels, with mod_authz_core's "authorization failure" left out while we ask it. */
static const struct ap_logconf *quiet_log(apr_pool_t *p, const server_rec *s)
{
    struct ap_logconf *log = ap_new_log_config(p, &s->log);
    const module *m = ap_find_linked_module("mod_authz_core.c");

    if (m) ap_set_module_loglevel(p, log, m->module_index, APLOG_CRIT);
    return log;
}

static int post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main)
{
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) return OK;
    for (server_rec *s = main; s; s = s->next)
        eho_srv(s)->quiet = quiet_log(pconf, s);
    eho_metrics_find();
    eho.slots = hot_slots_at(eho.shared, eho.sessions);
    /* The grace counts from the start: what nobody has read yet is not overdue. */
    hot_slots_set_polled(eho.slots, apr_time_now());
    return OK;
}

/* Fixes the size of the shared table: the base lays it out in its post_config, which runs before ours. */
static int check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main)
{
    int rc = eho_check_config(pconf, plog, ptemp, main);

    if (rc != OK) return rc;
    eho.sessions = eho.base->shared_sessions();
    eho.base->add_shared("ehealth-sessions", hot_slots_size(eho.sessions), &eho.shared);
    return OK;
}

static void register_hooks(apr_pool_t *p)
{
    static const char *const base[] = {"mod_ehealth.c", NULL};
    static const char *const authz_core[] = {"mod_authz_core.c", NULL};

    EH_PROVIDERS_EACH(pp) { ap_register_provider(p, (*pp)->group, (*pp)->name, (*pp)->version, (*pp)->vtable); }
    eho_authz_register(p);
    eho_filters_register();

    /* After the base, which forgets registrations in its own pre_config. */
    ap_hook_pre_config(eho_pre_config, base, NULL, APR_HOOK_MIDDLE);
    /* After the base, which resolves public addresses and tenants there. */
    ap_hook_check_config(check_config, base, NULL, APR_HOOK_MIDDLE);
    /* After the base, which lays out shared memory and metrics there. */
    ap_hook_post_config(post_config, base, NULL, APR_HOOK_MIDDLE);
    /* After the base, whose database and outbound pools we use. */
    ap_hook_child_init(eho_cache_child_init, base, NULL, APR_HOOK_MIDDLE);

    /* Before everybody: mod_setenvif, mod_headers (early), mod_rewrite and mod_remoteip read headers from here on. */
    ap_hook_post_read_request(eho_scrub_hook, NULL, NULL, APR_HOOK_REALLY_FIRST - 10);
    /* Right after it and before the base claims the reserved prefix. */
    ap_hook_post_read_request(eho_callback_alias, NULL, base, APR_HOOK_REALLY_FIRST - 9);
    /* Only sections with AuthType ehealth; any other authentication module goes on as before. */
    ap_hook_check_authn(eho_check_authn, NULL, NULL, APR_HOOK_MIDDLE, AP_AUTH_INTERNAL_PER_CONF);
    /* Around mod_authz_core's: its "no" to somebody who is logged in is a 403 with a reason, not a 401. */
    ap_hook_check_authz(eho_auth_checker, NULL, authz_core, APR_HOOK_FIRST, AP_AUTH_INTERNAL_PER_CONF);
    /* After mod_rewrite and mod_headers have had their say, before any handler. */
    ap_hook_fixups(eho_fixups, NULL, NULL, APR_HOOK_REALLY_LAST);
    ap_hook_insert_filter(eho_insert_filter, NULL, NULL, APR_HOOK_LAST);
}

module AP_MODULE_DECLARE_DATA ehealth_oidc_module = {
    STANDARD20_MODULE_STUFF,
    eho_dir_create,
    eho_dir_merge,
    eho_srv_create,
    eho_srv_merge,
    eho_cmds,
    register_hooks,
    AP_MODULE_FLAG_ALWAYS_MERGE, /* what is resolved for a virtual host must not land in the main server's */
};
