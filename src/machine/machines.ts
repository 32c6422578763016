/** All machines of all hypervisors, and the one that is meant by a name. */
import { MissingError } from "../errors.js";
import type { FindImages } from "../image/registry.js";
import type { Hypervisor, MachineList } from "./hypervisor.js";
import { choiceList } from "./choice-list.js";
import type { Machine } from "./machine.js";
import { virtualBox } from "./virtualbox/virtualbox.js";

/** The hypervisors whose configuration is read. */
export const hypervisors: readonly Hypervisor[] = [virtualBox];

/** The machines of the user who runs this. What cannot be read is a warning; the others are listed all the same. */
export async function listMachines(): Promise<MachineList> {
  const lists = await Promise.all(hypervisors.map((hypervisor) => hypervisor.listMachines()));
  return {
    machines: lists.flatMap(({ machines }) => machines),
    media: lists.flatMap(({ media }) => media),
    warnings: lists.flatMap(({ warnings }) => warnings),
  };
}

/**
 * The machine whose name or UUID is `wanted`, or that `wanted`, a path, describes.
 * @param list the machines that there are, where that is known already.
 * @throws {MissingError} where there is none, or where several are called so; it lists them.
 */
export async function findMachine(wanted: string, list?: MachineList): Promise<Machine> {
  const described = await openConfiguration(wanted);
  if (described !== undefined) return described;
  const all = list ?? (await listMachines());
  const [found, ...others] = machinesNamed(all.machines, wanted);
  if (found === undefined) throw noMachine(all, wanted);
  if (others.length > 0) {
    throw new MissingError({
      file: wanted,
      thing: `several machines are called so: ${choiceList([found, ...others].map(describe))}`,
      hint: "name the one that is meant by its UUID or its path",
    });
  }
  return found;
}

/** The machine that the file `path` describes, where it is called like a configuration file. */
export async function openConfiguration(path: string): Promise<Machine | undefined> {
  return hypervisors.find((hypervisor) => hypervisor.isConfiguration(path))?.openMachine(path);
}

/** What the machine of an image has registered, whichever hypervisor's it is. */
export const findImages: FindImages = async (image) => {
  const found = await Promise.all(hypervisors.map((hypervisor) => hypervisor.findImages(image)));
  return {
    folders: found.flatMap(({ folders }) => folders),
    images: found.flatMap(({ images }) => images),
    warnings: found.flatMap(({ warnings }) => warnings),
  };
};

/** Of `machines`, those called `wanted`: by UUID, by name, or by name in another case. */
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

/** The UUID that `text` is, lower case, without braces; undefined where it is something else. */
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
      ? "no machine was found at all"
      : `no machine is called so; there are: ${choiceList(names)}`;
  return new MissingError({ file: wanted, thing, hint: ["see vdisk list", ...warnings].join("; ") });
}
