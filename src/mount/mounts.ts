/** Lists the mounts of vdisk, from the host's mount table and the records of the serving processes. */
import { platform } from "node:os";
import { isServing, probe } from "./serving.js";
import { readRecords } from "./records.js";
import { MOUNT_TYPE, readMountTable } from "./mount-table.js";

export interface Mount {
  readonly mountPoint: string;
  readonly image: string;
  /**
   * "served"; "dead" if its process has ended, and every access to the mount fails; "detached" if it is no longer mounted,
   * but files of it are still open; "unknown" if it is another user's, or its process cannot be seen from here.
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
  // The records first: a mount that starts meanwhile appears in the mount table before its record is written.
  const records = new Map((await readRecords()).map((record) => [record.mountPoint, record]));
  const table = (await readMountTable()).filter((entry) => entry.type === MOUNT_TYPE);
  const mounts: Mount[] = [];
  // If several are mounted on one mount point, the last one is visible, and the record belongs to it.
  for (const { mountPoint, source, uid } of table.reverse()) {
    const record = records.get(mountPoint);
    records.delete(mountPoint);
    const owner = uid === undefined ? {} : { uid };
    if (record === undefined) mounts.push({ mountPoint, image: source, state: "unknown", ...owner });
    else {
      const serving = isServing(record) ?? (await probe(mountPoint));
      const state = serving === undefined ? "unknown" : serving ? "served" : "dead";
      mounts.push({ ...record, state, ...owner });
    }
  }
  for (const record of records.values()) {
    // On hosts whose mount table does not say which mounts are vdisk's, the records do.
    const state = platform() === "linux" ? "detached" : "served";
    if (isServing(record) === true) mounts.push({ ...record, state, uid: process.getuid!() });
  }
  return mounts.sort((a, b) => (a.mountPoint < b.mountPoint ? -1 : 1));
}
