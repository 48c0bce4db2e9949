#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# build-apr-debug.sh PREFIX: APR and APR-util of this Debian, from its source packages, with pool debugging and sanitizers.
#
# AddressSanitizer is blind within APR pools: a pool hands out pieces of big blocks and keeps them when it is destroyed.
# With --enable-pool-debug=yes each apr_palloc is a malloc of its own and a destroyed pool is freed, so an overflow of a
# pool block and a use after apr_pool_destroy are caught. Pool debugging changes no structure that a program can see (both
# spellings of each pool function are exported), so Debian's httpd runs on it by LD_LIBRARY_PATH.
# Nothing outside PREFIX is touched: apt keeps its state there, too. A finished PREFIX is left as it is.
# Prints the environment to use; the same stands in PREFIX/env.
set -eu

[ $# -eq 1 ] || { echo "usage: $0 PREFIX" >&2; exit 2; }
mkdir -p "$1"
prefix=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
work=$prefix/build
: "${CC:=gcc}" "${JOBS:=2}"
case $CC in *clang*) san='-fsanitize=address,undefined -fno-sanitize=alignment,shift -shared-libasan -fno-omit-frame-pointer' ;; *) san='-fsanitize=address,undefined -fno-sanitize=alignment,shift -fno-omit-frame-pointer' ;; esac

say() { echo "build-apr-debug: $*" >&2; }
die() { say "$*"; exit 1; }

for tool in apt-get dpkg-source make "$CC" pg_config pkg-config; do
    command -v "$tool" >/dev/null || die "$tool is missing: apt-get install build-essential dpkg-dev libpq-dev pkg-config"
done
pkg-config --exists sqlite3 || die "sqlite3.pc is missing: apt-get install libsqlite3-dev"
[ -e /usr/include/expat.h ] || die "expat.h is missing: apt-get install libexpat1-dev"
[ -e /usr/include/ldap.h ] || die "ldap.h is missing: apt-get install libldap-dev"
[ -e /usr/include/uuid/uuid.h ] || die "uuid/uuid.h is missing: apt-get install uuid-dev"

# The machine's binary entries as source entries, in a folder of our own.
source_lists() {
    mkdir -p "$work/parts"
    for f in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ -f "$f" ] && sed -n 's/^[[:space:]]*deb[[:space:]]/deb-src /p' "$f" >>"$work/parts/own.list"
    done
    for f in /etc/apt/sources.list.d/*.sources; do
        [ -f "$f" ] && sed 's/^Types:.*/Types: deb-src/' "$f" >"$work/parts/$(basename "$f")"
    done
    return 0
}

private_apt() {
    apt-get -q -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$work/parts" -o Dir::State="$work/apt" \
        -o Dir::State::lists="$work/apt/lists" -o Dir::State::status=/var/lib/dpkg/status -o Dir::Cache="$work/apt/cache" \
        -o APT::Sandbox::User="$(id -un)" -o Acquire::Retries=3 "$@"
}

