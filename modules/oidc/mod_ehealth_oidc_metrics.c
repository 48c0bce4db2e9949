/* SPDX-License-Identifier: Apache-2.0 */
#include "mod_ehealth_oidc.h"

/* In the order of eho_metric_e. */
const eh_metric_def_t eho_metrics[] = {
    {"ehealth_session_lookups_total", "result=\"hit\"", EH_COUNTER,
     "Requests with a session ticket, by where it was found."},
    {"ehealth_session_lookups_total", "result=\"database\"", EH_COUNTER,
     "Requests with a session ticket, by where it was found."},
    {"ehealth_session_lookups_total", "result=\"ended\"", EH_COUNTER,
     "Requests with a session ticket, by where it was found."},
    {"ehealth_session_lookups_total", "result=\"unknown\"", EH_COUNTER,
     "Requests with a session ticket, by where it was found."},
    {"ehealth_challenges_total", "answer=\"redirect\"", EH_COUNTER, "Requests to protected pages without a session."},
    {"ehealth_challenges_total", "answer=\"401\"", EH_COUNTER, "Requests to protected pages without a session."},
    {"ehealth_denied_total", "", EH_COUNTER, "Requests refused to somebody who is logged in."},
    {"ehealth_spoofed_headers_total", "", EH_COUNTER, "Identity headers sent by clients and removed."},
    {"ehealth_logins_total", "result=\"started\"", EH_COUNTER, "Log-ins by progress."},
    {"ehealth_logins_total", "result=\"ok\"", EH_COUNTER, "Log-ins by progress."},
    {"ehealth_logins_total", "result=\"failed\"", EH_COUNTER, "Log-ins by progress."},
    {"ehealth_logouts_total", "", EH_COUNTER, "Log-outs asked for by the person."},
    {"ehealth_revocations_total", "", EH_COUNTER,
     "Sessions of this node ended by a revocation read from the database."},
    {"ehealth_revocation_poll_failures_total", "", EH_COUNTER, "Times that revocations could not be read."},
    {"ehealth_session_seen_flushed_total", "", EH_COUNTER, "Last-seen times written to the database."},
    {"ehealth_login_duration_seconds", "", EH_HISTOGRAM, "Time that a callback of the log-in provider took here."},
};
_Static_assert(sizeof(eho_metrics) / sizeof(eho_metrics[0]) == EHO_M_COUNT, "one definition for each metric");
const int eho_nmetrics = EHO_M_COUNT;

/* Indexes are asked for once, after the base has laid out the metrics of all modules. */
void eho_metrics_find(void)
{
    for (int i = 0; i < EHO_M_COUNT; i++)
        eho.metric[i] = eh_metrics_index(eho.base->metrics(), &eho_metrics[i]);
}

void eho_count(eho_metric_e which, int64_t n) { eh_metrics_add(eho.base->metrics(), eho.metric[which], n); }

void eho_observe(eho_metric_e which, int64_t micros)
{
    eh_metrics_observe(eho.base->metrics(), eho.metric[which], micros);
}
