/**
 * The XML that programs write: tags, values in double quotes, the entities that XML itself has, and nothing else. Two
 * hundred machines have a hundred thousand elements, for which this takes a fraction of a parser's time. It only says
 * yes to what a parser reads in the same way: what is unusual is left to the parser, and so are all complaints.
 */
export interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string | undefined>>;
  readonly children: readonly Element[];
  /** What stands directly in it. */
  readonly text: string;
}

interface OpenElement extends Element {
  readonly attributes: Record<string, string>;
  readonly children: Element[];
  text: string;
}

export interface Limits {
  readonly elements: number;
  readonly depth: number;
}

/**
 * What tells of media within `<Hardware>`: the rest is passed over, nine tenths of a file, since every snapshot
 * repeats it.
 */
const KEPT = ["StorageControllers", "DVDDrive", "FloppyDrive"];

/** What is before the root element in the files that VirtualBox writes. */
const HEADER =
  /^<\?xml version="1\.0"(?: encoding="(?:utf|UTF)-8")?\?>[ \n]*(?:<!--(?:(?!--)[\n -\ud7ff])*-->[ \n]*)?/;

/** The root element of `xml`; undefined where it is not plain, not within `limits`, or no XML at all. */
export function readPlainXml(xml: string, limits: Limits): Element | undefined {
  let at = HEADER.exec(xml)?.[0].length ?? 0;
  if (xml.includes("<!", at) || xml.includes("<?", at)) return undefined;
  const open: OpenElement[] = [];
  let top: OpenElement | undefined;
  let count = 0;
  for (;;) {
    const tag = xml.indexOf("<", at);
    if (tag < 0) return undefined; // its last element does not end
    const isEnd = xml.charCodeAt(tag + 1) === SLASH;
    if (tag > at && (isEnd || !isBlank(xml, at, tag))) {
      const text = textOf(xml.slice(at, tag));
      if (text === undefined || top === undefined) return undefined;
      // Space between elements is left out, and counts as text where there is other text beside them.
      if (top.children.length === 0) top.text = text;
      else if (!isBlank(xml, at, tag)) return undefined;
    }
    if (!isEnd && top !== undefined && !isBlank(top.text, 0, top.text.length)) return undefined;
    let ended: OpenElement | undefined;
    if (isEnd) {
      if (top === undefined || !xml.startsWith(top.name, tag + 2)) return undefined;
      at = tag + 2 + top.name.length;
      if (xml.charCodeAt(at++) !== GREATER) return undefined;
      ended = open.pop();
      top = open.at(-1);
    } else {
      at = nameEnd(xml, tag + 1);
      if (at === tag + 1 || ++count > limits.elements || open.length === limits.depth) return undefined;
      const name = xml.slice(tag + 1, at);
      const element = { name, attributes: {}, children: [], text: "" };
      at = readAttributes(xml, at, element.attributes);
      if (at < 0) return undefined;
      top?.children.push(element);
      if (xml.charCodeAt(at - 2) === SLASH) {
        ended = element;
      } else if (top?.name === "Hardware" && !KEPT.includes(name)) {
        const left = { elements: limits.elements - count, depth: limits.depth - open.length };
        const passed = skipElement(xml, at, name, left);
        if (passed === undefined) return undefined;
        at = passed.end;
        count += passed.count;
      } else {
        open.push(element);
        top = element;
      }
    }
    if (top === undefined) return isBlank(xml, at, xml.length) ? ended : undefined;
  }
}

/**
 * Where the element `name` ends whose content begins at `at`, and how many elements are in it. It is checked as all else
 * is, and nothing of it is kept.
 */
function skipElement(
  xml: string,
  at: number,
  name: string,
  limits: Limits,
): { end: number; count: number } | undefined {
  const open = [name];
  let count = 0;
  while (open.length > 0) {
    const tag = xml.indexOf("<", at);
    if (tag < 0 || (!isBlank(xml, at, tag) && textOf(xml.slice(at, tag)) === undefined)) return undefined;
    if (xml.charCodeAt(tag + 1) === SLASH) {
      const last = open.pop()!;
      at = tag + 2 + last.length;
      if (!xml.startsWith(last, tag + 2) || xml.charCodeAt(at++) !== GREATER) return undefined;
      continue;
    }
    const end = nameEnd(xml, tag + 1);
    if (end === tag + 1 || ++count > limits.elements || open.length === limits.depth) return undefined;
    at = readAttributes(xml, end, {});
    if (at < 0) return undefined;
    if (xml.charCodeAt(at - 2) !== SLASH) open.push(xml.slice(tag + 1, end));
  }
  return { end: at, count };
}

