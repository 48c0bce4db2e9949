/* SPDX-License-Identifier: Apache-2.0 */
/** Options of commands, and what several of them need. */
#ifndef EHCTL_ARGS_H
#define EHCTL_ARGS_H

#include "ehctl.h"

/** "--name VALUE" or "--name=VALUE" into *value, or the bare "--name" into *flag. The list ends with name NULL. */
typedef struct eh_opt_t {
    const char *name;
    const char **value;
    int *flag;
} eh_opt_t;

/** Reads argv[from…]; a plain word goes to *word (NULL: none is allowed). @return 0, or EH_EXIT_USAGE after complaining. */
int eh_ctl_options(eh_ctl_t *ctl, int argc, const char *const *argv, int from, const eh_opt_t *opts, const char **word);

/** eh_ctl_fail, with the exit code for a configuration that could not be obtained when that is the reason. */
int eh_ctl_failed(eh_ctl_t *ctl, const eh_err_t *err);

/** A person as sessions and grants know it: kind:value, kind lower case ("rpps:10101010101"). 1 when s has the form. */
int eh_ctl_is_person(const char *s);

/** Who works with ehctl, for granted_by and audit rows: "uid=1000" (the one behind sudo). */
const char *eh_ctl_operator(apr_pool_t *p);

/** An audit record of this program: time, correlation, all else empty. */
void eh_ctl_audit(eh_audit_rec_t *rec, const char *event, const char *detail);

/** "2026-11-22 10:00" (UTC) in p; "-" for an SQL NULL. */
const char *eh_ctl_time(const char *micros, apr_pool_t *p);

/** The subcommand argv[1] of a command with usage errors told; NULL after complaining. names: NULL-terminated. */
const char *eh_ctl_subcommand(eh_ctl_t *ctl, int argc, const char *const *argv, const char *const *names);

#endif
