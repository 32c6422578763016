/**
 * Directories as a whole: their blocks in order. A hash tree's inner blocks look like unused entries to a reader
 * of names, so one way of reading serves all directories.
 */
import { setImmediate } from "node:timers/promises";
import { readU32le } from "../../bytes/struct.js";
import { read } from "../../extent/read.js";
import { throwIfAborted, type StopSignal } from "../../extent/time-slice.js";
import { CorruptError, DiskError, ignoreDiskError } from "../../errors.js";
import { Incompatible } from "./features.js";
import { runsOf } from "./contents.js";
import {
  EntryRecord,
  blockChecksumFits,
  readEntries,
  type Chunk,
  type Entry,
  type EntryRules,
} from "./entry.js";
import { INLINE_HEAD_SIZE, inlineData } from "./inline.js";
import { InodeFlag, InodeRecord, type Inode } from "./inode.js";
import { checksumError, DIRECTORY_BLOCK, type Medium } from "./medium.js";
import { unreadableName } from "./encrypted.js";

/** Bytes of a directory that are mapped at a time. */
const WINDOW_SIZE = 2 ** 20;

/** Bytes of a directory that are read at a time. */
const READ_AHEAD = 2 ** 16;

/** An inline directory begins with its parent's inode number; entries follow. Source: inline.c. */
const INLINE_PARENT_SIZE = 4;

/** Positions are kept as 32-bit numbers of words, which reach to 16 GiB. No directory is nearly as large. */
const DIRECTORY_LIMIT = 2 ** 34;

/** A part of a directory, or its error. */
export type Part = Chunk | { readonly position: number; readonly error: DiskError };

/**
 * The parts of directory `inode`, from the one that contains its byte `from` on: as many at a time as are read at once.
 * @param most bytes that are read at once at most, but one block at least.
 * @throws {Interrupted} once `signal` is aborted.
 */
export async function* partsOf(
  medium: Medium,
  inode: Inode,
  from: number,
  most = READ_AHEAD,
  signal?: StopSignal,
): AsyncGenerator<readonly Part[], void, void> {
  if ((inode.flags & InodeFlag.inlineData) !== 0) {
    yield inlineParts(medium, inode, from);
    return;
  }
  const { blockSize } = medium.geometry;
  const size = directorySize(medium, inode);
  const runs = runsOf(medium, inode);
  const whole = Math.ceil(size / blockSize) * blockSize;
  const first = Math.floor(from / blockSize) * blockSize;
  for (let at = first; at < whole;) {
    // The loop may find everything in caches, and would not pause by itself: other requests are served here.
    if (at > first) await setImmediate();
    throwIfAborted(signal);
    for (const run of await runs(at, Math.min(WINDOW_SIZE, whole - at))) {
      const end = at + run.length;
      if (run.kind === "damaged") yield [{ position: at, error: run.error }];
      for (let skip = 0; run.kind === "at" && skip < run.length;) {
        const length = Math.min(run.length - skip, Math.max(most, blockSize));
        const parts = await readParts(medium, inode, at + skip, run.offset + skip, length);
        yield parts;
        skip += parts.length * blockSize;
      }
      at = end; // a hole holds no names
    }
  }
}

/**
 * The part of directory `inode` that contains byte `position`, if there is one. It is cached: a program that looks up one
 * name in it usually looks up others.
 * @throws {DiskError} if it is damaged.
 */
export async function partWith(medium: Medium, inode: Inode, position: number): Promise<Chunk | undefined> {
  if ((inode.flags & InodeFlag.inlineData) !== 0) return inlineParts(medium, inode, position)[0];
  if (position >= directorySize(medium, inode)) return undefined;
  const { blockSize } = medium.geometry;
  const first = Math.floor(position / blockSize) * blockSize;
  const [run] = await runsOf(medium, inode)(first, blockSize);
  if (run?.kind !== "at") return undefined;
  const { offset } = run;
  const known = medium.checked.get(offset);
  if (known?.inode === inode.number && known.first === first && known.depth === DIRECTORY_BLOCK)
    return { bytes: known.bytes, position: first, offset, file: medium.volume.name };
  const [part] = await readParts(medium, inode, first, offset, blockSize);
  if (part === undefined) return undefined;
  if ("error" in part) throw part.error;
  medium.checked.set(offset, { inode: inode.number, first, depth: DIRECTORY_BLOCK, bytes: part.bytes });
  return part;
}

