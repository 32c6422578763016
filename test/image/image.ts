/** What the tests of all formats do with images. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { DiskError } from "../../src/errors.js";
import type { BlockSource } from "../../src/extent/extent.js";
import { read } from "../../src/extent/read.js";
import { openChain, type ChainOptions } from "../../src/image/chain.js";

const MIB = 2 ** 20;

/** The disk of the chain at `path`, all of it. */
export async function readAll(path: string, options?: ChainOptions): Promise<Buffer> {
  const chain = await openChain(path, options);
  try {
    return await read(chain.source, 0, chain.source.size);
  } finally {
    await chain.close();
  }
}

/** The disk at `path` megabyte by megabyte, with the DiskError where one cannot be read; any other error goes on. */
export async function readParts(path: string): Promise<(Buffer | DiskError)[]> {
  const caught = (error: unknown): DiskError => {
    if (error instanceof DiskError) return error;
    throw error;
  };
  const chain = await openChain(path).catch(caught);
  if (chain instanceof DiskError) return [chain];
  const parts: (Buffer | DiskError)[] = [];
  for (let at = 0; at < Math.min(chain.source.size, 64 * MIB); at += MIB) {
    parts.push(await read(chain.source, at, Math.min(MIB, chain.source.size - at)).catch(caught));
  }
  await chain.close();
  return parts;
}

/** What qemu-img reads from `image`. */
export async function qemuReads(image: string, format: string, scratch: string): Promise<Buffer> {
  execFileSync("qemu-img", ["convert", "-f", format, "-O", "raw", image, scratch]);
  return readFileSync(scratch);
}

/** Where the data of `image` is, by qemu-img: runs as [start, length, zero, offset in the file]. */
export function qemuMaps(image: string, format: string): [number, number, boolean, number?][] {
  const answer = execFileSync("qemu-img", ["map", "-f", format, "--output=json", image], {
    encoding: "utf8",
  });
  const runs = JSON.parse(answer) as { start: number; length: number; zero: boolean; offset?: number }[];
  return runs.map(
    ({ start, length, zero, offset }) => [start, length, zero, ...(zero ? [] : [offset!])] as const,
  ) as [number, number, boolean, number?][];
}

/** Where the data of `source` is, in the same terms. */
export async function weMap(source: BlockSource): Promise<[number, number, boolean, number?][]> {
  const runs: [number, number, boolean, number?][] = [];
  let start = 0;
  for (const extent of await source.map(0, source.size)) {
    runs.push(
      extent.kind === "stored" ? [start, extent.length, false, extent.offset] : [start, extent.length, true],
    );
    start += extent.length;
  }
  return runs;
}

/** Real settings of a machine: written by VirtualBox for images/virtualbox, and where it is there, the collection's beside the project. */
export const realSettings: readonly string[] = [
  fileURLToPath(new URL("../../images/virtualbox/tree.vbox", import.meta.url)),
  ...["../../../shared/corpora/vbox/GOAD-DC01.vbox"]
    .map((path) => fileURLToPath(new URL(path, import.meta.url)))
    .filter((path) => existsSync(path)),
];

/** Leaves a socket at `path`, which may be longer than the host's calls take at once. */
export function makeSocket(path: string): void {
  const bind =
    "import os, socket, sys; os.chdir(sys.argv[1]); socket.socket(socket.AF_UNIX).bind(sys.argv[2])";
  execFileSync("python3", ["-c", bind, dirname(path), basename(path)]);
}
