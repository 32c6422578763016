/** The compressed units of a file of NTFS, as they lie on the disk: just enough of a reader to get at them. */
import { closeSync, openSync, readSync } from "node:fs";

export interface Unit {
  /** What the unit's clusters hold: packed bytes and what is left of their last cluster. */
  readonly packed: Buffer;
  /** Bytes of the file that are in it. */
  readonly size: number;
  /** Where those bytes begin in the file. */
  readonly offset: number;
}

/** The packed units of record `record` of the volume in `image`; units that are holes or stored are left out. */
export function packedUnits(image: string, record: number): Unit[] {
  const descriptor = openSync(image, "r");
  try {
    const read = (offset: number, length: number): Buffer => {
      const bytes = Buffer.alloc(length);
      if (readSync(descriptor, bytes, 0, length, offset) !== length) throw new Error("short image");
      return bytes;
    };
    const boot = read(0, 512);
    const clusterSize = boot.readUInt16LE(0x0b) * boot[0x0d]!;
    // A fresh table lies in one run at first, and its records have 1024 bytes.
    const at = Number(boot.readBigUInt64LE(0x30)) * clusterSize + record * 1024;
    const data = findData(withFixups(read(at, 1024)));
    if (data[8] === 0) return []; // resident: never packed
    const unitClusters = 1 << data.readUInt16LE(0x22);
    const fileSize = Number(data.readBigUInt64LE(0x30));
    const clusters = clustersOf(data.subarray(data.readUInt16LE(0x20)));
    const units: Unit[] = [];
    for (let first = 0; first < clusters.length; first += unitClusters) {
      const stored = clusters.slice(first, first + unitClusters).filter((cluster) => cluster !== undefined);
      if (stored.length === 0 || stored.length === unitClusters) continue;
      const offset = first * clusterSize;
      units.push({
        packed: Buffer.concat(stored.map((cluster) => read(cluster * clusterSize, clusterSize))),
        size: Math.min(unitClusters * clusterSize, fileSize - offset),
        offset,
      });
    }
    return units;
  } finally {
    closeSync(descriptor);
  }
}

/** The unnamed $DATA attribute. */
function findData(record: Buffer): Buffer {
  for (let at = record.readUInt16LE(0x14); record.readUInt32LE(at) !== 0xffffffff;) {
    const length = record.readUInt32LE(at + 4);
    if (record.readUInt32LE(at) === 0x80 && record[at + 9] === 0) return record.subarray(at, at + length);
    at += length;
  }
  throw new Error("the record has no data");
}

/** The last two bytes of each sector are kept in the record's update sequence array. */
function withFixups(record: Buffer): Buffer {
  const array = record.readUInt16LE(4);
  for (let sector = 1; sector < record.readUInt16LE(6); sector++) {
    record.copy(record, sector * 512 - 2, array + 2 * sector, array + 2 * sector + 2);
  }
  return record;
}

/** Where each cluster of the file is; undefined is a hole. */
function clustersOf(pairs: Buffer): (number | undefined)[] {
  const clusters: (number | undefined)[] = [];
  let last = 0;
  for (let at = 0; pairs[at] !== 0;) {
    const lengthBytes = pairs[at]! & 15;
    const offsetBytes = pairs[at++]! >>> 4;
    const length = pairs.readUIntLE(at, lengthBytes);
    at += lengthBytes;
    if (offsetBytes > 0) last += pairs.readIntLE(at, offsetBytes);
    at += offsetBytes;
    for (let i = 0; i < length; i++) clusters.push(offsetBytes > 0 ? last + i : undefined);
  }
  return clusters;
}
