/** A mount's life, from the image to the end: the same in the foreground and in a daemon. */
import type { Logger } from "pino";
import type { FuseMount } from "../fuse/backend.js";
import { selectBackend, type BackendChoice } from "../fuse/backends.js";
import { openDisk } from "../tree/disk.js";
import { checkMountPoint } from "./place.js";
import { readRecord, removeRecord, stateFiles, writeRecord, type MountRecord } from "./state.js";

export interface MountRequest {
  readonly image: string;
  readonly mountPoint: string;
  readonly allowDirs: readonly string[];
  readonly allowOther: boolean;
  readonly allowRoot: boolean;
  /** Further mount options, as after `-o`, one each. */
  readonly options: readonly string[];
  readonly backend: BackendChoice;
  readonly logLevel: string;
}

/**
 * Mounts and serves until the mount ends: by `vdisk unmount`, by the host, or by SIGINT or SIGTERM.
 * @param ready called when the mount is usable.
 * @throws {DiskError} when it cannot be mounted.
 */
export async function serveMount(
  request: MountRequest,
  log: Logger,
  ready: (record: MountRecord) => void,
): Promise<void> {
  const mountPoint = await checkMountPoint(request.mountPoint);
  const { backend, why } = await selectBackend(request.backend);
  const disk = await openDisk(request.image, { allowDirs: request.allowDirs });
  try {
    for (const warning of disk.warnings) log.warn({ image: request.image }, warning);
    // Before the mount, so that none is left where this cannot be written.
    const files = await stateFiles(mountPoint);
    const record = { pid: process.pid, image: disk.path, mountPoint, backend: backend.name, log: files.log };
    await writeRecord(files.record, record);
    try {
      const mount = await backend.mount(disk.tree, mountPoint, {
        source: disk.path,
        allowOther: request.allowOther,
        allowRoot: request.allowRoot,
        extra: request.options,
        log,
      });
      log.info({ ...record, why }, "mounted");
      await untilEnded(mount, log, () => {
        ready(record);
      });
      log.info({ mountPoint }, "unmounted");
    } finally {
      // Where this mount was detached with files open, the record may be its successor's by now.
      if ((await readRecord(files.record))?.pid === process.pid) await removeRecord(files.record);
    }
  } finally {
    await disk.close();
  }
}

async function untilEnded(mount: FuseMount, log: Logger, ready: () => void): Promise<void> {
  const stop = (): void => {
    // What is open stays readable until it is closed; the mount point is free at once.
    mount.unmount(true).catch((error: unknown) => {
      log.error(error, "cannot unmount");
    });
  };
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) process.on(signal, stop);
  try {
    ready();
    await mount.ended;
  } finally {
    for (const signal of signals) process.off(signal, stop);
  }
}
