/** Changes to an image: fields of its structures, words, bytes, blocks. Each is applied at once, and undone by its caller. */
import type { Field } from "../../../src/bytes/struct.js";
import type { Random } from "../random.js";
import { interestingBytes } from "../interesting.js";
import { fits, repair, type Region } from "./checksums.js";
import type { Place } from "./places.js";
import type { Prepared } from "./prepared.js";
import type { Patch } from "./storage.js";

/** At most, in one image. */
const CHANGES = 6;
const BLOCKS = [512, 1024, 4096];
const LONGEST_FILL = 300;
/** Of the bases with NTFS. */
const CLUSTER = 1024;

/** Changes the files of `base`; the patches that have the same effect. */
export function mutate(base: Prepared, random: Random): Patch[] {
  const patches: Patch[] = [];
  const isMended = base.regions.length > 0 && random.oneIn(2);
  do {
    const made = random.oneIn(12) ? changeTogether(base, random) : [change(base, random)];
    for (const patch of made) {
      if (patch === undefined) continue;
      write(base, patch);
      patches.push(patch);
    }
  } while (patches.length < CHANGES && random.oneIn(2));
  if (isMended) patches.push(...repair(base.files[0]!, base.regions, patches));
  return patches;
}

/** Changes bytes that a checksum covers, which does not fit any more then; undefined where it still does. */
export function mutateCovered(base: Prepared, random: Random): Patch[] | undefined {
  const region = random.pick(base.regions);
  const [image] = base.files;
  const patch = changeWithin(base, image!, region, random);
  if (patch === undefined) return undefined;
  write(base, patch);
  if (!fits(image!, region)) return [patch];
  restore(base, [patch]);
  return undefined;
}

/** Gives the files of `base` the bytes that they had before `patches`. */
export function restore({ files, sound }: Prepared, patches: readonly Patch[]): void {
  for (const [file, offset, hex] of patches)
    sound[file]!.copy(files[file]!, offset, offset, offset + hex.length / 2);
}

function write({ files }: Prepared, [file, offset, hex]: Patch): void {
  files[file]!.write(hex, offset, "hex");
}

function change(base: Prepared, random: Random): Patch | undefined {
  const kind = random.below(100);
  if (kind < 45) return changeField(base, random);
  if (kind < 55) return copyStructure(base, random);
  const [file, part] = random.pick(base.hot);
  if (kind < 85) {
    const length = random.pick([1, 2, 4, 8]);
    const offset = part + random.below(16 / length) * length;
    return patchOf(base, file, offset, interestingBytes(random, cut(base, file, offset, length)));
  }
  if (kind < 93) {
    const offset = part + random.below(16);
    const room = base.files[file]!.length - offset;
    const bytes = Buffer.alloc(
      Math.min(room, 1 + random.below(LONGEST_FILL)),
      random.pick([0, 0xff, random.word() & 0xff]),
    );
    return patchOf(base, file, offset, random.oneIn(4) ? random.bytes(bytes.length) : bytes);
  }
  const size = random.pick(BLOCKS);
  const [fromFile, from] = random.pick(base.hot);
  const to = part - (part % size);
  return patchOf(base, file, to, cut(base, fromFile, from - (from % size), size));
}

/**
 * Several numbers of one structure made equally large: sizes that agree with each other are believed. Where they are
 * those of an attribute of NTFS, its runs become one hole of that size.
 */
