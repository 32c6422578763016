/** The machines and their images, as `vboximg-mount --list` prints them. */
import type { Machine } from "../../machine/machine.js";
import { longEntry } from "./long.js";
import { WIDE_HEADING, wideEntry } from "./wide.js";

export interface ListingStyle {
  readonly verbose: boolean;
  /** A table; without effect where the listing is verbose. */
  readonly wide: boolean;
}

/** All of `machines`, also those of which nothing more is known than why. */
export function machineListing(machines: readonly Machine[], { verbose, wide }: ListingStyle): string {
  if (wide && !verbose) return WIDE_HEADING + machines.map(wideEntry).join("");
  return machines.map((machine) => longEntry(machine, verbose)).join("");
}
