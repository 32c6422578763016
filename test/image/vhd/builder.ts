/** Writes VHD images by hand, after Microsoft's specification 1.0, in every shape; none of it from src/. */
import { open } from "node:fs/promises";

/** What a block holds: its data, and its sector bitmap (all ones by default). */
export interface VhdBlock {
  readonly data: Buffer;
  readonly bitmap?: Buffer;
}

export interface VhdLocator {
  readonly platform: string;
  readonly data: Buffer;
  /** Where it says that the data lie, if not where they do. */
  readonly offset?: number;
}

export interface VhdParent {
  /** Sixteen bytes, as hexadecimal. */
  readonly id?: string;
  /** Seconds since 2000. */
  readonly modified?: number;
  /** Big-endian UTF-16 unless it is bytes. */
  readonly name?: string | Buffer;
  readonly locators?: readonly VhdLocator[];
}

export interface VhdPlan {
  /** 2 fixed, 3 dynamic, 4 differencing; by default what fits. */
  readonly type?: number;
  readonly diskSize: number;
  /** The footer's size in bytes, if it is another. */
  readonly currentSize?: number;
  readonly creator?: string;
  readonly geometry?: readonly [cylinders: number, heads: number, sectors: number];
  /** Sixteen bytes, as hexadecimal. */
  readonly id?: string;
  readonly blockSize?: number;
  /** The stored blocks by number; of a fixed image the disk's bytes are `data`. */
  readonly blocks?: ReadonlyMap<number, VhdBlock>;
  readonly data?: Buffer;
  /** The order in which the stored blocks lie in the file. */
  readonly order?: readonly number[];
  /** Bytes between two blocks, in whole sectors. */
  readonly gap?: number;
  readonly headerOffset?: number;
  readonly tableOffset?: number;
  readonly entryCount?: number;
  readonly parent?: VhdParent;
  /** A footer of 511 bytes, as Virtual PC wrote it before 2004. */
  readonly isOld?: boolean;
}

export interface Piece {
  readonly offset: number;
  readonly bytes: Buffer;
}

export interface BuiltVhd {
  readonly pieces: readonly Piece[];
  readonly size: number;
  readonly headerOffset: number;
  readonly tableOffset: number;
}

export const DEFAULT_ID = "00112233445566778899aabbccddeeff";
export const SECTOR = 512;
const MIB = 2 ** 20;
const FOOTER_CHECKSUM = 64;
const HEADER_CHECKSUM = 36;

/** Makes the checksum at `at` of `bytes`, a whole structure, fit. */
export function mend(bytes: Buffer, at: number): Buffer {
  bytes.writeUInt32BE(0, at);
  bytes.writeUInt32BE(~bytes.reduce((sum, byte) => sum + byte, 0) >>> 0, at);
  return bytes;
}

/** Makes the checksum of the footer at `at` of a file fit. */
export const mendFooter = (file: Buffer, at: number): Buffer =>
  mend(file.subarray(at, at + 512), FOOTER_CHECKSUM);

/** Makes the checksum of the dynamic header at `at` of a file fit. */
export const mendHeader = (file: Buffer, at: number): Buffer =>
  mend(file.subarray(at, at + 1024), HEADER_CHECKSUM);

/** The bytes of a text in UTF-16 as Windows has it. */
export const utf16le = (text: string): Buffer => Buffer.from(text, "utf16le");
export const utf16be = (text: string): Buffer => utf16le(text).swap16();

