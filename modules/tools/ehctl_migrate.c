/* SPDX-License-Identifier: Apache-2.0 */
#include "ehctl_args.h"

#include <apr_user.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ehealth/json.h"

/* As root we make the state folder when it is missing, and the server's user does the rest. */
static apr_status_t server_user(eh_dbpool_conf_t *conf, eh_ctl_t *ctl, eh_err_t *err, apr_pool_t *p)
{
    const json_t *dump;
    const char *user, *group;
    apr_status_t rv;
    apr_gid_t other;

    if (!EH_OK(eh_ctl_dump(&dump, ctl, err))) return rv;
    user = eh_json_str(dump, "user");
    group = eh_json_str(dump, "group");
    if (!user || !group) return eh_err_set(err, EH_E_CONFIG, APR_EINVAL, "The server did not tell its User and Group.");
    if (*user == '#')
        conf->uid = (apr_uid_t)strtoul(user + 1, NULL, 10);
    else
        rv = apr_uid_get(&conf->uid, &other, user, p);
    if (*group == '#')
        conf->gid = (apr_gid_t)strtoul(group + 1, NULL, 10);
    else if (rv == APR_SUCCESS)
        rv = apr_gid_get(&conf->gid, group, p);
    if (rv != APR_SUCCESS) {
        return eh_err_set(err, EH_E_CONFIG, rv, "The server's User or Group is not known to this machine.");
    }
    conf->run_as = 1;
    return APR_SUCCESS;
}

static int run(eh_ctl_t *ctl, int argc, const char *const *argv, apr_pool_t *p)
{
    static const eh_opt_t none[] = {{NULL}};
    eh_dbpool_conf_t conf;
    eh_err_t err = {EH_E_NONE};
    int applied = 0;

    if (eh_ctl_options(ctl, argc, argv, 1, none, NULL)) return EH_EXIT_USAGE;
    if (eh_ctl_db_conf(&conf, ctl, &err) != APR_SUCCESS) return eh_ctl_failed(ctl, &err);
    if ((geteuid() == 0 && server_user(&conf, ctl, &err, p) != APR_SUCCESS) ||
        eh_migrate(&conf, apr_time_now(), &applied, &ctl->log, &err, p) != APR_SUCCESS) {
        return eh_ctl_fail(ctl, &err);
    }
    if (ctl->json)
        eh_ctl_print_json(json_pack("{s:i}", "applied", applied));
    else if (applied)
        printf("%d migration%s applied; the database is up to date.\n", applied, applied == 1 ? "" : "s");
    else
        printf("The database is up to date.\n");
    return EH_EXIT_OK;
}

static const eh_cmd_t cmd = {
    "brings the database to this version",
    "\n\n"
    "Applies the schema changes that the database lacks; repeating it does no harm. SQLite is migrated by the server\n"
    "itself when it starts. For PostgreSQL run this once after an installation or update, before the server starts, "
    "as\n"
    "a database user who may create tables.",
    run,
};

EH_PROVIDER(cmd, migrate, "0", &cmd);
