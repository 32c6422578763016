/** What all commands on an image share: the options, and opening the disk with its warnings told. */
import type { Argv } from "yargs";
import { parseZone } from "../bytes/zone.js";
import { CODE_PAGES, codePageNumber } from "../filesystem/fat/codepages.js";
import type { FileSystemOptions } from "../filesystem/filesystem.js";
import type { Disk } from "../tree/disk.js";
import { UsageError } from "./exit.js";
import { commandLog, type Level } from "./log.js";

export interface DiskArguments {
  image: string;
  allowDir: string[];
  allowLive: boolean;
  codepage: string | undefined;
  timeZone: string | undefined;
  ignoreCase: boolean;
  systemFiles: boolean;
  logLevel: Level | undefined;
}

/** Adds IMAGE and the options of opening it. */
export function diskOptions<T>(command: Argv<T>): Argv<T & { image: string; "allow-dir": string[] }> {
  return fileSystemOptions(command)
    .positional("image", {
      type: "string",
      demandOption: true,
      coerce: notEmpty("image"),
      describe: "The image: the newest of its chain to see",
    })
    .option("allow-dir", {
      ...severalTimes,
      describe: "Also look for parent images in this folder, and let images name files in it",
    })
    .option("allow-live", {
      type: "boolean",
      default: false,
      describe: "Do not warn where another program is writing to an image",
    });
}

/** Adds the options of how guests' file systems are read. */
function fileSystemOptions<T>(command: Argv<T>): Argv<T> {
  return command
    .option("codepage", {
      type: "string",
      requiresArg: true,
      defaultDescription: "437",
      coerce: known("codepage", (name) => codePageNumber(name) !== undefined, CODE_PAGES.join(", ")),
      describe: "The code page of the guest's DOS or Windows, for short names on FAT",
    })
    .option("time-zone", {
      type: "string",
      requiresArg: true,
      defaultDescription: "UTC",
      coerce: known(
        "time-zone",
        (name) => parseZone(name) !== undefined,
        "a name such as Europe/Berlin, or +02:00",
      ),
      describe: "What the guest's clock showed, for times on FAT and exFAT",
    })
    .option("ignore-case", {
      type: "boolean",
      default: false,
      describe: "Find names whatever their case (NTFS)",
    })
    .option("system-files", {
      type: "boolean",
      default: false,
      describe: "List the file system's own files, too (NTFS: $MFT and so on)",
    });
}

/** How guests' file systems are to be read, by the arguments. */
export function fileSystemsOf({
  codepage,
  timeZone,
  ignoreCase,
  systemFiles,
}: DiskArguments): FileSystemOptions {
  return {
    ignoreCase,
    systemFiles,
    ...(codepage !== undefined && { codePage: codepage }),
    ...(timeZone !== undefined && { timeZone }),
  };
}

/** Checks the one value of an option; `examples` are for the complaint. */
function known(
  option: string,
  isKnown: (value: string) => boolean,
  examples: string,
): (value: string | string[]) => string {
  return (value) => {
    if (Array.isArray(value)) throw new UsageError(`--${option} is given more than once`);
    if (!isKnown(value)) throw new UsageError(`--${option} ${value}: not known; it takes ${examples}`);
    return value;
  };
}

/** An empty name comes from a variable that was not set; as a path it would mean the current folder. */
export function notEmpty(what: string): (name: string) => string {
  return (name) => {
    if (name === "") throw new UsageError(`the name of the ${what} is empty`);
    return name;
  };
}

/** An option that takes one value and may be given again. */
export const severalTimes = {
  type: "string",
  requiresArg: true,
  default: [] as string[],
  defaultDescription: "none",
  coerce: (value: string | string[]): string[] => [value].flat(),
} as const;

/** Opens the disk, hands it to `work`, and closes it whatever happens. */
export async function withDisk(argv: DiskArguments, work: (disk: Disk) => Promise<void>): Promise<void> {
  const log = await commandLog(argv.logLevel ?? "warn");
  const { openDisk } = await import("../tree/disk.js");
  const disk = await openDisk(argv.image, {
    allowDirs: argv.allowDir,
    allowLive: argv.allowLive,
    fileSystems: fileSystemsOf(argv),
    report: (warning) => {
      log.warn(warning);
    },
  });
  try {
    for (const warning of disk.warnings) log.warn(warning);
    await work(disk);
  } finally {
    await disk.close();
  }
}
