/** FAT images by hand: clusters in any order, and every byte of a directory's slots as it is wanted. */
import { checksumOf } from "../../../src/filesystem/fat/names.js";

export type Width = 12 | 16 | 32;

export interface Layout {
  readonly width: Width;
  readonly sectorSize?: number;
  readonly sectorsPerCluster?: number;
  readonly clusterCount: number;
  readonly fatCount?: number;
  readonly rootEntries?: number;
}

export interface EntryFields {
  readonly attributes?: number;
  readonly caseFlags?: number;
  /** Date and time of writing, of creation with its tens, and the date of access, as they are stored. */
  readonly written?: readonly [date: number, time: number];
  readonly created?: readonly [date: number, time: number, tens: number];
  readonly accessed?: number;
  readonly size?: number;
  readonly firstCluster?: number;
  readonly long?: string;
}

const END = { 12: 0xfff, 16: 0xffff, 32: 0x0fff_ffff } as const;

export class FatBuilder {
  readonly bytes: Buffer;
  readonly clusterSize: number;
  readonly heapOffset: number;
  readonly fatOffsets: readonly number[];
  readonly rootOffset: number;
  readonly layout: Required<Layout>;
  #rootSlots = 0;

  constructor(layout: Layout) {
    const full = { sectorSize: 512, sectorsPerCluster: 1, fatCount: 2, rootEntries: 512, ...layout };
    this.layout = full;
    const { width, sectorSize, sectorsPerCluster, clusterCount, fatCount } = full;
    const reserved = width === 32 ? 32 : 1;
    const rootEntries = width === 32 ? 0 : full.rootEntries;
    const fatSectors = Math.ceil(((clusterCount + 2) * width) / 8 / sectorSize);
    const rootSector = reserved + fatCount * fatSectors;
    const heapSector = rootSector + Math.ceil((rootEntries * 32) / sectorSize);
    const sectors = heapSector + clusterCount * sectorsPerCluster;
    this.clusterSize = sectorSize * sectorsPerCluster;
    this.bytes = Buffer.alloc(sectors * sectorSize);
    this.heapOffset = heapSector * sectorSize;
    this.fatOffsets = Array.from({ length: fatCount }, (_, i) => (reserved + i * fatSectors) * sectorSize);
    this.rootOffset = width === 32 ? this.heapOffset : rootSector * sectorSize;
    const boot = this.bytes;
    boot.write("\xeb\x58\x90MSWIN4.1", 0, "latin1");
    boot.writeUInt16LE(sectorSize, 0x0b);
    boot[0x0d] = sectorsPerCluster;
    boot.writeUInt16LE(reserved, 0x0e);
    boot[0x10] = fatCount;
    boot.writeUInt16LE(rootEntries, 0x11);
    if (sectors < 0x10000 && width !== 32) boot.writeUInt16LE(sectors, 0x13);
    else boot.writeUInt32LE(sectors, 0x20);
    boot[0x15] = 0xf8;
    const extension = width === 32 ? 0x40 : 0x24;
    if (width === 32) {
      boot.writeUInt32LE(fatSectors, 0x24);
      boot.writeUInt32LE(2, 0x2c);
      boot.writeUInt16LE(1, 0x30);
      boot.writeUInt16LE(6, 0x32);
    } else {
      boot.writeUInt16LE(fatSectors, 0x16);
    }
    boot[extension] = 0x80;
    boot[extension + 2] = 0x29;
    boot.writeUInt32LE(0x1234abcd, extension + 3);
    boot.write(`NO NAME    FAT${width === 32 ? "32" : width}   `, extension + 7, "latin1");
    boot.writeUInt16LE(0xaa55, 510);
    if (width === 32) this.#writeInfo(sectorSize);
    this.link(0, width === 32 ? 0x0fff_fff8 : END[width] - 7);
    this.link(1, END[width]);
    if (width === 32) this.link(2, END[32]);
    if (width === 32) boot.copy(boot, 6 * sectorSize, 0, 512);
  }

