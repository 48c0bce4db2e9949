/* SPDX-License-Identifier: Apache-2.0 */
/* Directives. What is inside <EHealthProvider> stands in mod_ehealth_oidc_provider.c. */
#include "mod_ehealth_oidc.h"

#include <http_core.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include "mod_ehealth_oidc_provider.h"

/* --- create and merge --- */

void *eho_dir_create(apr_pool_t *p, char *path)
{
    eho_dir_t *dir = apr_pcalloc(p, sizeof(*dir));

    dir->login_index = EHO_UNSET;
    return dir;
}

/* Those of the outer section that the inner one does not name again, then the inner one's. */
static apr_array_header_t *merge_values(apr_pool_t *p, apr_array_header_t *base, apr_array_header_t *over)
{
    apr_array_header_t *both;

    if (!base || !over) return over ? over : base;
    both = apr_array_make(p, base->nelts + over->nelts, sizeof(const eho_value_t *));
    for (int i = 0; i < base->nelts; i++) {
        const eho_value_t *v = APR_ARRAY_IDX(base, i, const eho_value_t *);
        int again = 0;

        for (int k = 0; k < over->nelts && !again; k++) {
            const eho_value_t *w = APR_ARRAY_IDX(over, k, const eho_value_t *);
            again = v->kind == w->kind && strcasecmp(v->name, w->name) == 0;
        }
        if (!again) APR_ARRAY_PUSH(both, const eho_value_t *) = v;
    }
    apr_array_cat(both, over);
    return both;
}

/* Runs on requests when several sections apply: allocates one struct, and an array only when two sections set values. */
void *eho_dir_merge(apr_pool_t *p, void *basev, void *overv)
{
    eho_dir_t *base = basev, *over = overv, *dir;

    if (!over->login && !over->values && !over->user) return base;
    dir = apr_palloc(p, sizeof(*dir));
    dir->login = over->login ? over->login : base->login;
    dir->login_index = over->login ? over->login_index : base->login_index;
    dir->values = merge_values(p, base->values, over->values);
    dir->user = over->user ? over->user : base->user;
    return dir;
}

void *eho_srv_create(apr_pool_t *p, server_rec *s)
{
    eho_srv_t *srv = apr_pcalloc(p, sizeof(*srv));

    srv->specs = apr_array_make(p, 2, sizeof(eho_spec_t *));
    srv->grace = EHO_UNSET;
    return srv;
}

/* A virtual host has its own providers, and those of the main server that it does not name again. */
void *eho_srv_merge(apr_pool_t *p, void *basev, void *overv)
{
    const eho_srv_t *base = basev, *over = overv;
    eho_srv_t *srv = apr_pmemdup(p, over, sizeof(*over));

    srv->own = over->specs->nelts > 0;
    srv->specs = apr_array_copy(p, over->specs);
    for (int i = 0; i < base->specs->nelts; i++) {
        eho_spec_t *spec = APR_ARRAY_IDX(base->specs, i, eho_spec_t *);
        int again = 0;

        for (int k = 0; k < over->specs->nelts && !again; k++) {
            again = strcmp(APR_ARRAY_IDX(over->specs, k, eho_spec_t *)->conf.name, spec->conf.name) == 0;
        }
        if (!again) APR_ARRAY_PUSH(srv->specs, eho_spec_t *) = spec;
    }
    if (srv->grace == EHO_UNSET) srv->grace = base->grace;
    return srv;
}

/* --- per directory --- */

static int login_index(const char *name)
{
    for (int i = 0; i < eho.logins->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(eho.logins, i, const char *), name) == 0) return i;
    }
    APR_ARRAY_PUSH(eho.logins, const char *) = name;
    return eho.logins->nelts - 1;
}

/* 1 when the section has a Require: beside d, or in a container beside it. */
static int has_require(const ap_directive_t *d)
{
    for (; d; d = d->next) {
        if (strncasecmp(d->directive, "Require", 7) == 0 || strncasecmp(d->directive, "<Require", 8) == 0) return 1;
        if (d->directive[0] == '<' && has_require(d->first_child)) return 1;
    }
    return 0;
}

