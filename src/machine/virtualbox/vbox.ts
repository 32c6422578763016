/**
 * VirtualBox's machine file `<name>.vbox`, of which only the hard disks are read yet: text in, value out.
 * Source: VirtualBox src/VBox/Main/xml/VirtualBox-settings.xsd, TMediaRegistry and THardDisk.
 */
import { XMLParser } from "fast-xml-parser";
import { CorruptError, UnsupportedError } from "../../errors.js";

export interface MachineFile {
  /** All hard disks that the machine has registered: bases, and below them what was made on them. */
  readonly hardDisks: readonly HardDisk[];
}

export interface HardDisk {
  /** Lower case, without braces. */
  readonly uuid: string;
  /** As it is written there: absolute, or relative to the file's folder; in the manner of the host that wrote it. */
  readonly location: string;
}

/** VirtualBox refuses hard disks nested deeper than 300 (SettingsMediumDepthMax), and snapshots more than 250. */
const DEPTH_LIMIT = 1000;

/** 250 snapshots of each of forty disks: every one costs a few looks at the file system. */
const DISKS_LIMIT = 10_000;

const parser = new XMLParser({
  ignoreAttributes: false,
  attributesGroupName: "$",
  attributeNamePrefix: "",
  parseAttributeValue: false,
  parseTagValue: false,
  processEntities: false, // the file may be hostile: what entities it defines is of no interest
  maxNestedTags: DEPTH_LIMIT,
  isArray: (name) => name === "HardDisk",
});

/**
 * What `xml`, the text of `file`, says.
 * @throws {CorruptError} where it is no XML.
 * @throws {UnsupportedError} where it is that of something else: an encrypted machine, for example.
 */
export function parseMachineFile(xml: string, file: string): MachineFile {
  const root = parse(xml, file);
  const machine = child(child(root, "VirtualBox"), "Machine");
  if (machine === undefined) {
    throw new UnsupportedError({ file, thing: "no machine is described here that can be read" });
  }
  const hardDisks: HardDisk[] = [];
  const pending: unknown[] = [child(child(machine, "MediaRegistry"), "HardDisks")];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    const { uuid, location } = (child(node, "$") ?? {}) as { uuid?: string; location?: string };
    if (uuid !== undefined && location !== undefined) {
      hardDisks.push({ uuid: uuid.replace(/[{}]/g, "").toLowerCase(), location: unescape(location) });
    }
    const nested = child(node, "HardDisk");
    if (Array.isArray(nested)) for (const disk of (nested as unknown[]).reverse()) pending.push(disk);
    if (hardDisks.length > DISKS_LIMIT) {
      const expected = `at most ${DISKS_LIMIT}`;
      throw new UnsupportedError({ file, thing: "the number of hard disks", found: "larger", expected });
    }
  }
  return { hardDisks };
}

function parse(xml: string, file: string): unknown {
  try {
    return parser.parse(xml);
  } catch (error) {
    const reason = error instanceof Error ? error.message : "";
    throw new CorruptError({ file, thing: `this is not the XML of a machine (${reason})`, cause: error });
  }
}

/** What the element `node` has under `name`; an element without children is a text to the parser. */
function child(node: unknown, name: string): unknown {
  return typeof node === "object" && node !== null ? (node as Record<string, unknown>)[name] : undefined;
}

/** XML's own five entities, and characters by number (XML 1.0, 4.1 and 4.6). */
function unescape(value: string): string {
  const own: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
  return value.replace(
    /&(?:(amp|lt|gt|quot|apos)|#(\d{1,7})|#x([0-9a-f]{1,6}));/gi,
    (whole, name, ten, hex) => {
      if (name !== undefined) return own[String(name)] ?? whole;
      const code = ten !== undefined ? parseInt(String(ten), 10) : parseInt(String(hex), 16);
      return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
    },
  );
}
