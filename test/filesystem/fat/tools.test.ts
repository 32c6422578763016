/** Images of mkfs.fat, filled by mtools: whole trees compared with what was put in, with 7zz and with mtools. */
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import t from "tap";
import { read } from "../../../src/extent/read.js";
import { formatTimestamp } from "../../../src/bytes/time.js";
import { walk, withFolder } from "../ext/support.js";
import { generator, sevenZip, tool, withImage, type Seen } from "./support.js";

/** What is asked of mkfs.fat: its arguments, and the image's size in KiB. */
const IMAGES: readonly [type: string, size: number, ...mkfs: string[]][] = [
  ["fat12", 1440, "-F", "12"],
  ["fat12", 2000, "-F", "12", "-s", "1", "-f", "1", "-r", "112"],
  ["fat12", 8000, "-F", "12", "-S", "4096", "-s", "4"],
  ["fat16", 5000, "-F", "16", "-s", "1"],
  ["fat16", 70_000, "-F", "16", "-S", "1024", "-s", "8", "-R", "5"],
  ["fat16", 600_000, "-F", "16", "-s", "128", "-f", "3"],
  ["fat32", 40_000, "-F", "32", "-s", "1"],
  ["fat32", 300_000, "-F", "32", "-S", "2048", "-s", "2", "-R", "40"],
  ["fat32", 9_000_000, "-F", "32", "-S", "512", "-s", "128"],
];

/** A short name that needs no long one, which mtools writes in code page 850, and 7zz takes for UTF-8. */
const OF_A_CODE_PAGE = "Ünïcödé/ÄÖÜ.TXT";

/** Files and folders below `top`, some of which are removed again to leave gaps; at most some hundred KiB. */
function populate(top: string, limit: number): void {
  const random = generator(99);
  const file = (path: string, size: number): void => {
    writeFileSync(
      join(top, path),
      Buffer.alloc(size).map(() => random(256)),
    );
    const time = 320_000_000 + random(1_500_000_000);
    utimesSync(join(top, path), time - (time % 2), time - (time % 2));
  };
  for (const folder of ["MANY", "deep/er/and/Deeper still", "Ünïcödé", "日本語 フォルダ", "EMPTY"])
    mkdirSync(join(top, folder), { recursive: true });
  for (const size of [0, 1, 511, 512, 513, 4095, 4096, 4097, 65_537]) file(`S${size}.BIN`, size);
  for (const name of [
    "lower.txt",
    "UPPER.TXT",
    "Mixed.Txt",
    "no extension",
    ".hidden",
    "a.b.c.d",
    "lower.TXT2",
  ])
    file(name, random(3000));
  for (const name of [
    "Straße.txt",
    "ÄÖÜ.TXT",
    "日本語のファイル名.txt",
    "x".repeat(251) + ".end",
    "+,;=[].txt",
  ])
    file(`Ünïcödé/${name}`, random(3000));
  for (let i = 0; i < 300; i++) file(`MANY/entry number ${i}${"-".repeat(i % 60)}.dat`, i % 7);
  file("deep/er/and/Deeper still/bottom", Math.min(limit, 200_003));
  file("日本語 フォルダ/内容", 12_345);
}

/** `TREE` in the image with every other file removed, and then what was removed again, which lies in pieces then. */
function fill(image: string, tree: string): void {
  const all = readdirSync(tree).map((name) => join(tree, name));
  tool("mcopy", "-s", "-m", "-Q", "-i", image, ...all, "::/");
  for (const name of [
    "S4096.BIN",
    "S65537.BIN",
    "MANY/entry number 100----------------------------------------.dat",
  ])
    tool("mdel", "-i", image, `::/${name}`);
  tool("mdel", "-i", image, "::/S1.BIN", "::/S513.BIN");
  for (const name of ["S65537.BIN", "S513.BIN", "S4096.BIN", "S1.BIN"])
    tool("mcopy", "-m", "-i", image, join(tree, name), `::/${name}`);
  rmSync(join(tree, "MANY", "entry number 100----------------------------------------.dat"));
  tool("mattrib", "-i", image, "+r", "+h", "::/lower.txt");
  tool("mattrib", "-i", image, "+s", "-a", "::/UPPER.TXT");
}

