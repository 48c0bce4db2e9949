/* SPDX-License-Identifier: Apache-2.0 */
#include "ehctl.h"

#include <apr_general.h>
#include <apr_strings.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "eh_config.h"
#include "ehealth/crypto.h"
#include "ehealth/json.h"

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const eh_provider_t *const *)a)->name, (*(const eh_provider_t *const *)b)->name);
}

const eh_provider_t *const *eh_ctl_commands(apr_pool_t *p)
{
    const eh_provider_t **list;
    apr_size_t n = 0;

    EH_PROVIDERS_EACH(pp) n += !strcmp((*pp)->group, "ehealth-cmd");
    list = apr_pcalloc(p, sizeof(*list) * (n + 1));
    n = 0;
    EH_PROVIDERS_EACH(pp)
    {
        if (!strcmp((*pp)->group, "ehealth-cmd")) list[n++] = *pp;
    }
    qsort(list, n, sizeof(*list), by_name);
    return (const eh_provider_t *const *)list;
}

/* A provider's name is a C word: verify_audit is typed verify-audit. */
static const char *typed_name(const eh_provider_t *provider, apr_pool_t *p)
{
    char *name = apr_pstrdup(p, provider->name), *c;

    for (c = name; *c; c++)
        if (*c == '_') *c = '-';
    return name;
}

static const eh_cmd_t *find_command(const char *name, apr_pool_t *p)
{
    const eh_provider_t *const *list = eh_ctl_commands(p);

    for (; *list; list++) {
        if (!strcmp(typed_name(*list, p), name)) return (*list)->vtable;
    }
    return NULL;
}

static void help(FILE *out, apr_pool_t *p)
{
    const eh_provider_t *const *list = eh_ctl_commands(p);

    fprintf(out,
            "usage: ehctl [options] COMMAND [arguments]\n"
            "       ehctl COMMAND --help\n\n"
            "Looks after mod_ehealth: reads the configuration as the web server itself resolved it.\n\nCommands:\n");
    for (; *list; list++)
        fprintf(out, "  %-14s %s\n", typed_name(*list, p), ((const eh_cmd_t *)(*list)->vtable)->summary);
    fprintf(out, "\nOptions:\n"
                 "  --httpd CMD    the command that runs the server's configuration test, with its arguments\n"
                 "                 (default: apache2ctl where there is one, else apachectl, else httpd)\n"
                 "  -f FILE        the server's configuration file, handed on to it\n"
                 "  --json         answers as JSON on standard output\n"
                 "  -v             what happens underneath, on standard error\n"
                 "  --version      this program's version\n"
                 "\nExit codes: 0 done, 1 failed or something is wrong, 2 wrong usage, 3 no configuration.\n");
}

int eh_ctl_usage(eh_ctl_t *ctl, const char *name, const char *fmt, ...)
{
    const eh_cmd_t *cmd = name ? find_command(name, ctl->p) : NULL;
    va_list ap;

    fprintf(stderr, "ehctl%s%s: ", name ? " " : "", name ? name : "");
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    if (cmd) {
        fprintf(stderr, "\nusage: ehctl %s %.*s\n", name, (int)strcspn(cmd->usage, "\n"), cmd->usage);
    } else {
        fprintf(stderr, "\nTry: ehctl --help\n");
    }
    return EH_EXIT_USAGE;
}

void eh_ctl_print_json(json_t *j)
{
    if (j) {
        json_dumpf(j, stdout, JSON_COMPACT);
        fputc('\n', stdout);
    }
    json_decref(j);
}

int eh_ctl_fail(eh_ctl_t *ctl, const eh_err_t *err)
{
    const char *tag = eh_err_tag(ctl->p, err->code), *title = eh_err_info(err->code)->title[EH_LANG_EN];

    if (ctl->json) {
        eh_ctl_print_json(json_pack("{s:s, s:s, s:s?, s:s?}", "error", tag, "title", title, "detail", err->detail,
                                    "cause", err->cause));
    } else {
        fprintf(stderr, "ehctl: %s %s%s%s", tag, title, err->detail ? " " : "", err->detail ? err->detail : "");
        fprintf(stderr, err->cause ? " (%s)\n" : "\n", err->cause);
    }
    return EH_EXIT_FAIL;
}

