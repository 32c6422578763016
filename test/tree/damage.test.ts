/** Whole images with random damage where structures lie: right bytes or a DiskError, soon. */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import t, { type Test } from "tap";
import { DiskError, openDisk } from "../../src/index.js";
import { readWhatIsReadable } from "../filesystem/ext/support.js";
import { random, type Random } from "../image/random.js";
import { writeVdi } from "../image/vdi/builder.js";
import { BASE, NEWEST } from "../support/command.js";

const SOON = 5000; // milliseconds an image
/** For a longer search: VDISK_DAMAGE_ROUNDS=5000 VDISK_DAMAGE_SEED=1 npx tap --timeout=3600 test/tree/damage.test.ts */
const ROUNDS = Number(process.env["VDISK_DAMAGE_ROUNDS"] ?? 60);
const SEED = Number(process.env["VDISK_DAMAGE_SEED"] ?? 20_260_101);

const KIB = 2 ** 10;
const MIB = 2 ** 20;
const SECTOR = 512;

/** Images that are opened by the first; all of them are damaged. */
type Images = readonly [newest: string, ...parents: string[]];

t.test("the sample machine", async (t) => {
  const folder = t.testdir({ Snapshots: {} });
  const newest = join(folder, "Snapshots", basename(NEWEST));
  const base = join(folder, basename(BASE));
  cpSync(NEWEST, newest);
  cpSync(BASE, base);
  await survives(t, [newest, base], random(SEED));
});

for (const table of ["gpt", "dos"]) {
  t.test(`a chain of a disk with a ${table} table, ext4 and ext2 on it`, async (t) => {
    const folder = t.testdir({ files: {} });
    const images = await writeChain(folder, partitionedDisk(folder, table), random(SEED));
    await survives(t, images, random(SEED + 1));
  });
}

/** The bytes of a disk of 5 MiB with a partition of ext4 and one of ext2; "dos" has the second as a logical one. */
function partitionedDisk(folder: string, table: string): Buffer {
  const files = join(folder, "files");
  mkdirSync(join(files, "sub/deeper"), { recursive: true });
  for (const size of [7, 1000, 30_000]) writeFileSync(join(files, `f${size}`), `${size} `.repeat(size / 5));
  for (let i = 0; i < 60; i++) writeFileSync(join(files, "sub", `a-name-that-takes-room-${i}`), "");
  const scattered = Buffer.alloc(100_000); // every other block is a hole: more extents than fit into the inode
  for (let at = 0; at < scattered.length; at += 2048) scattered[at] = 1 + (at % 251);
  writeFileSync(join(files, "scattered"), scattered);
  symlinkSync("sub/../f7", join(files, "link"));
  symlinkSync("long/".repeat(40), join(files, "long"));
  const path = join(folder, "disk");
  writeFileSync(path, "");
  truncateSync(path, 5 * MIB);
  const second = table === "dos" ? "start=4096,type=5\nstart=6144,type=83" : "start=6144,type=L";
  const script = `label: ${table}\nstart=2048,size=2048,type=L\n${second}\n`;
  execFileSync("sfdisk", ["-q", path], { input: script, stdio: ["pipe", "ignore", "pipe"] });
  const make = (start: number, ...mke2fs: string[]): unknown =>
    execFileSync("mke2fs", [
      ...["-q", "-F", "-b", "1024", "-N", "128", "-d", files, ...mke2fs],
      ...["-E", `offset=${start * SECTOR}`, path, "1000k"],
    ]);
  make(2048, "-t", "ext4", "-O", "^has_journal,^metadata_csum,inline_data");
  make(6144, "-t", "ext2");
  return readFileSync(path);
}

