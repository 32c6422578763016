/**
 * Converts names between bytes and strings, which is all that fuse-native supports. The bytes of a name that is not UTF-8
 * are escaped as `\xNN`. A name that contains such text is escaped too, so that different names stay different.
 */
import { isUtf8 } from "node:buffer";
import { parseName, printName } from "../../bytes/text.js";

const ESCAPE = /\\x[0-9a-fA-F]{2}/;

/** The string for a name. */
export function showName(name: Buffer): string {
  const text = name.toString();
  return isUtf8(name) && !ESCAPE.test(text) ? text : printName(name);
}

/** The name for a string. */
export function parseShownName(shown: string): Buffer {
  return ESCAPE.test(shown) ? parseName(shown) : Buffer.from(shown);
}

/** The string for the target of a link: names between slashes. */
export function showTarget(target: Buffer): string {
  const names = target.toString("latin1").split("/");
  return names.map((name) => showName(Buffer.from(name, "latin1"))).join("/");
}
