/** Formats the partitions of an image for `vboximg-mount --list --image X`. */
import { basename } from "node:path";
import { printSentence } from "../../bytes/text.js";
import type { Disk } from "../../tree/disk.js";
import { scaledSize } from "./size.js";

/** Terminal codes for bold red, and for normal text. Source: ECMA-48, select graphic rendition. */
const HEADING = "\x1b[1m\x1b[31m";
const RESET = "\x1b[m";

/** A column; columns are two spaces apart. */
interface Column {
  readonly heading: string;
  readonly align: "left" | "right";
}

const COLUMNS: readonly Column[] = [
  { heading: "Partition", align: "left" },
  { heading: "Boot", align: "right" },
  { heading: "Start", align: "right" },
  { heading: "Sectors", align: "left" },
  { heading: "Size", align: "right" },
  { heading: "Offset", align: "right" },
  { heading: "Type", align: "left" },
];

/** The parts of a disk that are listed. */
export type ListedDisk = Pick<Disk, "path" | "layers" | "table">;

/**
 * Formats an image with its base and UUID, and a table of its partitions. Headings are coloured for a terminal. Start and
 * Sectors are in sectors of the partition table. A partition has the name of the base image, with the N of its `volN`.
 */
export function partitionListing({ path, layers, table }: ListedDisk, isTerminal: boolean): string {
  const base = layers.at(-1)!.image.files[0].location;
  const uuid = layers[0]!.image.identity?.uuid;
  const name = printSentence(basename(base));
  const rows = table.volumes.map(({ index, bootable, offset, source, typeName }) => [
    `${name}(${index})`,
    // GPT has no active partition: old firmware uses the protective MBR to boot from such a disk.
    table.kind === "mbr" && bootable ? "*   " : "",
    String(offset / table.sectorSize),
    String(source.size / table.sectorSize),
    scaledSize(source.size),
    String(offset),
    typeName === "" ? "Unknown" : typeName, // a disk without a partition table
  ]);
  return [
    "",
    "Virtual disk image:",
    "",
    `   Base: ${printSentence(base)}`,
    ...(layers.length > 1 ? [`   Diff: ${printSentence(path)}`] : []),
    ...(uuid === undefined ? [] : [`   UUID: ${uuid}`]),
    "",
    ...tableLines(rows, isTerminal),
    "",
    "",
  ].join("\n");
}

function tableLines(rows: readonly (readonly string[])[], isTerminal: boolean): string[] {
  const widths = COLUMNS.map(({ heading }, index) =>
    Math.max(heading.length, ...rows.map((row) => row[index]!.length)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, index) => {
        const width = widths[index]!;
        return COLUMNS[index]!.align === "left" ? cell.padEnd(width) : cell.padStart(width);
      })
      .join("  ")
      .trimEnd();
  const heading = line(COLUMNS.map((column) => column.heading));
  return [isTerminal ? `${HEADING}${heading}${RESET}` : heading, ...rows.map(line)];
}
