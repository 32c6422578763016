/**
 * CompactOS and its like: files that the Windows Overlay Filter compresses as a whole. Their $DATA is one hole; the
 * stream "WofCompressedData" holds a table of where each chunk but the first begins, counted from the table's end,
 * and behind it the chunks. A chunk that would not become smaller is stored as it is. Source: Microsoft, wofapi.h
 * and ntifs.h (WOF_EXTERNAL_INFO, FILE_PROVIDER_EXTERNAL_INFO_V1); wimlib's documentation of WIM resources, whose
 * chunk tables are the same.
 */
import { readU64le, struct, u32le } from "../../../bytes/struct.js";
import { CorruptError, DiskError, UnsupportedError } from "../../../errors.js";
import { cachedReader } from "../../../extent/cache.js";
import { Builder } from "../../../extent/builder.js";
import type { Codec } from "../../../bytes/compression/codecs.js";
import type { BlockSource, Extent, PackedUnit } from "../../../extent/extent.js";
import { mapAll } from "../../../extent/mapping.js";
import { yieldIfDue } from "../../../extent/time-slice.js";
import type { Medium } from "../medium.js";
import type { Reparse } from "../posix/reparse.js";

export const WofInformation = struct("WOF information", 16, {
  version: u32le(0x00),
  provider: u32le(0x04), // 1: a WIM image elsewhere has the contents; 2: the file itself
  fileVersion: u32le(0x08),
  algorithm: u32le(0x0c),
});

export const WOF_STREAM = "WofCompressedData";

const PROVIDER_FILE = 2;

interface Algorithm {
  readonly chunkSize: number;
  readonly codec: Codec;
}

/** FILE_PROVIDER_COMPRESSION_*. */
const ALGORITHMS: Readonly<Record<number, Algorithm>> = {
  0: { chunkSize: 4096, codec: "xpress" },
  1: { chunkSize: 32768, codec: "lzx" },
  2: { chunkSize: 8192, codec: "xpress" },
  3: { chunkSize: 16384, codec: "xpress" },
};

/** Unpacked bytes that are read and unpacked together: a request for each small chunk would take longer than its bytes. */
const GROUP_SIZE = 128 * 2 ** 10;

/** Groups of which one call of `map` tells: 64 MiB. */
const GROUPS_AT_ONCE = 512;

/**
 * The contents, `size` bytes, of file `number`, whose reparse point is `reparse` and whose packed stream is `packed`.
 * @throws {UnsupportedError} if they lie elsewhere, or are packed in a way that nobody knows.
 */
