/** The entries of a directory after a cookie, with "." and "..". */
import { LRUCache } from "lru-cache";
import { DiskError } from "../../errors.js";
import type { StopSignal } from "../../extent/time-slice.js";
import type {
  DirectoryEntry,
  EntryView,
  EntryVisitor,
  NodeId,
  NodeTree,
} from "../../filesystem/filesystem.js";
import { AFTER_DOT, AFTER_DOT_DOT } from "../protocol/directory.js";

/** Directories for which the rest of a batch is kept that did not fit into a reply. */
const BATCHES_KEPT = 64;

interface Batch {
  /** The cookie after which it begins. */
  readonly after: number;
  readonly entries: readonly DirectoryEntry[];
  /** Index of the first entry that is not listed yet. */
  readonly from: number;
}

/**
 * Passes the entries of directory `id` after `cookie`, "." and ".." first, to `visitor`, until it returns false or there
 * are no more. Resolves to whether the end was reached.
 * @param limit how many entries are needed, if only a few are.
 * @throws {Interrupted} once `signal` is aborted.
 */
export type VisitEntries = (
  id: NodeId,
  cookie: number,
  visitor: EntryVisitor,
  limit?: number,
  signal?: StopSignal,
) => Promise<boolean>;

export function entriesOf(tree: NodeTree): VisitEntries {
  const kept = new LRUCache<NodeId, Batch>({ max: BATCHES_KEPT });

  /** `NodeTree.visit` by means of `NodeTree.list`. */
  const visitListed: VisitEntries = async (id, cookie, visitor, limit, signal) => {
    const known = kept.get(id);
    const { entries, from } =
      known?.after === cookie ? known : { entries: await tree.list(id, cookie, limit, signal), from: 0 };
    let after = cookie;
    for (let at = from; at < entries.length; at++) {
      const entry = entries[at]!;
      if (!visitor(viewOf(entry))) {
        if (at > from && limit === undefined) kept.set(id, { after, entries, from: at });
        break;
      }
      after = entry.cookie;
    }
    return entries.length > from;
  };

  /** Visits some entries. A few are listed: a visit would read a whole batch for them. */
  const visitSome: VisitEntries = async (id, cookie, visitor, limit, signal) =>
    (limit === undefined ? await tree.visit?.(id, cookie, visitor, signal) : undefined) ??
    visitListed(id, cookie, visitor, limit, signal);

  return async (id, cookie, visitor, limit, signal) => {
    let [last, isLast, isFull, count] = [cookie, false, false, 0];
    const counting: EntryVisitor = (entry) => {
      const { cookie, isLast: isEnd } = entry; // read before the call: `visitor` may use the same object again
      isFull = !visitor(entry);
      if (isFull) return false;
      count++;
      [last, isLast] = [cookie, isEnd];
      return !isEnd;
    };
    if (cookie === 0) counting(dot(".", id, AFTER_DOT));
    if (!isFull && (cookie === 0 || cookie === AFTER_DOT)) counting(dot("..", id, AFTER_DOT_DOT));
    try {
      while (!isFull && !isLast && (limit === undefined || count < limit)) {
        const after = last === AFTER_DOT_DOT ? 0 : last;
        if (!(await visitSome(id, after, counting, limit, signal))) return true;
      }
    } catch (error) {
      // Entries before the damage are returned first. The next request starts at the damage and fails.
      if (last === cookie || !(error instanceof DiskError)) throw error;
      return false;
    }
    return isLast;
  };
}

function dot(name: string, id: NodeId, cookie: number): EntryView {
  return viewOf({ name: Buffer.from(name), id, type: "directory", cookie });
}

/** The one object through which all entries are passed: see EntryView. */
const view: EntryView = {
  ...{ names: Buffer.alloc(0), from: 0, to: 0, id: 0, inode: 0, type: undefined, attributes: undefined },
  ...{ isCostly: false, cookie: 0, isLast: false, problem: undefined },
};

function viewOf(entry: DirectoryEntry): EntryView {
  const { name, id, inode, type, attributes, cookie, isCostly, isLast, problem } = entry;
  view.names = name;
  view.to = name.length;
  view.id = id;
  view.inode = inode ?? id;
  view.type = type;
  view.attributes = attributes;
  view.isCostly = isCostly === true;
  view.cookie = cookie;
  view.isLast = isLast === true;
  view.problem = problem;
  return view;
}
