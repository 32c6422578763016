/** From a volume to its geometry: the superblock, or a copy of it, and warnings about the state of the file system. */
import type { BlockSource } from "../../extent/extent.js";
import { read } from "../../extent/read.js";
import { EXT_SUPERBLOCK_OFFSET, hasExtMagic } from "../../extent/signatures.js";
import { yieldIfDue } from "../../extent/time-slice.js";
import { CorruptError, DiskError, UnsupportedError } from "../../errors.js";
import { findCopies, hasRoot, isSameGeometry, mediumOf, type Copy } from "./backup.js";
import { featureNames, Incompatible, READABLE } from "./features.js";
import { isForeign } from "./foreign.js";
import { readGroup } from "./group.js";
import type { Medium } from "./medium.js";
import {
  geometryOf,
  isPlausible,
  State,
  Superblock,
  SUPERBLOCK_SIZE,
  superblockChecksumFits,
} from "./superblock.js";

/** Group descriptors that are verified when a file system is opened: 2 TiB with blocks of 4 KiB. */
const VERIFIED_GROUP_LIMIT = 2 ** 14;

export interface Opened {
  readonly medium: Medium;
  readonly warnings: readonly string[];
}

/**
 * The file system whose superblock is where it should be, or undefined if there is none.
 * @throws {CorruptError} if neither the superblock nor a copy of it is usable.
 * @throws {UnsupportedError} for features that are not supported, by name and number.
 */
export async function openMedium(volume: BlockSource): Promise<Opened | undefined> {
  if (volume.size < EXT_SUPERBLOCK_OFFSET + SUPERBLOCK_SIZE) return undefined;
  const bytes = await read(volume, EXT_SUPERBLOCK_OFFSET, SUPERBLOCK_SIZE);
  if (!hasExtMagic(bytes) || !isPlausible(Superblock.view(bytes))) return undefined;
  refuseJournalDevice(Superblock.view(bytes), volume.name);
  return finish(await usableMedium(volume, bytes));
}

/**
 * The file system whose superblock is blank or overwritten, by a copy. This is for volumes on which nothing else was
 * found. A copy is used only if its file system fits into the volume and still has its root directory.
 */
export async function openMediumByCopy(volume: BlockSource): Promise<Opened | undefined> {
  const problem = await superblockProblem(volume);
  if (problem === undefined || (await isForeign(volume))) return undefined;
  for (const copy of await findCopies(volume)) {
    const { blockCount, blockSize } = copy.geometry;
    if (blockCount * blockSize > volume.size) continue;
    const medium = mediumOf(volume, copy);
    if (await hasRoot(medium))
      return finish({ medium, warnings: [copyWarning(copy, problem)], byCopy: true });
  }
  return undefined;
}

/** Why `volume` has no primary superblock of ext; undefined if it has one, or is too small. */
async function superblockProblem(volume: BlockSource): Promise<string | undefined> {
  if (volume.size < EXT_SUPERBLOCK_OFFSET + SUPERBLOCK_SIZE) return undefined;
  try {
    const bytes = await read(volume, EXT_SUPERBLOCK_OFFSET, SUPERBLOCK_SIZE);
    if (bytes.every((byte) => byte === 0)) return "it is blank";
    return hasExtMagic(bytes) && isPlausible(Superblock.view(bytes)) ? undefined : "it is overwritten";
  } catch (error) {
    if (error instanceof DiskError) return error.message;
    throw error;
  }
}

/** Copies are written when the file system is made or resized, and not when it is used. */
const UNKNOWN_STATE =
  "whether the file system was unmounted cleanly is not known: copies of the superblock do not tell";

async function finish({ medium, warnings, byCopy }: Opened & { byCopy: boolean }): Promise<Opened> {
  const { volume, geometry } = medium;
  refuseUnreadable(medium);
  // Replaying the journal in memory would begin here: `volume` with the journal's blocks laid over it.
  const size = geometry.blockCount * geometry.blockSize;
  const cut =
    size > volume.size ? [`the file system has ${size} bytes, but its volume only ${volume.size}`] : [];
  return {
    medium,
    warnings: [
      ...warnings,
      ...cut,
      ...(byCopy ? [UNKNOWN_STATE] : stateWarnings(medium)),
      ...(await descriptorWarnings(medium)),
    ],
  };
}

