/**
 * Logical partitions: a chain of extended boot records. Each has its partition's start relative to itself and the
 * next record's start relative to the extended partition. Source: Linux block/partitions/msdos.c, parse_extended.
 */
import type { BlockSource } from "../../extent/extent.js";
import { outcome, readWithin } from "../reading.js";
import { DiskError, type Complaint } from "../../errors.js";
import type { Warnings } from "../warnings.js";
import { isExtended, isUsed, MbrSector, parseMbr, type Mbr, type MbrSlot } from "./sector.js";

/** A logical partition's slot, with the record that it is relative to. */
export interface Logical {
  readonly slot: MbrSlot;
  /** First sector of its record. */
  readonly recordSector: number;
}

/** Records that one disk may have: Linux numbers its partitions to 255 (include/linux/blkdev.h, DISK_MAX_PARTS). */
const MAX_RECORDS = 256;

/**
 * The logical partitions of every extended partition in `mbr`, in chain order. A chain that ends badly gives what
 * came before, and a warning that says where.
 */
export async function readLogicals(
  disk: BlockSource,
  mbr: Mbr,
  sectorSize: number,
  warnings: Warnings,
): Promise<Logical[]> {
  const logicals: Logical[] = [];
  const visited = new Set<number>();
  for (const extended of mbr.slots.filter(isExtended)) {
    let linkOffset = extended.offset;
    let sector: number | undefined = extended.startSector;
    while (sector !== undefined) {
      const recordSector: number = sector;
      const record: Mbr | DiskError | Refusal = visited.has(recordSector)
        ? { found: `sector ${recordSector} again`, expected: "one that was not there before" }
        : visited.size === MAX_RECORDS
          ? { found: `a record after ${MAX_RECORDS} others`, expected: "the last one" }
          : await readRecord(disk, recordSector * sectorSize);
      if (!("slots" in record)) {
        const hint = "the logical partitions after it are not shown";
        const thing = "the extended boot record that the entry here leads to";
        warnings.add(
          record instanceof DiskError
            ? record
            : { file: disk.name, offset: linkOffset, thing, hint, ...record },
        );
        break;
      }
      visited.add(recordSector);
      const partitions = record.slots.filter(
        (slot) => isUsed(slot) && !isExtended(slot) && isLikely(slot, recordSector, extended),
      );
      for (const slot of partitions) logicals.push({ slot, recordSector });
      const next = record.slots.find(isExtended);
      linkOffset = recordSector * sectorSize + (next?.offset ?? 0);
      sector = next && extended.startSector + next.startSector;
    }
  }
  return logicals;
}

type Refusal = Pick<Complaint, "found" | "expected">;

async function readRecord(disk: BlockSource, offset: number): Promise<Mbr | DiskError | Refusal> {
  const sector = await outcome(readWithin(disk, offset, MbrSector.size));
  if (sector instanceof DiskError) return sector;
  if (sector === undefined)
    return { found: `byte ${offset}`, expected: `before the disk's end, ${disk.size}` };
  return parseMbr(sector) ?? { found: `no boot signature at byte ${offset + 0x1fe}`, expected: "0x55 0xaa" };
}

/** The third and fourth slots are mostly junk: the kernel takes them only where they lie within the extended one. */
function isLikely(slot: MbrSlot, recordSector: number, extended: MbrSlot): boolean {
  if (slot.index < 2) return true;
  const start = recordSector + slot.startSector;
  return (
    slot.startSector > 0 &&
    start >= extended.startSector &&
    start + slot.sectorCount <= extended.startSector + extended.sectorCount
  );
}
