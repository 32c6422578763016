/** Directories: OPENDIR, READDIR, READDIRPLUS, RELEASEDIR. */
import { LRUCache } from "lru-cache";
import type { Attributes, DirectoryEntry, NodeId, NodeTree } from "../../filesystem/filesystem.js";
import { Errno } from "../errno.js";
import { AFTER_DOT, AFTER_DOT_DOT, direntSize, writeDirent } from "../protocol/directory.js";
import { body, HEADER_SIZE, reply } from "../protocol/reply.js";
import { Opcode, ReadIn } from "../protocol/request.js";
import type { Handlers } from "./handler.js";

/** Listings under way that are remembered: where a batch of the tree's did not fit into one reply. */
const LISTINGS_KEPT = 64;

/** FOPEN_KEEP_CACHE | FOPEN_CACHE_DIR: the kernel may keep the entries, and what it has of them stays good. */
const CACHE_DIR = (1 << 1) | (1 << 3);

/** @param stateless whether the kernel does without OPENDIR once it has been refused. */
export function directoryHandlers(
  tree: NodeTree,
  complain: (error: unknown) => number,
  stateless: () => boolean,
): Handlers {
  const choose = chooser(tree);

  /** Damage at one entry must not hide its neighbours: it is listed without attributes, and asking is EIO. */
  const attributesOf = async ({ id, cookie }: DirectoryEntry): Promise<Attributes | undefined> => {
    if (cookie === AFTER_DOT_DOT) return undefined;
    try {
      return await tree.attributes(id);
    } catch (error) {
      complain(error);
      return undefined;
    }
  };

  const list = async (id: NodeId, request: Buffer, plus: boolean): Promise<Buffer | number> => {
    const { offset, size } = ReadIn.view(request);
    const entries = await choose(id, offset, size, plus);
    if (entries === undefined) return Errno.EINVAL;
    const attributes = await Promise.all(entries.map(attributesOf));
    const out = reply(entries.reduce((sum, { name }) => sum + direntSize(name, plus), 0));
    let at = 0;
    entries.forEach((entry, index) => {
      at = writeDirent(body(out), at, entry, attributes[index], plus);
    });
    return out;
  };
  return {
    [Opcode.opendir]: () => {
      if (stateless()) return Errno.ENOSYS;
      const out = reply(16);
      out.writeUInt32LE(CACHE_DIR, HEADER_SIZE + 8);
      return out;
    },
    [Opcode.readdir]: (nodeId, request) => list(nodeId, request, false),
    [Opcode.readdirplus]: (nodeId, request) => list(nodeId, request, true),
    [Opcode.releasedir]: () => reply(0),
  };
}

interface Batch {
  readonly entries: readonly DirectoryEntry[];
  /** Index of the first that is still to be listed. */
  readonly from: number;
}

/**
 * Finds the entries after `cookie` that fit into `room` bytes: none at the directory's end, `undefined` where
 * there is no room for even one.
 */
function chooser(
  tree: NodeTree,
): (id: NodeId, cookie: number, room: number, plus: boolean) => Promise<DirectoryEntry[] | undefined> {
  const left = new LRUCache<string, Batch>({ max: LISTINGS_KEPT });

  const batchAfter = async (id: NodeId, cookie: number): Promise<Batch> => {
    if (cookie === 0) return { entries: dots(id), from: 0 };
    if (cookie === AFTER_DOT) return { entries: dots(id), from: 1 };
    if (cookie === AFTER_DOT_DOT) return { entries: await tree.list(id, 0), from: 0 };
    return left.get(`${id} ${cookie}`) ?? { entries: await tree.list(id, cookie), from: 0 };
  };

  return async (id, cookie, room, plus) => {
    const chosen: DirectoryEntry[] = [];
    for (;;) {
      let batch: Batch;
      try {
        batch = await batchAfter(id, chosen.at(-1)?.cookie ?? cookie);
      } catch (error) {
        // What came before the damage is listed; the next request meets the damage first.
        if (chosen.length > 0) return chosen;
        throw error;
      }
      const { entries, from } = batch;
      if (entries.length === from) return chosen;
      for (let at = from; at < entries.length; at++) {
        room -= direntSize(entries[at]!.name, plus);
        if (room < 0) {
          const last = chosen.at(-1);
          if (last !== undefined && at > from) left.set(`${id} ${last.cookie}`, { entries, from: at });
          return last && chosen;
        }
        chosen.push(entries[at]!);
      }
    }
  };
}

function dots(id: NodeId): DirectoryEntry[] {
  return [
    { name: Buffer.from("."), id, type: "directory", cookie: AFTER_DOT },
    { name: Buffer.from(".."), id, type: "directory", cookie: AFTER_DOT_DOT },
  ];
}
