/* SPDX-License-Identifier: Apache-2.0 */
#include "ehealth/keys.h"
#include "ehealth/provider.h"

static apr_status_t load(eh_keyring_t **pring, const char *where, eh_err_t *err, apr_pool_t *p)
{
    char *text;
    apr_size_t len;
    apr_status_t rv = eh_secret_file_load(&text, &len, where, EH_KEY_FILE_MAX, EH_E_KEY_FILE, err, p);

    return rv != APR_SUCCESS ? rv : eh_keyring_parse(pring, text, len, err, p);
}

static const eh_keys_provider_t vtable = {load};

EH_PROVIDER(keys, file, "0", &vtable);
