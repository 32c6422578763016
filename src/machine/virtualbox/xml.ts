/**
 * Parses VirtualBox's XML files to a tree of elements. They may come from strangers: size, number and depth of elements are
 * limited, and an entity that the file itself declares is an error.
 */
import { createRequire } from "node:module";
import type { SaxesTagPlain } from "saxes";
import { CorruptError, DiskError, UnsupportedError } from "../../errors.js";
import { readPlainXml, type Element, type Limits } from "./plain-xml.js";

export type { Element };

/** Loads the parser only when a file needs it, so that a mount begins sooner. */
const requireLater = createRequire(import.meta.url);

/** Bytes. A machine with 250 snapshots, each of which repeats its hardware, takes 4 MB. */
export const SIZE_LIMIT = 16 * 2 ** 20;

const LIMITS: Limits = {
  /** 250 snapshots of forty disks have 100,000. */
  elements: 200_000,
  /** VirtualBox refuses hard disks nested deeper than 300 (SettingsMediumDepthMax), and snapshots more than 250. */
  depth: 1000,
};

/**
 * Returns the root element of `xml`, the text of `file`. Of `<Hardware>`, it may have only the elements that contain media.
 * @throws {CorruptError} if it is not valid XML, or truncated.
 * @throws {UnsupportedError} if it exceeds a limit.
 */
export function readXml(xml: string, file: string): Element {
  return readPlainXml(xml, LIMITS) ?? parse(xml, file);
}

function parse(xml: string, file: string): Element {
  const { SaxesParser } = requireLater("saxes") as typeof import("saxes");
  let count = 0;
  const open: { name: string; attributes: Record<string, string>; children: Element[]; text: string }[] = [];
  let root: Element | undefined;
  const parser = new SaxesParser({ xmlns: false });
  parser.on("opentag", ({ name, attributes }: SaxesTagPlain) => {
    if (++count > LIMITS.elements) throw tooMuch(file, "number of its elements", "larger", LIMITS.elements);
    if (open.length === LIMITS.depth) throw tooMuch(file, "depth of its elements", "larger", LIMITS.depth);
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
    throw new CorruptError({ file, thing: `this is not complete and valid XML (${reason})`, cause: error });
  }
  return root!; // the parser throws for a document without an element
}

/** Returns the first child of `element` with that name. */
export function child(element: Element | undefined, name: string): Element | undefined {
  return element?.children.find((inner) => inner.name === name);
}

/** Returns all children of `element` with that name. */
export function childrenOf(element: Element | undefined, name: string): readonly Element[] {
  return element?.children.filter((inner) => inner.name === name) ?? [];
}

function tooMuch(file: string, thing: string, found: number | string, limit: number): UnsupportedError {
  return new UnsupportedError({ file, thing: `the ${thing}`, found, expected: `at most ${limit}` });
}
