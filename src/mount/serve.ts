/** Mounts an image and serves it until it is unmounted, in the foreground or in the daemon. */
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
  /** What the image is checked for, if the user did not name the file itself. */
  readonly admission?: Admission | undefined;
  /** The id of the internal snapshot of the image that is shown; its current state by default. */
  readonly imageState?: string | undefined;
  readonly mountPoint: string;
  /** The file that `log` writes to. It is renamed to the mount's log, and replaces the log of an earlier mount. */
  readonly log?: string;
  readonly allowDirs: readonly string[];
  readonly allowLive?: boolean;
  /** Options for guests' file systems. */
  readonly fileSystems: FileSystemOptions;
  /** Whether `fsN/` are shown; true by default. */
  readonly guestFiles?: boolean;
  /** All states of the disk, the oldest first; by default those of its chain. */
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
  /** Warnings: what is damaged or unusual about the disk, or that another program writes to it. They are in the log, too. */
  readonly warnings: readonly string[];
}

/**
 * Bytes of the memory that small buffers share. Node's default is 8 KiB, and a block of a directory and its listing take
 * 4 KiB each: a new allocation nearly every time, which takes microseconds and makes garbage.
 */
const POOL_SIZE = 64 * 2 ** 10;

/**
 * Mounts and serves until the mount ends: by `vdisk unmount`, by the host, or by SIGINT or SIGTERM.
 * @param ready is called when the mount is usable.
 * @throws {DiskError} if it cannot be mounted.
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
      await checkMountPoint(mountPoint); // do not replace the log of a mount that was faster
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
    // Before this, nothing has to be undone: a signal just ends the process.
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
        // Open files stay readable until they are closed; the mount point is free at once.
        .then(() => mount.unmount(true))
        .catch((error: unknown) => {
          log.error(error, "cannot unmount");
        });
      await writeRecord(files.record, record).catch((error: unknown) => {
        log.warn(error, "cannot write the record of this mount; it is served without one");
      });
      log.info({ ...record, why }, "mounted");
      ready({ ...record, warnings: disk.warnings });
      await mount.ended;
      log.info({ mountPoint }, "unmounted");
    } finally {
      interruption.release();
      // If this mount was detached with files open, the record may belong to a later mount.
      if ((await readRecord(files.record))?.pid === process.pid) await removeRecord(files.record);
    }
  } finally {
    await disk.close();
  }
}

/** For `promise.catch`: throws a failed system call on `name` as a DiskError. */
const failed = (name: string) => (error: unknown) => {
  throw fromHost(error, name);
};

/** From now on, SIGINT and SIGTERM resolve `signalled` and do not end the process. */
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
