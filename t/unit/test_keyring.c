/* SPDX-License-Identifier: Apache-2.0 */
#include "eh_test.h"

#include "ehealth/codec.h"
#include "ehealth/keyring.h"

/* Bytes 0…31, 32…63 and 64…95. */
#define K1 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
#define K2 "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8"
#define K3 "QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8"

static eh_keyring_t *ring_of(const char *text)
{
    eh_keyring_t *ring = NULL;

    ck_assert_rv_ok(eh_keyring_parse(&ring, text, strlen(text), eh_test_new_err(), eh_test_pool));
    return ring;
}

/* HKDF-SHA-256(K1, no salt, "ehealth/1/" purpose), computed with python3-cryptography. Part of the stored format. */
static const char *const k1_purposes[EH_PURPOSE_COUNT] = {
    [EH_PURPOSE_STATE] = "a8454c703649ca5d6b430cf33c5d90000236e4bb28e9cee426d8e05172e984e2",
    [EH_PURPOSE_PKCE] = "fc1fe1640c197a47bbdec2c7fdb07dc18f187c3eb74b832455294482b1401f6c",
    [EH_PURPOSE_INDEX] = "73e78937619d022f1bf1d30d3318ea217457cdecb44e6e862631d2b5a7f54f64",
    [EH_PURPOSE_SESSION] = "16fc08b368eccb7827dbdac54c492127adebb01a3f569f774f3fd2c80fb5b5d4",
    [EH_PURPOSE_AUDIT] = "683a2fa9cf7515ed1a8ff055454e4f91cdb3f5ac74c69451ea586f01fbd0d8c1",
    [EH_PURPOSE_LOGID] = "edf91975ae58941c70e68e12f04e5cb745cfd10ceb0ee62859367ea136cf6678",
    [EH_PURPOSE_CSRF] = "aa1ba134a8d5431c1a0316077fd975de3c5043743acaaaed3775907fdaea2212",
    [EH_PURPOSE_GRANT] = "f11b0084ca1a5ecb54a66a589e297e751f92673099e266eb8f6ad72e949918da",
};

START_TEST(purposes)
{
    eh_keyring_t *ring = ring_of("1 " K1 "\n");

    ck_assert_ptr_nonnull(k1_purposes[_i]);
    ck_assert_str_eq(eh_hex(eh_test_pool, eh_keyring_key(ring, 1, _i), EH_KEY_LEN), k1_purposes[_i]);
}
END_TEST

START_TEST(rotation)
{
    eh_keyring_t *ring = ring_of("# keys of this server\r\n\n"
                                 "4294967294 " K3 " retired created=2026-01-02\n"
                                 "\t2  " K2 "\tcreated=2026-11-22 # the current one\r\n"
                                 "1 " K1);
    apr_uint32_t ids[EH_KEYRING_MAX];

    ck_assert_uint_eq(eh_keyring_current(ring), 2);
    ck_assert_int_eq(eh_keyring_ids(ring, ids, EH_KEYRING_MAX), 3);
    ck_assert_uint_eq(ids[0], 2);
    ck_assert_uint_eq(ids[1], 4294967294u);
    ck_assert_uint_eq(ids[2], 1);
    ck_assert_int_eq(eh_keyring_ids(ring, ids, 2), 2);
    ck_assert_int_eq(eh_keyring_ids(ring, ids, 0), 0);
    ck_assert_int_eq(eh_keyring_created(ring, 2), 1795305600000000); /* date -u -d 2026-11-22 +%s */
    ck_assert_int_eq(eh_keyring_created(ring, 4294967294u), 1767312000000000);
    ck_assert_int_eq(eh_keyring_created(ring, 1), 0);
    ck_assert_int_eq(eh_keyring_created(ring, 77), 0);
    ck_assert_str_eq(eh_hex(eh_test_pool, eh_keyring_key(ring, 2, EH_PURPOSE_INDEX), EH_KEY_LEN),
                     "5e57899fb585cdd3c5316c89a56ffe04c697f2e1c76e02d1a8f0377dbfec71c9");
    ck_assert_ptr_null(eh_keyring_key(ring, 3, EH_PURPOSE_INDEX));
    ck_assert_ptr_null(eh_keyring_key(ring, 0, EH_PURPOSE_INDEX));
    ck_assert_ptr_null(eh_keyring_key(ring, 1, EH_PURPOSE_COUNT));
}
END_TEST

/* base64url(HMAC-SHA-256(purpose key, "sub" 0x1f "subject-1")), computed with python3. */
START_TEST(hash)
{
    eh_keyring_t *ring = ring_of("2 " K2 "\n1 " K1 " retired\n");

    ck_assert_str_eq(eh_keyring_hash(ring, 1, EH_PURPOSE_INDEX, "sub", "subject-1", eh_test_pool),
                     "fTaDmWdzDYwjTfuWkrzbjuSfU2iIOxUwBn3VC8CFOHg");
    ck_assert_str_eq(eh_keyring_hash(ring, 2, EH_PURPOSE_INDEX, "sub", "subject-1", eh_test_pool),
                     "aA9bvn42MtxqDPRV_oPRf1QY4ppNxddhGmNP8dTBj0M");
    ck_assert_str_eq(eh_keyring_hash(ring, 1, EH_PURPOSE_LOGID, "sub", "subject-1", eh_test_pool),
                     "Zwv4TwJB8RYqni0bZUchooaG4eafjlIjmqykMh1x-Io");
    /* 0: the oldest, at the bottom of the file, retired or not */
    ck_assert_str_eq(eh_keyring_hash(ring, 0, EH_PURPOSE_INDEX, "sub", "subject-1", eh_test_pool),
                     "fTaDmWdzDYwjTfuWkrzbjuSfU2iIOxUwBn3VC8CFOHg");
    ck_assert_str_ne(eh_keyring_hash(ring, 1, EH_PURPOSE_INDEX, "su", "bsubject-1", eh_test_pool),
                     "fTaDmWdzDYwjTfuWkrzbjuSfU2iIOxUwBn3VC8CFOHg");
    ck_assert_ptr_null(eh_keyring_hash(ring, 9, EH_PURPOSE_INDEX, "sub", "subject-1", eh_test_pool));
}
END_TEST

