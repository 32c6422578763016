/** GPT: the checksum of the entries lies in the header, which has one of its own. Source: UEFI 2.10, section 5.3.2. */
import { crc32 } from "node:zlib";
import type { Region } from "./checksums.js";

const SECTOR = 512;
const HEADER_CRC = 16;
const ENTRIES = 72;
const ENTRIES_CRC = 88;

export function gptRegions(image: Buffer): Region[] {
  return [SECTOR, image.length - SECTOR].flatMap((header) => {
    if (header + SECTOR > image.length || image.toString("latin1", header, header + 8) !== "EFI PART")
      return [];
    const entries = Number(image.readBigUInt64LE(header + ENTRIES)) * SECTOR;
    const length = image.readUInt32LE(header + 80) * image.readUInt32LE(header + 84);
    return [
      {
        offset: entries,
        length,
        checksum: (bytes) => word(header + ENTRIES_CRC, crc32(bytes.subarray(entries, entries + length))),
      },
      { offset: header, length: 92, checksum: (bytes) => headerChecksum(bytes, header) },
    ] satisfies Region[];
  });
}

function headerChecksum(image: Buffer, header: number): { at: number; bytes: Buffer } | undefined {
  if (image.toString("latin1", header, header + 8) !== "EFI PART") return undefined;
  const size = image.readUInt32LE(header + 12);
  if (size < 92 || size > SECTOR) return undefined;
  const copy = Buffer.from(image.subarray(header, header + size));
  copy.writeUInt32LE(0, HEADER_CRC);
  return word(header + HEADER_CRC, crc32(copy));
}

function word(at: number, value: number): { at: number; bytes: Buffer } {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return { at, bytes };
}
