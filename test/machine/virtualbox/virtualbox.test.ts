import { mkdir, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import t, { type Test } from "tap";
import { withDescendants } from "../../../src/machine/descendants.js";
import { listMachines } from "../../../src/machine/machines.js";
import { findVirtualBoxImages } from "../../../src/machine/virtualbox/images.js";
import { virtualBox } from "../../../src/machine/virtualbox/virtualbox.js";
import {
  encryptedMachineXml,
  globalXml,
  machineXml,
  VERSIONS,
  type GlobalPlan,
  type MachinePlan,
} from "./builder.js";

const uuid = (number: number): string => `${String(number).padStart(8, "0")}-1111-4222-8333-444444444444`;
const MACHINES = "VirtualBox VMs";

/** A home with these machines below "VirtualBox VMs", and this VirtualBox.xml in `place`. */
async function home(
  t: Test,
  files: Readonly<Record<string, string>>,
  global?: Partial<GlobalPlan>,
  place = ".config/VirtualBox",
): Promise<string> {
  const root = t.testdir({ [MACHINES]: {} });
  process.env["HOME"] = root;
  delete process.env["VBOX_USER_HOME"];
  delete process.env["XDG_CONFIG_HOME"];
  const all = {
    ...files,
    ...(global !== undefined && { [`${place}/VirtualBox.xml`]: globalXml({ machines: [], ...global }) }),
  };
  for (const [name, text] of Object.entries(all)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), text);
  }
  return root;
}

const simple = (name: string, number: number, more: Partial<MachinePlan> = {}): string =>
  machineXml({ uuid: uuid(number), name, ...more });

/** Two branches, two disks of which one came later, a DVD; some of it odd. */
const plan: MachinePlan = {
  uuid: uuid(1),
  name: 'Tom & "Jerry" <é>',
  description: "First line\nsecond, with </Hardware> in it",
  attributes: { currentSnapshot: `{${uuid(13)}}`, aborted: "true" },
  disks: [
    {
      uuid: uuid(20),
      location: "a.vdi",
      description: "The base",
      children: [
        {
          uuid: uuid(21),
          location: `Snapshots/{${uuid(21)}}.vdi`,
          children: [{ uuid: uuid(22), location: "x.vdi" }],
        },
        { uuid: uuid(23), location: "y.vdi" },
      ],
    },
    { uuid: uuid(30), location: "D:\\disks\\b.vmdk", format: "vmdk", type: "Writethrough" },
    {
      uuid: uuid(40),
      location: "c.vdi",
      type: "Immutable",
      children: [{ uuid: uuid(41), location: "c1.vdi" }],
    },
  ],
  dvds: [{ uuid: uuid(50), location: "/isos/a.iso", format: "RAW" }],
  floppies: [{ uuid: uuid(51), location: "a.img", format: "RAW" }],
  attached: [
    { controller: "SATA", port: 0, uuid: uuid(23) },
    { controller: "SATA", port: 1, uuid: uuid(30) },
    { controller: "SATA", port: 2, uuid: uuid(41) },
    { controller: "IDE", port: 1, kind: "DVD", uuid: uuid(50) },
    { controller: "Floppy", port: 0, kind: "Floppy" },
  ],
  snapshot: {
    uuid: uuid(11),
    name: "first",
    taken: "2026-01-01T00:00:00Z",
    attached: [{ controller: "IDE", port: 0, device: 1, uuid: uuid(20) }],
    children: [
      {
        uuid: uuid(12),
        name: "of a branch",
        taken: "2026-01-03T00:00:00Z",
        stateFile: "Snapshots/a.sav",
        attached: [{ controller: "SATA", port: 0, uuid: uuid(21) }],
      },
      {
        uuid: uuid(13),
        name: "earlier",
        description: "taken before its sibling",
        taken: "2026-01-02T00:00:00.500Z",
        attached: [{ controller: "SATA", port: 0, uuid: uuid(20) }],
      },
    ],
  },
};

t.test(
  "a machine is the same in every settings version, also where its media are VirtualBox's own",
  async (t) => {
    for (const version of VERSIONS) {
      const isGlobal = Number(version.split(".")[1]) < 11;
      const file = isGlobal ? ".VirtualBox/Machines/m/m.xml" : `${MACHINES}/m/m.vbox`;
      const machines = [{ uuid: plan.uuid, src: isGlobal ? "Machines/m/m.xml" : `../${file}` }];
      const registry = isGlobal ? { disks: plan.disks!, dvds: plan.dvds! } : {};
      await home(
        t,
        { [file]: machineXml({ ...plan, version }) },
        { version, machines, ...registry },
        ".VirtualBox",
      );
      const list = await listMachines();
      t.same(list.warnings, [], version);
      t.equal(list.machines.length, 1, version);
      const [machine] = list.machines;
      t.match(
        machine,
        {
          name: plan.name,
          uuid: plan.uuid,
          description: plan.description!,
          state: "aborted",
          currentSnapshot: uuid(13),
          warnings: [],
        },
        version,
      );
      t.match(
        withDescendants(machine!.snapshots).map(({ name, isOnline, taken }) => [
          name,
          isOnline,
          taken!.nanoseconds,
        ]),
        [
          ["first", false, 0],
          ["of a branch", true, 0],
          ["earlier", false, 5e8],
        ],
      );
      const states = machine!.disks.map(({ slot, base, states }) => [
        slot,
        base?.type,
        states.map(({ name, imageUuid }) => [name, Number(imageUuid.slice(0, 8))]),
      ]);
      t.same(
        states,
        [
          [
            "SATA 0:0",
            "normal",
            [
              ["first", 20],
              ["earlier", 20],
              ["of a branch", 21],
              ["current", 23],
            ],
          ],
          ["SATA 1:0", "writethrough", [["current", 30]]],
          ["SATA 2:0", "immutable", [["current", 41]]],
        ],
        version,
      );
      t.same(
        machine!.media.filter(({ kind }) => kind === "dvd").map(({ location }) => location),
        ["/isos/a.iso"],
      );
    }
  },
);

