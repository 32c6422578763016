/** What the tests of FAT and exFAT share. */
import { execFileSync } from "node:child_process";
import { read } from "../../../src/extent/read.js";
import { memorySource } from "../../../src/extent/runs.js";
import type { FileSystem, FileSystemDriver, FileSystemOptions } from "../../../src/filesystem/filesystem.js";
import { fatDriver } from "../../../src/filesystem/fat/fat.js";
import { listAll, rawSource } from "../ext/support.js";

export async function openBytes(
  bytes: Buffer,
  options: FileSystemOptions = {},
  driver: FileSystemDriver = fatDriver,
): Promise<FileSystem> {
  const fs = await driver.open(memorySource(bytes, "image"), options);
  if (fs === undefined) throw new Error(`the bytes are not taken for ${driver.name}`);
  return fs;
}

export async function withImage<T>(
  path: string,
  use: (fs: FileSystem) => Promise<T>,
  options: FileSystemOptions = {},
  driver: FileSystemDriver = fatDriver,
): Promise<T> {
  const volume = await rawSource(path);
  try {
    const fs = await driver.open(volume, options);
    if (fs === undefined) throw new Error(`${path} is not taken for ${driver.name}`);
    return await use(fs);
  } finally {
    await volume.close();
  }
}

/** The names in directory `id`, in its order. */
export async function namesIn(fs: FileSystem, id = fs.root): Promise<string[]> {
  return (await listAll(fs, id)).map(({ name }) => name.toString("utf8"));
}

/** The node at `path`, names separated by "/". */
export async function find(fs: FileSystem, path: string): Promise<number | undefined> {
  let id: number | undefined = fs.root;
  for (const name of path.split("/")) {
    if (id === undefined) return undefined;
    id = await fs.lookup(id, Buffer.from(name));
  }
  return id;
}

export async function contentsAt(fs: FileSystem, path: string): Promise<Buffer> {
  const source = await fs.open((await find(fs, path))!);
  return read(source, 0, source.size);
}

/** Runs a program that must succeed, with names as UTF-8 and times as UTC. */
export function tool(command: string, ...args: string[]): string {
  return execFileSync(command, args, {
    encoding: "utf8",
    env: { ...process.env, LC_ALL: "C.UTF-8", TZ: "UTC", MTOOLS_SKIP_CHECK: "1", MTOOLS_NO_VFAT: "0" },
    stdio: ["ignore", "pipe", "pipe"],
    maxBuffer: 2 ** 28,
  });
}

/** What 7zz tells of one file or directory. */
export interface Seen {
  readonly size: number;
  readonly isFolder: boolean;
  readonly modified: string;
  readonly created: string;
  readonly accessed: string;
  readonly attributes: string;
}

/** All that 7zz finds in `image`, by path. */
export function sevenZip(image: string, kind: string): Map<string, Seen> {
  const seen = new Map<string, Seen>();
  for (const block of tool("7zz", "l", "-slt", "-sccUTF-8", `-t${kind}`, image).split(/\n\n+/)) {
    const fields = new Map(
      [...block.matchAll(/^([A-Z][A-Za-z ]*) = (.*)$/gm)].map(([, key, value]) => [key!, value!]),
    );
    const path = fields.get("Path");
    if (path === undefined || !fields.has("Folder")) continue;
    seen.set(path, {
      size: Number(fields.get("Size") ?? 0),
      isFolder: fields.get("Folder") === "+",
      modified: fields.get("Modified") ?? "",
      created: fields.get("Created") ?? "",
      accessed: fields.get("Accessed") ?? "",
      attributes: fields.get("Attributes") ?? "",
    });
  }
  return seen;
}

/** Numbers that are the same every time: xorshift32. */
export function generator(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>>= 0) % limit;
  };
}

/** The numbers from `first` on, shuffled. */
export function shuffled(first: number, count: number, random: (limit: number) => number): number[] {
  const numbers = Array.from({ length: count }, (_, index) => first + index);
  for (let at = count - 1; at > 0; at--) {
    const other = random(at + 1);
    [numbers[at], numbers[other]] = [numbers[other]!, numbers[at]!];
  }
  return numbers;
}

/** `length` bytes that are the same every time. */
export function randomBytes(length: number, seed: number): Buffer {
  const random = generator(seed);
  const bytes = Buffer.alloc(Math.ceil(length / 4) * 4);
  for (let at = 0; at < length; at += 4) bytes.writeUInt32LE(random(2 ** 32), at);
  return bytes.subarray(0, length);
}
