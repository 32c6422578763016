/**
 * The cases of large-but-legal.ts that an image gives: every number of every structure in it, as large as it can be.
 *
 *     const image = readBase("ext4");
 *     const cases = fieldCases(image, await placesIn(image), mender(image));
 */
import type { Field, Fields, Struct } from "../../src/bytes/struct.js";
import { AttributeHeader, ResidentHeader } from "../../src/filesystem/ntfs/mft/attribute.js";
import { regionsOf, repair } from "../fuzz/images/checksums.js";
import { isVhd, twinOf } from "../fuzz/images/vhd-checksums.js";
import { examine, openImages } from "../fuzz/images/examine.js";
import { allStructs, recordPlaces } from "../fuzz/images/places.js";
import { memoryStorage, patch as applyPatches } from "../fuzz/images/storage.js";
import { newProbe } from "../fuzz/probe.js";
import { Random } from "../fuzz/random.js";
import type { LargeCase, Patch } from "./large-but-legal.js";

/** A structure somewhere in an image. */
export interface StructPlace {
  readonly struct: Struct<Fields>;
  readonly offset: number;
}

/** Completes the patches of a case: with checksums that have to fit, or with a second copy. */
export type Mend = (patches: readonly Patch[]) => Patch[];

const SECTOR = 512;
const POWERS = [1, 4, 7, 10, 13, 15, 16, 20, 24, 28, 31, 36, 40, 45, 50, 53, 62];

/** Where the structures of `image` lie, `limit` of each kind: those that the reader itself looks at. */
export async function placesIn(image: Buffer, limit = 3): Promise<StructPlace[]> {
  const storage = memoryStorage(image, "image");
  const places = await recordPlaces(await allStructs(), [image], async () => {
    const view = await openImages([storage], new Random(1));
    await examine(view, new Random(1), newProbe({ limit: Infinity }));
  });
  const counts = new Map<string, number>();
  const all = places.flatMap((place) =>
    place.struct.name === "NTFS file record" ? [place, ...attributesOf(image, place.offset)] : [place],
  );
  return all.filter(({ struct }) => {
    const count = (counts.get(struct.name) ?? 0) + 1;
    counts.set(struct.name, count);
    return count <= limit;
  });
}

/** The attributes of a file record: the reader has no view of their headers. */
function attributesOf(image: Buffer, record: number): StructPlace[] {
  const places: StructPlace[] = [];
  const end = record + image.readUInt32LE(record + 0x18);
  for (let at = record + image.readUInt16LE(record + 0x14); at + 16 < end;) {
    const length = image.readUInt32LE(at + 4);
    if (length < 16 || image.readUInt32LE(at) === 0xffff_ffff) break;
    places.push({ struct: AttributeHeader, offset: at });
    if (image[at + 8] === 0) places.push({ struct: ResidentHeader, offset: at });
    at += length;
  }
  return places;
}

/**
 * Makes the checksums of `image` fit. Second copies are changed, too: of an NTFS over the whole image the boot sector, of a
 * VHD the footer.
 */
export function mender(image: Buffer): Mend {
  const regions = regionsOf(image);
  const isNtfs = image.toString("latin1", 3, 7) === "NTFS";
  const placeOfCopy = (offset: number): number | undefined => {
    if (isNtfs && offset < SECTOR) return image.length - SECTOR + offset;
    return isVhd(image) ? twinOf(image, offset) : undefined;
  };
  return (patches) => {
    const copies = patches.flatMap(({ offset, bytes }) => {
      const copy = placeOfCopy(offset);
      return copy === undefined ? [] : [{ offset: copy, bytes }];
    });
    const all = [...patches, ...copies];
    const raw = all.map(({ offset, bytes }) => [0, offset, bytes.toString("hex")] as const);
    const undo = applyPatches([image], raw);
    const before = Buffer.from(image);
    const added = repair(image, regions, raw);
    before.copy(image);
    undo();
    return [...all, ...added.map(([, offset, hex]) => ({ offset, bytes: Buffer.from(hex, "hex") }))];
  };
}

/**
 * One case for each large value of each number at `places`: always the largest, and those powers of two that `isWanted`
 * chooses. And one for each power of two in which all sizes of eight bytes of a structure are equal, since sizes that
 * agree with each other pass checks that a single one does not.
 */
export function fieldCases(
  image: Buffer,
  places: readonly StructPlace[],
  mend: Mend,
  isWanted: () => boolean = () => true,
): LargeCase[] {
  const cases: LargeCase[] = [];
  const add = (name: string, patches: readonly Patch[]): void => {
    if (patches.every(({ offset, bytes }) => bytes.equals(image.subarray(offset, offset + bytes.length))))
      return;
    cases.push({ name, patches: mend(patches) });
  };
  for (const { struct, offset } of places) {
    const numbers = Object.entries(struct.fields).filter(([, { length }]) => [1, 2, 4, 8].includes(length));
    for (const [name, field] of numbers)
      for (const value of [...maxima(field.length), ...powers(field.length).filter(isWanted)])
        add(`${struct.name} at ${offset}: ${name} = 0x${value.toString(16)}`, [
          { offset: offset + field.offset, bytes: bytesOf(value, field) },
        ]);
    const sizes = numbers.filter(([, { length }]) => length === 8);
    if (sizes.length < 2) continue;
    for (const value of powers(8).filter(isWanted))
      add(
        `${struct.name} at ${offset}: all sizes 0x${value.toString(16)}`,
        together(image, { struct, offset }, value),
      );
  }
  return cases;
}

/** All sizes of a structure made `value`; those of an attribute of NTFS with one hole of that size. */
function together(image: Buffer, { struct, offset }: StructPlace, value: bigint): Patch[] {
  const isAttribute = struct.name === "NTFS non-resident attribute";
  const patches: Patch[] = Object.entries(struct.fields)
    .filter(([name, { length }]) => length === 8 && !(isAttribute && name.endsWith("Vcn")))
    .map(([, field]) => ({ offset: offset + field.offset, bytes: bytesOf(value, field) }));
  if (!isAttribute) return patches;
  const clusters = value / 1024n + 1n; // the clusters of the images are of 1 KiB
  const runsAt = offset + image.readUInt16LE(offset + struct.fields["runsOffset"]!.offset);
  // A length of eight bytes and no place: a hole. A zero ends the runs.
  const hole = Buffer.concat([Buffer.of(8), bytesOf(clusters, { length: 8 }), Buffer.of(0)]);
  const last = {
    offset: offset + struct.fields["lastVcn"]!.offset,
    bytes: bytesOf(clusters - 1n, { length: 8 }),
  };
  return [...patches, last, { offset: runsAt, bytes: hole }];
}

/** All ones, the largest signed number, and the largest that JavaScript has exactly. */
function maxima(length: number): bigint[] {
  const bits = BigInt(8 * length);
  return [2n ** bits - 1n, 2n ** (bits - 1n) - 1n, ...(length === 8 ? [2n ** 53n - 1n] : [])];
}

function powers(length: number): bigint[] {
  return POWERS.filter((power) => power < 8 * length).map((power) => 2n ** BigInt(power));
}

function bytesOf(
  value: bigint,
  { length, isBigEndian }: Pick<Field<unknown>, "length" | "isBigEndian">,
): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  const number = bytes.subarray(0, length);
  return isBigEndian === true ? number.reverse() : number;
}
