/**
 * Short names are text in the code page of the guest's DOS or Windows, which the volume does not name. The
 * tables are iconv-lite's.
 */
import { createRequire } from "node:module";
import { nameFromUtf16 } from "../../bytes/utf16.js";
import { codePageNumber } from "./codepages.js";

/** Loads a package when it is first needed: few volumes need it, and a mount starts sooner without it. */
const later = createRequire(import.meta.url);

export interface CodePage {
  /** "437" */
  readonly number: string;
  /** The host's name for a short name in `bytes`, in lower case if `isLower`. The result may be `bytes` itself. */
  name(bytes: Buffer, isLower: boolean): Buffer;
}

/** The code page that "850", "cp850" or "CP850" means; `undefined` if it is unknown. */
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

/** Returns true for ASCII characters that mean the same in every code page and on every host: most names are such. */
function isPlain(bytes: Buffer): boolean {
  if (bytes[0] === DOT) return false;
  for (const byte of bytes)
    if (byte <= SPACE || byte >= DELETE || byte === PERCENT || byte === SLASH) return false;
  return true;
}

const [SPACE, PERCENT, DOT, SLASH, DELETE] = [0x20, 0x25, 0x2e, 0x2f, 0x7f]; // "%" is Arabic in code page 864

/** What iconv-lite returns for bytes that have no character in the code page. */
const UNKNOWN = "\ufffd";

/** Keeps bytes that have no character as they are: the host shows them as bytes that are not text. */
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

/** Lower case, unit by unit, as in Windows: no name becomes longer. */
function lowerCase(text: string): string {
  return text.replace(/./gsu, (character) => {
    const lower = character.toLowerCase();
    return lower.length === character.length ? lower : character;
  });
}
