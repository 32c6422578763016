/** Decodes the superblock, from which the places of everything else follow. */
import { crc32c } from "../../bytes/checksum.js";
import { struct, span, text, u16le, u32le, u8, uuid, type Field, type ViewOf } from "../../bytes/struct.js";
import { isPowerOfTwo } from "../../bytes/integers.js";
import { CorruptError } from "../../errors.js";
import { EXT_SUPERBLOCK_OFFSET } from "../../extent/signatures.js";
import { Compatible, Incompatible, ReadOnlyCompatible, type Features } from "./features.js";

export const SUPERBLOCK_SIZE = 1024;

/** The superblock. Little-endian. Source: Documentation/filesystems/ext4/super.rst; ext4.h, ext4_super_block. */
export const Superblock = struct("ext superblock", SUPERBLOCK_SIZE, {
  inodeCount: u32le(0x000), // s_inodes_count
  blockCountLow: u32le(0x004),
  reservedBlockCountLow: u32le(0x008), // s_r_blocks_count_lo: for root
  freeBlockCountLow: u32le(0x00c), // s_free_blocks_count_lo
  freeInodeCount: u32le(0x010),
  firstDataBlock: u32le(0x014), // 1 with blocks of 1 KiB, else 0
  logBlockSize: u32le(0x018), // block size = 1024 << this
  logClusterSize: u32le(0x01c),
  blocksPerGroup: u32le(0x020),
  inodesPerGroup: u32le(0x028),
  mountTime: u32le(0x02c), // seconds since 1970, low half
  writeTime: u32le(0x030),
  magic: u16le(0x038),
  state: u16le(0x03a),
  errorPolicy: u16le(0x03c), // s_errors
  creator: u32le(0x048), // s_creator_os
  revision: u32le(0x04c),
  firstInode: u32le(0x054), // s_first_ino; this and what follows: revision 1
  inodeSize: u16le(0x058),
  group: u16le(0x05a), // s_block_group_nr: the group that this copy lies in
  compatible: u32le(0x05c),
  incompatible: u32le(0x060),
  readOnlyCompatible: u32le(0x064),
  uuid: uuid(0x068),
  uuidBytes: span(0x068, 16),
  label: text(0x078, 16),
  lastMounted: text(0x088, 64),
  reservedDescriptorBlocks: u16le(0x0ce), // s_reserved_gdt_blocks
  journalInode: u32le(0x0e0),
  descriptorSize: u16le(0x0fe), // of a group descriptor, with 64bit only
  firstMetaGroup: u32le(0x104), // s_first_meta_bg
  makeTime: u32le(0x108), // s_mkfs_time
  blockCountHigh: u32le(0x150), // with 64bit only
  reservedBlockCountHigh: u32le(0x154),
  freeBlockCountHigh: u32le(0x158),
  logGroupsPerFlex: u8(0x174), // with flex_bg only
  errorCount: u32le(0x194),
  userQuotaInode: u32le(0x240),
  groupQuotaInode: u32le(0x244),
  overheadClusters: u32le(0x248),
  backupGroup0: u32le(0x24c), // s_backup_bgs, with sparse_super2 only
  backupGroup1: u32le(0x250),
  projectQuotaInode: u32le(0x26c),
  checksumSeed: u32le(0x270), // with metadata_csum_seed only
  writeTimeHigh: u8(0x274),
  mountTimeHigh: u8(0x275),
  makeTimeHigh: u8(0x276),
  orphanFileInode: u32le(0x280),
  checksum: u32le(0x3fc),
});
export type Superblock = ViewOf<typeof Superblock>;

/** s_state. */
export const State = { clean: 0x1, errors: 0x2, orphans: 0x4 } as const;

/** Blocks of 1 KiB to 64 KiB. Source: ext4.h, EXT4_MAX_BLOCK_LOG_SIZE. */
export const MAX_LOG_BLOCK_SIZE = 6;
/** A cluster's logarithm over 1 KiB; no tool makes them past 512 MiB. Source: ext4.h, EXT4_MAX_CLUSTER_LOG_SIZE. */
const MAX_LOG_CLUSTER_SIZE = 20;
/** These values are fixed in revision 0. Source: ext4.h, EXT4_GOOD_OLD_INODE_SIZE and _FIRST_INO. */
const OLD_INODE_SIZE = 128;
const OLD_FIRST_INODE = 11;
/** Source: ext4.h, EXT4_MIN_DESC_SIZE and EXT4_MIN_DESC_SIZE_64BIT. */
const OLD_DESCRIPTOR_SIZE = 32;
const MIN_WIDE_DESCRIPTOR_SIZE = 64;
/** s_creator_os: Linux, Hurd, Masix, FreeBSD, Lites. Only Linux's inodes are checksummed. */
const CREATOR_LIMIT = 5;
const CREATOR_LINUX = 0;
/** s_errors: continue, remount read-only, panic; 0 if it was never set. */
const ERROR_POLICY_LIMIT = 4;

