/** The entries of a directory, wherever the kernel goes on. */
import { LRUCache } from "lru-cache";
import type { DirectoryEntry, LentEntry, NodeId, NodeTree, Take } from "../../filesystem/filesystem.js";
import { AFTER_DOT, AFTER_DOT_DOT } from "../protocol/directory.js";

/** Listings under way that are remembered, one a directory: where a batch of the tree's did not fit into a reply. */
const LISTINGS_KEPT = 64;

interface Batch {
  /** The cookie that it follows. */
  readonly after: number;
  readonly entries: readonly DirectoryEntry[];
  /** Index of the first that is still to be listed. */
  readonly from: number;
}

/**
 * Lends `take` the entries of a directory after `cookie`, "." and ".." first, until it refuses one or there are no more.
 * Whether that was the end.
 */
export type Lend = (id: NodeId, cookie: number, take: Take) => Promise<boolean>;

export function entryLender(tree: NodeTree): Lend {
  const left = new LRUCache<NodeId, Batch>({ max: LISTINGS_KEPT });

  /** As the tree's own, of a tree that has only `list`. */
  const lendListed = async (id: NodeId, cookie: number, take: Take): Promise<boolean> => {
    const known = left.get(id);
    const { entries, from } =
      known?.after === cookie ? known : { entries: await tree.list(id, cookie), from: 0 };
    let after = cookie;
    for (let at = from; at < entries.length; at++) {
      const entry = entries[at]!;
      if (!take(lent(entry))) {
        if (at > from) left.set(id, { after, entries, from: at });
        break;
      }
      after = entry.cookie;
    }
    return entries.length > from;
  };

  return async (id, cookie, take) => {
    let [last, isLast, isFull] = [cookie, false, false];
    const taking: Take = (entry) => {
      const { cookie, isLast: isEnd } = entry; // who takes it may lend it on
      isFull = !take(entry);
      if (isFull) return false;
      [last, isLast] = [cookie, isEnd];
      return !isEnd;
    };
    if (cookie === 0) taking(dot(".", id, AFTER_DOT));
    if (!isFull && (cookie === 0 || cookie === AFTER_DOT)) taking(dot("..", id, AFTER_DOT_DOT));
    try {
      while (!isFull && !isLast) {
        const after = last === AFTER_DOT_DOT ? 0 : last;
        const isMore = (await tree.lend?.(id, after, taking)) ?? (await lendListed(id, after, taking));
        if (!isMore) return true;
      }
    } catch (error) {
      // What came before the damage is listed; the next request meets the damage first.
      if (last === cookie) throw error;
      return false;
    }
    return isLast;
  };
}

function dot(name: string, id: NodeId, cookie: number): LentEntry {
  return lent({ name: Buffer.from(name), id, type: "directory", cookie });
}

const lending: LentEntry = {
  ...{ names: Buffer.alloc(0), from: 0, to: 0, id: 0, type: undefined, attributes: undefined },
  ...{ isCostly: false, cookie: 0, isLast: false, problem: undefined },
};

function lent({ name, id, type, attributes, cookie, isCostly, isLast, problem }: DirectoryEntry): LentEntry {
  lending.names = name;
  lending.to = name.length;
  lending.id = id;
  lending.type = type;
  lending.attributes = attributes;
  lending.isCostly = isCostly === true;
  lending.cookie = cookie;
  lending.isLast = isLast === true;
  lending.problem = problem;
  return lending;
}
