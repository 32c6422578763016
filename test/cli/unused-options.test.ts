/** Options that would have no effect are errors that say so; what another program made is refused by its name. */
import { mkdirSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { BASE, NEWEST, run, vdisk, VDISK } from "../support/command.js";

const VBOXIMG_MOUNT = join(VDISK, "../vboximg-mount/main.js");

t.test("an option without effect is an error that says what it is for", async (t) => {
  for (const [message, ...args] of [
    [
      /--disk nonsense: this option chooses one of a machine's disks, but .*\.vdi is an image/,
      "info",
      "--disk",
      "nonsense",
      NEWEST,
    ],
    [/--disk 0: this option chooses/, "ls", "--disk", "0", BASE, "/"],
    [/--disk 1: this option chooses/, "cat", "--disk", "1", BASE, "vhdd"],
    [/--disk x: this option chooses/, "list", "--disk", "x", BASE],
    [/--wide: --mounts lists all mounts/, "list", "--mounts", "--wide"],
    [
      /--allow-dir, --codepage: --mounts lists all mounts/,
      "list",
      "--mounts",
      "--codepage",
      "850",
      "--allow-dir",
      "/",
    ],
    [/IMAGE: --mounts lists all mounts/, "list", "--mounts", BASE],
    [/--verbose: only for listing machines/, "list", BASE, "-v"],
    [/--vm, --wide: only for listing machines/, "list", BASE, "--wide", "--vm", "web"],
    [/--system-files: only together with an IMAGE/, "list", "--system-files"],
    [
      /--disk, --snapshot: only together with an IMAGE/,
      "list",
      "--disk",
      "0",
      "--snapshot",
      "latest",
      "--vm",
      "web",
    ],
    [/--wide cannot be combined/, "list", "--wide", "--verbose"],
    [/--wide cannot be combined/, "list", "--wide", "--json"],
  ] as const) {
    const { code, stdout, stderr } = await vdisk(...args);
    t.match({ code, stdout }, { code: 64, stdout: "" }, args.join(" "));
    t.match(stderr, message);
    t.equal(stderr.split("\n").length, 2, "one line");
  }
});

t.test("vboximg-mount continues, as VirtualBox's does, and names options without effect", async (t) => {
  const { code, stdout, stderr } = await run(process.execPath, [
    VBOXIMG_MOUNT,
    "-l",
    "-g",
    "--rw",
    "-i",
    NEWEST,
    "/mnt",
  ]);
  t.match({ code, stdout }, { code: 0, stdout: /^ *Partition/m });
  t.equal(
    stderr,
    "vboximg-mount: without effect on a listing: the mount point /mnt, --guest-filesystem, --rw\n",
  );
  const vm = await run(process.execPath, [VBOXIMG_MOUNT, "-l", "--vm", "none", "-i", NEWEST]);
  t.match(vm, {
    code: 0,
    stderr: /^vboximg-mount: --vm none: without effect, since .*is a file\n$/,
  });
});

t.test(
  "a Parallels disk is refused by name, for its folder and its descriptor, and not changed",
  async (t) => {
    const bundle = join(t.testdir(), "disk.hdd");
    const descriptor = join(bundle, "DiskDescriptor.xml");
    mkdirSync(bundle);
    writeFileSync(
      descriptor,
      "<?xml version='1.0'?>\n<Parallels_disk_image Version=\"1.0\">\n</Parallels_disk_image>\n",
    );
    writeFileSync(join(bundle, "settings.xml"), "<?xml version='1.0'?>\n<settings/>\n");
    const old = new Date("2020-01-01T00:00:00Z");
    for (const file of [descriptor, join(bundle, "settings.xml")]) utimesSync(file, old, old);
    for (const image of [bundle, `${bundle}/`, descriptor]) {
      const { code, stderr } = await vdisk("info", image);
      t.equal(code, 69);
      t.match(
        stderr,
        /^vdisk: .*disk\.hdd.*: Parallels disks are not read yet; the disk's bytes are in .*\.hds\n$/,
      );
    }
    t.match(await vdisk("info", join(bundle, "settings.xml")), {
      code: 69,
      stderr: /this is a text, not a disk image/,
    });
    for (const file of [descriptor, join(bundle, "settings.xml")])
      t.equal(statSync(file).atimeMs, old.getTime());
  },
);

t.test("reading a machine's settings does not change their access time", async (t) => {
  const folder = t.testdir();
  for (const name of ["m.vbox", "old.xml"]) {
    const file = join(folder, name);
    writeFileSync(file, '<?xml version="1.0"?>\n<VirtualBox><Machine uuid="{1}" name="m"/></VirtualBox>\n');
    const old = new Date("2020-01-01T00:00:00Z");
    utimesSync(file, old, old);
    t.match(await vdisk("list", "--vm", file), { code: 0, stdout: /m/ });
    t.equal(statSync(file).atimeMs, old.getTime(), name);
  }
});
