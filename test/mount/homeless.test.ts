/** A user id that has no name and no home, as containers and systemd's DynamicUser have it; and planted links. */
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { stateFiles, writeRecord } from "../../src/mount/records.js";
import { BASE, run, VDISK, type Result } from "../support/command.js";
import { place } from "../support/place.js";

/** No entry in the password file has it. */
const NAMELESS = 1_234_567;

/** fusermount3 mounts only for users who have an entry: "nobody", whose home does not exist. */
const NOBODY = 65534;

const VBOXIMG_MOUNT = VDISK.replace("cli/main.js", "cli/vboximg-mount/main.js");

/** A folder of that user with an image, and how that user runs a program. */
function user(t: Test, id: number) {
  const home = place(t);
  const image = join(home, "web.vdi");
  copyFileSync(BASE, image);
  const [runtime, temporary, mountPoint] = ["runtime", "temporary", "mnt"].map((name) =>
    join(home, name),
  ) as [string, string, string];
  for (const folder of [runtime, temporary, mountPoint]) mkdirSync(folder, { mode: 0o700 });
  for (const path of [home, image, runtime, temporary, mountPoint]) chownSync(path, id, id);
  chmodSync(home, 0o755);
  const as = (environment: readonly string[], ...command: string[]): Promise<Result> => {
    const change = [`--reuid=${id}`, `--regid=${id}`, "--clear-groups"];
    const unset = ["HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME", "XDG_CONFIG_HOME"].flatMap((name) => [
      "-u",
      name,
    ]);
    return run("setpriv", [
      ...change,
      "env",
      ...unset,
      `TMPDIR=${temporary}`,
      ...environment,
      process.execPath,
      ...command,
    ]);
  };
  t.teardown(() => run("umount", ["-l", mountPoint]));
  return { image, mountPoint, runtime, temporary, as };
}

t.test("every command works without a home", async (t) => {
  const { image, as } = user(t, NAMELESS);
  const done = async (...command: string[]): Promise<string> => {
    const { code, stdout, stderr } = await as([], ...command);
    t.equal(code, 0, `${command.slice(1).join(" ")}: ${stderr}`);
    return stdout;
  };
  t.equal(await done(VDISK, "cat", image, "/etc/hostname"), "web\n");
  t.match(await done(VDISK, "ls", image, "/etc"), /^hostname$/m);
  t.match(await done(VDISK, "info", image), /ext4/);
  await done(VDISK, "list");
  await done(VDISK, "list", "--mounts");
  await done(VBOXIMG_MOUNT, "--list");
  t.match(await done(VBOXIMG_MOUNT, "--list", "--image", image), /web\.vdi\(0\)/);
});

t.test("the error for a user without a name says that fusermount3 needs one", async (t) => {
  const { image, mountPoint, as } = user(t, NAMELESS);
  t.match(await as([], VDISK, "mount", image, mountPoint), {
    code: 74,
    stderr: /entry in the password file/,
  });
});

t.test("without a home, a mount's log and record are in another folder of the user", async (t) => {
  const { image, mountPoint, runtime, temporary, as } = user(t, NOBODY);
  const cases: [string, string[]][] = [
    [join(runtime, "vdisk"), [`XDG_RUNTIME_DIR=${runtime}`]],
    [join(temporary, `vdisk-${NOBODY}`), []],
    [join(temporary, `vdisk-${NOBODY}`), ["XDG_RUNTIME_DIR=/"]], // another user's
  ];
  for (const [folder, environment] of cases) {
    const mounted = await as(environment, VDISK, "mount", image, mountPoint);
    t.equal(mounted.code, 0, mounted.stderr);
    t.ok(mounted.stdout.includes(`its log is ${folder}/`), mounted.stdout);
    t.match(lstatSync(folder), { uid: NOBODY, mode: 0o40700 });
    const hostname = await as(environment, "-p", `fs.readFileSync("${mountPoint}/fs1/etc/hostname", "utf8")`);
    t.equal(hostname.stdout, "web\n\n", hostname.stderr);
    t.match((await as(environment, VDISK, "list", "--mounts")).stdout, mountPoint);
    const unmounted = await as(environment, VDISK, "unmount", mountPoint);
    t.equal(unmounted.code, 0, unmounted.stderr);
  }
  const dropIn = await as([], VBOXIMG_MOUNT, "--image", image, mountPoint);
  t.equal(dropIn.code, 0, dropIn.stderr);
  t.equal((await as([], VDISK, "unmount", mountPoint)).code, 0);
});

t.test("a folder for logs that is a symbolic link to another user's folder is refused", async (t) => {
  const { image, mountPoint, temporary, as } = user(t, NOBODY);
  const other = place(t);
  chmodSync(other, 0o777);
  symlinkSync(other, join(temporary, `vdisk-${NOBODY}`));
  const refused = await as([], VDISK, "mount", image, mountPoint);
  t.match(refused, { code: 77, stderr: /belongs to another user/ });
});

t.test("records and logs are not written through symbolic links", async (t) => {
  const home = t.testdir({ victim: "untouched" });
  process.env["XDG_STATE_HOME"] = home;
  const mountPoint = place(t);
  const files = await stateFiles(mountPoint);
  const victim = join(home, "victim");
  for (const file of [files.record, files.log]) symlinkSync(victim, file);
  const record = { pid: 1, image: "a", mountPoint, backend: "native", log: "b" };
  await writeRecord(files.record, record);
  t.notOk(lstatSync(files.record).isSymbolicLink());
  t.same(JSON.parse(readFileSync(files.record, "utf8")), record);
  symlinkSync(victim, `${files.record}.link`);
  const mounted = await run(process.execPath, [VDISK, "mount", BASE, mountPoint], { XDG_STATE_HOME: home });
  t.equal(mounted.code, 0, mounted.stderr);
  t.notOk(lstatSync(files.log).isSymbolicLink());
  t.equal((await run(process.execPath, [VDISK, "unmount", mountPoint], { XDG_STATE_HOME: home })).code, 0);
  t.equal(readFileSync(victim, "utf8"), "untouched");
  t.notOk(existsSync(files.record));
  writeFileSync(victim, "");
  await t.rejects(writeRecord(join(victim, "record"), record), { code: "MISSING" });
});
