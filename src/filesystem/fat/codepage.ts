/**
 * Short names are bytes of the code page that the guest's DOS or Windows had, which the volume does not tell. The
 * tables are iconv-lite's.
 */
import { createRequire } from "node:module";
import { nameFromUtf16 } from "../../bytes/utf16.js";
import { codePageNumber } from "./codepages.js";

/** For what few volumes need: a mount begins sooner without it. */
const later = createRequire(import.meta.url);

export interface CodePage {
  /** "437" */
  readonly number: string;
  /** The text in `bytes`, whose characters are put into lower case where `isLower`; as the bytes of a host's name; they may be `bytes`. */
  name(bytes: Buffer, isLower: boolean): Buffer;
}

/** The code page that "850", "cp850" or "CP850" means; `undefined` where none is known. */
export function codePage(name: string): CodePage | undefined {
  const number = codePageNumber(name);
  if (number === undefined) return undefined;
  const iconv = later("iconv-lite") as typeof import("iconv-lite");
  const decode = (bytes: Buffer): string => iconv.decode(bytes, `cp${number}`, { stripBOM: false });
  return {
    number,
    name(bytes, isLower) {
      if (isPlain(bytes)) return isLower ? Buffer.from(bytes.toString("latin1").toLowerCase()) : bytes;
      const text = decode(bytes);
      const cased = isLower ? lowerCase(text) : text;
      return cased.includes(UNKNOWN) ? pieceByPiece(bytes, decode, isLower) : hostName(cased);
    },
  };
}

/** Whether these are characters of ASCII that every code page has, and every host takes: most names are. */
function isPlain(bytes: Buffer): boolean {
  if (bytes[0] === DOT) return false;
  for (const byte of bytes)
    if (byte <= SPACE || byte >= DELETE || byte === PERCENT || byte === SLASH) return false;
  return true;
}

const [SPACE, PERCENT, DOT, SLASH, DELETE] = [0x20, 0x25, 0x2e, 0x2f, 0x7f]; // "%" is Arabic in code page 864

/** What iconv-lite gives for bytes that the code page has nothing for. */
const UNKNOWN = "\ufffd";

/** Bytes without a meaning stay as they are: a host shows them as bytes that are no text. */
function pieceByPiece(bytes: Buffer, decode: (bytes: Buffer) => string, isLower: boolean): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = [1, 2].find((count) => {
      const part = bytes.subarray(at, at + count);
      return part.length === count && !decode(part).includes(UNKNOWN);
    });
    const part = bytes.subarray(at, at + (length ?? 1));
    at += part.length;
    // With a letter in front, a piece that is a dot is not taken for a whole name.
    const text = length === undefined ? undefined : decode(part);
    const cased = isLower && text !== undefined ? lowerCase(text) : text;
    pieces.push(cased === undefined ? Buffer.from(part) : hostName(`x${cased}`).subarray(1));
  }
  return Buffer.concat(pieces);
}

function hostName(text: string): Buffer {
  return nameFromUtf16(Buffer.from(text, "utf16le"));
}

/** Unit by unit, as Windows does it: nothing becomes longer. */
function lowerCase(text: string): string {
  return text.replace(/./gsu, (character) => {
    const lower = character.toLowerCase();
    return lower.length === character.length ? lower : character;
  });
}
