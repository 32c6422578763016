/** `vdisk list`: lists machines, the partitions of one disk, or mounts. */
import type { CommandModule } from "yargs";
import type { MachineList } from "../machine/hypervisor.js";
import { usersOf } from "../storage/users.js";
import { markIncomplete, notEmpty, openOptions, singleValue, withDisk, type DiskArguments } from "./disk.js";
import { exitCodeOf, setExitCode, UsageError } from "./exit.js";
import type { ImageFacts } from "./list-json.js";
import { warningLogger } from "./log.js";
import { write, writeJson } from "./output.js";

interface Arguments extends Omit<DiskArguments, "image"> {
  image?: string;
  vm?: string;
  verbose: boolean;
  wide: boolean;
  mounts: boolean;
  json: boolean;
}

export const list: CommandModule<object, Arguments> = {
  command: "list [image]",
  describe: "List machines, their disks and snapshots; the partitions of one disk; or mounts",
  builder: (command) =>
    openOptions(command)
      .positional("image", {
        type: "string",
        coerce: notEmpty("image"),
        describe: "List the partitions of this image or machine",
      })
      .option("vm", {
        type: "string",
        requiresArg: true,
        coerce: singleValue("vm"),
        describe: "Only this machine: its name, UUID or .vbox file",
      })
      .option("verbose", {
        alias: "v",
        type: "boolean",
        default: false,
        describe: "Print all UUIDs, paths, formats and sizes",
      })
      .option("wide", {
        alias: "w",
        type: "boolean",
        default: false,
        describe: "Print one line for each state of a disk",
      })
      .option("mounts", { type: "boolean", default: false, describe: "List mounts instead" })
      .option("json", { type: "boolean", default: false, describe: "Print JSON, with all details" })
      .example("$0 list", "All machines")
      .example('$0 list --vm "Windows 10" -v', "One machine, with all details")
      .example("$0 list --mounts", "All mounts, and the processes that serve them")
      .example('$0 list "Windows 10"', "The partitions of its disk") as never,
  handler: async (argv) => {
    const { image, vm } = argv;
    refuseIneffective(argv);
    if (argv.mounts) {
      const { showMounts } = await import("./mounts.js");
      await showMounts(argv.json);
      return;
    }
    if (image !== undefined) {
      const { partitionsJson, partitionsText } = await import("./list-partitions.js");
      await withDisk({ ...argv, image }, async (disk) => {
        await (argv.json ? writeJson(partitionsJson(disk)) : write(partitionsText(disk)));
        markIncomplete(disk);
      });
      return;
    }
    await listMachines(argv, vm);
  },
};

/** @throws {UsageError} for an option that has no effect on this listing. */
function refuseIneffective(argv: Arguments): void {
  const { image, mounts, vm, verbose, wide, json } = argv;
  const diskOptions = {
    "--disk": argv.disk !== undefined,
    "--snapshot": argv.snapshot !== undefined,
    "--allow-dir": argv.allowDir.length > 0,
    "--allow-live": argv.allowLive,
    "--codepage": argv.codepage !== undefined,
    "--time-zone": argv.timeZone !== undefined,
    "--ignore-case": argv.ignoreCase,
    "--system-files": argv.systemFiles,
  };
  const machineOptions = { "--vm": vm !== undefined, "--verbose": verbose, "--wide": wide };
  const refuse = (options: Readonly<Record<string, boolean>>, reason: string): void => {
    const given = Object.keys(options).filter((option) => options[option]);
    if (given.length > 0) throw new UsageError(`${given.join(", ")}: ${reason}`);
  };
  if (mounts) {
    refuse(
      { IMAGE: image !== undefined, ...diskOptions, ...machineOptions },
      "--mounts lists all mounts, and takes only --json",
    );
  } else if (image !== undefined) {
    refuse(
      machineOptions,
      "only for listing machines; vdisk info --verbose IMAGE prints all details of an image",
    );
  } else {
    refuse(diskOptions, "only together with an IMAGE");
    if (wide && (verbose || json)) throw new UsageError("--wide cannot be combined with --verbose or --json");
  }
}

async function listMachines({ json, verbose, wide, logLevel }: Arguments, vm?: string): Promise<void> {
  const { findMachine, listMachines } = await import("../machine/machines.js");
  const found: MachineList =
    vm === undefined ? await listMachines() : { machines: [await findMachine(vm)], media: [], warnings: [] };
  // The table has no column for a machine's warnings.
  const hidden = wide ? found.machines.flatMap(({ warnings }) => warnings) : [];
  const warn = warningLogger(logLevel);
  for (const warning of [...found.warnings, ...hidden]) await warn(warning);
  const newest = found.machines.flatMap(({ disks }) =>
    disks.flatMap(({ states }) => states.at(-1)!.image ?? []),
  );
  const facts: ImageFacts = {
    sizes: verbose || vm !== undefined ? await sizesOf(found) : new Map<string, number>(),
    users: usersOf([...new Set(newest)]),
  };
  for (const { problemCode: code } of found.machines) {
    if (code !== undefined && code !== "UNSUPPORTED") setExitCode(exitCodeOf({ code }));
  }
  if (json) {
    const { machinesJson } = await import("./list-json.js");
    await writeJson(machinesJson(found, facts));
    return;
  }
  const { machinesText, wideText } = await import("./list-text.js");
  await write(wide ? wideText(found) : machinesText(found, facts, verbose));
}

/** Loads the image formats only if sizes are needed. */
async function sizesOf({ machines }: MachineList): Promise<ReadonlyMap<string, number>> {
  const { diskSizes } = await import("../machine/sizes.js");
  return diskSizes(machines);
}
