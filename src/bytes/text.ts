/**
 * Names as text. Names are bytes until they are printed: guests have names in any encoding, and with control characters
 * that a terminal would execute.
 */
import { isUtf8 } from "node:buffer";

/**
 * Returns `name` as text. Valid UTF-8 stays as it is; other bytes, control characters and the backslash become `\xNN`.
 * The result is unambiguous: `parseName` returns the same bytes.
 */
export function printName(name: Uint8Array): string {
  const bytes = Buffer.from(name.buffer, name.byteOffset, name.length);
  if (isUtf8(bytes)) {
    const decoded = bytes.toString("utf8");
    // eslint-disable-next-line no-control-regex -- control characters are the point
    if (!/[\x00-\x1f\x7f-\x9f\\]/.test(decoded)) return decoded;
  }
  let printed = "";
  for (let at = 0; at < bytes.length;) {
    const length = sequenceLength(bytes, at);
    const first = bytes[at]!;
    const isControl =
      first < 0x20 || first === 0x7f || (first === 0xc2 && length === 2 && bytes[at + 1]! < 0xa0);
    if (length === 0 || isControl || first === BACKSLASH) {
      const count = Math.max(length, 1);
      for (const byte of bytes.subarray(at, at + count))
        printed += `\\x${byte.toString(16).padStart(2, "0")}`;
      at += count;
    } else {
      printed += bytes.toString("utf8", at, at + length);
      at += length;
    }
  }
  return printed;
}

/**
 * Returns a sentence, which may contain names of the host's files, as one line for a terminal: control characters become
 * `\xNN`. Backslashes stay, since names of a guest in the sentence have already been through `printName`.
 */
export function printSentence(text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are the point
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, (character) => printName(Buffer.from(character)));
}

/** Returns the bytes of a name that a user typed or copied from our output: `\xNN` is a byte, the rest is UTF-8. */
export function parseName(printed: string): Buffer {
  const parts: Buffer[] = [];
  let at = 0;
  for (const match of printed.matchAll(/\\x([0-9a-fA-F]{2})/g)) {
    parts.push(Buffer.from(printed.slice(at, match.index)), Buffer.from(match[1]!, "hex"));
    at = match.index + match[0].length;
  }
  parts.push(Buffer.from(printed.slice(at)));
  return Buffer.concat(parts);
}

const BACKSLASH = 0x5c;

/** Returns the length of the UTF-8 character at `at`, in bytes; 0 if there is no valid one. */
function sequenceLength(bytes: Buffer, at: number): number {
  const first = bytes[at]!;
  if (first < 0x80) return 1;
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  return isUtf8(bytes.subarray(at, at + length)) && at + length <= bytes.length ? length : 0;
}
