/** What only NTFS has: copies of its first structures, states, streams, short names, a file table in pieces. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { CorruptError } from "../../../src/errors.js";
import { read } from "../../../src/extent/read.js";
import { memorySource } from "../../../src/extent/runs.js";
import type { FileSystem } from "../../../src/filesystem/filesystem.js";
import { openFileSystem } from "../../../src/filesystem/filesystems.js";
import { BootSector } from "../../../src/filesystem/ntfs/boot.js";
import { listAll, rawSource, run, walk, withFolder } from "../ext/support.js";
import { find, makeImage, mountedByNtfs3g, openNtfs, withNtfs } from "./support.js";
import { listEntries } from "../../../src/filesystem/entries.js";

async function made(script: string, size = 16, options = "rw", ...mkntfs: string[]): Promise<Buffer> {
  return withFolder(async (folder) => {
    const image = makeImage(folder, size, ...mkntfs);
    await mountedByNtfs3g(image, folder, options, (mountPoint) => {
      run("python3", "-c", `import os, sys, struct\nos.chdir(sys.argv[1])\n${script}`, mountPoint);
    });
    return readFileSync(image);
  });
}

async function opened(image: Buffer, options = {}): Promise<FileSystem> {
  const fs = await openNtfs(memorySource(image, "image"), options);
  if (fs === undefined) throw new Error("not taken for NTFS");
  return fs;
}

async function textOf(fs: FileSystem, path: string): Promise<string> {
  const file = await fs.open(await find(fs, path));
  return (await read(file, 0, file.size)).toString();
}

const namesOf = async (fs: FileSystem): Promise<string[]> =>
  (await listAll(fs, fs.root)).map(({ name }) => name.toString()).sort();

const recordAt = (image: Buffer, number: number): number =>
  BootSector.view(image).mftCluster * 4096 + number * 1024;

t.test("where the boot sector is damaged, its backup serves, and this is told", async (t) => {
  const image = await made(`open("f", "w").write("here")`);
  for (const damage of [
    (copy: Buffer) => copy.fill(0, 0, 512),
    (copy: Buffer) => copy.fill(0xff, 0, 512),
    (copy: Buffer) => copy.fill(0, 3, 11),
    (copy: Buffer) => copy.fill(0, 0x0b, 0x0e),
    (copy: Buffer) => copy.fill(0xff, 0x30, 0x40),
  ]) {
    const copy = Buffer.from(image);
    damage(copy);
    const fs = (await openFileSystem(memorySource(copy, "image")))!;
    t.match(fs.facts.warnings.join(), /the boot sector is damaged, its backup at byte 16776704 is used/);
    t.equal(await textOf(fs, "f"), "here");
  }
});

t.test("what an old NTFS left at the end of a volume is not taken for one", (t) =>
  withFolder(async (folder) => {
    const image = makeImage(folder, 32);
    for (const [command, ...args] of [
      ["mkswap", image],
      ["mkfs.fat", image],
      ["mkfs.ext4", "-q", "-F", image],
    ] as const) {
      run("mkntfs", "-q", "-F", "-f", image);
      run(command, ...args);
      const volume = await rawSource(image);
      t.not((await openFileSystem(volume))?.facts.type, "ntfs", command);
      await volume.close();
    }
  }),
);

t.test("where the first record of the file table is damaged, its copy serves", async (t) => {
  const image = await made(`open("f", "w").write("here")`);
  image.fill(0, recordAt(image, 0), recordAt(image, 1));
  image.fill(0xff, recordAt(image, 3), recordAt(image, 4));
  const fs = await opened(image);
  t.match(fs.facts.warnings.join(), /first record of \$MFT is damaged/);
  t.match(fs.facts.warnings.join(), /file record 3 is damaged, its copy/);
  t.equal(await textOf(fs, "f"), "here");
});

t.test("a file table in very many pieces is read whole", (t) =>
  withFolder(async (folder) => {
    const image = makeImage(folder, 12, "-c", "1024");
    const script = `
import os, sys
os.chdir(sys.argv[1])
def fill(name, size):
    count = 0
    try:
        while True:
            with open(name % count, "wb") as f: f.write(b"x" * size)
            count += 1
    except OSError:
        return count
count = fill("fill%d", 1000)
for i in range(0, count, 2): os.unlink("fill%d" % i)
os.mkdir("more")
try:
    for i in range(count): open("more/%d" % i, "w").write(str(i))
except OSError:
    if os.path.exists("more/%d" % i): os.unlink("more/%d" % i)`;
    return mountedByNtfs3g(image, folder, "rw", (mountPoint) => {
      run("python3", "-c", script, mountPoint);
    }).then(async () => {
      t.match(
        run("ntfsinfo", "-i", "0", image),
        /ATTRIBUTE_LIST \(0x20\)/,
        "it does not fit into its first record",
      );
      await withNtfs(image, async (fs) => {
        t.same(fs.facts.warnings, []);
        const more = await listAll(fs, await find(fs, "more"));
        t.ok(more.length > 1000, `${more.length} files`);
        for (const { name } of more)
          if ((await textOf(fs, `more/${name.toString()}`)) !== name.toString()) t.fail(name.toString());
        let count = 0;
        for await (const { attributes } of walk(fs)) if (attributes.type === "file") count++;
        const theirs = await mountedByNtfs3g(image, folder, "ro", (mountPoint) =>
          run("find", mountPoint, "-type", "f", "-printf", "x"),
        );
        t.equal(count, theirs.length, "as many files as ntfs-3g finds");
      });
    });
  }),
);

t.test("a hundred thousand names in one directory are listed in linear time and bounded memory", (t) =>
  withFolder(async (folder) => {
    const image = makeImage(folder, 400);
    const script = `import os, random, sys
random.seed(3)
os.chdir(sys.argv[1]); os.mkdir("wide")
for i in random.sample(range(10**7), 100000): os.close(os.open("wide/%d" % i, os.O_CREAT | os.O_WRONLY))`;
    await mountedByNtfs3g(image, folder, "rw", (mountPoint) => {
      run("python3", "-c", script, mountPoint);
    });
    await withNtfs(image, async (fs) => {
      const wide = await find(fs, "wide");
      const before = process.memoryUsage();
      const names = new Set<string>();
      let last = 0;
      for (let cookie = 0; ;) {
        const batch = await listEntries(fs, wide, cookie);
        if (batch.length === 0) break;
        for (const { name, cookie: next, id, attributes } of batch) {
          names.add(name.toString());
          if (next <= last) t.fail("cookies do not grow");
          last = next;
          if (attributes === undefined) await fs.attributes(id);
        }
        cookie = last;
      }
      t.equal(names.size, 100_000);
      const grown = (process.memoryUsage().rss - before.rss) / 2 ** 20;
      t.ok(grown < 256, `${grown.toFixed(0)} MiB`);
      const again = await listEntries(fs, wide, last - 1);
      t.ok(again.length <= 1, "a cookie keeps its meaning");
      t.equal((await listEntries(fs, wide, 0))[0]!.name.toString(), [...names][0]);
    });
  }),
);

t.test("the state in which the guest left the volume is told", async (t) => {
  const image = await made(`open("hiberfil.sys", "wb").write(b"HIBR" + b"x" * 9000)`);
  t.match((await opened(image)).facts.warnings.join(), /hibernated, or was shut down with fast startup/);
  const awake = await made(`open("hiberfil.sys", "wb").write(b"wake" + b"x" * 9000)`);
  t.same((await opened(awake)).facts.warnings, []);
  const dirty = Buffer.from(awake);
  const at = dirty.indexOf(Buffer.from([3, 1]), dirty.indexOf("FILE", recordAt(dirty, 3)) + 0x150);
  dirty[at + 2] = dirty[at + 2]! | 1;
  t.match((await opened(dirty)).facts.warnings.join(), /marked as dirty/);
});

t.test("a journal that was not closed is told", (t) =>
  withFolder(async (folder) => {
    const image = makeImage(folder, 16);
    const bytes = readFileSync(image);
    const page = Buffer.alloc(4096);
    page.write("RSTR", 0);
    page.writeUInt16LE(30, 4); // the update sequence: nine words
    page.writeUInt16LE(9, 6);
    page.writeUInt32LE(4096, 16);
    page.writeUInt32LE(4096, 20);
    page.writeUInt16LE(64, 24); // the restart area
    page.writeUInt16LE(0, 64 + 12); // a client is in use
    for (const [flags, isClean] of [
      [0, false],
      [2, true],
    ] as const) {
      page.writeUInt16LE(flags, 64 + 14);
      const copy = Buffer.from(bytes);
      page.copy(copy, logOffset(copy));
      page.copy(copy, logOffset(copy) + 4096);
      const { warnings } = (await opened(copy)).facts;
      t.equal(
        warnings.some((warning) => warning.includes("$LogFile")),
        !isClean,
        `flags ${flags}`,
      );
    }
  }),
);

/** Where $LogFile begins: the first run of record 2's $DATA. */
function logOffset(image: Buffer): number {
  for (let at = recordAt(image, 2) + 0x38; ; at += image.readUInt32LE(at + 4)) {
    if (image.readUInt32LE(at) !== 0x80) continue;
    const runs = at + image.readUInt16LE(at + 0x20);
    const countLength = image[runs]! & 15;
    return image.readUIntLE(runs + 1 + countLength, image[runs]! >>> 4) * 4096;
  }
}

