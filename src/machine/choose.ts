/**
 * Finds the image to open from what the user typed as IMAGE. In this order, IMAGE is a file or device; a machine's
 * configuration file, or its folder; the UUID of a machine or of a registered medium; a machine's name.
 */
import { existsSync, realpathSync } from "node:fs";
import { stat } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import { MissingError, UnsupportedError, UsageError, whenHostFails, unlessHostFails } from "../errors.js";
import { homeOf } from "../image/formats.js";
import { EXTENSIONS } from "../image/neighbourhood.js";
import { admitImage, type Admission } from "./admission.js";
import { chooseDisk } from "./disk-choice.js";
import type { MachineList, SoughtImage } from "./hypervisor.js";
import { withDescendants } from "./descendants.js";
import { choiceList } from "./choice-list.js";
import type { DiskState, Machine, MachineDisk, Medium } from "./machine.js";
import {
  findMachine,
  hypervisors,
  listMachines,
  machinesNamed,
  openConfiguration,
  parseUuid,
} from "./machines.js";
import { chooseState, describe, treeOf, type ChosenState } from "./state-choice.js";
import { chainTree, findChild, identify } from "./chain-states.js";

/** What the user wants to open. */
export interface Wanted {
  /** As the user typed it. */
  readonly image: string;
  /** Which disk of a machine; needed only if it has several. See chooseDisk. */
  readonly disk?: string;
  /** Which state; by default the current one of a machine, or the one that an image itself shows. See chooseState. */
  readonly snapshot?: string;
  readonly allowDirs?: readonly string[];
  /** Suppresses the notice that file systems were in use. */
  readonly allowLive?: boolean;
  /** How the user opens other states, for the notice that an old one was opened; by default with the options of vdisk. */
  readonly otherStates?: OtherStates;
}

/**
 * Returns what opens the current state and what lists all states, as parts of a sentence.
 * @param current the UUID of the image that shows the current state; undefined if the disk is not attached.
 */
export type OtherStates = (machine: Machine, current: string | undefined) => string[];

const statesInVdisk: OtherStates = ({ path }) => [
  "--snapshot current opens the current state",
  `this command lists all: vdisk list --vm ${quoted(path)}`,
];

export interface Chosen {
  /** The image to open. */
  readonly image: string;
  /** What the image is checked for when it is opened; undefined if the user named the file itself. */
  readonly admission?: Admission | undefined;
  /** All states of its disk, the oldest first; undefined if no machine is known: the states are then those of the chain. */
  readonly states?: readonly DiskState[];
  /** The chosen state; undefined if the image shows none of `states`. */
  readonly state?: DiskState;
  readonly machine?: Machine;
  readonly disk?: MachineDisk;
  /** What the user should know about the choice. */
  readonly notices: readonly string[];
}

/**
 * Returns the image for `wanted`.
 * @param known all machines, if they have been read already.
 * @throws {MissingError} if nothing or several things match; the message lists them.
 * @throws {UnsupportedError} if the disk is encrypted, or `image` is a folder without a machine.
 * @throws {UsageError} if the time of a state cannot be parsed, or `disk` is given together with an image.
 * @throws {DeniedError} if the configuration names a file that is not allowed to be opened.
 */
export async function choose(wanted: Wanted, known?: MachineList): Promise<Chosen> {
  const { image } = wanted;
  const stats = await stat(image).catch(whenHostFails(undefined));
  const described = stats?.isDirectory() === true ? await machineIn(image) : await openConfiguration(image);
  if (described !== undefined) return chooseOfMachine(described, wanted);
  if (stats?.isDirectory() === false) return chooseOfFile(wanted);
  if (image.includes("/")) {
    if (stats !== undefined) throw noMachineIn(image);
    return { image, notices: [] }; // opening it will report what is wrong
  }
  const uuid = parseUuid(image);
  const list = known ?? (await listMachines());
  const named = machinesNamed(list.machines, image);
  if (named.length > 0) return chooseOfMachine(await findMachine(image, list), wanted);
  if (uuid !== undefined) return chooseOfMedium(uuid, list, wanted);
  if (stats !== undefined) throw noMachineIn(image);
  throw nothingFound(image, list);
}

/** The file by which a folder is recognised as a disk of Parallels. Source: Parallels, "Parallels Disk Format Specification". */
const PARALLELS_DESCRIPTOR = "DiskDescriptor.xml";

/**
 * Returns the only machine whose configuration is in `folder`.
 * @throws {UnsupportedError} if the folder itself is an image of a format that vdisk does not read.
 */
async function machineIn(folder: string): Promise<Machine | undefined> {
  if (existsSync(join(folder, PARALLELS_DESCRIPTOR))) {
    const hint = "the disk's bytes are in its files whose names end in .hds";
    throw new UnsupportedError({ file: folder, thing: "Parallels disks are not read yet", hint });
  }
  const files = (await Promise.all(hypervisors.map((each) => each.configurationsIn(folder)))).flat();
  if (files.length > 1) {
    const thing = `this folder contains the configurations of several machines: ${choiceList(files)}`;
    throw new MissingError({ file: folder, thing, hint: "name one of these files" });
  }
  return files[0] === undefined ? undefined : openConfiguration(files[0]);
}

