/** What stat(2) shows of a file, out of its standard information and what else was found. */
import { fromFiletime, type Timestamp } from "../../bytes/time.js";
import type { Attributes, NodeType } from "../filesystem.js";
import type { Medium } from "./medium.js";
import { FileFlag, StandardInformation } from "./standard.js";

const SECTOR_SIZE = 512;

/** Windows knows no modes; these are what Linux' own tools expect of a tree of files, and ask for no rights. */
const DIRECTORY_PERMISSIONS = 0o755;
export const FILE_PERMISSIONS = 0o644;
const LINK_PERMISSIONS = 0o777;
const WRITE_BITS = 0o222;

/** What is shown of a file besides its standard information; of a directory its blocks, not the names in its record. */
export interface Shown {
  readonly type: NodeType;
  /** Bytes, both. */
  readonly size: number;
  readonly allocated: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mode?: number;
  readonly device?: { readonly major: number; readonly minor: number };
}

/** The attributes of file `number`, whose standard information is at `at` of `view`. */
export function shownAs(
  medium: Medium,
  number: number,
  linkCount: number,
  view: DataView,
  at: number,
  shown: Shown,
): Attributes {
  const { type, mode, device } = shown;
  const { flags, createdLow, modifiedLow, changedLow, accessedLow } = StandardInformation.fields;
  const isReadOnly = type !== "directory" && (view.getUint8(at + flags.offset) & FileFlag.readOnly) !== 0;
  const usual =
    type === "directory" ? DIRECTORY_PERMISSIONS : type === "symlink" ? LINK_PERMISSIONS : FILE_PERMISSIONS;
  const attributes: Attributes = {
    type,
    inode: number,
    permissions: mode !== undefined ? mode & 0o7777 : isReadOnly ? usual & ~WRITE_BITS : usual,
    // Subdirectories are not counted: 1 says so to those who would rely on it (find).
    linkCount: type === "directory" ? 1 : linkCount,
    uid: shown.uid ?? medium.owner.uid,
    gid: shown.gid ?? medium.owner.gid,
    size: shown.size,
    allocatedSectors: sectorsOf(shown.allocated),
    blockSize: medium.geometry.clusterSize,
    accessed: timeAt(view, at + accessedLow.offset),
    modified: timeAt(view, at + modifiedLow.offset),
    changed: timeAt(view, at + changedLow.offset),
    created: timeAt(view, at + createdLow.offset),
  };
  return device === undefined ? attributes : { ...attributes, device };
}

/** Sectors that `allocated` bytes take; a count that is none is not shown. */
export function sectorsOf(allocated: number): number {
  return Number.isSafeInteger(allocated) ? Math.ceil(allocated / SECTOR_SIZE) : 0;
}

/** Most files have two times or three that are the same, and share them with their neighbours. */
let last = { low: 0, high: 0, time: fromFiletime(0, 0) };

function timeAt(view: DataView, at: number): Timestamp {
  const low = view.getUint32(at, true);
  const high = view.getUint32(at + 4, true);
  if (low !== last.low || high !== last.high) last = { low, high, time: fromFiletime(low, high) };
  return last.time;
}
