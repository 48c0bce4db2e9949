/* SPDX-License-Identifier: Apache-2.0 */
/* check_config: what can be judged only when every directive is read. Says what to do, and stops configtest. */
#include "mod_ehealth_config.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <http_core.h>
#include <unixd.h>
#include <apr_file_info.h>
#include <apr_strings.h>

#include "ehealth/db_pool.h"
#include "ehealth/keys.h"

#define EH_GROUPS_MAX 256 /* groups of the run user that are looked at */

void eh_run_user(apr_uid_t *uid, apr_gid_t *gid)
{
    /* Started without root httpd stays who it is, whatever User and Group say. */
    if (geteuid() == 0) {
        *uid = ap_unixd_config.user_id;
        *gid = ap_unixd_config.group_id;
    } else {
        *uid = geteuid();
        *gid = getegid();
    }
}

const char *eh_run_user_name(apr_pool_t *p)
{
    char *name;
    apr_uid_t uid;
    apr_gid_t gid;

    eh_run_user(&uid, &gid);
    return apr_uid_name_get(&name, uid, p) == APR_SUCCESS ? name : apr_psprintf(p, "#%ld", (long)uid);
}

const char *eh_run_group_name(apr_pool_t *p)
{
    char *name;
    apr_uid_t uid;
    apr_gid_t gid;

    eh_run_user(&uid, &gid);
    return apr_gid_name_get(&name, gid, p) == APR_SUCCESS ? name : apr_psprintf(p, "#%ld", (long)gid);
}

static int in_group(apr_uid_t uid, apr_gid_t gid, gid_t wanted)
{
    struct passwd *pw = getpwuid(uid);
    gid_t groups[EH_GROUPS_MAX];
    int n = EH_GROUPS_MAX, i;

    if (gid == wanted) return 1;
    if (!pw || getgrouplist(pw->pw_name, gid, groups, &n) < 0) return 0;
    for (i = 0; i < n; i++) {
        if (groups[i] == wanted) return 1;
    }
    return 0;
}

/* By the mode bits: configtest may run as root, for whom access(2) says yes to everything. */
static int may_write(const apr_finfo_t *f, apr_uid_t uid, apr_gid_t gid)
{
    if (uid == 0) return 1;
    if (f->user == uid) return (f->protection & (APR_UWRITE | APR_UEXECUTE)) == (APR_UWRITE | APR_UEXECUTE);
    if (in_group(uid, gid, f->group)) {
        return (f->protection & (APR_GWRITE | APR_GEXECUTE)) == (APR_GWRITE | APR_GEXECUTE);
    }
    return (f->protection & (APR_WWRITE | APR_WEXECUTE)) == (APR_WWRITE | APR_WEXECUTE);
}

static int complain(server_rec *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int complain(server_rec *s, const char *fmt, ...)
{
    va_list ap;
    char text[HUGE_STRING_LEN];

    va_start(ap, fmt);
    apr_vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    /* STARTUP: configtest shows it without the log prefix. */
    ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_CRIT, 0, s, "%s", text);
    return HTTP_INTERNAL_SERVER_ERROR;
}

static int check_state_dir(server_rec *s, const eh_sconf_t *conf, apr_pool_t *ptemp)
{
    const char *user = eh_run_user_name(ptemp), *group = eh_run_group_name(ptemp);
    apr_finfo_t f;
    apr_status_t rv;
    apr_uid_t uid;
    apr_gid_t gid;

    rv = apr_stat(&f, conf->state_dir, APR_FINFO_TYPE | APR_FINFO_PROT | APR_FINFO_OWNER, ptemp);
    if (APR_STATUS_IS_EACCES(rv)) return OK; /* configtest by somebody who may not look: the start will tell */
    if (rv != APR_SUCCESS) {
        return complain(s, "EHealthStateDir %s does not exist: make it with \"install -d -o %s -g %s -m 0750 %s\"",
                        conf->state_dir, user, group, conf->state_dir);
    }
    if (f.filetype != APR_DIR) {
        return complain(s, "EHealthStateDir %s is not a folder: write the path of a folder", conf->state_dir);
    }
    eh_run_user(&uid, &gid);
    if (!may_write(&f, uid, gid)) {
        return complain(s, "EHealthStateDir %s is not writable by the server's user %s: run \"chown %s:%s %s\"",
                        conf->state_dir, user, user, group, conf->state_dir);
    }
    return OK;
}