async function chooseOfMachine(machine: Machine, wanted: Wanted): Promise<Chosen> {
  if (machine.problem !== undefined) {
    await openConfiguration(machine.path); // throws the problem with its kind
    throw new UnsupportedError(machine.problem);
  }
  const disk = chooseDisk(machine, wanted.disk);
  const newest = disk.states.at(-1)!;
  const chosen: ChosenState =
    wanted.snapshot !== undefined
      ? chooseState(treeOf(machine, disk), wanted.snapshot)
      : newest.isCurrent
        ? { state: newest }
        : {
            state: newest,
            notice: `this disk is no longer attached; its last state is shown: ${describe(newest)}`,
          };
  return checkChoice(machine, disk, chosen, wanted);
}

/** A file or device that the user named: it is opened without a check. */
async function chooseOfFile(wanted: Wanted): Promise<Chosen> {
  const { image, snapshot, allowDirs = [] } = wanted;
  refuseDiskChoice(wanted);
  const notices = await noticeOfNamesake(image);
  const sought = await identify(image, allowDirs);
  const owner = await findOwner(sought);
  const found = owner === undefined ? undefined : findMedium([owner], (medium) => isImage(medium, sought));
  if (owner === undefined || found === undefined) {
    notices.push(...(await noticeOfNewerFile(sought)));
    if (snapshot === undefined) return { image, notices };
    const tree = await chainTree(image, allowDirs);
    const { state, notice } = chooseState(tree, snapshot);
    const admission = { imageUuid: state.imageUuid, folders: [...homeOf(sought.path), ...allowDirs] };
    const all = [...notices, ...listOf(notice)];
    return { image: state.image!, admission, states: tree.states, state, notices: all };
  }
  const chosen = await chooseOfFound(found, wanted);
  const all = [...notices, ...chosen.notices];
  if (snapshot !== undefined) return { ...chosen, notices: all };
  return { ...chosen, image, admission: undefined, notices: all }; // the user named this file
}

async function chooseOfMedium(uuid: string, list: MachineList, wanted: Wanted): Promise<Chosen> {
  refuseDiskChoice(wanted);
  const found = findMedium(list.machines, (medium) => medium.uuid === uuid);
  if (found !== undefined) return chooseOfFound(found, wanted);
  const alone = withDescendants(list.media).find((medium) => medium.uuid === uuid);
  if (alone?.path !== undefined) return chooseOfFile({ ...wanted, image: alone.path });
  if (alone !== undefined) throw imageMissing(alone.location, alone.uuid, undefined);
  const other = withDescendants(list.machines.flatMap(({ media }) => media)).find(
    (medium) => medium.uuid === uuid,
  );
  if (other !== undefined) {
    const [file, thing] = [
      other.path ?? other.location,
      `this is a ${other.kind} of a machine, not a hard disk`,
    ];
    throw new UnsupportedError({ file, thing, hint: "to open it, give the path of its file" });
  }
  const thing = "no machine and no image with this UUID is registered";
  throw new MissingError({ file: wanted.image, thing, hint: "see vdisk list --verbose" });
}

/** @throws {UsageError} if --disk is given together with an image. */
function refuseDiskChoice({ image, disk }: Wanted): void {
  if (disk === undefined) return;
  throw new UsageError(
    `--disk ${disk}: this option chooses one of a machine's disks, but ${image} is an image`,
  );
}

/** A medium of a machine, and the disk whose state it shows. */
interface FoundMedium {
  readonly machine: Machine;
  readonly medium: Medium;
  readonly disk: MachineDisk | undefined;
}

function findMedium(machines: readonly Machine[], is: (medium: Medium) => boolean): FoundMedium | undefined {
  for (const machine of machines) {
    for (const base of machine.media) {
      const medium = base.kind === "disk" ? withDescendants([base]).find(is) : undefined;
      if (medium === undefined) continue;
      const ofBase = machine.disks.filter((disk) => disk.base === base);
      const showing = ofBase.find(({ states }) => states.some(({ imageUuid }) => imageUuid === medium.uuid));
      return { machine, medium, disk: showing ?? ofBase[0] };
    }
  }
  return undefined;
}

/** The state that a medium shows, or, with --snapshot, another state of its disk. */
async function chooseOfFound({ machine, medium, disk }: FoundMedium, wanted: Wanted): Promise<Chosen> {
  const { uuid, path, isEncrypted } = medium;
  const itself: DiskState = disk?.states.find(({ imageUuid }) => imageUuid === uuid) ?? {
    name: basename(path ?? medium.location),
    isCurrent: false,
    ...(path !== undefined && { image: path }),
    imageUuid: uuid,
  };
  const known: MachineDisk = disk ?? { slot: "attached nowhere", base: medium, states: [itself] };
  if (wanted.snapshot !== undefined) {
    return checkChoice(machine, known, chooseState(treeOf(machine, known), wanted.snapshot), wanted);
  }
  const notice =
    medium.children.length > 0 && !isEncrypted ? noticeOfNewerState(wanted, machine, known) : undefined;
  return checkChoice(machine, known, { state: itself, ...(notice !== undefined && { notice }) }, wanted);
}

