/** Disks for measuring: the blocks of one disk spread over a chain of VDIs, in no order at all. */
import { random } from "../../test/image/random.js";
import { writeVdi } from "../../test/image/vdi/builder.js";

export const MIB = 2 ** 20;

export interface ScatteredDisk {
  readonly size: number;
  /** Bytes; 1 MiB by default. */
  readonly blockSize?: number;
  /** What is stored, by block number; the rest of the disk is free. */
  readonly blocks: ReadonlyMap<number, () => Buffer>;
}

/**
 * Writes `disk` as a chain, `paths` from the base to the newest image. Every block is in one image, and lies at
 * random in its file. Answers each image's block numbers.
 */
export async function writeScattered(paths: readonly string[], disk: ScatteredDisk): Promise<number[][]> {
  const numbers = random(paths.length);
  const images = paths.map((): number[] => []);
  for (const block of disk.blocks.keys()) numbers.pick(images).push(block);
  for (const [level, path] of paths.entries()) {
    await writeVdi(path, {
      type: level === 0 ? 1 : 4,
      diskSize: disk.size,
      blockSize: disk.blockSize ?? MIB,
      blocks: new Map(numbers.shuffle(images[level]!).map((block) => [block, disk.blocks.get(block)!])),
      dataOffset: Math.ceil(((disk.size / (disk.blockSize ?? MIB)) * 4 + 512) / MIB) * MIB,
      uuid: uuidOf(level),
      ...(level > 0 && { parentUuid: uuidOf(level - 1) }),
    });
  }
  return images;
}

/** The identity of the image at `level` of a chain; 0 is the base. */
export function uuidOf(level: number): string {
  return `${String(level).padStart(8, "0")}-1111-4222-8333-444444444444`;
}
