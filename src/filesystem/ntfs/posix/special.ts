/** Files that are neither regular files nor directories: by a reparse point, or in the form of Interix (Services for UNIX). */
import { read } from "../../../extent/read.js";
import { AttributeFlag, Type } from "../mft/attribute.js";
import { contentsOf } from "../data/contents.js";
import { linuxMetadata } from "./extended-attribute.js";
import { findAttribute, readAll } from "../mft/file.js";
import type { Medium, NtfsFile } from "../medium.js";
import { nfsNode } from "./nfs.js";
import { pathOf } from "./paths.js";
import { parseReparse, REPARSE_SIZE_LIMIT, Tag, type Reparse } from "./reparse.js";
import { FileFlag } from "./standard-information.js";

export interface Device {
  readonly major: number;
  readonly minor: number;
}

export type Special =
  /** A link whose target is a POSIX path. */
  | { readonly kind: "posixLink"; readonly target: Buffer }
  /** A link of Windows, to a file or a directory. */
  | { readonly kind: "windowsLink"; readonly reparse: Reparse }
  | { readonly kind: "appExecLink"; readonly reparse: Reparse }
  | { readonly kind: "fifo" | "socket" }
  | { readonly kind: "block" | "character"; readonly device: Device }
  /** Compressed as a whole by the Windows Overlay Filter. */
  | { readonly kind: "wof"; readonly reparse: Reparse }
  /** A tag that is not supported: data may be elsewhere. */
  | { readonly kind: "unknown"; readonly reparse: Reparse };

/** The reparse point of `file`, if it has one. */
export async function reparseOf(medium: Medium, file: NtfsFile): Promise<Reparse | undefined> {
  const attribute = await findAttribute(medium, file, Type.reparsePoint);
  if (attribute === undefined) return undefined;
  const bytes = await readAll(medium, attribute, REPARSE_SIZE_LIMIT);
  return parseReparse(bytes, file.record.number, medium.volume.name);
}

/** The kind of `file`, whose flags are `flags`; undefined for a regular file or a directory. */
export async function specialOf(medium: Medium, file: NtfsFile, flags: number): Promise<Special | undefined> {
  if ((flags & FileFlag.reparsePoint) !== 0) {
    const reparse = await reparseOf(medium, file);
    if (reparse !== undefined) return specialByTag(medium, file, reparse);
  }
  if (file.record.isDirectory || (flags & FileFlag.system) === 0) return undefined;
  return interixSpecial(medium, file, flags);
}

async function specialByTag(medium: Medium, file: NtfsFile, reparse: Reparse): Promise<Special | undefined> {
  switch (reparse.tag) {
    case Tag.symlink:
    case Tag.mountPoint:
      return { kind: "windowsLink", reparse };
    case Tag.wslSymlink:
      return { kind: "posixLink", target: Buffer.from(reparse.data.subarray(4)) };
    case Tag.appExecLink:
      return { kind: "appExecLink", reparse };
    case Tag.wslFifo:
      return { kind: "fifo" };
    case Tag.wslSocket:
      return { kind: "socket" };
    case Tag.wslBlock:
    case Tag.wslCharacter: {
      const { device = { major: 0, minor: 0 } } = await linuxMetadata(medium, file);
      return { kind: reparse.tag === Tag.wslBlock ? "block" : "character", device };
    }
    case Tag.wof:
      return { kind: "wof", reparse };
    case Tag.nfs:
      return nfsNode(reparse.data) ?? { kind: "unknown", reparse };
    default:
      return file.record.isDirectory ? undefined : { kind: "unknown", reparse };
  }
}

/** The first eight bytes of Interix' links and devices. Source: ntfs-3g layout.h, INTX_FILE. */
const LINK_MAGIC = Buffer.from("IntxLNK\x01", "latin1");
const BLOCK_MAGIC = Buffer.from("IntxBLK\x00", "latin1");
const CHARACTER_MAGIC = Buffer.from("IntxCHR\x00", "latin1");
const MAGIC_SIZE = 8;
/** Interix has neither. */
const PACKED_FLAGS = AttributeFlag.compression | AttributeFlag.encrypted;
/** Magic, then the two numbers of the device, 64 bits each. */
const DEVICE_SIZE = 24;
/** Characters of a target at most: PATH_MAX. */
const TARGET_LIMIT = 4096;

/** Interix sets the system flag: an empty file with it is a FIFO, and one of one byte a socket, unless it is hidden. */
async function interixSpecial(medium: Medium, file: NtfsFile, flags: number): Promise<Special | undefined> {
  const attribute = await findAttribute(medium, file, Type.data);
  if (attribute === undefined || (attribute.first.flags & PACKED_FLAGS) !== 0) return undefined;
  const source = contentsOf(medium, attribute);
  const isHidden = (flags & FileFlag.hidden) !== 0;
  if (source.size <= 1) return isHidden ? undefined : { kind: source.size === 0 ? "fifo" : "socket" };
  if (source.size <= MAGIC_SIZE || source.size > MAGIC_SIZE + 2 * TARGET_LIMIT) return undefined;
  const bytes = await read(source, 0, source.size);
  const magic = bytes.subarray(0, MAGIC_SIZE);
  if (magic.equals(LINK_MAGIC) && bytes.length % 2 === 0) {
    return { kind: "posixLink", target: pathOf(bytes.toString("utf16le", MAGIC_SIZE)) };
  }
  const isBlock = magic.equals(BLOCK_MAGIC);
  if (bytes.length !== DEVICE_SIZE || (!isBlock && !magic.equals(CHARACTER_MAGIC))) return undefined;
  const device = { major: bytes.readUInt32LE(MAGIC_SIZE), minor: bytes.readUInt32LE(MAGIC_SIZE + 8) };
  return { kind: isBlock ? "block" : "character", device };
}
