/** Listings of directories: pages of entries, the damage that some of them contain, and the parents that they name. */
import { LRUCache } from "lru-cache";
import { withinMemory } from "../../bytes/memory.js";
import type { DiskError } from "../../errors.js";
import { TYPE_CODES, UNKNOWN_TYPE } from "../attributes.js";
import { PageBuilder } from "../page-builder.js";
import type { DirectoryPage, PageOptions } from "../page.js";
import { entriesOf, parentIn, partsOf, type Part } from "./directory.js";
import type { Entry } from "./entry.js";
import { inlineData } from "./inline.js";
import { InodeFlag } from "./inode.js";
import type { Inodes } from "./inodes.js";
import type { Medium } from "./medium.js";

/** Directories whose parents are remembered while they are being listed. */
const PARENTS_COUNT = 1000;

/** Directories whose damage is remembered while they are being listed. */
const DAMAGED_COUNT = 1000;

/** Entries of a page: reading stops after the blocks that reach them. */
const PAGE_SIZE = 256;

/**
 * Bytes from which on a directory is large. Its hash tree lists names in an order of its own, so the inodes of many entries
 * are read together, in the order of the volume. The inodes of a smaller directory are read by way of the cache, in
 * which they are needed again when its files are opened.
 */
const LARGE = 64 * 2 ** 10;

/**
 * Entries of the first page of a large directory with attributes, which must not take long. Each further page has
 * GROWTH times as many as come before it, but LARGE_PAGE_SIZE at most.
 */
const FIRST_LARGE_PAGE_SIZE = 2 ** 10;
const GROWTH = 4;
const LARGE_PAGE_SIZE = withinMemory(2 ** 14);

/** Bytes of an entry with a name of usual length: cookies are bytes. */
const USUAL_ENTRY_SIZE = 32;

/** Bytes of the inodes that are read for one page at most. */
const INODE_BYTES_LIMIT = 8 * 2 ** 20;

export interface Listing {
  /** Some entries of directory `id` after `cookie`, as `NodeTree.page` describes it. */
  page(id: number, cookie: number, options?: PageOptions): Promise<DirectoryPage>;
  /** The inode number in the ".." entry of directory `id`, if its start was listed. */
  parentInode(id: number): number | undefined;
}

/** Damage that ends the listing of a directory, which several readers may list at the same time. */
interface Damage {
  /** Of the part that is damaged. */
  readonly position: number;
  readonly error: DiskError;
}

export function listingOf(medium: Medium, inodes: Inodes): Listing {
  const parents = new LRUCache<number, number>({ max: PARENTS_COUNT });
  const damaged = new LRUCache<number, Damage>({ max: DAMAGED_COUNT });
  const largest = Math.min(LARGE_PAGE_SIZE, Math.ceil(INODE_BYTES_LIMIT / medium.geometry.inodeSize));

  /** Entries of the page after `cookie` of a large directory. */
  function largePageSize(cookie: number): number {
    const before = cookie / USUAL_ENTRY_SIZE;
    return Math.min(largest, Math.max(FIRST_LARGE_PAGE_SIZE, Math.ceil(before * GROWTH)));
  }

  return {
    async page(id, cookie, { limit, attributes = false, signal } = {}) {
      const inode = await inodes.ofType(id, "directory");
      const isLarge = inode.size >= LARGE;
      const count = limit ?? (isLarge && attributes ? largePageSize(cookie) : PAGE_SIZE);
      const builder = new PageBuilder();
      let isEnd = true;
      for await (const parts of partsOf(medium, inode, cookie, count < PAGE_SIZE ? 0 : undefined, signal)) {
        for (const part of parts) {
          const damage = entriesOf(medium, inode, part, (entry) => {
            if (entry.position >= cookie) add(builder, entry);
          });
          const parent = parentIn(part);
          if (parent !== undefined) parents.set(id, parent);
          if (damage !== undefined) damaged.set(id, { position: part.position, error: damage });
          else {
            // What the host could not read may be readable now.
            if (damaged.peek(id)?.position === part.position) damaged.delete(id);
            skipRest(builder, part);
          }
        }
        isEnd = builder.count < count;
        if (!isEnd) break;
      }
      // The names behind the damage come first: only the end says that some are missing.
      const damage = damaged.get(id)?.error;
      if (builder.count === 0 && damage !== undefined) throw damage;
      const isLast = isEnd && damage === undefined;
      if (!attributes) return builder.finish(isLast);
      return builder.finish(isLast, await inodes.readAttributes(builder.ids, builder.count, isLarge, signal));
    },
    parentInode(id) {
      const inode = inodes.cached(id);
      if (inode === undefined || (inode.flags & InodeFlag.inlineData) === 0) return parents.get(id);
      return inlineData(medium, inode).readUInt32LE(0); // source: fs/ext4/inline.c, ext4_read_inline_dir
    },
  };
}

function add(builder: PageBuilder, { name, inode, type, next, problem }: Entry): void {
  if (problem !== undefined) builder.addDamaged(name, next, problem);
  else builder.add(inode, type === undefined ? UNKNOWN_TYPE : TYPE_CODES[type], next, name);
}

/** No entry follows the last one of `part`: its cookie becomes the end of the part, so that the part is not read again. */
function skipRest({ cookies, count }: PageBuilder, part: Part): void {
  if (count === 0 || "error" in part || cookies[count - 1]! <= part.position) return;
  cookies[count - 1] = part.position + part.bytes.length;
}
