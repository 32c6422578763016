/**
 * Mounts and unmounts argv[4] times on argv[3] with backend argv[2], and prints the numbers of descriptors, threads and
 * megabytes of memory at the start and at the end.
 */
import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { promisify } from "node:util";
import { pino } from "pino";
import { fuseNativeBackend } from "../../../src/fuse/fuse-native/fuse-native.js";
import { nativeBackend } from "../../../src/fuse/native/native.js";
import { sampleTree } from "./tree.js";

const [backendName, path, count] = process.argv.slice(2) as [string, string, string];
const backend = backendName === "native" ? nativeBackend : fuseNativeBackend;
const tree = sampleTree();
const census = (): [number, number, number] => [
  readdirSync("/proc/self/fd").length,
  readdirSync("/proc/self/task").length,
  Math.round(process.memoryUsage.rss() / 1e6),
];

async function cycle(): Promise<void> {
  const options = {
    source: "cycles",
    allowOther: false,
    allowRoot: false,
    extra: [],
    log: pino({ level: "silent" }),
  };
  const mount = await backend.mount(tree, path, options);
  const { stdout } = await promisify(execFile)("cat", [`${path}/files/size-4097`], { encoding: "buffer" });
  if (stdout.length !== 4097) throw new Error(`${stdout.length} bytes`);
  await mount.unmount(false);
  await mount.ended;
}

for (let warm = 0; warm < 5; warm++) await cycle();
const before = census();
for (let done = 0; done < Number(count); done++) await cycle();
await new Promise((resolve) => setTimeout(resolve, 500));
console.log(JSON.stringify([before, census()]));
