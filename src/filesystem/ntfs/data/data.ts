/** The contents of a file as its programs would read them: its $DATA, or what stands in its place. */
import { CorruptError, UnsupportedError } from "../../../errors.js";
import { append, type BlockSource, type Extent } from "../../../extent/extent.js";
import { mapPieces } from "../../../extent/mapping.js";
import { memorySource } from "../../../extent/runs.js";
import { Type } from "../mft/attribute.js";
import { contentsOf } from "./contents.js";
import { findAttribute } from "../mft/file.js";
import type { Medium, NtfsFile } from "../medium.js";
import { describeTag, keepsSize } from "../posix/reparse.js";
import { specialOf } from "../posix/special.js";
import { StandardInformation, standardInformation } from "../posix/standard-information.js";
import { WOF_STREAM, wofSource } from "./wof.js";

/** @throws {DiskError} if they cannot be had. */
export async function dataOf(medium: Medium, file: NtfsFile): Promise<BlockSource> {
  const { number, offset } = file.record;
  const volume = medium.volume.name;
  const information = standardInformation(file.record, volume);
  const flags = information.readUInt32LE(StandardInformation.fields.flags.offset);
  const data = await findAttribute(medium, file, Type.data);
  const plain = data && contentsOf(medium, data);
  const special = await specialOf(medium, file, flags);
  if (special?.kind === "unknown") return present(plain ?? empty(medium, number), special.reparse.tag);
  if (special?.kind !== "wof") return plain ?? empty(medium, number);

  const packed = await findAttribute(medium, file, Type.data, WOF_STREAM);
  const size = plain?.size ?? 0;
  // Whoever writes to such a file has it unpacked; a driver without WOF leaves the mark, and takes the stream away.
  if (packed === undefined && (plain === undefined || !(await hasHole(plain))))
    return plain ?? empty(medium, number);
  if (packed === undefined) {
    throw new CorruptError({
      file: volume,
      offset,
      thing: `"${WOF_STREAM}" of file ${number}`,
      found: "not there",
      expected: "there: the file is compressed by it",
    });
  }
  return wofSource(medium, number, size, special.reparse, contentsOf(medium, packed));
}

/** The contents of a file without $DATA: a directory's, or one that only has streams. */
function empty(medium: Medium, number: number): BlockSource {
  return memorySource(Buffer.alloc(0), `${medium.volume.name} file ${number}`);
}

/**
 * What is here of a file with tag `tag`: where it has holes, its contents are elsewhere.
 * @throws {UnsupportedError} if it is empty, and the tag may stand for all that it is.
 */
function present(source: BlockSource, tag: number): BlockSource {
  const error = new UnsupportedError({
    file: source.name,
    thing: "the contents",
    found: `not on this volume: its reparse point has the tag ${describeTag(tag)}`,
    expected: "here",
  });
  if (source.size === 0 && !keepsSize(tag)) throw error;
  return {
    name: source.name,
    size: source.size,
    async map(offset, length) {
      const extents: Extent[] = [];
      for (const extent of await source.map(offset, length)) {
        append(extents, extent.kind === "zero" ? { kind: "damaged", length: extent.length, error } : extent);
      }
      return extents;
    },
  };
}

async function hasHole(source: BlockSource): Promise<boolean> {
  for await (const extents of mapPieces(source, 0, source.size))
    if (extents.some(({ kind }) => kind === "zero")) return true;
  return false;
}
