/**
 * The listing of machines, line by line. What is expected was written by hand after VirtualBox's manual (the examples
 * of vboximg-mount) and the formats of its vboximgMedia.cpp: widths of 32, 7, 9 and 9 in the table, 65 dashes.
 */
import t from "tap";
import { machineListing } from "../../../src/cli/vboximg-mount/machines.js";
import { disk, machine, medium, state } from "./support.js";

const FOLDER = "/vms/Oracle Linux 7";

const MIB = 2 ** 20;
const GIB = 2 ** 30;

const ORACLE = machine("Oracle Linux 7", "5365ab5f-470d-44c0-9863-dad532ee5905", [
  disk(
    medium("96d2e92e-0d4e-46ab-a0f1-008fdbf997e7", {
      at: `${FOLDER}/Oracle Linux 7.vdi`,
      fileSize: 7 * GIB + 1,
      type: "normal",
      children: [
        medium("f9cc866a-9166-42e9-a503-bbfe9b7312e8", {
          at: `${FOLDER}/Snapshots/{f9cc866a-9166-42e9-a503-bbfe9b7312e8}.vdi`,
          fileSize: 15.99 * GIB, // which is not 16.0G: the decimal is cut off
        }),
      ],
    }),
    ["96d2e92e-0d4e-46ab-a0f1-008fdbf997e7", "Before update"],
    ["f9cc866a-9166-42e9-a503-bbfe9b7312e8"],
  ),
  disk(
    medium("79a370bd-0c4f-480a-30bb-10cdea68423f", {
      at: `${FOLDER}/kernel.vmdk`,
      fileSize: 1000,
      format: "VMDK",
      type: "writethrough",
      description: "Kernels only",
    }),
    ["79a370bd-0c4f-480a-30bb-10cdea68423f"],
  ),
]);

/** A chain, one on top of the other, with a branch at its second. */
const PROXY = machine("Proxy", "0833f5bc-6304-42e1-b799-cdc81c576c60", [
  disk(
    medium("d5f84afb-0794-4952-ab71-6bbcbee07737", {
      at: "/vms/Proxy/Proxy.vdi",
      fileSize: 4.8 * GIB,
      children: [
        medium("dffc67aa-3023-477f-8033-b27e3daf4f54", {
          at: "/vms/Proxy/Snapshots/a.vdi",
          fileSize: 12.3 * MIB,
          children: [
            medium("3b2755bd-5f2a-4171-98fe-647d510b6274", { at: "/vms/Proxy/Snapshots/b.vdi", fileSize: 0 }),
            medium("e2ccdb5f-49e8-4123-8623-c61f363cc5cf", { location: "Snapshots\\c.vdi" }),
          ],
        }),
      ],
    }),
    ["e2ccdb5f-49e8-4123-8623-c61f363cc5cf"],
  ),
]);

const BROKEN = machine("Broken", "b1d5563b-2a5b-4013-89f1-26c81d6bbfa0", [], {
  state: "inaccessible",
  problem: "/vms/Broken/Broken.vbox: this is not XML",
});

t.test("short: machines and base images, with their children below", async (t) => {
  t.equal(
    machineListing([ORACLE, PROXY], { verbose: false, wide: false }),
    `-----------------------------------------------------------------
VM:   Oracle Linux 7
UUID: 5365ab5f-470d-44c0-9863-dad532ee5905

    Image:   Oracle Linux 7.vdi
    UUID:    96d2e92e-0d4e-46ab-a0f1-008fdbf997e7

         Snapshot: f9cc866a-9166-42e9-a503-bbfe9b7312e8
         Size:     15.9G


    Image:   kernel.vmdk
    Desc:    Kernels only
    UUID:    79a370bd-0c4f-480a-30bb-10cdea68423f


-----------------------------------------------------------------
VM:   Proxy
UUID: 0833f5bc-6304-42e1-b799-cdc81c576c60

    Image:   Proxy.vdi
    UUID:    d5f84afb-0794-4952-ab71-6bbcbee07737

         Snapshot: dffc67aa-3023-477f-8033-b27e3daf4f54
         Size:     12.3M

         Snapshot: 3b2755bd-5f2a-4171-98fe-647d510b6274
         Size:     0.0

         Snapshot: e2ccdb5f-49e8-4123-8623-c61f363cc5cf
         Size:     0.0
         Error:    no such file: Snapshots\\c.vdi


`,
  );
});

