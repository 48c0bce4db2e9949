/* SPDX-License-Identifier: Apache-2.0 */
/* <EHealthProvider>: reads the directives of one provider into an oidc_conf_t. Whether they make sense together is judged
 * by oidc_provider_resolve, once the virtual host's public URL is known. */
#include "mod_ehealth_oidc_provider.h"

#include <apr_file_io.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include "ehealth/crypto.h"

#define SECRET_FILE_MAX 4096
#define KEY_FILE_MAX 65536
#define NUMBER_MAX (366 * 86400)

static eho_spec_t *open_spec(cmd_parms *cmd) { return eho_srv(cmd->server)->open; }

static const char *outside(cmd_parms *cmd)
{
    return apr_psprintf(cmd->pool, "%s belongs inside <EHealthProvider name> ... </EHealthProvider>", cmd->cmd->name);
}

static const char *twice(cmd_parms *cmd)
{
    return apr_psprintf(cmd->pool, "%s stands twice in this <EHealthProvider>: remove one", cmd->cmd->name);
}

static int name_ok(const char *name)
{
    apr_size_t len = strlen(name);

    return len > 0 && len <= OIDC_NAME_MAX && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

const char *eho_cmd_provider(cmd_parms *cmd, void *dir, const char *args)
{
    eho_srv_t *srv = eho_srv(cmd->server);
    const char *end = strrchr(args, '>'), *name, *sentence;
    eho_spec_t *spec;

    if (!end || end[1]) return "<EHealthProvider name: the closing > is missing";
    args = apr_pstrmemdup(cmd->temp_pool, args, (apr_size_t)(end - args));
    name = ap_getword_conf(cmd->pool, &args);
    if (!name_ok(name) || *args) {
        return apr_psprintf(cmd->pool,
                            "<EHealthProvider %s>: write one name of at most %d small letters, digits and '-'; it "
                            "becomes part of addresses and of the cookie's name",
                            name, OIDC_NAME_MAX);
    }
    if (srv->open) return "<EHealthProvider> cannot stand inside another one";
    for (int i = 0; i < srv->specs->nelts; i++) {
        spec = APR_ARRAY_IDX(srv->specs, i, eho_spec_t *);
        if (strcmp(spec->conf.name, name) == 0) {
            return apr_psprintf(cmd->pool, "<EHealthProvider %s> stands twice on this host (first at %s)", name,
                                spec->where);
        }
    }
    spec = apr_pcalloc(cmd->pool, sizeof(*spec));
    oidc_conf_init(&spec->conf, name);
    spec->where = apr_psprintf(cmd->pool, "%s:%d", cmd->directive->filename, cmd->directive->line_num);
    spec->params = apr_array_make(cmd->pool, 2, sizeof(oidc_param_t));
    APR_ARRAY_PUSH(srv->specs, eho_spec_t *) = spec;
    srv->open = spec;
    sentence = ap_walk_config(cmd->directive->first_child, cmd, cmd->context);
    srv->open = NULL;
    spec->conf.auth_params = spec->params->nelts ? spec->params : NULL;
    return sentence;
}

/* Address of the member that cmd->info names. */
static void *member(cmd_parms *cmd, eho_spec_t *spec) { return (char *)&spec->conf + (apr_size_t)cmd->info; }

const char *eho_cmd_text(cmd_parms *cmd, void *dir, const char *arg)
{
    eho_spec_t *spec = open_spec(cmd);
    const char **to;

    if (!spec) return outside(cmd);
    to = member(cmd, spec);
    if (*to) return twice(cmd);
    if (!*arg) return apr_psprintf(cmd->pool, "%s: the value is empty", cmd->cmd->name);
    *to = arg;
    return NULL;
}

const char *eho_cmd_words(cmd_parms *cmd, void *dir, int argc, char *const argv[])
{
    apr_array_header_t *words = apr_array_make(cmd->pool, argc, sizeof(char *));

    if (argc == 0) return apr_psprintf(cmd->pool, "%s: the value is missing", cmd->cmd->name);
    for (int i = 0; i < argc; i++)
        APR_ARRAY_PUSH(words, char *) = argv[i];
    return eho_cmd_text(cmd, dir, apr_array_pstrcat(cmd->pool, words, ' '));
}

/* The whole of a small file; a sentence on failure. */
static const char *slurp(char **ptext, apr_size_t *plen, cmd_parms *cmd, const char *path, apr_size_t max, int private_)
{
    apr_file_t *f;
    apr_finfo_t info;
    apr_status_t rv;
    char why[120];

    path = ap_server_root_relative(cmd->pool, path);
    rv = apr_file_open(&f, path, APR_FOPEN_READ, APR_FPROT_OS_DEFAULT, cmd->temp_pool);
    if (rv != APR_SUCCESS) {
        return apr_psprintf(cmd->pool, "%s: %s cannot be read: %s", cmd->cmd->name, path,
                            apr_strerror(rv, why, sizeof(why)));
    }
    rv = apr_file_info_get(&info, APR_FINFO_SIZE | APR_FINFO_PROT | APR_FINFO_TYPE, f);
    if (rv != APR_SUCCESS || info.filetype != APR_REG || info.size == 0 || (apr_size_t)info.size > max) {
        apr_file_close(f);
        return apr_psprintf(cmd->pool, "%s: %s must be a file of 1 to %" APR_SIZE_T_FMT " bytes", cmd->cmd->name, path,
                            max);
    }
    if (private_ && (info.protection & (APR_WREAD | APR_WWRITE | APR_GWRITE))) {
        apr_file_close(f);
        return apr_psprintf(cmd->pool, "%s: everybody can read or change %s: run \"chmod 640 %s\"", cmd->cmd->name,
                            path, path);
    }
    *plen = (apr_size_t)info.size;
    *ptext = eh_secret_alloc(cmd->pool, *plen + 1);
    rv = apr_file_read_full(f, *ptext, *plen, NULL);
    apr_file_close(f);
    (*ptext)[*plen] = '\0';
    return rv == APR_SUCCESS ? NULL : apr_psprintf(cmd->pool, "%s: %s cannot be read", cmd->cmd->name, path);
}

const char *eho_cmd_secret(cmd_parms *cmd, void *dir, const char *arg)
{
    eho_spec_t *spec = open_spec(cmd);
    const char *sentence;
    char *text;
    apr_size_t len;

    if (!spec) return outside(cmd);
    if (spec->conf.client_secret) return twice(cmd);
    spec->secret_source = "literal";
    spec->conf.client_secret = arg;
    if (strncmp(arg, "file:", 5) == 0) {
        if ((sentence = slurp(&text, &len, cmd, arg + 5, SECRET_FILE_MAX, 1)) != NULL) return sentence;
        while (len > 0 && apr_isspace(text[len - 1]))
            text[--len] = '\0';
        spec->secret_source = arg;
        spec->conf.client_secret = text;
    }
    if (!*spec->conf.client_secret) return "EHealthClientSecret is empty: write the secret or file:/path/of/its/file";
    for (const char *c = spec->conf.client_secret; *c; c++) {
        if (apr_iscntrl(*c)) return "EHealthClientSecret: the secret must be one line without control characters";
    }
    return NULL;
}

const char *eho_cmd_auth(cmd_parms *cmd, void *dir, const char *method, const char *audience)
{
    eho_spec_t *spec = open_spec(cmd);

    if (!spec) return outside(cmd);
    if (spec->conf.client_auth) return twice(cmd);
    if (audience && strcmp(method, "private_key_jwt") != 0) {
        return "EHealthClientAuth: only private_key_jwt takes an audience (issuer, token_endpoint or a URL)";
    }
    spec->conf.client_auth = method;
    spec->conf.assertion_audience = audience;
    return NULL;
}

const char *eho_cmd_key(cmd_parms *cmd, void *dir, const char *file, const char *alg, const char *kid)
{
    eho_spec_t *spec = open_spec(cmd);
    eh_err_t err = {EH_E_NONE};
    eh_jwk_t *key;
    const char *sentence;
    char *pem;
    apr_size_t len;

    if (!spec) return outside(cmd);
    if (spec->conf.client_key) return twice(cmd);
    if (alg && (spec->conf.client_key_alg = eh_alg_parse(alg)) == EH_ALG_NONE) {
        return apr_psprintf(cmd->pool,
                            "EHealthClientKey: unknown algorithm \"%s\": write RS256, RS384, RS512, PS256, PS384, "
                            "PS512, ES256, ES384, ES512 or EdDSA",
                            alg);
    }
    if ((sentence = slurp(&pem, &len, cmd, file, KEY_FILE_MAX, 1)) != NULL) return sentence;
    if (eh_jwk_from_pem(&key, pem, len, kid, &err, cmd->pool) != APR_SUCCESS || !eh_jwk_is_private(key)) {
        return apr_psprintf(cmd->pool,
                            "EHealthClientKey: %s holds no usable private key (PEM; RSA of 2048 bits or more, P-256, "
                            "P-384, P-521 or Ed25519)",
                            file);
    }
    if (alg && !(eh_jwk_algs(key) & (int)spec->conf.client_key_alg)) {
        return apr_psprintf(cmd->pool, "EHealthClientKey: the key in %s cannot sign %s", file, alg);
    }
    spec->conf.client_key = key;
    spec->key_file = file;
    return NULL;
}

static const char *readable(cmd_parms *cmd, const char **ppath, const char *path)
{
    apr_finfo_t info;

    *ppath = ap_server_root_relative(cmd->pool, path);
    if (apr_stat(&info, *ppath, APR_FINFO_TYPE, cmd->temp_pool) != APR_SUCCESS || info.filetype != APR_REG) {
        return apr_psprintf(cmd->pool, "%s: there is no file %s", cmd->cmd->name, *ppath);
    }
    return NULL;
}

const char *eho_cmd_cert(cmd_parms *cmd, void *dir, const char *cert, const char *key)
{
    eho_spec_t *spec = open_spec(cmd);
    eh_http_cert_t *c;
    const char *sentence;

    if (!spec) return outside(cmd);
    if (spec->conf.client_cert) return twice(cmd);
    c = apr_pcalloc(cmd->pool, sizeof(*c));
    if ((sentence = readable(cmd, &c->cert_file, cert)) != NULL) return sentence;
    if (key && (sentence = readable(cmd, &c->key_file, key)) != NULL) return sentence;
    spec->conf.client_cert = c;
    return NULL;
}

const char *eho_cmd_acr_missing(cmd_parms *cmd, void *dir, const char *arg)
{
    eho_spec_t *spec = open_spec(cmd);

    if (!spec) return outside(cmd);
    if (spec->conf.acr_missing_ok != EHO_UNSET) return twice(cmd);
    if (strcasecmp(arg, "accept") != 0 && strcasecmp(arg, "refuse") != 0) {
        return "EHealthACRMissing: write accept or refuse";
    }
    spec->conf.acr_missing_ok = strcasecmp(arg, "accept") == 0;
    return NULL;
}

const char *eho_cmd_param(cmd_parms *cmd, void *dir, const char *name, const char *value)
{
    eho_spec_t *spec = open_spec(cmd);
    oidc_param_t *param;

    if (!spec) return outside(cmd);
    param = apr_array_push(spec->params);
    param->name = name;
    param->value = value;
    return NULL;
}

const char *eho_cmd_algs(cmd_parms *cmd, void *dir, int argc, char *const argv[])
{
    eho_spec_t *spec = open_spec(cmd);

    if (!spec) return outside(cmd);
    if (spec->conf.id_token_algs) return twice(cmd);
    for (int i = 0; i < argc; i++) {
        eh_alg_e alg = eh_alg_parse(argv[i]);

        if (alg == EH_ALG_NONE) {
            return apr_psprintf(cmd->pool,
                                "EHealthIDTokenAlg: \"%s\" is not known here: write RS256, RS384, RS512, PS256, PS384, "
                                "PS512, ES256, ES384, ES512 or EdDSA",
                                argv[i]);
        }
        spec->conf.id_token_algs |= (int)alg;
    }
    return argc ? NULL : "EHealthIDTokenAlg: the value is missing";
}

const char *eho_cmd_userinfo(cmd_parms *cmd, void *dir, const char *arg)
{
    static const char *const words[] = {"off", "optional", "required"}; /* in the order of eh_userinfo_e */
    eho_spec_t *spec = open_spec(cmd);

    if (!spec) return outside(cmd);
    if (spec->conf.userinfo != EHO_UNSET) return twice(cmd);
    for (int i = 0; i < 3; i++) {
        if (strcasecmp(arg, words[i]) == 0) spec->conf.userinfo = i;
    }
    return spec->conf.userinfo == EHO_UNSET ? "EHealthUserinfo: write off, optional or required" : NULL;
}

static const char *number(int *pn, cmd_parms *cmd, const char *arg)
{
    char *end;
    apr_int64_t n = apr_strtoi64(arg, &end, 10);

    if (*end || end == arg || n < 0 || n > NUMBER_MAX) {
        return apr_psprintf(cmd->pool, "%s: \"%s\" is no number of seconds", cmd->cmd->name, arg);
    }
    *pn = (int)n;
    return NULL;
}

const char *eho_cmd_number(cmd_parms *cmd, void *dir, const char *arg)
{
    eho_spec_t *spec = open_spec(cmd);
    int *to;

    if (!spec) return outside(cmd);
    to = member(cmd, spec);
    return *to != EHO_UNSET ? twice(cmd) : number(to, cmd, arg);
}

const char *eho_cmd_session(cmd_parms *cmd, void *dir, const char *max, const char *idle)
{
    eho_spec_t *spec = open_spec(cmd);
    const char *sentence;

    if (!spec) return outside(cmd);
    if (spec->conf.session_max != EHO_UNSET) return twice(cmd);
    if ((sentence = number(&spec->conf.session_max, cmd, max)) != NULL) return sentence;
    return number(&spec->conf.session_idle, cmd, idle);
}

const char *eho_cmd_path(cmd_parms *cmd, void *dir, const char *arg)
{
    if (arg[0] != '/' || arg[1] == '/' || strpbrk(arg, "?#%\\ ") || strstr(arg, "/..") || strstr(arg, "/./")) {
        return apr_psprintf(cmd->pool, "%s: \"%s\" is no path: write one such as /oidc/callback", cmd->cmd->name, arg);
    }
    return eho_cmd_text(cmd, dir, arg);
}
