/* SPDX-License-Identifier: Apache-2.0 */
#include "ehctl_args.h"

#include <stdio.h>

static int tell(eh_ctl_t *ctl, const eh_audit_verdict_t *v)
{
    int sound = !*v->reason;

    if (ctl->json) {
        eh_ctl_print_json(json_pack("{s:b, s:I, s:I, s:I, s:s}", "sound", sound, "rows", (json_int_t)v->rows,
                                    "unsealed", (json_int_t)v->unsealed, "bad_seq", (json_int_t)v->bad_seq, "reason",
                                    v->reason));
    } else if (sound) {
        printf("The audit chain is sound: %lld sealed rows, %lld not sealed yet.\n", (long long)v->rows,
               (long long)v->unsealed);
    } else {
        printf("The audit chain is BROKEN at row %lld: %s (%lld sealed rows read).\n", (long long)v->bad_seq, v->reason,
               (long long)v->rows);
    }
    return sound ? EH_EXIT_OK : EH_EXIT_FAIL;
}

static int run(eh_ctl_t *ctl, int argc, const char *const *argv, apr_pool_t *p)
{
    static const eh_opt_t none[] = {{NULL}};
    eh_audit_verdict_t verdict = {.reason = ""};
    eh_err_t err = {EH_E_NONE};
    eh_keyring_t *ring;
    eh_db_t *db;

    if (eh_ctl_options(ctl, argc, argv, 1, none, NULL)) return EH_EXIT_USAGE;
    if (eh_ctl_keys(&ring, ctl, &err) != APR_SUCCESS || eh_ctl_db(&db, ctl, &err) != APR_SUCCESS ||
        eh_audit_verify(db, ring, &verdict, &err, p) != APR_SUCCESS) {
        return eh_ctl_failed(ctl, &err);
    }
    return tell(ctl, &verdict);
}

static const eh_cmd_t cmd = {
    "checks that nobody has touched the audit trail",
    "\n\n"
    "Recomputes the chain of seals from the first row. Exit code 1 and the first bad row when a row was edited, "
    "removed,\n"
    "inserted or moved, or when the end was cut off.",
    run,
};

EH_PROVIDER(cmd, verify_audit, "0", &cmd);
