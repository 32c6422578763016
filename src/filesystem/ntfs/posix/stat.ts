/** A file's attributes, as stat(2) shows them. */
import { viewOf } from "../../../bytes/struct.js";
import { blankAttributes, type Attributes, type NodeType } from "../../attributes.js";
import { AttributeFlag, nonResident, residentValue, Type, type AttributeRecord } from "../mft/attribute.js";
import { linuxMetadata } from "./extended-attribute.js";
import { findAttribute } from "../mft/file.js";
import type { Links } from "./links.js";
import type { Medium, NtfsFile } from "../medium.js";
import { keepsSize, ReparseHeader } from "./reparse.js";
import { FILE_PERMISSIONS, sectorsOf, setStat } from "./stat-fields.js";
import { specialOf, type Device, type Special } from "./special.js";
import { StandardInformation, standardInformation } from "./standard-information.js";
import { WOF_STREAM } from "../data/wof.js";

const NAMES_INDEX = "$I30";

/** The attributes of any file. */
export async function attributesOf(medium: Medium, file: NtfsFile, links: Links): Promise<Attributes> {
  const { record } = file;
  const information = standardInformation(record, medium.volume.name);
  const flags = information.readUInt32LE(StandardInformation.fields.flags.offset);
  const special = await specialOf(medium, file, flags);
  const { uid, gid, mode } = await linuxMetadata(medium, file);
  const { size, allocated } = await bodyOf(medium, file, special);
  const kind = await kindOf(file, special, links);
  const attributes = blankAttributes();
  const fields = { linkCount: record.linkCount, size, allocated, uid, gid, mode, ...kind };
  setStat(attributes, medium, record.number, fields, viewOf(information), 0);
  return attributes;
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
  const allocatedSectors = sectorsOf(allocated);
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
  if (special?.kind === "unknown" && sizes.size === 0 && !keepsSize(special.reparse.tag)) {
    // It must not look empty: programs do not read empty files, and would not notice that this one cannot be read.
    return { size: ReparseHeader.size + special.reparse.data.length, allocated: sizes.allocated };
  }
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
