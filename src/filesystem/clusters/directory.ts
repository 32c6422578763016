/**
 * Directories: clusters (or, at FAT12's and FAT16's root, a fixed stretch) full of slots of 32 bytes, of which one
 * or several make an entry. What a slot means is the file system's own; going through them is the same for all.
 */
import { setImmediate } from "node:timers/promises";
import { read } from "../../extent/read.js";
import type { Run } from "../../extent/runs.js";
import { DiskError } from "../../errors.js";
import type { DirectoryEntry, NodeId } from "../filesystem.js";
import type { Allocation } from "./chain.js";
import { rangeOf, tooFewClusters } from "./contents.js";
import type { Heap } from "./heap.js";

/** Bytes. Source: Microsoft FAT specification (2005), section 6; exFAT specification, section 6.2. */
export const SLOT_SIZE = 32;

/** Bytes of a directory that are mapped at a time, and read at a time. */
const WINDOW_SIZE = 2 ** 20;
const READ_SIZE = 2 ** 16;

export interface Directory {
  readonly id: NodeId;
  /** Bytes that can be had; `problem` says why there are no more. */
  reach(): Promise<{ readonly size: number; readonly problem?: DiskError }>;
  /** Where `[offset, offset + length)` lies on the volume, all of it within reach. */
  runs(offset: number, length: number): Promise<readonly Run[]>;
}

/** An entry as the parser of its file system gives it. */
export interface Entry extends Omit<DirectoryEntry, "cookie"> {
  /** Under which it can be found, too. */
  readonly alias?: Buffer;
  /** Of its first slot. */
  readonly slot: number;
  /** Of the slot that follows its last. */
  readonly nextSlot: number;
}

/** Makes entries out of the slots of one directory, which come in order. */
export interface EntryParser {
  /** Takes the slot at `at` of `bytes`, which lies at byte `offset` of the volume, and gives an entry that it completes. */
  take(bytes: Buffer, at: number, slot: number, offset: number): Entry | undefined;
  /** Some slots cannot be had: what had begun before them is lost. */
  skip(): void;
  /** Whether the directory's end was seen, and all further slots have no meaning. */
  readonly isEnd: boolean;
  /** The first thing that was found to be wrong. */
  readonly problem: DiskError | undefined;
}

/** The directory in the clusters of `allocation`. `size`: where it knows its own. */
export function clusterDirectory(
  heap: Heap,
  { id, size, of, entryOffset }: { id: NodeId; size: number | undefined; of: string; entryOffset: number },
  allocation: Allocation,
): Directory {
  return {
    id,
    async reach() {
      const { count, problem } = await allocation.reach();
      const there = Math.min(count * heap.clusterSize, size ?? Infinity);
      const isShort = size !== undefined && there < size;
      const why = problem ?? (isShort ? tooFewClusters(heap, { of, size, entryOffset }, count) : undefined);
      return { size: there, ...(why && { problem: why }) };
    },
    runs: (offset, length) => rangeOf(heap, allocation, offset, length),
  };
}

/** Entries that follow each other, and what is wrong with the directory as far as is known when they are given. */
export interface Batch {
  readonly entries: readonly Entry[];
  readonly problem: DiskError | undefined;
}

/**
 * The entries of `directory` from slot `first` on: where an entry begins, or the directory does.
 * @param readSize bytes that are read at once.
 */
export async function* entriesOf(
  heap: Heap,
  directory: Directory,
  parser: EntryParser,
  first: number,
  readSize = READ_SIZE,
): AsyncGenerator<Batch, void, void> {
  const { size, problem: cut } = await directory.reach();
  let problem: DiskError | undefined;
  for await (const part of partsOf(heap, directory, first * SLOT_SIZE, size, readSize)) {
    if (part instanceof DiskError) {
      problem ??= part;
      parser.skip();
      continue;
    }
    const entries: Entry[] = [];
    const { bytes, position, offset } = part;
    for (let at = 0; at < bytes.length && !parser.isEnd; at += SLOT_SIZE) {
      const entry = parser.take(bytes, at, (position + at) / SLOT_SIZE, offset + at);
      if (entry !== undefined) entries.push(entry);
    }
    yield { entries, problem: parser.problem ?? problem };
    if (parser.isEnd) return;
  }
  parser.skip();
  yield { entries: [], problem: parser.problem ?? problem ?? cut };
}

/**
 * The entry that begins at slot `slot`, where one does.
 * @throws {DiskError} where its slots cannot be read.
 */
export async function entryAt(
  heap: Heap,
  directory: Directory,
  parser: EntryParser,
  slot: number,
): Promise<Entry | undefined> {
  const { size } = await directory.reach();
  const from = slot * SLOT_SIZE;
  let at = from;
  for (const run of await directory.runs(from, Math.max(0, Math.min(LARGEST_ENTRY, size - from)))) {
    if (run.kind === "damaged") throw run.error;
    if (run.kind !== "at") return undefined;
    const bytes = await heap.metadata.read(run.offset, run.length);
    for (let skip = 0; skip < run.length; skip += SLOT_SIZE, at += SLOT_SIZE) {
      const entry = parser.take(bytes, skip, at / SLOT_SIZE, run.offset + skip);
      if (entry !== undefined) return entry;
    }
  }
  return undefined;
}

/** Bytes: twenty slots of a long name and one of the short one; exFAT's have 19 at most. */
const LARGEST_ENTRY = 21 * SLOT_SIZE;

interface Part {
  readonly bytes: Buffer;
  /** Byte of the directory. */
  readonly position: number;
  /** Byte of the volume. */
  readonly offset: number;
}

async function* partsOf(
  heap: Heap,
  directory: Directory,
  from: number,
  size: number,
  readSize: number,
): AsyncGenerator<Part | DiskError, void, void> {
  for (let at = from; at < size;) {
    // What is cached is there at once: others must have their turn even so.
    if (at > from) await setImmediate();
    for (const run of await directory.runs(at, Math.min(WINDOW_SIZE, size - at))) {
      if (run.kind === "damaged") yield run.error;
      if (run.kind === "at") {
        for (let skip = 0; skip < run.length; skip += readSize) {
          const length = Math.min(readSize, run.length - skip);
          yield* readPart(heap, at + skip, run.offset + skip, length);
        }
      }
      at += run.length;
    }
  }
}

/** The bytes of one part, or where they cannot be had together, of its sectors. */
async function* readPart(
  heap: Heap,
  position: number,
  offset: number,
  length: number,
): AsyncGenerator<Part | DiskError, void, void> {
  try {
    yield { bytes: await read(heap.volume, offset, length), position, offset };
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    if (length <= SMALLEST_PART) yield error;
    else {
      for (let skip = 0; skip < length; skip += SMALLEST_PART) {
        yield* readPart(heap, position + skip, offset + skip, Math.min(SMALLEST_PART, length - skip));
      }
    }
  }
}

/** Bytes: a disk fails by the sector. */
const SMALLEST_PART = 512;
