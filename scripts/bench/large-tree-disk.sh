#!/bin/sh
# A machine's disk of more than 100,000 files, those of /usr, in three states: FOLDER/state0.vdi to state2.vdi, and
# the newest state flat, FOLDER/2.raw. One ext4 partition begins at 1 MiB. Nothing is done when they are there.
#
#   scripts/bench/large-tree-disk.sh FOLDER
#
# Needs root and 25 GB.
set -eu
project=$(cd "$(dirname "$0")/../.." && pwd)
cd "$1"
if [ -e state2.vdi ] && [ ! -e 1.raw ]; then exit 0; fi
partition=1048576 # bytes: where the one partition begins
echo "making the disk of many files" >&2

mkdir -p judge
trap 'umount judge 2>/dev/null || true' EXIT
trap 'exit 1' HUP INT TERM
state() { # RAW: its file system on judge, to be written to
  mount -o "loop,offset=$partition" "$1" judge
}
truncate -s 10G 0.raw
echo 'label: gpt
start=2048, size=18874368, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4' | sfdisk --quiet 0.raw
mke2fs -q -F -t ext4 -E offset=$partition 0.raw 9437184k
state 0.raw
cp -a /usr/share judge/
umount judge
cp --sparse=always 0.raw 1.raw
state 1.raw
cp -a /usr/lib judge/
rm -rf judge/share/doc
umount judge
cp --sparse=always 1.raw 2.raw
state 2.raw
mkdir judge/rest
find /usr -mindepth 1 -maxdepth 1 ! -name share ! -name lib -exec cp -a {} judge/rest/ \;
cp -a /usr/share/doc judge/doc
umount judge
"$project/node_modules/.bin/tsx" "$project/scripts/bench/make-chain.ts" . 0.raw 1.raw 2.raw
rm 0.raw 1.raw
