/**
 * The two copies of a GPT: the primary begins in the second sector, the backup's header is in the last. A copy is valid if
 * the checksums of its header and of its entries are right. Source: UEFI specification 2.10, 5.3.2.
 */
import { crc32 } from "node:zlib";
import { CorruptError, DiskError } from "../../errors.js";
import type { BlockSource } from "../../extent/extent.js";
import { peek } from "../../extent/peek.js";
import { outcome, readWithin } from "../reading.js";
import { alternateSector, GPT_SIGNATURE, GptHeader, hex, parseHeader } from "./header.js";

/** A valid copy of a GPT. */
export interface Gpt {
  readonly header: GptHeader;
  readonly entries: Buffer;
  readonly sectorSize: number;
  /** Absolute byte of the header. */
  readonly offset: number;
}

/** What was found where a copy may be: a valid one, or else the damage of the first one; neither if there is none. */
export interface Finding {
  readonly gpt?: Gpt;
  readonly damage?: DiskError;
}

const SECTOR_SIZES: readonly number[] = [512, 4096];

/**
 * How far before the disk's end a backup is searched for. A disk may become larger when its image is converted: a VHD's is
 * rounded up to whole cylinders, at most 16 heads × 255 sectors (VHD specification, "CHS Calculation"), which is 2 MiB.
 */
const SEARCHED_TAIL = 2 * 2 ** 20;

export async function findPrimary(disk: BlockSource): Promise<Finding> {
  return firstWhole(
    disk,
    SECTOR_SIZES.map((sectorSize) => ({ sectorSize, sector: 1 })),
  );
}

/**
 * Looks for the backup in the disk's last sector, where the primary's header says (even if it is damaged), and where the
 * `protectedSectors` of the protective MBR end (the disk may have grown since); if `isSearched`, also in all sectors near
 * the disk's end.
 */
export async function findBackup(
  disk: BlockSource,
  protectedSectors: number | undefined,
  isSearched: boolean,
): Promise<Finding> {
  const places: Place[] = [];
  for (const sectorSize of SECTOR_SIZES) {
    const primary = await peek(disk, sectorSize, GptHeader.size);
    places.push({ sectorSize, sector: Math.floor(disk.size / sectorSize) - 1 });
    if (primary !== undefined) places.push({ sectorSize, sector: alternateSector(primary) });
    if (protectedSectors !== undefined) places.push({ sectorSize, sector: protectedSectors });
  }
  const finding = await firstWhole(
    disk,
    places.filter(({ sector }) => sector > 1),
  );
  if (finding.gpt !== undefined || !isSearched) return finding;
  const searched = await firstWhole(disk, await searchTail(disk));
  return searched.gpt === undefined ? finding : searched;
}

interface Place {
  readonly sectorSize: number;
  readonly sector: number;
}

async function firstWhole(disk: BlockSource, places: readonly Place[]): Promise<Finding> {
  let damage: DiskError | undefined;
  for (const place of places) {
    const copy = await outcome(readCopy(disk, place));
    if (copy instanceof DiskError) damage ??= copy;
    else if (copy !== undefined) return { gpt: copy };
  }
  return damage === undefined ? {} : { damage };
}

/**
 * Returns the copy whose header is in `sector`; undefined if there is none.
 * @throws {DiskError} if it is damaged or cannot be read.
 */
async function readCopy(disk: BlockSource, { sectorSize, sector }: Place): Promise<Gpt | undefined> {
  const offset = sector * sectorSize;
  const bytes = await readWithin(disk, offset, sectorSize);
  const header = bytes && parseHeader(bytes, disk.name, offset, sectorSize);
  if (header === undefined) return undefined;
  const length = header.entryCount * header.entrySize;
  const entries = await readWithin(disk, header.entriesSector * sectorSize, length);
  if (entries === undefined) {
    throw new CorruptError({
      file: disk.name,
      offset: offset + 0x48,
      thing: "GPT entries' first sector",
      found: header.entriesSector,
      expected: `${length} bytes before the disk's end, ${disk.size}`,
    });
  }
  const computed = crc32(entries);
  if (computed !== header.entriesCrc) {
    throw new CorruptError({
      file: disk.name,
      offset: offset + 0x58,
      thing: "GPT entries' checksum",
      found: hex(header.entriesCrc),
      expected: hex(computed),
    });
  }
  return { header, entries, sectorSize, offset };
}

/** Returns all sectors near the disk's end that begin with the signature, the last one first. */
async function searchTail(disk: BlockSource): Promise<Place[]> {
  const length = Math.min(SEARCHED_TAIL, disk.size - (disk.size % 512));
  const start = disk.size - (disk.size % 512) - length;
  const tail = await peek(disk, start, length);
  if (tail === undefined) return [];
  const places: Place[] = [];
  for (let at = length - 512; at >= 0; at -= 512) {
    if (tail.toString("latin1", at, at + 8) !== GPT_SIGNATURE) continue;
    for (const sectorSize of SECTOR_SIZES) {
      if ((start + at) % sectorSize === 0) places.push({ sectorSize, sector: (start + at) / sectorSize });
    }
  }
  return places;
}
