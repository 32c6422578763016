/**
 * Finds the state of a disk that the user named. Names come first: if a snapshot has the name "base", that one is used.
 *
 *     Before update           a snapshot's name (in any case, if only one matches)
 *     {5b2c…}                 a snapshot's UUID, or that of the image that shows the state
 *     current, latest, base   the current state; the newest snapshot; the disk below all snapshots
 *     @2026-03-01T12:00       the last state that was taken at that time or before
 *     NAME~2                  two states above it in the tree: the parent of the state it was made on
 */
import type { Timestamp } from "../bytes/time.js";
import { MissingError, UsageError } from "../errors.js";
import { hasName } from "./disk-choice.js";
import { withDescendants } from "./descendants.js";
import { choiceList } from "./choice-list.js";
import type { DiskState, Machine, MachineDisk, Snapshot } from "./machine.js";
import { parseUuid } from "./machines.js";
import { parseDateTime, printDateTime } from "./date-time.js";

/** A disk's states, and the tree that they form. */
export interface StateTree {
  /** The file for error messages: the machine's, or the image. */
  readonly file: string;
  /** The oldest first, the current one last. */
  readonly states: readonly DiskState[];
  /** The state of the disk below all others. */
  readonly base: DiskState | undefined;
  /** Why the disk has only its current state, if there is a reason. */
  readonly reason?: string;
  /** Returns the state that `state` was made on; undefined for the first one. */
  parentOf(state: DiskState): DiskState | undefined;
}

/** Returns the states of a disk, in the tree of its machine's snapshots. */
export function treeOf(
  { path, snapshots, currentSnapshot }: Machine,
  { base, states, withoutSnapshots }: MachineDisk,
): StateTree {
  const parents = parentsOf(snapshots);
  const baseState = states.find(({ imageUuid }) => imageUuid === base?.uuid) ?? {
    name: "base",
    isCurrent: false,
    ...(base?.path !== undefined && { image: base.path }),
    imageUuid: base?.uuid ?? "",
  };
  return {
    file: path,
    states,
    base: base === undefined ? states[0] : baseState,
    ...(withoutSnapshots !== undefined && {
      reason: `this is a ${withoutSnapshots} disk: it takes no part in snapshots, and has only its current state`,
    }),
    parentOf({ uuid }) {
      // A snapshot taken while this disk was not attached has no state of it: continue with the one above.
      let above = uuid === undefined ? currentSnapshot : parents.get(uuid);
      for (; above !== undefined; above = parents.get(above)) {
        const state = states.find((state) => state.uuid === above);
        if (state !== undefined) return state;
      }
      return undefined;
    },
  };
}

/**
 * Returns the parent of each snapshot, by UUID. If a UUID occurs twice, the first one counts, so that parents never form a
 * circle, whatever the settings contain.
 */
function parentsOf(snapshots: readonly Snapshot[]): ReadonlyMap<string, string | undefined> {
  const parents = new Map<string, string | undefined>(snapshots.map(({ uuid }) => [uuid, undefined]));
  for (const { uuid, children } of withDescendants(snapshots)) {
    for (const child of children) if (!parents.has(child.uuid)) parents.set(child.uuid, uuid);
  }
  return parents;
}

export interface ChosenState {
  readonly state: DiskState;
  /** What was chosen, if the words of the user do not say it. */
  readonly notice?: string;
}

/**
 * Returns the state that `wanted` names.
 * @throws {MissingError} if no state or several states match; the message lists them.
 * @throws {UsageError} if `wanted` is a time that cannot be parsed.
 */
export function chooseState(tree: StateTree, wanted: string): ChosenState {
  const whole = find(tree, wanted);
  if (whole !== undefined) return whole;
  const [, name, steps] = /^(.+)~(\d*)$/.exec(wanted) ?? [];
  let at = name === undefined ? undefined : find(tree, name)?.state;
  if (at === undefined) throw unknown(tree, name ?? wanted);
  const count = steps === "" ? 1 : Number(steps);
  for (let step = 0; step < count; step++) {
    const above = tree.parentOf(at);
    if (above === undefined) {
      const above = step === 0 ? "no state" : step === 1 ? "only one state" : `only ${step} states`;
      const thing = `${JSON.stringify(name)} has ${above} above it in the tree${step === 0 ? "" : `, not ${count}`}`;
      const hint = reasonOf(tree) ?? `the states are: ${describeStates(tree.states)}`;
      throw new MissingError({ file: tree.file, thing, hint });
    }
    at = above;
  }
  return { state: at, notice: `${wanted} is ${describe(at)}` };
}

