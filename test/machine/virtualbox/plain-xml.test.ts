import t from "tap";
import { DiskError } from "../../../src/errors.js";
import { readPlainXml } from "../../../src/machine/virtualbox/plain-xml.js";
import { parseSettings } from "../../../src/machine/virtualbox/settings.js";
import { random } from "../../image/random.js";
import { machineXml, VERSIONS } from "./builder.js";

const LIMITS = { elements: 1000, depth: 50 };

/** What is plain no more, and means the same: the parser reads it. */
const forParser = (text: string): string => `${text}<!-- -->`;

const outcome = (text: string): unknown => {
  try {
    return parseSettings(text, "m.vbox");
  } catch (error) {
    if (error instanceof DiskError) return error.code;
    throw error;
  }
};

const written = VERSIONS.map((version) =>
  machineXml({
    version,
    uuid: "a",
    name: 'Tom & Jerry\'s <"new"> machine',
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

t.test("XML that VirtualBox writes is read as by the full parser", (t) => {
  for (const text of written) {
    t.ok(readPlainXml(text, LIMITS));
    t.equal(readPlainXml(forParser(text), LIMITS), undefined);
    t.same(parseSettings(text, "m.vbox"), parseSettings(forParser(text), "m.vbox"));
  }
  t.end();
});

t.test("XML with a change anywhere is read as by the full parser, or left to it", (t) => {
  const numbers = random(11);
  const pieces = [
    ...Array.from("<>/=\"'& \n\t\r;]x-!?0\0\uffff"),
    "]]>",
    "&lt;",
    "&#65;",
    "&x;",
    '<a b="c"/>',
    "<a>",
  ];
  // Whatever stands in <Hardware> is passed over unread, so it must not be what is changed.
  const texts = written.map((text) => text.replace(/<Hardware\b[^>]*>(?! is)[^]*?<\/Hardware>/g, ""));
  let read = 0;
  for (let round = 0; round < 6000; round++) {
    const text = texts[numbers.below(texts.length)]!;
    const at = numbers.below(text.length);
    const changed =
      text.slice(0, at) + pieces[numbers.below(pieces.length)]! + text.slice(at + numbers.below(3));
    if (readPlainXml(changed, LIMITS) === undefined) continue;
    read++;
    t.same(outcome(changed), outcome(forParser(changed)), JSON.stringify(changed.slice(at - 20, at + 20)));
  }
  t.ok(read > 300, `${read} were still plain`);
  t.end();
});

t.test("XML that is truncated anywhere is left to the full parser", (t) => {
  const text = written.at(-1)!.trimEnd();
  for (let length = 0; length < text.length; length++) {
    if (readPlainXml(text.slice(0, length), LIMITS) !== undefined) t.fail(`cut at ${length}`);
  }
  t.end();
});

t.test("XML beyond the limits, or with errors in skipped elements, is left to the full parser", (t) => {
  for (const text of [
    "<a>".repeat(60) + "</a>".repeat(60),
    `<a>${"<b/>".repeat(1001)}</a>`,
    "<a/><b/>",
    "text<a/>",
    "<a/>text",
    "<a b='c'/>",
    '<a b="1" b="2"/>',
    '<a constructor="1"/>',
    "<Hardware><CPU><!-- </CPU><Fake/><CPU> --></CPU></Hardware>",
    "<Hardware><CPU></Hardware>",
    '<Hardware><CPU t=""><</CPU></Hardware>',
    '<Hardware><CPU><PAE a="1" a="2"/></CPU></Hardware>',
    "<Hardware><CPU>&unknown;</CPU></Hardware>",
    "<a>text<b/>\n<b/>text</a>",
    '<?xml version="1.0"?>\ufeff<a/>',
  ]) {
    t.equal(readPlainXml(text, LIMITS), undefined, text.slice(0, 40));
  }
  t.ok(readPlainXml("<Hardware><CPU><CPU></CPU></CPU></Hardware>", LIMITS), "the same name within itself");
  t.end();
});