/** The inode number in the ".." entry of `part`; undefined if it is not the first part of a directory. */
export function parentIn(part: Part): number | undefined {
  if ("error" in part || part.position !== 0) return undefined;
  const { bytes } = part;
  const isParent = bytes[PARENT_NAME] === DOT && bytes[PARENT_NAME + 1] === DOT;
  return isParent ? readU32le(bytes, PARENT_ENTRY) : undefined;
}

/** Behind the entry for ".", which takes 12 bytes in every directory (fs/ext4/namei.c, ext4_init_dot_dotdot). */
const PARENT_ENTRY = 12;
const PARENT_NAME = PARENT_ENTRY + EntryRecord.size;
const DOT = 0x2e;

/**
 * Calls `visit` for the entries of `part`, with the names to show.
 * @returns the error of the part, if it is damaged.
 */
export function entriesOf(
  medium: Medium,
  inode: Inode,
  part: Part,
  visit: (entry: Entry) => void,
): DiskError | undefined {
  if ("error" in part) return part.error;
  return readEntries(part, rulesOf(medium, inode), visit);
}

/** How the entries of `inode`, a directory, are read. */
export function rulesOf({ geometry }: Medium, inode: Inode): EntryRules {
  const { features, inodeCount } = geometry;
  const hasTypes = (features.incompatible & Incompatible.filetype) !== 0;
  return {
    hasTypes,
    inodeCount,
    shown: (inode.flags & InodeFlag.encrypted) !== 0 ? unreadableName : asStored,
  };
}

const asStored = (name: Buffer): Buffer => name;

/**
 * The block at byte `position` of a directory, which lies at `offset`, and as many of the `length` bytes there as are read with
 * it. They are read without the metadata cache, whose pages are large, while directories are scattered.
 */
async function readParts(
  medium: Medium,
  inode: Inode,
  position: number,
  offset: number,
  length: number,
): Promise<Part[]> {
  const { blockSize } = medium.geometry;
  const bytes = await readAhead(medium, offset, length);
  if (bytes instanceof DiskError) return [{ position, error: bytes }];
  const parts: Part[] = [];
  for (let skip = 0; skip < bytes.length; skip += blockSize) {
    const block = bytes.subarray(skip, skip + blockSize);
    parts.push(checkedPart(medium, inode, position + skip, offset + skip, block));
  }
  return parts;
}

/** The block at `offset`, and as many of the `length` bytes there as one read should have. */
async function readAhead(medium: Medium, offset: number, length: number): Promise<Buffer | DiskError> {
  const { blockSize } = medium.geometry;
  const wanted = Math.min(length, Math.max(blockSize, READ_AHEAD));
  try {
    // Damage behind this block must not make it unreadable.
    const many = await read(medium.volume, offset, wanted).catch(ignoreDiskError);
    return many ?? (await read(medium.volume, offset, blockSize));
  } catch (error) {
    if (error instanceof DiskError) return error;
    throw error;
  }
}

/** A block of a directory once its checksum is verified. */
function checkedPart(medium: Medium, inode: Inode, position: number, offset: number, bytes: Buffer): Part {
  const isIndexed = (inode.flags & InodeFlag.indexed) !== 0;
  if (medium.geometry.checksummed && !blockChecksumFits(bytes, inode.seed, position === 0, isIndexed))
    return { position, error: checksumError(medium, offset, `a block of directory ${inode.number}`) };
  return { bytes, position, offset, file: medium.volume.name };
}

function inlineParts(medium: Medium, inode: Inode, from: number): Chunk[] {
  const parts: Chunk[] = [];
  const data = inlineData(medium, inode);
  const bounds = [INLINE_PARENT_SIZE, INLINE_HEAD_SIZE, data.length];
  for (let index = 0; index + 1 < bounds.length; index++) {
    const position = bounds[index]!;
    const end = bounds[index + 1]!;
    if (from >= end || position === end) continue;
    const offset = inode.offset + InodeRecord.fields.block.offset + position;
    parts.push({ bytes: data.subarray(position, end), position, offset, file: medium.volume.name });
  }
  return parts;
}

/** The size of a directory. It has no holes, so that it is never larger than its volume. */
function directorySize({ volume }: Medium, inode: Inode): number {
  const { size } = inode;
  if (size <= Math.min(DIRECTORY_LIMIT, volume.size)) return size;
  throw new CorruptError({
    file: volume.name,
    offset: inode.offset + InodeRecord.fields.sizeLow.offset,
    thing: `the size of directory ${inode.number}`,
    found: `${size} bytes`,
    expected: `at most the volume's ${volume.size}`,
  });
}
