/**
 * The real VirtualBox as a judge: VBoxManage and vboximg-mount, where scripts/setup-virtualbox.sh installed them.
 * All runs in a mount and PID namespace of its own, so that nothing is left when the test ends, however it ends.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Test } from "tap";
import { run, type Result } from "./command.js";

const INSTALLED = process.env["VDISK_VIRTUALBOX"] ?? "/var/cache/vdisk/virtualbox";
/** The programs themselves, without the script before them that warns of a missing kernel driver. */
const PROGRAMS = "/usr/lib/virtualbox";
/** VirtualBox's service holds a medium for about a second after its user is gone, on a busy machine for longer. */
const LOCKED = /is locked|lock|VBOX_E_INVALID_OBJECT_STATE|VBOX_E_OBJECT_IN_USE/;
const LOCK_TRIES = 40;

/**
 * Mounts proc, an empty /tmp and the test's folder in the installation; the folder has the same path inside and
 * outside. It prints a line when that is done, and ends with its standard input.
 */
const HOLD = `
set -e
mount -t proc proc "$1/proc"
mount -t tmpfs tmpfs "$1/tmp"
mkdir -p "$1$2"
mount --bind "$2" "$1$2"
echo ready
cat >/dev/null
`;

export class VirtualBox {
  /** Everything of this test lies here; the path is the same for VirtualBox and for the host. */
  readonly folder: string;
  readonly #pid: number;

  private constructor(folder: string, pid: number) {
    this.folder = folder;
    this.#pid = pid;
  }

  /** Starts it with a user home of its own, until the test's end. */
  static async start(t: Test): Promise<VirtualBox> {
    if (!existsSync(join(INSTALLED, "recipe")))
      throw new Error(`no VirtualBox in ${INSTALLED}: run scripts/setup-virtualbox.sh`);
    const folder = mkdtempSync(join(tmpdir(), "vdisk-virtualbox-"));
    const args = ["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", HOLD, "sh", INSTALLED, folder];
    const holder = spawn("unshare", args, {
      stdio: ["pipe", "pipe", "inherit"],
      env: { ...process.env, NODE_OPTIONS: "" },
    });
    const ended = new Promise((resolve) => holder.on("close", resolve));
    t.teardown(async () => {
      holder.kill("SIGKILL");
      await ended;
      rmSync(folder, { recursive: true, force: true });
    });
    await new Promise((resolve, reject) => {
      holder.stdout.once("data", resolve);
      holder.once("close", () => {
        reject(new Error("no namespace for VirtualBox: this needs root"));
      });
    });
    const children = readFileSync(`/proc/${holder.pid}/task/${holder.pid}/children`, "latin1");
    const machine = new VirtualBox(folder, Number(children.trim()));
    for (const name of ["home", "machines", "mnt", "guest"]) mkdirSync(join(folder, name));
    await machine.manage("setproperty", "machinefolder", machine.machines);
    return machine;
  }

  /** VirtualBox's settings: VBOX_USER_HOME. */
  get home(): string {
    return join(this.folder, "home");
  }

  get machines(): string {
    return join(this.folder, "machines");
  }

  /** Runs one of VirtualBox's programs. */
  run(program: string, ...args: string[]): Promise<Result> {
    const environment = `VBOX_USER_HOME=${this.home}`;
    return this.#inside("chroot", INSTALLED, "env", environment, `${PROGRAMS}/${program}`, ...args);
  }

  /** Standard output of VBoxManage, which must succeed; where something is still locked it is tried again. */
  async manage(...args: string[]): Promise<string> {
    for (let attempt = 1; ; attempt++) {
      const { code, stdout, stderr } = await this.run("VBoxManage", "-q", ...args);
      if (code === 0) return stdout;
      if (attempt === LOCK_TRIES || !LOCKED.test(stderr))
        throw new Error(`VBoxManage ${args.join(" ")}: ${code}\n${stderr}`);
      await sleep(500);
    }
  }

  /** The sha256 of a medium's flat disk, by VirtualBox's own clone. */
  async hashOf(uuid: string): Promise<string> {
    const clone = join(this.folder, "clone.raw");
    await this.manage("clonemedium", "disk", uuid, clone, "--format", "RAW");
    await this.manage("closemedium", "disk", clone);
    const hash = (await this.#must("sha256sum", clone)).slice(0, 64);
    rmSync(clone);
    return hash;
  }

  /** The UUID of the image that the disk of `slot` ("SATA-ImageUUID-0-0") is written to now. */
  async leafOf(machine: string, slot: string): Promise<string> {
    const info = await this.manage("showvminfo", machine, "--machinereadable");
    return new RegExp(`^"${slot}"="(.*)"$`, "m").exec(info)![1]!;
  }

  /**
   * Writes to a medium as its guest would: `use` gets the folder in which the kernel mounted `vol0`, and the path of
   * `vol1`, both seen from `inside`. Every block of the image is then VirtualBox's own.
   */
  async write(
    uuid: string,
    use: (guest: string, vol1: string, inside: (...command: string[]) => Promise<string>) => Promise<void>,
  ): Promise<void> {
    const mount = join(this.folder, "mnt");
    const seen = join(INSTALLED, mount); // the mount, from outside the installation
    const guest = join(this.folder, "guest");
    // Its service keeps the standard output that it is given: this must not wait for it.
    const quiet = `exec ${PROGRAMS}/vboximg-mount --rw -i "$1" "$2" >/dev/null 2>&1`;
    const environment = ["env", `VBOX_USER_HOME=${this.home}`];
    for (let attempt = 1; ; attempt++) {
      const result = await this.#inside(
        "chroot",
        INSTALLED,
        ...environment,
        "sh",
        "-c",
        quiet,
        "sh",
        uuid,
        mount,
      );
      if (result.code === 0 && (await this.#inside("test", "-e", join(seen, "vol0"))).code === 0) break;
      if (attempt === LOCK_TRIES) throw new Error(`vboximg-mount --rw -i ${uuid}: ${result.code}`);
      await sleep(500);
    }
    const inside = (...command: string[]): Promise<string> => this.#must(...command);
    await inside("mount", "-o", "loop", join(seen, "vol0"), guest);
    try {
      await use(guest, join(seen, "vol1"), inside);
    } finally {
      await inside("umount", guest);
      await inside("umount", seen);
    }
  }

  async #must(...command: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.#inside(...command);
    if (code !== 0) throw new Error(`${command.join(" ")}: ${code}\n${stderr}`);
    return stdout;
  }

  #inside(...command: string[]): Promise<Result> {
    return run("nsenter", ["--target", String(this.#pid), "--mount", "--pid", "--", ...command]);
  }
}
