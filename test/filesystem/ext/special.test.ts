/** What the kernel here cannot mount, and the states that a disk is found in. */
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import t from "tap";
import { CorruptError, DiskError, UnsupportedError } from "../../../src/errors.js";
import type { Extent } from "../../../src/extent/extent.js";
import { read } from "../../../src/extent/read.js";
import { memorySource } from "../../../src/extent/runs.js";
import { extDriver } from "../../../src/filesystem/ext/ext.js";
import { ExtentHeader, ExtentIndex } from "../../../src/filesystem/ext/extents.js";
import { inodeOffset, readGroup } from "../../../src/filesystem/ext/group.js";
import { InodeRecord } from "../../../src/filesystem/ext/inode.js";
import { openMedium } from "../../../src/filesystem/ext/open.js";
import { EXT_SUPERBLOCK_OFFSET } from "../../../src/extent/signatures.js";
import { Superblock } from "../../../src/filesystem/ext/superblock.js";
import { listAll, mounted, readWhatIsReadable, run, walk, withFolder, withImage } from "./support.js";

/** An image made of the folder that `fill` fills. */
function made(folder: string, size: string, mke2fs: string, fill: (files: string) => void): string {
  const image = join(folder, "image");
  const files = join(folder, "files");
  mkdirSync(files);
  fill(files);
  run("mke2fs", "-q", "-F", "-d", files, ...mke2fs.split(" "), image, size);
  return image;
}

for (const blockSize of [8192, 16384, 32768, 65536]) {
  t.test(
    `blocks of ${blockSize} bytes, which this kernel does not mount, give back what mke2fs put in`,
    (t) =>
      withFolder(async (folder) => {
        const image = made(folder, "256M", `-t ext4 -b ${blockSize} -N 8192 -O inline_data`, (files) => {
          for (const size of [0, 1, 50, 100, 5000, blockSize - 1, blockSize + 1, 1_000_003])
            writeFileSync(join(files, `f${size}`), Buffer.alloc(size, `${size}!`));
          writeFileSync(join(files, "sparse"), "head");
          // Data behind the hole: mke2fs 1.47.0 forgets a hole at the end.
          truncateSync(join(files, "sparse"), 40_000_001);
          appendFileSync(join(files, "sparse"), "tail");
          symlinkSync("x".repeat(900), join(files, "link"));
          mkdirSync(join(files, "many"));
          for (let i = 0; i < 4000; i++)
            writeFileSync(join(files, "many", `entry ${i} ${"-".repeat(i % 90)}`), "");
        });
        await withImage(image, async (fs) => {
          t.same(fs.facts.warnings, []);
          let count = 0;
          for await (const { path, id, attributes } of walk(fs)) {
            const name = path
              .slice(1)
              .split("/")
              .map((part) => Buffer.from(part, "hex").toString())
              .join("/");
            if (attributes.type === "symlink") t.equal((await fs.readLink(id)).toString(), "x".repeat(900));
            if (attributes.type !== "file") continue;
            count++;
            const source = await fs.open(id);
            const bytes = await read(source, 0, source.size);
            if (!bytes.equals(readFileSync(join(folder, "files", name)))) t.fail(name);
          }
          t.equal(count, 4009);
          const many = (await fs.lookup(fs.root, Buffer.from("many")))!;
          t.equal((await listAll(fs, many)).length, 4000);
          t.type(await fs.lookup(many, Buffer.from(`entry 3999 ${"-".repeat(39)}`)), "number");
        });
      }),
  );
}

t.test("a case-insensitive directory finds a name however it is written, the exact one first", (t) =>
  withFolder(async (folder) => {
    const image = made(folder, "8M", "-t ext4 -O casefold -E encoding=utf8", (files) => {
      mkdirSync(join(files, "dir"));
      mkdirSync(join(files, "plain"));
      for (const name of ["Readme", "README", "straße", "Ünï"]) writeFileSync(join(files, "dir", name), name);
      writeFileSync(join(files, "plain", "Readme"), "");
    });
    run("debugfs", "-w", "-R", "set_inode_field dir flags 0x40080000", image);
    await withImage(image, async (fs) => {
      const dir = (await fs.lookup(fs.root, Buffer.from("dir")))!;
      const contents = async (name: string): Promise<string | undefined> => {
        const id = await fs.lookup(dir, Buffer.from(name));
        if (id === undefined) return undefined;
        const source = await fs.open(id);
        return (await read(source, 0, source.size)).toString();
      };
      t.equal(await contents("README"), "README");
      t.equal(await contents("Readme"), "Readme");
      t.match(await contents("rEADME"), /^readme$/i);
      t.equal(await contents("u\u0308NI\u0308"), "Ünï");
      t.equal(await contents("other"), undefined);
      const plain = (await fs.lookup(fs.root, Buffer.from("plain")))!;
      t.equal(await fs.lookup(plain, Buffer.from("readme")), undefined);
    });
  }),
);

