/** What every part of the reader needs: the volume, its geometry, its file table, and what was read before. */
import { LRUCache } from "lru-cache";
import { withinMemory } from "../../bytes/memory.js";
import { pagePool, type PagePool } from "../../extent/cache.js";
import type { BlockSource } from "../../extent/extent.js";
import type { FileSystemOptions } from "../filesystem.js";
import type { FileRecord } from "./mft/attribute.js";
import type { AttributeList } from "./mft/attribute-list.js";
import type { Geometry } from "./boot.js";
import type { Mft } from "./mft/mft.js";
import type { IndexNode } from "./index/node.js";

export interface Medium {
  readonly volume: BlockSource;
  readonly geometry: Geometry;
  readonly mft: Mft;
  readonly options: FileSystemOptions;
  /** The owner of files for which the guest has no Linux owner: the user who runs vdisk. */
  readonly owner: { readonly uid: number; readonly gid: number };
  readonly files: LRUCache<number, NtfsFile>;
  /** Index blocks, by the key of their index plus their number. */
  readonly blocks: LRUCache<number, IndexNode>;
  /** Chunk tables of files that are compressed as a whole. */
  readonly chunkTables: PagePool;
}

/** A file: its base record, in a copy of its own, and its attribute list if it has one. */
export interface NtfsFile {
  readonly record: FileRecord;
  readonly list?: AttributeList;
}

/** Bytes of files that one file system keeps. */
const FILE_CACHE_BYTES = withinMemory(6 * 2 ** 20);

/** Bytes of index blocks that it keeps. */
const BLOCK_CACHE_BYTES = withinMemory(8 * 2 ** 20);

/** Bytes of chunk tables that are kept, and of one page: of a WOF file's, 4 bytes stand for 4 KiB or more. */
const TABLE_CACHE_BYTES = 2 ** 20;
const TABLE_PAGE_SIZE = 2 ** 14;

/** Memory that a file takes besides its bytes, about; and that an entry of its list takes. */
const FILE_OVERHEAD = 1024;
const ENTRY_OVERHEAD = 120;

export function mediumOn(
  volume: BlockSource,
  geometry: Geometry,
  mft: Mft,
  options: FileSystemOptions,
): Medium {
  return {
    volume,
    geometry,
    mft,
    options,
    owner: { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 },
    files: new LRUCache({
      maxSize: FILE_CACHE_BYTES,
      sizeCalculation: ({ record, list }) =>
        record.bytes.length + FILE_OVERHEAD + (list?.entries.length ?? 0) * ENTRY_OVERHEAD,
    }),
    blocks: new LRUCache({ maxSize: BLOCK_CACHE_BYTES, sizeCalculation: ({ bytes }) => bytes.length }),
    chunkTables: pagePool(TABLE_CACHE_BYTES, TABLE_PAGE_SIZE),
  };
}
