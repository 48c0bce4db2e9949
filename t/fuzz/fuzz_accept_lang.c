/* SPDX-License-Identifier: Apache-2.0 */
#include "eh_fuzz.h"

#include "ehealth/page.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *p = eh_fuzz_pool();
    char *text = eh_fuzz_text(p, data, size);
    eh_lang_e lang, own;

    if (text) {
        lang = eh_lang_from_accept(text);
        eh_fuzz_check((unsigned)lang < EH_LANG_COUNT);
        /* Only what is named can be chosen. */
        if (lang != EH_LANG_EN) {
            const char *code = eh_lang_code(lang), *s;

            for (s = text; *s && strncasecmp(s, code, 2) != 0; s++)
                ;
            eh_fuzz_check(*s);
        }
        /* Full quality ahead of all others wins. */
        eh_fuzz_check(eh_lang_from_accept(apr_pstrcat(p, "nl,", text, NULL)) == EH_LANG_NL);
        own = EH_LANG_DE;
        if (eh_lang_parse(&own, text) == APR_SUCCESS) eh_fuzz_check(strcmp(eh_lang_code(own), text) == 0);
    }
    apr_pool_destroy(p);
    return 0;
}
