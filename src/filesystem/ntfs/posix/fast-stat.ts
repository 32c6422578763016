/**
 * The attributes of an ordinary file straight from the bytes of its record, without objects for what is in the record: a
 * listing does this for every file of a directory. Any other file, a damaged one too, is left to stat.ts.
 */
import { viewOf } from "../../../bytes/struct.js";
import { blankAttributes, type Attributes } from "../../attributes.js";
import {
  AttributeFlag,
  AttributeHeader,
  NonResidentHeader,
  PackedSize,
  ResidentHeader,
  Type,
} from "../mft/attribute.js";
import { END_OF_ATTRIBUTES, RECORD_MAGIC, RecordFlag, RecordHeader } from "../mft/record.js";
import { setStat, type StatContext, type StatFields } from "./stat-fields.js";
import { FileFlag, StandardInformation } from "./standard-information.js";

/** The name of a directory's index, "$I30": its length, and its UTF-16 characters, two in each word. */
const NAMES_INDEX_LENGTH = 4;
const NAMES_INDEX = [0x0049_0024, 0x0030_0033] as const;
const SMALLEST_ATTRIBUTE = 24;

const { magic, flags, baseLow, baseHigh, sequence, usedSize, attributesOffset, linkCount } =
  RecordHeader.fields;
const {
  length: lengthField,
  nameLength,
  nameOffset,
  nonResident,
  flags: attributeFlags,
} = AttributeHeader.fields;
const { valueLength, valueOffset } = ResidentHeader.fields;
const { runsOffset, firstVcn, lastVcn, dataSize, allocatedSize } = NonResidentHeader.fields;

/** The sequence number of the record at `start`; undefined if it is not a base record in use. */
export function sequenceIn(view: DataView, start: number): number | undefined {
  const isFile =
    view.getUint32(start + magic.offset, true) === RECORD_MAGIC &&
    (view.getUint16(start + flags.offset, true) & RecordFlag.inUse) !== 0 &&
    view.getUint32(start + baseLow.offset, true) === 0 &&
    view.getUint16(start + baseHigh.offset, true) === 0;
  return isFile ? view.getUint16(start + sequence.offset, true) : undefined;
}

/** What a record says of its file. */
export interface RecordStat extends StatFields {
  /** Where in the view the standard information begins. */
  information: number;
}

export function blankRecordStat(): RecordStat {
  return { type: "file", linkCount: 0, size: 0, allocated: 0, information: 0 };
}

/**
 * The attributes of file `number` from `bytes`, its record with its fixups applied; undefined if the file is not an ordinary
 * one.
 */
export function fastAttributes(context: StatContext, bytes: Buffer, number: number): Attributes | undefined {
  const view = viewOf(bytes);
  const stat = blankRecordStat();
  if (!readRecordStat(view, 0, bytes.length, stat)) return undefined;
  const attributes = blankAttributes();
  setStat(attributes, context, number, stat, view, stat.information);
  return attributes;
}

/**
 * Sets `into` from the record at `start`, of `size` bytes, with its fixups applied. Returns false if the file is not an
 * ordinary one.
 */
export function readRecordStat(view: DataView, start: number, size: number, into: RecordStat): boolean {
  if (sequenceIn(view, start) === undefined) return false;
  const isDirectory = (view.getUint16(start + flags.offset, true) & RecordFlag.directory) !== 0;
  const used = view.getUint32(start + usedSize.offset, true);
  if (used > size) return false;
  const end = start + used;
  const bodyType = isDirectory ? Type.indexAllocation : Type.data;
  let information = 0;
  let body = 0;
  for (let at = start + view.getUint16(start + attributesOffset.offset, true); ;) {
    if (at + 4 > end) return false;
    const type = view.getUint32(at, true);
    if (type === END_OF_ATTRIBUTES) break;
    if (at + SMALLEST_ATTRIBUTE > end) return false;
    const length = view.getUint32(at + lengthField.offset, true);
    if (length < SMALLEST_ATTRIBUTE || length % 8 !== 0 || at + length > end) return false;
    const characters = view.getUint8(at + nameLength.offset);
    const name = view.getUint16(at + nameOffset.offset, true);
    if (characters > 0 && name + 2 * characters > length) return false;
    if (type === Type.standardInformation) information = valueAt(view, at, length, StandardInformation.size);
    else if (
      type === bodyType &&
      (isDirectory ? isNamesIndex(view, at + name, characters) : characters === 0)
    )
      body = at;
    else if (type === Type.attributeList || type === Type.extendedAttributes) return false;
    at += length;
  }
  if (information === 0) return false;
  const fileFlags = view.getUint32(information + StandardInformation.fields.flags.offset, true);
  const isOther = (fileFlags & FileFlag.reparsePoint) !== 0;
  if (isOther || (!isDirectory && (fileFlags & FileFlag.system) !== 0)) return false;
  into.type = isDirectory ? "directory" : "file";
  into.linkCount = view.getUint16(start + linkCount.offset, true);
  into.information = information;
  into.size = into.allocated = 0;
  return body === 0 || readSizes(view, body, into);
}

/** Whether the `characters` at `at` are "$I30". */
function isNamesIndex(view: DataView, at: number, characters: number): boolean {
  const [first, second] = NAMES_INDEX;
  return (
    characters === NAMES_INDEX_LENGTH &&
    view.getUint32(at, true) === first &&
    view.getUint32(at + 4, true) === second
  );
}

/** Where the value of the resident attribute at `at` begins, which has `least` bytes or more; 0 if it has fewer. */
function valueAt(view: DataView, at: number, length: number, least: number): number {
  if (view.getUint8(at + nonResident.offset) !== 0) return 0;
  const size = view.getUint32(at + valueLength.offset, true);
  const from = view.getUint16(at + valueOffset.offset, true);
  const isWithin = from + size <= length && (size === 0 || from >= ResidentHeader.size);
  return size >= least && isWithin ? at + from : 0;
}

/** Reads the sizes of the attribute at `at`. Returns false if they cannot be right. */
function readSizes(view: DataView, at: number, into: RecordStat): boolean {
  const length = view.getUint32(at + lengthField.offset, true);
  if (view.getUint8(at + nonResident.offset) === 0) {
    if (valueAt(view, at, length, 0) === 0) return false;
    into.size = view.getUint32(at + valueLength.offset, true);
    into.allocated = Math.ceil(into.size / 8) * 8;
    return true;
  }
  const packed = AttributeFlag.compression | AttributeFlag.sparse;
  const isPacked = (view.getUint16(at + attributeFlags.offset, true) & packed) !== 0;
  const headerSize = isPacked ? PackedSize.size : NonResidentHeader.size;
  // A packed one without its own size, or any other oddity, is left to stat.ts.
  if (length < headerSize) return false;
  const runs = view.getUint16(at + runsOffset.offset, true);
  const last = readSize(view, at + lastVcn.offset);
  if (last > Number.MAX_SAFE_INTEGER && last < 2 ** 63) return false;
  if (readSize(view, at + firstVcn.offset) !== 0 || runs >= length || runs < headerSize) return false;
  into.size = readSize(view, at + dataSize.offset);
  into.allocated = readSize(view, at + (isPacked ? PackedSize.fields.packedSize : allocatedSize).offset);
  return Number.isSafeInteger(into.size);
}

/** The 64-bit word at `at`; inexact past 2^53. */
function readSize(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
}
