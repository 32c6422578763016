#!/bin/sh
# A machine's disk of more than 100,000 files in a chain of three VDIs, beside the kernel's own loop mount of the
# flattened disk: first a compare of everything in both trees, then times, taken in turns; medians and ratios.
#
#   [TURNS=5] scripts/bench/large-tree.sh [FOLDER]
#
# Needs root, 25 GB in FOLDER (kept, and used again; a temporary one otherwise), and python3. Its files are /usr.
set -eu
cd "$(dirname "$0")/../.."
project=$PWD
if [ $# -gt 0 ]; then folder=$1; mkdir -p "$folder"; else folder=$(mktemp -d); fi
cd "$folder"
partition=1048576 # bytes: where the one partition begins
vdisk() { node "$project/dist/cli/main.js" "$@"; }

mkdir -p judge ours
cleanup() {
  vdisk unmount ours 2>/dev/null || true
  umount judge 2>/dev/null || true
  if [ $# -eq 0 ]; then rm -rf "$folder"; fi
}
trap 'cleanup "$@"' EXIT

"$project/scripts/bench/large-tree-disk.sh" .

begun=$(date +%s%N)
vdisk mount state2.vdi ours >/dev/null
echo "ready after $((($(date +%s%N) - begun) / 1000000)) ms"
mount -o "ro,noload,loop,offset=$partition" 2.raw judge
echo "compare: $(python3 "$project/test/support/compare_trees.py" judge ours/fs0 | tail -n 1)"
cmp ours/vhdd 2.raw && echo "compare: vhdd is the flattened disk"
umount judge
vdisk unmount ours >/dev/null

python3 - "$project" "${TURNS:-5}" <<'PYTHON'
import json, statistics, subprocess, sys, time

vdisk = ["node", f"{sys.argv[1]}/dist/cli/main.js"]
work = {
    "find -ls": ["find {tree} -ls", "judge", "ours/fs0"],
    "find -ls again": ["find {tree} -ls", "judge", "ours/fs0"],
    "tar": ["tar cf - -C {tree} . | cat", "judge", "ours/fs0"],
    "read vhdd": ["dd if={tree} bs=1M", "2.raw", "ours/vhdd"],
}
times = {name: {"kernel": [], "vdisk": []} for name in work}
peak = 0


def timed(command):
    begun = time.monotonic()
    subprocess.run(command + " >/dev/null 2>&1", shell=True, check=True)
    return time.monotonic() - begun


subprocess.run("cat 2.raw state?.vdi >/dev/null", shell=True)
for turn in range(int(sys.argv[2])):
    for side in ("kernel", "vdisk"):
        # Mounted anew, so that the first look is one; the images stay in the page cache.
        if side == "kernel":
            subprocess.run("mount -o ro,noload,loop,offset=1048576 2.raw judge", shell=True, check=True)
        else:
            log = subprocess.run([*vdisk, "mount", "state2.vdi", "ours"], check=True, capture_output=True, text=True).stdout
            pid = json.loads(open(log.split("its log is ")[1].strip()).readlines()[0])["pid"]
        for name, (command, judge, ours) in work.items():
            times[name][side].append(timed(command.format(tree=judge if side == "kernel" else ours)))
        if side == "kernel":
            subprocess.run(["umount", "judge"], check=True)
        else:
            peak = max(peak, int(next(line for line in open(f"/proc/{pid}/status") if line.startswith("VmHWM")).split()[1]))
            subprocess.run([*vdisk, "unmount", "ours"], check=True)
print(f"{'':16}{'kernel s':>10}{'vdisk s':>10}{'ratio':>8}")
for name, both in times.items():
    kernel, ours = statistics.median(both["kernel"]), statistics.median(both["vdisk"])
    print(f"{name:16}{kernel:10.2f}{ours:10.2f}{ours / kernel:8.2f}")
print(f"the daemon's memory at its peak: {peak / 1000:.0f} MB")
PYTHON
