/** A disk at one state of its chain, with its partitions, their file systems and the one tree that holds all. */
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { fromHost, MissingError } from "../errors.js";
import type { FileSystemOptions } from "../filesystem/filesystem.js";
import { openImages, type Chain } from "../image/chain.js";
import { admit, type Admission } from "../machine/admission.js";
import type { DiskState } from "../machine/machine.js";
import { findImages } from "../machine/machines.js";
import { chainStates } from "../machine/chain-states.js";
import { composeTree, type ComposedTree } from "./compose.js";
import { entriesOf, ownerOf } from "./layout.js";
import { inUseWarnings } from "./in-use.js";
import { snapshotsDirectory } from "./snapshots.js";
import type { Problem } from "./part.js";
import { openView, type View } from "./view.js";

export interface OpenOptions {
  /** Folders, besides the image's own, in which files that the image names may lie. */
  readonly allowDirs?: readonly string[];
  /** The id of the internal snapshot of the image that is shown; its current state by default. */
  readonly imageState?: string | undefined;
  /** What the image must satisfy if the user did not name the file itself. */
  readonly admission?: Admission | undefined;
  readonly fileSystems?: FileSystemOptions;
  /** Whether another program may be writing to the images, so that there is no warning about it. */
  readonly allowLive?: boolean;
  /** Whether the partitions' file systems are opened, for `fsN/`; true by default. */
  readonly guestFiles?: boolean;
  /** All states of the disk, the oldest first, for `snapshots/`; those of its chain, by default. */
  readonly states?: readonly DiskState[];
  /** Called with each warning about a state of `snapshots/` when it is first entered; with `problem` if a part cannot be read. */
  readonly report?: (warning: string, problem?: Problem) => void;
}

/** What is on the disk at the state that was opened, and the tree, which may have other states. */
export interface Disk extends View {
  /** The absolute path of the image. */
  readonly path: string;
  /** vhdd, volN, fsN/, the link to the image, and snapshots/ where the disk has several states. */
  readonly tree: ComposedTree;
  close(): Promise<void>;
}

/**
 * Opens the image `path`, its chain below it, and what is on the disk. If a part cannot be read, `warnings` says so, and
 * the rest can be read.
 * @throws {DiskError} if the image or one of its parents cannot be opened.
 */
export async function openDisk(path: string, options: OpenOptions = {}): Promise<Disk> {
  const { allowDirs = [], fileSystems = {}, guestFiles = true, allowLive = false } = options;
  const { report = ignore } = options;
  for (const folder of allowDirs) await checkFolder(folder);
  const images = openImages({ allowDirs, findImages });
  try {
    const lookedAt = new Set<string>();
    const openChecked = async (chain: Chain): Promise<View> => {
      const view = await openView(chain, guestFiles ? fileSystems : undefined);
      const paths = chain.layers
        .flatMap(({ image }) => image.files.map(({ location }) => location))
        .filter((image) => !lookedAt.has(image));
      for (const image of paths) lookedAt.add(image);
      return allowLive ? view : { ...view, warnings: [...inUseWarnings(paths), ...view.warnings] };
    };
    const chain = await images.chain(path, options.imageState);
    if (options.admission !== undefined) await admit(chain.layers[0]!.image, options.admission);
    const view = await openChecked(chain);
    const absolute = resolve(path);
    const owner = await ownerOf(absolute);
    const entries = entriesOf(absolute, view);
    const common = { path: absolute, owner, images, allowDirs, view: openChecked, report };
    const ofChain = chainStates(chain);
    const states = options.states ?? (ofChain.length > 1 ? ofChain : []);
    const snapshots = snapshotsDirectory(states, common);
    if (snapshots !== undefined) entries.set("snapshots", snapshots);
    const tree = composeTree({ kind: "directory", entries }, owner);
    return { ...view, path: absolute, tree, close: () => images.close() };
  } catch (error) {
    await images.close();
    throw error;
  }
}

const ignore = (): void => undefined;

/** A mistyped folder would otherwise have no effect, and no message. */
async function checkFolder(path: string): Promise<void> {
  const file = `--allow-dir ${path}`;
  const stats = await stat(path).catch((error: unknown) => {
    const problem = fromHost(error, file);
    throw problem instanceof MissingError ? new MissingError({ file, thing: "no such folder" }) : problem;
  });
  if (!stats.isDirectory()) throw new MissingError({ file, thing: "this is not a folder" });
}
