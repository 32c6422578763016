/**
 * A process that serves a tree of this folder until its standard input says "unmount" or "lazy" or ends.
 * Arguments: backend, tree, mount point, options as JSON. Prints one JSON value a line: "mounted", "ended", errors.
 */
import { createInterface } from "node:readline";
import { pino } from "pino";
import type { FuseOptions } from "../../../src/fuse/backend.js";
import { fuseNativeBackend } from "../../../src/fuse/fuse-native/fuse-native.js";
import { nativeBackend } from "../../../src/fuse/native/native.js";
import { fullTree, sampleTree, slowTree, wideTree } from "./tree.js";

const [backendName, treeName, mountPoint, options] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
];
const backend = backendName === "native" ? nativeBackend : fuseNativeBackend;
const tree = { sample: sampleTree, full: fullTree, wide: wideTree, slow: slowTree }[treeName]!();
const say = (value: unknown): void => {
  process.stdout.write(`${JSON.stringify(value)}\n`);
};

try {
  const mount = await backend.mount(tree, mountPoint, {
    source: "a,disk\\.vdi",
    allowOther: false,
    allowRoot: false,
    extra: [],
    log: pino({ level: "error" }, pino.destination(2)),
    ...(JSON.parse(options) as Partial<FuseOptions>),
  });
  say("mounted");
  const lines = createInterface(process.stdin);
  lines.on("line", (line) => {
    mount.unmount(line === "lazy").catch((error: unknown) => {
      say({ error: String(error), code: (error as { errno?: string }).errno });
    });
  });
  lines.on("close", () => void mount.unmount(true));
  await mount.ended;
  say("ended");
  lines.removeAllListeners();
  lines.close();
  process.stdin.destroy();
} catch (error) {
  say({ error: String(error), code: (error as { code?: string }).code });
  process.exitCode = 1;
}
