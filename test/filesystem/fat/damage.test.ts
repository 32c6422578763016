/** Every field of every structure set wrong, and bytes at random: right bytes or a DiskError, soon. */
import { createHash } from "node:crypto";
import t from "tap";
import type { Fields, Struct } from "../../../src/bytes/struct.js";
import { DiskError } from "../../../src/errors.js";
import { read } from "../../../src/extent/read.js";
import { memorySource } from "../../../src/extent/runs.js";
import { BootSector, BootSector16, BootSector32 } from "../../../src/filesystem/fat/boot.js";
import { EntryRecord, LongNameRecord } from "../../../src/filesystem/fat/entry.js";
import { fatDriver } from "../../../src/filesystem/fat/fat.js";
import type { FileSystem } from "../../../src/filesystem/filesystem.js";
import { readWhatIsReadable, walk } from "../ext/support.js";
import { entry, FatBuilder, type Width } from "./builder.js";
import { generator, openBytes, shuffled } from "./support.js";

const SOON = 10_000; // milliseconds for an image of a megabyte

/** A small image with a bit of everything, and where its slots lie. */
function smallImage(width: Width): { bytes: Buffer; slots: number[]; long: number; image: FatBuilder } {
  const image = new FatBuilder({
    width,
    clusterCount: { 12: 300, 16: 4200, 32: 1500 }[width],
    rootEntries: 64,
  });
  const random = generator(width);
  const free = shuffled(3, 290, random);
  const slots: number[] = [];
  const file = (name: string, size: number, long?: string): Buffer => {
    const contents = Buffer.alloc(size, `${name} is ${size} bytes. `);
    const clusters = free.splice(0, Math.ceil(size / 512));
    image.put(contents, clusters);
    return entry(name, { firstCluster: clusters[0] ?? 0, size, ...(long !== undefined && { long }) });
  };
  slots.push(image.root(entry("LABEL", { attributes: 0x08 })));
  slots.push(image.root(file("ONE", 5000)));
  const long = slots.at(-1)! + 32;
  slots.push(image.root(file("TWO~1", 12_345, "the second, with a long name")));
  slots.push(image.root(file("EMPTY", 0)));
  const inner = [...Array.from({ length: 40 }, (_, i) => file(`F${i}`, i * 13)), file("LAST", 999)];
  const clusters = free.splice(0, 3);
  image.put(Buffer.concat([entry("."), entry(".."), ...inner]), clusters);
  slots.push(image.root(entry("SUB", { attributes: 0x10, firstCluster: clusters[0]! })));
  slots.push(image.offsetOf(clusters[1]!) + 64);
  return { bytes: image.bytes, slots, long, image };
}

/** The hash of every file, by its number. */
async function contents(bytes: Buffer): Promise<Map<number, string>> {
  const fs = await openBytes(bytes);
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
    const fs = await fatDriver.open(memorySource(bytes, "image"));
    if (fs !== undefined) await readWhatIsReadable(fs);
  } catch (error) {
    if (!(error instanceof DiskError)) wrong.push(`${what}: ${(error as Error).stack ?? String(error)}`);
  }
  if (performance.now() - started > SOON) wrong.push(`${what}: ${performance.now() - started} ms`);
}

for (const width of [12, 16, 32] as const) {
  t.test(
    `FAT${width}: with any field of any structure wrong, all ends in bytes or in a DiskError, soon`,
    async (t) => {
      const { bytes, slots, long } = smallImage(width);
      const right = await contents(bytes);
      t.equal(right.size, 44);
      const places: [Struct<Fields>, number][] = [
        [BootSector, 0],
        [width === 32 ? BootSector32 : BootSector16, 0],
        [LongNameRecord, long],
        ...slots.map((slot): [Struct<Fields>, number] => [EntryRecord, slot]),
      ];
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
            await survive(bytes, `${structure.name}.${key} at ${offset} filled with ${value}`, wrong);
          }
          before.copy(bytes, at);
        }
      }
      t.same(wrong.slice(0, 5), [], `${count} damaged images`);
      t.same(await contents(bytes), right, "and the image is whole again");
    },
  );

  t.test(`FAT${width}: with any link wrong, a file has its own bytes or an error`, async (t) => {
    const { bytes, image } = smallImage(width);
    const right = await contents(bytes);
    const random = generator(31 * width);
    const wrong: string[] = [];
    let refused = 0;
    for (let round = 0; round < 150; round++) {
      image.link(3 + random(290), random(4) === 0 ? random(2 ** 12) : 2 + random(292));
      const damagedBytes = Buffer.from(image.bytes);
      bytes.copy(image.bytes);
      const fs = await openBytes(damagedBytes);
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

  t.test(`FAT${width}: with random bytes wrong, all ends in bytes or in a DiskError, soon`, async (t) => {
    const { bytes, image } = smallImage(width);
    const random = generator(4711 + width);
    const wrong: string[] = [];
    const reach = image.offsetOf(290);
    for (let round = 0; round < 200; round++) {
      const copy = Buffer.from(bytes);
      for (let hit = 1 + random(8); hit > 0; hit--) {
        const at = random(reach - 4096);
        const kind = random(5);
        if (kind === 0) copy.fill(random(256), at, at + random(1024));
        else if (kind === 1) copy.copy(copy, at - (at % 512), random(reach), random(reach) + 512);
        else if (kind === 2) copy.writeUInt16LE(random(300), image.fatOffsets[0]! + (random(600) & ~1));
        else if (kind === 3) copy.writeUInt32LE(random(2 ** 32), image.rootOffset + (random(1024) & ~3));
        else copy[random(512)] = random(256);
      }
      const cut = random(10) === 0 ? copy.subarray(0, random(copy.length)) : copy;
      await survive(cut, `round ${round}`, wrong);
    }
    t.same(wrong.slice(0, 5), []);
  });
}
