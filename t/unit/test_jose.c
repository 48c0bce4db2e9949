/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors: t/data/jose/rfc.json (RFCs) and attacks.json (made by make_attacks.py with python3-cryptography). */
#include "eh_test.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "ehealth/codec.h"
#include "ehealth/jose.h"
#include "ehealth/json.h"

static json_t *data_json(const char *name)
{
    apr_size_t len;
    char *text = eh_test_data(&len, name, eh_test_pool);
    json_t *j = NULL;

    ck_assert_rv_ok(eh_json_load(&j, text, len, eh_test_new_err(), eh_test_pool));
    return j;
}

static const char *str(const json_t *j, const char *name)
{
    const char *s = eh_json_str(j, name);

    ck_assert_msg(s != NULL, "the data file lacks '%s'", name);
    return s;
}

static eh_jwk_t *key_of(const json_t *jwk)
{
    eh_jwk_t *key = NULL;

    ck_assert_rv_ok(eh_jwk_from_json(&key, jwk, eh_test_new_err(), eh_test_pool));
    return key;
}

static eh_jws_t *split(const char *token)
{
    eh_jws_t *jws = NULL;

    ck_assert_rv_ok(eh_jws_split(&jws, token, strlen(token), eh_test_new_err(), eh_test_pool));
    return jws;
}

/** A JWKS of what is given (a JWK or a set), as text. */
static eh_jwks_t *set_of(const json_t *jwks)
{
    const char *text = eh_json_dump(jwks, 0, eh_test_pool);
    eh_jwks_t *set = NULL;

    ck_assert_rv_ok(eh_jwks_parse(&set, text, strlen(text), eh_test_new_err(), eh_test_pool));
    return set;
}

static int algs_of(const char *text)
{
    char *list = apr_pstrdup(eh_test_pool, text), *name, *state;
    int algs = 0;

    if (strcmp(text, "ALL") == 0) return EH_ALG_ALL;
    for (name = apr_strtok(list, ",", &state); name; name = apr_strtok(NULL, ",", &state)) {
        ck_assert_int_ne(eh_alg_parse(name), EH_ALG_NONE);
        algs |= eh_alg_parse(name);
    }
    return algs;
}

/** Split and verified in one, as callers do it. */
static apr_status_t check_token(const char *token, const eh_jwks_t *set, int allowed)
{
    eh_jws_t *jws;
    apr_status_t rv = eh_jws_split(&jws, token, strlen(token), eh_test_new_err(), eh_test_pool);

    return rv ? rv : eh_jws_verify(jws, set, allowed, &eh_test_err, eh_test_pool);
}

#define RFC_JWS 7
START_TEST(rfc_vectors)
{
    const json_t *all = json_object_get(data_json("jose/rfc.json"), "jws"), *v = json_array_get(all, (size_t)_i);
    eh_jwk_t *key = key_of(json_object_get(v, "key"));
    const char *token = str(v, "compact"), *payload = str(v, "payload"), *again = NULL;
    int alg = eh_alg_parse(str(v, "alg"));
    eh_jws_t *jws = split(token);

    ck_assert_uint_eq(json_array_size(all), RFC_JWS);
    ck_assert_int_eq(jws->alg, alg);
    ck_assert_str_eq(jws->payload, payload);
    ck_assert_rv_ok(eh_jws_verify_key(jws, key, alg, eh_test_new_err(), eh_test_pool));
    ck_assert_int_ne(eh_jws_verify_key(jws, key, EH_ALG_ALL & ~alg, eh_test_new_err(), eh_test_pool), APR_SUCCESS);
    /* Ours over the same payload, by the same key: equal where the scheme is deterministic, valid everywhere. */
    ck_assert_int_eq(eh_jwk_is_private(key), 1);
    ck_assert_rv_ok(eh_jws_sign(&again, key, alg, NULL, payload, strlen(payload), eh_test_new_err(), eh_test_pool));
    if (json_is_true(json_object_get(v, "deterministic"))) ck_assert_str_eq(again, token);
    ck_assert_rv_ok(eh_jws_verify_key(split(again), key, alg, eh_test_new_err(), eh_test_pool));
    if (json_object_get(v, "thumbprint")) ck_assert_str_eq(eh_jwk_thumbprint(key, eh_test_pool), str(v, "thumbprint"));
}
END_TEST

