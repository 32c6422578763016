/** What `info` prints of a file system. */
import type { FileSystemFacts } from "../filesystem.js";
import type { Medium } from "./medium.js";
import type { State } from "./state.js";

export function factsOf(
  { geometry, mft }: Medium,
  state: State,
  warnings: readonly string[],
): FileSystemFacts {
  const { sectorSize, clusterSize, clusterCount, recordSize, serial } = geometry;
  return {
    type: "ntfs",
    ...(state.label !== undefined && { label: state.label }),
    uuid: serial,
    warnings: [...warnings, ...state.warnings],
    details: {
      version: state.version,
      sectorSize,
      clusterSize,
      clusterCount,
      recordSize,
      recordCount: mft.count,
    },
  };
}
