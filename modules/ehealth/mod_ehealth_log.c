/* SPDX-License-Identifier: Apache-2.0 */
/* eh_log_t over httpd's error log, the correlation id, and the JSON event log (a file or a piped program). */
#include "mod_ehealth.h"

#include <limits.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include "ehealth/codec.h"
#include "ehealth/crypto.h"

#define EH_TRACE_ID_LEN 32

/* --- error log --- */

static void write_request(void *baton, eh_log_e level, apr_status_t rv, const char *tag, const char *message)
{
    request_rec *r = baton;

    if (ap_strstr_c(message, "correlation=")) { /* eh_log_err was told it */
        ap_log_rerror(APLOG_MARK, (int)level, rv, r, "%s%s%s", tag, *tag ? ": " : "", message);
    } else {
        ap_log_rerror(APLOG_MARK, (int)level, rv, r, "%s%s%s correlation=%s", tag, *tag ? ": " : "", message,
                      eh_correlation(r));
    }
}

static void write_server(void *baton, eh_log_e level, apr_status_t rv, const char *tag, const char *message)
{
    ap_log_error(APLOG_MARK, (int)level, rv, (server_rec *)baton, "%s%s%s", tag, *tag ? ": " : "", message);
}

void eh_log_for_request(eh_log_t *log, request_rec *r)
{
    log->level = ap_get_request_module_loglevel(r, APLOG_MODULE_INDEX);
    log->write = write_request;
    log->baton = r;
}

const eh_log_t *eh_log_of_server(server_rec *s)
{
    eh_log_t *log = &eh_sconf(s)->log;

    log->level = ap_get_server_module_loglevel(s, APLOG_MODULE_INDEX);
    log->write = write_server;
    log->baton = s;
    return log;
}

/* --- correlation --- */

static int all_zero(const char *s, apr_size_t len) { return strspn(s, "0") >= len; }

/* W3C Trace Context §3.2: version-traceid-parentid-flags, lower-case hex. A later version may have more after a '-'. */
static const char *trace_id(request_rec *r)
{
    const char *t = apr_table_get(r->headers_in, "traceparent");
    apr_size_t i, len;

    if (!t || (len = strlen(t)) < 55) return NULL;
    for (i = 0; i < 55; i++) {
        if (i == 2 || i == 35 || i == 52 ? t[i] != '-' : !(apr_isdigit(t[i]) || (t[i] >= 'a' && t[i] <= 'f')))
            return NULL;
    }
    if (!strncmp(t, "ff", 2) || (!strncmp(t, "00", 2) ? len != 55 : (len > 55 && t[55] != '-'))) return NULL;
    if (all_zero(t + 3, EH_TRACE_ID_LEN) || all_zero(t + 36, 16)) return NULL;
    return apr_pstrmemdup(r->pool, t + 3, EH_TRACE_ID_LEN);
}

const char *eh_correlation(request_rec *r)
{
    unsigned char raw[EH_CORRELATION_LEN / 2];
    eh_rconf_t *rc;

    while (r->main || r->prev) {
        r = r->main ? r->main : r->prev;
    }
    rc = eh_rconf(r);
    if (!rc->correlation) rc->correlation = trace_id(r);
    if (!rc->correlation) {
        if (eh_random(raw, sizeof(raw)) != APR_SUCCESS) return "-";
        rc->correlation = eh_hex(r->pool, raw, sizeof(raw));
    }
    return rc->correlation;
}

/* --- event log --- */

typedef struct event_log_t {
    eh_audit_t port;
    apr_file_t *out;
    server_rec *main;
} event_log_t;

/* One write(2) per line on a descriptor opened with O_APPEND (or a pipe): lines of different children do not mix. */
static void event_line(void *baton, const char *json, apr_size_t len)
{
    const event_log_t *log = baton;
    char small[4096], *line = len < sizeof(small) ? small : malloc(len + 1);
    apr_size_t n = len + 1;
    apr_status_t rv = APR_ENOMEM;

    if (line) {
        memcpy(line, json, len);
        line[len] = '\n';
        rv = apr_file_write(log->out, line, &n);
        if (line != small) free(line);
    }
    if (rv != APR_SUCCESS || n != len + 1) {
        eh_count(EH_M_EVENT_LOST, 1);
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, log->main, "an event could not be written to EHealthEventLog");
    }
}

apr_status_t eh_event_log_open(apr_pool_t *p, server_rec *main)
{
    const char *where = eh_sconf(main)->event_log, *program;
    event_log_t *log;
    piped_log *pipe;
    apr_status_t rv;

    eh_process.audit = NULL;
    if (!where) return APR_SUCCESS;
    log = apr_pcalloc(p, sizeof(*log));
    log->port.line = event_line;
    log->port.baton = log;
    log->main = main;
    if (*where == '|') {
        /* As for CustomLog: "|program", "||program", and "|$command" for the shell. */
        program = where[1] == '|' || where[1] == '$' ? where + 2 : where + 1;
        pipe = ap_open_piped_log_ex(p, program, where[1] == '$' ? APR_SHELLCMD_ENV : APR_PROGRAM_ENV);
        if (!pipe) {
            ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_CRIT, 0, main,
                         "EHealthEventLog: program \"%s\" cannot be started", where + 1);
            return APR_EGENERAL;
        }
        log->out = ap_piped_log_write_fd(pipe);
    } else {
        rv =
            apr_file_open(&log->out, where, APR_FOPEN_WRITE | APR_FOPEN_APPEND | APR_FOPEN_CREATE | APR_FOPEN_LARGEFILE,
                          APR_FPROT_UREAD | APR_FPROT_UWRITE | APR_FPROT_GREAD, p);
        if (rv != APR_SUCCESS) {
            ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_CRIT, rv, main, "EHealthEventLog: file %s cannot be opened",
                         where);
            return rv;
        }
    }
    eh_process.audit = &log->port;
    return APR_SUCCESS;
}

void eh_event(request_rec *r, const eh_audit_rec_t *rec)
{
    eh_audit_rec_t full = *rec;
    const char *json;

    if (!eh_process.audit) return;
    if (!full.at) full.at = apr_time_now();
    if (!full.remote) full.remote = r->useragent_ip;
    if (!full.host) full.host = eh_sconf(r->server)->public_url;
    if (!full.correlation) full.correlation = eh_correlation(r);
    json = eh_audit_json(&full, r->pool);
    eh_process.audit->line(eh_process.audit->baton, json, strlen(json));
}
