/**
 * Machines, their disks, and the states of these disks: the result of reading any hypervisor's configuration. Each
 * hypervisor is a folder beside this file. Nothing here opens an image.
 */
import type { Timestamp } from "../bytes/time.js";
import type { DiskErrorCode } from "../errors.js";

export interface Machine {
  /** "VirtualBox". */
  readonly hypervisor: string;
  readonly name: string;
  /** Lower case, without braces; empty if it is not known. */
  readonly uuid: string;
  readonly description?: string;
  /** The configuration file. Absolute. */
  readonly path: string;
  readonly state: MachineState;
  /** The roots of the snapshot tree. */
  readonly snapshots: readonly Snapshot[];
  /** The UUID of the snapshot that the current state is based on. */
  readonly currentSnapshot?: string;
  /** The hard disks that are attached in any state; those of the current state first, in its order. */
  readonly disks: readonly MachineDisk[];
  /** All media that the machine has registered or attached: base images, with their children. */
  readonly media: readonly Medium[];
  /** Problems that did not prevent reading the machine. */
  readonly warnings: readonly string[];
  /** Why the machine cannot be read; its state is "inaccessible" then. */
  readonly problem?: string;
  /** The error code of `problem`. */
  readonly problemCode?: DiskErrorCode;
}

/** The state in the configuration, which does not contain whether a machine runs (see storage/users.ts). */
export type MachineState = "powered off" | "saved" | "aborted" | "inaccessible";

export interface Snapshot {
  readonly uuid: string;
  readonly name: string;
  readonly description?: string;
  readonly taken?: Timestamp;
  /** Taken while the machine ran: its memory was saved too, and its file systems were in use. */
  readonly isOnline: boolean;
  readonly children: readonly Snapshot[];
}

/** An image that is registered. */
export interface Medium {
  readonly uuid: string;
  readonly kind: "disk" | "dvd" | "floppy";
  /** The path in the configuration. */
  readonly location: string;
  /** The path of the file that was found. Absolute; undefined if there is none. */
  readonly path?: string;
  /** Bytes of that file; undefined for a device. */
  readonly fileSize?: number;
  /** The format in the configuration: "VDI". */
  readonly format?: string;
  /** "normal", "immutable", "writethrough", "shareable", "readonly", "multiattach"; only base images have it. */
  readonly type?: string;
  readonly description?: string;
  readonly isEncrypted: boolean;
  readonly children: readonly Medium[];
}

/** A hard disk of a machine, over all its states. */
export interface MachineDisk {
  /** Where it is attached: "SATA 0:0". */
  readonly slot: string;
  /** The base image of all its states; undefined if it is not registered. */
  readonly base?: Medium;
  /** The type of its base image, if that type takes no part in snapshots: the disk then has one state only. */
  readonly withoutSnapshots?: string;
  /** The oldest first, "current" last. */
  readonly states: readonly DiskState[];
}

/** One state of a disk. */
export interface DiskState {
  /** The snapshot's name, or "current". Several states of a disk may have the same name. */
  readonly name: string;
  /** The snapshot's UUID. */
  readonly uuid?: string;
  /** When the snapshot was taken. */
  readonly taken?: Timestamp;
  readonly isCurrent: boolean;
  /** The path of the image that shows it: absolute; undefined if it was not found. */
  readonly image?: string;
  /** The image's UUID. */
  readonly imageUuid: string;
  /** The id of the internal snapshot of `image` that shows it; undefined for the image's current state. */
  readonly imageState?: string;
}
