/** Disks that qemu-img has compressed with DEFLATE: the clusters of a QCOW2 image as units. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  append,
  lengthOf,
  sliceList,
  type BlockSource,
  type ChunkedUnit,
  type Extent,
} from "../../src/extent/extent.js";
import { storageSource } from "../../src/extent/storage.js";
import type { Storage } from "../../src/storage/storage.js";
import type { Random } from "../image/random.js";
import { output } from "./command.js";

/** Bytes of a cluster: qemu-img's default. */
export const CLUSTER = 65_536;

/** A disk of `clusters` clusters and some odd sectors, and the paths of it as qemu-img has compressed it, and as it was. */
export async function compressDisk(
  folder: string,
  numbers: Random,
  clusters: number,
): Promise<{ raw: Buffer; path: string }> {
  const parts: Buffer[] = [];
  for (let index = 0; index < clusters; index++) {
    const text = `cluster ${index}: ${numbers.below(1e9)} `.repeat(numbers.below(50) + 1);
    const kind = numbers.below(6);
    if (kind === 0) parts.push(Buffer.alloc(CLUSTER));
    else parts.push(kind === 1 ? numbers.bytes(CLUSTER) : Buffer.alloc(CLUSTER, text));
  }
  parts.push(Buffer.alloc(5 * 512, "the end"));
  const raw = Buffer.concat(parts);
  const [from, path] = [join(folder, "disk.raw"), join(folder, "disk.qcow2")];
  writeFileSync(from, raw);
  await output("qemu-img", ...["convert", "-c", "-f", "raw", "-O", "qcow2", from, path]);
  return { raw, path };
}

/** The extents of the image in `storage`. Source: QEMU, docs/interop/qcow2.rst. */
export function compressedSource(storage: Storage): BlockSource {
  const image = readFileSync(storage.location);
  const size = Number(image.readBigUInt64BE(24));
  const first = Number(image.readBigUInt64BE(40) & 0x00ff_ffff_ffff_fe00n);
  const table = Number(image.readBigUInt64BE(first) & 0x00ff_ffff_ffff_fe00n);
  const file = storageSource(storage);
  const extents: Extent[] = [];
  for (let at = 0; at < size; at += CLUSTER) {
    const entry = image.readBigUInt64BE(table + (at / CLUSTER) * 8);
    const length = Math.min(CLUSTER, size - at);
    if (entry === 0n) append(extents, { kind: "zero", length });
    else if ((entry & (1n << 62n)) === 0n) {
      const offset = Number(entry & 0x00ff_ffff_ffff_fe00n);
      append(extents, { kind: "stored", length, storage, offset });
    } else {
      const offset = Number(entry & ((1n << 54n) - 1n));
      const sectors = Number((entry >> 54n) & 0xffn) + 1;
      const packed = Math.min(sectors * 512 - (offset % 512), image.length - offset);
      const unit: ChunkedUnit = {
        id: { source: storage, index: offset },
        codec: "deflate",
        places: [0, packed],
        chunkSize: CLUSTER,
        size: CLUSTER,
        mayBeStored: false,
        source: file,
        runs: [{ offset, length: packed }],
        placeOf: () => ({ file: storage.name, offset }),
      };
      append(extents, { kind: "packed", length, unit, skip: 0 });
    }
  }
  if (lengthOf(extents) !== size) throw new Error("the image is not mapped to its end");
  return {
    name: storage.name,
    size,
    map: async (offset, length) => sliceList(extents, offset, length),
  };
}