function find(tree: StateTree, wanted: string): ChosenState | undefined {
  const { states, base, file } = tree;
  const snapshots = states.filter(({ isCurrent }) => !isCurrent);
  const uuid = parseUuid(wanted);
  const one = (found: readonly DiskState[]): ChosenState | undefined => {
    const [first, ...others] = found;
    if (first === undefined) return undefined;
    const isSame = ({ imageUuid, imageState }: DiskState): boolean =>
      imageUuid === first.imageUuid && imageState === first.imageState;
    if (others.every(isSame)) return { state: first };
    const thing = `several states of this disk have the name ${JSON.stringify(wanted)}: ${describeStates(found)}`;
    throw new MissingError({ file, thing, hint: `use the ${handleOf(found)} of one of them` });
  };
  const named = one(snapshots.filter(({ name }) => name === wanted));
  if (named !== undefined) {
    if (!KEYWORDS.includes(wanted)) return named;
    return { ...named, notice: `a snapshot has the name ${wanted}, and is used` };
  }
  if (uuid !== undefined) {
    return (
      one(states.filter((state) => state.uuid === uuid)) ??
      one(states.filter((state) => state.imageUuid === uuid))
    );
  }
  if (wanted.startsWith("@")) return lastBefore(tree, wanted.slice(1));
  if (wanted === "current") return one(states.filter(({ isCurrent }) => isCurrent));
  if (wanted === "latest") return one(snapshots.slice(-1));
  if (wanted === "base") return base === undefined ? undefined : { state: base };
  const lower = wanted.toLowerCase();
  return (
    one(snapshots.filter(({ name }) => name.toLowerCase() === lower)) ??
    one(states.filter(({ image }) => image !== undefined && hasName(image, wanted))) ??
    one(states.filter(({ imageState }) => imageState === wanted))
  );
}

const KEYWORDS = ["current", "latest", "base"];

function lastBefore(tree: StateTree, text: string): ChosenState {
  const { states, file } = tree;
  const time = parseDateTime(text);
  if (time === undefined) {
    const thing = `@${text} is not a valid time; valid are @2026-03-01, @2026-03-01T12:00 and @2026-03-01T12:00:00Z`;
    throw new UsageError(thing);
  }
  const current = states.find(({ isCurrent }) => isCurrent);
  if (time >= Date.now() && current !== undefined) return { state: current };
  const timed = states.filter((state) => state.taken !== undefined);
  const state = timed.findLast(({ taken }) => milliseconds(taken!) <= time);
  const when = printDateTime({ seconds: Math.floor(time / 1000), nanoseconds: 0 });
  if (state === undefined) {
    const there =
      timed.length > 0
        ? `the states are: ${describeStates(timed)}`
        : (reasonOf(tree) ?? "the times of its states are not known");
    throw new MissingError({
      file,
      thing: `no state of this disk was taken at or before ${when}`,
      hint: there,
    });
  }
  return { state, notice: `the last state at or before ${when} is ${describe(state)}` };
}

function milliseconds({ seconds, nanoseconds }: Timestamp): number {
  return seconds * 1000 + nanoseconds / 1e6;
}

function unknown(tree: StateTree, wanted: string): MissingError {
  const { states, file } = tree;
  const reason = reasonOf(tree);
  const list = reason === undefined ? `; its states are: ${describeStates(states)}` : "";
  const thing = `this disk has no state ${JSON.stringify(wanted)}${list}`;
  const hint = reason ?? "latest, base, NAME~1 and @2026-03-01 are also possible";
  return new MissingError({ file, thing, hint });
}

/** Returns why there are no older states; undefined if there are some. */
function reasonOf({ states, reason }: StateTree): string | undefined {
  if (reason !== undefined || states.some(({ isCurrent }) => !isCurrent)) return reason;
  return "this disk has no snapshots, and only its current state";
}

/** What distinguishes states of the same name: UUIDs, or the ids of snapshots inside an image. */
function handleOf(states: readonly DiskState[]): string {
  const uuid = states.some(({ uuid }) => uuid !== undefined);
  const id = states.some(({ imageState, name }) => imageState !== undefined && imageState !== name);
  return id ? (uuid ? "UUID or id" : "id") : "UUID";
}

function describeStates(states: readonly DiskState[]): string {
  return choiceList(states.map(describe));
}

/** `"Before update" {…} of 2026-03-01T12:00:00Z`. */
export function describe({ name, uuid, taken, isCurrent, imageState }: DiskState): string {
  return [
    isCurrent ? name : JSON.stringify(name),
    ...(uuid === undefined ? [] : [`{${uuid}}`]),
    ...(imageState === undefined || imageState === name ? [] : [`with the id ${imageState}`]),
    ...(taken === undefined ? [] : [`of ${printDateTime(taken)}`]),
  ].join(" ");
}
