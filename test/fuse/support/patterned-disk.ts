/** A machine's disk that fio filled with a pattern it can verify, as a chain of three VDIs, scattered and interleaved. */
import { closeSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { random } from "../../image/random.js";
import { writeVdi } from "../../image/vdi/builder.js";
import { output } from "../../support/command.js";

export interface PatternedDisk {
  /** The newest state, whose contents are `raw`. */
  readonly image: string;
  /** The state before, whose contents differ. */
  readonly before: string;
  readonly raw: string;
}

/** Bytes of a block of the pattern, which begins with a checksum, its position and a seed. */
const VERIFY = ["--verify=crc32c", "--verify_interval=4096", "--verify_state_save=0"];

const BLOCK = 2 ** 20;
const LEVELS = 3;

/** Writes a disk of `blocks` blocks of 1 MiB to `folder`. */
export async function patternedDisk(folder: string, blocks: number): Promise<PatternedDisk> {
  const raw = join(folder, "raw");
  const fill = ["--name=fill", `--filename=${raw}`, `--size=${blocks}M`, "--rw=write", "--bs=1M"];
  await output("fio", ...fill, ...VERIFY, "--do_verify=0", "--allow_file_create=1");
  const numbers = random(blocks);
  const levelOf = Array.from({ length: blocks }, () => numbers.below(LEVELS));
  const noise = numbers.bytes(BLOCK); // hidden by a later level
  const file = openSync(raw, "r");
  const held = (level: number, block: number) => (): Buffer => {
    if (level !== levelOf[block]) return noise;
    const bytes = Buffer.alloc(BLOCK);
    readSync(file, bytes, 0, BLOCK, block * BLOCK);
    return bytes;
  };
  const image = (level: number): string => join(folder, `state${level}.vdi`);
  const uuid = (level: number): string => `0000000${level}-1111-4222-8333-444444444444`;
  for (let level = 0; level < LEVELS; level++) {
    const stored = levelOf.flatMap((own, block) =>
      own === level || (own > level && numbers.chance(0.3)) ? [block] : [],
    );
    await writeVdi(image(level), {
      type: level === 0 ? 1 : 4,
      diskSize: blocks * BLOCK,
      blocks: new Map(numbers.shuffle(stored).map((block) => [block, held(level, block)])),
      uuid: uuid(level),
      ...(level > 0 && { parentUuid: uuid(level - 1) }),
    });
  }
  closeSync(file);
  return { image: image(LEVELS - 1), before: image(LEVELS - 2), raw };
}

/**
 * Reads and verifies blocks of 4 KiB to 1 MiB of `path` for some seconds, by eight jobs, some with O_DIRECT. Resolves to the
 * number of bytes read.
 * @throws {Error} with fio's message if a block is wrong, or cannot be read.
 */
export async function verifyDisk(path: string, seconds: number): Promise<number> {
  const work = [`--filename=${path}`, "--rw=randread", "--bsrange=4k-1m", "--blockalign=4k", "--norandommap"];
  const jobs = [
    ...["--name=direct", "--numjobs=3", "--direct=1"],
    ...["--name=queued", "--numjobs=2", "--direct=1", "--ioengine=libaio", "--iodepth=8"],
    ...["--name=cached", "--numjobs=3", "--direct=0", "--invalidate=1"],
  ];
  const common = [
    ...work,
    ...VERIFY,
    "--verify_fatal=1",
    "--readonly",
    "--time_based",
    `--runtime=${seconds}`,
  ];
  const reports = ["--output-format=json", "--group_reporting=0"];
  const said = await output("fio", ...reports, ...common, ...jobs);
  const { jobs: done } = JSON.parse(said.slice(said.indexOf("{"))) as {
    jobs: { error: number; read: { io_bytes: number } }[];
  };
  const failed = done.filter(({ error }) => error !== 0);
  if (done.length !== 8 || failed.length > 0)
    throw new Error(`${failed.length} of ${done.length} jobs failed`);
  return done.reduce((sum, { read }) => sum + read.io_bytes, 0);
}
