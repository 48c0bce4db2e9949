#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh FOLDER RESULT.json: both commands on a bare Debian 12, as root in a chroot, nothing installed beforehand.
# The root is made by debootstrap from the mirror that this machine uses; the tree is copied without its work folder.
set -euo pipefail
FOLDER=$1 RESULT=$2
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
SUITE=bookworm
TARGET=$FOLDER/root
COMMIT=$(git -C "$ROOT" rev-parse HEAD 2>/dev/null || echo unknown)
START=$SECONDS

[ "$(id -u)" = 0 ] || { echo "bare: debootstrap and chroot need root" >&2; exit 1; }
command -v debootstrap >/dev/null || { echo "bare: debootstrap is missing: apt-get install debootstrap" >&2; exit 1; }

# The mirror: first Debian archive in the machine's sources, deb822 or one-line; security beside it.
sources() { cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null || true; }
mirror() {
    sources | sed -n -e 's/^URIs: *\([^ ]*\).*/\1/p' -e 's/^deb \(\[[^]]*\] *\)\{0,1\}\([^ ]*\).*/\2/p' | grep "$1" | head -n 1
}
MIRROR=$(mirror '/debian/\{0,1\}$')
SECURITY=$(mirror 'debian-security/\{0,1\}$')
MIRROR=${MIRROR:-http://deb.debian.org/debian}
SECURITY=${SECURITY:-http://deb.debian.org/debian-security}

unmount() {
    # nothing of the chroot may live on: its processes first, then what is mounted below it
    local pid
    for pid in /proc/[0-9]*; do
        case $(readlink "$pid/root" 2>/dev/null) in
        "$TARGET"*) kill -KILL "${pid#/proc/}" 2>/dev/null || true ;;
        esac
    done
    for dir in dev/shm dev/pts dev proc sys; do
        mountpoint -q "$TARGET/$dir" && umount "$TARGET/$dir" || true
    done
}
trap unmount EXIT
trap 'exit 143' TERM INT HUP

if [ ! -e "$TARGET/etc/debian_version" ]; then
    mkdir -p "$FOLDER"
    debootstrap --variant=minbase "$SUITE" "$TARGET" "$MIRROR"
fi
chmod 755 "$TARGET" # debootstrap leaves its root closed to everybody but root
cat >"$TARGET/etc/apt/sources.list" <<LIST
deb $MIRROR $SUITE main
deb $MIRROR $SUITE-updates main
deb $SECURITY $SUITE-security main
LIST
cp /etc/apt/apt.conf.d/*proxy* "$TARGET/etc/apt/apt.conf.d/" 2>/dev/null || true
cp /etc/resolv.conf "$TARGET/etc/resolv.conf"
grep -v "$(hostname)" /etc/hosts >"$TARGET/etc/hosts" || true
echo "127.0.0.1 localhost" >>"$TARGET/etc/hosts"
# what this machine trusts beside Debian's own list: a hospital's or a laboratory's inspecting proxy
if [ -f /etc/ssl/certs/ca-certificates.crt ]; then cp /etc/ssl/certs/ca-certificates.crt "$TARGET/root/machine-ca.crt"; fi
rm -rf "$TARGET/home/ehealth"
mkdir -p "$TARGET/home/ehealth"
tar -C "$ROOT" --exclude=./.work --exclude=./autom4te.cache --exclude=./build-aux --exclude=./m4 --exclude=./configure \
    --exclude=./Makefile.in --exclude=./aclocal.m4 --exclude=./.git -cf - . | tar -C "$TARGET/home/ehealth" -xf -
mount -t proc proc "$TARGET/proc"
mount -t sysfs sysfs "$TARGET/sys"
mount --bind /dev "$TARGET/dev"
mount -t devpts devpts "$TARGET/dev/pts"
mkdir -p "$TARGET/dev/shm"
mountpoint -q "$TARGET/dev/shm" || mount -t tmpfs tmpfs "$TARGET/dev/shm"

inside() {
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb CI=true EH_RECORDING=1 NODE_EXTRA_CA_CERTS=/root/machine-ca.crt \
        chroot "$TARGET" /bin/sh -c "cd /home/ehealth && $1" </dev/null
}
inside './setup demo'
inside 'URL=$(sed -n "s/^Define URL //p" /tmp/eh-demo-*/httpd/conf/httpd.conf) && curl -fsS "$URL/" | grep -q "Pro Santé Connect"'
inside './setup demo && ./setup demo --stop'
inside 'test -z "$(ls -d /tmp/eh-* 2>/dev/null)"'
inside './setup check' | tee "$FOLDER/check.log"
LAST=$(tail -n 1 "$FOLDER/check.log")
left=
for pid in /proc/[0-9]*; do
    case $(readlink "$pid/root" 2>/dev/null) in "$TARGET"*) left="$left $(tr '\0' ' ' <"$pid/cmdline")" ;; esac
done
[ -z "$left" ] || { echo "bare: left running:$left" >&2; exit 1; }
case $LAST in *' passed, 0 failed') ;; *) exit 1 ;; esac
printf '{"passed": true, "commit": "%s", "seconds": %d, "suite": "%s", "check": "%s"}\n' "$COMMIT" $((SECONDS - START)) \
    "$SUITE" "$LAST" >"$RESULT"