START_TEST(rfc_thumbprints)
{
    const json_t *v;
    size_t i, n = 0;

    json_array_foreach(json_object_get(data_json("jose/rfc.json"), "thumbprint"), i, v)
    {
        ck_assert_str_eq(eh_jwk_thumbprint(key_of(json_object_get(v, "key")), eh_test_pool), str(v, "thumbprint"));
        n++;
    }
    ck_assert_uint_eq(n, 2);
}
END_TEST

START_TEST(rfc7517_sets)
{
    const json_t *sets = json_object_get(data_json("jose/rfc.json"), "jwks");
    eh_jwks_t *set = set_of(json_object_get(sets, "RFC 7517 A.1"));
    const char *text;

    ck_assert_int_eq(eh_jwks_count(set), 1); /* the EC key is for encryption */
    ck_assert_str_eq(eh_jwk_kid(eh_jwks_at(set, 0)), "2011-04-29");
    ck_assert_int_eq(eh_jwk_algs(eh_jwks_at(set, 0)), EH_RS256);
    ck_assert_int_eq(eh_jwks_has(set, "2011-04-29"), 1);
    ck_assert_int_eq(eh_jwks_has(set, "1"), 0);
    ck_assert_int_eq(eh_jwks_has(set, NULL), 1);
    ck_assert_ptr_null(eh_jwks_at(set, 1));
    ck_assert_ptr_null(eh_jwks_at(set, -1));
    set = set_of(json_object_get(sets, "RFC 7517 B"));
    ck_assert_str_eq(eh_jwk_kid(eh_jwks_at(set, 0)), "1b94c");
    /* A.2 is private keys: as a published set it proves nothing. A.3 is symmetric. */
    text = eh_json_dump(json_object_get(sets, "RFC 7517 A.2"), 0, eh_test_pool);
    ck_assert_int_ne(eh_jwks_parse(&set, text, strlen(text), eh_test_new_err(), eh_test_pool), APR_SUCCESS);
    ck_assert_int_eq(eh_test_err.code, EH_E_JWK);
    ck_assert_ptr_nonnull(strstr(eh_test_err.cause, "private key"));
    text = eh_json_dump(json_object_get(sets, "RFC 7517 A.3"), 0, eh_test_pool);
    ck_assert_int_ne(eh_jwks_parse(&set, text, strlen(text), eh_test_new_err(), eh_test_pool), APR_SUCCESS);
    ck_assert_int_eq(
        eh_jwk_is_private(key_of(json_array_get(json_object_get(json_object_get(sets, "RFC 7517 A.2"), "keys"), 1))),
        1);
}
END_TEST

START_TEST(token_cases)
{
    const json_t *data = data_json("jose/attacks.json"), *v, *jwks;
    eh_jwks_t *set = set_of(json_object_get(data, "set")), *own;
    size_t i, good = 0, bad = 0;

    json_array_foreach(json_object_get(data, "tokens"), i, v)
    {
        const char *expect = str(v, "expect"), *name = str(v, "name");
        apr_status_t rv;

        jwks = json_object_get(v, "jwks");
        own = jwks ? set_of(jwks) : set;
        rv = check_token(str(v, "token"), own, algs_of(str(v, "allowed")));
        if (strcmp(expect, "ok") == 0) {
            ck_assert_msg(rv == APR_SUCCESS, "%s: refused: %s", name, eh_test_err.cause);
            good++;
            continue;
        }
        ck_assert_msg(rv != APR_SUCCESS, "%s: accepted", name);
        if (strcmp(expect, "ENOENT") == 0) {
            ck_assert_msg(rv == APR_ENOENT && eh_test_err.code == EH_E_JWK, "%s: %d, EH%d", name, rv, eh_test_err.code);
        } else {
            ck_assert_msg(rv != APR_ENOENT && eh_test_err.code == EH_E_JWS, "%s: %d, EH%d", name, rv, eh_test_err.code);
        }
        bad++;
    }
    ck_assert_uint_eq(ERR_peek_error(), 0);
    ck_assert_uint_ge(good, 20);
    ck_assert_uint_ge(bad, 140);
}
END_TEST

