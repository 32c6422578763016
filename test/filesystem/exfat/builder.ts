/** exFAT images by hand, by the specification: clusters in any order, with and without links. */
import { checksum16, checksum32 } from "../../../src/filesystem/exfat/boot.js";
import { exfatDriver } from "../../../src/filesystem/exfat/exfat.js";
import type { FileSystem, FileSystemOptions } from "../../../src/filesystem/filesystem.js";
import { openBytes } from "../fat/support.js";

export interface Layout {
  readonly sectorShift?: number;
  readonly clusterShift?: number;
  readonly clusterCount: number;
  readonly fatCount?: 1 | 2;
}

export interface FileFields {
  readonly attributes?: number;
  readonly firstCluster?: number;
  readonly size?: number;
  readonly validSize?: number;
  readonly isContiguous?: boolean;
  /** Date, time, tens and UTC offset of the creation and of the last change; date, time and offset of the last access. */
  readonly created?: readonly [number, number, number, number];
  readonly modified?: readonly [number, number, number, number];
  readonly accessed?: readonly [number, number, number];
  /** Slots that follow the name's. */
  readonly extra?: readonly Buffer[];
}

const END = 0xffff_ffff;
const SLOT = 32;
const DATE = (44 << 9) | (2 << 5) | 29;
const TIME = (12 << 11) | (30 << 5) | 21;

/** The upper case of the first 256 units; all others are their own. "é" has one here, "ü" has none. */
const UP_CASE = Uint16Array.from({ length: 256 }, (_, unit) =>
  (unit >= 0x61 && unit <= 0x7a) || unit === 0xe9 ? unit - 0x20 : unit,
);

export class ExfatBuilder {
  readonly bytes: Buffer;
  readonly sectorSize: number;
  readonly clusterSize: number;
  readonly clusterCount: number;
  readonly heapOffset: number;
  readonly fatOffsets: readonly number[];
  /** Where the first clusters are that are free. */
  readonly firstFree: number;
  readonly rootCluster: number;
  readonly #bitmap: Buffer;
  readonly #bitmapClusters: number;
  #rootSlots = 0;
  #rootClusters: number[];

