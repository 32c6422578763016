/** Machines as text: each with its disks and its tree of snapshots. */
import { win32 } from "node:path";
import { printSentence } from "../bytes/text.js";
import type { Timestamp } from "../bytes/time.js";
import { withDescendants } from "../machine/descendants.js";
import type { MachineList } from "../machine/hypervisor.js";
import type { DiskState, Machine, MachineDisk, Medium, Snapshot } from "../machine/machine.js";
import { printUser, type FileUser } from "../storage/users.js";
import type { ImageFacts } from "./list-json.js";
import { formatLocalTime } from "./listing.js";
import { columns, formatSize, printText } from "./output.js";

export function machinesText(
  { machines, media }: MachineList,
  facts: ImageFacts,
  isVerbose: boolean,
): string {
  if (machines.length === 0 && media.length === 0) return "no machine was found\n";
  const sections = machines.map((machine) => machineText(machine, facts, isVerbose));
  if (media.length > 0) sections.push(`registered with no machine\n${mediaText(media)}`);
  return sections.join("\n");
}

function machineText(machine: Machine, { sizes, users }: ImageFacts, isVerbose: boolean): string {
  const { name, uuid, path, problem, disks, media, warnings } = machine;
  let text = columns([[printText(name), uuid === "" ? "" : `{${printText(uuid)}}`, stateOf(machine, users)]]);
  if (problem !== undefined) return `${text}  ${printSentence(problem)}\n`;
  if (isVerbose) {
    text += `  ${printSentence(path)}\n`;
    if (machine.description !== undefined) text += `  ${printText(machine.description)}\n`;
  }
  text += columns(disks.map((disk, index) => diskRow(disk, index, sizes)));
  if (isVerbose) text += mediaText(media);
  text += snapshotsText(machine, isVerbose);
  text += warnings.map((warning) => `  ${printSentence(warning)}\n`).join("");
  return text;
}

/** The state in the settings, or who uses the disks: the settings do not contain whether the machine runs. */
function stateOf({ state, disks }: Machine, users: readonly FileUser[]): string {
  const images = disks.map(({ states }) => states.at(-1)!.image);
  const programs = users.filter(({ path }) => images.includes(path)).map(printUser);
  return programs.length === 0 ? state : `in use by ${printText([...new Set(programs)].join(", "))}`;
}

function diskRow({ slot, base, states }: MachineDisk, index: number, sizes: ImageFacts["sizes"]): string[] {
  const newest = states.at(-1)!;
  const images = base === undefined ? [] : withDescendants([base]);
  const size = sizes.get(newest.image ?? "");
  const stored = images.reduce((sum, { fileSize = 0 }) => sum + fileSize, 0);
  const missing = images.filter(({ path }) => path === undefined).length;
  return [
    `  disk ${index}`,
    printText(slot),
    fileOf(base, newest),
    size === undefined ? "" : formatSize(size),
    `${formatSize(stored)} on the host`,
    [
      newest.isCurrent ? "" : "of a snapshot only",
      base === undefined || base.type === "normal" ? "" : printText(base.type ?? ""),
      base?.isEncrypted === true ? "encrypted" : "",
      base === undefined || newest.image === undefined ? "missing" : "",
      missing === 0 ? "" : `${missing} of ${images.length} images missing`,
    ]
      .filter(Boolean)
      .join(", "),
  ];
}

/** Returns the file name of the disk's base: those of newer images are only UUIDs. */
function fileOf(base: Medium | undefined, { imageUuid }: DiskState): string {
  return base === undefined ? `{${printText(imageUuid)}}` : printText(win32.basename(base.location));
}

/** The tree of snapshots with their times; the current state is marked at its place. */
function snapshotsText({ snapshots, currentSnapshot }: Machine, isVerbose: boolean): string {
  const rows: string[][] = [];
  const add = (all: readonly Snapshot[], indent: string): void => {
    for (const { uuid, name, taken, isOnline, description, children } of all) {
      const details = isVerbose ? [`{${printText(uuid)}}`, printText(description ?? "")] : [];
      const texts = [printText(name), isOnline ? "(taken while it ran)" : "", ...details].filter(Boolean);
      rows.push([`    ${when(taken)}`, indent + texts.join("  ")]);
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
        `    ${"  ".repeat(depth)}{${printText(uuid)}}`,
        printText(format ?? ""),
        fileSize === undefined ? "" : formatSize(fileSize),
        state.map(printText).filter(Boolean).join(", "),
        printSentence(path ?? location),
      ]);
      add(children, depth + 1);
    }
  };
  add(media, 0);
  return columns(rows);
}

const HEADINGS = ["machine", "disk", "state", "taken", "size", "format", "uuid", "image"];

/** A table with one line for each state of each disk. */
export function wideText({ machines }: MachineList): string {
  const rows = machines.flatMap(({ name, uuid, problem, disks, media }) => {
    if (problem !== undefined) {
      return [[printText(name), "", "inaccessible", "", "", "", printText(uuid), printSentence(problem)]];
    }
    const known = new Map(withDescendants(media).map((medium) => [medium.uuid, medium]));
    return disks.flatMap(({ slot, states }) =>
      states.map((at) => {
        const medium = known.get(at.imageUuid);
        const size = medium?.fileSize === undefined ? "" : formatSize(medium.fileSize);
        const image = at.image ?? "missing";
        return [
          printText(name),
          printText(slot),
          printText(at.name),
          when(at.taken),
          size,
          printText(medium?.format ?? ""),
          printText(at.imageUuid),
          printSentence(image),
        ];
      }),
    );
  });
  return columns([HEADINGS, ...rows]);
}
