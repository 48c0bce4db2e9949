/* SPDX-License-Identifier: Apache-2.0 */
#include "eh_fuzz.h"

#include <jansson.h>

#include "ehealth/audit.h"
#include "ehealth/codec.h"
#include "ehealth/page.h"

static void check_json(const char *text, size_t members)
{
    json_error_t je;
    json_t *j;

    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        eh_fuzz_check(*c >= 0x20 && *c != 0x7f);
    j = json_loads(text, JSON_REJECT_DUPLICATES, &je);
    eh_fuzz_check(j && json_object_size(j) == members);
    json_decref(j);
}

/* Any bytes in any field: the event stays one line of valid JSON, the problem document valid, the page without markup. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *p = eh_fuzz_pool();
    char *text = apr_pstrmemdup(p, (const char *)data, size);
    eh_audit_rec_t rec = {1767225600123456, text, EH_OUTCOME_OK, text, text, text, text, text, text, text, text, text};
    eh_err_t err = {EH_E_DENIED, APR_EGENERAL, text, text, 1, text};
    eh_page_t page = {EH_LANG_EN, text, text, text, text, text, text, NULL};
    const char *html;
    int tags = 0, clean_tags = 0;

    check_json(eh_audit_json(&rec, p), 12);
    check_json(eh_err_problem_json(p, &err, EH_LANG_FR, *text ? text : "c"), 8);
    html = eh_page_error(p, &page, &err);
    eh_fuzz_check(eh_utf8_valid(html, strlen(html)));
    for (const char *c = html; *c; c++)
        tags += *c == '<';
    /* The same page with harmless texts of the same shape has as many tags. */
    err.detail = *text ? "x" : "";
    page.correlation = page.contact = err.detail;
    html = eh_page_error(p, &page, &err);
    for (const char *c = html; *c; c++)
        clean_tags += *c == '<';
    eh_fuzz_check(tags == clean_tags);
    apr_pool_destroy(p);
    return 0;
}
