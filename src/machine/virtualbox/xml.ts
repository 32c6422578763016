/**
 * VirtualBox's XML files as a tree of elements. They may come from strangers: size, markup and depth have limits,
 * and an entity that the file itself declares is an error.
 */
import { SaxesParser, type SaxesTagPlain } from "saxes";
import { CorruptError, DiskError, UnsupportedError } from "../../errors.js";

export interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string | undefined>>;
  readonly children: readonly Element[];
  /** What stands directly in it. */
  readonly text: string;
}

/** Bytes. A machine with 250 snapshots, each of which repeats its hardware, takes 4 MB. */
export const SIZE_LIMIT = 16 * 2 ** 20;

/** Characters and elements of what is left to read: 250 snapshots of forty disks have 4 million and 100,000. */
const TEXT_LIMIT = 8 * 2 ** 20;
const ELEMENTS_LIMIT = 200_000;

/** VirtualBox refuses hard disks nested deeper than 300 (SettingsMediumDepthMax), and snapshots more than 250. */
const DEPTH_LIMIT = 1000;

/**
 * The root element of `xml`, the text of `file`; of `<Hardware>` only what tells of media.
 * @throws {CorruptError} where it is no XML, or ends before its last element does.
 * @throws {UnsupportedError} where it passes a limit.
 */
export function readXml(xml: string, file: string): Element {
  try {
    return parse(withoutHardware(xml), file);
  } catch (error) {
    if (!(error instanceof CorruptError)) throw error;
    return parse(xml, file); // it knows the line, or it was a ">" within a value that misled us
  }
}

function parse(xml: string, file: string): Element {
  if (xml.length > TEXT_LIMIT) throw tooMuch(file, "length of its text", xml.length, TEXT_LIMIT);
  let count = 0;
  const open: { name: string; attributes: Record<string, string>; children: Element[]; text: string }[] = [];
  let root: Element | undefined;
  const parser = new SaxesParser({ xmlns: false });
  parser.on("opentag", ({ name, attributes }: SaxesTagPlain) => {
    if (++count > ELEMENTS_LIMIT) throw tooMuch(file, "number of its elements", "larger", ELEMENTS_LIMIT);
    if (open.length === DEPTH_LIMIT) throw tooMuch(file, "depth of its elements", "larger", DEPTH_LIMIT);
    const element = { name, attributes, children: [], text: "" };
    open.at(-1)?.children.push(element);
    root ??= element;
    open.push(element);
  });
  parser.on("closetag", () => open.pop());
  const addText = (added: string): void => {
    const element = open.at(-1);
    if (element !== undefined) element.text = element.text === "" ? added : element.text + added;
  };
  parser.on("text", addText);
  parser.on("cdata", addText);
  try {
    parser.write(xml).close();
  } catch (error) {
    if (error instanceof DiskError) throw error;
    const reason = error instanceof Error ? `line ${error.message}` : String(error);
    throw new CorruptError({ file, thing: `this is not whole XML (${reason})`, cause: error });
  }
  return root!; // a document without an element is an error of the parser's
}

/** The first child of `element` that is called `name`. */
export function child(element: Element | undefined, name: string): Element | undefined {
  return element?.children.find((inner) => inner.name === name);
}

/** All children of `element` that are called `name`. */
export function childrenOf(element: Element | undefined, name: string): readonly Element[] {
  return element?.children.filter((inner) => inner.name === name) ?? [];
}

/** What tells of media within `<Hardware>`. */
const KEPT = ["StorageControllers", "DVDDrive", "FloppyDrive"];

/** What cannot be taken for a tag within `<Hardware>`, and what would make it end elsewhere than it seems to. */
const DOUBTFUL = /<!\[CDATA\[|<!DOCTYPE|<\?(?!xml )/;
/** What stands between tags for the eye. */
const BETWEEN = />\s+</g;
const NESTED = /<\/?Hardware[\s/>]/;

/**
 * `xml` without the innards of `<Hardware>` that nobody here asks for: nine tenths of a machine's file, since every
 * snapshot repeats them. Within an element "<" begins a tag, but in comments, which are left away first, and in
 * constructs for which the text is left as it is.
 */
function withoutHardware(xml: string): string {
  if (DOUBTFUL.test(xml)) return xml;
  const text = xml.includes("<!--") ? xml.replace(/<!--[^]*?-->/g, "") : xml;
  const kept: string[] = [];
  let at = 0;
  for (const tag of text.matchAll(/<Hardware(?:\s[^>]*[^>/])?>/g)) {
    const start = tag.index + tag[0].length;
    if (start < at) return xml;
    const end = text.indexOf("</Hardware>", start);
    const inner = text.slice(start, end);
    if (end < 0 || NESTED.test(inner)) return xml;
    kept.push(text.slice(at, start));
    for (const name of KEPT) kept.push(elementIn(inner, name));
    at = end;
  }
  kept.push(text.slice(at));
  return kept.join("").replace(BETWEEN, "><");
}

/** The text of the element `name` in `text`; empty where there is none. */
function elementIn(text: string, name: string): string {
  const start = text.indexOf(`<${name}`);
  if (start < 0) return "";
  const tagEnd = text.indexOf(">", start);
  if (text[tagEnd - 1] === "/") return text.slice(start, tagEnd + 1);
  const close = `</${name}>`;
  return text.slice(start, text.indexOf(close, tagEnd) + close.length);
}

function tooMuch(file: string, thing: string, found: number | string, limit: number): UnsupportedError {
  return new UnsupportedError({ file, thing: `the ${thing}`, found, expected: `at most ${limit}` });
}
