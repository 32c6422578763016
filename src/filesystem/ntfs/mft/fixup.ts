/**
 * Update sequences ("fixups"): the last two bytes of every stretch of a record are replaced by a number that
 * changes with every write, and kept in an array at its start, so that an incomplete write is detected.
 * Source: Windows Driver Kit, MULTI_SECTOR_HEADER in ntifs.h's companions; ntfs-3g layout.h, NTFS_RECORD.
 */
import { struct, u16le, u32le } from "../../../bytes/struct.js";
import { CorruptError } from "../../../errors.js";

export const RecordStart = struct("NTFS record start", 8, {
  magic: u32le(0x00),
  sequenceOffset: u16le(0x04), // bytes to the update sequence: its number, then the saved words
  sequenceCount: u16le(0x06), // words of it
});

/** Bytes of a stretch, whatever the disk's sectors are (SEQUENCE_NUMBER_STRIDE). */
const STRIDE = 512;

/** The error of an update sequence. */
export interface Misfit {
  /** Its place in the record. */
  readonly at: number;
  readonly what: string;
  readonly found: number;
  readonly expected: string;
}

const SEQUENCE_OFFSET = RecordStart.fields.sequenceOffset.offset;
const SEQUENCE_COUNT = RecordStart.fields.sequenceCount.offset;

/**
 * Puts the saved words of the record that lies in `view` from `start` on, `size` bytes, back in their places.
 * @returns the error, if there is one; nothing is changed then.
 */
export function applyFixups(
  view: DataView,
  start: number,
  size: number,
  sectorSize: number,
): Misfit | undefined {
  const sequenceOffset = view.getUint16(start + SEQUENCE_OFFSET, true);
  const count = view.getUint16(start + SEQUENCE_COUNT, true) - 1;
  const stride = count > 0 ? size / count : 0;
  if (stride !== STRIDE && (stride !== sectorSize || stride < STRIDE)) {
    const what = "the update sequence's length";
    return { at: SEQUENCE_COUNT, what, found: count + 1, expected: `${size / STRIDE + 1}` };
  }
  const isInside = sequenceOffset >= RecordStart.size && sequenceOffset + 2 * (count + 1) <= stride - 2;
  if (sequenceOffset % 2 !== 0 || !isInside) {
    const what = "the update sequence's place";
    return { at: SEQUENCE_OFFSET, what, found: sequenceOffset, expected: "within its first sector" };
  }
  const number = view.getUint16(start + sequenceOffset, true);
  for (let end = stride - 2; end < size; end += stride) {
    const found = view.getUint16(start + end, true);
    if (found !== number) {
      const expected = `${number}: a write of it was torn, or it is damaged`;
      return { at: end, what: "the update sequence number", found, expected };
    }
  }
  for (let index = 1; index <= count; index++) {
    const saved = view.getUint16(start + sequenceOffset + 2 * index, true);
    view.setUint16(start + index * stride - 2, saved, true);
  }
  return undefined;
}

/** The error for `misfit` of `thing`, which lies at `offset` of `file`, if that is known. */
export function misfitError(
  { at, what, found, expected }: Misfit,
  file: string,
  offset: number | undefined,
  thing: string,
): CorruptError {
  return new CorruptError({
    file,
    ...(offset !== undefined && { offset: offset + at }),
    thing: `${what} of ${thing}`,
    found,
    expected,
  });
}
