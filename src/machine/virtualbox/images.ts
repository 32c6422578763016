/** Which images belong to the VirtualBox machine of an image: the `.vbox` near it says so. */
import { readdir, realpath, stat } from "node:fs/promises";
import { dirname, isAbsolute, join, resolve, win32 } from "node:path";
import { DiskError, UnsupportedError } from "../../errors.js";
import type { FindImages, RegisteredImage } from "../../image/registry.js";
import { openFile } from "../../storage/file.js";
import type { HardDisk } from "./vbox.js";

/** Bytes. A machine with 250 snapshots, each of which repeats its hardware, takes 4 MB. */
const SIZE_LIMIT = 16 * 2 ** 20;

/**
 * Tags and attributes, in all machine files that are read together: what takes the parser's time and memory, some
 * 8 µs and 700 bytes each. A machine of 4 MB has 180,000.
 */
const MARKUP_LIMIT = 300_000;

/** Machine files read of one folder; there is one, but for copies kept by hand. */
const FILES_LIMIT = 16;

/** VirtualBox's usual name of the folder for differencing images, below the machine's. */
const SNAPSHOT_FOLDER = "Snapshots";

/**
 * The images that are registered with the machine of `image`: that whose `.vbox` lies in the image's folder, or
 * in the one above, and names the image by its path or its UUID. Never throws for what a `.vbox` holds: one that
 * cannot be read is ignored, with a warning.
 */
export const findVirtualBoxImages: FindImages = async ({ path, uuid }) => {
  const folders: string[] = [];
  const images: RegisteredImage[] = [];
  const warnings: string[] = [];
  let room = MARKUP_LIMIT;
  for (const folder of new Set([dirname(path), dirname(dirname(path))])) {
    for (const file of await machineFiles(folder)) {
      try {
        const text = await readText(file);
        const markup = markupOf(text);
        if (markup > room) {
          const thing = "the number of tags and attributes, and those of the machine files before it,";
          const found = MARKUP_LIMIT - room + markup;
          throw new UnsupportedError({ file, thing, found, expected: `at most ${MARKUP_LIMIT}` });
        }
        room -= markup;
        const { parseMachineFile } = await import("./vbox.js"); // most images have no such file: it is loaded late
        const { hardDisks } = parseMachineFile(text, file);
        const found: RegisteredImage[] = [];
        for (const disk of hardDisks) found.push(...(await locate(disk, folder)));
        if (!found.some((image) => image.uuid === uuid || image.path === path)) continue;
        folders.push(folder);
        images.push(...found);
      } catch (error) {
        if (!(error instanceof DiskError)) throw error;
        warnings.push(`${error.message}; it is ignored`);
      }
    }
  }
  return { folders, images, warnings };
};

async function machineFiles(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  const ours = names.filter((name) => name.toLowerCase().endsWith(".vbox")).sort();
  return ours.slice(0, FILES_LIMIT).map((name) => join(folder, name));
}

async function readText(file: string): Promise<string> {
  const storage = await openFile(file);
  try {
    if (storage.size > SIZE_LIMIT) {
      const expected = `at most ${SIZE_LIMIT} bytes`;
      throw new UnsupportedError({ file, thing: "the machine file's size", found: storage.size, expected });
    }
    const bytes = Buffer.alloc(storage.size);
    await storage.read(bytes, 0);
    return bytes.toString("utf8");
  } finally {
    await storage.close();
  }
}

/** How many tags and attributes `xml` has, at most. */
function markupOf(xml: string): number {
  let count = 0;
  for (let at = 0; at < xml.length; at++) {
    const character = xml[at];
    if (character === "<" || character === "=") count++;
  }
  return count;
}

/**
 * Where `disk` of the machine in `folder` may lie, of the places that exist. A machine that was moved, or that
 * comes from Windows, has its images still by the same name in its own folders.
 */
async function locate({ location, uuid }: HardDisk, folder: string): Promise<RegisteredImage[]> {
  const name = win32.basename(location); // it takes both kinds of slash
  const places = [
    ...(isAbsolute(location) || !win32.isAbsolute(location) ? [resolve(folder, location)] : []),
    resolve(folder, location.replaceAll("\\", "/")),
    join(folder, name),
    join(folder, SNAPSHOT_FOLDER, name),
  ];
  const resolved = await Promise.all(places.map(resolveFile));
  return [...new Set(resolved)].filter((path) => path !== undefined).map((path) => ({ path, uuid }));
}

/** `path` with every symbolic link followed; undefined where no file is. */
async function resolveFile(path: string): Promise<string | undefined> {
  if (path.includes("\0")) return undefined;
  const stats = await stat(path).catch(() => undefined);
  return stats === undefined || stats.isDirectory() ? undefined : realpath(path).catch(() => undefined);
}
