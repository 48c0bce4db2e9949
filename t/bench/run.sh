#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# t/bench/run.sh [options of bench.py]: installs the peers, measures, writes t/bench/results/. Needs a quiet machine with
# two cores. EH_BUILD names an optimised build (default: .work/build).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
missing=
for package in wrk valgrind nginx-light libapache2-mod-auth-openidc libapache2-mod-auth-tkt python3-jwcrypto; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing="$missing $package"
done
if [ -n "$missing" ]; then
    [ "$(id -u)" = 0 ] || { echo "run.sh: missing packages: apt-get install$missing" >&2; exit 1; }
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing >/dev/null
fi
exec /usr/bin/python3 "$here/bench.py" "$@"
