/** `vdisk ls`: lists directories of the tree, without mounting it. */
import type { CommandModule } from "yargs";
import { parseName, printName } from "../bytes/text.js";
import { CorruptError } from "../errors.js";
import type { NodeTree } from "../filesystem/filesystem.js";
import type { Disk } from "../tree/disk.js";
import type { Problem } from "../tree/part.js";
import { findNode, joinPath } from "../tree/path.js";
import { inspect, listDirectory, type Listed } from "../tree/walk.js";
import { diskOptions, markIncomplete, withDisk, type DiskArguments } from "./disk.js";
import { reportAndContinue } from "./exit.js";
import { jsonOf, longListing } from "./listing.js";
import { write } from "./output.js";

interface Arguments extends DiskArguments {
  path: string;
  long: boolean;
  recursive: boolean;
  json: boolean;
}

export const ls: CommandModule<object, Arguments> = {
  command: "ls <image> [path]",
  describe: "List files without mounting the disk",
  builder: (command) =>
    diskOptions(command)
      .positional("path", {
        type: "string",
        default: "",
        describe: "fs0/etc; a path that begins with / is in the guest's root file system",
      })
      .option("long", {
        alias: "l",
        type: "boolean",
        default: false,
        describe: "Print modes, owners, sizes and times",
      })
      .option("recursive", {
        alias: "R",
        type: "boolean",
        default: false,
        describe: "Also list all directories below",
      })
      .option("json", { type: "boolean", default: false, describe: "Print JSON, with all details" })
      .example("$0 ls disk.vdi", "What is on the disk")
      .example("$0 ls -l disk.vdi /etc", "A directory of the guest") as never,
  handler: (argv) => withDisk(argv, (disk, stateProblems) => list(disk, stateProblems, argv)),
};

/** The path of a state's directory. Its listing is incomplete if parts of the state are damaged. */
const STATE_ROOT = /^snapshots\/[^/]+$/;

/** One directory of a listing; `path` is the text to print. */
interface Section {
  readonly path: string;
  readonly entries: readonly Listed[];
}

async function list(disk: Disk, stateProblems: readonly Problem[], argv: Arguments): Promise<void> {
  const print = argv.json ? jsonPrinter() : textPrinter(argv);
  for await (const section of sections(disk, stateProblems, argv)) {
    await print.section(section);
    for (const { problem } of section.entries) if (problem !== undefined) reportAndContinue(problem);
  }
  await print.end();
}

async function* sections(
  disk: Disk,
  stateProblems: readonly Problem[],
  argv: Arguments,
): AsyncGenerator<Section> {
  const { tree } = disk;
  const isDetailed = argv.long || argv.json;
  const { id, attributes } = await findNode(disk, argv.path, !isDetailed || argv.path.endsWith("/"));
  if (attributes.type !== "directory") {
    const entry = { id, name: parseName(argv.path), cookie: 1, type: attributes.type };
    yield { path: "", entries: [await inspect(tree, entry)] };
    return;
  }
  const pending = [{ id, path: argv.path.replace(/(?<=.)\/+$/, "") }];
  const seen = new Set([id]);
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { entries, problem } = await listDirectory(tree, next.id);
    const listed = isDetailed ? await inspectAll(tree, entries) : entries.map(listedByName);
    yield { path: next.path, entries: listed };
    if (problem !== undefined) reportAndContinue(problem);
    if (next.id === tree.root) markIncomplete(disk);
    if (STATE_ROOT.test(next.path)) markIncomplete({ problems: stateProblems });
    if (!argv.recursive) continue;
    const below = [];
    for (const entry of entries) {
      const type = entry.type ?? (await inspect(tree, entry)).attributes?.type;
      if (type !== "directory") continue;
      const path = joinPath(next.path, printName(entry.name));
      if (seen.has(entry.id)) reportAndContinue(listedTwice(path));
      else below.push({ id: entry.id, path });
      seen.add(entry.id);
    }
    for (const directory of below.reverse()) pending.push(directory);
  }
}

/** An entry whose attributes are not needed. */
function listedByName(entry: Listed["entry"]): Listed {
  return entry.problem === undefined ? { entry } : { entry, problem: entry.problem };
}

/** A directory has one name. One that has several may contain itself, so it is listed once. */
function listedTwice(path: string): CorruptError {
  return new CorruptError({ file: path, thing: "this directory is already listed under another name" });
}

async function inspectAll(tree: NodeTree, entries: readonly Listed["entry"][]): Promise<Listed[]> {
  const listed: Listed[] = [];
  for (const entry of entries) listed.push(await inspect(tree, entry));
  return listed;
}

interface Printer {
  section(section: Section): Promise<void>;
  end(): Promise<void>;
}

function textPrinter({ long, recursive }: Arguments): Printer {
  let isFirst = true;
  return {
    async section({ path, entries }) {
      const heading = recursive ? `${isFirst ? "" : "\n"}${path === "" ? "." : path}:\n` : "";
      isFirst = false;
      const body = long
        ? longListing(entries)
        : entries.map(({ entry }) => `${printName(entry.name)}\n`).join("");
      await write(heading + body);
    },
    end: async () => undefined,
  };
}

/** Writes one array of all entries, each entry as soon as it is read. */
function jsonPrinter(): Printer {
  let lead = "[";
  return {
    async section({ path, entries }) {
      for (const listed of entries) {
        const printed = printName(listed.entry.name);
        await write(`${lead}\n  ${JSON.stringify({ path: joinPath(path, printed), ...jsonOf(listed) })}`);
        lead = ",";
      }
    },
    end: () => write(lead === "[" ? "[]\n" : "\n]\n"),
  };
}