t.test("streams are found as file:stream, where no file has that name", async (t) => {
  const image = await made(`
os.mkdir("d"); open("d/f", "w").write("data")
os.setxattr("d/f", "user.one", b"first"); os.setxattr("d/f", "user.two words", b"second")
os.setxattr("d", "user.of dir", b"third"); os.setxattr(".", "user.of root", b"fourth")
open("d/f:one", "w").write("a name with a colon")`);
  const fs = await opened(image);
  t.equal(await textOf(fs, "d/f:one"), "a name with a colon");
  t.equal(await textOf(fs, "d/f:two words"), "second");
  t.equal(await textOf(fs, "d/f:two words:$DATA"), "second");
  t.equal(await textOf(fs, "d/f::$DATA"), "data", "the contents have an empty name");
  t.equal(await fs.lookup(fs.root, Buffer.from("d::$DATA")), undefined, "a directory has none");
  t.equal(await fs.lookup(await find(fs, "d"), Buffer.from("f:TWO words")), undefined);
  t.equal(await textOf(await opened(image, { ignoreCase: true }), "D/F:TWO words"), "second");
  t.equal(await textOf(fs, "d:of dir"), "third");
  t.equal(await textOf(fs, "d/:of dir"), "third");
  t.equal(await textOf(fs, ":of root"), "fourth");
  t.equal(await fs.lookup(fs.root, Buffer.from("d:nothing")), undefined);
  t.equal(await fs.lookup(fs.root, Buffer.from("nothing:one")), undefined);
  const attributes = await fs.attributes(await find(fs, "d/f:two words"));
  t.same([attributes.type, attributes.size, attributes.linkCount], ["file", 6, 1]);
  t.same([...(await fs.extendedAttributes(fs.root)).keys()], ["user.of root"]);
});

