/* SPDX-License-Identifier: Apache-2.0 */
#include "eh_fuzz.h"

#include "ehealth/codec.h"

#define PAIRS_MAX 64

/* What parses is UTF-8 without NUL, in number within the limit, and reads the same when written out again. */
static void check_form(const char *text, apr_size_t len, apr_pool_t *p)
{
    const apr_table_entry_t *e, *f;
    apr_table_t *t, *again;
    const char *written = "", *value;
    int i, n;

    if (eh_form_parse(&t, text, len, PAIRS_MAX, p)) return;
    n = apr_table_elts(t)->nelts;
    eh_fuzz_check(n <= PAIRS_MAX);
    e = (const apr_table_entry_t *)apr_table_elts(t)->elts;
    for (i = 0; i < n; i++) {
        eh_fuzz_check(eh_utf8_valid(e[i].key, strlen(e[i].key)) && eh_utf8_valid(e[i].val, strlen(e[i].val)));
        eh_fuzz_check(eh_form_single(&value, t, e[i].key) != APR_ENOENT);
        written =
            apr_pstrcat(p, written, i ? "&" : "", eh_form_encode(p, e[i].key), "=", eh_form_encode(p, e[i].val), NULL);
    }
    eh_fuzz_check(eh_form_parse(&again, written, strlen(written), PAIRS_MAX, p) == APR_SUCCESS);
    eh_fuzz_check(apr_table_elts(again)->nelts == n);
    f = (const apr_table_entry_t *)apr_table_elts(again)->elts;
    for (i = 0; i < n; i++)
        eh_fuzz_check(strcmp(e[i].key, f[i].key) == 0 && strcmp(e[i].val, f[i].val) == 0);
}

/* A target that passes names a path of this origin for a browser: no authority, nothing it would drop or turn round. */
static void check_target(const char *text)
{
    const char *c;

    if (!eh_target_is_local(text)) return;
    eh_fuzz_check(text[0] == '/' && text[1] != '/' && text[1] != '\\' && strlen(text) <= 2000);
    for (c = text; *c; c++)
        eh_fuzz_check((unsigned char)*c > 0x20 && *c != 0x7f && *c != '\\');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *p = eh_fuzz_pool();
    char *text = eh_fuzz_text(p, data, size), *html;

    check_form((const char *)data, size, p);
    if (text) {
        check_target(text);
        html = eh_html(p, text);
        eh_fuzz_check(!strpbrk(html, "<>\"'"));
        eh_fuzz_check(
            strspn(eh_percent(p, text), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%") ==
            strlen(eh_percent(p, text)));
    }
    apr_pool_destroy(p);
    return 0;
}
