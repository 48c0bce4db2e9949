/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions: from a ticket to a principal. Most requests end in the child's own memory; the rest ask the database. */
#include "mod_ehealth_oidc.h"

#include <ap_mpm.h>
#include <apr_strings.h>

#include "ehealth/codec.h"
#include "ehealth/crypto.h"

#define FLUSH_BATCH 200

static apr_status_t give_back(void *entry)
{
    hot_entry_release(entry);
    return APR_SUCCESS;
}

/* The reference stays as long as the request, which hands out pointers into the entry. */
static void lend(request_rec *r, hot_entry_t *e)
{
    apr_pool_cleanup_register(r->pool, e, give_back, apr_pool_cleanup_null);
}

/* The raw form of oidc_ticket_digest. load() holds the two against each other: were they different, no revocation would
 * ever be recognised. */
static int digest_of(unsigned char digest[HOT_DIGEST_LEN], const char *ticket, apr_pool_t *p)
{
    unsigned char *raw;
    apr_size_t len = strlen(ticket);

    return len == OIDC_TICKET_LEN && eh_b64url_decode(&raw, &len, ticket, len, p) == APR_SUCCESS &&
           eh_sha256(digest, raw, len) == APR_SUCCESS;
}

typedef enum { VERDICT_GOOD, VERDICT_ASK, VERDICT_OVER, VERDICT_ELSEWHERE } verdict_e;

static verdict_e judge(const hot_entry_t *e, const oidc_provider_t *prov, const server_rec *s, apr_time_t now)
{
    if (e->scope != prov) return VERDICT_ELSEWHERE; /* made on another host or for another provider */
    if (!hot_slots_live(eho.slots, e->slot)) return VERDICT_ASK;
    if (now >= e->expires) return VERDICT_OVER;
    /* Not over yet: another node may have seen the person since. The database knows within EHO_FLUSH. */
    if (e->idle && now - hot_slots_seen(eho.slots, e->slot) > e->idle) return VERDICT_ASK;
    if (now - hot_slots_polled(eho.slots) > apr_time_from_sec(eho_srv(s)->grace)) return VERDICT_ASK;
    return VERDICT_GOOD;
}

static void fill(hot_entry_t *e, const unsigned char *digest, const oidc_provider_t *prov,
                 const oidc_session_t *session, hot_ref_t slot)
{
    memcpy(e->digest, digest, HOT_DIGEST_LEN);
    e->ticket_h = apr_pstrdup(e->pool, session->ticket_h);
    e->scope = prov;
    e->slot = slot;
    e->expires = session->expires;
    e->idle = session->idle;
    e->who = session->principal;
}

/* Asks the database. The slot is claimed first: see hot_slots.h for why. */
static eho_found_e load(hot_entry_t **pentry, request_rec *r, const oidc_provider_t *prov, const char *ticket,
                        const unsigned char *digest, eh_err_t *err)
{
    oidc_session_t *session;
    hot_ref_t slot = {0, 0};
    hot_join_e joined = hot_slots_join(eho.slots, digest, r->request_time, &slot);
    hot_entry_t *e;
    apr_status_t rv;

    if (joined == HOT_REVOKED) return EHO_ENDED;
    if ((e = hot_entry_make(eho.cache)) == NULL) {
        eh_err_set(err, EH_E_INTERNAL, APR_ENOMEM, NULL);
        return EHO_UNKNOWN;
    }
    lend(r, e); /* on failure too: what err says lives in the entry's pool */
    rv = oidc_session_load(&session, eho.base->ctx(r), prov, ticket, eho.base->tenants(r->server), err, e->pool);
    if (rv != APR_SUCCESS) {
        return err->code == EH_E_SESSION_EXPIRED ? EHO_ENDED : EHO_UNKNOWN;
    }
    if (strcmp(session->ticket_h, eh_b64url(r->pool, digest, HOT_DIGEST_LEN)) != 0) {
        eh_err_setf(err, r->pool, EH_E_INTERNAL, APR_EMISMATCH, NULL, "two digests of one ticket");
        return EHO_UNKNOWN;
    }
    fill(e, digest, prov, session, slot);
    if (joined == HOT_JOINED) {
        /* Ended while we were reading, and read before that: the mark tells. */
        if (!hot_slots_live(eho.slots, slot) &&
            hot_slots_join(eho.slots, digest, r->request_time, &slot) == HOT_REVOKED) {
            return EHO_ENDED;
        }
        if (hot_slots_live(eho.slots, e->slot)) hot_cache_put(eho.cache, e, (uint32_t)apr_time_sec(r->request_time));
        hot_slots_touch(eho.slots, e->slot, r->request_time);
    }
    *pentry = e;
    return EHO_FOUND;
}