/** Sets an fscrypt policy with a key of its own on a new directory, and fills it. */
const ENCRYPT = String.raw`
import fcntl, os, struct, sys
top = sys.argv[1]; d = top + '/secret'
os.mkdir(d)
fd = os.open(d, os.O_RDONLY)
arg = bytearray(struct.pack('<II32sII32s', 2, 0, b'', 64, 0, b'') + bytes(range(64)))
fcntl.ioctl(fd, 0xC0506617, arg)
fcntl.ioctl(fd, 0x800C6613, struct.pack('<BBBBB3s16s', 2, 1, 4, 2, 0, b'', bytes(arg[8:24])))
for n in ['a', 'name', 'x' * 140, 'y' * 160, 'z' * 255]:
    with open(d + '/' + n, 'w') as f: f.write('secret' * 2000)
os.symlink('target', d + '/link'); os.mkdir(d + '/sub')
`;

t.test("an encrypted directory lists unreadable names that can be looked up, and refuses contents", (t) =>
  withFolder(async (folder) => {
    const image = made(folder, "32M", "-t ext4 -O encrypt", () => undefined);
    await mounted(image, folder, "rw", (mountPoint) => run("python3", "-c", ENCRYPT, mountPoint));
    const kernel = await mounted(image, folder, "ro,noload", (mountPoint) =>
      readdirSync(join(mountPoint, "secret")),
    );
    await withImage(image, async (fs) => {
      const dir = (await fs.lookup(fs.root, Buffer.from("secret")))!;
      const entries = await listAll(fs, dir);
      // The kernel's no-key names begin with eight bytes of hash; what follows is ours.
      const expected = kernel
        .map((name) => Buffer.from(name, "base64url").subarray(8).toString("base64url"))
        .sort();
      t.same(entries.map(({ name }) => name.toString()).sort(), expected);
      for (const { name, id } of entries) {
        t.equal(await fs.lookup(dir, name), id);
        const { type } = await fs.attributes(id);
        if (type === "file") await t.rejects(fs.open(id), UnsupportedError);
        if (type === "symlink") await t.rejects(fs.readLink(id), UnsupportedError);
        t.same([...(await fs.extendedAttributes(id)).keys()], [], "the encryption context is not shown");
      }
    });
  }),
);

t.test("a journal that was not replayed is said, and the rest is read", (t) =>
  withFolder(async (folder) => {
    const image = made(folder, "32M", "-t ext4", (files) => {
      writeFileSync(join(files, "old"), "old");
    });
    const copy = join(folder, "copy");
    await mounted(image, folder, "rw", (mountPoint) => {
      writeFileSync(join(mountPoint, "new"), "new");
      execFileSync("sync", ["-f", mountPoint]);
      copyFileSync(image, copy);
    });
    await withImage(copy, async (fs) => {
      t.match(fs.facts.warnings, [/journal is not replayed/]);
      t.type(await fs.lookup(fs.root, Buffer.from("old")), "number");
    });
  }),
);

t.test("a damaged superblock is replaced by its copy, with a warning", (t) =>
  withFolder(async (folder) => {
    const path = made(folder, "32M", "-t ext4 -b 1024", (files) => {
      writeFileSync(join(files, "file"), "here");
    });
    const image = readFileSync(path);
    image.writeUInt32LE(0, EXT_SUPERBLOCK_OFFSET + Superblock.fields.blocksPerGroup.offset);
    const fs = (await extDriver.open(memorySource(image, "image")))!;
    t.match(
      fs.facts.warnings[0],
      /copy in group 1 is used: image, byte 0x420: the number of blocks a group is 0/,
    );
    const source = await fs.open((await fs.lookup(fs.root, Buffer.from("file")))!);
    t.equal((await read(source, 0, 4)).toString(), "here");
  }),
);

