/* SPDX-License-Identifier: Apache-2.0 */
#include "ehealth/codec.h"

#include <string.h>

static const char alphabet_url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char alphabet_std[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static char *b64_encode(apr_pool_t *p, const unsigned char *in, apr_size_t len, const char *alphabet, int pad)
{
    char *out = apr_palloc(p, (len + 2) / 3 * 4 + 1), *o = out;
    apr_size_t i;

    for (i = 0; i + 2 < len; i += 3) {
        *o++ = alphabet[in[i] >> 2];
        *o++ = alphabet[(in[i] & 0x03) << 4 | in[i + 1] >> 4];
        *o++ = alphabet[(in[i + 1] & 0x0f) << 2 | in[i + 2] >> 6];
        *o++ = alphabet[in[i + 2] & 0x3f];
    }
    if (len - i == 1) {
        *o++ = alphabet[in[i] >> 2];
        *o++ = alphabet[(in[i] & 0x03) << 4];
        if (pad) *o++ = '=', *o++ = '=';
    } else if (len - i == 2) {
        *o++ = alphabet[in[i] >> 2];
        *o++ = alphabet[(in[i] & 0x03) << 4 | in[i + 1] >> 4];
        *o++ = alphabet[(in[i + 1] & 0x0f) << 2];
        if (pad) *o++ = '=';
    }
    *o = '\0';
    return out;
}

char *eh_b64url(apr_pool_t *p, const void *data, apr_size_t len) { return b64_encode(p, data, len, alphabet_url, 0); }

char *eh_b64(apr_pool_t *p, const void *data, apr_size_t len) { return b64_encode(p, data, len, alphabet_std, 1); }

static int b64url_value(unsigned char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '-') return 62;
    if (c == '_') return 63;
    return -1;
}

apr_status_t eh_b64url_decode(unsigned char **pout, apr_size_t *plen, const char *s, apr_size_t len, apr_pool_t *p)
{
    unsigned char *out, *o;
    unsigned acc = 0;
    int bits = 0;
    apr_size_t i;

    if (len % 4 == 1) return APR_EINVAL;
    o = out = apr_palloc(p, len / 4 * 3 + 3);
    for (i = 0; i < len; i++) {
        int v = b64url_value((unsigned char)s[i]);

        if (v < 0) return APR_EINVAL;
        acc = (acc << 6 | (unsigned)v) & 0xfff;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            *o++ = (unsigned char)(acc >> bits);
        }
    }
    /* Left-over bits that are set make a second spelling of the same bytes: replay filters would not see them as one. */
    if (acc & ((1u << bits) - 1)) return APR_EINVAL;
    *o = '\0';
    *pout = out;
    *plen = (apr_size_t)(o - out);
    return APR_SUCCESS;
}

char *eh_hex(apr_pool_t *p, const void *data, apr_size_t len)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *in = data;
    char *out = apr_palloc(p, len * 2 + 1), *o = out;
    apr_size_t i;

    for (i = 0; i < len; i++) {
        *o++ = digits[in[i] >> 4];
        *o++ = digits[in[i] & 0x0f];
    }
    *o = '\0';
    return out;
}
