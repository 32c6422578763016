/** Large directories whose hash tree lists names in quite another order than that of their inodes. */
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { DiskError, HostError } from "../../../src/errors.js";
import type { BlockSource } from "../../../src/extent/extent.js";
import { memorySource } from "../../../src/extent/runs.js";
import { extDriver } from "../../../src/filesystem/ext/ext.js";
import { groupOf, inodeOffset, readGroup } from "../../../src/filesystem/ext/group.js";
import { openMedium } from "../../../src/filesystem/ext/open.js";
import { listEntries, pagesOf } from "../../../src/filesystem/entries.js";
import type { Attributes, FileSystem } from "../../../src/filesystem/filesystem.js";
import { listAll, run, withFolder } from "./support.js";

const FILE_COUNT = 6000;

/** A directory "large" of FILE_COUNT empty files, and one "small" of three; e2fsck sorts its entries by hash. */
function imageWith(folder: string, blockSize: number): Buffer {
  const files = join(folder, "files");
  mkdirSync(join(files, "large"), { recursive: true });
  mkdirSync(join(files, "small"));
  for (let i = 0; i < FILE_COUNT; i++) closeSync(openSync(join(files, "large", `file number ${i}`), "w"));
  for (let i = 0; i < 3; i++) closeSync(openSync(join(files, "small", `${i}`), "w"));
  const path = join(folder, "image");
  run("mke2fs", "-q", "-F", "-t", "ext4", "-b", `${blockSize}`, "-N", "8192", "-d", files, path, "64M");
  run("sh", "-c", 'e2fsck -fyD "$0" >/dev/null 2>&1 || [ $? = 1 ]', path);
  return readFileSync(path);
}

/** `image` as a volume that counts the bytes that are mapped, and the calls. */
function counting(image: Buffer): BlockSource & { bytes: number; calls: number } {
  const held = memorySource(image, "image");
  return {
    name: held.name,
    size: held.size,
    bytes: 0,
    calls: 0,
    async map(offset, length) {
      this.bytes += length;
      this.calls++;
      return held.map(offset, length);
    },
  };
}

interface Seen {
  readonly name: string;
  readonly id: number;
  readonly cookie: number;
  readonly attributes: Attributes | undefined;
}

/** The entries of directory `id` after `cookie`, of one page. */
async function pageAfter(fs: FileSystem, id: number, cookie: number): Promise<Seen[]> {
  const entries = await listEntries(fs, id, cookie, { attributes: true });
  return entries.map(({ name, id, cookie, attributes }) => ({
    ...{ name: name.toString("latin1"), id, cookie, attributes },
  }));
}

async function listWithAttributes(fs: FileSystem, id: number): Promise<Seen[]> {
  const all: Seen[] = [];
  for (;;) {
    const entries = await pageAfter(fs, id, all.at(-1)?.cookie ?? 0);
    if (entries.length === 0) return all;
    all.push(...entries);
  }
}

const find = async (fs: FileSystem, name: string): Promise<number> =>
  (await fs.lookup(fs.root, Buffer.from(name)))!;