/** Whether only space for the eye stands from `at` to `end`. */
function isBlank(xml: string, at: number, end: number): boolean {
  for (; at < end; at++) {
    const code = xml.charCodeAt(at);
    if (code !== SPACE && code !== NEWLINE) return false;
  }
  return true;
}

/** Where the name that begins at `at` ends; `at` itself where it begins with no letter. */
function nameEnd(xml: string, at: number): number {
  let code = xml.charCodeAt(at) | LOWER;
  if (!(code >= 0x61 && code <= 0x7a)) return at;
  do code = xml.charCodeAt(++at);
  while (((code | LOWER) >= 0x61 && (code | LOWER) <= 0x7a) || (code >= 0x30 && code <= 0x39));
  return at;
}

/** Reads what stands between a tag's name and its end into `attributes`; where the tag has ended, or -1. */
function readAttributes(xml: string, at: number, attributes: Record<string, string>): number {
  for (;;) {
    let code = xml.charCodeAt(at);
    if (code === GREATER) return at + 1;
    if (code === SLASH) return xml.charCodeAt(at + 1) === GREATER ? at + 2 : -1;
    if (code !== SPACE && code !== NEWLINE) return -1;
    while (code === SPACE || code === NEWLINE) code = xml.charCodeAt(++at);
    if (code === GREATER || code === SLASH) continue;
    const keyEnd = nameEnd(xml, at);
    if (keyEnd === at || xml.charCodeAt(keyEnd) !== EQUALS || xml.charCodeAt(keyEnd + 1) !== QUOTE) return -1;
    const key = xml.slice(at, keyEnd);
    if (attributes[key] !== undefined) return -1; // no second one, and no name that every object has
    const start = (at = keyEnd + 2);
    let isDecoded = true;
    for (code = xml.charCodeAt(at); code !== QUOTE; code = xml.charCodeAt(++at)) {
      // Among them are line ends, which a parser makes spaces. There is none beyond the end of the text.
      if (!(code >= SPACE && code < SURROGATES) || code === LESS) return -1;
      if (code === AMPERSAND) isDecoded = false;
    }
    const written = xml.slice(start, at++);
    const value = isDecoded ? written : decoded(written);
    if (value === undefined) return -1;
    attributes[key] = value;
  }
}

// eslint-disable-next-line no-control-regex -- control characters are no XML
const ODD_TEXT = /[\x00-\x08\x0b-\x1f\ud800-\uffff]|\]\]>/;

function textOf(written: string): string | undefined {
  return ODD_TEXT.test(written) ? undefined : decoded(written);
}

/** XML's own, and the characters that VirtualBox would lose otherwise. */
const ENTITIES: ReadonlyMap<string, string> = new Map([
  ["amp", "&"],
  ["lt", "<"],
  ["gt", ">"],
  ["quot", '"'],
  ["apos", "'"],
  ["#9", "\t"],
  ["#10", "\n"],
  ["#13", "\r"],
]);

/** `written` with its entities resolved; undefined where it has others than these. */
function decoded(written: string): string | undefined {
  if (/&(?!(?:amp|lt|gt|quot|apos|#9|#10|#13);)/.test(written)) return undefined;
  return written.replace(/&([a-z]+|#\d+);/g, (_, name: string) => ENTITIES.get(name)!);
}

const NEWLINE = 0x0a;
const SPACE = 0x20;
const QUOTE = 0x22;
const AMPERSAND = 0x26;
const SLASH = 0x2f;
const LESS = 0x3c;
const EQUALS = 0x3d;
const GREATER = 0x3e;
/** Sets a letter's case. */
const LOWER = 0x20;
/** Beyond are halves of characters, and what is none: the parser knows. */
const SURROGATES = 0xd800;
