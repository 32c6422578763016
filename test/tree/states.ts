/**
 * A disk of many states, as snapshots that were made on one another: an ext4 that debugfs changes from state to state,
 * and what it changed as differencing VDIs. The model of every state is the raw disk that debugfs left.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { DiskState } from "../../src/machine/machine.js";
import type { Random } from "../image/random.js";
import { writeVdi } from "../image/vdi/builder.js";

export interface ModelState extends DiskState {
  readonly image: string;
  /** The raw disk at this state. */
  readonly model: string;
  /** What is in its `/etc/deep/state`. */
  readonly text: string;
}

const DISK_SIZE = 2 * 2 ** 20;
const BLOCK_SIZE = 128 * 2 ** 10;

/**
 * Writes `count` states to `folder`, the current one last. Each is made on the one before or, now and then, on an
 * earlier one.
 */
export async function writeStates(folder: string, random: Random, count: number): Promise<ModelState[]> {
  const states: (ModelState & { modification: string })[] = [];
  const scratch = join(folder, "scratch");
  for (let index = 0; index < count; index++) {
    const parent = random.below(8) === 0 ? states[random.below(states.length || 1)] : states.at(-1);
    const model = join(folder, `${index}.raw`);
    const text = `state ${index} ${random.uuid()}\n`;
    writeFileSync(scratch, text);
    if (parent === undefined) makeFileSystem(model, folder);
    else execFileSync("cp", ["--sparse=always", parent.model, model]);
    const commands = [
      "rm /etc/deep/state",
      `write ${scratch} /etc/deep/state`,
      `write ${scratch} /only-${index}`,
      ...(parent === undefined ? [] : [`rm /only-${random.below(index)}`]),
    ];
    writeFileSync(`${scratch}.commands`, commands.join("\n"));
    execFileSync("debugfs", ["-w", "-f", `${scratch}.commands`, model], { stdio: "ignore" });
    const [uuid, modification] = [random.uuid(), random.uuid()];
    const image = join(folder, `{${uuid}}.vdi`);
    await writeVdi(image, {
      type: parent === undefined ? 1 : 4,
      diskSize: DISK_SIZE,
      blockSize: BLOCK_SIZE,
      blocks: changes(parent?.model, model),
      uuid,
      modification,
      ...(parent !== undefined && { parentUuid: parent.imageUuid, parentModification: parent.modification }),
    });
    const isCurrent = index === count - 1;
    states.push({
      name: isCurrent ? "current" : `Snapshot ${index}`,
      ...(!isCurrent && {
        uuid: random.uuid(),
        taken: { seconds: 1_700_000_000 + index * 3600, nanoseconds: 0 },
      }),
      isCurrent,
      image,
      imageUuid: uuid,
      modification,
      model,
      text,
    });
  }
  return states;
}

function makeFileSystem(path: string, folder: string): void {
  const root = join(folder, "root");
  execFileSync("sh", [
    "-c",
    'mkdir -p "$0/etc/deep" "$0/var" && echo x >"$0/etc/deep/state" && seq 1 2000 >"$0/var/log"',
    root,
  ]);
  execFileSync("truncate", ["-s", String(DISK_SIZE), path]);
  execFileSync("mkfs.ext4", ["-q", "-O", "^has_journal", "-d", root, path]);
}

/** The blocks in which `model` differs from `before`, or from nothing. */
function changes(before: string | undefined, model: string): Map<number, Buffer | "zero"> {
  const now = readFileSync(model);
  const old = before === undefined ? Buffer.alloc(now.length) : readFileSync(before);
  const blocks = new Map<number, Buffer | "zero">();
  for (let block = 0; block * BLOCK_SIZE < now.length; block++) {
    const bytes = now.subarray(block * BLOCK_SIZE, (block + 1) * BLOCK_SIZE);
    if (bytes.equals(old.subarray(block * BLOCK_SIZE, (block + 1) * BLOCK_SIZE))) continue;
    blocks.set(block, bytes.every((byte) => byte === 0) ? "zero" : bytes);
  }
  return blocks;
}
