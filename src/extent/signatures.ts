/**
 * The signatures of volumes: boot sectors, superblocks, and the labels of volume managers and of encryption. Partition
 * tables, file systems and `info` all look for them: to tell a disk without a table from one with a table, a new file
 * system from the remains of an older one, and to name what is not read.
 *
 * Source, unless said otherwise: util-linux 2.38, libblkid/src/superblocks, the `magics` of each.
 */
import type { BlockSource } from "./extent.js";
import { peek } from "./peek.js";

export interface Signature {
  /** What users call the format. */
  readonly name: string;
  /** Bytes from the volume's start. */
  readonly offset: number;
  /** As latin1 text. */
  readonly bytes: string;
}

const at = (name: string, offset: number, bytes: string): Signature => ({ name, offset, bytes });

/** The last two bytes of a boot sector, of an MBR as of a file system's: a number, little-endian. */
export const BOOT_MARK = 0xaa55;
export const BOOT_MARK_OFFSET = 510;

/** The OEM name in the boot sectors of NTFS, exFAT, BitLocker and ReFS, at byte 3. */
export const OEM_NAME_OFFSET = 3;
export const NTFS_OEM_NAME = "NTFS    ";
export const EXFAT_OEM_NAME = "EXFAT   ";

/** ext's superblock, and the place of its magic number within it. Source: Linux, Documentation/filesystems/ext4/super.rst. */
export const EXT_SUPERBLOCK_OFFSET = 1024;
export const EXT_MAGIC_OFFSET = 0x38;
export const EXT_MAGIC = 0xef53;

/** Boot sectors with a name of their own. HPFS has it where OS/2 puts it. */
export const BOOT_SECTORS: readonly Signature[] = [
  at("NTFS", OEM_NAME_OFFSET, NTFS_OEM_NAME),
  at("exFAT", OEM_NAME_OFFSET, EXFAT_OEM_NAME),
  at("BitLocker", OEM_NAME_OFFSET, "-FVE-FS-"),
  at("ReFS", OEM_NAME_OFFSET, "ReFS"),
  at("HPFS", 0x36, "HPFS    "),
];

/**
 * What may be found on a whole disk, beside which no partition table is in use. LVM2 has its label in any of the first
 * four sectors (lib/label/label.h, LABEL_SCAN_SECTORS).
 */
export const WHOLE_DISK: readonly Signature[] = [
  at("XFS", 0, "XFSB"),
  at("LUKS", 0, "LUKS\xba\xbe"),
  at("squashfs", 0, "hsqs"),
  at("LVM2", 0, "LABELONE"),
  at("LVM2", 512, "LABELONE"),
  at("LVM2", 1024, "LABELONE"),
  at("LVM2", 1536, "LABELONE"),
  at("ISO 9660", 0x8001, "CD001"),
  at("btrfs", 0x10040, "_BHRfS_M"),
];

/** Swap space with pages of 4096 bytes; mkswap does not overwrite a partition table. Source: Linux include/linux/swap.h. */
export const SWAP: readonly Signature[] = [at("swap", 4086, "SWAPSPACE2"), at("swap", 4086, "SWAP-SPACE")];

/** What is only looked for on a volume. The MD superblocks are of versions 1.1 and 1.2 (Linux, admin-guide/md.rst). */
const VOLUMES: readonly Signature[] = [
  at("Linux RAID", 0, "\xfc\x4e\x2b\xa9"),
  at("Linux RAID", 4096, "\xfc\x4e\x2b\xa9"),
  at("APFS", 32, "NXSB"),
  at("HFS+", 1024, "H+"),
  at("HFS+", 1024, "HX"),
  at("F2FS", 1024, "\x10\x20\xf5\xf2"),
  at("EROFS", 1024, "\xe2\xe1\xf5\xe0"),
  at("bcache", 4120, "\xc6\x85\x73\xf6\x4e\x1a\x45\xca"),
  at("JFS", 32768, "JFS1"),
  at("ReiserFS", 65588, "ReIsEr"),
];

/** Two bytes, which also turn up by chance: they rule out other formats, but do not identify this one. */
const WEAK: readonly Signature[] = [at("NILFS2", 1030, "\x34\x34")];

/** The formats that vdisk does not read, so that users can be told their names. */
export const UNREAD: readonly Signature[] = [
  ...WHOLE_DISK,
  ...BOOT_SECTORS.filter(({ name }) => name !== "NTFS" && name !== "exFAT"),
  ...VOLUMES,
  ...SWAP,
];

/** All signatures that a boot sector or superblock of ext, NTFS or FAT does not have. */
export const FOREIGN: readonly Signature[] = [...WHOLE_DISK, ...VOLUMES, ...SWAP, ...WEAK];

/** The name of the first of `signatures` that `source` has, counted from `start`; what cannot be read has none. */
export async function findSignature(
  source: BlockSource,
  signatures: readonly Signature[],
  start = 0,
): Promise<string | undefined> {
  for (const { name, offset, bytes } of signatures) {
    const found = await peek(source, start + offset, bytes.length);
    if (found?.toString("latin1") === bytes) return name;
  }
  return undefined;
}

/** The name of the first of `signatures` that `start`, a volume's first bytes, has. */
export function signatureIn(start: Buffer, signatures: readonly Signature[]): string | undefined {
  return signatures.find(
    ({ offset, bytes }) => start.toString("latin1", offset, offset + bytes.length) === bytes,
  )?.name;
}

/** Whether an ext superblock's magic number is at its place. */
export function hasExtMagic(superblock: Buffer): boolean {
  return superblock.readUInt16LE(EXT_MAGIC_OFFSET) === EXT_MAGIC;
}

/** The jump over the parameter block: short with a no-operation, or near. Every DOS boot sector begins with one. */
export function startsWithJump(sector: Buffer): boolean {
  return (sector[0] === 0xeb && sector[2] === 0x90) || sector[0] === 0xe9;
}

/** Whether `byte` is a media byte, with which a FAT begins. Source: Microsoft FAT specification (2005), section 3.3. */
export function isMediaByte(byte: number): boolean {
  return byte === 0xf0 || byte >= 0xf8;
}
