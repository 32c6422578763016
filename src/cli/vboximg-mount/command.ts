/** The options of `vboximg-mount`, and its work. */
import type { CommandModule } from "yargs";
import { printSentence } from "../../bytes/text.js";
import type { Chosen, OtherStates } from "../../machine/choose.js";
import type { MachineList } from "../../machine/hypervisor.js";
import { findMachine, listMachines } from "../../machine/machines.js";
import { startMount } from "../../mount/start.js";
import { notEmpty, repeatable } from "../disk.js";
import { printDiagnostic, UsageError } from "../exit.js";
import { parseMountOptions } from "../mount-options.js";
import { write } from "../output.js";
import { findImage } from "./image-choice.js";
import { writtenImages } from "./images.js";
import { machineListing } from "./machines.js";
import { partitionListing } from "./partitions.js";

export const NAME = "vboximg-mount";

interface Arguments {
  mountPoint: string | undefined;
  image: string | undefined;
  list: boolean;
  vm: string | undefined;
  verbose: boolean;
  wide: boolean;
  guestFilesystem: boolean;
  root: boolean;
  rw: boolean;
  options: string[];
  allowDir: string[];
}

const flag = { type: "boolean", default: false } as const;

export const vboximgMount: CommandModule<object, Arguments> = {
  command: "$0 [mount-point]",
  builder: (command) =>
    command
      .positional("mount-point", {
        type: "string",
        coerce: notEmpty("mount point"),
        describe: "An empty directory",
      })
      .option("image", {
        alias: "i",
        ...oneValue("image"),
        describe: "The image of a disk or a snapshot: its path, UUID or name, or the snapshot's UUID",
      })
      .option("list", {
        alias: "l",
        ...flag,
        describe: "List the image's partitions; without an image, all machines and their images",
      })
      .option("vm", { ...oneValue("vm"), describe: "Only this machine: its UUID or name" })
      .option("verbose", { alias: "v", ...flag, describe: "Print more details" })
      .option("wide", { alias: "w", ...flag, describe: "List the machines as a table" })
      .option("guest-filesystem", { alias: "g", ...flag, describe: "Also show the guest's files, as fsN" })
      .option("root", { ...flag, describe: "Let root see the mount; the same as -o allow_root" })
      .option("rw", { ...flag, describe: "Accepted, but vdisk does not write: writing fails" })
      .option("options", { alias: "o", ...repeatable, describe: "Mount options, separated by commas" })
      .option("allow-dir", {
        ...repeatable,
        describe: "Also open images in this folder that a machine or an image names (only in vdisk)",
      })
      .epilogue("End a mount with: vdisk unmount MOUNT-POINT, or umount, or fusermount3 -u") as never,
  handler: (argv) => {
    if (!argv.list) return mount(argv);
    reportUnused(argv);
    return argv.image === undefined ? printMachines(argv) : printPartitions(argv);
  },
};

/** Prints which options have no effect with --list. VirtualBox's command accepts all, so they are no error. */
function reportUnused({ mountPoint, guestFilesystem, root, rw, options }: Arguments): void {
  const given = Object.entries({
    [`the mount point ${mountPoint}`]: mountPoint !== undefined,
    "--guest-filesystem": guestFilesystem,
    "--root": root,
    "--rw": rw,
    "-o": options.length > 0,
  }).flatMap(([option, isGiven]) => (isGiven ? [option] : []));
  if (given.length > 0)
    printDiagnostic(NAME, printSentence(`without effect on a listing: ${given.join(", ")}`));
}

async function printMachines({ vm, verbose, wide }: Arguments): Promise<void> {
  const { machines } = await machinesOf(vm);
  for (const warning of machines.flatMap(({ warnings }) => warnings))
    printDiagnostic(NAME, printSentence(warning));
  const written = verbose || wide ? writtenImages(machines) : undefined; // only these listings show states
  await write(machineListing(machines, { verbose, wide }, written));
}

async function printPartitions(argv: Arguments): Promise<void> {
  const { image, ...admitted } = await imageOf(argv);
  const { openDisk } = await import("../../tree/disk.js");
  const disk = await openDisk(image, { ...admitted, allowDirs: argv.allowDir, guestFiles: false });
  try {
    for (const warning of disk.warnings) printDiagnostic(NAME, printSentence(warning));
    await write(partitionListing(disk, process.stdout.isTTY));
  } finally {
    await disk.close();
  }
}

async function mount(argv: Arguments): Promise<void> {
  const given = argv.options.flatMap((list) => list.split(","));
  const { allowOther, allowRoot, ignoreCase, extra } = parseMountOptions(
    given.filter((option) => option !== "rw"),
  );
  if (argv.image === undefined) throw argv.wide ? new UsageError(WIDE_ALONE) : noImage();
  if (argv.mountPoint === undefined) throw new UsageError("the directory to mount on is missing");
  if (argv.rw || given.includes("rw")) {
    printDiagnostic(
      NAME,
      "the mount is read-only: vdisk does not write yet, and writing to it fails: read-only file system",
    );
  }
  const { image, mountPoint, log, warnings } = await startMount(argv.mountPoint, async () => ({
    ...(await imageOf(argv)),
    states: [], // vboximg-mount shows only one state
    allowDirs: argv.allowDir,
    fileSystems: { ignoreCase },
    guestFiles: argv.guestFilesystem,
    allowOther,
    allowRoot: allowRoot || argv.root,
    options: extra,
    backend: "auto",
    logLevel: "info",
  }));
  for (const warning of warnings) printDiagnostic(NAME, printSentence(warning));
  if (argv.verbose) {
    await write(`${printSentence(`${image} is mounted on ${mountPoint}; its log is ${log}`)}\n`);
  }
}

const WIDE_ALONE = "-w needs -l: together they list all machines as a table";

function noImage(): UsageError {
  return new UsageError("which image? Give its path or UUID with -i; -l lists all images");
}

/** Returns the image that the user named, and prints notices about it. */
async function imageOf({ image, vm, allowDir }: Arguments): Promise<Pick<Chosen, "image" | "admission">> {
  if (image === undefined) throw noImage();
  let list: MachineList | undefined;
  const meant = await findImage(image, async () => (list = await machinesOf(vm)));
  if (vm !== undefined && list === undefined) {
    printDiagnostic(NAME, printSentence(`--vm ${vm}: without effect, since ${image} is a file`));
  }
  const { choose } = await import("../../machine/choose.js");
  const chosen = await choose({ image: meant, allowDirs: allowDir, otherStates }, list);
  for (const notice of chosen.notices) printDiagnostic(NAME, printSentence(notice));
  return { image: chosen.image, admission: chosen.admission };
}

/** A machine's name would be ambiguous if it has several disks, so the image's UUID is given. */
const otherStates: OtherStates = (_, current) => [
  ...(current === undefined ? [] : [`-i ${current} opens the current state`]),
  `${NAME} -lv lists all`,
];

/** Returns all machines, or only the one with that name. */
async function machinesOf(name: string | undefined): Promise<MachineList> {
  if (name !== undefined) return { machines: [await findMachine(name)], media: [], warnings: [] };
  const list = await listMachines();
  for (const warning of list.warnings) printDiagnostic(NAME, printSentence(warning));
  return list;
}

/** An option that takes one value. */
function oneValue(option: string): {
  type: "string";
  requiresArg: true;
  coerce: (value: string | string[]) => string;
} {
  return {
    type: "string",
    requiresArg: true,
    coerce: (value) => {
      if (Array.isArray(value)) throw new UsageError(`--${option} is given more than once`);
      return notEmpty(option)(value);
    },
  };
}
