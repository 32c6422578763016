/** Requests as the kernel would send them about a tree, and such as it never would: replies and DiskErrors are fine. */
import type { Logger } from "pino";
import { DiskError } from "../../../src/errors.js";
import type { NodeTree } from "../../../src/filesystem/filesystem.js";
import { serve, type Server } from "../../../src/fuse/native/server.js";
import { Opcode } from "../../../src/fuse/protocol/request.js";
import { Finding } from "../finding.js";
import { interestingBytes } from "../interesting.js";
import type { Probe } from "../probe.js";
import type { Random } from "../random.js";

/** Of one conversation. */
const REQUESTS = 25;
/** Directories that are listed before, each in the one before it. */
const DEPTH = 3;
const HEADER = 40;
/** fuse_out_header. */
const REPLY_HEADER = 16;
/** The largest errno of Linux (include/linux/err.h, MAX_ERRNO). */
const MAX_ERRNO = 4095;

type Builder = (random: Random, names: readonly Buffer[]) => Buffer;

const words = (...values: number[]): Buffer => {
  const bytes = Buffer.alloc(values.length * 8);
  values.forEach((value, index) =>
    bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(Math.floor(value))), index * 8),
  );
  return bytes;
};
const zeroEnded = (name: Buffer): Buffer => Buffer.concat([name, Buffer.of(0)]);
const nothing: Builder = () => Buffer.alloc(0);
const attribute: Builder = (random) => {
  const name = random.pick([
    "user.short",
    "system.posix_acl_access",
    "system.ntfs_reparse_data",
    "user.",
    "x",
  ]);
  return Buffer.concat([words(random.pick([0, 10, 65536])), zeroEnded(Buffer.from(name))]);
};
const place = (random: Random): number =>
  random.pick([0, 4096, random.below(2 ** 20), random.word(), random.word() * 4096, 2 ** 53 - 4096]);
const reading: Builder = (random) =>
  Buffer.concat([words(0, place(random), random.pick([1, 4096, 8192, 65536])), Buffer.alloc(16)]);
const listing: Builder = (random) =>
  Buffer.concat([
    words(0, random.oneIn(2) ? 0 : place(random), random.pick([200, 4096, 8192])),
    Buffer.alloc(16),
  ]);

/** What follows the header, by opcode. */
const BODIES: readonly (readonly [opcode: number, body: Builder])[] = [
  [Opcode.lookup, (random, names) => zeroEnded(random.pick(names))],
  [Opcode.getattr, () => Buffer.alloc(16)],
  [Opcode.statx, () => Buffer.alloc(24)],
  [Opcode.readlink, nothing],
  [Opcode.open, () => Buffer.alloc(8)],
  [Opcode.read, reading],
  [Opcode.read, reading],
  [
    Opcode.lseek,
    (random) => Buffer.concat([words(0, random.oneIn(2) ? 0 : place(random)), words(3 + random.below(2))]),
  ],
  [Opcode.statfs, nothing],
  [Opcode.getxattr, attribute],
  [Opcode.listxattr, (random) => words(random.pick([0, 10, 65536]))],
  [Opcode.opendir, () => Buffer.alloc(8)],
  [Opcode.readdir, listing],
  [Opcode.readdirplus, listing],
  [Opcode.readdirplus, listing],
  [Opcode.ioctl, () => Buffer.alloc(32)],
];

/** A tree that is served, and greeted as by a kernel that offers `flags`. */
export interface Conversation {
  /** The reply. @throws {Error} whatever goes wrong in the server; a Finding where the kernel would refuse the reply. */
  readonly ask: (bytes: Buffer) => Promise<Buffer>;
}

/** What is known of a tree: its nodes, and names in it. */
export interface Known {
  readonly nodes: number[];
  readonly names: Buffer[];
}

export async function converse(tree: NodeTree, flags: number, probe: Probe): Promise<Conversation> {
  let fault: unknown;
  const log = logger((error) => (fault ??= error));
  const server = serve(tree, log, ignore, {
    putWindow: ignore,
    putReply: ignore,
    clear: ignore,
    notify: ignore,
  });
  const ask = async (bytes: Buffer): Promise<Buffer> => {
    const reply = await answer(server, bytes, probe);
    if (fault !== undefined) throw fault as Error;
    return reply;
  };
  const greeting = Buffer.alloc(64);
  greeting.set([7, 0, 0, 0, 39, 0, 0, 0, 0, 0, 2, 0]);
  greeting.writeUInt32LE(flags, 12);
  await ask(request(Opcode.init, 0, greeting));
  return { ask };
}