/** `disk` as a chain: each image has some of the blocks, in any order, and the others are older or not stored. */
async function writeChain(folder: string, disk: Buffer, random: Random): Promise<Images> {
  const blockSize = 128 * KIB;
  const images: string[] = [];
  let parent: { parentUuid: string; parentModification: string } | undefined;
  for (let level = 0; level < 3; level++) {
    const blocks = new Map<number, Buffer>();
    for (let block = 0; block * blockSize < disk.length; block++) {
      const bytes = disk.subarray(block * blockSize, (block + 1) * blockSize);
      if (block % 3 === level) blocks.set(block, bytes);
      else if (block % 3 > level && random.chance(0.5)) blocks.set(block, random.bytes(blockSize));
    }
    const [uuid, modification] = [random.uuid(), random.uuid()];
    const order = random.shuffle([...blocks.keys()]);
    const path = join(folder, `level-${level}.vdi`);
    const type = parent === undefined ? 1 : 4;
    await writeVdi(path, {
      diskSize: disk.length,
      blockSize,
      blocks,
      order,
      type,
      uuid,
      modification,
      ...parent,
    });
    parent = { parentUuid: uuid, parentModification: modification };
    images.unshift(path);
  }
  return images as unknown as Images;
}

async function survives(t: Test, images: Images, random: Random): Promise<void> {
  const whole = await look(images[0]);
  t.same([whole.errors, whole.nodes > 20], [[], true], `${whole.nodes} nodes can be read to begin with`);
  const files = images.map((path) => ({ path, bytes: readFileSync(path) }));
  const places = files.map(({ bytes }) => writtenSectors(bytes));
  const wrong: string[] = [];
  const outcomes = { refused: 0, damaged: 0, readable: 0 };
  for (let round = 0; round < ROUNDS; round++) {
    const index = random.below(files.length);
    const { path, bytes } = files[index]!;
    writeFileSync(path, damaged(bytes, places[index]!, random));
    const started = performance.now();
    try {
      const { errors, warnings } = await look(images[0]);
      outcomes[errors.length + warnings.length > 0 ? "damaged" : "readable"]++;
    } catch (error) {
      if (error instanceof DiskError) outcomes.refused++;
      else wrong.push(`round ${round}: ${error instanceof Error ? error.stack : String(error)}`);
    }
    const took = performance.now() - started;
    if (took > SOON) wrong.push(`round ${round}: ${took} ms`);
    writeFileSync(path, bytes);
  }
  t.same(wrong.slice(0, 5), [], JSON.stringify(outcomes));
}

/** Opens the disk and reads all of its tree: the files of its file systems, its partitions and the whole disk. */
async function look(
  path: string,
): Promise<{ nodes: number; errors: DiskError[]; warnings: readonly string[] }> {
  const disk = await openDisk(path, { states: [] }); // what is below it is random where nobody reads it
  try {
    for (const { error } of disk.problems) if (!(error instanceof DiskError)) throw error; // a bug
    return { ...(await readWhatIsReadable(disk.tree)), warnings: disk.warnings };
  } finally {
    await disk.close();
  }
}

/** A copy of `bytes` with a few places wrong, one of them where a structure is likely; now and then cut short. */
function damaged(bytes: Buffer, written: readonly number[], random: Random): Buffer {
  const copy = Buffer.from(bytes);
  const early = written.filter((sector) => sector < 64 * KIB);
  for (let hits = 1 + random.below(6); hits > 0; hits--) {
    const sector = random.pick(random.chance(0.3) ? early : written);
    const at = sector + random.below(SECTOR);
    const word = at - (at % 4);
    const kind = random.below(6);
    if (kind === 0) copy[at] = random.below(256);
    else if (kind === 1) copy[at]! ^= 1 << random.below(8);
    else if (kind === 2) copy.writeUInt32LE(random.pick(EXTREMES), word);
    else if (kind === 3) copy.writeUInt32LE(random.below(5120), word);
    else if (kind === 4) copy.fill(random.pick([0, 0xff]), at, sector + SECTOR);
    else {
      const other = random.pick(written);
      copy.copy(copy, sector, other, other + SECTOR);
    }
  }
  return random.chance(0.03) ? copy.subarray(0, random.below(copy.length)) : copy;
}

const EXTREMES = [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff, 0x0001_0000, 0xffff];

/** Where the sectors of `bytes` begin that are not zeros, nor as random as the blocks that nobody reads. */
function writtenSectors(bytes: Buffer): number[] {
  const sectors: number[] = [];
  for (let at = 0; at + SECTOR <= bytes.length; at += SECTOR) {
    const sector = bytes.subarray(at, at + SECTOR);
    const kinds = new Set(sector).size;
    if (kinds > 1 && kinds < 180) sectors.push(at);
  }
  return sectors;
}
