/** What `info` prints of a file system. */
import { formatTimestamp } from "../../bytes/time.js";
import { NIL_UUID } from "../../bytes/guid.js";
import type { FileSystemFacts } from "../filesystem.js";
import { Compatible, featureNames, Incompatible, kindOf, ReadOnlyCompatible } from "./features.js";
import type { Medium } from "./medium.js";
import { State } from "./superblock.js";

export function factsOf({ superblock, geometry }: Medium, warnings: readonly string[]): FileSystemFacts {
  const { features, blockSize, blockCount, inodeCount, inodeSize, blocksPerCluster } = geometry;
  const time = (low: number, high: number): string | undefined =>
    low === 0 && high === 0 ? undefined : formatTimestamp({ seconds: low + high * 2 ** 32, nanoseconds: 0 });
  return {
    type: kindOf(features),
    ...(superblock.label !== "" && { label: superblock.label }),
    ...(superblock.uuid !== NIL_UUID && { uuid: superblock.uuid }),
    ...(superblock.lastMounted !== "" && { lastMounted: superblock.lastMounted }),
    warnings,
    details: {
      features: [
        ...featureNames(Compatible, features.compatible),
        ...featureNames(Incompatible, features.incompatible),
        ...featureNames(ReadOnlyCompatible, features.readOnlyCompatible),
      ],
      blockSize,
      blockCount,
      ...(blocksPerCluster > 1 && { clusterSize: blocksPerCluster * blockSize }),
      inodeCount,
      inodeSize,
      state: (superblock.state & State.clean) !== 0 ? "clean" : "not clean",
      lastMounted: superblock.lastMounted,
      made: time(superblock.makeTime, superblock.makeTimeHigh),
      mounted: time(superblock.mountTime, superblock.mountTimeHigh),
      written: time(superblock.writeTime, superblock.writeTimeHigh),
    },
  };
}
