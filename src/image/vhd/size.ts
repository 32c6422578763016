/**
 * The size of the disk that a VHD's guest sees. The footer has two: a number of bytes, and a geometry of cylinders, heads
 * and sectors. Virtual PC shows its guests the geometry, which may be up to a cylinder less than the bytes; all others
 * show the bytes.
 *
 * Source: qemu 10.0, block/vpc.c, vpc_open and vpc_ignore_current_size (facts only); VirtualBox, VHD.cpp, vhdOpenImage.
 */
import type { ViewOf } from "../../bytes/struct.js";
import type { Footer } from "./structures.js";

/** Virtual PC, and qemu's imitation of it. qemu calls itself "qem2" if the size in bytes counts. */
const GEOMETRY_CREATORS = ["vpc ", "qemu"];

/** Larger disks have no geometry: this one is in their footers. Specification, "CHS Calculation". */
const LARGEST = { cylinderCount: 65535, headCount: 16, sectorCount: 255 };

export const SECTOR_SIZE = 512;

export interface DiskSize {
  /** Bytes, in whole sectors. */
  readonly size: number;
  readonly warnings: readonly string[];
}

/**
 * @param room bytes that the image can hold.
 * @param file its name, for warnings.
 */
export function diskSizeOf(fields: ViewOf<typeof Footer>, room: number, file: string): DiskSize {
  const { creator, currentSize, cylinderCount, headCount, sectorCount } = fields;
  const inBytes = currentSize - (currentSize % SECTOR_SIZE);
  const inGeometry = cylinderCount * headCount * sectorCount * SECTOR_SIZE;
  const isLargest =
    cylinderCount === LARGEST.cylinderCount &&
    headCount === LARGEST.headCount &&
    sectorCount === LARGEST.sectorCount;
  if (!GEOMETRY_CREATORS.includes(creator) || isLargest || inGeometry === inBytes)
    return { size: inBytes, warnings: [] };
  const isUsed = inGeometry > 0 && inGeometry <= room;
  const sizes = `its geometry has ${inGeometry} bytes, its size is ${inBytes}`;
  const why = isUsed
    ? "the geometry is what its creator's guests see"
    : "the image is too small for its geometry";
  return {
    size: isUsed ? inGeometry : inBytes,
    warnings: [`${file}: ${sizes}; ${why}: the disk has ${isUsed ? inGeometry : inBytes} bytes`],
  };
}
