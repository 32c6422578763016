/**
 * The file allocation table: the next cluster of the chain for each cluster. It is read in pages, which are cached
 * (LRU), so that the table of a large volume is never in memory as a whole.
 */
import { endianness } from "node:os";
import { withinMemory } from "../../bytes/memory.js";
import { loadingCache } from "../../extent/loading.js";
import { read } from "../../extent/read.js";
import type { BlockSource } from "../../extent/extent.js";
import { CorruptError, DiskError } from "../../errors.js";

/**
 * Links are returned as exFAT stores them; those of the other widths are converted. Source: Microsoft FAT specification
 * (2005), section 4; exFAT specification, section 4.1.
 */
export const Link = { free: 0, bad: 0xffff_fff7, end: 0xffff_ffff } as const;

/** Bits of an entry. FAT32's use 28 of their 32 bits; exFAT's use all 32. */
export type LinkWidth = 12 | 16 | 32 | "exfat";

/** Clusters per page: a multiple of two, so that pages of 12-bit entries begin at whole bytes. */
export const PAGE_CLUSTERS = 2 ** 14;

/** Bytes of decoded pages that are cached for one file system: the links of four million clusters. */
const CACHE_BYTES = withinMemory(16 * 2 ** 20);

/** The first two entries of page 0 are not links. */
export type LinkPage = Uint32Array;

export interface LinkTable {
  /** The links of the clusters from `index` × PAGE_CLUSTERS on, if they are in memory. */
  peek(index: number): LinkPage | undefined;
  /** The same links, read if necessary. @throws {DiskError} if no copy of the table can be read there. */
  load(index: number): Promise<LinkPage>;
  /** Byte of the volume at which the link of `cluster` begins. */
  offsetOf(cluster: number): number;
  /** The same table with a cache of its own that keeps every page, for work on all chains of a volume of limited size. */
  keeping(): LinkTable;
}

/**
 * @param offsets where the copies of the table begin. The others are read where the first cannot be read.
 * @param entryCount entries of the table: the number of clusters and 2.
 * @param keptBytes of decoded pages.
 */
export function linkTable(
  volume: BlockSource,
  width: LinkWidth,
  offsets: readonly number[],
  entryCount: number,
  keptBytes = CACHE_BYTES,
): LinkTable {
  const bits = width === "exfat" ? 32 : width;
  const pages = loadingCache<number, LinkPage>(keptBytes, (page) => page.byteLength + 1, readPage);

  async function readPage(index: number): Promise<LinkPage> {
    const first = index * PAGE_CLUSTERS;
    const count = Math.min(PAGE_CLUSTERS, entryCount - first);
    const start = (first * bits) / 8;
    const length = Math.ceil((count * bits) / 8);
    let failure: unknown;
    for (const offset of offsets) {
      try {
        return decode(await readTable(volume, offset + start, length), width, count);
      } catch (error) {
        if (!(error instanceof DiskError)) throw error;
        failure ??= error;
      }
    }
    throw failure;
  }

  const offsetOf = (cluster: number): number => offsets[0]! + Math.floor((cluster * bits) / 8);
  const keeping = (): LinkTable => {
    const kept: LinkPage[] = [];
    const load = async (index: number): Promise<LinkPage> => (kept[index] ??= await readPage(index));
    return { peek: (index) => kept[index], load, offsetOf, keeping };
  };
  return {
    peek: (index) => pages.peek(index),
    load: (index) => pages.load(index, undefined),
    offsetOf,
    keeping,
  };
}

/**
 * `length` bytes of a table.
 * @throws {DiskError} if they cannot be read, or the volume ends before them.
 */
export async function readTable(volume: BlockSource, offset: number, length: number): Promise<Buffer> {
  if (offset + length <= volume.size) return read(volume, offset, length);
  throw new CorruptError({
    file: volume.name,
    offset,
    thing: `the end of ${length} bytes of the FAT`,
    found: `byte ${offset + length}`,
    expected: `within the ${volume.size} bytes that there are; the volume is cut short`,
  });
}

/** The mark of a bad cluster; every higher value marks the end of a chain. */
const MARKS = { 12: 0xff7, 16: 0xfff7, 32: 0x0fff_fff7 } as const;

/** Decodes `count` links. */
export function decode(bytes: Buffer, width: LinkWidth, count: number): LinkPage {
  if (width === "exfat") return words(bytes, count);
  const bad = MARKS[width];
  const links = width === 32 ? words(bytes, count) : new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    const link =
      width === 12
        ? twelveBits(bytes, i)
        : width === 16
          ? bytes.readUInt16LE(i * 2)
          : links[i]! & 0x0fff_ffff; // the upper four bits are reserved
    links[i] = link > bad ? Link.end : link === bad ? Link.bad : link;
  }
  return links;
}

/** The first `count` little-endian words of 32 bits. */
function words(bytes: Buffer, count: number): Uint32Array {
  const copy = Buffer.from(new ArrayBuffer(count * 4));
  bytes.copy(copy);
  if (endianness() === "BE") copy.swap32();
  return new Uint32Array(copy.buffer);
}

/** Entry `index`: two of them share three bytes. The last one's second byte may be the table's last. */
function twelveBits(bytes: Buffer, index: number): number {
  const at = index + (index >>> 1);
  const word = bytes[at]! | (bytes[at + 1]! << 8);
  return index % 2 === 0 ? word & 0xfff : word >>> 4;
}
