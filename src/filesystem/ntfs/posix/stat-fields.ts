/** The attributes of a file, from its standard information and from what else its record says. */
import { setFiletime, type Clock } from "../../../bytes/time.js";
import type { MutableAttributes, NodeType } from "../../attributes.js";
import type { Medium } from "../medium.js";
import { FileFlag, StandardInformation } from "./standard-information.js";

const SECTOR_SIZE = 512;

/** Windows has no modes. With these, every user may read everything. */
const DIRECTORY_PERMISSIONS = 0o755;
export const FILE_PERMISSIONS = 0o644;
const LINK_PERMISSIONS = 0o777;
const WRITE_BITS = 0o222;

/** What the attributes of a file are made of besides its standard information. */
export interface StatFields {
  type: NodeType;
  linkCount: number;
  /** Bytes; of a directory, those of its index blocks, without the names in its record. */
  size: number;
  allocated: number;
  uid?: number | undefined;
  gid?: number | undefined;
  mode?: number | undefined;
  device?: { readonly major: number; readonly minor: number } | undefined;
}

/** What all files of a volume have in common. */
export type StatContext = Pick<Medium, "owner" | "geometry">;

const { flags, createdLow, modifiedLow, changedLow, accessedLow } = StandardInformation.fields;

/** Sets `into` to the attributes of the file at record `number`, whose standard information is at `at` of `view`. */
export function setStat(
  into: MutableAttributes,
  { owner, geometry }: StatContext,
  number: number,
  fields: StatFields,
  view: DataView,
  at: number,
): void {
  const { type, mode } = fields;
  const isReadOnly = type !== "directory" && (view.getUint8(at + flags.offset) & FileFlag.readOnly) !== 0;
  const usual =
    type === "directory" ? DIRECTORY_PERMISSIONS : type === "symlink" ? LINK_PERMISSIONS : FILE_PERMISSIONS;
  into.type = type;
  into.inode = number;
  into.permissions = mode !== undefined ? mode & 0o7777 : isReadOnly ? usual & ~WRITE_BITS : usual;
  // Subdirectories are not counted: to programs that rely on the count (find), 1 says so.
  into.linkCount = type === "directory" ? 1 : fields.linkCount;
  into.uid = fields.uid ?? owner.uid;
  into.gid = fields.gid ?? owner.gid;
  into.size = fields.size;
  into.allocatedSectors = sectorsOf(fields.allocated);
  into.blockSize = geometry.clusterSize;
  into.device = fields.device;
  into.flags = undefined;
  setTime(into.accessed, view, at + accessedLow.offset);
  setTime(into.modified, view, at + modifiedLow.offset);
  setTime(into.changed, view, at + changedLow.offset);
  into.created ??= { seconds: 0, nanoseconds: 0 };
  setTime(into.created, view, at + createdLow.offset);
}

/** Sectors that `allocated` bytes take; 0 if the number cannot be right. */
export function sectorsOf(allocated: number): number {
  return Number.isSafeInteger(allocated) ? Math.ceil(allocated / SECTOR_SIZE) : 0;
}

function setTime(clock: Clock, view: DataView, at: number): void {
  setFiletime(clock, view.getUint32(at, true), view.getUint32(at + 4, true));
}