  constructor({ sectorShift = 9, clusterShift = 0, clusterCount, fatCount = 1 }: Layout) {
    this.sectorSize = 2 ** sectorShift;
    this.clusterSize = this.sectorSize * 2 ** clusterShift;
    this.clusterCount = clusterCount;
    const fatSector = 32;
    const fatSectors = Math.ceil(((clusterCount + 2) * 4) / this.sectorSize);
    const heapSector = fatSector + fatCount * fatSectors;
    const sectors = heapSector + clusterCount * 2 ** clusterShift;
    this.bytes = Buffer.alloc(sectors * this.sectorSize);
    this.heapOffset = heapSector * this.sectorSize;
    this.fatOffsets = Array.from(
      { length: fatCount },
      (_, i) => (fatSector + i * fatSectors) * this.sectorSize,
    );
    this.#bitmap = Buffer.alloc(Math.ceil(clusterCount / 8));
    this.#bitmapClusters = Math.ceil(this.#bitmap.length / this.clusterSize);
    const table = this.#upCase();
    const upCaseCluster = 2 + this.#bitmapClusters * fatCount;
    this.rootCluster = upCaseCluster + Math.ceil(table.length / this.clusterSize);
    this.firstFree = this.rootCluster + 1;
    this.#rootClusters = [this.rootCluster];
    const boot = this.bytes;
    boot.write("\xeb\x76\x90EXFAT   ", 0, "latin1");
    boot.writeUInt32LE(sectors, 72);
    boot.writeUInt32LE(fatSector, 80);
    boot.writeUInt32LE(fatSectors, 84);
    boot.writeUInt32LE(heapSector, 88);
    boot.writeUInt32LE(clusterCount, 92);
    boot.writeUInt32LE(this.rootCluster, 96);
    boot.writeUInt32LE(0x1234abcd, 100);
    boot.writeUInt16LE(0x100, 104);
    boot[108] = sectorShift;
    boot[109] = clusterShift;
    boot[110] = fatCount;
    boot[111] = 0x80;
    boot.writeUInt16LE(0xaa55, 510);
    for (let i = 1; i <= 8; i++) boot.writeUInt32LE(0xaa550000, (i + 1) * this.sectorSize - 4);
    this.link(0, 0xffff_fff8);
    this.link(1, END);
    for (let i = 0; i < fatCount; i++) {
      const cluster = 2 + i * this.#bitmapClusters;
      this.chain(...Array.from({ length: this.#bitmapClusters }, (_, k) => cluster + k));
      this.root(tableSlot(0x81, i, 0, cluster, this.#bitmap.length));
    }
    this.put(table, range(upCaseCluster, this.rootCluster - upCaseCluster));
    this.root(tableSlot(0x82, 0, checksum32(table), upCaseCluster, table.length));
    this.chain(this.rootCluster);
  }

  #upCase(): Buffer {
    const table = Buffer.alloc(260 * 2);
    UP_CASE.forEach((unit, i) => table.writeUInt16LE(unit, i * 2));
    table.writeUInt16LE(0xffff, 512); // as many as follow are their own upper case
    table.writeUInt16LE(0x10000 - 256 - 2, 514);
    table.writeUInt16LE(0xfffe, 516);
    table.writeUInt16LE(0xffff, 518);
    return table;
  }

  link(cluster: number, value: number, fats = this.fatOffsets): void {
    for (const fat of fats) this.bytes.writeUInt32LE(value, fat + cluster * 4);
  }

  mark(...clusters: readonly number[]): void {
    for (const cluster of clusters) this.#bitmap[(cluster - 2) >>> 3]! |= 1 << ((cluster - 2) & 7);
  }

  /** How many clusters are in use. */
  get marked(): number {
    return this.#bitmap
      .toString("hex")
      .split("")
      .reduce((sum, digit) => sum + "0112122312232334".charCodeAt(parseInt(digit, 16)) - 48, 0);
  }

  chain(...clusters: readonly number[]): void {
    clusters.forEach((cluster, i) => {
      this.link(cluster, clusters[i + 1] ?? END);
    });
    this.mark(...clusters);
  }

  offsetOf(cluster: number): number {
    return this.heapOffset + (cluster - 2) * this.clusterSize;
  }

  /** Writes `contents` into `clusters`, in this order; without links where `isContiguous`. */
  put(contents: Buffer, clusters: readonly number[], isContiguous = false): void {
    if (isContiguous) this.mark(...clusters);
    else this.chain(...clusters);
    clusters.forEach((cluster, i) => {
      contents
        .subarray(i * this.clusterSize, (i + 1) * this.clusterSize)
        .copy(this.bytes, this.offsetOf(cluster));
    });
  }

  /** Gives the root directory more clusters, wherever they are. */
  growRoot(...clusters: readonly number[]): void {
    this.#rootClusters = [this.rootCluster, ...clusters];
    this.chain(...this.#rootClusters);
  }

  /** Adds slots to the root directory; answers the byte where the first of them is. */
  root(slots: Buffer): number {
    const place = (slot: number): number => {
      const at = slot * SLOT;
      return this.offsetOf(this.#rootClusters[Math.floor(at / this.clusterSize)]!) + (at % this.clusterSize);
    };
    const first = this.#rootSlots;
    for (let at = 0; at < slots.length; at += SLOT)
      slots.copy(this.bytes, place(this.#rootSlots++), at, at + SLOT);
    return place(first);
  }

  /** Writes the bitmaps and both boot regions as they are now. */
  finish(): Buffer {
    for (let i = 0; i < this.fatOffsets.length; i++)
      this.#bitmap.copy(this.bytes, this.offsetOf(2 + i * this.#bitmapClusters));
    const checked = this.bytes.subarray(0, 11 * this.sectorSize);
    const sum = checksum32(checked, [106, 107, 112]);
    for (let at = 0; at < this.sectorSize; at += 4) this.bytes.writeUInt32LE(sum, checked.length + at);
    this.bytes.copy(this.bytes, 12 * this.sectorSize, 0, 12 * this.sectorSize);
    return this.bytes;
  }
}

/** The file system on the image as it is now. */
export function open(image: ExfatBuilder, options?: FileSystemOptions): Promise<FileSystem> {
  return openBytes(image.finish(), options, exfatDriver);
}

export function range(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}

function tableSlot(
  type: number,
  flags: number,
  checksum: number,
  firstCluster: number,
  size: number,
): Buffer {
  const slot = Buffer.alloc(SLOT);
  slot[0] = type;
  slot[1] = flags;
  slot.writeUInt32LE(checksum, 4);
  slot.writeUInt32LE(firstCluster, 20);
  slot.writeUInt32LE(size, 24);
  return slot;
}

export function labelSlot(label: string): Buffer {
  const slot = Buffer.alloc(SLOT);
  slot[0] = 0x83;
  slot[1] = label.length;
  slot.write(label, 2, "utf16le");
  return slot;
}

/** The entry set of a file or, with the attribute 0x10, a directory. */
export function fileSet(name: string, fields: FileFields = {}): Buffer {
  const units = Buffer.from(name, "utf16le");
  const nameSlots = Math.ceil(units.length / 30);
  const extra = fields.extra ?? [];
  const set = Buffer.alloc((2 + nameSlots) * SLOT);
  const [created, modified] = [
    fields.created ?? [DATE, TIME, 0, 0x80],
    fields.modified ?? [DATE, TIME, 0, 0x80],
  ];
  const accessed = fields.accessed ?? [DATE, TIME, 0x80];
  set[0] = 0x85;
  set[1] = 1 + nameSlots + extra.length;
  set.writeUInt16LE(fields.attributes ?? 0x20, 4);
  for (const [at, [date, time]] of [
    [8, created],
    [12, modified],
    [16, accessed],
  ] as const) {
    set.writeUInt16LE(time, at);
    set.writeUInt16LE(date, at + 2);
  }
  set.set([created[2], modified[2], created[3], modified[3], accessed[2]], 20);
  const size = fields.size ?? 0;
  set[SLOT] = 0xc0;
  set[SLOT + 1] = (size > 0 ? 1 : 0) | (fields.isContiguous === true ? 2 : 0);
  set[SLOT + 3] = name.length;
  set.writeUInt16LE(nameHash(units), SLOT + 4);
  set.writeBigUInt64LE(BigInt(fields.validSize ?? size), SLOT + 8);
  set.writeUInt32LE(fields.firstCluster ?? 0, SLOT + 20);
  set.writeBigUInt64LE(BigInt(size), SLOT + 24);
  for (let i = 0; i < nameSlots; i++) {
    set[(2 + i) * SLOT] = 0xc1;
    units.copy(set, (2 + i) * SLOT + 2, i * 30, (i + 1) * 30);
  }
  return resum(Buffer.concat([set, ...extra]));
}

/** A set with its checksum made to fit again. */
export function resum(set: Buffer): Buffer {
  set.writeUInt16LE(checksum16(set, [2, 3]), 2);
  return set;
}

/** Source: exFAT specification, section 7.6.4. */
function nameHash(units: Buffer): number {
  let hash = 0;
  for (let at = 0; at < units.length; at += 2) {
    const unit = units.readUInt16LE(at);
    const upper = UP_CASE[unit] ?? unit;
    for (const byte of [upper & 0xff, upper >>> 8]) hash = (((hash << 15) | (hash >>> 1)) + byte) & 0xffff;
  }
  return hash;
}
