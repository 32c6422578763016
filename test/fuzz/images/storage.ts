/** Images in memory, changed in place and changed back. */
import { CorruptError } from "../../../src/errors.js";
import type { Storage } from "../../../src/storage/storage.js";

/** Bytes that stand in place of others: in which file of the image, where, and which, in hexadecimal. */
export type Patch = readonly [file: number, offset: number, bytes: string];

/** One read: where it began, and how many bytes it took. */
export type Touched = (file: number, offset: number, length: number) => void;

/** A file of an image; its storage reads the bytes as they are at that moment, and never waits. */
export function memoryStorage(bytes: Buffer, name: string, file = 0, touched?: Touched): Storage {
  return {
    location: `/${name}`,
    name,
    size: bytes.length,
    fd: -1,
    read: async (into, offset) => {
      touched?.(file, offset, into.length);
      const end = offset + into.length;
      if (!(offset >= 0)) throw new RangeError(`${name} is read from byte ${offset}`);
      if (end > bytes.length) {
        const expected = `byte ${end} or behind it`;
        throw new CorruptError({ file: name, thing: "the file's end", found: bytes.length, expected });
      }
      into.set(bytes.subarray(offset, end));
    },
    close: async () => undefined,
  };
}

/** Applies `patches` to `files`; the function that it returns undoes them. What lies past a file's end is dropped. */
export function patch(files: readonly Buffer[], patches: readonly Patch[]): () => void {
  const undo: [Buffer, number, Buffer][] = [];
  for (const [file, offset, hex] of patches) {
    const into = files[file];
    if (into === undefined || offset >= into.length) continue;
    const bytes = Buffer.from(hex, "hex").subarray(0, into.length - offset);
    undo.push([into, offset, Buffer.from(into.subarray(offset, offset + bytes.length))]);
    bytes.copy(into, offset);
  }
  return () => {
    for (const [into, offset, bytes] of undo.reverse()) bytes.copy(into, offset);
  };
}
