/**
 * Compares the speed of a mount with other programs: the FUSE exports of qemu and xmount, fuse2fs, the kernel's loop mount,
 * the fuse-native backend, and a minimal server in C that shows what the kernel allows. They are measured in turns. The table
 * has medians and ratios, with the limit that each ratio must meet.
 *
 *     npm run build && npx tsx scripts/bench/fast-path.ts [--turns 5] FOLDER [ROW...]
 *
 * Rows: sequential raw chain random find tar readers start memory; all by default. The disks are made in FOLDER and
 * used again (35 GB and some minutes the first time). Needs root, 16 GB of memory to keep images and files cached,
 * and the packages qemu-system-common, qemu-utils, xmount, fuse2fs, fio, e2fsprogs, fdisk and a C compiler.
 */
import { mkdirSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { memory, start } from "./fast-path/daemon.js";
import { find, readers, tar } from "./fast-path/files.js";
import type { Line } from "./fast-path/measure.js";
import { clearAll } from "./fast-path/mounts.js";
import { chain, randomReads, raw, sequential } from "./fast-path/reading.js";
import type { Row } from "./fast-path/row.js";

const rows: Readonly<Record<string, Row>> = {
  sequential,
  raw,
  chain,
  random: randomReads,
  find,
  tar,
  readers,
  start,
  memory,
};
const WIDTHS: Readonly<Record<keyof Line, number>> = {
  work: 46,
  ours: 13,
  peer: 13,
  ratio: 7,
  bar: 11,
  met: 12,
};

const { values, positionals } = parseArgs({
  options: { turns: { type: "string", default: "5" } },
  allowPositionals: true,
});
const [folder, ...chosen] = positionals;
const turns = Number(values.turns);
const unknown = chosen.filter((name) => !(name in rows));
if (folder === undefined || unknown.length > 0 || !(turns >= 1)) {
  console.error(`usage: fast-path.ts [--turns N] FOLDER [${Object.keys(rows).join("|")}]...`);
  process.exit(64);
}
// Each Node.js program reads extra certificates when it starts, which doubles that time and has nothing to do with vdisk.
delete process.env["NODE_EXTRA_CA_CERTS"];
mkdirSync(folder, { recursive: true });
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, () => void clearAll().finally(() => process.exit(1)));
}

print({ work: "work: peer", ours: "ours", peer: "peer", ratio: "ratio", bar: "bar", met: "met?" });
for (const name of chosen.length > 0 ? chosen : Object.keys(rows)) {
  try {
    for (const line of await rows[name]!({ folder: resolve(folder), turns })) print(line);
  } catch (error) {
    console.error(`${name}: ${String(error)}`);
    process.exitCode = 1;
  }
}
// Shows in the table what else the machine did.
const loads = loadavg().map((load) => load.toFixed(1));
console.log(
  `${availableParallelism()} processors; load average over 1, 5 and 15 minutes ${loads.join(", ")}`,
);

function print(line: Line): void {
  const cells = Object.entries(WIDTHS).map(([name, width]) => line[name as keyof Line].padEnd(width));
  console.log(cells.join(" ").trimEnd());
}
