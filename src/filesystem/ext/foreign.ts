/**
 * Other formats, by their signatures. Where the primary superblock is missing, one of them means that the volume was
 * formatted anew, and that copies of a superblock are remains of an older ext.
 */
import type { BlockSource } from "../../extent/extent.js";
import { peek } from "../../extent/peek.js";

/** Source: util-linux libblkid/src/superblocks, the `magics` of each. Bytes as latin1 text. */
const SIGNATURES: readonly [offset: number, bytes: string][] = [
  [0, "XFSB"],
  [0, "LUKS"],
  [0, "hsqs"], // squashfs
  [0, "\xfc\x4e\x2b\xa9"], // software RAID, version 1.1
  [4096, "\xfc\x4e\x2b\xa9"], // version 1.2
  [0, "LABELONE"], // LVM2, in any of the first four sectors
  [512, "LABELONE"],
  [1024, "LABELONE"],
  [1536, "LABELONE"],
  [32, "NXSB"], // APFS
  [1024, "H+"], // HFS+
  [1024, "HX"],
  [1024, "\x10\x20\xf5\xf2"], // F2FS
  [1024, "\xe2\xe1\xf5\xe0"], // EROFS
  [1030, "\x34\x34"], // NILFS2
  [4086, "SWAPSPACE2"],
  [4086, "SWAP-SPACE"],
  [4120, "\xc6\x85\x73\xf6\x4e\x1a\x45\xca"], // bcache, bcachefs
  [32768, "JFS1"],
  [32769, "CD001"], // ISO 9660
  [65588, "ReIsEr"],
  [65600, "_BHRfS_M"], // btrfs
];

/** A boot sector's last two bytes, and the BIOS parameter block's bytes per sector and sectors per cluster. */
const BOOT_MARK_OFFSET = 510;
const BOOT_MARK = 0xaa55;
const SECTOR_SIZE_OFFSET = 0x0b;
const CLUSTER_SIZE_OFFSET = 0x0d;
const SECTOR_SIZES = [512, 1024, 2048, 4096];
/** At the same place in the boot sectors of both. */
const OEM_ID_OFFSET = 3;
const OEM_IDS = ["NTFS    ", "EXFAT   ", "-FVE-FS-"];

/** Whether `volume` begins as another format does, as far as it can be read. */
export async function isForeign(volume: BlockSource): Promise<boolean> {
  const boot = await peek(volume, 0, 512);
  if (boot !== undefined && isBootSector(boot)) return true;
  for (const [offset, signature] of SIGNATURES) {
    const bytes = await peek(volume, offset, signature.length);
    if (bytes?.toString("latin1") === signature) return true;
  }
  return false;
}

/** Whether `sector` is the boot sector of a FAT, exFAT or NTFS. */
function isBootSector(sector: Buffer): boolean {
  if (sector.readUInt16LE(BOOT_MARK_OFFSET) !== BOOT_MARK) return false;
  if (OEM_IDS.includes(sector.toString("latin1", OEM_ID_OFFSET, OEM_ID_OFFSET + 8))) return true;
  const clusterSize = sector[CLUSTER_SIZE_OFFSET]!;
  const isPower = clusterSize > 0 && (clusterSize & (clusterSize - 1)) === 0;
  return isPower && SECTOR_SIZES.includes(sector.readUInt16LE(SECTOR_SIZE_OFFSET));
}
