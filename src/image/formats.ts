/** The image formats, in probe order, and how a file is opened as one of them. */
import { dirname } from "node:path";
import { UnsupportedError, withContext } from "../errors.js";
import { read } from "../extent/read.js";
import { storageSource } from "../extent/storage.js";
import { closeOnError } from "../storage/closing.js";
import { fileFacts, openFile } from "../storage/file.js";
import { locate, openGate, type Gate } from "../storage/gate.js";
import type { Storage } from "../storage/storage.js";
import { EDGE_SIZE, type Edges, type Image, type ImageFacts, type ImageFormat } from "./image.js";
import { isSnapshotFolder } from "./neighbourhood.js";
import { raw } from "./raw.js";
import type { FindImages } from "./registry.js";
import { vdi } from "./vdi/vdi.js";
import { vhd } from "./vhd/vhd.js";

/** Raw is the last one, because its files have no signature. */
export const formats: readonly ImageFormat[] = [vdi, vhd, raw];

/** How images are opened. */
export interface ImageOptions {
  /** Folders that the user allows besides the image's own: files that images name may lie in them. */
  readonly allowDirs?: readonly string[];
  /** The formats that are tried, in order; all of them by default. */
  readonly formats?: readonly ImageFormat[];
  /** Finds the machine of an image: files that the image names may lie in the machine's folders, too. */
  readonly findImages?: FindImages;
}

/** An image, and whether its format is the one that probing finds. */
export interface OpenedImage {
  readonly image: Image;
  /** False if the image was opened as a format that was asked for, and probing would have found another. */
  readonly isProbed: boolean;
}

/**
 * Opens the image at `path`, without its parents.
 * @throws {DiskError} as `openFile` and `openImage`.
 */
export async function openImageAt(path: string, options: ImageOptions = {}): Promise<Image> {
  const file = await openFile(path);
  const gate = await closeOnError(file, () => gateOf(file, options));
  return openImage(file, gate, options.formats);
}

/** Opens the image whose first file is `file`, as the format that its signature shows; otherwise as `openImageAs`. */
export async function openImage(file: Storage, gate: Gate, among = formats): Promise<Image> {
  return (await openImageAs(undefined, file, gate, among)).image;
}

/**
 * Opens the image whose first file is `file`. The image closes `file`; on an error, it is closed at once.
 * @param format the name of the only format that is tried; the first that matches by default.
 * @param gate opens the other files that the image names.
 * @throws {UnsupportedError} if the file has no format of `among`, or not `format`.
 * @throws {DiskError} as `ImageFormat.open`.
 */
export async function openImageAs(
  format: string | undefined,
  file: Storage,
  gate: Gate,
  among: readonly ImageFormat[] = formats,
): Promise<OpenedImage> {
  return closeOnError(file, async () => {
    const edges = await readEdges(file);
    const probed = among.find((one) => one.probe(edges));
    const chosen =
      format === undefined ? probed : among.find((one) => one.name === format && one.probe(edges));
    if (chosen !== undefined)
      return { image: await chosen.open(file, namingGate(file, gate)), isProbed: chosen === probed };
    throw new UnsupportedError({
      file: file.name,
      thing:
        format === undefined
          ? "this is no disk image of a known format"
          : "this is no disk image of the format that its child image records",
      expected: format ?? among.map(({ name }) => name).join(", "),
    });
  });
}

/** Returns what identifies `image`, for `ParentReference.matches`. */
export function factsOf({ format, identity, files: [file] }: Image): ImageFacts {
  const modified = fileFacts(file)?.modified;
  return { format, ...(identity && { identity }), ...(modified !== undefined && { modified }) };
}

/** Returns the path of an open file, without symbolic links where the host tells it. */
export async function pathOf(file: Storage): Promise<string> {
  return (await locate(file)) ?? file.location;
}

/** Returns the folders in which files that the image at `path` names may lie; `path` is without symbolic links. */
export function homeOf(path: string): string[] {
  const folder = dirname(path);
  return isSnapshotFolder(folder) ? [folder, dirname(folder)] : [folder];
}

/** The gate for the files that the image in `file` names. The machine is looked for only if one lies elsewhere. */
async function gateOf(file: Storage, { allowDirs = [], findImages }: ImageOptions): Promise<Gate> {
  const path = await pathOf(file);
  const moreFolders = async (): Promise<readonly string[]> => (await findImages?.({ path }))?.folders ?? [];
  return openGate([...homeOf(path), ...allowDirs], { moreFolders });
}

/** A gate whose errors say which image names the file. */
function namingGate({ name }: Storage, gate: Gate): Gate {
  return {
    async open(path) {
      try {
        return await gate.open(path);
      } catch (error) {
        throw withContext(`a file of ${name}`, error);
      }
    },
  };
}

async function readEdges(file: Storage): Promise<Edges> {
  const { name, size } = file;
  const source = storageSource(file);
  const head = await read(source, 0, Math.min(EDGE_SIZE, size));
  const tail = size <= EDGE_SIZE ? head : await read(source, size - EDGE_SIZE, EDGE_SIZE);
  return { name, size, head, tail };
}
