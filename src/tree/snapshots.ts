/**
 * `snapshots/`: every state of the disk as a directory, with what a mount of that state would show. A state is opened
 * when it is entered; the images are opened once for all of them.
 */
import { realpath } from "node:fs/promises";
import { dirname } from "node:path";
import { CorruptError, DeniedError, MissingError, withContext } from "../errors.js";
import type { Chain, Images } from "../image/chain.js";
import { homeOf } from "../image/formats.js";
import type { DiskState } from "../machine/machine.js";
import { isWithin, locate, resolveAll } from "../storage/gate.js";
import type { SyntheticDirectory, SyntheticNode, Owner } from "./synthetic.js";
import { entriesOf, ownerOf } from "./layout.js";
import { directoryNames } from "./names.js";
import type { Problem } from "./part.js";
import type { View } from "./view.js";

/** What the states of a disk have in common. */
export interface Common {
  /** The image that was opened. Absolute. */
  readonly path: string;
  readonly owner: Owner;
  readonly images: Images;
  readonly allowDirs: readonly string[];
  view(chain: Chain): Promise<View>;
  /** Called with each warning about a state when it is first entered; with `problem` if a part of it cannot be read. */
  report(warning: string, problem?: Problem): void;
}

/**
 * Between the inode numbers of one state and those of the next. Programs such as diff take two files of the same
 * number, size and times for the same, and do not compare them: a directory, for example, in which only something further
 * down has changed. Guests' numbers are below 2^40, so that no two states share any; if a backend shows 32 bits of them, the
 * odd rest keeps the numbers of one file in any two states different.
 */
const INODE_STRIDE = 2 ** 40 + 0x9e37_79b1;

/** The directory of `states`, the oldest first; undefined if none of them has an image. */
export function snapshotsDirectory(
  states: readonly DiskState[],
  common: Common,
): SyntheticDirectory | undefined {
  if (states.every((state) => state.image === undefined)) return undefined;
  const names = directoryNames(states);
  const entered = new Set<DiskState>();
  const directoryOf = (state: DiskState, index: number): SyntheticNode => ({
    kind: "lazy",
    time: state.taken ?? common.owner.time,
    inodeShift: (index + 1) * INODE_STRIDE,
    async open() {
      const place = `snapshots/${names.get(state)!}`;
      try {
        const image = imageOf(state);
        const chain = await common.images.chain(image, state.imageState);
        await checkIdentity(state, chain, common);
        const view = await common.view(chain);
        if (!entered.has(state)) {
          for (const warning of view.warnings) {
            const problem = view.problems.find((one) => one.warning === warning);
            common.report(`${place}: ${warning}`, problem);
          }
        }
        entered.add(state);
        return { root: { kind: "directory", entries: entriesOf(image, view) }, owner: await ownerOf(image) };
      } catch (error) {
        throw withContext(place, error);
      }
    },
  });
  const entries = states.map((state, index) => [names.get(state)!, directoryOf(state, index)] as const);
  return { kind: "directory", entries: new Map(entries) };
}

function imageOf({ image, imageUuid }: DiskState): string {
  if (image !== undefined) return image;
  const places = "where the machine's configuration expects it, or to the folder of that configuration";
  throw new MissingError(`its image {${imageUuid}} was not found; move it back to ${places}`);
}

/**
 * A machine's configuration is not trusted: it must not be able to open any file of the host as an image of the machine.
 * @throws {DiskError} if the image is not the one that the configuration names, or if that cannot be verified.
 */
async function checkIdentity(state: DiskState, { layers }: Chain, common: Common): Promise<void> {
  const { identity, files } = layers[0]!.image;
  const [file] = files;
  if (identity?.uuid === state.imageUuid) return;
  if (identity?.uuid !== undefined) {
    throw new CorruptError({
      file: file.name,
      thing: "this image's UUID",
      found: identity.uuid,
      expected: `${state.imageUuid}, by which the machine knows it`,
    });
  }
  const folders = await resolveAll([...homeOf(await realpath(common.path)), ...common.allowDirs]);
  const path = await locate(file);
  if (path !== undefined && folders.some((folder) => isWithin(folder, path))) return;
  throw new DeniedError({
    file: file.name,
    thing:
      "the machine has this file as an image, but nothing in it says so, and it lies outside the image's folders",
    hint: `allow it with --allow-dir ${JSON.stringify(dirname(path ?? file.location))}`,
  });
}
