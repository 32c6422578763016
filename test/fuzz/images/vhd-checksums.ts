/** VHD: the footer, its copy at the beginning, and the dynamic header. Source: VHD specification 1.0, "Checksum". */
import type { Region } from "./checksums.js";

const FOOTER = { size: 512, checksum: 64 };
const HEADER = { size: 1024, checksum: 36 };
const HEADER_OFFSET = 16;

export function vhdRegions(image: Buffer): Region[] {
  if (!isVhd(image)) return [];
  const header = Number(image.readBigUInt64BE(HEADER_OFFSET));
  return [
    regionOf(0, FOOTER),
    regionOf(image.length - FOOTER.size, FOOTER),
    ...(header + HEADER.size <= image.length ? [regionOf(header, HEADER)] : []),
  ];
}

/** Whether `image` is a dynamic or differencing VHD: those have a copy of the footer at the beginning. */
export function isVhd(image: Buffer): boolean {
  return image.toString("latin1", 0, 8) === "conectix";
}

/** Where else the bytes at `offset` of a dynamic VHD are: the footer's. */
export function twinOf(image: Buffer, offset: number): number | undefined {
  const last = image.length - FOOTER.size;
  return offset < FOOTER.size ? last + offset : offset >= last ? offset - last : undefined;
}

function regionOf(offset: number, { size, checksum }: typeof FOOTER): Region {
  return {
    offset,
    length: size,
    checksum(image) {
      const bytes = Buffer.from(image.subarray(offset, offset + size));
      bytes.writeUInt32BE(0, checksum);
      const sum = Buffer.alloc(4);
      sum.writeUInt32BE(~bytes.reduce((total, byte) => total + byte, 0) >>> 0);
      return { at: offset + checksum, bytes: sum };
    },
  };
}
