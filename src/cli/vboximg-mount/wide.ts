/** Formats a machine for the table of `--list --wide`. */
import { printSentence } from "../../bytes/text.js";
import type { Machine } from "../../machine/machine.js";
import { imagesOf, nameOf, stateOf, type Nested } from "./images.js";
import { scaledSize } from "./size.js";

export const WIDE_HEADING =
  "\nVM  Image                             Size   Type          State  UUID (hierarchy)\n";

const RULE = `${"-".repeat(65)}  ${"-".repeat(36)}`;

/** The width of the name column, and the column where a machine's UUID begins. */
const NAME_WIDTH = 32;
const UUID_AT = 67;

/** Formats `machine` with its images as a tree. The column Type has the image's format. */
export function wideEntry(machine: Machine, written: ReadonlySet<string>): string {
  const disks = imagesOf(machine);
  const rows = disks.flatMap((images, index) => {
    const isLast = index === disks.length - 1;
    return [" |", ...images.map((image) => imageRow(image, isLast, written))];
  });
  if (machine.problem !== undefined) rows.push(" |", ` +- ${printSentence(machine.problem)}`);
  const head = `${printSentence(machine.name).padEnd(NAME_WIDTH)} `.padEnd(UUID_AT) + machine.uuid;
  return `${[RULE, head.trimEnd(), ...rows, ""].join("\n")}\n`;
}

function imageRow({ medium, level }: Nested, isLast: boolean, written: ReadonlySet<string>): string {
  const isBase = level === 0;
  const branch = isBase ? " +-" : isLast ? "   " : " | ";
  const name = isBase ? printSentence(nameOf(medium)) : "+- <snapshot>";
  const size = scaledSize(medium.fileSize ?? 0).padStart(7);
  const format = printSentence(medium.format ?? "").padEnd(9);
  const state = stateOf(medium, written).padStart(9);
  return `${branch} ${name.padEnd(NAME_WIDTH)} ${size}  ${format} ${state} ${" ".repeat(level * 2)} ${medium.uuid}`;
}
