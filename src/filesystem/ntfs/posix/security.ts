/** Security descriptors: in the file's own record, or in $Secure, where files with equal ones share one. Source: ntfs-3g security.c. */
import { LRUCache } from "lru-cache";
import { struct, u32le, u64le } from "../../../bytes/struct.js";
import { CorruptError } from "../../../errors.js";
import { read } from "../../../extent/read.js";
import { Type } from "../mft/attribute.js";
import { openIndex } from "../index/btree.js";
import { contentsOf } from "../data/contents.js";
import { fileAt, findAttribute, readAll } from "../mft/file.js";
import type { Medium, NtfsFile } from "../medium.js";
import { IndexEntry, ViewEntry, type IndexNode } from "../index/node.js";
import { search } from "../index/search.js";
import { StandardInformation3, standardInformation } from "./standard-information.js";

/** The header of each descriptor in $SDS; $SII has the same for its number. */
export const DescriptorHeader = struct("NTFS security descriptor header", 20, {
  hash: u32le(0x00),
  id: u32le(0x04),
  offset: u64le(0x08), // in $SDS, of this header
  size: u32le(0x10), // bytes, with this header
});

const SECURE_NUMBER = 9;

/** Bytes of a descriptor, at most: what a SECURITY_DESCRIPTOR_RELATIVE with two ACLs of 64 KiB and two SIDs can have. */
const DESCRIPTOR_SIZE_LIMIT = 2 ** 18;

/** Descriptors that are kept, in bytes. */
const CACHE_BYTES = 2 ** 18;

export interface Descriptors {
  /** The security descriptor of `file`, as it is stored; undefined if it has none. */
  of(file: NtfsFile): Promise<Buffer | undefined>;
}

export function descriptorsOf(medium: Medium): Descriptors {
  const known = new LRUCache<number, Buffer>({
    maxSize: CACHE_BYTES,
    sizeCalculation: ({ length }) => length + 1,
  });

  /** Where $SDS has descriptor `id`. */
  async function find(id: number): Promise<{ offset: number; size: number } | undefined> {
    const index = await openIndex(medium, await fileAt(medium, SECURE_NUMBER), "$SII");
    let found: { offset: number; size: number } | undefined;
    const compare = (key: Buffer): number => (key.length < 4 ? -1 : key.readUInt32LE(0) - id);
    await (index &&
      search(index, compare, ({ node, at }) => {
        const { offset, size } = DescriptorHeader.view(dataOf(node, at), 0, node.file);
        found = { offset, size };
        return true;
      }));
    return found;
  }

  async function byId(id: number): Promise<Buffer | undefined> {
    const kept = known.get(id);
    if (kept !== undefined) return kept;
    const place = await find(id);
    if (place === undefined) return undefined;
    const { offset, size } = place;
    const secure = await fileAt(medium, SECURE_NUMBER);
    const stream = await findAttribute(medium, secure, Type.data, "$SDS");
    const source = stream && contentsOf(medium, stream);
    const refuse = (found: string): CorruptError =>
      new CorruptError({
        file: medium.volume.name,
        thing: `security descriptor ${id}`,
        found,
        expected: `in $SDS of ${source?.size ?? 0} bytes`,
      });
    const isInside = size >= DescriptorHeader.size && offset + size <= (source?.size ?? 0);
    if (source === undefined || !isInside || size > DESCRIPTOR_SIZE_LIMIT)
      throw refuse(`${size} bytes at ${offset}`);
    const bytes = await read(source, offset, size);
    const header = DescriptorHeader.view(bytes);
    if (header.id !== id || header.size !== size)
      throw refuse(`descriptor ${header.id} of ${header.size} bytes`);
    const descriptor = bytes.subarray(DescriptorHeader.size);
    known.set(id, descriptor);
    return descriptor;
  }

  return {
    async of(file) {
      const own = await findAttribute(medium, file, Type.securityDescriptor);
      if (own !== undefined) return readAll(medium, own, DESCRIPTOR_SIZE_LIMIT);
      const information = standardInformation(file.record, medium.volume.name);
      if (information.length < StandardInformation3.size) return undefined;
      const { securityId } = StandardInformation3.view(information);
      return securityId === 0 ? undefined : byId(securityId);
    },
  };
}

/** The value for a key, in an index that is not a directory. @throws {CorruptError} if it is not within its entry. */
export function dataOf(node: IndexNode, at: number): Buffer {
  const { dataOffset, dataLength } = ViewEntry.view(node.bytes, at);
  const length = node.bytes.readUInt16LE(at + IndexEntry.fields.length.offset);
  if (dataOffset + dataLength <= length)
    return node.bytes.subarray(at + dataOffset, at + dataOffset + dataLength);
  throw new CorruptError({
    file: node.file,
    thing: `the entry at ${at} of ${node.name}`,
    found: `${dataLength} bytes of data at ${dataOffset}`,
    expected: `within its ${length} bytes`,
  });
}
