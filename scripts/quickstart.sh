#!/bin/sh
# Installs vdisk's dependencies and builds it, then mounts a small image, lists it, reads a file, and unmounts it.
set -eu
cd "$(dirname "$0")/.."
scripts/setup.sh fuse3

vdisk() { node dist/cli/main.js "$@"; }
show() { printf '\n$ %s\n' "$*"; "$@"; }

mount_point=$(mktemp -d)
trap 'vdisk unmount "$mount_point" 2>/dev/null || true; rmdir "$mount_point"' EXIT

show vdisk info images/web/Snapshots/*.vdi
show vdisk mount images/web/Snapshots/*.vdi "$mount_point"
show ls -l "$mount_point" "$mount_point/fs1"
show cat "$mount_point/fs1/etc/os-release"
show vdisk unmount "$mount_point"
