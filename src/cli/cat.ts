/** `vdisk cat`: files of the tree to standard output. */
import type { CommandModule } from "yargs";
import { UnsupportedError } from "../errors.js";
import { read } from "../extent/read.js";
import { findNode } from "../tree/path.js";
import { diskOptions, withDisk, type DiskArguments } from "./disk.js";
import { write } from "./output.js";

interface Arguments extends DiskArguments {
  path: string[];
}

/** Bytes read at once. */
const CHUNK_SIZE = 2 ** 20;

export const cat: CommandModule<object, Arguments> = {
  command: "cat <image> <path..>",
  describe: "Write files of the tree to standard output",
  builder: (command) =>
    diskOptions(command)
      .positional("path", {
        type: "string",
        array: true,
        demandOption: true,
        describe: "vhdd, vol0, fs0/etc/fstab; from / on, a path in the guest's root file system",
      })
      .example("$0 cat disk.vdi /etc/fstab", "A file of the guest")
      .example("$0 cat disk.vdi vhdd > disk.raw", "The whole disk, flat") as never,
  handler: (argv) =>
    withDisk(argv, async (disk) => {
      for (const path of argv.path) {
        const { id, attributes } = await findNode(disk, path, true);
        if (attributes.type !== "file") {
          throw new UnsupportedError({
            file: path,
            thing: "this",
            found: `a ${attributes.type}`,
            expected: "a regular file",
          });
        }
        const source = await disk.tree.open(id);
        for (let at = 0; at < source.size; at += CHUNK_SIZE) {
          await write(await read(source, at, Math.min(CHUNK_SIZE, source.size - at)));
        }
      }
    }),
};
