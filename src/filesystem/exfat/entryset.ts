/** Entry sets: the slots of one file, which a checksum holds together. */
import { nameFromUtf16 } from "../../bytes/utf16.js";
import { CorruptError } from "../../errors.js";
import { SLOT_SIZE, type Entry, type EntryParser } from "../clusters/directory.js";
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

/** The slots of a file, one behind the other, whose checksum fits. */
export interface EntrySet {
  readonly file: FileRecord;
  readonly stream: StreamRecord;
  readonly name: Buffer;
}

/** SetChecksum itself. Source: Microsoft exFAT specification (2019), section 6.3.3. */
const UNCHECKED = [2, 3];

/** How many slots the set has that begins with this one. */
export function slotCount(bytes: Buffer, at: number): number {
  return 1 + FileRecord.view(bytes, at).secondaryCount;
}

/** The file that these slots are; or what is wrong with them. */
export function entrySet(
  bytes: Buffer,
): EntrySet | { readonly thing: string; readonly found: number; readonly expected: string } {
  const file = FileRecord.view(bytes);
  const { least, most } = SECONDARIES;
  if (file.secondaryCount < least || file.secondaryCount > most) {
    const thing = "the number of a directory entry's further slots";
    return { thing, found: file.secondaryCount, expected: `${least} to ${most}` };
  }
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
    if (part.type !== EntryType.name) break; // a vendor's own, which may be passed over
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

/** A parser of a directory's slots. `name` is what complaints call the volume. */
export function entryParser(name: string): EntryParser {
  let slots: Buffer[] = [];
  let wanted = 0;
  let first = { slot: 0, offset: 0 };
  let isEnd = false;
  let problem: CorruptError | undefined;

  const lost = (): void => {
    if (slots.length > 0) {
      problem ??= new CorruptError({
        file: name,
        offset: first.offset,
        thing: "the number of a directory entry's slots",
        found: slots.length,
        expected: `${wanted}`,
      });
    }
    slots = [];
  };

  const complete = (nextSlot: number): Entry | undefined => {
    const set = entrySet(Buffer.concat(slots));
    slots = [];
    if ("thing" in set) {
      problem ??= new CorruptError({ file: name, offset: first.offset, ...set });
      return undefined;
    }
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
    get problem() {
      return problem;
    },
    skip: lost,
    take(bytes, at, slot, offset) {
      const type = bytes[at]!;
      const isPart = slots.length > 0 && isInUse(type) && isSecondary(type);
      if (!isPart) {
        lost();
        isEnd ||= type === EntryType.end;
        if (type !== EntryType.file) return undefined;
        wanted = slotCount(bytes, at);
        first = { slot, offset };
      }
      slots.push(Buffer.from(bytes.subarray(at, at + SLOT_SIZE)));
      return slots.length === wanted ? complete(slot + 1) : undefined;
    },
  };
}
