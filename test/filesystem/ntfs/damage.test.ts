/** Every field of every structure set wrong, and bytes at random: right bytes or a DiskError, soon. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import type { Fields, Struct } from "../../../src/bytes/struct.js";
import { CorruptError, DiskError } from "../../../src/errors.js";
import type { BlockSource } from "../../../src/extent/extent.js";
import { read } from "../../../src/extent/read.js";
import { memorySource, runSource, type Run } from "../../../src/extent/runs.js";
import {
  AttributeHeader,
  NonResidentHeader,
  PackedSize,
  ResidentHeader,
  Type,
} from "../../../src/filesystem/ntfs/mft/attribute.js";
import { ListEntry } from "../../../src/filesystem/ntfs/mft/attribute-list.js";
import { BootSector, type Geometry } from "../../../src/filesystem/ntfs/boot.js";
import { FileName } from "../../../src/filesystem/ntfs/index/file-name.js";
import { RecordStart } from "../../../src/filesystem/ntfs/mft/fixup.js";
import { mftAt } from "../../../src/filesystem/ntfs/mft/mft.js";
import { IndexBlock, IndexEntry, IndexRoot, NodeHeader } from "../../../src/filesystem/ntfs/index/node.js";
import { RecordHeader } from "../../../src/filesystem/ntfs/mft/record.js";
import { LinkHeader, ReparseHeader } from "../../../src/filesystem/ntfs/posix/reparse.js";
import { StandardInformation } from "../../../src/filesystem/ntfs/posix/standard-information.js";
import { VolumeInformation } from "../../../src/filesystem/ntfs/state.js";
import { readWhatIsReadable, run, walk, withFolder } from "../ext/support.js";
import { makeImage, mountedByNtfs3g, openNtfs } from "./support.js";

const SOON = 5000; // milliseconds of processor time for an image of 4 MiB
const RECORD_SIZE = 1024;

const SCRIPT = String.raw`
import os, struct, sys
os.chdir(sys.argv[1])
def put(name, data):
    with open(name, "wb") as f: f.write(data)
for n in [0, 7, 600, 5000, 30001]: put(f"f{n}", (b"%d bytes. " % n * 4000)[:n])
os.mkdir("packed"); os.setxattr("packed", "system.ntfs_attrib", struct.pack("<I", 0x820))
put("packed/text", b"some text that packs well " * 4000)
with open("sparse", "wb") as f:
    f.write(b"start"); f.seek(100000); f.write(b"end")
with open("scattered", "wb") as f, open("between", "wb") as g:
    for i in range(200):
        f.write(b"%04d" % i * 256); f.flush(); g.write(b"x" * 1024); g.flush()
os.mkdir("sub")
for i in range(120): put(f"sub/a-name-that-takes-room-{i}", b"x" if i < 3 else b"")
put("streams", b"s")
for i in range(12): os.setxattr("streams", f"user.stream{i}", b"v" * 150)
os.symlink("f7", "link")
os.mkdir("junction")
t = "\\??\\C:\\sub".encode("utf-16le")
data = struct.pack("<HHHH", 0, len(t), len(t) + 2, 0) + t + b"\0\0\0\0"
os.setxattr("junction", "system.ntfs_reparse_data", struct.pack("<IHH", 0xa0000003, len(data), 0) + data)
`;

/** A small image with a bit of everything. */
async function smallImage(): Promise<Buffer> {
  return withFolder(async (folder) => {
    const image = makeImage(folder, 4, "-c", "1024");
    await mountedByNtfs3g(image, folder, "compression", (mountPoint) => {
      run("python3", "-c", SCRIPT, mountPoint);
    });
    return readFileSync(join(image));
  });
}

type Place = [structure: Struct<Fields>, offset: number];

/** Where the structures of `image` lie: found by their marks, which stand at whole records and blocks. */
function structuresOf(image: Buffer): Place[] {
  const places: Place[] = [[BootSector, 0]];
  const { mftCluster } = BootSector.view(image);
  const isWanted = new Set<string>();
  for (let at = mftCluster * 1024; at + RECORD_SIZE <= image.length; at += RECORD_SIZE) {
    const mark = image.toString("latin1", at, at + 4);
    if (mark === "FILE") places.push(...inRecord(image, at, isWanted));
    if (mark === "INDX") {
      places.push([RecordStart, at], [IndexBlock, at], [NodeHeader, at + 24]);
      const first = at + 24 + image.readUInt32LE(at + 24);
      places.push([IndexEntry, first], [FileName, first + 16]);
    }
  }
  return places;
}

