/** A file that says what a process is at, to be read when it has hung or died: a count, and one input as text. */
import { openSync, readFileSync, writeSync } from "node:fs";

const HEADER = 8;

export interface Progress {
  /** Before input `index` is run. */
  write(index: number, input: string): void;
}

export function openProgress(path: string): Progress {
  const descriptor = openSync(path, "w");
  let bytes = Buffer.alloc(2 ** 16);
  return {
    write(index, input) {
      const size = Buffer.byteLength(input);
      if (HEADER + size > bytes.length) bytes = Buffer.alloc(2 * (HEADER + size));
      bytes.writeUInt32LE(index, 0);
      bytes.writeUInt32LE(size, 4);
      bytes.write(input, HEADER);
      writeSync(descriptor, bytes, 0, HEADER + size, 0);
    },
  };
}

/** What was written last; undefined where nothing was. */
export function readProgress(path: string): { index: number; input: string } | undefined {
  const bytes = readFileSync(path, { flag: "a+" });
  if (bytes.length < HEADER) return undefined;
  const size = bytes.readUInt32LE(4);
  return { index: bytes.readUInt32LE(0), input: bytes.toString("utf8", HEADER, HEADER + size) };
}
