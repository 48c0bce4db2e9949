/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Write mutex of an SQLite database: one writer of all threads of all processes of this host, fair and with a deadline.
 * SQLite's own locking stays underneath and keeps the file whole even when somebody removes the mutex file; the mutex
 * spares its busy loop (100 ms sleeps in APR's driver) and starvation.
 *
 * A robust process-shared pthread mutex in a mapped file: when its holder dies, the next one takes over (SQLite rolls the
 * dead transaction back). The file carries the boot id, because a mutex that was held while the machine went down would
 * stay locked for ever.
 */
#ifndef EH_DB_MUTEX_H
#define EH_DB_MUTEX_H

#include "ehealth/err.h"

typedef struct eh_wmutex_t eh_wmutex_t;

/** A handle for the mutex of file path, ended with p. Touches nothing: a folder that is missing now may come. */
eh_wmutex_t *eh_wmutex_make(const char *path, apr_pool_t *p);

/** Opens and maps the file, makes it (0600) when it is missing. Before the first lock; repeating it is cheap. */
apr_status_t eh_wmutex_open(eh_wmutex_t *m);

/**
 * One thread of this process at a time: taken before a connection, so that waiting writers do not use up the connections
 * that readers need. deadline: monotonic µs. APR_TIMEUP when it passed.
 */
apr_status_t eh_wmutex_enter(eh_wmutex_t *m, apr_int64_t deadline);
void eh_wmutex_leave(eh_wmutex_t *m);

/** The mutex itself. APR_TIMEUP when the deadline passed; APR_EGENERAL when the mutex is beyond repair. */
apr_status_t eh_wmutex_lock(eh_wmutex_t *m, apr_int64_t deadline);
void eh_wmutex_unlock(eh_wmutex_t *m);

#endif
