/** What all commands on an image share: the options, and opening the disk and logging its warnings. */
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

/** What IMAGE may be, for every command's help. */
const IMAGE = "An image, a machine's name, UUID or .vbox file, or the UUID of a registered image";

/** Adds IMAGE and the options of opening it. */
export function diskOptions<T>(command: Argv<T>): Argv<T & { image: string; "allow-dir": string[] }> {
  return openOptions(command).positional("image", {
    type: "string",
    demandOption: true,
    coerce: notEmpty("image"),
    describe: IMAGE,
  });
}

/** Adds the options of opening a disk: which of a machine's, in which state, and how it is to be read. */
export function openOptions<T>(command: Argv<T>): Argv<T & { "allow-dir": string[] }> {
  return fileSystemOptions(command)
    .option("disk", {
      type: "string",
      requiresArg: true,
      coerce: once("disk"),
      describe: 'Which disk of the machine: its place ("SATA 0:0"), number, image name or UUID',
    })
    .option("snapshot", {
      type: "string",
      requiresArg: true,
      coerce: once("snapshot"),
      describe:
        "Which state: a snapshot's name or UUID, an image's UUID, current, latest, base, NAME~2 (two above it in " +
        "the tree), @2026-03-01 or @2026-03-01T12:00Z (the last that was taken by then; a day is its beginning)",
    })
    .option("allow-dir", {
      ...repeatable,
      describe: "Also look for parent images in this folder, and let images name files in it",
    })
    .option("allow-live", {
      type: "boolean",
      default: false,
      describe:
        "Do not warn where another program is writing to an image, or where its machine was not shut down",
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

/** Checks that an option has one value, and that it is not empty. */
export function once(option: string): (value: string | string[] | undefined) => string | undefined {
  return (value) => {
    if (Array.isArray(value)) throw new UsageError(`--${option} is given more than once`);
    if (value === "") throw new UsageError(`--${option} is empty`);
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
export const repeatable = {
  type: "string",
  requiresArg: true,
  default: [] as string[],
  defaultDescription: "none",
  coerce: (value: string | string[]): string[] => [value].flat(),
} as const;

/** The image that the arguments mean; notices about the choice are logged. */
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
 * Opens the disk, calls `work` with it, and closes it whatever happens. Warnings are logged before; why a part of the
 * disk is missing is logged after, unless `work` has reported that itself.
 * @param work also gets the problems of the states that have been entered in `snapshots/`, a list that grows.
 */
export async function withDisk(
  argv: DiskArguments,
  work: (disk: Disk, ofStates: readonly Problem[]) => Promise<void>,
): Promise<void> {
  const warn = warningLogger(argv.logLevel);
  let logged: Promise<void> | undefined;
  const ofStates: Problem[] = [];
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
      if (problem !== undefined) ofStates.push(problem);
      logged = warn(warning);
    },
  });
  try {
    const problems = new Map(disk.problems.map(({ warning, error }) => [warning, error]));
    for (const warning of disk.warnings) if (!problems.has(warning)) await warn(warning);
    try {
      await work(disk, ofStates);
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

/** Sets the exit code of a command whose output lacks the parts of `disk` that are damaged. */
export function markIncomplete({ problems }: Pick<Disk, "problems">): void {
  for (const { error } of problems) {
    if (error instanceof DiskError && error.code !== "UNSUPPORTED") setExitCode(exitCodeOf(error));
  }
}
