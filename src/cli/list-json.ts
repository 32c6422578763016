/** Machines as JSON, with all that is known about them. Snapshots and media are trees; times are in ISO 8601. */
import type { MachineList } from "../machine/hypervisor.js";
import type { DiskState, Machine, MachineDisk, Snapshot } from "../machine/machine.js";
import { printDateTime } from "../machine/date-time.js";
import type { FileUser } from "../storage/users.js";

/** Facts about disks that are not in settings files, but known from their newest images. */
export interface ImageFacts {
  /** Bytes, by the path of the newest image. */
  readonly sizes: ReadonlyMap<string, number>;
  /** Programs that write to the newest images. */
  readonly users: readonly FileUser[];
}

export function machinesJson({ machines, media, warnings }: MachineList, facts: ImageFacts): unknown {
  return { machines: machines.map((machine) => machineJson(machine, facts)), media, warnings };
}

function machineJson(machine: Machine, facts: ImageFacts): unknown {
  return {
    ...machine,
    snapshots: machine.snapshots.map(snapshotJson),
    disks: machine.disks.map((disk, index) => diskJson(disk, index, facts)),
  };
}

function snapshotJson(snapshot: Snapshot): unknown {
  return { ...timed(snapshot), children: snapshot.children.map(snapshotJson) };
}

function diskJson({ slot, base, states }: MachineDisk, index: number, { sizes, users }: ImageFacts): unknown {
  const newest = states.at(-1)?.image ?? "";
  return {
    index,
    slot,
    base: base?.uuid,
    size: sizes.get(newest),
    users: users
      .filter(({ path }) => path === newest)
      .map(({ how, process, device }) => ({ how, ...process, device })),
    states: states.map(timed),
  };
}

function timed(at: Snapshot | DiskState): object {
  return at.taken === undefined ? at : { ...at, taken: printDateTime(at.taken) };
}
