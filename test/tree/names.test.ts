import t from "tap";
import type { DiskState } from "../../src/machine/machine.js";
import { directoryNames } from "../../src/tree/names.js";

const state = (name: string, uuid?: string, isCurrent = false): DiskState => ({
  name,
  isCurrent,
  imageUuid: "",
  ...(uuid !== undefined && { uuid }),
});

function namesOf(...states: DiskState[]): string[] {
  const names = directoryNames(states);
  return states.map((state) => names.get(state)!);
}

const [A, B] = ["aaaaaaaa-1111-2222-3333-444444444444", "bbbbbbbb-1111-2222-3333-444444444444"];

t.test(
  "a name that a directory can have is kept; in any other, what it cannot have is replaced",
  async (t) => {
    t.same(namesOf(state("Before update"), state("Vor dem Größenändern \u{1f4be}")), [
      "Before update",
      "Vor dem Größenändern \u{1f4be}",
    ]);
    t.same(namesOf(state("a/b"), state("x\0y\nz\u0085\x1b[31m")), ["a_b", "x_y_z__[31m"]);
    t.same(namesOf(state("."), state(".."), state("..."), state("")), ["_", "__", "...", "unnamed"]);
    t.same(namesOf(state("e\u0301")), ["\u00e9"]);
    t.same(
      namesOf(state("\ud800", A), state("\udc00", B)),
      ["\ufffd", "\ufffd (bbbbbbbb)"],
      "no text at all",
    );
  },
);

t.test("of several with one name the current state keeps it, else the oldest", async (t) => {
  t.same(namesOf(state("x", A), state("x", B)), ["x", "x (bbbbbbbb)"]);
  t.same(namesOf(state("current", A), state("current", undefined, true)), ["current (aaaaaaaa)", "current"]);
  t.same(namesOf(state("a/b", A), state("a_b", B)), ["a_b", "a_b (bbbbbbbb)"]);
});

t.test("names stay different whatever snapshots are called and numbered", async (t) => {
  const hostile = [
    ...Array.from({ length: 40 }, () => state("x", A)),
    ...Array.from({ length: 40 }, () => state("x")),
    ...Array.from({ length: 40 }, (_, index) => state(`x (${index})`, "../../etc")),
    state("x (aaaaaaaa)", B),
  ];
  const names = namesOf(...hostile);
  t.equal(new Set(names).size, hostile.length);
  for (const name of names) t.notMatch(name, /\//);
});

t.test(
  "a name that is too long is truncated between two characters, and stays different from others",
  async (t) => {
    for (const letter of ["x", "é", "€", "\u{1f4be}"]) {
      const [first, second] = namesOf(state(letter.repeat(300), A), state(letter.repeat(300), B));
      t.ok(Buffer.byteLength(first!) <= 255 && Buffer.byteLength(first!) > 251, letter);
      t.match(first, new RegExp(`^(${letter})+$`, "u"));
      t.ok(Buffer.byteLength(second!) <= 255);
      t.match(second, new RegExp(`^(${letter})+ \\(bbbbbbbb\\)$`, "u"));
    }
  },
);
