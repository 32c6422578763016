/**
 * Disk images with what other programs read in them: the small ones of images/corpus, and, where it is there, the
 * larger collection in ../shared/corpora beside the project, which is no part of it.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Folders with a catalogue.tsv, a folder "truth", and images packed by gzip or xz. */
const FOLDERS = ["../../images/corpus", "../../../shared/corpora"]
  .map((path) => fileURLToPath(new URL(path, import.meta.url)))
  .filter((folder) => existsSync(folder));

/** A row of the catalogue. */
export interface CorpusImage {
  /** The folder that its catalogue lies in. */
  readonly folder: string;
  readonly path: string;
  /** "raw", "vdi:differencing" … */
  readonly format: string;
  /** "none", "dos", "gpt" … */
  readonly scheme: string;
  /** What is on it: "ext4", "ntfs+ext4", "-" … */
  readonly fileSystem: string;
  /** The truth about its files or its disk, for `truthOf`; "-" where it is not known. */
  readonly truth: string;
  readonly isGood: boolean;
  readonly id: string;
  /** Extents and parents that lie beside it. */
  readonly companions: readonly string[];
}

export const corpus: readonly CorpusImage[] = FOLDERS.flatMap((folder) =>
  readFileSync(join(folder, "catalogue.tsv"), "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.split("\t"))
    .map(([path, format, scheme, fileSystem, truth, quality, id, , , , companions]) => ({
      folder,
      path: path!,
      format: format!,
      scheme: scheme!,
      fileSystem: fileSystem!,
      truth: truth!,
      isGood: quality === "good",
      id: id!,
      companions: companions!.split(",").filter((name) => name !== ""),
    })),
);

/** Runs `use` on the unpacked image, beside which its companions are; they are gone when it is done. */
export async function withCorpus<T>(image: CorpusImage, use: (path: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "vdisk-corpora-"));
  try {
    const [path] = [image.path, ...image.companions].map((name) =>
      unpack(join(image.folder, name), join(folder, name)),
    );
    return await use(path!);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Unpacks `packed`, which has ".gz" or ".xz" behind its name, to `path`, with holes. */
function unpack(packed: string, path: string): string {
  mkdirSync(dirname(path), { recursive: true });
  const program = existsSync(`${packed}.xz`) ? "xz" : "gzip";
  execFileSync("sh", [
    "-c",
    '"$0" -dc "$1" | cp --sparse=always /dev/stdin "$2"',
    program,
    `${packed}.${program === "xz" ? "xz" : "gz"}`,
    path,
  ]);
  return path;
}

/** The lines of `truth` ("truth/<id>.parts.tsv"), or undefined where it is not known. Names in it are latin1. */
export function truthOf(truth: string): string[] | undefined {
  const path = FOLDERS.map((folder) => join(folder, truth)).find((path) => existsSync(path));
  if (path === undefined) return undefined;
  return readFileSync(path, "latin1")
    .split("\n")
    .filter((line) => line !== "");
}
