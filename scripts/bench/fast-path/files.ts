/** Rows about the files of a file system: listing them, archiving them, several readers at once. */
import { dirname, join } from "node:path";
import { bareServer, FILE_SIZE, FILES, filesDisk, PARTITION_OFFSET, treeDisk } from "./data.js";
import { compare, interleave, seconds, type Turn } from "./measure.js";
import { bare, during, fuse2fs, loop, ours, type Serve } from "./mounts.js";
import { warm } from "./reading.js";
import { writeReplies } from "./replies.js";
import { THREADS, type Row } from "./row.js";

/** fuse2fs takes most of a minute: it is measured once. */
const SLOW_TURNS = 1;

export const find: Row = async ({ folder, turns }) => {
  const { vdisk, kernel, fuse2fsSide } = await tree(folder);
  const replies = join(folder, "tree.replies");
  await writeReplies(replies, vdisk.images.at(-1)!, "fs0");
  const server = bare(await bareServer(folder), THREADS, replies);
  const least: Side = { serve: server, root: (path) => join(dirname(path), "fs0"), images: [replies] };
  const series = await interleave(turns, {
    vdisk: listings(vdisk),
    kernel: listings(kernel),
    bare: listings(least),
  });
  const slow = await interleave(SLOW_TURNS, { fuse2fs: listings(fuse2fsSide) });
  const first = {
    unit: "s",
    ours: series.vdisk.map(([time]) => time),
    limit: series.bare.map(([time]) => time),
  };
  const again = {
    unit: "s",
    ours: series.vdisk.map(([, time]) => time),
    limit: series.bare.map(([, time]) => time),
  };
  const kernelFirst = series.kernel.map(([time]) => time);
  const kernelAgain = series.kernel.map(([, time]) => time);
  const slowFirst = slow.fuse2fs.map(([time]) => time);
  return [
    compare({ ...first, work: "find -ls: kernel's loop mount", peer: kernelFirst, bar: { most: 3 } }),
    compare({ ...first, work: "  fuse2fs", peer: slowFirst, bar: { most: 1 / 15 } }),
    compare({ ...first, work: "  the bare server, all answers in memory", peer: first.limit }),
    compare({ ...again, work: "find -ls again: kernel's loop mount", peer: kernelAgain, bar: { most: 1.5 } }),
  ];
};

export const tar: Row = async ({ folder, turns }) => {
  const { vdisk, kernel } = await tree(folder);
  const series = await interleave(turns, { vdisk: archive(vdisk), kernel: archive(kernel) });
  return [
    compare({
      work: "tar: kernel's loop mount",
      unit: "s",
      ours: series.vdisk,
      peer: series.kernel,
      bar: { most: 1.7 },
    }),
  ];
};

export const readers: Row = async ({ folder, turns }) => {
  const at = await filesDisk(folder);
  const image = join(at, "disk.vdi");
  const originals = numbered(join(at, "files"));
  const server = bare(await bareServer(folder), THREADS, ...originals);
  const vdisk: Side = { serve: ours(image), root: (path) => join(dirname(path), "fs0"), images: [image] };
  const least: Side = { serve: server, root: dirname, images: originals };
  const series = await interleave(turns, {
    one: reading(vdisk, 1),
    all: reading(vdisk, FILES),
    bareOne: reading(least, 1),
    bareAll: reading(least, FILES),
  });
  // What several readers gain can be compared with the bare server's gain only as a ratio.
  const limit = series.bareAll.map((rate, turn) => (rate / series.bareOne[turn]!) * series.one[turn]!);
  return [
    compare({
      work: `${FILES} readers of ${FILES} files: one reader`,
      unit: "GB/s",
      ours: series.all,
      peer: series.one,
      bar: { least: 1.5 },
      limit,
    }),
    compare({
      work: "  the same through the bare server",
      unit: "GB/s",
      ours: series.bareAll,
      peer: series.bareOne,
    }),
  ];
};

/** One side of a row about files. */
interface Side {
  readonly serve: Serve;
  /** Where the file system's root is, from the mount's path. */
  readonly root: (path: string) => string;
  /** What is to be in the page cache. */
  readonly images: readonly string[];
}

async function tree(folder: string): Promise<Record<"vdisk" | "kernel" | "fuse2fsSide", Side>> {
  const at = await treeDisk(folder);
  const images = [0, 1, 2].map((level) => join(at, `state${level}.vdi`));
  const raw = join(at, "2.raw");
  const itself = (path: string): string => path;
  return {
    vdisk: { serve: ours(images[2]!), root: (path) => join(dirname(path), "fs0"), images },
    kernel: { serve: loop(raw, PARTITION_OFFSET), root: itself, images: [raw] },
    fuse2fsSide: { serve: fuse2fs(raw, PARTITION_OFFSET), root: itself, images: [raw] },
  };
}

/** Seconds of the first two listings after a mount. */
function listings({ serve, root, images }: Side): Turn<[first: number, again: number]> {
  return async () => {
    await warm(...images);
    return during(serve, async ({ path }) => {
      const list = (): Promise<number> => seconds("sh", "-c", 'find "$1" -ls >/dev/null', "sh", root(path));
      return [await list(), await list()];
    });
  };
}

/** Seconds; through a pipe, as tar reads nothing when it writes to /dev/null itself. */
function archive({ serve, root, images }: Side): Turn {
  return async () => {
    await warm(...images);
    return during(serve, ({ path }) =>
      seconds("sh", "-c", 'tar cf - -C "$1" . 2>/dev/null | cat >/dev/null', "sh", root(path)),
    );
  };
}

/** GB a second of all the files, read by 1 MiB, `atOnce` of them at a time. */
function reading({ serve, root, images }: Side, atOnce: number): Turn {
  return async () => {
    await warm(...images);
    return during(serve, async ({ path }) => {
      const read = `printf '%s\\n' "$@" | xargs -P ${atOnce} -I{} dd if={} of=/dev/null bs=1M status=none`;
      const time = await seconds("sh", "-c", read, "sh", ...numbered(root(path)));
      return (FILES * FILE_SIZE) / 1e9 / time;
    });
  };
}

function numbered(folder: string): string[] {
  return Array.from({ length: FILES }, (_, index) => join(folder, String(index)));
}
