/** What a row of the table is made from. */
import { availableParallelism } from "node:os";
import type { Line } from "./measure.js";

export interface Bench {
  /** Where the disks are, or are to be made. */
  readonly folder: string;
  /** How often each side of a comparison is measured. */
  readonly turns: number;
}

/** Prepares what it needs, measures, and tells. */
export type Row = (bench: Bench) => Promise<Line[]>;

/** Of the bare server: more than there are processors gain nothing. */
export const THREADS = availableParallelism();
