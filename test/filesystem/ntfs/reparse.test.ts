/** Reparse points: links that work in the mount, WSL's nodes, and what is not here. */
import { join } from "node:path";
import t from "tap";
import { CorruptError, UnsupportedError } from "../../../src/errors.js";
import { read } from "../../../src/extent/read.js";
import type { Attributes, FileSystem } from "../../../src/filesystem/filesystem.js";
import { run as runProgram, vdisk } from "../../support/command.js";
import { place } from "../../support/place.js";
import { kernelStat, ourStat, run, withFolder } from "../ext/support.js";
import { find, makeImage, mountedByNtfs3g, withNtfs } from "./support.js";

/** Makes reparse points on the mount argv[1]; with argv[2], Windows is installed there. */
const SCRIPT = String.raw`
import os, struct, sys
os.chdir(sys.argv[1])
def reparse(path, tag, data):
    os.setxattr(path, "system.ntfs_reparse_data", struct.pack("<IHH", tag, len(data), 0) + data)
def names(target, shown):
    t, s = target.encode("utf-16le"), shown.encode("utf-16le")
    return struct.pack("<HHHH", 0, len(t), len(t) + 2, len(s)), t + b"\0\0" + s + b"\0\0"
def symlink(path, target, shown=None, flags=0, directory=False):
    os.mkdir(path) if directory else open(path, "w").close()
    head, body = names(target, target if shown is None else shown)
    reparse(path, 0xa000000c, head + struct.pack("<I", flags) + body)
def junction(path, target, shown):
    os.mkdir(path)
    head, body = names(target, shown)
    reparse(path, 0xa0000003, head + body)
if len(sys.argv) > 2:
    os.makedirs("Windows/System32")
    open("Windows/System32/here.txt", "w").write("here")
os.makedirs("Users/Public/Deep er")
open("Users/Public/file.txt", "w").write("public")
os.makedirs("a/b/c")
symlink("a/b/c/relative", r"..\..\..\users\PUBLIC\File.txt", flags=1)
symlink("a/b/c/rooted", r"\Users\Public\file.txt", flags=1)
symlink("a/b/c/absolute", "\\??\\C:\\users\\public\\FILE.TXT", "C:\\users\\public\\FILE.TXT")
symlink("a/b/c/root", "\\??\\C:\\", "C:\\", directory=True)
symlink("root", "\\??\\C:\\", "C:\\", directory=True)
symlink("other", "\\??\\E:\\Users\\Public", "E:\\Users\\Public", directory=True)
symlink("otherwhere", "\\??\\E:\\Not\\Here", "E:\\Not\\Here")
symlink("server", "\\??\\UNC\\server\\share\\x", "\\\\server\\share\\x")
symlink("dangling", r"no\such\thing", flags=1)
symlink("slash", "a/b", flags=1, directory=True)
symlink("unicode", "\u00fc\\\u65e5\U0001f600", flags=1)
junction("Documents and Settings", "\\??\\C:\\Users", "C:\\Users")
junction("a/shown only", "\\??\\C:\\Users\\Public\\Deep er", "")
junction("mounted", "\\??\\Volume{12345678-1234-1234-1234-123456789abc}\\", "")
open("alias.exe", "w").close()
strings = "Package_1\0Package_1!App\0C:\\Windows\\System32\\here.txt\0" + "0\0"
reparse("alias.exe", 0x8000001b, struct.pack("<I", 3) + strings.encode("utf-16le"))
for name, tag in {"dedup": 0x80000013, "cloud": 0x9000601a, "hsm": 0xc0000004, "strange": 0x80001234}.items():
    with open(name, "w") as f:
        f.truncate(100000)
    reparse(name, tag, b"some data")
for name, tag in {"empty strange": 0x80001234, "empty nfs": 0x80000014, "empty cloud": 0x9000601a}.items():
    open(name, "w").close()
    reparse(name, tag, b"some data")
with open("hydrated", "wb") as f:
    f.write(b"all here" * 1000)
reparse("hydrated", 0x9000601a, b"some data")
os.mkdir("clouddir"); open("clouddir/child", "w").write("child")
reparse("clouddir", 0x9000701a, b"some data")
`;

/** Whoever sees a size of 0 does not read, and would not hear of the error. */
const isShownAsFull = ({ type, size }: Attributes): boolean => type === "file" && size > 0;

async function made(folder: string, isSystem: boolean): Promise<string> {
  const image = makeImage(folder, 24);
  await mountedByNtfs3g(image, folder, "rw", (mountPoint) => {
    run("python3", "-c", SCRIPT, mountPoint, ...(isSystem ? ["system"] : []));
  });
  return image;
}

