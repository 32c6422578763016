/**
 * Which state of a disk is meant. Names come first: who calls a snapshot "base" means that one.
 *
 *     Before update           a snapshot's name (in any case, where only one is called so)
 *     {5b2c…}                 a snapshot's UUID, or that of the image that shows the state
 *     current, latest, base   the present state; the newest snapshot; the disk below all snapshots
 *     @2026-03-01T12:00       the last state that was taken at that moment, or before it
 *     NAME~2                  the second state above it in the tree: what it was made on, and what that was made on
 */
import type { Timestamp } from "../bytes/time.js";
import { MissingError, UsageError } from "../errors.js";
import { hasName } from "./disk-choice.js";
import { withDescendants } from "./descendants.js";
import { choiceList } from "./choice-list.js";
import type { DiskState, Machine, MachineDisk, Snapshot } from "./machine.js";
import { parseUuid } from "./machines.js";
import { parseDateTime, printDateTime } from "./date-time.js";

/** A disk's states, and how they hang together. */
export interface StateTree {
  /** What complaints call it: the machine's file, or the image. */
  readonly file: string;
  /** The oldest first, the current one last. */
  readonly states: readonly DiskState[];
  /** The state of the disk below all others. */
  readonly base: DiskState | undefined;
  /** Why there are no more, where that is so. */
  readonly reason?: string;
  /** The state that `state` was made on; undefined for the first. */
  parentOf(state: DiskState): DiskState | undefined;
}

/** The states of `disk` as the snapshots of `machine` hang together. */
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
      // A disk that was not attached when a snapshot was taken has no state there: on to the one above.
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
 * By UUID, what each of `snapshots` was made on. Where a UUID is told twice the first counts, so that no way up leads
 * back to where it began, whoever wrote the settings.
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
  /** What `wanted` came down to, where that is not plain from the words. */
  readonly notice?: string;
}

/**
 * The state that `wanted` names.
 * @throws {MissingError} where there is none, or where several are called so; it lists them.
 * @throws {UsageError} where it is a moment that cannot be read.
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
      const thing = `${JSON.stringify(name)} has only ${step} states above it in the tree, not ${count}`;
      const hint = reasonOf(tree) ?? `there are: ${describeStates(tree.states)}`;
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
    const thing = `several states of this disk are called ${JSON.stringify(wanted)}: ${describeStates(found)}`;
    throw new MissingError({ file, thing, hint: "name the one that is meant by its UUID or id" });
  };
  const named = one(snapshots.filter(({ name }) => name === wanted));
  if (named !== undefined) {
    if (!KEYWORDS.includes(wanted)) return named;
    return { ...named, notice: `${wanted} is taken for the snapshot of that name` };
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
  const moment = parseDateTime(text);
  if (moment === undefined) {
    const thing = `@${text} is no moment; one is @2026-03-01, @2026-03-01T12:00 or @2026-03-01T12:00:00Z`;
    throw new UsageError(thing);
  }
  const current = states.find(({ isCurrent }) => isCurrent);
  if (moment >= Date.now() && current !== undefined) return { state: current };
  const timed = states.filter((state) => state.taken !== undefined);
  const state = timed.findLast(({ taken }) => milliseconds(taken!) <= moment);
  const when = printDateTime({ seconds: Math.floor(moment / 1000), nanoseconds: 0 });
  if (state === undefined) {
    const there =
      timed.length > 0
        ? `there are: ${describeStates(timed)}`
        : (reasonOf(tree) ?? "it is not known when they were taken");
    throw new MissingError({ file, thing: `no state of this disk was taken before ${when}`, hint: there });
  }
  return { state, notice: `the last state before ${when} is ${describe(state)}` };
}

function milliseconds({ seconds, nanoseconds }: Timestamp): number {
  return seconds * 1000 + nanoseconds / 1e6;
}

function unknown(tree: StateTree, wanted: string): MissingError {
  const { states, file } = tree;
  const thing = `no state of this disk is called ${JSON.stringify(wanted)}; there are: ${describeStates(states)}`;
  const hint = reasonOf(tree) ?? "also latest, base, NAME~1 or @2026-03-01 can be named";
  return new MissingError({ file, thing, hint });
}

/** Why there are no older states, where there are none. */
function reasonOf({ states, reason }: StateTree): string | undefined {
  if (reason !== undefined || states.some(({ isCurrent }) => !isCurrent)) return reason;
  return "this disk has no snapshots, and only its current state";
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
