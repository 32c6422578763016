/** Rows about the process that serves: how soon it does, and what it holds. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { deepDisk, treeDisk } from "./data.js";
import { bound, interleave, median, seconds, told, type Line } from "./measure.js";
import { during, ours } from "./mounts.js";
import type { Row } from "./row.js";

const MB = 1e6;
/** What the memory may differ between two looks without having grown: a garbage collector's rest. */
const SLACK = 0.1;

export const start: Row = async ({ folder, turns }) => {
  const image = await deepDisk(folder);
  const peaks: number[] = [];
  const { vdisk, node } = await interleave(turns, {
    node: () => seconds(process.execPath, "-e", "0"),
    vdisk: () => {
      const begun = performance.now();
      return during(ours(image), async ({ path, pid }) => {
        await seconds("ls", join(dirname(path), "fs0"));
        const usable = performance.now();
        peaks.push(look(pid!).peak);
        return (usable - begun) / 1000;
      });
    },
  });
  return [
    bound("from command to mount, 2 TiB, 64 deep", vdisk, "s", 0.5),
    told("  Node alone, of which it takes two", node, "s"),
    bound("  its memory at the peak", peaks, "MB", 150),
  ];
};

export const memory: Row = async ({ folder, turns }) => {
  const image = join(await treeDisk(folder), "state2.vdi");
  const looks = await during(ours(image), async ({ path, pid }) => {
    const looks: Look[] = [];
    for (let repetition = 0; repetition <= 2 * turns; repetition++) {
      for (const work of EVERYTHING) await seconds("sh", "-c", work, "sh", path, join(dirname(path), "fs0"));
      looks.push(look(pid!));
      console.error(`memory, repetition ${repetition}: ${JSON.stringify(looks.at(-1))}`);
    }
    return looks;
  });
  return [
    bound("the daemon's memory after everything, peak", [looks[0]!.peak], "MB", 250),
    bound(`  after ${2 * turns} repetitions, peak`, [looks.at(-1)!.peak], "MB", 250),
    growth("  its memory, last repetitions and first", "MB", looks, ({ now }) => now, SLACK),
    growth("  its threads", "", looks, ({ threads }) => threads, 0),
    growth("  its descriptors", "", looks, ({ descriptors }) => descriptors, 0),
  ];
};

/** One of each kind of work: $1 is the flat disk, $2 the file system. */
const EVERYTHING = [
  'dd if="$1" of=/dev/null bs=1M status=none',
  'fio --name=random --filename="$1" --rw=randread --bs=4k --direct=1 --numjobs=8 --thread --runtime=3 \
     --time_based --readonly --invalidate=0 >/dev/null',
  'find "$2" -ls >/dev/null',
  'find "$2" -ls >/dev/null',
  'tar cf - -C "$2" . 2>/dev/null | cat >/dev/null',
  'find "$2" -type f -size +1M -print0 | head -z -n 400 | xargs -0 -P 8 -n 50 cat >/dev/null',
];

interface Look {
  /** Megabytes in memory, now and at the most. */
  readonly now: number;
  readonly peak: number;
  readonly threads: number;
  readonly descriptors: number;
}

function look(pid: number): Look {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const value = (name: string): number => Number(new RegExp(`^${name}:\\s*(\\d+)`, "m").exec(status)![1]);
  return {
    now: (value("VmRSS") * 1024) / MB,
    peak: (value("VmHWM") * 1024) / MB,
    threads: value("Threads"),
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
  };
}

/** The first look is a warming; then the last three are held against the first three. */
function growth(work: string, unit: string, looks: Look[], of: (look: Look) => number, slack: number): Line {
  const [first, last] = [looks.slice(1, 4), looks.slice(-3)].map((some) => median(some.map(of))) as [
    number,
    number,
  ];
  return {
    work,
    ours: `${Math.round(last)} ${unit}`,
    peer: `${Math.round(first)} ${unit}`,
    ratio: (last / first).toFixed(2),
    bar: `<= ${1 + slack}`,
    met: last <= first * (1 + slack) ? "yes" : "NO",
  };
}
