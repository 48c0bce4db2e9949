/* SPDX-License-Identifier: Apache-2.0 */
/* Background work: one thread per child. A NODE or CLUSTER job runs in the child that holds its lease in shared memory;
 * a CLUSTER job besides only on the node that holds its lease in the database. Why not mod_watchdog: its singleton takes
 * ten seconds to move from a killed child to another (facts/records.md §4.2), ours one. */
#include "mod_ehealth.h"

#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>
#include <apr_strings.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <apr_thread_proc.h>

#include "ehealth/crypto.h"
#include "ehealth/lease.h"

#define EH_LEASE_IDLE_MS 1000           /* a killed holder is followed after this, at the latest */
#define EH_LEASE_RUN_MS 60000           /* while a step runs; a dead holder's pid frees it earlier */
#define EH_TICK apr_time_from_msec(200) /* leases are renewed this often */
#define EH_JOB_MAX apr_time_from_sec(1) /* a step longer than this is counted as late */
#define EH_BACKOFF_MAX apr_time_from_sec(60)
#define EH_CLUSTER_TTL apr_time_from_sec(30)
#define EH_TELL_FIRST 5  /* failures in a row before a warning */
#define EH_TELL_EVERY 60 /* and then again after so many */
#define PID_BITS 24

typedef struct local_job_t {
    const eh_job_t *job;
    eh_job_state_t *shared;
    apr_pool_t *p;   /* cleared after each run */
    apr_time_t next; /* monotonic µs */
    int failures;    /* in a row */
} local_job_t;

typedef struct runner_t {
    server_rec *main;
    apr_pool_t *p; /* of the thread alone: pchild has no lock against a thread that makes and clears pools below it */
    apr_thread_t *thread;
    apr_thread_mutex_t *lock;
    apr_thread_cond_t *wake;
    int stop; /* under lock */
    char holder[EH_LEASE_HOLDER_MAX];
    local_job_t jobs[EH_MAX_JOBS];
    int njobs;
} runner_t;

/* Of this child. child_stopping gets no baton, so that there is no other place for it. */
static runner_t *this_child;

static apr_time_t monotonic(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts); /* the same in all processes, and never stepped */
    return (apr_time_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* --- lease of a job on this node --- */

static _Atomic uint64_t *lease_word(local_job_t *j) { return (_Atomic uint64_t *)&j->shared->lease; }

static uint64_t lease_of(apr_time_t until_ms) { return (uint64_t)until_ms << PID_BITS | (uint64_t)getpid(); }

static int is_free(uint64_t word, apr_time_t now_ms)
{
    pid_t pid = (pid_t)(word & ((1u << PID_BITS) - 1));

    if (!word || (apr_time_t)(word >> PID_BITS) <= now_ms || pid == getpid()) return 1;
    return kill(pid, 0) == -1 && errno == ESRCH; /* it died in the middle of a step */
}

static int take_lease(local_job_t *j, int ms)
{
    apr_time_t now = monotonic() / 1000;
    uint64_t seen = atomic_load(lease_word(j));

    return is_free(seen, now) && atomic_compare_exchange_strong(lease_word(j), &seen, lease_of(now + ms));
}

static void drop_lease(local_job_t *j)
{
    uint64_t seen = atomic_load(lease_word(j));

    if ((pid_t)(seen & ((1u << PID_BITS) - 1)) == getpid()) atomic_compare_exchange_strong(lease_word(j), &seen, 0);
}

/* --- one step --- */

/* ±25 %, so that nodes and children that started together do not stay together. */
static apr_interval_time_t jitter(apr_interval_time_t t)
{
    unsigned char byte = 128;

    eh_random(&byte, 1);
    return t - t / 4 + t / 2 * byte / 255;
}

static apr_status_t cluster_turn(runner_t *run, local_job_t *j, const eh_ctx_t *ctx, int *mine, eh_err_t *err)
{
    apr_interval_time_t ttl = j->job->every * 3 > EH_CLUSTER_TTL ? j->job->every * 3 : EH_CLUSTER_TTL;

    *mine = 0;
    if (!ctx->db) return eh_err_set(err, EH_E_DB_DOWN, APR_EGENERAL, NULL);
    return eh_lease_take_now(mine, ctx->db, apr_pstrcat(j->p, "job:", j->job->name, NULL), run->holder, eh_now(ctx),
                             ttl, err, j->p);
}

static void record(local_job_t *j, apr_time_t began, apr_interval_time_t took, apr_status_t rv, const eh_err_t *err)
{
    j->shared->last_run = began;
    j->shared->pid = getpid();
    j->shared->runs++;
    eh_observe(EH_M_JOB_TIME, took);
    if (took > EH_JOB_MAX) eh_count(EH_M_JOB_LATE, 1);
    eh_count(rv == APR_SUCCESS ? EH_M_JOB_OK : EH_M_JOB_FAILED, 1);
    if (rv == APR_SUCCESS) {
        j->shared->last_ok = began + took;
        j->shared->last_code = 0;
        j->failures = 0;
        return;
    }
    j->shared->failures++;
    j->shared->last_code = (int32_t)(err->code ? err->code : EH_E_INTERNAL);
    j->failures++;
}

static void step(runner_t *run, local_job_t *j)
{
    char correlation[64];
    apr_time_t began = apr_time_now(), clock = monotonic();
    eh_err_t err = {EH_E_NONE};
    apr_interval_time_t wait = j->job->every;
    apr_status_t rv = APR_SUCCESS;
    eh_ctx_t ctx;
    int mine = 1;

    eh_ctx_server(run->main, &ctx);
    apr_snprintf(correlation, sizeof(correlation), "job-%d-%" APR_INT64_T_FMT, (int)getpid(),
                 (apr_int64_t)j->shared->runs);
    ctx.correlation = correlation;
    if (j->job->scope == EH_JOB_CLUSTER) rv = cluster_turn(run, j, &ctx, &mine, &err);
    if (rv == APR_SUCCESS && mine) rv = j->job->run(j->job->baton, &ctx, j->p);
    if (mine || rv != APR_SUCCESS) record(j, began, monotonic() - clock, rv, &err);
    /* A job logs its own failures. What lasts is told here, not each of them: an outage is one story. */
    if (rv != APR_SUCCESS && j->failures % EH_TELL_EVERY == EH_TELL_FIRST) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, rv, run->main, "background job %s has failed %d times in a row [%s]",
                     j->job->name, j->failures, correlation);
    }
    if (j->failures) {
        wait = wait > apr_time_from_sec(1) ? wait : apr_time_from_sec(1);
        wait <<= j->failures < 7 ? j->failures - 1 : 6;
        if (wait > EH_BACKOFF_MAX) wait = EH_BACKOFF_MAX > j->job->every ? EH_BACKOFF_MAX : j->job->every;
        wait = jitter(wait);
    }
    j->next = monotonic() + wait;
    apr_pool_clear(j->p);
}

