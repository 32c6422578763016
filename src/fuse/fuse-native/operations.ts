/** Serves a tree of nodes through fuse-native's operations on paths. */
import type { Operations, Stat, Statfs } from "fuse-native";
import { LRUCache } from "lru-cache";
import type { Logger } from "pino";
import { withinMemory } from "../../bytes/memory.js";
import type { Timestamp } from "../../bytes/time.js";
import type { BlockSource } from "../../extent/extent.js";
import { readInto } from "../../extent/read.js";
import {
  extendedAttribute,
  type Attributes,
  type NodeId,
  type NodeTree,
  type Usage,
} from "../../filesystem/filesystem.js";
import { pagesOf, type DirectoryEntry } from "../../filesystem/entries.js";
import { errorReporter, Errno } from "../errno.js";
import { deviceNumber, modeOf, typeBits } from "../protocol/attributes.js";
import { parseShownName, showName, showTarget } from "./names.js";

/** Paths whose nodes are cached. */
const PATHS_KEPT = withinMemory(2 ** 16);

const WORD = 2 ** 32;

/** The package's operations, and two more for the methods that are overridden. */
export interface TreeOperations extends Operations {
  /** Calls `done` with the number of bytes that were copied to `into`, or if that is empty, with the size of the value. */
  attribute(path: string, name: string, into: Buffer, done: (result: number) => void): void;
  attributeNames(path: string, into: Buffer, done: (result: number) => void): void;
}

export function operationsOf(tree: NodeTree, log: Logger): TreeOperations {
  const report = errorReporter(log);
  // The package does not say which user makes a request. The mount of an ordinary user is usually for that user only.
  const isRoot = process.geteuid?.() === 0;
  /** The open files, by handle. A source is dropped when the tree has changed. */
  const open = new Map<number, { readonly id: NodeId; source: BlockSource | undefined }>();
  let lastHandle = 0;

  const ids = new LRUCache<string, NodeId>({ max: PATHS_KEPT });
  const resolve = async (path: string): Promise<NodeId> => {
    if (path === "/") return tree.root;
    const known = ids.get(path);
    if (known !== undefined) return known;
    const slash = path.lastIndexOf("/");
    const parent = await resolve(path.slice(0, slash) || "/");
    const name = path.slice(slash + 1);
    const id =
      (await tree.lookup(parent, parseShownName(name))) ?? (await tree.lookup(parent, Buffer.from(name)));
    if (id === undefined) throw new Errored(Errno.ENOENT);
    ids.set(path, id);
    return id;
  };

  tree.changes?.on(open, () => {
    ids.clear();
    for (const file of open.values()) file.source = undefined;
  });

  /** Calls `done` with the result of `work`, or with the errno of its error. */
  const answer = <R>(done: (error: number, result?: R) => void, work: () => Promise<R>): void => {
    work().then(
      (result) => {
        done(0, result);
      },
      (error: unknown) => {
        done(-(error instanceof Errored ? error.errno : report(error)));
      },
    );
  };

  /** The same if `done` takes a number of bytes instead of 0. */
  const answerCount = (done: (result: number) => void, work: () => Promise<number>): void => {
    answer<number>((error, count) => {
      done(error || count!);
    }, work);
  };

  const list = async (path: string): Promise<{ names: string[]; stats: Stat[] }> => {
    const id = await resolve(path);
    const names = [".", ".."];
    const parent = await resolve(path.slice(0, path.lastIndexOf("/")) || "/");
    const stats = [statOf(await tree.attributes(id)), statOf(await tree.attributes(parent))];
    for await (const entries of pagesOf(tree, id, { attributes: true })) {
      for (const entry of entries) names.push(showName(entry.name));
      for (const stat of await Promise.all(entries.map(entryStat))) stats.push(stat);
    }
    return { names, stats };
  };

  /** The attributes of an entry; only its type if they are damaged, so that the other entries are listed. */
  const entryStat = async ({ id, type, attributes, problem }: DirectoryEntry): Promise<Stat> => {
    try {
      if (problem !== undefined) throw problem;
      return statOf(attributes ?? (await tree.attributes(id)));
    } catch (error) {
      report(error);
      return { ...UNKNOWN, mode: typeBits(type) };
    }
  };

  return {
    getattr(path, done) {
      answer(done, async () => statOf(await tree.attributes(await resolve(path))));
    },
    readdir(path, done) {
      answer<{ names: string[]; stats: Stat[] }>(
        (error, result) => {
          done(error, result?.names, result?.stats);
        },
        () => list(path),
      );
    },
    readlink(path, done) {
      answer(done, async () => showTarget(await tree.readLink(await resolve(path))));
    },
    open(path, flags, done) {
      answer(done, async () => {
        if ((flags & 3) !== 0) throw new Errored(Errno.EROFS);
        const id = await resolve(path);
        const source = await tree.open(id);
        // A handle is an `int` in C, and not 0.
        do lastHandle = (lastHandle % 0x7fffffff) + 1;
        while (open.has(lastHandle));
        open.set(lastHandle, { id, source });
        return lastHandle;
      });
    },
    read(_, handle, into, length, offset, done) {
      answerCount(done, async () => {
        const file = open.get(handle)!;
        const source = (file.source ??= await tree.open(file.id));
        const count = Math.max(0, Math.min(length, source.size - offset));
        if (count > 0) await readInto(source, into.subarray(0, count), offset);
        return count;
      });
    },
    release(_, handle, done) {
      open.delete(handle);
      done(0);
    },
    statfs(path, done) {
      answer(done, async () => statfsOf(await tree.usage(await resolve(path))));
    },
    getxattr: () => undefined,
    listxattr: () => undefined,
    attribute(path, name, into, done) {
      answerCount(done, async () => {
        const id = await resolve(path);
        const attributes = await tree.extendedAttributes(id);
        const listed = [...attributes].find(([key]) => shownAttribute(key) === name)?.[1];
        const value = listed ?? (await extendedAttribute(tree, id, name));
        if (value === undefined) throw new Errored(Errno.ENODATA);
        return copyTo(value, into);
      });
    },
    attributeNames(path, into, done) {
      answerCount(done, async () => {
        const all = [...(await tree.extendedAttributes(await resolve(path))).keys()];
        const names = isRoot ? all : all.filter((name) => !name.startsWith("trusted."));
        return copyTo(Buffer.from(names.map((name) => `${shownAttribute(name)}\0`).join("")), into);
      });
    },
  };
}

