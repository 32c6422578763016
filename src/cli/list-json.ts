/** Machines as JSON: all that is known of them. Trees stay trees; moments are as in ISO 8601. */
import type { MachineList } from "../machine/hypervisor.js";
import type { DiskState, Machine, MachineDisk, Snapshot } from "../machine/machine.js";
import { printMoment } from "../machine/moment.js";

/** @param sizes of disks, by the path of the newest image, as far as they are known. */
export function machinesJson(
  { machines, media, warnings }: MachineList,
  sizes: ReadonlyMap<string, number>,
): unknown {
  return { machines: machines.map((machine) => machineJson(machine, sizes)), media, warnings };
}

function machineJson(machine: Machine, sizes: ReadonlyMap<string, number>): unknown {
  return {
    ...machine,
    snapshots: machine.snapshots.map(snapshotJson),
    disks: machine.disks.map((disk, index) => diskJson(disk, index, sizes)),
  };
}

function snapshotJson(snapshot: Snapshot): unknown {
  return { ...timed(snapshot), children: snapshot.children.map(snapshotJson) };
}

function diskJson(
  { slot, base, states }: MachineDisk,
  index: number,
  sizes: ReadonlyMap<string, number>,
): unknown {
  return {
    index,
    slot,
    base: base?.uuid,
    size: sizes.get(states.at(-1)?.image ?? ""),
    states: states.map(timed),
  };
}

function timed(at: Snapshot | DiskState): object {
  return at.taken === undefined ? at : { ...at, taken: printMoment(at.taken) };
}
