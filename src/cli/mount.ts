/** `vdisk mount`: mounts a disk with its partitions and files, through FUSE. */
import { resolve } from "node:path";
import type { CommandModule } from "yargs";
import { printSentence } from "../bytes/text.js";
import { backendNames } from "../fuse/backend.js";
import type { BackendChoice } from "../fuse/backends.js";
import { discardDaemon } from "../mount/spawn-daemon.js";
import { startMount, type RequestWithoutMountPoint } from "../mount/start.js";
import { chooseImage, diskOptions, fileSystemsOf, notEmpty, repeatable, type DiskArguments } from "./disk.js";
import { commandLog, warningLogger } from "./log.js";
import { commandOptionOf } from "./mount-helper.js";
import { parseMountOptions } from "./mount-options.js";
import { write } from "./output.js";

interface Arguments extends DiskArguments {
  mountPoint: string;
  foreground: boolean;
  quiet: boolean;
  allowOther: boolean;
  allowRoot: boolean;
  options: string[];
  fuseBackend: BackendChoice;
}

export const mountCommand: CommandModule<object, Arguments> = {
  command: "mount <image> <mount-point>",
  describe: "Mount the disk, its partitions and their files, read-only",
  builder: (command) =>
    diskOptions(command)
      .positional("mount-point", {
        type: "string",
        demandOption: true,
        coerce: notEmpty("mount point"),
        describe: "An empty directory",
      })
      .option("foreground", {
        alias: "f",
        type: "boolean",
        default: false,
        describe: "Stay in the foreground and serve until interrupted",
      })
      .option("quiet", {
        type: "boolean",
        default: false,
        describe: "Do not print where the disk is mounted",
      })
      .option("allow-other", { type: "boolean", default: false, describe: "Let all users see the mount" })
      .option("allow-root", { type: "boolean", default: false, describe: "Let root see the mount" })
      .option("options", {
        alias: "o",
        ...repeatable,
        describe: "Further mount options, separated by commas",
      })
      .option("fuse-backend", {
        choices: ["auto", ...backendNames] as const,
        default: "auto",
        describe: "Which FUSE backend to use",
      })
      .example('$0 mount "Windows 10" /mnt --snapshot "Before update"', "A machine's disk at a snapshot")
      .epilogue(
        "The command prints where the mount's log is. End the mount with: vdisk unmount MOUNT-POINT",
      ) as never,
  handler: async (argv) => {
    const { allowOther, allowRoot, ignoreCase, extra } = parseMountOptions(argv.options, commandOptionOf);
    const fileSystems = fileSystemsOf({ ...argv, ignoreCase: argv.ignoreCase || ignoreCase });
    const warn = warningLogger(argv.logLevel);
    const prepare = async (): Promise<RequestWithoutMountPoint> => {
      const { image, admission, states, state } = await chooseImage(argv, warn);
      return {
        image: resolve(image),
        admission,
        imageState: state?.imageState,
        ...(states !== undefined && { states }),
        allowDirs: argv.allowDir,
        allowLive: argv.allowLive,
        fileSystems,
        allowOther: argv.allowOther || allowOther,
        allowRoot: argv.allowRoot || allowRoot,
        options: extra,
        backend: argv.fuseBackend,
        logLevel: argv.logLevel ?? "info",
      };
    };
    if (argv.foreground) {
      await discardDaemon();
      process.on("SIGHUP", () => process.kill(process.pid, "SIGTERM")); // the terminal was closed
      const request = { ...(await prepare()), mountPoint: argv.mountPoint };
      const { serveMount } = await import("../mount/serve.js");
      await serveMount(request, await commandLog(argv.logLevel ?? "info"), () => undefined);
    } else {
      const { mountPoint, log, warnings } = await startMount(argv.mountPoint, prepare);
      for (const warning of warnings) await warn(warning);
      if (argv.quiet) return;
      const sentence = `${argv.image} is mounted on ${mountPoint}; its log is ${log}`;
      await write(`${printSentence(sentence)}\n`);
    }
  },
};
