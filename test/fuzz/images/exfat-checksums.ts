/** exFAT: a checksum of the boot region, one of each entry set. Source: exFAT specification, sections 3.4 and 6.3.3. */
import type { Region } from "./checksums.js";

const SLOT = 32;
const FILE = 0x85;
/** VolumeFlags and PercentInUse. */
const UNCOVERED = [106, 107, 112];

export function exfatRegions(image: Buffer, start: number): Region[] {
  if (image.toString("latin1", start + 3, start + 11) !== "EXFAT   ") return [];
  const sectorSize = 2 ** image[start + 108]!;
  const heap = start + image.readUInt32LE(start + 88) * sectorSize;
  const end = Math.min(image.length, start + Number(image.readBigUInt64LE(start + 72)) * sectorSize);
  const regions: Region[] = [];
  for (const first of [0, 12]) {
    const offset = start + first * sectorSize;
    const length = 11 * sectorSize;
    regions.push({
      offset,
      length,
      uncovered: UNCOVERED,
      checksum: (bytes) => bootChecksum(bytes, offset, sectorSize),
    });
  }
  for (let at = heap; at + 3 * SLOT <= end; at += SLOT)
    if (isSet(image, at)) regions.push(setRegion(at, (image[at + 1]! + 1) * SLOT));
  return regions;
}

function isSet(image: Buffer, at: number): boolean {
  return image[at] === FILE && image[at + 1]! >= 2 && image[at + 1]! <= 18 && image[at + SLOT] === 0xc0;
}

function setRegion(offset: number, length: number): Region {
  return {
    offset,
    length,
    checksum(image) {
      // A set that says that it is deleted, or has another length, is another set or none.
      if (image[offset] !== FILE || (image[offset + 1]! + 1) * SLOT !== length) return undefined;
      let sum = 0;
      for (let at = 0; at < length; at++)
        if (at !== 2 && at !== 3) sum = (((sum << 15) | (sum >>> 1)) + image[offset + at]!) & 0xffff;
      const bytes = Buffer.alloc(2);
      bytes.writeUInt16LE(sum);
      return { at: offset + 2, bytes };
    },
  };
}

/** The eleven sectors' checksum fills the twelfth. */
function bootChecksum(image: Buffer, offset: number, sectorSize: number): { at: number; bytes: Buffer } {
  let sum = 0;
  for (let at = 0; at < 11 * sectorSize; at++)
    if (!UNCOVERED.includes(at)) sum = (((sum << 31) | (sum >>> 1)) + image[offset + at]!) >>> 0;
  const bytes = Buffer.alloc(sectorSize);
  for (let at = 0; at < sectorSize; at += 4) bytes.writeUInt32LE(sum, at);
  return { at: offset + 11 * sectorSize, bytes };
}
