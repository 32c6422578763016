/**
 * Names as strings, since fuse-native has no others. A name that is not UTF-8 is shown with `\xNN` for its bytes;
 * a name that merely looks like that is escaped too, so that no two names are shown alike.
 */
import { isUtf8 } from "node:buffer";
import { parseName, printName } from "../../bytes/text.js";

const ESCAPE = /\\x[0-9a-fA-F]{2}/;

export function showName(name: Buffer): string {
  const text = name.toString();
  return isUtf8(name) && !ESCAPE.test(text) ? text : printName(name);
}

/** The bytes of a shown name. */
export function hiddenName(shown: string): Buffer {
  return ESCAPE.test(shown) ? parseName(shown) : Buffer.from(shown);
}

/** A link's target: names between slashes. */
export function showTarget(target: Buffer): string {
  const names = target.toString("latin1").split("/");
  return names.map((name) => showName(Buffer.from(name, "latin1"))).join("/");
}