t.test("short names are found, but not listed; case counts, unless it is to be ignored", async (t) => {
  const image = await made(`
open("a long name.txt", "w").write("x"); os.setxattr("a long name.txt", "system.ntfs_dos_name", b"ALONGN~1.TXT")
open("Straße ÄÖ", "w").write("y"); open("case", "w").write("1"); open("CASE", "w").write("2")`);
  const fs = await opened(image);
  t.same(await namesOf(fs), ["CASE", "Straße ÄÖ", "a long name.txt", "case"]);
  t.equal(await find(fs, "ALONGN~1.TXT"), await find(fs, "a long name.txt"));
  t.equal(await fs.lookup(fs.root, Buffer.from("A LONG NAME.TXT")), undefined);
  const loose = await opened(image, { ignoreCase: true });
  t.equal(await find(loose, "A LONG NAME.TXT"), await find(fs, "a long name.txt"));
  t.equal(await find(loose, "alongn~1.txt"), await find(fs, "a long name.txt"));
  t.equal(await find(loose, "straße äö"), await find(fs, "Straße ÄÖ"));
  t.equal(await textOf(loose, "case"), "1", "the very name comes first");
  t.equal(await textOf(loose, "CASE"), "2");
});

t.test("the file system's own files are listed where they are asked for", async (t) => {
  const image = await made(`open("f", "w").write("here")`);
  t.same(await namesOf(await opened(image)), ["f"]);
  const fs = await opened(image, { systemFiles: true });
  const names = await namesOf(fs);
  t.ok(
    ["$MFT", "$MFTMirr", "$LogFile", "$Boot", "$Extend", "$Secure", "f"].every((name) =>
      names.includes(name),
    ),
  );
  const boot = await fs.open(await find(fs, "$Boot"));
  t.equal((await read(boot, 3, 4)).toString(), "NTFS", "a run at cluster 0 is no hole");
  const mft = await fs.open(await find(fs, "$MFT"));
  t.equal((await read(mft, 0, 4)).toString(), "FILE");
});

