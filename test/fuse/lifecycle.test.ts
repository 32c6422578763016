/** How mounts begin and end, and what they leave behind. */
import { spawn } from "node:child_process";
import { chmodSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import { LIMITS } from "./support/limits.js";
import { isMounted, LOADER, mounted, output, python, run, start } from "./support/mounted.js";

const NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];

/** Unmounts argv[1] and mounts something without a server in its place. Prints both device numbers. */
const TAKE_OVER = `
import ctypes
path = sys.argv[1]
def device():
    return [line.split()[2] for line in open("/proc/self/mountinfo") if line.split()[4] == path][0]
libc = ctypes.CDLL(None, use_errno=True)
fuse = os.open("/dev/fuse", os.O_RDWR)
options = f"fd={fuse},rootmode=40000,user_id=0,group_id=0"
before = device()
assert libc.umount2(path.encode(), 0) == 0
assert libc.mount(b"successor", path.encode(), b"fuse", 0, options.encode()) == 0
print(json.dumps([before, device()]))
`;

for (const backend of ["native", "fuse-native"] as const) {
  t.test(`with ${backend}`, async (t) => {
    t.test("the mount table shows type, source and that nothing is written, run or trusted", async (t) => {
      const mount = await mounted({ backend, tree: "sample" });
      t.teardown(() => mount.end());
      const line = readFileSync("/proc/self/mounts", "utf8")
        .split("\n")
        .find((line) => line.includes(mount.path))!;
      t.match(line, /^a,disk\\134\.vdi \S+ fuse\.vdisk ro,nosuid,nodev,/);
    });

    t.test("the daemon ends however the mount is unmounted", async (t) => {
      const mount = await mounted({ backend, tree: "sample" });
      t.teardown(() => mount.end());
      const closed = new Promise((resolve) => mount.daemon.once("close", resolve));
      await output("umount", mount.path);
      t.equal(await mount.next(), "ended");
      t.equal(await closed, 0);
    });

    t.test("the daemon ends also where the next mount takes the device's number at once", async (t) => {
      let taken = false;
      for (let attempt = 0; attempt < 10 && !taken; attempt++) {
        const mount = await mounted({ backend, tree: "sample" });
        t.teardown(() => mount.end());
        const [before, after] = await python<[string, string]>(TAKE_OVER, mount.path);
        taken = before === after; // unless another process was faster
        const patience = new Promise((resolve) => setTimeout(resolve, 20_000, "still waiting").unref());
        t.equal(await Promise.race([mount.next(), patience]), "ended");
      }
      t.ok(taken);
    });

    t.test("unmounted lazily, it serves the files that are open until they are closed", async (t) => {
      const mount = await mounted({ backend, tree: "full" });
      t.teardown(() => mount.end());
      const script =
        'exec 3<"$1"; echo open; read; cmp -n 200000000 /proc/self/fd/3 <(cat /proc/self/fd/3) && echo same';
      const reader = spawn("bash", ["-c", script, "reader", join(mount.path, "big/gigabyte")]);
      await new Promise((resolve) => reader.stdout.once("data", resolve));
      mount.say("lazy");
      while (isMounted(mount.path)) await new Promise((resolve) => setTimeout(resolve, 20));
      reader.stdin.end("\n");
      t.equal(String(await new Promise((resolve) => reader.stdout.once("data", resolve))), "same\n");
      t.equal(await mount.next(), "ended");
    });

    t.test("a second unmount after a lazy one leaves a newer mount at that place alone", async (t) => {
      const mount = await mounted({ backend, tree: "full" });
      t.teardown(() => mount.end());
      const reader = spawn("sleep", ["60"], { cwd: mount.path, stdio: "ignore" });
      mount.say("lazy");
      while (isMounted(mount.path)) await new Promise((resolve) => setTimeout(resolve, 20));
      const successor = await mounted({ backend, tree: "sample", path: mount.path });
      mount.say("lazy");
      await new Promise((resolve) => setTimeout(resolve, 300));
      t.ok(isMounted(mount.path));
      await successor.end();
      reader.kill();
      t.equal(await mount.next(), "ended");
    });

    t.test("a daemon that was killed leaves a mount that can be unmounted", async (t) => {
      const mount = await mounted({ backend, tree: "sample" });
      t.teardown(() => mount.end());
      mount.daemon.kill("SIGKILL");
      await new Promise((resolve) => mount.daemon.once("close", resolve));
      t.match((await run("ls", [mount.path])).stderr, "not connected");
      await output("umount", mount.path);
    });

    t.test("an unknown option is refused, and nothing stays mounted", async (t) => {
      const mount = await start({ backend, tree: "sample", options: { extra: ["nonsense"] } });
      t.teardown(() => mount.end());
      t.match(mount.first, { error: /options/, code: "HOST" });
      t.notOk(isMounted(mount.path));
    });

    t.test("killed readers do not affect others", async (t) => {
      const mount = await mounted({ backend, tree: "full" });
      t.teardown(() => mount.end());
      const file = join(mount.path, "big/gigabyte");
      for (let round = 0; round < 10; round++) {
        const readers = Array.from({ length: 4 }, () => spawn("cat", [file], { stdio: "ignore" }));
        await new Promise((resolve) => setTimeout(resolve, 30));
        await Promise.all(
          readers.map((reader) => {
            const closed = new Promise((resolve) => reader.once("close", resolve));
            reader.kill("SIGKILL");
            return closed;
          }),
        );
      }
      t.match(await output("cksum", join(mount.path, "files/size-5000333")), " 5000333 ");
      mount.say("unmount");
      t.equal(await mount.next(), "ended");
    });

    t.test("200 mounts in one process leave no descriptor and no thread behind", async (t) => {
      const mount = await mounted({ backend, tree: "sample" });
      await output("umount", mount.path);
      t.teardown(() => mount.end());
      const cycles = fileURLToPath(new URL("support/cycles.ts", import.meta.url));
      const counts = await output(process.execPath, ...LOADER, cycles, backend, mount.path, "200");
      const [before, after] = JSON.parse(counts) as [[number, number], [number, number]];
      t.equal(after[0], before[0], "descriptors");
      t.ok(after[1] <= before[1] + LIMITS[backend].leftThreads, `threads: ${before[1]}, then ${after[1]}`);
    });
  });
}

