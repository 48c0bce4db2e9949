#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# test-guards.sh SRCDIR BUILDDIR: each guard passes on the tree as it is and fails on a planted fault of each of its rules,
# naming file and line. Works on a copy.
set -u

src=$(cd "${1:-${srcdir:?usage: test-guards.sh SRCDIR BUILDDIR}}" && pwd)
build=$(cd "${2:-.}" && pwd)
tmp=$(mktemp -d "${TMPDIR:-/tmp}/ehguards.XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' INT TERM
bad=0
count=0

# A fresh copy of what the guards read.
copy() {
    chmod -R u+w "$tmp/tree" 2>/dev/null
    rm -rf "$tmp/tree"
    mkdir "$tmp/tree"
    (cd "$src" && tar cf - --exclude=node_modules --exclude=.work --exclude='.libs' --exclude='*.o' Makefile.am apxs conf htdocs include modules t) |
        (cd "$tmp/tree" && tar xf -)
    chmod -R u+w "$tmp/tree"
}

run() {
    if [ "$1" = check-providers ]; then
        "$tmp/tree/apxs/$1" "$tmp/tree" "$build"
    else
        "$tmp/tree/apxs/$1" "$tmp/tree"
    fi >"$tmp/out" 2>&1
}

# guard, what, extended regular expression of the message (file, line, rule); the fault was planted by the caller.
fails() {
    count=$((count + 1))
    if run "$1"; then
        echo "not ok $count - $1 overlooks: $2"
        bad=1
    elif ! grep -Eq "$3" "$tmp/out"; then
        echo "not ok $count - $1: $2: no message like '$3'"
        sed 's/^/# /' "$tmp/out" | head -n 20
        bad=1
    else
        echo "ok $count - $1 finds: $2"
    fi
    copy
}

passes() {
    count=$((count + 1))
    if run "$1"; then
        echo "ok $count - $1 passes on the tree"
    else
        echo "not ok $count - $1 does not pass on the tree"
        sed 's/^/# /' "$tmp/out" | head -n 40
        bad=1
    fi
}

# Line that a text stands in, the last one when there are several.
at() { grep -n -F "$1" "$2" | tail -n 1 | cut -d: -f1; }
t=$tmp/tree
copy
for guard in check-layering check-directives check-tests check-providers check-errors; do passes $guard; done

# --- check-layering ---
echo '#include <httpd.h>' >>"$t/modules/core/err.c"
fails check-layering "httpd.h in core" "^modules/core/err.c:$(wc -l <"$t/modules/core/err.c"): includes httpd.h"
echo '#include <http_log.h>' >>"$t/modules/io/keys.c"
fails check-layering "http_log.h in io" "^modules/io/keys.c:[0-9]+: includes http_log.h"
echo '#include "util_script.h"' >>"$t/modules/oidc/oidc_state.c"
fails check-layering "util_script.h in a feature" "^modules/oidc/oidc_state.c:[0-9]+: includes util_script.h"
echo '#include <ap_provider.h>' >>"$t/include/ehealth/json.h"
fails check-layering "ap_provider.h in a contract" "^include/ehealth/json.h:[0-9]+: includes ap_provider.h"
echo '#include "ehealth/base.h"' >>"$t/modules/oidc/oidc_state.c"
fails check-layering "base.h in a feature" "^modules/oidc/oidc_state.c:[0-9]+: includes ehealth/base.h"
echo 'static int planted(request_rec *r) { return 0; }' >>"$t/modules/oidc/oidc_state.c"
fails check-layering "request_rec in a feature" "^modules/oidc/oidc_state.c:$(wc -l <"$t/modules/oidc/oidc_state.c"): mentions request_rec"
echo 'static void planted(void) { ap_log_error(0); }' >>"$t/modules/io/keys.c"
fails check-layering "a call of httpd in io" "^modules/io/keys.c:[0-9]+: mentions ap_log_error"
echo '#include "ehealth/db_pool.h"' >>"$t/modules/core/req.c"
fails check-layering "an io contract in core" "^modules/core/req.c:[0-9]+: includes ehealth/db_pool.h"
echo '#include "ehealth/keys.h"' >>"$t/modules/oidc/oidc_state.c"
fails check-layering "an io contract in a feature" "^modules/oidc/oidc_state.c:[0-9]+: includes ehealth/keys.h"
echo '#include <curl/curl.h>' >>"$t/modules/oidc/oidc_state.c"
fails check-layering "libcurl in a feature" "^modules/oidc/oidc_state.c:[0-9]+: includes <curl/curl.h>"
echo '#include "../io/http_int.h"' >>"$t/modules/oidc/oidc_state.c"
fails check-layering "internals of io in a feature" "^modules/oidc/oidc_state.c:[0-9]+: includes ../io/http_int.h: another module"
echo '#include "modules/ehealth/mod_ehealth.h"' >>"$t/modules/oidc/oidc_state.c"
fails check-layering "internals of mod_ehealth in a feature" "^modules/oidc/oidc_state.c:[0-9]+: includes modules/ehealth/mod_ehealth.h"
echo '#include "mod_ehealth.h"' >"$t/modules/oidc/mod_planted.c"
fails check-layering "internals of mod_ehealth in another module's glue" "^modules/oidc/mod_planted.c:1: includes mod_ehealth.h"
echo 'static void planted(void) { (void)fopen("x", "r"); }' >>"$t/modules/core/req.c"
fails check-layering "I/O in core" "^modules/core/req.c:[0-9]+: calls fopen"
echo 'static long planted(void) { return apr_time_now(); }' >>"$t/modules/core/req.c"
fails check-layering "the clock in core" "^modules/core/req.c:[0-9]+: calls apr_time_now"
echo '#include "text.h"' >>"$t/include/ehealth/json.h"
fails check-layering "internals in a contract" "^include/ehealth/json.h:[0-9]+: includes text.h"

# --- check-directives ---
conf=$t/modules/ehealth/mod_ehealth_config.c
printf '%s\n' 'static const command_rec planted[] = {AP_INIT_TAKE1("EHealthPlanted", x, NULL, RSRC_CONF, "x")};' >>"$conf"
fails check-directives "a directive that is not documented" "^modules/ehealth/mod_ehealth_config.c:$(wc -l <"$conf"): EHealthPlanted is not documented"
printf '%s\n' 'EH_DIR("EHealthPlanted", x)' >"$t/modules/ehealth/mod_planted.def"
fails check-directives "an X-macro row that is not documented" "^modules/ehealth/mod_planted.def:1: EHealthPlanted is not documented"
printf '%s\n' 'AP_INIT_TAKE1("EHealthStateDir", x, NULL, RSRC_CONF, "x"),' >>"$conf"
fails check-directives "a directive defined twice" "EHealthStateDir is defined twice, first in modules/ehealth/mod_ehealth_config.c:[0-9]+"
echo '## EHealthGhost x' >>"$t/conf/ehealth.conf"
fails check-directives "a ghost in the reference" "^conf/ehealth.conf:$(wc -l <"$t/conf/ehealth.conf"): EHealthGhost is documented, but no module has it"
echo '## EHealthStateDir path' >>"$t/conf/ehealth.conf"
fails check-directives "a directive documented twice" "^conf/ehealth.conf:[0-9]+: EHealthStateDir is documented twice"
sed -i '/^## EHealthStateDir/d' "$t/conf/ehealth.conf"
fails check-directives "documentation that was taken out" "^modules/ehealth/mod_ehealth_config.c:[0-9]+: EHealthStateDir is not documented"
echo 'EHealthGhost x' >>"$t/conf/ehealth.conf"
fails check-directives "an example with a ghost" "^conf/ehealth.conf:[0-9]+: uses EHealthGhost"
rm "$t/conf/ehealth.conf"
fails check-directives "no reference at all" "^conf/ehealth.conf:0: the reference is missing"

# --- check-tests ---
sed -i '/tcase_add_test(tc, test_table)/d' "$t/t/unit/test_err.c"
fails check-tests "a START_TEST that is not added" "^t/unit/test_err.c:$(at 'START_TEST(test_table)' "$t/t/unit/test_err.c"): test test_table is in no test case"
sed -i '/suite_add_tcase/d' "$t/t/unit/test_http.c"
fails check-tests "a case that is not added" "^t/unit/test_http.c:1: case tc is in no suite"
sed -i '/^TESTS += .*test_router/d' "$t/t/unit/local.mk"
fails check-tests "a test program that is not run" "^t/unit/test_router.c:1: is not run"
cp "$t/t/unit/test_router.c" "$t/t/unit/test_planted.c"
fails check-tests "a test program that is not built" "^t/unit/test_planted.c:1: is not built"
mkdir -p "$t/t/fuzz"
echo 'int LLVMFuzzerTestOneInput(const unsigned char *s, unsigned long n) { return 0; }' >"$t/t/fuzz/fuzz_planted.c"
fails check-tests "a fuzz target that is not built" "^t/fuzz/fuzz_planted.c:1: is not built"
echo 'int LLVMFuzzerTestOneInput(const unsigned char *s, unsigned long n) { return 0; }' >"$t/t/fuzz/fuzz_planted.c"
fails check-tests "a fuzz target without seeds" "^t/fuzz/fuzz_planted.c:1: has no seeds"
printf 'def test_a():\n    pass\n\n\ndef test_a():\n    pass\n' >"$t/t/http/test_planted.py"
fails check-tests "a pytest function that hides another" "^t/http/test_planted.py:5: test_a hides"
printf 'X = 1\n' >"$t/t/http/test_planted.py"
fails check-tests "a pytest file without tests" "^t/http/test_planted.py:1: has no test function"
printf 'F1\tpytest\tt/http/test_ghost.py::test_x\n' >>"$t/t/ACCEPTANCE.tsv"
fails check-tests "an acceptance row without its file" "^t/ACCEPTANCE.tsv:$(wc -l <"$t/t/ACCEPTANCE.tsv"): F1: t/http/test_ghost.py does not exist"
printf 'F1\tunit\tt/unit/test_err - test_ghost\n' >>"$t/t/ACCEPTANCE.tsv"
fails check-tests "an acceptance row without its test" "^t/ACCEPTANCE.tsv:[0-9]+: F1: t/unit/test_err.c has no test test_ghost"
printf 'F3\tunit\t\n' >>"$t/t/ACCEPTANCE.tsv"
fails check-tests "an acceptance row that names nothing" "^t/ACCEPTANCE.tsv:[0-9]+: F3 names no test"
printf 'F1\tbrowser\tno such line\n' >>"$t/t/ACCEPTANCE.tsv"
fails check-tests "an acceptance row without its browser test" "^t/ACCEPTANCE.tsv:[0-9]+: F1: no test of t/browser is called 'no such line'"
printf 'F1\tunheard\tx\n' >>"$t/t/ACCEPTANCE.tsv"
fails check-tests "an acceptance row of an unknown kind" "^t/ACCEPTANCE.tsv:[0-9]+: F1: unknown kind 'unheard'"
printf 'F1\tlong\tt/ghost.sh t/results/ghost.json\n' >>"$t/t/ACCEPTANCE.tsv"
fails check-tests "an acceptance row without its script" "^t/ACCEPTANCE.tsv:[0-9]+: F1: t/ghost.sh does not exist"
sed -i '/^F5/d' "$t/t/ACCEPTANCE.tsv"
fails check-tests "an id that is shown by nothing" "^t/ACCEPTANCE.tsv:0: F5 is shown by no test"

# --- check-providers ---
printf 'EH_PROVIDER(idp, planted, "0", &vtable);\n' >"$t/modules/oidc/idp_planted.c"
fails check-providers "a provider that is not linked" "^modules/oidc/idp_planted.c:1: provider idp/planted is not registered in mod_ehealth_oidc.so"
printf '\nEH_PROVIDER(idp, oidc, "0", &vtable);\n' >"$t/modules/oidc/idp_planted.c"
fails check-providers "a provider twice" "^modules/oidc/idp_p[a-z]*.c:[0-9]+: provider idp/oidc is defined twice"
sed -i '/^EH_PROVIDER/d' "$t/modules/oidc/idp_oidc.c"
fails check-providers "a registered provider without its line" "^mod_ehealth_oidc.so:0: registers [0-9]+ providers, the sources have"
mkdir "$t/modules/planted"
printf 'EH_PROVIDER(x, y, "0", &vtable);\n' >"$t/modules/planted/x.c"
fails check-providers "a folder that nothing carries" "^modules/planted/x.c:1: folder planted has no carrier"

# --- check-errors ---
def=$t/include/ehealth/err_codes.def
printf 'EH_E(PLANTED, 1000, 500, "a", "b", "c", "d")\n' >>"$def"
fails check-errors "a number used twice" "^include/ehealth/err_codes.def:$(wc -l <"$def"): PLANTED has number 1000 of INTERNAL"
printf 'EH_E(INTERNAL, 9998, 500, "a", "b", "c", "d")\n' >>"$def"
fails check-errors "a name used twice" "err_codes.def:[0-9]+: INTERNAL is there twice"
printf 'EH_E(PLANTED, 9998, 500, "a", "b", "", "d")\n' >>"$def"
fails check-errors "an empty title" "err_codes.def:[0-9]+: PLANTED has no title in 'nl'"
printf 'EH_E(PLANTED, 9998, 500, "a", "b" "c", "d")\n' >>"$def"
fails check-errors "a missing title" "err_codes.def:[0-9]+: PLANTED has 3 titles"
printf 'EH_E(PLANTED, 9998, 200, "a", "b", "c", "d")\n' >>"$def"
fails check-errors "a status that is no error" "err_codes.def:[0-9]+: PLANTED: 200 is not"
printf 'EH_E(PLANTED, 9998, 500, "a", "b", "c", "d")\n' >>"$def"
fails check-errors "a code that is not documented" "err_codes.def:[0-9]+: EH9998 PLANTED is not documented"
printf '\n### EH9998 GHOST (500)\nx\n\n**Cause.** x\n\n**Remedy.** x\n' >>"$t/conf/errors.md"
fails check-errors "a ghost in the documentation" "^conf/errors.md:[0-9]+: EH9998 is documented, but not in"
sed -i '0,/^\*\*Remedy\.\*\*/s/^\*\*Remedy\.\*\*.*//' "$t/conf/errors.md"
fails check-errors "a code without remedy" "^conf/errors.md:[0-9]+: EH1000 has no .*Remedy"
sed -i '0,/^\*\*Cause\.\*\*/s/^\*\*Cause\.\*\*.*//' "$t/conf/errors.md"
fails check-errors "a code without cause" "^conf/errors.md:[0-9]+: EH1000 has no .*Cause"
sed -i 's/^### EH1000 INTERNAL (500)/### EH1000 INTERNAL (503)/' "$t/conf/errors.md"
fails check-errors "another status in the documentation" "^conf/errors.md:[0-9]+: EH1000 is INTERNAL \(500\)"

echo "1..$count"
exit $bad