function changeTogether(base: Prepared, random: Random): (Patch | undefined)[] {
  const place = anyPlace(base, random);
  if (place === undefined) return [];
  const { struct, file, offset } = place;
  const numbers = Object.values(struct.fields).filter(({ length }) => length === 4 || length === 8);
  const power = random.below(62);
  const size = 2n ** BigInt(power);
  const patches = numbers
    .filter(() => !random.oneIn(3))
    .map((field) => patchOf(base, file, offset + field.offset, numberOf(size, field)));
  const runs = struct.name === "NTFS non-resident attribute" ? struct.fields["runsOffset"] : undefined;
  if (runs === undefined) return patches;
  const clusters = size / BigInt(CLUSTER) + 1n;
  const runsAt = offset + cut(base, file, offset + runs.offset, 2).readUInt16LE(0);
  const last = offset + struct.fields["lastVcn"]!.offset;
  return [
    ...Object.entries(struct.fields)
      .filter(([name]) => name.endsWith("Size"))
      .map(([, field]) => patchOf(base, file, offset + field.offset, numberOf(size, field))),
    patchOf(base, file, last, numberOf(clusters - 1n, { length: 8 })),
    // A length of eight bytes and no place: a hole. A zero ends the runs.
    patchOf(
      base,
      file,
      runsAt,
      Buffer.concat([Buffer.of(8), numberOf(clusters, { length: 8 }), Buffer.of(0)]),
    ),
  ];
}

function numberOf(
  value: bigint,
  { length, isBigEndian }: Pick<Field<unknown>, "length" | "isBigEndian">,
): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  const number = bytes.subarray(0, length);
  return isBigEndian === true ? number.reverse() : number;
}

function changeField(base: Prepared, random: Random): Patch | undefined {
  const place = anyPlace(base, random);
  if (place === undefined) return undefined;
  const fields = Object.values(place.struct.fields);
  if (fields.length === 0) return undefined;
  const field = random.pick(fields);
  const offset = place.offset + field.offset;
  const old = cut(base, place.file, offset, field.length);
  if (random.oneIn(8)) {
    const alike = fields.filter(({ length }) => length === field.length);
    return patchOf(
      base,
      place.file,
      offset,
      cut(base, place.file, place.offset + random.pick(alike).offset, field.length),
    );
  }
  if (random.oneIn(8)) {
    const other = random.pick(base.places.get(place.struct.name)!);
    return patchOf(
      base,
      place.file,
      offset,
      cut(base, other.file, other.offset + field.offset, field.length),
    );
  }
  return patchOf(base, place.file, offset, interestingBytes(random, old));
}

function copyStructure(base: Prepared, random: Random): Patch | undefined {
  const place = anyPlace(base, random);
  if (place === undefined) return undefined;
  const other = random.pick(base.places.get(place.struct.name)!);
  return patchOf(base, place.file, place.offset, cut(base, other.file, other.offset, place.struct.size));
}

/** Each kind of structure as often as another, however many there are of it. */
function anyPlace(base: Prepared, random: Random): Place | undefined {
  const kinds = [...base.places.values()];
  return kinds.length === 0 ? undefined : random.pick(random.pick(kinds));
}

function changeWithin(base: Prepared, image: Buffer, region: Region, random: Random): Patch | undefined {
  const within = (at: number): boolean => at >= region.offset && at < region.offset + region.length;
  const inside = base.hot.filter(([, offset]) => within(offset));
  const start =
    inside.length > 0 && random.oneIn(2)
      ? random.pick(inside)[1]
      : region.offset + random.below(region.length);
  const length = Math.min(random.pick([1, 2, 4, 8]), region.offset + region.length - start);
  const skipped = region.uncovered ?? [];
  for (let at = start; at < start + length; at++) if (skipped.includes(at - region.offset)) return undefined;
  return patchOf(base, 0, start, interestingBytes(random, image.subarray(start, start + length)));
}

function cut({ files }: Prepared, file: number, offset: number, length: number): Buffer {
  return files[file]!.subarray(offset, offset + length);
}

/** Undefined where nothing would change. */
function patchOf(base: Prepared, file: number, offset: number, bytes: Buffer): Patch | undefined {
  const old = cut(base, file, offset, bytes.length);
  if (old.length === 0 || old.equals(bytes.subarray(0, old.length))) return undefined;
  return [file, offset, bytes.toString("hex", 0, old.length)];
}
