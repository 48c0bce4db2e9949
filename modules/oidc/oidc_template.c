/* SPDX-License-Identifier: Apache-2.0 */
#include "oidc.h"

#include <apr_strings.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "ehealth/codec.h"
#include "ehealth/json.h"
#include "oidc_claims.h"

#define PARTS_MAX 64
#define TEXT_MAX 1024        /* bytes of a template */
#define CLAIM_VALUES_MAX 256 /* matches of %{claim:path} that are rendered */

typedef enum { PART_TEXT, PART_STRING, PART_LIST, PART_TIME, PART_CLAIM } part_e;

typedef struct part_t {
    part_e kind;
    const char *text;  /* PART_TEXT: the text; PART_CLAIM: the path */
    apr_size_t offset; /* of the member in eh_principal_t */
} part_t;

struct oidc_template_t {
    oidc_encoding_e encoding;
    int n;
    part_t parts[PARTS_MAX];
};

static const struct {
    const char *name;
    part_e kind;
    apr_size_t offset;
} variables[] = {
    {"account", PART_STRING, offsetof(eh_principal_t, account)},
    {"person", PART_STRING, offsetof(eh_principal_t, person)},
    {"name", PART_STRING, offsetof(eh_principal_t, name)},
    {"given_name", PART_STRING, offsetof(eh_principal_t, given_name)},
    {"family_name", PART_STRING, offsetof(eh_principal_t, family_name)},
    {"roles", PART_LIST, offsetof(eh_principal_t, roles)},
    {"structures", PART_LIST, offsetof(eh_principal_t, structures)},
    {"tenants", PART_LIST, offsetof(eh_principal_t, tenants)},
    {"acr", PART_STRING, offsetof(eh_principal_t, acr)},
    {"provider", PART_STRING, offsetof(eh_principal_t, provider)},
    {"subject", PART_STRING, offsetof(eh_principal_t, subject)},
    {"log_id", PART_STRING, offsetof(eh_principal_t, log_id)},
    {"auth_time", PART_TIME, offsetof(eh_principal_t, auth_time)},
};
#define VARIABLES_TEXT                                                                                     \
    "account, person, name, given_name, family_name, roles, structures, tenants, acr, provider, subject, " \
    "log_id, auth_time, claim:path"

int oidc_encoding_parse(const char *name)
{
    static const char *const names[] = {"percent", "raw", "base64url", "rfc8187"};
    int i;

    if (!name) return OIDC_ENC_PERCENT;
    for (i = 0; i < 4; i++) {
        if (!strcmp(names[i], name)) return i;
    }
    return -1;
}

static int path_ok(const char *path)
{
    const char *c;
    int quoted = 0;

    if (!*path) return 0;
    for (c = path; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) return 0;
        if (*c == '\'') quoted = !quoted;
    }
    return !quoted;
}

static const char *add_variable(oidc_template_t *t, const char *name, apr_pool_t *p)
{
    apr_size_t i;

    if (!strncmp(name, "claim:", 6)) {
        if (!path_ok(name + 6)) return "%{claim:…} needs the path of a claim, such as %{claim:email}.";
        t->parts[t->n].kind = PART_CLAIM;
        t->parts[t->n++].text = name + 6;
        return NULL;
    }
    for (i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
        if (strcmp(variables[i].name, name)) continue;
        t->parts[t->n].kind = variables[i].kind;
        t->parts[t->n++].offset = variables[i].offset;
        return NULL;
    }
    return apr_psprintf(p, "%%{%s} is not known; a template may name: " VARIABLES_TEXT ".", name);
}

static void add_text(oidc_template_t *t, const char *text, apr_size_t len, apr_pool_t *p)
{
    part_t *last = t->n ? &t->parts[t->n - 1] : NULL;

    if (last && last->kind == PART_TEXT) {
        last->text = apr_pstrcat(p, last->text, apr_pstrmemdup(p, text, len), NULL);
    } else {
        t->parts[t->n].kind = PART_TEXT;
        t->parts[t->n++].text = apr_pstrmemdup(p, text, len);
    }
}

static const char *compile(oidc_template_t *t, const char *text, apr_pool_t *p)
{
    const char *c = text, *end, *sentence;
    apr_size_t len;

    while (*c) {
        /* A part ahead: text may merge with the last one, a variable never does. */
        if (t->n >= PARTS_MAX - 1) return "The template has too many parts; at most 63 are possible.";
        if (*c != '%') {
            len = strcspn(c, "%");
            add_text(t, c, len, p);
            c += len;
        } else if (c[1] == '%') {
            add_text(t, "%", 1, p);
            c += 2;
        } else if (c[1] == '{' && (end = strchr(c, '}'))) {
            if ((sentence = add_variable(t, apr_pstrmemdup(p, c + 2, (apr_size_t)(end - c - 2)), p))) return sentence;
            c = end + 1;
        } else {
            return "A '%' in a template starts a variable such as %{account}; write %% for a percent sign.";
        }
    }
    return NULL;
}

