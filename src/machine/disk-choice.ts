/** Finds the hard disk of a machine that the user named. */
import { basename, resolve, win32 } from "node:path";
import { MissingError } from "../errors.js";
import { choiceList } from "./choice-list.js";
import type { Machine, MachineDisk, Medium } from "./machine.js";
import { parseUuid } from "./machines.js";

/**
 * Returns the disk of `machine` that `wanted` names: by slot ("SATA 0:0"), by number, or by the UUID or the file name of one
 * of its images. `wanted` may be undefined if the machine has only one disk.
 * @throws {MissingError} if no disk or several disks match; the message lists them.
 */
export function chooseDisk(machine: Machine, wanted: string | undefined): MachineDisk {
  const { disks, path } = machine;
  if (disks.length === 0) throw new MissingError({ file: path, thing: "this machine has no hard disk" });
  if (wanted === undefined) {
    const attached = disks.filter(isAttached);
    const [only, ...others] = attached.length > 0 ? attached : disks;
    if (others.length === 0) return only!;
    const thing = `this machine has several hard disks: ${describeDisks(disks)}`;
    throw new MissingError({ file: path, thing, hint: "choose one with --disk, by its number or its slot" });
  }
  const uuid = parseUuid(wanted);
  const slot = normalizeSlot(wanted);
  const ways: ((disk: MachineDisk, index: number) => boolean)[] = [
    (disk) => uuid !== undefined && hasImage(disk, (image) => image.uuid === uuid),
    (_, index) => wanted === String(index),
    (disk) => normalizeSlot(disk.slot) === slot && isAttached(disk),
    (disk) => normalizeSlot(disk.slot) === slot,
    (disk) => hasImage(disk, ({ place }) => place !== undefined && hasName(place, wanted)),
  ];
  const [found, ...others] = ways.map((way) => disks.filter(way)).find((some) => some.length > 0) ?? [];
  if (found !== undefined && others.length === 0) return found;
  const thing =
    found === undefined
      ? `this machine has no disk ${JSON.stringify(wanted)}; its disks are: ${describeDisks(disks)}`
      : `several disks of this machine match ${JSON.stringify(wanted)}: ${describeDisks(disks)}`;
  throw new MissingError({ file: path, thing, hint: "choose one by its number" });
}

/** Whether `wanted` is the file name of `path`, or the whole path. */
export function hasName(path: string, wanted: string): boolean {
  return win32.basename(path) === wanted || basename(path) === wanted || path === resolve(wanted);
}

/** Whether `disk` is attached in the current state of its machine. */
export function isAttached(disk: MachineDisk): boolean {
  return disk.states.at(-1)?.isCurrent === true;
}

/** Whether `is` returns true for any image of `disk`, including images that no state uses. */
function hasImage(disk: MachineDisk, is: (image: { uuid: string; place?: string }) => boolean): boolean {
  const inTree = ({ uuid, path, location, children }: Medium): boolean =>
    is({ uuid, place: path ?? location }) || children.some(inTree);
  return (
    disk.states.some(({ imageUuid, image }) =>
      is({ uuid: imageUuid, ...(image !== undefined && { place: image }) }),
    ) ||
    (disk.base !== undefined && inTree(disk.base))
  );
}

/** Returns the same text for "SATA Controller 0:0", "SATA:0:0" and "sata-0-0". */
function normalizeSlot(slot: string): string {
  return slot
    .toLowerCase()
    .replace(/\bcontroller\b/, " ")
    .replace(/[\s:-]+/g, " ")
    .trim();
}

function describeDisks(disks: readonly MachineDisk[]): string {
  return choiceList(
    disks.map((disk, index) => {
      const { slot, base, states } = disk;
      const name = base === undefined ? `{${states.at(-1)!.imageUuid}}` : win32.basename(base.location);
      return `${index} (${slot}: ${name}${isAttached(disk) ? "" : ", of a snapshot only"})`;
    }),
  );
}
