/**
 * The features of a file system, in three words: those that may be ignored, those that a writer must support, and those that
 * a reader must support. Names as e2fsprogs prints them. Source: fs/ext4/ext4.h, EXT4_FEATURE_*; e2fsprogs
 * lib/e2p/feature.c.
 */

export const Compatible = {
  dir_prealloc: 0x1,
  imagic_inodes: 0x2,
  has_journal: 0x4,
  ext_attr: 0x8,
  resize_inode: 0x10,
  dir_index: 0x20,
  lazy_bg: 0x40,
  exclude_inode: 0x80,
  exclude_bitmap: 0x100,
  sparse_super2: 0x200,
  fast_commit: 0x400,
  stable_inodes: 0x800,
  orphan_file: 0x1000,
} as const;

export const Incompatible = {
  compression: 0x1,
  filetype: 0x2,
  needs_recovery: 0x4,
  journal_dev: 0x8,
  meta_bg: 0x10,
  extent: 0x40,
  "64bit": 0x80,
  mmp: 0x100,
  flex_bg: 0x200,
  ea_inode: 0x400,
  dirdata: 0x1000,
  metadata_csum_seed: 0x2000,
  large_dir: 0x4000,
  inline_data: 0x8000,
  encrypt: 0x10000,
  casefold: 0x20000,
} as const;

export const ReadOnlyCompatible = {
  sparse_super: 0x1,
  large_file: 0x2,
  btree_dir: 0x4,
  huge_file: 0x8,
  uninit_bg: 0x10,
  dir_nlink: 0x20,
  extra_isize: 0x40,
  snapshot: 0x80,
  quota: 0x100,
  bigalloc: 0x200,
  metadata_csum: 0x400,
  replica: 0x800,
  "read-only": 0x1000,
  project: 0x2000,
  shared_blocks: 0x4000,
  verity: 0x8000,
  orphan_present: 0x10000,
} as const;

/** The incompatible features that this reader supports, or that only a writer must support. */
export const READABLE: number =
  Incompatible.filetype |
  Incompatible.needs_recovery |
  Incompatible.meta_bg |
  Incompatible.extent |
  Incompatible["64bit"] |
  Incompatible.mmp |
  Incompatible.flex_bg |
  Incompatible.ea_inode |
  Incompatible.metadata_csum_seed |
  Incompatible.large_dir |
  Incompatible.inline_data |
  Incompatible.encrypt |
  Incompatible.casefold;

/** What ext3 knew; anything more makes it ext4. Source: util-linux, libblkid/src/superblocks/ext.c. */
const EXT3_INCOMPATIBLE = Incompatible.filetype | Incompatible.needs_recovery | Incompatible.meta_bg;
const EXT3_READ_ONLY_COMPATIBLE =
  ReadOnlyCompatible.sparse_super | ReadOnlyCompatible.large_file | ReadOnlyCompatible.btree_dir;

export interface Features {
  readonly compatible: number;
  readonly incompatible: number;
  readonly readOnlyCompatible: number;
}

/** "ext2", "ext3" or "ext4", which are distinguished by their features, as in blkid. */
export function kindOf(features: Features): "ext2" | "ext3" | "ext4" {
  const beyond =
    (features.incompatible & ~EXT3_INCOMPATIBLE) | (features.readOnlyCompatible & ~EXT3_READ_ONLY_COMPATIBLE);
  if (beyond !== 0) return "ext4";
  return (features.compatible & Compatible.has_journal) !== 0 ? "ext3" : "ext2";
}

/** The names of the features in `bits`; one that has no name here is shown as its number. */
export function featureNames(table: Readonly<Record<string, number>>, bits: number): string[] {
  const names: string[] = [];
  for (let bit = 0; bit < 32; bit++) {
    const mask = (1 << bit) >>> 0;
    if ((bits & mask) === 0) continue;
    names.push(Object.keys(table).find((name) => table[name] === mask) ?? `0x${mask.toString(16)}`);
  }
  return names;
}
