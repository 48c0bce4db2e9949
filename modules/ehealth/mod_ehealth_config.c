/* SPDX-License-Identifier: Apache-2.0 */
/* Directives of the base module. A wrong value stops configtest with a sentence that says what to write instead. */
#include "mod_ehealth.h"

#include <stddef.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_uri.h>

#include "ehealth/codec.h"
#include "ehealth/db_pool.h"
#include "mod_ehealth_config.h"

#define EH_CONTACT_MAX 200

/* --- create, merge, defaults: generated from the member lists --- */

void *eh_config_create(apr_pool_t *p, server_rec *s)
{
    eh_sconf_t *conf = apr_pcalloc(p, sizeof(*conf));
    int i;

#define X(type, member, unset, dflt) conf->member = unset;
    EH_SCONF_GLOBAL(X)
    EH_SCONF_VHOST(X)
#undef X
    for (i = 0; i < EH_MAX_CLASSES; i++) {
        conf->limits[i].count = EH_UNSET;
    }
    conf->tenants = apr_hash_make(p);
    return conf;
}

void *eh_config_merge(apr_pool_t *p, void *base_, void *over_)
{
    const eh_sconf_t *base = base_, *over = over_;
    eh_sconf_t *conf = apr_pcalloc(p, sizeof(*conf));
    int i;

    /* Global members cannot be set in a virtual host, so the same rule gives them the main server's value. */
#define X(type, member, unset, dflt) conf->member = over->member != unset ? over->member : base->member;
    EH_SCONF_GLOBAL(X)
    EH_SCONF_VHOST(X)
#undef X
    for (i = 0; i < EH_MAX_CLASSES; i++) {
        conf->limits[i] = over->limits[i].count != EH_UNSET ? over->limits[i] : base->limits[i];
    }
    conf->tenants = apr_hash_overlay(p, over->tenants, base->tenants);
    return conf;
}

void eh_config_defaults(eh_sconf_t *conf)
{
#define X(type, member, unset, dflt) \
    if (conf->member == unset) conf->member = dflt;
    EH_SCONF_GLOBAL(X)
    EH_SCONF_VHOST(X)
#undef X
    eh_limit_defaults(conf);
}

eh_sconf_t *eh_sconf(const server_rec *s) { return ap_get_module_config(s->module_config, &ehealth_module); }

/* --- helpers of the setters --- */

static const char *not_in_tenant(const cmd_parms *cmd)
{
    const ap_directive_t *up = cmd->directive ? cmd->directive->parent : NULL;

    if (up && !strcasecmp(up->directive, "<EHealthTenant")) {
        return apr_psprintf(cmd->pool, "%s does not belong inside <EHealthTenant>: write it after </EHealthTenant>",
                            cmd->cmd->name);
    }
    return NULL;
}

static const char *place(cmd_parms *cmd, int global)
{
    const char *why = not_in_tenant(cmd);

    if (why) return why;
    return ap_check_cmd_context(cmd, global ? GLOBAL_ONLY : NOT_IN_DIR_CONTEXT);
}

static void *member_at(cmd_parms *cmd) { return (char *)eh_sconf(cmd->server) + (apr_size_t)cmd->cmd->cmd_data; }

/* Strict decimal: digits only, within [min, max]. */
static const char *number(cmd_parms *cmd, int *out, const char *arg, const char *what, int min, int max)
{
    const char *s = arg;
    apr_int64_t n = 0;

    while (apr_isdigit(*s) && s - arg < 10) {
        n = n * 10 + (*s++ - '0');
    }
    if (!*arg || *s || n < min || n > max) {
        return apr_psprintf(cmd->pool, "%s: \"%s\" is not a valid %s: write a whole number from %d to %d",
                            cmd->cmd->name, arg, what, min, max);
    }
    *out = (int)n;
    return NULL;
}

