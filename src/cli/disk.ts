/** What all commands on an image share: their options, opening the disk, and logging its warnings. */
import type { Argv } from "yargs";
import { DiskError } from "../errors.js";
import { parseZone } from "../bytes/zone.js";
import { CODE_PAGES, codePageNumber } from "../filesystem/fat/codepages.js";
import type { FileSystemOptions } from "../filesystem/filesystem.js";
import type { Chosen } from "../machine/choose.js";
import type { Disk } from "../tree/disk.js";
import type { Problem } from "../tree/part.js";
import { reportAndContinue, exitCodeOf, isReported, setExitCode, UsageError } from "./exit.js";
import { warningLogger, type Level, type Warn } from "./log.js";

export interface DiskArguments {
  image: string;
  disk: string | undefined;
  snapshot: string | undefined;
  allowDir: string[];
  allowLive: boolean;
  codepage: string | undefined;
  timeZone: string | undefined;
  ignoreCase: boolean;
  systemFiles: boolean;
  logLevel: Level | undefined;
}

/** The description of IMAGE in the help of all commands. */
const IMAGE = "An image, a machine's name, UUID or .vbox file, or the UUID of a registered image";

/** Adds IMAGE and the options for opening it. */
export function diskOptions<T>(command: Argv<T>): Argv<T & { image: string; "allow-dir": string[] }> {
  return openOptions(command).positional("image", {
    type: "string",
    demandOption: true,
    coerce: notEmpty("image"),
    describe: IMAGE,
  });
}

/** Adds the options for opening a disk: which disk of a machine, in which state, and how to read it. */
export function openOptions<T>(command: Argv<T>): Argv<T & { "allow-dir": string[] }> {
  return fileSystemOptions(command)
    .option("disk", {
      type: "string",
      requiresArg: true,
      coerce: singleValue("disk"),
      describe: 'Which disk of the machine: its slot ("SATA 0:0"), number, image name or UUID',
    })
    .option("snapshot", {
      type: "string",
      requiresArg: true,
      coerce: singleValue("snapshot"),
      describe:
        "Which state: a snapshot's name or UUID, an image's UUID, current, latest, base, NAME~2 (two states above " +
        "it in the tree), @2026-03-01 or @2026-03-01T12:00Z (the last one taken by the beginning of that day, or by that time)",
    })
    .option("allow-dir", {
      ...repeatable,
      describe: "Also search for parent images in this folder, and open files in it that images name",
    })
    .option("allow-live", {
      type: "boolean",
      default: false,
      describe: "Do not warn if another program writes to an image, or if its machine was not shut down",
    });
}

/** Adds the options for reading guests' file systems. */
function fileSystemOptions<T>(command: Argv<T>): Argv<T> {
  return command
    .option("codepage", {
      type: "string",
      requiresArg: true,
      defaultDescription: "437",
      coerce: knownValue("codepage", (name) => codePageNumber(name) !== undefined, CODE_PAGES.join(", ")),
      describe: "The code page of the guest's DOS or Windows, for short names on FAT",
    })
    .option("time-zone", {
      type: "string",
      requiresArg: true,
      defaultDescription: "UTC",
      coerce: knownValue(
        "time-zone",
        (name) => parseZone(name) !== undefined,
        "a name such as Europe/Berlin, or +02:00",
      ),
      describe: "The time zone of the guest's clock, for times on FAT and exFAT",
    })
    .option("ignore-case", {
      type: "boolean",
      default: false,
      describe: "Find names in any case (NTFS)",
    })
    .option("system-files", {
      type: "boolean",
      default: false,
      describe: "Also list the file system's own files (NTFS: $MFT and so on)",
    });
}

/** Returns the options for guests' file systems from the arguments. */
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

/** Returns a function that checks the value of an option, given once; `examples` are for the error message. */
function knownValue(
  option: string,
  isKnown: (value: string) => boolean,
  examples: string,
): (value: string | string[]) => string {
  return (value) => {
    if (Array.isArray(value)) throw new UsageError(`--${option} is given more than once`);
    if (!isKnown(value)) throw new UsageError(`--${option} ${value}: unknown value; use ${examples}`);
    return value;
  };
}

/** Returns a function that checks that an option is given once, with a value that is not empty. */
export function singleValue(option: string): (value: string | string[] | undefined) => string | undefined {
  return (value) => {
    if (Array.isArray(value)) throw new UsageError(`--${option} is given more than once`);
    if (value === "") throw new UsageError(`--${option} is empty`);
    return value;
  };
}

/** Returns a function that refuses an empty name, which a shell variable that is not set leaves behind. */
export function notEmpty(what: string): (name: string) => string {
  return (name) => {
    if (name === "") throw new UsageError(`the name of the ${what} is empty`);
    return name;
  };
}

/** An option that may be given several times, each with one value. */
export const repeatable = {
  type: "string",
  requiresArg: true,
  default: [] as string[],
  defaultDescription: "none",
  coerce: (value: string | string[]): string[] => [value].flat(),
} as const;

/** Finds the image for the arguments, and logs notices about the choice. */
export async function chooseImage(argv: DiskArguments, warn: Warn): Promise<Chosen> {
  const { choose } = await import("../machine/choose.js");
  const { image, disk, snapshot, allowDir, allowLive } = argv;
  const chosen = await choose({
    image,
    ...(disk !== undefined && { disk }),
    ...(snapshot !== undefined && { snapshot }),
    allowDirs: allowDir,
    allowLive,
  });
  for (const notice of chosen.notices) await warn(notice);
  return chosen;
}

/**
 * Opens the disk, calls `work` with it, and closes it, also after an error. Warnings are logged before `work`; why parts of the
 * disk cannot be read is logged after it, unless `work` has reported that.
 * @param work also gets the problems of states in `snapshots/`. The list grows when states are entered.
 */
export async function withDisk(
  argv: DiskArguments,
  work: (disk: Disk, stateProblems: readonly Problem[]) => Promise<void>,
): Promise<void> {
  const warn = warningLogger(argv.logLevel);
  let logged: Promise<void> | undefined;
  const stateProblems: Problem[] = [];
  const { image, admission, states, state } = await chooseImage(argv, warn);
  const { openDisk } = await import("../tree/disk.js");
  const disk = await openDisk(image, {
    allowDirs: argv.allowDir,
    allowLive: argv.allowLive,
    fileSystems: fileSystemsOf(argv),
    admission,
    imageState: state?.imageState,
    ...(states !== undefined && { states }),
    report: (warning, problem) => {
      if (problem !== undefined) stateProblems.push(problem);
      logged = warn(warning);
    },
  });
  try {
    const problems = new Map(disk.problems.map(({ warning, error }) => [warning, error]));
    for (const warning of disk.warnings) if (!problems.has(warning)) await warn(warning);
    try {
      await work(disk, stateProblems);
    } catch (error) {
      reportAndContinue(error);
    }
    for (const [warning, error] of problems) {
      if (!(error instanceof DiskError)) reportAndContinue(error);
      else if (!isReported(error)) await warn(warning);
    }
  } finally {
    await logged;
    await disk.close();
  }
}

/** Sets the exit code of a command whose output lacks damaged parts of `disk`. */
export function markIncomplete({ problems }: Pick<Disk, "problems">): void {
  for (const { error } of problems) {
    if (error instanceof DiskError && error.code !== "UNSUPPORTED") setExitCode(exitCodeOf(error));
  }
}
