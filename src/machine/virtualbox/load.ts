/** Reads settings files. If one cannot be read, the previous version that VirtualBox keeps (`-prev`) is used. */
import { CorruptError, DiskError, MissingError } from "../../errors.js";
import { readSmallFile } from "../../storage/settings-file.js";
import { parseSettings, type MachineSettings } from "./settings.js";
import { SIZE_LIMIT } from "./xml.js";

/** What VirtualBox appends to the name of the previous version. */
export const PREVIOUS = "-prev";

export interface LoadedSettings {
  /** The settings file, also if its previous version was read. Absolute. */
  readonly file: string;
  readonly settings: MachineSettings;
  readonly warnings: readonly string[];
}

/** Reads a machine's settings file. @throws {DiskError} if it and its previous version cannot be read. */
export function loadSettings(file: string): LoadedSettings {
  const { value, warnings } = loadXml(file, parseSettings);
  return { file, settings: value, warnings };
}

/**
 * Parses `file`, or its previous version if `file` is missing, empty or damaged.
 * @throws {DiskError} for `file`, if the previous version cannot be read either.
 */
export function loadXml<T>(
  file: string,
  parse: (text: string, file: string) => T,
): { value: T; warnings: string[] } {
  try {
    return { value: parse(readText(file), file), warnings: [] };
  } catch (error) {
    if (!(error instanceof CorruptError || error instanceof MissingError)) throw error;
    try {
      const previous = file + PREVIOUS;
      const value = parse(readText(previous), previous);
      return {
        value,
        warnings: [`${error.message}; its previous version is read instead: ${previous}`],
      };
    } catch (other) {
      if (!(other instanceof DiskError)) throw other;
      throw error;
    }
  }
}

function readText(file: string): string {
  const bytes = readSmallFile(file, SIZE_LIMIT);
  if (bytes.length === 0) throw new CorruptError({ file, thing: "this file is empty" });
  return bytes.toString("utf8");
}
