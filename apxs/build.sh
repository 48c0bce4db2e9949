#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the modules with apxs alone: no autoconf, no automake. Needs apxs, a C compiler, pkg-config and the development
# files of jansson, OpenSSL 3, libcurl, libpq and sqlite3.
#   apxs/build.sh [-i] [FOLDER]      builds in FOLDER (default: ./apxs-build); -i installs as apxs -i does
# APXS=/path/to/apxs chooses the httpd.
set -eu
src=$(cd "$(dirname "$0")/.." && pwd)
install=
if [ "${1:-}" = -i ]; then
    install=-i
    shift
fi
out=${1:-apxs-build}
apxs=${APXS:-$(command -v apxs || command -v apxs2 || true)}
if [ -z "$apxs" ]; then
    echo "build.sh: apxs not found: install apache2-dev (Debian) or httpd-devel, or set APXS=/path/to/apxs" >&2
    exit 1
fi
for pkg in 'jansson >= 2.14' 'libcrypto >= 3.0' 'libcurl >= 7.88' libpq sqlite3; do
    if ! pkg-config --exists "$pkg"; then
        echo "build.sh: $pkg is missing (Debian: libjansson-dev libssl-dev libcurl4-openssl-dev libpq-dev libsqlite3-dev)" >&2
        exit 1
    fi
done
mkdir -p "$out"
out=$(cd "$out" && pwd)

# httpd loads modules RTLD_GLOBAL: each exports its module structure and nothing else.
printf '{ global: *_module; local: *; };\n' > "$out/exports.map"
(cd "$src" && sh apxs/sql-embed.sh conf/sql/sqlite/*.sql conf/sql/pgsql/*.sql) > "$out/db_sql.c"

# apxs leaves objects beside their sources, so it gets a copy. A module is compiled as a whole: in a folder of its own.
build() {
    name=$1 libs=$2
    shift 2
    rm -rf "$out/$name"
    mkdir -p "$out/$name/modules"
    cp -R "$src/include" "$out/$name/"
    for room in "$@"; do
        cp -R "$src/modules/$room" "$out/$name/modules/"
    done
    case " $* " in *" io "*) cp "$out/db_sql.c" "$out/$name/modules/io/" ;; esac
    echo "building mod_$name.so"
    (cd "$out/$name" &&
        "$apxs" -S CFLAGS="$("$apxs" -q CFLAGS) -std=gnu11 -fno-strict-aliasing $(pkg-config --cflags $libs)" \
            -c $install -o "mod_$name.la" -Iinclude -I. $(pkg-config --libs $libs) \
            "-Wl,-Wl,--version-script=$out/exports.map" modules/*/*.c > "$out/$name.log" 2>&1) || {
        tail -n 20 "$out/$name.log" >&2
        echo "build.sh: mod_$name.so was not built, see $out/$name.log" >&2
        exit 1
    }
    cp "$out/$name/.libs/mod_$name.so" "$out/"
}

build ehealth "jansson libssl libcrypto libcurl libpq sqlite3" core io ehealth
build ehealth_oidc "jansson libcrypto" core oidc
echo "built $out/mod_ehealth.so and $out/mod_ehealth_oidc.so"
