#!/bin/sh
# Makes the images of this folder, and what other programs read in them:
#   NAME.xz             each image, packed
#   catalogue.tsv       what each is, in the columns that test/support/corpora.ts names
#   truth/ID.sha256     sha256 and path of every file, as another program reads it: the kernel's ext4, ntfs-3g, mtools, the Sleuth Kit, libfsntfs
#   truth/ID.disk.sha256  sha256 and size of the flat disk, by qemu-img
#   truth/ID.parts.tsv  the partitions, by sfdisk
# Needs root, and e2fsprogs, fdisk, gdisk, dosfstools, mtools, ntfs-3g, wimtools, python3-libfsntfs, sleuthkit, qemu-utils and xz-utils.
set -eu
cd "$(dirname "$0")"
here=$PWD
work=$(mktemp -d)
mount_point=$work/mount
mkdir "$mount_point"
trap 'umount -q "$mount_point" || true; rm -rf "$work"' EXIT
rm -rf truth catalogue.tsv ./*.xz
mkdir truth
export MTOOLS_SKIP_CHECK=1 LC_ALL=C.UTF-8

# add NAME FORMAT SCHEME FILE-SYSTEM good|corrupt JUDGE: packs $work/NAME and notes it; its truth, if any, is there.
add() {
  xz -9e --keep --stdout "$work/$1" >"$1.xz"
  truth=-
  if [ -e "truth/$1.sha256" ]; then truth=truth/$1.sha256; fi
  printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t\t\t\t\t%s\n' "$1" "$2" "$3" "$4" "$truth" "$5" "$1" "$6" >>catalogue.tsv
}
# hashes FOLDER [PREFIX]: sha256 and path of each file below.
hashes() { (cd "$1" && find . -type f -print0 | sort -z | xargs -0 -r sha256sum | sed "s|  \./|  ${2:-}|"); }
# by_kernel IMAGE OFFSET SIZE TYPE: mounts a part of it.
by_kernel() { mount -t "$4" -o "ro,loop,offset=$2,sizelimit=$3" "$1" "$mount_point"; }

# --- the files
files=$work/files
mkdir -p "$files/etc" "$files/sub/deeper" "$files/many"
printf 'small\n' >"$files/etc/hostname"
printf 'NAME="Small Linux"\n' >"$files/etc/os-release"
: >"$files/empty"
seq 1 20000 >"$files/sub/numbers.txt"
seq 1 300 | tr -d '\n' >"$files/sub/deeper/a name with spaces.txt"
python3 - "$files" <<'PY'
import sys
root = sys.argv[1]
with open(f"{root}/sub/sparse.bin", "wb") as f:  # holes, and an odd end
    for at in (0, 70_000, 300_000):
        f.seek(at)
        f.write(b"%d " % at * 30)
    f.truncate(400_001)
for i in range(120):
    with open(f"{root}/many/file number {i:03}.txt", "w") as f:
        f.write(f"{i}\n" * (i % 7))
PY

# --- ext
make_ext() { # NAME TYPE SIZE OPTION…
  name=$1 type=$2 size=$3
  shift 3
  rm -f "$work/$name"
  mke2fs -q -t "$type" -U 11111111-2222-4333-8444-555555555510 -E hash_seed=11111111-2222-4333-8444-555555555511 "$@" -d "$files" "$work/$name" "$size"
  by_kernel "$work/$name" 0 0 "$type"
  hashes "$mount_point" >"truth/$name.sha256"
  umount "$mount_point"
  add "$name" raw none "$type" good "Linux $type"
}
make_ext ext2-1k.img ext2 3M -b 1024 -I 128
make_ext ext3-2k.img ext3 6M -b 2048
make_ext ext4.img ext4 8M
make_ext ext4-features.img ext4 8M -I 256 -O inline_data,64bit,metadata_csum,flex_bg,large_dir,sparse_super2,^resize_inode
make_ext ext4-bigalloc.img ext4 16M -O bigalloc -C 16384

# --- FAT: floppies and disks
make_fat() { # NAME BITS KIB OPTION…
  name=$1 bits=$2 size=$3
  shift 3
  rm -f "$work/$name" && truncate -s "${size}K" "$work/$name"
  mkfs.fat -F "$bits" -i 2026c0de "$@" "$work/$name" >/dev/null
  mcopy -s -i "$work/$name" "$files"/* ::/
  rm -rf "$work/out" && mkdir "$work/out"
  mcopy -s -n -i "$work/$name" '::/*' "$work/out"
  hashes "$work/out" >"truth/$name.sha256"
  add "$name" raw none "fat$bits" good mtools
}
make_fat floppy.img 12 1440 -n FLOPPY
make_fat fat12-4k.img 12 4096 -s 8
make_fat fat16.img 16 8192 -s 1
make_fat fat32.img 32 34000 -s 1

# --- exFAT
"$here/../../node_modules/.bin/tsx" exfat.ts "$work/exfat.img"
fls -r -p -F "$work/exfat.img" | grep '^r/r' | while IFS="$(printf '\t')" read -r entry path; do
  case $path in '$'*) continue ;; esac
  inode=${entry#r/r }
  printf '%s  %s\n' "$(icat "$work/exfat.img" "${inode%:}" | sha256sum | cut -d ' ' -f 1)" "$path"
done >truth/exfat.img.sha256
add exfat.img raw none exfat good "the Sleuth Kit"

# --- NTFS: plain, compressed (LZNT1), CompactOS (packed by wimlib)
make_ntfs() { # NAME MIB
  rm -f "$work/$1" && truncate -s "$2M" "$work/$1"
  mkntfs -q -F -s 512 "$work/$1" >/dev/null 2>&1
}
make_ntfs ntfs.img 8
ntfs-3g -o compression "$work/ntfs.img" "$mount_point"
cp -r "$files/." "$mount_point/"
mkdir "$mount_point/compressed"
setfattr -h -v 0x00080000 -n system.ntfs_attrib_be "$mount_point/compressed" 2>/dev/null ||
  python3 -c 'import os, struct, sys; os.setxattr(sys.argv[1], "system.ntfs_attrib", struct.pack("<I", 0x820))' "$mount_point/compressed"
cp "$files/sub/numbers.txt" "$files/sub/sparse.bin" "$mount_point/compressed/"
umount "$mount_point"
ntfs-3g -o ro "$work/ntfs.img" "$mount_point"
hashes "$mount_point" >truth/ntfs.img.sha256
umount "$mount_point"
add ntfs.img raw none ntfs good ntfs-3g

mkdir "$work/packed" && cp "$files/sub/numbers.txt" "$work/packed/"
for algorithm in xpress4k lzx; do
  name=ntfs-$algorithm.img
  make_ntfs "$name" 4
  ntfs-3g -o streams_interface=windows "$work/$name" "$mount_point"
  python3 "$here/../../test/filesystem/ntfs/wof.py" "$algorithm" "$work/packed" "$mount_point"
  umount "$mount_point"
  # wimlib packed it; what it packed is what must come out. (libfsntfs confirms it for the algorithms that it knows.)
  hashes "$work/packed" >"truth/$name.sha256"
  add "$name" raw none ntfs good wimlib
done

# --- partition tables
# parts NAME: the partitions as sfdisk has them, in bytes.
parts() {
  sfdisk --json "$work/$1" | python3 -c '
import json, re, sys
table = json.load(sys.stdin)["partitiontable"]
print("#n\tstart_byte\tlength_bytes\ttype\tfs\tlabel")
for part in table["partitions"]:
    number = re.search(r"(\d+)$", part["node"])[1]
    print(number, part["start"] * 512, part["size"] * 512, part["type"], "-", "", sep="\t")' >"truth/$1.parts.tsv"
}
# into NAME SECTOR FILE: writes a file system into a partition.
into() { dd if="$work/$3" of="$work/$1" bs=512 seek="$2" conv=notrunc,sparse status=none; }
truncate -s 12M "$work/mbr-logical.img"
sfdisk --quiet "$work/mbr-logical.img" <<TABLE
label: dos
label-id: 0x2026c0de
start=64, size=6144, type=83
start=6300, type=05
start=6400, size=8192, type=01
start=14700, size=6144, type=83
TABLE
into mbr-logical.img 64 ext2-1k.img
into mbr-logical.img 6400 fat12-4k.img
into mbr-logical.img 14700 ext2-1k.img
parts mbr-logical.img
for place in "1 ext2-1k.img" "5 fat12-4k.img" "6 ext2-1k.img"; do
  sed "s|  |  p${place% *}/|" "truth/${place#* }.sha256"
done >truth/mbr-logical.img.sha256
add mbr-logical.img raw dos ext2+fat12 good "sfdisk, Linux, mtools"

truncate -s 24M "$work/gpt.img"
sfdisk --quiet "$work/gpt.img" <<TABLE
label: gpt
label-id: 11111111-2222-4333-8444-555555555520
start=2048, size=8192, type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7, uuid=11111111-2222-4333-8444-555555555521, name="data"
start=12288, size=16384, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, uuid=11111111-2222-4333-8444-555555555522, name="root"
start=30720, size=16384, type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7, uuid=11111111-2222-4333-8444-555555555523, name="win"
TABLE
into gpt.img 2048 fat12-4k.img
into gpt.img 12288 ext4.img
into gpt.img 30720 ntfs.img
parts gpt.img
for place in "1 fat12-4k.img" "2 ext4.img" "3 ntfs.img"; do
  sed "s|  |  p${place% *}/|" "truth/${place#* }.sha256"
done >truth/gpt.img.sha256
add gpt.img raw gpt fat12+ext4+ntfs good "sfdisk, Linux, mtools, ntfs-3g"

# The first table is gone, its copy at the disk's end is whole.
cp --sparse=always "$work/gpt.img" "$work/gpt-backup.img"
dd if=/dev/zero of="$work/gpt-backup.img" bs=512 seek=1 count=33 conv=notrunc status=none
for kind in sha256 parts.tsv; do cp "truth/gpt.img.$kind" "truth/gpt-backup.img.$kind"; done
add gpt-backup.img raw gpt fat12+ext4+ntfs good "sfdisk before the damage, Linux, mtools, ntfs-3g"

# --- containers: VDI is read, the others are named and refused
for kind in dynamic fixed; do
  qemu-img convert -f raw -O vdi -o "static=$([ $kind = fixed ] && echo on || echo off)" "$work/mbr-logical.img" "$work/mbr-$kind.vdi"
  qemu-img convert -f vdi -O raw "$work/mbr-$kind.vdi" "$work/flat"
  printf '%s  %s\n' "$(sha256sum <"$work/flat" | cut -d ' ' -f 1)" "$(stat -c %s "$work/flat")" >"truth/mbr-$kind.vdi.disk.sha256"
  cp truth/mbr-logical.img.sha256 "truth/mbr-$kind.vdi.sha256"
  add "mbr-$kind.vdi" "vdi:$kind" dos ext2+fat12 good "qemu-img, Linux, mtools"
done
for format in vmdk vhdx qcow2 qed parallels; do
  qemu-img convert -f raw -O "$format" "$work/ext2-1k.img" "$work/ext2.$format"
  add "ext2.$format" "$format" none ext2 good qemu-img
done
qemu-img convert -f raw -O vpc "$work/ext2-1k.img" "$work/ext2.vhd"
qemu-img convert -f vpc -O raw "$work/ext2.vhd" "$work/flat"
printf '%s  %s\n' "$(sha256sum <"$work/flat" | cut -d ' ' -f 1)" "$(stat -c %s "$work/flat")" >truth/ext2.vhd.disk.sha256
cp truth/ext2-1k.img.sha256 truth/ext2.vhd.sha256
add ext2.vhd vhd:dynamic none ext2 good "qemu-img, Linux ext2"

# --- damaged: what comes of them is right bytes or an error
# damage FROM TO BYTE HEX…: a copy with other bytes.
damage() {
  cp --sparse=always "$work/$1" "$work/$2"
  python3 - "$work/$2" "$3" "$4" <<'PY'
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(int(sys.argv[2], 0))
    f.write(bytes.fromhex(sys.argv[3]))
PY
}
inode_table=$(dumpe2fs "$work/ext2-1k.img" 2>/dev/null | sed -n 's/.*Inode table at \([0-9]*\).*/\1/p' | head -n 1)
damage ext2-1k.img damaged-ext2-inodes.img $((inode_table * 1024 + 256)) "$(printf 'ff%.0s' $(seq 512))"
add damaged-ext2-inodes.img raw none ext2 corrupt -
damage fat16.img damaged-fat16-loop.img $((512 * $(od -An -tu2 -j 14 -N 2 "$work/fat16.img") + 4)) 0300020004000500
add damaged-fat16-loop.img raw none fat16 corrupt -
damage exfat.img damaged-exfat-boot.img 96 ffffffff
add damaged-exfat-boot.img raw none exfat corrupt -
# The root directory's record (5) of $MFT.
record=$(($(od -An -tu8 -j 48 -N 8 "$work/ntfs.img") * $(od -An -tu1 -j 13 -N 1 "$work/ntfs.img") * 512 + 5 * 1024))
damage ntfs.img damaged-ntfs-root.img $((record + 0x14)) ffff
add damaged-ntfs-root.img raw none ntfs corrupt -
damage mbr-logical.img damaged-mbr-chain.img $((0x1be + 16 + 8)) 01000000
add damaged-mbr-chain.img raw dos ext2+fat12 corrupt -
damage mbr-dynamic.vdi damaged-map.vdi $(($(od -An -tu4 -j $((0x154)) -N 4 "$work/mbr-dynamic.vdi") + 8)) 00000070
add damaged-map.vdi vdi:dynamic dos ext2+fat12 corrupt -
