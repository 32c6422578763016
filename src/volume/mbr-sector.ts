/**
 * The Master Boot Record's sector; an extended boot record (EBR) has the same layout. Bytes in, value out.
 * Source: UEFI specification 2.10, section 5.2.1 (table 5.1 and 5.2); for the EBR, Linux block/partitions/msdos.c.
 */
import { BOOT_MARK } from "../extent/signatures.js";
import { struct, u16le, u32le, u8, type ViewOf } from "../bytes/struct.js";

export const MbrSector = struct("MBR", 512, {
  diskSignature: u32le(0x1b8),
  signature: u16le(0x1fe),
});

export const MbrEntry = struct("MBR partition entry", 16, {
  status: u8(0x0), // BootIndicator
  type: u8(0x4), // OSType
  startSector: u32le(0x8), // StartingLBA; in an EBR, relative
  sectorCount: u32le(0xc), // SizeInLBA
});
export type MbrEntry = ViewOf<typeof MbrEntry>;

/** One of the four slots. */
export interface MbrSlot extends Readonly<Record<keyof MbrEntry, number>> {
  /** 0 to 3. */
  readonly index: number;
  /** Bytes from the sector's start. */
  readonly offset: number;
}

export interface Mbr {
  readonly diskSignature: number;
  readonly slots: readonly MbrSlot[];
}

const ENTRIES_OFFSET = 0x1be;
const ENTRY_COUNT = 4;

/** Extended partitions: CHS, LBA, and Linux's own. Source: Linux block/partitions/msdos.c, is_extended_partition. */
const EXTENDED_TYPES: readonly number[] = [0x05, 0x0f, 0x85];
/** "GPT Protective". Source: UEFI specification 2.10, section 5.2.2. */
export const PROTECTIVE_TYPE = 0xee;

/** Returns the four slots of a sector; undefined if it lacks the boot signature. */
export function parseMbr(sector: Buffer): Mbr | undefined {
  const { signature, diskSignature } = MbrSector.view(sector);
  if (signature !== BOOT_MARK) return undefined;
  const slots = Array.from({ length: ENTRY_COUNT }, (_, index) => {
    const offset = ENTRIES_OFFSET + index * MbrEntry.size;
    const { status, type, startSector, sectorCount } = MbrEntry.view(sector, offset);
    return { index, offset, status, type, startSector, sectorCount };
  });
  return { diskSignature, slots };
}

export function isUsed(slot: MbrSlot): boolean {
  return slot.type !== 0 && slot.sectorCount !== 0;
}

export function isExtended(slot: MbrSlot): boolean {
  return isUsed(slot) && EXTENDED_TYPES.includes(slot.type);
}

/** Linux takes a sector with any other status for code, not for a table (msdos_partition). */
export function hasSaneStatus(slot: MbrSlot): boolean {
  return (slot.status & 0x7f) === 0;
}

/**
 * The slot that protects a GPT from tools that know only the MBR; a hybrid MBR has others beside it. It begins at
 * sector 1 (UEFI table 5.4); Linux accepts no other (block/partitions/efi.c, pmbr_part_valid).
 */
export function protectiveSlot(mbr: Mbr | undefined): MbrSlot | undefined {
  return mbr?.slots.find((slot) => slot.type === PROTECTIVE_TYPE && slot.startSector === 1);
}
