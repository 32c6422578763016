/** Attribute values, links and volumes that are not what they seem: read as Linux and debugfs read them, or refused. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { UnsupportedError } from "../../../src/errors.js";
import { read } from "../../../src/extent/read.js";
import { memorySource } from "../../../src/extent/runs.js";
import { extDriver } from "../../../src/filesystem/ext/ext.js";
import { EXT_SUPERBLOCK_OFFSET } from "../../../src/extent/signatures.js";
import { Superblock } from "../../../src/filesystem/ext/superblock.js";
import { AttributeRecord } from "../../../src/filesystem/ext/xattr.js";
import { mounted, run, withFolder } from "./support.js";

/** What the kernel answers: the file's bytes and its attributes in hexadecimal, or the names of errors. */
const READER = String.raw`
import errno, os, sys
def attempt(what):
    try: return what().hex()
    except OSError as e: return errno.errorcode[e.errno]
path = sys.argv[1]
print(attempt(lambda: open(path, 'rb').read()))
print(attempt(lambda: b'|'.join(os.getxattr(path, n) for n in sorted(os.listxattr(path)))))
`;

interface Case {
  readonly what: string;
  /** In the image, the entry of the attribute that is damaged begins at `entry`, the list of entries at `first`. */
  readonly damage: (image: Buffer, entry: number, first: number) => void;
}

const { valueOffset, valueSize, valueInode } = AttributeRecord.fields;

const CASES: readonly Case[] = [
  {
    what: "a value that begins in its own entry",
    damage: (i, e) => i.writeUInt16LE(0, e + valueOffset.offset),
  },
  {
    what: "a value that begins in the zero bytes behind the last entry",
    damage: (i, e, first) => i.writeUInt16LE(endOfEntries(i, first) - 4, e + valueOffset.offset),
  },
  { what: "a value past its block", damage: (i, e) => i.writeUInt16LE(0xfff0, e + valueOffset.offset) },
  { what: "a value longer than its block", damage: (i, e) => i.writeUInt32LE(0x10000, e + valueSize.offset) },
  {
    what: "a value in an inode, which this file system has not",
    damage: (i, e) => (i[e + valueInode.offset] = 13),
  },
  { what: "a zero byte in its name", damage: (i, e) => (i[e + AttributeRecord.size + 1] = 0) },
  { what: "a name past its block", damage: (i, e) => (i[e] = 255) },
];

/** Counted from the first entry, as values in an inode are. */
function endOfEntries(image: Buffer, first: number): number {
  let at = first;
  while (image.readUInt32LE(at) !== 0) at += 16 + Math.ceil(image[at]! / 4) * 4;
  return at + 4 - first;
}

const CONTENTS = Buffer.from("0123456789".repeat(7));
/** The three places where attributes are: inline data, the inode, a block. */
const FILES = ["inline", "body", "block"] as const;

for (const file of FILES) {
  for (const { what, damage } of CASES) {
    t.test(`an attribute (${file}) with ${what} is refused, as Linux refuses it`, (t) =>
      withFolder(async (folder) => {
        const files = join(folder, "files");
        mkdirSync(files);
        writeFileSync(join(files, "file"), CONTENTS);
        const value = file === "block" ? "v".repeat(300) : "value of the attribute";
        if (file !== "inline")
          execFileSync("setfattr", ["-n", "user.named", "-v", value, join(files, "file")]);
        const features = `${file === "inline" ? "" : "^"}inline_data,^metadata_csum,^has_journal`;
        const path = join(folder, "image");
        run(
          "mke2fs",
          "-q",
          "-F",
          "-t",
          "ext4",
          "-b",
          "1024",
          "-O",
          features,
          "-I",
          "256",
          "-d",
          files,
          path,
          "2M",
        );
        const image = readFileSync(path);
        const entry = image.indexOf(file === "inline" ? "data" : "named", 2048) - AttributeRecord.size;
        const original = await answers(image);
        t.match(original.contents, CONTENTS.toString("hex"), "it is sound before");
        damage(image, entry, entry);
        writeFileSync(path, image);
        const ours = await answers(image);
        const kernel = await mounted(path, folder, "ro,noload", (mountPoint) => {
          const out = execFileSync("python3", ["-c", READER, join(mountPoint, "file")], { encoding: "utf8" });
          const [contents = "", attributes = ""] = out.split("\n");
          return { contents, attributes };
        });
        t.equal(file === "inline" ? kernel.contents : kernel.attributes, "EUCLEAN");
        t.equal(file === "inline" ? ours.contents : ours.attributes, "CORRUPT");
        // Linux refuses the whole inode for an attribute in it; its contents are sound nevertheless.
        if (file !== "inline") t.equal(ours.contents, original.contents);
      }),
    );
  }
}

