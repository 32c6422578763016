/**
 * Every answer that a walk through a tree wants, written to a file for the bare server to give: what remains then of
 * the walk's time is the kernel's and the walker's own.
 */
import { closeSync, existsSync, openSync, renameSync, writeSync } from "node:fs";
import { openDisk } from "../../../src/tree/disk.js";
import { direntsOf, kernel, words32, words64, zeroEnded } from "../../../test/fuse/support/wire.js";

const Opcode = { lookup: 1, getattr: 3, readlink: 5, readdirplus: 44, statx: 52 };

/** Bytes that the C library lists directories with. */
const ROOM = 32 * 2 ** 10;

/** `d_type`s. */
const [DIRECTORY, LINK] = [4, 10];

/**
 * The file at `path`, made anew where it is not there: for each answer its opcode, node, offset and length, one word
 * of eight bytes each, and its bytes. Of node 1's entries only `name` is there.
 */
export async function writeReplies(path: string, image: string, name: string): Promise<void> {
  if (existsSync(path)) return;
  const disk = await openDisk(image);
  const { ask } = await kernel(disk.tree);
  const file = openSync(`${path}.part`, "w");
  const note = (opcode: number, node: number, offset: bigint, body: Buffer): void => {
    writeSync(file, Buffer.concat([words64(opcode, node, offset, body.length), body]));
  };
  const lookup = await ask(Opcode.lookup, 1, zeroEnded(name));
  note(Opcode.lookup, 1, 0n, lookup.body);
  const pending = [Number(lookup.body.readBigUInt64LE(0))];
  for (const node of [1, ...pending]) {
    note(Opcode.getattr, node, 0n, (await ask(Opcode.getattr, node, Buffer.alloc(16))).body);
    note(Opcode.statx, node, 0n, (await ask(Opcode.statx, node, Buffer.alloc(24))).body);
  }
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    for (let offset = 0n, isEnd = false; !isEnd;) {
      const { body } = await ask(Opcode.readdirplus, node, words64(0, offset), words32(ROOM, 0, 0, 0, 0, 0));
      note(Opcode.readdirplus, node, offset, body);
      const entries = direntsOf(body, true);
      for (const { node, type, name: entry } of entries) {
        if (entry === "." || entry === "..") continue;
        if (type === DIRECTORY) pending.push(Number(node));
        if (type === LINK)
          note(Opcode.readlink, Number(node), 0n, (await ask(Opcode.readlink, Number(node))).body);
      }
      isEnd = body.length === 0;
      offset = entries.at(-1)?.off ?? offset;
    }
  }
  closeSync(file);
  await disk.close();
  renameSync(`${path}.part`, path);
}
