/**
 * The slots of the root directory that are not files: the label, the volume's GUID, the allocation bitmap and the up-case table. Source:
 * Microsoft exFAT specification (2019), sections 7.1 to 7.3 and 7.5.
 */
import { DiskError } from "../../errors.js";
import type { BlockSource } from "../../extent/extent.js";
import { read } from "../../extent/read.js";
import { unicodeUpCase, type UpCase } from "../fat-common/case.js";
import { chain, type Allocation } from "../fat-common/chain.js";
import type { Claim } from "../fat-common/claims.js";
import { contentsOf } from "../fat-common/contents.js";
import { entriesOf, SLOT_SIZE, type Directory, type EntryParser } from "../fat-common/directory.js";
import type { Heap } from "../fat-common/heap.js";
import { checksum32 } from "./boot.js";
import { EntryType, GuidRecord, LabelRecord, TableRecord } from "./entry.js";
import type { Medium } from "./medium.js";

/** A table, and the byte of the volume at which its slot begins. */
interface Table {
  readonly record: TableRecord;
  readonly offset: number;
}

export interface Tables {
  readonly bitmap?: Table;
  readonly upCase?: Table;
  readonly label?: string;
  readonly guid?: string;
}

const COLLECTED: readonly number[] = [EntryType.bitmap, EntryType.upCase, EntryType.guid, EntryType.label];

/** Slots of the root directory in which the tables are looked for: format tools make them the first. */
const TABLES_REACH = 2 ** 20;

/** Reads the root directory until both tables are found: format tools make them the first entries. */
export async function findTables({ heap, isSecond }: Medium, root: Directory): Promise<Tables> {
  const found: { -readonly [K in keyof Tables]: Tables[K] } = {};
  let isEnd = false;
  const collector: EntryParser = {
    get isEnd() {
      return isEnd;
    },
    skip: () => undefined,
    take(bytes, at, _slot, offset) {
      const type = bytes[at]!;
      if (type === EntryType.end) isEnd = true;
      if (!COLLECTED.includes(type)) return;
      const slot = Buffer.from(bytes.subarray(at, at + SLOT_SIZE));
      const record = TableRecord.view(slot);
      if (record.type === EntryType.bitmap && ((record.flags & 1) !== 0) === isSecond)
        found.bitmap ??= { record, offset };
      if (record.type === EntryType.upCase) found.upCase ??= { record, offset };
      if (record.type === EntryType.guid) found.guid ??= GuidRecord.view(slot).guid;
      if (record.type === EntryType.label) found.label ??= labelOf(slot);
    },
  };
  try {
    for await (const { nextSlot } of entriesOf(heap, root, collector, 0))
      if ((found.bitmap && found.upCase) !== undefined || nextSlot > TABLES_REACH) break;
  } catch (error) {
    if (!(error instanceof DiskError)) throw error; // listing the directory reports it
  }
  return found;
}

function labelOf(slot: Buffer): string {
  const { length, units } = LabelRecord.view(slot);
  return units.toString("utf16le", 0, Math.min(length * 2, units.length));
}

/** The contents of a table. */
export function tableSource({ heap }: Medium, table: Table, of: string): BlockSource {
  const { size } = table.record;
  return contentsOf(heap, tableClusters(heap, table, of), {
    of,
    size,
    validSize: size,
    entryOffset: table.offset,
  });
}

function tableClusters(heap: Heap, { record }: Table, of: string): Allocation {
  return chain(heap, { first: record.firstCluster, wanted: Math.ceil(record.size / heap.clusterSize), of });
}

/** The clusters of both tables, which belong to no file. */
export function reservedClaims({ heap }: Medium, { bitmap, upCase }: Tables): Claim[] {
  return [bitmap, upCase].flatMap((table) => {
    if (table === undefined) return [];
    const { firstCluster, size } = table.record;
    const wanted = Math.ceil(size / heap.clusterSize);
    return [{ first: firstCluster, wanted, isContiguous: false, isDirectory: false }];
  });
}

/** Bytes: two for each unit of the basic plane. */
const LARGEST_UP_CASE = 2 * 0x10000;

/** The volume's up-case table; if it cannot be used, Unicode's upper case and a warning. */
export async function upCaseOf(
  medium: Medium,
  { upCase }: Tables,
): Promise<{ upCase: UpCase; warning?: string }> {
  const fail = (why: string): { upCase: UpCase; warning: string } => ({
    upCase: unicodeUpCase(),
    warning: `${why}; names are compared by Unicode's upper case`,
  });
  if (upCase === undefined) return fail("there is no up-case table");
  const { size, checksum } = upCase.record;
  if (size === 0 || size > LARGEST_UP_CASE || size % 2 !== 0)
    return fail(`the up-case table has an invalid length of ${size} bytes`);
  try {
    const bytes = await read(tableSource(medium, upCase, "up-case table"), 0, size);
    if (checksum32(bytes) !== checksum) return fail("the up-case table's checksum is wrong");
    return { upCase: expand(bytes) };
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    return fail(`the up-case table cannot be read: ${error.message}`);
  }
}

/** Precedes a number of units that are their own upper case. Source: section 7.2.5, table 24. */
const RUN = 0xffff;

/** Expands the stored, compressed form of the table. Units behind its end are their own upper case. */
export function expand(bytes: Buffer): UpCase {
  const table = new Uint16Array(0x10000);
  for (let unit = 0; unit < table.length; unit++) table[unit] = unit;
  let unit = 0;
  for (let at = 0; at + 1 < bytes.length && unit < table.length; at += 2) {
    const value = bytes.readUInt16LE(at);
    const isRun = value === RUN && at + 3 < bytes.length;
    if (isRun) unit += bytes.readUInt16LE((at += 2));
    else table[unit++] = value;
  }
  return table;
}