t.test("an ordinary user", async (t) => {
  // The usual mode of udev. In containers, often only root may open the device.
  chmodSync("/dev/fuse", 0o666);

  t.test("mounts through fusermount3, reads, and unmounts; nobody else may look", async (t) => {
    const mount = await mounted({ backend: "native", tree: "sample", as: NOBODY });
    t.teardown(() => mount.end());
    const asNobody = await run(NOBODY[0]!, [...NOBODY.slice(1), "cksum", join(mount.path, "files/secret")]);
    t.equal(asNobody.code, 0, asNobody.stderr);
    t.match((await run("ls", [mount.path])).stderr, "Permission denied");
    mount.say("unmount");
    t.equal(await mount.next(), "ended");
  });

  for (const option of ["allowOther", "allowRoot"]) {
    t.test(`learns how to permit ${option}`, async (t) => {
      const mount = await start({
        backend: "native",
        tree: "sample",
        as: NOBODY,
        options: { [option]: true },
      });
      t.teardown(() => mount.end());
      t.match(mount.first, { error: /user_allow_other in \/etc\/fuse.conf/, code: "DENIED" });
    });
  }

  t.test("learns that the mount point belongs to another user", async (t) => {
    const mount = await start({ backend: "native", tree: "sample", as: NOBODY, path: "/usr" });
    t.teardown(() => mount.end());
    t.match(mount.first, { error: /no write access.*of your own/, code: "DENIED" });
  });
});

t.test("allowOther permits all users, allowRoot only root", async (t) => {
  for (const option of ["allowOther", "allowRoot"]) {
    const mount = await mounted({ backend: "native", tree: "sample", options: { [option]: true } });
    t.teardown(() => mount.end());
    const { code } = await run(NOBODY[0]!, [...NOBODY.slice(1), "ls", join(mount.path, "files")]);
    t.equal(code === 0, option === "allowOther", option);
  }
});
