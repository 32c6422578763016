/**
 * Directories as a whole: their blocks in order. A hash tree's inner blocks look like unused entries to a reader
 * of names, so one way of reading serves all directories.
 */
import { CorruptError, DiskError } from "../../errors.js";
import { Incompatible } from "./features.js";
import type { NodeCache } from "./extents.js";
import { runsOf } from "./contents.js";
import { blockChecksumFits, readEntries, type Chunk, type Entry } from "./entry.js";
import { INLINE_HEAD_SIZE, inlineData } from "./inline.js";
import { InodeFlag, InodeRecord, type Inode } from "./inode.js";
import { checksumError, type Medium } from "./medium.js";
import { unreadableName } from "./encrypted.js";

/** Bytes of a directory that are mapped at a time. */
const WINDOW_SIZE = 2 ** 20;

/** An inline directory begins with its parent's inode number; entries follow. Source: inline.c. */
const INLINE_PARENT_SIZE = 4;

/** Positions are kept as 32-bit numbers of words. No directory comes near: 16 GiB. */
const DIRECTORY_LIMIT = 2 ** 34;

/** A part of a directory, or what is wrong with it. */
export type Part = Chunk | { readonly position: number; readonly error: DiskError };

/** The parts of `inode`, a directory, from the one that holds byte `from` of it. */
export async function* partsOf(
  medium: Medium,
  inode: Inode,
  nodes: NodeCache,
  from: number,
): AsyncGenerator<Part, void, void> {
  if ((inode.flags & InodeFlag.inlineData) !== 0) {
    yield* inlineParts(medium, inode, from);
    return;
  }
  const { blockSize } = medium.geometry;
  const size = directorySize(medium, inode);
  const runs = runsOf(medium, inode, nodes);
  const whole = Math.ceil(size / blockSize) * blockSize;
  for (let at = Math.floor(from / blockSize) * blockSize; at < whole;) {
    for (const run of await runs(at, Math.min(WINDOW_SIZE, whole - at))) {
      const end = at + run.length;
      if (run.kind === "damaged") yield { position: at, error: run.error };
      // A hole holds no names.
      if (run.kind !== "at") at = end;
      else
        for (; at < end; at += blockSize)
          yield await partAt(medium, inode, at, run.offset + run.length - (end - at));
    }
  }
}

/**
 * The part of `inode`, a directory, that holds byte `position`, where there is one.
 * @throws {DiskError} where it is damaged.
 */
export async function partWith(
  medium: Medium,
  inode: Inode,
  nodes: NodeCache,
  position: number,
): Promise<Chunk | undefined> {
  if ((inode.flags & InodeFlag.inlineData) !== 0) return [...inlineParts(medium, inode, position)][0];
  const { blockSize } = medium.geometry;
  const at = Math.floor(position / blockSize) * blockSize;
  const [run] = await runsOf(medium, inode, nodes)(at, blockSize);
  if (run?.kind !== "at") return undefined;
  const part = await partAt(medium, inode, at, run.offset);
  if ("error" in part) throw part.error;
  return part;
}

/**
 * Calls `visit` for the entries of `part`, under the names that people see.
 * @returns what is wrong with the part, where something is.
 */
export function entriesOf(
  medium: Medium,
  inode: Inode,
  part: Part,
  visit: (entry: Entry) => void,
): DiskError | undefined {
  if ("error" in part) return part.error;
  const { features, inodeCount } = medium.geometry;
  const hasTypes = (features.incompatible & Incompatible.filetype) !== 0;
  const isEncrypted = (inode.flags & InodeFlag.encrypted) !== 0;
  return readEntries(part, hasTypes, inodeCount, (entry) => {
    visit(isEncrypted ? { ...entry, name: unreadableName(entry.name) } : entry);
  });
}

async function partAt(medium: Medium, inode: Inode, position: number, offset: number): Promise<Part> {
  const { blockSize, checksummed } = medium.geometry;
  try {
    const bytes = await medium.metadata.read(offset, blockSize);
    const isIndexed = (inode.flags & InodeFlag.indexed) !== 0;
    if (checksummed && !blockChecksumFits(bytes, inode.seed, position === 0, isIndexed))
      return { position, error: checksumError(medium, offset, `a block of directory ${inode.number}`) };
    return { bytes, position, offset, file: medium.volume.name };
  } catch (error) {
    if (error instanceof DiskError) return { position, error };
    throw error;
  }
}

function* inlineParts(medium: Medium, inode: Inode, from: number): Generator<Chunk, void, void> {
  const data = inlineData(medium, inode);
  const bounds = [INLINE_PARENT_SIZE, INLINE_HEAD_SIZE, data.length];
  for (let index = 0; index + 1 < bounds.length; index++) {
    const position = bounds[index]!;
    const end = bounds[index + 1]!;
    if (from >= end || position === end) continue;
    const offset = inode.offset + InodeRecord.fields.block.offset + position;
    yield { bytes: data.subarray(position, end), position, offset, file: medium.volume.name };
  }
}

/** The size of a directory, which no volume makes larger than itself: it has no holes. */
function directorySize({ volume }: Medium, inode: Inode): number {
  const { size } = inode.attributes;
  if (size <= Math.min(DIRECTORY_LIMIT, volume.size)) return size;
  throw new CorruptError({
    file: volume.name,
    offset: inode.offset + InodeRecord.fields.sizeLow.offset,
    thing: `the size of directory ${inode.number}`,
    found: `${size} bytes`,
    expected: `at most the volume's ${volume.size}`,
  });
}