/* 1 when "Require all granted" stands beside d, in whatever <RequireAny>, <RequireAll> or <IfModule>. */
static int opens_to_all(const ap_directive_t *d, apr_pool_t *ptemp)
{
    for (; d; d = d->next) {
        const char *args = d->args;

        if (strcasecmp(d->directive, "Require") == 0 && strcasecmp(ap_getword_conf(ptemp, &args), "all") == 0 &&
            strcasecmp(ap_getword_conf(ptemp, &args), "granted") == 0) {
            return 1;
        }
        if ((strncasecmp(d->directive, "<Require", 8) == 0 ||
             (strncasecmp(d->directive, "<If", 3) == 0 && d->directive[3])) && /* <If> is a section of its own */
            opens_to_all(d->first_child, ptemp)) {
            return 1;
        }
    }
    return 0;
}

static int has_auth_type(const ap_directive_t *d, apr_pool_t *ptemp)
{
    for (; d; d = d->next) {
        const char *args = d->args;

        if (strcasecmp(d->directive, "AuthType") == 0) {
            return strcasecmp(ap_getword_conf(ptemp, &args), EHO_AUTH_TYPE) == 0;
        }
        if (strncasecmp(d->directive, "<If", 3) == 0 && has_auth_type(d->first_child, ptemp)) return 1;
    }
    return 0;
}

/* The section that d stands in, whatever <IfModule> or <IfDefine> is around it. */
static const ap_directive_t *section_of(const ap_directive_t *d)
{
    const ap_directive_t *parent = d->parent;

    while (parent && parent->parent && strncasecmp(parent->directive, "<If", 3) == 0 && parent->directive[3]) {
        parent = parent->parent;
    }
    return parent;
}

static const char *cmd_login(cmd_parms *cmd, void *dirv, const char *name)
{
    const ap_directive_t *parent = section_of(cmd->directive);
    const char *section = parent ? apr_pstrcat(cmd->temp_pool, parent->directive, " ", parent->args, NULL) : "";
    eho_dir_t *dir = dirv;
    eho_use_t *use;

    /* Without a Require of its own the section inherits one, and httpd's default is "all granted": an open page that
     * looks protected. */
    if (!parent || !has_require(parent->first_child)) {
        return apr_psprintf(cmd->pool,
                            "EHealthLogin %s in %s protects nothing without a Require: write beside it, for instance, "
                            "\"Require ehealth-member <tenant>\" or \"Require valid-user\"",
                            name, section);
    }
    /* Alone it is an open page. Beside a "Require not" too: nobody who is not logged in has the role that is shut out. */
    if (opens_to_all(parent->first_child, cmd->temp_pool)) {
        return apr_psprintf(
            cmd->pool,
            "EHealthLogin %s in %s stands beside \"Require all granted\", which lets in who is not logged "
            "in: write \"Require valid-user\" instead",
            name, section);
    }
    if (!has_auth_type(parent->first_child, cmd->temp_pool)) {
        return apr_psprintf(cmd->pool, "EHealthLogin %s in %s needs \"AuthType " EHO_AUTH_TYPE "\" beside it", name,
                            section);
    }
    dir->login = name;
    dir->login_index = login_index(name);
    use = apr_array_push(eho.uses);
    use->server = cmd->server;
    use->name = name;
    use->is_tenant = 0;
    use->where = apr_psprintf(cmd->pool, "%s:%d", cmd->directive->filename, cmd->directive->line_num);
    return NULL;
}

static const char *new_value(const eho_value_t **pv, cmd_parms *cmd, eho_kind_e kind, const char *name,
                             const char *text, const char *encoding)
{
    eho_value_t *v;
    oidc_template_t *t;
    const char *sentence = NULL;
    int enc = oidc_encoding_parse(encoding);

    if (enc < 0) {
        return apr_psprintf(cmd->pool, "%s: unknown encoding \"%s\": write percent, raw, base64url or rfc8187",
                            cmd->cmd->name, encoding);
    }
    if (oidc_template_compile(&t, text, (oidc_encoding_e)enc, &sentence, cmd->pool) != APR_SUCCESS) {
        return apr_psprintf(cmd->pool, "%s: %s", cmd->cmd->name, sentence);
    }
    if (eho.nvalues >= EHO_VALUES_MAX) {
        return apr_psprintf(cmd->pool, "%s: more than %d identity headers and variables in this configuration",
                            cmd->cmd->name, EHO_VALUES_MAX);
    }
    v = apr_pcalloc(cmd->pool, sizeof(*v));
    v->index = eho.nvalues++;
    v->kind = kind;
    v->name = name;
    v->text = t;
    *pv = v;
    return NULL;
}

