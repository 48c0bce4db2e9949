/* SPDX-License-Identifier: Apache-2.0 */
#include "eh_fuzz.h"

#include "ehealth/json.h"

#define CALLS_MAX 1000

static int count(void *baton, const json_t *match)
{
    eh_fuzz_check(match != NULL);
    return ++*(int *)baton >= CALLS_MAX;
}

/* First line: the path. The rest: the document, which dumps to text that loads to the same document. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nl = memchr(data, '\n', size);
    apr_pool_t *p = eh_fuzz_pool();
    eh_err_t err = {0};
    json_t *j, *again;
    json_int_t n;
    char *path, *text;
    size_t head;
    int calls = 0;

    head = nl ? (size_t)(nl - data) : size;
    path = eh_fuzz_text(p, data, head);
    if (nl && path && eh_json_load(&j, (const char *)nl + 1, size - head - 1, &err, p) == APR_SUCCESS) {
        text = eh_json_dump(j, 1, p);
        eh_fuzz_check(text && eh_json_load(&again, text, strlen(text), NULL, p) == APR_SUCCESS);
        eh_fuzz_check(strcmp(eh_json_dump(again, 1, p), text) == 0);
        eh_fuzz_check((eh_json_path(j, path, count, &calls) != 0) == (calls == CALLS_MAX));
        eh_json_str(j, path);
        eh_json_int(&n, j, path);
    } else if (nl && path) {
        eh_fuzz_check(err.code == EH_E_JSON || err.code == EH_E_LIMIT);
    }
    apr_pool_destroy(p);
    return 0;
}
