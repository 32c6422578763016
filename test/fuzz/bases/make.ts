/**
 * Makes the images of this folder, which the campaign mutates: small, each with a bit of everything that its format has.
 * They are kept, and not made for each run, because a finding is a list of bytes to change in one of them.
 *
 *   npx tsx test/fuzz/bases/make.ts [NAME...]
 *
 * Needs root, e2fsprogs, dosfstools, mtools, ntfs-3g, wimtools, attr and fdisk.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { ExfatBuilder, fileSet, labelSlot, range } from "../../filesystem/exfat/builder.js";
import { mountedByNtfs3g } from "../../filesystem/ntfs/support.js";

const SECTOR = 512;

const wanted = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "vdisk-bases-"));
const ext4 = ["-t", "ext4", "-O", "^has_journal"];

/** What ntfs-3g writes, by Python. */
const NTFS_FILES = String.raw`
import os, struct, sys
os.chdir(sys.argv[1])
def put(name, data):
    with open(name, "wb") as f: f.write(data)
for n in [0, 7, 600, 5000]: put(f"f{n}", (b"%d bytes. " % n * 4000)[:n])
os.mkdir("packed"); os.setxattr("packed", "system.ntfs_attrib", struct.pack("<I", 0x820))
put("packed/text", b"some text that packs well " * 1500)
with open("packed/holes", "wb") as f:
    f.write(b"start" * 100); f.seek(50000); f.write(b"end")
with open("sparse", "wb") as f:
    f.write(b"start"); f.seek(100000); f.write(b"end")
with open("scattered", "wb") as f, open("between", "wb") as g:
    for i in range(60):
        f.write(b"%04d" % i * 256); f.flush(); g.write(b"x" * 1024); g.flush()
os.mkdir("sub")
for i in range(40): put(f"sub/a-name-that-takes-room-{i}", b"x" if i < 3 else b"")
put("streams", b"s")
for i in range(12): os.setxattr("streams", f"user.stream{i}", b"v" * 150)
os.link("f7", "sub/again")
os.symlink("f7", "link")
os.mkdir("junction")
t = "\\??\\C:\\sub".encode("utf-16le")
data = struct.pack("<HHHH", 0, len(t), len(t) + 2, 0) + t + b"\0\0\0\0"
os.setxattr("junction", "system.ntfs_reparse_data", struct.pack("<IHH", 0xa0000003, len(data), 0) + data)
`;

const WOF_FILES = String.raw`
import os, subprocess, sys
top, wof = sys.argv[1:3]
os.mkdir("/tmp/vdisk-wof-source") if not os.path.exists("/tmp/vdisk-wof-source") else None
for algorithm in ["xpress4k", "xpress8k", "xpress16k", "lzx"]:
    source = f"/tmp/vdisk-wof-source/{algorithm}"
    os.makedirs(source, exist_ok=True)
    text = b"".join(b"%d\n" % (i * i) for i in range(9000))
    with open(f"{source}/{algorithm}-text", "wb") as f: f.write(text[:40001])
    with open(f"{source}/{algorithm}-small", "wb") as f: f.write(text[:3000])
    subprocess.run(["python3", wof, algorithm, source, top], check=True)
subprocess.run(["rm", "-r", "/tmp/vdisk-wof-source"], check=True)
`;

/** By name: what gives the image. */
const makers: Record<string, () => Buffer | Promise<Buffer>> = {
  ext2: () => ext("1024K", ["-t", "ext2", "-b", "1024", "-I", "128"]),
  ext4: () => ext("1024K", [...ext4, "-b", "1024", "-I", "256"]),
  "ext4-no-checksums": () => ext("1024K", [...ext4, "-O", "^metadata_csum,uninit_bg", "-b", "2048"]),
  "ext4-inline": () => ext("1024K", [...ext4, "-O", "inline_data,ea_inode,^64bit", "-b", "1024"]),
  "ext4-journal": () => ext("2560K", ["-t", "ext4", "-b", "1024", "-J", "size=1"]),
  "ext4-groups": () =>
    ext("2048K", [
      ...ext4,
      "-O",
      "meta_bg,^resize_inode,sparse_super2",
      "-b",
      "1024",
      "-g",
      "512",
      "-N",
      "128",
    ]),
  fat12: () => fat("360K", "-F", "12", "-s", "2"),
  fat16: () => fat("2200K", "-F", "16", "-s", "1"),
  fat32: () => fat("33792K", "-F", "32", "-s", "1"),
  exfat: exfat,
  ntfs: () => ntfs(2, "compression", NTFS_FILES),
  "ntfs-wof": () => ntfs(2, "streams_interface=windows", WOF_FILES),
  mbr: mbr,
  gpt: gpt,
};