/** The file as pieces with holes between them. */
export function planVhd(plan: VhdPlan): BuiltVhd {
  const { diskSize, data, blocks = new Map<number, VhdBlock>(), blockSize = 2 * MIB, gap = 0 } = plan;
  const { parent, headerOffset = 512, tableOffset = headerOffset + 1024 } = plan;
  const type = plan.type ?? (data !== undefined ? 2 : parent !== undefined ? 4 : 3);
  const footer = footerOf(plan, type, type === 2 ? undefined : headerOffset);
  const atEnd = plan.isOld === true ? footer.subarray(0, 511) : footer;
  if (type === 2) {
    const pieces = [
      { offset: 0, bytes: data ?? Buffer.alloc(0) },
      { offset: diskSize, bytes: atEnd },
    ];
    return { pieces, size: diskSize + atEnd.length, headerOffset: 0, tableOffset: 0 };
  }
  const needed = Math.ceil(diskSize / blockSize);
  const table = Buffer.alloc(roundUp((plan.entryCount ?? needed) * 4), 0xff);
  const bitmapSize = roundUp(Math.ceil(blockSize / SECTOR / 8));
  const pieces: Piece[] = [];
  let end = roundUp(Math.max(tableOffset + table.length, headerOffset + 1024));
  const locators = (parent?.locators ?? []).map((locator) => {
    const place = { ...locator, offset: locator.offset ?? end };
    pieces.push({ offset: end, bytes: locator.data });
    end = roundUp(end + locator.data.length);
    return place;
  });
  for (const block of plan.order ?? blocks.keys()) {
    const { data: bytes, bitmap = Buffer.alloc(Math.ceil(blockSize / SECTOR / 8), 0xff) } =
      blocks.get(block)!;
    end += gap;
    table.writeUInt32BE(end / SECTOR, block * 4);
    pieces.push({ offset: end, bytes: bitmap }, { offset: end + bitmapSize, bytes });
    end += bitmapSize + blockSize;
  }
  const header = headerOf(tableOffset, plan.entryCount ?? needed, blockSize, parent, locators);
  pieces.push(
    { offset: 0, bytes: footer },
    { offset: headerOffset, bytes: header },
    { offset: tableOffset, bytes: table },
    { offset: end, bytes: atEnd },
  );
  return { pieces, size: end + atEnd.length, headerOffset, tableOffset };
}

function footerOf(plan: VhdPlan, type: number, headerOffset: number | undefined): Buffer {
  const { diskSize, currentSize = diskSize, creator = "win ", geometry = [1, 2, 3], id = DEFAULT_ID } = plan;
  const footer = Buffer.alloc(512);
  footer.write("conectix");
  footer.writeUInt32BE(2, 8);
  footer.writeUInt32BE(0x10000, 12);
  footer.writeBigUInt64BE(headerOffset === undefined ? 2n ** 64n - 1n : BigInt(headerOffset), 16);
  footer.writeUInt32BE(600_000_000, 24);
  footer.write(creator, 28, "latin1");
  footer.writeUInt32BE(0xa0000, 32);
  footer.write("Wi2k", 36);
  footer.writeBigUInt64BE(BigInt(currentSize), 40);
  footer.writeBigUInt64BE(BigInt(currentSize), 48);
  footer.writeUInt16BE(geometry[0], 56);
  footer[58] = geometry[1];
  footer[59] = geometry[2];
  footer.writeUInt32BE(type, 60);
  footer.write(id, 68, "hex");
  return mend(footer, FOOTER_CHECKSUM);
}

function headerOf(
  tableOffset: number,
  entryCount: number,
  blockSize: number,
  parent: VhdParent | undefined,
  locators: readonly (VhdLocator & { readonly offset: number })[],
): Buffer {
  const header = Buffer.alloc(1024);
  header.write("cxsparse");
  header.writeBigUInt64BE(2n ** 64n - 1n, 8);
  header.writeBigUInt64BE(BigInt(tableOffset), 16);
  header.writeUInt32BE(0x10000, 24);
  header.writeUInt32BE(entryCount, 28);
  header.writeUInt32BE(blockSize, 32);
  header.write(parent?.id ?? "", 40, "hex");
  header.writeUInt32BE(parent?.modified ?? 0, 56);
  const { name = "" } = parent ?? {};
  (typeof name === "string" ? utf16be(name) : name).copy(header, 64);
  locators.forEach(({ platform, data, offset }, index) => {
    const at = 576 + index * 24;
    header.write(platform, at, "latin1");
    header.writeUInt32BE(roundUp(data.length), at + 4);
    header.writeUInt32BE(data.length, at + 8);
    header.writeBigUInt64BE(BigInt(offset), at + 16);
  });
  return mend(header, HEADER_CHECKSUM);
}

/** The whole file in memory. */
export function buildVhd(plan: VhdPlan): Buffer {
  const { pieces, size } = planVhd(plan);
  const file = Buffer.alloc(size);
  for (const { offset, bytes } of pieces) bytes.copy(file, offset);
  return file;
}

/** Writes the file with holes where nothing is stored. */
export async function writeVhd(path: string, plan: VhdPlan): Promise<void> {
  const { pieces, size } = planVhd(plan);
  const file = await open(path, "w");
  for (const { offset, bytes } of pieces) await file.write(bytes, 0, undefined, offset);
  await file.truncate(size);
  await file.close();
}

const roundUp = (size: number): number => Math.ceil(size / SECTOR) * SECTOR;
