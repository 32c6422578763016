/** A disk at one state of its chain, with its partitions, their file systems and the one tree that holds all. */
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { DiskError, fromHost, MissingError } from "../errors.js";
import type { BlockSource } from "../extent/extent.js";
import type { FileSystemOptions, NodeTree } from "../filesystem/filesystem.js";
import { openChain } from "../image/chain.js";
import type { Layer } from "../image/image.js";
import type { DiskState } from "../machine/machine.js";
import { findImages } from "../machine/machines.js";
import { readVolumes } from "../volume/volumes.js";
import type { VolumeTable } from "../volume/volume.js";
import { diskTree } from "./layout.js";
import { openPart, warningsOf, type Part } from "./part.js";

export interface OpenOptions {
  /** Folders, besides the image's own, in which files that the image names may lie. */
  readonly allowDirs?: readonly string[];
  readonly fileSystems?: FileSystemOptions;
  /** Whether the partitions' file systems are opened, for `fsN/`; they are, unless told. */
  readonly guestFiles?: boolean;
  /** All states of the disk, the oldest first, where a machine tells of them. */
  readonly states?: readonly DiskState[];
}

export interface Disk {
  /** The image as it was named, made absolute. */
  readonly path: string;
  /** The whole disk: `vhdd`. */
  readonly source: BlockSource;
  /** The chain, the newest image first. */
  readonly layers: readonly Layer[];
  readonly table: VolumeTable;
  readonly parts: readonly Part[];
  /** vhdd, volN, fsN/ and the link to the image. */
  readonly tree: NodeTree;
  /** What is odd or damaged anywhere, but did not stop us; each once. */
  readonly warnings: readonly string[];
  close(): Promise<void>;
}

/**
 * Opens the image `path`, its chain below it, and what is on the disk. A part that cannot be read is said in
 * `warnings` and does not keep the rest from being read.
 * @throws {DiskError} when the image or one of its parents cannot be opened.
 */
export async function openDisk(path: string, options: OpenOptions = {}): Promise<Disk> {
  for (const folder of options.allowDirs ?? []) await checkFolder(folder);
  const chain = await openChain(path, {
    allowDirs: options.allowDirs ?? [],
    findImages,
  });
  try {
    const table = await readTable(chain.source);
    const parts: Part[] =
      options.guestFiles === false
        ? table.volumes.map((volume) => ({ volume }))
        : await Promise.all(table.volumes.map((volume) => openPart(volume, options.fileSystems ?? {})));
    const disk = { path: resolve(path), source: chain.source, layers: chain.layers, table, parts };
    return {
      ...disk,
      tree: await diskTree(disk),
      warnings: [...new Set([...chain.warnings, ...table.warnings, ...parts.flatMap(warningsOf)])],
      close: () => chain.close(),
    };
  } catch (error) {
    await chain.close();
    throw error;
  }
}

/** A mistyped folder would only be silence. */
async function checkFolder(path: string): Promise<void> {
  const stats = await stat(path).catch((error: unknown) => {
    throw fromHost(error, path);
  });
  if (!stats.isDirectory()) {
    throw new MissingError({ file: path, thing: "this is not a folder", hint: "--allow-dir takes one" });
  }
}

/** A damaged partition table takes the partitions, not the disk. */
async function readTable(disk: BlockSource): Promise<VolumeTable> {
  try {
    return await readVolumes(disk);
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    const warning = `the partition table cannot be read, only the whole disk is shown: ${error.message}`;
    return { kind: "none", sectorSize: 512, volumes: [], warnings: [warning] };
  }
}
