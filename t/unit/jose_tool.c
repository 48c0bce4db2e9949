/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Our JOSE on the command line, for the tests that hold it against other implementations (t/http/test_jose_interop.py):
 *     jose_tool verify KEYS ALG[,ALG…]|ALL     token on stdin; prints the payload
 *     jose_tool sign KEY ALG                   payload on stdin; prints the token
 *     jose_tool thumbprint KEY                 RFC 7638
 *     jose_tool public KEY                     the public JWK
 * KEY: JWK or PEM file; KEYS: JWKS, JWK or PEM file. Exit status 0, or 1 with the cause on stderr.
 */
#include <apr_general.h>
#include <apr_strings.h>
#include <stdio.h>
#include <string.h>

#include "ehealth/jose.h"
#include "ehealth/json.h"

#define INPUT_MAX (1024 * 1024)

static char *slurp(apr_size_t *plen, const char *path, apr_pool_t *p)
{
    FILE *f = strcmp(path, "-") ? fopen(path, "rb") : stdin;
    char *buf = apr_palloc(p, INPUT_MAX + 1);

    if (!f) return NULL;
    *plen = fread(buf, 1, INPUT_MAX, f);
    buf[*plen] = '\0';
    if (f != stdin) fclose(f);
    return buf;
}

static int fail(const eh_err_t *err)
{
    fprintf(stderr, "EH%04d: %s\n", (int)err->code, err->cause ? err->cause : "-");
    return 1;
}

static apr_status_t read_key(eh_jwk_t **pkey, const char *path, eh_err_t *err, apr_pool_t *p)
{
    apr_size_t len;
    char *text = slurp(&len, path, p);
    apr_status_t rv;
    json_t *j;

    if (!text) return eh_err_setf(err, p, EH_E_JWK, APR_ENOENT, NULL, "cannot open %s", path);
    if (*text != '{') return eh_jwk_from_pem(pkey, text, len, NULL, err, p);
    if (!EH_OK(eh_json_load(&j, text, len, err, p))) return rv;
    return eh_jwk_from_json(pkey, j, err, p);
}

static int parse_algs(const char *text, apr_pool_t *p)
{
    char *list = apr_pstrdup(p, text), *name, *state;
    int algs = 0;

    if (strcmp(text, "ALL") == 0) return EH_ALG_ALL;
    for (name = apr_strtok(list, ",", &state); name; name = apr_strtok(NULL, ",", &state))
        algs |= eh_alg_parse(name);
    return algs;
}

static int verify(const char *path, const char *algs, apr_pool_t *p)
{
    eh_err_t err = {0};
    apr_size_t len, keys_len;
    char *token = slurp(&len, "-", p), *keys = slurp(&keys_len, path, p);
    apr_status_t rv;
    eh_jws_t *jws;
    eh_jwks_t *set;
    eh_jwk_t *key;

    if (!EH_OK(eh_jws_split(&jws, token, len, &err, p))) return fail(&err);
    if (keys && strstr(keys, "\"keys\"")) {
        if (EH_OK(eh_jwks_parse(&set, keys, keys_len, &err, p)))
            rv = eh_jws_verify(jws, set, parse_algs(algs, p), &err, p);
    } else if (EH_OK(read_key(&key, path, &err, p))) {
        rv = eh_jws_verify_key(jws, key, parse_algs(algs, p), &err, p);
    }
    if (rv) return fail(&err);
    fwrite(jws->payload, 1, jws->payload_len, stdout);
    return 0;
}

static int sign(const char *path, const char *alg, apr_pool_t *p)
{
    eh_err_t err = {0};
    const char *compact;
    apr_size_t len;
    char *payload = slurp(&len, "-", p);
    eh_jwk_t *key;

    if (read_key(&key, path, &err, p) || eh_jws_sign(&compact, key, eh_alg_parse(alg), NULL, payload, len, &err, p))
        return fail(&err);
    fputs(compact, stdout);
    return 0;
}

static int describe(const char *path, int thumbprint, apr_pool_t *p)
{
    eh_err_t err = {0};
    eh_jwk_t *key;

    if (read_key(&key, path, &err, p)) return fail(&err);
    puts(thumbprint ? eh_jwk_thumbprint(key, p) : eh_json_dump(eh_jwk_public_json(key, p), 1, p));
    return 0;
}

int main(int argc, char **argv)
{
    apr_pool_t *p;
    int rc = 2;

    apr_initialize();
    apr_pool_create(&p, NULL);
    if (argc == 4 && strcmp(argv[1], "verify") == 0) {
        rc = verify(argv[2], argv[3], p);
    } else if (argc == 4 && strcmp(argv[1], "sign") == 0) {
        rc = sign(argv[2], argv[3], p);
    } else if (argc == 3 && (strcmp(argv[1], "thumbprint") == 0 || strcmp(argv[1], "public") == 0)) {
        rc = describe(argv[2], argv[1][0] == 't', p);
    } else {
        fputs("usage: jose_tool verify KEYS ALG,…|ALL | sign KEY ALG | thumbprint KEY | public KEY\n", stderr);
    }
    apr_terminate();
    return rc;
}
