/** Every field of every structure set wrong, any link, and bytes at random: right bytes or a DiskError, soon. */
import { createHash } from "node:crypto";
import t from "tap";
import type { Fields, Struct } from "../../../src/bytes/struct.js";
import { DiskError } from "../../../src/errors.js";
import { read } from "../../../src/extent/read.js";
import { memorySource } from "../../../src/extent/runs.js";
import { BootSector, checksum16 } from "../../../src/filesystem/exfat/boot.js";
import {
  FileRecord,
  LabelRecord,
  NameRecord,
  StreamRecord,
  TableRecord,
} from "../../../src/filesystem/exfat/entry.js";
import { exfatDriver } from "../../../src/filesystem/exfat/exfat.js";
import type { FileSystem } from "../../../src/filesystem/filesystem.js";
import { readWhatIsReadable, walk } from "../ext/support.js";
import { generator, openBytes, shuffled } from "../fat/support.js";
import { ExfatBuilder, fileSet, labelSlot, resum } from "./builder.js";

const SOON = 10_000; // milliseconds for an image of a megabyte

interface Small {
  readonly image: ExfatBuilder;
  readonly bytes: Buffer;
  /** Bytes where entry sets begin, and how many slots they have. */
  readonly sets: readonly (readonly [offset: number, slots: number])[];
}

/** A small image with a bit of everything. */
function smallImage(): Small {
  const image = new ExfatBuilder({ clusterCount: 400 });
  const free = shuffled(image.firstFree, 300, generator(3));
  let row = image.firstFree + 300;
  const file = (name: string, size: number, isContiguous = false): Buffer => {
    const count = Math.ceil(size / 512);
    const clusters = isContiguous ? Array.from({ length: count }, () => row++) : free.splice(0, count);
    image.put(Buffer.alloc(size, `${name} is ${size} bytes. `), clusters, isContiguous);
    return fileSet(name, { firstCluster: clusters[0] ?? 0, size, isContiguous });
  };
  image.growRoot(...free.splice(0, 3));
  image.root(labelSlot("label"));
  const inner = Buffer.concat(
    Array.from({ length: 14 }, (_, i) => file(`inner ${"-".repeat(i * 5)}${i}`, i * 99)),
  );
  const clusters = free.splice(0, Math.ceil(inner.length / 512));
  image.put(inner, clusters);
  const sets = [
    file("one", 5000),
    file("the second, with a longer name", 12_345),
    file("in a row", 7777, true),
    file("empty", 0),
    fileSet("sub", { attributes: 0x10, firstCluster: clusters[0]!, size: clusters.length * 512 }),
  ].map((set) => [image.root(set), set.length / 32] as const);
  return { image, bytes: Buffer.from(image.finish()), sets };
}

async function contents(bytes: Buffer): Promise<Map<number, string>> {
  const fs = await openBytes(bytes, {}, exfatDriver);
  const found = new Map<number, string>();
  for await (const { id, attributes } of walk(fs))
    if (attributes.type === "file") found.set(id, await hashOf(fs, id));
  return found;
}

async function hashOf(fs: FileSystem, id: number): Promise<string> {
  const source = await fs.open(id);
  const hash = createHash("sha256").update(await read(source, 0, source.size));
  return hash.digest("hex");
}

async function survive(bytes: Buffer, what: string, wrong: string[]): Promise<void> {
  const started = performance.now();
  try {
    const fs = await exfatDriver.open(memorySource(bytes, "image"));
    if (fs !== undefined) await readWhatIsReadable(fs);
  } catch (error) {
    if (!(error instanceof DiskError)) wrong.push(`${what}: ${(error as Error).stack ?? String(error)}`);
  }
  if (performance.now() - started > SOON) wrong.push(`${what}: ${performance.now() - started} ms`);
}

