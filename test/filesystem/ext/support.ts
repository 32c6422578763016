/** What the tests of this folder share: a raw image as a volume, and judges other than ourselves. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { lstatSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DiskError } from "../../../src/errors.js";
import type { BlockSource } from "../../../src/extent/extent.js";
import { read } from "../../../src/extent/read.js";
import { extDriver } from "../../../src/filesystem/ext/ext.js";
import type { Attributes, FileSystem, NodeTree } from "../../../src/filesystem/filesystem.js";
import { openFile } from "../../../src/storage/file.js";
import { listEntries, type DirectoryEntry } from "../../../src/filesystem/entries.js";

/** The file at `path` as one source: what the raw image format gives. */
export async function rawSource(path: string): Promise<BlockSource & { close(): Promise<void> }> {
  const storage = await openFile(path, path.replace(/^.*\//, ""));
  return {
    name: storage.name,
    size: storage.size,
    map: async (offset, length) => [{ kind: "stored", storage, offset, length }],
    close: () => storage.close(),
  };
}

export async function withImage<T>(path: string, use: (fs: FileSystem) => Promise<T>): Promise<T> {
  const volume = await rawSource(path);
  try {
    const fs = await extDriver.open(volume);
    if (fs === undefined) throw new Error(`${path} is not taken for ext`);
    return await use(fs);
  } finally {
    await volume.close();
  }
}

/** Every entry of directory `id`, batch after batch. */
export async function listAll(fs: FileSystem, id: number): Promise<DirectoryEntry[]> {
  const all: DirectoryEntry[] = [];
  for (let cookie = 0; ;) {
    const batch = await listEntries(fs, id, cookie);
    if (batch.length === 0) return all;
    all.push(...batch);
    cookie = batch.at(-1)!.cookie;
  }
}

export interface Found {
  /** Names of the path's parts in hexadecimal, joined with "/". */
  readonly path: string;
  readonly id: number;
  readonly attributes: Attributes;
  readonly entry?: DirectoryEntry;
}

/** Everything below `id`, depth first, each directory once. */
export async function* walk(
  fs: FileSystem,
  id = fs.root,
  path = "",
  seen = new Set<number>(),
  ignored: (error: unknown) => undefined = (error) => {
    throw error;
  },
): AsyncGenerator<Found> {
  seen.add(id);
  for (const entry of await listAll(fs, id)) {
    const below = `${path}/${entry.name.toString("hex")}`;
    const attributes = await (async () => fs.attributes(entry.id))().catch(ignored);
    if (attributes === undefined) continue;
    yield { path: below, id: entry.id, attributes, entry };
    if (attributes.type === "directory" && !seen.has(entry.id))
      yield* walk(fs, entry.id, below, seen, ignored);
  }
}

/** What stat(2) says, in the form that `kernelStat` gives. */
export function ourStat(attributes: Attributes): Record<string, unknown> {
  const time = ({ seconds, nanoseconds }: { seconds: number; nanoseconds: number }): bigint =>
    BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds);
  const { device } = attributes;
  return {
    mode: attributes.permissions,
    type: attributes.type,
    ino: attributes.inode,
    nlink: attributes.linkCount,
    uid: attributes.uid,
    gid: attributes.gid,
    size: attributes.size,
    blocks: attributes.allocatedSectors,
    blksize: attributes.blockSize,
    rdev: device === undefined ? 0 : device.major * 2 ** 20 + device.minor,
    mtime: time(attributes.modified),
    ctime: time(attributes.changed),
    atime: time(attributes.accessed),
    // Inodes of 128 bytes have no birth time, and the kernel says 0.
    btime: attributes.created === undefined ? 0n : time(attributes.created),
  };
}

const TYPES: Record<number, string> = {
  0o010000: "fifo",
  0o020000: "character",
  0o040000: "directory",
  0o060000: "block",
  0o100000: "file",
  0o120000: "symlink",
  0o140000: "socket",
};

/** What the kernel's stat(2) says of `path`. */
export function kernelStat(path: Buffer): Record<string, unknown> {
  const s = lstatSync(path, { bigint: true });
  const mode = Number(s.mode);
  const rdev = Number(s.rdev);
  const major = (rdev >>> 8) & 0xfff;
  const minor = (rdev & 0xff) | ((rdev >>> 12) & 0xfff00);
  return {
    mode: mode & 0o7777,
    type: TYPES[mode & 0o170000],
    ino: Number(s.ino),
    nlink: Number(s.nlink),
    uid: Number(s.uid),
    gid: Number(s.gid),
    size: Number(s.size),
    blocks: Number(s.blocks),
    blksize: Number(s.blksize),
    rdev: major * 2 ** 20 + minor,
    mtime: s.mtimeNs,
    ctime: s.ctimeNs,
    atime: s.atimeNs,
    btime: s.birthtimeNs,
  };
}

/** What the kernel holds of one node besides its stat: attributes, a link's target, the stretches with data. */
export interface KernelNode {
  readonly path: string;
  readonly xattrs: Record<string, string>;
  readonly target?: string;
  readonly segments?: readonly [offset: number, length: number, sha256: string][];
}

/** Walks a mount point as the kernel shows it. */
const WALKER = String.raw`
import os, sys, json, stat, hashlib, errno
def xattrs(p):
    out = {}
    for n in os.listxattr(p, follow_symlinks=False):
        key = os.fsencode(n).decode('latin1')
        try: out[key] = os.getxattr(p, n, follow_symlinks=False).hex()
        except OSError as e: out[key] = 'error %d' % e.errno
    return out
def segments(p, size):
    out = []
    fd = os.open(p, os.O_RDONLY)
    try:
        at = 0
        while at < size:
            try: a = os.lseek(fd, at, os.SEEK_DATA)
            except OSError as e:
                if e.errno == errno.ENXIO: break
                raise
            b = os.lseek(fd, a, os.SEEK_HOLE)
            h = hashlib.sha256()
            pos = a
            while pos < b:
                d = os.pread(fd, min(1 << 20, b - pos), pos)
                h.update(d); pos += len(d)
                if not d: break
            out.append((a, b - a, h.hexdigest()))
            at = b
    finally: os.close(fd)
    return out
def walk(p, rel):
    for n in sorted(os.listdir(p)):
        q = p + b'/' + n
        r = rel + '/' + n.hex()
        s = os.lstat(q)
        e = {'path': r, 'xattrs': xattrs(q)}
        if stat.S_ISLNK(s.st_mode): e['target'] = os.readlink(q).hex()
        if stat.S_ISREG(s.st_mode): e['segments'] = segments(q, s.st_size)
        print(json.dumps(e))
        if stat.S_ISDIR(s.st_mode): walk(q, r)
sys.setrecursionlimit(10000)
walk(os.fsencode(sys.argv[1]), '')
`;

export function kernelWalk(mountPoint: string): KernelNode[] {
  const out = execFileSync("python3", ["-c", WALKER, mountPoint], { maxBuffer: 2 ** 30, encoding: "utf8" });
  return out
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as KernelNode);
}

