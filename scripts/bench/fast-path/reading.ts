/** Rows about the flat disk: in sequence, from a raw image, down a chain, at random. */
import { join } from "node:path";
import { output } from "../../../test/support/command.js";
import { bareServer, chainImage, DEPTH, scatteredDisk } from "./data.js";
import { compare, interleave, seconds, type Line, type Turn } from "./measure.js";
import { bare, during, itself, ours, qemu, xmount, type Serve } from "./mounts.js";
import { THREADS, type Row } from "./row.js";

const GB = 1e9;

export const sequential: Row = async ({ folder, turns }) => {
  const at = await scatteredDisk(folder);
  const [vdi, raw] = [join(at, "disk.vdi"), join(at, "disk.raw")];
  const server = await bareServer(folder);
  await same(raw, ours(vdi, "native"), ours(vdi, "fuse-native"), qemu(vdi, "vdi"));
  const series = await interleave(turns, {
    ours: inSequence(ours(vdi), vdi),
    fuseNative: inSequence(ours(vdi, "fuse-native"), vdi),
    qemu: inSequence(qemu(vdi, "vdi"), vdi),
    bare: inSequence(bare(server, THREADS, raw), raw),
  });
  const shared = { unit: "GB/s", ours: series.ours, limit: series.bare };
  return [
    compare({ ...shared, work: "sequential vhdd: qemu's export", peer: series.qemu, bar: { least: 2 } }),
    compare({ ...shared, work: "  our fuse-native", peer: series.fuseNative, bar: { least: 1.2 } }),
    compare({ ...shared, work: "  the bare server, raw", peer: series.bare }),
  ];
};

export const raw: Row = async ({ folder, turns }) => {
  const raw = join(await scatteredDisk(folder), "disk.raw");
  const server = await bareServer(folder);
  await same(raw, ours(raw), xmount(raw));
  const series = await interleave(turns, {
    ours: inSequence(ours(raw), raw),
    xmount: inSequence(xmount(raw), raw),
    file: inSequence(itself(raw), raw),
    bare: inSequence(bare(server, THREADS, raw), raw),
  });
  const shared = { unit: "GB/s", ours: series.ours, limit: series.bare };
  return [
    compare({ ...shared, work: "sequential vhdd of raw: xmount", peer: series.xmount, bar: { least: 1 } }),
    compare({ ...shared, work: "  the file itself (0.7 with passthrough)", peer: series.file }),
    compare({ ...shared, work: "  the bare server", peer: series.bare }),
  ];
};

export const chain: Row = async ({ folder, turns }) => {
  const at = await scatteredDisk(folder);
  const [deep, flat, qcow2] = [chainImage(at), join(at, "disk.vdi"), chainImage(at, DEPTH - 1, "qcow2")];
  const images = (format: "vdi" | "qcow2") =>
    Array.from({ length: DEPTH }, (_, level) => chainImage(at, level, format));
  await same(join(at, "disk.raw"), ours(deep), qemu(qcow2, "qcow2"));
  const series = await interleave(turns, {
    deep: inSequence(ours(deep), ...images("vdi")),
    flat: inSequence(ours(flat), flat),
    qemu: inSequence(qemu(qcow2, "qcow2"), ...images("qcow2")),
  });
  const shared = { unit: "GB/s", ours: series.deep };
  return [
    compare({
      ...shared,
      work: `sequential ${DEPTH} deep: our flat disk`,
      peer: series.flat,
      bar: { least: 0.9 },
    }),
    compare({ ...shared, work: "  qemu's export of qcow2, as deep", peer: series.qemu, bar: { least: 2 } }),
  ];
};

export const randomReads: Row = async ({ folder, turns }) => {
  const at = await scatteredDisk(folder);
  const [vdi, raw] = [join(at, "disk.vdi"), join(at, "disk.raw")];
  const server = await bareServer(folder);
  const lines: Line[] = [];
  for (const jobs of [1, 8]) {
    const series = await interleave(turns, {
      ours: atRandom(jobs, ours(vdi), vdi),
      qemu: atRandom(jobs, qemu(vdi, "vdi"), vdi),
      bare: atRandom(jobs, bare(server, THREADS, raw), raw),
    });
    const shared = { unit: "kIOPS", ours: series.ours, limit: series.bare };
    const work = `random 4 KiB, ${jobs} job${jobs > 1 ? "s" : ""}: qemu's export`;
    lines.push(
      compare({ ...shared, work, peer: series.qemu, bar: { least: 1.2 } }),
      compare({ ...shared, work: "  the bare server, raw", peer: series.bare }),
    );
  }
  return lines;
};

/** GB a second of one pass by 1 MiB, through a mount of which nothing is in the page cache yet. */
function inSequence(serve: Serve, ...images: string[]): Turn {
  return async () => {
    await warm(...images);
    return during(serve, async ({ path }) => {
      const size = Number(await output("stat", "--format=%s", path));
      return size / GB / (await seconds("dd", `if=${path}`, "of=/dev/null", "bs=1M", "status=none"));
    });
  };
}

/** Thousands of reads a second of `jobs` threads that each wait for one read, past the mount's page cache. */
function atRandom(jobs: number, serve: Serve, ...images: string[]): Turn {
  return async () => {
    await warm(...images);
    return during(serve, async ({ path }) => {
      const said = await output(
        ...["fio", "--name=random", `--filename=${path}`, "--rw=randread", "--bs=4k", "--direct=1"],
        ...[`--numjobs=${jobs}`, "--thread", "--runtime=3", "--time_based", "--readonly", "--invalidate=0"],
        ...["--group_reporting", "--output-format=json"],
      );
      const { jobs: results } = JSON.parse(said) as { jobs: [{ read: { iops: number } }] };
      return results[0].read.iops / 1000;
    });
  };
}

/** Every side shows the very bytes of the raw disk: a fast wrong answer is worth nothing. */
async function same(raw: string, ...sides: Serve[]): Promise<void> {
  for (const side of sides) await during(side, ({ path }) => output("cmp", path, raw));
}

/** Puts files into the page cache. */
export async function warm(...paths: string[]): Promise<void> {
  for (const path of paths) await output("dd", `if=${path}`, "of=/dev/null", "bs=1M", "status=none");
}
