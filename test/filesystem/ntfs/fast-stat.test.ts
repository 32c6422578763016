/**
 * Listings decode the attributes of ordinary files straight from the bytes of their records (fast-stat.ts); stat.ts parses the
 * record. Whatever is changed in a record, both return the same attributes, or fast-stat.ts leaves the file to stat.ts.
 */
import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { gunzipSync } from "node:zlib";
import t from "tap";
import { DiskError } from "../../../src/errors.js";
import { storageSource } from "../../../src/extent/storage.js";
import type { Attributes } from "../../../src/filesystem/filesystem.js";
import {
  AttributeHeader,
  NonResidentHeader,
  PackedSize,
  ResidentHeader,
  Type,
} from "../../../src/filesystem/ntfs/mft/attribute.js";
import { directoriesOf } from "../../../src/filesystem/ntfs/index/directory.js";
import { baseRecord } from "../../../src/filesystem/ntfs/mft/file.js";
import { linksOf } from "../../../src/filesystem/ntfs/posix/links.js";
import { openMedium } from "../../../src/filesystem/ntfs/open.js";
import { fastAttributes } from "../../../src/filesystem/ntfs/posix/fast-stat.js";
import { parseRecord, RecordHeader } from "../../../src/filesystem/ntfs/mft/record.js";
import { StandardInformation } from "../../../src/filesystem/ntfs/posix/standard-information.js";
import { attributesOf } from "../../../src/filesystem/ntfs/posix/stat.js";
import { readUpCase } from "../../../src/filesystem/ntfs/index/upcase.js";
import { memoryStorage } from "../../fuzz/images/storage.js";

const RECORDS = 80;

interface Field {
  readonly name: string;
  readonly at: number;
  readonly length: number;
}

type Fields = Readonly<Record<string, { readonly offset: number; readonly length: number }>>;

const fieldsAt = (what: string, start: number, fields: Fields): Field[] =>
  Object.entries(fields).map(([name, { offset, length }]) => ({
    name: `${what} ${name}`,
    at: start + offset,
    length,
  }));

/** The fields of the record in `bytes`: of its header, its attributes' headers and its standard information. */
function fieldsOf(bytes: Buffer): Field[] {
  const fields = fieldsAt("header", 0, RecordHeader.fields);
  for (let at = bytes.readUInt16LE(RecordHeader.fields.attributesOffset.offset); at + 24 <= bytes.length;) {
    const type = bytes.readUInt32LE(at);
    if (type === 0xffffffff) break;
    const isResident = bytes[at + AttributeHeader.fields.nonResident.offset] === 0;
    const what = `0x${type.toString(16)}`;
    fields.push(...fieldsAt(what, at, AttributeHeader.fields));
    fields.push(...fieldsAt(what, at, isResident ? ResidentHeader.fields : NonResidentHeader.fields));
    if (!isResident) fields.push(...fieldsAt(what, at, PackedSize.fields));
    const value = at + bytes.readUInt16LE(at + ResidentHeader.fields.valueOffset.offset);
    if (type === Type.standardInformation) fields.push(...fieldsAt(what, value, StandardInformation.fields));
    at += bytes.readUInt32LE(at + AttributeHeader.fields.length.offset);
  }
  return fields.filter(({ at, length }) => at + length <= bytes.length && [1, 2, 4, 8].includes(length));
}

/** Boundary values of a field, and the neighbours of what is there. */
function* valuesFor(field: Field, bytes: Buffer): Generator<Buffer> {
  const bits = 8 * field.length;
  let old = 0n;
  for (let index = field.length - 1; index >= 0; index--)
    old = (old << 8n) | BigInt(bytes[field.at + index]!);
  const all = (1n << BigInt(bits)) - 1n;
  const values = [
    0n,
    1n,
    8n,
    24n,
    old + 1n,
    old - 1n,
    old + 8n,
    old * 2n,
    all,
    all >> 1n,
    (all >> 1n) + 1n,
    1n << 53n,
  ];
  for (const value of new Set(values.map((one) => one & all))) {
    if (value === old) continue;
    const made = Buffer.alloc(field.length);
    for (let index = 0; index < field.length; index++)
      made[index] = Number((value >> BigInt(8 * index)) & 0xffn);
    yield made;
  }
}

for (const base of ["ntfs", "ntfs-wof"]) {
  t.test(
    `${base}: attributes decoded from the bytes are those of the parsed record, whatever is changed in it`,
    async (t) => {
      const image = gunzipSync(readFileSync(new URL(`../../fuzz/bases/${base}.img.gz`, import.meta.url)));
      const volume = storageSource(memoryStorage(image, base));
      const { medium } = (await openMedium(volume, {}))!;
      const directories = directoriesOf(medium, (await readUpCase(medium)).upCase);
      const links = linksOf(medium, directories);

      const full = async (bytes: Buffer, number: number): Promise<Attributes | DiskError> => {
        try {
          const record = baseRecord(medium, parseRecord(bytes, number, 0, base));
          return await attributesOf(medium, { record }, links);
        } catch (error) {
          if (error instanceof DiskError) return error;
          throw error;
        }
      };

      let compared = 0;
      const unlike: string[] = [];
      for (let number = 0; number < Math.min(RECORDS, medium.mft.count); number++) {
        const bytes = await recordBytes(number);
        if (bytes === undefined) continue;
        for (const field of fieldsOf(bytes)) {
          for (const value of valuesFor(field, bytes)) {
            const changed = Buffer.from(bytes);
            value.copy(changed, field.at);
            const fast = fastAttributes(medium, changed, number);
            if (fast === undefined) continue;
            compared++;
            const whole = await full(changed, number);
            if (whole instanceof DiskError || !isDeepStrictEqual({ ...fast }, { ...whole })) {
              const found = whole instanceof DiskError ? whole.message : JSON.stringify(whole);
              unlike.push(
                `record ${number}, ${field.name} = 0x${value.toString("hex")}: fast ${JSON.stringify(fast)}, full ${found}`,
              );
            }
          }
        }
      }
      t.ok(compared > 1000, `${compared} compared`);
      t.equal(unlike.length, 0, unlike.slice(0, 20).join("\n"));

      async function recordBytes(number: number): Promise<Buffer | undefined> {
        try {
          return Buffer.from((await medium.mft.record(number)).bytes);
        } catch (error) {
          if (error instanceof DiskError) return undefined;
          throw error;
        }
      }
    },
  );
}
