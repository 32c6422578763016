/** Requests on the wire about sound images: more of them, and odder, than about those that are mutated. */
import { baseNames, loadBase } from "../images/bases.js";
import { openImages, treeOf } from "../images/examine.js";
import { memoryStorage } from "../images/storage.js";
import { newProbe, type Probe } from "../probe.js";
import { Random } from "../random.js";
import type { Target } from "../target.js";
import { anyRequest, converse, flagsOf, goDown, type Conversation, type Known } from "./talk.js";

export interface WireInput {
  readonly base: string;
  /** What the kernel offers in its greeting. */
  readonly flags: number;
  /** In hexadecimal. */
  readonly requests: readonly string[];
}

/** Of one conversation. */
const REQUESTS = 60;
/** Directories in one another of which nodes are known. */
const DEPTH = 4;

export async function wireTarget(names: readonly string[] = baseNames()): Promise<Target<WireInput>> {
  const bases = new Map(names.map((name) => [name, loadBase(name).files]));
  const open = async (
    { base, flags }: Pick<WireInput, "base" | "flags">,
    probe: Probe,
  ): Promise<Conversation> => {
    const storages = bases.get(base)!.map((bytes, file) => memoryStorage(bytes, `${base}-${file}`, file));
    return converse(treeOf(await openImages(storages, new Random(1))), flags, probe);
  };
  const known = new Map<string, Known>();
  for (const base of names) {
    const { ask } = await open({ base, flags: 0 }, newProbe({ limit: Infinity }));
    known.set(base, await goDown(1, DEPTH, ask));
  }
  return {
    make(random) {
      const base = random.pick(names);
      const count = 1 + random.below(REQUESTS);
      const requests = Array.from({ length: count }, () =>
        anyRequest(known.get(base)!, random).toString("hex"),
      );
      return { base, flags: flagsOf(random), requests };
    },
    async run(input) {
      const { ask } = await open(input, newProbe());
      for (const bytes of input.requests) await ask(Buffer.from(bytes, "hex"));
    },
    *simpler(input) {
      const { requests } = input;
      for (let part = 2 ** Math.floor(Math.log2(requests.length)); part >= 1; part /= 2)
        for (let at = 0; at < requests.length; at += part)
          yield { ...input, requests: [...requests.slice(0, at), ...requests.slice(at + part)] };
    },
    label: ({ base }) => base,
  };
}