/** Opens by the superblock in `bytes` or, if that is damaged, by the best copy of it. */
async function usableMedium(volume: BlockSource, bytes: Buffer): Promise<Opened & { byCopy: boolean }> {
  const superblock = Superblock.view(bytes);
  const hasChecksum = superblockChecksumFits(bytes);
  let damage: CorruptError;
  let medium: Medium | undefined;
  try {
    medium = mediumOf(volume, {
      superblock,
      geometry: geometryOf(superblock, volume.name, EXT_SUPERBLOCK_OFFSET),
    });
    if (hasChecksum && (await hasRoot(medium))) return { medium, warnings: [], byCopy: false };
    damage = rootError(medium, hasChecksum);
  } catch (error) {
    if (!(error instanceof CorruptError)) throw error;
    damage = error;
  }
  const copy = await copyFor(volume, superblock, medium);
  if (copy !== undefined)
    return { byCopy: true, medium: mediumOf(volume, copy), warnings: [copyWarning(copy, damage.message)] };
  if (medium === undefined) throw damage;
  return { byCopy: false, medium, warnings: hasChecksum ? [] : ["the superblock's checksum does not fit"] };
}

function rootError({ volume }: Medium, hasChecksum: boolean): CorruptError {
  return new CorruptError({
    file: volume.name,
    offset: EXT_SUPERBLOCK_OFFSET,
    thing: hasChecksum ? "the root directory by this superblock" : "the superblock's checksum",
    found: hasChecksum ? "missing" : "wrong",
    expected: hasChecksum ? "there" : "the checksum of its bytes",
  });
}

/**
 * The copy to use in place of `superblock`; undefined if there is none, or if it says the same as `medium`, which was made
 * from that superblock.
 */
async function copyFor(
  volume: BlockSource,
  superblock: Superblock,
  medium: Medium | undefined,
): Promise<Copy | undefined> {
  const copies = await findCopies(volume);
  const own = copies.filter(({ superblock: { uuid } }) => uuid === superblock.uuid);
  for (const copy of [...own, ...copies.filter((copy) => !own.includes(copy))]) {
    if (medium !== undefined && isSameGeometry(medium.geometry, copy.geometry)) return undefined;
    if (await hasRoot(mediumOf(volume, copy))) return copy;
  }
  return medium === undefined ? own[0] : undefined;
}

function copyWarning({ superblock }: Copy, reason: string): string {
  return `the superblock is damaged, its copy in group ${superblock.group} is used: ${reason}`;
}

/** The journal of another file system on a device of its own has a superblock, but neither inodes nor files. */
function refuseJournalDevice({ incompatible, inodeCount }: Superblock, file: string): void {
  if ((incompatible & Incompatible.journal_dev) === 0 || inodeCount !== 0) return;
  throw new UnsupportedError({
    file,
    offset: EXT_SUPERBLOCK_OFFSET + Superblock.fields.incompatible.offset,
    thing: "this volume",
    found: "the external journal of another ext file system (journal_dev)",
    expected: "a file system",
  });
}

function refuseUnreadable({ geometry: { features }, volume }: Medium): void {
  const unreadable = (features.incompatible & ~READABLE) >>> 0;
  if (unreadable === 0) return;
  throw new UnsupportedError({
    file: volume.name,
    offset: EXT_SUPERBLOCK_OFFSET + Superblock.fields.incompatible.offset,
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
  const { compatible, incompatible, readOnlyCompatible } = geometry.features;
  if (superblock.revision === 0 && (compatible | incompatible | readOnlyCompatible) !== 0)
    warnings.push(
      "the superblock says revision 0, but has features, which came with revision 1: they are obeyed",
    );
  return warnings;
}

async function descriptorWarnings(medium: Medium): Promise<string[]> {
  const damaged: number[] = [];
  const replaced: number[] = [];
  const count = Math.min(medium.geometry.groupCount, VERIFIED_GROUP_LIMIT);
  for (let index = 0; index < count; index++) {
    const turn = yieldIfDue();
    if (turn !== undefined) await turn;
    try {
      const { isSound, isCopy } = await readGroup(medium, index);
      if (isCopy) replaced.push(index);
      else if (!isSound) damaged.push(index);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      return [`group descriptors cannot be read: ${error.message}`];
    }
  }
  const warnings: string[] = [];
  if (replaced.length > 0)
    warnings.push(
      `${replaced.length} group descriptors are damaged, copies are used: groups ${listOf(replaced)}`,
    );
  if (damaged.length > 0)
    warnings.push(
      `${damaged.length} group descriptors are damaged, and so are their copies: groups ${listOf(damaged)}`,
    );
  return warnings;
}

/** The first ten of `groups`. */
function listOf(groups: readonly number[]): string {
  return groups.slice(0, 10).join(", ") + (groups.length > 10 ? ", …" : "");
}