/** The layout of the file system that the superblock describes; all values are checked. */
export interface Geometry {
  readonly features: Features;
  /** Bytes. */
  readonly blockSize: number;
  readonly blockCount: number;
  readonly firstDataBlock: number;
  readonly blocksPerGroup: number;
  readonly groupCount: number;
  readonly blocksPerCluster: number;
  /** The block that holds the primary superblock; the group descriptors follow it. */
  readonly superblockBlock: number;
  /** Bytes. */
  readonly descriptorSize: number;
  readonly descriptorsPerBlock: number;
  readonly inodeCount: number;
  readonly inodesPerGroup: number;
  /** Bytes. */
  readonly inodeSize: number;
  readonly firstInode: number;
  /** What every metadata checksum begins with. */
  readonly seed: number;
  /** Whether inodes, directories, extent blocks and attribute blocks carry checksums. */
  readonly checksummed: boolean;
}

/**
 * Whether a block with the magic looks like a superblock otherwise: a boot loader or a FAT may contain the 16 bits by chance.
 * A superblock may have one damaged field, but not most of them.
 */
export function isPlausible(superblock: Superblock): boolean {
  const signs = [
    superblock.logBlockSize <= MAX_LOG_BLOCK_SIZE,
    superblock.revision <= 1,
    superblock.creator < CREATOR_LIMIT,
    superblock.errorPolicy < ERROR_POLICY_LIMIT,
    superblock.inodesPerGroup > 0 && superblock.inodesPerGroup <= superblock.inodeCount,
    superblock.firstDataBlock <= 1,
  ];
  return signs.filter(Boolean).length * 2 > signs.length;
}

/** Whether the superblock's own checksum is right; true if it has none. */
export function superblockChecksumFits(bytes: Buffer): boolean {
  const superblock = Superblock.view(bytes);
  if ((superblock.readOnlyCompatible & ReadOnlyCompatible.metadata_csum) === 0) return true;
  return crc32c(0xffffffff, bytes.subarray(0, Superblock.fields.checksum.offset)) === superblock.checksum;
}

/**
 * The geometry that `superblock` describes; it lies at `superblockOffset` of `file`.
 * @throws {CorruptError} for the first value that no file system has.
 */
