/** Formats a machine for `--list`, with or without `--verbose`, one fact in a line. */
import { printSentence } from "../../bytes/text.js";
import type { Machine, Medium } from "../../machine/machine.js";
import { imagesOf, nameOf, problemOf, stateOf, statesByImage } from "./images.js";
import { scaledSize } from "./size.js";

const RULE = "-".repeat(65);

/** A line of a listing. A line without a value is left out. */
type Field = readonly [label: string, value: string | undefined];

/** Formats `machine` with its images; if `isVerbose`, with all details. */
export function longEntry(machine: Machine, isVerbose: boolean, written: ReadonlySet<string>): string {
  const { name, uuid, description, path, problem } = machine;
  const head = isVerbose
    ? fields("", 11, [
        ["VM Name", `"${name}"`],
        ["UUID", uuid],
        ["Desc", description],
        ["Path", path],
        ["Error", problem],
      ])
    : fields("", 6, [
        ["VM", name],
        ["UUID", uuid],
        ["Error", problem],
      ]);
  const states = isVerbose ? statesByImage(machine) : new Map<string, string>();
  const disks = imagesOf(machine).map((images) => {
    const entries = images.map(({ medium, level }) => {
      const description = medium.description ?? states.get(medium.uuid);
      const entry =
        level === 0
          ? baseEntry(medium, description, isVerbose, written)
          : childEntry(medium, description, isVerbose);
      return `${entry}\n`;
    });
    return `\n${entries.join("")}`;
  });
  return `${RULE}\n${head}${disks.join("")}\n`;
}

function baseEntry(
  medium: Medium,
  description: string | undefined,
  isVerbose: boolean,
  written: ReadonlySet<string>,
): string {
  const { uuid, path, location, format = "", type = "normal" } = medium;
  const details: Field[] = [
    ["Path", path ?? location],
    ["Format", format],
    ["Size", sizeOf(medium)],
    ["State", stateOf(medium, written)],
    ["Type", type],
  ];
  return fields("    ", 9, [
    ["Image", nameOf(medium)],
    ["Desc", description],
    ["UUID", uuid],
    ...(isVerbose ? details : []),
    ["Error", problemOf(medium)],
  ]);
}

function childEntry(medium: Medium, description: string | undefined, isVerbose: boolean): string {
  const { uuid, path, location } = medium;
  const verbosely = (value: string): string | undefined => (isVerbose ? value : undefined);
  return fields("         ", 10, [
    ["Snapshot", uuid],
    ["Name", verbosely(nameOf(medium))],
    ["Desc", verbosely(description ?? "")],
    ["Size", sizeOf(medium)],
    ["Path", verbosely(path ?? location)],
    ["Error", problemOf(medium)],
  ]);
}

function sizeOf({ fileSize = 0 }: Medium): string {
  return scaledSize(fileSize);
}

/** Formats `rows` with all values in one column. */
function fields(indent: string, width: number, rows: readonly Field[]): string {
  return rows
    .filter(([, value]) => value !== undefined)
    .map(([label, value]) => `${indent}${`${label}: `.padEnd(width)}${printSentence(value!)}`)
    .map((line) => `${line.trimEnd()}\n`)
    .join("");
}
