/** Finding a node by the path that a person typed, as the guest would follow it. */
import { parseName, printName } from "../bytes/text.js";
import { CorruptError, MissingError } from "../errors.js";
import type { Attributes, NodeId, NodeTree } from "../filesystem/filesystem.js";
import type { ComposedTree } from "./compose.js";
import type { Disk } from "./disk.js";
import type { Part } from "./part.js";

/** A node that was found, with what it is. */
export interface Found {
  readonly id: NodeId;
  readonly attributes: Attributes;
}

/** As many symbolic links as Linux follows for one path (MAXSYMLINKS, include/linux/namei.h). */
const LINK_LIMIT = 40;

/**
 * The node that `path` names in the tree of `disk`. A path that begins with "/" starts at the guest's root file
 * system, any other at the tree's. Links within a guest are followed as the guest would: an absolute target
 * starts at the guest's root. The last link is followed when `follow` says so.
 * @throws {MissingError} when there is no such node; it names the part that is not there.
 */
export async function findNode(disk: Disk, path: string, follow: boolean): Promise<Found> {
  const { tree } = disk;
  const start = path.startsWith("/") ? [tree.root, await guestRoot(disk)] : [tree.root];
  const stack = await walk(tree, start, parseName(path), follow, path);
  const id = stack.at(-1)!;
  const attributes = await tree.attributes(id);
  if (path.endsWith("/") && attributes.type !== "directory") {
    throw new MissingError({
      file: path,
      thing: `this path ends at a ${attributes.type}, not at a directory`,
    });
  }
  return { id, attributes };
}

/**
 * The root of the disk's only file system, or of the one that looks like the root of a system.
 * @throws {MissingError} where that is not clear; it lists the choices.
 */
async function guestRoot(disk: Disk): Promise<NodeId> {
  const parts = disk.parts.filter((part) => part.fileSystem !== undefined);
  const systems: Part[] = [];
  for (const part of parts) if (await looksLikeRoot(part.fileSystem!)) systems.push(part);
  const choice = parts.length === 1 ? parts[0] : systems.length === 1 ? systems[0] : undefined;
  if (choice === undefined) {
    throw new MissingError({
      file: disk.source.name,
      thing: parts.length === 0 ? "a file system that vdisk reads" : "the file system that / means",
      found: parts.length === 0 ? "not on this disk" : "not clear",
      ...(parts.length > 0 && { hint: `begin the path with one of ${parts.map(choiceName).join(", ")}` }),
    });
  }
  return (await disk.tree.lookup(disk.tree.root, Buffer.from(`fs${choice.volume.index}`)))!;
}

function choiceName({ volume, fileSystem }: Part): string {
  const { type, label } = fileSystem!.facts;
  return `fs${volume.index} (${type}${label ? ` "${printName(Buffer.from(label))}"` : ""})`;
}

/** What stands in the root of every Linux and BSD system, and hardly anywhere else together. */
async function looksLikeRoot(tree: NodeTree): Promise<boolean> {
  const has = async (name: string): Promise<boolean> =>
    (await tree.lookup(tree.root, Buffer.from(name))) !== undefined;
  return (await has("etc")) && (await has("usr"));
}

/** Follows `path` from the last node of `start`, and answers the nodes that lead to its end. */
async function walk(
  tree: ComposedTree,
  start: readonly NodeId[],
  path: Buffer,
  follow: boolean,
  asked: string,
): Promise<NodeId[]> {
  const stack = [...start];
  const pending = split(path);
  // A guest's own links cannot leave the guest, nor can a path that began at its root.
  let bottom = start.length;
  let links = 0;
  for (let name = pending.shift(); name !== undefined; name = pending.shift()) {
    if (name.equals(DOT)) continue;
    if (name.equals(DOT_DOT)) {
      if (stack.length > bottom) stack.pop();
      continue;
    }
    const id = await step(tree, stack.at(-1)!, name, asked);
    const guest = tree.guestOf(id);
    const isFollowed = guest !== undefined && (follow || pending.length > 0);
    if (!isFollowed || (await tree.attributes(id)).type !== "symlink") {
      stack.push(id);
      continue;
    }
    if (++links > LINK_LIMIT) {
      throw new CorruptError({
        file: asked,
        thing: `more than ${LINK_LIMIT} symbolic links on the way; they may form a loop`,
      });
    }
    const target = await tree.readLink(id);
    pending.unshift(...split(target));
    bottom = 1 + stack.findIndex((node) => tree.guestOf(node) === guest);
    if (target[0] === SLASH) stack.length = bottom;
  }
  return stack;
}

async function step(tree: NodeTree, directory: NodeId, name: Buffer, asked: string): Promise<NodeId> {
  const { type } = await tree.attributes(directory);
  const id = type === "directory" ? await tree.lookup(directory, name) : undefined;
  if (id !== undefined) return id;
  const reason = type === "directory" ? "is not there" : `is looked for in a ${type}, not in a directory`;
  throw new MissingError({ file: asked, thing: `"${printName(name)}" of this path ${reason}` });
}

function split(path: Buffer): Buffer[] {
  const names: Buffer[] = [];
  for (let at = 0; at <= path.length;) {
    const slash = path.indexOf(SLASH, at);
    const end = slash < 0 ? path.length : slash;
    if (end > at) names.push(path.subarray(at, end));
    at = end + 1;
  }
  return names;
}

const SLASH = 0x2f;
const DOT = Buffer.from(".");
const DOT_DOT = Buffer.from("..");
