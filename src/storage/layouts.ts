/**
 * Writes the arrays of numbers that functions of the addon take. native-bindings/README.md describes them, and
 * native-bindings/layouts.h names their fields for the code that reads them.
 */

/** Kinds of runs, in the place of a descriptor. */
export const RunKind = {
  /** Zeros that are stored nowhere. */
  zero: -1,
  /** Only TypeScript can read it. */
  fallback: -2,
  /** Bytes that are passed with the window. */
  inline: -3,
  /** A compressed unit. */
  packed: -4,
} as const;

/** How many numbers a run takes. */
export const RUN_FIELDS = 3;

/** How many numbers a read takes. */
export const READ_FIELDS = 4;

/** Appends a run. `fd`: a descriptor, or a kind. */
export function pushRun(numbers: number[], fd: number, offset: number, length: number): void {
  numbers.push(fd, offset, length);
}

/** Appends the start of a unit; its parts, which are runs, and its chunks follow. */
export function pushUnit(numbers: number[], partCount: number, chunkCount: number): void {
  numbers.push(partCount, chunkCount);
}

/** Appends a chunk. */
export function pushChunk(
  numbers: number[],
  codec: number,
  start: number,
  end: number,
  offset: number,
  size: number,
): void {
  numbers.push(codec, start, end, offset, size);
}

/** Sets read `index` of `numbers`. */
export function setRead(
  numbers: Float64Array,
  index: number,
  fd: number,
  fileOffset: number,
  offset: number,
  length: number,
): void {
  const at = index * READ_FIELDS;
  numbers[at] = fd;
  numbers[at + 1] = fileOffset;
  numbers[at + 2] = offset;
  numbers[at + 3] = length;
}
