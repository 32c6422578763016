/** Reads all of a directory, also if a part of it is damaged. */
import { DiskError } from "../errors.js";
import { pagesOf, type DirectoryEntry } from "../filesystem/entries.js";
import type { Attributes, NodeId, NodeTree } from "../filesystem/filesystem.js";

/** An entry with its attributes and target; `problem` says why one of them is missing. */
export interface Listed {
  readonly entry: DirectoryEntry;
  readonly attributes?: Attributes;
  /** Of a symbolic link. */
  readonly target?: Buffer;
  readonly problem?: DiskError;
}

export interface Listing {
  /** By name, as bytes. */
  readonly entries: readonly DirectoryEntry[];
  /** Why the directory could not be read to its end. */
  readonly problem?: DiskError;
}

/** All entries of directory `id` that can be read. */
export async function listDirectory(tree: NodeTree, id: NodeId): Promise<Listing> {
  const entries: DirectoryEntry[] = [];
  const byName = (): DirectoryEntry[] => entries.sort((a, b) => Buffer.compare(a.name, b.name));
  try {
    for await (const page of pagesOf(tree, id)) for (const entry of page) entries.push(entry);
    return { entries: byName() };
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    return { entries: byName(), problem: error };
  }
}

/** Reads the attributes and the target of an entry; errors are in the result. */
export async function inspect(tree: NodeTree, entry: DirectoryEntry): Promise<Listed> {
  if (entry.problem !== undefined) return { entry, problem: entry.problem };
  try {
    const attributes = entry.attributes ?? (await tree.attributes(entry.id));
    if (attributes.type !== "symlink") return { entry, attributes };
    try {
      return { entry, attributes, target: await tree.readLink(entry.id) };
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      return { entry, attributes, problem: error };
    }
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    return { entry, problem: error };
  }
}