for (const [name, make] of Object.entries(makers)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const bytes = await make();
  const packed = gzipSync(bytes, { level: 9 });
  writeFileSync(join(import.meta.dirname, `${name}.img.gz`), packed);
  console.log(`${name}: ${bytes.length} bytes, packed ${packed.length}`);
}
rmSync(folder, { recursive: true });

function run(command: string, ...args: string[]): void {
  const env = { ...process.env, TZ: "UTC", E2FSPROGS_FAKE_TIME: "1767225600", MTOOLS_SKIP_CHECK: "1" };
  execFileSync(command, args, { stdio: ["ignore", "ignore", "inherit"], env });
}

function file(name: string): string {
  return join(folder, name);
}

/** Files of every shape: empty, in one piece, with holes, links, attributes, a directory with a hash tree. */
function sampleTree(): string {
  const top = file("tree");
  rmSync(top, { recursive: true, force: true });
  mkdirSync(join(top, "sub/deeper"), { recursive: true });
  mkdirSync(join(top, "many"));
  for (const size of [0, 7, 100, 1000, 13_000])
    writeFileSync(join(top, `f${size}`), Buffer.alloc(size, `${size} bytes. `));
  const scattered = Buffer.alloc(300_000); // every fourth block is stored: more extents than fit into the inode
  for (let at = 0; at < scattered.length; at += 8192) scattered.fill(1 + (at % 251), at, at + 1024);
  writeFileSync(join(top, "scattered"), scattered);
  execFileSync("truncate", ["-s", "70M", join(top, "hole")]);
  for (let i = 0; i < 50; i++) writeFileSync(join(top, "many", `a-name-that-takes-some-room-${i}`), "");
  for (let i = 0; i < 4; i++) writeFileSync(join(top, "sub", `file ${i}`), "x".repeat(i));
  symlinkSync("f7", join(top, "short"));
  symlinkSync("long/".repeat(40), join(top, "long"));
  execFileSync("mknod", [join(top, "device"), "c", "1", "3"]);
  execFileSync("mkfifo", [join(top, "fifo")]);
  execFileSync("setfattr", ["-n", "user.short", "-v", "value", join(top, "f7")]);
  execFileSync("setfattr", ["-n", "user.long", "-v", "v".repeat(500), join(top, "f100")]);
  execFileSync("setfattr", ["-n", "trusted.note", "-v", "note", join(top, "sub")]);
  execFileSync("find", [top, "-exec", "touch", "-h", "-d", "2026-01-01T12:00:00.123456789Z", "{}", "+"]);
  return top;
}

function ext(size: string, options: readonly string[]): Buffer {
  const image = file("ext");
  rmSync(image, { force: true });
  const uuid = [
    "-U",
    "00112233-4455-6677-8899-aabbccddeeff",
    "-E",
    "hash_seed=ffeeddcc-bbaa-9988-7766-554433221100",
  ];
  run("mke2fs", "-q", "-F", "-N", "128", ...uuid, "-d", sampleTree(), ...options, image, size);
  // Makes hash trees of the directories that are longer than a block; 1 says that it changed something.
  execFileSync("sh", ["-c", 'e2fsck -fyD "$0" >/dev/null 2>&1 || test $? -eq 1', image]);
  return readFileSync(image);
}

function fat(size: string, ...options: string[]): Buffer {
  const image = file("fat");
  rmSync(image, { force: true });
  execFileSync("truncate", ["-s", size, image]);
  run("mkfs.fat", "--invariant", "-n", "SAMPLE", ...options, image);
  const text = file("text");
  writeFileSync(text, Buffer.alloc(5000, "Some text. "));
  run("mmd", "-i", image, "::sub", "::sub/a longer folder name");
  for (const name of [
    "SHORT.TXT",
    "a long file name.txt",
    "sub/Mixed.Case",
    "sub/a longer folder name/deep.txt",
  ])
    run("mcopy", "-i", image, text, `::${name}`);
  for (let i = 0; i < 20; i++) run("mcopy", "-i", image, "/dev/null", `::sub/empty file ${i}.txt`);
  run("mdel", "-i", image, "::SHORT.TXT");
  run("mcopy", "-i", image, text, "::OTHER.BIN");
  return readFileSync(image);
}

