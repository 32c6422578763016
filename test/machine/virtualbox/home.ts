/** A home of its own with a machine that lived, and all names by which the states of its disks are to be found. */
import { mkdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Test } from "tap";
import { random } from "../../image/random.js";
import { globalXml } from "./builder.js";
import { liveMachine, type LifeShape, type Lived, type LivedState } from "./generator.js";

/** Makes a fresh home this process's own, in which `shape` lived and is registered. */
export async function home(t: Test, shape: LifeShape): Promise<Lived & { folder: string }> {
  const root = t.testdir({ ".config": { VirtualBox: {} }, "VirtualBox VMs": {}, elsewhere: {} });
  process.env["HOME"] = root;
  for (const name of ["VBOX_USER_HOME", "XDG_CONFIG_HOME"]) delete process.env[name]; // eslint-disable-line @typescript-eslint/no-dynamic-delete
  const folder = join(root, "VirtualBox VMs", shape.name);
  await mkdir(folder);
  const lived = await liveMachine(folder, random(shape.snapshots), shape);
  const machines = [{ uuid: lived.plan.uuid, src: lived.file }];
  await writeFile(join(root, ".config/VirtualBox/VirtualBox.xml"), globalXml({ machines }));
  return { ...lived, folder };
}

/** What `--snapshot` may be for the state of disk `disk` at `states[index]`: by name, UUID, order and date. */
export function namesOf(states: readonly LivedState[], index: number, disk: number): ReadonlySet<string> {
  const state = states[index]!;
  const [latest, current] = states.slice(-2) as [LivedState, LivedState];
  const { imageUuid, path } = state.disks[disk]!;
  const names = new Set([state.uuid ?? "current", state.name, imageUuid, `{${imageUuid.toUpperCase()}}`]);
  names.add(basename(path));
  if (state.taken !== undefined) {
    names.add(`@${state.taken}`);
    names.add(`@${state.taken.slice(0, 10)}T23:00+02:00`);
    names.add(state.name.toUpperCase());
  }
  if (index === 0) names.add("base");
  if (state === latest) names.add("latest");
  for (let steps = 0; steps < states.length; steps++) {
    if (above(latest, steps) === state) names.add(`latest~${steps}`);
    if (above(current, steps) === state) names.add(`current~${steps}`);
  }
  const next = states.find(({ parent }) => parent === state);
  if (next?.uuid !== undefined) names.add(`${next.name}~`);
  return names;
}

/** Where "~count" leads from `state`. */
function above(state: LivedState, count: number): LivedState | undefined {
  return count === 0 ? state : state.parent && above(state.parent, count - 1);
}
