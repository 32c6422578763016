/** A file as its attributes by type and name, whichever of its records they lie in. */
import { LRUCache } from "lru-cache";
import { ownCopy } from "../../../bytes/pool.js";
import { CorruptError } from "../../../errors.js";
import { read } from "../../../extent/read.js";
import {
  attributeError,
  describeAttribute,
  nonResident,
  residentValue,
  Type,
  type AttributeRecord,
  type FileRecord,
} from "./attribute.js";
import {
  LIST_SIZE_LIMIT,
  parseAttributeList,
  type AttributeList,
  type ListedAttribute,
} from "./attribute-list.js";
import { contentsOf } from "../data/contents.js";
import type { Medium, NtfsFile } from "../medium.js";
import { decodeRuns, type RunTable, type Segment } from "./run-list.js";

/** An attribute of a file, of one record or of many. */
export interface Attribute {
  readonly file: NtfsFile;
  readonly type: number;
  readonly name: string;
  /** The part of it that has its header. */
  readonly first: AttributeRecord;
  /** The parts that map its clusters; empty if it is resident. */
  readonly segments: readonly Segment[];
}

/** Run tables that one attribute keeps, of those in further records: each has up to a record's worth of runs. */
const TABLE_COUNT = 64;

/**
 * The file at record `number`.
 * @throws {CorruptError} if there is none, or the record only extends that of another.
 */
export async function fileAt(medium: Medium, number: number): Promise<NtfsFile> {
  const known = medium.files.get(number);
  if (known !== undefined) return known;
  const record = ownRecord(baseRecord(medium, await medium.mft.record(number)));
  const list = await listOf(medium, record);
  const file = { record, ...(list && { list }) };
  medium.files.set(number, file);
  return file;
}

/** `record`, which must be a base record. */
export function baseRecord(medium: Medium, record: FileRecord): FileRecord {
  if (record.baseNumber === 0) return record;
  throw new CorruptError({
    file: medium.volume.name,
    offset: record.offset,
    thing: `file record ${record.number}`,
    found: `a part of file ${record.baseNumber}`,
    expected: "a file of its own",
  });
}

/** All attributes of `type`, in their order, each by its first part. */
export async function attributesOf(medium: Medium, file: NtfsFile, type: number): Promise<Attribute[]> {
  const { record, list } = file;
  if (list === undefined) {
    if (record.damage !== undefined) throw record.damage;
    return record.attributes.filter((one) => one.type === type).map((first) => single(medium, file, first));
  }
  if (list.damage !== undefined) throw list.damage;
  const firsts = list.entries.filter((entry) => entry.type === type && entry.firstVcn === 0);
  return Promise.all(firsts.map((entry) => listed(medium, file, entry)));
}

/**
 * The attribute of `type` with `name`, if the file has one.
 * @throws {DiskError} if it is not found, but a part of the file's records is damaged.
 */
export async function findAttribute(
  medium: Medium,
  file: NtfsFile,
  type: number,
  name = "",
): Promise<Attribute | undefined> {
  const { record, list } = file;
  const isWanted = (one: { type: number; name: string }): boolean => one.type === type && one.name === name;
  if (list === undefined) {
    const first = record.attributes.find(isWanted);
    if (first === undefined && record.damage !== undefined) throw record.damage;
    return first && single(medium, file, first);
  }
  const entry = list.entries.find((one) => isWanted(one) && one.firstVcn === 0);
  if (entry === undefined && list.damage !== undefined) throw list.damage;
  return entry && listed(medium, file, entry);
}

/** All bytes of `attribute`, `limit` at most, in a buffer of the caller's own. */
export async function readAll(medium: Medium, attribute: Attribute, limit: number): Promise<Buffer> {
  const source = contentsOf(medium, attribute);
  if (source.size > limit) {
    const { name } = medium.volume;
    throw attributeError(attribute.first, name, "the size", `${source.size} bytes`, `at most ${limit}`);
  }
  return read(source, 0, source.size);
}