async function answers(image: Buffer): Promise<{ contents: string; attributes: string }> {
  const fs = (await extDriver.open(memorySource(image, "image")))!;
  const id = (await fs.lookup(fs.root, Buffer.from("file")))!;
  const attempt = async (what: () => Promise<Buffer>): Promise<string> =>
    what().then(
      (bytes) => bytes.toString("hex"),
      (error: unknown) => (error as { code: string }).code,
    );
  return {
    contents: await attempt(async () => {
      const source = await fs.open(id);
      return read(source, 0, source.size);
    }),
    attributes: await attempt(async () => Buffer.concat([...(await fs.extendedAttributes(id)).values()])),
  };
}

t.test(
  "a symbolic link in its inode is read whatever its flag for extents, as Linux and debugfs read it",
  (t) =>
    withFolder(async (folder) => {
      const files = join(folder, "files");
      mkdirSync(files);
      symlinkSync("somewhere/else", join(files, "link"));
      symlinkSync("damaged/by/a/zero", join(files, "zero"));
      const path = join(folder, "image");
      run("mke2fs", "-q", "-F", "-t", "ext4", "-O", "^metadata_csum,^has_journal", "-d", files, path, "2M");
      run("debugfs", "-w", "-R", "set_inode_field link flags 0x80000", path);
      const image = readFileSync(path);
      image[image.indexOf("damaged/by") + 4] = 0;
      writeFileSync(path, image);
      const fs = (await extDriver.open(memorySource(image, "image")))!;
      const readLink = async (name: string): Promise<string> =>
        (await fs.readLink((await fs.lookup(fs.root, Buffer.from(name)))!)).toString();
      t.equal(await readLink("link"), "somewhere/else");
      await t.rejects(readLink("zero"), { name: "CorruptError", message: /4 bytes and a zero byte/ });
      t.match(run("debugfs", "-R", "stat link", path), 'Fast link dest: "somewhere/else"');
      await mounted(path, folder, "ro,noload", (mountPoint) => {
        t.equal(run("readlink", join(mountPoint, "link")), "somewhere/else\n");
        t.throws(() => run("readlink", join(mountPoint, "zero")), "Linux refuses a zero byte in it");
      });
    }),
);

for (const blockSize of [1024, 4096]) {
  t.test(`a journal device with blocks of ${blockSize} bytes is named, not called damaged`, (t) =>
    withFolder(async (folder) => {
      const path = join(folder, "image");
      run("mke2fs", "-q", "-F", "-O", "journal_dev", "-b", String(blockSize), path, "8M");
      await t.rejects(extDriver.open(memorySource(readFileSync(path), "image")), UnsupportedError);
      await t.rejects(extDriver.open(memorySource(readFileSync(path), "image")), { message: /journal_dev/ });
    }),
  );
}

t.test("features count in a file system of revision 0, as they do for Linux", (t) =>
  withFolder(async (folder) => {
    const files = join(folder, "files");
    mkdirSync(files);
    writeFileSync(join(files, "file"), CONTENTS);
    const path = join(folder, "image");
    // Extents, which the old maps of blocks would make nonsense of; inodes of 128 bytes, as revision 0 has them.
    run(
      "mke2fs",
      "-q",
      "-F",
      "-t",
      "ext4",
      "-I",
      "128",
      "-O",
      "^metadata_csum,^has_journal",
      "-d",
      files,
      path,
      "8M",
    );
    const image = readFileSync(path);
    image.writeUInt32LE(0, EXT_SUPERBLOCK_OFFSET + Superblock.fields.revision.offset);
    writeFileSync(path, image);
    const judged = await mounted(path, folder, "ro", (at) => readFileSync(join(at, "file")));
    t.same(judged, CONTENTS, "Linux reads it");
    const fs = (await extDriver.open(memorySource(image, "image")))!;
    t.equal(fs.facts.type, "ext4");
    t.match(fs.facts.warnings.join(), /revision 0/);
    const source = await fs.open((await fs.lookup(fs.root, Buffer.from("file")))!);
    t.same(await read(source, 0, source.size), CONTENTS);
  }),
);
