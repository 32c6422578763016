/** The disks that are measured, made once in a folder of the user's and used again. About 35 GB with the large tree. */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  statSync,
  writeSync,
} from "node:fs";
import { rm } from "node:fs/promises";
import { randomFillSync } from "node:crypto";
import { join } from "node:path";
import { output, ROOT } from "../../../test/support/command.js";
import { MIB, writeScattered } from "../scattered.js";

/** How many images the chain of the 4 GiB disk has. */
export const DEPTH = 16;
/** The files that are read at once, and the bytes of each. */
export const FILES = 8;
export const FILE_SIZE = 2 ** 28;
const DISK_BLOCKS = 4096; // MiB
const DEEP_DEPTH = 64;
const DEEP_SIZE = 2 ** 41; // bytes
const DEEP_PARTITION = 8192; // MiB

/** Where the partition of the large tree's disk begins, in bytes. */
export const PARTITION_OFFSET = 2 ** 20;

/** `disk.raw` of 4 GiB without a zero block, the same as `disk.vdi`, and as 16-deep chains of both VDI and qcow2. */
export function scatteredDisk(folder: string): Promise<string> {
  return made(join(folder, "scattered"), async (at) => {
    const raw = join(at, "disk.raw");
    const file = openSync(raw, "w");
    const block = Buffer.alloc(MIB);
    for (let index = 0; index < DISK_BLOCKS; index++) writeSync(file, randomFillSync(block));
    closeSync(file);
    await writeScattered([join(at, "disk.vdi")], { size: DISK_BLOCKS * MIB, blocks: storedBlocks(raw) });
    mkdirSync(join(at, "chain"));
    const paths = Array.from({ length: DEPTH }, (_, level) => chainImage(at, level, "vdi"));
    const images = await writeScattered(paths, { size: DISK_BLOCKS * MIB, blocks: storedBlocks(raw) });
    for (const [level, blocks] of images.entries()) await writeQcow2(at, level, raw, blocks);
  });
}

/** An image of the chain in the folder that `scatteredDisk` answers; the newest by default. */
export function chainImage(at: string, level = DEPTH - 1, format: "vdi" | "qcow2" = "vdi"): string {
  return join(at, "chain", `${String(level).padStart(2, "0")}.${format}`);
}

/** Eight files, `0` to `7`, and `disk.vdi` with an ext4 that holds the same. */
export function filesDisk(folder: string): Promise<string> {
  return made(join(folder, "files"), async (at) => {
    const files = join(at, "files");
    mkdirSync(files);
    for (let index = 0; index < FILES; index++) {
      const file = openSync(join(files, String(index)), "w");
      for (let block = 0; block < FILE_SIZE / MIB; block++)
        writeSync(file, randomFillSync(Buffer.alloc(MIB)));
      closeSync(file);
    }
    const raw = join(at, "disk.raw");
    const size = (FILES * FILE_SIZE * 9) / 8 / MIB;
    await output("mke2fs", "-q", "-t", "ext4", "-d", files, raw, `${size}M`);
    await writeScattered([join(at, "disk.vdi")], { size: size * MIB, blocks: storedBlocks(raw) });
    await rm(raw);
  });
}

/** The newest image of a 64-deep chain of VDIs: a disk of 2 TiB with one small ext4. */
export async function deepDisk(folder: string): Promise<string> {
  const at = await made(join(folder, "deep"), async (at) => {
    const raw = join(at, "disk.raw");
    await output("truncate", "-s", String(DEEP_SIZE), raw);
    await output(
      "sh",
      "-c",
      `echo "start=2048, size=${DEEP_PARTITION * 2048}, type=83" | sfdisk --quiet ${raw}`,
    );
    await output("mke2fs", "-q", "-F", "-t", "ext4", "-E", "offset=1048576", raw, `${DEEP_PARTITION}M`);
    const paths = Array.from({ length: DEEP_DEPTH }, (_, level) => join(at, `${level}.vdi`));
    await writeScattered(paths, { size: DEEP_SIZE, blocks: storedBlocks(raw, DEEP_PARTITION + 1) });
    await rm(raw);
  });
  return join(at, `${DEEP_DEPTH - 1}.vdi`);
}

/** `state2.vdi` and the same disk as `2.raw`: a partition of more than 100,000 files. */
export async function treeDisk(folder: string): Promise<string> {
  await output("nice", join(ROOT, "scripts/bench/large-tree-disk.sh"), folder);
  return folder;
}

/** The bare server, compiled anew. */
export async function bareServer(folder: string): Promise<string> {
  const program = join(folder, "bare-server");
  await output("cc", "-O2", "-pthread", "-o", program, join(ROOT, "scripts/bench/bare-server.c"));
  return program;
}

/** A folder that is there when it is whole. */
async function made(path: string, make: (at: string) => Promise<void>): Promise<string> {
  if (existsSync(path)) return path;
  console.error(`making ${path}`);
  const part = `${path}.part`;
  await rm(part, { recursive: true, force: true });
  mkdirSync(part, { recursive: true });
  await make(part);
  renameSync(part, path);
  return path;
}

/** The blocks of a raw disk, or of its beginning, that are not zero. */
function storedBlocks(raw: string, count = statSync(raw).size / MIB): Map<number, () => Buffer> {
  const file = openSync(raw, "r");
  const block = Buffer.alloc(MIB);
  const zeros = Buffer.alloc(MIB);
  const read = (index: number, into: Buffer): Buffer => {
    readSync(file, into, 0, MIB, index * MIB);
    return into;
  };
  const stored = Array.from({ length: count }, (_, index) => index).filter(
    (index) => !read(index, block).equals(zeros),
  );
  return new Map(stored.map((index) => [index, () => read(index, block)]));
}

/** The same blocks as in the VDI of that level; holes become clusters that the image below tells. */
async function writeQcow2(at: string, level: number, raw: string, blocks: readonly number[]): Promise<void> {
  const layer = join(at, "layer.raw");
  const [from, to] = [openSync(raw, "r"), openSync(layer, "w")];
  const bytes = Buffer.alloc(MIB);
  for (const block of blocks) {
    readSync(from, bytes, 0, MIB, block * MIB);
    writeSync(to, bytes, 0, MIB, block * MIB);
  }
  closeSync(from);
  closeSync(to);
  await output("truncate", "-s", String(DISK_BLOCKS * MIB), layer);
  const image = chainImage(at, level, "qcow2");
  await output("qemu-img", "convert", "-f", "raw", "-O", "qcow2", layer, image);
  const below = `${String(level - 1).padStart(2, "0")}.qcow2`;
  if (level > 0) await output("qemu-img", "rebase", "-u", "-F", "qcow2", "-b", below, image);
  await rm(layer);
}
