/** Directories: OPENDIR, READDIR, READDIRPLUS. */
import { LRUCache } from "lru-cache";
import type { Attributes, DirectoryEntry, NodeId, NodeTree } from "../../filesystem/filesystem.js";
import { Errno } from "../errno.js";
import { AFTER_DOT, AFTER_DOT_DOT, direntSize, pageOf, writeDirent } from "../protocol/directory.js";
import { body, HEADER_SIZE, reply, replyWith, writeU32le } from "../protocol/reply.js";
import { Opcode, ReadIn } from "../protocol/request.js";
import type { Ahead } from "./ahead.js";
import type { Handlers } from "./handler.js";
import { entryChooser } from "./listing.js";
import type { Threads } from "./threads.js";

/** FOPEN_KEEP_CACHE | FOPEN_CACHE_DIR: the kernel may keep the entries, and what it has of them stays good. */
const CACHE_DIR = (1 << 1) | (1 << 3);

/** Bytes that the C library lists directories with: as many as a listing is prepared for. */
const USUAL_ROOM = 32 * 2 ** 10;

/** Directories of which it is remembered how far they are prepared, and what is. */
const UNFINISHED_COUNT = 64;

/** What a listing ends with. */
const NOTHING = reply(0);

export interface Directories {
  readonly handlers: Handlers;
  /** Lists directory `id` from its start, for the threads to answer with. */
  prepare(id: NodeId): Promise<void>;
  /** Someone has taken up what was prepared of directory `id`: what follows is next. */
  goOn(id: NodeId): void;
}

