/* SPDX-License-Identifier: Apache-2.0 */
#include "ehctl_args.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define KIND_MAX 16
#define PERSON_MAX 200

static const eh_opt_t *find(const eh_opt_t *opts, const char *arg, apr_size_t len)
{
    for (; opts->name; opts++) {
        if (strlen(opts->name) == len && !strncmp(opts->name, arg, len)) return opts;
    }
    return NULL;
}

int eh_ctl_options(eh_ctl_t *ctl, int argc, const char *const *argv, int from, const eh_opt_t *opts, const char **word)
{
    int i;

    for (i = from; i < argc; i++) {
        const char *arg = argv[i], *eq = strchr(arg, '=');
        const eh_opt_t *o = find(opts, arg, eq ? (apr_size_t)(eq - arg) : strlen(arg));

        if (*arg != '-') {
            if (!word || *word) return eh_ctl_usage(ctl, argv[0], "\"%s\" is one word too many", arg);
            *word = arg;
        } else if (!o || (eq && !o->value)) {
            return eh_ctl_usage(ctl, argv[0], "there is no option \"%s\"", arg);
        } else if (o->flag) {
            *o->flag = 1;
        } else if (!eq && i + 1 == argc) {
            return eh_ctl_usage(ctl, argv[0], "%s needs a value", arg);
        } else {
            *o->value = eq ? eq + 1 : argv[++i];
        }
    }
    return 0;
}

int eh_ctl_failed(eh_ctl_t *ctl, const eh_err_t *err)
{
    int rc = eh_ctl_fail(ctl, err);

    return ctl->dump ? rc : EH_EXIT_CONF;
}

int eh_ctl_is_person(const char *s)
{
    const char *colon = strchr(s, ':'), *c;

    if (!colon || colon == s || colon - s > KIND_MAX || !colon[1] || strlen(s) > PERSON_MAX) return 0;
    for (c = s; c < colon; c++) {
        if (!((*c >= 'a' && *c <= 'z') || apr_isdigit(*c) || *c == '-' || *c == '_')) return 0;
    }
    for (c++; *c; c++) {
        if (!apr_isgraph(*c)) return 0;
    }
    return 1;
}

const char *eh_ctl_operator(apr_pool_t *p)
{
    const char *sudo = getenv("SUDO_UID"), *c;

    for (c = sudo ? sudo : ""; apr_isdigit(*c); c++)
        continue;
    if (sudo && *sudo && !*c && strlen(sudo) < 11) return apr_psprintf(p, "uid=%s", sudo);
    return apr_psprintf(p, "uid=%lu", (unsigned long)getuid());
}

void eh_ctl_audit(eh_audit_rec_t *rec, const char *event, const char *detail)
{
    *rec = (eh_audit_rec_t){.at = apr_time_now(),
                            .event = event,
                            .outcome = EH_OUTCOME_OK,
                            .code = "",
                            .actor = "",
                            .subject = "",
                            .tenant = "",
                            .provider = "",
                            .remote = "",
                            .host = "",
                            .correlation = "ehctl",
                            .detail = detail};
}

const char *eh_ctl_time(const char *micros, apr_pool_t *p)
{
    time_t t;
    struct tm tm;

    if (!micros) return "-";
    t = (time_t)apr_time_sec(apr_atoi64(micros));
    gmtime_r(&t, &tm);
    return apr_psprintf(p, "%04d-%02d-%02d %02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
                        tm.tm_min);
}

const char *eh_ctl_subcommand(eh_ctl_t *ctl, int argc, const char *const *argv, const char *const *names)
{
    if (argc < 2) {
        eh_ctl_usage(ctl, argv[0], "what is to be done?");
        return NULL;
    }
    for (; *names; names++) {
        if (!strcmp(*names, argv[1])) return *names;
    }
    eh_ctl_usage(ctl, argv[0], "there is no \"%s\"", argv[1]);
    return NULL;
}
