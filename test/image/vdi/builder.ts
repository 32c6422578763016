/** Writes VDI images by hand, after VirtualBox's VDICore.h, in every version and shape; none of it from src/. */
import { open } from "node:fs/promises";

export interface VdiPlan {
  /** "1.1+" has the longer header; 1.1+ by default. */
  readonly version?: "0" | "1.0" | "1.1" | "1.1+";
  readonly type?: number;
  readonly diskSize: number;
  readonly blockSize?: number;
  readonly blockExtra?: number;
  /** What the disk's blocks hold, by number, as it is or to be asked for when it is written; others are free. */
  readonly blocks?: ReadonlyMap<number, Buffer | "zero" | (() => Buffer)>;
  /** The order in which the stored blocks lie in the file. */
  readonly order?: readonly number[];
  readonly uuid?: string;
  readonly modification?: string;
  readonly parentUuid?: string;
  readonly parentModification?: string;
  readonly tableOffset?: number;
  readonly dataOffset?: number;
  /** The file's size, where it is not what it should be: an image that is cut short. */
  readonly fileSize?: number;
}

export interface Piece {
  readonly offset: number;
  readonly bytes: Buffer | (() => Buffer);
}

const MIB = 2 ** 20;
const NIL = "00000000-0000-0000-0000-000000000000";

/** The file as pieces with holes between them, and its size. */
export function planVdi(plan: VdiPlan): { pieces: Piece[]; size: number } {
  const { version = "1.1+", diskSize, blockSize = MIB, blockExtra = 0 } = plan;
  const blocks: NonNullable<VdiPlan["blocks"]> = plan.blocks ?? new Map<number, Buffer>();
  const blockCount = Math.ceil(diskSize / blockSize);
  const isOld = version === "0";
  const tableOffset = isOld ? 0x1a4 : (plan.tableOffset ?? 0x200);
  const tableEnd = tableOffset + blockCount * 4;
  const dataOffset = isOld ? tableEnd : (plan.dataOffset ?? Math.ceil(tableEnd / 512) * 512);
  const order = plan.order ?? [...blocks].filter(([, held]) => held !== "zero").map(([block]) => block);

  const header = Buffer.alloc(0x1d8);
  header.write("<<< vdisk test image >>>\n");
  header.writeUInt32LE(0xbeda107f, 0x40);
  header.writeUInt32LE({ "0": 2, "1.0": 0x10000, "1.1": 0x10001, "1.1+": 0x10001 }[version], 0x44);
  let at = 0x48;
  const u32 = (value: number) => (at = header.writeUInt32LE(value, at));
  const uuid = (printed = NIL) => {
    const [a, b, c, ...rest] = printed.split("-");
    at = header.writeUInt32LE(parseInt(a!, 16), at);
    at = header.writeUInt16LE(parseInt(b!, 16), at);
    at = header.writeUInt16LE(parseInt(c!, 16), at);
    at += header.write(rest.join(""), at, "hex");
  };
  if (!isOld) u32(version === "1.1+" ? 400 : 384);
  u32(plan.type ?? 1);
  u32(0);
  at += 256;
  if (!isOld) [tableOffset, dataOffset].forEach(u32);
  [0, 0, 0, 512].forEach(u32);
  if (!isOld) u32(0);
  at = header.writeBigUInt64LE(BigInt(diskSize), at);
  u32(blockSize);
  if (!isOld) u32(blockExtra);
  u32(blockCount);
  u32(order.length);
  uuid(plan.uuid ?? "11111111-2222-3333-4444-555555555555");
  uuid(plan.modification ?? "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee");
  uuid(plan.parentUuid);
  if (!isOld) uuid(plan.parentModification);
  if (version === "1.1+") [0, 0, 0, 512].forEach(u32);

  const table = Buffer.alloc(blockCount * 4, 0xff);
  for (const [block, held] of blocks) if (held === "zero") table.writeUInt32LE(0xfffffffe, block * 4);
  order.forEach((block, index) => table.writeUInt32LE(index, block * 4));
  const pieces: Piece[] = [
    { offset: 0, bytes: header.subarray(0, at) },
    { offset: tableOffset, bytes: table },
  ];
  order.forEach((block, index) => {
    const offset = dataOffset + index * (blockExtra + blockSize);
    if (blockExtra > 0) pieces.push({ offset, bytes: Buffer.alloc(blockExtra, 0xee) });
    pieces.push({ offset: offset + blockExtra, bytes: blocks.get(block) as Piece["bytes"] });
  });
  const size = plan.fileSize ?? dataOffset + order.length * (blockExtra + blockSize);
  return { pieces, size };
}

/** The whole file in memory. */
export function buildVdi(plan: VdiPlan): Buffer {
  const { pieces, size } = planVdi(plan);
  const file = Buffer.alloc(size);
  for (const { offset, bytes } of pieces) if (offset < size) bytesOf(bytes).copy(file, offset);
  return file;
}

/** Writes the file with holes where nothing is stored. */
export async function writeVdi(path: string, plan: VdiPlan): Promise<void> {
  const { pieces, size } = planVdi(plan);
  const file = await open(path, "w");
  for (const { offset, bytes } of pieces) await file.write(bytesOf(bytes), 0, undefined, offset);
  await file.truncate(size);
  await file.close();
}

function bytesOf(bytes: Piece["bytes"]): Buffer {
  return typeof bytes === "function" ? bytes() : bytes;
}
