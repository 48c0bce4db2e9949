/* SPDX-License-Identifier: Apache-2.0 */
#include "ehealth/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "text.h"

#define LOG_MAX 1024 /* bytes of a message with its NUL */

/* Writes s to out with controls escaped and malformed bytes as \xNN; what does not fit is cut and marked. */
static void clean(char *out, apr_size_t size, const char *s)
{
    apr_size_t len = strlen(s), i, o = 0;

    for (i = 0; i < len;) {
        int n = eh_text_utf8_len(s + i, len - i);
        unsigned char c = (unsigned char)s[i];
        char esc[8];
        const char *piece = s + i;
        apr_size_t plen = (apr_size_t)n;

        if (n == 0 || (n == 1 && (c < 0x20 || c == 0x7f))) {
            snprintf(esc, sizeof(esc), c == '\n' ? "\\n" : c == '\t' ? "\\t" : "\\x%02x", c);
            piece = esc;
            plen = strlen(esc);
            n = 1;
        } else if (n == 2 && c == 0xc2 && (unsigned char)s[i + 1] < 0xa0) { /* C1: a terminal may obey these */
            snprintf(esc, sizeof(esc), "\\u%04x", (unsigned char)s[i + 1]);
            piece = esc;
            plen = strlen(esc);
        }
        if (o + plen + 4 > size) {
            memcpy(out + o, "...", 4);
            return;
        }
        memcpy(out + o, piece, plen);
        o += plen;
        i += (apr_size_t)n;
    }
    out[o] = '\0';
}

void eh_log(const eh_log_t *log, eh_log_e level, apr_status_t rv, const char *tag, const char *fmt, ...)
{
    char raw[LOG_MAX + 8], out[LOG_MAX];
    va_list ap;

    if (!log || !log->write || (int)level > log->level) return;
    va_start(ap, fmt);
    if (vsnprintf(raw, sizeof(raw), fmt, ap) < 0) raw[0] = '\0';
    va_end(ap);
    clean(out, sizeof(out), raw);
    log->write(log->baton, level, rv, tag ? tag : "", out);
}

void eh_log_err(const eh_log_t *log, eh_log_e level, const eh_err_t *err, const char *correlation)
{
    const eh_err_info_t *info = eh_err_info(err->code);
    char tag[16];

    snprintf(tag, sizeof(tag), "EH%04d", (int)info->code);
    eh_log(log, level, err->rv, tag, "%s%s%s%s%s%s%s%s", info->title[EH_LANG_EN], err->detail ? " " : "",
           err->detail ? err->detail : "", err->cause ? " (" : "", err->cause ? err->cause : "", err->cause ? ")" : "",
           correlation && *correlation ? " correlation=" : "", correlation && *correlation ? correlation : "");
}