t.test("machines are found in every place where VirtualBox keeps them, registered or not", async (t) => {
  const places = [".VirtualBox", ".config/VirtualBox", "Library/VirtualBox", "told", "xdg/VirtualBox"];
  for (const place of places) {
    const files = {
      "far/away/r.vbox": simple("registered", 1),
      [`folder/g/h/lost/lost.vbox`]: simple("lost", 2),
    };
    const root = await home(t, files, {}, place);
    if (place === "told") process.env["VBOX_USER_HOME"] = join(root, place);
    if (place === "xdg/VirtualBox") process.env["XDG_CONFIG_HOME"] = join(root, "xdg");
    const xml = globalXml({
      machines: [{ uuid: uuid(1), src: join(root, "far/away/r.vbox") }],
      defaultMachineFolder: join(root, "folder"),
    });
    await writeFile(join(root, place, "VirtualBox.xml"), xml);
    t.same(
      (await listMachines()).machines.map(({ name }) => name),
      ["registered", "lost"],
      place,
    );
  }
  await home(t, { [`${MACHINES}/group/m/m.vbox`]: simple("m", 1) });
  t.same(
    (await listMachines()).machines.map(({ name }) => name),
    ["m"],
    "VirtualBox.xml is gone",
  );
});

t.test("a file that cannot be read is reported in one line, and the other machines are listed", async (t) => {
  const deep = `<HardDisk uuid="{a}" location="a">`;
  const bad: Readonly<Record<string, [string, RegExp]>> = {
    empty: ["", /this file is empty/],
    half: [simple("half", 9, plan).slice(0, 3000), /not complete and valid XML \(line \d+:\d+: /],
    foreign: ["<domain type='kvm'><name>x</name></domain>", /does not describe a VirtualBox machine/],
    html: ["<!DOCTYPE html><html><body><br></body></html>", /not complete and valid XML/],
    binary: ["\x7fELF\0\0\xff\xfe", /not complete and valid XML/],
    deep: [`<VirtualBox><Machine>${deep.repeat(5000)}`, /depth of its elements is larger/],
    wide: [`<VirtualBox>${"<a/>".repeat(300_000)}</VirtualBox>`, /number of its elements is larger/],
    huge: [" ".repeat(17 * 2 ** 20), /settings file's size is 17825792, but must be at most 16777216 bytes/],
    many: [
      simple("many", 9, { disks: Array(10_001).fill({ uuid: uuid(1), location: "a" }) }),
      /number of media is larger/,
    ],
    laughs: [
      `<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><VirtualBox>&b;</VirtualBox>`,
      /undefined entity/,
    ],
    thief: [
      `<!DOCTYPE x [<!ENTITY a SYSTEM "/etc/passwd">]><VirtualBox>&a;</VirtualBox>`,
      /undefined entity/,
    ],
    proto: [`<__proto__ constructor="x"><toString/></__proto__>`, /does not describe a VirtualBox machine/],
  };
  const files = Object.fromEntries(
    Object.entries(bad).map(([name, [text]]) => [`${MACHINES}/${name}/${name}.vbox`, text]),
  );
  const machines = [
    { uuid: uuid(7), src: "/nowhere/at/all.vbox" },
    { uuid: uuid(8), src: "relative.vbox" },
  ];
  await home(t, { ...files, [`${MACHINES}/good/good.vbox`]: simple("good", 1) }, { machines });
  const start = performance.now();
  const list = await listMachines();
  t.ok(performance.now() - start < 20_000);
  t.equal(list.machines.find(({ name }) => name === "good")?.state, "powered off");
  for (const [name, [, problem]] of Object.entries(bad)) {
    const machine = list.machines.find((machine) => machine.name === name);
    t.match(machine, { state: "inaccessible", problem }, name);
    t.notMatch(machine!.problem, /\n/);
  }
  t.match(
    list.machines.find(({ name }) => name === "all"),
    { uuid: uuid(7), problem: "/nowhere/at/all.vbox: no such file" },
  );
});

t.test("if VirtualBox.xml is damaged, a warning says so, and the machines' folder is searched", async (t) => {
  const root = await home(t, { [`${MACHINES}/m/m.vbox`]: simple("m", 1) }, {});
  const file = join(root, ".config/VirtualBox/VirtualBox.xml");
  await writeFile(file, "<VirtualBox><Global>");
  t.match(await listMachines(), {
    machines: [{ name: "m" }],
    warnings: [/VirtualBox\.xml: this is not complete and valid XML/],
  });
  await writeFile(`${file}-prev`, globalXml({ machines: [{ uuid: uuid(3), src: "/x.vbox" }] }));
  t.match(await listMachines(), {
    machines: [{ name: "m" }, { name: "x" }],
    warnings: [/is read instead: .*VirtualBox\.xml-prev$/],
  });
});

t.test("the previous version is read if settings are missing, empty or truncated", async (t) => {
  const root = await home(t, { [`${MACHINES}/m/m.vbox-prev`]: simple("m", 1) });
  const file = join(root, MACHINES, "m/m.vbox");
  for (const text of [undefined, "", simple("m", 1).slice(0, 400)]) {
    if (text !== undefined) await writeFile(file, text);
    const { machines } = await listMachines();
    t.match(machines, [{ name: "m", path: file, state: "powered off" }]);
    t.match(machines[0]!.warnings, [/m\.vbox: .*; its previous version is read instead: .*m\.vbox-prev$/]);
  }
  t.equal((await virtualBox.openMachine(file)).name, "m");
});

t.test("a machine whose settings are encrypted is listed with the reason", async (t) => {
  await home(t, { [`${MACHINES}/secret/secret.vbox`]: encryptedMachineXml(uuid(5)) });
  t.match((await listMachines()).machines, [
    { name: "secret", uuid: uuid(5), state: "inaccessible", problem: /settings are encrypted.*decrypt it/ },
  ]);
});

t.test("a medium that is registered with another machine is found", async (t) => {
  const base = {
    uuid: uuid(60),
    location: "shared.vdi",
    type: "MultiAttach",
    children: [
      { uuid: uuid(61), location: "1.vdi" },
      { uuid: uuid(62), location: "2.vdi" },
    ],
  };
  const attached = (number: number) => [{ controller: "SATA", port: 0, uuid: uuid(number) }];
  const root = await home(
    t,
    {
      [`${MACHINES}/a/a.vbox`]: simple("a", 1, { disks: [base], attached: attached(61) }),
      [`${MACHINES}/b/b.vbox`]: simple("b", 2, { attached: attached(62) }),
      [`${MACHINES}/a/2.vdi`]: "",
      [`${MACHINES}/c/c.vbox`]: simple("c", 3, { attached: attached(99) }),
      [`${MACHINES}/d/d.vbox`]: simple("d", 4, {
        attached: Array.from({ length: 30 }, (_, port) => ({
          controller: "SATA",
          port,
          uuid: uuid(100 + port),
        })),
      }),
    },
    { disks: [{ uuid: uuid(70), location: "loose.vdi" }] },
  );
  const { machines, media } = await listMachines();
  const b = machines.find(({ name }) => name === "b")!;
  t.match(b.disks, [{ base: { uuid: uuid(60) }, states: [{ image: join(root, MACHINES, "a/2.vdi") }] }]);
  t.same((await virtualBox.openMachine(b.path)).disks, b.disks);
  t.match(machines.find(({ name }) => name === "c")!.warnings, [
    /\{00000099-.*\} is attached, but not registered/,
  ]);
  t.match(machines.find(({ name }) => name === "d")!.warnings, [
    /30 media are attached, but not registered: \{00000100-.*\{00000111-.*\}, and 18 more$/,
  ]);
  t.match(media, [{ uuid: uuid(70) }]);
});

t.test(
  "the parents of an image far from its machine are found through the user's registry, but not by its UUID alone",
  async (t) => {
    const root = await home(t, { "far/leaf.vdi": "", "far/base.vdi": "", "stranger/leaf.vdi": "" }, {});
    const disks = [
      {
        uuid: uuid(80),
        location: join(root, "far/base.vdi"),
        children: [{ uuid: uuid(81), location: join(root, "far/leaf.vdi") }],
      },
    ];
    await writeFile(join(root, "m.vbox"), simple("m", 1, { disks }));
    await mkdir(join(root, MACHINES, "m"));
    await rename(join(root, "m.vbox"), join(root, MACHINES, "m/m.vbox"));
    const xml = globalXml({ machines: [{ uuid: uuid(1), src: join(root, MACHINES, "m/m.vbox") }] });
    await writeFile(join(root, ".config/VirtualBox/VirtualBox.xml"), xml);
    const found = await findVirtualBoxImages({ path: join(root, "far/leaf.vdi"), uuid: uuid(81) });
    t.same(
      found.images.map(({ uuid }) => uuid),
      [uuid(80), uuid(81)],
    );
    const stranger = await findVirtualBoxImages({ path: join(root, "stranger/leaf.vdi"), uuid: uuid(81) });
    t.same(stranger, { folders: [], images: [], warnings: [] });
  },
);
