/**
 * Writes what a raw disk has over a base VDI as a differencing VDI, named by its UUID as VirtualBox does it.
 *
 *     tsx make-snapshot.ts DISK.raw BASE.vdi FOLDER
 */
import { mkdirSync, readFileSync } from "node:fs";
import { writeVdi } from "../test/image/vdi/builder.js";

const [disk, base, folder] = process.argv.slice(2) as [string, string, string];
const uuid = "5b2c9a4e-1f60-4d3b-9c1a-2f7e8d90a1b2";
const BLOCK_SIZE = 2 ** 20;

const now = readFileSync(disk);
const header = readFileSync(base);
// VDICore.h, VDIHEADER1: the block map's and the data's place, and the two UUIDs that a child notes.
const [tableOffset, dataOffset] = [header.readUInt32LE(0x154), header.readUInt32LE(0x158)];
const changed = new Map<number, Buffer | "zero">();
for (let block = 0; block < now.length / BLOCK_SIZE; block++) {
  const bytes = now.subarray(block * BLOCK_SIZE, (block + 1) * BLOCK_SIZE);
  const entry = header.readUInt32LE(tableOffset + block * 4);
  const before =
    entry < 0xfffffffe
      ? header.subarray(dataOffset + entry * BLOCK_SIZE, dataOffset + (entry + 1) * BLOCK_SIZE)
      : Buffer.alloc(BLOCK_SIZE);
  if (!bytes.equals(before.subarray(0, bytes.length)))
    changed.set(block, bytes.every((byte) => byte === 0) ? "zero" : bytes);
}

mkdirSync(folder, { recursive: true });
await writeVdi(`${folder}/{${uuid}}.vdi`, {
  type: 4,
  diskSize: now.length,
  blocks: changed,
  uuid,
  modification: "0d8e7f3a-6b5c-4a21-8e90-c4d5e6f70812",
  parentUuid: guid(0x188),
  parentModification: guid(0x198),
});

function guid(at: number): string {
  const part = (from: number, length: number): string =>
    header
      .readUIntLE(at + from, length)
      .toString(16)
      .padStart(length * 2, "0");
  const rest = header.toString("hex", at + 8, at + 16);
  return `${part(0, 4)}-${part(4, 2)}-${part(6, 2)}-${rest.slice(0, 4)}-${rest.slice(4)}`;
}
