/** Chains of VDI images with a byte model of the disk at every state: scattered, sparse, odd-sized. */
import { join } from "node:path";
import type { Random } from "../random.js";
import { writeVdi } from "./builder.js";

/** One image of a chain, and what the disk is when the chain ends there. */
export interface VdiState {
  readonly path: string;
  readonly uuid: string;
  readonly modification: string;
  readonly model: Buffer;
}

export interface ChainShape {
  readonly depth: number;
  /** The usual size of the disk in bytes; single images are a little smaller or larger. 1.5 MiB by default. */
  readonly size?: number;
  /** Every image has this size. */
  readonly isSteady?: boolean;
  /** What the file of the image at `level` (0 is the base) is called. */
  readonly fileName?: (level: number, uuid: string) => string;
}

const KIB = 2 ** 10;

/** Writes a chain to `folder`; the states from the base to the top. */
export async function writeVdiChain(folder: string, random: Random, shape: ChainShape): Promise<VdiState[]> {
  const { depth, size: usualSize = 1536 * KIB, isSteady, fileName = (level) => `level-${level}.vdi` } = shape;
  const states: VdiState[] = [];
  for (let level = 0; level < depth; level++) {
    const parent = states.at(-1);
    const odd = isSteady === true ? 0 : (random.below(1024) - 512) * 512;
    const size = Math.max(512, usualSize + odd);
    const blockSize = random.pick([128 * KIB, 256 * KIB]);
    const model = Buffer.alloc(size);
    parent?.model.copy(model);
    const blocks = new Map<number, Buffer | "zero">();
    for (let block = 0; block * blockSize < size; block++) {
      const start = block * blockSize;
      const what = random.pick(["free", "free", "zero", "stored", "stored"] as const);
      if (what === "zero") {
        blocks.set(block, "zero");
        model.fill(0, start, Math.min(start + blockSize, size));
      } else if (what === "stored") {
        const bytes = random.bytes(blockSize);
        blocks.set(block, bytes);
        bytes.copy(model, start);
      }
    }
    const stored = [...blocks].filter(([, held]) => held !== "zero").map(([block]) => block);
    const [uuid, modification] = [random.uuid(), random.uuid()];
    const path = join(folder, fileName(level, uuid));
    const version = random.pick(["0", "1.0", "1.1", "1.1+"] as const);
    await writeVdi(path, {
      version,
      type: parent === undefined ? 1 : random.pick([3, 4, 4]),
      diskSize: size,
      blockSize,
      blockExtra: version === "0" ? 0 : random.pick([0, 0, 512, 4096]),
      blocks,
      order: random.shuffle(stored),
      uuid,
      modification,
      ...(parent !== undefined && { parentUuid: parent.uuid, parentModification: parent.modification }),
    });
    states.push({ path, uuid, modification, model });
  }
  return states;
}
