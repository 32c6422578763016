/** Machines as JSON: all that is known of them. Trees stay trees; moments are as in ISO 8601. */
import type { MachineList } from "../machine/hypervisor.js";
import type { DiskState, Machine, MachineDisk, Snapshot } from "../machine/machine.js";
import { printDateTime } from "../machine/date-time.js";
import type { FileUser } from "../storage/users.js";

/** What no settings tell of disks: their newest images do. */
export interface Known {
  /** Bytes, by the path of the newest image. */
  readonly sizes: ReadonlyMap<string, number>;
  /** Who is writing to the newest images. */
  readonly users: readonly FileUser[];
}

export function machinesJson({ machines, media, warnings }: MachineList, known: Known): unknown {
  return { machines: machines.map((machine) => machineJson(machine, known)), media, warnings };
}

function machineJson(machine: Machine, known: Known): unknown {
  return {
    ...machine,
    snapshots: machine.snapshots.map(snapshotJson),
    disks: machine.disks.map((disk, index) => diskJson(disk, index, known)),
  };
}

function snapshotJson(snapshot: Snapshot): unknown {
  return { ...timed(snapshot), children: snapshot.children.map(snapshotJson) };
}

function diskJson({ slot, base, states }: MachineDisk, index: number, { sizes, users }: Known): unknown {
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
