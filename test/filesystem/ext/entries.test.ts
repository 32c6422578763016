/** One damaged directory entry takes no other with it, and is never passed over in silence. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { CorruptError } from "../../../src/errors.js";
import { read } from "../../../src/extent/read.js";
import { memorySource } from "../../../src/extent/runs.js";
import { damagedEntryName } from "../../../src/filesystem/damaged-entry.js";
import { EntryRecord } from "../../../src/filesystem/ext/entry.js";
import { extDriver } from "../../../src/filesystem/ext/ext.js";
import { listAll, mounted, run, withFolder } from "./support.js";

const NAMES = ["file-zero", "file-one", "file-two", "file-three", "file-four"];
const DAMAGED = "file-two";

/** What is done to the entry at `at` of the image, and what comes of it. */
interface Damage {
  readonly what: string;
  readonly damage: (image: Buffer, at: number) => void;
  /** What the entry is afterwards: one damaged entry, unused, or the end of what its block tells. */
  readonly result: "damaged" | "unused" | "end";
  /** Whether the entry's own name is found, with an error. */
  readonly keepsName?: boolean;
}

const { length, nameLength } = EntryRecord.fields;
const NAME = EntryRecord.size;

const DAMAGES: readonly Damage[] = [
  { what: "a slash in its name", result: "damaged", damage: (image, at) => image.write("/", at + NAME + 4) },
  { what: "a zero byte in its name", result: "damaged", damage: (image, at) => (image[at + NAME + 4] = 0) },
  { what: "no name", result: "damaged", damage: (image, at) => (image[at + nameLength.offset] = 0) },
  { what: "the name ..", result: "damaged", damage: dotted },
  {
    what: "a name longer than itself",
    result: "damaged",
    damage: (image, at) => (image[at + nameLength.offset] = 200),
  },
  {
    what: "an inode number past the last",
    result: "damaged",
    keepsName: true,
    damage: (image, at) => image.writeUInt32LE(0x7fffffff, at),
  },
  { what: "no inode", result: "unused", damage: (image, at) => image.writeUInt32LE(0, at) },
  {
    what: "a length that is no multiple of 4",
    result: "end",
    damage: (image, at) => image.writeUInt16LE(21, at + length.offset),
  },
  {
    what: "a length past its block",
    result: "end",
    damage: (image, at) => image.writeUInt16LE(8192, at + length.offset),
  },
  {
    what: "a length that leads into its own name",
    result: "end",
    damage: (image, at) => image.writeUInt16LE(12, at + length.offset),
  },
];

function dotted(image: Buffer, at: number): void {
  image[at + nameLength.offset] = 2;
  image.write("..", at + NAME);
}

const KINDS: readonly [name: string, ...mke2fs: string[]][] = [
  ["a plain directory", "-t", "ext2", "-O", "^dir_index"],
  ["an inline directory", "-t", "ext4", "-O", "inline_data,^metadata_csum,^has_journal", "-I", "1024"],
];

/** The names that the kernel lists before it fails, and what it reads from them. */
const LISTER = String.raw`
import os, sys
try:
    for e in os.scandir(sys.argv[1]):
        try: print(e.name + '=' + open(e.path).read())
        except (OSError, ValueError): pass
except OSError: print('error')
`;
import { listEntries } from "../../../src/filesystem/entries.js";

for (const [kind, ...mke2fs] of KINDS) {
  for (const { what, damage, result, keepsName = false } of DAMAGES) {
    t.test(`${kind}: an entry with ${what}`, (t) =>
      withFolder(async (folder) => {
        const files = join(folder, "files", "dir");
        mkdirSync(files, { recursive: true });
        for (const name of NAMES) writeFileSync(join(files, name), `contents of ${name}`);
        const path = join(folder, "image");
        run("mke2fs", "-q", "-F", "-b", "1024", "-d", join(folder, "files"), ...mke2fs, path, "2M");
        const image = readFileSync(path);
        const at = image.indexOf(DAMAGED) - NAME;
        damage(image, at);
        writeFileSync(path, image);

        const fs = (await extDriver.open(memorySource(image, "image")))!;
        const dir = (await fs.lookup(fs.root, Buffer.from("dir")))!;
        const entries: { name: Buffer; problem?: unknown }[] = [];
        let end: unknown;
        for (let cookie = 0; end === undefined;) {
          const batch = await listEntries(fs, dir, cookie).catch((error: unknown) => {
            end = error;
            return [];
          });
          if (batch.length === 0) break;
          entries.push(...batch);
          cookie = batch.at(-1)!.cookie;
        }
        const kernel = await mounted(path, folder, "ro,noload", (mountPoint) =>
          execFileSync("python3", ["-c", LISTER, join(mountPoint, "dir")], { encoding: "utf8" }),
        );
        const sound = entries
          .filter(({ problem }) => problem === undefined)
          .map(({ name }) => name.toString());
        const damagedOnes = entries.filter(({ problem }) => problem !== undefined);
        for (const name of sound) {
          const source = await fs.open((await fs.lookup(dir, Buffer.from(name)))!);
          t.equal((await read(source, 0, source.size)).toString(), `contents of ${name}`);
        }
        const seenByKernel = NAMES.filter((name) => kernel.includes(`${name}=contents of ${name}\n`));
        t.same(
          seenByKernel.filter((name) => !sound.includes(name)),
          [],
          "all that the kernel shows is here",
        );
        t.equal(damagedOnes.length, result === "damaged" ? 1 : 0);
        for (const { name, problem } of damagedOnes) {
          t.type(problem, CorruptError);
          await t.rejects(fs.lookup(dir, name), problem as Error, "its look-up says why");
          t.match((problem as Error).message, `byte 0x${at.toString(16)}`);
        }
        const notThere = Buffer.from("file-that-is-not-there");
        if (result === "end") {
          t.type(end, CorruptError, "the listing ends with an error");
          t.ok(sound.length < NAMES.length - 1, "what is behind it cannot be told");
          await t.rejects(fs.lookup(dir, notThere), { name: "CorruptError" });
        } else {
          t.equal(end, undefined);
          t.same(sound.sort(), NAMES.filter((name) => name !== DAMAGED).sort(), "all other names are listed");
          t.equal(await fs.lookup(dir, notThere), undefined);
        }
        if (keepsName) await t.rejects(fs.lookup(dir, Buffer.from(DAMAGED)), { name: "CorruptError" });
        if (result === "unused") t.notOk(kernel.includes("error"), "nor does the kernel complain");
      }),
    );
  }
}

t.test("a file that has the name of a damaged entry is that file", (t) =>
  withFolder(async (folder) => {
    const files = join(folder, "files");
    mkdirSync(files);
    const name = damagedEntryName(12);
    writeFileSync(join(files, name.toString()), "sound");
    const path = join(folder, "image");
    run("mke2fs", "-q", "-F", "-t", "ext2", "-d", files, path, "2M");
    const fs = (await extDriver.open(memorySource(readFileSync(path), "image")))!;
    t.type(await fs.lookup(fs.root, name), "number");
    for (const position of [0, 0x18, 0x19, 0x1000, 2 ** 40])
      t.equal(await fs.lookup(fs.root, damagedEntryName(position)), undefined, `none at ${position}`);
    t.same(
      (await listAll(fs, fs.root)).filter(({ problem }) => problem !== undefined),
      [],
    );
  }),
);
