/** Which entries of a directory a reply has room for, wherever the kernel goes on. */
import { LRUCache } from "lru-cache";
import type { DirectoryEntry, NodeId, NodeTree } from "../../filesystem/filesystem.js";
import { AFTER_DOT, AFTER_DOT_DOT, direntSize } from "../protocol/directory.js";

/** Listings under way that are remembered, one a directory: where a batch of the tree's did not fit into a reply. */
const LISTINGS_KEPT = 64;

export interface Choice {
  readonly entries: readonly DirectoryEntry[];
  /** Whether nothing comes after them. */
  readonly isEnd: boolean;
}

interface Batch {
  /** The cookie that it follows. */
  readonly after: number;
  readonly entries: readonly DirectoryEntry[];
  /** Index of the first that is still to be listed. */
  readonly from: number;
}

/**
 * Finds the entries after `cookie` that fit into `room` bytes: none at the directory's end, `undefined` where
 * there is no room for even one.
 */
export function entryChooser(
  tree: NodeTree,
): (id: NodeId, cookie: number, room: number, plus: boolean) => Promise<Choice | undefined> {
  const left = new LRUCache<NodeId, Batch>({ max: LISTINGS_KEPT });

  const batchAfter = async (id: NodeId, after: number): Promise<Batch> => {
    if (after === 0) return { after, entries: dots(id), from: 0 };
    if (after === AFTER_DOT) return { after, entries: dots(id), from: 1 };
    const known = left.get(id);
    if (known?.after === after) return known;
    return { after, entries: await tree.list(id, after === AFTER_DOT_DOT ? 0 : after), from: 0 };
  };

  return async (id, cookie, room, plus) => {
    const entries: DirectoryEntry[] = [];
    for (;;) {
      let batch: Batch;
      try {
        batch = await batchAfter(id, entries.at(-1)?.cookie ?? cookie);
      } catch (error) {
        // What came before the damage is listed; the next request meets the damage first.
        if (entries.length > 0) return { entries, isEnd: false };
        throw error;
      }
      if (batch.entries.length === batch.from) return { entries, isEnd: true };
      for (let at = batch.from; at < batch.entries.length; at++) {
        const entry = batch.entries[at]!;
        room -= direntSize(entry.name, plus);
        if (room < 0) {
          const last = entries.at(-1);
          if (last === undefined) return undefined;
          if (at > batch.from) left.set(id, { after: last.cookie, entries: batch.entries, from: at });
          return { entries, isEnd: false };
        }
        entries.push(entry);
        if (entry.isLast === true) return { entries, isEnd: true };
      }
    }
  };
}

function dots(id: NodeId): DirectoryEntry[] {
  return [
    { name: Buffer.from("."), id, type: "directory", cookie: AFTER_DOT },
    { name: Buffer.from(".."), id, type: "directory", cookie: AFTER_DOT_DOT },
  ];
}
