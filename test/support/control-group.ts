/** A control group that limits the memory of what runs in it, as containers and systemd units do. */
import { existsSync, mkdtempSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Test } from "tap";

/** Where the memory controller may be mounted: version 1, version 2, and both at once as systemd has it. */
const ROOTS = ["/sys/fs/cgroup/memory", "/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

export interface ControlGroup {
  /** The program and arguments that run `command` in the group. */
  within(...command: string[]): [string, string[]];
  /** How many processes have been killed for the limit. */
  kills(): number;
}

/** Where a group can be made; undefined where the host lets nobody make one, as many containers do. */
function memoryController(): string | undefined {
  return ROOTS.find((path) => {
    if (limitFile(path) === undefined) return false;
    try {
      rmdirSync(makeGroup(path));
      return true;
    } catch {
      return false;
    }
  });
}

/** The reason why there are no groups here, for `skip` of a test; false where there are. */
export const noControlGroups =
  memoryController() === undefined && `no writable memory controller in ${ROOTS.join(", ")}`;

/** A group with a limit of `bytes`, removed at the test's end. */
export function controlGroup(t: Test, bytes: number): ControlGroup {
  const group = makeGroup(memoryController()!);
  t.teardown(() => {
    rmdirSync(group);
  });
  writeFileSync(join(group, limitFile(group)!), String(bytes));
  return {
    within: (...command) => ["sh", ["-c", `echo $$ > ${group}/cgroup.procs && exec "$@"`, "sh", ...command]],
    kills() {
      const events = ["memory.events", "memory.oom_control"].find((name) => existsSync(join(group, name)))!;
      return Number(/^oom_kill (\d+)$/m.exec(readFileSync(join(group, events), "utf8"))![1]);
    },
  };
}

/** The name of the file that holds the limit of the group at `path`; version 2's root has none, but its children do. */
function limitFile(path: string): string | undefined {
  if (existsSync(join(path, "memory.limit_in_bytes"))) return "memory.limit_in_bytes";
  const controllers = join(path, "cgroup.controllers");
  return existsSync(controllers) && /\bmemory\b/.test(readFileSync(controllers, "utf8"))
    ? "memory.max"
    : undefined;
}

function makeGroup(root: string): string {
  if (existsSync(join(root, "cgroup.subtree_control")))
    writeFileSync(join(root, "cgroup.subtree_control"), "+memory");
  return mkdtempSync(join(root, "vdisk-test-"));
}
