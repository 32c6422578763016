/** Listings of directories: batches of entries, the damage that some of them contain, and the parents that they name. */
import { LRUCache } from "lru-cache";
import type { DiskError } from "../../errors.js";
import type { StopSignal } from "../../extent/time-slice.js";
import type { DirectoryEntry } from "../filesystem.js";
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

/** Entries that make a batch: a listing stops after the blocks that reach them. */
const BATCH_SIZE = 256;

export interface Listing {
  /** Some entries of directory `id` after `cookie`, as `NodeTree.list` describes it. */
  list(id: number, cookie: number, limit?: number, signal?: StopSignal): Promise<DirectoryEntry[]>;
  /** The inode number in the ".." entry of directory `id`, if its start was listed. */
  parentInode(id: number): number | undefined;
}

export function listingOf(medium: Medium, inodes: Inodes): Listing {
  const parents = new LRUCache<number, number>({ max: PARENTS_COUNT });
  const damaged = new LRUCache<number, DiskError>({ max: DAMAGED_COUNT });

  return {
    async list(id, cookie, limit = BATCH_SIZE, signal) {
      const inode = await inodes.ofType(id, "directory");
      const entries: DirectoryEntry[] = [];
      let isEnd = true;
      if (cookie === 0) damaged.delete(id); // what the host could not read may be readable now
      for await (const parts of partsOf(medium, inode, cookie, limit < BATCH_SIZE ? 0 : undefined, signal)) {
        for (const part of parts) {
          const damage = entriesOf(medium, inode, part, (entry) => {
            if (entry.position >= cookie) entries.push(listed(entry));
          });
          const parent = parentIn(part);
          if (parent !== undefined) parents.set(id, parent);
          if (damage !== undefined) damaged.set(id, damage);
          else passRest(entries, part);
        }
        isEnd = entries.length < limit;
        if (!isEnd) break;
      }
      // The names behind the damage come first: only the end says that some are missing.
      const damage = damaged.get(id);
      if (entries.length === 0 && damage !== undefined) throw damage;
      const last = entries.at(-1);
      if (isEnd && damage === undefined && last !== undefined) entries[entries.length - 1] = asLast(last);
      return entries;
    },
    parentInode(id) {
      const inode = inodes.cached(id);
      if (inode === undefined || (inode.flags & InodeFlag.inlineData) === 0) return parents.get(id);
      return inlineData(medium, inode).readUInt32LE(0); // source: fs/ext4/inline.c, ext4_read_inline_dir
    },
  };
}

function listed({ name, inode, type, next, problem }: Entry): DirectoryEntry {
  if (problem !== undefined) return { name, id: inode, cookie: next, problem };
  return { name, id: inode, type, cookie: next };
}

/** No entry follows the last one of `part`: its cookie becomes the end of the part, so that the part is not read again. */
function passRest(entries: DirectoryEntry[], part: Part): void {
  const last = entries.at(-1);
  if (last === undefined || "error" in part || last.cookie <= part.position) return;
  entries[entries.length - 1] = { ...last, cookie: part.position + part.bytes.length };
}

function asLast(entry: DirectoryEntry): DirectoryEntry {
  return { ...entry, isLast: true };
}
