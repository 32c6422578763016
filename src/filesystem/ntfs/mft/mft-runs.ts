/**
 * Where the master file table lies. Its first record maps the table itself: by its runs, and if they do not fit into the
 * record, by a list of further records, which lie in the table. Each of those can be read once the runs before it are
 * known. If the first record is damaged, $MFTMirr has a copy.
 */
import { firstIndex } from "../../../bytes/integers.js";
import { CorruptError, DiskError } from "../../../errors.js";
import type { BlockSource } from "../../../extent/extent.js";
import { read } from "../../../extent/read.js";
import { runSource } from "../../../extent/runs.js";
import { nonResident, residentValue, Type, type FileRecord, type NonResident } from "./attribute.js";
import { LIST_SIZE_LIMIT, parseAttributeList, type ListedAttribute } from "./attribute-list.js";
import type { Geometry } from "../boot.js";
import { fixRecord, type MftPlace } from "./mft.js";
import { parseRecord } from "./record.js";
import { clusterRuns } from "../data/clusters.js";
import { decodeRuns, knownSegment, mapClusters, type RunTable, type Segment } from "./run-list.js";

/**
 * @param warnings takes errors of the table that leave a part of it usable.
 * @throws {DiskError} if neither the first record nor its copy can be read.
 */
export async function findMft(
  volume: BlockSource,
  geometry: Geometry,
  warnings: string[],
): Promise<MftPlace> {
  const { recordSize } = geometry;
  const file = volume.name;
  const mirror = (number: number): Promise<FileRecord> =>
    recordAt(volume, geometry, number, geometry.mirrorOffset + number * recordSize);
  const first = await recordAt(volume, geometry, 0, geometry.mftOffset)
    .then((record) => checkedFirst(record, file))
    .catch(async (error: unknown) => {
      if (!(error instanceof DiskError)) throw error;
      const copy = await mirror(0)
        .then((record) => checkedFirst(record, file))
        .catch((other: unknown) => {
          throw other instanceof DiskError ? error : other;
        });
      warnings.push(`the first record of $MFT is damaged, its copy in $MFTMirr is used: ${error.message}`);
      return copy;
    });
  const { head, table } = first;
  const tables: RunTable[] = [table];
  const segments: Segment[] = [knownSegment(0, table)];
  const source = runSource(volume, `${file} $MFT`, tableSize(head, recordSize), async (offset, length) =>
    clusterRuns({ volume, geometry, offset, length }, (vcn, count) =>
      mapClusters(segments, vcn, count, (at) => missingRuns(file, at)),
    ),
  );

  const offsetOf = (number: number): number =>
    volumeOffset(tables, number * recordSize, geometry.clusterSize);
  for (const listed of await furtherParts(first.record, volume, geometry, warnings)) {
    try {
      const { recordNumber, firstVcn } = listed;
      if ((recordNumber + 1) * recordSize > source.size) throw missingRuns(file, firstVcn);
      const bytes = await read(source, recordNumber * recordSize, recordSize);
      const offset = offsetOf(recordNumber);
      fixRecord(bytes, recordNumber, geometry, file, offset);
      const part = partOf(parseRecord(bytes, recordNumber, offset, file), listed, file);
      tables.push(part);
      segments.push(knownSegment(firstVcn, part));
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      warnings.push(`a part of $MFT is missing, and with it files: ${error.message}`);
    }
  }
  return {
    source,
    offsetOf,
    async copyOf(number, damage) {
      if (geometry.mirrorOffset === geometry.mftOffset) throw damage;
      const copy = await mirror(number).catch((error: unknown) => {
        throw error instanceof DiskError ? damage : error;
      });
      warnings.push(`file record ${number} is damaged, its copy in $MFTMirr is used: ${damage.message}`);
      return copy;
    },
  };
}

/** The record that lies at `offset` of the volume, a buffer of its own. */
async function recordAt(
  volume: BlockSource,
  geometry: Geometry,
  number: number,
  offset: number,
): Promise<FileRecord> {
  const { recordSize } = geometry;
  if (offset + recordSize > volume.size) {
    throw new CorruptError({
      file: volume.name,
      offset,
      thing: `the place of file record ${number}`,
      found: offset,
      expected: `within the volume's ${volume.size} bytes`,
    });
  }
  const bytes = await read(volume, offset, recordSize);
  fixRecord(bytes, number, geometry, volume.name, offset);
  return parseRecord(bytes, number, offset, volume.name);
}

