/** `mount -o remount`: changes the flags that the kernel keeps for a mount, while it is served. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { DeniedError, HostError, MissingError, whenHostFails } from "../errors.js";
import { resolveMountPoint } from "./mount-point.js";
import { MOUNT_TYPE, parseFstabOptions, readMountTable } from "./mount-table.js";

/** Options that can be changed: the kernel implements them, and they keep the mount read-only and safe. */
const CHANGEABLE =
  /^(ro|nosuid|nodev|(no)?exec|(no)?(dir)?atime|(no)?relatime|(no)?strictatime|(no)?symfollow)$/;

/** Options that are ignored: mount(8) passes those of the existing mount along, and some only apply to a new mount. */
const UNCHANGED =
  /^(remount|(user|group)_id=.*|allow_other|default_permissions|max_read=.*|blksize=.*|dev|suid|defaults|(no)?auto|nofail|_netdev|x-.*|X-.*|users?|user=.*|comment=.*)$/;

/**
 * Changes the mount on `path` according to `options`, those after `-o`.
 * @throws {MissingError} if vdisk has mounted nothing there.
 * @throws {DeniedError} for an option that cannot be changed.
 */
export async function remount(path: string, options: readonly string[]): Promise<void> {
  const place = await resolveMountPoint(path);
  const mounted = (await readMountTable()).findLast((entry) => entry.mountPoint === place);
  if (mounted?.type !== MOUNT_TYPE) throw new MissingError({ file: path, thing: "no vdisk is mounted here" });
  const fstab = await readFile("/etc/fstab", "utf8").catch(whenHostFails(""));
  const changes = changesIn(options, parseFstabOptions(fstab, place));
  const refused = changes.find((option) => !CHANGEABLE.test(option));
  if (refused !== undefined) {
    throw new DeniedError({
      file: path,
      thing: `-o remount,${refused}: ${refused === "rw" ? "a mount of vdisk is read-only" : "this cannot be changed while it is mounted"}`,
      hint:
        refused === "rw"
          ? "copy the files that you want to change"
          : "unmount it, and mount it with this option",
    });
  }
  // -i: mount(8) does it itself; otherwise it would run vdisk again.
  const list = ["remount", ...changes, "ro", "nosuid", "nodev"].join(",");
  await promisify(execFile)("mount", ["-i", "-o", list, "--", place], {
    env: { ...process.env, LC_ALL: "C" },
  }).catch((error: unknown) => {
    const complaint = String((error as { stderr?: string }).stderr ?? error).trim();
    throw /only root|permi/i.test(complaint)
      ? new DeniedError({ file: path, thing: "only root may change a mount" })
      : new HostError({ file: path, thing: `cannot be remounted: ${complaint}` }, "EIO");
  });
}

/**
 * Returns the options that ask for a change. mount(8) repeats those of the mount's line in /etc/fstab, `fstab`, and
 * begins with "rw" if the line does not say "ro": "rw" counts only if nothing else is to change.
 */
function changesIn(options: readonly string[], fstab: readonly string[]): string[] {
  const changes = options.filter((option) => !UNCHANGED.test(option) && !fstab.includes(option));
  const others = changes.filter((option) => option !== "rw");
  return fstab.length > 0 && others.length > 0 ? others : changes;
}
