/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Where keys and secrets come from. Key sources are providers of group "keys" (EH_PROVIDER(keys, file, …)); a source is
 * written "provider:rest" or, for files, simply as an absolute path.
 */
#ifndef EHEALTH_KEYS_H
#define EHEALTH_KEYS_H

#include "ehealth/err.h"
#include "ehealth/keyring.h"

#define EH_KEY_FILE_MAX (64 * 1024) /* bytes */
#define EH_SECRET_MAX 4096          /* bytes of a client secret */

/** A key source. load: where is the part after "provider:". Errors: KEY_FILE with a detail that says how to mend it. */
typedef struct eh_keys_provider_t {
    apr_status_t (*load)(eh_keyring_t **pring, const char *where, eh_err_t *err, apr_pool_t *p);
} eh_keys_provider_t;

/**
 * Loads the server's keys. Read once at start, as root: the ring lives as long as p and is inherited over fork.
 * Errors: KEY_FILE (unknown source, missing, unsafe permissions, bad content; a detail in words).
 */
apr_status_t eh_keys_load(eh_keyring_t **pring, const char *source, eh_err_t *err, apr_pool_t *p);

/**
 * Opens a file that must stay secret and reads it whole into wiped memory of p, NUL-terminated.
 * Refused: not a regular file, empty, larger than max, readable or writable by others, writable by the group, in a folder
 * that others may write to (unless sticky and the file's owner is root or us). Symbolic links are followed; the checks
 * apply to the target's own folder and file. code: KEY_FILE or CONFIG, whichever the caller reports under.
 */
apr_status_t eh_secret_file_load(char **ptext, apr_size_t *plen, const char *path, apr_size_t max, eh_code_e code,
                                 eh_err_t *err, apr_pool_t *p);

/**
 * A secret as configuration writes it: "file:/path", or the literal itself. Surrounding line ends and blanks are trimmed
 * in files; anything but printable ASCII (0x21–0x7e, inner blanks allowed) is refused with the position, because a
 * pasted invisible character otherwise shows up only as "invalid_client" months later.
 * @param psecret in wiped memory of p. Errors: CONFIG, with a detail that never shows the secret.
 */
apr_status_t eh_secret_file_read(const char **psecret, const char *source, eh_err_t *err, apr_pool_t *p);

#endif
