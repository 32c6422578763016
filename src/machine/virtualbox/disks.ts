/** The hard disks of a machine: for each disk, which image shows which state. */
import type { DiskState, MachineDisk, Medium } from "../machine.js";
import { withDescendants } from "../descendants.js";
import type { Attachment, MachineSettings, SnapshotSettings } from "./settings.js";

/** Types of base images that take no part in snapshots: they have only one state. */
const WITHOUT_STATES = ["writethrough", "shareable", "readonly"];

/** The machine at a snapshot, or now. */
interface Configuration {
  readonly name: string;
  readonly snapshot?: SnapshotSettings;
  readonly attachments: readonly Attachment[];
}

/** @param media includes the base images of everything that is attached, if they are known. */
export function disksOf(settings: MachineSettings, media: readonly Medium[]): MachineDisk[] {
  const mediumOf = new Map<string, { medium: Medium; base: Medium }>();
  for (const base of media) {
    for (const medium of withDescendants([base])) {
      if (!mediumOf.has(medium.uuid)) mediumOf.set(medium.uuid, { medium, base });
    }
  }
  const configurations = configurationsOf(settings);
  const shared = basesAttachedTwice(configurations, (uuid) => mediumOf.get(uuid)?.base);

  const disks = new Map<string, ReturnType<typeof newDisk>>();
  // The newest first: the current state determines the order of the disks and their slots.
  for (const { name, snapshot, attachments } of configurations.reverse()) {
    for (const { slot, isDisk, uuid } of attachments) {
      if (!isDisk) continue;
      const known = mediumOf.get(uuid);
      const base = known?.base;
      const key = base === undefined || shared.has(base) ? `${base?.uuid ?? ""} ${slot}` : base.uuid;
      const disk = disks.get(key) ?? newDisk(slot, base);
      disks.set(key, disk);
      if (disk.states.length > 0 && disk.withoutSnapshots !== undefined) continue;
      disk.states.push(stateOf(name, snapshot, known?.medium.path, uuid));
    }
  }
  return [...disks.values()].map(({ states, ...disk }) => ({ ...disk, states: states.reverse() }));
}

function newDisk(slot: string, base: Medium | undefined) {
  const { type = "" } = base ?? {};
  return {
    slot,
    ...(base !== undefined && { base }),
    ...(WITHOUT_STATES.includes(type) && { withoutSnapshots: type }),
    states: [] as DiskState[],
  };
}

function stateOf(
  name: string,
  snapshot: SnapshotSettings | undefined,
  image: string | undefined,
  imageUuid: string,
): DiskState {
  const shown = image === undefined ? { imageUuid } : { image, imageUuid };
  if (snapshot === undefined) return { name, isCurrent: true, ...shown };
  const { uuid, taken } = snapshot;
  return taken === undefined
    ? { name, uuid, isCurrent: false, ...shown }
    : { name, uuid, taken, isCurrent: false, ...shown };
}

/** Returns the snapshots, the oldest first, and the current state. A snapshot without a time follows its parent. */
function configurationsOf({ snapshot, attachments }: MachineSettings): Configuration[] {
  const snapshots = snapshot === undefined ? [] : withDescendants([snapshot]);
  let last = -Infinity;
  const timed = snapshots.map((snapshot) => {
    last = snapshot.taken?.seconds ?? last;
    return { snapshot, time: last };
  });
  timed.sort((a, b) => a.time - b.time); // those of one second stay in the tree's order
  return [
    ...timed.map(({ snapshot }) => ({ name: snapshot.name, snapshot, attachments: snapshot.attachments })),
    { name: "current", attachments },
  ];
}

/** Returns the bases that are attached several times (multi-attach, immutable): only the slot distinguishes their disks. */
function basesAttachedTwice(
  configurations: readonly Configuration[],
  baseOf: (uuid: string) => Medium | undefined,
): Set<Medium> {
  const twice = new Set<Medium>();
  for (const { attachments } of configurations) {
    const once = new Set<Medium>();
    for (const { uuid } of attachments) {
      const base = baseOf(uuid);
      if (base === undefined) continue;
      if (once.has(base)) twice.add(base);
      once.add(base);
    }
  }
  return twice;
}