/** The structures of one record: of each kind of attribute, the first of the image, and those of the files' data. */
function inRecord(image: Buffer, at: number, seen: Set<string>): Place[] {
  const places: Place[] = [];
  if ((image.readUInt16LE(at + 0x16) & 1) === 0) return [];
  if (seen.size < 12) places.push([RecordStart, at], [RecordHeader, at]);
  for (let a = at + image.readUInt16LE(at + 0x14); a + 24 < at + RECORD_SIZE;) {
    const type = image.readUInt32LE(a);
    const length = image.readUInt32LE(a + 4);
    if (type === 0xffffffff || length === 0) break;
    const isResident = image[a + 8] === 0;
    const flags = image.readUInt16LE(a + 0x0c);
    const kind = `${type} ${isResident ? "in" : "out"} ${flags} ${type === Type.data ? at % 7 : 0}`;
    if (!seen.has(kind)) {
      seen.add(kind);
      places.push([AttributeHeader, a], [isResident ? ResidentHeader : NonResidentHeader, a]);
      if (!isResident && flags !== 0) places.push([PackedSize, a]);
      const value = a + image.readUInt16LE(a + 0x14);
      if (isResident) places.push(...inValue(type, value, image.readUInt32LE(a + 0x10)));
    }
    a += length;
  }
  return places;
}

function inValue(type: number, at: number, length: number): Place[] {
  if (type === Type.standardInformation) return [[StandardInformation, at]];
  if (type === Type.attributeList && length >= ListEntry.size) return [[ListEntry, at]];
  if (type === Type.fileName) return [[FileName, at]];
  if (type === Type.volumeInformation) return [[VolumeInformation, at]];
  if (type === Type.reparsePoint)
    return [
      [ReparseHeader, at],
      [LinkHeader, at + ReparseHeader.size],
    ];
  if (type !== Type.indexRoot) return [];
  return [
    [IndexRoot, at],
    [NodeHeader, at + 16],
    [IndexEntry, at + 32],
  ];
}

async function survive(image: Buffer, what: string, wrong: string[]): Promise<void> {
  const started = process.cpuUsage();
  try {
    const fs = await openNtfs(memorySource(image, "image"));
    if (fs !== undefined) await readWhatIsReadable(fs);
  } catch (error) {
    if (!(error instanceof DiskError)) wrong.push(`${what}: ${(error as Error).stack ?? String(error)}`);
  }
  const { user, system } = process.cpuUsage(started);
  if (user + system > SOON * 1000) wrong.push(`${what}: ${(user + system) / 1000} ms`);
}

/** The hash of every file that can be read to its end, by path. */
async function contentsBy(volume: BlockSource): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const fs = await openNtfs(volume);
  if (fs === undefined) return found;
  for await (const { path, id, attributes } of walk(fs, fs.root, "", new Set(), () => undefined)) {
    if (attributes.type !== "file" || attributes.size > 2 ** 21) continue;
    const source = await fs.open(id);
    found.set(
      path,
      createHash("sha256")
        .update(await read(source, 0, source.size))
        .digest("hex"),
    );
  }
  return found;
}

t.test("with any field of any structure wrong, all ends in bytes or in a DiskError, soon", async (t) => {
  const image = await smallImage();
  const right = await contentsBy(memorySource(image, "image"));
  t.equal(right.size, 130, "files to begin with");
  const places = structuresOf(image);
  const kinds = new Set(places.map(([{ name }]) => name));
  t.comment([...kinds].join(", "));
  for (const { name } of [
    RecordHeader,
    ResidentHeader,
    NonResidentHeader,
    PackedSize,
    IndexBlock,
    IndexRoot,
    LinkHeader,
  ])
    t.ok(kinds.has(name), name);
  const wrong: string[] = [];
  let count = 0;
  for (const [structure, offset] of places) {
    for (const [key, field] of Object.entries(structure.fields)) {
      const at = offset + field.offset;
      const before = Buffer.from(image.subarray(at, at + field.length));
      for (const value of [0, 1, 0xff]) {
        image.fill(value === 1 ? 0 : value, at, at + field.length);
        if (value === 1) image[at] = before[0]! ^ 1;
        if (image.subarray(at, at + field.length).equals(before)) continue;
        count++;
        await survive(image, `${structure.name}.${key} at ${offset} filled with ${value}`, wrong);
      }
      before.copy(image, at);
    }
  }
  t.same(wrong.slice(0, 5), [], `${count} damaged images`);
  t.same(await contentsBy(memorySource(image, "image")), right, "and the image is whole again");
});

