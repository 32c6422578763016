#!/bin/sh
# Installs VirtualBox into a folder of its own: the judge of everything that concerns VirtualBox's machines. No kernel driver is needed:
# machines are made, changed and read, never started. It takes about a minute and 0.6 GB, once for each machine that runs the tests.
# Usage, as root: scripts/setup-virtualbox.sh [FOLDER]; the default is $VDISK_VIRTUALBOX, then /var/cache/vdisk/virtualbox.
# Debian has VirtualBox in the suite sid only, so a minimal sid goes into the folder. Nothing of the host is mounted into it here:
# test/support/virtualbox.ts mounts what it needs in a mount namespace of its own, which ends with the test.
set -eu

RECIPE=1 # of this script: an installation by another one is replaced
SUITE=sid
folder=${1:-${VDISK_VIRTUALBOX:-/var/cache/vdisk/virtualbox}}
new=$folder.new # becomes $folder when it is complete

if [ "$(id -u)" -ne 0 ]; then
  echo "$0: only root can install VirtualBox into a folder of its own" >&2
  exit 1
fi
mkdir -p "$(dirname "$folder")"

# A second run waits for the first, and then finds its work done.
exec 9>"$folder.lock"
flock 9

is_complete() { [ "$(cat "$folder/recipe" 2>/dev/null)" = "$RECIPE" ]; }
if is_complete; then exit 0; fi

# Deletes a folder of ours. What is mounted in it goes first, and what cannot be unmounted is not entered.
discard() {
  [ -d "$1" ] || return 0
  real=$(realpath "$1")
  # The youngest mount first; the kernel writes a space in a path as \040.
  awk -v folder="$real/" 'index($5, folder) == 1 { print $5 }' /proc/self/mountinfo | tac | while read -r mount_point; do
    umount -l "$(printf '%b' "$mount_point")"
  done
  rm -rf --one-file-system "$real"
}
discard "$folder"
discard "$new"

echo "installing VirtualBox into $folder"
log=$folder.log
install() {
  debootstrap --variant=minbase "$SUITE" "$new"
  sed -i 's/ main$/ main contrib/' "$new/etc/apt/sources.list"

  # The package depends on a kernel driver. An empty package that provides `virtualbox-modules` stands for it.
  mkdir -p "$new/no-modules/DEBIAN"
  cat >"$new/no-modules/DEBIAN/control" <<CONTROL
Package: no-modules
Version: 1
Architecture: all
Maintainer: nobody <nobody@localhost>
Provides: virtualbox-modules
Description: stands for VirtualBox's kernel driver, which is not needed here
CONTROL
  dpkg-deb --build "$new/no-modules" "$new/no-modules.deb"

  chroot "$new" apt-get -o Acquire::Check-Valid-Until=false update
  chroot "$new" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ./no-modules.deb \
    virtualbox systemd-standalone-sysusers fuse libfuse2t64 procps
  chroot "$new" apt-get clean
  rm -rf "$new/var/lib/apt/lists" "$new/no-modules" "$new/no-modules.deb"
  [ -e "$new/dev/fuse" ] || mknod -m 666 "$new/dev/fuse" c 10 229
  mkdir -p "$new/vm" # for the machines of a test
  # It runs; it needs /proc, which is gone again with this mount namespace.
  unshare --mount sh -c 'mount -t proc proc "$1/proc" && chroot "$1" VBoxManage --version' sh "$new"
}
# Not `if install`: in a condition the shell would go on after a failed step.
set +e
(set -e && install) >"$log" 2>&1
code=$?
set -e
if [ "$code" -ne 0 ]; then
  tail -n 20 "$log" >&2
  echo "$0: VirtualBox could not be installed (exit code $code); the whole log is $log" >&2
  discard "$new"
  exit 1
fi
# debootstrap mounts proc while it works; nothing may be left in what is kept.
awk -v folder="$(realpath "$new")/" 'index($5, folder) == 1 { print $5 }' /proc/self/mountinfo | tac | while read -r mount_point; do
  umount -l "$(printf '%b' "$mount_point")"
done
printf '%s\n' "$RECIPE" >"$new/recipe"
mv "$new" "$folder"
