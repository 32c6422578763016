/**
 * The packed chunks in a WIM file, as wimlib-imagex writes it: just enough to get at them. They are packed as those
 * of CompactOS are. Source: "Windows Imaging File Format (WIM)" (Microsoft, 2007).
 */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Test } from "tap";
import { output, run } from "../../support/command.js";
import { place } from "../../support/place.js";

export interface Chunk {
  readonly packed: Buffer;
  /** Bytes once unpacked. */
  readonly size: number;
  /** Where those bytes begin in the file. */
  readonly offset: number;
}

/** What wimlib-imagex makes of `files`: the packed chunks of each, by its name. */
export async function packWithWimlib(
  t: Test,
  files: Map<string, Buffer>,
  codec: "XPRESS" | "LZX",
  chunkSize: number,
): Promise<Map<string, Chunk[]>> {
  const folder = place(t);
  const wim = join(folder, "files.wim");
  mkdirSync(join(folder, "files"));
  for (const [name, bytes] of files) writeFileSync(join(folder, "files", name), bytes);
  const how = [`--compress=${codec}`, `--chunk-size=${chunkSize}`, "--no-acls"];
  await output("wimlib-imagex", "capture", join(folder, "files"), wim, ...how);
  const chunks = packedChunks(wim);
  const hash = (bytes: Buffer): string => createHash("sha1").update(bytes).digest("hex");
  return new Map(Array.from(files, ([name, bytes]) => [name, chunks.get(hash(bytes)) ?? []]));
}

/** Bits of a resource's flags. */
const METADATA = 2;
const COMPRESSED = 4;

/** The packed chunks of each file in `wim`, by the SHA-1 of the file; chunks that are stored are left out. */
export function packedChunks(wim: string): Map<string, Chunk[]> {
  const bytes = readFileSync(wim);
  const chunkSize = bytes.readUInt32LE(20);
  const lookup = resourceAt(bytes, 48);
  const files = new Map<string, Chunk[]>();
  for (let at = lookup.offset; at < lookup.offset + lookup.size; at += 50) {
    const resource = resourceAt(bytes, at);
    if (resource.flags & METADATA || !(resource.flags & COMPRESSED)) continue;
    const packed = bytes.subarray(resource.offset, resource.offset + resource.size);
    files.set(bytes.toString("hex", at + 30, at + 50), chunksOf(packed, resource.originalSize, chunkSize));
  }
  return files;
}

/** A chunk ends where the table, which leaves the first one out, says that the next begins. */
function chunksOf(packed: Buffer, originalSize: number, chunkSize: number): Chunk[] {
  const count = Math.ceil(originalSize / chunkSize);
  const first = (count - 1) * 4;
  const starts = [0, ...Array.from({ length: count - 1 }, (_, index) => packed.readUInt32LE(index * 4))];
  return starts
    .map((start, index) => ({
      packed: packed.subarray(first + start, index + 1 < count ? first + starts[index + 1]! : packed.length),
      size: Math.min(chunkSize, originalSize - index * chunkSize),
      offset: index * chunkSize,
    }))
    .filter(({ packed, size }) => packed.length < size);
}

function resourceAt(bytes: Buffer, at: number): Record<"size" | "flags" | "offset" | "originalSize", number> {
  return {
    size: bytes.readUIntLE(at, 6),
    flags: bytes[at + 7]!,
    offset: Number(bytes.readBigUInt64LE(at + 8)),
    originalSize: Number(bytes.readBigUInt64LE(at + 16)),
  };
}

/**
 * Whether wimlib-imagex, which checks SHA-1, unpacks the one chunk `packed` to `bytes`: a WIM with other data of that
 * size is made, and its resource replaced.
 */
export async function wimlibUnpacks(t: Test, packed: Buffer, bytes: Buffer): Promise<boolean> {
  const folder = place(t);
  const wim = join(folder, "one.wim");
  mkdirSync(join(folder, "files"));
  writeFileSync(join(folder, "files", "one"), bytes);
  const how = ["--compress=LZX", "--chunk-size=32768", "--no-acls"];
  await output("wimlib-imagex", "capture", join(folder, "files"), wim, ...how);
  const image = readFileSync(wim);
  const lookup = resourceAt(image, 48);
  for (let at = lookup.offset; at < lookup.offset + lookup.size; at += 50) {
    const { flags } = resourceAt(image, at);
    if (flags & METADATA) continue;
    image.writeUIntLE(packed.length, at, 6);
    image[at + 7] = flags | COMPRESSED;
    image.writeBigUInt64LE(BigInt(image.length), at + 8);
  }
  writeFileSync(wim, Buffer.concat([image, packed]));
  return (await run("wimlib-imagex", ["verify", wim])).code === 0;
}
