/** Which image `--image` means: a file, or what the machines have under that UUID or name. */
import { stat } from "node:fs/promises";
import { MissingError, whenHostFails } from "../../errors.js";
import type { MachineList } from "../../machine/hypervisor.js";
import type { Machine, Medium } from "../../machine/machine.js";
import { choiceList } from "../../machine/choice-list.js";
import { machinesNamed, parseUuid } from "../../machine/machines.js";
import { nameOf } from "./images.js";

/**
 * What `name` means: the path of a file as it is, else the UUID of an image. Only where there is no such file, `list` is
 * asked for: it has an image by its UUID or its file's name, a snapshot by its UUID, a machine's disk as it is now by
 * the machine's UUID or name. A machine of which nothing is known is its settings file: that says why.
 * @throws {MissingError} when there is none, or more than one; it lists them.
 */
export async function imageMeant(name: string, list: () => Promise<MachineList>): Promise<string> {
  if (name.includes("/") || (await isFile(name))) return name;
  return registeredImage(name, await list());
}

async function isFile(path: string): Promise<boolean> {
  const stats = await stat(path).catch(whenHostFails(undefined));
  return stats !== undefined && !stats.isDirectory();
}

function registeredImage(name: string, { machines, media }: MachineList): string {
  const called = machinesNamed(machines, name);
  const alone = named(disksIn(media), name).map((medium) => [medium.uuid, tell(medium)] as const);
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
      thing: "no such file, and no machine has an image or a snapshot of this name or UUID",
      hint: "vboximg-mount --list --verbose shows them",
    });
  }
  if (others.length > 0) {
    throw new MissingError({
      file: name,
      thing: `several images are meant by this: ${choiceList([...found.values()])}`,
      hint: "name one by its UUID or its path",
    });
  }
  return only;
}

/** The images of `machine` that `name` may mean: their UUIDs, and what a complaint says of them. */
function candidates(
  { name: machine, disks, media }: Machine,
  name: string,
  isCalledSo: boolean,
): [uuid: string, told: string][] {
  const key = parseUuid(name);
  const images = disksIn([...media, ...disks.flatMap(({ base }) => base ?? [])]);
  const shown = disks
    .flatMap(({ states }) => states)
    .filter(({ uuid, isCurrent }) => (uuid !== undefined && uuid === key) || (isCalledSo && isCurrent));
  const uuids = [...named(images, name).map(({ uuid }) => uuid), ...shown.map(({ imageUuid }) => imageUuid)];
  return uuids.map((uuid) => {
    const medium = images.find((image) => image.uuid === uuid) ?? { uuid, location: "registered nowhere" };
    return [uuid, `${tell(medium)} of ${JSON.stringify(machine)}`];
  });
}

function named(images: readonly Medium[], name: string): Medium[] {
  const key = parseUuid(name);
  return images.filter((medium) => medium.uuid === key || nameOf(medium) === name);
}

function tell({ uuid, path, location }: Pick<Medium, "uuid" | "path" | "location">): string {
  return `${uuid} (${path ?? location})`;
}

/** All hard disks among `media`, and what is built on them. */
function disksIn(media: readonly Medium[]): Medium[] {
  const all = media.filter(({ kind }) => kind === "disk");
  for (let at = 0; at < all.length; at++) all.push(...all[at]!.children); // and on to those, as they come
  return all;
}
