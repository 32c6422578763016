/** The image formats, in probe order. Raw, whose files have no signature, is the last. */
import { dirname } from "node:path";
import { UnsupportedError } from "../errors.js";
import { openFile } from "../storage/file.js";
import { locate, openGate, type Gate } from "../storage/gate.js";
import type { Storage } from "../storage/storage.js";
import { EDGE_SIZE, type Edges, type Image, type ImageFormat } from "./image.js";
import { isSnapshotFolder } from "./neighbourhood.js";
import { raw } from "./raw.js";
import { vdi } from "./vdi/vdi.js";

export const formats: readonly ImageFormat[] = [vdi, raw];

/**
 * Opens the image that begins in `file`, which is closed with it, or on an error.
 * @param gate opens the other files that the image names.
 * @param among the formats that are tried, in order.
 * @throws {DiskError} where it is no image, or damaged, or of a kind that is not read.
 */
export async function openImage(
  file: Storage,
  gate: Gate,
  among: readonly ImageFormat[] = formats,
): Promise<Image> {
  try {
    const edges = await readEdges(file);
    const format = among.find((format) => format.probe(edges));
    if (format !== undefined) return await format.open(file, gate);
    const expected = among.map(({ name }) => name).join(", ");
    throw new UnsupportedError({
      file: file.name,
      thing: "this is no disk image of a known format",
      expected,
    });
  } catch (error) {
    await file.close();
    throw error;
  }
}

/**
 * Opens the image at `path`, without its parents.
 * @param allowDirs folders, besides the image's own, in which files that it names may lie.
 * @throws {DiskError} as `openFile` and `openImage`.
 */
export async function openImageAt(
  path: string,
  allowDirs: readonly string[] = [],
  among: readonly ImageFormat[] = formats,
): Promise<Image> {
  const file = await openFile(path);
  const place = (await locate(file)) ?? file.location;
  return openImage(file, await openGate([...homeOf(place), ...allowDirs]), among);
}

/** The folders that are the image's own; `path` has every symbolic link followed. */
export function homeOf(path: string): string[] {
  const folder = dirname(path);
  return isSnapshotFolder(folder) ? [folder, dirname(folder)] : [folder];
}

async function readEdges(file: Storage): Promise<Edges> {
  const { name, size } = file;
  const head = Buffer.alloc(Math.min(EDGE_SIZE, size));
  await file.read(head, 0);
  if (size <= EDGE_SIZE) return { name, size, head, tail: head };
  const tail = Buffer.alloc(EDGE_SIZE);
  await file.read(tail, size - EDGE_SIZE);
  return { name, size, head, tail };
}
