/** Sources of runs of every kind, in files of the host and in any order, with their bytes as a model. */
import { closeSync, ftruncateSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { type Test } from "tap";
import { CorruptError } from "../../../src/errors.js";
import { sliceList, type BlockSource, type Extent } from "../../../src/extent/extent.js";
import { openFile } from "../../../src/storage/file.js";
import type { Storage } from "../../../src/storage/storage.js";
import type { Random } from "../../image/random.js";

export interface BackingFile {
  readonly path: string;
  readonly bytes: Buffer;
  readonly storage: Storage;
}

export interface Scattered {
  readonly source: BlockSource;
  /** A file with the bytes, and zeros in the place of damaged ones. */
  readonly model: string;
  /** The damaged ranges. */
  readonly damaged: readonly (readonly [number, number])[];
  /** How often the source was mapped. */
  maps(): number;
}

/**
 * `inline`: packed in small units; `packed`: in larger ones. `interleaved`: small runs of alternating files, each adjacent to
 * the previous one of its file. `whole`: the first file as it is.
 */
export type RunKind = "stored" | "zero" | "inline" | "packed" | "damaged" | "interleaved" | "whole";

const BACKING_SIZE = 3_333_333;

export async function backingFiles(t: Test, numbers: Random, count: number): Promise<BackingFile[]> {
  const folder = t.testdir();
  const files: BackingFile[] = [];
  for (let index = 0; index < count; index++) {
    const path = join(folder, `backing-${index}`);
    const bytes = numbers.bytes(BACKING_SIZE);
    writeFileSync(path, bytes);
    files.push({ path, bytes, storage: await openFile(path) });
  }
  t.teardown(() => Promise.all(files.map(({ storage }) => storage.close())));
  return files;
}

let made = 0;

/** Long runs of zeros, with many small runs of the other `kinds` between them. */
export async function scattered(
  t: Test,
  numbers: Random,
  backing: readonly BackingFile[],
  size: number,
  kinds: readonly RunKind[],
): Promise<Scattered> {
  const model = join(t.testdirName, `model-${made++}`);
  const file = openSync(model, "w");
  ftruncateSync(file, size);
  const extents: Extent[] = [];
  const damaged: [number, number][] = [];
  const next = backing.map(() => 0);
  const place = (at: number, extent: Extent, bytes?: Buffer): void => {
    extents.push(extent);
    if (bytes !== undefined) writeSync(file, bytes, 0, bytes.length, at);
  };
  for (let at = 0; at < size;) {
    const kind = numbers.pick(kinds);
    const length = Math.min(size - at, lengthOf(numbers, kind, extents.length));
    if (kind === "zero") place(at, { kind, length });
    else if (kind === "inline" || kind === "packed") {
      const bytes = numbers.bytes(length + 10);
      const unit = { size: kind === "inline" ? length + 10 : 100_000 + length, unpack: async () => bytes };
      place(at, { kind: "packed", length, unit, skip: 7 }, bytes.subarray(7, 7 + length));
    } else if (kind === "damaged") {
      damaged.push([at, at + length]);
      place(at, {
        kind,
        length,
        error: new CorruptError({ file: "scattered", offset: at, thing: "damage" }),
      });
    } else {
      const index = kind === "whole" ? 0 : numbers.below(backing.length);
      const { bytes, storage } = backing[index]!;
      let offset = kind === "stored" ? numbers.below(bytes.length - length) : next[index]!;
      if (offset + length > bytes.length) offset = 0;
      next[index] = offset + length;
      place(at, { kind: "stored", length, storage, offset }, bytes.subarray(offset, offset + length));
    }
    at += length;
  }
  closeSync(file);
  let mapped = 0;
  const source: BlockSource = {
    name: "scattered",
    size,
    async map(offset, length) {
      mapped++;
      return sliceList(extents, offset, length);
    },
  };
  return { source, model, damaged, maps: () => mapped };
}

function lengthOf(numbers: Random, kind: RunKind, index: number): number {
  if (kind === "whole") return 3_000_000;
  if (kind === "interleaved") return 1 + numbers.below(4096);
  // A hundred small runs, then a long one.
  const isLong = index % 100 === 99;
  if (kind === "zero")
    return 1 + numbers.below(isLong || index === 0 ? 2 ** 25 : numbers.pick([5, 700, 70_000]));
  if (kind === "stored") return 1 + numbers.below(isLong ? 3_000_000 : numbers.pick([5, 700, 70_000]));
  return 1 + numbers.below(kind === "inline" ? 4000 : 30_000);
}
