/**
 * Compares the speed of reading a deep chain with that of its flattened copy: 64 images, the disk's blocks scattered over them at random
 * and out of order, read in sequence by 1 MiB. Both are opened anew for every pass and read in turns; medians and
 * their ratio are printed.
 *
 *     node --import=@tapjs/typescript/import scripts/bench/chain-depth.ts [block size in KiB] [disk size in MiB]
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readInto } from "../../src/extent/read.js";
import { openChain } from "../../src/image/chain.js";
import { random } from "../../test/image/random.js";
import { MIB, writeScattered } from "./scattered.js";

const DEPTH = 64;
const PASSES = 25;
const blockSize = Number(process.argv[2] ?? 1024) * 1024;
const diskSize = Number(process.argv[3] ?? 512) * MIB;

const folder = await mkdtemp(join(tmpdir(), "chain-depth-"));
try {
  const [deep, flat] = await prepare();
  const rates: Record<string, number[]> = { deep: [], flat: [] };
  for (let pass = 0; pass < PASSES; pass++) {
    for (const [name, path] of Object.entries({ deep, flat })) rates[name]!.push(await measure(path));
  }
  const [deepRate, flatRate] = [median(rates["deep"]!), median(rates["flat"]!)];
  console.log(`${DEPTH} deep ${deepRate.toFixed(0)} MiB/s, flat ${flatRate.toFixed(0)} MiB/s`);
  console.log(`ratio ${(deepRate / flatRate).toFixed(2)}`);
} finally {
  await rm(folder, { recursive: true });
}

async function prepare(): Promise<[deep: string, flat: string]> {
  const content = random(DEPTH).bytes(blockSize);
  const blocks = new Map(Array.from({ length: diskSize / blockSize }, (_, block) => [block, () => content]));
  const images = Array.from({ length: DEPTH }, (_, level) => join(folder, `${level}.vdi`));
  const flat = join(await mkdtemp(join(folder, "flat-")), "flat.vdi");
  for (const paths of [images, [flat]]) await writeScattered(paths, { size: diskSize, blockSize, blocks });
  return [images.at(-1)!, flat];
}

/** MiB a second of one pass over the disk. */
async function measure(path: string): Promise<number> {
  const chain = await openChain(path);
  const { source } = chain;
  const into = Buffer.alloc(MIB);
  const start = performance.now();
  for (let at = 0; at < source.size; at += MIB) await readInto(source, into, at);
  const seconds = (performance.now() - start) / 1000;
  await chain.close();
  return source.size / MIB / seconds;
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
