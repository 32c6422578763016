#!/bin/sh
# NTFS through our mount, beside ntfs-3g's mount of the same disk and 7-Zip: `find -ls` over 100,000 files, and reading
# files that are plain, compressed by NTFS (LZNT1) and compressed as CompactOS does (XPRESS4K, LZX). Times are taken in
# turns, each mount anew, so that the first look is one; medians, ratios, and the bar that each is to pass. Neither
# ntfs-3g nor 7-Zip reads CompactOS files (7-Zip gives zeros): in its place, 7-Zip unpacks the same chunks from a WIM.
#
#   [TURNS=5] scripts/bench/ntfs.sh [FOLDER]
#
# Needs root, 4 GB in FOLDER (kept, and used again; a temporary one otherwise), python3, ntfs-3g, 7zip, wimtools.
set -eu
cd "$(dirname "$0")/../.."
project=$PWD
if [ $# -gt 0 ]; then folder=$1; mkdir -p "$folder"; else folder=$(mktemp -d); fi
cd "$folder"

mkdir -p judge ours
cleanup() {
  node "$project/dist/cli/main.js" unmount ours 2>/dev/null || true
  umount judge 2>/dev/null || true
  if [ $# -eq 0 ]; then rm -rf "$folder"; fi
}
trap 'cleanup "$@"' EXIT

# ntfs-3g writes its last after umount has come back.
settled() {
  umount judge
  while pgrep -f "[n]tfs-3g $1 " >/dev/null; do sleep 0.1; done
}
if [ ! -e files.img ]; then
  echo "making the disks" >&2
  truncate -s 1500M tree.img
  mkntfs -q -F -f tree.img 2>/dev/null
  ntfs-3g tree.img judge
  python3 - <<'PYTHON'
import os, random
random.seed(1)
os.chdir("judge")
def put(path, size):
    fd = os.open(path, os.O_CREAT | os.O_WRONLY)
    os.write(fd, b"x" * size)
    os.close(fd)
os.mkdir("wide")
for _ in range(40000): put("wide/%08x.txt" % random.getrandbits(32), random.randrange(300))
for d in range(600):
    path = "tree%d/sub%d" % (d % 20, d)
    os.makedirs(path)
    for i in range(100): put("%s/file %d.dat" % (path, i), random.randrange(2000))
PYTHON
  settled tree.img
  truncate -s 2G files.tmp
  mkntfs -q -F -f files.tmp 2>/dev/null
  mkdir -p source
  find /usr/lib /usr/bin -type f -size +100k -print0 | sort -z | xargs -0 cat 2>/dev/null | head -c 300000000 >source/contents || true
  ntfs-3g files.tmp judge -o compression,streams_interface=windows
  cp source/contents judge/plain
  mkdir judge/lznt1 judge/xpress4k judge/lzx
  setfattr -n system.ntfs_attrib -v 0x20080000 judge/lznt1
  cp source/contents judge/lznt1/contents
  wimcapture source xpress4k.wim --compress=xpress --chunk-size=4096 >/dev/null
  wimcapture source lzx.wim --compress=lzx --chunk-size=32768 >/dev/null
  for algorithm in xpress4k lzx; do
    python3 "$project/test/filesystem/ntfs/wof.py" $algorithm source judge/$algorithm
  done
  settled files.tmp
  mv files.tmp files.img
fi

python3 - "$project" "${TURNS:-5}" <<'PYTHON'
import json, statistics, subprocess, sys, time

vdisk = ["node", f"{sys.argv[1]}/dist/cli/main.js"]
# Disk, command on a mounted tree, how 7-Zip is asked for the same, the least ratio to the fastest of the others. 7-Zip
# is no peer for a plain file: that costs a mount its way through the kernel, and nothing else.
work = {
    "find -ls": ("tree.img", "find {tree} -ls", None, 3),
    "read plain": ("files.img", "cat {tree}/plain", None, 1),
    "read LZNT1": ("files.img", "cat {tree}/lznt1/contents", "7zz e -so files.img lznt1/contents", 1),
    "read XPRESS4K": ("files.img", "cat {tree}/xpress4k/contents", "7zz e -so xpress4k.wim contents", 1),
    "read LZX": ("files.img", "cat {tree}/lzx/contents", "7zz e -so lzx.wim contents", 1),
}
times = {name: {} for name in work}


def timed(command):
    begun = time.monotonic()
    code = subprocess.run(command + " >/dev/null 2>&1", shell=True).returncode
    return time.monotonic() - begun if code == 0 else None


def note(name, side, seconds):
    if seconds is not None:
        times[name].setdefault(side, []).append(seconds)


subprocess.run("cat *.img >/dev/null", shell=True)
subprocess.run([*vdisk, "mount", "files.img", "ours"], check=True, stdout=subprocess.DEVNULL)
for path in ("plain", "lznt1/contents", "xpress4k/contents", "lzx/contents"):
    subprocess.run(["cmp", "source/contents", f"ours/fs0/{path}"], check=True)
subprocess.run([*vdisk, "unmount", "ours"], check=True)
for turn in range(int(sys.argv[2])):
    for name, (disk, command, archiver, _) in work.items():
        subprocess.run(["ntfs-3g", disk, "judge", "-o", "ro"], check=True)
        note(name, "ntfs-3g", timed(command.format(tree="judge")))
        subprocess.run(["umount", "judge"], check=True)
        subprocess.run([*vdisk, "mount", disk, "ours"], check=True, stdout=subprocess.DEVNULL)
        note(name, "vdisk", timed(command.format(tree="ours/fs0")))
        subprocess.run([*vdisk, "unmount", "ours"], check=True)
        if archiver is not None:
            note(name, "7zz", timed(archiver))
print(f"{'seconds':16}{'vdisk':>9}{'ntfs-3g':>9}{'7zz':>9}{'ratio':>8}{'bar':>6}")
for name, (_, _, _, bar) in work.items():
    median = {side: statistics.median(values) for side, values in times[name].items()}
    others = [seconds for side, seconds in median.items() if side != "vdisk"]
    shown = "".join(f"{median[side]:9.2f}" if side in median else f"{'-':>9}" for side in ("vdisk", "ntfs-3g", "7zz"))
    ratio = f"{min(others) / median['vdisk']:8.2f}" if others and "vdisk" in median else f"{'-':>8}"
    print(f"{name:16}{shown}{ratio}{'' if bar is None else f'{bar:6.1f}'}")
PYTHON
