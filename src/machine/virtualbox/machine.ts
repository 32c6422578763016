/** Builds a `Machine` from its settings and the files of its media. */
import { basename, dirname } from "node:path";
import type { Machine, Medium, Snapshot } from "../machine.js";
import { disksOf } from "./disks.js";
import type { LoadedSettings } from "./load.js";
import { locateMedia } from "./locate.js";
import { withDescendants } from "../descendants.js";
import { choiceList } from "../choice-list.js";
import type { MachineSettings, SnapshotSettings } from "./settings.js";

export const NAME = "VirtualBox";

/** Returns the base of the medium `uuid` from the registry of all machines, or of another machine. */
export type FindBase = (uuid: string) => Medium | undefined;

/** @param findBase is called for media that are attached, but not registered with the machine itself. */
export function machineOf({ file, settings, warnings }: LoadedSettings, findBase: FindBase): Machine {
  const media = locateMedia(settings.media, dirname(file));
  const unknown: string[] = [];
  for (const uuid of unregistered(settings)) {
    const base = findBase(uuid);
    if (base === undefined) unknown.push(uuid);
    else if (!media.includes(base)) media.push(base);
  }
  const { uuid, name, description, state, currentSnapshot, snapshot, problem } = settings;
  return {
    hypervisor: NAME,
    name: name === "" ? nameOf(file) : name,
    uuid,
    ...(description !== undefined && { description }),
    path: file,
    state,
    snapshots: snapshot === undefined ? [] : [snapshotOf(snapshot)],
    ...(currentSnapshot !== undefined && { currentSnapshot }),
    disks: disksOf(settings, media),
    media,
    warnings: unknown.length === 0 ? warnings : [...warnings, `${file}: ${unregisteredText(unknown)}`],
    ...(problem !== undefined && { problem, problemCode: "UNSUPPORTED" as const }),
  };
}

/** The name of a machine whose settings cannot be read: VirtualBox names the file after the machine. */
export function nameOf(file: string): string {
  return basename(file).replace(/\.(vbox|xml)$/i, "");
}

/** Returns the UUIDs of media that are attached in any state, but not registered with the machine itself. */
export function unregistered({ media, attachments, snapshot }: MachineSettings): string[] {
  const registered = new Set(withDescendants(media).map(({ uuid }) => uuid));
  const states = [{ attachments }, ...(snapshot === undefined ? [] : withDescendants([snapshot]))];
  const attached = new Set(states.flatMap((state) => state.attachments.map(({ uuid }) => uuid)));
  return [...attached].filter((uuid) => !registered.has(uuid));
}

function unregisteredText(uuids: readonly string[]): string {
  const media = choiceList(uuids.map((uuid) => `{${uuid}}`));
  return uuids.length === 1
    ? `the medium ${media} is attached, but not registered`
    : `${uuids.length} media are attached, but not registered: ${media}`;
}

function snapshotOf({ uuid, name, description, taken, isOnline, children }: SnapshotSettings): Snapshot {
  return {
    uuid,
    name,
    ...(description !== undefined && { description }),
    ...(taken !== undefined && { taken }),
    isOnline,
    children: children.map(snapshotOf),
  };
}
