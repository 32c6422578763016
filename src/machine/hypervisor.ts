/** What each hypervisor's folder provides: its machines, by its own configuration. */
import type { FindImages } from "../image/registry.js";
import type { Machine, Medium } from "./machine.js";

export interface MachineList {
  readonly machines: readonly Machine[];
  /** What is registered, but with no machine: bases, and below them what was made on them. */
  readonly media: readonly Medium[];
  /** What could not be read, and belongs to no machine that is listed. */
  readonly warnings: readonly string[];
}

/** An image of which the owner is sought. */
export interface SoughtImage {
  /** Absolute, resolved. */
  readonly path: string;
  readonly uuid?: string;
}

export interface Hypervisor {
  /** "VirtualBox". */
  readonly name: string;
  /** All machines of the user who runs this. */
  listMachines(): Promise<MachineList>;
  /** Whether `path` is named like a configuration file of this hypervisor, and may be one. */
  isConfiguration(path: string): boolean;
  /** The configuration files in `folder`. */
  configurationsIn(folder: string): Promise<string[]>;
  /**
   * The machine whose configuration file is `path`.
   * @throws {DiskError} where it cannot be read.
   */
  openMachine(path: string): Promise<Machine>;
  /** The machine that `image` belongs to: by what lies beside it, or by what the user has registered. */
  findOwner(image: SoughtImage): Promise<Machine | undefined>;
  /** For the search for an image's parents. */
  readonly findImages: FindImages;
}
