/**
 * The process of a mount, begun before it is known what is to be mounted: it takes the longest of all to begin. What is
 * imported here is loaded before it.
 */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { open, rm } from "node:fs/promises";
import { engineSizes, memoryLimit, type EngineSizes } from "../bytes/memory.js";
import { fromHost, ignoreDiskError, thrownElsewhere } from "../errors.js";
import { packageFile } from "../package.js";
import { newLog } from "./records.js";

/**
 * V8's options for the process that serves a mount. Its sizes are these unless the host limits this process's memory
 * (bytes/memory.ts):
 * - The heap may take 1 GiB, of which a tenth is in use. With its usual limit of 4 GiB, V8 collects garbage later: a
 *   walk through 135,000 files took 70 MB more, and a tenth less time.
 * - The old generation is not collected below 64 MB at first: it would be nine times in a walk of two seconds, with
 *   15 MB in it.
 * - The halves of the young generation have their final size from the start: grown step by step from 1 MiB, a walk took
 *   a quarter more processor time, since listed pages outlived two collections; halves of 16 MiB took 15 MB more.
 * - Less inlining: the process lives for a second or for weeks. Its code is compiled in less time, a tenth of such a
 *   walk, and is no slower.
 */
const engine = ({ oldSpace, initialOldSpace, semiSpace }: EngineSizes): string[] => [
  `--max-old-space-size=${oldSpace}`,
  `--initial-old-space-size=${initialOldSpace}`,
  `--min-semi-space-size=${semiSpace}`,
  `--max-semi-space-size=${semiSpace}`,
  "--max-inlined-bytecode-size-cumulative=300",
];

export interface Daemon {
  /** Ends by itself where this process ends, or disconnects, before it has said that it has heard of the mount. */
  readonly child: ChildProcess;
  /** The first that it says; nothing where it ends without a word. */
  readonly heard: Promise<unknown[]>;
  /** The file that it says everything to, until there is a mount whose log that is. */
  readonly log: string;
}

let begun: Promise<Daemon> | undefined;

/**
 * Begins the process of the next mount. It does not keep this one from ending.
 * @param words what people who list processes see of it.
 */
export function spawnDaemon(words: readonly string[]): void {
  begun = begin(words);
  begun.catch(thrownElsewhere);
}

/**
 * The process that was begun, for one mount; or else one that begins now.
 * @throws {DiskError} where its log cannot be made.
 */
export function takeDaemon(words: readonly string[]): Promise<Daemon> {
  if (begun === undefined) spawnDaemon(words);
  const taken = begun!;
  begun = undefined;
  return taken;
}

/** There will be no mount: a process that was begun for it ends. */
export async function discardDaemon(): Promise<void> {
  const forgone = await begun?.catch(ignoreDiskError);
  begun = undefined;
  if (forgone?.child.connected === true) forgone.child.disconnect();
}

async function begin(words: readonly string[]): Promise<Daemon> {
  const log = await newLog();
  const file = await open(log, "wx", 0o600).catch((error: unknown) => {
    throw fromHost(error, log);
  });
  try {
    const sizes = engineSizes(memoryLimit());
    const child = fork(packageFile("dist/mount/daemon.js"), [log, ...words], {
      detached: true,
      // Node would read extra certificates when it starts, which takes as long as all else.
      env: { ...process.env, ...sizes.environment, NODE_EXTRA_CA_CERTS: "" },
      execArgv: engine(sizes),
      stdio: ["ignore", file.fd, file.fd, "ipc"],
    });
    const heard = Promise.race([once(child, "message"), once(child, "disconnect").then(() => [])]);
    heard.catch(thrownElsewhere);
    await once(child, "spawn");
    child.unref();
    child.channel?.unref();
    return { child, heard, log };
  } catch (error) {
    await rm(log, { force: true });
    throw fromHost(error, "the mount's process");
  } finally {
    await file.close();
  }
}
