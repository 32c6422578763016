/**
 * Entries as they are listed, with their attributes. The records of a batch of names are read in their own order, so
 * that even those of a directory whose names are in quite another one are read once. What they say is kept in columns,
 * and entries are made of it by the page: thousands of objects that wait to be listed would be work for V8's garbage
 * collector, again and again.
 */
import { LRUCache } from "lru-cache";
import { viewOf } from "../../bytes/struct.js";
import { DiskError } from "../../errors.js";
import type { Attributes, DirectoryEntry } from "../filesystem.js";
import type { Directories } from "./directory.js";
import type { NodeIds } from "./ids.js";
import type { Medium } from "./medium.js";
import type { NameList } from "./names.js";
import { lookAt, sequenceIn, type Look } from "./quick.js";
import { shownAs } from "./shown.js";
import { StandardInformation } from "./standard.js";

/** Entries that are made at once: about as many as fit into a reply. */
const PAGE_SIZE = 256;

/** Names whose batches are kept, in all: those of some directories that are listed at once. */
const NAMES_KEPT = 2 ** 15;

/** More than there are names in a batch; and what records' numbers are below, where they are not damaged. */
const ORDER_UNIT = 2 ** 20;
const NUMBER_LIMIT = 2 ** 32;

/** In the place of records that there are none of: no name leads to a former use of the file table's own. */
export const NOWHERE = 0;

/** What a record has told. */
const Kind = { nothing: 0, file: 1, directory: 2, stale: 3 } as const;

/** By name: its file's kind, sizes and standard information. */
interface Batch {
  readonly names: NameList;
  readonly isEnd: boolean;
  readonly kinds: Uint8Array;
  readonly linkCounts: Uint16Array;
  /** Two for each: size, allocated. */
  readonly sizes: Float64Array;
  readonly informations: DataView;
}

/** Lists some of directory `number` after `cookie`, in the directory's order; nothing at its end. */
export type List = (number: number, cookie: number) => Promise<DirectoryEntry[]>;

export function listingOf(medium: Medium, directories: Directories, ids: NodeIds): List {
  const { recordSize } = medium.geometry;
  const batches = new LRUCache<number, Batch>({
    maxSize: NAMES_KEPT,
    sizeCalculation: ({ names }) => names.count + 1,
  });

  async function load(number: number, cookie: number): Promise<Batch> {
    const { list: names, isEnd } = await directories.list(number, cookie);
    const { count, numbers, sequences } = names;
    const kinds = new Uint8Array(count);
    const linkCounts = new Uint16Array(count);
    const sizes = new Float64Array(2 * count);
    const informations = viewOf(new Uint8Array(count * StandardInformation.size));
    // Numbers with their indexes as fractions: so they are sorted without a call for each comparison.
    const order = Float64Array.from(
      numbers,
      (number, index) => Math.min(number, NUMBER_LIMIT) + index / ORDER_UNIT,
    ).sort();
    const sorted = order.map((each) => Math.floor(each));
    const look: Look = { isDirectory: false, linkCount: 0, information: 0, size: 0, allocated: 0 };
    await medium.mft.sweep(sorted, (at, view, start) => {
      // What is wrong with a record is told when the entry itself is asked for.
      if (view instanceof DiskError || sorted[at] === NUMBER_LIMIT) return;
      const index = (order[at]! - sorted[at]!) * ORDER_UNIT;
      const used = sequenceIn(view, start);
      const sequence = sequences[index];
      if (used !== undefined && used !== sequence && sequence !== 0) kinds[index] = Kind.stale;
      else if (lookAt(view, start, recordSize, look)) {
        const { isDirectory, linkCount, information, size, allocated } = look;
        kinds[index] = isDirectory ? Kind.directory : Kind.file;
        linkCounts[index] = linkCount;
        sizes[2 * index] = size;
        sizes[2 * index + 1] = allocated;
        for (let i = 0; i < StandardInformation.size; i += 4)
          informations.setInt32(index * StandardInformation.size + i, view.getInt32(information + i));
      }
    });
    return { names, isEnd, kinds, linkCounts, sizes, informations };
  }

  function attributesAt(batch: Batch, index: number, type: "file" | "directory"): Attributes {
    const { names, linkCounts, sizes, informations } = batch;
    const shown = { type, size: sizes[2 * index]!, allocated: sizes[2 * index + 1]! };
    const start = index * StandardInformation.size;
    return shownAs(medium, names.numbers[index]!, linkCounts[index]!, informations, start, shown);
  }

  function entryAt(batch: Batch, index: number): DirectoryEntry {
    const { names, kinds } = batch;
    const name = names.name(index);
    const inode = names.numbers[index]!;
    const cookie = names.cookies[index]!;
    const isLast = batch.isEnd && index === names.count - 1;
    const kind = kinds[index];
    if (kind === Kind.file || kind === Kind.directory) {
      const type = kind === Kind.file ? "file" : "directory";
      const attributes = attributesAt(batch, index, type);
      return { name, id: ids.file(inode), inode, type, attributes, cookie, isLast };
    }
    const isStale = kind === Kind.stale || inode >= medium.mft.count;
    const id = isStale ? ids.stale(inode < medium.mft.count ? inode : NOWHERE) : ids.file(inode);
    return { name, id, inode, cookie, isLast };
  }

  return async (number, cookie) => {
    let batch = batches.get(number);
    let from = batch?.names.after(cookie);
    if (batch?.isEnd === true && from === batch.names.count) return [];
    if (batch === undefined || from === undefined || from === batch.names.count) {
      batch = await load(number, cookie);
      batches.set(number, batch);
      from = 0;
    }
    const length = Math.min(PAGE_SIZE, batch.names.count - from);
    const first = from;
    const page = batch;
    return Array.from({ length }, (_, index) => entryAt(page, first + index));
  };
}
