/** Finding a node by the path that a person typed, as the guest would follow it. */
import { parseName, printName } from "../bytes/text.js";
import { CorruptError, MissingError, UnsupportedError, withContext } from "../errors.js";
import type { Attributes, NodeId, NodeType } from "../filesystem/filesystem.js";
import type { Disk } from "./disk.js";
import { guestRootOf } from "./guest-root.js";

/** A node that was found, with what it is. */
export interface Found {
  readonly id: NodeId;
  readonly attributes: Attributes;
}

/** A node on the way, and how its path is printed: "" for the top of the tree, "/" for the guest's root. */
interface Step {
  readonly id: NodeId;
  readonly path: string;
}

/** As many symbolic links as Linux follows for one path (MAXSYMLINKS, include/linux/namei.h). */
const LINK_LIMIT = 40;

/**
 * Finds the node that `path` names in the tree of `disk`. A path that begins with "/" starts at the guest's root file
 * system, any other at the tree's top. Links within a guest are followed as the guest would: an absolute target starts
 * at the guest's root. The last link is followed when `follow` is set.
 * @throws {MissingError} if there is no such node; it names the part of the path that does not exist.
 * @throws {DiskError} if a directory on the way, or the file system, cannot be read.
 */
export async function findNode(disk: Disk, path: string, follow: boolean): Promise<Found> {
  const { tree } = disk;
  const start: Step[] = [{ id: tree.root, path: "" }];
  if (path.startsWith("/")) start.push({ id: await guestRoot(disk), path: "/" });
  const { id } = await walk(disk, start, parseName(path), follow, path);
  const attributes = await tree.attributes(id);
  if (path.endsWith("/") && attributes.type !== "directory") {
    throw new MissingError(`no such directory in the image: ${path} (it is ${withArticle(attributes.type)})`);
  }
  return { id, attributes };
}

async function guestRoot({ tree, source, parts }: Disk): Promise<NodeId> {
  const { volume } = await guestRootOf(source.name, parts);
  return (await tree.lookup(tree.root, Buffer.from(`fs${volume.index}`)))!;
}

/** Follows `path` from the last node of `start`, and returns where it ends. */
async function walk(
  disk: Disk,
  start: readonly Step[],
  path: Buffer,
  follow: boolean,
  asked: string,
): Promise<Step> {
  const { tree } = disk;
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
    const next = await step(disk, stack.at(-1)!, name, asked);
    const { id } = next;
    const guest = tree.guestOf(id);
    const isFollowed = guest !== undefined && (follow || pending.length > 0);
    if (!isFollowed || (await tree.attributes(id)).type !== "symlink") {
      stack.push(next);
      continue;
    }
    if (++links > LINK_LIMIT) {
      throw new CorruptError({
        file: asked,
        thing: "the number of symbolic links in this path",
        found: `more than ${LINK_LIMIT}`,
        expected: `at most ${LINK_LIMIT}; they may form a loop`,
      });
    }
    const target = await tree.readLink(id);
    pending.unshift(...split(target));
    bottom = 1 + stack.findIndex((node) => tree.guestOf(node.id) === guest);
    if (target[0] === SLASH) stack.length = bottom;
  }
  return stack.at(-1)!;
}

/** Returns the entry `name` of `directory`. */
async function step(disk: Disk, directory: Step, name: Buffer, asked: string): Promise<Step> {
  const { tree } = disk;
  const printed = printName(name);
  const { type } = await tree.attributes(directory.id);
  const id = type === "directory" ? await tree.lookup(directory.id, name) : undefined;
  if (id !== undefined) return { id, path: joinPath(directory.path, printed) };
  if (directory.path === "") throwProblemOf(disk, printed);
  const reason =
    type === "directory"
      ? `"${printed}" does not exist in ${directory.path === "" ? `the top directory${guestHint(asked)}` : directory.path}`
      : `${directory.path} is ${withArticle(type)}, not a directory`;
  throw new MissingError(`no such file in the image: ${asked} (${reason})`);
}

/** Returns what to type if `asked`, which does not begin with "/", was meant as a path of the guest. */
function guestHint(asked: string): string {
  const path = asked.replace(/^(\.\/+)+/, "");
  if (path === "" || SYNTHETIC.test(path)) return "";
  return `; paths of the guest begin with "/": try /${path}`;
}

/** The names in the top directory, beside the link to the image. */
const SYNTHETIC = /^(vhdd|snapshots|(vol|fs)\d+)(\/|$)/;

/** @throws {Error} why `name`, "fs0" for example, is not in the tree, if that is known. */
function throwProblemOf({ parts }: Disk, name: string): void {
  const part = parts.find(({ volume }) => name === `fs${volume.index}`);
  const error = part?.problem ?? part?.bug;
  if (error !== undefined) throw withContext(`${name} cannot be read`, error);
  if (part?.contents !== undefined) {
    throw new UnsupportedError({ file: part.volume.source.name, thing: `${part.contents} is not read` });
  }
}

/** The path of the entry `name` of the directory `folder`, as both are printed; "" is the top of the tree. */
export function joinPath(folder: string, name: string): string {
  return folder === "" || folder.endsWith("/") ? `${folder}${name}` : `${folder}/${name}`;
}

/** What a node is called in a message. */
export function withArticle(type: NodeType): string {
  return NAMES[type];
}

const NAMES: Readonly<Record<NodeType, string>> = {
  file: "a regular file",
  directory: "a directory",
  symlink: "a symbolic link",
  fifo: "a pipe",
  socket: "a socket",
  block: "a block device",
  character: "a character device",
};

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