t.test(
  "features that are not read are refused by name and number; what is no file system is not taken for one",
  (t) =>
    withFolder(async (folder) => {
      const path = made(folder, "2M", "-t ext2", () => undefined);
      const image = readFileSync(path);
      const at = EXT_SUPERBLOCK_OFFSET + Superblock.fields.incompatible.offset;
      const before = image.readUInt32LE(at);
      image.writeUInt32LE((before | 0x40000008) >>> 0, at);
      await t.rejects(extDriver.open(memorySource(image, "image")), {
        name: "UnsupportedError",
        message: /byte 0x460: .*journal_dev, 0x40000000 \(0x40000008\)/,
      });
      const noise = Buffer.alloc(8192, 0xeb);
      noise.writeUInt16LE(0xef53, EXT_SUPERBLOCK_OFFSET + Superblock.fields.magic.offset);
      t.equal(await extDriver.open(memorySource(noise, "boot loader")), undefined);
      t.equal(await extDriver.open(memorySource(Buffer.alloc(8192), "zeros")), undefined);
      t.equal(await extDriver.open(memorySource(Buffer.alloc(100), "tiny")), undefined);
    }),
);

t.test("errors that the guest found, and an unclean end, are warnings; the type is told as blkid does", (t) =>
  withFolder(async (folder) => {
    for (const [type, features] of [
      ["ext2", "^has_journal"],
      ["ext3", "has_journal"],
      ["ext4", "extent"],
    ] as const) {
      const image = join(folder, type);
      run("mke2fs", "-q", "-F", "-t", type, "-L", "a label", "-O", features, image, "8M");
      run("debugfs", "-w", "-R", "set_super_value state 2", image);
      await withImage(image, async (fs) => {
        t.equal(fs.facts.type, type);
        t.equal(run("blkid", "-o", "value", "-s", "TYPE", image).trim(), type);
        t.equal(fs.facts.label, "a label");
        t.equal(fs.facts.uuid, run("blkid", "-o", "value", "-s", "UUID", image).trim());
        t.match(fs.facts.warnings, [/not unmounted cleanly/, /found errors/]);
      });
    }
  }),
);

t.test("a damaged block of an extent tree takes its own range with it, and nothing else", (t) =>
  withFolder(async (folder) => {
    const bytes = Buffer.alloc(400 * 1024 + 77);
    for (let at = 0; at < bytes.length; at += 2048) bytes[at] = 1 + (at % 250);
    const path = made(folder, "8M", "-t ext4 -b 1024", (files) => {
      writeFileSync(join(files, "file"), bytes);
    });
    await mounted(path, folder, "rw", (mountPoint) => {
      for (let at = 1024; at + 1024 < bytes.length; at += 2048)
        run("fallocate", "-p", "-o", String(at), "-l", "1024", join(mountPoint, "file"));
    });
    const image = readFileSync(path);
    const volume = memorySource(image, "image");
    const { medium } = (await openMedium(volume))!;
    const before = (await extDriver.open(volume))!;
    const id = (await before.lookup(before.root, Buffer.from("file")))!;
    const offset = inodeOffset(medium, id, await readGroup(medium, 0));
    const root = offset + InodeRecord.fields.block.offset;
    t.match(ExtentHeader.view(image, root), { depth: 1 });
    const first = ExtentIndex.view(image, root + 24).fileBlock * 1024;
    const end = ExtentIndex.view(image, root + 36).fileBlock * 1024;
    image[ExtentIndex.view(image, root + 24).childLow * 1024 + 20]! ^= 1;
    const source = await (await extDriver.open(volume))!.open(id);
    t.ok((await read(source, 0, first)).equals(bytes.subarray(0, first)), "before it");
    t.ok((await read(source, end, bytes.length - end)).equals(bytes.subarray(end)), "behind it");
    await t.rejects(read(source, first, 1), CorruptError);
    await t.rejects(read(source, end - 1, 1), CorruptError);
  }),
);

t.test("an image that is cut short anywhere gives right bytes or a DiskError", (t) =>
  withFolder(async (folder) => {
    const bytes = Buffer.alloc(700_001, "0123456789abcdef-");
    const path = made(folder, "2M", "-t ext4 -b 1024 -O ^has_journal", (files) => {
      writeFileSync(join(files, "file"), bytes);
      mkdirSync(join(files, "sub"));
      for (let i = 0; i < 200; i++) writeFileSync(join(files, "sub", `a name that takes room ${i}`), "x");
    });
    const image = readFileSync(path);
    let whole = 0;
    for (let size = 2048; size < image.length; size += 10_007) {
      const fs = (await extDriver.open(memorySource(image.subarray(0, size), "cut")))!;
      t.match(fs.facts.warnings[0], /but its volume only/);
      await readWhatIsReadable(fs);
      const id = await fs.lookup(fs.root, Buffer.from("file")).catch(() => undefined);
      const source = id === undefined ? undefined : await fs.open(id).catch(() => undefined);
      for (let at = 0; source !== undefined && at < bytes.length; at += 50_000) {
        const length = Math.min(5000, bytes.length - at);
        const got = await read(source, at, length).catch((error: unknown) => {
          if (!(error instanceof DiskError)) throw error;
        });
        if (got === undefined) continue;
        if (!got.equals(bytes.subarray(at, at + length))) t.fail(`${size}: other bytes at ${at}`);
        whole++;
      }
    }
    t.ok(whole > 100, `${whole} reads of what is left`);
  }),
);

