/**
 * Reads `VirtualBox.xml`: the machines that a user has registered, and, before VirtualBox 4.0, all their media.
 * Source: VirtualBox src/VBox/Main/xml/VirtualBox-settings.xsd, TGlobal; src/VBox/Main/glue/com.cpp,
 * GetVBoxUserHomeDirectory, for the places.
 */
import { existsSync } from "node:fs";
import { platform } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import { DiskError, UnsupportedError } from "../../errors.js";
import { homeFolder } from "../../storage/home.js";
import type { Medium } from "../machine.js";
import { loadXml, PREVIOUS } from "./load.js";
import { locateMedia } from "./locate.js";
import { readMedia, uuidOf } from "./media.js";
import { child, childrenOf, readXml } from "./xml.js";

export interface GlobalSettings {
  /** The settings files of the registered machines. Absolute. */
  readonly machines: readonly { readonly file: string; readonly uuid: string }[];
  readonly media: readonly Medium[];
  /** The folder of new machines; absolute. Undefined if it is not configured and the user has no home. */
  readonly machineFolder: string | undefined;
  readonly warnings: readonly string[];
}

/** The default folder of new machines, in the user's home. */
const MACHINE_FOLDER = "VirtualBox VMs";

const FILE = "VirtualBox.xml";

/**
 * Reads the current user's global settings. If there are none (VirtualBox never ran, or was removed), or if they cannot be
 * read, the result has only the default folder of machines.
 */
export function loadGlobalSettings(): GlobalSettings {
  const home = homeFolder();
  const usualFolder = home === undefined ? undefined : join(home, MACHINE_FOLDER);
  const nothing = { machines: [], media: [], machineFolder: usualFolder, warnings: [] };
  const folder = userFolder(home);
  if (folder === undefined) return nothing;
  try {
    const { value, warnings } = loadXml(join(folder, FILE), parse);
    const { entries, media, defaultMachineFolder } = value;
    return {
      machines: entries.map(({ src, uuid }) => ({ file: resolve(folder, src), uuid })),
      media: locateMedia(media, folder),
      machineFolder: defaultMachineFolder === undefined ? usualFolder : resolve(folder, defaultMachineFolder),
      warnings,
    };
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    const found = usualFolder === undefined ? "no machines" : `only machines in ${usualFolder}`;
    return {
      ...nothing,
      warnings: [`${error.message}; ${found} are found`],
    };
  }
}

/** Returns the first folder that has the file; undefined if none has it. */
function userFolder(home: string | undefined): string | undefined {
  const configured = process.env["VBOX_USER_HOME"] ?? "";
  const places = configured === "" ? defaultPlaces(home) : [resolve(configured)];
  const has = (name: string) => places.find((place) => existsSync(join(place, name)));
  return has(FILE) ?? has(FILE + PREVIOUS);
}

function defaultPlaces(home: string | undefined): string[] {
  const inHome = (...names: string[]): string[] => (home === undefined ? [] : [join(home, ...names)]);
  if (platform() === "win32") return inHome(".VirtualBox");
  const config = process.env["XDG_CONFIG_HOME"] ?? "";
  return [
    ...inHome(".VirtualBox"), // as it was until version 4.3: VirtualBox itself looks there first
    ...(isAbsolute(config) ? [join(config, "VirtualBox")] : []),
    ...inHome(".config", "VirtualBox"),
    ...inHome("Library", "VirtualBox"),
  ];
}

function parse(xml: string, file: string) {
  const root = readXml(xml, file);
  const global = root.name === "VirtualBox" ? child(root, "Global") : undefined;
  if (global === undefined) {
    throw new UnsupportedError({ file, thing: "this is not a file of VirtualBox's global settings" });
  }
  const entries = childrenOf(child(global, "MachineRegistry"), "MachineEntry").flatMap(({ attributes }) => {
    const { uuid = "", src } = attributes;
    return src === undefined || src.includes("\0") ? [] : [{ src, uuid: uuidOf(uuid) }];
  });
  const media = readMedia(child(global, "MediaRegistry"), file);
  const folder = child(global, "SystemProperties")?.attributes["defaultMachineFolder"];
  const defaultMachineFolder = folder === "" || folder?.includes("\0") === true ? undefined : folder;
  return { entries, media, defaultMachineFolder };
}
