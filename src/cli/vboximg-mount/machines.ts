/** The machines and their images, as `vboximg-mount --list` prints them. */
import type { Machine } from "../../machine/machine.js";
import { longEntry } from "./long.js";
import { WIDE_HEADING, wideEntry } from "./wide.js";

export interface ListingStyle {
  readonly verbose: boolean;
  /** A table; without effect where the listing is verbose. */
  readonly wide: boolean;
}

/**
 * All of `machines`, also those of which nothing more is known than why.
 * @param written the paths of images that another program is writing to.
 */
export function machineListing(
  machines: readonly Machine[],
  { verbose, wide }: ListingStyle,
  written: ReadonlySet<string> = new Set(),
): string {
  const entry = (machine: Machine): string =>
    wide && !verbose ? wideEntry(machine, written) : longEntry(machine, verbose, written);
  return (wide && !verbose ? WIDE_HEADING : "") + machines.map(entry).join("");
}
