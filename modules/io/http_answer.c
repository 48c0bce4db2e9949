/* SPDX-License-Identifier: Apache-2.0 */
#include <apr_lib.h>
#include <apr_strings.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http_int.h"

static apr_status_t wipe_body(void *data)
{
    eh_http_res_t *res = data;

    OPENSSL_cleanse((char *)res->body, res->len);
    free((char *)res->body);
    res->body = NULL;
    return APR_SUCCESS;
}

size_t eh_answer_body(char *data, size_t size, size_t n, void *baton)
{
    eh_answer_t *x = baton;
    size_t len = size * n;

    if (len > x->cap - x->len) {
        x->too_large = 1;
        return 0;
    }
    if (x->len + len + 1 > x->room) {
        apr_size_t room = x->room ? x->room * 2 : 4096;
        char *more;

        while (room < x->len + len + 1)
            room *= 2;
        if (room > x->cap + 1) room = x->cap + 1;
        more = malloc(room);
        if (!more) return 0;
        if (x->body) {
            memcpy(more, x->body, x->len);
            OPENSSL_cleanse(x->body, x->len);
            free(x->body);
        }
        x->body = more;
        x->room = room;
    }
    memcpy(x->body + x->len, data, len);
    x->len += len;
    return len;
}

static void take_header(eh_answer_t *x, const char *line, apr_size_t len)
{
    const char *colon = memchr(line, ':', len);
    char *name, *value;

    if (!colon || colon == line) {
        x->refused = "a header line is malformed";
        return;
    }
    name = apr_pstrmemdup(x->p, line, (apr_size_t)(colon - line));
    colon++;
    len -= (apr_size_t)(colon - line);
    while (len && (*colon == ' ' || *colon == '\t')) {
        colon++;
        len--;
    }
    while (len && (colon[len - 1] == ' ' || colon[len - 1] == '\t'))
        len--;
    value = apr_pstrmemdup(x->p, colon, len);
    if (!eh_http_is_token(name) || strlen(value) != len || eh_http_has_control(value)) {
        x->refused = "a header has forbidden characters";
        return;
    }
    apr_table_addn(x->res->headers, name, value);
}

size_t eh_answer_header(char *data, size_t size, size_t n, void *baton)
{
    eh_answer_t *x = baton;
    size_t len = size * n, all = len;

    x->head_bytes += len;
    x->head_lines++;
    if (x->head_bytes > EH_HTTP_MAX_HEADER_BYTES || x->head_lines > EH_HTTP_MAX_HEADERS) {
        x->too_large = 1;
        return 0;
    }
    if (len && data[len - 1] == '\n') len--;
    if (len && data[len - 1] == '\r') len--;
    if (len >= 5 && !memcmp(data, "HTTP/", 5)) { /* an interim answer's headers are dropped by the next status line */
        apr_table_clear(x->res->headers);
        x->in_head = 1;
    } else if (len == 0) {
        x->in_head = 0;
    } else if (x->in_head) { /* later lines are trailers of a chunked body: counted, never taken */
        take_header(x, data, len);
        if (x->refused) return 0;
    }
    return all;
}

void eh_answer_begin(eh_answer_t *x, apr_size_t cap, apr_pool_t *p)
{
    memset(x, 0, sizeof(*x));
    x->p = p;
    x->cap = cap;
    x->res = apr_pcalloc(p, sizeof(*x->res));
    x->res->headers = apr_table_make(p, 16);
    x->res->content_type = "";
}

void eh_answer_read(eh_answer_t *x)
{
    eh_http_res_t *res = x->res;
    const char *v = apr_table_get(res->headers, "Content-Type");

    if (v) {
        char *type = apr_pstrmemdup(x->p, v, strcspn(v, "; \t")), *c;

        for (c = type; *c; c++)
            *c = (char)apr_tolower(*c);
        res->content_type = type;
    }
    v = apr_table_get(res->headers, "Date");
    if (v) {
        time_t t = curl_getdate(v, NULL);

        if (t > 0) res->date = apr_time_from_sec((apr_time_t)t);
    }
    v = apr_table_get(res->headers, "Content-Encoding");
    if (v && strcasecmp(v, "identity")) x->refused = "the answer is compressed although that was not offered";
}

void eh_answer_end(eh_answer_t *x)
{
    eh_http_res_t *res = x->res;

    res->len = x->len;
    res->body = "";
    if (!x->body) return;
    x->body[x->len] = '\0';
    res->body = x->body;
    apr_pool_cleanup_register(x->p, res, wipe_body, apr_pool_cleanup_null);
}
