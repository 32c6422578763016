/** What the addon's threads read by themselves: the extents of a source, window by window, as plain numbers. */
import { LRUCache } from "lru-cache";
import { pushChunks } from "../../extent/chunks.js";
import { DiskError } from "../../errors.js";
import type { BlockSource, Extent, PackedUnit } from "../../extent/extent.js";
import { coveredBytes, mapAll } from "../../extent/mapping.js";
import { unpackUnit } from "../../extent/read.js";
import { yieldIfDue } from "../../extent/time-slice.js";
import type { NodeId } from "../../filesystem/filesystem.js";
import { descriptorOf } from "../../storage/storage.js";
import type { Threads } from "./threads.js";

/** Bytes of a source that are mapped and handed over at once: as many as the overlay resolves at once. */
export const WINDOW_SIZE = 64 * 2 ** 20;

/** In a descriptor's place (native-bindings/extents.h). */
const ZERO = -1;
const ELSEWHERE = -2;
const INLINE = -3;
const PACKED = -4;

/** Unpacked units up to this size are handed over with their window: inline files, which come by the million. */
const INLINE_SIZE = 4096;

/**
 * Extents of a window that are handed over: more are read by TypeScript. A window of pieces of 4 KiB has 2^14; the addon
 * keeps half a million for all windows together (native-bindings/device.cc, kRunLimit).
 */
const EXTENT_LIMIT = 2 ** 14;

/** Compressed units of those: a window of units of 64 KiB, the usual size, has 2^10. Each takes longer than a run. */
const UNIT_LIMIT = 2 ** 12;

/** Windows of which it is remembered that they were handed over; the first of a file, only where that was in part. */
const GIVEN_COUNT = 10_000;

/** Numbers that there is room for at first. */
const ROOM_COUNT = 1024;

const NO_BYTES = Buffer.alloc(0);

/** A window of a node; the first has the node's own number, since most files have no other. */
type Key = NodeId | string;
const keyOf = (node: NodeId, index: number): Key => (index === 0 ? node : `${node} ${index}`);

export interface WindowGiver {
  /**
   * Hands over window `index` of `source`, unless nothing would come of it. Never rejects: what cannot be mapped is an
   * error of the read that needs it.
   * @param isTold whether its first read is to be told; that of a window with another behind it always is.
   */
  give(node: NodeId, source: BlockSource, index: number, isTold?: boolean): Promise<void>;
  /** Likewise, where that has not been done before; of windows but a file's first. */
  giveAhead(node: NodeId, source: BlockSource, index: number): void;
}

/** @param complain logs what is a bug of ours. */
export function windowGiver(threads: Threads, complain: (error: unknown) => unknown): WindowGiver {
  const underWay = new Set<Key>();
  const given = new LRUCache<Key, "whole" | "in part">({ max: GIVEN_COUNT });
  let room = new Float64Array(ROOM_COUNT); // the addon's for the length of a call: to make one costs more than to fill it
  const giver: WindowGiver = {
    async give(node, source, index, isTold = false) {
      const key = keyOf(node, index);
      const start = index * WINDOW_SIZE;
      // Whoever reads what could not be handed over comes here each time.
      if (start >= source.size || underWay.has(key) || given.get(key) === "in part") return;
      underWay.add(key);
      try {
        const isLast = source.size <= start + WINDOW_SIZE;
        const length = isLast ? source.size - start : WINDOW_SIZE;
        const { runs, bytes, units, isWhole } = await encode(source, start, length);
        if (runs.length + units.length > room.length)
          room = new Float64Array(2 * (runs.length + units.length));
        room.set(runs);
        room.set(units, runs.length);
        const inline = bytes.length === 0 ? NO_BYTES : Buffer.concat(bytes);
        threads.putWindow(node, index, runs.length / 3, room, inline, isTold || !isLast);
        if (index > 0 || !isWhole) given.set(key, isWhole ? "whole" : "in part");
      } catch (error) {
        // TypeScript goes on answering for this window, and says what is wrong where it is.
        if (!(error instanceof DiskError)) complain(error);
      } finally {
        underWay.delete(key);
      }
    },
    giveAhead(node, source, index) {
      if (index * WINDOW_SIZE >= source.size) return;
      if (!given.has(keyOf(node, index))) void giver.give(node, source, index);
    },
  };
  return giver;
}

