/** The machines of all hypervisors, and finding one by its name. */
import { MissingError } from "../errors.js";
import type { FindImages } from "../image/registry.js";
import type { Hypervisor, MachineList } from "./hypervisor.js";
import { choiceList } from "./choice-list.js";
import type { Machine } from "./machine.js";
import { virtualBox } from "./virtualbox/virtualbox.js";

/** The hypervisors whose configuration is read. */
export const hypervisors: readonly Hypervisor[] = [virtualBox];

/** Returns the current user's machines. What cannot be read is a warning, and does not affect the others. */
export async function listMachines(): Promise<MachineList> {
  const lists = await Promise.all(hypervisors.map((hypervisor) => hypervisor.listMachines()));
  return {
    machines: lists.flatMap(({ machines }) => machines),
    media: lists.flatMap(({ media }) => media),
    warnings: lists.flatMap(({ warnings }) => warnings),
  };
}

/**
 * Returns the machine whose name, UUID or configuration file is `wanted`.
 * @param list all machines, if they have been read already.
 * @throws {MissingError} if no machine or several machines match; the message lists them.
 */
export async function findMachine(wanted: string, list?: MachineList): Promise<Machine> {
  const byConfiguration = await openConfiguration(wanted);
  if (byConfiguration !== undefined) return byConfiguration;
  const all = list ?? (await listMachines());
  const [found, ...others] = machinesNamed(all.machines, wanted);
  if (found === undefined) throw noMachine(all, wanted);
  if (others.length > 0) {
    throw new MissingError({
      file: wanted,
      thing: `several machines have this name: ${choiceList([found, ...others].map(describe))}`,
      hint: "use the UUID or the path of one of them",
    });
  }
  return found;
}

/** Reads the machine whose configuration file is `path`; undefined if `path` is not named like a configuration file. */
export async function openConfiguration(path: string): Promise<Machine | undefined> {
  return hypervisors.find((hypervisor) => hypervisor.isConfiguration(path))?.openMachine(path);
}

/** Returns the folders and images that the owner of `image` has registered, whatever the hypervisor. */
export const findImages: FindImages = async (image) => {
  const found = await Promise.all(hypervisors.map((hypervisor) => hypervisor.findImages(image)));
  return {
    folders: found.flatMap(({ folders }) => folders),
    images: found.flatMap(({ images }) => images),
    warnings: found.flatMap(({ warnings }) => warnings),
  };
};

/** Returns the machines whose UUID is `wanted`; if there are none, those with that name; if there are none, ignoring case. */
export function machinesNamed(machines: readonly Machine[], wanted: string): readonly Machine[] {
  const uuid = parseUuid(wanted);
  const lower = wanted.toLowerCase();
  const ways: ((machine: Machine) => boolean)[] = [
    (machine) => machine.uuid === uuid,
    (machine) => machine.name === wanted,
    (machine) => machine.name.toLowerCase() === lower,
  ];
  return ways.map((way) => machines.filter(way)).find((found) => found.length > 0) ?? [];
}

/** Returns `text` as a UUID, lower case and without braces; undefined if it is not a UUID. */
export function parseUuid(text: string): string | undefined {
  const uuid = text.replace(/^\{(.*)\}$/, "$1").toLowerCase();
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(uuid) ? uuid : undefined;
}

function describe({ name, uuid, path }: Machine): string {
  return `${JSON.stringify(name)} {${uuid}} ${path}`;
}

function noMachine({ machines, warnings }: MachineList, wanted: string): MissingError {
  const names = machines.map(({ name }) => JSON.stringify(name));
  const thing =
    names.length === 0
      ? "no machine was found"
      : `no machine has this name or UUID; the machines are: ${choiceList(names)}`;
  return new MissingError({ file: wanted, thing, hint: ["see vdisk list", ...warnings].join("; ") });
}