fetch() {
    mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial" "$work/src"
    source_lists
    private_apt update >"$work/apt.log" 2>&1 || say "apt-get update complained, see $work/apt.log"
    (cd "$work/src" && private_apt source --download-only apr apr-util >>"$work/apt.log" 2>&1) ||
        die "no source packages apr and apr-util: see $work/apt.log"
    for dsc in "$work"/src/*.dsc; do
        dpkg-source --no-check -x "$dsc" "${dsc%%_*}" >>"$work/apt.log" 2>&1 || die "cannot unpack $dsc: see $work/apt.log"
    done
}

# name, then configure's arguments
build() {
    name=$1
    shift
    [ ! -e "$work/$name.built" ] || return 0
    say "building $name"
    (
        cd "$work/src/$name"
        # detect_leaks=0: configure's and the build's own little programs leak, and would count as failed.
        ASAN_OPTIONS=detect_leaks=0
        export ASAN_OPTIONS
        ./configure --prefix="$prefix" CC="$CC" CFLAGS="-g -O1 $san" LDFLAGS="$san" "$@"
        make -j"$JOBS"
        make install
    ) >"$work/$name.log" 2>&1 || { tail -20 "$work/$name.log" >&2; die "$name does not build: see $work/$name.log"; }
    touch "$work/$name.built"
}

runtime() { "$CC" -print-file-name="$1"; }

write_env() {
    case $CC in
    *clang*) preload=$(runtime libclang_rt.asan-x86_64.so) ;;
    *) preload="$(runtime libasan.so) $(runtime libubsan.so)" ;;
    esac
    real=
    for lib in $preload; do real="$real$(readlink -f "$lib") "; done
    cat >"$prefix/env" <<EOT
# For Debian's httpd and for programs built --with-apr=$prefix/bin/apr-1-config --with-apu=$prefix/bin/apu-1-config
LD_LIBRARY_PATH=$prefix/lib
LD_PRELOAD="${real% }"
ASAN_OPTIONS=detect_leaks=0:abort_on_error=0:detect_stack_use_after_return=0
UBSAN_OPTIONS=print_stacktrace=1
EOT
}

# Each function that Debian's library exports is there, or a program would stop in the middle of a run. Driver tables
# (apr_dbm_type_*, apr_ldap_* of the DSO) are inside, not part of the interface.
same_functions() {
    for lib in libapr-1.so.0 libaprutil-1.so.0; do
        theirs=$(/sbin/ldconfig -p | sed -n "s/.*[[:space:]]$lib .*=> //p" | head -n 1)
        [ -n "$theirs" ] || { say "no $lib of Debian's to compare with"; continue; }
        nm -D --defined-only "$theirs" | awk '$2 == "T" { print $3 }' | sort >"$work/$lib.theirs"
        nm -D --defined-only "$prefix/lib/$lib" | awk '$2 == "T" { print $3 }' | sort >"$work/$lib.ours"
        missing=$(comm -23 "$work/$lib.theirs" "$work/$lib.ours" | tr '\n' ' ')
        [ -z "$missing" ] || die "$lib lacks functions of Debian's: $missing"
        say "$lib has all $(wc -l <"$work/$lib.theirs") functions of $theirs"
    done
}

# Runs the probe, which must die by AddressSanitizer with the given kind of report.
caught() {
    if (set -a; . "$prefix/env"; unset LD_PRELOAD; exec "$work/probe" "$1") >"$work/probe.$1" 2>&1; then
        die "$1 was not caught"
    fi
    grep -q "AddressSanitizer: $2" "$work/probe.$1" || { cat "$work/probe.$1" >&2; die "$1 did not end with $2"; }
    say "$1: caught as $2"
}

prove_pools() {
    # shellcheck disable=SC2046,SC2086
    "$CC" -g $san "$here/apr_pool_probe.c" -o "$work/probe" $("$prefix/bin/apr-1-config" --includes --cppflags) \
        -L"$prefix/lib" -lapr-1
    (set -a; . "$prefix/env"; unset LD_PRELOAD; exec "$work/probe" sound) || die "the sound run of the probe failed"
    caught overflow heap-buffer-overflow
    caught after-destroy heap-use-after-free
}

# Debian's httpd, unchanged, on this APR: starts, answers, loads the database drivers, stops.
prove_httpd() {
    httpd=$(command -v apache2 || command -v /usr/sbin/apache2 || true)
    [ -n "$httpd" ] || { say "no apache2 here: not proved with httpd"; return 0; }
    mods=/usr/lib/apache2/modules
    run=$work/run
    rm -rf "$run"
    mkdir -p "$run/htdocs"
    echo alive >"$run/htdocs/index.html"
    port=$("${PYTHON:-/usr/bin/python3}" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    cat >"$run/httpd.conf" <<EOT
ServerRoot "$run"
ServerName 127.0.0.1
PidFile "$run/pid"
ErrorLog "$run/error.log"
Listen 127.0.0.1:$port
LoadModule mpm_event_module $mods/mod_mpm_event.so
LoadModule authz_core_module $mods/mod_authz_core.so
LoadModule dbd_module $mods/mod_dbd.so
DocumentRoot "$run/htdocs"
DefaultRuntimeDir "$run"
Mutex file:$run
DBDriver sqlite3
DBDParams "$run/x.db"
<VirtualHost 127.0.0.1:$port>
    DBDriver pgsql
    DBDParams "host=127.0.0.1 port=1 connect_timeout=1"
    DBDMin 0
</VirtualHost>
EOT
    (
        set -a
        . "$prefix/env"
        APACHE_RUN_DIR=$run
        exec "$httpd" -f "$run/httpd.conf" -DFOREGROUND
    ) >"$run/stdout" 2>&1 &
    pid=$!
    got=
    n=0
    while [ $n -lt 100 ] && [ "$got" != alive ] && kill -0 $pid 2>/dev/null; do
        got=$(curl -s -m 2 "http://127.0.0.1:$port/index.html" || true)
        n=$((n + 1))
        sleep 0.2
    done
    # apache2's own line, from its libraries as loaded, tells that this APR is the one in use.
    grep -q "$prefix/lib/libapr-1.so" /proc/$pid/maps 2>/dev/null && used=yes || used=no
    kill -TERM $pid 2>/dev/null || true
    wait $pid || true
    [ "$got" = alive ] || { cat "$run/stdout" "$run/error.log" >&2 2>/dev/null; die "apache2 does not answer on this APR"; }
    [ $used = yes ] || die "apache2 ran on another APR"
    if grep -E "AddressSanitizer|runtime error|cannot load|not found" "$run/stdout" "$run/error.log"; then
        die "apache2 complains on this APR"
    fi
    say "apache2 answered on $prefix/lib/libapr-1.so with the sqlite3 and pgsql drivers loaded"
}

if [ ! -e "$prefix/done" ]; then
    mkdir -p "$work"
    [ -e "$work/fetched" ] || fetch
    touch "$work/fetched"
    build apr --enable-pool-debug=yes --enable-threads --enable-nonportable-atomics
    build apr-util --with-apr="$prefix/bin/apr-1-config" --with-expat=/usr --with-sqlite3=/usr \
        --with-pgsql="$(pg_config --includedir | sed 's,/include.*,,')" --without-mysql --without-oracle --without-freetds \
        --without-odbc --without-berkeley-db --without-gdbm --with-crypto --with-openssl --with-ldap=ldap --enable-util-dso
    for lib in apr-util-1/apr_dbd_sqlite3.so apr-util-1/apr_dbd_pgsql.so libapr-1.so.0 libaprutil-1.so.0; do
        [ -e "$prefix/lib/$lib" ] || die "$lib was not built: see $work/apr-util.log"
    done
    write_env
    same_functions
    prove_pools
    prove_httpd
    touch "$prefix/done"
fi
cat "$prefix/env"