static int check_key_file(server_rec *s, const eh_sconf_t *conf, apr_pool_t *ptemp)
{
    eh_keyring_t *ring = NULL;
    eh_err_t err = {EH_E_NONE};
    apr_finfo_t f;

    if (!conf->key_file) {
        return complain(s,
                        "EHealthKeyFile is missing: make a key file with \"ehctl keys new --file /etc/ehealth/keys "
                        "--group %s\" and write EHealthKeyFile /etc/ehealth/keys",
                        eh_run_group_name(ptemp));
    }
    if (conf->key_file[0] != '/') return OK; /* another key source: it answers for itself at the start */
    if (APR_STATUS_IS_ENOENT(apr_stat(&f, conf->key_file, APR_FINFO_TYPE, ptemp))) {
        return complain(s, "EHealthKeyFile %s does not exist: make it with \"ehctl keys new --file %s --group %s\"",
                        conf->key_file, conf->key_file, eh_run_group_name(ptemp));
    }
    /* Whoever may read it – root, who restarts – learns now what would keep the server from coming back. */
    if (access(conf->key_file, R_OK) == 0 && eh_keys_load(&ring, conf->key_file, &err, ptemp) != APR_SUCCESS) {
        return complain(s, "EHealthKeyFile %s (EH%d): %s", conf->key_file, (int)err.code,
                        err.detail ? err.detail : eh_err_info(err.code)->title[EH_LANG_EN]);
    }
    return OK;
}

static int check_event_log(server_rec *s, const eh_sconf_t *conf, apr_pool_t *ptemp)
{
    apr_finfo_t f;
    const char *folder;

    if (!conf->event_log || *conf->event_log == '|') return OK;
    folder = ap_make_dirstr_parent(ptemp, conf->event_log);
    if (APR_STATUS_IS_ENOENT(apr_stat(&f, folder, APR_FINFO_TYPE, ptemp))) {
        return complain(s, "EHealthEventLog %s: the folder %s does not exist: make it, or write another path",
                        conf->event_log, folder);
    }
    return OK;
}

static int check_database(server_rec *s, const eh_sconf_t *conf, apr_pool_t *ptemp)
{
    eh_dbpool_conf_t db;
    eh_err_t err = {EH_E_NONE};

    eh_db_conf(&db, conf);
    if (eh_dbpool_conf_check(&db, &err, ptemp) != APR_SUCCESS) {
        return complain(s, "EHealthDatabase: %s", err.detail ? err.detail : "these parameters cannot be used");
    }
    return OK;
}

static int check_host(server_rec *s, const eh_sconf_t *conf, apr_pool_t *ptemp)
{
    apr_finfo_t f;

    if (conf->ca_bundle &&
        (apr_stat(&f, conf->ca_bundle, APR_FINFO_TYPE, ptemp) != APR_SUCCESS || f.filetype != APR_REG)) {
        return complain(s,
                        "EHealthCABundle %s cannot be read: write the path of a PEM file with the authorities' "
                        "certificates",
                        conf->ca_bundle);
    }
    if (conf->proxy_except && !conf->proxy) {
        return complain(s, "EHealthProxyExcept without a proxy: write EHealthProxy http://proxy.example:3128, or take "
                           "EHealthProxyExcept away");
    }
    return OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const eh_tenant_t *const *)a)->name, (*(const eh_tenant_t *const *)b)->name);
}

static void resolve_tenants(eh_sconf_t *conf, apr_pool_t *p)
{
    const eh_tenant_t **list = apr_pcalloc(p, (apr_hash_count(conf->tenants) + 1) * sizeof(*list));
    apr_hash_index_t *hi;
    int n = 0;

    for (hi = apr_hash_first(p, conf->tenants); hi; hi = apr_hash_next(hi)) {
        list[n++] = &((eh_tenant_conf_t *)apr_hash_this_val(hi))->pub;
    }
    qsort(list, n, sizeof(*list), by_name);
    conf->tenant_list = list;
}

int eh_config_in_use(server_rec *main)
{
    server_rec *s;

    for (s = main; s; s = s->next) {
        if (eh_sconf(s)->public_url) return 1;
    }
    return 0;
}

int eh_config_check(apr_pool_t *p, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main)
{
    eh_sconf_t *conf;
    server_rec *s;
    int rc;

    if (eh_process.reg.overflow) {
        return complain(main, "the modules on mod_ehealth register more %s than this build has room for",
                        eh_process.reg.overflow);
    }
    for (s = main; s; s = s->next) {
        conf = eh_sconf(s);
        if ((rc = check_host(s, conf, ptemp)) != OK) return rc;
        eh_config_defaults(conf);
        resolve_tenants(conf, p);
    }
    conf = eh_sconf(main);
    if (!conf->db_params && !strcmp(conf->db_driver, "sqlite3")) {
        for (s = main; s; s = s->next) {
            eh_sconf(s)->db_params = apr_pstrcat(p, conf->state_dir, "/ehealth.db", NULL);
        }
    }
    if ((rc = check_event_log(main, conf, ptemp)) != OK) return rc;
    if (!eh_config_in_use(main)) return OK; /* loaded but not used: nothing to have, nothing to check */
    if ((rc = check_state_dir(main, conf, ptemp)) != OK) return rc;
    if ((rc = check_key_file(main, conf, ptemp)) != OK) return rc;
    return check_database(main, conf, ptemp);
}
