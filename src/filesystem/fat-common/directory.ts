/**
 * Directories: clusters (or, at FAT12's and FAT16's root, a fixed stretch) full of slots of 32 bytes, of which one
 * or several make an entry. What a slot means is the file system's own; going through them is the same for all.
 */
import { read } from "../../extent/read.js";
import type { Run } from "../../extent/runs.js";
import { yieldIfDue, type StopSignal } from "../../extent/time-slice.js";
import { DiskError } from "../../errors.js";
import type { NodeId, NodeType } from "../filesystem.js";
import type { Allocation } from "./chain.js";
import { rangeOf, tooFewClusters } from "./contents.js";
import type { Heap } from "./heap.js";

/** Bytes. Source: Microsoft FAT specification (2005), section 6; exFAT specification, section 6.2. */
export const SLOT_SIZE = 32;

/** Bytes of a directory that are mapped at a time. */
const WINDOW_SIZE = 2 ** 20;

/** Bytes of a directory that are read at a time, unless fewer are needed at first: each read is then twice as long as the one before. */
const LARGEST_READ = 2 ** 16;

export interface Directory {
  readonly id: NodeId;
  /** Bytes that can be read: `needed` or more, or all that there are; then `problem` says why there are no more, where there should be. */
  reach(needed: number): Promise<{ readonly size: number; readonly problem?: DiskError }>;
  /** Where the bytes from `offset` on lie on the volume: `length` bytes or fewer, but at least one; all of them within reach. */
  runs(offset: number, length: number): Promise<readonly Run[]>;
}

/** An entry as the parser of its file system returns it. */
export interface Entry {
  /** Of a damaged entry: the name that says so (damaged-entry.ts). */
  readonly name: Buffer;
  /** NO_NODE if the entry is damaged. */
  readonly id: NodeId;
  readonly type?: NodeType;
  /** Why the entry is damaged. */
  readonly problem?: DiskError | undefined;
  /** A second name of the entry. */
  readonly alias?: Buffer | undefined;
  /** Of its first slot. */
  readonly slot: number;
  /** Of the slot that follows its last. */
  readonly nextSlot: number;
}

/** Makes entries out of the slots of one directory, which come in order. */
export interface EntryParser {
  /** Takes the slot at `at` of `bytes`, which lies at byte `offset` of the volume. Appends the entries that it completes to `entries`. */
  take(bytes: Buffer, at: number, slot: number, offset: number, entries: Entry[]): void;
  /** Ends an entry that is not complete: the slots that follow are missing. Appends it to `entries` if it is damaged. */
  skip(entries: Entry[]): void;
  /** Whether the directory's end was seen, and all further slots have no meaning. */
  readonly isEnd: boolean;
}

/** The directory in the clusters of `allocation`. `size`: where it knows its own. */
export function clusterDirectory(
  heap: Heap,
  { id, size, of, entryOffset }: { id: NodeId; size: number | undefined; of: string; entryOffset: number },
  allocation: Allocation,
): Directory {
  return {
    id,
    async reach(needed) {
      const { count, problem } = await (needed === Infinity
        ? allocation.whole()
        : allocation.reach(Math.ceil(needed / heap.clusterSize)));
      const there = Math.min(count * heap.clusterSize, size ?? Infinity);
      const isShort = size !== undefined && there < Math.min(size, needed);
      const why = problem ?? (isShort ? tooFewClusters(heap, { of, size, entryOffset }, count) : undefined);
      return { size: there, ...(why && { problem: why }) };
    },
    runs: (offset, length) => rangeOf(heap, allocation, offset, length),
  };
}

/** Entries that follow each other. */
export interface Batch {
  readonly entries: readonly Entry[];
  /** What is wrong with the directory besides its entries, as far as is known yet: parts of it cannot be read. */
  readonly problem: DiskError | undefined;
  /** The slot behind what was read. */
  readonly nextSlot: number;
}

/**
 * The entries of `directory` from slot `first` on: where an entry begins, or the directory does.
 * @param firstRead bytes that are read at first.
 * @throws {Interrupted} once `signal` is aborted.
 */
