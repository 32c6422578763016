/** Files that are compressed as CompactOS does it, packed by wimlib. */
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { CorruptError, DiskError, UnsupportedError } from "../../../src/errors.js";
import { read } from "../../../src/extent/read.js";
import { hashOf, run, withFolder } from "../ext/support.js";
import { find, makeImage, mountedByNtfs3g, withNtfs } from "./support.js";

function contents(): Map<string, Buffer> {
  const text = Buffer.from(Array.from({ length: 400_000 }, (_, i) => `${i * i}\n`).join(""));
  const noise = randomBytes(200_001);
  const files = new Map([
    ["text", text],
    ["noise", noise],
    [
      "mixed",
      Buffer.concat([text.subarray(0, 70_000), noise.subarray(0, 90_000), text.subarray(5, 300_000)]),
    ],
    ["zeros", Buffer.alloc(500_000)],
    ["tiny", Buffer.from("tiny")],
  ]);
  for (const size of [4095, 4096, 4097, 8192, 8193, 16384, 16385, 32767, 32768, 32769, 65536, 65537, 131_073])
    files.set(`text${size}`, text.subarray(0, size));
  return files;
}

for (const algorithm of ["xpress4k", "xpress8k", "xpress16k", "lzx"]) {
  t.test(`${algorithm}: files are read as they were before they were packed`, (t) =>
    withFolder(async (folder) => {
      const files = contents();
      const source = join(folder, "files");
      mkdirSync(source);
      for (const [name, bytes] of files) writeFileSync(join(source, name), bytes);
      const image = makeImage(folder, 64);
      await mountedByNtfs3g(image, folder, "streams_interface=windows", (mountPoint) => {
        run("python3", join(import.meta.dirname, "wof.py"), algorithm, source, mountPoint);
      });
      await withNtfs(image, async (fs) => {
        for (const [name, bytes] of files) {
          const id = await find(fs, name);
          const attributes = await fs.attributes(id);
          t.same([attributes.type, attributes.size], ["file", bytes.length], name);
          if (name === "text")
            t.ok(attributes.allocatedSectors * 512 < bytes.length, "it takes less than its size");
          t.same([...(await fs.extendedAttributes(id)).keys()], [], "what holds it is no stream of its own");
          const file = await fs.open(id);
          const hash = createHash("sha256").update(bytes).digest("hex");
          t.equal(await hashOf(file, 0, file.size), hash, `${name} is whole`);
          for (let i = 0; i < 200; i++) {
            const offset = Math.floor(Math.random() * bytes.length);
            const length = Math.floor(Math.random() * Math.min(100_000, bytes.length - offset));
            if (!(await read(file, offset, length)).equals(bytes.subarray(offset, offset + length)))
              t.fail(`${name}: ${length} bytes from ${offset}`);
          }
        }
        const stored = await (await fs.open(await find(fs, "noise"))).map(0, 131_072);
        t.same(
          [...new Set(stored.map(({ kind }) => kind))],
          ["stored"],
          "what would not shrink is in the image as it is",
        );
      });
    }),
  );
}

t.test("the places of chunks have 64 bits in a file of more than 4 GiB", (t) =>
  withFolder(async (folder) => {
    const image = makeImage(folder, 64);
    const chunks = 131_074;
    const size = (chunks - 2) * 32_768 + 40_000;
    // wimlib packs a chunk of zeros; the last chunk is stored as it is. A WIM's first resource is at byte 208.
    const script = `import os, struct, subprocess, sys
folder, mount, chunks, size = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
os.mkdir(f"{folder}/in")
with open(f"{folder}/in/zeros", "wb") as f: f.truncate(65536)
subprocess.run(["wimcapture", f"{folder}/in", f"{folder}/w", "--compress=lzx", "--chunk-size=32768", "--no-acls"], check=True, stdout=subprocess.DEVNULL)
wim = open(f"{folder}/w", "rb").read()
end, = struct.unpack_from("<I", wim, 208)
zeros = wim[212:212 + end]
table = b"".join(struct.pack("<Q", i * end) for i in range(1, chunks))
with open(f"{mount}/big", "wb") as f: f.truncate(size)
with open(f"{mount}/big:WofCompressedData", "wb") as f: f.write(table + zeros * (chunks - 1) + b"e" * (size % 32768))
data = struct.pack("<IIII", 1, 2, 1, 1)
os.setxattr(f"{mount}/big", "system.ntfs_reparse_data", struct.pack("<IHH", 0x80000017, len(data), 0) + data)`;
    await mountedByNtfs3g(image, folder, "streams_interface=windows", (mountPoint) => {
      run("python3", "-c", script, folder, mountPoint, `${chunks}`, `${size}`);
    });
    await withNtfs(image, async (fs) => {
      const file = await fs.open(await find(fs, "big"));
      t.equal(file.size, size);
      const last = size % 32_768;
      const expected = Buffer.concat([Buffer.alloc(100_000), Buffer.alloc(last, "e")]);
      t.ok((await read(file, size - expected.length, expected.length)).equals(expected));
      for (const offset of [0, 2 ** 31 - 50_000, 2 ** 32 - 100_000])
        t.ok((await read(file, offset, 100_000)).equals(Buffer.alloc(100_000)), `from ${offset}`);
    });
  }),
);

t.test("damage of one chunk takes that chunk; the rest of the file is read", (t) =>
  withFolder(async (folder) => {
    const text = contents().get("text")!;
    const source = join(folder, "files");
    mkdirSync(source);
    writeFileSync(join(source, "text"), text);
    const image = makeImage(folder, 64);
    await mountedByNtfs3g(image, folder, "streams_interface=windows", (mountPoint) => {
      run("python3", join(import.meta.dirname, "wof.py"), "lzx", source, mountPoint, "2");
    });
    await withNtfs(image, async (fs) => {
      const file = await fs.open(await find(fs, "text"));
      await t.rejects(read(file, 65_536, 65_536), CorruptError);
      for (let chunk = 0; chunk * 32_768 < text.length; chunk++) {
        const length = Math.min(32_768, text.length - chunk * 32_768);
        const wanted = text.subarray(chunk * 32_768, chunk * 32_768 + length);
        const bytes = await read(file, chunk * 32_768, length).catch((error: unknown) => error);
        if (chunk === 2) t.ok(bytes instanceof DiskError || !(bytes as Buffer).equals(wanted));
        else t.ok((bytes as Buffer).equals(wanted), `chunk ${chunk}`);
      }
    });
  }),
);

t.test("contents that are in a WIM elsewhere are refused, and so is what nobody knows", (t) =>
  withFolder(async (folder) => {
    const image = makeImage(folder, 16);
    const script = `import os, struct, sys
for name, words in {"wim": (1, 1, 0, 0), "method": (1, 2, 1, 9), "short": (1, 2)}.items():
    path = sys.argv[1] + "/" + name
    open(path, "wb").truncate(100000)
    open(path + ":WofCompressedData", "wb").write(b"x" * 1000)
    data = struct.pack("<%dI" % len(words), *words)
    os.setxattr(path, "system.ntfs_reparse_data", struct.pack("<IHH", 0x80000017, len(data), 0) + data)`;
    await mountedByNtfs3g(image, folder, "streams_interface=windows", (mountPoint) => {
      run("python3", "-c", script, mountPoint);
    });
    await withNtfs(image, async (fs) => {
      await t.rejects(fs.open(await find(fs, "wim")), UnsupportedError);
      await t.rejects(fs.open(await find(fs, "method")), UnsupportedError);
      await t.rejects(fs.open(await find(fs, "short")), CorruptError);
    });
  }),
);