t.test("verbose: with paths, formats, states, types, and the snapshots that images show", async (t) => {
  const described = { ...ORACLE, description: "Two disks" };
  t.equal(
    machineListing([described], { verbose: true, wide: false }),
    `-----------------------------------------------------------------
VM Name:   "Oracle Linux 7"
UUID:      5365ab5f-470d-44c0-9863-dad532ee5905
Desc:      Two disks
Path:      /vms/Oracle Linux 7/Oracle Linux 7.vbox

    Image:   Oracle Linux 7.vdi
    Desc:    snapshot "Before update"
    UUID:    96d2e92e-0d4e-46ab-a0f1-008fdbf997e7
    Path:    /vms/Oracle Linux 7/Oracle Linux 7.vdi
    Format:  VDI
    Size:    7.0G
    State:   created
    Type:    normal

         Snapshot: f9cc866a-9166-42e9-a503-bbfe9b7312e8
         Name:     {f9cc866a-9166-42e9-a503-bbfe9b7312e8}.vdi
         Desc:     current state
         Size:     15.9G
         Path:     /vms/Oracle Linux 7/Snapshots/{f9cc866a-9166-42e9-a503-bbfe9b7312e8}.vdi


    Image:   kernel.vmdk
    Desc:    Kernels only
    UUID:    79a370bd-0c4f-480a-30bb-10cdea68423f
    Path:    /vms/Oracle Linux 7/kernel.vmdk
    Format:  VMDK
    Size:    1000.0
    State:   created
    Type:    writethrough


`,
  );
  t.equal(
    machineListing([described], { verbose: true, wide: true }),
    machineListing([described], { verbose: true, wide: false }),
    "--wide is without effect beside --verbose",
  );
});

t.test("wide: a table, with UUIDs indented by the depth of the images", async (t) => {
  t.equal(
    machineListing([PROXY, ORACLE], { verbose: false, wide: true }),
    `
VM  Image                             Size   Type          State  UUID (hierarchy)
-----------------------------------------------------------------  ------------------------------------
Proxy                                                              0833f5bc-6304-42e1-b799-cdc81c576c60
 |
 +- Proxy.vdi                           4.8G  VDI         created  d5f84afb-0794-4952-ab71-6bbcbee07737
    +- <snapshot>                      12.3M  VDI         created    dffc67aa-3023-477f-8033-b27e3daf4f54
    +- <snapshot>                       0.0   VDI         created      3b2755bd-5f2a-4171-98fe-647d510b6274
    +- <snapshot>                       0.0   VDI       no access      e2ccdb5f-49e8-4123-8623-c61f363cc5cf

-----------------------------------------------------------------  ------------------------------------
Oracle Linux 7                                                     5365ab5f-470d-44c0-9863-dad532ee5905
 |
 +- Oracle Linux 7.vdi                  7.0G  VDI         created  96d2e92e-0d4e-46ab-a0f1-008fdbf997e7
 |  +- <snapshot>                      15.9G  VDI         created    f9cc866a-9166-42e9-a503-bbfe9b7312e8
 |
 +- kernel.vmdk                      1000.0   VMDK        created  79a370bd-0c4f-480a-30bb-10cdea68423f

`,
  );
});

