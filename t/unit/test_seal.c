/* SPDX-License-Identifier: Apache-2.0 */
#include "eh_test.h"

#include "ehealth/codec.h"
#include "ehealth/seal.h"

/* Bytes 0…31, 32…63. */
#define K1 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
#define K2 "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8"
#define AAD "sessions/claims/42"
#define TICKET ((const unsigned char *)"ticket-secret-32-bytes-long.....")

static eh_keyring_t *ring_of(const char *text)
{
    eh_keyring_t *ring = NULL;

    ck_assert_rv_ok(eh_keyring_parse(&ring, text, strlen(text), eh_test_new_err(), eh_test_pool));
    return ring;
}

static const char *seal(const eh_keyring_t *ring, const char *text)
{
    const char *token = NULL;

    ck_assert_rv_ok(
        eh_seal(&token, ring, EH_PURPOSE_SESSION, AAD, text, strlen(text), eh_test_new_err(), eh_test_pool));
    return token;
}

static apr_status_t unseal(const char **plain, apr_size_t *len, const eh_keyring_t *ring, const char *token)
{
    return eh_unseal(plain, len, ring, EH_PURPOSE_SESSION, AAD, token, eh_test_new_err(), eh_test_pool);
}

/* Sealed by python3-cryptography: "hello" with nonce 100…111, so that the stored format cannot drift. */
START_TEST(format)
{
    eh_keyring_t *ring = ring_of("4294967294 " K2 "\n1 " K1 "\n");
    const char *plain = NULL;
    apr_size_t len = 0;

    ck_assert_rv_ok(unseal(&plain, &len, ring, "AQAAAAFkZWZnaGlqa2xtbm8xSY8AFdBSlDnCtJ-6onR4A9uXhcw"));
    ck_assert_str_eq(plain, "hello");
    ck_assert_uint_eq(len, 5);
    ck_assert_rv_ok(unseal(&plain, &len, ring, "Af____5kZWZnaGlqa2xtbm_FWgXmu6dHcf0hfdrqa_OW957tDnM"));
    ck_assert_str_eq(plain, "hello");
    ck_assert_rv_ok(eh_unseal_with(&plain, &len, ring, EH_PURPOSE_SESSION, TICKET, 32, AAD,
                                   "AQAAAAFkZWZnaGlqa2xtbm_BsnTf1Ba6RMpxH3UBDKaFjHj-REQ", eh_test_new_err(),
                                   eh_test_pool));
    ck_assert_str_eq(plain, "hello");
}
END_TEST

START_TEST(round_trips)
{
    static const apr_size_t sizes[] = {0, 1, 2, 3, 15, 16, 17, 4096, 100000};
    eh_keyring_t *ring = ring_of("7 " K1 "\n");
    apr_size_t len = 99;
    const char *token, *plain;
    unsigned char *raw, *text;
    size_t i;

    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        text = apr_palloc(eh_test_pool, sizes[i] + 1);
        memset(text, (int)i, sizes[i]);
        ck_assert_rv_ok(eh_seal(&token, ring, EH_PURPOSE_STATE, "", text, sizes[i], eh_test_new_err(), eh_test_pool));
        ck_assert_rv_ok(eh_unseal(&plain, &len, ring, EH_PURPOSE_STATE, "", token, eh_test_new_err(), eh_test_pool));
        ck_assert_uint_eq(len, sizes[i]);
        ck_assert_int_eq(memcmp(plain, text, len), 0);
        ck_assert_int_eq(plain[len], '\0');
        ck_assert_rv_ok(eh_b64url_decode(&raw, &len, token, strlen(token), eh_test_pool));
        ck_assert_uint_eq(len, sizes[i] + EH_SEAL_OVERHEAD);
        ck_assert_mem_eq(raw, "\x01\x00\x00\x00\x07", 5);
    }
    ck_assert_str_ne(seal(ring, "same"), seal(ring, "same")); /* a nonce of its own each time */
}
END_TEST