function exfat(): Buffer {
  const image = new ExfatBuilder({ clusterShift: 1, clusterCount: 600 });
  const free = image.firstFree;
  image.root(labelSlot("sample"));
  const text = Buffer.alloc(5000, "Some text. ");
  image.put(text, range(free, 5));
  image.root(fileSet("linked.txt", { firstCluster: free, size: 5000 }));
  image.put(text, range(free + 10, 5), true);
  image.root(
    fileSet("contiguous.txt", { firstCluster: free + 10, size: 5000, isContiguous: true, validSize: 3000 }),
  );
  image.root(fileSet("empty", {}));
  image.put(text, [free + 30, free + 20, free + 25, free + 21, free + 40]);
  image.root(
    fileSet("scattered with a name that takes more than one slot", { firstCluster: free + 30, size: 4999 }),
  );
  const names = range(0, 12).map((i) => fileSet(`a file in the folder ${i}`, { firstCluster: 0, size: 0 }));
  const inner = Buffer.concat(names);
  const clusters = Math.ceil(inner.length / image.clusterSize);
  image.put(inner, range(free + 50, clusters));
  const size = clusters * image.clusterSize;
  image.root(fileSet("folder", { attributes: 0x10, firstCluster: free + 50, size }));
  return image.finish();
}

async function ntfs(mebibytes: number, options: string, script: string): Promise<Buffer> {
  const image = file("ntfs");
  rmSync(image, { force: true });
  execFileSync("truncate", ["-s", `${mebibytes}M`, image]);
  run("mkntfs", "-q", "-Q", "-F", "-c", "1024", "-L", "sample", image);
  await mountedByNtfs3g(image, folder, options, (mountPoint) => {
    run("python3", "-c", script, mountPoint, join(import.meta.dirname, "../../filesystem/ntfs/wof.py"));
  });
  return readFileSync(image);
}

/** Two primary partitions and two logical ones; a file system of each small kind. */
function mbr(): Buffer {
  const disk = file("mbr");
  execFileSync("truncate", ["-s", "3M", disk]);
  const table = [
    "label: dos",
    "label-id: 0x2026c0de",
    "start=64, size=1024, type=83, bootable",
    "start=1088, size=720, type=01",
    "start=2048, size=4000, type=05",
    "start=2112, size=1300, type=07",
    "start=3500, size=1200, type=83",
  ].join("\n");
  execFileSync("sfdisk", ["--quiet", disk], { input: table, stdio: ["pipe", "ignore", "inherit"] });
  return filled(readFileSync(disk), [
    [64, ext("512K", ["-t", "ext2", "-b", "1024", "-I", "128", "-m", "0"])],
    [1088, fat("360K", "-F", "12", "-s", "2")],
    [2112, exfat()],
  ]);
}

function gpt(): Buffer {
  const disk = file("gpt");
  execFileSync("truncate", ["-s", "2M", disk]);
  const table = [
    "label: gpt",
    "label-id: 00112233-4455-6677-8899-AABBCCDDEEFF",
    "first-lba: 34",
    "start=64, size=1300, type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7, uuid=10112233-4455-6677-8899-AABBCCDDEEFF, name=data",
    "start=1400, size=1200, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, uuid=20112233-4455-6677-8899-AABBCCDDEEFF, name=linux",
    "start=2700, size=720, type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7, uuid=30112233-4455-6677-8899-AABBCCDDEEFF",
  ].join("\n");
  execFileSync("sfdisk", ["--quiet", disk], { input: table, stdio: ["pipe", "ignore", "inherit"] });
  return filled(readFileSync(disk), [
    [64, exfat()],
    [1400, ext("512K", [...ext4, "-b", "1024", "-m", "0"])],
    [2700, fat("360K", "-F", "12", "-s", "2")],
  ]);
}

/** `disk` with images from these sectors on. */
function filled(disk: Buffer, images: readonly (readonly [number, Buffer])[]): Buffer {
  for (const [sector, image] of images) image.copy(disk, sector * SECTOR);
  return disk;
}