export function pathOf(mountPoint: string, path: string): Buffer {
  const parts = path.split("/").map((part) => Buffer.from(part, "hex"));
  return Buffer.concat(
    parts.flatMap((part, index) => (index === 0 ? [Buffer.from(mountPoint)] : [Buffer.from("/"), part])),
  );
}

/**
 * What differs between the file `id` and what the kernel read of it: its stretches with data, and nothing but
 * zeros between them.
 */
export async function contentDifference(
  fs: FileSystem,
  id: number,
  segments: NonNullable<KernelNode["segments"]>,
): Promise<string | undefined> {
  const source = await fs.open(id);
  let at = 0;
  for (const [offset, length, sha256] of [...segments, [source.size, 0, ""] as const]) {
    const hole = await zeroDifference(source, at, offset - at);
    if (hole !== undefined) return hole;
    if (length > 0 && (await hashOf(source, offset, length)) !== sha256)
      return `bytes ${offset} to ${offset + length}`;
    at = offset + length;
  }
  return at === source.size ? undefined : `size ${source.size}, but data to ${at}`;
}

export async function hashOf(source: BlockSource, offset: number, length: number): Promise<string> {
  const hash = createHash("sha256");
  for (let at = 0; at < length; at += STEP) {
    hash.update(await read(source, offset + at, Math.min(STEP, length - at)));
  }
  return hash.digest("hex");
}

