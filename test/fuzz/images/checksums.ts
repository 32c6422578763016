/** What checksums cover in an image, found without the reader, and made to fit again where bytes were changed. */
import type { Patch } from "./storage.js";
import { exfatRegions } from "./exfat-checksums.js";
import { extRegions } from "./ext-checksums.js";
import { gptRegions } from "./gpt-checksums.js";
import { vhdRegions } from "./vhd-checksums.js";

/** Bytes of file 0 that one checksum covers. */
export interface Region {
  readonly offset: number;
  readonly length: number;
  /** Bytes in it, from its start, that the checksum leaves out. */
  readonly uncovered?: readonly number[];
  /**
   * What the checksum of the image's bytes, as they are now, should be, and where it is stored. Undefined where the
   * bytes no longer say that there is one.
   */
  checksum(image: Buffer): { readonly at: number; readonly bytes: Buffer } | undefined;
}

/** Where file systems may begin in the bases: at the start, and where sfdisk put partitions. */
const STARTS = [0, 64 * 512, 1400 * 512, 2112 * 512];

/** The regions of a raw image, or of a VHD; those whose checksum does not fit are left out. */
export function regionsOf(image: Buffer): Region[] {
  const found = [
    ...gptRegions(image),
    ...vhdRegions(image),
    ...STARTS.flatMap((at) => [...extRegions(image, at), ...exfatRegions(image, at)]),
  ];
  return found.filter((region) => fits(image, region));
}

export function fits(image: Buffer, region: Region): boolean {
  const found = region.checksum(image);
  return found === undefined || image.subarray(found.at, found.at + found.bytes.length).equals(found.bytes);
}

/** Makes every checksum fit that covers one of `patches`, in this order; what had to be written for that. */
export function repair(image: Buffer, regions: readonly Region[], patches: readonly Patch[]): Patch[] {
  const changed = [...patches];
  const added: Patch[] = [];
  for (const region of regions) {
    const end = region.offset + region.length;
    const isTouched = changed.some(([, at, hex]) => at < end && at + hex.length / 2 > region.offset);
    const found = isTouched ? region.checksum(image) : undefined;
    if (found === undefined || found.at + found.bytes.length > image.length) continue;
    const written: Patch = [0, found.at, found.bytes.toString("hex")];
    found.bytes.copy(image, found.at);
    changed.push(written);
    added.push(written);
  }
  return added;
}
