/* SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <string.h>

#include "http_int.h"

eh_host_t *eh_host_get(eh_host_t *hosts, int n, const char *key, apr_time_t now)
{
    eh_host_t *idle = NULL;
    int i;

    for (i = 0; i < n; i++) {
        eh_host_t *h = &hosts[i];

        if (!strcmp(h->key, key)) {
            h->used = now;
            return h;
        }
        /* Entries that hold a count or an open breaker are never forgotten: a stranger could wash a failure away. */
        if (h->in_flight || h->waiting || (h->state != EH_BREAKER_CLOSED && now < h->open_until)) continue;
        if (!idle || h->used < idle->used) idle = h;
    }
    if (!idle) return NULL;
    memset(idle, 0, sizeof(*idle));
    apr_cpystrn(idle->key, key, sizeof(idle->key));
    idle->used = now;
    return idle;
}

int eh_breaker_may(const eh_host_t *host, apr_time_t now, int *retry)
{
    *retry = 1;
    switch (host->state) {
    case EH_BREAKER_OPEN_:
        if (now >= host->open_until) return 1;
        *retry = (int)((host->open_until - now + APR_USEC_PER_SEC - 1) / APR_USEC_PER_SEC);
        return 0;
    case EH_BREAKER_PROBING: return 0;
    default: return 1;
    }
}

void eh_breaker_start(eh_host_t *host, apr_time_t now)
{
    host->in_flight++;
    host->used = now;
    if (host->state == EH_BREAKER_OPEN_) host->state = EH_BREAKER_PROBING;
}

eh_breaker_change_e eh_breaker_report(eh_host_t *host, eh_peer_e outcome, apr_time_t now)
{
    eh_breaker_e was = host->state;

    host->in_flight--;
    host->used = now;
    switch (outcome) {
    case EH_OUTCOME_GOOD:
        host->fails = 0;
        host->state = EH_BREAKER_CLOSED;
        return was == EH_BREAKER_CLOSED ? EH_BREAKER_SAME : EH_BREAKER_CLOSED_AGAIN;
    case EH_OUTCOME_BAD:
        host->fails++;
        /* Stragglers that were under way when the breaker opened do not prolong it. */
        if (was == EH_BREAKER_OPEN_) return EH_BREAKER_SAME;
        if (was == EH_BREAKER_CLOSED && host->fails < EH_HTTP_BREAKER_FAILS) return EH_BREAKER_SAME;
        host->state = EH_BREAKER_OPEN_;
        host->open_until = now + EH_HTTP_BREAKER_OPEN;
        return was == EH_BREAKER_CLOSED ? EH_BREAKER_OPENED : EH_BREAKER_SAME;
    default:
        /* The probe told nothing: the next request may probe. */
        if (was == EH_BREAKER_PROBING) host->state = EH_BREAKER_OPEN_;
        return EH_BREAKER_SAME;
    }
}
