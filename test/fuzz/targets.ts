/** All targets that are written in TypeScript, by name. */
import { decoderTarget } from "./decoders/target.js";
import { imageTarget } from "./images/target.js";
import { settingsTarget } from "./settings/target.js";
import { wireTarget } from "./wire/target.js";
import type { Target } from "./target.js";

const makers = {
  images: (bases?: readonly string[]) => imageTarget(bases),
  wire: (bases?: readonly string[]) => wireTarget(bases),
  settings: () => settingsTarget(),
  decoders: () => decoderTarget(),
};

export type TargetName = keyof typeof makers;

export const targetNames = Object.keys(makers) as TargetName[];

/** @param bases the images that it is to have; all of them by default. */
export async function loadTarget(name: TargetName, bases?: readonly string[]): Promise<Target<unknown>> {
  return await makers[name](bases);
}