static const char *path_value(cmd_parms *cmd, const char **out, const char *arg)
{
    const char *full = *arg ? ap_server_root_relative(cmd->pool, arg) : NULL;

    if (!full) {
        return apr_psprintf(cmd->pool, "%s: \"%s\" is not a usable path: write an absolute path", cmd->cmd->name, arg);
    }
    *out = full;
    return NULL;
}

/* --- global directives --- */

static const char *set_global_path(cmd_parms *cmd, void *dummy, const char *arg)
{
    const char *why = place(cmd, 1);

    return why ? why : path_value(cmd, member_at(cmd), arg);
}

/* "/path" or "source:where" (ehealth/keys.h). */
static const char *set_key_file(cmd_parms *cmd, void *dummy, const char *arg)
{
    eh_sconf_t *conf = eh_sconf(cmd->server);
    const char *why = place(cmd, 1), *c = arg;

    if (why) return why;
    while (apr_isalnum(*c)) {
        c++;
    }
    if (c > arg && *c == ':') {
        conf->key_file = arg;
        return NULL;
    }
    return path_value(cmd, &conf->key_file, arg);
}

static const char *set_database(cmd_parms *cmd, void *dummy, const char *driver, const char *params)
{
    eh_sconf_t *conf = eh_sconf(cmd->server);
    const char *why = place(cmd, 1);

    if (why) return why;
    if (strcmp(driver, "sqlite3") && strcmp(driver, "pgsql")) {
        return apr_psprintf(cmd->pool,
                            "%s: \"%s\" is not a known driver: write sqlite3 (embedded) or pgsql \"host=… dbname=…\"",
                            cmd->cmd->name, driver);
    }
    if (!strcmp(driver, "pgsql") && !params) {
        return apr_psprintf(cmd->pool, "%s: pgsql needs connection parameters: write pgsql \"host=… dbname=… user=…\"",
                            cmd->cmd->name);
    }
    conf->db_driver = driver;
    conf->db_params = params;
    if (!strcmp(driver, "sqlite3") && params) return path_value(cmd, &conf->db_params, params);
    return NULL;
}

static const char *set_connections(cmd_parms *cmd, void *dummy, const char *arg)
{
    const char *why = place(cmd, 1);

    return why ? why : number(cmd, member_at(cmd), arg, "number of connections", 1, EH_DB_CONNECTIONS_MAX);
}

static const char *set_db_timeout(cmd_parms *cmd, void *dummy, const char *acquire, const char *query)
{
    eh_sconf_t *conf = eh_sconf(cmd->server);
    const char *why = place(cmd, 1);

    if (!why) why = number(cmd, &conf->db_acquire_ms, acquire, "number of milliseconds", 10, 60000);
    if (!why && query) why = number(cmd, &conf->db_query_ms, query, "number of milliseconds", 10, 600000);
    return why;
}

static const char *set_event_log(cmd_parms *cmd, void *dummy, const char *arg)
{
    eh_sconf_t *conf = eh_sconf(cmd->server);
    const char *why = place(cmd, 1);

    if (why) return why;
    if (arg[0] != '|') return path_value(cmd, &conf->event_log, arg);
    if (!arg[1]) {
        return apr_psprintf(cmd->pool, "%s: no program after \"|\": write \"|/path/to/program arguments\"",
                            cmd->cmd->name);
    }
    conf->event_log = arg;
    return NULL;
}

static const char *set_background(cmd_parms *cmd, void *dummy, int on)
{
    const char *why = place(cmd, 1);

    if (!why) eh_sconf(cmd->server)->background = on;
    return why;
}

static const char *set_shared_size(cmd_parms *cmd, void *dummy, const char *sessions, const char *buckets)
{
    eh_sconf_t *conf = eh_sconf(cmd->server);
    const char *why = place(cmd, 1);

    if (!why) why = number(cmd, &conf->shared_sessions, sessions, "number of sessions", 1024, 16777216);
    if (!why) why = number(cmd, &conf->shared_buckets, buckets, "number of buckets", 1024, 16777216);
    return why;
}

