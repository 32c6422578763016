/**
 * Reads the machines of VirtualBox, which need not be installed. Its global settings list the registered machines; more
 * may be in its folder for machines. Each machine has a settings file, with its media and snapshots.
 *
 *     global.ts              VirtualBox.xml, the global settings
 *     settings.ts, media.ts  a machine's .vbox
 *     locate.ts              the files of media
 *     machine.ts, disks.ts   build the `Machine` from all of these
 */
import { realpathSync, type Dirent } from "node:fs";
import { readdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { DiskError, whenHostFails, unlessHostFails } from "../../errors.js";
import { readSmallFile } from "../../storage/settings-file.js";
import type { Hypervisor, MachineList } from "../hypervisor.js";
import type { Machine, Medium } from "../machine.js";
import { mapParallel } from "../parallel.js";
import { loadGlobalSettings, type GlobalSettings } from "./global.js";
import { findVirtualBoxImages } from "./images.js";
import { loadSettings, type LoadedSettings } from "./load.js";
import { locateMedia } from "./locate.js";
import { machineOf, NAME, nameOf, unregistered, type FindBase } from "./machine.js";
import { withDescendants } from "../descendants.js";
import { FILES_AT_ONCE, ownersOf, settingsFiles } from "./owners.js";
import { SIZE_LIMIT } from "./xml.js";

/** Levels of folders that are searched: groups of machines may be nested, and each has a folder of its name. */
const DEPTH_LIMIT = 4;

/** Folders that are searched for unregistered machines, and machines in all. */
const FOLDERS_LIMIT = 10_000;
const MACHINES_LIMIT = 10_000;

export const virtualBox: Hypervisor = {
  name: NAME,
  configurationKind: ".vbox file",

  async listMachines(): Promise<MachineList> {
    const { global, loaded, failed } = await loadAll();
    const findBase = baseFinder(global, loaded);
    const machines = loaded.map((settings) => machineOf(settings, findBase));
    const used = new Set(machines.flatMap(({ media }) => media));
    const media = global.media.filter((base) => !used.has(base));
    return { machines: [...machines, ...failed], media, warnings: global.warnings };
  },

  configurationsIn: settingsFiles,

  isConfiguration: (path) =>
    /\.vbox(-prev)?$/i.test(path) || (/\.xml(-prev)?$/i.test(path) && isVirtualBoxXml(path)),

  async openMachine(path) {
    return complete(loadSettings(resolve(path)));
  },

  async findOwner(image) {
    const [owner] = (await ownersOf(image)).machines;
    return owner === undefined ? undefined : complete(owner);
  },

  findImages: findVirtualBoxImages,
};

/**
 * Whether an XML file may be a machine's settings, whose names ended in .xml before VirtualBox 4.0. True for a file that
 * cannot be read: opening it as a machine reports why.
 */
function isVirtualBoxXml(path: string): boolean {
  try {
    return readSmallFile(path, SIZE_LIMIT).includes("<VirtualBox");
  } catch (error) {
    if (error instanceof DiskError) return true;
    throw error;
  }
}

/** Builds the machine of `loaded`, with media that are registered elsewhere. */
async function complete(loaded: LoadedSettings): Promise<Machine> {
  if (unregistered(loaded.settings).length === 0) return machineOf(loaded, () => undefined);
  const all = await loadAll();
  return machineOf(loaded, baseFinder(all.global, all.loaded));
}

interface AllSettings {
  readonly global: GlobalSettings;
  readonly loaded: readonly LoadedSettings[];
  readonly failed: readonly Machine[];
}

/** Reads all settings of the current user. */
async function loadAll(): Promise<AllSettings> {
  const global = loadGlobalSettings();
  const registered = new Map(global.machines.map(({ file, uuid }) => [realOf(file), { file, uuid }]));
  const others = global.machineFolder === undefined ? [] : await filesBelow(global.machineFolder);
  for (const file of others) {
    const real = realOf(file);
    if (!registered.has(real)) registered.set(real, { file, uuid: "" });
  }
  const failed: Machine[] = [];
  const loaded: LoadedSettings[] = [];
  for (const { file, uuid } of [...registered.values()].slice(0, MACHINES_LIMIT)) {
    try {
      loaded.push(loadSettings(file));
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      failed.push(inaccessible(file, uuid, error));
    }
  }
  return { global, loaded, failed };
}

function inaccessible(path: string, uuid: string, { message, code }: DiskError): Machine {
  const nothing = { snapshots: [], disks: [], media: [], warnings: [] };
  return {
    hypervisor: NAME,
    name: nameOf(path),
    uuid,
    path,
    state: "inaccessible",
    ...nothing,
    problem: message,
    problemCode: code,
  };
}

/** Returns the settings files in folders below `root`. A folder that has one is not searched further. */
async function filesBelow(root: string): Promise<string[]> {
  const files: string[] = [];
  let level = [root];
  for (let depth = 0, count = 0; depth < DEPTH_LIMIT && count < FOLDERS_LIMIT; depth++) {
    count += level.length;
    const below = await mapParallel(level, FILES_AT_ONCE, async (folder) => {
      const own = depth === 0 ? [] : await settingsFiles(folder);
      files.push(...own);
      if (own.length > 0) return [];
      const entries = await readdir(folder, { withFileTypes: true }).catch(whenHostFails<Dirent[]>([]));
      return entries.filter((entry) => entry.isDirectory()).map((entry) => join(folder, entry.name));
    });
    level = below.flat().slice(0, FOLDERS_LIMIT);
  }
  return files.sort();
}

function realOf(file: string): string {
  return unlessHostFails(() => realpathSync.native(file), file);
}

/** Returns a function that finds bases in the global registry (before VirtualBox 4.0) and in other machines' registries. */
function baseFinder(global: GlobalSettings, loaded: readonly LoadedSettings[]): FindBase {
  let bases: Map<string, () => Medium> | undefined;
  return (uuid) => {
    bases ??= new Map([
      ...loaded.flatMap(({ file, settings }) =>
        settings.media.flatMap((entry) => {
          let base: Medium | undefined;
          const located = (): Medium => (base ??= locateMedia([entry], dirname(file))[0]!);
          return withDescendants([entry]).map((medium) => [medium.uuid, located] as const);
        }),
      ),
      ...global.media.flatMap((base) =>
        withDescendants([base]).map((medium) => [medium.uuid, () => base] as const),
      ),
    ]);
    return bases.get(uuid)?.();
  };
}
