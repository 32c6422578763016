/** The package as others use it: by its name, built, with its types. */
import t from "tap";
import {
  CorruptError,
  DiskError,
  findNode,
  MissingError,
  openDisk,
  read,
  type BlockSource,
  type FileSystem,
} from "vdisk";
import { BASE, NEWEST } from "./support/command.js";
import { listEntries } from "../src/filesystem/entries.js";

t.test("a disk is opened, its partitions are listed, and a file is mapped and read", async (t) => {
  const disk = await openDisk(NEWEST);
  t.equal(disk.source.size, 15728640);
  t.same(
    disk.parts.map((part) => part.fileSystem?.facts.type),
    ["ext2", "ext4"],
  );
  const { id } = await findNode(disk, "/etc/os-release", true);
  const file: BlockSource = await disk.tree.open(id);
  const [extent] = await file.map(0, file.size);
  t.match(extent, { kind: "stored", length: file.size });
  t.equal((await read(file, 0, file.size)).toString(), 'NAME="Example Linux"\nVERSION="12"\n');
  await disk.close();
});

t.test("a file system is walked by node numbers", async (t) => {
  const disk = await openDisk(BASE);
  const fileSystem: FileSystem = disk.parts[1]!.fileSystem!;
  const etc = await fileSystem.lookup(fileSystem.root, Buffer.from("etc"));
  const entries = await listEntries(fileSystem, etc!, 0);
  t.same(entries.map(({ name }) => name.toString()).sort(), ["fstab", "hostname", "os-release", "shadow"]);
  t.equal(await fileSystem.lookup(fileSystem.root, Buffer.from("nothing")), undefined);
  await disk.close();
});

t.test("errors are DiskErrors with a code", async (t) => {
  await t.rejects(openDisk("nothing.vdi"), MissingError);
  await t.rejects(openDisk("nothing.vdi"), { code: "MISSING", name: "MissingError" });
  const empty = t.testdir({ "empty.img": "" });
  await t.rejects(openDisk(`${empty}/empty.img`), CorruptError);
  t.ok(new CorruptError("…") instanceof DiskError);
});

t.test("closing a disk closes all files", async (t) => {
  const { readdirSync } = await import("node:fs");
  const before = readdirSync("/proc/self/fd").length;
  for (let round = 0; round < 20; round++) await (await openDisk(NEWEST)).close();
  await t.rejects(openDisk(`${NEWEST}/x`), { code: "MISSING" });
  t.equal(readdirSync("/proc/self/fd").length, before);
});
