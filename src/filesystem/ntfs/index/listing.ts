/**
 * Pages of directories, with attributes. The records of a page's files are read in the order of the file table, so that even
 * if a directory has its names in quite another order, each part of the table is read once.
 */
import { viewOf } from "../../../bytes/struct.js";
import { DiskError } from "../../../errors.js";
import type { StopSignal } from "../../../extent/time-slice.js";
import { TYPE_CODES, typeOf } from "../../attributes.js";
import type { ReadAttributes } from "../../page-builder.js";
import type { DirectoryPage, PageOptions } from "../../page.js";
import type { Directories } from "./directory.js";
import type { NodeIds } from "../ids.js";
import type { Medium } from "../medium.js";
import type { IndexNames } from "./names.js";
import { blankRecordStat, readRecordStat, sequenceIn, type RecordStat } from "../posix/fast-stat.js";
import { setStat, type StatContext } from "../posix/stat-fields.js";
import { StandardInformation } from "../posix/standard-information.js";

/** More entries than a page has; and in the place of the number of a record that cannot exist. */
const ORDER_UNIT = 2 ** 20;
const NO_RECORD = 2 ** 32;

/** In the place of a record behind the end of the file table: no name leads to a former use of record 0, the table's own. */
export const NOWHERE = 0;

/** Some entries of directory `number` after `cookie`, as `NodeTree.page` describes it. All pages have attributes. */
export type ReadPage = (number: number, cookie: number, options?: PageOptions) => Promise<DirectoryPage>;

export function pageReader(medium: Medium, directories: Directories, ids: NodeIds): ReadPage {
  /** Replaces the record numbers of a page by node numbers. */
  function setIds({ page }: IndexNames, records: PageRecords): void {
    for (let index = 0; index < page.count; index++) {
      if (page.isDamaged(index)) continue;
      const number = page.ids[index]!;
      const isInside = number < medium.mft.count;
      const isStale = records.isStale[index] === 1 || !isInside;
      page.ids[index] = isStale ? ids.stale(isInside ? number : NOWHERE) : ids.file(number);
    }
  }

  return async (number, cookie, { limit, signal } = {}) => {
    const { names, isEnd } = await directories.list(number, cookie, limit, signal);
    const { page } = names;
    const records = new PageRecords(page.count);
    await records.read(medium, names, signal);
    const numbers = page.ids.slice(0, page.count);
    setIds(names, records);
    const context = { owner: medium.owner, geometry: medium.geometry };
    return page.finish(isEnd, records.attributes(context, page.types, numbers), numbers);
  };
}

/** What the attributes of the entries of a page are made of, in columns. */
class PageRecords {
  /** 1 if the entry leads to a record that belongs to another file now. */
  readonly isStale: Uint8Array;
  readonly #linkCounts: Uint16Array;
  /** Two for each entry: size, allocated size. */
  readonly #sizes: Float64Array;
  readonly #informations: DataView;

  constructor(count: number) {
    this.isStale = new Uint8Array(count);
    this.#linkCounts = new Uint16Array(count);
    this.#sizes = new Float64Array(2 * count);
    this.#informations = viewOf(new Uint8Array(count * StandardInformation.size));
  }

  /** Reads the records of the files `names`, and sets the types in their page. */
  async read(medium: Medium, { page, sequences }: IndexNames, signal?: StopSignal): Promise<void> {
    const { recordSize } = medium.geometry;
    // Numbers with their indexes as fractions: they are sorted without a function that compares.
    const order = new Float64Array(page.count);
    for (let index = 0; index < order.length; index++) {
      const number = page.isDamaged(index) ? NO_RECORD : Math.min(page.ids[index]!, NO_RECORD);
      order[index] = number + index / ORDER_UNIT;
    }
    order.sort();
    const sorted = order.map(Math.floor);
    const stat = blankRecordStat();
    await medium.mft.sweep(
      sorted,
      (at, view, start) => {
        // A damaged record is left to NodeTree.attributes, which throws the error.
        if (view instanceof DiskError || sorted[at] === NO_RECORD) return false;
        const index = (order[at]! - sorted[at]!) * ORDER_UNIT;
        const used = sequenceIn(view, start);
        const sequence = sequences[index];
        if (used !== undefined && used !== sequence && sequence !== 0) this.isStale[index] = 1;
        if (this.isStale[index] === 1 || !readRecordStat(view, start, recordSize, stat)) return false;
        page.types[index] = TYPE_CODES[stat.type];
        this.#set(index, stat, view);
        return stat.type === "directory"; // a walk enters it next
      },
      signal,
    );
  }

  #set(index: number, { linkCount, size, allocated, information }: RecordStat, view: DataView): void {
    this.#linkCounts[index] = linkCount;
    this.#sizes[2 * index] = size;
    this.#sizes[2 * index + 1] = allocated;
    const to = index * StandardInformation.size;
    for (let at = 0; at < StandardInformation.size; at += 4)
      this.#informations.setInt32(to + at, view.getInt32(information + at));
  }

  /** The attributes of those entries of which `types` has the type: of the files at records `numbers`. */
  attributes(context: StatContext, types: Uint8Array, numbers: Float64Array): ReadAttributes {
    const stat = blankRecordStat();
    return (index, into) => {
      const type = typeOf(types[index]!);
      if (type === undefined) return false;
      stat.type = type;
      stat.linkCount = this.#linkCounts[index]!;
      stat.size = this.#sizes[2 * index]!;
      stat.allocated = this.#sizes[2 * index + 1]!;
      setStat(into, context, numbers[index]!, stat, this.#informations, index * StandardInformation.size);
      return true;
    };
  }
}
