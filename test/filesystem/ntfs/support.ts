/** What the tests of this folder share: NTFS in raw images, and ntfs-3g, which writes them and judges. */
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { ntfsBackupDriver, ntfsDriver } from "../../../src/filesystem/ntfs/ntfs.js";
import type { FileSystem, FileSystemOptions } from "../../../src/filesystem/filesystem.js";
import type { BlockSource } from "../../../src/extent/extent.js";
import { rawSource, run } from "../ext/support.js";

export async function openNtfs(
  volume: BlockSource,
  options?: FileSystemOptions,
): Promise<FileSystem | undefined> {
  return (await ntfsDriver.open(volume, options)) ?? ntfsBackupDriver.open(volume, options);
}

export async function withNtfs<T>(
  path: string,
  use: (fs: FileSystem) => Promise<T>,
  options?: FileSystemOptions,
): Promise<T> {
  const volume = await rawSource(path);
  try {
    const fs = await openNtfs(volume, options);
    if (fs === undefined) throw new Error(`${path} is not taken for NTFS`);
    return await use(fs);
  } finally {
    await volume.close();
  }
}

/** A new file system of `size` MiB in a file of `folder`. */
export function makeImage(folder: string, size: number, ...mkntfs: string[]): string {
  const image = join(folder, "image");
  execFileSync("truncate", ["-s", `${size}M`, image]);
  run("mkntfs", "-q", "-F", "-f", ...mkntfs, image);
  return image;
}

/** Runs `use` with `image` mounted by ntfs-3g below `folder`; unmounted whatever happens. */
export async function mountedByNtfs3g<T>(
  image: string,
  folder: string,
  options: string,
  use: (mountPoint: string) => Promise<T> | T,
): Promise<T> {
  const mountPoint = join(folder, "mnt");
  mkdirSync(mountPoint, { recursive: true });
  execFileSync("ntfs-3g", [image, mountPoint, "-o", options], { stdio: ["ignore", "ignore", "pipe"] });
  try {
    return await use(mountPoint);
  } finally {
    execFileSync("umount", [mountPoint]);
    // The driver writes its last after the mount point is free.
    execFileSync("sh", ["-c", `while pgrep -f "[n]tfs-3g ${image} " >/dev/null; do sleep 0.05; done`]);
  }
}

/** The node at a path of plain names. */
export async function find(fs: FileSystem, path: string): Promise<number> {
  let id = fs.root;
  for (const name of path.split("/")) {
    const next = await fs.lookup(id, Buffer.from(name));
    if (next === undefined) throw new Error(`${path}: no ${name}`);
    id = next;
  }
  return id;
}
