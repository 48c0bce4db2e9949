/* SPDX-License-Identifier: Apache-2.0 */
#include "ehealth/keyring.h"

#include <apr_strings.h>
#include <string.h>

#include <openssl/crypto.h>

#include "ehealth/codec.h"
#include "ehealth/crypto.h"

#define INFO_PREFIX "ehealth/1/"
#define KEY_TEXT_LEN 43 /* base64url of EH_KEY_LEN bytes */

static const char *const purpose_names[EH_PURPOSE_COUNT] = {"state", "pkce",  "index", "session",
                                                            "audit", "logid", "csrf",  "grant"};

/* The master key itself is not kept: what is derived from it is all that is ever used. */
typedef struct {
    apr_uint32_t id;
    int retired;
    apr_time_t created;
    unsigned char fingerprint[EH_SHA256_LEN]; /* of the master key, to find the same key written twice */
    unsigned char keys[EH_PURPOSE_COUNT][EH_KEY_LEN];
} entry_t;

struct eh_keyring_t {
    int n;
    int current;
    entry_t entries[EH_KEYRING_MAX];
};

/** The next word of the line, NUL-terminated in place; NULL at its end or at a comment. */
static char *word(char **line)
{
    char *s = *line + strspn(*line, " \t");
    apr_size_t len = strcspn(s, " \t");

    if (!*s || *s == '#') return NULL;
    *line = s + len;
    if (s[len]) {
        s[len] = '\0';
        (*line)++;
    }
    return s;
}

/** A canonical decimal number from 1 to 2^32-1: other spellings would be other names of the same key. */
static int parse_id(apr_uint32_t *id, const char *s)
{
    apr_uint64_t v = 0;
    const char *c = s;

    if (*s == '0') return 0;
    for (; *c >= '0' && *c <= '9' && c - s < 10; c++)
        v = v * 10 + (apr_uint64_t)(*c - '0');
    if (*c || c == s || v > APR_UINT32_MAX) return 0;
    *id = (apr_uint32_t)v;
    return 1;
}

static int is_constant(const unsigned char *key)
{
    int i;

    for (i = 1; i < EH_KEY_LEN; i++) {
        if (key[i] != key[0]) return 0;
    }
    return 1;
}

/** Decodes the key and derives the purposes. Returns what is wrong, NULL when nothing is. */
static const char *parse_key(entry_t *e, const char *text, apr_pool_t *p)
{
    unsigned char *key;
    apr_size_t len;
    const char *wrong = NULL;
    int i;

    if (strlen(text) != KEY_TEXT_LEN || eh_b64url_decode(&key, &len, text, KEY_TEXT_LEN, p))
        return "the key must be 32 bytes in base64url (43 characters)";
    if (is_constant(key)) {
        wrong = "the key is not random";
    } else if (eh_sha256(e->fingerprint, key, EH_KEY_LEN)) {
        wrong = "the key could not be processed";
    }
    for (i = 0; i < EH_PURPOSE_COUNT && !wrong; i++) {
        const char *info = apr_pstrcat(p, INFO_PREFIX, purpose_names[i], NULL);

        if (eh_hkdf_sha256(e->keys[i], EH_KEY_LEN, key, EH_KEY_LEN, NULL, 0, info))
            wrong = "the key could not be processed";
    }
    OPENSSL_cleanse(key, len);
    return wrong;
}

static const char *parse_attribute(entry_t *e, const char *s, apr_pool_t *p)
{
    if (strcmp(s, "retired") == 0 && !e->retired) {
        e->retired = 1;
        return NULL;
    }
    if (strncmp(s, "created=", 8) == 0 && !e->created) {
        if (eh_time_parse(&e->created, apr_pstrcat(p, s + 8, "T00:00:00Z", NULL)))
            return "created= must be a date, YYYY-MM-DD";
        return NULL;
    }
    return "only created=YYYY-MM-DD and retired may follow the key, each once";
}

