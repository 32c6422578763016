/** Packed bytes of the bases' files, as the targets of the decoders take them: a size in two bytes, then what is packed. */
import { read } from "../../src/extent/read.js";
import type { ChunkedUnit } from "../../src/extent/extent.js";
import type { NodeTree } from "../../src/filesystem/filesystem.js";
import { loadBase } from "./images/bases.js";
import { openImages } from "./images/examine.js";
import { memoryStorage } from "./images/storage.js";
import { Random } from "./random.js";
import { listEntries } from "../../src/filesystem/entries.js";

const BASES = ["ntfs", "ntfs-wof"];

export async function packedSeeds(codec: string): Promise<Buffer[]> {
  const seeds: Buffer[] = [];
  for (const name of BASES) {
    const [image] = loadBase(name).files;
    const { parts } = await openImages([memoryStorage(image!, name)], new Random(1));
    for (const { fileSystem } of parts)
      for (const unit of fileSystem === undefined ? [] : await unitsIn(fileSystem))
        if (unit.codec === codec) seeds.push(...(await chunksOf(unit)));
  }
  return seeds;
}

async function unitsIn(tree: NodeTree): Promise<Set<ChunkedUnit>> {
  const units = new Set<ChunkedUnit>();
  const pending = [tree.root];
  for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
    for (let cookie = 0; ;) {
      const batch = await listEntries(tree, id, cookie);
      if (batch.length === 0) break;
      for (const entry of batch) {
        const { type } = await tree.attributes(entry.id);
        if (type === "directory") pending.push(entry.id);
        if (type !== "file") continue;
        const source = await tree.open(entry.id);
        for (const extent of await source.map(0, source.size))
          if (extent.kind === "packed" && extent.unit.codec !== undefined) units.add(extent.unit);
      }
      cookie = batch.at(-1)!.cookie;
    }
  }
  return units;
}

async function chunksOf({ source, runs, places, chunkSize, size }: ChunkedUnit): Promise<Buffer[]> {
  const parts: Buffer[] = [];
  for (const { offset, length } of runs) parts.push(await read(source, offset, length));
  const packed = Buffer.concat(parts);
  return places.slice(0, -1).map((from, index) => {
    const head = Buffer.alloc(2);
    head.writeUInt16LE(Math.min(chunkSize, size - index * chunkSize) - 1);
    return Buffer.concat([head, packed.subarray(from, places[index + 1])]);
  });
}