const STEP = 2 ** 20;

async function zeroDifference(
  source: BlockSource,
  offset: number,
  length: number,
): Promise<string | undefined> {
  if (length <= 0) return undefined;
  let at = offset;
  for (const extent of await source.map(offset, length)) {
    if (extent.kind !== "zero") {
      for (let skip = 0; skip < extent.length; skip += STEP) {
        const bytes = await read(source, at + skip, Math.min(STEP, extent.length - skip));
        if (bytes.some((byte) => byte !== 0)) return `bytes ${at + skip} and on are a hole to the kernel`;
      }
    }
    at += extent.length;
  }
  return undefined;
}

/** Reads everything below the root, whatever is wrong with it; anything but a DiskError is thrown on. */
export async function readWhatIsReadable(
  fs: NodeTree,
): Promise<{ nodes: number; errors: DiskError[]; bytes: number }> {
  const errors: DiskError[] = [];
  let nodes = 0;
  let bytes = 0;
  const attempt = async <T>(what: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await what();
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      errors.push(error);
      return undefined;
    }
  };
  const seen = new Set<number>();
  const pending = [fs.root];
  while (pending.length > 0) {
    const id = pending.pop()!;
    if (seen.has(id)) continue;
    seen.add(id);
    nodes++;
    await attempt(() => fs.extendedAttributes(id));
    const attributes = await attempt(async () => fs.attributes(id));
    if (attributes?.type === "symlink") await attempt(() => fs.readLink(id));
    if (attributes?.type === "file") {
      const source = await attempt(() => fs.open(id));
      if (source !== undefined) bytes += await readSome(source, attempt);
    }
    if (attributes?.type !== "directory") continue;
    let last: Buffer | undefined;
    for (let cookie = 0; ;) {
      const batch = await attempt(() => listEntries(fs, id, cookie));
      if (batch === undefined || batch.length === 0) break;
      for (const entry of batch) {
        if (entry.cookie <= cookie) throw new Error("cookies do not grow");
        pending.push(entry.id);
      }
      last = batch.at(-1)!.name;
      cookie = batch.at(-1)!.cookie;
    }
    await attempt(() => fs.lookup(id, last ?? Buffer.from("none")));
    await attempt(() => fs.lookup(id, Buffer.from("no such name")));
  }
  await attempt(() => fs.usage(fs.root));
  return { nodes, errors, bytes };
}

/** The head, the tail and the stored parts of a file, 4 MiB at most: a damaged size may claim any number of bytes. */
async function readSome(
  source: BlockSource,
  attempt: <T>(what: () => Promise<T>) => Promise<T | undefined>,
): Promise<number> {
  let bytes = 0;
  const extents = (await attempt(() => source.map(0, source.size))) ?? [];
  let at = 0;
  for (const extent of extents) {
    const length = Math.min(extent.length, STEP);
    if (extent.kind !== "zero" && bytes < 4 * STEP) {
      await attempt(() => read(source, at, length));
      bytes += length;
    }
    at += extent.length;
  }
  if (extents.length > 0 && at !== source.size) throw new Error(`a map of ${at} bytes of ${source.size}`);
  const tail = Math.min(source.size, 5000);
  await attempt(() => read(source, source.size - tail, tail));
  return bytes;
}

/** A folder of its own that is gone, with all that is mounted in it, when `use` is done. */
export async function withFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "vdisk-ext-"));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs `use` with `image` mounted through the kernel below `folder`; unmounted whatever happens. */
export async function mounted<T>(
  image: string,
  folder: string,
  options: string,
  use: (mountPoint: string) => Promise<T> | T,
): Promise<T> {
  const mountPoint = join(folder, "mnt");
  mkdirSync(mountPoint, { recursive: true });
  execFileSync("mount", ["-t", "ext4", "-o", `loop,${options}`, image, mountPoint], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  try {
    return await use(mountPoint);
  } finally {
    execFileSync("umount", [mountPoint]);
  }
}

export function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}
