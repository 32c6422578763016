/** The bytes of an attribute as a source, wherever and however they are stored. */
import { UnsupportedError } from "../../../errors.js";
import { lengthOf, type BlockSource } from "../../../extent/extent.js";
import { memorySource, runSource, type Run } from "../../../extent/runs.js";
import {
  AttributeFlag,
  attributeError,
  describeAttribute,
  nonResident,
  residentValue,
  type AttributeRecord,
} from "../mft/attribute.js";
import { clusterRuns } from "./clusters.js";
import { compressedRuns } from "./compressed.js";
import type { Medium } from "../medium.js";
import { mapClusters, type ClusterRun, type Segment } from "../mft/run-list.js";

/** LZNT1 is the only method that was ever given a number. Source: ntfs-3g layout.h, ATTR_IS_COMPRESSED. */
const LZNT1 = 1;

/** What is needed of an attribute to read it: the record with its header, and where its clusters are told of. */
export interface Located {
  readonly first: AttributeRecord;
  readonly segments: readonly Segment[];
}

/**
 * The bytes of `attribute`.
 * @throws {UnsupportedError} if they are encrypted, or compressed in a way that nobody knows.
 * @throws {CorruptError} if its header cannot be right. Damage of its runs shows where they are read.
 */
export function contentsOf(medium: Medium, { first, segments }: Located): BlockSource {
  const { volume, geometry } = medium;
  const what = describeAttribute(first.type, first.name);
  const name = `${volume.name} file ${first.record.number}${first.name === "" ? "" : ` ${what}`}`;
  if ((first.flags & AttributeFlag.encrypted) !== 0) throw encryptedError(medium, first, what);
  if (first.isResident) return memorySource(Buffer.from(residentValue(first, volume.name)), name);

  const head = nonResident(first, volume.name);
  if (head.firstVcn !== 0) throw attributeError(first, volume.name, "the first cluster", head.firstVcn, "0");
  const { dataSize, validSize } = head;
  const map = (vcn: number, count: number): Promise<ClusterRun[]> =>
    mapClusters(segments, vcn, count, (at) =>
      attributeError(
        first,
        volume.name,
        "the runs",
        `none from cluster ${at} on`,
        `those of ${dataSize} bytes`,
      ),
    );
  const method = first.flags & AttributeFlag.compression;
  if (method > LZNT1) throw attributeError(first, volume.name, "the compression method", method, `${LZNT1}`);
  const stored: (offset: number, length: number) => Promise<Run[]> =
    method === LZNT1 && head.unitPower > 0
      ? compressedRuns(medium, first, head, map)
      : (offset, length) => clusterRuns({ volume, geometry, offset, length }, map);
  return runSource(volume, name, dataSize, async (offset, length) => {
    const valid = Math.max(0, Math.min(length, validSize - offset));
    const runs = valid > 0 ? await stored(offset, valid) : [];
    if (valid < length && lengthOf(runs) === valid) runs.push({ kind: "zero", length: length - valid });
    return runs;
  });
}

function encryptedError(medium: Medium, { record, at }: AttributeRecord, what: string): UnsupportedError {
  return new UnsupportedError({
    file: medium.volume.name,
    offset: record.offset + at,
    thing: `${what} of file ${record.number}`,
    found: "encrypted (EFS)",
    expected: "readable without a key",
  });
}
