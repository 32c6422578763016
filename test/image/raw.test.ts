import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import t from "tap";
import { CorruptError, UnsupportedError } from "../../src/errors.js";
import { openChain } from "../../src/image/chain.js";
import { signatures } from "../../src/image/signatures.js";
import { BASE } from "../support/command.js";
import { makeSocket, readAll } from "./image.js";
import { random } from "./random.js";

t.test("a raw image of any size opens; one that ends within a sector is warned of", async (t) => {
  const path = join(t.testdir(), "a.img");
  for (const size of [512, 1_000_000, 100, 4096]) {
    const bytes = random(size).bytes(size);
    await writeFile(path, bytes);
    t.ok((await readAll(path)).equals(bytes), String(size));
    const chain = await openChain(path);
    t.equal(chain.warnings.length, size % 512 === 0 ? 0 : 1);
    t.equal(chain.layers[0]!.image.format, "raw");
    await chain.close();
  }
});

t.test("a block device is a raw image", async (t) => {
  const path = join(t.testdir(), "a.img");
  const bytes = random(5).bytes(64 * 2 ** 10);
  await writeFile(path, bytes);
  const device = execFileSync("losetup", ["--find", "--show", "--read-only", path], {
    encoding: "utf8",
  }).trim();
  try {
    t.ok((await readAll(device)).equals(bytes));
  } finally {
    execFileSync("losetup", ["--detach", device]);
  }
});

t.test("an empty file is said to be empty", async (t) => {
  const path = join(t.testdir({ "a.img": "" }), "a.img");
  await t.rejects(openChain(path), {
    name: "CorruptError",
    message: `${path}: this file is empty, not a disk image`,
  });
});

t.test("no format that is known by its signature is shown as a raw disk", async (t) => {
  const path = join(t.testdir(), "a.img");
  for (const { format, offset, bytes } of signatures) {
    const file = random(1).bytes(100_000);
    bytes.copy(file, offset < 0 ? file.length + offset : offset);
    await writeFile(path, file);
    await t.rejects(openChain(path), UnsupportedError, format);
  }
  for (const format of ["qcow2", "vmdk", "vhdx", "parallels", "qed"]) {
    execFileSync("qemu-img", ["create", "-q", "-f", format, path, "10M"]);
    await t.rejects(openChain(path), { name: "UnsupportedError", message: /files are not read yet/ }, format);
  }
});

t.test("a file whose name promises a signature, but which has none, is damaged", async (t) => {
  const folder = t.testdir({ "a.VDI": Buffer.alloc(4096) });
  await t.rejects(openChain(join(folder, "a.VDI")), CorruptError);
  const path = join(folder, "mutant.vdi");
  const bytes = readFileSync(BASE);
  bytes[0x43]! ^= 1; // VDICore.h, VDIPREHEADER: the signature's last byte
  await writeFile(path, bytes);
  await t.rejects(openChain(path), { message: /there is no VDI signature/ });
});

t.test("a text is no disk image, but a disk that begins with one is", async (t) => {
  const folder = t.testdir({ "notes.txt": "What to buy:\n\t- café\n", "a.img": "" });
  const path = join(folder, "notes.txt");
  await t.rejects(openChain(path), { message: `${path}: this is a text, not a disk image` });
  await writeFile(
    path,
    "<?xml version='1.0'?>\n<Parallels_disk_image Version=\"1.0\">\n</Parallels_disk_image>\n",
  );
  await t.rejects(openChain(path), { name: "UnsupportedError", message: /Parallels disks are not read yet/ });
  await writeFile(
    join(folder, "a.img"),
    Buffer.concat([Buffer.alloc(32768, " "), Buffer.from("\x01CD001\x01")]),
  );
  t.equal((await readAll(join(folder, "a.img"))).length, 32775);
  await writeFile(path, "é".repeat(50_000));
  await t.rejects(openChain(path), UnsupportedError);
});

t.test("a folder, a pipe, a socket and a character device are refused at once", async (t) => {
  const folder = t.testdir();
  const [pipe, socket] = [join(folder, "pipe"), join(folder, "socket")];
  execFileSync("mkfifo", [pipe]);
  makeSocket(socket);
  for (const path of [folder, pipe, socket, "/dev/null"]) {
    await t.rejects(openChain(path), UnsupportedError, path);
  }
});

t.test("a file's name is no more than a name: what JavaScript has by it does not count", async (t) => {
  for (const name of ["disk.constructor", "disk.__proto__", "constructor"]) {
    const path = join(t.testdir(), name);
    await writeFile(path, Buffer.alloc(512));
    const chain = await openChain(path);
    t.equal(chain.layers[0]!.image.format, "raw");
    await chain.close();
  }
});

t.test("what is no image is not even opened: who writes to a pipe waits on", async (t) => {
  const pipe = join(t.testdir(), "pipe");
  execFileSync("mkfifo", [pipe]);
  const writer = spawn("sh", ["-c", 'echo started; exec 3>"$0"; echo text >&3', pipe]);
  const isOver = once(writer, "exit");
  await once(writer.stdout, "data");
  await setTimeout(100); // it is past its first line: the next is to open the pipe
  await t.rejects(openChain(pipe), UnsupportedError);
  t.equal(execFileSync("timeout", ["5", "cat", pipe], { encoding: "utf8" }), "text\n");
  await isOver;
});
