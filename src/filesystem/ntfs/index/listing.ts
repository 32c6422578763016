/**
 * Entries as they are listed, with their attributes. The records of a batch of names are read in their own order, so
 * that even those of a directory whose names are in quite another one are read once. What they say is kept in columns,
 * and entries are passed on one by one, through one object: thousands of objects that wait to be listed would be work for V8's
 * garbage collector, again and again.
 */
import { LRUCache } from "lru-cache";
import { withinMemory } from "../../../bytes/memory.js";
import { viewOf } from "../../../bytes/struct.js";
import { DiskError } from "../../../errors.js";
import type { StopSignal } from "../../../extent/time-slice.js";
import { NO_NODE } from "../../damaged-entry.js";
import type { Attributes, DirectoryEntry, EntryView, EntryVisitor } from "../../filesystem.js";
import type { Directories } from "./directory.js";
import type { NodeIds } from "../ids.js";
import type { Medium } from "../medium.js";
import type { NameList } from "./names.js";
import { lookAt, sequenceIn, type Look } from "../posix/fast-stat.js";
import { show, slateFor, type Shown } from "../posix/stat-fields.js";
import { StandardInformation } from "../posix/standard-information.js";

/** Entries that are made at once, by `list`. */
const PAGE_SIZE = 256;

/** Names whose batches are kept, in all: those of some directories that are listed at once. */
const NAMES_KEPT = withinMemory(2 ** 15);

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

export interface Listing {
  /** Some of directory `number` after `cookie`, in the directory's order; nothing at its end. */
  list(number: number, cookie: number, limit?: number, signal?: StopSignal): Promise<DirectoryEntry[]>;
  /** Passes the same entries to `visitor` until it returns false. Resolves to whether there were any. */
  visit(number: number, cookie: number, visitor: EntryVisitor, signal?: StopSignal): Promise<boolean>;
}

