/* SPDX-License-Identifier: Apache-2.0 */
/* -t -D DUMP_EHEALTH: the resolved configuration as one JSON document, for ehctl (shape: modules/tools/ehctl.h). */
#include "mod_ehealth_config.h"

#include <http_core.h>
#include <util_cfgtree.h>
#include <apr_strings.h>

#include "ehealth/json.h"

static json_t *text_or_null(const char *s) { return s && *s ? json_string(s) : json_null(); }

static json_t *host_tenants(const eh_sconf_t *conf)
{
    json_t *list = json_array(), *structures;
    const eh_tenant_t *const *t;
    const char *const *s;

    for (t = conf->tenant_list; t && *t; t++) {
        structures = json_array();
        for (s = (*t)->structures; *s; s++) {
            json_array_append_new(structures, json_string(*s));
        }
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:o}", "name", (*t)->name, "title", (*t)->title, "structures", structures));
    }
    return list;
}

static const char *last_value(const ap_directive_t *d, const char *name)
{
    const char *value = NULL;

    for (; d; d = d->next) {
        if (!strcasecmp(d->directive, name)) value = d->args;
    }
    return value;
}

/* mod_ssl tells nobody before a connection exists; the directive tree does (<IfModule> and macros are resolved in it). */
static int speaks_tls(const server_rec *s)
{
    const char *value = last_value(ap_conftree, "SSLEngine"), *own = NULL;
    const ap_directive_t *d;

    for (d = s->is_virtual ? ap_conftree : NULL; d; d = d->next) {
        if (!strcasecmp(d->directive, "<VirtualHost") && d->line_num == (int)s->defn_line_number && s->defn_name &&
            !strcmp(d->filename, s->defn_name)) {
            own = last_value(d->first_child, "SSLEngine");
        }
    }
    if (own) value = own;
    return value && (!strncasecmp(value, "on", 2) || !strncasecmp(value, "optional", 8));
}

static json_t *host_json(server_rec *s, apr_pool_t *p)
{
    const eh_sconf_t *conf = eh_sconf(s);
    const eh_registry_t *reg = &eh_process.reg;
    json_t *host = json_object(), *except = json_array(), *more;
    int i;

    for (i = 0; conf->proxy_except && i < conf->proxy_except->nelts; i++) {
        json_array_append_new(except, json_string(APR_ARRAY_IDX(conf->proxy_except, i, const char *)));
    }
    json_object_set_new(host, "name",
                        json_sprintf("%s:%u", s->server_hostname ? s->server_hostname : "",
                                     s->addrs && s->addrs->host_port ? s->addrs->host_port : s->port));
    json_object_set_new(host, "file", text_or_null(s->defn_name));
    json_object_set_new(host, "line", json_integer(s->defn_line_number));
    json_object_set_new(host, "public_url", text_or_null(conf->public_url));
    json_object_set_new(host, "proxy", text_or_null(conf->proxy));
    json_object_set_new(host, "proxy_except", except);
    json_object_set_new(host, "ca_bundle", text_or_null(conf->ca_bundle));
    json_object_set_new(host, "outbound",
                        json_pack("{s:i, s:i, s:b}", "connect", conf->connect_s, "total", conf->total_s,
                                  "http_loopback", conf->outbound_http == EH_OUTBOUND_LOOPBACK));
    json_object_set_new(host, "tls", json_boolean(speaks_tls(s)));
    json_object_set_new(host, "tenants", host_tenants(conf));
    for (i = 0; i < reg->ndump; i++) {
        more = reg->dump[i].fn(s, p);
        if (more) json_object_set_new(host, reg->dump[i].key, more);
    }
    if (!json_object_get(host, "providers")) json_object_set_new(host, "providers", json_array());
    return host;
}

static int worth_telling(const json_t *host)
{
    return json_is_string(json_object_get(host, "public_url")) ||
           json_array_size(json_object_get(host, "providers")) > 0;
}

void eh_dump_config(apr_pool_t *p, server_rec *main)
{
    const eh_sconf_t *conf = eh_sconf(main);
    json_t *hosts = json_array(), *host, *doc;
    server_rec *s;
    char *text;

    for (s = main; s; s = s->next) {
        host = host_json(s, p);
        if (worth_telling(host)) json_array_append(hosts, host);
        json_decref(host);
    }
    doc = json_pack("{s:i, s:s, s:s, s:s, s:o, s:{s:s, s:s, s:i, s:i, s:i}, s:o}", "version", 1, "user",
                    eh_run_user_name(p), "group", eh_run_group_name(p), "state_dir", conf->state_dir, "key_file",
                    text_or_null(conf->key_file), "database", "driver", conf->db_driver, "params", conf->db_params,
                    "connections", conf->db_connections, "acquire_ms", conf->db_acquire_ms, "query_ms",
                    conf->db_query_ms, "hosts", hosts);
    text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;
    if (text) {
        puts(text);
        fflush(stdout);
    } else {
        ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_ERR, 0, main,
                     "DUMP_EHEALTH: the configuration is not valid UTF-8");
    }
    free(text);
    json_decref(doc);
}
