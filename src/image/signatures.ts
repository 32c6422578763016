/** The signatures of images and archives that no driver reads, so that they are not taken for raw disks. */

/** A signature in the first bytes of a file, or in its last 512. */
export interface Signature {
  /** The format's name. */
  readonly format: string;
  /** Bytes from the file's beginning; if negative, from its end. */
  readonly offset: number;
  readonly bytes: Buffer;
  /** What the user can do, if not converting it. */
  readonly hint?: string;
}

const UNPACK = "unpack it first";

const at = (offset: number, format: string, signature: string, hint?: string): Signature => ({
  format,
  offset,
  bytes: Buffer.from(signature, "latin1"),
  ...(hint !== undefined && { hint }),
});

/**
 * Images and archives that are not read. Source, unless said otherwise: the formats' own specifications; qemu's
 * block/*.c at 7.2, whose probes compare the same bytes.
 */
export const signatures: readonly Signature[] = [
  at(0, "VMDK", "KDMV"),
  at(0, "VMDK (ESX redo log)", "COWD"),
  at(0, "VMDK (SE sparse)", "\xbe\xba\xfe\xca\x00\x00\x00\x00"),
  at(0, "VMDK (descriptor)", "# Disk DescriptorFile"),
  at(0, "VHDX", "vhdxfile"),
  at(0, "QCOW", "QFI\xfb"),
  at(0, "QED", "QED\0"),
  at(0, "Parallels", "WithoutFreeSpace"),
  at(0, "Parallels", "WithouFreSpacExt"),
  at(0, "Bochs", "Bochs Virtual HD Image"),
  at(-512, "Apple DMG", "koly"),
  at(0, "Expert Witness (E01)", "EVF\x09\x0d\x0a\xff\x00"),
  at(0, "Expert Witness (Ex01)", "EVF2\x0d\x0a\x81\x00"),
  at(0, "AFF", "AFF10\r\n\0"),
  at(0, "Windows imaging (WIM)", "MSWIM\0\0\0", UNPACK),
  at(0, "gzip", "\x1f\x8b\x08", UNPACK),
  at(0, "xz", "\xfd7zXZ\0", UNPACK),
  at(0, "bzip2", "BZh", UNPACK),
  at(0, "zstd", "\x28\xb5\x2f\xfd", UNPACK),
  at(0, "lz4", "\x04\x22\x4d\x18", UNPACK),
  at(0, "zip", "PK\x03\x04", UNPACK),
  at(0, "7z", "7z\xbc\xaf\x27\x1c", UNPACK),
  at(0, "RAR", "Rar!\x1a\x07", UNPACK),
  at(257, "tar (an OVA is one)", "ustar", UNPACK),
];

/** The formats whose files always begin with a signature, by file extension: a file without it is damaged. */
export const promises: ReadonlyMap<string, string> = new Map([
  ["vdi", "VDI"],
  ["avhd", "VHD"],
  ["vud", "VHD"],
  ["vhdx", "VHDX"],
  ["avhdx", "VHDX"],
  ["qcow2", "QCOW"],
]);

/** Returns the signature in `head` or `tail`, the first and the last bytes of a file; undefined if there is none. */
export function findSignature(head: Buffer, tail: Buffer): Signature | undefined {
  return signatures.find(({ offset, bytes }) => {
    const from = offset < 0 ? tail : head;
    const start = offset < 0 ? from.length + offset : offset;
    return start >= 0 && from.subarray(start, start + bytes.length).equals(bytes);
  });
}
