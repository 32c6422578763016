/** `vdisk list --mounts`: lists the mounts of vdisk. */
import { printSentence } from "../bytes/text.js";
import { listMounts, type Mount } from "../mount/mounts.js";
import { formatLocalTime } from "./listing.js";
import { columns, write, writeJson } from "./output.js";

/** Prints all mounts. */
export async function showMounts(json: boolean): Promise<void> {
  const mounts = await listMounts();
  if (json) await writeJson(mounts);
  else if (mounts.length === 0) await write("nothing is mounted\n");
  else await write(columns([HEADINGS, ...mounts.map(row)]));
}

const HEADINGS = ["mount point", "image", "state", "since", "process", "user", "log"];

const STATES: Readonly<Record<Mount["state"], string>> = {
  served: "served",
  dead: "dead: its process has ended; unmount it",
  detached: "detached, but files are open",
  unknown: "mounted",
};

function row({ mountPoint, image, state, backend, since, pid, uid, log }: Mount): string[] {
  const seconds = Date.parse(since ?? "") / 1000;
  return [
    printSentence(mountPoint),
    printSentence(image),
    state === "served" && backend !== undefined ? `served by ${backend}` : STATES[state],
    Number.isNaN(seconds) ? "" : formatLocalTime({ seconds, nanoseconds: 0 }),
    String(pid ?? ""),
    String(uid ?? ""),
    printSentence(log ?? ""),
  ];
}
