/** Opens a volume: collects what all parts of the reader need, and warnings about the file system's state. */
import type { Zone } from "../../bytes/zone.js";
import { DiskError, UnsupportedError } from "../../errors.js";
import type { BlockSource } from "../../extent/extent.js";
import { yieldIfDue } from "../../extent/time-slice.js";
import { heapOn, type Heap } from "../fat-common/heap.js";
import { decode, linkTable, readTable } from "../fat-common/table.js";
import { zoneOf } from "../fat-common/time.js";
import type { FileSystemOptions } from "../filesystem.js";
import { BootSector16, BootSector32 } from "./boot.js";
import { codePage, type CodePage } from "./codepage.js";
import { CODE_PAGES, DEFAULT_CODE_PAGE } from "./codepages.js";
import { findBoot, type Boot } from "./probe.js";

export interface Medium {
  readonly heap: Heap;
  readonly boot: Boot;
  readonly page: CodePage;
  readonly zone: Zone;
}

/**
 * The FAT on `volume`, or undefined if there is none.
 * @throws {CorruptError} if its boot sector contradicts itself.
 * @throws {UnsupportedError} for a code page or a time zone that is not known.
 */
export async function openMedium(
  volume: BlockSource,
  options: FileSystemOptions,
): Promise<Medium | undefined> {
  const boot = await findBoot(volume);
  if (boot === undefined) return undefined;
  const page = codePage(options.codePage ?? DEFAULT_CODE_PAGE);
  const zone = zoneOf(options, volume.name);
  if (page === undefined) {
    const expected = `one of ${CODE_PAGES.join(", ")}`;
    throw new UnsupportedError({
      file: volume.name,
      thing: "the code page",
      found: options.codePage!,
      expected,
    });
  }
  const { width, clusterSize, clusterCount, heapOffset, fatOffsets } = boot.geometry;
  const heap = heapOn(volume, {
    clusterSize,
    clusterCount,
    offset: heapOffset,
    table: linkTable(volume, width, fatOffsets, clusterCount + 2),
  });
  return { heap, boot, page, zone };
}

/** FAT[1]: set if the volume was unmounted properly. Source: Microsoft FAT specification (2005), section 4.2. */
const CLEAN = { 16: 0x8000, 32: 0x0800_0000 } as const;
const NO_ERRORS = { 16: 0x4000, 32: 0x0400_0000 } as const;

/** BS_Reserved1: bit 0 is set while the volume is mounted. Source: Linux, include/uapi/linux/msdos_fs.h, FAT_STATE_DIRTY. */
const IN_USE = 0x01;

/** FATs up to this many bytes are compared with each other when the file system is opened: all of FAT12's and FAT16's. */
const COMPARED_BYTES = 2 ** 17;

/** Warnings about the file system's state. */
export async function stateWarnings({ heap: { volume }, boot }: Medium): Promise<string[]> {
  const { width, fatOffsets, fatSize, size } = boot.geometry;
  const warnings = [...boot.warnings];
  if (size > volume.size) {
    warnings.push(`the file system has ${size} bytes, but its volume only ${volume.size}`);
  }
  const { state } = width === 32 ? BootSector32.view(boot.bytes) : BootSector16.view(boot.bytes);
  let isDirty = extensionOf(boot) !== undefined && (state & IN_USE) !== 0;
  try {
    if (width !== 12) {
      const bytes = await readTable(volume, fatOffsets[0]!, (width * 2) / 8);
      const flags = width === 16 ? bytes.readUInt16LE(2) : bytes.readUInt32LE(4);
      isDirty ||= (flags & CLEAN[width]) === 0;
      if ((flags & NO_ERRORS[width]) === 0)
        warnings.push("the guest had read or write errors on this volume");
    }
    if (fatSize <= COMPARED_BYTES) warnings.push(...(await differences(volume, boot)));
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    warnings.push(`the FAT cannot be read: ${error.message}`);
  }
  if (isDirty) warnings.push("the file system was not unmounted cleanly");
  return warnings;
}

async function differences(volume: BlockSource, { geometry }: Boot): Promise<string[]> {
  const { width, fatOffsets, clusterCount } = geometry;
  const count = clusterCount + 2;
  const length = Math.ceil((count * width) / 8);
  const first = await readTable(volume, fatOffsets[0]!, length);
  const links = decode(first, width, count);
  const differing = new Set<number>();
  for (const offset of fatOffsets.slice(1)) {
    const turn = yieldIfDue();
    if (turn !== undefined) await turn;
    const bytes = await readTable(volume, offset, length);
    if (bytes.equals(first)) continue; // the usual case
    const others = decode(bytes, width, count);
    for (let at = 0; at < count; at++) if (links[at] !== others[at]) differing.add(at);
  }
  return differing.size === 0
    ? []
    : [`the copies of the FAT differ in ${differing.size} of ${count} entries; the first is used`];
}

/** The serial number and the label of the boot sector, if it has them. */
export function extensionOf(boot: Boot): { serial: number; label?: Buffer } | undefined {
  const { extension, serial, label } =
    boot.geometry.width === 32 ? BootSector32.view(boot.bytes) : BootSector16.view(boot.bytes);
  if (extension === WITH_SERIAL) return { serial };
  return extension === WITH_LABEL ? { serial, label } : undefined;
}

/** BS_BootSig. Source: Microsoft FAT specification (2005), section 3.2; 0x28 is OS/2's and Windows NT's. */
const WITH_SERIAL = 0x28;
const WITH_LABEL = 0x29;
