/** What ntfs-3g does not write, patched into images that it wrote. */
import { readFileSync } from "node:fs";
import t, { type Test } from "tap";
import { UnsupportedError } from "../../../src/errors.js";
import { read } from "../../../src/extent/read.js";
import { memorySource } from "../../../src/extent/runs.js";
import type { FileSystem } from "../../../src/filesystem/filesystem.js";
import { AttributeHeader, NonResidentHeader, Type } from "../../../src/filesystem/ntfs/mft/attribute.js";
import { BootSector, geometryOf } from "../../../src/filesystem/ntfs/boot.js";
import { FileName } from "../../../src/filesystem/ntfs/index/file-name.js";
import { listAll, run, withFolder } from "../ext/support.js";
import { find, makeImage, mountedByNtfs3g, openNtfs } from "./support.js";

async function made(script: string, ...mkntfs: string[]): Promise<Buffer> {
  return withFolder(async (folder) => {
    const image = makeImage(folder, 16, ...mkntfs);
    await mountedByNtfs3g(image, folder, "compression", (mountPoint) => {
      run("python3", "-c", `import os, sys, struct\nos.chdir(sys.argv[1])\n${script}`, mountPoint);
    });
    return readFileSync(image);
  });
}

async function opened(image: Buffer): Promise<FileSystem> {
  return (await openNtfs(memorySource(image, "image")))!;
}

/** Byte of `image` where the attribute of file `number` begins. */
function attributeAt(image: Buffer, number: number, wanted: number): number {
  const { mftOffset, recordSize } = geometryOf(BootSector.view(image), "image", 0);
  const record = mftOffset + number * recordSize;
  let at = record + image.readUInt16LE(record + 0x14);
  while (image.readUInt32LE(at) !== wanted) at += image.readUInt32LE(at + 4);
  return at;
}

const text = Buffer.from(Array.from({ length: 40_000 }, (_, i) => `${i} `).join(""));

const FILES = `
text = "".join("%d " % i for i in range(40000)).encode()
os.mkdir("packed"); os.setxattr("packed", "system.ntfs_attrib", struct.pack("<I", 0x820))
for name in ["plain", "packed/file"]: open(name, "wb").write(text)
`;

for (const count of [3, 200]) {
  const where = count === 3 ? "the record" : "a block";
  t.test(
    `an entry without a name in ${where} of a directory is listed as damaged, the others are not`,
    async (t) => {
      const image = await made(
        `os.mkdir("d")\nfor i in range(${count}): open(f"d/file-{i:03}", "w").write(str(i))`,
      );
      const names = Array.from({ length: count }, (_, i) => `file-${String(i).padStart(3, "0")}`);
      // Every copy of the name in an index has its length set to 0; the file's own record keeps its name.
      const victim = "file-001";
      const units = Buffer.from(victim, "utf16le");
      let patched = 0;
      for (let at = image.indexOf(units); at >= 0; at = image.indexOf(units, at + 1)) {
        const isKey = image.readUInt16LE(at - FileName.size - 6) === FileName.size + units.length;
        if (!isKey || image.readUInt16LE(at - FileName.size - 8) < FileName.size + 16 + units.length)
          continue;
        image[at - FileName.size + FileName.fields.nameLength.offset] = 0;
        patched++;
      }
      t.ok(patched > 0, "the entry was found");
      const fs = await opened(image);
      const directory = await find(fs, "d");
      const entries = await listAll(fs, directory);
      const sound = entries.filter(({ problem }) => problem === undefined).map(({ name }) => name.toString());
      t.same(
        sound.sort(),
        names.filter((name) => name !== victim),
      );
      const damaged = entries.filter(({ problem }) => problem !== undefined);
      t.equal(damaged.length, 1);
      t.match(damaged[0]!.name.toString(), /^damaged-directory-entry-0x[0-9a-f]+$/);
      await t.rejects(fs.lookup(directory, damaged[0]!.name), damaged[0]!.problem!);
      const source = await fs.open(await find(fs, `d/${names.at(-1)!}`));
      t.equal((await read(source, 0, source.size)).toString(), String(count - 1));
      t.equal(await fs.lookup(directory, Buffer.from("damaged-directory-entry-0x7")), undefined);
      t.equal(await fs.lookup(directory, Buffer.from("damaged-directory-entry-0xfffffff")), undefined);
    },
  );
}

for (const cluster of ["512", "1024", "4096"]) {
  t.test(`clusters of ${cluster} bytes: zeros follow the valid length, whatever lies there`, async (t) => {
    const image = await made(FILES, "-c", cluster);
    for (const path of ["plain", "packed/file"]) {
      const id = await find(await opened(image), path);
      const field = attributeAt(image, id, Type.data) + NonResidentHeader.fields.validSize.offset;
      for (const valid of [0, 1, 511, 8192, 65_536, 70_001, text.length]) {
        image.writeBigUInt64LE(BigInt(valid), field);
        const file = await (await opened(image)).open(id);
        const expected = Buffer.concat([text.subarray(0, valid), Buffer.alloc(text.length - valid)]);
        t.ok((await read(file, 0, file.size)).equals(expected), `${path}, ${valid} bytes`);
        for (const offset of [valid - 5, valid, valid + 3]) {
          const from = Math.max(0, Math.min(offset, text.length - 10));
          t.same(await read(file, from, 10), expected.subarray(from, from + 10));
        }
      }
    }
  });
}

