/** Formats machines and their images for `vboximg-mount --list`. */
import type { Machine } from "../../machine/machine.js";
import { longEntry } from "./long.js";
import { WIDE_HEADING, wideEntry } from "./wide.js";

export interface ListingStyle {
  readonly verbose: boolean;
  /** A table; has no effect together with `verbose`. */
  readonly wide: boolean;
}

/**
 * Formats all `machines`, also those that cannot be read.
 * @param written paths of images that another program writes to.
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
