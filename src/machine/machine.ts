/**
 * What every hypervisor's configuration comes down to: machines, their disks, and the states in which these can be
 * seen. Each hypervisor is a folder beside this file; nothing here opens an image.
 */
import type { Timestamp } from "../bytes/time.js";
import type { DiskErrorCode } from "../errors.js";

export interface Machine {
  /** "VirtualBox". */
  readonly hypervisor: string;
  readonly name: string;
  /** Lower case, without braces; empty where not even that is known. */
  readonly uuid: string;
  readonly description?: string;
  /** The configuration file. Absolute. */
  readonly path: string;
  readonly state: MachineState;
  /** The first snapshot, with all that were made after it. */
  readonly snapshots: readonly Snapshot[];
  /** The UUID of the snapshot that the current state was made on. */
  readonly currentSnapshot?: string;
  /** The hard disks that are attached in any state, as the current state has them first. */
  readonly disks: readonly MachineDisk[];
  /** All media that the machine has registered or attached: bases, and below them what was made on them. */
  readonly media: readonly Medium[];
  /** What is odd or damaged, but did not stop us. */
  readonly warnings: readonly string[];
  /** Why nothing more is known of it; its state is "inaccessible" then. */
  readonly problem?: string;
  /** The kind of error that `problem` is. */
  readonly problemCode?: DiskErrorCode;
}

/** As the configuration tells; a machine that runs does not write that down (see `storage/`: who holds its images). */
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
  /** As it is written in the configuration. */
  readonly location: string;
  /** Where it lies. Absolute; undefined where it is nowhere to be found. */
  readonly path?: string;
  /** Bytes of the file there; undefined for a device. */
  readonly fileSize?: number;
  /** "VDI", as it is written there. */
  readonly format?: string;
  /** "normal", "immutable", "writethrough", "shareable", "readonly", "multiattach"; of a base only. */
  readonly type?: string;
  readonly description?: string;
  readonly isEncrypted: boolean;
  readonly children: readonly Medium[];
}

/** A hard disk of a machine, over all its states. */
export interface MachineDisk {
  /** Where it is attached, as people name it: "SATA 0:0". */
  readonly slot: string;
  /** The medium that all its states are built on; undefined where it is not registered. */
  readonly base?: Medium;
  /** Its base's type, where that takes no part in snapshots: it has one state only. */
  readonly withoutSnapshots?: string;
  /** The oldest first, "current" last. */
  readonly states: readonly DiskState[];
}

/** One state of a disk. */
export interface DiskState {
  /** The snapshot's name, or "current". Two states of one disk may have the same. */
  readonly name: string;
  /** The snapshot's UUID. */
  readonly uuid?: string;
  /** When the snapshot was taken. */
  readonly taken?: Timestamp;
  readonly isCurrent: boolean;
  /** The image that shows it: absolute; undefined where it is nowhere to be found. */
  readonly image?: string;
  /** The image's UUID. */
  readonly imageUuid: string;
  /** The id of the internal snapshot of `image` that shows it; undefined for the image's current state. */
  readonly imageState?: string;
}
