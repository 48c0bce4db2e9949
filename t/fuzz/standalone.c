/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Runs a fuzz target over files instead of libFuzzer: `make check` replays the corpus, so that a finding once made stays
 * found with every compiler. Usage: <target> [DIR|FILE…]; without arguments the corpus of the target, found by its name
 * in the folder EH_FUZZ_CORPUS. Fails when there was nothing to replay.
 */
#include <dirent.h>
#include <sys/stat.h>

#include "eh_fuzz.h"

#define INPUT_MAX (16 * 1024 * 1024)

static int replay_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *buf, *exact;
    size_t n;

    if (!f || !(buf = malloc(INPUT_MAX))) {
        perror(path);
        exit(1);
    }
    n = fread(buf, 1, INPUT_MAX, f);
    fclose(f);
    exact = malloc(n ? n : 1); /* a block of the very size, so that a sanitizer sees the first byte beyond */
    if (!exact) exit(1);
    memcpy(exact, buf, n);
    free(buf);
    LLVMFuzzerTestOneInput(exact, n);
    free(exact);
    return 1;
}

static int replay(const char *path)
{
    struct stat st;
    struct dirent *e;
    char inner[4096];
    DIR *dir;
    int n = 0;

    if (stat(path, &st) == 0 && S_ISREG(st.st_mode)) return replay_file(path);
    if (!(dir = opendir(path))) {
        perror(path);
        exit(1);
    }
    while ((e = readdir(dir))) {
        if (e->d_name[0] == '.') continue;
        snprintf(inner, sizeof(inner), "%s/%s", path, e->d_name);
        n += replay(inner);
    }
    closedir(dir);
    return n;
}

static int replay_own_corpus(const char *program)
{
    const char *dir = getenv("EH_FUZZ_CORPUS"), *name = strstr(program, "fuzz_"), *next;
    char path[4096];

    while (name && (next = strstr(name + 1, "fuzz_")))
        name = next;
    if (!dir || !name) {
        fprintf(stderr, "no corpus: EH_FUZZ_CORPUS is not set\n");
        return 0;
    }
    snprintf(path, sizeof(path), "%s/%s", dir, name + strlen("fuzz_"));
    return replay(path);
}

int main(int argc, char **argv)
{
    int i, n = argc == 1 ? replay_own_corpus(argv[0]) : 0;

    for (i = 1; i < argc; i++)
        n += replay(argv[i]);
    printf("%s: %d inputs\n", argv[0], n);
    return n ? 0 : 1;
}
