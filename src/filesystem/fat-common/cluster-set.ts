/** Sets of clusters: a bit for each cluster of a volume. */
import type { ClusterRun } from "./heap.js";

export class ClusterSet {
  readonly #bits: Uint8Array;
  isEmpty = true;

  /** Room for the clusters 2 to `clusterCount` + 1. */
  constructor(clusterCount: number) {
    this.#bits = new Uint8Array((clusterCount >>> 3) + 1 + 1);
  }

  has(cluster: number): boolean {
    return (this.#bits[cluster >>> 3]! & (1 << (cluster & 7))) !== 0;
  }

  add(cluster: number): void {
    this.isEmpty = false;
    this.#bits[cluster >>> 3]! |= 1 << (cluster & 7);
  }

  delete(cluster: number): void {
    this.#bits[cluster >>> 3]! &= ~(1 << (cluster & 7));
  }

  /** Adds all clusters of `run`; those that the set holds already are added to `again`. */
  addRun({ cluster, count }: ClusterRun, again: ClusterSet): void {
    const end = cluster + count;
    for (let at = cluster; at < end;) {
      const next = Math.min(end, (at & ~7) + 8);
      const mask = (0xff << (at & 7)) & (0xff >>> (7 - ((next - 1) & 7)));
      const known = this.#bits[at >>> 3]! & mask;
      if (known !== 0) {
        again.#bits[at >>> 3]! |= known;
        again.isEmpty = false;
      }
      this.#bits[at >>> 3]! |= mask;
      at = next;
    }
    if (count > 0) this.isEmpty = false;
  }

  /** Adds all clusters of `other`. */
  join(other: ClusterSet): void {
    this.isEmpty &&= other.isEmpty;
    for (let at = 0; at < this.#bits.length; at++) this.#bits[at]! |= other.#bits[at]!;
  }

  /** The clusters in ascending order. */
  toArray(): Uint32Array {
    let count = 0;
    for (const byte of this.#bits) for (let bits = byte; bits !== 0; bits &= bits - 1) count++;
    const clusters = new Uint32Array(count);
    let next = 0;
    for (let at = 0; at < this.#bits.length; at++) {
      for (let bits = this.#bits[at]!; bits !== 0; bits &= bits - 1)
        clusters[next++] = at * 8 + 31 - Math.clz32(bits & -bits);
    }
    return clusters;
  }

  /** The first cluster of `run` that is in the set; the one after the run where none is. */
  firstIn({ cluster, count }: ClusterRun): number {
    const end = cluster + count;
    for (let at = cluster; at < end; at++) {
      if ((at & 7) === 0 && this.#bits[at >>> 3] === 0) at += 7;
      else if (this.has(at)) return at;
    }
    return end;
  }
}

/** How often clusters were added: never, once, or more than once. */
export class ClusterCounts {
  readonly once: ClusterSet;
  readonly twice: ClusterSet;

  constructor(clusterCount: number) {
    this.once = new ClusterSet(clusterCount);
    this.twice = new ClusterSet(clusterCount);
  }

  add(cluster: number, times: number): void {
    if (times > 1 || this.once.has(cluster)) this.twice.add(cluster);
    this.once.add(cluster);
  }

  addRun(run: ClusterRun): void {
    this.once.addRun(run, this.twice);
  }
}
