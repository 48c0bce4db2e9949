/* SPDX-License-Identifier: Apache-2.0 */
#include "oidc_fuzz.h"

/* First line: a template; the rest: a name and a claim. Nothing that comes out has a control character. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const list[] = {"a,b", "c\r\nd", NULL};
    apr_pool_t *p = eh_fuzz_pool();
    char *text = eh_fuzz_text(p, data, size), *rest;
    eh_principal_t who;
    int encoding;

    if (!text) {
        apr_pool_destroy(p);
        return 0;
    }
    rest = strchr(text, '\n');
    if (rest) *rest++ = '\0';
    if (!rest || !eh_utf8_valid(rest, strlen(rest))) rest = apr_pstrdup(p, "x\r\ny");
    memset(&who, 0, sizeof(who));
    who.provider = who.issuer = who.subject = who.account = who.person = who.log_id = "v";
    who.name = who.given_name = who.family_name = who.acr = rest;
    who.roles = who.structures = who.tenants = list;
    who.auth_time = apr_time_from_sec(FZ_NOW);
    who.claims = eh_json_own(json_pack("{s:s, s:[s, {s:s}]}", "a", rest, "b", "x", "c", rest), p);
    for (encoding = 0; encoding < 4; encoding++) {
        const char *sentence = NULL, *out;
        const unsigned char *c;
        oidc_template_t *t;
        if (oidc_template_compile(&t, text, (oidc_encoding_e)encoding, &sentence, p)) {
            eh_fuzz_check(sentence && *sentence);
            continue;
        }
        out = oidc_template_render(t, &who, p);
        eh_fuzz_check(eh_utf8_valid(out, strlen(out)));
        for (c = (const unsigned char *)out; *c; c++) {
            eh_fuzz_check(*c >= 0x20 && *c != 0x7f && !(*c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0));
        }
        if (encoding == OIDC_ENC_BASE64URL) eh_fuzz_check(!strpbrk(out, "+/= ,"));
    }
    apr_pool_destroy(p);
    return 0;
}
