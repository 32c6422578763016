#!/bin/sh
# Installs everything that the tests and their judges (other programs whose results are compared) need, then runs all
# checks. The last line counts the tests.
set -u
cd "$(dirname "$0")/.."

scripts/setup.sh fuse3 e2fsprogs qemu-utils qemu-system-common fdisk gdisk dosfstools ntfs-3g wimtools exfatprogs xfsprogs btrfs-progs attr acl \
  libvhdi-utils procps rsync sleuthkit util-linux fio g++ python3 python3-libfsntfs mtools 7zip xz-utils debootstrap debian-archive-keyring clang-14 libclang-rt-14-dev || {
  echo "0 passed, 1 failed"
  exit 1
}
# The judge of VirtualBox's machines. If this fails, test/virtualbox fails, too.
scripts/setup-virtualbox.sh

failed=0
check() {
  echo "== $*"
  "$@" || { echo "failed: $*"; failed=$((failed + 1)); }
}
check npm run --silent lint
check npm run --silent types
check npm run --silent levels

report=$(mktemp)
echo "== tap"
npx tap --reporter=silent --output-file="$report" "$@"
tap_code=$?
grep -a -A 30 '^ *not ok' "$report" # tests print bytes, too
# The top level of the report has one line a test file; "# { total: …" counts the assertions in all of them.
count() { sed -n "s/^# {.*[{ ]$1: \([0-9]*\).*/\1/p" "$report" | tail -n 1; }
passed=$(count pass)
not_passed=$(count fail)
if [ "$tap_code" -ne 0 ] && [ "${not_passed:-0}" -eq 0 ]; then failed=$((failed + 1)); fi
skipped=$(count skip)
if [ "${skipped:-0}" -ne 0 ]; then
  echo "failed: $skipped tests were skipped: a judge is missing"
  failed=$((failed + 1))
fi
rm -f "$report"

fuzzing=$(mktemp -d)
check scripts/fuzz.sh --minutes 5 --state "$fuzzing" --keep "$fuzzing/found"

failed=$((failed + ${not_passed:-0}))
echo "${passed:-0} passed, $failed failed"
[ "$failed" -eq 0 ] && [ "${passed:-0}" -gt 0 ]
