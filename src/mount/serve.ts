/** A mount's life, from the image to the end: the same in the foreground and in a daemon. */
import { rename } from "node:fs/promises";
import type { Logger } from "pino";
import { DiskError, fromHost } from "../errors.js";
import { selectBackend, type BackendChoice } from "../fuse/backends.js";
import type { FileSystemOptions } from "../filesystem/filesystem.js";
import type { Admission } from "../machine/admission.js";
import type { DiskState } from "../machine/machine.js";
import { openDisk } from "../tree/disk.js";
import { checkMountPoint } from "./mount-point.js";
import { pidNamespace } from "./process.js";
import { readRecord, removeRecord, stateFiles, writeRecord, type MountRecord } from "./records.js";

export interface MountRequest {
  readonly image: string;
  /** What the image must satisfy where the user did not name the file itself. */
  readonly admission?: Admission | undefined;
  /** The id of the internal snapshot of the image that is shown; its current state by default. */
  readonly imageState?: string | undefined;
  readonly mountPoint: string;
  /** The file of `log` so far, which gets the name of the mount's log, in place of the log of the mount before. */
  readonly log?: string;
  readonly allowDirs: readonly string[];
  readonly allowLive?: boolean;
  /** How guests' file systems are to be read. */
  readonly fileSystems: FileSystemOptions;
  /** Whether `fsN/` are shown; they are, unless told. */
  readonly guestFiles?: boolean;
  /** All states of the disk, the oldest first; those of its chain unless told. */
  readonly states?: readonly DiskState[];
  readonly allowOther: boolean;
  readonly allowRoot: boolean;
  /** Further mount options, as after `-o`, one each. */
  readonly options: readonly string[];
  readonly backend: BackendChoice;
  readonly logLevel: string;
}

/** A mount that is usable. */
export interface StartedMount extends MountRecord {
  /** What is odd or damaged about the disk, or that another program is writing to it; it is in the log, too. */
  readonly warnings: readonly string[];
}

/**
 * Bytes that small buffers share. A block of a directory takes 4 KiB and a listing of it as much, which with Node's
 * usual 8 KiB would be a buffer of its own each time: some microseconds, and work for the garbage collector.
 */
const POOL_SIZE = 64 * 2 ** 10;

/**
 * Mounts and serves until the mount ends: by `vdisk unmount`, by the host, or by SIGINT or SIGTERM.
 * @param ready called when the mount is usable.
 * @throws {DiskError} when it cannot be mounted.
 */
export async function serveMount(
  request: MountRequest,
  log: Logger,
  ready: (mount: StartedMount) => void,
): Promise<void> {
  Buffer.poolSize = POOL_SIZE;
  const mountPoint = await checkMountPoint(request.mountPoint);
  const { backend, why } = await selectBackend(request.backend);
  const disk = await openDisk(request.image, {
    allowDirs: request.allowDirs,
    fileSystems: request.fileSystems,
    allowLive: request.allowLive ?? false,
    guestFiles: request.guestFiles ?? true,
    admission: request.admission,
    imageState: request.imageState,
    ...(request.states !== undefined && { states: request.states }),
    report: (warning) => {
      log.warn({ image: request.image }, warning);
    },
  });
  try {
    for (const warning of disk.warnings) log.warn({ image: request.image }, warning);
    for (const { error } of disk.problems)
      if (!(error instanceof DiskError)) log.error(error, "a bug in vdisk");
    const files = await stateFiles(mountPoint);
    if (request.log !== undefined) {
      await checkMountPoint(mountPoint); // another mount's log, if it was faster, is to stay
      await rename(request.log, files.log).catch(failed(files.log));
    }
    const { path: image } = disk;
    const since = new Date().toISOString();
    const record = {
      pid: process.pid,
      pidNamespace: pidNamespace(),
      image,
      mountPoint,
      backend: backend.name,
      log: files.log,
      since,
    };
    // Until here there is nothing to undo: a signal just ends the process.
    const interruption = catchSignals();
    try {
      const mount = await backend.mount(disk.tree, mountPoint, {
        source: disk.path,
        allowOther: request.allowOther,
        allowRoot: request.allowRoot,
        extra: request.options,
        log,
      });
      interruption.signalled
        // What is open stays readable until it is closed; the mount point is free at once.
        .then(() => mount.unmount(true))
        .catch((error: unknown) => {
          log.error(error, "cannot unmount");
        });
      await writeRecord(files.record, record).catch((error: unknown) => {
        log.warn(error, "the record of this mount cannot be kept; it is served without");
      });
      log.info({ ...record, why }, "mounted");
      ready({ ...record, warnings: disk.warnings });
      await mount.ended;
      log.info({ mountPoint }, "unmounted");
    } finally {
      interruption.release();
      // Where this mount was detached with files open, the record may be its successor's by now.
      if ((await readRecord(files.record))?.pid === process.pid) await removeRecord(files.record);
    }
  } finally {
    await disk.close();
  }
}

/** Throws in place of the host's complaint about `name`. */
const failed = (name: string) => (error: unknown) => {
  throw fromHost(error, name);
};

/** From now on, SIGINT and SIGTERM do not end the process, but settle `signalled`. */
function catchSignals(): { signalled: Promise<void>; release: () => void } {
  const signals = ["SIGINT", "SIGTERM"] as const;
  let settle!: () => void;
  const signalled = new Promise<void>((resolve) => {
    settle = resolve;
  });
  for (const signal of signals) process.on(signal, settle);
  return {
    signalled,
    release: () => {
      for (const signal of signals) process.off(signal, settle);
    },
  };
}