/** The string for the name of an attribute. */
function shownAttribute(name: string): string {
  return showName(Buffer.from(name, "latin1"));
}

/** An errno for the kernel that is no error of the disk. */
class Errored extends Error {
  readonly errno: number;

  constructor(errno: number) {
    super();
    this.errno = errno;
  }
}

function copyTo(value: Buffer, into: Buffer): number {
  if (into.length > 0 && value.length > into.length) throw new Errored(Errno.ERANGE);
  value.copy(into);
  return value.length;
}

function statOf(attributes: Attributes): Stat {
  return {
    mode: modeOf(attributes),
    uid: attributes.uid,
    gid: attributes.gid,
    size: attributes.size,
    nlink: attributes.linkCount,
    ino: attributes.inode % WORD || WORD - 1, // 0 would be a deleted entry
    rdev: deviceNumber(attributes),
    blksize: attributes.blockSize,
    blocks: attributes.allocatedSectors,
    atime: milliseconds(attributes.accessed),
    mtime: milliseconds(attributes.modified),
    ctime: milliseconds(attributes.changed),
  };
}

/** Attributes that are not known. The inode number is libfuse's FUSE_UNKNOWN_INO. */
const UNKNOWN: Stat = {
  ...{ mode: 0, uid: 0, gid: 0, size: 0, nlink: 1, ino: WORD - 1, rdev: 0, blksize: 0, blocks: 0 },
  ...{ atime: 0, mtime: 0, ctime: 0 },
};

function milliseconds({ seconds, nanoseconds }: Timestamp): number {
  return Math.max(0, seconds * 1000 + Math.floor(nanoseconds / 1e6));
}

/** The package's counts have 32 bits: blocks are combined to larger ones until their number fits. */
function statfsOf(usage: Usage): Statfs {
  let unit = 1;
  while (usage.blocks / unit >= WORD) unit *= 2;
  const files = Math.min(usage.files, WORD - 1);
  const ffree = Math.min(usage.freeFiles, WORD - 1);
  return {
    bsize: usage.blockSize * unit,
    frsize: usage.blockSize * unit,
    blocks: Math.floor(usage.blocks / unit),
    bfree: Math.floor(usage.freeBlocks / unit),
    bavail: Math.floor(usage.availableBlocks / unit),
    files,
    ffree,
    favail: ffree,
    namemax: usage.maximumNameLength,
  };
}
