/** Reparse points, which make a file a link, for example. Source: [MS-FSCC] 2.1.2; ntfs-3g reparse.c. */
import { struct, u16le, u32le } from "../../../bytes/struct.js";
import { CorruptError } from "../../../errors.js";

export const ReparseHeader = struct("NTFS reparse point", 8, {
  tag: u32le(0x00),
  length: u16le(0x04), // bytes of data behind this header
});

/** Where the names of a link lie, from the end of this record on; a mount point has no flags. */
export const LinkHeader = struct("NTFS link", 8, {
  targetOffset: u16le(0x00), // of the name that the kernel follows
  targetLength: u16le(0x02), // bytes
  shownOffset: u16le(0x04), // of the name that Windows displays
  shownLength: u16le(0x06), // bytes
});

/** [MS-FSCC] 2.1.2.1. */
export const Tag = {
  mountPoint: 0xa0000003,
  symlink: 0xa000000c,
  wslSymlink: 0xa000001d,
  wslSocket: 0x80000023,
  wslFifo: 0x80000024,
  wslCharacter: 0x80000025,
  wslBlock: 0x80000026,
  appExecLink: 0x8000001b,
  wof: 0x80000017,
  nfs: 0x80000014,
} as const;

/** Descriptions of further tags, for error messages. */
const TAG_NAMES: Readonly<Record<number, string>> = {
  0x80000006: "kept by hierarchical storage",
  0x80000007: "kept once for many files (SIS)",
  0x80000013: "deduplicated",
  0x80000014: "of an NFS server",
  0x80000018: "of a Windows container",
  0x8000001e: "kept elsewhere by Azure File Sync",
  0x80000021: "kept by OneDrive",
  0x9000001c: "projected by an application",
  0xc0000004: "kept by hierarchical storage",
};
/** OneDrive and similar programs: the third digit is the number of the provider. */
const CLOUD_MASK = 0xffff0fff;
const CLOUD = 0x9000001a;

/** Bytes of the largest (MAXIMUM_REPARSE_DATA_BUFFER_SIZE). */
export const REPARSE_SIZE_LIMIT = 16 * 2 ** 10 + ReparseHeader.size + 16;

/** The bit of Microsoft's own tags; other tags are followed by a GUID. */
const MICROSOFT = 0x80000000;
const GUID_SIZE = 16;

export interface Reparse {
  readonly tag: number;
  /** The bytes behind the header. */
  readonly data: Buffer;
}

/** A link to a path of Windows. */
export interface WindowsLink {
  /** As Windows follows it: `\??\C:\Users`, `..\here`. UTF-16 in a string. */
  readonly target: string;
  /** As Windows displays it: `C:\Users`. */
  readonly shown: string;
}

/** @throws {CorruptError} if `bytes`, which belong to file `number`, are not a reparse point. */
export function parseReparse(bytes: Buffer, number: number, file: string): Reparse {
  const { tag, length } = ReparseHeader.view(bytes, 0, `${file} file ${number}`);
  const start = ReparseHeader.size + (tag < MICROSOFT ? GUID_SIZE : 0);
  if (start + length > bytes.length) {
    throw new CorruptError({
      file,
      thing: `the reparse point of file ${number}`,
      found: `${length} bytes long`,
      expected: `at most ${bytes.length - start}`,
    });
  }
  return { tag, data: bytes.subarray(start, start + length) };
}

/** The names of a symbolic link or a mount point. @throws {CorruptError} if they are not within it. */
export function parseLink({ tag, data }: Reparse, number: number, file: string): WindowsLink {
  const link = LinkHeader.view(data, 0, `${file} file ${number}`);
  const start = LinkHeader.size + (tag === Tag.symlink ? 4 : 0);
  const text = (offset: number, length: number): string => {
    if (start + offset + length > data.length || length % 2 !== 0) {
      throw new CorruptError({
        file,
        thing: `the link of file ${number}`,
        found: `${length} bytes at ${offset}`,
        expected: `within its ${data.length}`,
      });
    }
    return data.toString("utf16le", start + offset, start + offset + length);
  };
  return {
    target: text(link.targetOffset, link.targetLength),
    shown: text(link.shownOffset, link.shownLength),
  };
}

/** The program that an application's execution alias starts: the third of its names. */
export function parseAppExecLink({ data }: Reparse): string | undefined {
  return data.toString("utf16le", 4, data.length - (data.length % 2)).split("\0")[2];
}

/** The title of a tag in messages: `0x80000013 (deduplicated)`. */
export function describeTag(tag: number): string {
  const name = nameOfTag(tag);
  return `0x${tag.toString(16)}${name === undefined ? "" : ` (${name})`}`;
}

/** Whether a file with the tag keeps its size, so that an empty file has no contents elsewhere either. */
export function keepsSize(tag: number): boolean {
  return tag !== Tag.nfs && nameOfTag(tag) !== undefined;
}

function nameOfTag(tag: number): string | undefined {
  return (tag & CLOUD_MASK) >>> 0 === CLOUD ? "kept in a cloud" : TAG_NAMES[tag];
}
