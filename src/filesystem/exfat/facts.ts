/** The facts that `info` prints. */
import { serialText } from "../fat-common/serial.js";
import type { FileSystemFacts } from "../filesystem.js";
import type { Medium } from "./medium.js";
import type { Tables } from "./tables.js";

export function factsOf({ heap, boot, warnings }: Medium, tables: Tables, warning?: string): FileSystemFacts {
  return {
    type: "exfat",
    ...(tables.label && { label: tables.label }),
    ...(boot.serial !== 0 && { uuid: serialText(boot.serial) }),
    warnings: warning === undefined ? warnings : [...warnings, warning],
    details: {
      sectorSize: 2 ** boot.sectorShift,
      clusterSize: heap.clusterSize,
      clusterCount: heap.clusterCount,
      fats: boot.fatCount,
      rootCluster: boot.rootCluster,
      revision: `${boot.revision >>> 8}.${String(boot.revision & 0xff).padStart(2, "0")}`,
      percentInUse: boot.percentInUse <= 100 ? boot.percentInUse : undefined,
      volumeGuid: tables.guid,
    },
  };
}
