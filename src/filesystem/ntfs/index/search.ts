/** Finding entries in an index by their keys. */
import { CorruptError } from "../../../errors.js";
import type { Index } from "./btree.js";
import { childOf, isLast, keyOf, nextEntry, type IndexNode } from "./node.js";

/** No index is deeper: with two entries to a block it would have more blocks than a volume. */
const DEPTH_LIMIT = 64;

/** An entry that was found: its node, and where it is in it. */
export interface FoundEntry {
  readonly node: IndexNode;
  readonly at: number;
}

/**
 * Calls `visit` for the entries of `index` for whose key `compare` returns 0 (below 0: the key comes before the wanted one), in
 * order, until `visit` returns true.
 * @param compareKeys the order of two keys. With it, the search makes sure that a key that is not found does not exist: the
 * keys on the path to its place must be in order.
 * @returns whether `visit` has returned true.
 * @throws {DiskError} if a node on the path is damaged, or its entries are not in order.
 */
export async function search(
  index: Index,
  compare: (key: Buffer) => number,
  visit: (entry: FoundEntry) => boolean,
  compareKeys?: (a: Buffer, b: Buffer) => number,
): Promise<boolean> {
  const seen = new Set<number>();
  const steps: Step[] = [];

  async function inNode(node: IndexNode, depth: number, above?: Step): Promise<boolean> {
    let order = -1;
    let before: number | undefined;
    for (let at = node.first; ;) {
      const next = nextEntry(node, at);
      const last = isLast(node, at);
      const orderBefore = order;
      order = last ? 1 : Math.sign(compare(keyOf(node, at)));
      if (order < orderBefore) throw orderError(node, at);
      if (order >= 0) {
        const step = { node, at, before, above };
        steps.push(step);
        const child = childOf(node, at, next);
        if (child !== undefined && (await inChild(step, child, depth))) return true;
        if (order > 0) return false;
        if (visit({ node, at })) return true;
      }
      before = at;
      at = next;
    }
  }

  async function inChild(step: Step, vcn: number, depth: number): Promise<boolean> {
    const number = index.numberOf(vcn);
    if (seen.has(number) || depth >= DEPTH_LIMIT) {
      throw new CorruptError({
        file: step.node.file,
        thing: `a child of ${step.node.name}`,
        found: `block ${number}, which stands above it`,
        expected: "one below; the index runs in circles",
      });
    }
    seen.add(number);
    return inNode(await index.block(number), depth + 1, step);
  }

  if (await inNode(index.root, 0)) return true;
  for (const step of compareKeys === undefined ? [] : steps) {
    const isInOrder = (a?: Buffer, b?: Buffer): boolean => !a || !b || compareKeys!(a, b) <= 0;
    const isWithin =
      isInOrder(keyBefore(step.above), keyBefore(step)) && isInOrder(keyAt(step), keyAt(step.above));
    if (!isWithin) throw orderError(step.node, step.at);
  }
  return false;
}

/** A step of the path: a place between two entries of a node. */
interface Step extends FoundEntry {
  readonly before: number | undefined;
  /** The step in the node above. */
  readonly above: Step | undefined;
}

/** The nearest key on the path that comes before `step`, and the nearest that does not. */
function keyBefore(step: Step | undefined): Buffer | undefined {
  if (step === undefined) return undefined;
  return step.before === undefined ? keyBefore(step.above) : keyOf(step.node, step.before);
}

function keyAt(step: Step | undefined): Buffer | undefined {
  if (step === undefined) return undefined;
  return isLast(step.node, step.at) ? keyAt(step.above) : keyOf(step.node, step.at);
}

function orderError(node: IndexNode, at: number): CorruptError {
  return new CorruptError({
    file: node.file,
    thing: `the entry at ${at} of ${node.name}`,
    found: "before those that come before it",
    expected: "in the order of names",
  });
}
