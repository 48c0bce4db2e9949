/* SPDX-License-Identifier: Apache-2.0 */
#include "eh_test.h"

#include <dlfcn.h>
#include <openssl/err.h>
#include <pthread.h>

#include "ehealth/codec.h"
#include "ehealth/crypto.h"

#define A20 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A131 A20 A20 A20 A20 A20 A20 "aaaaaaaaaaaaaaaaaaaaaa"

static const char *hex_of(const unsigned char *b, apr_size_t len) { return eh_hex(eh_test_pool, b, len); }

START_TEST(sha256)
{
    unsigned char out[EH_SHA256_LEN], *million = apr_palloc(eh_test_pool, 1000000);

    ck_assert_rv_ok(eh_sha256(out, "abc", 3)); /* FIPS 180-4 */
    ck_assert_str_eq(hex_of(out, 32), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    ck_assert_rv_ok(eh_sha256(out, "", 0));
    ck_assert_str_eq(hex_of(out, 32), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    memset(million, 'a', 1000000);
    ck_assert_rv_ok(eh_sha256(out, million, 1000000));
    ck_assert_str_eq(hex_of(out, 32), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}
END_TEST

/* RFC 4231 §4: key, data, HMAC-SHA-256 (case 5 is truncated there to 128 bits). */
static const char *const rfc4231[][3] = {
    {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
     "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
    {"4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
    {A20, "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd",
     "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
    {"0102030405060708090a0b0c0d0e0f10111213141516171819",
     "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
     "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
    {"0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c", "546573742057697468205472756e636174696f6e",
     "a3b6167473100ee06e0c796c2955552b"},
    {A131,
     "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b6579202d2048617368204b6579204669727374",
     "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
    {A131,
     "5468697320697320612074657374207573696e672061206c6172676572207468616e20626c6f636b2d73697a65206b657920616e642061206"
     "c"
     "6172676572207468616e20626c6f636b2d73697a6520646174612e20546865206b6579206e6565647320746f2062652068617368656420626"
     "5"
     "666f7265206265696e6720757365642062792074686520484d414320616c676f726974686d2e",
     "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
};

START_TEST(hmac)
{
    apr_size_t key_len, len;
    unsigned char *key = eh_test_unhex(&key_len, rfc4231[_i][0], eh_test_pool);
    unsigned char *data = eh_test_unhex(&len, rfc4231[_i][1], eh_test_pool), out[EH_SHA256_LEN];

    ck_assert_rv_ok(eh_hmac_sha256(out, key, key_len, data, len));
    ck_assert_str_eq(hex_of(out, strlen(rfc4231[_i][2]) / 2), rfc4231[_i][2]);
}
END_TEST

/* RFC 5869 appendix A.1–A.3: IKM, salt, info, OKM. */
static const char *const rfc5869[][4] = {
    {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9",
     "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
    {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637"
     "38393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
     "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f9091929394959697"
     "98999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
     "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7"
     "e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
     "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8"
     "367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"},
    {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
     "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"},
};

START_TEST(hkdf)
{
    apr_size_t ikm_len, salt_len, info_len, len = strlen(rfc5869[_i][3]) / 2;
    unsigned char *ikm = eh_test_unhex(&ikm_len, rfc5869[_i][0], eh_test_pool);
    unsigned char *salt = eh_test_unhex(&salt_len, rfc5869[_i][1], eh_test_pool);
    char *info = (char *)eh_test_unhex(&info_len, rfc5869[_i][2], eh_test_pool);
    unsigned char *out = apr_palloc(eh_test_pool, len);

    info[info_len] = '\0';
    ck_assert_rv_ok(eh_hkdf_sha256(out, len, ikm, ikm_len, salt, salt_len, info));
    ck_assert_str_eq(hex_of(out, len), rfc5869[_i][3]);
}
END_TEST

START_TEST(hkdf_refuses)
{
    unsigned char key[32] = {1}, *out = apr_palloc(eh_test_pool, 255 * 32 + 1);

    ck_assert_int_ne(eh_hkdf_sha256(out, 32, key, 0, NULL, 0, "x"), APR_SUCCESS);
    ck_assert_int_ne(eh_hkdf_sha256(out, 255 * 32 + 1, key, 32, NULL, 0, "x"), APR_SUCCESS);
    ck_assert_rv_ok(eh_hkdf_sha256(out, 255 * 32, key, 32, NULL, 0, NULL));
    ck_assert_uint_eq(ERR_peek_error(), 0);
}
END_TEST

/* McGrew & Viega, "The Galois/Counter Mode of Operation", test cases 13–16: key, nonce, AAD, plain, cipher, tag. */
#define K15 "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"
#define ZERO32 "0000000000000000000000000000000000000000000000000000000000000000"
static const char *const gcm[][6] = {
    {ZERO32, "000000000000000000000000", "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
    {ZERO32, "000000000000000000000000", "", "00000000000000000000000000000000", "cea7403d4d606b6e074ec5d3baf39d18",
     "d0d1c8a799996bf0265b98b5d48ab919"},
    {K15, "cafebabefacedbaddecaf888", "",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657"
     "ba637b391aafd255",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0a"
     "bcc9f662898015ad",
     "b094dac5d93471bdec1a502270e3cc6c"},
    {K15, "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657"
     "ba637b39",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0a"
     "bcc9f662",
     "76fc6ece0f4e1768cddf8853bb2d551b"},
};

START_TEST(gcm_vectors)
{
    apr_size_t aad_len, len;
    unsigned char *key = eh_test_unhex(NULL, gcm[_i][0], eh_test_pool);
    unsigned char *nonce = eh_test_unhex(NULL, gcm[_i][1], eh_test_pool);
    unsigned char *aad = eh_test_unhex(&aad_len, gcm[_i][2], eh_test_pool);
    unsigned char *plain = eh_test_unhex(&len, gcm[_i][3], eh_test_pool);
    unsigned char *cipher = apr_palloc(eh_test_pool, len + 1), *back = apr_palloc(eh_test_pool, len + 1), tag[16];

    ck_assert_rv_ok(eh_gcm_encrypt(key, nonce, aad, aad_len, plain, len, cipher, tag));
    ck_assert_str_eq(hex_of(cipher, len), gcm[_i][4]);
    ck_assert_str_eq(hex_of(tag, 16), gcm[_i][5]);
    ck_assert_rv_ok(eh_gcm_decrypt(key, nonce, aad, aad_len, cipher, len, back, tag));
    ck_assert_str_eq(hex_of(back, len), gcm[_i][3]);
}
END_TEST

START_TEST(gcm_refuses)
{
    unsigned char key[32] = {1}, nonce[12] = {2}, cipher[100], back[100], zero[100] = {0}, tag[16];
    char plain[100];
    int bit;

    memset(plain, 'p', sizeof(plain));
    ck_assert_rv_ok(eh_gcm_encrypt(key, nonce, "aad", 3, plain, 100, cipher, tag));
    for (bit = 0; bit < 16 * 8; bit++) {
        tag[bit / 8] ^= (unsigned char)(1 << bit % 8);
        memset(back, 0xee, sizeof(back));
        ck_assert_int_ne(eh_gcm_decrypt(key, nonce, "aad", 3, cipher, 100, back, tag), APR_SUCCESS);
        ck_assert_mem_eq(back, zero, 100); /* nothing unauthenticated is left behind */
        tag[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    cipher[50] ^= 1;
    ck_assert_int_ne(eh_gcm_decrypt(key, nonce, "aad", 3, cipher, 100, back, tag), APR_SUCCESS);
    cipher[50] ^= 1;
    ck_assert_int_ne(eh_gcm_decrypt(key, nonce, "aaD", 3, cipher, 100, back, tag), APR_SUCCESS);
    ck_assert_int_ne(eh_gcm_decrypt(key, nonce, "aad", 2, cipher, 100, back, tag), APR_SUCCESS);
    ck_assert_int_ne(eh_gcm_decrypt(key, nonce, "aad", 3, cipher, 99, back, tag), APR_SUCCESS);
    nonce[0] ^= 1;
    ck_assert_int_ne(eh_gcm_decrypt(key, nonce, "aad", 3, cipher, 100, back, tag), APR_SUCCESS);
    nonce[0] ^= 1;
    key[31] ^= 1;
    ck_assert_int_ne(eh_gcm_decrypt(key, nonce, "aad", 3, cipher, 100, back, tag), APR_SUCCESS);
    key[31] ^= 1;
    ck_assert_rv_ok(eh_gcm_decrypt(key, nonce, "aad", 3, cipher, 100, back, tag)); /* the context recovers */
    ck_assert_mem_eq(back, plain, 100);
    ck_assert_uint_eq(ERR_peek_error(), 0);
}
END_TEST

START_TEST(random_bytes)
{
    unsigned char a[64] = {0}, b[64] = {0}, seen[256] = {0};
    unsigned char *many = apr_palloc(eh_test_pool, 16384);
    int i, values = 0;

    ck_assert_rv_ok(eh_random(a, sizeof(a)));
    ck_assert_rv_ok(eh_random(b, sizeof(b)));
    ck_assert_mem_ne(a, b, sizeof(a));
    ck_assert_rv_ok(eh_random(many, 16384));
    for (i = 0; i < 16384; i++)
        values += !seen[many[i]]++;
    ck_assert_int_eq(values, 256); /* fails by chance once in 10^25 */
    ck_assert_rv_ok(eh_random(a, 0));
}
END_TEST

START_TEST(equal)
{
    ck_assert_int_eq(eh_equal("abc", 3, "abc", 3), 1);
    ck_assert_int_eq(eh_equal("abc", 3, "abd", 3), 0);
    ck_assert_int_eq(eh_equal("abc", 3, "ab", 2), 0);
    ck_assert_int_eq(eh_equal("", 0, "", 0), 1);
    ck_assert_int_eq(eh_equal("a\0b", 3, "a\0c", 3), 0);
}
END_TEST

typedef struct {
    const unsigned char *mem;
    unsigned char seen[16];
} peek_t;

static apr_status_t peek(void *data)
{
    peek_t *k = data;

    memcpy(k->seen, k->mem, sizeof(k->seen));
    return APR_SUCCESS;
}

START_TEST(secrets_are_wiped)
{
    static const unsigned char zero[16];
    apr_pool_t *sub;
    peek_t k;
    char *s;

    apr_pool_create(&sub, eh_test_pool);
    apr_pool_cleanup_register(sub, &k, peek, apr_pool_cleanup_null); /* first in, last run: after the wipe */
    s = eh_secret_dup(sub, "0123456789abcdef!", 16);
    ck_assert_str_eq(s, "0123456789abcdef");
    k.mem = (unsigned char *)s;
    memset(k.seen, 1, sizeof(k.seen));
    apr_pool_destroy(sub);
    ck_assert_mem_eq(k.seen, zero, 16);
    ck_assert_ptr_nonnull(eh_secret_alloc(eh_test_pool, 0));
}
END_TEST

static void *hash_a_lot(void *data)
{
    unsigned char key[32], out[32], cipher[32], back[32], tag[16];
    int i;

    memset(key, *(int *)data, 32);
    for (i = 0; i < 2000; i++) {
        if (eh_crypto_init() || eh_sha256(out, key, 32) || eh_hmac_sha256(out, key, 32, out, 32) ||
            eh_gcm_encrypt(key, out, NULL, 0, out, 32, cipher, tag) ||
            eh_gcm_decrypt(key, out, NULL, 0, cipher, 32, back, tag) || memcmp(back, out, 32) != 0)
            return NULL;
    }
    return data;
}

START_TEST(threads)
{
    pthread_t t[8];
    int i, n[8];
    void *result;

    for (i = 0; i < 8; i++) {
        n[i] = i;
        ck_assert_int_eq(pthread_create(&t[i], NULL, hash_a_lot, &n[i]), 0);
    }
    for (i = 0; i < 8; i++) {
        ck_assert_int_eq(pthread_join(t[i], &result), 0);
        ck_assert_ptr_eq(result, &n[i]);
    }
}
END_TEST

START_TEST(init_twice)
{
    ck_assert_rv_ok(eh_crypto_init());
    ck_assert_rv_ok(eh_crypto_init());
}
END_TEST

/* A graceful restart unloads and loads the modules. 1024 thread keys are all a process has; each load must give its back. */
START_TEST(unloads_cleanly)
{
    const char *dir = getenv("EH_BUILDDIR"), *path;
    int i;

    path = apr_pstrcat(eh_test_pool, dir ? dir : ".", "/t/unit/.libs/crypto_probe.so", NULL);
    for (i = 0; i < 1100; i++) {
        void *so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        int (*probe)(void);

        ck_assert_msg(so != NULL, "%s", dlerror());
        probe = (int (*)(void))dlsym(so, "eh_crypto_probe");
        ck_assert_msg(probe && probe() == 0, "load %d", i);
        ck_assert_int_eq(dlclose(so), 0);
        ck_assert_ptr_null(dlopen(path, RTLD_NOW | RTLD_NOLOAD));
    }
}
END_TEST

#define N(a) (int)(sizeof(a) / sizeof((a)[0]))

int main(void)
{
    Suite *s = suite_create("crypto");
    TCase *tc = eh_test_case(s, "vectors");

    tcase_add_test(tc, sha256);
    tcase_add_loop_test(tc, hmac, 0, N(rfc4231));
    tcase_add_loop_test(tc, hkdf, 0, N(rfc5869));
    tcase_add_test(tc, hkdf_refuses);
    tcase_add_loop_test(tc, gcm_vectors, 0, N(gcm));
    tc = eh_test_case(s, "behaviour");
    tcase_add_test(tc, gcm_refuses);
    tcase_add_test(tc, random_bytes);
    tcase_add_test(tc, equal);
    tcase_add_test(tc, secrets_are_wiped);
    tcase_add_test(tc, threads);
    tcase_add_test(tc, init_twice);
    tcase_add_test(tc, unloads_cleanly);
    return eh_test_main(s);
}
