/**
 * The native code that does not use Node-API, in a program of its own (harness/) that is compiled here without and with
 * the sanitizers, whose reports end the program with an error.
 */
import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import t from "tap";

const folder = fileURLToPath(new URL("../../native-bindings", import.meta.url));
const harness = fileURLToPath(new URL("harness", import.meta.url));
const sources = [
  ...["device.cc", "extents.cc", "pipe.cc", "unpack.cc", "lznt1.cc", "lzx.cc", "xpress.cc"].map((name) =>
    join(folder, name),
  ),
  ...readdirSync(harness)
    .filter((name) => name.endsWith(".cc"))
    .map((name) => join(harness, name)),
];

const STRICT = ["-std=c++20", "-fno-exceptions", "-Wall", "-Wextra", "-Werror"];
const FLAGS = [...STRICT, "-g1", "-pthread", "-Wl,--wrap=read"];
const WAYS = {
  "without sanitizers": ["-O1", "-D_FORTIFY_SOURCE=2", "-D_GLIBCXX_ASSERTIONS"],
  "with AddressSanitizer": ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
  "with ThreadSanitizer": ["-O1", "-fsanitize=thread"],
};

const SCENARIOS = {
  pieces: "parts of windows are read as in the model, however they are scattered",
  rules: "each request is answered or queued, as the rules say",
  packed: "random packed bytes are unpacked within their buffers, or refused",
  stop: "a device that is stopped at any moment ends its threads, and does not call `wake` afterwards",
  flood: "clients on all connections get the right bytes while windows and replies are put and evicted",
};

/** Milliseconds after which a scenario counts as hanging. */
const LIMIT = 120_000;

t.jobs = 2;
for (const [way, flags] of Object.entries(WAYS)) {
  t.test(`compiled ${way}`, { buffered: true }, async (t) => {
    const program = join(t.testdir(), "harness");
    await promisify(execFile)("g++", [...FLAGS, ...flags, ...sources, "-o", program]);
    for (const [scenario, sentence] of Object.entries(SCENARIOS)) {
      const seed = String(Date.now() % 1_000_000);
      t.equal(await run(program, scenario, seed), "good", `${sentence} (seed ${seed})`);
    }
  });
}

/** The last line of the program's output; or if it failed, its error messages. */
async function run(program: string, ...parameters: string[]): Promise<string> {
  // ThreadSanitizer does not work with randomized addresses.
  const args = ["-R", program, ...parameters];
  const env = { ...process.env, TSAN_OPTIONS: "halt_on_error=1", ASAN_OPTIONS: "detect_leaks=1" };
  try {
    const { stdout } = await promisify(execFile)("setarch", args, { timeout: LIMIT, env });
    return stdout.trimEnd().split("\n").at(-1)!;
  } catch (error) {
    return String((error as { stderr?: string }).stderr) || String(error);
  }
}
