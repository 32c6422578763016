/**
 * The decoders, guided by coverage: inputs that make code run which had not run before are kept, and mutated further.
 * V8's counts are taken for many inputs at once, because that takes milliseconds; where they show something new, the
 * inputs are run again one by one.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { DiskError } from "../../../src/errors.js";
import { allStructs, recordPlaces } from "../images/places.js";
import { baseNames, loadBase } from "../images/bases.js";
import { examine, openImages } from "../images/examine.js";
import { memoryStorage } from "../images/storage.js";
import { newProbe } from "../probe.js";
import { Random } from "../random.js";
import type { Target } from "../target.js";
import { startCoverage } from "./coverage.js";
import { decoders, structDecoders } from "./list.js";
import { mutateBytes } from "./mutate.js";

export interface DecoderInput {
  readonly decoder: string;
  /** Hexadecimal. */
  readonly data: string;
}

/** Inputs between two looks at the coverage. */
const BATCH = 2048;
/** Bytes of an image from a structure on that begin an input. */
const SEED_SIZE = 600;
/** Inputs that begin with a structure, of each. */
const SEEDS = 4;

/** Where inputs are kept from one run to the next. */
const FOLDER = process.env["VDISK_FUZZ_STATE"];

export async function decoderTarget(): Promise<Target<DecoderInput>> {
  const structs = await allStructs();
  const all = { ...structDecoders(structs), ...decoders };
  const corpora = new Map(Object.keys(all).map((name) => [name, [Buffer.alloc(0), ...keptOf(name)]]));
  const names = Object.keys(decoders);
  const structNames = structs.map(({ name }) => name);
  const shared = await structuresInBases();
  const takeBlocks = startCoverage("/src/");
  let batch: DecoderInput[] = [];
  const decode = ({ decoder, data }: DecoderInput): void => {
    try {
      all[decoder]!(Buffer.from(data, "hex"));
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
    }
  };
  const known = takeBlocks();
  const look = (): void => {
    const inputs = batch;
    batch = [];
    const fresh = takeBlocks();
    for (const block of known) fresh.delete(block);
    for (const block of fresh) known.add(block);
    search(inputs, fresh);
  };
  /** Finds inputs among these that reach `fresh` blocks: in halves, since a look takes longer than a thousand inputs. */
  const search = (inputs: readonly DecoderInput[], fresh: Set<string>): void => {
    if (fresh.size === 0 || inputs.length === 0) return;
    for (const input of inputs) {
      ignoreErrors(() => {
        decode(input);
      });
    }
    const isReached = [...takeBlocks()].some((block) => fresh.has(block));
    if (!isReached) return;
    if (inputs.length > 1) {
      const middle = inputs.length >>> 1;
      search(inputs.slice(0, middle), fresh);
      search(inputs.slice(middle), fresh);
      return;
    }
    const [{ decoder, data }] = inputs as [DecoderInput];
    ignoreErrors(() => {
      decode({ decoder, data });
    });
    for (const block of takeBlocks()) fresh.delete(block);
    const bytes = Buffer.from(data, "hex");
    corpora.get(decoder)!.push(bytes);
    keep(decoder, bytes);
  };
  return {
    make(random) {
      const decoder = random.oneIn(8) ? random.pick(structNames) : random.pick(names);
      const corpus = corpora.get(decoder)!;
      const start = random.oneIn(3) ? random.pick(shared) : random.pick(corpus);
      return { decoder, data: mutateBytes(start, random.pick(shared), random).toString("hex") };
    },
    run(input) {
      batch.push(input);
      decode(input);
      if (batch.length >= BATCH) look();
    },
    *simpler({ decoder, data }) {
      for (let part = 2 ** Math.floor(Math.log2(data.length / 2 || 1)); part >= 1; part /= 2)
        for (let at = 0; at < data.length; at += 2 * part)
          yield { decoder, data: data.slice(0, at) + data.slice(at + 2 * part) };
      for (let at = 0; at < data.length; at += 2)
        if (data.slice(at, at + 2) !== "00")
          yield { decoder, data: `${data.slice(0, at)}00${data.slice(at + 2)}` };
    },
    label: ({ decoder }) => decoder,
  };
}

function ignoreErrors(run: () => void): void {
  try {
    run();
  } catch {
    // It was reported when the input ran first.
  }
}

/** The bytes of sound structures: good beginnings for all decoders. */
async function structuresInBases(): Promise<Buffer[]> {
  const structs = await allStructs();
  const found = [Buffer.alloc(1)];
  for (const name of baseNames()) {
    const { files } = loadBase(name);
    const counts = new Map<string, number>();
    const random = new Random(1);
    const open = () =>
      openImages(
        files.map((bytes, file) => memoryStorage(bytes, name, file)),
        random,
      );
    const places = await recordPlaces(structs, files, async () => {
      await examine(await open(), random, newProbe({ limit: Infinity }));
    });
    for (const { struct, file, offset } of places) {
      const count = counts.get(struct.name) ?? 0;
      counts.set(struct.name, count + 1);
      if (count < SEEDS) found.push(Buffer.from(files[file]!.subarray(offset, offset + SEED_SIZE)));
    }
  }
  return found;
}

function folderOf(decoder: string): string | undefined {
  return FOLDER === undefined ? undefined : join(FOLDER, "corpus", decoder.replace(/\W+/g, "-"));
}

function keptOf(decoder: string): Buffer[] {
  const folder = folderOf(decoder);
  if (folder === undefined) return [];
  mkdirSync(folder, { recursive: true });
  return readdirSync(folder)
    .sort()
    .map((name) => readFileSync(join(folder, name)));
}

function keep(decoder: string, bytes: Buffer): void {
  const folder = folderOf(decoder);
  if (folder === undefined) return;
  writeFileSync(join(folder, createHash("sha1").update(bytes).digest("hex").slice(0, 16)), bytes);
}