apr_status_t oidc_template_compile(oidc_template_t **pt, const char *text, oidc_encoding_e encoding,
                                   const char **psentence, apr_pool_t *p)
{
    oidc_template_t *t = apr_pcalloc(p, sizeof(*t));

    *psentence = NULL;
    t->encoding = encoding;
    if (*text && !oidc_text_ok(text, TEXT_MAX)) *psentence = "A template must not contain control characters.";
    if (!*text) *psentence = "A template must not be empty; write for example %{account}.";
    if (strlen(text) > TEXT_MAX) *psentence = "A template may have at most 1024 bytes.";
    if (!eh_utf8_valid(text, strlen(text))) *psentence = "A template must be valid UTF-8.";
    if (!*psentence) *psentence = compile(t, text, p);
    if (*psentence) return APR_EINVAL;
    *pt = t;
    return APR_SUCCESS;
}

/* What is being put together: one value after another, each encoded by itself under `percent`. */
typedef struct render_t {
    apr_pool_t *p;
    apr_array_header_t *pieces; /* of const char * */
    oidc_encoding_e encoding;
    int values; /* of the variable being rendered */
} render_t;

static void put(render_t *r, const char *s)
{
    if (*s) APR_ARRAY_PUSH(r->pieces, const char *) = s;
}

static void put_value(render_t *r, const char *s)
{
    if (!s || !*s) return;
    if (r->values++) put(r, ",");
    put(r, r->encoding == OIDC_ENC_PERCENT ? eh_percent(r->p, s) : s);
}

static void put_list(render_t *r, const char *const *list)
{
    for (; list && *list; list++)
        put_value(r, *list);
}

static int put_claim(void *baton, const json_t *match)
{
    render_t *r = baton;
    const json_t *v;
    char number[32];
    size_t i;

    if (r->values >= CLAIM_VALUES_MAX) return 1;
    switch (json_typeof(match)) {
    case JSON_STRING: put_value(r, json_string_value(match)); break;
    case JSON_INTEGER:
        put_value(r, apr_psprintf(r->p, "%" APR_INT64_T_FMT, (apr_int64_t)json_integer_value(match)));
        break;
    case JSON_REAL: /* APR's own formatting writes .5 */
        snprintf(number, sizeof(number), "%.15g", json_real_value(match));
        put_value(r, apr_pstrdup(r->p, number));
        break;
    case JSON_TRUE: put_value(r, "true"); break;
    case JSON_FALSE: put_value(r, "false"); break;
    case JSON_NULL: break;
    case JSON_OBJECT: put_value(r, eh_json_dump(match, 1, r->p)); break;
    case JSON_ARRAY: /* its elements; arrays in arrays are written as JSON */
        json_array_foreach(match, i, v)
        {
            if (json_is_array(v)) {
                put_value(r, eh_json_dump(v, 1, r->p));
            } else {
                put_claim(r, v);
            }
        }
        break;
    }
    return 0;
}

static const char *plain(const char *s, apr_pool_t *p)
{
    char *out = apr_pstrdup(p, s), *w = out;
    const unsigned char *c;

    for (c = (const unsigned char *)s; *c; c++) {
        if (*c < 0x20 || *c == 0x7f) {
            *w++ = ' ';
        } else if (*c == 0xc2 && c[1] >= 0x80 && c[1] <= 0x9f) {
            *w++ = ' ';
            c++;
        } else {
            *w++ = (char)*c;
        }
    }
    *w = '\0';
    return out;
}

static const char *rfc8187(const char *s, apr_pool_t *p)
{
    static const char hex[] = "0123456789ABCDEF";
    char *out = apr_palloc(p, strlen(s) * 3 + 8), *w = out;
    const unsigned char *c;

    memcpy(w, "UTF-8''", 7);
    w += 7;
    for (c = (const unsigned char *)s; *c; c++) {
        /* attr-char of RFC 8187 §3.2.1 */
        if ((*c >= '0' && *c <= '9') || (*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z') ||
            strchr("!#$&+-.^_`|~", *c)) {
            *w++ = (char)*c;
        } else {
            *w++ = '%';
            *w++ = hex[*c >> 4];
            *w++ = hex[*c & 15];
        }
    }
    *w = '\0';
    return out;
}

const char *oidc_template_render(const oidc_template_t *t, const eh_principal_t *who, apr_pool_t *p)
{
    render_t r = {p, apr_array_make(p, 8, sizeof(const char *)), t->encoding, 0};
    const char *s;
    int i;

    for (i = 0; i < t->n; i++) {
        const part_t *part = &t->parts[i];
        const char *member = (const char *)who + part->offset;
        r.values = 0;
        switch (part->kind) {
        case PART_TEXT: put(&r, part->text); break;
        case PART_STRING: put_value(&r, *(const char *const *)member); break;
        case PART_LIST: put_list(&r, *(const char *const *const *)member); break;
        case PART_TIME:
            if (*(const apr_time_t *)member) put_value(&r, eh_time_rfc3339(p, *(const apr_time_t *)member));
            break;
        case PART_CLAIM: eh_json_path(who->claims, part->text, put_claim, &r); break;
        }
    }
    s = apr_array_pstrcat(p, r.pieces, 0);
    if (!*s) return "";
    switch (t->encoding) {
    case OIDC_ENC_BASE64URL: return eh_b64url(p, s, strlen(s));
    case OIDC_ENC_RFC8187: return rfc8187(s, p);
    case OIDC_ENC_RAW: return plain(s, p);
    case OIDC_ENC_PERCENT: break;
    }
    return s;
}
