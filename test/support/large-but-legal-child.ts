/**
 * The process that large-but-legal.ts measures. Arguments: a file with a JobList as JSON, the number of the first
 * case, and "exact" if garbage of the cases before must not count as memory of a case. Prints a line for each case.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { inspect } from "node:util";
import { DiskError } from "../../src/errors.js";
import { read } from "../../src/extent/read.js";
import type { BlockSource } from "../../src/extent/extent.js";
import type { NodeTree } from "../../src/filesystem/filesystem.js";
import { findNext } from "../../src/fuse/native/holes.js";
import { windowsFor } from "../../src/fuse/native/windows.js";
import { openDisk } from "../../src/tree/disk.js";
import type { View } from "../../src/tree/view.js";
import { openImages } from "../fuzz/images/examine.js";
import { memoryStorage, patch } from "../fuzz/images/storage.js";
import { Random } from "../fuzz/random.js";
import { processorTime, watchEventLoop } from "./event-loop.js";
import type { JobList, Measured } from "./large-but-legal.js";
import { listEntries } from "../../src/filesystem/entries.js";

/** Nodes of one file system that are looked at, entries of one directory, and depth. */
const NODES = 12;
const ENTRIES = 100;
const DEPTH = 2;

/** Bytes that are read in each place. */
const PIECE = 4096;

const [list, first, exactness] = process.argv.slice(2) as [string, string, "exact" | "quick"];
const { paths, cases } = JSON.parse(readFileSync(list, "utf8")) as JobList;

/** What maps windows, and what it reported. It remembers by number what it has mapped: each source gets a new one. */
const bugs: unknown[] = [];
const windows = windowsFor(
  { putWindow: () => undefined, putReply: () => undefined, clear: () => undefined, notify: () => undefined },
  (bug) => bugs.push(bug),
);
let passedCount = 0;

/** The image of the cases before, which most cases share. */
let loaded: { readonly path: string; readonly image: Buffer } | undefined;

/** Runs one operation; an error of the disk is as good as a result. */
type Attempt = <T>(operation: string, work: () => T | Promise<T>) => Promise<T | undefined>;

/** Memory of this process, in bytes: `VmRSS` now, `VmHWM` at the most. */
function memory(field: "VmRSS" | "VmHWM"): number {
  const line = new RegExp(`${field}:\\s+(\\d+) kB`).exec(readFileSync("/proc/self/status", "utf8"));
  return Number(line![1]) * 1024;
}

async function measure(index: number): Promise<Measured> {
  let [milliseconds, operation, lag, lagOperation] = [0, "", 0, ""];
  let bug: string | undefined;
  const attempt: Attempt = async (name, work) => {
    const [wall, processor] = [performance.now(), processorTime()];
    const watch = watchEventLoop();
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof DiskError)) bug ??= `${name}: ${inspect(error)}`;
      return undefined;
    } finally {
      const held = watch.stop();
      // Other processes take their part of the wall clock.
      const time = Math.min(performance.now() - wall, processorTime() - processor);
      if (time > milliseconds) [milliseconds, operation] = [time, name];
      if (held > lag) [lag, lagOperation] = [held, name];
    }
  };
  const [pathIndex, patches] = cases[index]!;
  const path = paths[pathIndex]!;
  const image = patches.length === 0 ? undefined : load(path);
  if (exactness === "exact") globalThis.gc!();
  writeFileSync("/proc/self/clear_refs", "5"); // resets VmHWM to VmRSS: proc(5)
  const before = memory("VmRSS");
  await patched(image, patches, () => examine(path, image, attempt));
  return {
    ...{ index, milliseconds, operation, lag, lagOperation, growth: memory("VmHWM") - before },
    ...(bug !== undefined && { bug }),
  };
}

/** The bytes at `path`, to be patched. */
function load(path: string): Buffer {
  if (loaded?.path !== path) loaded = { path, image: readFileSync(path) };
  return loaded.image;
}

/** Runs `use` while `image` has `patches`; where there are none, the file itself is opened. */
async function patched(
  image: Buffer | undefined,
  patches: readonly (readonly [offset: number, hex: string])[],
  use: () => Promise<void>,
): Promise<void> {
  if (image === undefined) return use();
  const undo = patch(
    [image],
    patches.map(([offset, hex]) => [0, offset, hex]),
  );
  await use();
  undo();
}

async function examine(path: string, image: Buffer | undefined, attempt: Attempt): Promise<void> {
  const view = await attempt<View>("opening", () =>
    image === undefined ? openDisk(path) : openImages([memoryStorage(image, "image")], new Random(1)),
  );
  if (view === undefined) return;
  await examineSource("the disk", view.source, attempt);
  for (const { volume, fileSystem } of view.parts) {
    await examineSource("a volume", volume.source, attempt);
    if (fileSystem !== undefined) await examineTree(fileSystem, attempt);
  }
}

async function examineTree(tree: NodeTree, attempt: Attempt): Promise<void> {
  await attempt("usage", () => tree.usage(tree.root));
  const pending: [id: number, depth: number][] = [[tree.root, 0]];
  const seen = new Set<number>();
  for (let next = pending.shift(); next !== undefined && seen.size < NODES; next = pending.shift()) {
    const [id, depth] = next;
    await attempt("lookup of a missing name", () => tree.lookup(id, Buffer.from("nowhere")));
    for (let cookie = 0, count = 0; count < ENTRIES;) {
      const entries = (await attempt("listing", () => listEntries(tree, id, cookie))) ?? [];
      if (entries.length === 0) break;
      count += entries.length;
      cookie = entries.at(-1)!.cookie;
      for (const entry of entries.slice(0, ENTRIES)) {
        if (entry.problem !== undefined || seen.has(entry.id) || seen.size >= NODES) continue;
        seen.add(entry.id);
        await attempt("lookup", () => tree.lookup(id, entry.name));
        const attributes = await attempt("attributes", () => tree.attributes(entry.id));
        await attempt("extended attributes", () => tree.extendedAttributes(entry.id));
        if (attributes?.type === "directory" && depth < DEPTH) pending.push([entry.id, depth + 1]);
        if (attributes?.type === "symlink") await attempt("readLink", () => tree.readLink(entry.id));
        if (attributes?.type !== "file") continue;
        const source = await attempt("open", () => tree.open(entry.id));
        if (source !== undefined) await examineSource(`file ${entry.name.toString()}`, source, attempt);
      }
    }
  }
}

async function examineSource(name: string, source: BlockSource, attempt: Attempt): Promise<void> {
  const { size } = source;
  for (const offset of new Set([0, Math.floor(size / 2), Math.max(0, size - PIECE)]))
    await attempt(`read of ${name} at ${offset}`, () => read(source, offset, Math.min(PIECE, size - offset)));
  for (const what of ["data", "hole"] as const)
    for (const offset of [0, Math.floor(size / 2)])
      await attempt(`search for a ${what} in ${name} from ${offset}`, () => findNext(source, offset, what));
  await attempt(`the first window of ${name}`, async () => {
    await windows.pass(++passedCount, source, 0);
    if (bugs.length > 0) throw new Error("a window cannot be mapped", { cause: bugs.pop() });
  });
}

for (let index = Number(first); index < cases.length; index++)
  process.stdout.write(`${JSON.stringify(await measure(index))}\n`);
