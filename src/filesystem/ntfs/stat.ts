/** A file's attributes, as stat(2) shows them. */
import { fromFiletime } from "../../bytes/time.js";
import type { Attributes, NodeType } from "../filesystem.js";
import {
  AttributeFlag,
  nonResident,
  residentValue,
  Type,
  type AttributeRecord,
  type FileRecord,
} from "./attribute.js";
import { linuxMetadata } from "./ea.js";
import { findAttribute } from "./file.js";
import type { Links } from "./links.js";
import type { Medium, NtfsFile } from "./medium.js";
import { specialOf, type Device, type Special } from "./special.js";
import { FileFlag, StandardInformation, standardInformation } from "./standard.js";
import { WOF_STREAM } from "./wof.js";

const NAMES_INDEX = "$I30";
const SECTOR_SIZE = 512;

/** Windows knows no modes; these are what Linux' own tools expect of a tree of files, and ask for no rights. */
const DIRECTORY_PERMISSIONS = 0o755;
const FILE_PERMISSIONS = 0o644;
const LINK_PERMISSIONS = 0o777;
const WRITE_BITS = 0o222;

/** What is shown of a file (of a directory its blocks, but not the names in its record) besides what its standard information says. */
interface Shown {
  readonly type: NodeType;
  /** Bytes, both. */
  readonly size: number;
  readonly allocated: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mode?: number;
  readonly device?: Device;
}

/**
 * The attributes of most files, out of their base record alone; undefined where that does not tell.
 * @throws {CorruptError} where it is damaged.
 */
export function plainAttributes(medium: Medium, record: FileRecord): Attributes | undefined {
  const file = medium.volume.name;
  let body: AttributeRecord | undefined;
  for (const attribute of record.attributes) {
    const { type, name } = attribute;
    if (type === Type.attributeList || type === Type.extendedAttributes) return undefined;
    const isBody = record.isDirectory
      ? type === Type.indexAllocation && name === NAMES_INDEX
      : type === Type.data && name === "";
    if (isBody) body = attribute;
  }
  const information = standardInformation(record, file);
  const flags = information.readUInt32LE(StandardInformation.fields.flags.offset);
  if ((flags & FileFlag.reparsePoint) !== 0) return undefined;
  if ((flags & FileFlag.system) !== 0 && !record.isDirectory) return undefined;
  if (body === undefined && record.damage !== undefined) throw record.damage;
  return shownAs(medium, record, information, {
    type: record.isDirectory ? "directory" : "file",
    ...sizesOf(body, file),
  });
}

/** The attributes of any file. */
export async function attributesOf(medium: Medium, file: NtfsFile, links: Links): Promise<Attributes> {
  const { record } = file;
  const plain = file.list === undefined ? plainAttributes(medium, record) : undefined;
  if (plain !== undefined) return plain;
  const information = standardInformation(record, medium.volume.name);
  const flags = information.readUInt32LE(StandardInformation.fields.flags.offset);
  const special = await specialOf(medium, file, flags);
  const { uid, gid, mode } = await linuxMetadata(medium, file);
  const body = await bodyOf(medium, file, special);
  return shownAs(medium, record, information, {
    ...(uid !== undefined && { uid }),
    ...(gid !== undefined && { gid }),
    ...(mode !== undefined && { mode }),
    ...body,
    ...(await kindOf(file, special, links)),
  });
}

/** The attributes of a named stream of a file whose own are `owner`. */
export function streamAttributes(
  medium: Medium,
  owner: Attributes,
  first: AttributeRecord,
  inode: number,
): Attributes {
  const { size, allocated } = sizesOf(first, medium.volume.name);
  const permissions = owner.type === "directory" ? FILE_PERMISSIONS : owner.permissions;
  const allocatedSectors = Math.ceil(allocated / SECTOR_SIZE);
  return { ...owner, type: "file", inode, permissions, linkCount: 1, size, allocatedSectors };
}

async function bodyOf(
  medium: Medium,
  file: NtfsFile,
  special: Special | undefined,
): Promise<{ size: number; allocated: number }> {
  const volume = medium.volume.name;
  if (file.record.isDirectory) {
    return sizesOf((await findAttribute(medium, file, Type.indexAllocation, NAMES_INDEX))?.first, volume);
  }
  const data = await findAttribute(medium, file, Type.data);
  const sizes = sizesOf(data?.first, volume);
  if (special?.kind !== "wof") return sizes;
  const packed = await findAttribute(medium, file, Type.data, WOF_STREAM);
  return { size: sizes.size, allocated: sizesOf(packed?.first, volume).allocated };
}

async function kindOf(
  file: NtfsFile,
  special: Special | undefined,
  links: Links,
): Promise<{ type: NodeType; size?: number; device?: Device }> {
  const target = special && (await links.targetOf(file, special));
  if (target !== undefined) return { type: "symlink", size: target.length };
  switch (special?.kind) {
    case "fifo":
    case "socket":
      return { type: special.kind };
    case "block":
    case "character":
      return { type: special.kind, device: special.device };
    default:
      return { type: file.record.isDirectory ? "directory" : "file" };
  }
}

function sizesOf(attribute: AttributeRecord | undefined, file: string): { size: number; allocated: number } {
  if (attribute === undefined) return { size: 0, allocated: 0 };
  if (attribute.isResident) {
    const size = residentValue(attribute, file).length;
    return { size, allocated: Math.ceil(size / 8) * 8 };
  }
  const head = nonResident(attribute, file);
  const isPacked = (attribute.flags & (AttributeFlag.compression | AttributeFlag.sparse)) !== 0;
  return { size: head.dataSize, allocated: isPacked ? head.storedSize : head.allocatedSize };
}

function shownAs(medium: Medium, record: FileRecord, information: Buffer, shown: Shown): Attributes {
  const { type, mode, size, allocated, device } = shown;
  const time = StandardInformation.view(information);
  const isReadOnly = (time.flags & FileFlag.readOnly) !== 0 && type !== "directory";
  const usual =
    type === "directory" ? DIRECTORY_PERMISSIONS : type === "symlink" ? LINK_PERMISSIONS : FILE_PERMISSIONS;
  return {
    type,
    inode: record.number,
    permissions: mode !== undefined ? mode & 0o7777 : isReadOnly ? usual & ~WRITE_BITS : usual,
    // Subdirectories are not counted: 1 says so to those who would rely on it (find).
    linkCount: type === "directory" ? 1 : record.linkCount,
    uid: shown.uid ?? medium.owner.uid,
    gid: shown.gid ?? medium.owner.gid,
    size,
    allocatedSectors: Number.isSafeInteger(allocated) ? Math.ceil(allocated / SECTOR_SIZE) : 0,
    blockSize: medium.geometry.clusterSize,
    ...(device && { device }),
    accessed: fromFiletime(time.accessedLow, time.accessedHigh),
    modified: fromFiletime(time.modifiedLow, time.modifiedHigh),
    changed: fromFiletime(time.changedLow, time.changedHigh),
    created: fromFiletime(time.createdLow, time.createdHigh),
  };
}