/** Serves `tree`, and asks about its root, about what replies name, and about nodes that may not be there. */
export async function talk(tree: NodeTree, random: Random, probe: Probe): Promise<void> {
  const { ask } = await converse(tree, flagsOf(random), probe);
  const known = await goDown(tree.root, DEPTH, ask);
  for (let count = 0; count < REQUESTS; count++) await ask(anyRequest(known, random));
}

/** What a kernel may offer: everything, or anything. */
export function flagsOf(random: Random): number {
  return random.oneIn(2) ? 0x7fff_ffff : random.word();
}

/** Lists `root`, the last directory in it, and so on. */
export async function goDown(root: number, depth: number, ask: Conversation["ask"]): Promise<Known> {
  const known: Known = {
    nodes: [root],
    names: [Buffer.from("fs0"), Buffer.from("nowhere"), Buffer.from("vhdd")],
  };
  for (let level = 0; level < depth; level++) {
    const body = Buffer.concat([words(0, 0, 8192), Buffer.alloc(16)]);
    collect(await ask(request(Opcode.readdirplus, known.nodes.at(-1)!, body)), known);
  }
  return known;
}

/** A request about something that is known, or near it; now and then one that no kernel would send. */
export function anyRequest({ nodes, names }: Known, random: Random): Buffer {
  const [opcode, build] = random.pick(BODIES);
  const bytes = request(opcode, nodeOf(nodes, random), build(random, names));
  return random.oneIn(8) ? mutated(bytes, random) : bytes;
}

function nodeOf(nodes: readonly number[], random: Random): number {
  const node = random.pick(nodes);
  return random.oneIn(16) ? Math.max(1, node + random.below(64) - 32) : node;
}

function request(opcode: number, node: number, body: Buffer): Buffer {
  const header = Buffer.alloc(HEADER);
  header.writeUInt32LE(HEADER + body.length, 0);
  header.writeUInt32LE(opcode, 4);
  header.writeBigUInt64LE(BigInt(node), 16);
  return Buffer.concat([header, body]);
}

/** Another opcode, a body that is cut short or longer, or a number in it that is changed. */
function mutated(bytes: Buffer, random: Random): Buffer {
  const body = Buffer.from(bytes.subarray(HEADER));
  const opcode = random.oneIn(4) ? random.below(60) : bytes.readUInt32LE(4);
  const node = Number(bytes.readBigUInt64LE(16));
  if (random.oneIn(3)) return request(opcode, node, body.subarray(0, random.below(body.length + 1)));
  if (random.oneIn(4)) return request(opcode, node, Buffer.concat([body, random.bytes(random.below(40))]));
  if (body.length >= 8) {
    const at = random.below(body.length / 8) * 8;
    interestingBytes(random, body.subarray(at, at + 8)).copy(body, at);
  }
  return request(opcode, node, body);
}

async function answer(server: Server, bytes: Buffer, probe: Probe): Promise<Buffer> {
  const opcode = bytes.readUInt32LE(4);
  const reply = await probe.attempt(`request ${opcode}`, () => server.answer(bytes));
  if (reply === undefined) throw new Finding("fault", `request ${opcode} is answered with an exception`);
  const errno = -reply.readInt32LE(4);
  const isRight = reply.readUInt32LE(0) === reply.length && errno >= 0 && errno <= MAX_ERRNO;
  if (!isRight || (errno !== 0 && reply.length !== REPLY_HEADER))
    throw new Finding("fault", `the reply to request ${opcode} has ${reply.length} bytes and errno ${errno}`);
  const copy = Buffer.from(reply);
  server.recycle(reply);
  return copy;
}

/** The nodes and names of a `fuse_direntplus` list. */
function collect(reply: Buffer, { nodes, names }: Known): void {
  const ENTRY = 128;
  for (let at = REPLY_HEADER; at + ENTRY + 24 <= reply.length;) {
    const node = Number(reply.readBigUInt64LE(at));
    const length = reply.readUInt32LE(at + ENTRY + 16);
    const name = Buffer.from(reply.subarray(at + ENTRY + 24, at + ENTRY + 24 + length));
    if (node > 0 && name.toString() !== "." && name.toString() !== "..") nodes.push(node);
    names.push(name);
    at += (ENTRY + 24 + length + 7) & ~7;
  }
}

/** A log that takes DiskErrors for what they are, and gives all else to `heard`. */
function logger(heard: (error: unknown) => void): Logger {
  const error = (what: unknown): void => {
    if (typeof what !== "string" && !(what instanceof DiskError)) heard(what);
  };
  return { error, warn: ignore, info: ignore, debug: ignore } as unknown as Logger;
}

function ignore(): void {
  // What the threads would be handed is of no interest here.
}
