/**
 * VirtualBox, installed or not: its own settings tell which machines a user has registered; others lie in the
 * folder where it makes them. Each machine has a settings file, with its media and its snapshots.
 *
 *     VirtualBox.xml    global.ts       a machine's .vbox   settings.ts, media.ts
 *     what is where     locate.ts       all together        machine.ts, disks.ts
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

/** Folders of groups in folders of groups, and the machine's own: VirtualBox names a group's folder as the group. */
const DEPTH_LIMIT = 4;

/** Folders looked into for machines that nobody registered, and machines in all. */
const FOLDERS_LIMIT = 10_000;
const MACHINES_LIMIT = 10_000;

export const virtualBox: Hypervisor = {
  name: NAME,

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
 * Whether an XML file may be VirtualBox's, which called its settings so before version 4.0: other programs have XML files
 * too. One that cannot be read may be: opening it as a machine says why.
 */
function isVirtualBoxXml(path: string): boolean {
  try {
    return readSmallFile(path, SIZE_LIMIT).includes("<VirtualBox");
  } catch (error) {
    if (error instanceof DiskError) return true;
    throw error;
  }
}

/** The machine of `loaded`, with media that are registered elsewhere. */
async function complete(loaded: LoadedSettings): Promise<Machine> {
  if (unregistered(loaded.settings).length === 0) return machineOf(loaded, () => undefined);
  const all = await loadAll();
  return machineOf(loaded, baseFinder(all.global, all.loaded));
}

interface All {
  readonly global: GlobalSettings;
  readonly loaded: readonly LoadedSettings[];
  readonly failed: readonly Machine[];
}

/** All settings that there are of the user who runs this. */
async function loadAll(): Promise<All> {
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

/** The settings files in the folders of machines below `root`; below one of those is none. */
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

/** Finds bases in the registry of all machines before VirtualBox 4.0, and in other machines' registries. */
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
