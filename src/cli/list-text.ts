/** Machines for people: each with its disks and its tree of snapshots. */
import { win32 } from "node:path";
import { printSentence } from "../bytes/text.js";
import type { Timestamp } from "../bytes/time.js";
import { withDescendants } from "../machine/descendants.js";
import type { MachineList } from "../machine/hypervisor.js";
import type { DiskState, Machine, MachineDisk, Medium, Snapshot } from "../machine/machine.js";
import { printUser, type FileUser } from "../storage/users.js";
import type { Known } from "./list-json.js";
import { formatLocalTime } from "./listing.js";
import { columns, formatSize, shown } from "./output.js";

export function machinesText({ machines, media }: MachineList, known: Known, isVerbose: boolean): string {
  if (machines.length === 0 && media.length === 0) return "no machine was found\n";
  const sections = machines.map((machine) => machineText(machine, known, isVerbose));
  if (media.length > 0) sections.push(`registered with no machine\n${mediaText(media)}`);
  return sections.join("\n");
}

function machineText(machine: Machine, { sizes, users }: Known, isVerbose: boolean): string {
  const { name, uuid, path, problem, disks, media, warnings } = machine;
  let text = columns([[shown(name), uuid === "" ? "" : `{${shown(uuid)}}`, stateOf(machine, users)]]);
  if (problem !== undefined) return `${text}  ${printSentence(problem)}\n`;
  if (isVerbose) {
    text += `  ${printSentence(path)}\n`;
    if (machine.description !== undefined) text += `  ${shown(machine.description)}\n`;
  }
  text += columns(disks.map((disk, index) => diskRow(disk, index, sizes)));
  if (isVerbose) text += mediaText(media);
  text += snapshotsText(machine, isVerbose);
  text += warnings.map((warning) => `  ${printSentence(warning)}\n`).join("");
  return text;
}

/** A machine that runs does not write that down: what has its disks open tells. */
function stateOf({ state, disks }: Machine, users: readonly FileUser[]): string {
  const images = disks.map(({ states }) => states.at(-1)!.image);
  const programs = users.filter(({ path }) => images.includes(path)).map(printUser);
  return programs.length === 0 ? state : `in use by ${shown([...new Set(programs)].join(", "))}`;
}

function diskRow({ slot, base, states }: MachineDisk, index: number, sizes: Known["sizes"]): string[] {
  const newest = states.at(-1)!;
  const images = base === undefined ? [] : withDescendants([base]);
  const size = sizes.get(newest.image ?? "");
  const stored = images.reduce((sum, { fileSize = 0 }) => sum + fileSize, 0);
  const missing = images.filter(({ path }) => path === undefined).length;
  return [
    `  disk ${index}`,
    shown(slot),
    fileOf(base, newest),
    size === undefined ? "" : formatSize(size),
    `${formatSize(stored)} on the host`,
    [
      newest.isCurrent ? "" : "of a snapshot only",
      base === undefined || base.type === "normal" ? "" : shown(base.type ?? ""),
      base?.isEncrypted === true ? "encrypted" : "",
      base === undefined || newest.image === undefined ? "missing" : "",
      missing === 0 ? "" : `${missing} of ${images.length} images missing`,
    ]
      .filter(Boolean)
      .join(", "),
  ];
}

/** A disk is called as its base: newer images have but a UUID for a name. */
function fileOf(base: Medium | undefined, { imageUuid }: DiskState): string {
  return base === undefined ? `{${shown(imageUuid)}}` : shown(win32.basename(base.location));
}

/** The tree, each with when it was taken; where the current state hangs, it is marked. */
function snapshotsText({ snapshots, currentSnapshot }: Machine, isVerbose: boolean): string {
  const rows: string[][] = [];
  const add = (all: readonly Snapshot[], indent: string): void => {
    for (const { uuid, name, taken, isOnline, description, children } of all) {
      const details = isVerbose ? [`{${shown(uuid)}}`, shown(description ?? "")] : [];
      const told = [shown(name), isOnline ? "(taken while it ran)" : "", ...details].filter(Boolean);
      rows.push([`    ${when(taken)}`, indent + told.join("  ")]);
      add(children, `${indent}  `);
      if (uuid === currentSnapshot) rows.push(["", `${indent}  * current`]);
    }
  };
  add(snapshots, "");
  return rows.length === 0 ? "" : `  snapshots\n${columns(rows)}`;
}

function when(taken: Timestamp | undefined): string {
  return taken === undefined ? "" : formatLocalTime(taken);
}

function mediaText(media: readonly Medium[]): string {
  const rows: string[][] = [];
  const add = (all: readonly Medium[], depth: number): void => {
    for (const { uuid, kind, location, path, fileSize, format, type, isEncrypted, children } of all) {
      const state = [
        kind === "disk" ? (type ?? "") : kind,
        isEncrypted ? "encrypted" : "",
        path === undefined ? "missing" : "",
      ];
      rows.push([
        `    ${"  ".repeat(depth)}{${shown(uuid)}}`,
        shown(format ?? ""),
        fileSize === undefined ? "" : formatSize(fileSize),
        state.map(shown).filter(Boolean).join(", "),
        printSentence(path ?? location),
      ]);
      add(children, depth + 1);
    }
  };
  add(media, 0);
  return columns(rows);
}

const HEADINGS = ["machine", "disk", "state", "taken", "size", "format", "uuid", "image"];

/** One line for each state of each disk. */
export function wideText({ machines }: MachineList): string {
  const rows = machines.flatMap(({ name, uuid, problem, disks, media }) => {
    if (problem !== undefined) {
      return [[shown(name), "", "inaccessible", "", "", "", shown(uuid), printSentence(problem)]];
    }
    const known = new Map(withDescendants(media).map((medium) => [medium.uuid, medium]));
    return disks.flatMap(({ slot, states }) =>
      states.map((at) => {
        const medium = known.get(at.imageUuid);
        const size = medium?.fileSize === undefined ? "" : formatSize(medium.fileSize);
        const image = at.image ?? "missing";
        return [
          shown(name),
          shown(slot),
          shown(at.name),
          when(at.taken),
          size,
          shown(medium?.format ?? ""),
          shown(at.imageUuid),
          printSentence(image),
        ];
      }),
    );
  });
  return columns([HEADINGS, ...rows]);
}
