/** Long names out of their parts, short names out of a code page, and entries out of both. */
import { nameFromUtf16 } from "../../bytes/utf16.js";
import { CorruptError } from "../../errors.js";
import { SLOT_SIZE, type Entry, type EntryParser } from "../clusters/directory.js";
import type { CodePage } from "./codepage.js";
import { Attribute, Case, First, LongNameRecord, EntryRecord, NAME_SIZE, slotKind } from "./entry.js";

/** LDIR_Ord: this slot, the first of the name's, has its last part. */
const LAST_PART = 0x40;
const PART_UNITS = 13;
const LONGEST_NAME = 255;

/** A parser of a directory's slots. `file` is what complaints call the volume. */
export function entryParser(file: string, page: CodePage): EntryParser {
  let long: LongName | undefined;
  let isEnd = false;
  let problem: CorruptError | undefined;

  return {
    get isEnd() {
      return isEnd;
    },
    get problem() {
      return problem;
    },
    skip() {
      long = undefined;
    },
    take(bytes, at, slot, offset): Entry | undefined {
      const kind = slotKind(bytes, at);
      if (kind === "name") {
        long = nextPart(long, bytes, at, slot);
        return undefined;
      }
      const complete = long?.left === 0 ? long : undefined;
      long = undefined; // whatever else this slot is: parts that do not lead up to their file are orphans
      isEnd ||= kind === "end";
      if (kind !== "file") return undefined;
      const raw = bytes.subarray(at, at + NAME_SIZE);
      const short = shortName(page, raw, bytes[at + EntryRecord.fields.caseFlags.offset]!);
      if (short === undefined) {
        problem ??= nameError(file, offset, raw);
        return undefined;
      }
      const name = complete?.checksum === checksumOf(raw) ? longName(complete) : undefined;
      const isDirectory = (bytes[at + EntryRecord.fields.attributes.offset]! & Attribute.directory) !== 0;
      return {
        id: offset / SLOT_SIZE,
        type: isDirectory ? "directory" : "file",
        ...(name === undefined ? { name: short, slot } : { name, alias: short, slot: complete!.slot }),
        nextSlot: slot + 1,
      };
    },
  };
}

const SPACE = 0x20;

/** Parts of a long name, which are stored from the last to the first. */
interface LongName {
  /** Of the first that was seen. */
  readonly slot: number;
  /** Of the short name that they belong to. */
  readonly checksum: number;
  /** Parts that are still to come. */
  readonly left: number;
  readonly parts: readonly Buffer[];
}

/** What the parts are together with the one at `at`; undefined where that belongs to no name. */
function nextPart(long: LongName | undefined, bytes: Buffer, at: number, slot: number): LongName | undefined {
  const { order, checksum, name1, name2, name3 } = LongNameRecord.view(bytes, at);
  const part = Buffer.concat([name1, name2, name3]);
  if ((order & LAST_PART) !== 0) {
    const count = order & ~LAST_PART;
    if (count === 0 || count > Math.ceil(LONGEST_NAME / PART_UNITS)) return undefined;
    return { slot, checksum, left: count - 1, parts: [part] };
  }
  if (long?.left !== order || order === 0 || checksum !== long.checksum) return undefined;
  return { ...long, left: order - 1, parts: [part, ...long.parts] };
}

/** The name up to its first NUL; undefined where there is none, or more than there can be. */
function longName({ parts }: LongName): Buffer | undefined {
  const units = Buffer.concat(parts);
  let length = 0;
  while (length < units.length && units.readUInt16LE(length) !== 0) length += 2;
  if (length === 0 || length > LONGEST_NAME * 2) return undefined;
  return nameFromUtf16(units.subarray(0, length));
}

/** Source: Microsoft FAT specification (2005), section 7.2, ChkSum. */
export function checksumOf(name: Uint8Array): number {
  let sum = 0;
  for (const byte of name) sum = (((sum & 1) << 7) + (sum >>> 1) + byte) & 0xff;
  return sum;
}

/** "README.TXT" out of "README  TXT"; undefined where there is nothing, or a control character. */
function shortName(page: CodePage, raw: Buffer, caseFlags: number): Buffer | undefined {
  const base = trimmed(raw.subarray(0, 8));
  if (base[0] === First.e5) base[0] = 0xe5;
  const extension = trimmed(raw.subarray(8));
  if (base.length + extension.length === 0 || hasControl(base) || hasControl(extension)) return undefined;
  const lowerBase = (caseFlags & Case.lowerBase) !== 0;
  const lowerExtension = (caseFlags & Case.lowerExtension) !== 0;
  if (extension.length === 0) return page.name(base, lowerBase);
  const parts = [page.name(base, lowerBase), Buffer.from("."), page.name(extension, lowerExtension)];
  return Buffer.concat(parts);
}

function hasControl(bytes: Buffer): boolean {
  return bytes.some((byte) => byte < SPACE);
}

/** A copy without the spaces at its end; mtools fills up with NULs, too, which end it for Linux as well. */
export function trimmed(bytes: Buffer): Buffer {
  const end = bytes.indexOf(0);
  let length = end < 0 ? bytes.length : end;
  while (length > 0 && bytes[length - 1] === SPACE) length--;
  return Buffer.from(bytes.subarray(0, length));
}

function nameError(file: string, offset: number, raw: Buffer): CorruptError {
  const found = raw.toString("hex");
  return new CorruptError({
    file,
    offset,
    thing: "the name of a directory entry",
    found,
    expected: "characters",
  });
}