static int stopping(runner_t *run)
{
    int stop;

    apr_thread_mutex_lock(run->lock);
    stop = run->stop;
    apr_thread_mutex_unlock(run->lock);
    return stop;
}

/* @return monotonic time at which something is due next. */
static apr_time_t round_of_jobs(runner_t *run)
{
    apr_time_t due = monotonic() + EH_TICK;
    int i;

    for (i = 0; i < run->njobs && !stopping(run); i++) {
        local_job_t *j = &run->jobs[i];
        int leased = j->job->scope != EH_JOB_CHILD;

        if (leased && !take_lease(j, EH_LEASE_IDLE_MS)) continue;
        if (j->next <= monotonic() && (!leased || take_lease(j, EH_LEASE_RUN_MS))) {
            step(run, j);
            if (leased) take_lease(j, EH_LEASE_IDLE_MS);
        }
        if (j->next < due) due = j->next;
    }
    return due;
}

static void *APR_THREAD_FUNC run_jobs(apr_thread_t *thread, void *data)
{
    runner_t *run = data;
    apr_interval_time_t wait;
    apr_time_t due;
    int i;

    while (!stopping(run)) {
        due = round_of_jobs(run);
        apr_thread_mutex_lock(run->lock);
        wait = due - monotonic();
        if (!run->stop && wait > 0) apr_thread_cond_timedwait(run->wake, run->lock, wait);
        apr_thread_mutex_unlock(run->lock);
    }
    for (i = 0; i < run->njobs; i++) {
        drop_lease(&run->jobs[i]); /* the next holder need not wait */
    }
    /* Not apr_thread_exit: it destroys the thread's pool, a child of pchild, while the main thread may be using pchild. */
    return NULL;
}

/* --- start and stop --- */

static void ask_to_stop(runner_t *run)
{
    apr_thread_mutex_lock(run->lock);
    run->stop = 1;
    apr_thread_cond_signal(run->wake);
    apr_thread_mutex_unlock(run->lock);
}

/* Before the pools that the jobs use go: a pre-cleanup of the pool that holds them. */
static apr_status_t join(void *data)
{
    runner_t *run = data;
    apr_status_t rv;

    ask_to_stop(run);
    apr_thread_join(&rv, run->thread);
    this_child = NULL;
    apr_pool_destroy(run->p);
    return APR_SUCCESS;
}

void eh_runner_stopping(apr_pool_t *pchild, int graceful)
{
    if (this_child) ask_to_stop(this_child);
}

static apr_status_t prepare(runner_t *run, apr_pool_t *p)
{
    eh_registry_t *reg = &eh_process.reg;
    char host[64] = "";
    apr_status_t rv;
    int i;

    gethostname(host, sizeof(host) - 1);
    /* The node, not the process: whichever child holds the lease in shared memory acts for it. */
    apr_snprintf(run->holder, sizeof(run->holder), "%s:%s", host, eh_process.node);
    for (i = 0; i < reg->njobs; i++) {
        local_job_t *j = &run->jobs[i];

        j->job = &reg->jobs[i];
        j->shared = &eh_process.jobs[i];
        if (!EH_OK(apr_pool_create(&j->p, run->p))) return rv;
        apr_pool_tag(j->p, j->job->name);
        j->next = monotonic() + jitter(j->job->every < EH_TICK ? j->job->every : EH_TICK);
    }
    run->njobs = reg->njobs;
    if (!EH_OK(apr_thread_mutex_create(&run->lock, APR_THREAD_MUTEX_DEFAULT, p))) return rv;
    return apr_thread_cond_create(&run->wake, p);
}

void eh_runner_start(apr_pool_t *pchild, server_rec *main)
{
    sigset_t all, before;
    runner_t *run;
    apr_status_t rv;

    if (!eh_sconf(main)->background || !eh_process.reg.njobs || !eh_config_in_use(main)) return;
    run = apr_pcalloc(pchild, sizeof(*run));
    run->main = main;
    rv = apr_pool_create_unmanaged_ex(&run->p, NULL, NULL);
    if (rv == APR_SUCCESS) rv = prepare(run, pchild);
    if (rv == APR_SUCCESS) {
        /* Signals are for the thread that the MPM has chosen: with prefork that is the one that serves. */
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        rv = apr_thread_create(&run->thread, NULL, run_jobs, run, pchild);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, rv, main, "mod_ehealth: background work cannot be started in this child");
        return;
    }
    this_child = run;
    apr_pool_pre_cleanup_register(pchild, run, join);
}
