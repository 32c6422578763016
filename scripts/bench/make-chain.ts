/**
 * Writes states of one disk, given as raw files from the oldest to the newest, as a chain of VDIs: the first whole,
 * each other one only where it differs. Blocks lie in the files in random order.
 *
 *     tsx scripts/bench/make-chain.ts FOLDER STATE.raw...
 */
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { random } from "../../test/image/random.js";
import { writeVdi } from "../../test/image/vdi/builder.js";
import { MIB as BLOCK_SIZE, uuidOf } from "./scattered.js";

const [folder, ...states] = process.argv.slice(2) as [string, ...string[]];
const numbers = random(3);
const zeros = Buffer.alloc(BLOCK_SIZE);

for (const [level, path] of states.entries()) {
  const size = statSync(path).size;
  const state = openSync(path, "r");
  const before = level === 0 ? undefined : openSync(states[level - 1]!, "r");
  const changed: number[] = [];
  for (let block = 0; block * BLOCK_SIZE < size; block++) {
    const bytes = readBlock(state, block);
    if (!bytes.equals(before === undefined ? zeros : readBlock(before, block))) changed.push(block);
  }
  await writeVdi(join(folder, `state${level}.vdi`), {
    type: level === 0 ? 1 : 4,
    diskSize: size,
    blocks: new Map(
      numbers.shuffle(changed).map((block) => {
        const isZero = readBlock(state, block).equals(zeros);
        return [block, isZero ? "zero" : (): Buffer => readBlock(state, block)];
      }),
    ),
    dataOffset: BLOCK_SIZE,
    uuid: uuidOf(level),
    ...(level > 0 && { parentUuid: uuidOf(level - 1) }),
  });
  closeSync(state);
  if (before !== undefined) closeSync(before);
}

function readBlock(file: number, block: number): Buffer {
  const bytes = Buffer.alloc(BLOCK_SIZE);
  readSync(file, bytes, 0, BLOCK_SIZE, block * BLOCK_SIZE);
  return bytes;
}
