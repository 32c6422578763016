/**
 * The VHD footer, checked: bytes in, value out. It is the file's last sector. Images that are not fixed have a copy of it
 * in their first sector, which is used if the footer is missing or damaged.
 */
import { describe, type ViewOf } from "../../bytes/struct.js";
import { CorruptError, UnsupportedError } from "../../errors.js";
import { swapGuid } from "../../bytes/guid.js";
import { checksumOf, hasRightChecksum } from "./checksum.js";
import { Footer } from "./structures.js";
import { dateOf } from "./time.js";

export type VhdVariant = "fixed" | "dynamic" | "differencing";

export interface VhdFooter {
  readonly variant: VhdVariant;
  readonly fields: ViewOf<typeof Footer>;
  /** The byte of the file where the footer that is used begins. */
  readonly offset: number;
  /** The byte of the file where the data ends: at the footer, or with the file if there is none at its end. */
  readonly dataEnd: number;
  readonly isSound: boolean;
  readonly warnings: readonly string[];
  /** The fields for `vdisk info --verbose`. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** Both ends of a file, Footer.size bytes each, or fewer if it is smaller. */
export interface Ends {
  /** The file's name in error messages. */
  readonly name: string;
  readonly size: number;
  readonly head: Buffer;
  readonly tail: Buffer;
}

const COOKIE = Buffer.from("conectix");

/** Virtual PC before 2004 did not write the footer's last byte (a zero). */
const OLD_SIZE = Footer.size - 1;

/** Specification, "Disk Type". Types 0, 1, 5 and 6 are reserved or deprecated. */
const VARIANTS: Readonly<Record<number, VhdVariant>> = { 2: "fixed", 3: "dynamic", 4: "differencing" };

/** Version 1.0 is the only one there is; a later minor version would be compatible. */
export const MAJOR_VERSION = 1;

/** A footer somewhere in the file. */
interface Found {
  readonly offset: number;
  readonly bytes: Buffer;
  readonly isSound: boolean;
}

/** Returns whether a file has the footer's signature in its first or its last sector. */
export function isVhd(ends: Ends): boolean {
  return copyAtStart(ends) !== undefined || footerAtEnd(ends) !== undefined;
}

/**
 * Returns the footer of the file whose ends are `ends`.
 * @throws {CorruptError} if neither the footer nor its copy can be relied on.
 * @throws {UnsupportedError} for a type or a version that is not known.
 */
export function readFooter(ends: Ends): VhdFooter {
  const end = footerAtEnd(ends);
  const copy = copyAtStart(ends);
  const { found, warnings } = choose(ends, end, copy);
  const fields = Footer.view(found.bytes);
  const { version, type } = fields;
  const complaint = { file: ends.name, offset: found.offset };
  if (version >>> 16 !== MAJOR_VERSION) {
    throw new UnsupportedError({
      ...complaint,
      offset: found.offset + Footer.fields.version.offset,
      thing: "VHD version",
      found: `0x${version.toString(16)}`,
      expected: "0x10000",
    });
  }
  const variant = VARIANTS[type];
  if (variant === undefined) {
    throw new UnsupportedError({
      ...complaint,
      offset: found.offset + Footer.fields.type.offset,
      thing: "VHD type",
      found: type,
      expected: "2 (fixed), 3 (dynamic) or 4 (differencing)",
    });
  }
  if (variant === "fixed" && found === copy && ends.size > Footer.size) {
    throw new CorruptError({
      ...complaint,
      thing: "the footer of this fixed VHD",
      found: "in its first sector",
      expected: "in its last one; the image is cut short",
    });
  }
  return {
    variant,
    fields,
    offset: found.offset,
    dataEnd: end?.offset ?? ends.size,
    isSound: found.isSound,
    warnings: [...warnings, ...warningsAbout(variant, end, copy, ends.name)],
    details: detailsOf(fields, variant),
  };
}

function footerAtEnd({ size, tail }: Ends): Found | undefined {
  if (startsWithCookie(tail, 0) && tail.length === Footer.size) return found(size - Footer.size, tail);
  const isOld = tail.length >= OLD_SIZE && startsWithCookie(tail, tail.length - OLD_SIZE);
  if (!isOld) return undefined;
  const bytes = Buffer.concat([tail.subarray(tail.length - OLD_SIZE), Buffer.alloc(1)]);
  return found(size - OLD_SIZE, bytes);
}

function copyAtStart({ head }: Ends): Found | undefined {
  return head.length === Footer.size && startsWithCookie(head, 0) ? found(0, head) : undefined;
}

function startsWithCookie(bytes: Buffer, at: number): boolean {
  return bytes.subarray(at, at + COOKIE.length).equals(COOKIE);
}

function found(offset: number, bytes: Buffer): Found {
  return { offset, bytes, isSound: hasRightChecksum(bytes, Footer.fields.checksum.offset) };
}

/** Chooses between the footer and its copy. */
function choose(
  { name, size }: Ends,
  end: Found | undefined,
  copy: Found | undefined,
): { found: Found; warnings: string[] } {
  if (end?.isSound === true) return { found: end, warnings: [] };
  if (copy?.isSound === true) {
    const what =
      end === undefined ? "there is no VHD footer at the end" : "the VHD footer's checksum is wrong";
    return { found: copy, warnings: [`${name}: ${what}; its copy at the beginning is used`] };
  }
  // Some programs wrote wrong checksums, to both copies. Damage does not hit both in the same way.
  if (end !== undefined && copy?.bytes.equals(end.bytes) === true)
    return {
      found: end,
      warnings: [`${name}: the VHD footer's checksum is wrong, but its copy at the beginning is the same`],
    };
  // A fixed image needs nothing of its footer but the size, which the file has as well.
  if (end !== undefined && isPlausibleFixed(end)) {
    const why = "the size in it is that of the file";
    return {
      found: end,
      warnings: [`${name}: the VHD footer's checksum is wrong; it is used, because ${why}`],
    };
  }
  const { offset, bytes } = (end ?? copy)!;
  const at = Footer.fields.checksum.offset;
  throw new CorruptError({
    file: name,
    offset: offset + at,
    thing: "the VHD footer's checksum",
    found: `0x${bytes.readUInt32BE(at).toString(16)}`,
    expected: `0x${checksumOf(bytes, at).toString(16)}; ${end === undefined ? `there is no footer at byte ${size - Footer.size}` : "no sound copy is at the beginning"}`,
  });
}

function isPlausibleFixed({ offset, bytes }: Found): boolean {
  const { type, currentSize } = Footer.view(bytes);
  return VARIANTS[type] === "fixed" && currentSize === offset;
}

function warningsAbout(
  variant: VhdVariant,
  end: Found | undefined,
  copy: Found | undefined,
  name: string,
): string[] {
  // The first sector of a fixed image is the guest's.
  if (variant === "fixed" || end?.isSound !== true) return [];
  if (copy === undefined) return [`${name}: the copy of the VHD footer at the beginning is missing`];
  if (!copy.isSound) return [`${name}: the copy of the VHD footer at the beginning is damaged`];
  if (copy.bytes.equals(end.bytes)) return [];
  return [`${name}: the VHD footer and its copy at the beginning differ; the one at the end is used`];
}

function detailsOf(fields: ViewOf<typeof Footer>, variant: VhdVariant): Record<string, unknown> {
  return {
    ...describe(Footer, fields),
    cookie: undefined,
    ...(variant === "fixed" && { headerOffset: undefined }),
    created: dateOf(fields.created),
    uuidByMicrosoft: swapGuid(fields.uuid),
  };
}
