/** Paths in UTF-16 as the bytes of a POSIX path. */
import { nameFromUtf16 } from "../../../bytes/utf16.js";

/** One name, or text that is shown as it is. */
export function nameOf(text: string): Buffer {
  return nameFromUtf16(Buffer.from(text, "utf16le"));
}

/** A path whose names are separated by slashes. */
export function pathOf(text: string): Buffer {
  const names = text.split("/").map((name) => (isSpecial(name) ? Buffer.from(name) : nameOf(name)));
  return joinNames(names);
}

/** These parts of a path are not names. */
export function isSpecial(name: string): boolean {
  return name === "" || name === "." || name === "..";
}

export function joinNames(names: readonly Buffer[]): Buffer {
  return Buffer.concat(names.flatMap((name, index) => (index === 0 ? [name] : [SLASH, name])));
}

const SLASH = Buffer.from("/");
