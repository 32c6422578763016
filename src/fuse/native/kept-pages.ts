/** The tree's pages of directories. A page that does not fit into one reply is kept for the next ones. */
import { LRUCache } from "lru-cache";
import { firstIndex } from "../../bytes/integers.js";
import { withinMemory } from "../../bytes/memory.js";
import type { NodeId, NodeTree } from "../../filesystem/filesystem.js";
import type { DirectoryPage, PageOptions } from "../../filesystem/page.js";

/** Entries of all pages that are kept. */
const ENTRIES_KEPT = withinMemory(2 ** 15);

/** A page takes as much memory as this many entries, besides its entries. */
const PAGE_COST = 16;

/** A place in a directory: entry `from` of `page`. */
export interface Place {
  readonly page: DirectoryPage;
  readonly from: number;
  /** The cookie after which the page begins. */
  readonly after: number;
}

interface KeptPage {
  /** The cookie after which it begins. */
  readonly after: number;
  readonly page: DirectoryPage;
}

export class KeptPages {
  readonly #tree: NodeTree;
  readonly #kept = new LRUCache<NodeId, KeptPage>({
    maxSize: ENTRIES_KEPT,
    // The largest page is kept, too, or else it would be read again for each reply.
    sizeCalculation: ({ page }) => Math.min(PAGE_COST + page.count, ENTRIES_KEPT),
  });

  constructor(tree: NodeTree) {
    this.#tree = tree;
  }

  /** Where the entries of directory `id` after `cookie` are: at the end of a page if there are none. */
  async after(id: NodeId, cookie: number, options: PageOptions): Promise<Place> {
    const kept = options.limit === undefined ? this.#kept.get(id) : undefined;
    const from = kept === undefined ? undefined : indexAfter(kept, cookie);
    if (from !== undefined && (from < kept!.page.count || kept!.page.isLast))
      return { page: kept!.page, from, after: kept!.after };
    return { page: await this.#tree.page(id, cookie, options), from: 0, after: cookie };
  }

  /** Keeps the page of directory `id` at a place that \`after\` returned. Another reader may have dropped it since then. */
  keep(id: NodeId, { page, after }: Place): void {
    if (this.#kept.peek(id)?.page !== page) this.#kept.set(id, { after, page });
  }

  /** Drops the page of directory `id`, which has been listed to its end. */
  drop(id: NodeId): void {
    this.#kept.delete(id);
  }
}

/** The index of the entry after `cookie`; undefined if no entry has this cookie, and the page does not begin there. */
function indexAfter({ after, page: { count, cookies } }: KeptPage, cookie: number): number | undefined {
  if (cookie === after) return 0;
  const index = firstIndex(count, (at) => cookies[at]! >= cookie);
  return index < count && cookies[index] === cookie ? index + 1 : undefined;
}
