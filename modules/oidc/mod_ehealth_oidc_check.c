/* SPDX-License-Identifier: Apache-2.0 */
/* What can be judged only when every directive is read: providers completed for each virtual host, names that point to
 * something. Also what the rest of the world may know of the result: the dump for ehctl, the status page. */
#include "mod_ehealth_oidc_provider.h"

#include <http_core.h>
#include <apr_strings.h>

static int complain(const server_rec *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int complain(const server_rec *s, const char *fmt, ...)
{
    va_list ap;
    char text[HUGE_STRING_LEN];

    va_start(ap, fmt);
    apr_vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_CRIT, 0, s, "%s", text);
    return HTTP_INTERNAL_SERVER_ERROR;
}

int eho_pre_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp)
{
    APR_OPTIONAL_FN_TYPE(eh_base_get) *get = APR_RETRIEVE_OPTIONAL_FN(eh_base_get);
    eho_value_t *v;
    oidc_template_t *t;
    const char *sentence = NULL;

    memset(&eho, 0, sizeof(eho));
    if (get == NULL || (eho.base = get(EH_BASE_MAGIC)) == NULL || eho.base->size < sizeof(eh_base_t)) {
        ap_log_perror(APLOG_MARK, APLOG_STARTUP | APLOG_CRIT, 0, plog,
                      "mod_ehealth_oidc needs mod_ehealth of the same version: %s",
                      get ? "install both modules from one package"
                          : "write \"LoadModule ehealth_module modules/mod_ehealth.so\"");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    eho.pconf = pconf;
    eho.logins = apr_array_make(pconf, 4, sizeof(const char *));
    eho.uses = apr_array_make(pconf, 8, sizeof(eho_use_t));
    eho.headers = apr_array_make(pconf, 16, sizeof(const char *));
    if (oidc_template_compile(&t, "%{log_id}", OIDC_ENC_RAW, &sentence, pconf) != APR_SUCCESS) {
        ap_log_perror(APLOG_MARK, APLOG_STARTUP | APLOG_CRIT, 0, plog, "mod_ehealth_oidc: %s", sentence);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    v = apr_pcalloc(pconf, sizeof(*v));
    v->index = eho.nvalues++;
    v->kind = EHO_USER;
    v->name = "";
    v->text = t;
    eho.log_id = v;
    eho.base->add_routes(eho_routes, eho_nroutes);
    eho.base->add_metrics(eho_metrics, eho_nmetrics);
    eho.base->add_status("login", eho_status);
    eho.base->add_dump("providers", eho_dump);
    eho_jobs_register(eho.base);
    return OK;
}

void eho_use_tenant(cmd_parms *cmd, const char *name)
{
    eho_use_t *use = apr_array_push(eho.uses);

    use->server = cmd->server;
    use->name = name;
    use->is_tenant = 1;
    use->where = apr_psprintf(cmd->pool, "%s:%d", cmd->directive->filename, cmd->directive->line_num);
}

const oidc_provider_t *eho_provider(const server_rec *s, const char *name)
{
    const eho_srv_t *srv = eho_srv(s);

    for (int i = 0; srv->providers && i < srv->providers->nelts; i++) {
        const oidc_provider_t *prov = APR_ARRAY_IDX(srv->providers, i, const oidc_provider_t *);
        if (strcmp(prov->name, name) == 0) return prov;
    }
    return NULL;
}

/* Two providers answering on one path could not be told apart. */
static int check_callbacks(server_rec *s, const eho_srv_t *srv)
{
    for (int i = 0; i < srv->providers->nelts; i++) {
        const oidc_provider_t *a = APR_ARRAY_IDX(srv->providers, i, const oidc_provider_t *);

        for (int k = 0; k < i; k++) {
            const oidc_provider_t *b = APR_ARRAY_IDX(srv->providers, k, const oidc_provider_t *);

            if (strcmp(a->callback_path, b->callback_path) == 0) {
                return complain(s,
                                "<EHealthProvider %s> and <EHealthProvider %s> have the same EHealthCallbackPath %s: "
                                "give each its own",
                                b->name, a->name, a->callback_path);
            }
        }
    }
    return OK;
}

static int resolve_host(server_rec *s, apr_pool_t *p)
{
    const char *public_url = eho.base->public_url(s), *sentence = NULL;
    eho_srv_t *srv = eho_srv(s);
    const oidc_provider_t **by_login;

    if (srv->grace == EHO_UNSET) srv->grace = EHO_GRACE_DEFAULT;
    srv->providers = apr_array_make(p, srv->specs->nelts + 1, sizeof(const oidc_provider_t *));
    by_login = apr_pcalloc(p, ((apr_size_t)eho.logins->nelts + 1) * sizeof(*by_login));
    srv->by_login = by_login;
    if (!public_url) return OK; /* providers may stand in the main server for the virtual hosts alone */
    for (int i = 0; i < srv->specs->nelts; i++) {
        const eho_spec_t *spec = APR_ARRAY_IDX(srv->specs, i, const eho_spec_t *);
        oidc_provider_t *prov;

        if (oidc_provider_resolve(&prov, &spec->conf, public_url, eho.base->outbound_http_allowed(s), &sentence, p) !=
            APR_SUCCESS) {
            return complain(s, "<EHealthProvider %s> at %s: %s", spec->conf.name, spec->where, sentence);
        }
        APR_ARRAY_PUSH(srv->providers, const oidc_provider_t *) = prov;
    }
    for (int i = 0; i < eho.logins->nelts; i++)
        by_login[i] = eho_provider(s, APR_ARRAY_IDX(eho.logins, i, const char *));
    return check_callbacks(s, srv);
}

static int tenant_known(const server_rec *s, const char *name)
{
    const eh_tenant_t *const *t = eho.base->tenants(s);

    for (; t && *t; t++) {
        if (strcmp((*t)->name, name) == 0) return 1;
    }
    return 0;
}

/* A section of the main server is in force on every virtual host, one of a virtual host only there. */
static int check_use(const eho_use_t *use, server_rec *main)
{
    for (server_rec *s = use->server == main ? main : use->server; s; s = s->next) {
        const char *host = s->server_hostname ? s->server_hostname : "the main server";

        if (use->is_tenant && eho.base->public_url(s) && !tenant_known(s, use->name)) {
            return complain(s, "Require ehealth-member at %s: there is no <EHealthTenant %s> on %s; write one",
                            use->where, use->name, host);
        }
        if (!use->is_tenant && use->server != main && !eho.base->public_url(s)) {
            return complain(s,
                            "EHealthLogin %s at %s: this host has no public address; write, for instance, "
                            "\"EHealthPublicURL https://%s\"",
                            use->name, use->where, host);
        }
        if (!use->is_tenant && eho.base->public_url(s) && !eho_provider(s, use->name)) {
            return complain(s, "EHealthLogin %s at %s: there is no <EHealthProvider %s> on %s; write one", use->name,
                            use->where, use->name, host);
        }
        if (use->server != main) break;
    }
    return OK;
}

int eho_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main)
{
    int rc, in_use = 0;

    eho.main = main;
    for (server_rec *s = main; s; s = s->next) {
        if (s == main) eho_srv(s)->own = eho_srv(s)->specs->nelts > 0;
        if ((rc = resolve_host(s, pconf)) != OK) return rc;
        if (s != main && eho_srv(s)->own && !eho.base->public_url(s)) {
            return complain(s,
                            "this host has an <EHealthProvider> but no public address; write \"EHealthPublicURL "
                            "https://%s\" with the address that browsers use",
                            s->server_hostname ? s->server_hostname : "...");
        }
        in_use |= eho.base->public_url(s) != NULL;
        /* MergeTrailers would add headers after ours were set and theirs removed. */
        if (((core_server_config *)ap_get_core_module_config(s->module_config))->merge_trailers ==
            AP_MERGE_TRAILERS_ENABLE) {
            return complain(s, "MergeTrailers On lets a client add identity headers after they were checked: write "
                               "MergeTrailers Off");
        }
    }
    for (int i = 0; i < eho.uses->nelts; i++) {
        if ((rc = check_use(&APR_ARRAY_IDX(eho.uses, i, eho_use_t), main)) != OK) return rc;
    }
    if (eho.logins->nelts && !in_use) {
        return complain(main, "EHealthLogin is used but no host has a public address: write \"EHealthPublicURL "
                              "https://...\" with the address that browsers use");
    }
    eho.names = hot_names_make(eho.headers, pconf);
    return OK;
}

/* --- for ehctl and the status page --- */

static json_t *str(const char *s) { return s ? json_string(s) : json_null(); }

static json_t *alg_names(int algs)
{
    json_t *list = json_array();

    for (int bit = 1; bit <= EH_EDDSA; bit <<= 1) {
        if (algs & bit) json_array_append_new(list, json_string(eh_alg_name((eh_alg_e)bit)));
    }
    return list;
}

static const eho_spec_t *spec_of(const eho_srv_t *srv, const char *name)
{
    for (int i = 0; i < srv->specs->nelts; i++) {
        const eho_spec_t *spec = APR_ARRAY_IDX(srv->specs, i, const eho_spec_t *);
        if (strcmp(spec->conf.name, name) == 0) return spec;
    }
    return NULL;
}

static json_t *dump_provider(const oidc_provider_t *prov, const eho_spec_t *spec)
{
    static const char *const auth[] = {"client_secret_basic", "client_secret_post", "none", "private_key_jwt",
                                       "tls_client_auth"}; /* in the order of oidc_client_auth_e */
    static const char *const userinfo[] = {"off", "optional", "required"};
    const eh_http_cert_t *cert = prov->client_cert;
    json_t *j = json_object();

    json_object_set_new(j, "name", str(prov->name));
    json_object_set_new(j, "preset", str(prov->preset));
    json_object_set_new(j, "environment", str(prov->env->name));
    json_object_set_new(j, "issuer", str(prov->issuer));
    json_object_set_new(j, "metadata_url", str(prov->metadata_url));
    json_object_set_new(j, "authorization_endpoint", str(prov->authorization_endpoint));
    json_object_set_new(j, "token_endpoint", str(prov->token_endpoint));
    json_object_set_new(j, "userinfo_endpoint", str(prov->userinfo_endpoint));
    json_object_set_new(j, "jwks_uri", str(prov->jwks_uri));
    json_object_set_new(j, "end_session_endpoint", str(prov->end_session_endpoint));
    json_object_set_new(j, "client_id", str(prov->client_id));
    json_object_set_new(j, "client_auth", str(auth[prov->client_auth]));
    json_object_set_new(j, "client_secret_source", str(spec ? spec->secret_source : NULL));
    json_object_set_new(j, "client_key_file", str(spec ? spec->key_file : NULL));
    json_object_set_new(j, "client_cert_file", str(cert ? cert->cert_file : NULL));
    json_object_set_new(j, "client_cert_key_file", str(cert ? cert->key_file : NULL));
    json_object_set_new(j, "redirect_uri", str(prov->redirect_uri));
    json_object_set_new(j, "post_logout_redirect_uri", str(prov->post_logout_uri));
    json_object_set_new(j, "id_token_algs", alg_names(prov->id_token_algs));
    json_object_set_new(j, "userinfo", str(userinfo[prov->userinfo]));
    json_object_set_new(j, "leeway", json_integer(prov->leeway));
    return j;
}

json_t *eho_dump(server_rec *s, apr_pool_t *p)
{
    const eho_srv_t *srv = eho_srv(s);
    json_t *list = json_array();

    for (int i = 0; srv->providers && i < srv->providers->nelts; i++) {
        const oidc_provider_t *prov = APR_ARRAY_IDX(srv->providers, i, const oidc_provider_t *);
        json_array_append_new(list, dump_provider(prov, spec_of(srv, prov->name)));
    }
    return list;
}

json_t *eho_status(server_rec *s, apr_pool_t *p)
{
    const eho_srv_t *srv = eho_srv(s);
    json_t *j = json_object(), *names = json_array();
    eh_ctx_t ctx;

    eho.base->ctx_server(s, &ctx);
    for (int i = 0; srv->providers && i < srv->providers->nelts; i++) {
        json_array_append_new(names, str(APR_ARRAY_IDX(srv->providers, i, const oidc_provider_t *)->name));
    }
    json_object_set_new(j, "providers", names);
    if (eho.slots) {
        apr_time_t polled = hot_slots_polled(eho.slots);

        json_object_set_new(j, "sessions_node", json_integer(hot_slots_used(eho.slots)));
        json_object_set_new(j, "sessions_child", json_integer(eho.cache ? hot_cache_count(eho.cache) : 0));
        json_object_set_new(
            j, "revocations_read",
            polled ? str(apr_psprintf(p, "%" APR_TIME_T_FMT " ms ago", apr_time_as_msec(eh_now(&ctx) - polled)))
                   : json_null());
        json_object_set_new(j, "grace_s", json_integer(srv->grace));
    }
    if (eho.documents) json_object_set_new(j, "documents", oidc_cache_status(eho.documents, &ctx));
    return j;
}
