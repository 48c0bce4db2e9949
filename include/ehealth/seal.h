/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Sealing: AES-256-GCM with key id and associated data.
 * Format, before base64url: version 0x01 | key id, 4 bytes big-endian | nonce 12 | ciphertext | tag 16.
 * version and key id are part of the associated data. AAD must name where the value belongs (table, column, row …), so
 * that a ciphertext moved elsewhere does not open. At most 2^32 seals per key and purpose (NIST SP 800-38D §8.3).
 */
#ifndef EHEALTH_SEAL_H
#define EHEALTH_SEAL_H

#include "ehealth/keyring.h"

#define EH_SEAL_OVERHEAD (1 + 4 + 12 + 16)
#define EH_SEAL_MAX (16 * 1024 * 1024) /* bytes of plain text in one value; larger ones: LIMIT */

/** Seals under the current key. *ptoken: base64url text in p. */
apr_status_t eh_seal(const char **ptoken, const eh_keyring_t *ring, eh_purpose_e purpose, const char *aad,
                     const void *plain, apr_size_t len, eh_err_t *err, apr_pool_t *p);

/** Opens. *pplain is NUL-terminated in p (len does not count it) and cleansed with p. KEY_UNKNOWN or SEAL on failure. */
apr_status_t eh_unseal(const char **pplain, apr_size_t *plen, const eh_keyring_t *ring, eh_purpose_e purpose,
                       const char *aad, const char *token, eh_err_t *err, apr_pool_t *p);

/**
 * The same with a second secret mixed in (a session ticket): key = HKDF-SHA-256(ikm = ring key, salt = secret, info =
 * "ehealth/1/mixed"). Without the secret a stolen database and key file do not open it.
 */
apr_status_t eh_seal_with(const char **ptoken, const eh_keyring_t *ring, eh_purpose_e purpose,
                          const unsigned char *secret, apr_size_t secret_len, const char *aad, const void *plain,
                          apr_size_t len, eh_err_t *err, apr_pool_t *p);
apr_status_t eh_unseal_with(const char **pplain, apr_size_t *plen, const eh_keyring_t *ring, eh_purpose_e purpose,
                            const unsigned char *secret, apr_size_t secret_len, const char *aad, const char *token,
                            eh_err_t *err, apr_pool_t *p);

#endif
