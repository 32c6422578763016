/**
 * Starts the process that will serve a mount (daemon.ts), before the command knows what to mount: nothing else takes as
 * long. Keep the imports of this file few, since they are loaded before the process starts.
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
 * - The heap may grow to 1 GiB; usually a tenth of that is in use. With V8's default limit of 4 GiB it collects garbage
 *   later: a walk through 135,000 files took 70 MB more, and a tenth less time.
 * - The old generation is not collected below 64 MB at first. Otherwise it was collected nine times in a walk of two
 *   seconds, with 15 MB in it.
 * - The halves of the young generation have their final size from the start. When they grew step by step from 1 MiB, a walk
 *   took a quarter more processor time, since listed pages survived two collections. Halves of 16 MiB took 15 MB more.
 * - Less inlining: compiling takes less time, by a tenth of such a walk, and the code is not slower.
 */
const engine = ({ oldSpace, initialOldSpace, semiSpace }: EngineSizes): string[] => [
  `--max-old-space-size=${oldSpace}`,
  `--initial-old-space-size=${initialOldSpace}`,
  `--min-semi-space-size=${semiSpace}`,
  `--max-semi-space-size=${semiSpace}`,
  "--max-inlined-bytecode-size-cumulative=300",
];

/** The process that will serve a mount. */
export interface Daemon {
  /** Ends by itself if this process ends or disconnects before it has acknowledged the mount (start.ts). */
  readonly child: ChildProcess;
  /** The arguments of its first message; empty if it ends without one. */
  readonly firstMessage: Promise<unknown[]>;
  /** The file of its output, until the mount point is known. */
  readonly log: string;
}

let spawned: Promise<Daemon> | undefined;

/**
 * Starts the process of the next mount. This process can end while it runs.
 * @param args arguments that have no effect: they are what `ps` shows.
 */
export function spawnDaemon(args: readonly string[]): void {
  spawned = spawn(args);
  spawned.catch(thrownElsewhere);
}

/**
 * Returns the process that `spawnDaemon` has started, once; starts one if there is none.
 * @throws {DiskError} if its log cannot be created.
 */
export function takeDaemon(args: readonly string[]): Promise<Daemon> {
  if (spawned === undefined) spawnDaemon(args);
  const taken = spawned!;
  spawned = undefined;
  return taken;
}

/** Ends a process that `spawnDaemon` has started: it is not needed. */
export async function discardDaemon(): Promise<void> {
  const unused = await spawned?.catch(ignoreDiskError);
  spawned = undefined;
  if (unused?.child.connected === true) unused.child.disconnect();
}

async function spawn(args: readonly string[]): Promise<Daemon> {
  const log = await newLog();
  const file = await open(log, "wx", 0o600).catch((error: unknown) => {
    throw fromHost(error, log);
  });
  try {
    const sizes = engineSizes(memoryLimit());
    const child = fork(packageFile("dist/mount/daemon.js"), [log, ...args], {
      detached: true,
      // Reading extra certificates would double the time that Node takes to start.
      env: { ...process.env, ...sizes.environment, NODE_EXTRA_CA_CERTS: "" },
      execArgv: engine(sizes),
      stdio: ["ignore", file.fd, file.fd, "ipc"],
    });
    const firstMessage = Promise.race([once(child, "message"), once(child, "disconnect").then(() => [])]);
    firstMessage.catch(thrownElsewhere);
    await once(child, "spawn");
    child.unref();
    child.channel?.unref();
    return { child, firstMessage, log };
  } catch (error) {
    await rm(log, { force: true });
    throw fromHost(error, "the mount's process");
  } finally {
    await file.close();
  }
}
