/** `vdisk info`: prints an image, its chain, its partitions and their file systems. */
import type { CommandModule } from "yargs";
import { printSentence } from "../bytes/text.js";
import type { Layer } from "../image/image.js";
import type { Disk } from "../tree/disk.js";
import type { Part } from "../tree/part.js";
import { diskOptions, markIncomplete, type DiskArguments, withDisk } from "./disk.js";
import { contentsText } from "./list-partitions.js";
import { columns, formatSize, printText, write, writeJson } from "./output.js";

interface Arguments extends DiskArguments {
  json: boolean;
  verbose: boolean;
}

export const info: CommandModule<object, Arguments> = {
  command: "info <image>",
  describe: "Show an image, its chain, its partitions and their file systems",
  builder: (command) =>
    diskOptions(command)
      .option("json", { type: "boolean", default: false, describe: "Print JSON, with all details" })
      .option("verbose", {
        alias: "v",
        type: "boolean",
        default: false,
        describe: "Print all details",
      }) as never,
  // The output contains the warnings, so they are not logged as well.
  handler: (argv) =>
    withDisk({ ...argv, logLevel: argv.logLevel ?? "error" }, async (disk) => {
      await (argv.json ? writeJson(jsonOf(disk)) : write(textOf(disk, argv.verbose)));
      markIncomplete(disk);
    }),
};

function jsonOf(disk: Disk): unknown {
  return {
    path: disk.path,
    size: disk.source.size,
    chain: disk.layers.map((layer) => ({
      path: layer.image.files[0].location,
      ...(layer.image.files.length > 1 && { files: layer.image.files.map(({ location }) => location) }),
      format: layer.image.format,
      variant: layer.variant,
      ...(isSnapshot(layer) && { snapshot: layer.state.name }),
      size: layer.size,
      fileSize: fileSizeOf(layer),
      ...layer.image.identity,
      ...(layer.parent?.identity !== undefined && { parent: layer.parent.identity }),
      details: layer.details,
    })),
    table: { kind: disk.table.kind, uuid: disk.table.uuid, sectorSize: disk.table.sectorSize },
    volumes: disk.parts.map(({ volume, fileSystem, problem, bug, contents }) => ({
      index: volume.index,
      number: volume.number,
      offset: volume.offset,
      size: volume.source.size,
      type: volume.type,
      typeName: volume.typeName,
      bootable: volume.bootable,
      uuid: volume.uuid,
      label: volume.label,
      ...(fileSystem !== undefined && { fileSystem: fileSystem.facts }),
      ...(contents !== undefined && { contents }),
      ...(problem !== undefined && { problem: { code: problem.code, message: problem.message } }),
      ...(bug !== undefined && { problem: { code: "BUG", message: bug.message } }),
    })),
    warnings: disk.warnings,
  };
}

function textOf(disk: Disk, isVerbose: boolean): string {
  const [leaf] = disk.layers;
  const sections = [
    `${printSentence(disk.path)}\n${columns([
      ["  format", formatText(leaf!)],
      ["  size", `${formatSize(disk.source.size)} (${disk.source.size} bytes)`],
    ])}`,
    `chain, the newest first\n${columns(disk.layers.map(layerRow))}`,
    tableText(disk),
  ];
  if (isVerbose) sections.push(...disk.layers.map(layerDetails), ...disk.parts.flatMap(fileSystemDetails));
  if (disk.warnings.length > 0)
    sections.push(`warnings\n${disk.warnings.map((warning) => `  ${printSentence(warning)}\n`).join("")}`);
  return sections.join("\n");
}

/** Bytes of all files of the layer's image. */
function fileSizeOf({ image }: Layer): number {
  return image.files.reduce((sum, { size }) => sum + size, 0);
}

/** Whether the layer is an internal snapshot of its image. */
function isSnapshot({ image, state }: Layer): boolean {
  return state.id !== image.states[0].id;
}

/** `vdi, dynamic`; the variant is not repeated if it is the format's name. */
function formatText(layer: Layer): string {
  const { format } = layer.image;
  return (format === layer.variant ? format : `${format}, ${layer.variant}`) + snapshotText(layer);
}

function snapshotText(layer: Layer): string {
  return isSnapshot(layer) ? `, snapshot "${printText(layer.state.name)}"` : "";
}

function layerRow(layer: Layer): string[] {
  return [
    `  ${printSentence(layer.image.files[0].name)}`,
    formatText(layer),
    `${formatSize(fileSizeOf(layer))} on the host`,
    layer.image.identity?.uuid ?? "",
  ];
}

function tableText({ table, parts }: Disk): string {
  const heading =
    table.kind === "none"
      ? "no partition table"
      : `${table.kind.toUpperCase()} partition table${table.uuid === undefined ? "" : `, ${table.uuid}`}`;
  return `${heading}\n${columns(parts.map(partRow))}`;
}

function partRow(part: Part): string[] {
  const { volume, fileSystem } = part;
  const facts = fileSystem?.facts;
  return [
    `  vol${volume.index}`,
    `at ${volume.offset}`,
    formatSize(volume.source.size),
    [volume.typeName, volume.label && `"${printText(volume.label)}"`, volume.bootable && "(boot)"]
      .filter(Boolean)
      .join(" "),
    facts === undefined ? contentsText(part) : `fs${volume.index}: ${facts.type}`,
    facts?.label ? `"${printText(facts.label)}"` : "",
    facts?.uuid ?? "",
  ];
}

function layerDetails(layer: Layer): string {
  return `${printSentence(layer.image.files[0].name)}\n${detailRows(layer.details)}`;
}

function fileSystemDetails({ volume, fileSystem }: Part): string[] {
  return fileSystem === undefined ? [] : [`fs${volume.index}\n${detailRows(fileSystem.facts.details)}`];
}

function detailRows(details: Readonly<Record<string, unknown>>): string {
  return columns(
    Object.entries(details)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [
        `  ${name}`,
        typeof value === "string" ? printText(value) : JSON.stringify(value),
      ]),
  );
}
