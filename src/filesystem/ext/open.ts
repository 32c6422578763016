/** From a volume to its geometry: the superblock, or a copy of it, and what is odd about the file system's state. */
import { cachedReader } from "../../extent/cache.js";
import type { BlockSource } from "../../extent/extent.js";
import { read } from "../../extent/read.js";
import { CorruptError, DiskError, UnsupportedError } from "../../errors.js";
import { featureNames, Incompatible, READABLE } from "./features.js";
import { readGroup } from "./group.js";
import { checkedBlocks, type Medium } from "./medium.js";
import {
  geometryOf,
  hasMagic,
  isCopy,
  isPlausible,
  State,
  Superblock,
  SUPERBLOCK_OFFSET,
  SUPERBLOCK_SIZE,
  superblockChecksumFits,
  type Geometry,
} from "./superblock.js";

/** The groups that hold copies of the superblock on most file systems. */
const COPY_GROUPS = [1, 3, 5, 7, 9];

/** Group descriptors whose checksums are verified when a file system is opened: 2 TiB with blocks of 4 KiB. */
const VERIFIED_GROUP_LIMIT = 2 ** 14;

/**
 * The file system on `volume`, or undefined where there is none of this kind.
 * @throws {CorruptError} where no copy of the superblock is usable.
 * @throws {UnsupportedError} for features that we do not read, by name and number.
 */
export async function openMedium(
  volume: BlockSource,
): Promise<{ medium: Medium; warnings: readonly string[] } | undefined> {
  if (volume.size < SUPERBLOCK_OFFSET + SUPERBLOCK_SIZE) return undefined;
  const bytes = await read(volume, SUPERBLOCK_OFFSET, SUPERBLOCK_SIZE);
  if (!hasMagic(bytes) || !isPlausible(Superblock.view(bytes))) return undefined;
  refuseJournalDevice(Superblock.view(bytes), volume.name);
  const { superblock, geometry, warnings } = await usableSuperblock(volume, bytes);
  refuseUnreadable(geometry, volume.name);
  // Replaying the journal in memory would begin here: `volume` with the journal's blocks laid over it.
  const medium = { volume, metadata: cachedReader(volume), superblock, geometry, checked: checkedBlocks() };
  const { blockCount, blockSize } = geometry;
  if (blockCount * blockSize > volume.size) {
    warnings.push(`the file system has ${blockCount * blockSize} bytes, but its volume only ${volume.size}`);
  }
  return { medium, warnings: [...warnings, ...stateWarnings(medium), ...(await descriptorWarnings(medium))] };
}

interface Usable {
  readonly superblock: Superblock;
  readonly geometry: Geometry;
  readonly warnings: string[];
}

/** The superblock in `bytes`, or the first copy of it that can be used. */
async function usableSuperblock(volume: BlockSource, bytes: Buffer): Promise<Usable> {
  try {
    const superblock = Superblock.view(bytes);
    const geometry = geometryOf(superblock, volume.name, SUPERBLOCK_OFFSET);
    const warnings = superblockChecksumFits(bytes) ? [] : ["the superblock's checksum does not fit"];
    return { superblock, geometry, warnings };
  } catch (error) {
    if (!(error instanceof CorruptError)) throw error;
    const copy = await usableCopy(volume);
    if (copy === undefined) throw error;
    copy.warnings.push(
      `the superblock is damaged, its copy in group ${copy.superblock.group} is used: ${error.message}`,
    );
    return copy;
  }
}

async function usableCopy(volume: BlockSource): Promise<Usable | undefined> {
  for (let logBlockSize = 0; 1024 << logBlockSize <= 0x10000; logBlockSize++) {
    const blockSize = 1024 << logBlockSize;
    for (const group of COPY_GROUPS) {
      // A group is as many blocks as a block of bitmap has bits; group 0 begins at block 1 with blocks of 1 KiB.
      const offset = ((blockSize === 1024 ? 1 : 0) + group * 8 * blockSize) * blockSize;
      if (offset + SUPERBLOCK_SIZE > volume.size) break;
      try {
        const bytes = await read(volume, offset, SUPERBLOCK_SIZE);
        const superblock = Superblock.view(bytes);
        if (!isCopy(superblock, group, logBlockSize) || !superblockChecksumFits(bytes)) continue;
        return { superblock, geometry: geometryOf(superblock, volume.name, offset), warnings: [] };
      } catch (error) {
        if (!(error instanceof DiskError)) throw error; // this copy is of no use; there are more
      }
    }
  }
  return undefined;
}

/** The journal of another file system on a device of its own has a superblock, but neither inodes nor files. */
function refuseJournalDevice({ incompatible, inodeCount }: Superblock, file: string): void {
  if ((incompatible & Incompatible.journal_dev) === 0 || inodeCount !== 0) return;
  throw new UnsupportedError({
    file,
    offset: SUPERBLOCK_OFFSET + Superblock.fields.incompatible.offset,
    thing: "this volume",
    found: "the external journal of another ext file system (journal_dev)",
    expected: "a file system",
  });
}

function refuseUnreadable({ features }: Geometry, file: string): void {
  const unreadable = (features.incompatible & ~READABLE) >>> 0;
  if (unreadable === 0) return;
  throw new UnsupportedError({
    file,
    offset: SUPERBLOCK_OFFSET + Superblock.fields.incompatible.offset,
    thing: "the file system's features",
    found: `${featureNames(Incompatible, unreadable).join(", ")} (0x${unreadable.toString(16)})`,
    expected: "such as this reader knows",
  });
}

function stateWarnings({ superblock, geometry }: Medium): string[] {
  const warnings: string[] = [];
  if ((geometry.features.incompatible & Incompatible.needs_recovery) !== 0) {
    warnings.push(
      "the journal is not replayed: the guest was not shut down cleanly, and its last changes may be missing or half there",
    );
  } else if ((superblock.state & State.clean) === 0) {
    warnings.push("the file system was not unmounted cleanly");
  }
  if ((superblock.state & State.errors) !== 0) {
    warnings.push(`the guest found errors in the file system (${superblock.errorCount} counted)`);
  }
  return warnings;
}

async function descriptorWarnings(medium: Medium): Promise<string[]> {
  const damaged: number[] = [];
  const count = Math.min(medium.geometry.groupCount, VERIFIED_GROUP_LIMIT);
  for (let index = 0; index < count; index++) {
    try {
      if (!(await readGroup(medium, index)).checksumFits) damaged.push(index);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      return [`group descriptors cannot be read: ${error.message}`];
    }
  }
  if (damaged.length === 0) return [];
  const shown = damaged.slice(0, 10).join(", ") + (damaged.length > 10 ? ", …" : "");
  return [`the checksums of ${damaged.length} group descriptors do not fit: ${shown}`];
}
