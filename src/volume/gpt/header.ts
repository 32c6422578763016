/** The GPT header. Bytes in, value out. Source: UEFI specification 2.10, section 5.3.2, table 5.5. */
import { crc32 } from "node:zlib";
import { guid, readU64le, struct, text, u32le, u64le, type ViewOf } from "../../bytes/struct.js";
import { CorruptError } from "../../errors.js";

export const GptHeader = struct("GPT header", 92, {
  signature: text(0x00, 8),
  headerSize: u32le(0x0c), // bytes
  headerCrc: u32le(0x10),
  mySector: u64le(0x18), // MyLBA
  alternateSector: u64le(0x20), // AlternateLBA
  diskGuid: guid(0x38),
  entriesSector: u64le(0x48), // PartitionEntryLBA
  entryCount: u32le(0x50), // NumberOfPartitionEntries
  entrySize: u32le(0x54), // bytes, SizeOfPartitionEntry
  entriesCrc: u32le(0x58),
});
export type GptHeader = ViewOf<typeof GptHeader>;

export const GPT_SIGNATURE = "EFI PART";
/** The specification requires 128 × 2ⁿ bytes; vdisk reads all sizes that have the fields and keep them aligned. */
const MIN_ENTRY_SIZE = 128;
const ENTRY_ALIGNMENT = 8;
/** Bytes of all entries together: what Linux can allocate for them (block/partitions/efi.c, KMALLOC_MAX_SIZE). */
export const MAX_ENTRIES_SIZE = 4 * 2 ** 20;

/**
 * Returns the header in `sector`, which was read from byte `origin`; undefined if it lacks the signature.
 * @throws {CorruptError} if the header is damaged, or was copied from another sector.
 */
export function parseHeader(
  sector: Buffer,
  file: string,
  origin: number,
  sectorSize: number,
): GptHeader | undefined {
  const header = GptHeader.view(sector, 0, file, origin);
  if (header.signature !== GPT_SIGNATURE) return undefined;
  const refuse = (at: number, thing: string, found: string | number, expected: string): CorruptError =>
    new CorruptError({ file, offset: origin + at, thing, found, expected });
  const { headerSize, headerCrc, entryCount, entrySize } = header;
  if (headerSize < GptHeader.size || headerSize > sectorSize) {
    throw refuse(0x0c, "GPT header size", headerSize, `from ${GptHeader.size} to ${sectorSize}`);
  }
  const computed = headerChecksum(sector.subarray(0, headerSize));
  if (computed !== headerCrc) throw refuse(0x10, "GPT header checksum", hex(headerCrc), hex(computed));
  const expectedSector = origin / sectorSize;
  if (header.mySector !== expectedSector) {
    throw refuse(0x18, "GPT header's own sector", header.mySector, `${expectedSector}`);
  }
  if (entrySize < MIN_ENTRY_SIZE || entrySize % ENTRY_ALIGNMENT !== 0) {
    throw refuse(
      0x54,
      "GPT entry size",
      entrySize,
      `a multiple of ${ENTRY_ALIGNMENT} from ${MIN_ENTRY_SIZE}`,
    );
  }
  if (entryCount * entrySize > MAX_ENTRIES_SIZE) {
    throw refuse(
      0x50,
      "GPT entry count",
      entryCount,
      `at most ${Math.floor(MAX_ENTRIES_SIZE / entrySize)} of ${entrySize} bytes`,
    );
  }
  return header;
}

/** Returns the sector where the header in `sector` says that the other copy is. Nothing of the header has been checked. */
export function alternateSector(sector: Buffer): number {
  return readU64le(sector, GptHeader.fields.alternateSector.offset);
}

export function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, "0")}`;
}

/** Computes the checksum, for which its own field is zero. */
function headerChecksum(header: Buffer): number {
  const { offset, length } = GptHeader.fields.headerCrc;
  return crc32(
    header.subarray(offset + length),
    crc32(Buffer.alloc(length), crc32(header.subarray(0, offset))),
  );
}