export function listingOf(medium: Medium, directories: Directories, ids: NodeIds): Listing {
  const { recordSize } = medium.geometry;
  const batches = new LRUCache<number, Batch>({
    maxSize: NAMES_KEPT,
    sizeCalculation: ({ names }) => names.count + 1,
  });

  async function load(number: number, cookie: number, limit?: number, signal?: StopSignal): Promise<Batch> {
    const { list: names, isEnd } = await directories.list(number, cookie, limit, signal);
    const { count, numbers, sequences } = names;
    const kinds = new Uint8Array(count);
    const linkCounts = new Uint16Array(count);
    const sizes = new Float64Array(2 * count);
    const informations = viewOf(new Uint8Array(count * StandardInformation.size));
    // Numbers with their indexes as fractions: so they are sorted without a call for each comparison.
    const order = new Float64Array(count);
    for (let i = 0; i < count; i++) order[i] = Math.min(numbers[i]!, NUMBER_LIMIT) + i / ORDER_UNIT;
    order.sort();
    const sorted = order.map(Math.floor);
    const look: Look = { isDirectory: false, linkCount: 0, information: 0, size: 0, allocated: 0 };
    await medium.mft.sweep(sorted, (at, view, start) => {
      // What is wrong with a record is told when the entry itself is asked for.
      if (view instanceof DiskError || sorted[at] === NUMBER_LIMIT) return false;
      const index = (order[at]! - sorted[at]!) * ORDER_UNIT;
      const used = sequenceIn(view, start);
      const sequence = sequences[index];
      if (used !== undefined && used !== sequence && sequence !== 0) kinds[index] = Kind.stale;
      if (kinds[index] === Kind.stale || !lookAt(view, start, recordSize, look)) return false;
      const { isDirectory, linkCount, information, size, allocated } = look;
      kinds[index] = isDirectory ? Kind.directory : Kind.file;
      linkCounts[index] = linkCount;
      sizes[2 * index] = size;
      sizes[2 * index + 1] = allocated;
      for (let i = 0; i < StandardInformation.size; i += 4)
        informations.setInt32(index * StandardInformation.size + i, view.getInt32(information + i));
      return isDirectory; // who walks on enters it
    });
    return { names, isEnd, kinds, linkCounts, sizes, informations };
  }

  /** The batch that was handed out whole last, and of which directory: its end is asked for, as a rule. */
  let finished: { readonly number: number; readonly batch: Batch } | undefined;

  /** The batch in which the entries after `cookie` are, and where; undefined at the directory's end. */
  async function seek(
    number: number,
    cookie: number,
    signal?: StopSignal,
  ): Promise<{ batch: Batch; from: number } | undefined> {
    const known = batches.get(number) ?? (finished?.number === number ? finished.batch : undefined);
    const from = known?.names.after(cookie);
    if (known !== undefined && from !== undefined) {
      if (from < known.names.count) return { batch: known, from };
      if (known.isEnd) return undefined;
    }
    const batch = await load(number, cookie, undefined, signal);
    return batch.names.count === 0 ? undefined : { batch, from: 0 };
  }

  const slate = slateFor(medium);
  const shown: Shown = { type: "file", size: 0, allocated: 0 };
  const view: EntryView = {
    ...{ names: Buffer.alloc(0), from: 0, to: 0, id: 0, inode: 0, type: undefined, attributes: undefined },
    ...{ isCostly: false, cookie: 0, isLast: false, problem: undefined },
  };

  /** Sets `view` to entry `index` of `batch`. */
  function entryAt(
    { names, isEnd, kinds, linkCounts, sizes, informations }: Batch,
    index: number,
  ): EntryView {
    const number = names.numbers[index]!;
    view.names = names.bytes;
    view.from = names.start(index);
    view.to = names.start(index + 1);
    view.inode = number;
    view.cookie = names.cookies[index]!;
    view.isLast = isEnd && index === names.count - 1;
    view.problem = names.problems?.get(index);
    if (view.problem !== undefined) {
      view.id = NO_NODE;
      view.type = view.attributes = undefined;
      return view;
    }
    const kind = kinds[index];
    if (kind === Kind.file || kind === Kind.directory) {
      shown.type = kind === Kind.file ? "file" : "directory";
      shown.size = sizes[2 * index]!;
      shown.allocated = sizes[2 * index + 1]!;
      const start = index * StandardInformation.size;
      view.id = ids.file(number);
      view.type = shown.type;
      view.attributes = show(slate, number, linkCounts[index]!, informations, start, shown);
    } else {
      const isInside = number < medium.mft.count;
      const isStale = kind === Kind.stale || !isInside;
      view.id = isStale ? ids.stale(isInside ? number : NOWHERE) : ids.file(number);
      view.type = view.attributes = undefined;
    }
    return view;
  }

  async function visit(
    number: number,
    cookie: number,
    visitor: EntryVisitor,
    signal?: StopSignal,
  ): Promise<boolean> {
    const place = await seek(number, cookie, signal);
    if (place === undefined) return false;
    const { batch, from } = place;
    let index = from;
    while (index < batch.names.count && visitor(entryAt(batch, index))) index++;
    if (index < batch.names.count && !view.isLast) batches.set(number, batch);
    else {
      batches.delete(number);
      finished = { number, batch };
    }
    return true;
  }

  return {
    visit,
    async list(number, cookie, limit, signal) {
      const entries: DirectoryEntry[] = [];
      if (limit === undefined) {
        await visit(number, cookie, (entry) => entries.push(keep(entry)) < PAGE_SIZE, signal);
        return entries;
      }
      const batch = await load(number, cookie, limit, signal);
      for (let index = 0; index < batch.names.count; index++) entries.push(keep(entryAt(batch, index)));
      return entries;
    },
  };
}

/** An entry of one's own. */
function keep(entry: EntryView): DirectoryEntry {
  const { names, from, to, id, inode, type, attributes, cookie, isLast, problem } = entry;
  return {
    name: names.subarray(from, to),
    ...{ id, inode, type, cookie, isLast },
    ...(attributes !== undefined && { attributes: copyOf(attributes) }),
    ...(problem !== undefined && { problem }),
  };
}

function copyOf(attributes: Attributes): Attributes {
  const { accessed, modified, changed, created } = attributes;
  const times = { accessed: { ...accessed }, modified: { ...modified }, changed: { ...changed } };
  return { ...attributes, ...times, created: created && { ...created } };
}