START_TEST(log_lines_are_safe)
{
    static const char *const cases[][2] = {
        {"HS256", "'HS256'"}, {"a\\nforged line", "'?'"}, {"aaaaaaaaaaaaaaaaa", "'?'"}};
    eh_jwks_t *set = set_of(json_object_get(data_json("jose/attacks.json"), "set"));
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *header = apr_psprintf(eh_test_pool, "{\"alg\":\"%s\"}", cases[i][0]);
        const char *token =
            apr_pstrcat(eh_test_pool, eh_b64url(eh_test_pool, header, strlen(header)), ".e30.AAAA", NULL);

        ck_assert_int_ne(check_token(token, set, EH_ALG_ALL), APR_SUCCESS);
        ck_assert_ptr_nonnull(strstr(eh_test_err.cause, cases[i][1]));
        ck_assert_ptr_null(strstr(eh_test_err.cause, "forged"));
    }
}
END_TEST

START_TEST(key_cases)
{
    const json_t *v;
    size_t i, good = 0, bad = 0;

    json_array_foreach(json_object_get(data_json("jose/attacks.json"), "keys"), i, v)
    {
        const char *expect = str(v, "expect"), *name = str(v, "name");
        eh_jwk_t *key = NULL;
        apr_status_t rv = eh_jwk_from_json(&key, json_object_get(v, "jwk"), eh_test_new_err(), eh_test_pool);

        if (strcmp(expect, "ok") == 0) {
            ck_assert_msg(rv == APR_SUCCESS, "%s: refused: %s", name, eh_test_err.cause);
            ck_assert_msg(eh_jwk_algs(key) == algs_of(str(v, "algs")), "%s: algs %x", name, eh_jwk_algs(key));
            good++;
        } else {
            ck_assert_msg(rv != APR_SUCCESS, "%s: accepted", name);
            ck_assert_int_eq(eh_test_err.code, EH_E_JWK);
            ck_assert_msg(strstr(eh_test_err.cause, expect) != NULL, "%s: %s", name, eh_test_err.cause);
            bad++;
        }
    }
    ck_assert_uint_eq(ERR_peek_error(), 0);
    ck_assert_uint_ge(good, 20);
    ck_assert_uint_ge(bad, 80);
}
END_TEST

static eh_jwk_t *rfc_key(int i)
{
    return key_of(
        json_object_get(json_array_get(json_object_get(data_json("jose/rfc.json"), "jws"), (size_t)i), "key"));
}

