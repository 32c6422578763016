/** Disks for the tests of volumes: built in memory, or files that real tools made, and what other programs say. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { parseGuid } from "../../src/bytes/guid.js";
import { CorruptError } from "../../src/errors.js";
import { memorySource } from "../../src/extent/runs.js";
import type { BlockSource } from "../../src/extent/extent.js";
import { openFile } from "../../src/storage/file.js";
import type { VolumeTable } from "../../src/volume/volume.js";
import { readVolumes } from "../../src/volume/volumes.js";

export const LINUX = "0fc63daf-8483-4772-8e79-3d69d8477de4";

/** A disk of `size` bytes in memory, with `parts` laid over zeros. */
export function disk(
  size: number,
  ...parts: readonly (readonly [offset: number, bytes: Buffer])[]
): BlockSource {
  const bytes = Buffer.alloc(size);
  for (const [offset, part] of parts) part.copy(bytes, offset);
  return memorySource(bytes, "a.img");
}

/** `source` with `[offset, offset + length)` damaged. */
export function damaged(source: BlockSource, offset: number, length: number): BlockSource {
  const error = new CorruptError({ file: source.name, offset, thing: "a cluster", found: "lost" });
  return {
    ...source,
    map: async (from, count) =>
      from < offset + length && offset < from + count
        ? [{ kind: "damaged", length: count, error }]
        : source.map(from, count),
  };
}

/** Runs `use` on the image file `path`. */
export async function withFile<T>(path: string, use: (disk: BlockSource) => Promise<T>): Promise<T> {
  const storage = await openFile(path);
  try {
    return await use({
      name: storage.name,
      size: storage.size,
      map: async (offset, length) => [{ kind: "stored", length, storage, offset }],
    });
  } finally {
    await storage.close();
  }
}

export const volumesOf = async (path: string): Promise<VolumeTable> => withFile(path, readVolumes);

export interface Slot {
  readonly type: number;
  readonly start: number;
  readonly count: number;
  readonly status?: number;
}

/** A boot record: an MBR, or a link of an extended partition's chain. Missing slots are empty. */
export function bootRecord(slots: readonly (Slot | undefined)[], diskSignature = 0): Buffer {
  const sector = Buffer.alloc(512);
  sector.writeUInt32LE(diskSignature, 0x1b8);
  slots.forEach((slot, index) => {
    if (slot === undefined) return;
    const at = 0x1be + index * 16;
    sector[at] = slot.status ?? 0;
    sector[at + 4] = slot.type;
    sector.writeUInt32LE(slot.start, at + 8);
    sector.writeUInt32LE(slot.count, at + 12);
  });
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
}

export interface Entry {
  readonly first: number;
  readonly last: number;
  readonly type?: string;
  readonly name?: string;
  readonly attributes?: number;
}

export interface GptOptions {
  readonly size: number;
  readonly sectorSize?: number;
  readonly entrySize?: number;
  readonly headerSize?: number;
  readonly entryCount?: number;
  readonly entries: readonly (Entry | undefined)[];
}

/** A GPT disk, written back to front: backup header, backup entries, entries, header, protective MBR. */
export function gptDisk(options: GptOptions): Buffer {
  const { size, sectorSize = 512, entrySize = 128, headerSize = 92, entries } = options;
  const entryCount = options.entryCount ?? 16384 / entrySize;
  const bytes = Buffer.alloc(size);
  const lastSector = Math.floor(size / sectorSize) - 1;
  const array = entryArray(entries, entrySize, entryCount);
  const arraySectors = Math.ceil(array.length / sectorSize);
  for (const [mine, other, first] of [
    [lastSector, 1, lastSector - arraySectors],
    [1, lastSector, 2],
  ] as const) {
    array.copy(bytes, first * sectorSize);
    const header = bytes.subarray(mine * sectorSize, mine * sectorSize + sectorSize);
    header.write("EFI PART");
    header.writeUInt32LE(0x10000, 0x08);
    header.writeUInt32LE(headerSize, 0x0c);
    header.writeUInt32LE(mine, 0x18);
    header.writeUInt32LE(other, 0x20);
    header.writeUInt32LE(2 + arraySectors, 0x28);
    header.writeUInt32LE(lastSector - arraySectors - 1, 0x30);
    parseGuid("01234567-89ab-cdef-0123-456789abcdef")!.copy(header, 0x38);
    header.writeUInt32LE(first, 0x48);
    header.writeUInt32LE(entryCount, 0x50);
    header.writeUInt32LE(entrySize, 0x54);
    header.writeUInt32LE(crc32(array), 0x58);
    sign(header);
  }
  bootRecord([{ type: 0xee, start: 1, count: lastSector }]).copy(bytes);
  return bytes;
}

/** Writes a header's checksum anew, for headers that lie on purpose. */
export function sign(header: Buffer): void {
  header.writeUInt32LE(0, 0x10);
  const covered = header.subarray(0, Math.min(header.readUInt32LE(0x0c), header.length));
  header.writeUInt32LE(crc32(covered), 0x10);
}

function entryArray(entries: readonly (Entry | undefined)[], entrySize: number, entryCount: number): Buffer {
  const array = Buffer.alloc(entrySize * entryCount);
  entries.forEach((entry, index) => {
    if (entry === undefined) return;
    const at = index * entrySize;
    parseGuid(entry.type ?? LINUX)!.copy(array, at);
    array.writeUInt32LE(index + 1, at + 0x10);
    array.writeBigUInt64LE(BigInt(entry.first), at + 0x20);
    array.writeBigUInt64LE(BigInt(entry.last), at + 0x28);
    array.writeUInt32LE(entry.attributes ?? 0, at + 0x30);
    array.write(entry.name ?? "", at + 0x38, 72, "utf16le");
  });
  return array;
}

/** What of a table can be compared with another program's: number, first byte, bytes. */
export const placesOf = (table: VolumeTable): number[][] =>
  table.volumes.map((volume) => [volume.number, volume.offset, volume.source.size]);

/** Runs a program that must succeed; what it printed. */
export function run(program: string, args: readonly string[], input?: string): string {
  return execFileSync(program, args, { input, encoding: "utf8", stdio: ["pipe", "pipe", "pipe"] });
}

/** A new sparse file of `size` bytes. */
export function sparseFile(size: number): string {
  const path = join(mkdtempSync(join(tmpdir(), "vdisk-volume-")), "disk.img");
  writeFileSync(path, "");
  truncateSync(path, size);
  return path;
}
