/**
 * vdisk as a library: open a disk at any state of its chain, read its bytes, its partitions and its files.
 *
 *     const disk = await openDisk("web.vdi");
 *     const { id } = await findNode(disk, "/etc/os-release", true);
 *     const file = await disk.tree.open(id);
 *     console.log((await read(file, 0, file.size)).toString());
 *     await disk.close();
 */
export {
  CorruptError,
  DeniedError,
  DiskError,
  HostError,
  MissingError,
  UnsupportedError,
  type Complaint,
  type DiskErrorCode,
} from "./errors.js";
export type { Timestamp } from "./bytes/time.js";
export { printName, parseName } from "./bytes/text.js";
export type { Storage } from "./storage/storage.js";
export type { BlockSource, Extent, PackedUnit } from "./extent/extent.js";
export { mapAll, mapPieces } from "./extent/mapping.js";
export { read, readInto } from "./extent/read.js";
export { Interrupted, type StopSignal } from "./extent/time-slice.js";
export type { Identity, Image, ImageState, Layer, ParentReference } from "./image/image.js";
export type { DiskState } from "./machine/machine.js";
export type { Volume, VolumeTable } from "./volume/volume.js";
export type {
  Attributes,
  FileSystem,
  FileSystemFacts,
  FileSystemOptions,
  NodeId,
  NodeTree,
  NodeType,
  Usage,
} from "./filesystem/filesystem.js";
export type { DirectoryPage, PageOptions } from "./filesystem/page.js";
export { entriesIn, listEntries, pagesOf, type DirectoryEntry } from "./filesystem/entries.js";
export { openDisk, type Disk, type OpenOptions } from "./tree/disk.js";
export type { Part } from "./tree/part.js";
export { findNode, type Found } from "./tree/path.js";
