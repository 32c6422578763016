/** `vdisk unmount`: ends a mount, also if its process was killed. */
import type { CommandModule } from "yargs";
import { notEmpty } from "./disk.js";
import { unmount } from "../mount/unmount.js";

interface Arguments {
  mountPoint: string;
  lazy: boolean;
}

export const unmountCommand: CommandModule<object, Arguments> = {
  command: ["unmount <mount-point>", "umount"],
  describe: "End a mount",
  builder: (command) =>
    command
      .positional("mount-point", {
        type: "string",
        demandOption: true,
        coerce: notEmpty("mount point"),
        describe: "Where it is mounted",
      })
      .option("lazy", {
        alias: "z",
        type: "boolean",
        default: false,
        describe: "Detach it at once; open files stay readable until they are closed",
      }) as never,
  handler: ({ mountPoint, lazy }) => unmount(mountPoint, lazy),
};