/** @param stateless whether the kernel does without OPENDIR once it has been refused. */
export function serveDirectories(
  tree: NodeTree,
  complain: (error: unknown) => number,
  stateless: () => boolean,
  threads: Threads,
  ahead: Ahead,
): Directories {
  const choose = entryChooser(tree);

  /** Damage at one entry must not hide its neighbours: it is listed without attributes, and asking is EIO. */
  const attributesOf = ({
    id,
    cookie,
    attributes: told,
  }: DirectoryEntry): Attributes | undefined | Promise<Attributes | undefined> => {
    if (told !== undefined) return told;
    if (cookie === AFTER_DOT_DOT) return undefined;
    try {
      const attributes = tree.attributes(id);
      if (!(attributes instanceof Promise)) return attributes;
      return attributes.catch((error: unknown) => {
        complain(error);
        return undefined;
      });
    } catch (error) {
      complain(error);
      return undefined;
    }
  };

  /** Where to go on with directories whose end was not reached. */
  const unfinished = new LRUCache<NodeId, number>({ max: UNFINISHED_COUNT });

  /** What is listed of directory `id` from `offset` on; those who look ahead hear of it, and of its end the threads. */
  const tell = async (id: NodeId, offset: number, size: number, plus: boolean): Promise<Told | undefined> => {
    const choice = await choose(id, offset, size, plus);
    if (choice === undefined) return undefined;
    const { entries, isEnd } = choice;
    const attributes = await together(entries.map(attributesOf));
    const last = entries.at(-1);
    if (last !== undefined) {
      // Every listing ends with a question whose answer is known by now.
      if (isEnd) threads.offer(plus ? Opcode.readdirplus : Opcode.readdir, id, last.cookie, NOTHING);
      else if (plus && size >= USUAL_ROOM) unfinished.set(id, last.cookie);
    }
    const directories: NodeId[] = [];
    const files: NodeId[] = [];
    entries.forEach(({ id, type: told, cookie, isCostly }, index) => {
      if (cookie === AFTER_DOT || cookie === AFTER_DOT_DOT || isCostly === true) return;
      const type = attributes[index]?.type ?? told;
      if (type === "file") files.push(id);
      else if (type === "directory") directories.push(id);
    });
    ahead.learn(id, directories, files, offset === 0);
    return { entries, attributes };
  };

  /**
   * Listings that are prepared, or being so, one a directory. Who asked before the threads had it comes here for it:
   * to choose it once more would be to read all of its batch again.
   */
  const prepared = new LRUCache<NodeId, Preparation>({ max: UNFINISHED_COUNT });

  const list = async (id: NodeId, request: Buffer, plus: boolean): Promise<Buffer | number> => {
    const { offset, size } = ReadIn.view(request);
    const preparation = plus && size >= USUAL_ROOM ? prepared.get(id) : undefined;
    const isPrepared = preparation?.offset === offset;
    if (isPrepared) preparation.isTaken = true;
    const told = await (isPrepared ? preparation.told : tell(id, offset, size, plus));
    if (told === undefined) return Errno.EINVAL;
    const out = reply(sizeOf(told, plus));
    write(out, told, plus);
    if (offset === 0) ahead.listed(id);
    goOn(id);
    return out;
  };

  const prepare = async (id: NodeId, offset: number): Promise<void> => {
    const preparation = { offset, told: tell(id, offset, USUAL_ROOM, true), isTaken: false };
    prepared.set(id, preparation);
    const told = (await preparation.told.catch((error: unknown) => {
      if (prepared.peek(id) === preparation) prepared.delete(id);
      throw error;
    }))!;
    for (const entry of told.entries) {
      if (entry.type !== "symlink") continue;
      threads.offer(Opcode.readlink, entry.id, 0, replyWith(await tree.readLink(entry.id)));
    }
    if (preparation.isTaken || told.entries.length === 0) return;
    const out = offered.subarray(0, HEADER_SIZE + sizeOf(told, true)).fill(0);
    write(out, told, true);
    threads.offer(Opcode.readdirplus, id, offset, out);
  };

  /** One page ahead of whoever lists directory `id`, as long as its end is not in sight. */
  const goOn = (id: NodeId): void => {
    prepared.delete(id);
    if (!unfinished.has(id)) return;
    setImmediate(() => {
      const offset = unfinished.get(id);
      if (offset === undefined) return; // whoever lists it was faster, and it goes on from there
      unfinished.delete(id);
      prepare(id, offset).catch(() => undefined); // who asks for it hears why
    });
  };

  /** An offer is copied as it is made: one buffer serves all. */
  const offered = Buffer.alloc(HEADER_SIZE + USUAL_ROOM);

  return {
    handlers: {
      [Opcode.opendir]: () => {
        if (stateless()) return Errno.ENOSYS;
        const out = reply(16);
        writeU32le(body(out), CACHE_DIR, 8);
        return out;
      },
      [Opcode.readdir]: (nodeId, request) => list(nodeId, request, false),
      [Opcode.readdirplus]: (nodeId, request) => list(nodeId, request, true),
    },
    prepare: (id) => prepare(id, 0),
    goOn,
  };
}

/** A listing that is prepared, or being so. */
interface Preparation {
  readonly offset: number;
  readonly told: Promise<Told | undefined>;
  /** Somebody has asked for it by now: the threads need not. */
  isTaken: boolean;
}

/** Entries, each with its attributes, where these can be read. */
interface Told {
  readonly entries: readonly DirectoryEntry[];
  readonly attributes: readonly (Attributes | undefined)[];
}

/** Bytes of a listing, without its header. */
function sizeOf({ entries }: Told, plus: boolean): number {
  return entries.reduce((sum, { name }) => sum + direntSize(name, plus), 0);
}

/** Writes a listing into `out`, zeroed, behind the room for its header. */
function write(out: Buffer, { entries, attributes }: Told, plus: boolean): void {
  const page = pageOf(out);
  let at = 0;
  entries.forEach((entry, index) => {
    at = writeDirent(page, at, entry, attributes[index], plus);
  });
}

/** All of `values`, waiting only where one has to be waited for. */
async function together<T>(values: (T | Promise<T>)[]): Promise<T[]> {
  return values.some((value) => value instanceof Promise) ? Promise.all(values) : (values as T[]);
}