/* Text, and what the error must name. */
static const char *const bad[][2] = {
    {"", "no key"},
    {"# only a comment\n\n", "no key"},
    {"1 " K1 " retired\n", "retired"},
    {"0 " K1 "\n", "line 1"},
    {"01 " K1 "\n", "line 1"},
    {"+1 " K1 "\n", "line 1"},
    {"-1 " K1 "\n", "line 1"},
    {"4294967296 " K1 "\n", "line 1"},
    {"99999999999999999999 " K1 "\n", "line 1"},
    {"1x " K1 "\n", "line 1"},
    {"key " K1 "\n", "line 1"},
    {"\n\n1\n", "line 3"},
    {"1 # " K1 "\n", "line 1"},
    {"1 " K1 "=\n", "line 1"},
    {"1 " K1 "A\n", "line 1"},
    {"1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh\n", "line 1"},
    {"1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh+\n", "line 1"},
    {"1 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n", "line 1"},
    {"1 " K1 " current\n", "line 1"},
    {"1 " K1 " Retired\n", "line 1"},
    {"1 " K1 "\n2 " K2 " retired retired\n", "line 2"},
    {"1 " K1 " created=2026-11-31\n", "line 1"},
    {"1 " K1 " created=22/11/2026\n", "line 1"},
    {"1 " K1 " created=\n", "line 1"},
    {"1 " K1 " created=2026-11-22T10:00:00Z\n", "line 1"},
    {"1 " K1 "\n# again\n1 " K2 "\n", "line 3"},
    {"1 " K1 "\n2 " K1 "\n", "line 2"},
    {"1 " K1 "\n2 " K1 " retired\n", "line 2"},
};

START_TEST(refused)
{
    eh_keyring_t *ring;

    ck_assert_int_ne(eh_keyring_parse(&ring, bad[_i][0], strlen(bad[_i][0]), &eh_test_err, eh_test_pool), APR_SUCCESS);
    ck_assert_int_eq(eh_test_err.code, EH_E_KEY_FILE);
    ck_assert_msg(strstr(eh_test_err.cause, bad[_i][1]) != NULL, "row %d: %s", _i, eh_test_err.cause);
    /* Never the content: not of the key, not of what stands beside it. */
    ck_assert_ptr_null(strstr(eh_test_err.cause, "AAECAwQF"));
    ck_assert(!eh_test_err.detail || !strstr(eh_test_err.detail, "AAECAwQF"));
}
END_TEST

START_TEST(nul_refused)
{
    eh_keyring_t *ring;

    ck_assert_int_ne(eh_keyring_parse(&ring, "1 " K1 "\n\0", 47, &eh_test_err, eh_test_pool), APR_SUCCESS);
    ck_assert_int_eq(eh_test_err.code, EH_E_KEY_FILE);
}
END_TEST

START_TEST(at_most_64)
{
    unsigned char key[EH_KEY_LEN] = {1, 2, 3};
    char *text = apr_pstrdup(eh_test_pool, "");
    eh_keyring_t *ring;
    apr_uint32_t ids[EH_KEYRING_MAX + 1];
    int i;

    for (i = 1; i <= EH_KEYRING_MAX; i++) {
        key[31] = (unsigned char)i;
        text = apr_psprintf(eh_test_pool, "%s%d %s\n", text, i, eh_b64url(eh_test_pool, key, sizeof(key)));
    }
    ring = ring_of(apr_pstrcat(eh_test_pool, text, "# end\n", NULL));
    ck_assert_int_eq(eh_keyring_ids(ring, ids, EH_KEYRING_MAX + 1), EH_KEYRING_MAX);
    text = apr_pstrcat(eh_test_pool, text, "65 " K2 "\n", NULL);
    ck_assert_int_ne(eh_keyring_parse(&ring, text, strlen(text), eh_test_new_err(), eh_test_pool), APR_SUCCESS);
    ck_assert_int_eq(eh_test_err.code, EH_E_KEY_FILE);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("keyring");
    TCase *tc = eh_test_case(s, "keyring");

    tcase_add_loop_test(tc, purposes, 0, EH_PURPOSE_COUNT);
    tcase_add_test(tc, rotation);
    tcase_add_test(tc, hash);
    tcase_add_loop_test(tc, refused, 0, (int)(sizeof(bad) / sizeof(bad[0])));
    tcase_add_test(tc, nul_refused);
    tcase_add_test(tc, at_most_64);
    return eh_test_main(s);
}