for (const blockSize of [1024, 4096]) {
  t.test(`a large directory with blocks of ${blockSize} bytes`, (t) =>
    withFolder(async (folder) => {
      const image = imageWith(folder, blockSize);
      const volume = counting(image);
      const fs = (await extDriver.open(volume))!;
      const large = await find(fs, "large");

      await t.test("its inodes are read in order, not one by one", async (t) => {
        volume.bytes = volume.calls = 0;
        const entries = await listWithAttributes(fs, large);
        t.equal(entries.length, FILE_COUNT);
        t.ok(entries.every(({ attributes }) => attributes !== undefined));
        const isOrdered = entries.every(({ id }, i) => i === 0 || id > entries[i - 1]!.id);
        t.notOk(isOrdered, "the inodes are in another order than the names");
        // Two batches, each of which reads most of the inode table once, and the directory.
        t.ok(volume.calls < 300, `${volume.calls} reads`);
        t.ok(volume.bytes < 5 * FILE_COUNT * 256, `${volume.bytes} bytes`);
      });

      await t.test("names and attributes are those that debugfs and single requests give", async (t) => {
        const entries = await listWithAttributes(fs, large);
        const listed = await listAll(fs, large);
        t.strictSame(
          entries.map(({ name, id, cookie }) => [name, id, cookie]),
          listed.map(({ name, id, cookie }) => [name.toString("latin1"), id, cookie]),
        );
        let isSame = true;
        for (const { id, attributes } of entries)
          isSame &&= JSON.stringify(attributes) === JSON.stringify(await fs.attributes(id));
        t.ok(isSame);
        const lines = run("debugfs", "-R", "ls -p /large", join(folder, "image")).split("\n");
        const judged = lines.flatMap((line) => {
          const [, inode, , , , name] = line.split("/");
          return inode === "0" || name === undefined || name === "." || name === ".."
            ? []
            : [`${inode} ${name}`];
        });
        t.strictSame(entries.map(({ id, name }) => `${id} ${name}`).sort(), judged.sort());
      });

      await t.test("any cookie continues it, whatever was listed before", async (t) => {
        const entries = await listWithAttributes(fs, large);
        for (const from of [5000, 0, 17, 5999]) {
          const page = await pageAfter(fs, large, from === 0 ? 0 : entries[from - 1]!.cookie);
          t.ok(page.length > 0, `${page.length} entries from the one at ${from}`);
          t.strictSame(page, entries.slice(from, from + page.length));
        }
        t.strictSame(await pageAfter(fs, large, entries.at(-1)!.cookie), []);
      });

      await t.test("two programs that list it at once do not disturb each other", async (t) => {
        const [one, other] = await Promise.all([
          listWithAttributes(fs, large),
          listWithAttributes(fs, large),
        ]);
        t.strictSame(one, other);
      });

      await t.test("the entries of a small directory have attributes, too", async (t) => {
        const entries = await listWithAttributes(fs, await find(fs, "small"));
        t.equal(entries.length, 3);
        for (const { id, attributes } of entries) t.same(attributes, await fs.attributes(id));
      });

      await t.test("a page without attributes reads no inodes, however large the directory is", async (t) => {
        const fresh = counting(image);
        const tree = (await extDriver.open(fresh))!;
        await tree.attributes(large);
        fresh.bytes = 0;
        const entries = await listEntries(tree, large, 0);
        t.ok(entries.every(({ attributes }) => attributes === undefined));
        t.ok(fresh.bytes <= 128 * 2 ** 10, `${fresh.bytes} bytes`);
      });

      await t.test("a page has a bounded number of entries", async (t) => {
        const pages: number[] = [];
        for await (const page of pagesOf(fs, large, { attributes: true })) pages.push(page.length);
        t.ok(pages.length > 1 && pages[0]! < 3000, `pages of ${pages.join()} entries`);
        t.equal((await listEntries(fs, large, 0, { limit: 1 })).length < 500, true, "fewer for a limit");
      });

      await t.test("an inode that is damaged or cannot be read takes no other with it", async (t) => {
        const names = await listWithAttributes(fs, large);
        const medium = (await openMedium(volume))!.medium;
        const offsetOf = async (id: number): Promise<number> =>
          inodeOffset(medium, id, await readGroup(medium, groupOf(medium, id)));
        const [damaged, unreadable] = [names[3000]!.id, names[4000]!.id];
        const bytes = Buffer.from(image);
        bytes[(await offsetOf(damaged)) + 4]! ^= 1; // of its size: the checksum does not match
        const bad = await offsetOf(unreadable);
        const held = memorySource(bytes, "image");
        const hurt = await extDriver.open({
          ...held,
          async map(offset, length) {
            const from = Math.max(offset, bad);
            const to = Math.min(offset + length, bad + 256);
            if (from >= to) return held.map(offset, length);
            const error = new HostError("the sector cannot be read", "EIO");
            return [
              ...(from > offset ? await held.map(offset, from - offset) : []),
              { kind: "damaged", length: to - from, error },
              ...(to < offset + length ? await held.map(to, offset + length - to) : []),
            ];
          },
        });
        const entries = await listWithAttributes(hurt!, large);
        t.strictSame(
          entries.map(({ name }) => name),
          names.map(({ name }) => name),
        );
        const without = entries.filter(({ attributes }) => attributes === undefined).map(({ id }) => id);
        t.ok(without.includes(damaged) && without.includes(unreadable));
        // Others may have been near the one that cannot be read.
        const failed: number[] = [];
        for (const { id } of entries.filter(({ attributes }) => attributes === undefined)) {
          try {
            await hurt!.attributes(id);
          } catch (error) {
            if (!(error instanceof DiskError)) throw error;
            failed.push(id);
          }
        }
        t.strictSame(failed.sort(), [damaged, unreadable].sort());
      });
    }),
  );
}
