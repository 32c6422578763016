/**
 * Extended attributes, as ntfs-3g presents them: named streams as "user.NAME", and further metadata of NTFS as "system.ntfs_…".
 * The latter can be read by name, but are not listed, so that `cp -a` does not copy them.
 * Source: ntfs-3g(8), "streams_interface"; ntfs-3g's xattrs.c.
 */
import { nameFromUtf16 } from "../../../bytes/utf16.js";
import { AttributeFlag, Type } from "../mft/attribute.js";
import type { Directories } from "../index/directory.js";
import { EA_SIZE_LIMIT } from "./extended-attribute.js";
import { attributesOf, findAttribute, readAll, type Attribute } from "../mft/file.js";
import { FileName, nameIn, Namespace } from "../index/file-name.js";
import type { Medium, NtfsFile } from "../medium.js";
import { contentsOf } from "../data/contents.js";
import { objectIdOf } from "./object-id.js";
import { REPARSE_SIZE_LIMIT } from "./reparse.js";
import type { Descriptors } from "./security.js";
import { FileFlag, StandardInformation, standardInformation } from "./standard-information.js";
import { WOF_STREAM } from "../data/wof.js";

/** Bytes of one value at most in Linux (XATTR_SIZE_MAX). A larger stream can only be read as "file:stream". */
const VALUE_LIMIT = 64 * 2 ** 10;
/** Bytes of all streams of one file together. */
const TOTAL_LIMIT = 16 * 2 ** 20;

const EFS_LIMIT = 256 * 2 ** 10;
const STREAM_PREFIX = "user.";

export interface ExtendedAttributes {
  /** Named streams, but those that are encrypted, or too large for an attribute. */
  all(file: NtfsFile): Promise<Map<string, Buffer>>;
  one(file: NtfsFile, name: string): Promise<Buffer | undefined>;
}

export function extendedAttributesOf(
  medium: Medium,
  directories: Directories,
  descriptors: Descriptors,
): ExtendedAttributes {
  const whole = async (
    file: NtfsFile,
    type: number,
    name: string,
    limit: number,
  ): Promise<Buffer | undefined> => {
    const attribute = await findAttribute(medium, file, type, name);
    return attribute && readAll(medium, attribute, limit);
  };
  const times = (file: NtfsFile, fields: readonly Time[], isReversed: boolean): Buffer => {
    const information = standardInformation(file.record, medium.volume.name);
    const parts = fields.map((field) => {
      const { offset } = StandardInformation.fields[field];
      const part = Buffer.from(information.subarray(offset, offset + 8));
      return isReversed ? part.reverse() : part;
    });
    return Buffer.concat(parts);
  };
  const system: Readonly<Record<string, (file: NtfsFile) => Promise<Buffer | undefined>>> = {
    "system.ntfs_acl": (file) => descriptors.of(file),
    "system.ntfs_attrib": async (file) => word(flagsOf(medium, file)),
    "system.ntfs_attrib_be": async (file) => word(flagsOf(medium, file)).reverse(),
    "system.ntfs_efsinfo": (file) => whole(file, Type.loggedStream, "$EFS", EFS_LIMIT),
    "system.ntfs_reparse_data": (file) => whole(file, Type.reparsePoint, "", REPARSE_SIZE_LIMIT),
    "system.ntfs_object_id": (file) => objectIdOf(medium, directories, file),
    "system.ntfs_dos_name": (file) => dosNameOf(medium, file),
    "system.ntfs_times": async (file) => times(file, TIMES, false),
    "system.ntfs_times_be": async (file) => times(file, TIMES, true),
    "system.ntfs_crtime": async (file) => times(file, ["createdLow"], false),
    "system.ntfs_crtime_be": async (file) => times(file, ["createdLow"], true),
    "system.ntfs_ea": (file) => whole(file, Type.extendedAttributes, "", EA_SIZE_LIMIT),
  };

  return {
    async all(file) {
      const values = new Map<string, Buffer>();
      let total = 0;
      for (const stream of await streamsOf(medium, file)) {
        if ((stream.first.flags & AttributeFlag.encrypted) !== 0) continue;
        const { size } = contentsOf(medium, stream);
        total += size;
        if (size > VALUE_LIMIT || total > TOTAL_LIMIT) continue;
        values.set(STREAM_PREFIX + latin1Name(stream), await readAll(medium, stream, VALUE_LIMIT));
      }
      return values;
    },
    async one(file, name) {
      if (!name.startsWith(STREAM_PREFIX)) return system[name]?.(file);
      const wanted = name.slice(STREAM_PREFIX.length);
      const stream = (await streamsOf(medium, file)).find((one) => latin1Name(one) === wanted);
      if (stream === undefined || contentsOf(medium, stream).size > VALUE_LIMIT) return undefined;
      return readAll(medium, stream, VALUE_LIMIT);
    },
  };
}

/** The named streams of `file`, without the one that contains its compressed contents. */
export async function streamsOf(medium: Medium, file: NtfsFile): Promise<Attribute[]> {
  const streams = await attributesOf(medium, file, Type.data);
  return streams.filter(({ name }) => name !== "" && name !== WOF_STREAM);
}

function latin1Name({ name }: Attribute): string {
  return nameFromUtf16(Buffer.from(name, "utf16le")).toString("latin1");
}

type Time = "createdLow" | "modifiedLow" | "accessedLow" | "changedLow";
const TIMES: readonly Time[] = ["createdLow", "modifiedLow", "accessedLow", "changedLow"];

/** The flags as Windows shows them: the flag of a directory is not stored among the others. */
function flagsOf(medium: Medium, { record }: NtfsFile): number {
  const information = standardInformation(record, medium.volume.name);
  const stored = information.readUInt32LE(StandardInformation.fields.flags.offset) & ~FileFlag.directory;
  const flags = record.isDirectory ? stored | FileFlag.directory : stored;
  return flags === 0 ? FileFlag.normal : flags >>> 0;
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
}

/** The short name of `file`, if it has one. */
async function dosNameOf(medium: Medium, file: NtfsFile): Promise<Buffer | undefined> {
  for (const attribute of await attributesOf(medium, file, Type.fileName)) {
    const value = await readAll(medium, attribute, FileName.size + 2 * 255);
    const namespace = value[FileName.fields.namespace.offset];
    const units = namespace === Namespace.dos || namespace === Namespace.both ? nameIn(value) : undefined;
    if (units !== undefined) return nameFromUtf16(units);
  }
  return undefined;
}
