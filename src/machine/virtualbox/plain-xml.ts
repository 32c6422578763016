/**
 * Parses simple XML, as programs write it: tags, attributes in double quotes, the entities of XML itself, nothing else. The
 * settings of two hundred machines have a hundred thousand elements; this takes a fraction of a full parser's time. It
 * accepts only what an XML parser reads in the same way. The parser reads everything else, and reports the errors.
 */
export interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string | undefined>>;
  readonly children: readonly Element[];
  /** The text directly in it. */
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
 * The elements in `<Hardware>` that contain media. The others, nine tenths of a file since each snapshot repeats them, are
 * skipped.
 */
const KEPT = ["StorageControllers", "DVDDrive", "FloppyDrive"];

/** What VirtualBox writes before the root element. */
const HEADER =
  /^<\?xml version="1\.0"(?: encoding="(?:utf|UTF)-8")?\?>[ \n]*(?:<!--(?:(?!--)[\n -\ud7ff])*-->[ \n]*)?/;

/** Returns the root element of `xml`; undefined if it is not simple, exceeds `limits`, or is no XML. */
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
      // White space between elements is ignored. An element with both text and elements is left to the parser.
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
 * Skips the element `name` whose content begins at `at`, with the same checks as for all others. Returns where it ends, and
 * how many elements are in it.
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

/** Whether there is only white space from `at` to `end`. */
function isBlank(xml: string, at: number, end: number): boolean {
  for (; at < end; at++) {
    const code = xml.charCodeAt(at);
    if (code !== SPACE && code !== NEWLINE) return false;
  }
  return true;
}

/** Returns the end of the name that begins at `at`; `at` itself if it does not begin with a letter. */
function nameEnd(xml: string, at: number): number {
  let code = xml.charCodeAt(at) | LOWER;
  if (!(code >= 0x61 && code <= 0x7a)) return at;
  do code = xml.charCodeAt(++at);
  while (((code | LOWER) >= 0x61 && (code | LOWER) <= 0x7a) || (code >= 0x30 && code <= 0x39));
  return at;
}

/** Reads the attributes of a tag, from behind its name, into `attributes`. Returns where the tag ends, or -1. */
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
    if (attributes[key] !== undefined) return -1; // a second one, or the name of a property that every object has
    const start = (at = keyEnd + 2);
    let isDecoded = true;
    for (code = xml.charCodeAt(at); code !== QUOTE; code = xml.charCodeAt(++at)) {
      // This includes line ends, which a parser converts to spaces, and NaN behind the end of the text.
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

/** The entities of XML, and those that VirtualBox writes for white space. */
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

/** Resolves the entities in `written`; undefined if it has others. */
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
/** The bit that makes a letter lower case. */
const LOWER = 0x20;
/** From here on there are surrogates and invalid characters, which are left to the parser. */
const SURROGATES = 0xd800;
