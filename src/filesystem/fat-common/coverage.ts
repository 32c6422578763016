/**
 * How many claims each cluster has, counted along the segments of all chains from their beginnings to their ends. What is
 * carried along: how many claims with an exact length are under way, and how far the two longest of the others reach.
 */
import { firstIndex } from "../../bytes/integers.js";
import { yieldIfDue } from "../../extent/time-slice.js";
import type { ClaimList } from "./claims.js";
import { ClusterCounts, ClusterSet } from "./cluster-set.js";
import type { Heap } from "./heap.js";
import { NONE, type Segments } from "./segments.js";

/** Claims whose number of clusters fits their length exactly, and the others. */
export interface Coverage {
  readonly exact: ClusterCounts;
  readonly doubtful: ClusterCounts;
}

/** Claims that are processed between two checks of the time slice. */
const STEPS = 2 ** 10;

/** Counts the claims of `chained`, all of whose chains are in `segments`. */
export async function coverageOf(heap: Heap, segments: Segments, chained: ClaimList): Promise<Coverage> {
  const { clusterCount } = heap;
  const coverage = { exact: new ClusterCounts(clusterCount), doubtful: new ClusterCounts(clusterCount) };
  const places = new Places(await placesOf(clusterCount, segments, chained));
  await places.locate(segments);
  const chains = new Chains(segments, places);
  for (const [index, first] of chained.firsts.entries()) {
    if (index % STEPS === 0) await yieldIfDue();
    if (segments.clusters.has(first)) chains.claim(places.at(first), chained.wanted[index]!);
  }
  // A segment is joined by itself and by later ones only.
  for (let index = segments.firsts.length - 1; index >= 0; index--) {
    if (index % STEPS === 0) await yieldIfDue();
    await chains.count(index, coverage);
  }
  return coverage;
}

/** The clusters where claims begin or segments are joined. */
async function placesOf(clusterCount: number, segments: Segments, chained: ClaimList): Promise<ClusterSet> {
  const places = new ClusterSet(clusterCount);
  for (const list of [chained.firsts, segments.joins]) {
    for (const [index, cluster] of list.entries()) {
      if (index % STEPS === 0) await yieldIfDue();
      if (segments.clusters.has(cluster)) places.add(cluster);
    }
  }
  return places;
}

/** The places in a set of clusters, by number, and where in their segments they are. */
class Places {
  readonly set: ClusterSet;
  readonly clusters: Uint32Array;
  readonly segment: Uint32Array;
  readonly position: Uint32Array;

  constructor(set: ClusterSet) {
    this.set = set;
    this.clusters = set.toArray();
    this.segment = new Uint32Array(this.clusters.length);
    this.position = new Uint32Array(this.clusters.length);
  }

  async locate(segments: Segments): Promise<void> {
    for (let index = 0; index < segments.firsts.length; index++) {
      if (index % STEPS === 0) await yieldIfDue();
      let position = 0;
      await segments.walk(index, (cluster) => {
        if (this.set.has(cluster)) {
          const place = this.at(cluster);
          this.segment[place] = index;
          this.position[place] = position;
        }
        position++;
      });
    }
  }

  /** The number of `cluster`, which is in the set. */
  at(cluster: number): number {
    return firstIndex(this.clusters.length, (index) => this.clusters[index]! >= cluster);
  }
}

/** Claims on their way along the segments. */
class Chains {
  readonly #segments: Segments;
  readonly #places: Places;
  /** Of each segment: how many clusters follow it, and whether the chain has a proper end. */
  readonly #tails: number[] = [];
  readonly #hasEnd: boolean[] = [];
  /** Where a segment joins itself: the position; else -1. */
  readonly #loops: number[] = [];
  /** Of each place, of the claims that begin or join there: how many are exact, 2 at most; how many clusters from there on the two longest others have. */
  readonly #exact: Uint8Array;
  readonly #longest: Uint32Array;
  readonly #second: Uint32Array;

  constructor(segments: Segments, places: Places) {
    this.#segments = segments;
    this.#places = places;
    const count = places.clusters.length;
    this.#exact = new Uint8Array(count);
    this.#longest = new Uint32Array(count);
    this.#second = new Uint32Array(count);
    for (const [index, join] of segments.joins.entries()) {
      const place = join === NONE ? undefined : places.at(join);
      const joined = place === undefined ? -1 : places.segment[place]!;
      this.#loops.push(joined === index ? places.position[place!]! : -1);
      this.#tails.push(place === undefined || joined === index ? 0 : this.#lengthFrom(place));
      this.#hasEnd.push(
        place === undefined ? segments.hasEnd[index]! : joined !== index && this.#hasEnd[joined]!,
      );
    }
  }

  /** Notes a claim of `wanted` clusters (Infinity: down to the chain's end) that begins at `place`. */
  claim(place: number, wanted: number): void {
    const length = this.#lengthFrom(place);
    const hasEnd = this.#hasEnd[this.#places.segment[place]!]!;
    if (hasEnd && (wanted === length || wanted === Infinity)) this.#beginExact(place, 1);
    else this.#begin(place, Math.min(wanted, length));
  }

  /** Counts the claims along segment `index`, and hands on those that go beyond it. */
  async count(index: number, { exact, doubtful }: Coverage): Promise<void> {
    const loop = this.#loops[index]!;
    const { set } = this.#places;
    let [exactCount, longest, second] = [0, 0, 0];
    await this.#segments.walk(index, (cluster) => {
      if (set.has(cluster)) {
        const place = this.#places.at(cluster);
        this.#begin(place, longest);
        this.#begin(place, second);
        exactCount = Math.min(2, exactCount + this.#exact[place]!);
        [longest, second] = [this.#longest[place]!, this.#second[place]!];
      }
      if (exactCount > 0) exact.add(cluster, exactCount);
      if (longest > 0) doubtful.add(cluster, second > 0 ? 2 : 1);
      longest = Math.max(0, longest - 1);
      second = Math.max(0, second - 1);
    });
    if (loop >= 0) {
      if (longest === 0) return;
      // Once more round the loop, for the claims that began behind the place where the chain comes back.
      let position = 0;
      await this.#segments.walk(index, (cluster) => {
        if (position++ < loop || longest === 0) return;
        doubtful.add(cluster, second > 0 ? 2 : 1);
        longest = Math.max(0, longest - 1);
        second = Math.max(0, second - 1);
      });
    } else if (this.#segments.joins[index] !== NONE) {
      const place = this.#places.at(this.#segments.joins[index]!);
      this.#begin(place, longest);
      this.#begin(place, second);
      this.#beginExact(place, exactCount);
    }
  }

  /** Notes that `count` claims with an exact length cover the chain from `place` on. */
  #beginExact(place: number, count: number): void {
    this.#exact[place] = Math.min(2, this.#exact[place]! + count);
  }

  /** Notes that a claim without an exact length has `count` clusters from `place` on. */
  #begin(place: number, count: number): void {
    if (count > this.#longest[place]!) {
      this.#second[place] = this.#longest[place]!;
      this.#longest[place] = count;
    } else if (count > this.#second[place]!) this.#second[place] = count;
  }

  /** Clusters from `place` on until the chain ends, or comes back to a cluster that it had. */
  #lengthFrom(place: number): number {
    const segment = this.#places.segment[place]!;
    const position = this.#places.position[place]!;
    const left = this.#segments.lengths[segment]! - position;
    const loop = this.#loops[segment]!;
    return loop >= 0 && position > loop ? left + position - loop : left + this.#tails[segment]!;
  }
}