/** Every single bit of an ECDSA and an EdDSA signature counts. */
START_TEST(signature_bits)
{
    static const int rows[] = {1, 3};
    eh_jwk_t *key = rfc_key(rows[_i]);
    eh_jws_t *jws =
        split(str(json_array_get(json_object_get(data_json("jose/rfc.json"), "jws"), (size_t)rows[_i]), "compact"));
    unsigned char *sig = (unsigned char *)jws->signature;
    apr_size_t bit;

    ck_assert_uint_eq(jws->signature_len, 64);
    for (bit = 0; bit < jws->signature_len * 8; bit++) {
        sig[bit / 8] ^= (unsigned char)(1 << bit % 8);
        ck_assert_int_ne(eh_jws_verify_key(jws, key, EH_ALG_ALL, NULL, eh_test_pool), APR_SUCCESS);
        sig[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    ck_assert_rv_ok(eh_jws_verify_key(jws, key, EH_ALG_ALL, eh_test_new_err(), eh_test_pool));
}
END_TEST

START_TEST(algorithm_names)
{
    static const char *const names[] = {"RS256", "RS384", "RS512", "PS256", "PS384",
                                        "PS512", "ES256", "ES384", "ES512", "EdDSA"};
    static const char *const none[] = {"",       "none",   "None", "HS256", "HS384",    "HS512", "rs256",
                                       "RS256 ", "ES256K", "RS1",  "Ed448", "RSA-OAEP", "dir"};
    int i, all = 0;

    for (i = 0; i < 10; i++) {
        ck_assert_int_eq(eh_alg_parse(names[i]), 1 << i);
        ck_assert_str_eq(eh_alg_name(1 << i), names[i]);
        all |= 1 << i;
    }
    ck_assert_int_eq(all, EH_ALG_ALL);
    ck_assert_int_eq(eh_alg_parse("Ed25519"), EH_EDDSA);
    for (i = 0; i < (int)(sizeof(none) / sizeof(none[0])); i++)
        ck_assert_msg(eh_alg_parse(none[i]) == EH_ALG_NONE, "%s", none[i]);
    ck_assert_ptr_null(eh_alg_name(EH_ALG_NONE));
    ck_assert_ptr_null(eh_alg_name(EH_RS256 | EH_ES256));
}
END_TEST

static EVP_PKEY *generate(const char *what)
{
    EVP_PKEY *pkey = strncmp(what, "RSA", 3) == 0   ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)atoi(what + 3))
                     : strcmp(what, "ED25519") == 0 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
                     : strcmp(what, "X25519") == 0  ? EVP_PKEY_Q_keygen(NULL, NULL, "X25519")
                                                    : EVP_PKEY_Q_keygen(NULL, NULL, "EC", what);

    ck_assert_ptr_nonnull(pkey);
    return pkey;
}

static const char *bio_text(BIO *bio)
{
    char *data, *copy;
    long len = BIO_get_mem_data(bio, &data);

    copy = apr_pstrmemdup(eh_test_pool, data, (apr_size_t)len);
    BIO_free(bio);
    return copy;
}

static const char *private_pem(EVP_PKEY *pkey, const char *pass)
{
    BIO *bio = BIO_new(BIO_s_mem());

    ck_assert_int_eq(PEM_write_bio_PKCS8PrivateKey(bio, pkey, pass ? EVP_aes_256_cbc() : NULL, pass,
                                                   pass ? (int)strlen(pass) : 0, NULL, NULL),
                     1);
    return bio_text(bio);
}

static const char *public_pem(EVP_PKEY *pkey)
{
    BIO *bio = BIO_new(BIO_s_mem());

    ck_assert_int_eq(PEM_write_bio_PUBKEY(bio, pkey), 1);
    return bio_text(bio);
}

static const char *certificate_pem(EVP_PKEY *pkey)
{
    BIO *bio = BIO_new(BIO_s_mem());
    X509 *cert = X509_new();
    X509_NAME *name = X509_get_subject_name(cert);

    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)"test", -1, -1, 0);
    X509_set_issuer_name(cert, name);
    X509_set_pubkey(cert, pkey);
    ck_assert_int_gt(X509_sign(cert, pkey, EVP_sha256()), 0);
    ck_assert_int_eq(PEM_write_bio_X509(bio, cert), 1);
    X509_free(cert);
    return bio_text(bio);
}

static eh_jwk_t *pem_key(const char *pem, const char *kid)
{
    eh_jwk_t *key = NULL;

    ck_assert_rv_ok(eh_jwk_from_pem(&key, pem, strlen(pem), kid, eh_test_new_err(), eh_test_pool));
    return key;
}

static const struct {
    const char *type;
    int algs;
} pem_types[] = {{"RSA2048", EH_RS256 | EH_RS384 | EH_RS512 | EH_PS256 | EH_PS384 | EH_PS512},
                 {"P-256", EH_ES256},
                 {"P-384", EH_ES384},
                 {"P-521", EH_ES512},
                 {"ED25519", EH_EDDSA}};

