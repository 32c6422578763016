/** The images that are mutated: those of ../bases, and VDI and VHD images made of them. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { buildVdi } from "../../image/vdi/builder.js";
import { buildVhd, utf16le, type VhdPlan } from "../../image/vhd/builder.js";

const FOLDER = fileURLToPath(new URL("../bases", import.meta.url));
const SUFFIX = ".img.gz";

/** An image: its files, from the top of its chain to the base. */
export interface Base {
  readonly name: string;
  readonly files: readonly Buffer[];
}

/** The smallest that VDI has. */
const BLOCK_SIZE = 128 * 1024;

const CHAINS: Readonly<Record<string, () => Buffer[]>> = {
  "vdi-chain": () => chain(readRaw("ext4"), BLOCK_SIZE),
  "vdi-mbr": () => [dynamic(readRaw("mbr"), BLOCK_SIZE, "1.1")],
  "vdi-old": () => [dynamic(readRaw("fat12"), BLOCK_SIZE, "0")],
  "vhd-mbr": () => [sparseVhd(readRaw("mbr"))],
  "vhd-fixed": () => [fixedVhd(readRaw("fat12"))],
  "vhd-child": () => [vhdChain(readRaw("mbr"))[0]],
  "vhd-chain": () => vhdChain(readRaw("ext4")),
  "vdi-extra": () => [dynamic(readRaw("ext2"), 2 * BLOCK_SIZE, "1.1+", 512)],
};

/** The names of all of them. A campaign without any is a mistake. */
export function baseNames(): string[] {
  const raw = readdirSync(FOLDER).filter((name) => name.endsWith(SUFFIX));
  if (raw.length === 0) throw new Error(`${FOLDER} has no images`);
  return [...raw.map((name) => name.slice(0, -SUFFIX.length)), ...Object.keys(CHAINS)].sort();
}

/** A copy of the caller's own. */
export function loadBase(name: string): Base {
  return { name, files: CHAINS[name]?.() ?? [readRaw(name)] };
}

function readRaw(name: string): Buffer {
  return Buffer.from(gunzipSync(readFileSync(`${FOLDER}/${name}${SUFFIX}`)));
}

/** A dynamic image whose blocks lie in reverse order; those that are zero are not stored. */
function dynamic(disk: Buffer, blockSize: number, version: "0" | "1.1" | "1.1+", blockExtra = 0): Buffer {
  const blocks = blocksOf(disk, blockSize);
  const order = [...blocks.keys()].reverse();
  return buildVdi({ version, diskSize: disk.length, blockSize, blockExtra, blocks, order });
}

/** Three images: every third block is in the top, every third in the middle one, the others in the base. */
function chain(disk: Buffer, blockSize: number): Buffer[] {
  const all = [...blocksOf(disk, blockSize)];
  const uuid = (layer: number): string => `1111111${layer}-2222-3333-4444-555555555555`;
  const modification = (layer: number): string => `aaaaaaa${layer}-bbbb-cccc-dddd-eeeeeeeeeeee`;
  return [0, 1, 2].map((layer) =>
    buildVdi({
      diskSize: disk.length,
      blockSize,
      blocks: new Map(all.filter((_, index) => index % 3 === layer)),
      uuid: uuid(layer),
      modification: modification(layer),
      ...(layer < 2 && {
        type: 4,
        parentUuid: uuid(layer + 1),
        parentModification: modification(layer + 1),
      }),
    }),
  );
}

function sparseVhd(disk: Buffer, more: Partial<VhdPlan> = {}): Buffer {
  const blocks = blocksOf(disk, BLOCK_SIZE);
  const plan = {
    diskSize: disk.length,
    blockSize: BLOCK_SIZE,
    order: [...blocks.keys()].reverse(),
    blocks: new Map([...blocks].map(([block, data]) => [block, { data }])),
  };
  return buildVhd({ ...plan, ...more });
}

function fixedVhd(disk: Buffer): Buffer {
  return buildVhd({ diskSize: disk.length, data: disk });
}

/** Two images: every other sector is in the child, and all of them are in its parent. */
function vhdChain(disk: Buffer): [Buffer, Buffer] {
  const bitmap = Buffer.alloc(BLOCK_SIZE / 512 / 8, 0xaa);
  const blocks = blocksOf(disk, BLOCK_SIZE);
  const child = sparseVhd(disk, {
    id: "ffeeddccbbaa99887766554433221100",
    blocks: new Map([...blocks].map(([block, data]) => [block, { data, bitmap }])),
    parent: {
      id: "00112233445566778899aabbccddeeff",
      modified: 1000,
      name: "base.vhd",
      locators: [
        { platform: "W2ru", data: utf16le(".\\base.vhd") },
        { platform: "W2ku", data: utf16le("C:\\base.vhd") },
        { platform: "MacX", data: Buffer.from("file://localhost/base.vhd") },
      ],
    },
  });
  return [child, sparseVhd(disk)];
}

function blocksOf(disk: Buffer, blockSize: number): Map<number, Buffer> {
  const blocks = new Map<number, Buffer>();
  for (let index = 0; index * blockSize < disk.length; index++) {
    const block = Buffer.alloc(blockSize);
    disk.copy(block, 0, index * blockSize);
    if (block.some((byte) => byte !== 0)) blocks.set(index, block);
  }
  return blocks;
}
