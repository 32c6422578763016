/** What a volume holds that no driver reads, by its signature, so that a user can be told its name. */
import type { BlockSource } from "../extent/extent.js";
import { peek } from "./reading.js";
import { SIGNATURES, SWAP_SIGNATURES, type Signature } from "./whole-disk.js";

/**
 * Signatures that are looked for on partitions only. Source: util-linux 2.38, libblkid/src/superblocks, the `magics` of
 * each; Linux, Documentation/admin-guide/md.rst, for the places of an MD superblock of version 1.1 and 1.2.
 */
const MORE_SIGNATURES: readonly Signature[] = [
  ["BitLocker", 3, "-FVE-FS-"],
  ["ReFS", 3, "ReFS"],
  ["APFS", 32, "NXSB"],
  ["HFS+", 1024, "H+"],
  ["HFS+", 1024, "HX"],
  ["F2FS", 1024, "\x10\x20\xf5\xf2"],
  ["Linux RAID", 0, "\xfc\x4e\x2b\xa9"],
  ["Linux RAID", 4096, "\xfc\x4e\x2b\xa9"],
];

/** Returns the name of what begins at the start of `volume`; undefined where no signature is known. */
export async function unreadContentsOf(volume: BlockSource): Promise<string | undefined> {
  for (const [name, offset, signature] of [...SIGNATURES, ...MORE_SIGNATURES, ...SWAP_SIGNATURES]) {
    const found = await peek(volume, offset, signature.length);
    if (found?.toString("latin1") === signature) return name;
  }
  return undefined;
}
