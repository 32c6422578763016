/** `vdisk cat`: writes files of the tree to standard output. */
import type { CommandModule } from "yargs";
import { DiskError, UnsupportedError } from "../errors.js";
import type { BlockSource } from "../extent/extent.js";
import { read } from "../extent/read.js";
import type { Disk } from "../tree/disk.js";
import { findNode, withArticle } from "../tree/path.js";
import { diskOptions, withDisk, type DiskArguments } from "./disk.js";
import { reportAndContinue } from "./exit.js";
import { isOutputError, write } from "./output.js";

interface Arguments extends DiskArguments {
  path: string[];
}

/** Bytes of one read. When a read fails, small reads follow, so that the bytes before the damage are written. */
const CHUNK_SIZE = 2 ** 20;
const SMALL_CHUNK_SIZE = 512;

export const cat: CommandModule<object, Arguments> = {
  command: "cat <image> <path..>",
  describe: "Write files of the tree to standard output",
  builder: (command) =>
    diskOptions(command)
      .positional("path", {
        type: "string",
        array: true,
        demandOption: true,
        describe: "vhdd, vol0, fs0/etc/fstab; a path that begins with / is in the guest's root file system",
      })
      .example("$0 cat disk.vdi /etc/fstab", "A file of the guest")
      .example("$0 cat disk.vdi vhdd > disk.raw", "The whole disk, flat") as never,
  handler: (argv) =>
    withDisk(argv, async (disk) => {
      for (const path of argv.path) {
        try {
          await writeFile(disk, path);
        } catch (error) {
          if (!(error instanceof DiskError) || isOutputError(error)) throw error;
          reportAndContinue(error); // the other files may be sound
        }
      }
    }),
};

async function writeFile(disk: Disk, path: string): Promise<void> {
  const { id, attributes } = await findNode(disk, path, true);
  if (attributes.type !== "file") {
    throw new UnsupportedError({
      file: path,
      thing: "this",
      found: withArticle(attributes.type),
      expected: "a regular file",
    });
  }
  await copy(await disk.tree.open(id));
}

/** Writes all of `source`, or all that can be read before an error. */
async function copy(source: BlockSource): Promise<void> {
  for (let at = 0, size = CHUNK_SIZE; at < source.size;) {
    const length = Math.min(size, source.size - at);
    const bytes = await read(source, at, length).catch((error: unknown) => {
      if (!(error instanceof DiskError) || size === SMALL_CHUNK_SIZE) throw error;
      return undefined;
    });
    if (bytes === undefined) {
      size = SMALL_CHUNK_SIZE;
      continue;
    }
    await write(bytes);
    at += length;
  }
}