export function wofSource(
  medium: Medium,
  number: number,
  size: number,
  reparse: Reparse,
  packed: BlockSource,
): BlockSource {
  const { chunkSize, codec } = algorithmOf(medium, number, reparse);
  const name = `${medium.volume.name} file ${number}`;
  const chunkCount = Math.ceil(size / chunkSize);
  const entrySize = size < 2 ** 32 ? 4 : 8;
  const tableSize = Math.max(0, chunkCount - 1) * entrySize;
  const table = cachedReader(packed, medium.chunkTables);
  const groupChunks = GROUP_SIZE / chunkSize;
  const split = new Set<number>();

  const unpackedSize = (chunk: number): number => Math.min(chunkSize, size - chunk * chunkSize);
  const complain = (chunk: number, found: string, expected: string): CorruptError =>
    new CorruptError({ file: packed.name, thing: `the place of chunk ${chunk}`, found, expected });

  const cutTable = complain(1, `behind a table of ${tableSize} bytes`, `in ${packed.size}`);

  /** Where the chunks from `first` on begin in the packed stream, and where the last of them ends. */
  async function placesOf(first: number, count: number): Promise<number[]> {
    const from = Math.max(0, first - 1);
    const to = Math.min(chunkCount - 1, first + count);
    const entries = from < to ? await table.read(from * entrySize, (to - from) * entrySize) : Buffer.alloc(0);
    return Array.from({ length: count + 1 }, (_, index) => {
      const chunk = first + index;
      if (chunk === 0) return tableSize;
      if (chunk === chunkCount) return packed.size;
      const at = (chunk - 1 - from) * entrySize;
      return tableSize + (entrySize === 4 ? entries.readUInt32LE(at) : readU64le(entries, at));
    });
  }

  function checkPlace(chunk: number, start: number, end: number): void {
    const length = end - start;
    if (start < tableSize || end > packed.size || length <= 0 || length > unpackedSize(chunk))
      throw complain(
        chunk,
        `bytes ${start} to ${end}`,
        `1 to ${unpackedSize(chunk)} bytes, of ${packed.size}`,
      );
  }

  /** Chunks `first` to the last whose place is in `places`, as one unit. */
  function unitOf(first: number, places: readonly number[], failed: () => void): PackedUnit {
    const last = first + places.length - 2;
    const unitSize = last * chunkSize + unpackedSize(last) - first * chunkSize;
    const start = places[0]!;
    return {
      id: { source: medium.volume, index: `${packed.name} ${first} ${places.length - 1}` },
      codec,
      places: places.map((place) => place - start),
      chunkSize,
      size: unitSize,
      mayBeStored: true,
      source: packed,
      runs: [{ offset: start, length: places.at(-1)! - start }],
      placeOf: (index) => ({ file: `${packed.name}, chunk ${first + index}` }),
      failed,
    };
  }

  /** What chunks `first` on, `count` of them that are sound, are: stored as they are, or packed. */
  async function chunksAt(first: number, places: readonly number[], failed: () => void): Promise<Extent[]> {
    const length = places.at(-1)! - places[0]!;
    const count = places.length - 1;
    const unitSize = (count - 1) * chunkSize + unpackedSize(first + count - 1);
    if (length === unitSize) return mapAll(packed, places[0]!, length);
    const unit = unitOf(first, places, failed);
    return [{ kind: "packed", length: unit.size, unit, skip: 0 }];
  }

  /** What group `group` is: one unit, or where something is wrong in it, chunk by chunk. */
  async function groupAt(group: number): Promise<Extent[]> {
    const first = group * groupChunks;
    const count = Math.min(groupChunks, chunkCount - first);
    const places = await placesOf(first, count);
    const extents: Extent[] = [];
    if (!split.has(group)) {
      try {
        for (let index = 0; index < count; index++)
          checkPlace(first + index, places[index]!, places[index + 1]!);
        return await chunksAt(first, places, () => split.add(group));
      } catch (error) {
        if (!(error instanceof DiskError)) throw error; // some of its chunks may be sound
      }
    }
    for (let index = 0; index < count; index++) {
      try {
        checkPlace(first + index, places[index]!, places[index + 1]!);
        extents.push(...(await chunksAt(first + index, places.slice(index, index + 2), () => undefined)));
      } catch (error) {
        if (!(error instanceof DiskError)) throw error;
        extents.push({ kind: "damaged", length: unpackedSize(first + index), error });
      }
    }
    return extents;
  }

  return {
    name,
    size,
    async map(offset, length) {
      if (tableSize > packed.size) return [{ kind: "damaged", length, error: cutTable }];
      const first = Math.floor(offset / GROUP_SIZE);
      const extents = new Builder<Extent>(offset - first * GROUP_SIZE, length);
      for (let group = first; !extents.isFull && group < first + GROUPS_AT_ONCE; group++) {
        const turn = yieldIfDue();
        if (turn !== undefined) await turn;
        const parts: Extent[] = await groupAt(group).catch((error: unknown) => {
          if (!(error instanceof DiskError)) throw error;
          return [{ kind: "damaged", length: Math.min(GROUP_SIZE, size - group * GROUP_SIZE), error }];
        });
        extents.addAll(parts);
      }
      return extents.list;
    },
  };
}

function algorithmOf(medium: Medium, number: number, { data }: Reparse): Algorithm {
  const file = medium.volume.name;
  const { version, provider, fileVersion, algorithm } = WofInformation.view(
    data,
    0,
    `${file} file ${number}`,
  );
  const known = ALGORITHMS[algorithm];
  if (version === 1 && provider === PROVIDER_FILE && fileVersion === 1 && known !== undefined) return known;
  throw new UnsupportedError({
    file,
    thing: `the contents of file ${number}`,
    found:
      provider === PROVIDER_FILE
        ? `packed by WOF's method ${algorithm}`
        : `kept elsewhere (WOF, provider ${provider})`,
    expected: "in the file, packed by method 0, 1, 2 or 3",
  });
}
