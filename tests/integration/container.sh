#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Boots a throwaway copy of this machine under a systemd of its own, with a build installed into it.
# usage: unshare -m --propagation private bash container.sh BUILD-DIRECTORY
# Needs root. Prints "leader PID" when it is up, and runs until its stdin is closed; then all is gone:
# the copy is an overlay of / in a mount namespace of its own, and what it writes is in memory.
set -eu

build=$1
upper=$(mktemp -d /dev/shm/factord-XXXXXX)
root=$upper/root
hierarchy=$(findmnt -n -o TARGET -t cgroup2 | head -n1)
group=$hierarchy/factord-test-$$
nspawn=
leader=

cleanup() {
        trap - EXIT
        [ -z "$leader" ] || nsenter -t "$leader" -a systemctl poweroff --no-wall || true
        if [ -n "$nspawn" ]; then
                for _ in $(seq 300); do
                        kill -0 "$nspawn" 2>/dev/null || break
                        sleep 0.1
                done
                kill -KILL "$nspawn" 2>/dev/null || true
                wait "$nspawn" || true
        fi
        cat "$upper/console" >&2 2>/dev/null || true
        if [ -d "$group" ]; then
                echo $$ >"$hierarchy/cgroup.procs"
                find "$group" -depth -type d -exec rmdir {} + || true
        fi
        umount "$root" || true
        rm -rf "$upper"
}
trap cleanup EXIT
trap 'exit 1' TERM INT HUP

[ -n "$hierarchy" ] || {
        echo "no cgroup2 hierarchy is mounted" >&2
        exit 1
}
mkdir "$upper/up" "$upper/work" "$root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$upper/up,workdir=$upper/work" "$root"

# A machine of its own, on which nothing of this one's services starts.
rm -f "$root/etc/machine-id"
systemd-id128 new >"$root/etc/machine-id"
: >"$root/etc/fstab"
rm -rf "$root"/etc/systemd/system/*.wants "$root/etc/systemd/system/default.target" \
        "$root/etc/factord" "$root/var/lib/factord"
ln -s /lib/systemd/system/multi-user.target "$root/etc/systemd/system/default.target"
for unit in systemd-networkd systemd-resolved systemd-timesyncd systemd-udevd networking \
        console-getty getty@; do
        ln -sf /dev/null "$root/etc/systemd/system/$unit.service"
done
mkdir -p "$root/var/log/journal"
DESTDIR=$root meson install -C "$build" --no-rebuild --quiet >&2

# A group of its own, or nspawn would split the one it was started in.
mkdir "$group"
echo $$ >"$group/cgroup.procs"

# It shares the network: the sandbox outside is reached on loopback.
export UNIFIED_CGROUP_HIERARCHY=1 SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
systemd-nspawn -q -D "$root" --boot --keep-unit --register=no --machine="factord-test-$$" \
        --console=pipe --notify-ready=yes --resolv-conf=off --timezone=off \
        --setenv=PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin -- --log-target=journal \
        >"$upper/console" 2>&1 </dev/null &
nspawn=$!

find_leader() {
        for child in $(cat "/proc/$nspawn/task/$nspawn/children" 2>/dev/null); do
                [ "$(cat "/proc/$child/comm" 2>/dev/null)" != systemd ] || echo "$child"
        done
}

for _ in $(seq 600); do
        leader=$(find_leader)
        if [ -n "$leader" ]; then
                state=$(nsenter -t "$leader" -a systemctl is-system-running 2>/dev/null || true)
                case "$state" in
                running | degraded)
                        echo "leader $leader"
                        cat >/dev/null # until stdin is closed
                        exit 0
                        ;;
                esac
        fi
        kill -0 "$nspawn" 2>/dev/null || break
        sleep 0.1
done
leader=
echo "systemd did not come up" >&2
exit 1