static const char *push_value(eho_dir_t *dir, cmd_parms *cmd, eho_kind_e kind, const char *name, const char *text,
                              const char *encoding)
{
    const eho_value_t *v;
    const char *sentence = new_value(&v, cmd, kind, name, text, encoding);

    if (sentence) return sentence;
    if (!dir->values) dir->values = apr_array_make(cmd->pool, 8, sizeof(const eho_value_t *));
    for (int i = 0; i < dir->values->nelts; i++) {
        const eho_value_t *w = APR_ARRAY_IDX(dir->values, i, const eho_value_t *);

        if (w->kind == kind && strcasecmp(w->name, name) == 0) {
            return apr_psprintf(cmd->pool, "%s %s stands twice in this section: remove one", cmd->cmd->name, name);
        }
    }
    APR_ARRAY_PUSH(dir->values, const eho_value_t *) = v;
    return NULL;
}

static const char *cmd_header(cmd_parms *cmd, void *dir, const char *name, const char *text, const char *encoding)
{
    if (!hot_name_ok(name)) {
        return apr_psprintf(cmd->pool,
                            "EHealthIdentityHeader: \"%s\" cannot carry an identity: write a header name of its own, "
                            "such as X-Remote-User",
                            name);
    }
    APR_ARRAY_PUSH(eho.headers, const char *) = name;
    return push_value(dir, cmd, EHO_HEADER, name, text, encoding);
}

static const char *cmd_env(cmd_parms *cmd, void *dir, const char *name, const char *text, const char *encoding)
{
    for (const char *c = name; *c; c++) {
        if (!apr_isalnum(*c) && *c != '_') {
            return apr_psprintf(cmd->pool, "EHealthIdentityEnv: \"%s\" is no variable name: use letters, digits and _",
                                name);
        }
    }
    /* HTTP_… would look like a header that a client sent. */
    if (apr_isdigit(*name) || strncasecmp(name, "HTTP_", 5) == 0) {
        return apr_psprintf(cmd->pool, "EHealthIdentityEnv: \"%s\" cannot be used: write a name such as REMOTE_NAME",
                            name);
    }
    return push_value(dir, cmd, EHO_ENV, name, text, encoding ? encoding : "raw");
}

static const char *cmd_user(cmd_parms *cmd, void *dir, const char *text)
{
    return new_value(&((eho_dir_t *)dir)->user, cmd, EHO_USER, "", text, "raw");
}

/* --- per virtual host --- */

static const char *cmd_grace(cmd_parms *cmd, void *dir, const char *arg)
{
    char *end;
    apr_int64_t n = apr_strtoi64(arg, &end, 10);

    if (*end || end == arg || n < 1 || n > 86400) {
        return "EHealthSessionGrace: write a number of seconds from 1 to 86400";
    }
    eho_srv(cmd->server)->grace = (int)n;
    return NULL;
}

#define SECTION (ACCESS_CONF) /* <Location>, <Directory>, <Files>, <If>; not .htaccess */

const command_rec eho_cmds[] = {
    AP_INIT_RAW_ARGS("<EHealthProvider", eho_cmd_provider, NULL, RSRC_CONF,
                     "a log-in provider: <EHealthProvider name> ... </EHealthProvider>"),
    EHO_PROVIDER_CMDS AP_INIT_TAKE1(
        "EHealthSessionGrace", cmd_grace, NULL, RSRC_CONF,
        "seconds that sessions in memory are believed while the database cannot be asked for revocations"),
    AP_INIT_TAKE1("EHealthLogin", cmd_login, NULL, SECTION, "name of the <EHealthProvider> that people log in with"),
    AP_INIT_TAKE23("EHealthIdentityHeader", cmd_header, NULL, SECTION,
                   "request header for the back end: name, template, encoding (percent, raw, base64url, rfc8187)"),
    AP_INIT_TAKE23("EHealthIdentityEnv", cmd_env, NULL, SECTION, "environment variable: name, template, encoding"),
    AP_INIT_TAKE1("EHealthRemoteUser", cmd_user, NULL, SECTION, "template of REMOTE_USER (default %{log_id})"),
    {NULL}};
