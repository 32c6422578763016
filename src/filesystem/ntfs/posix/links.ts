/**
 * Links of Windows, converted to links that work in the mount.
 *
 *   ..\there                  relative: with slashes
 *   \there                    from the root of the volume: up from the link, then down
 *   C:\there                  the same if this volume is C:. The letters of volumes are in the registry of the system, which
 *                             is not read. So the volume with \Windows\System32 is C: and no other letter; any other
 *                             volume is not C:, and has another letter if all of the path exists on it
 *   \\server, Volume{…}       unchanged
 *
 * Windows ignores the case of the names in links: each is replaced by the name on the volume, if it exists there.
 */
import { nameFromUtf16 } from "../../../bytes/utf16.js";
import { CorruptError, DiskError } from "../../../errors.js";
import { Type } from "../mft/attribute.js";
import type { Directories } from "../index/directory.js";
import { ROOT_NUMBER } from "../index/directory.js";
import { fileAt, findAttribute } from "../mft/file.js";
import { FileName } from "../index/file-name.js";
import type { Medium, NtfsFile } from "../medium.js";
import { isSpecial, joinNames, nameOf } from "./paths.js";
import { parseAppExecLink, parseLink } from "./reparse.js";
import type { Special } from "./special.js";

export interface Links {
  /** The target of `file`, which is `special`; undefined if it is not a link. */
  targetOf(file: NtfsFile, special: Special): Promise<Buffer | undefined>;
}

/** No directory of Windows is deeper: paths have 32,767 characters at most. */
const DEPTH_LIMIT = 16_384;

/** The name of the volume that Windows starts from. */
const SYSTEM_LETTER = "C";

export function linksOf(medium: Medium, directories: Directories): Links {
  let system: Promise<boolean> | undefined;

  /** Whether Windows is installed on this volume. */
  async function hasWindows(): Promise<boolean> {
    const { isWhole } = await spell(ROOT_NUMBER, ["Windows", "System32"]);
    return isWhole;
  }

  /** `names` as they are spelled in the directories from `start` on, as far as they exist. */
  async function spell(
    start: number,
    names: readonly string[],
  ): Promise<{ path: Buffer[]; isWhole: boolean }> {
    const path: Buffer[] = [];
    let at: number | undefined = start;
    for (const name of names) {
      const units = Buffer.from(name, "utf16le");
      if (isSpecial(name)) {
        path.push(Buffer.from(name));
        if (name === ".." && at !== undefined) at = await quietly(parentOf(at));
        continue;
      }
      const entry: { number: number; name: Buffer } | undefined =
        at === undefined ? undefined : await quietly(entryOf(at, units));
      path.push(entry?.name ?? nameOf(name));
      at = entry?.number;
    }
    return { path, isWhole: at !== undefined };
  }

  /** The entry of directory `number` with the name `units` in any case. */
  async function entryOf(
    number: number,
    units: Buffer,
  ): Promise<{ number: number; name: Buffer } | undefined> {
    if (!(await fileAt(medium, number)).record.isDirectory) return undefined;
    const found = await directories.find(number, units, true);
    return found && { number: found.number, name: nameFromUtf16(found.units) };
  }

  /** The directory that file `number` is in. */
  async function parentOf(number: number): Promise<number> {
    const file = await fileAt(medium, number);
    const attribute = await findAttribute(medium, file, Type.fileName);
    const { bytes } = attribute?.first.record ?? file.record;
    const at =
      attribute === undefined ? 0 : attribute.first.at + bytes.readUInt16LE(attribute.first.at + 0x14);
    if (attribute === undefined || at + FileName.size > bytes.length) throw lost(file, "no name");
    return bytes.readUIntLE(at + FileName.fields.parentLow.offset, 6);
  }

  function lost({ record }: NtfsFile, found: string): CorruptError {
    const { offset, number } = record;
    const thing = `what file record ${number} is in`;
    return new CorruptError({
      file: medium.volume.name,
      offset,
      thing,
      found,
      expected: "a path to the root",
    });
  }

  /** The path from the directory of `file` up to the root. */
  async function wayUp(file: NtfsFile): Promise<Buffer[]> {
    const way: Buffer[] = [];
    const seen = new Set<number>();
    for (let at = await parentOf(file.record.number); at !== ROOT_NUMBER; at = await parentOf(at)) {
      if (seen.has(at) || seen.size > DEPTH_LIMIT) throw lost(file, "a circle");
      seen.add(at);
      way.push(UP);
    }
    return way;
  }

  async function fromRoot(file: NtfsFile, names: readonly string[]): Promise<Buffer> {
    const { path } = await spell(ROOT_NUMBER, names);
    return joined([...(await wayUp(file)), ...path]);
  }

  /** Whether drive `letter` is this volume, on which the link leads to `names`. */
  async function isThisVolume(letter: string, names: readonly string[]): Promise<boolean> {
    const isSystem = await (system ??= hasWindows());
    const isSystemLetter = letter.toUpperCase() === SYSTEM_LETTER;
    if (isSystem || isSystemLetter) return isSystem && isSystemLetter;
    return names.length > 0 && (await spell(ROOT_NUMBER, names)).isWhole;
  }

  /** The link of `file` to `target`, as Windows follows it; `shown` is the target that Windows displays. */
  async function targetOfPath(file: NtfsFile, target: string, shown: string): Promise<Buffer> {
    const path = target.replace(/^\\(\?\?|\\\?|\\\.)\\/, "");
    const drive = /^([A-Za-z]):(?:[\\/](.*))?$/s.exec(path);
    if (drive !== null) {
      const names = namesIn(drive[2] ?? "");
      if (await isThisVolume(drive[1]!, names)) return fromRoot(file, names);
    } else if (path === target && !/^[\\/]{2}/.test(target)) {
      if (/^[\\/]/.test(target)) return fromRoot(file, namesIn(target));
      const start = await quietly(parentOf(file.record.number));
      const names = namesIn(target);
      return joined(
        start === undefined
          ? names.map((name) => (isSpecial(name) ? Buffer.from(name) : nameOf(name)))
          : (await spell(start, names)).path,
      );
    }
    return nameOf(shown === "" ? target : shown);
  }

  return {
    async targetOf(file, special) {
      const { number } = file.record;
      switch (special.kind) {
        case "posixLink":
          return special.target;
        case "windowsLink": {
          const { target, shown } = parseLink(special.reparse, number, medium.volume.name);
          return targetOfPath(file, target, shown);
        }
        case "appExecLink": {
          const target = parseAppExecLink(special.reparse);
          return target === undefined || target === "" ? undefined : targetOfPath(file, target, target);
        }
        default:
          return undefined;
      }
    },
  };
}

const UP = Buffer.from("..");

/** A name of Windows cannot contain a slash either. */
function namesIn(path: string): string[] {
  return path.split(/[\\/]/).filter((name) => name !== "");
}

/** The path to the directory of the link itself has no names. */
function joined(names: readonly Buffer[]): Buffer {
  return names.length === 0 ? Buffer.from(".") : joinNames(names);
}

/** If damage makes a part of the target unknown, the link is shown without it. */
async function quietly<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof DiskError) return undefined;
    throw error;
  }
}
