/**
 * Update sequences ("fixups"): the last two bytes of every stretch of a record are replaced by a number that
 * changes with every write, and kept in an array at its front, so that a write that was torn is noticed.
 * Source: Windows Driver Kit, MULTI_SECTOR_HEADER in ntifs.h's companions; ntfs-3g layout.h, NTFS_RECORD.
 */
import { struct, u16le, u32le } from "../../bytes/struct.js";
import { CorruptError } from "../../errors.js";

export const RecordStart = struct("NTFS record start", 8, {
  magic: u32le(0x00),
  sequenceOffset: u16le(0x04), // bytes to the update sequence: its number, then the saved words
  sequenceCount: u16le(0x06), // words of it
});

/** Bytes of a stretch, whatever the disk's sectors are (SEQUENCE_NUMBER_STRIDE). */
const STRIDE = 512;

/**
 * Puts the saved words of the record `bytes` back in their places. `thing` is what a complaint calls it, `offset`
 * the absolute byte
 * where it lies, where that is known.
 * @returns what is wrong; then `bytes` is as it was.
 */
export function applyFixups(
  bytes: Buffer,
  sectorSize: number,
  file: string,
  offset: number | undefined,
  thing: string,
): CorruptError | undefined {
  const sequenceOffset = bytes.readUInt16LE(RecordStart.fields.sequenceOffset.offset);
  const count = bytes.readUInt16LE(RecordStart.fields.sequenceCount.offset) - 1;
  const stride = count > 0 ? bytes.length / count : 0;
  const refuse = (at: number, what: string, found: string | number, expected: string): CorruptError =>
    new CorruptError({
      file,
      ...(offset !== undefined && { offset: offset + at }),
      thing: `${what} of ${thing}`,
      found,
      expected,
    });
  if (stride !== STRIDE && (stride !== sectorSize || stride < STRIDE)) {
    const expected = `${bytes.length / STRIDE + 1}`;
    return refuse(
      RecordStart.fields.sequenceCount.offset,
      "the update sequence's length",
      count + 1,
      expected,
    );
  }
  const isInside = sequenceOffset >= RecordStart.size && sequenceOffset + 2 * (count + 1) <= stride - 2;
  if (sequenceOffset % 2 !== 0 || !isInside) {
    const field = RecordStart.fields.sequenceOffset.offset;
    return refuse(field, "the update sequence's place", sequenceOffset, "within its first sector");
  }
  const number = bytes.readUInt16LE(sequenceOffset);
  for (let end = stride - 2; end < bytes.length; end += stride) {
    const found = bytes.readUInt16LE(end);
    if (found !== number) {
      return refuse(
        end,
        "the update sequence number",
        found,
        `${number}: a write of it was torn, or it is damaged`,
      );
    }
  }
  for (let index = 0; index < count; index++) {
    const end = (index + 1) * stride - 2;
    bytes[end] = bytes[sequenceOffset + 2 + 2 * index]!;
    bytes[end + 1] = bytes[sequenceOffset + 3 + 2 * index]!;
  }
  return undefined;
}