interface FirstRecord {
  readonly record: FileRecord;
  readonly head: NonResident;
  readonly table: RunTable;
}

/** Record 0, with where the table begins. @throws {CorruptError} if it does not map the table. */
function checkedFirst(record: FileRecord, file: string): FirstRecord {
  const data = record.attributes.find(({ type, name }) => type === Type.data && name === "");
  if (data === undefined || data.isResident) {
    const found = data === undefined ? "not there" : "in the record";
    throw (
      record.damage ??
      new CorruptError({ file, offset: record.offset, thing: "$DATA of $MFT", found, expected: "runs" })
    );
  }
  const head = nonResident(data, file);
  const table = decodeRuns(data, head, file);
  if (table.lcns.length === 0 || head.firstVcn !== 0) {
    throw (
      table.damage ??
      new CorruptError({
        file,
        offset: record.offset,
        thing: "the runs of $MFT",
        found: "none",
        expected: "some",
      })
    );
  }
  return { record, head, table };
}

/** Records behind the part of the table that was ever written are empty. */
function tableSize({ dataSize, validSize }: NonResident, recordSize: number): number {
  const size = Math.min(dataSize, validSize);
  return size - (size % recordSize);
}

/** The parts of the table's $DATA that lie in other records, in the order of their clusters. */
async function furtherParts(
  record: FileRecord,
  volume: BlockSource,
  geometry: Geometry,
  warnings: string[],
): Promise<ListedAttribute[]> {
  const file = volume.name;
  const list = record.attributes.find(({ type }) => type === Type.attributeList);
  if (list === undefined) return [];
  try {
    let bytes: Buffer;
    if (list.isResident) bytes = residentValue(list, file);
    else {
      const head = nonResident(list, file);
      const size = Math.min(head.dataSize, LIST_SIZE_LIMIT);
      const table = decodeRuns(list, head, file);
      const source = runSource(volume, `${file} $MFT`, size, async (offset, length) =>
        clusterRuns({ volume, geometry, offset, length }, (vcn, count) =>
          mapClusters([knownSegment(0, table)], vcn, count, (at) => missingRuns(file, at)),
        ),
      );
      bytes = await read(source, 0, size);
    }
    const { entries, damage } = parseAttributeList(bytes, record.number, record.offset + list.at, file);
    if (damage !== undefined)
      warnings.push(`a part of $MFT is missing, and with it files: ${damage.message}`);
    const isPart = ({ type, name, firstVcn }: ListedAttribute): boolean =>
      type === Type.data && name === "" && firstVcn > 0;
    return entries.filter(isPart).sort((a, b) => a.firstVcn - b.firstVcn);
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    warnings.push(`a part of $MFT is missing, and with it files: ${error.message}`);
    return [];
  }
}

function partOf(record: FileRecord, { firstVcn, recordNumber }: ListedAttribute, file: string): RunTable {
  if (record.baseNumber === 0) {
    for (const attribute of record.attributes) {
      if (attribute.type !== Type.data || attribute.name !== "" || attribute.isResident) continue;
      const head = nonResident(attribute, file);
      if (head.firstVcn === firstVcn) return decodeRuns(attribute, head, file);
    }
  }
  throw new CorruptError({
    file,
    offset: record.offset,
    thing: `file record ${recordNumber}`,
    found: "no such part of $DATA",
    expected: `the runs of $MFT from cluster ${firstVcn} on`,
  });
}

/** Where byte `at` of the table lies in the volume; 0 if that is not known. */
function volumeOffset(tables: readonly RunTable[], at: number, clusterSize: number): number {
  const vcn = Math.floor(at / clusterSize);
  for (let index = tables.length - 1; index >= 0; index--) {
    const { vcns, lcns } = tables[index]!;
    if (vcns[0]! > vcn) continue;
    const low = firstIndex(lcns.length, (run) => vcns[run + 1]! > vcn);
    const lcn = lcns[low];
    return lcn === undefined || lcn < 0 ? 0 : (lcn + vcn - vcns[low]!) * clusterSize + (at % clusterSize);
  }
  return 0;
}

function missingRuns(file: string, vcn: number): CorruptError {
  return new CorruptError({
    file,
    thing: "the runs of $MFT",
    found: `none from cluster ${vcn} on`,
    expected: "all",
  });
}