/** Whether threads can read `extent` by themselves, most likely. */
export function isPlain(extent: Extent): boolean {
  switch (extent.kind) {
    case "stored":
      return descriptorOf(extent.storage) >= 0;
    case "packed":
      return isInline(extent.unit) || (extent.unit.codec !== undefined && extent.length === extent.unit.size);
    default:
      return extent.kind === "zero";
  }
}

function isInline({ size }: PackedUnit): boolean {
  return size <= INLINE_SIZE;
}

/** Extents as `Addon.putWindow` takes them. */
interface Encoded {
  readonly runs: number[];
  readonly bytes: Buffer[];
  /** Bytes in `bytes`. */
  inlined: number;
  readonly units: number[];
  unitCount: number;
  /** Whether the threads can read all of it. */
  isWhole: boolean;
}

/** What `[offset, offset + length)` of `source` consists of. What is too much of it is left to TypeScript. */
async function encode(source: BlockSource, offset: number, length: number): Promise<Encoded> {
  const encoded: Encoded = { runs: [], bytes: [], inlined: 0, units: [], unitCount: 0, isWhole: true };
  const end = offset + length;
  for (let at = offset; at < end;) {
    if (encoded.runs.length >= 3 * EXTENT_LIMIT || encoded.unitCount >= UNIT_LIMIT) {
      pushRun(encoded, ELSEWHERE, 0, end - at);
      break;
    }
    const extents = await source.map(at, end - at);
    at += coveredBytes(source, at, extents);
    for (const extent of extents) {
      if (extent.kind === "zero") pushRun(encoded, ZERO, 0, extent.length);
      else if (!isPlain(extent)) pushRun(encoded, ELSEWHERE, 0, extent.length);
      else if (extent.kind === "stored")
        pushRun(encoded, descriptorOf(extent.storage), extent.offset, extent.length);
      else if (extent.kind === "packed") {
        const turn = yieldIfDue();
        if (turn !== undefined) await turn;
        await encodePacked(encoded, extent);
      }
    }
  }
  return encoded;
}

function pushRun(encoded: Encoded, place: number, offset: number, length: number): void {
  encoded.runs.push(place, offset, length);
  if (place === ELSEWHERE) encoded.isWhole = false;
}

async function encodePacked(encoded: Encoded, extent: Extract<Extent, { kind: "packed" }>): Promise<void> {
  const { unit, skip, length } = extent;
  encoded.unitCount++;
  if (isInline(unit)) {
    const unpacked = await unpackUnit(unit);
    encoded.bytes.push(unpacked.subarray(skip, skip + length));
    pushRun(encoded, INLINE, encoded.inlined, length);
    encoded.inlined += length;
  } else pushRun(encoded, (await pushUnit(encoded.units, unit)) ? PACKED : ELSEWHERE, 0, length);
}

/** Appends `unit` to `numbers`, where its packed bytes lie verbatim in files of the host. Whether that is so. */
async function pushUnit(numbers: number[], unit: PackedUnit): Promise<boolean> {
  if (unit.codec === undefined) return false;
  const parts: number[] = [];
  for (const { offset, length } of unit.runs) {
    for (const extent of await mapAll(unit.source, offset, length)) {
      if (extent.kind !== "stored" || !isPlain(extent)) return false;
      parts.push(descriptorOf(extent.storage), extent.offset, extent.length);
    }
  }
  numbers.push(parts.length / 3, unit.places.length - 1, ...parts);
  pushChunks(numbers, unit, 0, 0);
  return true;
}