t.test("an image that another program writes to is wlock, and the images below it are rlock", async (t) => {
  const told = (written: string, wide: boolean): string[] =>
    machineListing([PROXY], { verbose: !wide, wide }, new Set([written])).match(
      wide ? /(?:created|[rw]lock|no access)(?= {2})/g : /(?<=State: +)\w+/g,
    )!;
  t.same(told("/vms/Proxy/Snapshots/b.vdi", true), ["rlock", "rlock", "wlock", "no access"]);
  t.same(told("/vms/Proxy/Snapshots/a.vdi", true), ["rlock", "wlock", "created", "no access"]);
  t.same(told("/vms/Proxy/Proxy.vdi", true), ["wlock", "created", "created", "no access"]);
  t.same(told("/vms/Proxy/Proxy.vdi", false), ["wlock"]);
  t.same(told("/vms/elsewhere", false), ["created"]);
});

t.test("a machine that cannot be read is listed with the reason", async (t) => {
  t.equal(
    machineListing([BROKEN], { verbose: false, wide: false }),
    `-----------------------------------------------------------------
VM:   Broken
UUID: b1d5563b-2a5b-4013-89f1-26c81d6bbfa0
Error: /vms/Broken/Broken.vbox: this is not XML

`,
  );
  t.equal(
    machineListing([BROKEN], { verbose: true, wide: false }),
    `-----------------------------------------------------------------
VM Name:   "Broken"
UUID:      b1d5563b-2a5b-4013-89f1-26c81d6bbfa0
Path:      /vms/Broken/Broken.vbox
Error:     /vms/Broken/Broken.vbox: this is not XML

`,
  );
  t.match(
    machineListing([BROKEN, PROXY], { verbose: false, wide: true }),
    `
Broken                                                             b1d5563b-2a5b-4013-89f1-26c81d6bbfa0
 |
 +- /vms/Broken/Broken.vbox: this is not XML

-----------------------------------------------------------------  ------------------------------------
Proxy `,
  );
});

t.test(
  "a disk that is not registered is listed, and an encrypted one with the reason why it cannot be mounted",
  async (t) => {
    const uuid = "11111111-2222-4333-8444-555555555555";
    const orphan = machine("Old", "b1d5563b-2a5b-4013-89f1-26c81d6bbfa0", [
      { slot: "IDE 0:0", states: [state(uuid)] },
    ]);
    t.match(
      machineListing([orphan], { verbose: false, wide: false }),
      `    Image:   (not registered)
    UUID:    ${uuid}
    Error:   no medium with this UUID is registered
`,
    );
    const encrypted = machine("Secret", "b1d5563b-2a5b-4013-89f1-26c81d6bbfa0", [
      disk(medium(uuid, { at: "/vms/s.vdi", isEncrypted: true }), [uuid]),
    ]);
    t.match(
      machineListing([encrypted], { verbose: true, wide: false }),
      `    Type:    normal
    Error:   it is encrypted, which vdisk does not read
`,
    );
  },
);

t.test("a base of two disks of a machine is listed once", async (t) => {
  const base = medium("11111111-2222-4333-8444-555555555555", { at: "/vms/m.vdi", type: "multiattach" });
  const twice = machine("Twice", "b1d5563b-2a5b-4013-89f1-26c81d6bbfa0", [disk(base), disk(base)]);
  const listing = machineListing([twice], { verbose: true, wide: false });
  t.equal(listing.split("Image:").length - 1, 1);
});

t.test("names are printed in one line, without control characters", async (t) => {
  const evil = machine("a\x1b[31m\nb", "b1d5563b-2a5b-4013-89f1-26c81d6bbfa0", []);
  t.match(machineListing([evil], { verbose: false, wide: false }), "VM:   a\\x1b[31m\\x0ab\n");
  t.match(machineListing([evil], { verbose: false, wide: true }), "\na\\x1b[31m\\x0ab   ");
  t.equal(
    machineListing([], { verbose: false, wide: true }),
    "\nVM  Image                             Size   Type          State  UUID (hierarchy)\n",
  );
});
