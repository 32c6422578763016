/** The facts that `info` prints. The label is that of the root directory, as in Windows. */
import { DiskError } from "../../errors.js";
import { read } from "../../extent/read.js";
import { SLOT_SIZE, type Directory } from "../fat-common/directory.js";
import { serialText } from "../fat-common/serial.js";
import type { FileSystemFacts } from "../filesystem.js";
import { BootSector32 } from "./boot.js";
import { First, NAME_SIZE, slotKind } from "./entry.js";
import { extensionOf, type Medium } from "./medium.js";
import { trimmed } from "./names.js";

export function factsOf(
  medium: Medium,
  label: string | undefined,
  warnings: readonly string[],
): FileSystemFacts {
  const { boot, page } = medium;
  const { width, sectorSize, clusterSize, clusterCount, fatOffsets, root } = boot.geometry;
  const extension = extensionOf(boot);
  const serial = extension?.serial ?? 0;
  const bootLabel = extension?.label && labelText(medium, extension.label);
  return {
    type: `fat${width}`,
    ...(label !== undefined && { label }),
    ...(serial !== 0 && { uuid: serialText(serial) }),
    warnings,
    details: {
      sectorSize,
      clusterSize,
      clusterCount,
      fats: fatOffsets.length,
      ...("cluster" in root
        ? { rootCluster: root.cluster, infoSector: BootSector32.view(boot.bytes).infoSector }
        : { rootEntries: root.size / SLOT_SIZE }),
      bootLabel: bootLabel === "" ? undefined : bootLabel,
      codePage: page.number,
    },
  };
}

/** Bytes of the root directory in which a label is looked for: format tools make it the first entry. */
const LABEL_REACH = 2 ** 16;

/** The label among the first entries of the root directory, if any. */
export async function findLabel(medium: Medium, root: Directory): Promise<string | undefined> {
  try {
    const { size } = await root.reach(LABEL_REACH);
    if (size === 0) return undefined;
    for (const run of await root.runs(0, Math.min(size, LABEL_REACH))) {
      if (run.kind !== "at") return undefined;
      const bytes = await read(medium.heap.volume, run.offset, run.length);
      for (let at = 0; at < bytes.length; at += SLOT_SIZE) {
        const kind = slotKind(bytes, at);
        if (kind === "end") return undefined;
        if (kind === "label") return labelText(medium, bytes.subarray(at, at + NAME_SIZE)) || undefined;
      }
    }
  } catch (error) {
    if (!(error instanceof DiskError)) throw error; // listing the directory reports it
  }
  return undefined;
}

function labelText({ page }: Medium, raw: Buffer): string {
  const bytes = trimmed(raw);
  if (bytes[0] === First.e5) bytes[0] = 0xe5;
  const end = bytes.indexOf(0);
  return page.name(end < 0 ? bytes : bytes.subarray(0, end), false).toString("utf8");
}
