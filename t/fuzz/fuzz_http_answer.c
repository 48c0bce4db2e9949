/* SPDX-License-Identifier: Apache-2.0 */
#include "eh_fuzz.h"

#include "modules/io/http_int.h"

#define CAP 2048

/* Feeds the input the way libcurl does: header lines with their ends until an empty one, then the body in pieces; after
 * a body that ends with ".\n", trailers. */
static void feed(eh_answer_t *answer, const uint8_t *data, size_t size)
{
    size_t at = 0, piece;
    int head = 1;

    while (at < size) {
        const uint8_t *nl = head ? memchr(data + at, '\n', size - at) : NULL;

        piece = head ? (nl ? (size_t)(nl - data) + 1 - at : size - at) : 1 + (size_t)data[at] % 97;
        if (piece > size - at) piece = size - at;
        if (head) {
            if (eh_answer_header((char *)data + at, 1, piece, answer) != piece) return;
            if (piece <= 2 && data[at + piece - 1] == '\n') head = 0;
        } else {
            if (eh_answer_body((char *)data + at, 1, piece, answer) != piece) return;
            head = piece >= 2 && data[at + piece - 1] == '\n' && data[at + piece - 2] == '.';
        }
        at += piece;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *p = eh_fuzz_pool();
    const apr_table_entry_t *e;
    eh_answer_t answer;
    const char *c;
    int i;

    eh_answer_begin(&answer, CAP, p);
    feed(&answer, data, size);
    eh_answer_read(&answer);
    eh_answer_end(&answer);
    eh_fuzz_check(answer.res->len <= CAP && answer.res->body[answer.res->len] == '\0');
    eh_fuzz_check(apr_table_elts(answer.res->headers)->nelts < EH_HTTP_MAX_HEADERS);
    e = (const apr_table_entry_t *)apr_table_elts(answer.res->headers)->elts;
    for (i = 0; i < apr_table_elts(answer.res->headers)->nelts; i++) {
        eh_fuzz_check(!strpbrk(e[i].key, " \t\r\n:;,\"(){}"));
        for (c = e[i].val; *c; c++)
            eh_fuzz_check((unsigned char)*c >= 0x20 || *c == '\t');
    }
    for (c = answer.res->content_type; *c; c++)
        eh_fuzz_check(*c != ';' && *c != ' ' && !(*c >= 'A' && *c <= 'Z'));
    apr_pool_destroy(p);
    return 0;
}
