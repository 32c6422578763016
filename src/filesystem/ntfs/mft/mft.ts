/** The records of the master file table by number; mft-runs.ts maps the table. */
import { LRUCache } from "lru-cache";
import { withinMemory } from "../../../bytes/memory.js";
import { ownCopy } from "../../../bytes/pool.js";
import { viewOf } from "../../../bytes/struct.js";
import { CorruptError, DiskError, ignoreDiskError } from "../../../errors.js";
import type { BlockSource } from "../../../extent/extent.js";
import { loadingCache } from "../../../extent/loading.js";
import { overlay } from "../../../extent/overlay.js";
import { read, readInto } from "../../../extent/read.js";
import { yieldIfDue, type StopSignal } from "../../../extent/time-slice.js";
import type { FileRecord } from "./attribute.js";
import type { Geometry } from "../boot.js";
import { applyFixups, misfitError, type Misfit } from "./fixup.js";
import { parseRecord, RECORD_MAGIC } from "./record.js";

export interface Mft {
  /** Records of the table, in use or not. */
  readonly count: number;
  /**
   * Record `number`, whatever it is for. Its bytes are borrowed: a caller that keeps them copies them.
   * @throws {CorruptError} if it is not a record, or is not in use.
   */
  record(number: number): Promise<FileRecord>;
  /**
   * Calls `visit` for the records `numbers`, which ascend, each with its fixups applied or with its error. It is for many
   * records that are needed once: adjacent ones are read together, and none is cached unless `visit` returns true.
   * The bytes may not be a record. They are borrowed until `visit` returns, and must not be changed.
   * @throws {Interrupted} once `signal` is aborted.
   */
  sweep(numbers: ArrayLike<number>, visit: Visit, signal?: StopSignal): Promise<void>;
  /** The absolute byte where record `number` lies, for error messages; 0 if that is not known. */
  offsetOf(number: number): number;
}

/** Takes the record of `numbers[index]`, from `start` of `view` on. Returns true if it is soon needed again. */
type Visit = (index: number, view: DataView | DiskError, start: number) => boolean;

/** Where the table lies, and the copies of its records. */
export interface MftPlace {
  readonly source: BlockSource;
  offsetOf(number: number): number;
  /** A record from the mirror. @throws {DiskError} `damage`, if the mirror has no sound copy. */
  copyOf(number: number, damage: DiskError): Promise<FileRecord>;
}

/** Bytes that are read for one record, and kept: enough for a record of any size. */
const PAGE_SIZE = 64 * 2 ** 10;
const SMALL_PAGE_SIZE = 16 * 2 ** 10;
const SMALL_RECORD_SIZE = 4096;

/** Bytes of pages that one file system keeps. */
const CACHE_BYTES = withinMemory(8 * 2 ** 20);

/**
 * The most bytes that a sweep reads at once, and the largest gap between two records that it reads instead of starting
 * another read: the names of a large directory are in another order, and a page of them has about every tenth record. As many as the
 * host returns at once if it has them in memory (storage/file.ts).
 */
const SWEEP_SIZE = 64 * 2 ** 10;
const SWEEP_GAP = 32 * 2 ** 10;

/** Bytes of the table that are mapped at once: few enough for a table in many fragments. */
const WINDOW_SIZE = 2 ** 20;

/** Records that are kept of sweeps. */
const KEPT_COUNT = 512;

/** A stretch of the table. The fixups of a record in it are applied when the record is first requested. */
interface Page {
  readonly bytes: Buffer;
  /** By record: 1 once its fixups are applied. */
  readonly isFixed: Uint8Array;
}

