/** Makes entries of slots: long names from their parts, short names from a code page. */
import { nameFromUtf16 } from "../../bytes/utf16.js";
import { SLOT_SIZE, type EntryParser } from "../fat-common/directory.js";
import type { CodePage } from "./codepage.js";
import { Attribute, Case, First, LongNameRecord, EntryRecord, NAME_SIZE, slotKind } from "./entry.js";

/** LDIR_Ord: the slot has the last part of the name, which is stored first. */
const LAST_PART = 0x40;
const PART_UNITS = 13;
const LONGEST_NAME = 255;

/**
 * A parser of a directory's slots. It skips what Linux skips silently: parts of long names that belong to no entry, and
 * entries without any name (fs/fat/dir.c, __fat_readdir). Control characters are shown, as there.
 */
export function entryParser(page: CodePage): EntryParser {
  let long: LongName | undefined;
  let isEnd = false;

  return {
    get isEnd() {
      return isEnd;
    },
    skip() {
      long = undefined;
    },
    take(bytes, at, slot, offset, entries) {
      const kind = slotKind(bytes, at);
      if (kind === "name") {
        long = nextPart(long, bytes, at, slot);
        return;
      }
      const complete = long?.left === 0 ? long : undefined;
      long = undefined; // parts of a long name count only directly before their file
      isEnd ||= kind === "end";
      if (kind !== "file") return;
      const raw = bytes.subarray(at, at + NAME_SIZE);
      const short = shortName(page, raw, bytes[at + EntryRecord.fields.caseFlags.offset]!);
      const name = complete?.checksum === checksumOf(raw) ? longName(complete) : undefined;
      if (name === undefined && short === undefined) return;
      const isDirectory = (bytes[at + EntryRecord.fields.attributes.offset]! & Attribute.directory) !== 0;
      entries.push({
        id: offset / SLOT_SIZE,
        name: (name ?? short)!,
        alias: name === undefined ? undefined : short,
        type: isDirectory ? "directory" : "file",
        slot: name === undefined ? slot : complete!.slot,
        nextSlot: slot + 1,
      });
    },
  };
}

const SPACE = 0x20;

/** Bytes of a short name without its extension. */
const BASE_SIZE = 8;

/** Parts of a long name, which are stored from the last to the first. */
interface LongName {
  /** The slot of the first part. */
  readonly slot: number;
  /** The checksum of the short name that the parts belong to. */
  readonly checksum: number;
  /** Parts that are still missing. */
  readonly left: number;
  readonly parts: readonly Buffer[];
}

/** Adds the part at `at` to `long`; undefined if it does not fit. */
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

/** The name up to its first NUL; undefined if it is empty or too long. */
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

/** "README.TXT" out of "README  TXT"; undefined if the name is empty. */
function shortName(page: CodePage, raw: Buffer, caseFlags: number): Buffer | undefined {
  if (isPlain(raw)) return plainName(raw, caseFlags);
  const base = trimmed(raw.subarray(0, BASE_SIZE));
  if (base[0] === First.e5) base[0] = 0xe5;
  const extension = trimmed(raw.subarray(BASE_SIZE));
  if (base.length + extension.length === 0) return undefined;
  const lowerBase = (caseFlags & Case.lowerBase) !== 0;
  const lowerExtension = (caseFlags & Case.lowerExtension) !== 0;
  if (extension.length === 0) return page.name(base, lowerBase);
  const parts = [page.name(base, lowerBase), Buffer.from("."), page.name(extension, lowerExtension)];
  return Buffer.concat(parts);
}

/** Returns true if the name has only letters, digits and a few signs, which are equal in every code page: most names do. */
function isPlain(raw: Buffer): boolean {
  for (let at = 0; at < NAME_SIZE; at++) {
    const byte = raw[at]!;
    const isOneOf = (byte >= DIGIT_0 && byte <= DIGIT_9) || (byte >= LETTER_A && byte <= LETTER_Z);
    if (!isOneOf && byte !== SPACE && byte !== TILDE && byte !== UNDERSCORE && byte !== HYPHEN) return false;
  }
  return true;
}

const [HYPHEN, DIGIT_0, DIGIT_9, LETTER_A, LETTER_Z] = [0x2d, 0x30, 0x39, 0x41, 0x5a];
const [UNDERSCORE, TILDE, DOT, LOWER_CASE] = [0x5f, 0x7e, 0x2e, 0x20];

/** Does what `shortName` does for a plain name, without temporary objects. */
function plainName(raw: Buffer, caseFlags: number): Buffer | undefined {
  let baseLength = BASE_SIZE;
  while (baseLength > 0 && raw[baseLength - 1] === SPACE) baseLength--;
  let length = NAME_SIZE;
  while (length > BASE_SIZE && raw[length - 1] === SPACE) length--;
  const extensionLength = length - BASE_SIZE;
  if (baseLength + extensionLength === 0) return undefined;
  const name = Buffer.allocUnsafe(baseLength + (extensionLength > 0 ? 1 + extensionLength : 0));
  copyCased(raw, 0, baseLength, name, 0, (caseFlags & Case.lowerBase) !== 0);
  if (extensionLength > 0) {
    name[baseLength] = DOT;
    copyCased(raw, BASE_SIZE, length, name, baseLength + 1, (caseFlags & Case.lowerExtension) !== 0);
  }
  return name;
}

function copyCased(raw: Buffer, from: number, to: number, name: Buffer, at: number, isLower: boolean): void {
  for (let next = from; next < to; next++) {
    const byte = raw[next]!;
    const isLetter = byte >= LETTER_A && byte <= LETTER_Z;
    name[at + next - from] = isLower && isLetter ? byte | LOWER_CASE : byte;
  }
}

/** A copy up to the first NUL and without the spaces at its end; mtools pads names with NULs, and Linux ends them there. */
export function trimmed(bytes: Buffer): Buffer {
  const end = bytes.indexOf(0);
  let length = end < 0 ? bytes.length : end;
  while (length > 0 && bytes[length - 1] === SPACE) length--;
  return Buffer.from(bytes.subarray(0, length));
}