eho_found_e eho_session_find(hot_entry_t **pentry, request_rec *r, const oidc_provider_t *prov, const char *ticket,
                             eh_err_t *err)
{
    unsigned char digest[HOT_DIGEST_LEN];
    eho_found_e found;
    hot_entry_t *e;

    if (ticket == NULL || !digest_of(digest, ticket, r->pool)) return EHO_NONE;
    if ((e = hot_cache_get(eho.cache, digest, (uint32_t)apr_time_sec(r->request_time))) != NULL) {
        verdict_e verdict = judge(e, prov, r->server, r->request_time);

        if (verdict == VERDICT_GOOD) {
            hot_slots_touch(eho.slots, e->slot, r->request_time);
            lend(r, e);
            *pentry = e;
            eho_count(EHO_M_HIT, 1);
            return EHO_FOUND;
        }
        hot_entry_release(e);
        if (verdict != VERDICT_ELSEWHERE) hot_cache_drop(eho.cache, digest);
        if (verdict != VERDICT_ASK) {
            eho_count(EHO_M_ENDED, 1);
            return EHO_ENDED;
        }
    }
    found = load(pentry, r, prov, ticket, digest, err);
    eho_count(found == EHO_FOUND ? EHO_M_MISS : found == EHO_ENDED ? EHO_M_ENDED : EHO_M_UNKNOWN, 1);
    return found;
}

/* --- ends that come from elsewhere --- */

static int forget(const char *ticket_h)
{
    unsigned char *digest;
    apr_size_t len;
    apr_pool_t *p;
    int n = 0;

    if (apr_pool_create(&p, NULL) != APR_SUCCESS) return 0;
    if (eh_b64url_decode(&digest, &len, ticket_h, strlen(ticket_h), p) == APR_SUCCESS && len == HOT_DIGEST_LEN) {
        n = hot_slots_revoke(eho.slots, digest);
        hot_cache_drop(eho.cache, digest);
    }
    apr_pool_destroy(p);
    return n;
}

void eho_session_forget(const char *ticket_h) { forget(ticket_h); }

static void on_revoked(void *baton, const char *ticket_h)
{
    if (forget(ticket_h)) eho_count(EHO_M_REVOKED, 1);
}

static apr_status_t poll_revocations(void *baton, const eh_ctx_t *ctx, apr_pool_t *p)
{
    /* Kept one higher, so that zeroed memory means "not yet asked" (-1). */
    apr_int64_t seq = hot_slots_poll_mark(eho.slots) - 1;
    apr_time_t began = eh_now(ctx);
    eh_err_t err = {EH_E_NONE};
    int more = 1;

    while (more && eh_now(ctx) - began < EHO_POLL_DEADLINE) {
        apr_status_t rv = oidc_revocations(&seq, &more, ctx, on_revoked, NULL, &err, p);

        if (rv != APR_SUCCESS) {
            eho_count(EHO_M_POLL_FAILED, 1);
            return rv;
        }
        hot_slots_set_poll_mark(eho.slots, seq + 1);
    }
    if (!more) hot_slots_set_polled(eho.slots, began);
    return APR_SUCCESS;
}

static apr_status_t flush_seen(void *baton, const eh_ctx_t *ctx, apr_pool_t *p)
{
    hot_dirty_t *dirty = apr_palloc(p, FLUSH_BATCH * sizeof(*dirty));
    oidc_seen_t *seen = apr_palloc(p, FLUSH_BATCH * sizeof(*seen));
    apr_time_t began = eh_now(ctx);
    eh_err_t err = {EH_E_NONE};
    uint32_t cursor = 0;
    int n;

    while (eh_now(ctx) - began < EHO_POLL_DEADLINE &&
           (n = hot_slots_dirty(eho.slots, &cursor, dirty, FLUSH_BATCH)) > 0) {
        apr_status_t rv;

        for (int i = 0; i < n; i++) {
            seen[i].ticket_h = eh_b64url(p, dirty[i].digest, HOT_DIGEST_LEN);
            seen[i].seen = dirty[i].seen;
        }
        if ((rv = oidc_seen_flush(ctx, seen, n, &err, p)) != APR_SUCCESS) return rv;
        for (int i = 0; i < n; i++)
            hot_slots_flushed(eho.slots, &dirty[i]);
        eho_count(EHO_M_SEEN_FLUSHED, n);
    }
    return APR_SUCCESS;
}

static apr_status_t purge(void *baton, const eh_ctx_t *ctx, apr_pool_t *p)
{
    eh_err_t err = {EH_E_NONE};

    return oidc_purge(ctx, &err, p);
}

void eho_jobs_register(const eh_base_t *base)
{
    static const eh_job_t jobs[] = {
        {"session-revocations", EH_JOB_NODE, EHO_POLL, poll_revocations, NULL},
        {"session-seen", EH_JOB_NODE, EHO_FLUSH, flush_seen, NULL},
        {"session-purge", EH_JOB_CLUSTER, EHO_PURGE, purge, NULL},
    };

    for (int i = 0; i < 3; i++)
        base->add_job(&jobs[i]);
}

void eho_cache_child_init(apr_pool_t *pchild, server_rec *main)
{
    int threads = 1, capacity;
    apr_status_t rv;

    /* A child with one thread is one of many, and each remembers for itself. */
    ap_mpm_query(AP_MPMQ_MAX_THREADS, &threads);
    capacity = (threads > 1 ? threads : 2) * EHO_CACHE_A_THREAD;
    if (capacity > eho.sessions) capacity = eho.sessions;
    if ((rv = hot_cache_create(&eho.cache, capacity, eho.nvalues, pchild)) != APR_SUCCESS ||
        (rv = oidc_cache_create(&eho.documents, pchild)) != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, rv, main, "no memory for sessions: this child serves no protected page");
        return;
    }
    oidc_cache_threads(eho.documents, threads);
}