/** The table at `place`; `file` is the name of its volume in error messages. */
export function mftAt(place: MftPlace, geometry: Geometry, file: string): Mft {
  const source = overlay([place.source], place.source.name, WINDOW_SIZE); // each part is mapped once
  const { recordSize } = geometry;
  const count = Math.floor(source.size / recordSize);
  const pageSize = recordSize <= SMALL_RECORD_SIZE ? SMALL_PAGE_SIZE : PAGE_SIZE;
  const perPage = pageSize / recordSize;
  const spare: DataView[] = [];
  const kept = new LRUCache<number, Buffer>({ max: KEPT_COUNT });
  const pages = loadingCache<number, Page>(
    CACHE_BYTES,
    ({ bytes }) => bytes.length,
    async (index) => {
      const start = index * pageSize;
      const bytes = await read(source, start, Math.min(pageSize, source.size - start));
      return { bytes, isFixed: new Uint8Array(perPage) };
    },
  );

  /** Record `number`, in its page. */
  function inPage({ bytes, isFixed }: Page, number: number): FileRecord {
    const slot = number % perPage;
    const part = bytes.subarray(slot * recordSize, (slot + 1) * recordSize);
    const offset = place.offsetOf(number);
    if (isFixed[slot] !== 1) fixRecord(part, number, geometry, file, offset);
    isFixed[slot] = 1; // they are applied, whatever else is wrong with it
    return parseRecord(part, number, offset, file);
  }

  /** Record `number` alone, because another part of its page cannot be read or found. */
  async function alone(number: number): Promise<FileRecord> {
    const bytes = await read(place.source, number * recordSize, recordSize);
    const offset = place.offsetOf(number);
    fixRecord(bytes, number, geometry, file, offset);
    return parseRecord(bytes, number, offset, file);
  }

  async function readRecord(number: number): Promise<FileRecord> {
    const index = Math.floor(number / perPage);
    const page = pages.peek(index) ?? (await pages.load(index, undefined).catch(ignoreDiskError));
    return page === undefined ? alone(number) : inPage(page, number);
  }

  async function record(number: number): Promise<FileRecord> {
    if (number < 0 || number >= count) {
      const thing = "the number of a file record that is referred to";
      throw new CorruptError({ file, thing, found: number, expected: `from 0 to ${count - 1}` });
    }
    const own = kept.get(number);
    if (own !== undefined) return parseRecord(own, number, place.offsetOf(number), file);
    if (number >= MIRRORED_COUNT) return readRecord(number);
    return readRecord(number).catch((error: unknown) => {
      if (error instanceof DiskError) return place.copyOf(number, error);
      throw error;
    });
  }

  /** Reads record `numbers[index]` alone, and calls `visit` for it. */
  async function visitAlone(numbers: ArrayLike<number>, index: number, visit: Visit): Promise<void> {
    let view: DataView | DiskError;
    try {
      view = viewOf((await record(numbers[index]!)).bytes);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      view = error;
    }
    visit(index, view, 0);
  }

  /** Reads records `numbers[from]` to `numbers[to - 1]` together, or if that fails, one by one. */
  async function readStretch(
    numbers: ArrayLike<number>,
    from: number,
    to: number,
    visit: Visit,
  ): Promise<void> {
    const first = numbers[from]!;
    const view = spare.pop() ?? viewOf(new Uint8Array(SWEEP_SIZE));
    const part = new Uint8Array(view.buffer, 0, (numbers[to - 1]! + 1 - first) * recordSize);
    const isRead = await readInto(source, part, first * recordSize).then(
      () => true,
      (error: unknown) => {
        if (error instanceof DiskError) return false;
        throw error;
      },
    );
    let misfit: Misfit | undefined; // that of the last record: `numbers` may have it again
    for (let index = from; index < to; index++) {
      const number = numbers[index]!;
      if (!isRead || number < MIRRORED_COUNT) {
        await visitAlone(numbers, index, visit);
        continue;
      }
      const start = (number - first) * recordSize;
      if (index === from || number !== numbers[index - 1]) misfit = fixup(view, start, geometry);
      if (misfit === undefined) {
        if (visit(index, view, start)) kept.set(number, ownCopy(part.subarray(start, start + recordSize)));
      } else visit(index, recordError(misfit, file, place.offsetOf(number), number), start);
    }
    spare.push(view);
  }

  return {
    count,
    record,
    async sweep(numbers, visit, signal) {
      let from = 0;
      // Numbers past the end of the table are errors, one by one.
      let inside = numbers.length;
      while (inside > 0 && numbers[inside - 1]! >= count) inside--;
      while (from < inside) {
        // Not before the first stretch: a small directory has no other, and yielding would delay its page.
        const turn = from > 0 ? yieldIfDue(signal) : undefined;
        if (turn !== undefined) await turn;
        let to = from + 1;
        while (to < inside && isNear(numbers[from]!, numbers[to - 1]!, numbers[to]!)) to++;
        await readStretch(numbers, from, to, visit);
        from = to;
      }
      for (let index = inside; index < numbers.length; index++) await visitAlone(numbers, index, visit);
    },
    offsetOf: (number) => place.offsetOf(number),
  };

  function isNear(first: number, last: number, next: number): boolean {
    return (next + 1 - first) * recordSize <= SWEEP_SIZE && (next - last) * recordSize <= SWEEP_GAP;
  }
}

/** The records that $MFTMirr holds copies of, at least. Source: ntfs-3g mkntfs.c. */
export const MIRRORED_COUNT = 4;

/** Applies the fixups of what may be record `number`. @throws {CorruptError} if they are wrong; it lies at `offset`. */
export function fixRecord(
  bytes: Buffer,
  number: number,
  geometry: Geometry,
  file: string,
  offset: number,
): void {
  const misfit = fixup(viewOf(bytes), 0, geometry);
  if (misfit !== undefined) throw recordError(misfit, file, offset, number);
}

/** Applies the fixups of what may be a record, and lies at `start` of `view`. Other bytes are recognized by their magic. */
function fixup(view: DataView, start: number, { recordSize, sectorSize }: Geometry): Misfit | undefined {
  if (view.getUint32(start, true) !== RECORD_MAGIC) return undefined;
  return applyFixups(view, start, recordSize, sectorSize);
}

function recordError(misfit: Misfit, file: string, offset: number, number: number): CorruptError {
  return misfitError(misfit, file, offset, `file record ${number}`);
}
