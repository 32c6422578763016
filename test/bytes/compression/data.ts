/** Data of all kinds to be packed by other programs, and damage to what they made of it. */
import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Test } from "tap";
import type { Place } from "../../../src/bytes/compression/damage.js";
import { CorruptError } from "../../../src/errors.js";

export type Unpack = (packed: Uint8Array, size: number, place?: Place) => Buffer;

/** Numbers from 0 to below `limit`, the same ones in every run. */
export function dice(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

/** Files by name: text, machine code, noise, zeros, runs, and all of them by turns, at odd lengths, too. */
export function kindsOfData(): Map<string, Buffer> {
  const roll = dice(1);
  const noise = (length: number): Buffer => Buffer.from(Array.from({ length }, () => roll(256)));
  const text = readFileSync(fileURLToPath(new URL("../../../package-lock.json", import.meta.url)));
  const code = machineCode(400_000);
  const runs = Buffer.concat(
    Array.from({ length: 900 }, () => Buffer.alloc(1 + roll(400), noise(1 + roll(5)))),
  );
  const mixed = Buffer.concat(
    Array.from({ length: 120 }, () => {
      const from = [text, code, runs, noise(3000), Buffer.alloc(6000)][roll(5)]!;
      const start = roll(from.length);
      return from.subarray(start, start + 1 + roll(5000));
    }),
  );
  const kinds = { text, code, runs, mixed, noise: noise(70_000), zeros: Buffer.alloc(200_000) };
  const files = new Map<string, Buffer>(Object.entries(kinds));
  for (const length of [1, 2, 3, 4, 5, 17, 100, 4095, 4096, 4097, 8191, 12_345, 32_767, 32_769, 65_537]) {
    for (const [name, bytes] of Object.entries(kinds)) {
      const start = roll(Math.max(1, bytes.length - length));
      files.set(`${name}-${length}`, bytes.subarray(start, start + length));
    }
  }
  return files;
}

/** Code of the program that runs this: its calls are what LZX translates. */
function machineCode(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  const descriptor = openSync(process.execPath, "r");
  readSync(descriptor, bytes, 0, length, 24 * 2 ** 20);
  closeSync(descriptor);
  return bytes;
}

/** Processor time that one unpacking may take, damaged or not: a thousand times what it does. */
const SOON_MICROSECONDS = 500_000;

/** Cut anywhere, `packed` gives its bytes, as far as they are asked for, or a complaint. */
export function checkCuts(t: Test, unpack: Unpack, packed: Buffer, original: Buffer): void {
  let complaints = 0;
  for (let length = 0; length <= packed.length; length++) {
    const bytes = tryUnpack(unpack, packed.subarray(0, length), original.length);
    if (bytes === undefined) complaints++;
    else if (!bytes.equals(original)) t.fail(`cut to ${length} bytes, it is something else`);
  }
  t.ok(
    complaints > 0 && complaints <= packed.length,
    `${complaints} cuts of ${packed.length} are complaints`,
  );
}

/** Changed anywhere, `packed` gives as many bytes as it should, or a complaint; never anything else, and soon. */
export function checkMutants(t: Test, unpack: Unpack, packed: Buffer, size: number, count: number): void {
  const roll = dice(packed.length);
  let complaints = 0;
  for (let round = 0; round < count; round++) {
    const mutant = Buffer.from(packed);
    // The first bytes say how to read the others: a third of the mutants differ there.
    const zone = roll(3) === 0 ? Math.min(300, mutant.length) : mutant.length;
    for (let changes = 1 + roll(4); changes > 0; changes--) {
      const at = roll(zone);
      mutant[at] = roll(3) ? roll(256) : roll(2) ? 0 : 0xff;
    }
    if (tryUnpack(unpack, mutant, size) === undefined) complaints++;
  }
  t.pass(`${complaints} of ${count} mutants are complaints`);
}

/** What comes of `packed`; undefined is a complaint. Every other error is thrown on: a bug. */
export function tryUnpack(unpack: Unpack, packed: Uint8Array, size: number): Buffer | undefined {
  const start = process.cpuUsage();
  const bytes = complaintOrBytes(unpack, packed, size);
  const { user, system } = process.cpuUsage(start);
  if (user + system > SOON_MICROSECONDS) throw new Error(`that took ${user + system} microseconds`);
  return bytes;
}

function complaintOrBytes(unpack: Unpack, packed: Uint8Array, size: number): Buffer | undefined {
  try {
    const bytes = unpack(packed, size, { file: "a.img", offset: 0x1000 });
    if (bytes.length !== size) throw new Error(`${bytes.length} bytes, not ${size}`);
    return bytes;
  } catch (error) {
    if (!(error instanceof CorruptError)) throw error;
    if (!/^a\.img, byte 0x1000: .* is .*, but must be /.test(error.message)) throw error;
    return undefined;
  }
}
