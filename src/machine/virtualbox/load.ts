/** Reading settings files; where one cannot be read, what VirtualBox saved before it (`-prev`) stands in. */
import { CorruptError, DiskError, MissingError, UnsupportedError } from "../../errors.js";
import { openFile } from "../../storage/file.js";
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
export async function loadSettings(file: string): Promise<LoadedSettings> {
  const { value, warnings } = await loadXml(file, parseSettings);
  return { file, settings: value, warnings };
}

/**
 * What `parse` makes of `file`, or, where that is missing, empty or damaged, of the file before it.
 * @throws {DiskError} as `file` itself has it.
 */
export async function loadXml<T>(
  file: string,
  parse: (text: string, file: string) => T,
): Promise<{ value: T; warnings: string[] }> {
  try {
    return { value: parse(await readText(file), file), warnings: [] };
  } catch (error) {
    if (!(error instanceof CorruptError || error instanceof MissingError)) throw error;
    try {
      const previous = file + PREVIOUS;
      const value = parse(await readText(previous), previous);
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

/** @throws {UnsupportedError} where the file is larger than any settings are. */
async function readText(file: string): Promise<string> {
  const storage = await openFile(file);
  try {
    if (storage.size > SIZE_LIMIT) {
      const expected = `at most ${SIZE_LIMIT} bytes`;
      throw new UnsupportedError({ file, thing: "the settings file's size", found: storage.size, expected });
    }
    if (storage.size === 0) throw new CorruptError({ file, thing: "this file is empty" });
    const bytes = Buffer.alloc(storage.size);
    await storage.read(bytes, 0);
    return bytes.toString("utf8");
  } finally {
    await storage.close();
  }
}