/** An attribute that lies in one record. */
function single(medium: Medium, file: NtfsFile, first: AttributeRecord): Attribute {
  const segments = first.isResident ? [] : [segmentOf(medium, first)];
  return { file, type: first.type, name: first.name, first, segments };
}

function segmentOf(medium: Medium, attribute: AttributeRecord): Segment {
  const head = nonResident(attribute, medium.volume.name);
  let table: RunTable | undefined;
  const peek = (): RunTable => (table ??= decodeRuns(attribute, head, medium.volume.name));
  return { firstVcn: head.firstVcn, peek, load: async () => peek() };
}

/** An attribute of the attribute list: `entry` is that of its first part. */
async function listed(medium: Medium, file: NtfsFile, entry: ListedAttribute): Promise<Attribute> {
  const { type, name } = entry;
  const first = await partAt(medium, file, entry);
  if (first.isResident) return { file, type, name, first, segments: [] };
  const tables = new LRUCache<number, RunTable>({ max: TABLE_COUNT });
  const segments = file
    .list!.entries.filter((part) => part.type === type && part.name === name && part.firstVcn > 0)
    .sort((a, b) => a.firstVcn - b.firstVcn)
    .map((part): Segment => {
      const { firstVcn } = part;
      const load = async (): Promise<RunTable> => {
        const attribute = await partAt(medium, file, part);
        const table = decodeRuns(attribute, nonResident(attribute, medium.volume.name), medium.volume.name);
        tables.set(firstVcn, table);
        return table;
      };
      return { firstVcn, peek: () => tables.get(firstVcn), load };
    });
  return { file, type, name, first, segments: [segmentOf(medium, first), ...segments] };
}

/** The attribute record for `entry` of the file's list. Its bytes are the caller's own. */
async function partAt(medium: Medium, file: NtfsFile, entry: ListedAttribute): Promise<AttributeRecord> {
  const { number, sequence } = file.record;
  const refuse = (record: FileRecord, found: string, expected: string): CorruptError =>
    new CorruptError({
      file: medium.volume.name,
      offset: record.offset,
      thing: `file record ${record.number}, which holds a part of file ${number},`,
      found,
      expected,
    });
  let { record } = file;
  if (entry.recordNumber !== number) {
    record = ownRecord(await medium.mft.record(entry.recordNumber));
    if (record.sequence !== entry.sequence)
      throw refuse(record, `used for the time ${record.sequence}`, `for the time ${entry.sequence}`);
    if (record.baseNumber !== number || record.baseSequence !== sequence)
      throw refuse(record, `a part of file ${record.baseNumber}`, "one of this");
  }
  const isPart = (one: AttributeRecord): boolean =>
    one.type === entry.type && one.name === entry.name && firstVcnOf(one) === entry.firstVcn;
  const parts = record.attributes.filter(isPart);
  const part = parts.find(({ instance }) => instance === entry.instance) ?? parts[0];
  if (part !== undefined) return part;
  const thing = describeAttribute(entry.type, entry.name);
  throw record.damage ?? refuse(record, `without ${thing} from cluster ${entry.firstVcn}`, "with it");
}

function firstVcnOf(attribute: AttributeRecord): number {
  return attribute.isResident ? 0 : nonResident(attribute, "").firstVcn;
}

/** `record` with bytes of its own. */
function ownRecord(record: FileRecord): FileRecord {
  const attributes: AttributeRecord[] = [];
  const own: FileRecord = { ...record, bytes: ownCopy(record.bytes), attributes };
  for (const attribute of record.attributes) attributes.push({ ...attribute, record: own });
  return own;
}

/** The attribute list of the file at `record`, if it has one. It lies in the record, or in runs that the record maps. */
async function listOf(medium: Medium, record: FileRecord): Promise<AttributeList | undefined> {
  const first = record.attributes.find(({ type }) => type === Type.attributeList);
  if (first === undefined) return undefined;
  const file = medium.volume.name;
  const bytes = first.isResident
    ? residentValue(first, file)
    : await readAll(medium, single(medium, { record }, first), LIST_SIZE_LIMIT);
  return parseAttributeList(bytes, record.number, record.offset + first.at, file);
}
