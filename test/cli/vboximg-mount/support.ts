/** Machines made by hand, and the built command. */
import { fileURLToPath } from "node:url";
import type { DiskState, Machine, MachineDisk, Medium } from "../../../src/machine/machine.js";
import { run, type Result } from "../../support/command.js";

const VBOXIMG_MOUNT = fileURLToPath(new URL("../../../dist/cli/vboximg-mount/main.js", import.meta.url));

export interface MediumPlan extends Partial<Medium> {
  /** Its path; an absent one means that it is nowhere. */
  readonly at?: string;
}

export function medium(uuid: string, plan: MediumPlan): Medium {
  const { at, ...rest } = plan;
  return {
    uuid,
    kind: "disk",
    location: at ?? "lost.vdi",
    ...(at !== undefined && { path: at }),
    format: "VDI",
    isEncrypted: false,
    children: [],
    ...rest,
  };
}

export function disk(base: Medium, ...states: readonly [image: string, name?: string][]): MachineDisk {
  return { slot: "SATA 0:0", base, states: states.map(([imageUuid, name]) => state(imageUuid, name)) };
}

export function state(imageUuid: string, name?: string): DiskState {
  return { name: name ?? "current", isCurrent: name === undefined, imageUuid };
}

export function machine(
  name: string,
  uuid: string,
  disks: MachineDisk[],
  more: Partial<Machine> = {},
): Machine {
  return {
    hypervisor: "VirtualBox",
    name,
    uuid,
    path: `/vms/${name}/${name}.vbox`,
    state: "powered off",
    snapshots: [],
    disks,
    media: disks.flatMap(({ base }) => base ?? []),
    warnings: [],
    ...more,
  };
}

/** Runs the built `vboximg-mount` in `folder`, with VirtualBox's settings in `home`; `as` stands in front. */
export function vboximgMount(
  home: string,
  args: readonly string[],
  folder = home,
  as: readonly string[] = [],
): Promise<Result> {
  const script = 'cd "$1" && shift && exec "$@"';
  const command = ["-c", script, "sh", folder, ...as, process.execPath, VBOXIMG_MOUNT, ...args];
  return run("sh", command, { VBOX_USER_HOME: home, HOME: home });
}