for (const isSummed of [false, true]) {
  const how = isSummed ? " and its checksum right" : "";
  t.test(
    `with any field of any structure wrong${how}, all ends in bytes or in a DiskError, soon`,
    async (t) => {
      const { image, bytes, sets } = smallImage();
      const right = await contents(bytes);
      t.equal(right.size, 18);
      const root = image.offsetOf(image.rootCluster);
      const places: [Struct<Fields>, number][] = isSummed
        ? []
        : [
            [BootSector, 0],
            [TableRecord, root],
            [TableRecord, root + 32],
            [LabelRecord, root + 64],
          ];
      for (const [set] of sets)
        places.push([FileRecord, set], [StreamRecord, set + 32], [NameRecord, set + 64]);
      const wrong: string[] = [];
      let count = 0;
      for (const [structure, offset] of places) {
        for (const [key, field] of Object.entries(structure.fields)) {
          const at = offset + field.offset;
          const before = Buffer.from(bytes.subarray(at, at + field.length));
          for (const value of [0, 1, 0x7f, 0xff]) {
            bytes.fill(value === 1 ? 0 : value, at, at + field.length);
            if (value === 1) bytes[at] = before[0]! ^ 1;
            if (bytes.subarray(at, at + field.length).equals(before)) continue;
            count++;
            const set = sets.find(([first, slots]) => at >= first && at < first + slots * 32);
            const sum = set && bytes.readUInt16LE(set[0] + 2);
            if (set !== undefined && isSummed)
              bytes.writeUInt16LE(
                checksum16(bytes.subarray(set[0], set[0] + set[1] * 32), [2, 3]),
                set[0] + 2,
              );
            await survive(bytes, `${structure.name}.${key} at ${offset} filled with ${value}`, wrong);
            if (set !== undefined) bytes.writeUInt16LE(sum!, set[0] + 2);
            before.copy(bytes, at);
          }
        }
      }
      t.same(wrong.slice(0, 5), [], `${count} damaged images`);
      t.same(await contents(bytes), right, "and the image is whole again");
    },
  );
}

t.test("with any link wrong, a file has its own bytes or an error", async (t) => {
  const { image, bytes } = smallImage();
  const right = await contents(bytes);
  const random = generator(31);
  const wrong: string[] = [];
  let refused = 0;
  for (let round = 0; round < 200; round++) {
    const copy = Buffer.from(bytes);
    const cluster = image.firstFree + random(300);
    copy.writeUInt32LE(
      random(4) === 0 ? random(2 ** 32) : 2 + random(402),
      image.fatOffsets[0]! + cluster * 4,
    );
    const fs = await openBytes(copy, {}, exfatDriver);
    for (const [id, hash] of right) {
      const found = await hashOf(fs, id).catch((error: unknown) => {
        if (error instanceof DiskError) return undefined;
        throw error;
      });
      if (found === undefined) refused++;
      else if (found !== hash) wrong.push(`round ${round}: the file at ${id * 32}`);
    }
  }
  t.same(wrong, []);
  t.ok(refused > 20, `${refused} files were refused`);
});

t.test("with random bytes wrong, all ends in bytes or in a DiskError, soon", async (t) => {
  const { image, bytes, sets } = smallImage();
  const random = generator(4711);
  const wrong: string[] = [];
  const root = image.offsetOf(image.rootCluster);
  for (let round = 0; round < 300; round++) {
    const copy = Buffer.from(bytes);
    for (let hit = 1 + random(8); hit > 0; hit--) {
      const at = random(bytes.length - 4096);
      const kind = random(5);
      if (kind === 0) copy.fill(random(256), at, at + random(1024));
      else if (kind === 1) copy.copy(copy, at - (at % 512), random(bytes.length - 512), random(bytes.length));
      else if (kind === 2) copy.writeUInt32LE(random(402), image.fatOffsets[0]! + 4 * random(402));
      else if (kind === 3) copy.writeUInt32LE(random(2 ** 32), root + (random(512) & ~3));
      else copy[random(512)] = random(256);
    }
    // What a checksum does not catch must be survived, too.
    const isSummed = random(2) === 0;
    for (const [set, slots] of isSummed ? sets : []) resum(copy.subarray(set, set + slots * 32));
    const cut = random(10) === 0 ? copy.subarray(0, random(copy.length)) : copy;
    await survive(cut, `round ${round}`, wrong);
  }
  t.same(wrong.slice(0, 5), []);
});

t.test("a volume that is cut short is read as far as it goes", async (t) => {
  const { bytes } = smallImage();
  const right = new Set((await contents(bytes)).values());
  const wrong: string[] = [];
  for (let size = bytes.length - 1; size > 0; size -= 3989) {
    const cut = bytes.subarray(0, size);
    await survive(cut, `${size} bytes`, wrong);
    const found = await readable(cut);
    if (found.some((hash) => !right.has(hash))) wrong.push(`${size} bytes: another file's bytes`);
  }
  t.same(wrong, []);
});

/** The hashes of the files that can be read to their ends. */
async function readable(bytes: Buffer): Promise<string[]> {
  const fs = await exfatDriver.open(memorySource(bytes, "image")).catch(ignored);
  const hashes: (string | undefined)[] = [];
  if (fs === undefined) return [];
  try {
    for await (const { id, attributes } of walk(fs, fs.root, "", new Set(), ignored))
      if (attributes.type === "file") hashes.push(await hashOf(fs, id).catch(ignored));
  } catch (error) {
    ignored(error); // of a directory
  }
  return hashes.filter((hash) => hash !== undefined);
}

function ignored(error: unknown): undefined {
  if (!(error instanceof DiskError)) throw error;
}