t.test("a pointer past the end spoils its own block, and not its neighbours", (t) =>
  withFolder(async (folder) => {
    const bytes = Buffer.alloc(5 * 1024, "neighbours ");
    const image = readFileSync(
      made(folder, "2M", "-t ext2 -b 1024", (files) => {
        writeFileSync(join(files, "file"), bytes);
      }),
    );
    const volume = memorySource(image, "image");
    const { medium } = (await openMedium(volume))!;
    const fs = (await extDriver.open(volume))!;
    const id = (await fs.lookup(fs.root, Buffer.from("file")))!;
    const pointers = inodeOffset(medium, id, await readGroup(medium, 0)) + InodeRecord.fields.block.offset;
    bytes.copy(image, 2047 * 1024, 1024, 2048); // block 1 of the file moves to the last block of the volume
    image.writeUInt32LE(2047, pointers + 4);
    image.writeUInt32LE(2048, pointers + 8); // and block 2 to the first one behind it
    image.writeUInt32LE(1, pointers + 12); // and block 3 to the superblock, before the first that holds contents
    const source = await (await extDriver.open(volume))!.open(id);
    for (const block of [0, 1, 4])
      t.ok((await read(source, block * 1024, 1024)).equals(bytes.subarray(block * 1024, (block + 1) * 1024)));
    for (const block of [2, 3]) await t.rejects(read(source, block * 1024, 1), CorruptError);
  }),
);

t.test("names that were made alike cost a look-up no more than reading the directory", (t) =>
  withFolder(async (folder) => {
    const count = 8_000;
    const image = readFileSync(
      made(folder, "16M", "-t ext2 -b 1024 -N 9000", (files) => {
        for (let i = 0; i < count; i++) writeFileSync(join(files, `alike${String(i).padStart(5, "0")}`), "");
      }),
    );
    const last = Buffer.from("alike07999");
    for (let at = image.indexOf("alike"); at >= 0; at = image.indexOf("alike", at + 5))
      if (!image.subarray(at, at + last.length).equals(last)) image.write("alike00000", at);
    const fs = (await extDriver.open(memorySource(image, "image")))!;
    const started = performance.now();
    const names = (await listAll(fs, fs.root)).filter(({ name }) => name.toString() === "alike00000");
    t.equal(names.length, count - 1);
    t.equal(await fs.lookup(fs.root, Buffer.from("alike00000")), names[0]!.id);
    t.type(await fs.lookup(fs.root, last), "number");
    t.equal(await fs.lookup(fs.root, Buffer.from("alike")), undefined);
    t.ok(performance.now() - started < 5000);
  }),
);

t.test("a file system that claims more groups than can be counted tells its usage at once", (t) =>
  withFolder(async (folder) => {
    const image = readFileSync(
      made(folder, "2M", "-t ext4 -b 1024 -O ^metadata_csum,^has_journal", () => undefined),
    );
    const set = (field: keyof typeof Superblock.fields, value: number): void => {
      image.writeUInt32LE(value, EXT_SUPERBLOCK_OFFSET + Superblock.fields[field].offset);
    };
    const groups = 2 ** 28;
    set("blocksPerGroup", 8);
    set("inodesPerGroup", 8);
    set("inodeCount", groups * 8);
    set("blockCountLow", groups * 8 + 1);
    set("freeBlockCountLow", 0xffffffff);
    set("freeInodeCount", 5);
    // What is not in the image is zeros, as in one that is mapped and never written.
    const stored = memorySource(image, "many groups");
    const map = async (offset: number, length: number): Promise<Extent[]> => {
      const inside = Math.max(0, Math.min(length, image.length - offset));
      return [...(await stored.map(offset, inside)), { kind: "zero", length: length - inside }];
    };
    const fs = (await extDriver.open({ name: "many groups", size: groups * 8192 + 1024, map }))!;
    const started = performance.now();
    t.match(await fs.usage(fs.root), { freeBlocks: groups * 8 + 1, freeFiles: 5 });
    t.ok(performance.now() - started < 1000);
  }),
);
