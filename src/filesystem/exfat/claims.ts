/** The clusters that the slots of a directory claim. */
import type { Claim, ClaimParser } from "../fat-common/claims.js";
import { SLOT_SIZE } from "../fat-common/directory.js";
import type { Heap } from "../fat-common/heap.js";
import { Attribute, EntryType, isInUse, isSecondary, NO_FAT_CHAIN, SECONDARIES } from "./entry.js";
import { entrySet, slotCount } from "./entryset.js";

/** A parser of the slots of one directory; damaged sets claim nothing. */
export function claimParser({ clusterSize, clusterCount }: Heap): ClaimParser {
  const set = Buffer.alloc((1 + SECONDARIES.most) * SLOT_SIZE);
  /** Slots of the set that is being read: those that are there, and all. */
  let there = 0;
  let wanted = 0;
  let isEnd = false;

  const claim = (): Claim | undefined => {
    there = 0;
    const found = entrySet(set);
    if ("thing" in found || found.stream.size > clusterCount * clusterSize) return undefined;
    return {
      first: found.stream.firstCluster,
      wanted: Math.ceil(found.stream.size / clusterSize),
      isContiguous: (found.stream.flags & NO_FAT_CHAIN) !== 0,
      isDirectory: (found.file.attributes & Attribute.directory) !== 0,
    };
  };

  return {
    get isEnd() {
      return isEnd;
    },
    skip: () => {
      there = 0;
    },
    take(bytes, at) {
      const type = bytes[at]!;
      if (there === 0 || !isInUse(type) || !isSecondary(type)) {
        there = 0;
        isEnd ||= type === EntryType.end;
        if (type !== EntryType.file) return undefined;
        wanted = slotCount(bytes, at);
        if (wanted <= SECONDARIES.least || wanted > 1 + SECONDARIES.most) return undefined;
      }
      bytes.copy(set, there++ * SLOT_SIZE, at, at + SLOT_SIZE);
      return there === wanted ? claim() : undefined;
    },
  };
}
