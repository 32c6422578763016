/**
 * Finds out whether a volume holds a FAT, and where its parameter block is. Boot sectors have no magic number: a plausible
 * parameter block counts if the FAT begins as a FAT does, or if the sector has all the marks of a boot sector.
 */
import { DiskError } from "../../errors.js";
import type { BlockSource } from "../../extent/extent.js";
import { peek } from "../../extent/peek.js";
import {
  BOOT_MARK,
  BOOT_SECTORS,
  isMediaByte,
  signatureIn,
  startsWithJump,
} from "../../extent/signatures.js";
import {
  BOOT_SECTOR_SIZE,
  BootSector,
  BootSector32,
  geometryOf,
  implausible,
  type Geometry,
} from "./boot.js";
import { isRemainder } from "../fat-common/remains.js";
import { floppyBlock } from "./floppy.js";

export interface Boot {
  /** The sector that is used. */
  readonly bytes: Buffer;
  /** Byte of the volume where it lies. */
  readonly offset: number;
  readonly geometry: Geometry;
  readonly warnings: readonly string[];
}

/** Where format tools put FAT32's second boot sector: at sector 6, whatever the sector's size. */
const BACKUP_SECTOR = 6;
const SECTOR_SIZES = [512, 1024, 2048, 4096];

/**
 * The boot sector of the FAT on `volume`; undefined if there is none.
 * @throws {CorruptError} if there is one, but its fields contradict each other.
 */
export async function findBoot(volume: BlockSource): Promise<Boot | undefined> {
  const first = await peek(volume, 0, BOOT_SECTOR_SIZE);
  if (first !== undefined && signatureIn(first, BOOT_SECTORS) !== undefined) return undefined;
  let damage: DiskError | undefined;
  if (first !== undefined && implausible(first) === undefined) {
    try {
      const geometry = geometryOf(first, volume.name, 0);
      const beginsAsFat = await fatBegins(volume, geometry);
      if (beginsAsFat || looksLikeBoot(first)) {
        const warnings = [...geometry.warnings];
        if (!beginsAsFat) warnings.push("the first two entries of the FAT are invalid");
        return { bytes: first, offset: 0, geometry, warnings };
      }
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      damage = error;
    }
  }
  const other = (await backupOf(volume, first)) ?? (await floppyOf(volume, first));
  if (other !== undefined) return other;
  if (damage !== undefined && looksLikeBoot(first!)) throw damage;
  return undefined;
}

/** Checks for a jump, the signature and a media byte: all that a boot sector has besides the parameter block. */
function looksLikeBoot(bytes: Buffer): boolean {
  const { signature, media } = BootSector.view(bytes);
  return startsWithJump(bytes) && signature === BOOT_MARK && isMediaByte(media);
}

/**
 * Returns true if a FAT has valid first entries: the media byte and ones in the first, and in the second only ones, except for
 * the flags of FAT16 and FAT32. Source: Microsoft FAT specification (2005), section 4.2.
 */
async function fatBegins(volume: BlockSource, { width, fatOffsets }: Geometry): Promise<boolean> {
  const length = (width * 2) / 8;
  for (const offset of fatOffsets) {
    const fat = await peek(volume, offset, length);
    if (fat === undefined || !isMediaByte(fat[0]!)) continue;
    if (width === 12 && fat[1] === 0xff && fat[2] === 0xff) return true;
    if (width === 16 && fat[1] === 0xff && (fat.readUInt16LE(2) & 0x3fff) === 0x3fff) return true;
    if (width === 32 && (fat.readUInt32LE(0) & 0x0fff_ff00) === 0x0fff_ff00) return true;
  }
  return false;
}

/** FAT32's second boot sector, if the first is blank, unreadable, or a damaged form of it. */
async function backupOf(volume: BlockSource, first: Buffer | undefined): Promise<Boot | undefined> {
  for (const sectorSize of SECTOR_SIZES) {
    const offset = BACKUP_SECTOR * sectorSize;
    const bytes = await peek(volume, offset, BOOT_SECTOR_SIZE);
    if (bytes === undefined || !isBackup(bytes, sectorSize) || !isRemainder(first, bytes)) continue;
    try {
      const geometry = geometryOf(bytes, volume.name, offset);
      if (!(await fatBegins(volume, geometry))) continue;
      const why = first === undefined ? "cannot be read" : "is damaged";
      const warnings = [
        ...geometry.warnings,
        `the boot sector ${why}, its copy in sector ${BACKUP_SECTOR} is used`,
      ];
      return { bytes, offset, geometry, warnings };
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
    }
  }
  return undefined;
}

function isBackup(bytes: Buffer, sectorSize: number): boolean {
  const { bytesPerSector, fatSectors16 } = BootSector.view(bytes);
  const { backupSector } = BootSector32.view(bytes);
  const isFat32 = fatSectors16 === 0 && backupSector === BACKUP_SECTOR && bytesPerSector === sectorSize;
  return isFat32 && looksLikeBoot(bytes) && implausible(bytes) === undefined;
}

/** A floppy from the time before boot sectors had a parameter block. */
async function floppyOf(volume: BlockSource, first: Buffer | undefined): Promise<Boot | undefined> {
  if (first === undefined) return undefined;
  const fat = await peek(volume, BOOT_SECTOR_SIZE, 3);
  const bytes = fat && floppyBlock(first, volume.size, fat);
  if (bytes === undefined) return undefined;
  return { bytes, offset: 0, geometry: geometryOf(bytes, volume.name, 0), warnings: [] };
}
