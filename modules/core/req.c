/* SPDX-License-Identifier: Apache-2.0 */
#include "ehealth/req.h"

#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#define BODY_FIRST 8192 /* bytes allocated before any have arrived: the announced length is only a claim */

apr_status_t eh_req_body(const eh_req_t *req, apr_size_t max, const char **pbody, apr_size_t *plen, eh_err_t *err)
{
    apr_size_t cap = max < BODY_FIRST ? max + 1 : BODY_FIRST, len = 0;
    char *buf;

    *pbody = "";
    *plen = 0;
    if (req->content_length > 0 && (apr_uint64_t)req->content_length > max) {
        return eh_err_set(err, EH_E_LIMIT, APR_ENOSPC, NULL);
    }
    if (!req->read) return APR_SUCCESS;
    /* One byte more than max is asked for, so that a body of exactly max bytes is told from a longer one. */
    buf = apr_palloc(req->p, cap + 1);
    for (;;) {
        apr_size_t n = cap - len;
        apr_status_t rv = req->read(req->read_baton, buf + len, &n, err);

        if (rv != APR_SUCCESS) return eh_err_set(err, EH_E_BAD_REQUEST, rv, NULL);
        if (n == 0) break;
        len += n;
        if (len > max) return eh_err_set(err, EH_E_LIMIT, APR_ENOSPC, NULL);
        if (len == cap) {
            char *grown;

            cap = cap > max / 2 ? max + 1 : cap * 2;
            grown = apr_palloc(req->p, cap + 1);
            memcpy(grown, buf, len);
            buf = grown;
        }
    }
    buf[len] = '\0';
    *pbody = buf;
    *plen = len;
    return APR_SUCCESS;
}

typedef struct find_t {
    const char *name, *value;
    apr_size_t name_len, value_len;
    int clash;
} find_t;

static int is_blank(char c) { return c == ' ' || c == '\t'; }

static void see_pair(find_t *f, const char *s, const char *end)
{
    const char *eq, *name_end, *value;

    while (s < end && is_blank(*s))
        s++;
    while (end > s && is_blank(end[-1]))
        end--;
    eq = memchr(s, '=', (size_t)(end - s));
    if (!eq) return;
    for (name_end = eq; name_end > s && is_blank(name_end[-1]);)
        name_end--;
    if ((apr_size_t)(name_end - s) != f->name_len || memcmp(s, f->name, f->name_len) != 0) return;
    for (value = eq + 1; value < end && is_blank(*value);)
        value++;
    if (!f->value) {
        f->value = value;
        f->value_len = (apr_size_t)(end - value);
    } else if ((apr_size_t)(end - value) != f->value_len || memcmp(value, f->value, f->value_len) != 0) {
        f->clash = 1; /* a neighbour domain or a stale path planted a second one: which is ours cannot be told */
    }
}

static int see_header(void *baton, const char *key, const char *header)
{
    const char *s = header;

    while (*s) {
        apr_size_t n = strcspn(s, ";");

        see_pair(baton, s, s + n);
        s += n;
        if (*s) s++;
    }
    return 1;
}

const char *eh_req_cookie(const eh_req_t *req, const char *name)
{
    find_t f = {name, NULL, strlen(name), 0, 0};

    if (f.name_len == 0) return NULL;
    apr_table_do(see_header, &f, req->headers, "Cookie", NULL);
    return f.value && !f.clash ? apr_pstrmemdup(req->p, f.value, f.value_len) : NULL;
}

apr_status_t eh_res_json(eh_res_t *res, int status, json_t *j, apr_pool_t *p)
{
    char *text = j ? json_dumps(j, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;

    json_decref(j);
    if (!text) return APR_EGENERAL;
    res->status = status;
    res->content_type = "application/json";
    res->len = strlen(text);
    res->body = apr_pstrmemdup(p, text, res->len);
    free(text);
    return APR_SUCCESS;
}

apr_status_t eh_res_redirect(eh_res_t *res, const char *url)
{
    const unsigned char *c;

    for (c = (const unsigned char *)url; *c; c++) {
        if (*c <= 0x20 || *c == 0x7f) return APR_EINVAL;
    }
    if (!*url || !res->headers) return APR_EINVAL;
    /* 303, not 302: the next request is a GET whatever this one was (RFC 9700 §4.12). */
    res->status = 303;
    res->body = "";
    res->len = 0;
    apr_table_set(res->headers, "Location", url);
    apr_table_setn(res->headers, "Cache-Control", "no-store");
    return APR_SUCCESS;
}
