/** Opens an image in memory and looks at a part of all that is in it, as a program would that copies it. */
import { overlay } from "../../../src/extent/overlay.js";
import { read } from "../../../src/extent/read.js";
import type { BlockSource } from "../../../src/extent/extent.js";
import type { Attributes, NodeTree } from "../../../src/filesystem/filesystem.js";
import { openImage } from "../../../src/image/formats.js";
import { entriesOf } from "../../../src/tree/layout.js";
import { composeTree, type ComposedTree } from "../../../src/tree/compose.js";
import { openView, type View } from "../../../src/tree/view.js";
import { openGate } from "../../../src/storage/gate.js";
import type { Storage } from "../../../src/storage/storage.js";
import type { Probe } from "../probe.js";
import type { Random } from "../random.js";
import { listEntries, type DirectoryEntry } from "../../../src/filesystem/entries.js";

/** Nodes, nodes and entries of one directory, and depth to which one image is walked. */
const NODES = 100;
const SAMPLE = 16;
const ENTRIES = 400;
const DEPTH = 12;
/** Bytes that are read in one place of a file. */
const PIECE = 4096;
const OWNER = { uid: 0, gid: 0, time: { seconds: 0, nanoseconds: 0 } };

/** What is on the disk whose images these are, from the top to the base. */
export async function openImages(storages: readonly Storage[], random: Random): Promise<View> {
  const layers = [];
  const nothingElse = await openGate([]);
  for (const storage of storages) layers.push(await (await openImage(storage, nothingElse)).layer());
  const source = overlay(layers, "disk");
  const options = { ignoreCase: random.oneIn(2), systemFiles: random.oneIn(2) };
  const view = await openView({ source, layers, warnings: [] }, options);
  // A disk contains a bug in one of its parts; a campaign is there to find it.
  for (const { bug } of view.parts) if (bug !== undefined) throw bug;
  return view;
}

/** The tree that a mount would show of `view`. */
export function treeOf(view: View): ComposedTree {
  return composeTree({ kind: "directory", entries: entriesOf("/image", view) }, OWNER);
}

/** Walks the file systems of `view`, and reads in its files and partitions. */
export async function examine(view: View, random: Random, probe: Probe): Promise<void> {
  const parts = view.parts.length > 1 && !random.oneIn(4) ? [random.pick(view.parts)] : view.parts;
  for (const { volume, fileSystem } of parts) {
    await readSome(volume.source, random, probe);
    if (fileSystem !== undefined) await walk(fileSystem, random, probe);
  }
  await readSome(view.source, random, probe);
}

async function walk(tree: NodeTree, random: Random, probe: Probe): Promise<void> {
  await probe.attempt("usage", () => tree.usage(tree.root));
  const seen = new Set<number>([tree.root]);
  const pending: [id: number, depth: number][] = [[tree.root, 0]];
  for (let nodes = 0; pending.length > 0 && nodes < NODES;) {
    const [id, depth] = pending.pop()!;
    for (const entry of sample(await entriesIn(tree, id, random, probe), random)) {
      if (entry.id === 0 || seen.has(entry.id) || nodes >= NODES) continue;
      seen.add(entry.id);
      nodes++;
      const attributes = await visit(tree, entry, random, probe);
      if (attributes?.type === "directory" && depth < DEPTH) pending.push([entry.id, depth + 1]);
    }
  }
}

/** Some of `entries`, anywhere among them: many in a row are alike. */
function sample(entries: readonly DirectoryEntry[], random: Random): readonly DirectoryEntry[] {
  if (entries.length <= SAMPLE) return entries;
  return Array.from({ length: SAMPLE }, () => random.pick(entries));
}

async function entriesIn(
  tree: NodeTree,
  id: number,
  random: Random,
  probe: Probe,
): Promise<DirectoryEntry[]> {
  const entries: DirectoryEntry[] = [];
  for (let cookie = 0; entries.length < ENTRIES;) {
    const batch = await probe.attempt("list", () => listEntries(tree, id, cookie));
    if (batch === undefined || batch.length === 0) break;
    for (const entry of batch) entries.push(entry);
    cookie = batch.at(-1)!.cookie;
  }
  if (entries.length > 0) {
    const { name, cookie } = random.pick(entries);
    await probe.attempt("lookup", () => tree.lookup(id, name));
    await probe.attempt("list in the middle", () => listEntries(tree, id, cookie));
  }
  await probe.attempt("lookup of a missing name", () => tree.lookup(id, Buffer.from("nowhere")));
  if (random.oneIn(4)) await probe.attempt("list anywhere", () => listEntries(tree, id, random.word()));
  return entries;
}

async function visit(
  tree: NodeTree,
  { id }: DirectoryEntry,
  random: Random,
  probe: Probe,
): Promise<Attributes | undefined> {
  const attributes = await probe.attempt("attributes", () => tree.attributes(id));
  if (attributes === undefined) return undefined;
  if (random.oneIn(3) || attributes.type !== "file")
    await probe.attempt("extended attributes", () => tree.extendedAttributes(id));
  if (attributes.type === "symlink") await probe.attempt("readLink", () => tree.readLink(id));
  if (attributes.type === "file") {
    const source = await probe.attempt("open", () => tree.open(id));
    if (source !== undefined) await readSome(source, random, probe);
  }
  return attributes;
}

/** Reads at the start, at the end and somewhere between. */
async function readSome(source: BlockSource, random: Random, probe: Probe): Promise<void> {
  const { size } = source;
  const places = [0, Math.max(0, size - PIECE), random.below(size)];
  for (const offset of new Set(places.slice(0, size > PIECE ? 3 : 1))) {
    const length = Math.min(PIECE, size - offset);
    await probe.attempt("read", () => read(source, offset, length));
  }
}
