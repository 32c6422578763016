/** Whole images: mutated, opened, walked, read; half of them as a mount would, by requests on the wire. */
import { newProbe } from "../probe.js";
import { Random } from "../random.js";
import { Finding } from "../finding.js";
import type { Target } from "../target.js";
import { talk } from "../wire/talk.js";
import { baseNames } from "./bases.js";
import { difference, digestOf } from "./digest.js";
import { examine, openImages, treeOf } from "./examine.js";
import { mutate, mutateCovered, restore } from "./mutate.js";
import { allStructs } from "./places.js";
import { prepare, type Prepared } from "./prepared.js";
import { memoryStorage, patch, type Patch } from "./storage.js";

/**
 * "walk": as a library's user would. "wire": as the kernel would. "covered": all that it shows is compared with what the
 * sound image shows.
 */
type Way = "walk" | "wire" | "covered";

export interface ImageInput {
  readonly base: string;
  readonly way: Way;
  /** Of the places that are looked at. */
  readonly seed: number;
  readonly patches: readonly Patch[];
  /** Bytes that the files have, where one is cut short. */
  readonly sizes?: readonly number[];
}

/** @param names the bases; all of them by default. */
export async function imageTarget(names: readonly string[] = baseNames()): Promise<Target<ImageInput>> {
  const structs = await allStructs();
  const bases = new Map<string, Prepared>();
  for (const name of names) bases.set(name, await prepare(name, structs));
  const all = [...bases.values()];
  return {
    make(random) {
      const base = random.pick(all);
      const seed = random.word();
      const { name } = base;
      const covered = base.regions.length > 0 && random.oneIn(4) ? mutateCovered(base, random) : undefined;
      if (covered !== undefined) {
        restore(base, covered);
        return { base: name, way: "covered", seed, patches: covered };
      }
      const patches = mutate(base, random);
      restore(base, patches);
      return { base: name, way: random.oneIn(3) ? "wire" : "walk", seed, patches, ...sizesOf(base, random) };
    },
    async run({ base: name, way, seed, patches, sizes }) {
      const base = bases.get(name)!;
      const undo = patch(base.files, patches);
      try {
        const storages = base.files.map((bytes, file) =>
          memoryStorage(bytes.subarray(0, sizes?.[file] ?? bytes.length), `${name}-${file}`, file),
        );
        const probe = newProbe();
        const random = new Random(seed);
        const view = await probe.attempt("opening", () => openImages(storages, random));
        if (view === undefined) return;
        if (way === "walk") await examine(view, random, probe);
        else if (way === "wire") await talk(treeOf(view), random, probe);
        else {
          const found = difference(base.digest!, await digestOf(view, probe));
          if (found !== undefined) throw new Finding("silent", found);
        }
      } finally {
        undo();
      }
    },
    label: ({ base, way }) => (way === "covered" ? `${base} covered` : base),
    *simpler(input) {
      const { patches, sizes } = input;
      if (sizes !== undefined) yield { base: input.base, way: input.way, seed: input.seed, patches };
      for (let index = 0; index < patches.length; index++)
        yield { ...input, patches: patches.filter((_, other) => other !== index) };
      for (const [index, [file, offset, hex]] of patches.entries()) {
        for (const part of halvesOf(offset, hex))
          yield { ...input, patches: patches.map((one, other) => (other === index ? [file, ...part] : one)) };
      }
    },
  };
}

function* halvesOf(offset: number, hex: string): Generator<[offset: number, hex: string]> {
  const half = Math.floor(hex.length / 4) * 2;
  if (half === 0) return;
  yield [offset, hex.slice(0, half)];
  yield [offset + half / 2, hex.slice(half)];
}

function sizesOf({ files }: Prepared, random: Random): { sizes?: number[] } {
  if (!random.oneIn(20)) return {};
  const cut = random.below(files.length);
  return { sizes: files.map(({ length }, file) => (file === cut ? random.below(length) : length)) };
}
