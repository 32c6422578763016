/** Entries of directories as objects, for callers that have few of them: page.ts has them in columns. */
import type { DiskError } from "../errors.js";
import { blankAttributes, setAttributes, TYPE_CODES, typeOf, UNKNOWN_TYPE } from "./attributes.js";
import type { Attributes, NodeId, NodeTree, NodeType } from "./filesystem.js";
import { PageBuilder } from "./page-builder.js";
import type { DirectoryPage, PageOptions } from "./page.js";

/** One entry; the fields are those of DirectoryPage. */
export interface DirectoryEntry {
  readonly name: Buffer;
  readonly id: NodeId;
  readonly inode?: number | undefined;
  /** Undefined if the directory does not state it. */
  readonly type?: NodeType | undefined;
  readonly cookie: number;
  /** Undefined if the page does not have them. */
  readonly attributes?: Attributes | undefined;
  readonly problem?: DiskError | undefined;
}

/** Some entries of directory `id` after `cookie`, as `tree.page` returns them; none at the end of the directory. */
export async function listEntries(
  tree: NodeTree,
  id: NodeId,
  cookie: number,
  options?: PageOptions,
): Promise<DirectoryEntry[]> {
  return entriesIn(await tree.page(id, cookie, options));
}

/** All entries of directory `id`, page by page. */
export async function* pagesOf(
  tree: NodeTree,
  id: NodeId,
  options?: PageOptions,
): AsyncGenerator<DirectoryEntry[], void, void> {
  for (let cookie = 0; ;) {
    const page = await tree.page(id, cookie, options);
    if (page.count > 0) yield entriesIn(page);
    if (page.isLast) return;
    cookie = page.cookies[page.count - 1]!;
  }
}

/** The entries of `page`. Their names are copies. */
export function entriesIn(page: DirectoryPage): DirectoryEntry[] {
  return Array.from({ length: page.count }, (_, index) => entryAt(page, index));
}

function entryAt(page: DirectoryPage, index: number): DirectoryEntry {
  const { ids, inodes, types, cookies, names, nameStarts, problems } = page;
  const attributes = blankAttributes();
  const problem = problems.get(index);
  return {
    name: Buffer.from(names.subarray(nameStarts[index], nameStarts[index + 1])),
    id: ids[index]!,
    inode: inodes[index]!,
    type: typeOf(types[index]!),
    cookie: cookies[index]!,
    ...(page.readAttributes(index, attributes) && { attributes }),
    ...(problem !== undefined && { problem }),
  };
}

/** The page of `entries`: for trees that have theirs as objects. */
export function pageOf(entries: readonly DirectoryEntry[], isLast: boolean): DirectoryPage {
  const builder = new PageBuilder();
  for (const { name, id, type, cookie, problem } of entries) {
    if (problem === undefined) builder.add(id, type ? TYPE_CODES[type] : UNKNOWN_TYPE, cookie, name);
    else builder.addDamaged(name, cookie, problem);
  }
  const inodes = Float64Array.from(entries, ({ id, inode = id }) => inode);
  return builder.finish(
    isLast,
    (index, into) => {
      const { attributes } = entries[index]!;
      if (attributes === undefined) return false;
      setAttributes(into, attributes);
      return true;
    },
    inodes,
  );
}
