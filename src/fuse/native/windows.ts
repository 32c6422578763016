/** Windows: the extents of a source, 64 MiB at a time, as the arrays of numbers from which the addon's threads read. */
import { LRUCache } from "lru-cache";
import { isNative, pushChunks } from "../../extent/chunks.js";
import { DiskError } from "../../errors.js";
import type { BlockSource, Extent, PackedUnit } from "../../extent/extent.js";
import { coveredBytes, mapAll } from "../../extent/mapping.js";
import { unpackUnit } from "../../extent/read.js";
import { yieldIfDue } from "../../extent/time-slice.js";
import type { NodeId } from "../../filesystem/filesystem.js";
import { pushRun, pushUnit, RUN_FIELDS, RunKind } from "../../storage/layouts.js";
import { descriptorOf } from "../../storage/storage.js";
import type { Threads } from "./threads.js";

/** Bytes of a window: as many as the overlay resolves at once. */
export const WINDOW_SIZE = 64 * 2 ** 20;

/** Bytes of the largest unit that is passed unpacked with its window: small files, of which there may be millions. */
const INLINE_SIZE = 4096;

/**
 * Extents of a window at most: TypeScript reads what lies behind them. A window of pieces of 4 KiB has 2^14. The addon
 * keeps half a million extents of all windows together (native-bindings/device.cc, kRunLimit).
 */
const EXTENT_LIMIT = 2 ** 14;

/** Compressed units of a window at most: each takes longer than a run. With units of 64 KiB, the usual size, it has 2^10. */
const UNIT_LIMIT = 2 ** 12;

/** Windows that are remembered as passed. The first windows of files are remembered only if they are incomplete. */
const PASSED_COUNT = 10_000;

/** Numbers in the array that is used for all calls of the addon, at first. */
const INITIAL_COUNT = 1024;

const NO_BYTES = Buffer.alloc(0);

/** Identifies a window. The first window of a node has the node's number: most files have no other window. */
type Key = NodeId | string;
const keyOf = (node: NodeId, index: number): Key => (index === 0 ? node : `${node} ${index}`);

export interface Windows {
  /**
   * Maps window `index` of `source` and passes it to the threads; does nothing if that is under way, or cannot help
   * because only TypeScript can read a part of it. Never rejects: a read reports what cannot be mapped.
   * @param notifyFirstRead whether the server is notified when a thread first reads it. It always is if another window
   * follows.
   */
  pass(node: NodeId, source: BlockSource, index: number, notifyFirstRead?: boolean): Promise<void>;
  /** Passes a window that is not the first of its source, unless that was done before. */
  prefetch(node: NodeId, source: BlockSource, index: number): void;
  /** Sources have changed: windows that are being mapped are not passed, and the others may be passed again. */
  forget(): void;
}

/** @param report logs an error that is a bug. */
export function windowsFor(threads: Threads, report: (error: unknown) => unknown): Windows {
  const underWay = new Set<Key>();
  const passed = new LRUCache<Key, "complete" | "incomplete">({ max: PASSED_COUNT });
  let changeCount = 0;
  let array = new Float64Array(INITIAL_COUNT); // to allocate one for each call would take longer than to fill it
  const windows: Windows = {
    async pass(node, source, index, notifyFirstRead = false) {
      const key = keyOf(node, index);
      const start = index * WINDOW_SIZE;
      // Each read that the threads leave to TypeScript gets here.
      if (start >= source.size || underWay.has(key) || passed.get(key) === "incomplete") return;
      underWay.add(key);
      const before = changeCount;
      try {
        const isLast = source.size <= start + WINDOW_SIZE;
        const length = isLast ? source.size - start : WINDOW_SIZE;
        const { runs, bytes, units, isComplete } = await encode(source, start, length);
        if (changeCount !== before) return;
        if (runs.length + units.length > array.length)
          array = new Float64Array(2 * (runs.length + units.length));
        array.set(runs);
        array.set(units, runs.length);
        const inline = bytes.length === 0 ? NO_BYTES : Buffer.concat(bytes);
        threads.putWindow(node, index, runs.length / RUN_FIELDS, array, inline, notifyFirstRead || !isLast);
        if (index > 0 || !isComplete) passed.set(key, isComplete ? "complete" : "incomplete");
      } catch (error) {
        // TypeScript answers the reads of this window, and reports the error to those that meet the damage.
        if (!(error instanceof DiskError)) report(error);
      } finally {
        underWay.delete(key);
      }
    },
    prefetch(node, source, index) {
      if (index * WINDOW_SIZE >= source.size) return;
      if (!passed.has(keyOf(node, index))) void windows.pass(node, source, index);
    },
    forget() {
      changeCount++;
      passed.clear();
    },
  };
  return windows;
}

