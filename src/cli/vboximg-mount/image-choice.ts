/** Finds the image that `--image` names: a file, or an image of a machine. */
import { stat } from "node:fs/promises";
import { MissingError, whenHostFails } from "../../errors.js";
import type { MachineList } from "../../machine/hypervisor.js";
import type { Machine, Medium } from "../../machine/machine.js";
import { choiceList } from "../../machine/choice-list.js";
import { machinesNamed, parseUuid } from "../../machine/machines.js";
import { nameOf } from "./images.js";

/**
 * Returns `name` if it is the path of a file, otherwise the UUID of an image from `list`: the image with that UUID or file name,
 * the image of the snapshot with that UUID, or the current image of the machine with that UUID or name. For a machine
 * that cannot be read, returns its settings file, so that opening it reports why. `list` is called only if no such file exists.
 * @throws {MissingError} if no image or several images match; the message lists them.
 */
export async function findImage(name: string, list: () => Promise<MachineList>): Promise<string> {
  if (name.includes("/") || (await isFile(name))) return name;
  return registeredImage(name, await list());
}

async function isFile(path: string): Promise<boolean> {
  const stats = await stat(path).catch(whenHostFails(undefined));
  return stats !== undefined && !stats.isDirectory();
}

function registeredImage(name: string, { machines, media }: MachineList): string {
  const called = machinesNamed(machines, name);
  const alone = named(disksIn(media), name).map((medium) => [medium.uuid, describe(medium)] as const);
  const found = new Map([
    ...machines.flatMap((machine) => candidates(machine, name, called.includes(machine))),
    ...alone,
  ]);
  const [only, ...others] = found.keys();
  if (only === undefined) {
    const unreadable = called.find(({ problem }) => problem !== undefined);
    if (unreadable !== undefined) return unreadable.path;
    throw new MissingError({
      file: name,
      thing: "no such file, and no machine has an image or a snapshot with this name or UUID",
      hint: "vboximg-mount --list --verbose lists all",
    });
  }
  if (others.length > 0) {
    throw new MissingError({
      file: name,
      thing: `several images match: ${choiceList([...found.values()])}`,
      hint: "use the UUID or the path of one of them",
    });
  }
  return only;
}

/** Returns the images of `machine` that `name` may mean: their UUIDs, and their descriptions for an error message. */
function candidates(
  { name: machine, disks, media }: Machine,
  name: string,
  hasThatName: boolean,
): [uuid: string, description: string][] {
  const key = parseUuid(name);
  const images = disksIn([...media, ...disks.flatMap(({ base }) => base ?? [])]);
  const shown = disks
    .flatMap(({ states }) => states)
    .filter(({ uuid, isCurrent }) => (uuid !== undefined && uuid === key) || (hasThatName && isCurrent));
  const uuids = [...named(images, name).map(({ uuid }) => uuid), ...shown.map(({ imageUuid }) => imageUuid)];
  return uuids.map((uuid) => {
    const medium = images.find((image) => image.uuid === uuid) ?? { uuid, location: "not registered" };
    return [uuid, `${describe(medium)} of ${JSON.stringify(machine)}`];
  });
}

function named(images: readonly Medium[], name: string): Medium[] {
  const key = parseUuid(name);
  return images.filter((medium) => medium.uuid === key || nameOf(medium) === name);
}

function describe({ uuid, path, location }: Pick<Medium, "uuid" | "path" | "location">): string {
  return `${uuid} (${path ?? location})`;
}

/** Returns all hard disks among `media`, with their descendants. */
function disksIn(media: readonly Medium[]): Medium[] {
  const all = media.filter(({ kind }) => kind === "disk");
  for (let at = 0; at < all.length; at++) all.push(...all[at]!.children); // the loop goes on to these
  return all;
}
