/**
 * Logical partitions: a chain of extended boot records. A record has the start of its partition, relative to the record, and
 * the start of the next record, relative to the extended partition. Source: Linux block/partitions/msdos.c, parse_extended.
 */
import type { BlockSource } from "../../extent/extent.js";
import { outcome, readWithin } from "../reading.js";
import { DiskError, type Complaint } from "../../errors.js";
import type { Warnings } from "../warnings.js";
import { isExtended, isUsed, MbrSector, parseMbr, type Mbr, type MbrSlot } from "../mbr-sector.js";

/** A logical partition's slot, and the record to which its start is relative. */
export interface Logical {
  readonly slot: MbrSlot;
  /** First sector of its record. */
  readonly recordSector: number;
}

/** Records that one disk may have: Linux numbers its partitions to 255 (include/linux/blkdev.h, DISK_MAX_PARTS). */
const MAX_RECORDS = 256;

/**
 * Returns the logical partitions of all extended partitions in `mbr`, in the order of their chains. If a chain is damaged,
 * the partitions before the damage are returned, and a warning says where it is.
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
    let link: { readonly offset: number; readonly sector: number } | undefined = {
      offset: extended.offset,
      sector: extended.startSector,
    };
    while (link !== undefined) {
      const recordSector: number = link.sector;
      const record = await readRecord(disk, recordSector, sectorSize, visited);
      if (record instanceof DiskError || typeof record === "string") {
        warnings.add(record instanceof DiskError ? record : lostChain(disk.name, link.offset, record));
        break;
      }
      visited.add(recordSector);
      for (const slot of record.slots.filter((slot) => isPartition(slot, recordSector, extended))) {
        logicals.push({ slot, recordSector });
      }
      const next = record.slots.find(isExtended);
      link = next && {
        offset: recordSector * sectorSize + next.offset,
        sector: extended.startSector + next.startSector,
      };
    }
  }
  return logicals;
}

/** Returns the record at `recordSector`, or why it cannot be read. */
async function readRecord(
  disk: BlockSource,
  recordSector: number,
  sectorSize: number,
  visited: ReadonlySet<number>,
): Promise<Mbr | DiskError | string> {
  if (visited.has(recordSector)) return `sector ${recordSector} again`;
  if (visited.size === MAX_RECORDS) return `one after ${MAX_RECORDS} others`;
  const offset = recordSector * sectorSize;
  const sector = await outcome(readWithin(disk, offset, MbrSector.size));
  if (sector instanceof DiskError) return sector;
  if (sector === undefined) return `at byte 0x${offset.toString(16)}, past the disk's end`;
  return parseMbr(sector) ?? `without a boot signature, at byte 0x${(offset + 0x1fe).toString(16)}`;
}

function lostChain(file: string, offset: number, found: string): Complaint {
  const thing = "the extended boot record that this entry leads to";
  return { file, offset, thing, found, hint: "the logical partitions after it are not shown" };
}

/** Linux uses the third and fourth slots only if they lie within the extended partition: often they are left-over bytes. */
function isPartition(slot: MbrSlot, recordSector: number, extended: MbrSlot): boolean {
  if (!isUsed(slot) || isExtended(slot)) return false;
  if (slot.index < 2) return true;
  const start = recordSector + slot.startSector;
  return (
    slot.startSector > 0 &&
    start >= extended.startSector &&
    start + slot.sectorCount <= extended.startSector + extended.sectorCount
  );
}
