/** Machines' settings files, damaged as text: read as the XML parser alone reads them, or refused. */
import { DiskError, type DiskErrorCode } from "../../../src/errors.js";
import { parseSettings } from "../../../src/machine/virtualbox/settings.js";
import { machineXml, VERSIONS } from "../../machine/virtualbox/builder.js";
import { Finding } from "../finding.js";
import type { Random } from "../random.js";
import type { Target } from "../target.js";

export interface SettingsInput {
  readonly text: string;
}

const WORDS = [
  ...["<", ">", "&", ";", '"', "'", "/", "=", "!", "-", "[", "]", "?", "\n", "\0", "\ud800", "é", "日"],
  ...[
    "&amp;",
    "&lt;",
    "&#65;",
    "&#x0;",
    "&#xd800;",
    "&unknown;",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<?xml?>",
    "<!DOCTYPE a>",
  ],
  ...[
    "<a>",
    "</a>",
    "<a/>",
    "<Hardware>",
    "</Hardware>",
    'uuid="{}"',
    "xmlns:a=''",
    " ",
    "  ",
    "a",
    "\ufeff",
    "\u0001",
    "\ufffe",
  ],
  ...[
    "<HardDisk ",
    "<Snapshot ",
    "<StorageController ",
    "<AttachedDevice ",
    "<Image ",
    "</",
    "/>",
    "=",
    '=""',
  ],
];

const DISK_ERRORS = new Set<string>([
  "CORRUPT",
  "UNSUPPORTED",
  "MISSING",
  "DENIED",
  "HOST",
] satisfies DiskErrorCode[]);

const sound = VERSIONS.map((version) =>
  machineXml({
    version,
    uuid: "a",
    name: "Tom & <Jerry>",
    description: "Two lines,\nand <a> & b",
    disks: [{ uuid: "b", location: "a > b.vdi", children: [{ uuid: "c", location: "Snapshots/{c}.vdi" }] }],
    attached: [{ controller: "SATA", port: 0, uuid: "c" }],
    snapshot: {
      uuid: "d",
      name: "é and 日本",
      taken: "2026-03-01T12:00:00Z",
      description: "before",
      attached: [{ controller: "SATA", port: 0, uuid: "b" }],
    },
  }),
);

export function settingsTarget(): Target<SettingsInput> {
  return {
    make(random) {
      let text = random.pick(sound);
      do text = change(text, random);
      while (!random.oneIn(3));
      return { text };
    },
    run({ text }) {
      const found = outcome(text);
      // A comment at the end changes nothing, but no short cut around the parser takes it.
      const expected = outcome(`${text}<!-- -->`);
      if (found === expected) return;
      const isRefused = DISK_ERRORS.has(expected);
      const what = isRefused
        ? `read, though the parser alone says ${expected}`
        : "read otherwise than by the parser alone";
      throw new Finding("silent", `${what}\n${found}\n${expected}`);
    },
    *simpler({ text }) {
      for (let part = 2 ** Math.floor(Math.log2(text.length || 1)); part >= 1; part /= 2)
        for (let at = 0; at < text.length; at += part)
          yield { text: text.slice(0, at) + text.slice(at + part) };
    },
    label: () => "settings",
  };
}

function outcome(text: string): string {
  try {
    return JSON.stringify(parseSettings(text, "m.vbox"));
  } catch (error) {
    if (error instanceof DiskError) return error.code;
    throw error;
  }
}

function change(text: string, random: Random): string {
  const at = random.below(text.length + 1);
  const length = 1 + random.below(random.oneIn(3) ? 200 : 8);
  switch (random.below(5)) {
    case 0:
      return text.slice(0, at) + text.slice(at + length);
    case 1:
      return text.slice(0, at) + random.pick(WORDS) + text.slice(at + random.below(2));
    case 2: {
      const from = random.below(text.length);
      return text.slice(0, at) + text.slice(from, from + length) + text.slice(at);
    }
    case 3:
      return (
        text.slice(0, at) +
        String.fromCharCode(random.below(random.oneIn(2) ? 128 : 65536)) +
        text.slice(at + 1)
      );
    default:
      return random.oneIn(4) ? text.slice(0, at) : text.slice(0, at) + random.pick(WORDS) + text.slice(at);
  }
}
