/** The addon and the decoders of bytes/compression are judged by each other, and both by what was packed. */
import t, { type Test } from "tap";
import { CorruptError } from "../../src/errors.js";
import { codecs, type Codec } from "../../src/bytes/compression/codecs.js";
import type { BlockSource, ChunkedUnit } from "../../src/extent/extent.js";
import { read, unpackUnit } from "../../src/extent/read.js";
import { memorySource } from "../../src/extent/runs.js";
import { loadAddon, type Addon } from "../../src/storage/addon.js";
import { dice, kindsOfData, type Unpack } from "../bytes/compression/data.js";
import { packWithWimlib, type Chunk } from "../bytes/compression/wim-chunks.js";

const addon = loadAddon() as Addon;
const names = addon.codecNames();

/** The codecs whose functions in TypeScript return their result at once. */
type SyncCodec = "lznt1" | "xpress" | "lzx";

/** What the addon makes of a chunk; undefined where it refuses it. */
async function byAddon(codec: Codec, packed: Buffer, size: number): Promise<Buffer | undefined> {
  const into = Buffer.alloc(size, 0xaa);
  const chunk = Float64Array.from([names.indexOf(codec), 0, packed.length, 0, size]);
  return (await addon.unpackChunks(chunk, packed, into)) ? into : undefined;
}

function byDecoder(unpack: Unpack, packed: Buffer, size: number): Buffer | undefined {
  try {
    return unpack(packed, size);
  } catch (error) {
    if (!(error instanceof CorruptError)) throw error;
    return undefined;
  }
}

/** Cut, and changed in all ways, the two say the same of each of `chunks`. */
async function agree(t: Test, codec: SyncCodec, chunks: readonly Chunk[], rounds: number): Promise<void> {
  const unpack = codecs[codec];
  const roll = dice(7 + names.indexOf(codec));
  let refused = 0;
  for (let round = 0; round < rounds; round++) {
    const { packed, size } = chunks[roll(chunks.length)]!;
    const mutant = Buffer.from(packed.subarray(0, roll(4) === 0 ? roll(packed.length + 1) : packed.length));
    const zone = roll(3) === 0 ? Math.min(300, mutant.length) : mutant.length;
    for (let changes = roll(4); changes > 0 && zone > 0; changes--) mutant[roll(zone)] = roll(256);
    const wanted = roll(8) === 0 ? 1 + roll(size) : size;
    const expected = byDecoder(unpack, mutant, wanted);
    const found = await byAddon(codec, mutant, wanted);
    if (expected === undefined) refused++;
    if (expected === undefined ? found !== undefined : found?.equals(expected) !== true) {
      t.fail(`round ${round}: ${wanted} bytes of ${mutant.toString("base64")}`, {
        expected: expected?.length,
        found: found?.length,
      });
      return;
    }
  }
  t.ok(refused > 0 && refused < rounds, `${refused} of ${rounds} are refused by both, the others alike`);
}

for (const [method, codec, chunkSize] of [
  ["XPRESS", "xpress", 4096],
  ["XPRESS", "xpress", 16_384],
  ["LZX", "lzx", 32_768],
] as const) {
  t.test(
    `${method}, ${chunkSize} bytes a chunk: the addon gives what was packed, and refuses what is damaged`,
    async (t) => {
      const files = kindsOfData();
      const all: Chunk[] = [];
      for (const [name, chunks] of await packWithWimlib(t, files, method, chunkSize)) {
        for (const chunk of chunks) {
          const original = files.get(name)!.subarray(chunk.offset, chunk.offset + chunk.size);
          if ((await byAddon(codec, chunk.packed, chunk.size))?.equals(original) !== true) t.fail(name);
          all.push(chunk);
        }
      }
      t.ok(all.length > 25, `${all.length} chunks are as they were`);
      await agree(t, codec, all, 6000);
    },
  );
}

t.test("LZNT1: the addon says what the decoder says, of chunks at random too", async (t) => {
  const roll = dice(3);
  const chunks = Array.from({ length: 200 }, (): Chunk => {
    const parts: Buffer[] = [];
    for (let count = 1 + roll(5); count > 0; count--) {
      const data = Buffer.from(Array.from({ length: 1 + roll(700) }, () => (roll(3) ? roll(256) : 0)));
      const header = Buffer.alloc(2);
      header.writeUInt16LE(0x3000 | (roll(5) ? 0x8000 : 0) | (data.length - 1));
      parts.push(header, data);
    }
    return { packed: Buffer.concat([...parts, Buffer.alloc(2)]), size: 1 + roll(20_000), offset: 0 };
  });
  await agree(t, "lznt1", chunks, 20_000);
});

t.test(
  "units are filled chunk by chunk; damage is told as the decoder tells it, and of the unit that has it",
  async (t) => {
    const text = kindsOfData().get("text")!.subarray(0, 30_000);
    const chunks = (await packWithWimlib(t, new Map([["text", text]]), "XPRESS", 4096)).get("text")!;
    const places = [0];
    for (const { packed } of chunks) places.push(places.at(-1)! + packed.length);
    const whole = Buffer.concat(chunks.map(({ packed }) => packed));
    const failed: string[] = [];
    const unitOf = (
      name: string,
      source: BlockSource,
      offset: number,
      codec: Codec = "xpress",
    ): ChunkedUnit => ({
      id: { source, index: offset },
      codec,
      places,
      chunkSize: 4096,
      size: 30_000,
      mayBeStored: true,
      source,
      runs: [
        { offset, length: 5000 },
        { offset: offset + 5000, length: whole.length - 5000 },
      ],
      placeOf: (index) => ({ file: `${name}, chunk ${index}` }),
      failed: () => void failed.push(name),
    });
    const sourceOf = (units: readonly ChunkedUnit[]): BlockSource => ({
      name: "units",
      size: units.length * 30_000,
      map: async () => units.map((unit) => ({ kind: "packed", length: unit.size, unit, skip: 0 })),
    });

    const sound = memorySource(Buffer.concat([whole, whole]), "a.img");
    const side = [
      unitOf("first", sound, 0),
      unitOf("second", sound, whole.length),
      unitOf("first", sound, 0),
    ];
    t.same(await unpackUnit(side[1]!), text, "one");
    t.same(await read(sourceOf(side), 0, 90_000), Buffer.concat([text, text, text]), "three together");
    const many = Array.from({ length: 40 }, (_, index) => side[index % 3]!);
    t.same(await read(sourceOf(many), 0, 1_200_000), Buffer.concat(many.map(() => text)), "many");
    t.same(failed, []);

    const damaged = Buffer.from(whole).fill(0, places[2], places[2]! + 256);
    const half = memorySource(Buffer.concat([whole, damaged]), "a.img");
    const units = [unitOf("first", half, 0), unitOf("second", half, whole.length)];
    const complaint = {
      code: "CORRUPT",
      message: "second, chunk 2: XPRESS code (packed byte 0) is empty, but must be complete",
    };
    await t.rejects(unpackUnit(units[1]!), complaint);
    await t.rejects(read(sourceOf(units), 0, 60_000), complaint);
    t.same(failed, ["second", "second"]);
  },
);
