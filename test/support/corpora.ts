/**
 * Disk images that nobody here made, with what other programs read in them: ../shared/corpora beside the project,
 * which is no part of it. Where the folder is not, the catalogue is empty.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const CORPORA = fileURLToPath(new URL("../../../shared/corpora", import.meta.url));

/** A row of the catalogue. */
export interface CorpusImage {
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

export const corpus: readonly CorpusImage[] = existsSync(CORPORA)
  ? readFileSync(join(CORPORA, "catalogue.tsv"), "utf8")
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"))
      .map((line) => line.split("\t"))
      .map(([path, format, scheme, fileSystem, truth, quality, id, , , , companions]) => ({
        path: path!,
        format: format!,
        scheme: scheme!,
        fileSystem: fileSystem!,
        truth: truth!,
        isGood: quality === "good",
        id: id!,
        companions: companions!.split(",").filter((name) => name !== ""),
      }))
  : [];

/** Runs `use` on the unpacked image, beside which its companions are; they are gone when it is done. */
export async function withCorpus<T>(image: CorpusImage, use: (path: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "vdisk-corpora-"));
  try {
    const [path] = [image.path, ...image.companions].map((name) => unpack(name, folder));
    return await use(path!);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Unpacks a file of the corpora below `folder`, with holes. */
function unpack(name: string, folder: string): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  const command = 'gzip -dc "$0" | cp --sparse=always /dev/stdin "$1"';
  execFileSync("sh", ["-c", command, join(CORPORA, `${name}.gz`), path]);
  return path;
}

/** The lines of `truth` ("truth/<id>.parts.tsv"), or undefined where it is not known. Names in it are latin1. */
export function truthOf(truth: string): string[] | undefined {
  const path = join(CORPORA, truth);
  if (!existsSync(path)) return undefined;
  return readFileSync(path, "latin1")
    .split("\n")
    .filter((line) => line !== "");
}