/** PEM in, sign, public JWK out, verify through a set: the whole way of private_key_jwt. */
START_TEST(pem_round_trip)
{
    EVP_PKEY *pkey = generate(pem_types[_i].type);
    eh_jwk_t *priv = pem_key(private_pem(pkey, NULL), NULL), *pub = pem_key(public_pem(pkey), "named");
    json_t *set = eh_json_own(json_object(), eh_test_pool), *keys = json_array(), *jwk;
    const char *token = NULL;
    int alg;

    ck_assert_int_eq(eh_jwk_is_private(priv), 1);
    ck_assert_int_eq(eh_jwk_is_private(pub), 0);
    ck_assert_int_eq(eh_jwk_algs(priv), pem_types[_i].algs);
    ck_assert_int_eq(eh_jwk_algs(pub), pem_types[_i].algs);
    ck_assert_str_eq(eh_jwk_kid(priv), eh_jwk_thumbprint(priv, eh_test_pool));
    ck_assert_uint_eq(strlen(eh_jwk_kid(priv)), 43);
    ck_assert_str_eq(eh_jwk_kid(pub), "named");
    ck_assert_str_eq(eh_jwk_thumbprint(pub, eh_test_pool), eh_jwk_kid(priv));
    if (pem_types[_i].algs != EH_EDDSA) {
        eh_jwk_t *cert = pem_key(certificate_pem(pkey), NULL);

        ck_assert_str_eq(eh_jwk_kid(cert), eh_jwk_kid(priv));
        ck_assert_int_eq(eh_jwk_is_private(cert), 0);
        /* One file with both, whichever comes first: the private key counts. */
        ck_assert_int_eq(eh_jwk_is_private(pem_key(
                             apr_pstrcat(eh_test_pool, certificate_pem(pkey), private_pem(pkey, NULL), NULL), NULL)),
                         1);
    }
    jwk = eh_jwk_public_json(priv, eh_test_pool);
    ck_assert_ptr_null(json_object_get(jwk, "d"));
    ck_assert_ptr_null(json_object_get(jwk, "p"));
    ck_assert_str_eq(eh_json_str(jwk, "kid"), eh_jwk_kid(priv));
    json_array_append(keys, jwk);
    json_object_set_new(set, "keys", keys);
    for (alg = EH_RS256; alg <= EH_EDDSA; alg <<= 1) {
        apr_status_t rv = eh_jws_sign(&token, priv, alg, NULL, "payload", 7, eh_test_new_err(), eh_test_pool);

        if (!(alg & pem_types[_i].algs)) {
            ck_assert_int_ne(rv, APR_SUCCESS);
            continue;
        }
        ck_assert_rv_ok(rv);
        ck_assert_rv_ok(check_token(token, set_of(set), alg));
        ck_assert_int_ne(eh_jws_sign(&token, pub, alg, NULL, "payload", 7, eh_test_new_err(), eh_test_pool), 0);
        ck_assert_int_eq(eh_test_err.code, EH_E_CRYPTO);
    }
    ck_assert_uint_eq(ERR_peek_error(), 0);
    EVP_PKEY_free(pkey);
}
END_TEST

START_TEST(pem_refused)
{
    static const char *const types[][2] = {{"RSA1024", "below 2048"},
                                           {"secp256k1", "other than P-256"},
                                           {"P-224", "other than P-256"},
                                           {"X25519", "neither"}};
    EVP_PKEY *pkey;
    const char *pem;
    eh_jwk_t *key;
    size_t i;

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        pkey = generate(types[i][0]);
        pem = private_pem(pkey, NULL);
        ck_assert_int_ne(eh_jwk_from_pem(&key, pem, strlen(pem), NULL, eh_test_new_err(), eh_test_pool), APR_SUCCESS);
        ck_assert_int_eq(eh_test_err.code, EH_E_JWK);
        ck_assert_msg(strstr(eh_test_err.cause, types[i][1]) != NULL, "%s: %s", types[i][0], eh_test_err.cause);
        EVP_PKEY_free(pkey);
    }
    pkey = generate("P-256");
    pem = private_pem(pkey, "correct horse"); /* must not ask on the terminal */
    ck_assert_int_ne(eh_jwk_from_pem(&key, pem, strlen(pem), NULL, eh_test_new_err(), eh_test_pool), APR_SUCCESS);
    ck_assert_ptr_nonnull(strstr(eh_test_err.cause, "passphrase"));
    pem = private_pem(pkey, NULL);
    ck_assert_int_ne(eh_jwk_from_pem(&key, pem, strlen(pem) / 2, NULL, eh_test_new_err(), eh_test_pool), APR_SUCCESS);
    ck_assert_int_ne(eh_jwk_from_pem(&key, "", 0, NULL, eh_test_new_err(), eh_test_pool), APR_SUCCESS);
    ck_assert_int_ne(eh_jwk_from_pem(&key, "hello\n", 6, NULL, eh_test_new_err(), eh_test_pool), APR_SUCCESS);
    ck_assert_uint_eq(ERR_peek_error(), 0);
    EVP_PKEY_free(pkey);
}
END_TEST

