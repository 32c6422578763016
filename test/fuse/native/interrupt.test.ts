/** Requests that take long can be interrupted, and others are served meanwhile. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { mounted, python } from "../support/mounted.js";
import { slowTree } from "../support/tree.js";
import { kernel, words32, words64, zeroEnded } from "../support/wire.js";
import { watchEventLoop } from "../../support/event-loop.js";

const [LOOKUP, READ, LSEEK] = [1, 15, 46];
const [SEEK_DATA, SEEK_HOLE, EINTR] = [3, 4, 4];

const tree = slowTree();
const idOf = (name: string): number => tree.top.names!.get(name)!.id;
const seekIn = (whence: number): Buffer[] => [words64(0, 0), words32(whence, 0)];
const readIn = (size: number): Buffer[] => [words64(0, 0), words32(size, 0), Buffer.alloc(16)];

t.test("an interrupted request ends with EINTR, whatever it waits for", async (t) => {
  for (const [what, opcode, name, body] of [
    ["a search in many small holes", LSEEK, "holes", seekIn(SEEK_DATA)],
    ["a search that waits", LSEEK, "stuck", seekIn(SEEK_HOLE)],
    ["a read of many pieces", READ, "holes", readIn(2 ** 19)],
    ["a read that waits", READ, "stuck", readIn(4096)],
  ] as const) {
    const { ask, interrupt, logged } = await kernel(tree);
    const watch = watchEventLoop();
    const reply = ask(opcode, idOf(name), ...body);
    await sleep(50);
    const started = performance.now();
    interrupt();
    t.equal((await ask(LOOKUP, 1, zeroEnded("quick"))).errno, 0, `others are served during ${what}`);
    t.equal((await reply).errno, EINTR, what);
    t.ok(performance.now() - started < 1000);
    t.ok(watch.stop() < 100);
    t.same(logged, [], "that is no error");
  }
});

t.test("an INTERRUPT that arrives before its request has effect", async (t) => {
  const { ask, interrupt } = await kernel(tree);
  interrupt(true);
  t.equal((await ask(LSEEK, idOf("stuck"), ...seekIn(SEEK_DATA))).errno, EINTR);
  t.equal((await ask(LOOKUP, 1, zeroEnded("quick"))).errno, 0, "and only for that");
});

t.test("an interrupted request that completes soon is answered as usual", async (t) => {
  const { ask, interrupt } = await kernel(tree);
  const reply = ask(READ, idOf("quick"), ...readIn(4096));
  interrupt();
  const { errno, body } = await reply;
  t.same([errno, body.length], [0, 4096]);
});

const SEARCH = `
import os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
print("open", flush=True)
os.lseek(fd, 0, os.SEEK_DATA)`;

/** Milliseconds until a program that searches for data ends after `signal`. */
async function timeToEnd(path: string, signal: NodeJS.Signals): Promise<number> {
  const program = spawn("python3", ["-c", SEARCH, path], { stdio: ["ignore", "pipe", "ignore"] });
  await once(program.stdout, "data");
  await sleep(200);
  if (program.exitCode !== null) throw new Error("the search has ended");
  const started = performance.now();
  program.kill(signal);
  await once(program, "close");
  return performance.now() - started;
}

t.test("through the kernel: programs that search are ended by a signal, and others are served", async (t) => {
  const mount = await mounted({ backend: "native", tree: "slow" });
  t.teardown(() => mount.end());
  for (const name of ["holes", "stuck"])
    for (const signal of ["SIGINT", "SIGKILL"] as const) {
      const time = await timeToEnd(join(mount.path, name), signal);
      t.ok(time < 2000, `${name}, ${signal}: ${time} ms`);
    }
  const script = `
import signal, time
def interrupt(*_): raise InterruptedError
signal.signal(signal.SIGALRM, interrupt)
fd = os.open(sys.argv[1], os.O_RDONLY)
signal.setitimer(signal.ITIMER_REAL, 0.2)
try: os.lseek(fd, 0, os.SEEK_DATA)
except InterruptedError: print(json.dumps(os.stat(sys.argv[2]).st_size))`;
  t.equal(await python(script, join(mount.path, "holes"), join(mount.path, "quick")), 4097);
});
