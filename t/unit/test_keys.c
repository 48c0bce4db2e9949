/* SPDX-License-Identifier: Apache-2.0 */
/* Key files and secrets: what is refused, and whether the refusal says how to mend it. */
#include "eh_test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ehealth/crypto.h"
#include "ehealth/keys.h"

#define KEY_LINE "7 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8 created=2026-11-01\n"
#define p eh_test_pool

static char dir[64];

static void setup(void)
{
    strcpy(dir, "/tmp/eh-keys-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void teardown(void)
{
    char cmd[128];

    snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
    ck_assert_int_eq(system(cmd), 0);
}

static const char *put(const char *name, const char *text, apr_size_t len, mode_t mode)
{
    const char *path = apr_pstrcat(p, dir, "/", name, NULL);
    FILE *f = fopen(path, "wb");

    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(text, 1, len, f), len);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_eq(chmod(path, mode), 0);
    return path;
}

static void refused(const char *source, const char *says)
{
    eh_keyring_t *ring = NULL;
    eh_err_t *err = eh_test_new_err();

    ck_assert_int_ne(eh_keys_load(&ring, source, err, p), APR_SUCCESS);
    ck_assert_int_eq(err->code, EH_E_KEY_FILE);
    ck_assert_msg(err->detail && strstr(err->detail, says), "\"%s\" does not say \"%s\"", err->detail, says);
    ck_assert_ptr_null(ring);
}

START_TEST(a_good_file_is_loaded)
{
    static const unsigned modes[] = {0400, 0600, 0640, 0440};
    eh_keyring_t *ring;
    size_t i;

    for (i = 0; i < 4; i++) {
        const char *path = put("good", KEY_LINE, strlen(KEY_LINE), modes[i]);

        ck_assert_rv_ok(eh_keys_load(&ring, path, eh_test_new_err(), p));
        ck_assert_uint_eq(eh_keyring_current(ring), 7);
        ck_assert_rv_ok(eh_keys_load(&ring, apr_pstrcat(p, "file:", path, NULL), eh_test_new_err(), p));
        ck_assert_uint_eq(eh_keyring_current(ring), 7);
        unlink(path);
    }
}
END_TEST

START_TEST(a_link_is_judged_by_its_target)
{
    const char *open_to_all = put("real", KEY_LINE, strlen(KEY_LINE), 0644);
    const char *link = apr_pstrcat(p, dir, "/link", NULL);
    eh_keyring_t *ring;

    ck_assert_int_eq(symlink(open_to_all, link), 0);
    refused(link, "read by every user");
    ck_assert_int_eq(chmod(open_to_all, 0600), 0);
    ck_assert_rv_ok(eh_keys_load(&ring, link, eh_test_new_err(), p));
}
END_TEST

START_TEST(unsafe_rights_are_refused)
{
    static const struct {
        unsigned mode;
        const char *says;
    } bad[] = {{0644, "read by every user"},    {0604, "read by every user"},   {0602, "written by every user"},
               {0606, "written by every user"}, {0660, "written by its group"}, {0666, "chmod 640"}};
    const char *path;
    size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        refused(put("k", KEY_LINE, strlen(KEY_LINE), bad[i].mode), bad[i].says);
    path = put("k", KEY_LINE, strlen(KEY_LINE), 0600);
    ck_assert_int_eq(chmod(dir, 0777), 0);
    refused(path, "chmod o-w");
    ck_assert_int_eq(chmod(dir, 0702), 0);
    refused(path, "may replace files in the folder");
    ck_assert_int_eq(chmod(dir, 01777), 0); /* sticky: only the owner may replace it */
    eh_keyring_t *ring;
    ck_assert_rv_ok(eh_keys_load(&ring, path, eh_test_new_err(), p));
    if (geteuid() == 0) {
        ck_assert_int_eq(chown(path, 65534, 65534), 0); /* … which must then be root or us */
        refused(path, "may replace files in the folder");
    }
}
END_TEST

START_TEST(what_is_no_key_file)
{
    static char big[EH_KEY_FILE_MAX + 1];
    const char *fifo = apr_pstrcat(p, dir, "/fifo", NULL);

    refused(apr_pstrcat(p, dir, "/none", NULL), "does not exist");
    refused(dir, "not a regular file");
    ck_assert_int_eq(mkfifo(fifo, 0600), 0);
    refused(fifo, "not a regular file"); /* and does not hang */
    refused(put("empty", "", 0, 0600), "is empty");
    memset(big, '#', sizeof(big));
    refused(put("big", big, sizeof(big), 0600), "larger than 65536");
    refused("keys", "absolute path");
    refused("file:keys", "absolute");
    refused("hsm:slot0", "no key source named \"hsm\"");
    refused("fil:/etc/x", "no key source named \"fil\"");
    eh_keyring_t *ring;
    ck_assert_int_ne(eh_keys_load(&ring, put("junk", "not a key\n", 10, 0600), eh_test_new_err(), p), APR_SUCCESS);
    ck_assert_int_eq(eh_test_err.code, EH_E_KEY_FILE);
}
END_TEST

START_TEST(a_file_we_may_not_read)
{
    const char *path = put("k", KEY_LINE, strlen(KEY_LINE), 0600);
    const uid_t me = geteuid();

    if (me != 0) { /* without root: the mode itself shuts us out */
        ck_assert_int_eq(chmod(path, 0), 0);
        refused(path, apr_psprintf(p, "may not be read by user id %ld", (long)me));
        return;
    }
    ck_assert_int_eq(chmod(dir, 0755), 0);
    ck_assert_int_eq(seteuid(65534), 0);
    refused(path, "may not be read by user id 65534");
    ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

static void secret_is(const char *source, const char *want)
{
    const char *got = NULL;

    ck_assert_rv_ok(eh_secret_file_read(&got, source, eh_test_new_err(), p));
    ck_assert_str_eq(got, want);
}

static void secret_refused(const char *source, const char *says)
{
    const char *got = NULL;
    eh_err_t *err = eh_test_new_err();

    ck_assert_int_ne(eh_secret_file_read(&got, source, err, p), APR_SUCCESS);
    ck_assert_int_eq(err->code, EH_E_CONFIG);
    ck_assert_msg(err->detail && strstr(err->detail, says), "\"%s\" does not say \"%s\"", err->detail, says);
    ck_assert_msg(!strstr(err->detail, "hunter"), "shown: %s", err->detail);
    ck_assert(!err->cause || !strstr(err->cause, "hunter"));
    ck_assert_ptr_null(got);
}

static const char *in_file(const char *text, mode_t mode)
{
    return apr_pstrcat(p, "file:", put("s", text, strlen(text), mode), NULL);
}

START_TEST(secrets_are_read_and_trimmed)
{
    secret_is("hunter2", "hunter2");
    secret_is("hunter 2", "hunter 2");
    secret_is(in_file("hunter2", 0600), "hunter2");
    secret_is(in_file("hunter2\n", 0600), "hunter2");
    secret_is(in_file(" \thunter2 \r\n\n", 0640), "hunter2");
    secret_is(in_file("a+b/c=~!@#$%^&*()", 0600), "a+b/c=~!@#$%^&*()");
}
END_TEST

START_TEST(invisible_characters_are_named)
{
    char long_one[EH_SECRET_MAX + 2];

    secret_refused(in_file("hunter\xe2\x80\x8b"
                           "2\n",
                           0600),
                   "byte 0xe2) at position 7");                         /* zero-width space */
    secret_refused(in_file("\xef\xbb\xbfhunter2", 0600), "position 1"); /* byte order mark */
    secret_refused(in_file("hunter2\xc2\xa0\n", 0600), "position 8");   /* no-break space */
    secret_refused(in_file("hunter\n2\n", 0600), "byte 0x0a) at position 7");
    secret_refused("hunter\t2", "byte 0x09) at position 7");
    secret_refused("hunt\xc3\xa9r", "byte 0xc3) at position 5");
    secret_refused("", "is empty");
    secret_refused(in_file(" \n", 0600), "is empty");
    secret_refused(in_file("hunter2", 0644), "read by every user");
    secret_refused("file:relative.txt", "absolute");
    memset(long_one, 'x', sizeof(long_one) - 1);
    long_one[sizeof(long_one) - 1] = '\0';
    secret_refused(long_one, "too long");
    secret_refused(apr_pstrcat(p, "file:", put("nul", "hun\0ter", 7, 0600), NULL), "byte 0x00) at position 4");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("keys");
    TCase *tc = eh_test_case(s, "keys");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_good_file_is_loaded);
    tcase_add_test(tc, a_link_is_judged_by_its_target);
    tcase_add_test(tc, unsafe_rights_are_refused);
    tcase_add_test(tc, what_is_no_key_file);
    tcase_add_test(tc, a_file_we_may_not_read);
    tcase_add_test(tc, secrets_are_read_and_trimmed);
    tcase_add_test(tc, invisible_characters_are_named);
    return eh_crypto_init() == APR_SUCCESS ? eh_test_main(s) : 1;
}