export async function* entriesOf(
  heap: Heap,
  directory: Directory,
  parser: EntryParser,
  first: number,
  firstRead = LARGEST_READ,
  signal?: StopSignal,
): AsyncGenerator<Batch, void, void> {
  let problem: DiskError | undefined;
  let nextSlot = first;
  for await (const part of partsOf(heap, directory, first * SLOT_SIZE, firstRead, signal)) {
    const entries: Entry[] = [];
    const { bytes, position, offset } = part;
    problem ??= part.problem;
    if (bytes === undefined) parser.skip(entries);
    else {
      for (let at = 0; at < bytes.length && !parser.isEnd; at += SLOT_SIZE)
        parser.take(bytes, at, (position + at) / SLOT_SIZE, offset + at, entries);
      nextSlot = (position + bytes.length) / SLOT_SIZE;
    }
    yield { entries, problem, nextSlot };
    if (parser.isEnd) return;
  }
  const entries: Entry[] = [];
  parser.skip(entries);
  yield { entries, problem, nextSlot };
}

/**
 * The entry that begins at slot `slot`, where one does.
 * @throws {DiskError} if its slots cannot be read.
 */
export async function entryAt(
  heap: Heap,
  directory: Directory,
  parser: EntryParser,
  slot: number,
): Promise<Entry | undefined> {
  const from = slot * SLOT_SIZE;
  const { size } = await directory.reach(from + LARGEST_ENTRY);
  const end = Math.min(from + LARGEST_ENTRY, size);
  const entries: Entry[] = [];
  for (let at = from; at < end;) {
    for (const run of await directory.runs(at, end - at)) {
      if (run.kind === "damaged") throw run.error;
      if (run.kind !== "at") return undefined;
      const bytes = await heap.metadata.read(run.offset, run.length);
      for (let skip = 0; skip < run.length; skip += SLOT_SIZE) {
        parser.take(bytes, skip, (at + skip) / SLOT_SIZE, run.offset + skip, entries);
        if (entries.length > 0) return beginningAt(slot, entries);
      }
      at += run.length;
    }
  }
  parser.skip(entries);
  return beginningAt(slot, entries);
}

function beginningAt(slot: number, [entry]: readonly Entry[]): Entry | undefined {
  return entry?.slot === slot ? entry : undefined;
}

/** Bytes: twenty slots of a long name and one of the short one; exFAT's have 19 at most. */
const LARGEST_ENTRY = 21 * SLOT_SIZE;

/** A part of a directory. */
interface Part {
  /** Undefined where they cannot be read. */
  readonly bytes?: Buffer;
  readonly problem?: DiskError;
  /** Byte of the directory. */
  readonly position: number;
  /** Byte of the volume. */
  readonly offset: number;
}

/** The parts of `directory` from byte `from` on; the last one says why there are no more, if it is too short. */
async function* partsOf(
  heap: Heap,
  directory: Directory,
  from: number,
  firstRead: number,
  signal: StopSignal | undefined,
): AsyncGenerator<Part, void, void> {
  let readSize = firstRead;
  for (let at = from; ;) {
    const { size, problem } = await directory.reach(at + readSize);
    if (at >= size) {
      if (problem !== undefined) yield { problem, position: at, offset: 0 };
      return;
    }
    for (const run of await directory.runs(at, Math.min(WINDOW_SIZE, size - at))) {
      if (run.kind === "damaged") yield { problem: run.error, position: at, offset: 0 };
      if (run.kind === "at") {
        for (let skip = 0; skip < run.length;) {
          const turn = yieldIfDue(signal);
          if (turn !== undefined) await turn;
          const length = Math.min(readSize, run.length - skip);
          yield* readPart(heap, at + skip, run.offset + skip, length);
          skip += length;
          readSize = Math.min(readSize * 2, LARGEST_READ);
        }
      }
      at += run.length;
    }
  }
}

/** The bytes of one part, or where they cannot be read together, of its sectors. */
async function* readPart(
  heap: Heap,
  position: number,
  offset: number,
  length: number,
): AsyncGenerator<Part, void, void> {
  try {
    yield { bytes: await read(heap.volume, offset, length), position, offset };
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    if (length <= SMALLEST_PART) yield { problem: error, position, offset };
    else {
      for (let skip = 0; skip < length; skip += SMALLEST_PART) {
        yield* readPart(heap, position + skip, offset + skip, Math.min(SMALLEST_PART, length - skip));
      }
    }
  }
}

/** Bytes: a disk fails by the sector. */
const SMALLEST_PART = 512;
