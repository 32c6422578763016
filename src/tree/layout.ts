/** The names of the tree, those of `vboximg-mount`: its users are at home here. */
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import type { Timestamp } from "../bytes/time.js";
import type { BlockSource } from "../extent/extent.js";
import type { NodeTree } from "../filesystem/filesystem.js";
import type { Layer } from "../image/image.js";
import { composeTree } from "./compose.js";
import type { Fixture } from "./fixtures.js";
import type { Part } from "./part.js";

/**
 * The tree of a disk: `vhdd`, the partitions `vol0` to `volN`, the files `fsN/` of those whose file system is
 * known, and a symbolic link to the image by its own name. What it shows belongs to whoever runs this, and is
 * as old as the image.
 */
export async function diskTree(disk: {
  readonly path: string;
  readonly source: BlockSource;
  readonly layers: readonly Layer[];
  readonly parts: readonly Part[];
}): Promise<NodeTree> {
  const storedSize = disk.layers.reduce((sum, layer) => sum + layer.storage.size, 0);
  const entries = new Map<string, Fixture>();
  // First in, last to win: an image that is itself called "vhdd" does not hide the disk.
  entries.set(basename(disk.path), { kind: "symlink", target: disk.path });
  entries.set("vhdd", { kind: "file", source: disk.source, storedSize });
  for (const { volume, fileSystem } of disk.parts) {
    entries.set(`vol${volume.index}`, { kind: "file", source: volume.source, storedSize });
    if (fileSystem !== undefined) entries.set(`fs${volume.index}`, { kind: "tree", tree: fileSystem });
  }
  const time = await modificationTime(disk.path);
  return composeTree(
    { kind: "directory", entries },
    { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, time },
  );
}

async function modificationTime(path: string): Promise<Timestamp> {
  const { mtimeMs } = await stat(path);
  const seconds = Math.floor(mtimeMs / 1000);
  return { seconds, nanoseconds: Math.floor((mtimeMs - seconds * 1000) * 1e6) };
}
