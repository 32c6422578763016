/**
 * The file system of a disk in which a path from "/" on starts: the one with an operating system, or the only one. If the
 * one that should have the system cannot be read, that is an error: its files must not be looked up in another.
 */
import { printName } from "../bytes/text.js";
import { DiskError, MissingError, UnsupportedError, withContext } from "../errors.js";
import type { BlockSource } from "../extent/extent.js";
import type { FileSystem, NodeTree } from "../filesystem/filesystem.js";
import { peek } from "../extent/peek.js";
import { roleOf } from "../volume/types.js";
import type { Part } from "./part.js";

/** A part whose file system can be read. */
type ReadablePart = Part & { readonly fileSystem: FileSystem };

/** A part that cannot be read, or whose root directory cannot. */
interface UnreadablePart {
  readonly part: Part;
  readonly error: Error;
}

/**
 * Returns the part of the disk `name` that holds the guest's root file system. Its root directory may be damaged.
 * @throws {MissingError} if it is not clear which one that is; it lists the choices.
 * @throws {DiskError} if the part that should hold it cannot be read, with the reason.
 */
export async function guestRootOf(name: string, parts: readonly Part[]): Promise<ReadablePart> {
  const readable = parts.filter(isReadable);
  if (parts.length === 1 && readable.length === 1) return readable[0]!;
  const unreadable: UnreadablePart[] = [];
  for (const part of parts) {
    const error = await reasonOf(part);
    if (error !== undefined) unreadable.push({ part, error });
  }
  const others: ReadablePart[] = [];
  const unixSystems: ReadablePart[] = [];
  const windowsSystems: ReadablePart[] = [];
  for (const part of readable) {
    try {
      if (await holdsUnix(part.fileSystem)) unixSystems.push(part);
      else if (await holdsWindows(part.fileSystem)) windowsSystems.push(part);
      else others.push(part);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      unreadable.push({ part, error });
    }
  }
  const systems = unixSystems.length > 0 ? unixSystems : windowsSystems;
  if (systems.length === 1) return systems[0]!;
  if (systems.length === 0) {
    const expected = unreadableRoot(unreadable, others);
    if (expected !== undefined) {
      const { part, error } = expected;
      if (isReadable(part)) return part;
      throw explained(part, error, others);
    }
    const [only, ...more] = others.length > 0 ? others : readable;
    if (only !== undefined && more.length === 0) return only;
  }
  if (readable.length === 0) {
    throw new MissingError({ file: name, thing: "there is no file system that vdisk reads on this disk" });
  }
  throw new MissingError({
    file: name,
    thing: "it is not clear which file system / means",
    hint: `begin the path with one of ${readable.map(describe).join(", ")}`,
  });
}

function isReadable(part: Part): part is ReadablePart {
  return part.fileSystem !== undefined;
}

/** Formats on a partition that cannot contain an operating system. */
const NO_SYSTEMS: readonly string[] = ["swap", "ISO 9660"];

/** Why the files of `part` cannot be read; undefined if they can, or if it seems to have none. */
async function reasonOf({ volume, fileSystem, problem, bug, contents }: Part): Promise<Error | undefined> {
  const error = problem ?? bug;
  if (error !== undefined || fileSystem !== undefined) return error;
  if (contents !== undefined) {
    const thing = `${contents} is not read`;
    return NO_SYSTEMS.includes(contents)
      ? undefined
      : new UnsupportedError({ file: volume.source.name, thing });
  }
  if (volume.typeName === "" || (await isUnformatted(volume.source))) return undefined;
  return new UnsupportedError({ file: volume.source.name, thing: "no file system is recognized here" });
}

/** Every file system writes something within its first megabyte. */
const START_SIZE = 2 ** 20;

async function isUnformatted(volume: BlockSource): Promise<boolean> {
  const start = await peek(volume, 0, Math.min(volume.size, START_SIZE));
  return start?.every((byte) => byte === 0) ?? false;
}

/** Whether every Unix system's directories are in the root of `tree`: hardly any other disk has both. */
async function holdsUnix(tree: NodeTree): Promise<boolean> {
  return (await hasAny(tree, ["etc"])) && (await hasAny(tree, ["usr"]));
}

/** The names are as Windows writes them, since NTFS is searched case-sensitively. */
async function holdsWindows(tree: NodeTree): Promise<boolean> {
  return (
    (await hasAny(tree, ["Windows", "WINDOWS", "WINNT"])) &&
    (await hasAny(tree, ["Users", "Documents and Settings", "Program Files"]))
  );
}

async function hasAny(tree: NodeTree, names: readonly string[]): Promise<boolean> {
  for (const name of names) {
    if ((await tree.lookup(tree.root, Buffer.from(name))) !== undefined) return true;
  }
  return false;
}

/**
 * Returns the unreadable part that should hold the root file system: one whose partition type or last mount point says
 * so, else the largest that may, if it is larger than all readable ones that may.
 */
function unreadableRoot(
  unreadable: readonly UnreadablePart[],
  others: readonly ReadablePart[],
): UnreadablePart | undefined {
  const largestFirst = unreadable
    .filter(({ part }) => likelihoodOf(part) !== "no")
    .sort((a, b) => b.part.volume.tableSize - a.part.volume.tableSize);
  const certain = largestFirst.find(({ part }) => likelihoodOf(part) === "yes");
  if (certain !== undefined) return certain;
  const [largest] = largestFirst;
  const sizes = others.filter((part) => likelihoodOf(part) !== "no").map(({ volume }) => volume.tableSize);
  return largest !== undefined && largest.part.volume.tableSize > Math.max(0, ...sizes) ? largest : undefined;
}

/** Mount points of other file systems than the root, with all below them. Source: hier(7). */
const OTHER_MOUNT_POINTS = /^\/(?:boot|efi|home|media|opt|srv|tmp|usr|var)(?:\/|$)/;

/** Whether `part` is meant to hold a root file system, by its partition type and where the guest mounted it last. */
function likelihoodOf({ volume, fileSystem }: Part): "yes" | "maybe" | "no" {
  const { lastMounted = "" } = fileSystem?.facts ?? {};
  if (lastMounted === "/") return "yes";
  if (OTHER_MOUNT_POINTS.test(lastMounted)) return "no";
  const role = roleOf(volume.typeName);
  return role === "root" ? "yes" : role === "other" ? "no" : "maybe";
}

function explained({ volume }: Part, error: Error, others: readonly ReadablePart[]): unknown {
  const type = volume.typeName === "" ? "" : ` (${volume.typeName})`;
  const rest = others.length === 0 ? "" : `, unlike ${others.map(describe).join(", ")}`;
  return withContext(`/ should be on vol${volume.index}${type}, which cannot be read${rest}`, error);
}

function describe({ volume, fileSystem }: ReadablePart): string {
  const { type, label } = fileSystem.facts;
  return `fs${volume.index} (${type}${label ? ` "${printName(Buffer.from(label))}"` : ""})`;
}
