/* SPDX-License-Identifier: Apache-2.0 */
/**
 * ehctl: the administrator's program. One file = one group of commands; each command is registered with
 *     static const eh_cmd_t cmd = {…};
 *     EH_PROVIDER(cmd, migrate, "0", &cmd);
 * and listed in modules/tools/local.mk; nothing else has to know it. The provider's name is the command's name.
 *
 * ehctl never parses httpd.conf. It runs the server's own `-t -D DUMP_EHEALTH` and reads ONE JSON document from its
 * standard output (mod_ehealth's test_config hook; other modules add to "hosts" through mod_ehealth). The document, all
 * members present unless said otherwise, null where not configured:
 *
 * {"version":1,
 *  "user":"www-data", "group":"www-data",      // names or "#id", as httpd's User and Group resolved
 *  "state_dir":"/var/lib/ehealth", "key_file":"/etc/ehealth/keys",
 *  "database":{"driver":"sqlite3","params":"…", "connections":16, "acquire_ms":500, "query_ms":5000},
 *                                              // params unmasked: only who may read httpd's configuration can run the
 *                                              // dump; ehctl never prints them
 *  "hosts":[{                                  // virtual hosts with a public URL or a provider, the main server included
 *    "name":"portal.example:443", "file":"/etc/apache2/sites-enabled/x.conf", "line":3,
 *    "public_url":"https://portal.example",
 *    "proxy":"http://user:pw@proxy.example:3128", "proxy_except":["host",".domain"],
 *    "ca_bundle":null,
 *    "outbound":{"connect":3,"total":10,"http_loopback":false},     // seconds
 *    "tls":true,                               // this virtual host itself speaks TLS (false: a front end does)
 *    "tenants":[{"name":"st-jean","structures":["finess:750000001"]}],
 *    "providers":[{                            // mod_ehealth_oidc; preset and directives already merged
 *      "name":"psc", "preset":"prosanteconnect", "environment":"production",
 *      "issuer":"https://…", "metadata_url":"https://…",             // metadata_url null: static endpoints only
 *      "authorization_endpoint":null, "token_endpoint":null, "userinfo_endpoint":null, "jwks_uri":null,
 *      "end_session_endpoint":null,            // null: taken from the metadata; a value: static (directive or preset)
 *      "client_id":"my-client",
 *      "client_auth":"client_secret_basic",
 *      "client_secret_source":"file:/etc/ehealth/psc.secret",       // or "literal" (the secret itself is never dumped), null
 *      "client_key_file":null, "client_cert_file":null,             // paths; client_cert_file may hold its key too
 *      "client_cert_key_file":null,
 *      "redirect_uri":"https://portal.example/.ehealth/callback/psc",
 *      "post_logout_redirect_uri":"https://portal.example/.ehealth/logged-out",
 *      "id_token_algs":["RS256"], "userinfo":"required", "leeway":60
 *    }]}]}
 *
 * Exit codes: 0 done / all well; 1 the command failed or found something wrong; 2 wrong usage; 3 the server's
 * configuration could not be obtained.
 */
#ifndef EHCTL_H
#define EHCTL_H

#include <apr_pools.h>
#include <jansson.h>

#include "ehealth/ctx.h"
#include "ehealth/db_pool.h"
#include "ehealth/provider.h"

enum { EH_EXIT_OK = 0, EH_EXIT_FAIL = 1, EH_EXIT_USAGE = 2, EH_EXIT_CONF = 3 };

typedef struct eh_ctl_t {
    apr_pool_t *p;       /* lives as long as the program */
    const char *program; /* "ehctl" */
    const char *httpd;   /* command that dumps the configuration, split like a shell does without expansion */
    const char *conf;    /* -f FILE, handed on to it; NULL = its default */
    int json;            /* --json: machine-readable answers on stdout */
    int verbose;         /* -v: log lines of the io floor on stderr */
    eh_log_t log;
    /* lazily filled; use the functions below */
    const json_t *dump;
    eh_db_t *db;
    eh_keyring_t *keys;
    int dropped;
} eh_ctl_t;

typedef struct eh_cmd_t {
    const char *summary; /* one line, for the list of commands */
    const char *usage;   /* after "usage: ehctl NAME ": synopsis, then an empty line and the options in words */
    /** argv[0] is the command's name; --help was already handled. @return an EH_EXIT_… code. */
    int (*run)(eh_ctl_t *ctl, int argc, const char *const *argv, apr_pool_t *p);
} eh_cmd_t;

/** The server's resolved configuration, obtained once. Errors: CONFIG with the server's own words as detail. */
apr_status_t eh_ctl_dump(const json_t **pdump, eh_ctl_t *ctl, eh_err_t *err);

/**
 * When root: becomes the server's run user for good (groups, gid, uid), so that no file is left behind that the server
 * cannot write. Otherwise does nothing. eh_ctl_db calls it; call it yourself before touching files of the state folder.
 * Load keys (eh_ctl_keys) BEFORE when the key file is root's alone.
 */
apr_status_t eh_ctl_drop(eh_ctl_t *ctl, eh_err_t *err);

/** The key ring from the dump's key_file, read once with the rights the program was started with. */
apr_status_t eh_ctl_keys(eh_keyring_t **pring, eh_ctl_t *ctl, eh_err_t *err);

/** A database pool of the dump's database, opened once; drops privileges first (after loading the keys, if it can). */
apr_status_t eh_ctl_db(eh_db_t **pdb, eh_ctl_t *ctl, eh_err_t *err);

/** The dump's database as eh_migrate wants it (run_as is left unset: drop first). Does not drop privileges. */
apr_status_t eh_ctl_db_conf(eh_dbpool_conf_t *out, eh_ctl_t *ctl, eh_err_t *err);

/** Ports for functions that want an eh_ctx_t: clock, random, log, db (NULL unless opened), keys (ditto). */
void eh_ctl_ctx(eh_ctl_t *ctl, eh_ctx_t *out);

/** Prints "ehctl: EH2000 title detail (cause)" on stderr (as JSON on stdout with --json). @return EH_EXIT_FAIL. */
int eh_ctl_fail(eh_ctl_t *ctl, const eh_err_t *err);

/** Prints "ehctl NAME: message" and the command's usage line on stderr. @return EH_EXIT_USAGE. */
int eh_ctl_usage(eh_ctl_t *ctl, const char *name, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/** Prints a JSON object on stdout, one line (takes the caller's reference). */
void eh_ctl_print_json(json_t *j);

/** All commands, sorted by name, NULL-terminated; in p. */
const eh_provider_t *const *eh_ctl_commands(apr_pool_t *p);

#endif
