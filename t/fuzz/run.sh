#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs every fuzz target of a build made with CC=clang and --enable-fuzz:  t/fuzz/run.sh BUILDDIR SECONDS-PER-TARGET
# Prints one line a target: its name, seconds, executions, and what it came to. What is found stays in BUILDDIR/t/fuzz.
# The corpus grows in BUILDDIR/t/fuzz/corpus, never in the source tree. Fails when a target failed or did not run.
set -eu
[ $# -eq 2 ] || { echo "usage: $0 BUILDDIR SECONDS" >&2; exit 2; }
builddir=$(cd "$1" && pwd) seconds=$2
srcdir=$(cd "$(dirname "$0")" && pwd)
failed=0 ran=0

for target in "$builddir"/t/fuzz/fuzz_*; do
    case $target in *.o|*.dict|*.log|*.trs) continue ;; esac
    [ -f "$target" ] && [ -x "$target" ] || continue
    name=$(basename "$target")
    area=${name#fuzz_}
    seeds=$srcdir/corpus/$area
    [ -d "$seeds" ] || { echo "$name: no seeds in $seeds" >&2; failed=1; continue; }
    grown=$builddir/t/fuzz/corpus/$area
    log=$builddir/t/fuzz/$name.run.log
    mkdir -p "$grown"
    dict=
    [ -f "$srcdir/$area.dict" ] && dict="-dict=$srcdir/$area.dict"
    status=ok
    "$target" -max_total_time="$seconds" -print_final_stats=1 -timeout=20 -rss_limit_mb=2048 $dict \
        -artifact_prefix="$builddir/t/fuzz/$name." "$grown" "$seeds" >"$log" 2>&1 || status=FAILED
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -1)
    coverage=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -1)
    [ "${executions:-0}" -gt 0 ] || status=FAILED
    [ $status = ok ] || failed=1
    ran=$((ran + 1))
    printf '%-20s %5s s %12s executions %8s edges  %s\n' "$name" "$seconds" "${executions:-0}" "${coverage:-?}" "$status"
    [ $status = ok ] || tail -20 "$log"
done
[ $ran -gt 0 ] || { echo "no fuzz targets in $builddir/t/fuzz: configure with CC=clang --enable-fuzz" >&2; exit 1; }
exit $failed
