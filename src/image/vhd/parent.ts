/** What a differencing VHD notes about its parent, and how it proves which image that is. */
import { NIL_UUID, swapGuid } from "../../bytes/guid.js";
import { CorruptError } from "../../errors.js";
import type { ImageFacts, Match, ParentReference } from "../image.js";
import type { VhdHeader } from "./header.js";
import { hintsOf, type ParentPath } from "./parent-paths.js";
import { DynamicHeader } from "./structures.js";
import { millisecondsOf } from "./time.js";

/** Milliseconds by which times of the same moment differ: seconds are rounded, and FAT keeps even ones only. */
const TIME_TOLERANCE = 2000;

/**
 * Returns the reference to the parent. `paths` are the locators of `header`, decoded.
 * @throws {CorruptError} if the image notes nothing about its parent.
 */
export function parentOf(
  header: VhdHeader,
  paths: readonly ParentPath[],
  file: string,
  headerOffset: number,
): ParentReference {
  const { parentUuid: uuid, parentName, parentModified } = header;
  const hints = hintsOf(paths, parentName);
  if (uuid === NIL_UUID && hints.length === 0) {
    throw new CorruptError({
      file,
      offset: headerOffset + DynamicHeader.fields.parentUuid.offset,
      thing: "the parent UUID of this differencing VHD",
      found: NIL_UUID,
      expected: "a UUID, or there must be a path of the parent",
    });
  }
  return {
    ...(uuid !== NIL_UUID && { identity: { uuid } }),
    hints,
    ...(parentModified !== 0 && { modified: millisecondsOf(parentModified) }),
    matches: (candidate) => (isNoted(candidate, uuid) ? matchOfTime(candidate, parentModified) : "different"),
  };
}

/** Xen's children of raw images have no UUID of their parent. Programs that swap a GUID's bytes swap them here, too. */
function isNoted({ identity }: ImageFacts, uuid: string): boolean {
  const own = identity?.uuid ?? NIL_UUID;
  return own === uuid || own === swapGuid(uuid);
}

/**
 * The child notes when its parent's file was last written to. A file that was copied may have any time: only a later one
 * is a reason to doubt.
 */
function matchOfTime({ modified }: ImageFacts, parentModified: number): Match {
  if (parentModified === 0 || modified === undefined) return "unknown";
  const noted = millisecondsOf(parentModified);
  if (Math.abs(modified - noted) <= TIME_TOLERANCE) return "same";
  return modified > noted ? "changed" : "unknown";
}