  #writeInfo(sectorSize: number): void {
    for (const sector of [1, 7]) {
      const at = sector * sectorSize;
      this.bytes.write("RRaA", at, "latin1");
      this.bytes.write("rrAa", at + 484, "latin1");
      this.bytes.fill(0xff, at + 488, at + 496); // what is free is not known
      this.bytes.writeUInt16LE(0xaa55, at + 510);
    }
  }

  /** Sets the link of `cluster` in all FATs, or in that one. */
  link(cluster: number, value: number, fats = this.fatOffsets): void {
    const { width } = this.layout;
    for (const fat of fats) {
      if (width === 32) this.bytes.writeUInt32LE(value, fat + cluster * 4);
      else if (width === 16) this.bytes.writeUInt16LE(value, fat + cluster * 2);
      else {
        const at = fat + cluster + (cluster >>> 1);
        const word = this.bytes.readUInt16LE(at);
        const kept = cluster % 2 === 0 ? word & 0xf000 : word & 0x000f;
        this.bytes.writeUInt16LE(kept | (cluster % 2 === 0 ? value : value << 4), at);
      }
    }
  }

  chain(...clusters: readonly number[]): void {
    clusters.forEach((cluster, i) => {
      this.link(cluster, clusters[i + 1] ?? END[this.layout.width]);
    });
  }

  offsetOf(cluster: number): number {
    return this.heapOffset + (cluster - 2) * this.clusterSize;
  }

  /** Writes `contents` into `clusters`, in this order, and chains them. */
  put(contents: Buffer, clusters: readonly number[]): void {
    this.chain(...clusters);
    clusters.forEach((cluster, i) => {
      const part = contents.subarray(i * this.clusterSize, (i + 1) * this.clusterSize);
      part.copy(this.bytes, this.offsetOf(cluster));
    });
  }

  /** Adds slots to the root directory; answers the byte where the last of them is. */
  root(slots: Buffer): number {
    slots.copy(this.bytes, this.rootOffset + this.#rootSlots * 32);
    this.#rootSlots += slots.length / 32;
    return this.rootOffset + (this.#rootSlots - 1) * 32;
  }
}

/** The slots of an entry: those of its long name, if it has one, and its own. `name` is eleven bytes. */
export function entry(name: string | Buffer, fields: EntryFields = {}): Buffer {
  const slot = Buffer.alloc(32);
  const raw = Buffer.isBuffer(name) ? name : Buffer.from(name.padEnd(11), "latin1");
  raw.copy(slot);
  const [writtenDate, writtenTime] = fields.written ?? [
    (44 << 9) | (2 << 5) | 29,
    (12 << 11) | (30 << 5) | 21,
  ];
  slot[0x0b] = fields.attributes ?? 0x20;
  slot[0x0c] = fields.caseFlags ?? 0;
  if (fields.created !== undefined) {
    slot[0x0d] = fields.created[2];
    slot.writeUInt16LE(fields.created[1], 0x0e);
    slot.writeUInt16LE(fields.created[0], 0x10);
  }
  slot.writeUInt16LE(fields.accessed ?? 0, 0x12);
  slot.writeUInt16LE(writtenTime, 0x16);
  slot.writeUInt16LE(writtenDate, 0x18);
  slot.writeUInt16LE((fields.firstCluster ?? 0) >>> 16, 0x14);
  slot.writeUInt16LE((fields.firstCluster ?? 0) & 0xffff, 0x1a);
  slot.writeUInt32LE(fields.size ?? 0, 0x1c);
  return fields.long === undefined ? slot : Buffer.concat([...longSlots(fields.long, checksumOf(raw)), slot]);
}

/** The slots of a long name, in the order in which they are stored. */
export function longSlots(name: string, checksum: number): Buffer[] {
  const units = Buffer.alloc(Math.ceil(name.length / 13) * 26, 0xff);
  units.write(name, "utf16le");
  if (name.length % 13 !== 0) units.writeUInt16LE(0, name.length * 2);
  const count = units.length / 26;
  return Array.from({ length: count }, (_, index) => {
    const order = count - index;
    const part = units.subarray((order - 1) * 26, order * 26);
    const slot = Buffer.alloc(32);
    slot[0] = order | (index === 0 ? 0x40 : 0);
    slot[0x0b] = 0x0f;
    slot[0x0d] = checksum;
    part.copy(slot, 1, 0, 10);
    part.copy(slot, 14, 10, 22);
    part.copy(slot, 28, 22, 26);
    return slot;
  });
}
