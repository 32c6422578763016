/**
 * How fast a mount is, beside its peers: qemu's and xmount's FUSE exports, fuse2fs, the kernel's loop mount, our own
 * fuse-native backend, and a bare C server that shows what the kernel allows. Sides are measured in turns; the table
 * has their medians and ratios, with the bar that each ratio must pass.
 *
 *     npm run build && npx tsx scripts/bench/fast-path.ts [--turns 5] FOLDER [ROW...]
 *
 * Rows: sequential raw chain random find tar readers start memory; all unless told. The disks are made in FOLDER and
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
const strange = chosen.filter((name) => !(name in rows));
if (folder === undefined || strange.length > 0 || !(turns >= 1)) {
  console.error(`usage: fast-path.ts [--turns N] FOLDER [${Object.keys(rows).join("|")}]...`);
  process.exit(64);
}
// Every program of Node's reads them as it begins, which doubles its start: the environment's doing, and not ours.
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
// Whoever reads the table must know what else the machine did.
const loads = loadavg().map((load) => load.toFixed(1));
console.log(
  `${availableParallelism()} processors; load average over 1, 5 and 15 minutes ${loads.join(", ")}`,
);

function print(line: Line): void {
  const cells = Object.entries(WIDTHS).map(([name, width]) => line[name as keyof Line].padEnd(width));
  console.log(cells.join(" ").trimEnd());
}
