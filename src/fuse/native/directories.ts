/** Directories: OPENDIR, READDIR, READDIRPLUS. */
import { LRUCache } from "lru-cache";
import type { Attributes, LentEntry, NodeId, NodeTree, NodeType } from "../../filesystem/filesystem.js";
import { Errno } from "../errno.js";
import {
  AFTER_DOT,
  AFTER_DOT_DOT,
  direntSize,
  pageOf,
  writeDirent,
  writeDirentAttributes,
} from "../protocol/directory.js";
import { MAX_READ } from "../protocol/init.js";
import { body, HEADER_SIZE, reply, replyWith, writeU32le } from "../protocol/reply.js";
import { Opcode, ReadIn } from "../protocol/request.js";
import type { Ahead } from "./ahead.js";
import type { Handlers } from "./handler.js";
import { entryLender } from "./listing.js";
import type { Threads } from "./threads.js";

/** FOPEN_KEEP_CACHE | FOPEN_CACHE_DIR: the kernel may keep the entries, and what it has of them stays good. */
const CACHE_DIR = (1 << 1) | (1 << 3);

/** Bytes that the C library lists directories with: as many as a listing is prepared for. */
const USUAL_ROOM = 32 * 2 ** 10;

/** Directories of which it is remembered how far they are prepared, and what is. */
const UNFINISHED_COUNT = 64;

/** In the place of a node that nobody should enter on a guess. */
const NO_GUESS = -1;

/** Drafts of replies that are kept. */
const DRAFTS_KEPT = 4;

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
  const lend = entryLender(tree);

  /** Damage at one entry must not hide its neighbours: it is listed without attributes, and asking is EIO. */
  const attributesOf = (id: NodeId): Attributes | undefined | Promise<Attributes | undefined> => {
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
    const draft = drafts.pop() ?? reply(USUAL_ROOM);
    const out = size <= USUAL_ROOM ? draft.fill(0) : reply(size);
    const page = pageOf(out);
    const ids: NodeId[] = [];
    const types: (NodeType | undefined)[] = [];
    const waiting: Promise<void>[] = [];
    let [used, last, isRefused] = [0, 0, false];
    const complete = (index: number, at: number, id: NodeId, attributes: Attributes | undefined): void => {
      if (attributes === undefined) return;
      writeDirentAttributes(page, at, id, attributes, plus);
      types[index] = attributes.type;
    };
    const add = (entry: LentEntry): boolean => {
      const { id, type, cookie, attributes: told, problem } = entry;
      const at = used;
      const end = at + direntSize(entry, plus);
      isRefused = end > size;
      if (isRefused) return false;
      used = end;
      last = cookie;
      writeDirent(page, at, entry, plus);
      const index = types.push(type) - 1;
      if (problem !== undefined) {
        // Node number 0 makes the kernel look the name up, which fails with the same error. Source: fs/fuse/readdir.c.
        complain(problem);
        ids.push(NO_GUESS);
        return true;
      }
      ids.push(cookie === AFTER_DOT || cookie === AFTER_DOT_DOT || entry.isCostly ? NO_GUESS : id);
      const attributes = told ?? (cookie === AFTER_DOT_DOT ? undefined : attributesOf(id));
      if (attributes instanceof Promise)
        waiting.push(
          attributes.then((known) => {
            complete(index, at, id, known);
          }),
        );
      else complete(index, at, id, attributes);
      return true;
    };
    const isEnd = await lend(id, offset, add);
    if (waiting.length > 0) await Promise.all(waiting);
    if (isRefused && used === 0) return undefined;
    if (used > 0) {
      // Every listing ends with a question whose answer is known by now.
      if (isEnd) threads.offer(plus ? Opcode.readdirplus : Opcode.readdir, id, last, NOTHING);
      else if (plus && size >= USUAL_ROOM) unfinished.set(id, last);
    }
    const directories: NodeId[] = [];
    const files: NodeId[] = [];
    const links: NodeId[] = [];
    for (let index = 0; index < ids.length; index++) {
      const id = ids[index]!;
      if (id === NO_GUESS) continue;
      if (types[index] === "file") files.push(id);
      else if (types[index] === "directory") directories.push(id);
      else if (types[index] === "symlink") links.push(id);
    }
    ahead.learn(id, directories, files, offset === 0);
    const told = { out: Buffer.from(out.subarray(0, HEADER_SIZE + used)), links };
    if (drafts.length < DRAFTS_KEPT) drafts.push(draft);
    return told;
  };

  /** Replies that are being written, to be used again: most are shorter. */
  const drafts: Buffer[] = [];

  /**
   * Listings that are prepared, or being so, one a directory. Who asked before the threads had it comes here for it:
   * to choose it once more would be to read all of its batch again.
   */
  const prepared = new LRUCache<NodeId, Preparation>({ max: UNFINISHED_COUNT });

  const list = async (id: NodeId, request: Buffer, plus: boolean): Promise<Buffer | number> => {
    const { offset, size: asked } = ReadIn.view(request);
    const size = Math.min(asked, MAX_READ); // what INIT agreed on, whatever is asked
    const preparation = plus && size >= USUAL_ROOM ? prepared.get(id) : undefined;
    const isPrepared = preparation?.offset === offset;
    if (isPrepared) preparation.isTaken = true;
    const told = await (isPrepared ? preparation.told : tell(id, offset, size, plus));
    if (told === undefined) return Errno.EINVAL;
    if (offset === 0) ahead.listed(id);
    goOn(id);
    return isPrepared ? Buffer.from(told.out) : told.out; // each of several who wait for it needs a header of his own
  };

  const prepare = async (id: NodeId, offset: number): Promise<void> => {
    const preparation = { offset, told: tell(id, offset, USUAL_ROOM, true), isTaken: false };
    prepared.set(id, preparation);
    const { out, links } = (await preparation.told.catch((error: unknown) => {
      if (prepared.peek(id) === preparation) prepared.delete(id);
      throw error;
    }))!;
    for (const link of links) {
      const target = await tree.readLink(link).catch(() => undefined); // who asks for it hears why
      if (target !== undefined) threads.offer(Opcode.readlink, link, 0, replyWith(target));
    }
    if (preparation.isTaken || out.length === HEADER_SIZE) return;
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

/** What is listed, and how it is answered. */
interface Told {
  readonly out: Buffer;
  /** The symbolic links in it. */
  readonly links: readonly NodeId[];
}
