/** Pages of a directory: the replies to READDIR and READDIRPLUS. */
import type { StopSignal } from "../../extent/time-slice.js";
import { DiskError } from "../../errors.js";
import { TYPE_CODES, type Attributes } from "../../filesystem/attributes.js";
import type { NodeId, NodeTree } from "../../filesystem/filesystem.js";
import { AFTER_DOT, AFTER_DOT_DOT } from "../protocol/directory.js";
import { HEADER_SIZE, reply } from "../protocol/reply.js";
import { KeptPages } from "./kept-pages.js";
import type { Parents } from "./parents.js";
import { ReplyWriter, type EntrySource } from "./reply-writer.js";

/** Bytes that the C library requests of a directory at once: the size of prefetched pages. */
export const USUAL_SIZE = 32 * 2 ** 10;

/** Bytes of a short page, and about as many entries as fit into it. */
const SHORT_SIZE = 4096;
const SHORT_COUNT = 32;

/** Buffers for replies under construction that are kept. */
const DRAFTS_KEPT = 4;

export interface Page {
  /** The reply, with space for its header. */
  readonly out: Buffer;
  /** The cookie of its last entry; undefined for an empty page. */
  readonly last: number | undefined;
  /** Whether no entries follow. */
  readonly isEnd: boolean;
  readonly isShort: boolean;
  /** Its directories, regular files and symbolic links that may be prefetched. */
  readonly directories: NodeId[];
  readonly files: NodeId[];
  readonly links: NodeId[];
}

/**
 * Reads the page of directory `id` from `offset` on, of `size` bytes at most. Undefined if not one entry fits.
 * @param plus whether each entry has its attributes (READDIRPLUS).
 * @param isShort reads only a few entries, without attributes.
 * @throws {Interrupted} once `signal` is aborted.
 */
export type ReadPage = (
  id: NodeId,
  offset: number,
  size: number,
  plus: boolean,
  isShort: boolean,
  signal?: StopSignal,
) => Promise<Page | undefined>;

/** @param report logs an error. */
export function pageReader(tree: NodeTree, report: (error: unknown) => unknown, parents: Parents): ReadPage {
  const kept = new KeptPages(tree);
  const source: EntrySource = {
    report,
    async attributesOf(id) {
      try {
        return await tree.attributes(id);
      } catch (error) {
        report(error);
        return undefined;
      }
    },
  };

  /** Buffers in which replies are written: most replies are shorter, and are copied out of them. */
  const drafts: Buffer[] = [];

  /**
   * Adds the entries of directory `id` after `offset` to the reply. Resolves to whether the end was reached.
   * @throws {DiskError} if the directory is damaged there, and no entry comes before the damage.
   */
  async function addEntries(
    writer: ReplyWriter,
    id: NodeId,
    offset: number,
    isShort: boolean,
    signal?: StopSignal,
  ): Promise<boolean> {
    const options = { limit: isShort ? SHORT_COUNT : undefined, attributes: !isShort, signal };
    let cookie = offset === AFTER_DOT || offset === AFTER_DOT_DOT ? 0 : offset;
    try {
      while (!writer.isFull && !(isShort && writer.ids.length >= SHORT_COUNT)) {
        const place = await kept.after(id, cookie, options);
        const { page, from } = place;
        const next = writer.add(page, from);
        if (next < page.count) {
          if (!isShort) kept.keep(id, place);
          return false;
        }
        if (page.isLast) {
          kept.drop(id);
          return true;
        }
        cookie = page.cookies[page.count - 1]!;
      }
      return false;
    } catch (error) {
      // Entries before the damage are returned first. The next request starts at the damage and fails.
      if (writer.last === undefined || !(error instanceof DiskError)) throw error;
      return false;
    }
  }

  /** Adds "." and ".." to the reply, as far as they come after `offset`. Resolves to the attributes of ".". */
  async function addDots(writer: ReplyWriter, id: NodeId, offset: number): Promise<Attributes | undefined> {
    const hasDot = offset === 0;
    if (hasDot || offset === AFTER_DOT) writer.addDots(hasDot);
    const own = hasDot ? await source.attributesOf(id) : undefined;
    if (own !== undefined) writer.setDot(id, own);
    return own;
  }

  /** The inode number of "..", which may only be known once the start of the directory was read. */
  async function parentInode(id: NodeId, own: Attributes | undefined): Promise<number | undefined> {
    if (id === tree.root && own !== undefined) return own.inode;
    return parents.inodeOf(id).catch((error: unknown) => {
      if (!(error instanceof DiskError)) report(error);
      return undefined;
    });
  }

  /** Sorts the entries of directory `parent` that were written into `page` by type. */
  function sort({ directories, files, links }: Page, parent: NodeId, { ids, types }: ReplyWriter): void {
    for (let index = 0; index < ids.length; index++) {
      const child = ids[index]!;
      const type = types[index];
      if (type === TYPE_CODES.file) files.push(child);
      else if (type === TYPE_CODES.directory) {
        parents.set(child, parent);
        if (tree.isCostly?.(child) !== true) directories.push(child);
      } else if (type === TYPE_CODES.symlink) links.push(child);
    }
  }

  return async (id, offset, size, plus, isShort, signal) => {
    const limit = isShort ? Math.min(size, SHORT_SIZE) : size;
    const draft = drafts.pop() ?? reply(USUAL_SIZE);
    const out = limit <= USUAL_SIZE ? draft.fill(0) : reply(limit);
    const writer = new ReplyWriter(source, out, limit, plus, isShort);
    const own = await addDots(writer, id, offset);
    const isEnd = await addEntries(writer, id, offset, isShort, signal);
    await writer.finish();
    if (writer.isFull && writer.used === 0) return undefined;
    const parent = writer.hasDotDot ? await parentInode(id, own) : undefined;
    if (parent !== undefined) writer.setDotDot(parent);
    const page: Page = {
      out: Buffer.from(out.subarray(0, HEADER_SIZE + writer.used)),
      last: writer.last,
      isEnd,
      isShort,
      directories: [],
      files: [],
      links: [],
    };
    if (!isShort) sort(page, id, writer);
    if (drafts.length < DRAFTS_KEPT) drafts.push(draft);
    return page;
  };
}
