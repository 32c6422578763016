/** Internal snapshots of an image, from --snapshot to the tree. No format that is read has any yet: a toy format stands in. */
import { join } from "node:path";
import t from "tap";
import { MissingError } from "../../src/errors.js";
import { read } from "../../src/extent/read.js";
import { formats } from "../../src/image/formats.js";
import type { ImageFormat } from "../../src/image/image.js";
import { choose } from "../../src/machine/choose.js";
import { chooseState } from "../../src/machine/state-choice.js";
import { openDisk } from "../../src/tree/disk.js";
import { findNode } from "../../src/tree/path.js";
import { toyFormat, writeFiles } from "../image/toy.js";

(formats as ImageFormat[]).unshift(toyFormat());

function folderOf(t: { testdir(): string }): string {
  const folder = t.testdir();
  const states = "state now\nfile a\nstate first\nfile b\nstate twin\nfile c";
  writeFiles(folder, {
    "disk.img": `TOY\n${states}\nparent base.img raw same`,
    "base.img": 0xf9,
    a: 1,
    b: 2,
    c: 3,
  });
  return folder;
}

/** The first byte of the disk that the options of `vdisk` mean. */
async function firstByte(image: string, snapshot?: string): Promise<number> {
  const chosen = await choose({ image, ...(snapshot !== undefined && { snapshot }) });
  const disk = await openDisk(chosen.image, {
    admission: chosen.admission,
    imageState: chosen.state?.imageState,
  });
  try {
    return (await read(disk.source, 0, 1))[0]!;
  } finally {
    await disk.close();
  }
}

t.test("an internal snapshot is chosen by its name, like any other", async (t) => {
  const image = join(folderOf(t), "disk.img");
  t.equal(await firstByte(image), 1);
  t.equal(await firstByte(image, "first"), 2);
  t.equal(await firstByte(image, "twin"), 3);
  t.equal(await firstByte(image, "current"), 1);
  t.equal(await firstByte(image, "latest"), 3);
  t.equal(await firstByte(image, "base"), 0xf9);
  t.equal(await firstByte(image, "current~2"), 2);
  await t.rejects(choose({ image, snapshot: "third" }), MissingError);
});

t.test("every state is a directory of the tree, whichever was opened", async (t) => {
  const image = join(folderOf(t), "disk.img");
  for (const imageState of [undefined, "first"]) {
    const disk = await openDisk(image, { imageState });
    const bytes: Record<string, number> = {};
    for (const name of ["base.img", "first", "twin", "current"]) {
      const { id } = await findNode(disk, `snapshots/${name}/vhdd`, false);
      bytes[name] = (await read(await disk.tree.open(id), 0, 1))[0]!;
    }
    t.same(bytes, { "base.img": 0xf9, first: 2, twin: 3, current: 1 });
    await disk.close();
  }
});

t.test("two internal snapshots of the same name are not taken for one", (t) => {
  const state = (imageState: string, name = "twin") => ({
    name,
    isCurrent: false,
    image: "/disk",
    imageUuid: "",
    imageState,
  });
  const states = [state("1"), state("2"), state("3", "other")];
  const tree = { file: "/disk", states, base: undefined, parentOf: () => undefined };
  t.throws(() => chooseState(tree, "twin"), {
    name: "MissingError",
    message: /several states.*with the id 1.*with the id 2.*; use the id of one of them/,
  });
  t.equal(chooseState(tree, "2").state, states[1], "its id tells which is meant");
  t.equal(chooseState(tree, "other").state, states[2]);
  t.end();
});
