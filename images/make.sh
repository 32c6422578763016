#!/bin/sh
# Makes images/web: the disk of a small Linux machine, as VirtualBox would leave it, with one snapshot.
#   web.vdi                 the base, by sfdisk, mke2fs and qemu-img: what the snapshot "Before update" shows
#   Snapshots/{…}.vdi       what was written since: web.vdi's disk changed by debugfs, then written as a
#                           differencing VDI by test/image/vdi/builder.ts, because no other free tool writes one
# Needs fdisk, e2fsprogs and qemu-utils, and root for the owners of the files.
set -eu
cd "$(dirname "$0")/web"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# --- the guest's files
root=$work/root
mkdir -p "$root/etc" "$root/usr/lib" "$root/usr/bin" "$root/var/log" "$root/var/www" "$root/home/me" "$root/boot"
printf 'web\n' >"$root/etc/hostname"
printf 'NAME="Example Linux"\nVERSION="11"\n' >"$root/usr/lib/os-release"
ln -s ../usr/lib/os-release "$root/etc/os-release"
printf '/dev/sda5 / ext4 defaults 0 1\n/dev/sda1 /boot ext2 defaults 0 2\n' >"$root/etc/fstab"
printf 'root:*:20000:0:99999:7:::\n' >"$root/etc/shadow"
printf 'Remember the milk.\n' >"$root/home/me/notes.txt"
printf '<!doctype html><title>It works</title>\n' >"$root/var/www/index.html"
i=0
while [ "$i" -lt 400 ]; do
  printf '2026-03-01T12:%02d:00Z request %d\n' $((i % 60)) "$i" >>"$root/var/log/access.log"
  i=$((i + 1))
done
truncate -s 1M "$root/var/sparse.db"
chmod 0640 "$root/etc/shadow"
chmod 0700 "$root/home/me"
chown -R 1000:1000 "$root/home/me"
find "$root" -exec touch -h -d 2026-03-01T12:00:00.123456789Z {} +
mkdir "$work/boot"
printf 'menuentry "Example Linux"\n' >"$work/boot/grub.cfg"

# --- the disk: a primary for /boot, a logical for /
disk=$work/disk.raw
truncate -s 15M "$disk"
sfdisk --quiet "$disk" <<EOF
label: dos
label-id: 0x2026c0de
start=2048, size=4096, type=83, bootable
start=6144, type=05
start=8192, type=83
EOF
mke2fs -q -I 256 -t ext2 -L boot -U 11111111-2222-4333-8444-555555555501 -E offset=$((2048 * 512)) -d "$work/boot" "$disk" 2M
mke2fs -q -I 256 -t ext4 -O ^has_journal -L web-root -U 11111111-2222-4333-8444-555555555505 -E offset=$((8192 * 512)) \
  -d "$root" "$disk" 11M
qemu-img convert -f raw -O vdi "$disk" web.vdi

# --- since the snapshot: an update
printf 'NAME="Example Linux"\nVERSION="12"\n' >"$work/os-release"
printf 'updated to 12\n' >"$work/update.log"
debugfs -w -f - "$disk?offset=$((8192 * 512))" >/dev/null 2>&1 <<EOF
rm /usr/lib/os-release
write $work/os-release /usr/lib/os-release
write $work/update.log /var/log/update.log
EOF
../../node_modules/.bin/tsx ../make-snapshot.ts "$disk" web.vdi Snapshots
