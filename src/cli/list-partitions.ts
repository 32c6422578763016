/** Prints the partitions of a disk, for `vdisk list IMAGE`. */
import { printSentence } from "../bytes/text.js";
import type { Disk } from "../tree/disk.js";
import type { Part } from "../tree/part.js";
import { columns, formatSize, printText } from "./output.js";

const HEADINGS = ["name", "boot", "start", "sectors", "size", "offset", "type", "file system", "label"];

/** The image with its base, and a line for each partition. Starts and counts are in sectors of the partition table. */
export function partitionsText(disk: Disk): string {
  const { layers, source, table, parts } = disk;
  const [top, ...below] = layers;
  const base = below.at(-1);
  const topUuid = top!.image.identity?.uuid;
  const uuid = table.uuid === undefined ? "" : `, ${table.uuid}`;
  const heading = columns([
    ["image", printSentence(top!.image.files[0].location)],
    ...(base === undefined ? [] : [["base", printSentence(base.image.files[0].location)]]),
    ...(topUuid === undefined ? [] : [["uuid", topUuid]]),
    ["size", `${formatSize(source.size)} (${source.size} bytes)`],
    ["table", table.kind === "none" ? "none" : `${table.kind.toUpperCase()}${uuid}`],
  ]);
  const rows = parts.map((part) => {
    const { name, boot, start, sectors, size, offset, type, fileSystem, label } = factsOf(part, disk);
    const known = fileSystem ?? contentsText(part);
    return [
      name,
      boot ? "*" : "",
      start,
      sectors,
      formatSize(size),
      offset,
      type,
      known,
      printText(label ?? ""),
    ];
  });
  return `${heading}\n${columns([HEADINGS, ...rows])}`;
}

/** Describes a partition without a file system that vdisk shows. */
export function contentsText({ problem, bug, contents }: Part): string {
  if (problem !== undefined || bug !== undefined) return "cannot be read";
  return contents === undefined || contents === "swap" ? (contents ?? "") : `${contents}, not read`;
}

export function partitionsJson(disk: Disk): unknown {
  const { layers, source, table, parts } = disk;
  return {
    image: layers[0]!.image.files[0].location,
    base: layers.at(-1)!.image.files[0].location,
    uuid: layers[0]!.image.identity?.uuid,
    size: source.size,
    table: { kind: table.kind, uuid: table.uuid, sectorSize: table.sectorSize },
    partitions: parts.map((part) => factsOf(part, disk)),
  };
}

function factsOf({ volume, fileSystem, contents }: Part, { table: { sectorSize } }: Disk) {
  const { index, number, offset, source, type, typeName, bootable, uuid } = volume;
  return {
    name: `vol${index}`,
    number,
    boot: bootable,
    start: offset / sectorSize,
    sectors: source.size / sectorSize,
    size: source.size,
    offset,
    type: typeName,
    typeId: type,
    uuid,
    fileSystem: fileSystem?.facts.type,
    contents,
    label: (fileSystem?.facts.label ?? "") === "" ? volume.label : fileSystem?.facts.label,
  };
}
