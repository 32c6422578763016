/** Entry sets: the slots of one file, which share a checksum. */
import { nameFromUtf16 } from "../../bytes/utf16.js";
import { CorruptError } from "../../errors.js";
import { SLOT_SIZE, type Entry, type EntryParser } from "../fat-common/directory.js";
import { damagedEntryName, NO_NODE } from "../damaged-entry.js";
import { checksum16 } from "./boot.js";
import {
  Attribute,
  EntryType,
  FileRecord,
  isInUse,
  isSecondary,
  NAME_UNITS,
  NameRecord,
  SECONDARIES,
  StreamRecord,
} from "./entry.js";

/** An entry set whose checksum is right. */
export interface EntrySet {
  readonly file: FileRecord;
  readonly stream: StreamRecord;
  readonly name: Buffer;
}

/** The bytes of SetChecksum, which are left out of the sum. Source: Microsoft exFAT specification (2019), section 6.3.3. */
const UNCHECKED = [2, 3];

/** The number of slots of the set that begins at `at`. */
export function slotCount(bytes: Buffer, at: number): number {
  return 1 + FileRecord.view(bytes, at).secondaryCount;
}

/** What is wrong with an entry set. */
export interface Complaint {
  readonly thing: string;
  readonly found: number;
  readonly expected: string;
}

function countComplaint(secondaryCount: number): Complaint | undefined {
  const { least, most } = SECONDARIES;
  if (secondaryCount >= least && secondaryCount <= most) return undefined;
  const thing = "the number of a directory entry's further slots";
  return { thing, found: secondaryCount, expected: `${least} to ${most}` };
}

/** Parses an entry set; returns what is wrong if it is damaged. */
export function entrySet(bytes: Buffer): EntrySet | Complaint {
  const file = FileRecord.view(bytes);
  const count = countComplaint(file.secondaryCount);
  if (count !== undefined) return count;
  const sum = checksum16(bytes.subarray(0, slotCount(bytes, 0) * SLOT_SIZE), UNCHECKED);
  if (sum !== file.checksum) {
    return { thing: "the checksum of a directory entry", found: file.checksum, expected: `${sum}` };
  }
  const stream = StreamRecord.view(bytes, SLOT_SIZE);
  if (stream.type !== EntryType.stream) {
    return { thing: "the type of a file's second slot", found: stream.type, expected: `${EntryType.stream}` };
  }
  const { nameLength } = stream;
  const parts: Buffer[] = [];
  for (let slot = 2; slot <= file.secondaryCount; slot++) {
    const part = NameRecord.view(bytes, slot * SLOT_SIZE);
    if (part.type !== EntryType.name) break; // a vendor's slot, which may be ignored
    parts.push(part.units);
  }
  if (nameLength === 0 || nameLength > parts.length * NAME_UNITS) {
    return {
      thing: "the length of a name",
      found: nameLength,
      expected: `1 to ${parts.length * NAME_UNITS}`,
    };
  }
  return { file, stream, name: nameFromUtf16(Buffer.concat(parts).subarray(0, nameLength * 2)) };
}

/**
 * A parser of a directory's slots. A set that is not right is one damaged entry; slots that belong to no set are passed over,
 * as Linux does it (fs/exfat/dir.c, exfat_readdir). `name` is what error messages call the volume.
 */
export function entryParser(name: string): EntryParser {
  /** The slots of the set that is being read; `wanted` of them make it whole. */
  let slots: Buffer[] = [];
  let wanted = 0;
  let first = { slot: 0, offset: 0 };
  let isEnd = false;

  const damaged = (nextSlot: number, complaint: Complaint): Entry => {
    const problem = new CorruptError({ file: name, offset: first.offset, ...complaint });
    return {
      name: damagedEntryName(first.slot * SLOT_SIZE),
      id: NO_NODE,
      problem,
      slot: first.slot,
      nextSlot,
    };
  };

  const skip = (entries: Entry[]): void => {
    if (slots.length > 0) {
      const thing = "the number of a directory entry's slots";
      const complaint = { thing, found: slots.length, expected: `${wanted}` };
      entries.push(damaged(first.slot + slots.length, complaint));
    }
    slots = [];
  };

  const complete = (nextSlot: number): Entry => {
    const set = entrySet(Buffer.concat(slots));
    slots = [];
    if ("thing" in set) return damaged(nextSlot, set);
    const isDirectory = (set.file.attributes & Attribute.directory) !== 0;
    return {
      id: first.offset / SLOT_SIZE,
      name: set.name,
      type: isDirectory ? "directory" : "file",
      slot: first.slot,
      nextSlot,
    };
  };

  return {
    get isEnd() {
      return isEnd;
    },
    skip,
    take(bytes, at, slot, offset, entries) {
      const type = bytes[at]!;
      const isPart = slots.length > 0 && isInUse(type) && isSecondary(type);
      if (!isPart) {
        skip(entries);
        isEnd ||= type === EntryType.end;
        if (type !== EntryType.file) return;
        first = { slot, offset };
        wanted = slotCount(bytes, at);
        const complaint = countComplaint(wanted - 1);
        if (complaint !== undefined) {
          entries.push(damaged(slot + 1, complaint));
          return;
        }
      }
      slots.push(Buffer.from(bytes.subarray(at, at + SLOT_SIZE)));
      if (slots.length === wanted) entries.push(complete(slot + 1));
    },
  };
}
