/**
 * The kernel's side of the protocol, written from include/uapi/linux/fuse.h: it shares no code with src/fuse/protocol, and
 * reads 64-bit words as bigint.
 */
import { pino } from "pino";
import type { NodeTree } from "../../../src/filesystem/filesystem.js";
import type { readAheadFor } from "../../../src/fuse/native/read-ahead.js";
import { serve, type Server } from "../../../src/fuse/native/server.js";
import type { Threads } from "../../../src/fuse/native/threads.js";

export const words32 = (...values: number[]): Buffer => Buffer.from(Uint32Array.from(values).buffer);
export const words64 = (...values: (number | bigint)[]): Buffer =>
  Buffer.from(BigUint64Array.from(values.map((value) => BigInt.asUintN(64, BigInt(value)))).buffer);
export const zeroEnded = (name: string | Buffer): Buffer => Buffer.concat([Buffer.from(name), Buffer.of(0)]);

export interface Reply {
  /** Positive, or 0 for success. */
  readonly errno: number;
  readonly body: Buffer;
}

export interface PassedWindow {
  readonly node: number;
  readonly index: number;
  /** An array of runs (native-bindings/README.md). */
  readonly runs: number[];
  readonly bytes: Buffer;
  /** The numbers behind the runs: units. */
  readonly numbers: number[];
  readonly notifyFirstRead: boolean;
}

export interface PrefetchedReply {
  readonly opcode: number;
  readonly node: number;
  readonly offset: number;
  readonly body: Buffer;
}

export interface Kernel {
  readonly server: Server;
  /** The messages in the log. */
  readonly logged: string[];
  /** What was passed to the threads. */
  readonly windows: PassedWindow[];
  readonly prefetched: PrefetchedReply[];
  /** What the threads were told to drop: "clear" for their own caches, or notifications to the kernel in hexadecimal. */
  readonly invalidated: string[];
  /** Makes a request and resolves to its reply. */
  readonly ask: (opcode: number, node: number, ...body: Buffer[]) => Promise<Reply>;
  /** Interrupts the last request, or with `isNext` the next one that will be made. */
  readonly interrupt: (isNext?: boolean) => void;
  /** Makes a request of user `uid`. */
  readonly askAs: (uid: number, opcode: number, node: number, ...body: Buffer[]) => Promise<Reply>;
}

/** The number of the first request. */
const UNIQUE = 0xfedc_ba98_7654_3210n;

/** A server that has answered INIT with `flags`, as sent by Linux 6.6. Requests are those of user 1000. */
export async function kernel(
  tree: NodeTree,
  flags = 0x7fff_ffff,
  onlyFor?: number,
  makeReadAhead?: typeof readAheadFor,
): Promise<Kernel> {
  const logged: string[] = [];
  const log = pino(
    { base: null },
    { write: (line: string) => logged.push((JSON.parse(line) as { msg: string }).msg) },
  );
  const windows: PassedWindow[] = [];
  const prefetched: PrefetchedReply[] = [];
  const invalidated: string[] = [];
  const threads: Threads = {
    putWindow: (node, index, runCount, numbers, bytes, notifyFirstRead) => {
      const runs = [...numbers.subarray(0, 3 * runCount)];
      windows.push({
        node,
        index,
        runs,
        bytes,
        numbers: [...numbers.subarray(3 * runCount)],
        notifyFirstRead,
      });
    },
    putReply: (opcode, node, offset, reply) => {
      prefetched.push({ opcode, node, offset, body: Buffer.from(reply.subarray(16)) });
    },
    clear: () => void invalidated.push("clear"),
    notify: (notifications) => void invalidated.push(notifications.toString("hex")),
  };
  const server = serve(tree, log, () => undefined, threads, onlyFor, makeReadAhead);
  let unique = UNIQUE;
  const headerOf = (opcode: number, node: number, length: number, uid = 1000): Buffer =>
    Buffer.concat([words32(40 + length, opcode), words64(unique, node), words32(uid, uid, 4242, 0)]);
  const interrupt: Kernel["interrupt"] = (isNext = false) => {
    server.notify(Buffer.concat([headerOf(36, 0, 8), words64(isNext ? unique + 2n : unique)]));
  };
  const askAs: Kernel["askAs"] = async (uid, opcode, node, ...parts) => {
    const body = Buffer.concat(parts);
    const own = (unique += 2n);
    // The request lies in a larger buffer, as in a mount, and is overwritten when `answer` returns.
    const request = Buffer.concat([headerOf(opcode, node, body.length, uid), body, Buffer.alloc(100, 0x55)]);
    const pending = server.answer(request);
    request.fill(0xaa);
    const reply = await pending;
    if (reply.readUInt32LE(0) !== reply.length) throw new Error("the reply's length is wrong");
    if (reply.readBigUInt64LE(8) !== own) throw new Error("the reply is to another request");
    return { errno: -reply.readInt32LE(4), body: reply.subarray(16) };
  };
  const ask: Kernel["ask"] = (opcode, node, ...parts) => askAs(1000, opcode, node, ...parts);
  await ask(26, 0, words32(7, 39, 131_072, flags), Buffer.alloc(48));
  return { server, logged, windows, prefetched, invalidated, ask, askAs, interrupt };
}

/** `fuse_attr` at `at`. */
export function attributesAt(body: Buffer, at: number): Record<string, bigint | number> {
  const names64 = ["ino", "size", "blocks"];
  const names32 = [
    "atimensec",
    "mtimensec",
    "ctimensec",
    "mode",
    "nlink",
    "uid",
    "gid",
    "rdev",
    "blksize",
    "flags",
  ];
  return {
    ...Object.fromEntries(names64.map((name, index) => [name, body.readBigUInt64LE(at + 8 * index)])),
    ...Object.fromEntries(
      ["atime", "mtime", "ctime"].map((name, index) => [name, body.readBigInt64LE(at + 24 + 8 * index)]),
    ),
    ...Object.fromEntries(names32.map((name, index) => [name, body.readUInt32LE(at + 48 + 4 * index)])),
  };
}

export interface Dirent {
  readonly node?: bigint;
  readonly ino: bigint;
  readonly off: bigint;
  readonly type: number;
  readonly name: string;
}

/** The `fuse_dirent`s of a listing, or with `plus` its `fuse_direntplus`es. Names as latin1. */
export function direntsOf(body: Buffer, plus: boolean): Dirent[] {
  const entries: Dirent[] = [];
  for (let at = 0; at < body.length;) {
    const node = plus ? { node: body.readBigUInt64LE(at) } : {};
    if (plus) at += 128;
    const length = body.readUInt32LE(at + 16);
    entries.push({
      ...node,
      ino: body.readBigUInt64LE(at),
      off: body.readBigUInt64LE(at + 8),
      type: body.readUInt32LE(at + 20),
      name: body.toString("latin1", at + 24, at + 24 + length),
    });
    at += (24 + length + 7) & ~7;
  }
  return entries;
}
