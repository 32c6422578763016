/** Finding entries in an index by their keys. */
import { CorruptError } from "../../errors.js";
import type { Index } from "./btree.js";
import { childOf, isLast, keyOf, nextEntry, type IndexNode } from "./node.js";

/** No index is deeper: with two entries to a block it would have more blocks than a volume. */
const DEPTH_LIMIT = 64;

/** An entry that was found: where it is in its node. */
export interface FoundEntry {
  readonly node: IndexNode;
  readonly at: number;
}

/**
 * Calls `visit` for the entries of `index` whose key `compare` says is alike (0; below 0: it comes before what is
 * looked for), in order, until `visit` answers true.
 * @returns whether it did.
 * @throws {DiskError} where the way there is damaged, or its entries are not in order.
 */
export async function search(
  index: Index,
  compare: (key: Buffer) => number,
  visit: (entry: FoundEntry) => boolean,
): Promise<boolean> {
  const seen = new Set<number>();

  async function inNode(node: IndexNode, depth: number): Promise<boolean> {
    let before = -1;
    for (let at = node.first; ;) {
      const next = nextEntry(node, at);
      const last = isLast(node, at);
      const order = last ? 1 : Math.sign(compare(keyOf(node, at)));
      if (order < before) throw orderError(node, at);
      before = order;
      if (order >= 0) {
        const child = childOf(node, at, next);
        if (child !== undefined && (await inChild(node, child, depth))) return true;
        if (order > 0) return false;
        if (visit({ node, at })) return true;
      }
      at = next;
    }
  }

  async function inChild(node: IndexNode, vcn: number, depth: number): Promise<boolean> {
    const number = index.numberOf(vcn);
    if (seen.has(number) || depth >= DEPTH_LIMIT) {
      throw new CorruptError({
        file: node.file,
        thing: `a child of ${node.name}`,
        found: `block ${number}, which stands above it`,
        expected: "one below; the index runs in circles",
      });
    }
    seen.add(number);
    return inNode(await index.block(number), depth + 1);
  }

  return inNode(index.root, 0);
}

function orderError(node: IndexNode, at: number): CorruptError {
  return new CorruptError({
    file: node.file,
    thing: `the entry at ${at} of ${node.name}`,
    found: "before those that come before it",
    expected: "in the order of names",
  });
}