/* --- directives per virtual host --- */

static int is_loopback_host(const char *host)
{
    return host && (!strcmp(host, "127.0.0.1") || !strcasecmp(host, "localhost") || !strcmp(host, "::1"));
}

static const char *set_public_url(cmd_parms *cmd, void *dummy, const char *arg)
{
    const char *why = place(cmd, 0), *host;
    apr_uri_t uri;
    int https;

    if (why) return why;
    if (apr_uri_parse(cmd->pool, arg, &uri) != APR_SUCCESS || !uri.scheme || !uri.hostname || !*uri.hostname) {
        return apr_psprintf(cmd->pool, "%s: \"%s\" is not an absolute URL: write https://portal.hospital.example",
                            cmd->cmd->name, arg);
    }
    if (uri.user || uri.password || uri.query || uri.fragment || (uri.path && strcmp(uri.path, "/"))) {
        return apr_psprintf(cmd->pool,
                            "%s: \"%s\" has more than an origin: write scheme, host and port alone, for example "
                            "https://portal.hospital.example",
                            cmd->cmd->name, arg);
    }
    https = !strcasecmp(uri.scheme, "https");
    if (!https && (strcasecmp(uri.scheme, "http") || !is_loopback_host(uri.hostname))) {
        return apr_psprintf(
            cmd->pool, "%s: \"%s\" must start with https:// (http:// is accepted for 127.0.0.1 and localhost only)",
            cmd->cmd->name, arg);
    }
    for (host = uri.hostname; *host; host++) {
        if (!apr_isalnum(*host) && !strchr("-._:", *host)) {
            return apr_psprintf(cmd->pool,
                                "%s: the host of \"%s\" has a character that no host name has: write an international "
                                "name in its xn-- form",
                                cmd->cmd->name, arg);
        }
    }
    host = apr_pstrdup(cmd->pool, uri.hostname);
    ap_str_tolower((char *)host);
    if (strchr(host, ':')) host = apr_pstrcat(cmd->pool, "[", host, "]", NULL);
    if (uri.port_str && *uri.port_str && uri.port != (https ? 443 : 80)) {
        host = apr_psprintf(cmd->pool, "%s:%u", host, (unsigned)uri.port);
    }
    eh_sconf(cmd->server)->public_url = apr_pstrcat(cmd->pool, https ? "https://" : "http://", host, NULL);
    return NULL;
}

static const char *set_proxy(cmd_parms *cmd, void *dummy, const char *arg)
{
    eh_sconf_t *conf = eh_sconf(cmd->server);
    const char *why = place(cmd, 0);
    apr_uri_t uri;

    if (why) return why;
    if (!strcasecmp(arg, "none")) {
        conf->proxy = ""; /* set, and to nothing: a virtual host can undo the main server's proxy */
        return NULL;
    }
    if (apr_uri_parse(cmd->pool, arg, &uri) != APR_SUCCESS || !uri.scheme || !uri.hostname || !*uri.hostname ||
        (strcasecmp(uri.scheme, "http") && strcasecmp(uri.scheme, "https")) || uri.query || uri.fragment ||
        (uri.path && strcmp(uri.path, "/"))) {
        return apr_psprintf(cmd->pool, "%s: \"%s\" is not a proxy: write http://proxy.hospital.example:3128 or none",
                            cmd->cmd->name, arg);
    }
    conf->proxy = arg;
    return NULL;
}

