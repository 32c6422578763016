/**
 * Finding a name in a directory. The first look-up in a directory reads all of it and notes a hash and a
 * position for each name; later ones read one entry. That serves directories with and without a hash tree on
 * disk, whatever its hash, and damaged ones as far as they can be read.
 */
import { isUtf8 } from "node:buffer";
import { HostError, type DiskError } from "../../errors.js";
import { loadingCache } from "../../extent/loading.js";
import { hashOf, INDEX_LIMIT, PositionIndex } from "../positions.js";
import { entriesOf, partsOf, partWith } from "./directory.js";
import { entryAt } from "./entry.js";
import { InodeFlag, type Inode } from "./inode.js";
import type { Medium } from "./medium.js";
import { unreadableName } from "./encrypted.js";

/** Bytes of indexes that one file system keeps. */
const INDEX_CACHE_BYTES = INDEX_LIMIT;

/** Entries lie at multiples of four bytes; a position is kept as a number of them. */
const WORD = 4;

interface Index {
  readonly positions: PositionIndex;
  /** What kept some names from being read. */
  readonly damage?: DiskError;
}

export interface Names {
  /**
   * The inode that `name` in directory `inode` belongs to.
   * @throws {DiskError} where it is not found, but a part of the directory is damaged.
   */
  find(inode: Inode, name: Buffer): Promise<number | undefined>;
}

export function namesOf(medium: Medium): Names {
  const indexes = loadingCache<number, Index, Inode>(
    INDEX_CACHE_BYTES,
    ({ positions }) => positions.size,
    (_number, inode) => buildIndex(inode),
  );

  async function buildIndex(inode: Inode): Promise<Index> {
    const index: { positions: PositionIndex; damage?: DiskError } = { positions: new PositionIndex() };
    for await (const parts of partsOf(medium, inode, 0)) {
      for (const part of parts) {
        const damage = entriesOf(medium, inode, part, ({ name, position }) => {
          index.positions.add(hashOf(keyOf(inode, name)), position / WORD);
        });
        if (damage !== undefined) index.damage ??= damage;
      }
      if (!index.positions.isUsable) return index;
    }
    return index;
  }

  /** Finds `name` by reading all of the directory. */
  async function scan(inode: Inode, name: Buffer): Promise<number | undefined> {
    const key = keyOf(inode, name);
    let exact: number | undefined;
    let similar: number | undefined;
    let damage: DiskError | undefined;
    for await (const parts of partsOf(medium, inode, 0)) {
      for (const part of parts) {
        const error = entriesOf(medium, inode, part, (entry) => {
          if (entry.name.equals(name)) exact ??= entry.inode;
          else if (key !== name && keyOf(inode, entry.name).equals(key)) similar ??= entry.inode;
        });
        if (exact !== undefined) return exact;
        damage ??= error;
      }
    }
    if (similar === undefined && damage !== undefined) throw damage;
    return similar;
  }

  return {
    async find(inode, name) {
      const index = await indexes.get(inode.number, inode);
      if (index.damage instanceof HostError) indexes.forget(inode.number); // the next look-up may have more luck
      if (!index.positions.isUsable) return scan(inode, name);
      const key = keyOf(inode, name);
      const isEncrypted = (inode.flags & InodeFlag.encrypted) !== 0;
      let similar: number | undefined; // the same but for case
      for (const word of index.positions.find(hashOf(key))) {
        const position = word * WORD;
        const part = await partWith(medium, inode, position);
        const entry = part && entryAt(part, position);
        if (entry === undefined) continue;
        const shown = isEncrypted ? unreadableName(entry.name) : entry.name;
        if (shown.equals(name)) return entry.inode;
        if (keyOf(inode, shown).equals(key)) similar ??= entry.inode;
      }
      if (similar === undefined && index.damage !== undefined) throw index.damage;
      return similar;
    },
  };
}

/** What names of one directory are compared by: their bytes, or in a case-insensitive one what folds alike. */
function keyOf(inode: Inode, name: Buffer): Buffer {
  if ((inode.flags & InodeFlag.casefold) === 0 || !isUtf8(name)) return name;
  return Buffer.from(name.toString("utf8").normalize("NFKD").toLowerCase().normalize("NFKD"));
}
