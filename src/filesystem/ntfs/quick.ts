/**
 * The attributes of an ordinary file straight out of its record's bytes. A listing does this for every file of a
 * directory: nothing is made that is not kept. Whatever is out of the ordinary, damage too, is left to the full way.
 */
import { readU16le, readU32le, readU64le } from "../../bytes/struct.js";
import type { Attributes } from "../filesystem.js";
import {
  AttributeFlag,
  AttributeHeader,
  NonResidentHeader,
  PackedSize,
  ResidentHeader,
  Type,
} from "./attribute.js";
import type { Medium } from "./medium.js";
import { END_OF_ATTRIBUTES, RECORD_MAGIC, RecordFlag, RecordHeader } from "./record.js";
import { shownAs, type Shown } from "./shown.js";
import { FileFlag, StandardInformation } from "./standard.js";

/** "$I30" has four characters; another index of a directory would have to be looked at. */
const NAMES_INDEX_LENGTH = 4;
const SMALLEST_ATTRIBUTE = 24;

/** How often the record in `bytes` was used; undefined where it is no base record in use. */
export function sequenceIn(bytes: Buffer): number | undefined {
  const { magic, flags, baseLow, baseHigh, sequence } = RecordHeader.fields;
  const isFile =
    readU32le(bytes, magic.offset) === RECORD_MAGIC &&
    (readU16le(bytes, flags.offset) & RecordFlag.inUse) !== 0 &&
    readU32le(bytes, baseLow.offset) === 0 &&
    readU16le(bytes, baseHigh.offset) === 0;
  return isFile ? readU16le(bytes, sequence.offset) : undefined;
}

/** What a record tells at once. */
export interface Look {
  isDirectory: boolean;
  linkCount: number;
  /** Where in the record the standard information begins. */
  information: number;
  /** Bytes, both. */
  size: number;
  allocated: number;
}

const look: Look = { isDirectory: false, linkCount: 0, information: 0, size: 0, allocated: 0 };

/** The attributes of file `number` by `bytes`, its record with its fixups applied; undefined where they do not tell. */
export function quickAttributes(medium: Medium, bytes: Buffer, number: number): Attributes | undefined {
  if (!lookAt(bytes, look)) return undefined;
  const { isDirectory, linkCount, information, size, allocated } = look;
  const shown: Shown = { type: isDirectory ? "directory" : "file", size, allocated };
  return shownAs(medium, number, linkCount, bytes, information, shown);
}

/** Fills `look` from `bytes`, a record with its fixups applied; whether it tells. */
export function lookAt(bytes: Buffer, look: Look): boolean {
  if (sequenceIn(bytes) === undefined) return false;
  const isDirectory = (readU16le(bytes, RecordHeader.fields.flags.offset) & RecordFlag.directory) !== 0;
  const used = readU32le(bytes, RecordHeader.fields.usedSize.offset);
  if (used > bytes.length) return false;
  const bodyType = isDirectory ? Type.indexAllocation : Type.data;
  const bodyNameLength = isDirectory ? NAMES_INDEX_LENGTH : 0;
  let information = 0;
  let body = 0;
  for (let at = readU16le(bytes, RecordHeader.fields.attributesOffset.offset); ;) {
    if (at + 4 > used) return false;
    const type = readU32le(bytes, at);
    if (type === END_OF_ATTRIBUTES) break;
    if (at + SMALLEST_ATTRIBUTE > used) return false;
    const length = readU32le(bytes, at + AttributeHeader.fields.length.offset);
    if (length < SMALLEST_ATTRIBUTE || length % 8 !== 0 || at + length > used) return false;
    if (type === Type.standardInformation) information = valueAt(bytes, at, length, StandardInformation.size);
    else if (type === bodyType && bytes[at + AttributeHeader.fields.nameLength.offset] === bodyNameLength)
      body = at;
    else if (type === Type.attributeList || type === Type.extendedAttributes) return false;
    at += length;
  }
  if (information === 0) return false;
  const flags = readU32le(bytes, information + StandardInformation.fields.flags.offset);
  if ((flags & FileFlag.reparsePoint) !== 0 || (!isDirectory && (flags & FileFlag.system) !== 0))
    return false;
  look.isDirectory = isDirectory;
  look.linkCount = readU16le(bytes, RecordHeader.fields.linkCount.offset);
  look.information = information;
  look.size = look.allocated = 0;
  return body === 0 || readSizes(bytes, body, look);
}

/** Where the value of the resident attribute at `at` begins, which has `least` bytes or more; 0 where it has not. */
function valueAt(bytes: Buffer, at: number, length: number, least: number): number {
  const valueLength = readU32le(bytes, at + ResidentHeader.fields.valueLength.offset);
  const valueOffset = readU16le(bytes, at + ResidentHeader.fields.valueOffset.offset);
  const isResident = bytes[at + AttributeHeader.fields.nonResident.offset] === 0;
  return isResident && valueLength >= least && valueOffset + valueLength <= length ? at + valueOffset : 0;
}

/** Reads the sizes of the attribute at `at`; false where they cannot be right. */
function readSizes(bytes: Buffer, at: number, look: Look): boolean {
  const length = readU32le(bytes, at + AttributeHeader.fields.length.offset);
  if (bytes[at + AttributeHeader.fields.nonResident.offset] === 0) {
    if (valueAt(bytes, at, length, 0) === 0) return false;
    look.size = readU32le(bytes, at + ResidentHeader.fields.valueLength.offset);
    look.allocated = Math.ceil(look.size / 8) * 8;
    return true;
  }
  const isPacked =
    (readU16le(bytes, at + AttributeHeader.fields.flags.offset) &
      (AttributeFlag.compression | AttributeFlag.sparse)) !==
    0;
  // A packed one without its own size, or any other oddity, is for the full way.
  if (length < (isPacked ? PackedSize.size : NonResidentHeader.size)) return false;
  const { runsOffset, firstVcn, dataSize, allocatedSize } = NonResidentHeader.fields;
  const runs = readU16le(bytes, at + runsOffset.offset);
  const isOdd = readU64le(bytes, at + firstVcn.offset) !== 0 || runs >= length;
  if (isOdd || runs < (isPacked ? PackedSize.size : NonResidentHeader.size)) return false;
  look.size = readU64le(bytes, at + dataSize.offset);
  look.allocated = readU64le(bytes, at + (isPacked ? PackedSize.fields.packedSize : allocatedSize).offset);
  return Number.isSafeInteger(look.size);
}