t.test("what is encrypted is there, but cannot be read, and this is said", async (t) => {
  const image = await made(FILES);
  const id = await find(await opened(image), "plain");
  image.writeUInt16LE(0x4000, attributeAt(image, id, Type.data) + AttributeHeader.fields.flags.offset);
  const fs = await opened(image);
  t.match(await fs.attributes(id), { type: "file", size: text.length });
  const error: unknown = await fs.open(id).catch((caught: unknown) => caught);
  t.ok(error instanceof UnsupportedError);
  t.match(String(error), /encrypted \(EFS\)/);
});

t.test("runs that lie behind the volume's end are an error, and take no other file", async (t) => {
  const image = await made(FILES);
  const id = await find(await opened(image), "plain");
  const data = attributeAt(image, id, Type.data);
  const run = data + image.readUInt16LE(data + NonResidentHeader.fields.runsOffset.offset);
  const place = run + 1 + (image[run]! & 15);
  image.fill(0x7f, place, place + (image[run]! >> 4));
  const fs = await opened(image);
  const file = await fs.open(id);
  await t.rejects(read(file, 0, 1), { name: "CorruptError" });
  const other = await fs.open(await find(fs, "packed/file"));
  t.ok((await read(other, 0, other.size)).equals(text));
});

t.test("names that a host cannot have lead back to their files", async (t) => {
  const names = ["sla/sh", "nul\0nul", "half \ud800 pair", "\udc00\ud800", "..", ".", "a\\b:c*?"];
  const image = await made(
    `for i in range(${names.length}): os.mkdir("d%d" % i); open("d%d/%s" % (i, "ABCDEFG"[i] * 16), "w").write(str(i))`,
  );
  // A name keeps its place and its length: NUL is no part of one, so a shorter name has its length written anew.
  for (const [i, name] of names.entries()) {
    const old = Buffer.from("ABCDEFG"[i]!.repeat(16), "utf16le");
    for (let at = image.indexOf(old); at >= 0; at = image.indexOf(old, at)) {
      image[at - 2] = name.length;
      image.write(name.padEnd(16), at, "utf16le");
    }
  }
  const fs = await opened(image);
  for (const [i] of names.entries()) {
    const [entry, ...others] = await listAll(fs, await find(fs, `d${i}`));
    t.same(others, []);
    const name = entry!.name;
    t.notOk(name.includes("/") || name.includes(0) || ["", ".", ".."].includes(name.toString("latin1")));
    t.equal(await fs.lookup(await find(fs, `d${i}`), name), entry!.id, name.toString());
    const file = await fs.open(entry!.id);
    t.equal((await read(file, 0, file.size)).toString(), `${i}`);
  }
});

const WIDE = `
os.mkdir("d")
for i in range(400): open("d/%04d%s" % (i, "n" * 200), "w").close()`;

/** Bytes of `image` where blocks of an index name their first children, each with the number of its own block. */
function childrenIn(image: Buffer): { child: number; own: bigint }[] {
  const children: { child: number; own: bigint }[] = [];
  for (let at = image.indexOf("INDX"); at >= 0; at = image.indexOf("INDX", at + 1)) {
    const first = at + 24 + image.readUInt32LE(at + 24);
    if (at % 4096 !== 0 || (image[at + 24 + 12]! & 1) === 0) continue;
    const child = first + image.readUInt16LE(first + 8) - 8;
    // A sector's last bytes are the update sequence's.
    if (child % 512 <= 500) children.push({ child, own: image.readBigUInt64LE(at + 0x10) });
  }
  return children;
}

async function allIsFound(t: Test, image: Buffer): Promise<void> {
  const fs = await opened(image);
  const directory = await find(fs, "d");
  const entries = await listAll(fs, directory);
  t.equal(new Set(entries.map(({ name }) => name.toString())).size, 400);
  const missed: string[] = [];
  for (const { name, id } of entries)
    if ((await fs.lookup(directory, name)) !== id) missed.push(name.toString("latin1", 0, 4));
  t.same(missed, []);
  t.equal(await fs.lookup(directory, Buffer.from("0000")), undefined);
}

t.test("an index that leads back into itself hides no name, and ends", async (t) => {
  const image = await made(WIDE);
  const children = childrenIn(image);
  t.ok(children.length > 2, `${children.length} loops`);
  for (const { child, own } of children) image.writeBigUInt64LE(own, child);
  await allIsFound(t, image);
});

t.test("an index whose branches are each in the other's place hides no name", async (t) => {
  const image = await made(WIDE);
  const [one, other] = childrenIn(image).map(({ child }) => image.subarray(child, child + 8));
  const before = Buffer.from(one!);
  other!.copy(one!);
  before.copy(other!);
  await allIsFound(t, image);
});
