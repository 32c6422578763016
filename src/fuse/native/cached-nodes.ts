/** The nodes of which the kernel may cache contents, so that it can be told when they change. */
import { LRUCache } from "lru-cache";
import { withinMemory } from "../../bytes/memory.js";
import type { NodeChange, NodeId, NodeTree } from "../../filesystem/filesystem.js";
import { entryChanged, inodeChanged } from "../protocol/notifications.js";

/**
 * Nodes that are remembered. A changed entry makes the kernel drop all below it that no program has open; only of those
 * that are open it has to be told by number.
 */
const NODES_KEPT = withinMemory(2 ** 17);

export interface CachedNodes {
  /** The kernel is about to get the contents of `id`. */
  add(id: NodeId): void;
  /** The notifications that make the kernel drop all that it has cached of what has changed. */
  notificationsOf(change: NodeChange): Buffer;
}

/** Remembers nothing for a tree that never changes. */
export function cachedNodes({ changes }: NodeTree): CachedNodes {
  const nodes = changes === undefined ? undefined : new LRUCache<NodeId, true>({ max: NODES_KEPT });
  return {
    add(id) {
      nodes?.set(id, true);
    },
    notificationsOf(change) {
      if (change.kind === "contents") return inodeChanged(change.id, change.offset, change.length);
      const notifications = [entryChanged(change.parent, change.name)];
      for (const id of nodes?.keys() ?? [])
        if (id >= change.start && id < change.end) notifications.push(inodeChanged(id));
      return Buffer.concat(notifications);
    },
  };
}