static const char *add_proxy_except(cmd_parms *cmd, void *dummy, const char *arg)
{
    eh_sconf_t *conf = eh_sconf(cmd->server);
    const char *why = place(cmd, 0), *c;

    if (why) return why;
    for (c = arg; *c; c++) {
        if (!apr_isalnum(*c) && !strchr("-._:/[]", *c)) break;
    }
    if (*c || !*arg || strstr(arg, "//")) {
        return apr_psprintf(cmd->pool,
                            "%s: \"%s\" is not a host: write a name (intranet.example), a domain with its subdomains "
                            "(.example) or a network (10.0.0.0/8)",
                            cmd->cmd->name, arg);
    }
    if (!conf->proxy_except) conf->proxy_except = apr_array_make(cmd->pool, 4, sizeof(const char *));
    APR_ARRAY_PUSH(conf->proxy_except, const char *) = arg;
    return NULL;
}

static const char *set_vhost_path(cmd_parms *cmd, void *dummy, const char *arg)
{
    const char *why = place(cmd, 0);

    return why ? why : path_value(cmd, member_at(cmd), arg);
}

static const char *set_outbound_timeout(cmd_parms *cmd, void *dummy, const char *connect, const char *total)
{
    eh_sconf_t *conf = eh_sconf(cmd->server);
    const char *why = place(cmd, 0);

    if (!why) why = number(cmd, &conf->connect_s, connect, "number of seconds", 1, 60);
    if (!why) why = number(cmd, &conf->total_s, total, "number of seconds", 1, 300);
    if (!why && conf->total_s < conf->connect_s) {
        why = apr_psprintf(cmd->pool, "%s: the total (%d s) is shorter than the connection timeout (%d s)",
                           cmd->cmd->name, conf->total_s, conf->connect_s);
    }
    return why;
}

static const char *set_outbound_http(cmd_parms *cmd, void *dummy, const char *arg)
{
    const char *why = place(cmd, 0);

    if (why) return why;
    if (strcasecmp(arg, "never") && strcasecmp(arg, "loopback")) {
        return apr_psprintf(cmd->pool, "%s: \"%s\" is not known: write never, or loopback for tests on this machine",
                            cmd->cmd->name, arg);
    }
    eh_sconf(cmd->server)->outbound_http = strcasecmp(arg, "never") ? EH_OUTBOUND_LOOPBACK : EH_OUTBOUND_NEVER;
    return NULL;
}

static const char *set_limit(cmd_parms *cmd, void *dummy, const char *klass, const char *count, const char *window)
{
    const char *why = place(cmd, 0);
    eh_limit_conf_t limit;
    int i = eh_limit_class(klass);

    if (why) return why;
    if (i < 0) {
        return apr_psprintf(cmd->pool, "%s: there is no class \"%s\": write one of %s", cmd->cmd->name, klass,
                            eh_limit_classes(cmd->pool));
    }
    why = number(cmd, &limit.count, count, "number of requests (0 = no limit)", 0, 1000000);
    if (!why) why = number(cmd, &limit.window, window, "window in seconds", 1, 86400);
    if (!why) eh_sconf(cmd->server)->limits[i] = limit;
    return why;
}

static const char *add_status_allow(cmd_parms *cmd, void *dummy, const char *arg)
{
    eh_sconf_t *conf = eh_sconf(cmd->server);
    const char *why = place(cmd, 0);
    eh_allow_t allow = {NULL, arg};
    char *ip, *mask;

    if (why) return why;
    if (strcasecmp(arg, "local")) {
        ip = apr_pstrdup(cmd->temp_pool, arg);
        mask = strchr(ip, '/');
        if (mask) *mask++ = '\0';
        if ((mask && !*mask) || apr_ipsubnet_create(&allow.net, ip, mask, cmd->pool) != APR_SUCCESS) {
            return apr_psprintf(cmd->pool,
                                "%s: \"%s\" is not an address range: write local, 10.1.0.0/16 or 2001:db8::/32",
                                cmd->cmd->name, arg);
        }
    }
    if (!conf->status_allow) conf->status_allow = apr_array_make(cmd->pool, 4, sizeof(eh_allow_t));
    APR_ARRAY_PUSH(conf->status_allow, eh_allow_t) = allow;
    return NULL;
}

