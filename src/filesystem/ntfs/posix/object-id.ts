/** Object ids, by which link tracking identifies files. Source: [MS-DLTW] 2.2; ntfs-3g object_id.c. */
import { Type } from "../mft/attribute.js";
import { openIndex } from "../index/btree.js";
import { fileAt, findAttribute, readAll } from "../mft/file.js";
import type { Medium, NtfsFile } from "../medium.js";
import type { Directories } from "../index/directory.js";
import { dataOf } from "./security.js";
import { search } from "../index/search.js";

const EXTEND_NUMBER = 11;
const ID_SIZE = 16;
/** The birth ids of volume, object and domain follow the reference to the file. */
const BIRTH_OFFSET = 8;
const BIRTH_SIZE = 48;
const OBJECT_ID_LIMIT = 64;

/** The object id of `file`, followed by the birth ids if $ObjId has them; undefined if it has no id. */
export async function objectIdOf(
  medium: Medium,
  directories: Directories,
  file: NtfsFile,
): Promise<Buffer | undefined> {
  const attribute = await findAttribute(medium, file, Type.objectId);
  if (attribute === undefined) return undefined;
  const value = await readAll(medium, attribute, OBJECT_ID_LIMIT);
  const id = value.subarray(0, ID_SIZE);
  if (value.length > ID_SIZE) return value;
  const index = await idIndex(medium, directories);
  let birth: Buffer | undefined;
  await (index &&
    search(
      index,
      (key) => compareWords(key, id),
      ({ node, at }) => {
        birth = Buffer.from(dataOf(node, at).subarray(BIRTH_OFFSET, BIRTH_OFFSET + BIRTH_SIZE));
        return true;
      },
    ));
  return birth === undefined ? value : Buffer.concat([id, birth]);
}

async function idIndex(medium: Medium, directories: Directories): ReturnType<typeof openIndex> {
  if (!(await fileAt(medium, EXTEND_NUMBER)).record.isDirectory) return undefined; // NTFS 1.2 has another file there
  const found = await directories.find(EXTEND_NUMBER, Buffer.from("$ObjId", "utf16le"), false);
  return found && openIndex(medium, await fileAt(medium, found.number), "$O");
}

/** The order of COLLATION_NTOFS_ULONGS: as 32-bit numbers, one after the other. */
function compareWords(a: Buffer, b: Buffer): number {
  for (let at = 0; at + 4 <= Math.min(a.length, b.length); at += 4) {
    const difference = a.readUInt32LE(at) - b.readUInt32LE(at);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
