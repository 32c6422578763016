/** Reads and checks the VDI header, of all versions. Bytes in, value out. */
import { NIL_UUID } from "../../bytes/guid.js";
import { isPowerOfTwo } from "../../bytes/integers.js";
import { describe, type Fields, type Struct, type ViewOf } from "../../bytes/struct.js";
import { CorruptError, UnsupportedError } from "../../errors.js";
import { Header0, Header1, Header1Plus, PreHeader } from "./structures.js";

export type VdiVariant = "dynamic" | "fixed" | "undo" | "differencing";

/** The header as the driver needs it. Positions and sizes are bytes. */
export interface VdiHeader {
  readonly variant: VdiVariant;
  /** Whole sectors. */
  readonly diskSize: number;
  readonly blockSize: number;
  /** Bytes in front of each block's data. */
  readonly blockExtra: number;
  /** Blocks of the disk. The file has no more of them, so all entries of the block map are below this. */
  readonly blockCount: number;
  readonly tableOffset: number;
  readonly dataOffset: number;
  /** NIL_UUID if there is none; so are the other three. */
  readonly uuid: string;
  readonly modification: string;
  readonly parentUuid: string;
  readonly parentModification: string;
  readonly warnings: readonly string[];
  /** The fields as they are on disk. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** Bytes of a file that have the header, of whichever version. */
export const HEADER_SIZE = Header1Plus.size;

/** VDICore.h, VDI_IMAGE_SIGNATURE. */
const SIGNATURE = 0xbeda107f;

/** The version of all images from before version 1 (VDI.cpp, vdiValidatePreHeader). */
const VERSION_0 = 0x00000002;

/** `headerSize` does not count the pre-header: sizeof(VDIHEADER1), sizeof(VDIHEADER1PLUS). */
const HEADER1_SIZE = Header1.size - PreHeader.size;
const HEADER1_PLUS_SIZE = Header1Plus.size - PreHeader.size;

/** VDICore.h, VDIIMAGETYPE. */
const variants: Readonly<Record<number, VdiVariant>> = {
  1: "dynamic",
  2: "fixed",
  3: "undo",
  4: "differencing",
};

/** The block sizes that VirtualBox opens: from an eighth of the usual 1 MiB to 128 times that (VDI.cpp, vdiOpenImage). */
const BLOCK_SIZE_MIN = 2 ** 17;
const BLOCK_SIZE_MAX = 2 ** 27;

/** Larger positions are not exact in a JavaScript number. */
const DISK_SIZE_MAX = Number.MAX_SAFE_INTEGER;

const SECTOR_SIZE = 512;
export const TABLE_ENTRY_SIZE = 4;

/** Returns whether `bytes`, the beginning of a file, have the signature of a VDI. */
export function isVdi(bytes: Buffer): boolean {
  return bytes.length >= PreHeader.size && PreHeader.view(bytes).signature === SIGNATURE;
}

/**
 * Returns the header in `bytes`, the first HEADER_SIZE bytes of `file`, or all if it is smaller. `fileSize` is its size.
 * @throws {UnsupportedError} for an unknown version.
 * @throws {CorruptError} for an impossible value.
 */
export function readHeader(bytes: Buffer, file: string, fileSize: number): VdiHeader {
  const { version, software } = PreHeader.view(bytes, 0, file);
  const facts = { software: software.trimEnd(), version: `0x${version.toString(16)}` };
  if (version === VERSION_0) {
    const view = Header0.view(bytes, 0, file);
    const tableOffset = Header0.size;
    const dataOffset = tableOffset + view.blockCount * TABLE_ENTRY_SIZE;
    const layout = { tableOffset, dataOffset, blockExtra: 0, parentModification: NIL_UUID };
    return checked(Header0, view, layout, file, fileSize, { ...facts, ...describe(Header0, view) });
  }
  if (version >>> 16 === 1) {
    const view = Header1.view(bytes, 0, file);
    checkLayout(view, file);
    const isPlus = view.headerSize >= HEADER1_PLUS_SIZE && bytes.length >= Header1Plus.size;
    const fields = isPlus ? describe(Header1Plus, Header1Plus.view(bytes, 0, file)) : describe(Header1, view);
    return checked(Header1, view, view, file, fileSize, { ...facts, ...fields });
  }
  throw new UnsupportedError({
    file,
    offset: PreHeader.fields.version.offset,
    thing: "VDI version",
    found: facts.version,
    expected: "0x2, 0x10000 or 0x10001",
  });
}

/** Checks where the block map and the data lie, which version 1 notes. Source: VDI.cpp, vdiValidateHeader. */
function checkLayout(view: ViewOf<typeof Header1>, file: string): void {
  const complain = complaints(Header1, file);
  const { headerSize, tableOffset, dataOffset, blockExtra } = view;
  if (headerSize < HEADER1_SIZE) {
    throw complain("headerSize", "VDI header size", headerSize, `at least ${HEADER1_SIZE}`);
  }
  if (tableOffset < Header1.size) {
    throw complain("tableOffset", "the VDI block map's offset", tableOffset, `at least ${Header1.size}`);
  }
  const tableEnd = tableOffset + view.blockCount * TABLE_ENTRY_SIZE;
  if (dataOffset < tableEnd) {
    const expected = `at least ${tableEnd}, where the block map ends`;
    throw complain("dataOffset", "the VDI data's offset", dataOffset, expected);
  }
  if (blockExtra !== 0 && !isPowerOfTwo(blockExtra)) {
    throw complain("blockExtra", "VDI's extra bytes for each block", blockExtra, "0 or a power of two");
  }
}

type Common = Pick<ViewOf<typeof Header0>, keyof ViewOf<typeof Header0>>;
type Layout = Pick<VdiHeader, "tableOffset" | "dataOffset" | "blockExtra" | "parentModification">;

/** Checks what all versions have in common. Source: VDI.cpp, vdiValidateHeader and vdiOpenImage. */
function checked(
  declaration: typeof Header0 | typeof Header1,
  view: Common,
  layout: Layout,
  file: string,
  fileSize: number,
  details: Record<string, unknown>,
): VdiHeader {
  const complain = complaints(declaration, file);
  const { type, blockSize, blockCount, allocatedCount } = view;
  const variant = variants[type];
  if (variant === undefined) throw complain("type", "VDI type", type, "1, 2, 3 or 4");
  if (!isPowerOfTwo(blockSize) || blockSize < BLOCK_SIZE_MIN || blockSize > BLOCK_SIZE_MAX) {
    const expected = `a power of two from ${BLOCK_SIZE_MIN} to ${BLOCK_SIZE_MAX}`;
    throw complain("blockSize", "VDI block size", blockSize, expected);
  }
  // VirtualBox on macOS made disks whose size is no multiple of 512 bytes; the guest never saw the incomplete sector.
  const diskSize = view.diskSize - (view.diskSize % SECTOR_SIZE);
  const room = Math.min(blockCount * blockSize, DISK_SIZE_MAX);
  if (diskSize === 0 || view.diskSize > room) {
    const expected = `from ${SECTOR_SIZE} to ${room}, what ${blockCount} blocks of ${blockSize} bytes hold`;
    throw complain("diskSize", "VDI disk size", view.diskSize, expected);
  }
  const tableEnd = layout.tableOffset + blockCount * TABLE_ENTRY_SIZE;
  if (tableEnd > fileSize) {
    const expected = `byte ${tableEnd}, where the VDI block map ends, or behind it; the image is cut short`;
    throw new CorruptError({ file, thing: "the file's end", found: `byte ${fileSize}`, expected });
  }
  const isChild = variant === "differencing" || variant === "undo";
  if (isChild && view.parentUuid === NIL_UUID) {
    throw complain("parentUuid", `the parent UUID of this ${variant} VDI`, NIL_UUID, "a UUID");
  }
  const warnings: string[] = [];
  if (allocatedCount > blockCount) {
    warnings.push(
      `${file}: ${allocatedCount} blocks are stored according to the header, but the disk has only ${blockCount}`,
    );
  }
  if (!isChild && view.parentUuid !== NIL_UUID) {
    warnings.push(
      `${file}: a ${variant} image has no parent; the parent UUID ${view.parentUuid} in it is ignored`,
    );
  }
  return {
    variant,
    diskSize,
    blockSize,
    blockExtra: layout.blockExtra,
    blockCount,
    tableOffset: layout.tableOffset,
    dataOffset: layout.dataOffset,
    uuid: view.uuid,
    modification: view.modification,
    parentUuid: view.parentUuid,
    parentModification: layout.parentModification,
    warnings,
    details,
  };
}

/** Returns a function that makes the error about one field of `declaration` in `file`. */
function complaints<F extends Fields>(declaration: Struct<F>, file: string) {
  return (field: keyof F, thing: string, found: string | number, expected: string): CorruptError =>
    new CorruptError({ file, offset: declaration.fields[field]!.offset, thing, found, expected });
}
