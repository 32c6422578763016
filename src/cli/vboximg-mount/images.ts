/** Facts about a machine's images for the listings. */
import { basename, win32 } from "node:path";
import { withDescendants } from "../../machine/descendants.js";
import type { DiskState, Machine, MachineDisk, Medium } from "../../machine/machine.js";
import { usersOf } from "../../storage/users.js";

/** An image of a disk, and how far it is from the base. */
export interface Nested {
  readonly medium: Medium;
  /** 0: the base. */
  readonly level: number;
}

/** Returns the images of each disk of `machine`, each before its children. A base that several disks share is listed once. */
export function imagesOf({ disks }: Machine): Nested[][] {
  const bases = new Map<string, Medium>();
  for (const disk of disks) {
    const base = disk.base ?? unregistered(disk);
    if (base !== undefined && !bases.has(base.uuid)) bases.set(base.uuid, base);
  }
  return [...bases.values()].map(nested);
}

function nested(base: Medium): Nested[] {
  const found: Nested[] = [];
  const pending: Nested[] = [{ medium: base, level: 0 }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    found.push(next);
    const level = next.level + 1;
    for (const medium of next.medium.children.toReversed()) pending.push({ medium, level });
  }
  return found;
}

/** Describes the image of a disk that is not registered. */
function unregistered({ states }: MachineDisk): Medium | undefined {
  const newest = states.at(-1);
  if (newest === undefined) return undefined;
  const { imageUuid: uuid, image: path } = newest;
  const location = path ?? UNREGISTERED;
  return {
    uuid,
    kind: "disk",
    location,
    ...(path !== undefined && { path }),
    isEncrypted: false,
    children: [],
  };
}

const UNREGISTERED = "(not registered)";

/** The name of an image in VirtualBox: that of its file. */
export function nameOf({ path, location }: Medium): string {
  return path === undefined ? win32.basename(location) : basename(path); // win32 accepts both kinds of slash
}

/** Returns the paths of images of `machines` that another program writes to. */
export function writtenImages(machines: readonly Machine[]): ReadonlySet<string> {
  const images = machines.flatMap(imagesOf).flat();
  return new Set(usersOf(images.flatMap(({ medium }) => medium.path ?? [])).map(({ path }) => path));
}

/** The state of an image in VirtualBox's terms. Images below one that is `written` are locked for reading. */
export function stateOf({ path, children }: Medium, written: ReadonlySet<string>): string {
  if (path === undefined) return "no access";
  if (written.size === 0) return "created";
  const isWritten = (medium: Medium): boolean => medium.path !== undefined && written.has(medium.path);
  return written.has(path) ? "wlock" : withDescendants(children).some(isWritten) ? "rlock" : "created";
}

/** Returns why an image cannot be mounted; undefined if it can. */
export function problemOf({ path, location, isEncrypted }: Medium): string | undefined {
  if (path !== undefined) return isEncrypted ? "it is encrypted, which vdisk does not read" : undefined;
  return location === UNREGISTERED ? "no medium with this UUID is registered" : `no such file: ${location}`;
}

/** Returns, by an image's UUID, the states of the machine that it shows: `snapshot "Before update"`, `current state`. */
export function statesByImage({ disks }: Machine): Map<string, string> {
  const shown = new Map<string, string>();
  for (const state of disks.flatMap((disk) => disk.states)) {
    const before = shown.get(state.imageUuid);
    shown.set(state.imageUuid, before === undefined ? inWords(state) : `${before}, ${inWords(state)}`);
  }
  return shown;
}

function inWords({ isCurrent, name }: DiskState): string {
  return isCurrent ? "current state" : `snapshot "${name}"`;
}
