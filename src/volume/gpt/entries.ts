/** The GPT entry array. Bytes in, value out. Source: UEFI specification 2.10, section 5.3.3, table 5.6. */
import { NIL_UUID } from "../../bytes/guid.js";
import { guid, span, struct, u32le, u64le } from "../../bytes/struct.js";
import type { Partition } from "../partition.js";
import { gptTypeName } from "../types.js";
import type { Warnings } from "../warnings.js";

export const GptEntry = struct("GPT entry", 128, {
  type: guid(0x00), // PartitionTypeGUID
  uuid: guid(0x10), // UniquePartitionGUID
  firstSector: u64le(0x20), // StartingLBA
  lastSector: u64le(0x28), // EndingLBA, inclusive
  attributes: u32le(0x30), // bits 0 to 31
  name: span(0x38, 72), // UTF-16LE
});

/** Attribute bit 2, Legacy BIOS Bootable (table 5.8). */
const LEGACY_BOOT = 0x4;

/** Partitions of a disk: as many as Linux shows (include/linux/genhd.h, DISK_MAX_PARTS; the disk itself takes one). */
const PARTITION_LIMIT = 255;

/** Where an array of entries lies, and its units. */
export interface EntryLayout {
  /** Bytes. */
  readonly entrySize: number;
  readonly sectorSize: number;
  readonly file: string;
  /** Absolute byte of the first entry. */
  readonly origin: number;
}

/** Returns the used entries of an array, in order. Entries that end before they begin are left out, with a warning. */
export function parseEntries(entries: Buffer, layout: EntryLayout, warnings: Warnings): Partition[] {
  const { entrySize, sectorSize, file, origin } = layout;
  const maxSector = Math.floor(Number.MAX_SAFE_INTEGER / sectorSize) - 1;
  const partitions: Partition[] = [];
  for (let at = 0; at + entrySize <= entries.length; at += entrySize) {
    const entry = GptEntry.view(entries, at, file, origin);
    if (entry.type === NIL_UUID) continue;
    const number = at / entrySize + 1;
    if (partitions.length === PARTITION_LIMIT) {
      const thing = `GPT entry ${number} and those behind it`;
      warnings.add({ file, offset: origin + at, thing, found: `past the ${PARTITION_LIMIT} that are shown` });
      break;
    }
    const { firstSector } = entry;
    const lastSector = Math.min(entry.lastSector, maxSector);
    if (firstSector > lastSector) {
      warnings.add({
        file,
        offset: origin + at + GptEntry.fields.firstSector.offset,
        thing: `the first sector of GPT entry ${number}`,
        found: firstSector,
        expected: `at most ${lastSector}; it is not shown`,
      });
      continue;
    }
    const label = nameOf(entry.name);
    partitions.push({
      number,
      offset: firstSector * sectorSize,
      length: (lastSector - firstSector + 1) * sectorSize,
      type: entry.type,
      typeName: gptTypeName(entry.type),
      bootable: (entry.attributes & LEGACY_BOOT) !== 0,
      uuid: entry.uuid,
      ...(label !== "" && { label }),
      entryOffset: origin + at,
    });
  }
  return partitions;
}

/** Returns the name, which ends at the first NUL. Unpaired surrogates become U+FFFD. */
function nameOf(bytes: Buffer): string {
  const name = new TextDecoder("utf-16le", { ignoreBOM: true }).decode(bytes);
  const end = name.indexOf("\0");
  return end < 0 ? name : name.slice(0, end);
}
