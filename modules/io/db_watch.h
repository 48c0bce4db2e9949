/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Deadline watchdog: libpq waits for ever for a server that has stopped (SIGSTOP, dead network without RST). One thread per
 * pool shuts down the sockets of connections that passed their deadline, which makes the blocked call return.
 */
#ifndef EH_DB_WATCH_H
#define EH_DB_WATCH_H

#include <apr_pools.h>

typedef struct db_watcher_t db_watcher_t;

/** One watched connection; lives in its slot. Only the watcher's functions touch it. */
typedef struct db_watch_t {
    struct db_watch_t *next, *prev;
    apr_int64_t deadline; /* monotonic µs */
    int fd;
    int armed, cut;
} db_watch_t;

/** Starts the thread. It has no signals and no pool of its own. */
apr_status_t eh_db_watcher_start(db_watcher_t **pw, apr_pool_t *p);
/** Stops and joins it. */
void eh_db_watcher_stop(db_watcher_t *w);

/** From now to disarm, fd is shut down when deadline passes. */
void eh_db_watch_arm(db_watcher_t *w, db_watch_t *e, int fd, apr_int64_t deadline);
/** @return 1 when fd had been shut down. After it the watcher never touches fd, which may be closed. */
int eh_db_watch_disarm(db_watcher_t *w, db_watch_t *e);

#endif
