/** What stat(2) shows of a file, out of its standard information and what else was found. */
import { setFiletime, type Clock } from "../../../bytes/time.js";
import type { Attributes, NodeType } from "../../filesystem.js";
import type { Medium } from "../medium.js";
import { FileFlag, StandardInformation } from "./standard-information.js";

const SECTOR_SIZE = 512;

/** Windows knows no modes; these are what Linux' own tools expect of a tree of files, and ask for no rights. */
const DIRECTORY_PERMISSIONS = 0o755;
export const FILE_PERMISSIONS = 0o644;
const LINK_PERMISSIONS = 0o777;
const WRITE_BITS = 0o222;

/** What is shown of a file besides its standard information; of a directory its blocks, not the names in its record. */
export interface Shown {
  type: NodeType;
  /** Bytes, both. */
  size: number;
  allocated: number;
  uid?: number;
  gid?: number;
  mode?: number;
  device?: { readonly major: number; readonly minor: number };
}

/** Attributes that can be changed, their times too. */
export type Slate = { -readonly [Field in keyof Attributes]: Attributes[Field] } & {
  accessed: Clock;
  modified: Clock;
  changed: Clock;
  created: Clock;
};

const clock = (): Clock => ({ seconds: 0, nanoseconds: 0 });

/** Attributes of nothing yet, but what all files of the volume have in common. */
export function slateFor({ owner, geometry }: Medium): Slate {
  return {
    type: "file",
    inode: 0,
    permissions: 0,
    linkCount: 0,
    uid: owner.uid,
    gid: owner.gid,
    size: 0,
    allocatedSectors: 0,
    blockSize: geometry.clusterSize,
    accessed: clock(),
    modified: clock(),
    changed: clock(),
    created: clock(),
  };
}

const { flags, createdLow, modifiedLow, changedLow, accessedLow } = StandardInformation.fields;

/** Makes of `slate` the attributes of file `number`, whose standard information is at `at` of `view`. */
export function show(
  slate: Slate,
  number: number,
  linkCount: number,
  view: DataView,
  at: number,
  shown: Shown,
): Attributes {
  const { type, mode } = shown;
  const isReadOnly = type !== "directory" && (view.getUint8(at + flags.offset) & FileFlag.readOnly) !== 0;
  const usual =
    type === "directory" ? DIRECTORY_PERMISSIONS : type === "symlink" ? LINK_PERMISSIONS : FILE_PERMISSIONS;
  slate.type = type;
  slate.inode = number;
  slate.permissions = mode !== undefined ? mode & 0o7777 : isReadOnly ? usual & ~WRITE_BITS : usual;
  // Subdirectories are not counted: 1 says so to those who would rely on it (find).
  slate.linkCount = type === "directory" ? 1 : linkCount;
  if (shown.uid !== undefined) slate.uid = shown.uid;
  if (shown.gid !== undefined) slate.gid = shown.gid;
  slate.size = shown.size;
  slate.allocatedSectors = sectorsOf(shown.allocated);
  if (shown.device !== undefined) slate.device = shown.device;
  setTime(slate.accessed, view, at + accessedLow.offset);
  setTime(slate.modified, view, at + modifiedLow.offset);
  setTime(slate.changed, view, at + changedLow.offset);
  setTime(slate.created, view, at + createdLow.offset);
  return slate;
}

/** Sectors that `allocated` bytes take; a count that is none is not shown. */
export function sectorsOf(allocated: number): number {
  return Number.isSafeInteger(allocated) ? Math.ceil(allocated / SECTOR_SIZE) : 0;
}

function setTime(clock: Clock, view: DataView, at: number): void {
  setFiletime(clock, view.getUint32(at, true), view.getUint32(at + 4, true));
}
