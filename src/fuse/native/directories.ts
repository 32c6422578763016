/** Directories: OPENDIR, READDIR, READDIRPLUS. */
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
import { body, HEADER_SIZE, reply, replyWith, writeU32le } from "../protocol/reply.js";
import { Opcode, ReadIn } from "../protocol/request.js";
import type { Ahead, Page } from "./ahead.js";
import type { Handlers } from "./handler.js";
import { entryLender } from "./listing.js";
import type { Threads } from "./threads.js";

/** FOPEN_KEEP_CACHE | FOPEN_CACHE_DIR: the kernel may keep the entries, and what it has of them stays good. */
const CACHE_DIR = (1 << 1) | (1 << 3);

/** Bytes that the C library lists directories with: as many as a listing is prepared for. */
const USUAL_ROOM = 32 * 2 ** 10;

/** In the place of a node that nobody should enter on a guess. */
const NO_GUESS = -1;

/** Drafts of replies that are kept. */
const DRAFTS_KEPT = 4;

/** What a listing ends with. */
const NOTHING = reply(0);

export interface Directories {
  readonly handlers: Handlers;
  /** Makes a page of a listing, for the threads to answer with. */
  prepare(page: Page): Promise<void>;
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

  /** What page `{ id, offset }` of a listing is; those who look ahead hear of it, and of its end the threads. */
  const tell = async ({ id, offset }: Page, size: number, plus: boolean): Promise<Told | undefined> => {
    const draft = drafts.pop() ?? reply(USUAL_ROOM);
    const out = size <= USUAL_ROOM ? draft.fill(0) : reply(size);
    const words = pageOf(out);
    const ids: NodeId[] = [];
    const types: (NodeType | undefined)[] = [];
    const waiting: Promise<void>[] = [];
    let [used, last, isRefused] = [0, 0, false];
    const complete = (index: number, at: number, id: NodeId, attributes: Attributes | undefined): void => {
      if (attributes === undefined) return;
      writeDirentAttributes(words, at, id, attributes, plus);
      types[index] = attributes.type;
    };
    const add = (entry: LentEntry): boolean => {
      const { id, type, cookie, attributes: told } = entry;
      const at = used;
      const end = at + direntSize(entry, plus);
      isRefused = end > size;
      if (isRefused) return false;
      used = end;
      last = cookie;
      writeDirent(words, at, entry, plus);
      const index = types.push(type) - 1;
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
    // Every listing ends with a question whose answer is known by now.
    if (isEnd && used > 0) threads.offer(plus ? Opcode.readdirplus : Opcode.readdir, id, last, NOTHING);
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
    const following = { next: isEnd ? undefined : last, isWanted: plus && size >= USUAL_ROOM };
    ahead.learn({ id, offset }, directories, files, following);
    const told = { out: Buffer.from(out.subarray(0, HEADER_SIZE + used)), links };
    if (drafts.length < DRAFTS_KEPT) drafts.push(draft);
    return told;
  };

  /** Replies that are being written, to be used again: most are shorter. */
  const drafts: Buffer[] = [];

  /**
   * The page that was prepared last, or is being so. Who asked before the threads had it comes here for it: to choose it
   * once more would be to read all of its batch again.
   */
  let latest: Preparation | undefined;

  const list = async (id: NodeId, request: Buffer, plus: boolean): Promise<Buffer | number> => {
    const { offset, size } = ReadIn.view(request);
    const isPrepared = latest?.id === id && latest.offset === offset && plus && size >= USUAL_ROOM;
    if (isPrepared) latest!.isTaken = true;
    const told = await (isPrepared ? latest!.told : tell({ id, offset }, size, plus));
    if (told === undefined) return Errno.EINVAL;
    ahead.listed({ id, offset });
    return isPrepared ? Buffer.from(told.out) : told.out; // each of several who wait for it needs a header of his own
  };

  const prepare = async ({ id, offset }: Page): Promise<void> => {
    const preparation = { id, offset, told: tell({ id, offset }, USUAL_ROOM, true), isTaken: false };
    latest = preparation;
    const { out, links } = (await preparation.told.catch((error: unknown) => {
      if (latest === preparation) latest = undefined;
      throw error;
    }))!;
    for (const link of links) {
      const target = await tree.readLink(link).catch(() => undefined); // who asks for it hears why
      if (target !== undefined) threads.offer(Opcode.readlink, link, 0, replyWith(target));
    }
    if (!preparation.isTaken) threads.offer(Opcode.readdirplus, id, offset, out);
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
    prepare,
  };
}

/** A page that is prepared, or being so. */
interface Preparation extends Page {
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