t.test("an entry whose file's record was used anew is damaged; the others are read", async (t) => {
  const image = await made(`open("f", "w").write("here"); open("g", "w").write("there")`);
  const whole = await opened(image);
  const id = await find(whole, "f");
  const copy = Buffer.from(image);
  copy.writeUInt16LE(copy.readUInt16LE(recordAt(copy, id) + 0x10) + 1, recordAt(copy, id) + 0x10);
  const fs = await opened(copy);
  const entries = await listAll(fs, fs.root);
  t.same(
    entries.map(({ name }) => name.toString()),
    ["f", "g"],
  );
  await t.rejects(async () => fs.attributes(entries[0]!.id), CorruptError);
  await t.rejects(async () => fs.attributes(await find(fs, "f")), CorruptError);
  t.equal(await textOf(fs, "g"), "there");
});

t.test("a file whose record is torn is damaged under each of its names", async (t) => {
  const image = await made(`
open("a", "w").write("here"); os.link("a", "b"); os.link("a", "c"); open("d", "w").write("there")
for i in range(40): open("filler%d" % i, "w").close()`);
  const id = await find(await opened(image), "a");
  image[recordAt(image, id) + 0x1fe]! ^= 1;
  const fs = await opened(image);
  const entries = (await listAll(fs, fs.root)).filter(({ name }) => name.length === 1);
  t.same(
    entries.map(({ name, attributes }) => [name.toString(), attributes?.size]),
    [
      ["a", undefined],
      ["b", undefined],
      ["c", undefined],
      ["d", 5],
    ],
  );
  for (const name of ["a", "b", "c"])
    await t.rejects(async () => fs.attributes(await find(fs, name)), CorruptError);
});

t.test("damage in a directory's tree takes no names but those in it", async (t) => {
  const image = await made(`
os.mkdir("d")
for i in range(2000): open("d/name-%04d" % i, "w").close()`);
  const blocks: number[] = [];
  for (let at = image.indexOf("INDX"); at >= 0; at = image.indexOf("INDX", at + 1))
    if (at % 4096 === 0 && image.subarray(at, at + 4096).includes(Buffer.from("name-", "utf16le")))
      blocks.push(at);
  t.ok(blocks.length > 40, `${blocks.length} blocks`);
  const whole = await opened(image);
  const all = await listAll(whole, await find(whole, "d"));
  for (const block of blocks) {
    const copy = Buffer.from(image);
    copy.fill(0, block, block + 4096);
    const fs = await opened(copy);
    const d = await find(fs, "d");
    const names = new Set<string>();
    const error: unknown = await (async () => {
      for (let cookie = 0; ;) {
        const batch = await listEntries(fs, d, cookie);
        if (batch.length === 0) return undefined;
        for (const { name } of batch) names.add(name.toString());
        cookie = batch.at(-1)!.cookie;
      }
    })().catch((caught: unknown) => caught);
    if (!(error instanceof CorruptError)) t.fail("the damage is told at the end");
    if (names.size < 1900 || names.size === 2000) t.fail(`${names.size} names`);
    for (const { name, id } of all) {
      if (!names.has(name.toString())) continue;
      if ((await fs.lookup(d, name)) !== id) t.fail(`${name.toString()} is not found`);
    }
  }
});

t.test("NTFS with an older ext2's superblock in it is NTFS, and the ext2 is told", (t) =>
  withFolder(async (folder) => {
    const path = join(folder, "image");
    run("mke2fs", "-q", "-t", "ext2", path, "4M");
    const superblock = readFileSync(path).subarray(1024, 2048);
    const bytes = await made("");
    superblock.copy(bytes, 1024); // unused bytes of NTFS's $Boot
    const fs = (await openFileSystem(memorySource(bytes, "image")))!;
    t.equal(fs.facts.type, "ntfs");
    t.match(fs.facts.warnings.join(), /superblock of ext/);
  }),
);

t.test("what people give as options reaches the file system", (t) =>
  withFolder(async (folder) => {
    const image = join(folder, "image");
    writeFileSync(image, await made(`open("Name", "w").write("here")`));
    const cli = join(import.meta.dirname, "../../../dist/cli/main.js");
    const vdisk = (...args: string[]): string =>
      execFileSync("/usr/bin/env", ["NODE_OPTIONS=", process.execPath, cli, ...args], { encoding: "utf8" });
    if (!existsSync(cli)) throw new Error("not built");
    t.equal(vdisk("cat", "--ignore-case", image, "fs0/nAME"), "here");
    t.match(vdisk("ls", "--system-files", image, "fs0"), /^\$MFT$/m);
    t.notMatch(vdisk("ls", image, "fs0"), /MFT/);
  }),
);