static void to_stderr(void *baton, eh_log_e level, apr_status_t rv, const char *tag, const char *message)
{
    fprintf(stderr, "%s%s%s\n", tag, *tag ? " " : "", message);
}

/* Takes the options before the command (and the same ones after it) out of argv. @return new argc, or -1 after complaining. */
static int take_options(eh_ctl_t *ctl, int argc, const char **argv)
{
    int i, n = 1, raw = 0;

    for (i = 1; i < argc; i++) {
        const char *a = argv[i];

        if (raw) {
            argv[n++] = a;
        } else if (!strcmp(a, "--")) {
            raw = 1;
        } else if (!strcmp(a, "--json")) {
            ctl->json = 1;
        } else if (!strcmp(a, "-v")) {
            ctl->verbose = 1;
        } else if (!strcmp(a, "--httpd") || !strcmp(a, "-f")) {
            if (++i == argc) {
                eh_ctl_usage(ctl, NULL, "%s needs a value", a);
                return -1;
            }
            if (a[1] == 'f') {
                ctl->conf = argv[i];
            } else {
                ctl->httpd = argv[i];
            }
        } else if (!strncmp(a, "--httpd=", 8)) {
            ctl->httpd = a + 8;
        } else {
            argv[n++] = a;
        }
    }
    argv[n] = NULL;
    return n;
}

static const char *first_of(apr_pool_t *p)
{
    static const char *const names[] = {"/usr/sbin/apache2ctl", "/usr/sbin/apachectl",
                                        "/usr/local/apache2/bin/apachectl"};
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (access(names[i], X_OK) == 0) return names[i];
    }
    return "httpd";
}

static int run_command(eh_ctl_t *ctl, int argc, const char **argv)
{
    const eh_cmd_t *cmd = find_command(argv[0], ctl->p);
    int i;

    if (!cmd) return eh_ctl_usage(ctl, NULL, "there is no command \"%s\"", argv[0]);
    for (i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
            printf("usage: ehctl %s %s\n", argv[0], cmd->usage);
            return EH_EXIT_OK;
        }
    }
    if (eh_crypto_init() != APR_SUCCESS) {
        fprintf(stderr, "ehctl: OpenSSL cannot be used\n");
        return EH_EXIT_FAIL;
    }
    return cmd->run(ctl, argc, argv, ctl->p);
}

int main(int argc, const char *const *argv)
{
    eh_ctl_t ctl = {.program = "ehctl"};
    const char **args;
    int n, rc;

    apr_app_initialize(&argc, &argv, NULL);
    apr_pool_create(&ctl.p, NULL);
    args = apr_pmemdup(ctl.p, argv, sizeof(*args) * (apr_size_t)(argc + 1));
    n = take_options(&ctl, argc, args);
    if (!ctl.httpd) ctl.httpd = first_of(ctl.p);
    ctl.log.level = ctl.verbose ? EH_LOG_DEBUG : EH_LOG_ERR;
    ctl.log.write = to_stderr;
    if (n < 0) {
        rc = EH_EXIT_USAGE;
    } else if (n < 2) {
        help(stderr, ctl.p);
        rc = EH_EXIT_USAGE;
    } else if (!strcmp(args[1], "--help") || !strcmp(args[1], "-h") || !strcmp(args[1], "help")) {
        help(stdout, ctl.p);
        rc = EH_EXIT_OK;
    } else if (!strcmp(args[1], "--version")) {
        printf("ehctl %s\n", PACKAGE_VERSION);
        rc = EH_EXIT_OK;
    } else if (*args[1] == '-') {
        rc = eh_ctl_usage(&ctl, NULL, "there is no option \"%s\"", args[1]);
    } else {
        rc = run_command(&ctl, n - 1, args + 1);
    }
    apr_pool_destroy(ctl.p);
    apr_terminate();
    if (fflush(stdout) != 0) rc = rc == EH_EXIT_OK ? EH_EXIT_FAIL : rc;
    return rc;
}
