/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Logging port. Never pass a token, secret, name or national identifier: pass the keyed `log_id` of a principal.
 * Levels carry httpd's meaning and order. WARNING and above must be something that an administrator can act on: the
 * test suite fails on each such line that a test did not announce.
 */
#ifndef EHEALTH_LOG_H
#define EHEALTH_LOG_H

#include <apr_errno.h>

#include "ehealth/err.h"

typedef enum { EH_LOG_ERR = 3, EH_LOG_WARNING = 4, EH_LOG_NOTICE = 5, EH_LOG_INFO = 6, EH_LOG_DEBUG = 7 } eh_log_e;

typedef struct eh_log_t {
    int level; /* messages above it are dropped before they are formatted */
    void (*write)(void *baton, eh_log_e level, apr_status_t rv, const char *tag, const char *message);
    void *baton;
} eh_log_t;

/** tag: "EH2000" where a code exists, else "". Control characters in the result are escaped. At most 1 KiB. */
void eh_log(const eh_log_t *log, eh_log_e level, apr_status_t rv, const char *tag, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/** Logs err's code, title, detail and cause. */
void eh_log_err(const eh_log_t *log, eh_log_e level, const eh_err_t *err, const char *correlation);

#endif
