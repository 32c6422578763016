/** The interface that each hypervisor's folder implements: it reads that hypervisor's configuration. */
import type { FindImages } from "../image/registry.js";
import type { Machine, Medium } from "./machine.js";

export interface MachineList {
  readonly machines: readonly Machine[];
  /** Media that are registered, but not with a machine: base images, with their children. */
  readonly media: readonly Medium[];
  /** Problems that belong to none of the machines. */
  readonly warnings: readonly string[];
}

/** An image whose machine is searched for. */
export interface SoughtImage {
  /** Absolute, without symbolic links. */
  readonly path: string;
  readonly uuid?: string;
}

export interface Hypervisor {
  /** "VirtualBox". */
  readonly name: string;
  /** What a configuration file is called in messages: ".vbox file". */
  readonly configurationKind: string;
  /** Returns all machines of the current user. */
  listMachines(): Promise<MachineList>;
  /** Whether `path` has the name of a configuration file of this hypervisor, and may be one. */
  isConfiguration(path: string): boolean;
  /** Returns the configuration files in `folder`. */
  configurationsIn(folder: string): Promise<string[]>;
  /**
   * Reads the machine whose configuration file is `path`.
   * @throws {DiskError} if it cannot be read.
   */
  openMachine(path: string): Promise<Machine>;
  /** Returns the machine of `image`: one whose configuration lies near it, or one that the user has registered. */
  findOwner(image: SoughtImage): Promise<Machine | undefined>;
  /** Returns the images that are registered with an image's machine, for the search for its parents. */
  readonly findImages: FindImages;
}
