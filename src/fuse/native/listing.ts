/** The entries of a directory, from wherever the kernel continues. */
import { DiskError } from "../../errors.js";
import { LRUCache } from "lru-cache";
import type { StopSignal } from "../../extent/time-slice.js";
import type { DirectoryEntry, LentEntry, NodeId, NodeTree, Take } from "../../filesystem/filesystem.js";
import { AFTER_DOT, AFTER_DOT_DOT } from "../protocol/directory.js";

/** Batches that are kept because not all of their entries fitted into a reply, one for each directory. */
const BATCHES_KEPT = 64;

interface Batch {
  /** The cookie behind which it begins. */
  readonly after: number;
  readonly entries: readonly DirectoryEntry[];
  /** Index of the first entry that is still to be listed. */
  readonly from: number;
}

/**
 * Passes the entries of directory `id` after `cookie`, "." and ".." first, to `take`, until it refuses one or there are
 * no more. Resolves to whether the end was reached.
 * @param limit how many entries are needed, if only a few are.
 * @throws {Interrupted} once `signal` is aborted.
 */
export type Lend = (
  id: NodeId,
  cookie: number,
  take: Take,
  limit?: number,
  signal?: StopSignal,
) => Promise<boolean>;

export function entryLender(tree: NodeTree): Lend {
  const kept = new LRUCache<NodeId, Batch>({ max: BATCHES_KEPT });

  /** As the tree's own `lend`, by its `list`. */
  const lendListed: Lend = async (id, cookie, take, limit, signal) => {
    const known = kept.get(id);
    const { entries, from } =
      known?.after === cookie ? known : { entries: await tree.list(id, cookie, limit, signal), from: 0 };
    let after = cookie;
    for (let at = from; at < entries.length; at++) {
      const entry = entries[at]!;
      if (!take(lent(entry))) {
        if (at > from && limit === undefined) kept.set(id, { after, entries, from: at });
        break;
      }
      after = entry.cookie;
    }
    return entries.length > from;
  };

  /** As above, by whichever the tree has; a few entries are listed one by one. */
  const lendSome: Lend = async (id, cookie, take, limit, signal) =>
    (limit === undefined ? await tree.lend?.(id, cookie, take, signal) : undefined) ??
    lendListed(id, cookie, take, limit, signal);

  return async (id, cookie, take, limit, signal) => {
    let [last, isLast, isFull, count] = [cookie, false, false, 0];
    const taking: Take = (entry) => {
      const { cookie, isLast: isEnd } = entry; // `take` may pass the entry on
      isFull = !take(entry);
      if (isFull) return false;
      count++;
      [last, isLast] = [cookie, isEnd];
      return !isEnd;
    };
    if (cookie === 0) taking(dot(".", id, AFTER_DOT));
    if (!isFull && (cookie === 0 || cookie === AFTER_DOT)) taking(dot("..", id, AFTER_DOT_DOT));
    try {
      while (!isFull && !isLast && (limit === undefined || count < limit)) {
        const after = last === AFTER_DOT_DOT ? 0 : last;
        if (!(await lendSome(id, after, taking, limit, signal))) return true;
      }
    } catch (error) {
      // What precedes the damage is listed; the next request meets the damage first.
      if (last === cookie || !(error instanceof DiskError)) throw error;
      return false;
    }
    return isLast;
  };
}

function dot(name: string, id: NodeId, cookie: number): LentEntry {
  return lent({ name: Buffer.from(name), id, type: "directory", cookie });
}

const lending: LentEntry = {
  ...{ names: Buffer.alloc(0), from: 0, to: 0, id: 0, inode: 0, type: undefined, attributes: undefined },
  ...{ isCostly: false, cookie: 0, isLast: false, problem: undefined },
};

function lent(entry: DirectoryEntry): LentEntry {
  const { name, id, inode, type, attributes, cookie, isCostly, isLast, problem } = entry;
  lending.names = name;
  lending.to = name.length;
  lending.id = id;
  lending.inode = inode ?? id;
  lending.type = type;
  lending.attributes = attributes;
  lending.isCostly = isCostly === true;
  lending.cookie = cookie;
  lending.isLast = isLast === true;
  lending.problem = problem;
  return lending;
}