async function target(fs: FileSystem, path: string): Promise<string> {
  const id = await find(fs, path);
  const attributes = await fs.attributes(id);
  const bytes = await fs.readLink(id);
  if (attributes.type !== "symlink" || attributes.size !== bytes.length)
    throw new Error(`${path}: ${attributes.type}`);
  return bytes.toString();
}

t.test("links of Windows lead to where they lead in Windows, in the case of the names that are there", (t) =>
  withFolder(async (folder) => {
    await withNtfs(await made(folder, true), async (fs) => {
      t.equal(await target(fs, "a/b/c/relative"), "../../../Users/Public/file.txt");
      t.equal(await target(fs, "a/b/c/rooted"), "../../../Users/Public/file.txt");
      t.equal(await target(fs, "a/b/c/absolute"), "../../../Users/Public/file.txt");
      t.equal(await target(fs, "a/b/c/root"), "../../..");
      t.equal(await target(fs, "root"), ".");
      t.equal(await target(fs, "Documents and Settings"), "Users");
      t.equal(await target(fs, "a/shown only"), "../Users/Public/Deep er");
      t.equal(await target(fs, "dangling"), "no/such/thing");
      t.equal(await target(fs, "slash"), "a/b");
      t.equal(await target(fs, "unicode"), "ü/日😀");
      t.equal(await target(fs, "alias.exe"), "Windows/System32/here.txt");
    });
  }),
);

t.test("links that lead to other volumes are shown as they are", (t) =>
  withFolder(async (folder) => {
    await withNtfs(await made(folder, true), async (fs) => {
      t.equal(await target(fs, "other"), "E:\\Users\\Public", "this volume is C:, and not E:");
      t.equal(await target(fs, "otherwhere"), "E:\\Not\\Here");
      t.equal(await target(fs, "server"), "\\\\server\\share\\x");
      t.equal(await target(fs, "mounted"), "\\??\\Volume{12345678-1234-1234-1234-123456789abc}\\");
    });
  }),
);

t.test("without Windows on it, a volume is not C:, and another letter where all of the path is there", (t) =>
  withFolder(async (folder) => {
    await withNtfs(await made(folder, false), async (fs) => {
      t.equal(await target(fs, "a/b/c/absolute"), "C:\\users\\public\\FILE.TXT");
      t.equal(await target(fs, "other"), "Users/Public");
      t.equal(await target(fs, "otherwhere"), "E:\\Not\\Here");
    });
  }),
);

t.test("WSL's nodes are what they are for Linux, as ntfs-3g makes and shows them", (t) =>
  withFolder(async (folder) => {
    const image = makeImage(folder, 24);
    const script = `import os, socket, sys
os.chdir(sys.argv[1])
os.mkfifo("fifo")
s = socket.socket(socket.AF_UNIX); s.bind("socket"); s.close()
os.mknod("character", 0o020666, os.makedev(300, 70000))
os.mknod("block", 0o060660, os.makedev(8, 1))
os.symlink("../etc/p\u00e4th", "link")`;
    const options = "special_files=wsl";
    await mountedByNtfs3g(image, folder, options, (mountPoint) => {
      run("python3", "-c", script, mountPoint);
    });
    await mountedByNtfs3g(image, folder, `ro,${options}`, (mountPoint) =>
      withNtfs(image, async (fs) => {
        for (const name of ["fifo", "socket", "character", "block", "link"]) {
          const stat = kernelStat(Buffer.from(join(mountPoint, name)));
          const ours = ourStat(await fs.attributes(await find(fs, name)));
          t.same(
            [ours["type"], ours["rdev"], ours["size"]],
            [stat["type"], stat["rdev"], stat["size"]],
            name,
          );
        }
        t.equal(await target(fs, "link"), "../etc/päth");
      }),
    );
  }),
);

t.test("a file has the owner and the mode that WSL noted", (t) =>
  withFolder(async (folder) => {
    const image = makeImage(folder, 16);
    const script = `import os, struct, sys
os.chdir(sys.argv[1])
open("noted", "w").close()
values = [(b"$LXUID", 1234), (b"$LXGID", 55), (b"$LXMOD", 0o104751)]
entry = lambda name, value: struct.pack("<IBBH", 20, 0, len(name), 4) + name + b"\\0" + struct.pack("<I", value) + b"\\0"
os.setxattr("noted", "system.ntfs_ea", b"".join(entry(*value) for value in values))`;
    await mountedByNtfs3g(image, folder, "rw", (mountPoint) => {
      run("python3", "-c", script, mountPoint);
    });
    await withNtfs(image, async (fs) => {
      const { type, uid, gid, permissions } = await fs.attributes(await find(fs, "noted"));
      t.same([type, uid, gid, permissions], ["file", 1234, 55, 0o4751]);
    });
  }),
);

