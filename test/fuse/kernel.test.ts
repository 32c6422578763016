/** Both backends through the kernel: other programs find in the mount what the tree contains. */
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { modeOf } from "../../src/fuse/protocol/attributes.js";
import { LIMITS, type Limits } from "./support/limits.js";
import { mounted, output, python, run } from "./support/mounted.js";
import { ACL, FILE_SIZES, fullTree, pattern, type FakeTree, type Node } from "./support/tree.js";

const tree = fullTree();

/** Directories that are too large or too damaged to be copied. */
const APART = ["big", "many", "damaged", "damaged-entries"];

for (const backend of ["native", "fuse-native"] as const) {
  t.test(`mounted by ${backend}`, async (t) => {
    const limits = LIMITS[backend];
    const mount = await mounted({ backend, tree: "full" });
    t.teardown(() => mount.end());
    const at = (...names: string[]): string => join(mount.path, ...names);

    t.test("stat of every node says what the tree holds", async (t) => {
      const expected = expectedStats(tree, limits);
      const found = await python<Record<string, unknown>>(WALK, mount.path, ...APART);
      t.same(Object.keys(found).sort(), Object.keys(expected).sort());
      for (const [path, stats] of Object.entries(expected)) {
        t.same(found[path], stats, Buffer.from(path, "hex").toString());
      }
    });

    t.test(
      "every file's bytes are the tree's, read through the page cache, past it, and mapped",
      async (t) => {
        const paths = FILE_SIZES.map((size) => at("files", `size-${size}`));
        const hashes = FILE_SIZES.map((size) => sha256(pattern(0, size)));
        for (const how of ["buffered", "direct", "mapped"])
          t.same(await python(HASH, how, ...paths), hashes, how);
      },
    );

    t.test("a read at or past the end returns nothing, one across it the rest of the file", async (t) => {
      const script = `
fd = os.open(sys.argv[1], os.O_RDONLY)
print(json.dumps([len(os.pread(fd, 100, at)) for at in (4097, 5000, 1 << 40, 4090, 0)]))`;
      t.same(await python(script, at("files", "size-4097")), [0, 0, 0, 7, 100]);
    });

    t.test("a file of 10 GB that is stored nowhere is zeros to its last byte", async (t) => {
      const script = `
fd = os.open(sys.argv[1], os.O_RDONLY)
print(json.dumps([os.lseek(fd, 0, os.SEEK_END), os.pread(fd, 9, 10 * 2**30 - 5).hex()]))`;
      t.same(await python(script, at("files", "sparse")), [10 * 2 ** 30, "0000000000"]);
    });

    t.test(
      "a directory of 100,000 entries is listed whole, each once, and can be listed again",
      async (t) => {
        const script = `
first = os.listdir(sys.argv[1])
print(json.dumps([len(first), len(set(first)), os.listdir(sys.argv[1]) == first, sorted(first)[-1]]))`;
        t.same(await python(script, at("many")), [100_000, 100_000, true, "entry-099999"]);
      },
    );

    t.test("seekdir to any position that telldir returned finds its entry", async (t) => {
      t.same(await python(SEEKING, at("many")), [100_002, 0]);
    });

    t.test("a listing has . and .., the types and the inode numbers", async (t) => {
      const script = `
rows = [(e.name, e.inode(), e.is_symlink(), e.is_dir(follow_symlinks=False)) for e in os.scandir(sys.argv[1])]
print(json.dumps(sorted(rows)))`;
      const rows = [...tree.top.names!].map(([name, node]) => [name, node.attributes.inode, false, true]);
      t.same(await python(script, mount.path), rows.sort());
      t.equal(await output("ls", "-a", at("empty")), ".\n..\n");
      t.same(await python(script, at("inodes")), [["large", limits.inode(2 ** 40 + 5), false, false]]);
    });

    t.test("extended attributes and ACLs are shown as they are, and not enforced", async (t) => {
      const script = `
def values(path):
  return {n: os.getxattr(path, n, follow_symlinks=False).hex() for n in os.listxattr(path, follow_symlinks=False)}
print(json.dumps([values(p) for p in sys.argv[1:]]))`;
      const paths = ["values", "large", "acl"].map((name) => at("extended", name));
      const hex = (node: Node): object =>
        Object.fromEntries([...node.extended].map(([name, value]) => [name, value.toString("hex")]));
      const extended = tree.top.names!.get("extended")!;
      const nodes = [
        ...["values", "large", "acl"].map((name) => extended.names!.get(name)!),
        extended,
        tree.top,
      ];
      t.same(await python(script, ...paths, at("extended"), mount.path), nodes.map(hex));
      t.match(await output("getfacl", "-cnp", at("extended", "acl")), "user:1234:r--");
      t.same(
        await python(
          `print(json.dumps(os.getxattr(sys.argv[1], "system.posix_acl_access").hex()))`,
          paths[2]!,
        ),
        ACL.toString("hex"),
      );
      const missing = await run("getfattr", ["-n", "user.none", at("extended")]);
      t.match(missing.stderr, "No such attribute");
    });

    t.test("the free space is the tree's, past 32 bits too", async (t) => {
      const script = `
s = os.statvfs(sys.argv[1])
print(json.dumps([s.f_blocks * s.f_frsize, s.f_bfree * s.f_frsize, s.f_bavail * s.f_frsize, s.f_files, s.f_ffree, s.f_namemax]))`;
      const bytes = [5e9, 3e9, 2e9].map((blocks) => blocks * 4096);
      t.same(await python(script, at("files")), [...bytes, 1_000_000, 999_000, 255]);
    });

    t.test("the time of creation is shown, where the backend can", async (t) => {
      const seconds = await output("stat", "-c", "%W", at("times", "2107"));
      t.equal(seconds.trim(), limits.birth ? "4323369600" : "0");
    });

    t.test("cp, tar and rsync copy it, and rsync finds no difference afterwards", async (t) => {
      // The host's file system holds neither the 60 kB attribute nor the year 9999; tar stores no sockets.
      const excluded = ["sparse", "large", "9999", "socket", ...APART].map((name) => `--exclude=${name}`);
      const quoted = excluded.join(" ");
      const tools = {
        rsync: `rsync -aHAX ${quoted} "$1"/ "$2"`,
        tar: `tar -C "$1" --xattrs --xattrs-include='*' --acls ${quoted} -cf - . | tar -C "$2" --xattrs --xattrs-include='*' --acls -xpf -`,
        cp: `cp -a "$1"/{empty,names,links,nodes} "$1"/files/hard-[ab] "$2"`,
      };
      for (const [tool, script] of Object.entries(tools)) {
        const copy = mkdtempSync(join(tmpdir(), "vdisk-copy-"));
        t.teardown(() => {
          rmSync(copy, { recursive: true });
        });
        await output("bash", "-ec", `set -o pipefail; ${script}`, tool, mount.path, copy);
        for (const folder of ["empty", "names", "links", "nodes", "times", "files", "extended"]) {
          if (tool === "cp" && !existsSync(join(copy, folder))) continue;
          const changes = await output(
            "rsync",
            "-aHAXnci",
            "--delete",
            ...excluded,
            at(folder, "/"),
            join(copy, folder),
          );
          t.equal(changes, "", `${tool}: ${folder}`);
        }
      }
    });

    t.test("find and grep visit everything", async (t) => {
      const found = await output("find", at("many"), "-type", "f", "-size", "0", "-printf", "%i\n");
      t.equal(new Set(found.split("\n")).size, 100_001);
      // What it exits with differs between its versions.
      const listed = await run("grep", ["-raL", "--exclude=sparse", "nothing of this kind", at("files")]);
      t.equal(listed.stdout.toString().trim().split("\n").length, FILE_SIZES.length + 4);
    });

    t.test("a file can back a loop device", async (t) => {
      const device = (await output("losetup", "--show", "-rf", at("files", "size-1048576"))).trim();
      t.teardown(() => output("losetup", "-d", device));
      t.same(await python(HASH, "buffered", device), [sha256(pattern(0, 2 ** 20))]);
    });

    t.test(
      "damage is an error, never zeros and never an early end; its neighbours are readable",
      async (t) => {
        const script = `
fd = os.open(sys.argv[1], os.O_RDONLY)
def attempt(at, length):
  data = b""
  try:
    while len(data) < length:
      part = os.pread(fd, length - len(data), at + len(data))
      if not part: return [len(data), "end"]
      data += part
    return [len(data), "good"]
  except OSError as error: return [len(data), error.errno]
print(json.dumps([attempt(0, 1 << 20), attempt(1490000, 9136), attempt(2500000, 10), attempt(0, 3000001)[1], attempt(2999999, 2)[1]]))`;
        t.same(await python(script, at("damaged", "half")), [
          [2 ** 20, "good"],
          [9136, "good"],
          [0, 5],
          5,
          5,
        ]);
        t.same((await output("ls", at("damaged"))).split("\n"), ["half", "lost", "neighbour", ""]);
        t.same(await python(HASH, "buffered", at("damaged", "neighbour")), [sha256(pattern(0, 5))]);
        t.match((await run("stat", [at("damaged", "lost")])).stderr, "Input/output error");
        t.not((await run("cp", [at("damaged", "half"), "/dev/null"])).code, 0);
      },
    );

    t.test("a damaged directory entry is listed, and copying takes all but that", async (t) => {
      const folder = at("damaged-entries");
      const name = "damaged-directory-entry-0x40";
      t.same((await output("ls", folder)).split("\n"), [name, "first", "second", ""]);
      t.match((await run("stat", [join(folder, name)])).stderr, "Input/output error");
      const copy = join(t.testdir({}), "copy");
      const { code, stderr } = await run("cp", ["-r", folder, copy]);
      t.not(code, 0, "cp ends with an error");
      t.match(stderr, name);
      t.same((await output("ls", copy)).split("\n"), ["first", "second", ""]);
      t.same(await python(HASH, "buffered", join(copy, "second")), [sha256(pattern(0, 4097))]);
      t.not((await run("tar", ["-cf", join(t.testdirName, "tar"), "-C", folder, "."])).code, 0);
      const members = (await output("tar", "-tf", join(t.testdirName, "tar"))).split("\n").sort();
      t.same(members, ["", "./", "./first", "./second"]);
    });

    t.test("everything that would write is refused, as on any read-only file system", async (t) => {
      const found = await python<Record<string, string>>(WRITES, mount.path);
      for (const [attempt, errno] of Object.entries(found)) t.equal(errno, "EROFS", attempt);
    });

    t.test("a name that does not exist is ENOENT, at every request", async (t) => {
      const script = `
def attempt(path):
  try: os.stat(path)
  except OSError as error: return error.errno
print(json.dumps([attempt(sys.argv[1] + p) for p in ("/nothing", "/nothing", "/files/x/y", "/files/size-1/x")]))`;
      t.same(await python(script, mount.path), [2, 2, 2, 20]);
    });

    t.test("eight readers at once all get the right bytes", async (t) => {
      const counts = await Promise.all(
        Array.from({ length: 8 }, (_, seed) => python<number>(READER, at("big", "gigabyte"), String(seed))),
      );
      t.same(
        counts,
        Array.from({ length: 8 }, () => 200),
      );
    });

    t.test(
      "unmounting while a file is open is refused; then the mount ends and the daemon with it",
      async (t) => {
        const opened = join(t.testdir(), "opened");
        const script = `exec 3<'${at("files", "size-1")}'; touch '${opened}'; sleep 1`;
        const holder = run("bash", ["-c", script]);
        while (!existsSync(opened)) await new Promise((resolve) => setTimeout(resolve, 10));
        mount.say("unmount");
        t.match(await mount.next(), { code: "EBUSY" });
        await holder;
        mount.say("unmount");
        t.equal(await mount.next(), "ended");
        t.equal(await new Promise((resolve) => mount.daemon.once("close", resolve)), 0);
      },
    );
  });
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** Prints what lstat says of everything below argv[1], by path in hexadecimal, but for the folders argv[2:]. */
const WALK = `
top = os.fsencode(sys.argv[1])
found = {}
def visit(path):
  s = os.lstat(path)
  target = os.readlink(path).hex() if os.path.islink(path) else ""
  times = [str(t) for t in (s.st_atime_ns, s.st_mtime_ns, s.st_ctime_ns)]
  found[path[len(top) + 1:].hex()] = [s.st_ino, s.st_mode, s.st_nlink, s.st_uid, s.st_gid, s.st_size, s.st_blocks,
    s.st_blksize, os.major(s.st_rdev), os.minor(s.st_rdev), times, target]
  if os.path.isdir(path) and not os.path.islink(path):
    for name in os.listdir(path):
      if os.fsdecode(name) not in sys.argv[2:]: visit(os.path.join(path, name))
visit(top)
print(json.dumps(found))`;

/** What WALK is to print. */
function expectedStats(tree: FakeTree, limits: Limits): Record<string, unknown> {
  const expected: Record<string, unknown> = {};
  const visit = (path: Buffer, node: Node): void => {
    const { attributes: a } = node;
    expected[path.toString("hex")] = [
      ...[
        limits.inode(a.inode),
        modeOf(a),
        a.linkCount,
        a.uid,
        a.gid,
        a.size,
        a.allocatedSectors,
        a.blockSize,
      ],
      ...[a.device?.major ?? 0, a.device?.minor ?? 0],
      [a.accessed, a.modified, a.changed].map((time) => limits.time(time)),
      node.target === undefined ? "" : limits.target(node.target).toString("hex"),
    ];
    for (const [latin1, child] of node.names ?? []) {
      const name = limits.name(Buffer.from(latin1, "latin1"));
      if (APART.includes(latin1)) continue;
      visit(path.length === 0 ? name : Buffer.concat([path, Buffer.from("/"), name]), child);
    }
  };
  visit(Buffer.alloc(0), tree.top);
  return expected;
}

/** Prints the SHA-256 of the files argv[2:], read as argv[1] says. */
const HASH = `
import hashlib, mmap
def read(path):
  size = os.path.getsize(path)
  if sys.argv[1] == "buffered": return open(path, "rb").read()
  fd = os.open(path, os.O_RDONLY | (os.O_DIRECT if sys.argv[1] == "direct" else 0))
  if size == 0: return b""
  if sys.argv[1] == "mapped": return mmap.mmap(fd, size, prot=mmap.PROT_READ)[:]
  page, data = mmap.mmap(-1, 1 << 20), b""
  while count := os.readv(fd, [page]): data += page[:count]
  return data
print(json.dumps([hashlib.sha256(read(path)).hexdigest() for path in sys.argv[2:]]))`;

/** Prints the errno's name of every attempt to write. */
const WRITES = `
import errno
m = sys.argv[1]
f = m + "/files/size-1"
attempts = {
  "create": lambda: open(m + "/new", "x"),
  "open to write": lambda: os.open(f, os.O_WRONLY),
  "open to read and write": lambda: os.open(f, os.O_RDWR),
  "truncate": lambda: os.truncate(f, 0),
  "mkdir": lambda: os.mkdir(m + "/new"),
  "rmdir": lambda: os.rmdir(m + "/empty"),
  "unlink": lambda: os.unlink(f),
  "rename": lambda: os.rename(f, m + "/new"),
  "link": lambda: os.link(f, m + "/new"),
  "symlink": lambda: os.symlink("x", m + "/new"),
  "mkfifo": lambda: os.mkfifo(m + "/new"),
  "chmod": lambda: os.chmod(f, 0o777),
  "chown": lambda: os.chown(f, 0, 0),
  "utime": lambda: os.utime(f),
  "setxattr": lambda: os.setxattr(f, "user.new", b""),
  "removexattr": lambda: os.removexattr(m + "/extended/values", "user.empty"),
}
def attempt(work):
  try: work()
  except OSError as error: return errno.errorcode[error.errno]
  return "done"
print(json.dumps({name: attempt(work) for name, work in attempts.items()}))`;

/** Reads argv[1] at 200 places and prints how many held the pattern. */
const READER = `
import random
random.seed(int(sys.argv[2]))
P = 65521
base = bytes((p ^ (p >> 8) ^ (p * 31)) & 255 for p in range(P)) * 20
fd = os.open(sys.argv[1], os.O_RDONLY)
good = 0
for _ in range(200):
  at, length = random.randrange(2**30), random.randrange(1, 1 << 20)
  data = os.pread(fd, length, at)
  good += data == base[at % P:][:min(length, 2**30 - at)]
print(good)`;

/** Lists a directory, and seeks to 300 of its entries; prints how many there are, and how many were others. */
const SEEKING = `
import ctypes, random
libc = ctypes.CDLL(None, use_errno=True)
libc.opendir.restype = libc.readdir.restype = ctypes.c_void_p
libc.telldir.restype = ctypes.c_long
libc.opendir.argtypes = [ctypes.c_char_p]
libc.readdir.argtypes = libc.telldir.argtypes = [ctypes.c_void_p]
libc.seekdir.argtypes = [ctypes.c_void_p, ctypes.c_long]
folder = libc.opendir(sys.argv[1].encode())
read = lambda: (e := libc.readdir(folder)) and ctypes.string_at(e + 19)
places = []
while True:
  place = libc.telldir(folder)
  name = read()
  if not name: break
  places.append((place, name))
wrong = 0
for place, name in random.sample(places, 300):
  libc.seekdir(folder, place)
  wrong += read() != name
print(json.dumps([len(places), wrong]))`;
