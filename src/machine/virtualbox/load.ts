/** Reading settings files; where one cannot be read, what VirtualBox saved before it (`-prev`) stands in. */
import { CorruptError, DiskError, MissingError } from "../../errors.js";
import { readSmallFile } from "../../storage/settings-file.js";
import { parseSettings, type MachineSettings } from "./settings.js";
import { SIZE_LIMIT } from "./xml.js";

/** What VirtualBox adds to the name of the file that it replaces. */
export const PREVIOUS = "-prev";

export interface LoadedSettings {
  /** The settings file, whether it or its predecessor was read. Absolute. */
  readonly file: string;
  readonly settings: MachineSettings;
  readonly warnings: readonly string[];
}

/** The settings of the machine whose file is `file`. @throws {DiskError} where they cannot be had. */
export function loadSettings(file: string): LoadedSettings {
  const { value, warnings } = loadXml(file, parseSettings);
  return { file, settings: value, warnings };
}

/**
 * What `parse` makes of `file`, or, where that is missing, empty or damaged, of the file before it.
 * @throws {DiskError} as `file` itself has it.
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
        warnings: [`${error.message}; ${previous}, which was saved before it, is read instead`],
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
