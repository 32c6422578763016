/**
 * Many workers of one process that use vdisk and are terminated at random moments, while the main thread uses it, too.
 *     node workers.mjs IMAGE FOLDER SECONDS SEED [mount]
 * With `mount`, each worker also serves a mount below FOLDER, which others read. Ends with a line of counts.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker, isMainThread, parentPort, workerData } from "node:worker_threads";
import { openDisk, read } from "../../dist/index.js";
import { loadAddon } from "../../dist/storage/addon.js";

/** Workers that live at the same time. */
const AT_ONCE = 4;

/** Workers that are terminated at least, on a slow host too. */
const LEAST = 8;

/** A worker lives for fewer milliseconds than this, measured from the moment that it has begun its work. */
const LIFE = 120;

if (isMainThread) await main(process.argv[2], process.argv[3], ...process.argv.slice(4, 6).map(Number));
else await work(workerData);

/** What a worker does until it is terminated. */
async function work({ image, mountPoint }) {
  parentPort.postMessage("begun");
  const addon = loadAddon();
  if (mountPoint !== undefined) await serve(image, mountPoint);
  const packed = Buffer.alloc(2 ** 16, 7);
  const stored = addon.codecNames().indexOf("stored");
  for (;;) {
    const disk = await openDisk(image, { allowLive: true });
    const whole = read(disk.source, 0, disk.source.size);
    const pairs = disk.layers.map(({ image }) => [image.files[0].fd, 0]);
    const runs = Float64Array.from(pairs.flatMap(([fd, at], index) => [fd, at, index * 4096, 4096]));
    await Promise.all([
      whole,
      ...Array.from({ length: 8 }, () => addon.readRuns(runs, Buffer.alloc(4096 * pairs.length))),
      ...Array.from({ length: 8 }, () =>
        addon.unpackChunks(Float64Array.of(stored, 0, 2 ** 16, 0, 2 ** 16), packed, Buffer.alloc(2 ** 16)),
      ),
      addon.unmount("/nonexistent", 0).catch(() => undefined), // a promise that is rejected
    ]);
    try {
      addon.blockDeviceSize(disk.layers[0].image.files[0].fd); // an exception
    } catch {
      // Expected: it is not a block device.
    }
    await disk.close();
  }
}

async function serve(image, mountPoint) {
  const { serveMount } = await import("../../dist/mount/serve.js");
  const { pino } = await import("pino");
  const log = pino({ level: "silent" });
  const request = {
    image,
    mountPoint,
    allowDirs: [],
    allowLive: true,
    fileSystems: {},
    options: [],
    backend: "native",
  };
  await new Promise((ready, failed) => {
    serveMount({ ...request, allowOther: false, allowRoot: false, logLevel: "silent" }, log, ready).catch(
      failed,
    );
  });
  parentPort.postMessage("mounted");
}

async function main(image, folder, seconds, seed) {
  const numbers = random(seed);
  const isMounting = process.argv.includes("mount");
  const disk = await openDisk(image, { allowLive: true });
  const expected = await read(disk.source, 0, disk.source.size);
  const counts = { terminated: 0, mounted: 0, reads: 0, served: 0 };
  const end = Date.now() + seconds * 1000;
  const isOver = () => Date.now() >= end && counts.terminated >= LEAST;

  const verify = async () => {
    while (!isOver()) {
      const bytes = await read(disk.source, 0, disk.source.size);
      if (!bytes.equals(expected)) throw new Error("the main thread read wrong bytes");
      counts.reads++;
      await sleep(1);
    }
  };

  /** Reads a mount's disk by another program until the mount ends. Each read must be right, or an error. */
  const readMount = async (mountPoint) => {
    const program = spawn("sh", ["-c", `while cat ${mountPoint}/vhdd; do echo; done`], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    let length = 0;
    program.stdout.on("data", (bytes) => {
      for (let at = 0; at < bytes.length;) {
        const place = length % (expected.length + 1); // one newline after each
        const part = bytes.subarray(at, at + expected.length + 1 - place);
        const isLine = place + part.length === expected.length + 1;
        const data = isLine ? part.subarray(0, -1) : part;
        if (!data.equals(expected.subarray(place, place + data.length))) {
          console.error("a mount gave wrong bytes");
          process.exit(1);
        }
        at += part.length;
        length += part.length;
      }
    });
    await once(program, "close");
    if (length > 0) counts.served++;
  };

  const live = async (place) => {
    const mountPoint = join(folder, `mount-${place}`);
    mkdirSync(mountPoint, { recursive: true });
    while (!isOver()) {
      const worker = new Worker(new URL(import.meta.url), {
        workerData: { image, mountPoint: isMounting ? mountPoint : undefined },
      });
      let failure;
      worker.on("error", (error) => (failure = error));
      let reading;
      await once(worker, "message");
      if (isMounting && numbers.below(4) > 0) {
        await Promise.race([once(worker, "message"), once(worker, "exit")]);
        reading = readMount(mountPoint);
        counts.mounted++;
      }
      await sleep(numbers.below(LIFE));
      await worker.terminate();
      if (failure !== undefined) throw failure;
      await reading;
      if (isMounting) unmount(mountPoint);
      counts.terminated++;
    }
  };

  await Promise.all([verify(), ...Array.from({ length: AT_ONCE }, (_, place) => live(place))]);
  await disk.close();
  console.log(JSON.stringify(counts));
}

/** Removes the rest of a mount whose worker was terminated. */
function unmount(mountPoint) {
  try {
    execFileSync("umount", ["-l", mountPoint], { stdio: "ignore" });
  } catch {
    // The worker was terminated before it had mounted.
  }
}

/** A linear congruential generator: enough to choose moments. */
function random(seed) {
  let state = seed >>> 0;
  return {
    below(limit) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * limit);
    },
  };
}
