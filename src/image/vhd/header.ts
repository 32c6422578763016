/** The header of a dynamic or differencing VHD, checked: bytes in, value out. */
import { isPowerOfTwo } from "../../bytes/integers.js";
import { CorruptError, UnsupportedError } from "../../errors.js";
import { checksumOf, hasRightChecksum } from "./checksum.js";
import { MAJOR_VERSION, type VhdFooter } from "./footer.js";
import { diskSizeOf, SECTOR_SIZE } from "./size.js";
import { DynamicHeader, Footer, LOCATOR_COUNT, LOCATORS_OFFSET, ParentLocator } from "./structures.js";

/** Bytes `[start, end)` of the file. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** A parent's path in the form of one platform, and where it lies. */
export interface Locator {
  /** "W2ru", "W2ku", "MacX" … */
  readonly platform: string;
  readonly offset: number;
  readonly length: number;
}

/** The header as the driver needs it. Positions and sizes are bytes. */
export interface VhdHeader {
  /** Whole sectors. */
  readonly diskSize: number;
  readonly blockSize: number;
  /** The sector bitmap in front of each block's data: whole sectors. */
  readonly bitmapSize: number;
  /** The number of blocks that the disk needs; the table may have more entries. */
  readonly blockCount: number;
  readonly tableOffset: number;
  /** Where the file's structures lie, in which no block may be. */
  readonly structures: readonly Range[];
  /** Where the last of them ends. */
  readonly structuresEnd: number;
  /** NIL_UUID if there is none. */
  readonly parentUuid: string;
  /** Seconds since 2000; 0 if it is not known. */
  readonly parentModified: number;
  /** UTF-16, borrowed. */
  readonly parentName: Buffer;
  readonly locators: readonly Locator[];
  readonly warnings: readonly string[];
  /** The fields for `vdisk info --verbose`. */
  readonly details: Readonly<Record<string, unknown>>;
}

const COOKIE = "cxsparse";

export const TABLE_ENTRY_SIZE = 4;

/** The table's entry for a block that was never written. Specification: "unused table entries". */
export const ABSENT = 0xffffffff;

/** A block of less than a sector could not be. qemu 7.2, block/vpc.c, vpc_open, has the same limit. */
const BLOCK_SIZE_MIN = SECTOR_SIZE;
const BLOCK_SIZE_MAX = 2 ** 31;

/** Beyond it a position is no longer exact in a number. */
const DISK_SIZE_MAX = Number.MAX_SAFE_INTEGER;

/** Paths have 32,767 UTF-16 units at most (Windows, "Maximum Path Length Limitation"). */
const PATH_SIZE_MAX = 2 ** 16;

/**
 * Returns where the dynamic header lies.
 * @throws {CorruptError} if it cannot lie there.
 */
export function headerRange({ fields, offset, dataEnd }: VhdFooter, file: string): Range {
  const start = fields.headerOffset;
  const end = start + DynamicHeader.size;
  if (start >= Footer.size && end <= dataEnd) return { start, end };
  throw new CorruptError({
    file,
    offset: offset + Footer.fields.headerOffset.offset,
    thing: "the place of the VHD's dynamic header",
    found: start,
    expected: `from ${Footer.size} to ${dataEnd - DynamicHeader.size}`,
  });
}

/**
 * Returns the dynamic header in `bytes`, which begin at `range.start` of the file.
 * @throws {UnsupportedError} for a version that is not known.
 * @throws {CorruptError} for a value that cannot be.
 */
export function readHeader(bytes: Buffer, range: Range, footer: VhdFooter, file: string): VhdHeader {
  const { fields } = DynamicHeader;
  const complain = (field: keyof typeof fields, thing: string, found: string | number, expected: string) =>
    new CorruptError({ file, offset: range.start + fields[field].offset, thing, found, expected });
  const view = DynamicHeader.view(bytes, 0, file, range.start);
  const { headerVersion, tableOffset, entryCount, blockSize } = view;
  if (view.cookie !== COOKIE)
    throw complain("cookie", "the VHD dynamic header's signature", JSON.stringify(view.cookie), COOKIE);
  const checksumAt = fields.headerChecksum.offset;
  if (!hasRightChecksum(bytes, checksumAt)) {
    const expected = `0x${checksumOf(bytes, checksumAt).toString(16)}`;
    const found = `0x${view.headerChecksum.toString(16)}`;
    throw complain("headerChecksum", "the VHD dynamic header's checksum", found, expected);
  }
  if (headerVersion >>> 16 !== MAJOR_VERSION) {
    throw new UnsupportedError({
      file,
      offset: range.start + fields.headerVersion.offset,
      thing: "VHD dynamic header version",
      found: `0x${headerVersion.toString(16)}`,
      expected: "0x10000",
    });
  }
  if (!isPowerOfTwo(blockSize) || blockSize < BLOCK_SIZE_MIN) {
    const expected = `a power of two from ${BLOCK_SIZE_MIN} to ${BLOCK_SIZE_MAX}`;
    throw complain("blockSize", "VHD block size", blockSize, expected);
  }
  const room = entryCount * blockSize;
  const { size: diskSize, warnings } = diskSizeOf(footer.fields, room, file);
  if (diskSize === 0 || diskSize > Math.min(room, DISK_SIZE_MAX)) {
    throw new CorruptError({
      file,
      offset: footer.offset + Footer.fields.currentSize.offset,
      thing: "VHD disk size",
      found: diskSize,
      expected: `from ${SECTOR_SIZE} to ${Math.min(room, DISK_SIZE_MAX)}, what ${entryCount} blocks of ${blockSize} bytes hold`,
    });
  }
  const blockCount = Math.ceil(diskSize / blockSize);
  const table = { start: tableOffset, end: tableOffset + blockCount * TABLE_ENTRY_SIZE };
  if (table.start < Footer.size || (table.start < range.end && table.end > range.start)) {
    const expected = `neither in the first sector nor in the dynamic header, from ${range.start} to ${range.end}`;
    throw complain("tableOffset", "the place of the VHD's block table", tableOffset, expected);
  }
  if (table.end > footer.dataEnd) {
    const expected = `${footer.dataEnd} at most, where the file's data ends; the image is cut short`;
    throw complain("tableOffset", "the end of the VHD's block table", table.end, expected);
  }
  const locators = locatorsIn(bytes);
  const structures = [
    { start: 0, end: Footer.size },
    range,
    table,
    ...locators.map(({ offset, length }) => ({ start: offset, end: offset + length })),
  ];
  return {
    diskSize,
    blockSize,
    bitmapSize: Math.ceil(blockSize / SECTOR_SIZE / 8 / SECTOR_SIZE) * SECTOR_SIZE,
    blockCount,
    tableOffset,
    structures,
    structuresEnd: Math.max(...structures.map(({ end }) => end)),
    parentUuid: view.parentUuid,
    parentModified: view.parentModified,
    parentName: view.parentName,
    locators,
    warnings,
    details: { tableOffset, headerVersion, entryCount, blockSize, headerChecksum: view.headerChecksum },
  };
}

/** The locators that are in use. What they say about their space is not: it is in sectors or bytes, as programs took it. */
function locatorsIn(bytes: Buffer): Locator[] {
  const locators: Locator[] = [];
  for (let index = 0; index < LOCATOR_COUNT; index++) {
    const view = ParentLocator.view(bytes, LOCATORS_OFFSET + index * ParentLocator.size);
    const { platform, dataOffset, dataLength } = view;
    if (platform === "" || dataLength === 0) continue;
    locators.push({ platform, offset: dataOffset, length: Math.min(dataLength, PATH_SIZE_MAX) });
  }
  return locators;
}