/** Checks that the image of `state` exists and may be opened, and collects the notices. */
async function checkChoice(
  machine: Machine,
  disk: MachineDisk,
  { state, notice }: ChosenState,
  { allowDirs = [], allowLive = false }: Wanted,
): Promise<Chosen> {
  const { image, imageUuid } = state;
  const medium = withDescendants(machine.media).find(({ uuid }) => uuid === imageUuid);
  if (image === undefined) throw imageMissing(medium?.location, imageUuid, machine);
  if (medium?.isEncrypted === true) {
    const thing = "this disk is encrypted by VirtualBox, which vdisk does not read";
    throw new UnsupportedError({
      file: image,
      thing,
      hint: "decrypt it in VirtualBox first (VBoxManage encryptmedium)",
    });
  }
  const admission = { imageUuid, folders: [dirname(machine.path), ...allowDirs] };
  const warnings = await admitImage(image, admission);
  const unclean = allowLive ? undefined : inUse(machine, disk, state);
  const notices = [...machine.warnings, ...warnings, ...listOf(notice), ...listOf(unclean)];
  return { image, admission, states: disk.states, state, machine, disk, notices };
}

/** Returns a notice if the guest had its file systems mounted in this state. */
function inUse(machine: Machine, { withoutSnapshots }: MachineDisk, state: DiskState): string | undefined {
  const { name, isCurrent } = state;
  const snapshot = withDescendants(machine.snapshots).find(({ uuid }) => uuid === state.uuid);
  const isSaved = machine.state === "saved" && (isCurrent || withoutSnapshots !== undefined);
  if (!isSaved && snapshot?.isOnline !== true) return undefined;
  const when = isSaved
    ? "the machine is saved, not shut down"
    : `the snapshot ${JSON.stringify(name)} was taken while the machine ran`;
  return `${machine.path}: ${when}: its file systems were in use, and data that it had not yet written to the disk is missing`;
}

async function findOwner(sought: SoughtImage): Promise<Machine | undefined> {
  for (const hypervisor of hypervisors) {
    const owner = await hypervisor.findOwner(sought);
    if (owner !== undefined) return owner;
  }
  return undefined;
}

function isImage({ path, uuid }: Medium, sought: SoughtImage): boolean {
  return uuid === sought.uuid || (path !== undefined && realOf(path) === sought.path);
}

/** Returns a notice if a machine has the same name as the file that the user named. */
async function noticeOfNamesake(image: string): Promise<string[]> {
  if (image.includes("/") || EXTENSIONS.has(extname(image).toLowerCase())) return [];
  const isThere = machinesNamed((await listMachines()).machines, image).length > 0;
  return isThere ? [`${image}: a machine has this name, too; the file is used`] : [];
}

async function noticeOfNewerFile(sought: SoughtImage): Promise<string[]> {
  const child = await findChild(sought);
  if (child === undefined) return [];
  const thing = "this is an old state of the disk: newer images are built on it, for example";
  return [`${sought.path}: ${thing} ${quoted(child)}; open the newest one to see the current state`];
}

function noticeOfNewerState(
  { image, otherStates = statesInVdisk }: Wanted,
  machine: Machine,
  { states }: MachineDisk,
): string {
  const current = states.find(({ isCurrent }) => isCurrent)?.imageUuid;
  return `${image}: this is an old state of the disk; ${otherStates(machine, current).join(", and ")}`;
}

function imageMissing(
  location: string | undefined,
  uuid: string,
  machine: Machine | undefined,
): MissingError {
  const where =
    location === undefined ? "is not registered" : `is registered as ${location}, which does not exist`;
  return new MissingError({
    file: machine?.path ?? location ?? uuid,
    thing: `the image {${uuid}} ${where}`,
    hint: "move it back there, or into the folder of the machine's configuration",
  });
}

function noMachineIn(folder: string): UnsupportedError {
  const kinds = hypervisors.map(({ configurationKind }) => configurationKind).join(" or ");
  return new UnsupportedError({
    file: folder,
    thing: `this directory contains no ${kinds}, so it is not the folder of a machine`,
    hint: "give a disk image, a block device, or a machine",
  });
}

function nothingFound(image: string, { machines, warnings }: MachineList): MissingError {
  const names = machines.map(({ name }) => JSON.stringify(name));
  const found = names.length === 0 ? "no machine was found" : `the machines are: ${choiceList(names)}`;
  const hint = [found, ...warnings].join("; ");
  return new MissingError({ file: image, thing: "no such file, and no machine with this name", hint });
}

const listOf = (notice: string | undefined): string[] => (notice === undefined ? [] : [notice]);

/** Quotes `text` for a shell. */
function quoted(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

function realOf(path: string): string {
  return unlessHostFails(() => realpathSync(path), path);
}