/* Text that people are shown: one line of UTF-8. */
static const char *shown_text(cmd_parms *cmd, const char *arg)
{
    const unsigned char *c = (const unsigned char *)arg;
    apr_size_t len = strlen(arg);

    while (*c >= 0x20 && *c != 0x7f) {
        c++;
    }
    if (*c || !len || len > EH_CONTACT_MAX || !eh_utf8_valid(arg, len)) {
        return apr_psprintf(cmd->pool, "%s: the text cannot be shown: write one line of UTF-8 of at most %d bytes",
                            cmd->cmd->name, EH_CONTACT_MAX);
    }
    return NULL;
}

static const char *set_contact(cmd_parms *cmd, void *dummy, const char *arg)
{
    const char *why = place(cmd, 0);

    if (!why) why = shown_text(cmd, arg);
    if (!why) eh_sconf(cmd->server)->contact = arg;
    return why;
}

/* --- tenants --- */

static const char *tenant_section(cmd_parms *cmd, void *dummy, const char *arg)
{
    eh_sconf_t *conf = eh_sconf(cmd->server);
    const char *why = place(cmd, 0), *end = strrchr(arg, '>'), *name, *c;
    eh_tenant_conf_t *tenant;

    if (why) return why;
    if (!end) return "<EHealthTenant: the closing \">\" is missing: write <EHealthTenant name>";
    name = apr_pstrmemdup(cmd->pool, arg, end - arg);
    name = ap_getword_conf(cmd->pool, &name);
    for (c = name; apr_isalnum(*c) || (*c && strchr("-._", *c)); c++) {
    }
    if (!*name || *c || c - name > EH_TENANT_NAME_MAX) {
        return apr_psprintf(
            cmd->pool,
            "<EHealthTenant: \"%s\" is not a name: write up to %d letters, digits, '-', '.' or '_', for "
            "example <EHealthTenant st-jean>",
            name, EH_TENANT_NAME_MAX);
    }
    if (apr_hash_get(conf->tenants, name, APR_HASH_KEY_STRING)) {
        return apr_psprintf(cmd->pool, "<EHealthTenant: \"%s\" is configured twice here: keep one section", name);
    }
    tenant = apr_pcalloc(cmd->pool, sizeof(*tenant));
    tenant->pub.name = name;
    tenant->structures = apr_array_make(cmd->pool, 4, sizeof(const char *));
    apr_hash_set(conf->tenants, name, APR_HASH_KEY_STRING, tenant);
    conf->open_tenant = tenant;
    why = ap_walk_config(cmd->directive->first_child, cmd, cmd->context);
    conf->open_tenant = NULL;
    if (why) return why;
    if (!tenant->pub.title) tenant->pub.title = name;
    APR_ARRAY_PUSH(tenant->structures, const char *) = NULL;
    tenant->pub.structures = (const char *const *)tenant->structures->elts;
    return NULL;
}

static const char *in_tenant(cmd_parms *cmd, eh_tenant_conf_t **tenant)
{
    *tenant = eh_sconf(cmd->server)->open_tenant;
    if (*tenant) return NULL;
    return apr_psprintf(cmd->pool,
                        "%s stands outside of a tenant: write it between <EHealthTenant name> and "
                        "</EHealthTenant>",
                        cmd->cmd->name);
}

static const char *set_tenant_title(cmd_parms *cmd, void *dummy, const char *arg)
{
    eh_tenant_conf_t *tenant;
    const char *why = in_tenant(cmd, &tenant);

    if (!why) why = shown_text(cmd, arg);
    if (!why) tenant->pub.title = arg;
    return why;
}