/** Whether the threads can read `extent`: a guess that `encode` checks for compressed units. */
export function isReadableByThreads(extent: Extent): boolean {
  switch (extent.kind) {
    case "stored":
      return descriptorOf(extent.storage) >= 0;
    case "packed":
      return isInline(extent.unit) || isUnpackedByThreads(extent);
    default:
      return extent.kind === "zero";
  }
}

function isUnpackedByThreads({ unit, length }: Extract<Extent, { kind: "packed" }>): boolean {
  return unit.codec !== undefined && length === unit.size && isNative(unit.codec);
}

function isInline({ size }: PackedUnit): boolean {
  return size <= INLINE_SIZE;
}

/** A window as `Addon.putWindow` takes it. */
interface Encoded {
  readonly runs: number[];
  /** The bytes of inline runs, and how many there are. */
  readonly bytes: Buffer[];
  byteCount: number;
  readonly units: number[];
  unitCount: number;
  /** Whether the threads can read all of it. */
  isComplete: boolean;
}

/** Maps `[offset, offset + length)` of `source`. Past the limits of a window, it becomes one fallback run. */
async function encode(source: BlockSource, offset: number, length: number): Promise<Encoded> {
  const encoded: Encoded = { runs: [], bytes: [], byteCount: 0, units: [], unitCount: 0, isComplete: true };
  const { runs } = encoded;
  const end = offset + length;
  for (let at = offset; at < end;) {
    if (runs.length >= RUN_FIELDS * EXTENT_LIMIT || encoded.unitCount >= UNIT_LIMIT) {
      pushFallback(encoded, end - at);
      break;
    }
    const extents = await source.map(at, end - at);
    at += coveredBytes(source, at, extents);
    for (const extent of extents) {
      if (extent.kind === "zero") pushRun(runs, RunKind.zero, 0, extent.length);
      else if (!isReadableByThreads(extent)) pushFallback(encoded, extent.length);
      else if (extent.kind === "stored")
        pushRun(runs, descriptorOf(extent.storage), extent.offset, extent.length);
      else if (extent.kind === "packed") {
        const turn = yieldIfDue();
        if (turn !== undefined) await turn;
        await encodePacked(encoded, extent);
      }
    }
  }
  return encoded;
}

function pushFallback(encoded: Encoded, length: number): void {
  pushRun(encoded.runs, RunKind.fallback, 0, length);
  encoded.isComplete = false;
}

async function encodePacked(encoded: Encoded, extent: Extract<Extent, { kind: "packed" }>): Promise<void> {
  const { unit, skip, length } = extent;
  encoded.unitCount++;
  if (isInline(unit)) {
    const unpacked = await unpackUnit(unit);
    encoded.bytes.push(unpacked.subarray(skip, skip + length));
    pushRun(encoded.runs, RunKind.inline, encoded.byteCount, length);
    encoded.byteCount += length;
  } else if (await encodeUnit(encoded.units, unit)) pushRun(encoded.runs, RunKind.packed, 0, length);
  else pushFallback(encoded, length);
}

/** Appends `unit` to `numbers`. Resolves to false if its packed bytes do not lie verbatim in files of the host. */
async function encodeUnit(numbers: number[], unit: PackedUnit): Promise<boolean> {
  if (unit.codec === undefined) return false;
  const parts: number[] = [];
  for (const { offset, length } of unit.runs) {
    for (const extent of await mapAll(unit.source, offset, length)) {
      if (extent.kind !== "stored" || !isReadableByThreads(extent)) return false;
      pushRun(parts, descriptorOf(extent.storage), extent.offset, extent.length);
    }
  }
  pushUnit(numbers, parts.length / RUN_FIELDS, unit.places.length - 1);
  for (const number of parts) numbers.push(number);
  pushChunks(numbers, unit, 0, 0);
  return true;
}
