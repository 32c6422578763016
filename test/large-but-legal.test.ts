/**
 * Every number of every structure of small images, as large as it can be. The largest values are tried in every run, one of
 * four powers of two below them by chance; with VDISK_LARGE=all, all of them.
 */
import t from "tap";
import { loadBase } from "./fuzz/images/bases.js";
import { Random } from "./fuzz/random.js";
import { checkLarge, type LargeImage } from "./support/large-but-legal.js";
import { fieldCases, mender, placesIn } from "./support/large-but-legal-cases.js";

/** By image: the structures that it is there for. What else the reader looks for in it, others have. */
const BASES: Readonly<Record<string, RegExp>> = {
  "vdi-mbr": /^VDI /,
  "vhd-mbr": /^VHD /,
  "vhd-child": /^VHD parent/,
  mbr: /^MBR /,
  gpt: /^GPT /,
  ext2: /^ext|^extended /,
  ext4: /^ext|^extended /,
  "ext4-groups": /^ext superblock|^ext .*group/,
  "ext4-inline": /^ext inode|^extended /,
  "ext4-no-checksums": /^ext superblock|^ext .*group|^extent/,
  fat12: /^FAT/,
  fat16: /^FAT .*sector|^FAT16/,
  fat32: /^FAT(32)? boot/,
  exfat: /^exFAT/,
  ntfs: /^NTFS/,
  "ntfs-wof": /^WOF|^NTFS (reparse|non-res)/,
};

const seed = Number(process.env["VDISK_LARGE_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
t.comment(`powers of two are chosen with VDISK_LARGE_SEED=${seed}`);
const random = new Random(seed);
const isWanted = process.env["VDISK_LARGE"] === "all" ? () => true : () => random.oneIn(4);
const only = process.env["VDISK_LARGE_BASE"];

t.test("whatever value a field has, the work is bounded", async (t) => {
  const images: LargeImage[] = [];
  for (const [base, structures] of Object.entries(BASES)) {
    if (only !== undefined && only !== base) continue;
    const [image] = loadBase(base).files as [Buffer];
    const places = (await placesIn(image)).filter(({ struct }) => structures.test(struct.name));
    images.push({ name: base, image, cases: fieldCases(image, places, mender(image), isWanted) });
  }
  await checkLarge(t, images);
});
