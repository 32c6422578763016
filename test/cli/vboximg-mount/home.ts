/** VirtualBox's settings with one machine: that of images/web, beside a disk that is lost, and a file that is no XML. */
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { BASE, NEWEST } from "../../support/command.js";

export const MACHINE = "0833f5bc-6304-42e1-b799-cdc81c576c60";
export const BROKEN = "5365ab5f-470d-44c0-9863-dad532ee5905";
export const SNAPSHOT = "dffc67aa-3023-477f-8033-b27e3daf4f54";
export const LEAF_UUID = "5b2c9a4e-1f60-4d3b-9c1a-2f7e8d90a1b2";
const LOST = "79a370bd-0c4f-480a-30bb-10cdea68423f";

/** Fills the empty folder `home`; `baseUuid` is that in images/web/web.vdi. */
export function furnish(home: string, baseUuid: string): { base: string; leaf: string } {
  const folder = join(home, "VirtualBox VMs", "web");
  mkdirSync(join(folder, "Snapshots"), { recursive: true });
  const [base, leaf] = [join(folder, "web.vdi"), join(folder, "Snapshots", basename(NEWEST))];
  cpSync(BASE, base);
  cpSync(NEWEST, leaf);
  writeFileSync(
    join(folder, "web.vbox"),
    `<?xml version="1.0"?>
<VirtualBox xmlns="http://www.virtualbox.org/" version="1.19-linux">
  <Machine uuid="{${MACHINE}}" name="The web" OSType="Debian_64" currentSnapshot="{${SNAPSHOT}}"
           snapshotFolder="Snapshots" lastStateChange="2026-03-01T12:00:00Z">
    <Description>Serves pages</Description>
    <MediaRegistry>
      <HardDisks>
        <HardDisk uuid="{${baseUuid}}" location="web.vdi" format="VDI" type="Normal">
          <HardDisk uuid="{${LEAF_UUID}}" location="Snapshots/${basename(NEWEST)}" format="VDI"/>
        </HardDisk>
        <HardDisk uuid="{${LOST}}" location="data.vmdk" format="VMDK" type="Writethrough"/>
      </HardDisks>
    </MediaRegistry>
    <Hardware>
      <StorageControllers>
        <StorageController name="SATA" type="AHCI" PortCount="2">
          <AttachedDevice type="HardDisk" port="0" device="0"><Image uuid="{${LEAF_UUID}}"/></AttachedDevice>
          <AttachedDevice type="HardDisk" port="1" device="0"><Image uuid="{${LOST}}"/></AttachedDevice>
        </StorageController>
      </StorageControllers>
    </Hardware>
    <Snapshot uuid="{${SNAPSHOT}}" name="Before update" timeStamp="2026-02-01T12:00:00Z">
      <Hardware>
        <StorageControllers>
          <StorageController name="SATA" type="AHCI" PortCount="2">
            <AttachedDevice type="HardDisk" port="0" device="0"><Image uuid="{${baseUuid}}"/></AttachedDevice>
          </StorageController>
        </StorageControllers>
      </Hardware>
    </Snapshot>
  </Machine>
</VirtualBox>
`,
  );
  mkdirSync(join(home, "Broken"));
  writeFileSync(join(home, "Broken", "Broken.vbox"), "<VirtualBox><Machine");
  writeFileSync(
    join(home, "VirtualBox.xml"),
    `<?xml version="1.0"?>
<VirtualBox xmlns="http://www.virtualbox.org/" version="1.12-linux">
  <Global>
    <MachineRegistry>
      <MachineEntry uuid="{${MACHINE}}" src="${folder}/web.vbox"/>
      <MachineEntry uuid="{${BROKEN}}" src="${home}/Broken/Broken.vbox"/>
    </MachineRegistry>
    <SystemProperties defaultMachineFolder="${home}/VirtualBox VMs" defaultHardDiskFormat="VDI"/>
  </Global>
</VirtualBox>
`,
  );
  return { base, leaf };
}
