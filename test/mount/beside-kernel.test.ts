/** A mount beside the kernel's own mount of the same ext4 image: what lsattr, getfattr and getdents show. */
import { join } from "node:path";
import t from "tap";
import { output, run, vdisk } from "../support/command.js";
import { place } from "../support/place.js";

const image = join(place(t), "ext4.img");
const [kernel, ours] = [place(t), place(t)];
const guest = join(ours, "fs0");

t.before(async () => {
  await output("truncate", "-s", "64M", image);
  await output("mkfs.ext4", "-q", "-O", "inline_data", image);
  await output("mount", "-o", "loop", image, kernel);
  await output("bash", "-ec", POPULATE, "populate", kernel);
  // Not unmounted: another process's mount namespace may hold the mount for a while, and the image would be in use.
  await output("mount", "-o", "remount,ro", kernel);
  const { code, stderr } = await vdisk("mount", "--allow-other", image, ours);
  if (code !== 0) throw new Error(stderr);
});

const POPULATE = `
cd "$1"; mkdir -p a/b/c many; chmod 755 . a a/b
for flag in i a d A S c; do echo text > file-$flag; done
mkdir directory-i; for i in {1..300}; do mkdir many/directory-$i; done
echo text > values; ln -s values link; cp /bin/true program
setfattr -n user.one -v 1 values; setfattr -n trusted.two -v 2 values; setfattr -n security.three -v 3 values
setfattr -n trusted.overlay.opaque -v y a; setfattr -h -n trusted.four -v 4 link
setfattr -n security.capability -v 0sAQAAAgAgAAAAAAAAAAAAAAAAAAA= program; setfacl -m u:daemon:r values; setfacl -d -m u:daemon:r a
for flag in i a d A S c; do chattr +$flag file-$flag; done; chattr +i directory-i; chattr +D a`;

/** What `script` prints in each of the two mounts, sorted by line: the order of directories is their own affair. */
async function both(script: string, ...as: string[]): Promise<[string[], string[]]> {
  const lines = async (path: string): Promise<string[]> => {
    const command = ["bash", "-c", `cd "$0" && ${script} 2>/dev/null`, path];
    return (await run("env", [...as, ...command])).stdout.split("\n").sort();
  };
  return [await lines(kernel), await lines(guest)];
}

t.test("lsattr shows the flags that it shows on the kernel's mount", async (t) => {
  const [expected, found] = await both("lsattr -dR . *; lsattr -R .");
  t.ok(expected.some((line) => /^----i.*directory-i$/.test(line)) && expected.length > 300);
  t.same(found, expected);
});

t.test("extended attributes are listed to root and to others as the kernel lists them", async (t) => {
  const script = "for name in *; do getfattr -hm- -d -- $name; done";
  const [expected, found] = await both(script);
  t.ok(expected.includes('trusted.two="2"'));
  t.same(found, expected);
  const ordinary = ["setpriv", "--reuid=4321", "--regid=4321", "--clear-groups"];
  const [expectedOfUser, foundOfUser] = await both(script, ...ordinary);
  t.ok(expectedOfUser.includes('user.one="1"') && !expectedOfUser.includes('trusted.two="2"'));
  t.same(foundOfUser, expectedOfUser);
  const copy = `rsync -aX --exclude=lost+found . "$(mktemp -d)" && echo copied`;
  const target = place(t);
  await output("chmod", "777", target);
  const [copiedByKernel, copied] = await both(`export TMPDIR=${target} && ${copy}`, ...ordinary);
  t.same(copied, copiedByKernel);
  t.same(copied, ["", "copied"], "an ordinary user's rsync -aX succeeds");
});

t.test("the .. entry has the parent's inode number", async (t) => {
  const script = `python3 -c '${DOTS}'`;
  const [expected, found] = await both(script);
  t.ok(expected.length > 300);
  const isRoot = (line: string): boolean => line.startsWith(". ");
  t.same(
    found.filter((line) => !isRoot(line)),
    expected.filter((line) => !isRoot(line)),
  );
  // The root of the file system lies in a directory of the mount, and that in none.
  const top = (await output("stat", "-c", "%i", ours)).trim();
  t.same(found.filter(isRoot), [`. 2 ${top}`]);
  const { stdout } = await run("bash", ["-c", `cd "$0" && python3 -c '${DOTS}'`, ours]);
  t.equal(stdout.split("\n")[0], `. ${top} ${top}`);
});

/** For each directory below, its path and the inode numbers of its . and .. entries, as getdents has them. */
const DOTS = `
import ctypes, os
libc = ctypes.CDLL(None)
libc.opendir.restype = libc.readdir.restype = ctypes.c_void_p
libc.readdir.argtypes = libc.closedir.argtypes = [ctypes.c_void_p]
for path, names, files in os.walk("."):
  folder = libc.opendir(path.encode())
  dots = {}
  while entry := libc.readdir(folder):
    dots[ctypes.string_at(entry + 19)] = ctypes.c_uint64.from_address(entry).value
  libc.closedir(folder)
  print(path, dots[b"."], dots[b".."])`;
