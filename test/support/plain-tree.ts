/** A tree of nodes out of a plain object: a string is a file's contents, `link()` a symbolic link. */
import { EPOCH } from "../../src/bytes/time.js";
import { memorySource } from "../../src/extent/runs.js";
import { MissingError } from "../../src/errors.js";
import { pageOf } from "../../src/filesystem/entries.js";
import type { FileSystem, NodeId, NodeType } from "../../src/filesystem/filesystem.js";

export interface Link {
  readonly target: string;
}

export interface Folder {
  readonly [name: string]: string | Link | Folder;
}

export const link = (target: string): Link => ({ target });

const isLink = (node: string | Link | Folder): node is Link =>
  typeof node === "object" && typeof node.target === "string";

/** The root is node 2, as ext has it. */
export function plainTree(root: Folder, type = "plain", label?: string): FileSystem {
  const nodes = new Map<NodeId, string | Link | Folder>();
  const ids = new Map<string | Link | Folder, NodeId>();
  const children = new Map<NodeId, { name: Buffer; id: NodeId; cookie: number }[]>();
  const place = (node: string | Link | Folder): NodeId => {
    const id = nodes.size + 2;
    nodes.set(id, node);
    ids.set(node, id);
    if (typeof node === "object" && !isLink(node)) {
      children.set(
        id,
        Object.entries(node).map(([name, child], index) => ({
          name: Buffer.from(name),
          id: place(child),
          cookie: index + 1,
        })),
      );
    }
    return id;
  };
  place(root);
  const at = (id: NodeId): string | Link | Folder => {
    const node = nodes.get(id);
    if (node === undefined) throw new MissingError(`no node ${id}`);
    return node;
  };
  const typeOf = (id: NodeId): NodeType =>
    children.has(id) ? "directory" : typeof at(id) === "string" ? "file" : "symlink";
  return {
    facts: { type, ...(label !== undefined && { label }), warnings: [], details: {} },
    root: 2,
    attributes: async (id) => ({
      type: typeOf(id),
      inode: id,
      permissions: 0o644,
      linkCount: 1,
      uid: 0,
      gid: 0,
      size: typeOf(id) === "file" ? (at(id) as string).length : 0,
      allocatedSectors: 0,
      blockSize: 4096,
      accessed: EPOCH,
      modified: EPOCH,
      changed: EPOCH,
    }),
    lookup: async (id, name) => children.get(id)?.find((entry) => entry.name.equals(name))?.id,
    page: async (id, cookie) => pageOf(children.get(id)!.slice(cookie, cookie + 2), false),
    readLink: async (id) => Buffer.from((at(id) as Link).target),
    open: async (id) => memorySource(Buffer.from(at(id) as string), "plain"),
    extendedAttributes: async () => new Map(),
    usage: async () => ({
      blockSize: 4096,
      blocks: 1,
      freeBlocks: 0,
      availableBlocks: 0,
      files: nodes.size,
      freeFiles: 0,
      maximumNameLength: 255,
    }),
  };
}
