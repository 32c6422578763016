/**
 * Raw images and block devices: the disk's bytes as they are. They have no signature, so this is the last format that is
 * tried. It refuses only what is certainly no disk:
 *
 * - an empty file;
 * - an image or an archive of a format that vdisk does not read, by its signature (signatures.ts);
 * - a file named *.vdi, *.avhd, *.vhdx or *.qcow2 without the signature of that format: a damaged image;
 * - a VHD of which only the header is left;
 * - a text. Every partition table and every file system has bytes that are no text within TEXT_SIZE.
 *
 * All other files open. A size that is not a multiple of the sector size is a warning, since an image that was cut short
 * must open, too. So is the name *.vhd: a fixed VHD without its footer is a raw image.
 */
import { isUtf8 } from "node:buffer";
import { CorruptError, UnsupportedError } from "../errors.js";
import type { BlockSource } from "../extent/extent.js";
import { read } from "../extent/read.js";
import { storageSource } from "../extent/storage.js";
import type { Storage } from "../storage/storage.js";
import { EDGE_SIZE, type ImageFormat } from "./image.js";
import { findSignature, promises } from "./signatures.js";
import { singleStateImage } from "./states.js";

export const raw: ImageFormat = {
  name: "raw",
  probe: () => true,
  async open(file) {
    const source = storageSource(file);
    await refuseOthers(file, source);
    return singleStateImage(
      { format: "raw", files: [file] },
      {
        size: file.size,
        variant: "raw",
        warnings: warningsAbout(file),
        details: {},
        changes: source.changes,
        map: (offset, length) => source.map(offset, length),
      },
    );
  },
};

const SECTOR_SIZE = 512;

/** The signature of a VHD's dynamic header, which lies behind the first sector. The sector itself has one that vhd/ looks for. */
const VHD_HEADER = "cxsparse";

function warningsAbout({ name, size }: Storage): string[] {
  const warnings: string[] = [];
  if (size % SECTOR_SIZE !== 0)
    warnings.push(`${name}: ${size} bytes are not whole sectors of ${SECTOR_SIZE}; perhaps it was cut short`);
  if (/\.vhd$/i.test(name))
    warnings.push(
      `${name}: there is no VHD footer: it is read as a raw disk; if it is a VHD, its end is missing`,
    );
  return warnings;
}

/** The root element of a Parallels disk's DiskDescriptor.xml, behind an XML declaration of any length. */
const PARALLELS_DESCRIPTOR = "<Parallels_disk_image";

/** Bytes up to the end of the superblock that lies furthest behind: btrfs's, at 64 KiB. */
const TEXT_SIZE = 68 * 2 ** 10;

/** @throws {DiskError} for a file that is certainly no raw image. */
async function refuseOthers({ name: file, size }: Storage, source: BlockSource): Promise<void> {
  if (size === 0) throw new CorruptError({ file, thing: "this file is empty, not a disk image" });
  const head = await read(source, 0, Math.min(EDGE_SIZE, size));
  const tail = size <= EDGE_SIZE ? head : await read(source, size - EDGE_SIZE, EDGE_SIZE);
  const signature = findSignature(head, tail);
  if (signature !== undefined) {
    const { format, hint = "convert it to VDI or raw, with `qemu-img convert` for example" } = signature;
    throw new UnsupportedError({ file, thing: `${format} files are not read yet`, hint });
  }
  const promised = promises.get(file.slice(file.lastIndexOf(".") + 1).toLowerCase());
  if (promised !== undefined) {
    const hint = "its beginning is damaged; or, if it is a raw disk image, give it a name that ends in .img";
    throw new CorruptError({ file, offset: 0, thing: `there is no ${promised} signature`, hint });
  }
  const second = await read(
    source,
    Math.min(SECTOR_SIZE, size),
    Math.min(VHD_HEADER.length, Math.max(0, size - SECTOR_SIZE)),
  );
  if (second.toString("latin1") === VHD_HEADER) {
    const thing = "this VHD's footer and the copy of it at the beginning";
    throw new CorruptError({ file, offset: 0, thing, found: "damaged or missing", expected: "there" });
  }
  if (isText(head) && isText(await read(source, 0, Math.min(TEXT_SIZE, size)))) {
    if (head.includes(PARALLELS_DESCRIPTOR)) {
      const hint = "the disk's bytes are in the files beside it, whose names end in .hds";
      throw new UnsupportedError({ file, thing: "Parallels disks are not read yet", hint });
    }
    throw new UnsupportedError({ file, thing: "this is a text, not a disk image" });
  }
}

/** Whether `bytes`, the beginning of a file, are UTF-8 without control characters. The last character may be incomplete. */
function isText(bytes: Buffer): boolean {
  // eslint-disable-next-line no-control-regex -- control characters are the point
  if (/[\x00-\x06\x0e-\x1a\x1c-\x1f]/.test(bytes.toString("latin1"))) return false;
  return [0, 1, 2, 3].some((cut) => isUtf8(bytes.subarray(0, bytes.length - cut)));
}