/** Adds the key of a line, when it has one. Returns what is wrong with it, NULL when nothing is. */
static const char *parse_line(eh_keyring_t *ring, char *line, apr_pool_t *p)
{
    entry_t *e = &ring->entries[ring->n];
    char *s = word(&line);
    const char *wrong;
    int i;

    if (!s) return NULL;
    if (ring->n == EH_KEYRING_MAX) return "more than 64 keys";
    if (!parse_id(&e->id, s)) return "the line must start with a key id from 1 to 4294967295";
    s = word(&line);
    if (!s) return "the key is missing after its id";
    if ((wrong = parse_key(e, s, p))) return wrong;
    while ((s = word(&line))) {
        if ((wrong = parse_attribute(e, s, p))) return wrong;
    }
    for (i = 0; i < ring->n; i++) {
        if (ring->entries[i].id == e->id) return "this key id is already used above";
        if (memcmp(ring->entries[i].fingerprint, e->fingerprint, EH_SHA256_LEN) == 0)
            return "this key is already there under another id";
    }
    if (ring->current < 0 && !e->retired) ring->current = ring->n;
    ring->n++;
    return NULL;
}

apr_status_t eh_keyring_parse(eh_keyring_t **pring, const char *text, apr_size_t len, eh_err_t *err, apr_pool_t *p)
{
    eh_keyring_t *ring = eh_secret_alloc(p, sizeof(*ring));
    char *copy = eh_secret_dup(p, text, len), *line = copy;
    const char *wrong;
    int n = 0;

    if (memchr(text, '\0', len))
        return eh_err_setf(err, p, EH_E_KEY_FILE, APR_EINVAL, NULL, "the key file contains a NUL byte");
    ring->current = -1;
    while (line) {
        char *end = strchr(line, '\n');

        n++;
        if (end) *end = '\0';
        if (end && end > line && end[-1] == '\r') end[-1] = '\0';
        wrong = parse_line(ring, line, p);
        if (wrong) {
            return eh_err_setf(err, p, EH_E_KEY_FILE, APR_EINVAL, apr_psprintf(p, "Line %d: %s.", n, wrong),
                               "key file, line %d: %s", n, wrong);
        }
        line = end ? end + 1 : NULL;
    }
    if (ring->current < 0) {
        wrong = ring->n ? "every key is retired; one must be current" : "no key";
        return eh_err_setf(err, p, EH_E_KEY_FILE, APR_EINVAL, NULL, "key file: %s", wrong);
    }
    *pring = ring;
    return APR_SUCCESS;
}

static const entry_t *find(const eh_keyring_t *ring, apr_uint32_t id)
{
    int i;

    for (i = 0; i < ring->n; i++) {
        if (ring->entries[i].id == id) return &ring->entries[i];
    }
    return NULL;
}

apr_uint32_t eh_keyring_current(const eh_keyring_t *ring) { return ring->entries[ring->current].id; }

const unsigned char *eh_keyring_key(const eh_keyring_t *ring, apr_uint32_t id, eh_purpose_e purpose)
{
    const entry_t *e = find(ring, id);

    return e && purpose >= 0 && purpose < EH_PURPOSE_COUNT ? e->keys[purpose] : NULL;
}

int eh_keyring_ids(const eh_keyring_t *ring, apr_uint32_t *ids, int max)
{
    int i, n = 0;

    if (n < max) ids[n++] = ring->entries[ring->current].id;
    for (i = 0; i < ring->n && n < max; i++) {
        if (i != ring->current) ids[n++] = ring->entries[i].id;
    }
    return n;
}

apr_time_t eh_keyring_created(const eh_keyring_t *ring, apr_uint32_t id)
{
    const entry_t *e = find(ring, id);

    return e ? e->created : 0;
}

const char *eh_keyring_hash(const eh_keyring_t *ring, apr_uint32_t id, eh_purpose_e purpose, const char *label,
                            const char *value, apr_pool_t *p)
{
    /* New keys go on top of the file, so the oldest is the last. */
    const unsigned char *key = eh_keyring_key(ring, id ? id : ring->entries[ring->n - 1].id, purpose);
    unsigned char mac[EH_SHA256_LEN];
    apr_size_t label_len = strlen(label), value_len = strlen(value), len = label_len + 1 + value_len;
    char *text;
    apr_status_t rv;

    if (!key) return NULL;
    text = apr_palloc(p, len);
    memcpy(text, label, label_len);
    text[label_len] = 0x1f;
    memcpy(text + label_len + 1, value, value_len);
    rv = eh_hmac_sha256(mac, key, EH_KEY_LEN, text, len);
    OPENSSL_cleanse(text, len); /* the value is an identity */
    return rv ? NULL : eh_b64url(p, mac, sizeof(mac));
}
