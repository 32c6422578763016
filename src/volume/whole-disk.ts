/**
 * A disk without a partition table is one volume. A file system at the start of a disk may have been written over an older
 * table, of which parts remain: the signatures here decide whether there is one. They are checked only as far as that
 * needs; the drivers of the file systems check the rest.
 */
import type { BlockSource } from "../extent/extent.js";
import { peek } from "../extent/peek.js";
import {
  EXFAT_OEM_NAME,
  EXT_SUPERBLOCK_OFFSET,
  EXT_MAGIC,
  findSignature,
  isMediaByte,
  NTFS_OEM_NAME,
  OEM_NAME_OFFSET,
  startsWithJump,
  SWAP,
  WHOLE_DISK,
} from "../extent/signatures.js";
import { window } from "../extent/window.js";
import { isPowerOfTwo } from "../bytes/integers.js";
import { struct, u16le, u32le, u8 } from "../bytes/struct.js";
import type { VolumeTable } from "./volume.js";

/** Returns the disk as one volume. */
export function wholeDisk(disk: BlockSource): VolumeTable {
  const source = window(disk, 0, disk.size, `${disk.name} vol0`);
  return {
    kind: "none",
    sectorSize: 512,
    volumes: [
      {
        index: 0,
        number: 0,
        offset: 0,
        source,
        tableSize: disk.size,
        type: "",
        typeName: "",
        bootable: false,
      },
    ],
    warnings: [],
  };
}

/** The part of the BIOS parameter block that every FAT has. Source: Microsoft FAT specification (2005), section 3.1. */
const FatBootSector = struct("FAT boot sector", 512, {
  bytesPerSector: u16le(0x0b),
  sectorsPerCluster: u8(0x0d),
  reservedSectors: u16le(0x0e),
  fatCount: u8(0x10),
  totalSectors16: u16le(0x13),
  media: u8(0x15),
  totalSectors32: u32le(0x20),
});

/** Start of the superblock, which lies at byte 1024. Source: Linux, Documentation/filesystems/ext4/super.rst. */
const ExtSuperblock = struct("ext superblock", 0x154, {
  blockCountLow: u32le(0x04),
  firstDataBlock: u32le(0x14),
  logBlockSize: u32le(0x18),
  blocksPerGroup: u32le(0x20),
  inodesPerGroup: u32le(0x28),
  magic: u16le(0x38),
  incompatible: u32le(0x60),
  blockCountHigh: u32le(0x150),
});

/** 64 KiB blocks, the largest (super.rst, s_log_block_size). */
const EXT_MAX_LOG_BLOCK_SIZE = 6;
/** INCOMPAT_64BIT: the block count has a high half. */
const EXT_64BIT = 0x80;

/** Returns the name of what begins at `offset` of `disk`; undefined if it is not known or cannot be read. */
export async function signatureAt(disk: BlockSource, offset: number): Promise<string | undefined> {
  const sector = await peek(disk, offset, FatBootSector.size);
  const boot = sector && (await bootSectorAt(disk, offset, sector));
  return boot ?? (await superblockAt(disk, offset)) ?? (await findSignature(disk, SWAP, offset));
}

/**
 * As `signatureAt`, but only for signatures that do not occur together with a partition table. Boot sectors do, because they
 * lie in the MBR's sector, and swap areas do, because mkswap does not overwrite a table.
 */
export async function superblockAt(disk: BlockSource, offset: number): Promise<string | undefined> {
  return (await isExt(disk, offset)) ? "ext" : findSignature(disk, WHOLE_DISK, offset);
}

/** Returns whether all bytes are zero where a boot sector, a table or a superblock would be. */
export async function isBlank(disk: BlockSource): Promise<boolean> {
  const start = await peek(disk, 0, Math.min(disk.size, BLANK_START));
  return start?.every((byte) => byte === 0) ?? false;
}

/** The last of the superblocks above lies at 64 KiB. */
const BLANK_START = 0x11000;

/**
 * Returns the file system whose boot sector is `sector`, which lies at `offset`; only for those whose boot sectors end in
 * 0x55 0xaa, like an MBR. A boot sector of FAT has a jump and a media byte, or a FAT lies where its fields say: Atari's have
 * no jump, and some cameras' have a media byte of their own.
 */
export async function bootSectorAt(
  disk: BlockSource,
  offset: number,
  sector: Buffer,
): Promise<"NTFS" | "exFAT" | "FAT" | undefined> {
  const oem = sector.toString("latin1", OEM_NAME_OFFSET, OEM_NAME_OFFSET + NTFS_OEM_NAME.length);
  // The jump is not required: it may be damaged, and both file systems have a copy of the sector.
  if (oem === NTFS_OEM_NAME) return "NTFS";
  if (oem === EXFAT_OEM_NAME) return "exFAT";
  const fat = FatBootSector.view(sector);
  const isPlausible =
    isPowerOfTwo(fat.bytesPerSector) &&
    fat.bytesPerSector >= 128 &&
    fat.bytesPerSector <= 4096 &&
    isPowerOfTwo(fat.sectorsPerCluster) &&
    fat.reservedSectors > 0 &&
    fat.fatCount > 0 &&
    (fat.totalSectors16 > 0 || fat.totalSectors32 > 0);
  if (!isPlausible) return undefined;
  if (startsWithJump(sector) && isMediaByte(fat.media)) return "FAT";
  const start = await peek(disk, offset + fat.reservedSectors * fat.bytesPerSector, FAT_START_SIZE);
  return start !== undefined && isMediaByte(start[0]!) && start[1] === 0xff && start[2] === 0xff
    ? "FAT"
    : undefined;
}

/** A FAT begins with a media byte and ones. Source: Microsoft FAT specification (2005), section 4.2. */
const FAT_START_SIZE = 3;

/** Whether an ext superblock is here, and its file system fits on the disk. */
async function isExt(disk: BlockSource, offset: number): Promise<boolean> {
  const bytes = await peek(disk, offset + EXT_SUPERBLOCK_OFFSET, ExtSuperblock.size);
  if (bytes === undefined) return false;
  const ext = ExtSuperblock.view(bytes);
  if (ext.magic !== EXT_MAGIC || ext.logBlockSize > EXT_MAX_LOG_BLOCK_SIZE) return false;
  const high = ext.incompatible & EXT_64BIT ? ext.blockCountHigh : 0;
  const size = (ext.blockCountLow + high * 2 ** 32) * 2 ** (10 + ext.logBlockSize);
  return (
    ext.firstDataBlock <= 1 &&
    ext.blocksPerGroup > 0 &&
    ext.inodesPerGroup > 0 &&
    size > 0 &&
    offset + size <= disk.size
  );
}
