/** What is mounted now: the host's mount table, together with what the mounts' processes have written down. */
import { platform } from "node:os";
import { isRunning, startOf } from "./process.js";
import { readRecords, type MountRecord } from "./state.js";
import { MOUNT_TYPE, readMountTable } from "./table.js";

export interface Mount {
  readonly mountPoint: string;
  readonly image: string;
  /**
   * "served"; "dead" where its process has ended and whoever touches it gets an error; "detached" where it is mounted
   * no more, but files of it are still open; "unknown" where it is another user's, and nothing more is to be seen.
   */
  readonly state: "served" | "dead" | "detached" | "unknown";
  /** Who mounted it. */
  readonly uid?: number;
  readonly pid?: number;
  readonly backend?: string;
  /** ISO 8601, in UTC. */
  readonly since?: string;
  readonly log?: string;
}

/** All mounts of vdisk on this host, by mount point. */
export async function listMounts(): Promise<Mount[]> {
  // In this order: who mounts while we look has the mount first, and then the record.
  const records = new Map((await readRecords()).map((record) => [record.mountPoint, record]));
  const table = (await readMountTable()).filter((entry) => entry.type === MOUNT_TYPE);
  const mounts: Mount[] = [];
  // Of several on one mount point, the last is seen, and is the one that the record is about.
  for (const { mountPoint, source, uid } of table.reverse()) {
    const record = records.get(mountPoint);
    records.delete(mountPoint);
    const owner = uid === undefined ? {} : { uid };
    if (record === undefined) mounts.push({ mountPoint, image: source, state: "unknown", ...owner });
    else mounts.push({ ...record, state: isServing(record) ? "served" : "dead", ...owner });
  }
  for (const record of records.values()) {
    // Where the mount table does not tell which mounts are ours, the records do.
    const state = platform() === "linux" ? "detached" : "served";
    if (isServing(record)) mounts.push({ ...record, state, uid: process.getuid!() });
  }
  return mounts.sort((a, b) => (a.mountPoint < b.mountPoint ? -1 : 1));
}

/** Seconds by which the clock may have been set back since. */
const CLOCK_SLACK = 60;

/** Whether the process that wrote `record` is still there; another may have its number by now. */
function isServing({ pid, since }: MountRecord): boolean {
  if (!isRunning(pid)) return false;
  const started = startOf(pid);
  return started === undefined || since === undefined || started <= Date.parse(since) / 1000 + CLOCK_SLACK;
}