for (const [type, size, ...mkfs] of IMAGES) {
  t.test(
    `mkfs.fat ${mkfs.join(" ")}, ${size} KiB: names, sizes, times, attributes and contents are right`,
    (t) =>
      withFolder(async (folder) => {
        const image = join(folder, "image");
        const tree = join(folder, "tree");
        mkdirSync(tree);
        populate(tree, size * 200);
        writeFileSync(image, "");
        truncateSync(image, size * 1024);
        tool("mkfs.fat", ...mkfs, "-i", "cafe0123", "-n", "A LABEL", image);
        fill(image, tree);
        const judge = sevenZip(image, "fat");
        await withImage(image, async (fs) => {
          t.match(fs.facts, { type, label: "A LABEL", uuid: "CAFE-0123", warnings: [] });
          const wrong: string[] = [];
          const files = new Set<string>();
          for await (const { path, id, attributes } of walk(fs)) {
            const name = path
              .slice(1)
              .split("/")
              .map((part) => Buffer.from(part, "hex").toString("utf8"))
              .join("/");
            const seen = judge.get(name);
            files.add(name);
            if (seen === undefined && name !== OF_A_CODE_PAGE) {
              wrong.push(`${name}: not there to 7zz`);
              continue;
            }
            const dos = (await fs.extendedAttributes(id)).get("system.dos_attrib")![0]!;
            const ours = {
              size: attributes.type === "file" ? attributes.size : 0,
              isFolder: attributes.type === "directory",
              modified: formatTimestamp(attributes.modified).replace("T", " ").slice(0, 19),
              created: formatTimestamp(attributes.created!).replace("T", " ").slice(0, 22),
              accessed: formatTimestamp(attributes.accessed).replace("T", " ").slice(0, 19),
              attributes: letters(dos),
            } satisfies Seen;
            if (seen !== undefined && JSON.stringify(ours) !== JSON.stringify(seen))
              wrong.push(`${name}: ${JSON.stringify(ours)}, 7zz ${JSON.stringify(seen)}`);
            if (attributes.type === "file") {
              const source = await fs.open(id);
              const host = join(tree, name);
              if (!(await read(source, 0, source.size)).equals(readFileSync(host)))
                wrong.push(`${name}: contents`);
              if (attributes.modified.seconds !== statSync(host).mtimeMs / 1000) wrong.push(`${name}: time`);
              const mode = (dos & 1) !== 0 ? 0o444 : 0o644;
              if (attributes.permissions !== mode) wrong.push(`${name}: mode`);
            }
          }
          for (const name of judge.keys())
            if (!files.has(name) && !name.includes("\ufffd")) wrong.push(`${name}: only 7zz has it`);
          for (const name of readdirSync(tree, { recursive: true, encoding: "utf8" }))
            if (!files.has(name)) wrong.push(`${name}: was put in`);
          t.same(wrong.slice(0, 10), []);
          const usage = await fs.usage(fs.root);
          const [, free] = /([\d ]+) bytes free/.exec(tool("mdir", "-i", image, "::/"))!;
          t.equal(
            usage.freeBlocks * usage.blockSize,
            Number(free!.replaceAll(" ", "")),
            "free, as mdir has it",
          );
          t.ok(files.size > 300);
        });
      }),
  );
}

/** As 7zz prints them. */
function letters(attributes: number): string {
  const known = [
    [0x10, "D"],
    [0x01, "R"],
    [0x02, "H"],
    [0x04, "S"],
    [0x20, "A"],
  ] as const;
  return known.map(([bit, letter]) => ((attributes & bit) !== 0 ? letter : "")).join("");
}