export function geometryOf(superblock: Superblock, file: string, superblockOffset: number): Geometry {
  const check = (
    fits: boolean,
    field: Field<unknown>,
    thing: string,
    found: number,
    expected: string,
  ): void => {
    if (fits) return;
    throw new CorruptError({ file, offset: superblockOffset + field.offset, thing, found, expected });
  };
  const { fields } = Superblock;
  const isOld = superblock.revision === 0;
  // Linux obeys features in revision 0, too. Without them, a damaged revision would hide that metadata has checksums.
  const { compatible, incompatible, readOnlyCompatible } = superblock;
  const features = { compatible, incompatible, readOnlyCompatible };
  const isWide = (features.incompatible & Incompatible["64bit"]) !== 0;
  const isClustered = (features.readOnlyCompatible & ReadOnlyCompatible.bigalloc) !== 0;

  const { logBlockSize, logClusterSize, firstDataBlock, blocksPerGroup, inodesPerGroup } = superblock;
  const logLimit = `at most ${MAX_LOG_BLOCK_SIZE}`;
  check(
    logBlockSize <= MAX_LOG_BLOCK_SIZE,
    fields.logBlockSize,
    "the block size's logarithm",
    logBlockSize,
    logLimit,
  );
  const blockSize = 1024 << logBlockSize;
  const isCluster =
    !isClustered || (logClusterSize >= logBlockSize && logClusterSize <= MAX_LOG_CLUSTER_SIZE);
  const clusterLimit = `${logBlockSize} to ${MAX_LOG_CLUSTER_SIZE}`;
  check(isCluster, fields.logClusterSize, "the cluster size's logarithm", logClusterSize, clusterLimit);
  const blocksPerCluster = isClustered ? 2 ** (logClusterSize - logBlockSize) : 1;

  const blockCount = superblock.blockCountLow + (isWide ? superblock.blockCountHigh * 2 ** 32 : 0);
  const firstLimit = "1 with blocks of 1 KiB, else 0";
  const isFirst = firstDataBlock === (blockSize === 1024 ? 1 : 0) || (isClustered && firstDataBlock === 0);
  check(isFirst, fields.firstDataBlock, "the first data block", firstDataBlock, firstLimit);
  const isCounted = blockCount > firstDataBlock && Number.isSafeInteger(blockCount * blockSize);
  check(
    isCounted,
    fields.blockCountLow,
    "the number of blocks",
    blockCount,
    "from 2 to what 2^53 bytes hold",
  );
  const perGroupLimit = 8 * blockSize * blocksPerCluster; // one block of bitmap, one bit for each cluster
  const perGroup = `1 to ${perGroupLimit}`;
  const isGroup = blocksPerGroup > 0 && blocksPerGroup <= perGroupLimit;
  check(isGroup, fields.blocksPerGroup, "the number of blocks a group", blocksPerGroup, perGroup);

  const inodeSize = isOld ? OLD_INODE_SIZE : superblock.inodeSize;
  const isSize = inodeSize >= OLD_INODE_SIZE && inodeSize <= blockSize && isPowerOfTwo(inodeSize);
  check(isSize, fields.inodeSize, "the inode size", inodeSize, `a power of two from 128 to ${blockSize}`);
  const isTable = inodesPerGroup > 0 && inodesPerGroup <= 8 * blockSize;
  check(
    isTable,
    fields.inodesPerGroup,
    "the number of inodes a group",
    inodesPerGroup,
    `1 to ${8 * blockSize}`,
  );
  const groupCount = Math.ceil((blockCount - firstDataBlock) / blocksPerGroup);
  const { inodeCount } = superblock;
  const inodes = groupCount * inodesPerGroup;
  check(
    inodeCount === inodes,
    fields.inodeCount,
    "the number of inodes",
    inodeCount,
    `${inodes} in its groups`,
  );

  const descriptorSize = isWide ? superblock.descriptorSize : OLD_DESCRIPTOR_SIZE;
  const isDescriptor =
    !isWide ||
    (descriptorSize >= MIN_WIDE_DESCRIPTOR_SIZE &&
      descriptorSize <= blockSize &&
      isPowerOfTwo(descriptorSize));
  const descriptorLimit = `a power of two from ${MIN_WIDE_DESCRIPTOR_SIZE} to ${blockSize}`;
  check(isDescriptor, fields.descriptorSize, "the group descriptor's size", descriptorSize, descriptorLimit);

  const hasSeed = (features.incompatible & Incompatible.metadata_csum_seed) !== 0;
  return {
    features,
    blockSize,
    blockCount,
    firstDataBlock,
    blocksPerGroup,
    groupCount,
    blocksPerCluster,
    superblockBlock: Math.floor(EXT_SUPERBLOCK_OFFSET / blockSize),
    descriptorSize,
    descriptorsPerBlock: blockSize / descriptorSize,
    inodeCount,
    inodesPerGroup,
    inodeSize,
    firstInode: isOld ? OLD_FIRST_INODE : superblock.firstInode,
    seed: hasSeed ? superblock.checksumSeed : crc32c(0xffffffff, superblock.uuidBytes),
    checksummed:
      (features.readOnlyCompatible & ReadOnlyCompatible.metadata_csum) !== 0 &&
      superblock.creator === CREATOR_LINUX,
  };
}

/** The first block of `group`, which holds the group's copy of the superblock if it has one. */
export function firstBlockOf({ firstDataBlock, blocksPerGroup }: Geometry, group: number): number {
  return firstDataBlock + group * blocksPerGroup;
}

/** Whether `group` holds a copy of the superblock and of the descriptors. Source: ext4_bg_has_super. */
export function hasSuperblock(superblock: Superblock, { features }: Geometry, group: number): boolean {
  if (group === 0) return true;
  if ((features.compatible & Compatible.sparse_super2) !== 0)
    return group === superblock.backupGroup0 || group === superblock.backupGroup1;
  if (group === 1 || (features.readOnlyCompatible & ReadOnlyCompatible.sparse_super) === 0) return true;
  return [3, 5, 7].some((base) => isPowerOf(base, group));
}

function isPowerOf(base: number, value: number): boolean {
  let power = base;
  while (power < value) power *= base;
  return power === value;
}
