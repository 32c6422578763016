/** Directories: OPENDIR, READDIR, READDIRPLUS. */
import type { Attributes, DirectoryEntry, NodeId, NodeTree } from "../../filesystem/filesystem.js";
import { Errno } from "../errno.js";
import { AFTER_DOT, AFTER_DOT_DOT, direntSize, writeDirent } from "../protocol/directory.js";
import { body, HEADER_SIZE, reply, replyWith } from "../protocol/reply.js";
import { Opcode, ReadIn } from "../protocol/request.js";
import type { Ahead } from "./ahead.js";
import type { Handlers } from "./handler.js";
import { entryChooser, type Choice } from "./listing.js";
import type { Threads } from "./threads.js";

/** FOPEN_KEEP_CACHE | FOPEN_CACHE_DIR: the kernel may keep the entries, and what it has of them stays good. */
const CACHE_DIR = (1 << 1) | (1 << 3);

/** Bytes that the C library lists directories with: as many as a listing is prepared for. */
const USUAL_ROOM = 32 * 2 ** 10;

/** What a listing ends with. */
const NOTHING = reply(0);

export interface Directories {
  readonly handlers: Handlers;
  /** Lists directory `id` from its start, for the threads to answer with. */
  prepare(id: NodeId): Promise<void>;
}

/** @param stateless whether the kernel does without OPENDIR once it has been refused. */
export function serveDirectories(
  tree: NodeTree,
  complain: (error: unknown) => number,
  stateless: () => boolean,
  threads: Threads,
  ahead: Ahead,
): Directories {
  const choose = entryChooser(tree);

  /** Damage at one entry must not hide its neighbours: it is listed without attributes, and asking is EIO. */
  const attributesOf = ({
    id,
    cookie,
    attributes: told,
  }: DirectoryEntry): Attributes | undefined | Promise<Attributes | undefined> => {
    if (told !== undefined) return told;
    if (cookie === AFTER_DOT_DOT) return undefined;
    try {
      const attributes = tree.attributes(id);
      if (!(attributes instanceof Promise)) return attributes;
      return attributes.catch((error: unknown) => {
        complain(error);
        return undefined;
      });
    } catch (error) {
      complain(error);
      return undefined;
    }
  };

  const replyOf = async (id: NodeId, { entries, isEnd }: Choice, offset: number, plus: boolean) => {
    const attributes = await together(entries.map(attributesOf));
    const out = reply(entries.reduce((sum, { name }) => sum + direntSize(name, plus), 0));
    let at = 0;
    entries.forEach((entry, index) => {
      at = writeDirent(body(out), at, entry, attributes[index], plus);
    });
    // Every listing ends with a question whose answer is known by now.
    const last = entries.at(-1);
    if (isEnd && last !== undefined)
      threads.offer(plus ? Opcode.readdirplus : Opcode.readdir, id, last.cookie, NOTHING);
    const kin = entries.flatMap(({ id, type, cookie, isCostly }, index) =>
      cookie === AFTER_DOT || cookie === AFTER_DOT_DOT || isCostly === true
        ? []
        : [{ id, type: attributes[index]?.type ?? type }],
    );
    ahead.learn(id, kin, offset === 0);
    return out;
  };

  const list = async (id: NodeId, request: Buffer, plus: boolean): Promise<Buffer | number> => {
    const { offset, size } = ReadIn.view(request);
    const choice = await choose(id, offset, size, plus);
    if (choice === undefined) return Errno.EINVAL;
    const out = await replyOf(id, choice, offset, plus);
    if (offset === 0) ahead.listed(id);
    return out;
  };

  return {
    handlers: {
      [Opcode.opendir]: () => {
        if (stateless()) return Errno.ENOSYS;
        const out = reply(16);
        out.writeUInt32LE(CACHE_DIR, HEADER_SIZE + 8);
        return out;
      },
      [Opcode.readdir]: (nodeId, request) => list(nodeId, request, false),
      [Opcode.readdirplus]: (nodeId, request) => list(nodeId, request, true),
    },
    async prepare(id) {
      const choice = await choose(id, 0, USUAL_ROOM, true);
      threads.offer(Opcode.readdirplus, id, 0, await replyOf(id, choice!, 0, true));
      for (const entry of choice!.entries) {
        if (entry.type !== "symlink") continue;
        threads.offer(Opcode.readlink, entry.id, 0, replyWith(await tree.readLink(entry.id)));
      }
    },
  };
}

/** All of `values`, waiting only where one has to be waited for. */
async function together<T>(values: (T | Promise<T>)[]): Promise<T[]> {
  return values.some((value) => value instanceof Promise) ? Promise.all(values) : (values as T[]);
}