START_TEST(sign_headers)
{
    eh_jwk_t *key = rfc_key(3);
    json_t *extra = eh_json_own(json_pack("{s:s,s:[s]}", "typ", "JWT", "x5c", "AAAA"), eh_test_pool);
    static const char *const ours[] = {"alg", "kid", "crit", "b64"};
    const char *token = NULL;
    eh_jws_t *jws;
    size_t i;

    ck_assert_rv_ok(eh_jws_sign(&token, key, EH_EDDSA, extra, "{}", 2, eh_test_new_err(), eh_test_pool));
    jws = split(token);
    ck_assert_str_eq(jws->typ, "JWT");
    ck_assert_ptr_null(jws->kid);
    ck_assert_str_eq(jws->payload, "{}");
    ck_assert_rv_ok(eh_jws_verify_key(jws, key, EH_EDDSA, eh_test_new_err(), eh_test_pool));
    for (i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        extra = eh_json_own(json_pack("{s:s}", ours[i], "x"), eh_test_pool);
        ck_assert_int_ne(eh_jws_sign(&token, key, EH_EDDSA, extra, "{}", 2, eh_test_new_err(), eh_test_pool), 0);
    }
    ck_assert_int_ne(eh_jws_sign(&token, key, EH_ALG_NONE, NULL, "{}", 2, eh_test_new_err(), eh_test_pool), 0);
    ck_assert_int_ne(eh_jws_sign(&token, key, EH_ALG_ALL, NULL, "{}", 2, eh_test_new_err(), eh_test_pool), 0);
    ck_assert_rv_ok(eh_jws_sign(&token, key, EH_EDDSA, NULL, "", 0, eh_test_new_err(), eh_test_pool));
    ck_assert_uint_eq(split(token)->payload_len, 0);
    jws = split(str(json_array_get(json_object_get(data_json("jose/rfc.json"), "jws"), 4), "compact"));
    ck_assert_str_eq(jws->kid, "bilbo.baggins@hobbiton.example");
    ck_assert_ptr_null(jws->typ);
}
END_TEST

START_TEST(sizes)
{
    eh_jwk_t *key = rfc_key(3);
    char *payload = apr_palloc(eh_test_pool, 70000);
    const char *token = NULL;
    eh_jws_t *jws;

    memset(payload, 'x', 70000);
    ck_assert_rv_ok(eh_jws_sign(&token, key, EH_EDDSA, NULL, payload, 49000, eh_test_new_err(), eh_test_pool));
    ck_assert_uint_le(strlen(token), 65536);
    ck_assert_rv_ok(eh_jws_verify_key(split(token), key, EH_EDDSA, eh_test_new_err(), eh_test_pool));
    ck_assert_int_ne(eh_jws_sign(&token, key, EH_EDDSA, NULL, payload, 70000, eh_test_new_err(), eh_test_pool), 0);
    ck_assert_int_ne(eh_jws_split(&jws, payload, 70000, eh_test_new_err(), eh_test_pool), APR_SUCCESS);
    ck_assert_int_eq(eh_test_err.code, EH_E_JWS);
}
END_TEST

/* What a set must not be; in EC, a good key, n times. */
static const char *const sets_bad[] = {"",
                                       "[]",
                                       "{}",
                                       "null",
                                       "{\"keys\":{}}",
                                       "{\"keys\":[]}",
                                       "{\"keys\":[1,\"x\",null,[]]}",
                                       "{\"keys\":[{}]}",
                                       "{\"keys\":[],\"keys\":[]}",
                                       "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}"};

