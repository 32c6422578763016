/** All that an image shows, so that two states of it can be compared. */
import { createHash } from "node:crypto";
import { read } from "../../../src/extent/read.js";
import type { Attributes, NodeTree } from "../../../src/filesystem/filesystem.js";
import type { View } from "../../../src/tree/view.js";
import type { Probe } from "../probe.js";
import { listEntries, type DirectoryEntry } from "../../../src/filesystem/entries.js";

/** Files that are longer are read only so far. */
const LONGEST = 128 * 1024;
const NODES = 2000;

/** In place of what could not be read. */
const ERROR = "error";

/** By path: what is there, as one text, or that it could not be read. Of a partition's own path, whether all was well. */
export type Digest = ReadonlyMap<string, string>;

export async function digestOf(view: View, probe: Probe): Promise<Digest> {
  const digest = new Map<string, string>();
  if (view.warnings.some((warning) => warning.includes("partition table"))) digest.set("", ERROR);
  for (const { volume, fileSystem, problem } of view.parts) {
    const path = `/${volume.index}`;
    const { offset, source } = volume;
    if (problem !== undefined) digest.set(path, ERROR);
    else digest.set(path, `${offset} ${source.size} ${fileSystem?.facts.type ?? ""}`);
    if (fileSystem !== undefined) await addTree(digest, path, fileSystem, probe);
  }
  return digest;
}

/**
 * What `after` shows otherwise than `before` without an error there or above; undefined where there is nothing.
 */
export function difference(before: Digest, after: Digest): string | undefined {
  for (const [path, text] of before) {
    const now = after.get(path);
    if (now === text || now === ERROR) continue;
    if (now !== undefined) return `${path} is "${now}", and was "${text}"`;
    if (!hasErrorAbove(after, path)) return `${path} is missing`;
  }
  for (const [path, text] of after)
    if (text !== ERROR && !before.has(path) && !hasErrorAbove(after, path)) return `${path} is new`;
  return undefined;
}

function hasErrorAbove(digest: Digest, path: string): boolean {
  for (let above = path.slice(0, path.lastIndexOf("/")); ; above = above.slice(0, above.lastIndexOf("/"))) {
    if (digest.get(above) === ERROR || digest.get(`${above}/`) === ERROR) return true;
    if (above === "") return false;
  }
}

async function addTree(
  digest: Map<string, string>,
  top: string,
  tree: NodeTree,
  probe: Probe,
): Promise<void> {
  const pending: [id: number, path: string][] = [[tree.root, top]];
  const seen = new Set([tree.root]);
  for (let next = pending.pop(); next !== undefined && digest.size < NODES; next = pending.pop()) {
    const [id, path] = next;
    const { entries, isWhole } = await listOf(tree, id, probe);
    if (!isWhole) digest.set(`${path}/`, ERROR);
    for (const entry of entries) {
      const below = `${path}/${entry.name.toString("latin1")}`;
      const attributes =
        entry.id === 0 ? undefined : await probe.attempt("attributes", () => tree.attributes(entry.id));
      if (attributes === undefined) {
        digest.set(below, ERROR);
        continue;
      }
      digest.set(below, (await textOf(tree, entry, attributes, probe)) ?? ERROR);
      if (attributes.type !== "directory" || seen.has(entry.id)) continue;
      seen.add(entry.id);
      pending.push([entry.id, below]);
    }
  }
}

async function listOf(
  tree: NodeTree,
  id: number,
  probe: Probe,
): Promise<{ entries: DirectoryEntry[]; isWhole: boolean }> {
  const entries: DirectoryEntry[] = [];
  for (let cookie = 0; entries.length < NODES;) {
    const batch = await probe.attempt("list", () => listEntries(tree, id, cookie));
    if (batch === undefined) return { entries, isWhole: false };
    if (batch.length === 0) break;
    entries.push(...batch);
    cookie = batch.at(-1)!.cookie;
  }
  // A damaged entry stands for one that cannot be told.
  return { entries, isWhole: entries.every((entry) => entry.id !== 0) };
}

async function textOf(
  tree: NodeTree,
  { id }: DirectoryEntry,
  attributes: Attributes,
  probe: Probe,
): Promise<string | undefined> {
  const { type, permissions, linkCount, uid, gid, size, allocatedSectors, modified } = attributes;
  const parts: unknown[] = [type, permissions, linkCount, uid, gid, size, allocatedSectors, modified.seconds];
  const extended = await probe.attempt("extended attributes", () => tree.extendedAttributes(id));
  if (extended === undefined) return undefined;
  for (const [name, value] of extended) parts.push(name, value.toString("latin1"));
  if (type === "symlink") {
    const target = await probe.attempt("readLink", () => tree.readLink(id));
    if (target === undefined) return undefined;
    parts.push(target.toString("latin1"));
  }
  if (type === "file") {
    const contents = await probe.attempt("contents", async () => {
      const source = await tree.open(id);
      return read(source, 0, Math.min(LONGEST, source.size));
    });
    if (contents === undefined) return undefined;
    parts.push(createHash("sha1").update(contents).digest("hex"));
  }
  return parts.join(" ");
}