t.test("what Windows' NFS server made is what its clients wanted it to be", (t) =>
  withFolder(async (folder) => {
    const image = makeImage(folder, 16);
    const script = `import os, struct, sys
os.chdir(sys.argv[1])
def node(name, kind, data=b""):
    open(name, "w").close()
    data = kind.ljust(8, b"\\0") + data
    os.setxattr(name, "system.ntfs_reparse_data", struct.pack("<IHH", 0x80000014, len(data), 0) + data)
node("link", b"LNK\\x01", "../etc/p\u00e4th".encode("utf-16le"))
node("character", b"CHR", struct.pack("<II", 300, 70000))
node("block", b"BLK", struct.pack("<II", 8, 1))
node("fifo", b"FIFO")
node("socket", b"SOCK")
node("cut", b"BLK", b"1234")`;
    await mountedByNtfs3g(image, folder, "rw", (mountPoint) => {
      run("python3", "-c", script, mountPoint);
    });
    await withNtfs(image, async (fs) => {
      t.equal(await target(fs, "link"), "../etc/päth");
      for (const [name, device] of Object.entries({
        character: { major: 300, minor: 70_000 },
        block: { major: 8, minor: 1 },
        fifo: undefined,
        socket: undefined,
      })) {
        const attributes = await fs.attributes(await find(fs, name));
        t.same([attributes.type, attributes.device], [name, device]);
      }
      const cut = await find(fs, "cut");
      t.ok(isShownAsFull(await fs.attributes(cut)));
      await t.rejects(fs.open(cut), UnsupportedError);
    });
  }),
);

t.test("through a mount, what stands for a file's contents does not read as an empty file", (t) =>
  withFolder(async (folder) => {
    const image = await made(folder, true);
    const mountPoint = place(t);
    for (const backend of ["native", "fuse-native"]) {
      t.equal((await vdisk("mount", "--fuse-backend", backend, image, mountPoint)).code, 0);
      for (const name of ["empty strange", "empty nfs"])
        t.match(await runProgram("cat", [join(mountPoint, "fs0", name)]), {
          code: 1,
          stdout: /^$/,
          stderr: /supported/,
        });
      t.match(await runProgram("cat", [join(mountPoint, "fs0", "empty cloud")]), { code: 0, stdout: /^$/ });
      t.equal((await vdisk("unmount", mountPoint)).code, 0);
    }
  }),
);

t.test("what is kept elsewhere is an error that names the tag, never zeros", (t) =>
  withFolder(async (folder) => {
    await withNtfs(await made(folder, true), async (fs) => {
      for (const [name, tag] of Object.entries({
        dedup: /0x80000013 \(deduplicated\)/,
        cloud: /0x9000601a \(kept in a cloud\)/,
        hsm: /0xc0000004/,
        strange: /0x80001234/,
      })) {
        const id = await find(fs, name);
        const file = await fs.open(id);
        t.same([(await fs.attributes(id)).type, file.size], ["file", 100_000]);
        const error: unknown = await read(file, 500, 100).catch((caught: unknown) => caught);
        t.ok(error instanceof UnsupportedError && tag.test(error.message), name);
        t.ok(await fs.extendedAttribute!(id, "system.ntfs_reparse_data"), "the tag is in an attribute");
      }
      for (const [name, tag] of [
        ["empty strange", /0x80001234/],
        ["empty nfs", /0x80000014 \(of an NFS server\)/],
      ] as const) {
        const id = await find(fs, name);
        t.ok(isShownAsFull(await fs.attributes(id)));
        const error: unknown = await fs.open(id).catch((caught: unknown) => caught);
        t.ok(error instanceof UnsupportedError && tag.test(error.message), name);
      }
      const empty = await fs.open(await find(fs, "empty cloud"));
      t.equal(empty.size, 0, "a cloud's placeholder has its file's size, so this one is empty");
      const file = await fs.open(await find(fs, "hydrated"));
      t.equal((await read(file, 0, file.size)).toString(), "all here".repeat(1000), "what is here is read");
      t.equal((await fs.attributes(await find(fs, "clouddir"))).type, "directory");
      t.ok(await find(fs, "clouddir/child"));
    });
  }),
);

t.test("a damaged reparse point takes its file, and no other", (t) =>
  withFolder(async (folder) => {
    const image = await made(folder, true);
    const script = `import sys
data = bytearray(open(sys.argv[1], "rb").read())
at = data.find("..\\\\..\\\\..\\\\users".encode("utf-16le"))
data[at - 12:at - 4] = b"\\xff" * 8
open(sys.argv[1], "wb").write(data)`;
    run("python3", "-c", script, join(image));
    await withNtfs(image, async (fs) => {
      await t.rejects(fs.readLink(await find(fs, "a/b/c/relative")), CorruptError);
      t.equal(await target(fs, "a/b/c/rooted"), "../../../Users/Public/file.txt");
    });
  }),
);
