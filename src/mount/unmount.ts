/** Ends a mount from another process, also if the serving process was killed. */
import { execFile } from "node:child_process";
import { platform } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { DeniedError, HostError, isErrnoException, MissingError } from "../errors.js";
import { resolveMountPoint } from "./mount-point.js";
import { isServing } from "./serving.js";
import { readRecord, removeRecord, stateFiles, type MountRecord } from "./records.js";
import { MOUNT_TYPE, readMountTable } from "./mount-table.js";

/** How long the serving process may take to close its image once it is unmounted, in milliseconds. */
const PATIENCE = 5000;

/**
 * Unmounts `path` and waits until its image is closed. With `lazy`, the mount point becomes free even if files are open;
 * they stay readable until they are closed.
 * @throws {MissingError} if vdisk has mounted nothing there.
 * @throws {DeniedError} if it is in use, or another user mounted it.
 */
export async function unmount(path: string, lazy: boolean): Promise<void> {
  const place = await resolveMountPoint(path);
  const mounted = (await readMountTable()).findLast((entry) => entry.mountPoint === place);
  if (mounted === undefined || !(mounted.type === MOUNT_TYPE || platform() === "darwin")) {
    throw new MissingError({ file: path, thing: "no vdisk is mounted here" });
  }
  await detach(path, place, lazy);
  const files = await stateFiles(place);
  const record = await readRecord(files.record);
  if (record?.mountPoint !== place) return;
  if (!lazy) await waitForEnd(record);
  // If the process is not visible, it may still serve open files only after a lazy unmount.
  if (!(isServing(record) ?? lazy)) await removeRecord(files.record);
}

async function detach(path: string, place: string, lazy: boolean): Promise<void> {
  let complaint = "";
  for (const [program, ...args] of unmountCommands(place, lazy)) {
    try {
      await promisify(execFile)(program!, args, { env: { ...process.env, LC_ALL: "C" } });
      return;
    } catch (error) {
      if (isErrnoException(error) && error.code === "ENOENT") continue; // not installed: try the next program
      complaint = String((error as { stderr?: string }).stderr ?? error).trim();
      break;
    }
  }
  if (/busy/i.test(complaint)) {
    throw new DeniedError({
      file: path,
      thing: "the mount is in use",
      hint: "close the programs that use it, or detach it with -z",
    });
  }
  // For another user's mount, fusermount says that there is no such entry.
  if (/not permitted|permission|must be superuser|not found in/i.test(complaint)) {
    throw new DeniedError({ file: path, thing: "the mount is not yours to unmount", hint: "use sudo" });
  }
  const problem =
    complaint === ""
      ? { thing: "fusermount3, through which ordinary users unmount, is not installed", hint: INSTALL }
      : { thing: `cannot be unmounted: ${complaint}` };
  throw new HostError({ file: path, ...problem }, "EIO");
}

const INSTALL = "apt-get install fuse3";

function unmountCommands(place: string, lazy: boolean): string[][] {
  if (platform() === "darwin") return [["umount", ...(lazy ? ["-f"] : []), place]];
  if (process.getuid?.() === 0) return [["umount", ...(lazy ? ["-l"] : []), "--", place]];
  const options = lazy ? ["-u", "-z"] : ["-u"];
  return ["fusermount3", "fusermount"].map((program) => [program, ...options, "--", place]);
}

async function waitForEnd(record: MountRecord): Promise<void> {
  for (let waited = 0; waited < PATIENCE && isServing(record) === true; waited += 10) await sleep(10);
}