t.test("a record that is zeroed, or all ones, takes its file; the others are read", async (t) => {
  const image = await smallImage();
  const right = await contentsBy(memorySource(image, "image"));
  const mft = BootSector.view(image).mftCluster * 1024;
  const fs = (await openNtfs(memorySource(image, "image")))!;
  for (const fill of [0, 0xff]) {
    for (const name of ["f7", "f5000", "scattered", "packed", "sub"]) {
      const id = (await fs.lookup(fs.root, Buffer.from(name)))!;
      const copy = Buffer.from(image);
      copy.fill(fill, mft + id * RECORD_SIZE, mft + (id + 1) * RECORD_SIZE);
      const damaged = (await openNtfs(memorySource(copy, "image")))!;
      await t.rejects(
        async () => damaged.attributes(id),
        { name: "CorruptError" },
        `${name} filled with ${fill}`,
      );
      t.equal(
        await damaged.lookup(damaged.root, Buffer.from("f600")),
        await fs.lookup(fs.root, Buffer.from("f600")),
      );
      const found = await contentsBy(memorySource(copy, "image"));
      const hex = Buffer.from(name).toString("hex");
      const rest = [...right].filter(([path]) => path !== `/${hex}` && !path.startsWith(`/${hex}/`));
      t.same([...found].sort(), rest.sort(), "all other files are as they were");
    }
  }
});

t.test("with random bytes wrong, all ends in bytes or in a DiskError, soon", async (t) => {
  const image = await smallImage();
  const random = generator(4711);
  const wrong: string[] = [];
  const mft = BootSector.view(image).mftCluster * 1024;
  for (let round = 0; round < 300; round++) {
    const copy = Buffer.from(image);
    const hits = 1 + (random() % 8);
    for (let hit = 0; hit < hits; hit++) {
      const at =
        random() % 4 === 0 ? random() % (image.length - 4096) : mft + (random() % (260 * RECORD_SIZE));
      const kind = random() % 4;
      if (kind === 0) copy.fill(random() & 0xff, at, at + (random() % 1024));
      else if (kind === 1)
        copy.copy(copy, at - (at % 1024), random() % image.length, (random() % image.length) + 1024);
      else if (kind === 2) copy.writeUInt32LE(random() % 4096, at - (at % 4));
      else copy[at] = random() & 0xff;
    }
    await survive(copy, `round ${round}`, wrong);
  }
  t.same(wrong.slice(0, 5), []);
});

t.test("a volume that is cut short is read as far as it goes", async (t) => {
  const image = await smallImage();
  const wrong: string[] = [];
  for (let size = image.length - 1; size > 0; size -= 61_007)
    await survive(image.subarray(0, size), `${size} bytes`, wrong);
  t.same(wrong, []);
  const whole = (await openNtfs(memorySource(image.subarray(0, image.length - 4096), "image")))!;
  t.match(whole.facts.warnings.join(), /its volume only/);
});

t.test("records of which it cannot be found out where they lie take no others with them", async (t) => {
  const MIB = 2 ** 20;
  const unit = { size: MIB, unpack: async () => Buffer.alloc(MIB) };
  const disk: BlockSource = {
    name: "disk",
    size: 8 * MIB,
    async map(offset, length) {
      if (offset + length > 2 * MIB && offset < 4 * MIB)
        throw new CorruptError({ file: "disk", thing: "the block map" });
      return [{ kind: "packed", unit, skip: 0, length }];
    },
  };
  const table = runSource(disk, "$MFT", MIB, async (offset, length) => {
    const half = MIB / 2;
    const first = Math.max(0, Math.min(length, half - offset));
    const runs: Run[] = first > 0 ? [{ kind: "at", offset, length: first }] : [];
    if (first < length)
      runs.push({ kind: "at", offset: 2 * MIB + offset + first - half, length: length - first });
    return runs;
  });
  const place = {
    source: table,
    offsetOf: () => 0,
    copyOf: (_: number, damage: DiskError) => Promise.reject(damage),
  };
  const geometry = { recordSize: RECORD_SIZE, sectorSize: 512 } as Geometry;
  const mft = mftAt(place, geometry, "volume");
  const whatIsWrong = async (number: number): Promise<string> =>
    Promise.resolve(mft.record(number)).then(
      () => "nothing",
      (error: unknown) => (error as Error).message,
    );
  t.match(await whatIsWrong(10), /the magic of file record 10 is 0x0/, "it was read");
  t.match(await whatIsWrong(600), /the block map/);
});

/** Numbers that are the same every time: xorshift32. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>>= 0);
  };
}