/** Every bit of the token matters, and so does every character. */
START_TEST(any_change_is_seen)
{
    eh_keyring_t *ring = ring_of("1 " K1 "\n");
    const char *token = seal(ring, "secret"), *plain;
    apr_size_t n, len;
    unsigned char *raw;
    apr_size_t bit;

    ck_assert_rv_ok(eh_b64url_decode(&raw, &n, token, strlen(token), eh_test_pool));
    for (bit = 0; bit < n * 8; bit++) {
        raw[bit / 8] ^= (unsigned char)(1 << bit % 8);
        ck_assert_int_ne(unseal(&plain, &len, ring, eh_b64url(eh_test_pool, raw, n)), APR_SUCCESS);
        if (bit >= 8 && bit < 40) {
            ck_assert_int_eq(eh_test_err.code, EH_E_KEY_UNKNOWN);
        } else {
            ck_assert_int_eq(eh_test_err.code, EH_E_SEAL);
        }
        raw[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    for (len = 0; len < n; len++) {
        apr_size_t got;

        ck_assert_int_ne(unseal(&plain, &got, ring, eh_b64url(eh_test_pool, raw, len)), APR_SUCCESS);
        ck_assert_int_eq(eh_test_err.code, EH_E_SEAL);
    }
    ck_assert_int_ne(unseal(&plain, &len, ring, apr_pstrcat(eh_test_pool, token, "=", NULL)), APR_SUCCESS);
    ck_assert_int_ne(unseal(&plain, &len, ring, apr_pstrcat(eh_test_pool, token, "AAAA", NULL)), APR_SUCCESS);
    ck_assert_int_ne(unseal(&plain, &len, ring, apr_pstrcat(eh_test_pool, " ", token, NULL)), APR_SUCCESS);
    ck_assert_rv_ok(unseal(&plain, &len, ring, token));
    ck_assert_str_eq(plain, "secret");
}
END_TEST

START_TEST(bound_to_its_place)
{
    eh_keyring_t *ring = ring_of("1 " K1 "\n"), *other = ring_of("1 " K2 "\n");
    const char *token = seal(ring, "secret"), *plain;
    apr_size_t len;

    ck_assert_int_ne(
        eh_unseal(&plain, &len, ring, EH_PURPOSE_SESSION, "sessions/claims/43", token, eh_test_new_err(), eh_test_pool),
        APR_SUCCESS);
    ck_assert_int_ne(eh_unseal(&plain, &len, ring, EH_PURPOSE_SESSION, "", token, NULL, eh_test_pool), APR_SUCCESS);
    ck_assert_int_ne(eh_unseal(&plain, &len, ring, EH_PURPOSE_STATE, AAD, token, eh_test_new_err(), eh_test_pool),
                     APR_SUCCESS);
    ck_assert_int_eq(eh_test_err.code, EH_E_SEAL);
    ck_assert_int_ne(unseal(&plain, &len, other, token), APR_SUCCESS);
    ck_assert_int_eq(eh_test_err.code, EH_E_SEAL);
}
END_TEST

START_TEST(rotation)
{
    const char *token = seal(ring_of("1 " K1 "\n"), "secret"), *plain = NULL, *newer;
    eh_keyring_t *both = ring_of("2 " K2 "\n1 " K1 " retired\n"), *only_new = ring_of("2 " K2 "\n");
    apr_size_t len;

    ck_assert_rv_ok(unseal(&plain, &len, both, token));
    ck_assert_str_eq(plain, "secret");
    newer = seal(both, "secret");
    ck_assert_rv_ok(unseal(&plain, &len, only_new, newer));
    ck_assert_int_ne(unseal(&plain, &len, only_new, token), APR_SUCCESS);
    ck_assert_int_eq(eh_test_err.code, EH_E_KEY_UNKNOWN);
    ck_assert_ptr_nonnull(strstr(eh_test_err.cause, "key 1 "));
}
END_TEST

START_TEST(second_secret)
{
    eh_keyring_t *ring = ring_of("1 " K1 "\n");
    const char *token = NULL, *plain;
    unsigned char wrong[32];
    apr_size_t len;

    ck_assert_rv_ok(
        eh_seal_with(&token, ring, EH_PURPOSE_SESSION, TICKET, 32, AAD, "s", 1, &eh_test_err, eh_test_pool));
    ck_assert_rv_ok(
        eh_unseal_with(&plain, &len, ring, EH_PURPOSE_SESSION, TICKET, 32, AAD, token, &eh_test_err, eh_test_pool));
    ck_assert_str_eq(plain, "s");
    memcpy(wrong, TICKET, 32);
    wrong[31] ^= 1;
    ck_assert_int_ne(
        eh_unseal_with(&plain, &len, ring, EH_PURPOSE_SESSION, wrong, 32, AAD, token, eh_test_new_err(), eh_test_pool),
        APR_SUCCESS);
    ck_assert_int_eq(eh_test_err.code, EH_E_SEAL);
    ck_assert_int_ne(unseal(&plain, &len, ring, token), APR_SUCCESS); /* the ring alone is not enough */
    ck_assert_int_ne(eh_unseal_with(&plain, &len, ring, EH_PURPOSE_SESSION, TICKET, 32, AAD, seal(ring, "s"),
                                    eh_test_new_err(), eh_test_pool),
                     APR_SUCCESS);
    ck_assert_int_ne(
        eh_seal_with(&token, ring, EH_PURPOSE_SESSION, TICKET, 0, AAD, "s", 1, eh_test_new_err(), eh_test_pool),
        APR_SUCCESS);
    ck_assert_int_eq(eh_test_err.code, EH_E_CRYPTO);
}
END_TEST

START_TEST(too_large)
{
    eh_keyring_t *ring = ring_of("1 " K1 "\n");
    const char *token;

    ck_assert_int_ne(eh_seal(&token, ring, EH_PURPOSE_STATE, AAD, NULL, EH_SEAL_MAX + 1, &eh_test_err, eh_test_pool),
                     APR_SUCCESS);
    ck_assert_int_eq(eh_test_err.code, EH_E_LIMIT);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("seal");
    TCase *tc = eh_test_case(s, "seal");

    tcase_add_test(tc, format);
    tcase_add_test(tc, round_trips);
    tcase_add_test(tc, any_change_is_seen);
    tcase_add_test(tc, bound_to_its_place);
    tcase_add_test(tc, rotation);
    tcase_add_test(tc, second_secret);
    tcase_add_test(tc, too_large);
    return eh_test_main(s);
}
