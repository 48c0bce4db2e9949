#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A private PostgreSQL cluster for the unit tests: pg.sh start|stop|up|freeze|thaw|remove FOLDER
# Listens on 127.0.0.1 at a free port, which it prints, and on a socket in FOLDER. Exit code 77: PostgreSQL is missing.
set -e
action=$1
dir=$2
bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
[ -n "$bin" ] || bin=$(dirname "$(command -v initdb 2>/dev/null)" 2>/dev/null) || exit 77
[ -x "$bin/initdb" ] || exit 77
LC_ALL=C.UTF-8
export LC_ALL

# initdb and postgres refuse to run as root.
run() {
    if [ "$(id -u)" = 0 ]; then
        user=postgres
        id "$user" >/dev/null 2>&1 || user=nobody
        (cd / && setpriv --reuid="$user" --regid="$user" --init-groups "$@")
    else
        "$@"
    fi
}

begin() { run "$bin/pg_ctl" -s -w -t 30 -D "$dir/data" -l "$dir/data/log" start >/dev/null; }

everybody() {
    pid=$(head -n 1 "$dir/data/postmaster.pid")
    kill "-$1" "$pid"
    for child in $(cat "/proc/$pid/task/$pid/children"); do
        kill "-$1" "$child" 2>/dev/null || :
    done
}

case $action in
start)
    mkdir "$dir/data"
    if [ "$(id -u)" = 0 ]; then
        id postgres >/dev/null 2>&1 && owner=postgres || owner=nobody
        chown "$owner" "$dir" "$dir/data"
    fi
    run "$bin/initdb" -D "$dir/data" -U eh -A trust -E UTF8 --no-sync >/dev/null
    cat >>"$dir/data/postgresql.conf" <<END
listen_addresses = '127.0.0.1'
unix_socket_directories = '$dir'
fsync = off
full_page_writes = off
shared_buffers = 16MB
max_connections = 60
dynamic_shared_memory_type = mmap
deadlock_timeout = 100ms
autovacuum = off
END
    for try in 1 2 3 4 5; do
        port=$(shuf -n 1 -i 20000-32000)
        echo "port = $port" >>"$dir/data/postgresql.conf"
        if begin; then
            echo "$port"
            exit 0
        fi
    done
    cat "$dir/data/log" >&2
    exit 1
    ;;
stop) run "$bin/pg_ctl" -s -w -D "$dir/data" -m fast stop >/dev/null ;;
up) begin ;;
freeze) everybody STOP ;;
thaw) everybody CONT ;;
remove)
    everybody CONT 2>/dev/null || :
    run "$bin/pg_ctl" -s -w -D "$dir/data" -m immediate stop >/dev/null 2>&1 || :
    rm -rf "$dir"
    ;;
*) exit 2 ;;
esac
