/**
 * The parent's paths as a differencing VHD notes them: bytes in, text out. Each locator has a path in the form of one
 * platform; the header has a name besides. Source: VHD specification 1.0, "Parent Locator Entries".
 */
import type { Locator } from "./header.js";

/** A locator with its data. */
export interface ParentPath extends Locator {
  /** Undefined if the platform is not known, or if the data cannot be decoded. */
  readonly path: string | undefined;
}

/** The most probable first: chains are moved as a whole, so that relative paths stay right. */
const PLATFORMS: Readonly<Record<string, { rank: number; decode: (data: Buffer) => string | undefined }>> = {
  W2ru: { rank: 0, decode: (data) => decodeUtf16(data, "little-endian") },
  W2ku: { rank: 2, decode: (data) => decodeUtf16(data, "little-endian") },
  MacX: { rank: 3, decode: decodeFileUrl },
  Wi2r: { rank: 4, decode: decodeAnsi },
  Wi2k: { rank: 5, decode: decodeAnsi },
};

/** The rank of the name in the header, which is usually without a folder. */
const NAME_RANK = 1;

/** Returns `locator` with the path that is decoded from its data. */
export function decodeLocator(locator: Locator, data: Buffer): ParentPath {
  return { ...locator, path: PLATFORMS[locator.platform]?.decode(data) };
}

/** Returns the paths of `locators` and the header's `name`, the most probable first. */
export function hintsOf(locators: readonly ParentPath[], name: Buffer): string[] {
  const paths = locators.map(({ platform, path }) => ({ path, rank: PLATFORMS[platform]?.rank ?? Infinity }));
  return [...paths, { path: decodeParentName(name), rank: NAME_RANK }]
    .sort((a, b) => a.rank - b.rank)
    .flatMap(({ path }) => (path === undefined || path === "" ? [] : [path]));
}

/** Returns the parent's name in the header. */
export function decodeParentName(name: Buffer): string {
  return decodeUtf16(name, "big-endian");
}

/**
 * UTF-16 up to the first NUL. Some programs wrote the other byte order than the specification has: such a text, if it is
 * ASCII, has nothing but zeros where the less significant bytes should be.
 */
function decodeUtf16(data: Buffer, order: "little-endian" | "big-endian"): string {
  const units = Buffer.from(data.subarray(0, data.length - (data.length % 2)));
  if (order === "big-endian") units.swap16();
  const end = firstZeroUnit(units);
  const text = units.subarray(0, end);
  if (text.every((byte, index) => index % 2 === 1 || byte === 0)) text.swap16();
  return text.toString("utf16le");
}

/** The byte at which the first unit of zero begins. */
function firstZeroUnit(units: Buffer): number {
  let at = 0;
  while (at < units.length && units.readUInt16LE(at) !== 0) at += 2;
  return at;
}

/** The text up to its first NUL. */
function untilNul(text: string): string {
  const end = text.indexOf("\0");
  return end < 0 ? text : text.slice(0, end);
}

/** A path in the code page of the Windows that wrote it, which is not recorded: windows-1252 is assumed. */
function decodeAnsi(data: Buffer): string {
  return untilNul(new TextDecoder("windows-1252").decode(data));
}

/** The path of "file://localhost/Users/me/base.vhd". */
function decodeFileUrl(data: Buffer): string | undefined {
  const path = /^file:\/\/[^/]*(\/.*)$/i.exec(untilNul(data.toString("utf8")))?.[1];
  try {
    return path === undefined ? undefined : decodeURIComponent(path);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}
