/** The clusters that the slots of a directory claim. */
import { Attribute, EntryRecord, slotKind } from "./entry.js";
import type { ClaimParser } from "../fat-common/claims.js";
import type { Medium } from "./medium.js";
import { firstClusterOf } from "./node.js";

export function claimParser({ heap: { clusterSize }, boot }: Medium): ClaimParser {
  let isEnd = false;
  return {
    get isEnd() {
      return isEnd;
    },
    skip: () => undefined,
    take(bytes, at) {
      const kind = slotKind(bytes, at);
      isEnd ||= kind === "end";
      if (kind !== "file") return undefined;
      const record = EntryRecord.view(bytes, at);
      const isDirectory = (record.attributes & Attribute.directory) !== 0;
      return {
        first: firstClusterOf(boot.geometry, record),
        wanted: isDirectory ? Infinity : Math.ceil(record.size / clusterSize),
        isContiguous: false,
        isDirectory,
      };
    },
  };
}
