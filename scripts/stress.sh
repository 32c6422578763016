#!/bin/sh
# Runs the stress tests of mounts for a long time, which npm test does for seconds: eight jobs of fio verify a disk of
# 2 GiB, readers and daemons are killed, and one process mounts and unmounts repeatedly.
#
#   scripts/stress.sh [SECONDS [CYCLES]]
#
# By default ten minutes and 10,000 cycles. Needs root, what scripts/test.sh installs, and 7 GB in the project's folder.
# The last line prints descriptors, threads and megabytes of memory before and after the cycles.
set -eu
cd "$(dirname "$0")/.."
VDISK_STRESS_SECONDS=${1:-600} VDISK_STRESS_BLOCKS=2048 npx tap --timeout=100000 test/fuse/stress.test.ts
folder=$(mktemp -d)
node --import tsx test/fuse/support/cycles.ts native "$folder" "${2:-10000}"
rmdir "$folder"
