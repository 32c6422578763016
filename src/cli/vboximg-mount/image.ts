/** Which image `--image` means: a file, or what the machines have under that UUID or name. */
import { stat } from "node:fs/promises";
import { MissingError } from "../../errors.js";
import type { Machine, Medium } from "../../machine/machine.js";
import { listed, matching, uuidIn } from "../../machine/machines.js";
import { nameOf } from "./images.js";

/**
 * What `name` means: the path of a file as it is, else the UUID of an image. Only where there is no such file, `machines`
 * are asked for: they have an image by its UUID or its file's name, a snapshot by its UUID, a machine's disk as it
 * is now by the machine's UUID or name.
 * @throws {MissingError} when there is none, or more than one; it lists them.
 */
export async function imageMeant(name: string, machines: () => Promise<readonly Machine[]>): Promise<string> {
  if (name.includes("/") || (await isFile(name))) return name;
  return registeredImage(name, await machines());
}

async function isFile(path: string): Promise<boolean> {
  const stats = await stat(path).catch(() => undefined);
  return stats !== undefined && !stats.isDirectory();
}

/** The UUID of the image of `machines` that `name` means. */
function registeredImage(name: string, machines: readonly Machine[]): string {
  const called = matching(machines, name);
  const found = new Map(machines.flatMap((machine) => candidates(machine, name, called.includes(machine))));
  const [only, ...others] = found.keys();
  if (only === undefined) {
    throw new MissingError({
      file: name,
      thing: "no such file, and no machine has an image or a snapshot of this name or UUID",
      hint: "vboximg-mount --list --verbose shows them",
    });
  }
  if (others.length > 0) {
    throw new MissingError({
      file: name,
      thing: `several images are meant by this: ${listed([...found.values()])}`,
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
  const key = uuidIn(name);
  const images = disksIn([...media, ...disks.flatMap(({ base }) => base ?? [])]);
  const named = images.filter((medium) => medium.uuid === key || nameOf(medium) === name);
  const shown = disks
    .flatMap(({ states }) => states)
    .filter(({ uuid, isCurrent }) => (uuid !== undefined && uuid === key) || (isCalledSo && isCurrent));
  return [...named.map(({ uuid }) => uuid), ...shown.map(({ imageUuid }) => imageUuid)].map((uuid) => {
    const medium = images.find((image) => image.uuid === uuid);
    const place = medium?.path ?? medium?.location ?? "registered nowhere";
    return [uuid, `${uuid} (${place}) of ${JSON.stringify(machine)}`];
  });
}

/** All hard disks among `media`, and what is built on them. */
function disksIn(media: readonly Medium[]): Medium[] {
  const all = media.filter(({ kind }) => kind === "disk");
  for (let at = 0; at < all.length; at++) all.push(...all[at]!.children); // and on to those, as they come
  return all;
}