START_TEST(sets_refused)
{
    eh_jwks_t *set;

    ck_assert_int_ne(eh_jwks_parse(&set, sets_bad[_i], strlen(sets_bad[_i]), eh_test_new_err(), eh_test_pool), 0);
    ck_assert_int_eq(eh_test_err.code, EH_E_JWK);
}
END_TEST

START_TEST(sets_skip_and_limit)
{
    const json_t *good =
        json_object_get(json_array_get(json_object_get(data_json("jose/rfc.json"), "thumbprint"), 1), "key");
    json_t *set = eh_json_own(json_object(), eh_test_pool), *keys = json_array();
    const char *text;
    eh_jwks_t *out;
    int i;

    json_object_set_new(set, "keys", keys);
    json_array_append_new(keys, json_pack("{s:s}", "kty", "future"));
    json_array_append_new(keys, json_null());
    json_array_append(keys, (json_t *)good);
    ck_assert_int_eq(eh_jwks_count(set_of(set)), 1);
    for (i = 3; i < 64; i++)
        json_array_append(keys, (json_t *)good);
    ck_assert_int_eq(eh_jwks_count(set_of(set)), 62);
    json_array_append(keys, (json_t *)good);
    text = eh_json_dump(set, 0, eh_test_pool);
    ck_assert_int_ne(eh_jwks_parse(&out, text, strlen(text), eh_test_new_err(), eh_test_pool), APR_SUCCESS);
    ck_assert_int_eq(eh_test_err.code, EH_E_JWK);
}
END_TEST

START_TEST(public_json)
{
    json_t *jwk = eh_jwk_public_json(rfc_key(6), eh_test_pool);

    ck_assert_str_eq(
        eh_json_dump(jwk, 1, eh_test_pool),
        "{\"alg\":\"ES512\",\"crv\":\"P-521\",\"kid\":\"bilbo.baggins@hobbiton.example\",\"kty\":\"EC\","
        "\"use\":\"sig\","
        "\"x\":\"AHKZLLOsCOzz5cY97ewNUajB957y-C-U88c3v13nmGZx6sYl_oJXu9A5RkTKqjqvjyekWF-7ytDyRXYgCF5cj0Kt\","
        "\"y\":\"AdymlHvOiLxXkEhayXQnNCvDX4h9htZaCJN34kfmC6pV5OhQHiraVySsUdaQkAgDPrwQrJmbnX9cwlGfP-HqHZR1\"}");
    jwk = eh_jwk_public_json(rfc_key(0), eh_test_pool);
    ck_assert_ptr_null(json_object_get(jwk, "alg")); /* serves six */
    ck_assert_ptr_null(json_object_get(jwk, "kid"));
    ck_assert_str_eq(eh_json_str(jwk, "e"), "AQAB");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("jose");
    TCase *tc = eh_test_case(s, "RFC vectors");

    tcase_add_loop_test(tc, rfc_vectors, 0, RFC_JWS);
    tcase_add_test(tc, rfc_thumbprints);
    tcase_add_test(tc, rfc7517_sets);
    tc = eh_test_case(s, "attacks");
    tcase_add_test(tc, token_cases);
    tcase_add_test(tc, log_lines_are_safe);
    tcase_add_test(tc, key_cases);
    tcase_add_loop_test(tc, signature_bits, 0, 2);
    tc = eh_test_case(s, "behaviour");
    tcase_add_test(tc, algorithm_names);
    tcase_add_loop_test(tc, pem_round_trip, 0, (int)(sizeof(pem_types) / sizeof(pem_types[0])));
    tcase_add_test(tc, pem_refused);
    tcase_add_test(tc, sign_headers);
    tcase_add_test(tc, sizes);
    tcase_add_loop_test(tc, sets_refused, 0, (int)(sizeof(sets_bad) / sizeof(sets_bad[0])));
    tcase_add_test(tc, sets_skip_and_limit);
    tcase_add_test(tc, public_json);
    return eh_test_main(s);
}