static const char *add_structure(cmd_parms *cmd, void *dummy, const char *arg)
{
    eh_tenant_conf_t *tenant;
    const char *why = in_tenant(cmd, &tenant), *c = arg;

    if (why) return why;
    while (apr_islower(*c) || apr_isdigit(*c) || *c == '-') {
        c++;
    }
    if (c == arg || *c != ':' || !apr_isalnum(c[1])) {
        return apr_psprintf(cmd->pool,
                            "%s: \"%s\" is not kind:value: write for example finess:750000001, siret:12345678901234 or "
                            "nihii:71012345",
                            cmd->cmd->name, arg);
    }
    APR_ARRAY_PUSH(tenant->structures, const char *) = arg;
    return NULL;
}

#define AT(member) (void *)offsetof(eh_sconf_t, member)

const command_rec eh_config_cmds[] = {
    AP_INIT_TAKE1("EHealthStateDir", set_global_path, AT(state_dir), RSRC_CONF,
                  "folder for the embedded database and state files, writable by the server's user"),
    AP_INIT_TAKE1("EHealthKeyFile", set_key_file, NULL, RSRC_CONF,
                  "file with the server's keys, as made by: ehctl keys new"),
    AP_INIT_TAKE12("EHealthDatabase", set_database, NULL, RSRC_CONF, "sqlite3 [file], or pgsql \"parameters\""),
    AP_INIT_TAKE1("EHealthDatabaseConnections", set_connections, AT(db_connections), RSRC_CONF,
                  "database connections per child process"),
    AP_INIT_TAKE12("EHealthDatabaseTimeout", set_db_timeout, NULL, RSRC_CONF,
                   "milliseconds to wait for a connection, and for a query"),
    AP_INIT_TAKE1("EHealthEventLog", set_event_log, NULL, RSRC_CONF, "file or \"|program\" for JSON events"),
    AP_INIT_FLAG("EHealthBackground", set_background, NULL, RSRC_CONF, "On: background jobs run in this server"),
    AP_INIT_TAKE2("EHealthSharedSize", set_shared_size, NULL, RSRC_CONF,
                  "entries in shared memory for sessions, and for rate limits"),
    AP_INIT_TAKE1("EHealthPublicURL", set_public_url, NULL, RSRC_CONF, "origin that browsers use, https://host[:port]"),
    AP_INIT_TAKE1("EHealthProxy", set_proxy, NULL, RSRC_CONF, "proxy for outbound requests, or none"),
    AP_INIT_ITERATE("EHealthProxyExcept", add_proxy_except, NULL, RSRC_CONF, "hosts reached without the proxy"),
    AP_INIT_TAKE1("EHealthCABundle", set_vhost_path, AT(ca_bundle), RSRC_CONF,
                  "PEM file of authorities trusted for outbound requests instead of the system's"),
    AP_INIT_TAKE2("EHealthOutboundTimeout", set_outbound_timeout, NULL, RSRC_CONF,
                  "seconds for connecting, and for a whole outbound request"),
    AP_INIT_TAKE1("EHealthOutboundHTTP", set_outbound_http, NULL, RSRC_CONF,
                  "never, or loopback: plain http to this machine, for tests"),
    AP_INIT_TAKE3("EHealthLimit", set_limit, NULL, RSRC_CONF, "class, requests, seconds"),
    AP_INIT_ITERATE("EHealthStatusAllow", add_status_allow, NULL, RSRC_CONF,
                    "who may read status and metrics: local or address ranges"),
    AP_INIT_TAKE1("EHealthContact", set_contact, NULL, RSRC_CONF, "whom a person should turn to, on error pages"),
    AP_INIT_RAW_ARGS("<EHealthTenant", tenant_section, NULL, RSRC_CONF, "an organisation: <EHealthTenant name>"),
    AP_INIT_TAKE1("EHealthTenantTitle", set_tenant_title, NULL, RSRC_CONF, "name of the tenant as people know it"),
    AP_INIT_ITERATE("EHealthStructure", add_structure, NULL, RSRC_CONF, "identifiers of the tenant, kind:value"),
    {NULL}};
