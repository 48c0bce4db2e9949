/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The server's keys: several 256-bit master keys with ids, the first of them current. Purpose keys are derived with
 * HKDF-SHA-256 (info = "ehealth/1/" purpose) and cached in the ring, so nothing is derived on a hot path.
 *
 * Key file format (modules/io/keys_file.c), one key a line, '#' comments:
 *     <id: 1–4294967295> <base64url of 32 bytes> [created=YYYY-MM-DD] [retired]
 * The first line that is not retired is current: it seals; all open. Rotation: put a new line on top (`ehctl keys rotate`)
 * and reload gracefully; remove an old one when nothing is sealed under it.
 */
#ifndef EHEALTH_KEYRING_H
#define EHEALTH_KEYRING_H

#include <apr_pools.h>
#include <apr_time.h>

#include "ehealth/err.h"

#define EH_KEY_LEN 32
#define EH_KEYRING_MAX 64 /* keys in a ring */

/** Purposes have a key of their own. Add at the end; the names are part of the stored format. */
typedef enum {
    EH_PURPOSE_STATE,    /* "state": log-in state tokens */
    EH_PURPOSE_PKCE,     /* "pkce": verifier derivation */
    EH_PURPOSE_INDEX,    /* "index": keyed hashes of database index columns */
    EH_PURPOSE_SESSION,  /* "session": claims and tokens of sessions */
    EH_PURPOSE_AUDIT,    /* "audit": chain of the audit table */
    EH_PURPOSE_LOGID,    /* "logid": pseudonyms in logs */
    EH_PURPOSE_CSRF,     /* "csrf": form tokens */
    EH_PURPOSE_GRANT,    /* "grant": persons of eh_grant, for those who list them */
    EH_PURPOSE_COUNT
} eh_purpose_e;

typedef struct eh_keyring_t eh_keyring_t;

/** Parses a key file's text. Errors (KEY_FILE) name the line, never its content. The ring is immutable; its keys are
 *  cleansed when p is destroyed. */
apr_status_t eh_keyring_parse(eh_keyring_t **pring, const char *text, apr_size_t len, eh_err_t *err, apr_pool_t *p);

/** The key that seals now: its id, and the 32 bytes of a purpose (owned by the ring). */
apr_uint32_t eh_keyring_current(const eh_keyring_t *ring);

/** NULL when the id is unknown. */
const unsigned char *eh_keyring_key(const eh_keyring_t *ring, apr_uint32_t id, eh_purpose_e purpose);

/** Ids in file order, current first. */
int eh_keyring_ids(const eh_keyring_t *ring, apr_uint32_t *ids, int max);

/** Date of the key's creation, 0 when the file does not say. */
apr_time_t eh_keyring_created(const eh_keyring_t *ring, apr_uint32_t id);

/**
 * Keyed hash for index columns and log pseudonyms: base64url(HMAC-SHA-256(key, label 0x1f value)) in p, 43 characters.
 * @param id 0 = the OLDEST key of the ring, so that an index stays stable over rotations until that key is removed.
 */
const char *eh_keyring_hash(const eh_keyring_t *ring, apr_uint32_t id, eh_purpose_e purpose, const char *label,
                            const char *value, apr_pool_t *p);

/** Label of a person ("rpps:…", "ssin:…") in that hash. With EH_PURPOSE_INDEX: columns person_h of eh_session and eh_grant.
 *  With EH_PURPOSE_LOGID: the pseudonym in logs and audit (eh_principal_t.log_id). Both with id 0. */
#define EH_LABEL_PERSON "person"

#endif
