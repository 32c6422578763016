/** The names of the tree, which are those of `vboximg-mount`, so that its users know them. */
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import type { Timestamp } from "../bytes/time.js";
import type { SyntheticNode, Owner } from "./synthetic.js";
import type { View } from "./view.js";

/**
 * Returns the entries for the image at `path` (absolute): `vhdd`, the partitions `vol0` to `volN`, a directory `fsN/` for
 * each of them whose file system is known, and a symbolic link to the image by its own name.
 */
export function entriesOf(path: string, { source, layers, parts }: View): Map<string, SyntheticNode> {
  const storedSize = layers.flatMap(({ image }) => image.files).reduce((sum, { size }) => sum + size, 0);
  const entries = new Map<string, SyntheticNode>();
  // The names that are set later replace this one: an image that is called "vhdd" does not hide the disk.
  entries.set(basename(path), { kind: "symlink", target: path });
  entries.set("vhdd", { kind: "file", source, storedSize });
  for (const { volume, fileSystem, changing } of parts) {
    entries.set(`vol${volume.index}`, { kind: "file", source: volume.source, storedSize });
    if (fileSystem !== undefined)
      entries.set(`fs${volume.index}`, { kind: "tree", tree: fileSystem, changing });
  }
  return entries;
}

/** The owner of synthetic nodes is the user who runs vdisk; their time is that of the image at `path`. */
export async function ownerOf(path: string): Promise<Owner> {
  return { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, time: await modificationTime(path) };
}

async function modificationTime(path: string): Promise<Timestamp> {
  const { mtimeMs } = await stat(path);
  const seconds = Math.floor(mtimeMs / 1000);
  return { seconds, nanoseconds: Math.floor((mtimeMs - seconds * 1000) * 1e6) };
}
