/** A machine that VirtualBox itself writes: disks, snapshots on several branches, and what its guest wrote. */
import { execFileSync } from "node:child_process";
import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { random, type Random } from "../image/random.js";
import type { VirtualBox } from "../support/virtualbox.js";

/** Names that snapshots are given: what a file name cannot hold, what looks like a key word, other scripts. */
const NAMES = ["Before update", "a/b", "latest and best", "Ünïcödé 日本", "100 %", "x~1", "- dash"];
/** VirtualBox notes seconds: two snapshots of the same second could not be told apart by `@time`. */
const BETWEEN_SNAPSHOTS = 1100;
const DISK_SIZE = 12 * 2 ** 20;
const SECTOR = 512;
const [EXT_SECTOR, EXT_SECTORS, FAT_SECTOR, FAT_SECTORS] = [2048, 10240, 12288, 12288];

export interface Written {
  readonly name: string;
  /** The sha256 of the first disk when each snapshot was taken, by the snapshot's UUID. */
  readonly taken: ReadonlyMap<string, string>;
  /** And as it is in the end. */
  readonly current: string;
}

/** Has VirtualBox write a machine, another one for each seed. */
export async function writeMachine(vm: VirtualBox, seed: number): Promise<Written> {
  const numbers = random(seed);
  const name = `written ${seed}`;
  const raw = join(vm.folder, "base.raw");
  makeDisk(vm.folder, raw, numbers);
  await vm.manage("createvm", "--name", name, "--register", "--basefolder", vm.machines);
  await vm.manage("storagectl", name, "--name", "SATA", "--add", "sata", "--portcount", "4");
  for (const [port, type] of (["normal", "immutable", "writethrough"] as const).entries()) {
    const format = numbers.pick(["VDI", "VHD"]);
    const file = join(vm.machines, name, `${type}.${format.toLowerCase()}`);
    const variant = numbers.chance(0.5) ? ["--variant", "Fixed"] : [];
    await vm.manage("convertfromraw", raw, file, "--format", format, ...variant);
    if (type !== "normal") await vm.manage("modifymedium", "disk", file, "--type", type);
    const place = ["--storagectl", "SATA", "--port", String(port), "--device", "0", "--type", "hdd"];
    await vm.manage("storageattach", name, ...place, "--medium", file);
  }
  const taken = new Map<string, string>();
  const leaf = (): Promise<string> => vm.leafOf(name, "SATA-ImageUUID-0-0");
  const snapshots: string[] = [];
  const takeSnapshot = async (): Promise<void> => {
    const hash = await vm.hashOf(await leaf());
    const title = `${numbers.pick(NAMES)} ${snapshots.length}`;
    await vm.manage("snapshot", name, "take", title, "--description", `step ${snapshots.length}`);
    const info = await vm.manage("showvminfo", name, "--machinereadable");
    const uuid = /^CurrentSnapshotUUID="(.*)"$/m.exec(info)![1]!;
    snapshots.push(uuid);
    taken.set(uuid, hash);
    await sleep(BETWEEN_SNAPSHOTS);
  };
  const write = async (): Promise<void> => writeAsGuest(vm, await leaf(), numbers);
  await takeSnapshot();
  await write();
  await takeSnapshot();
  for (let branch = 0; branch < 2; branch++) {
    await vm.manage("snapshot", name, "restore", numbers.pick(snapshots));
    if (numbers.chance(0.8)) await write();
    await takeSnapshot();
    if (numbers.chance(0.5)) await write();
  }
  // The disk that takes no part in snapshots is written, too.
  await writeAsGuest(vm, await vm.leafOf(name, "SATA-ImageUUID-2-0"), numbers);
  return { name, taken, current: await vm.hashOf(await leaf()) };
}

/** A disk with an ext4 and a FAT12, each with some files. */
export function makeDisk(folder: string, raw: string, numbers: Random): void {
  writeFileSync(raw, "");
  truncateSync(raw, DISK_SIZE);
  const table = `label: dos\nstart=${EXT_SECTOR}, size=${EXT_SECTORS}, type=83\nstart=${FAT_SECTOR}, size=${FAT_SECTORS}, type=01\n`;
  execFileSync("sfdisk", ["--quiet", raw], { input: table });
  const options = ["-q", "-t", "ext4", "-O", "^has_journal", "-E", `offset=${EXT_SECTOR * SECTOR}`];
  execFileSync("mke2fs", [...options, raw, `${(EXT_SECTORS * SECTOR) / 1024}K`], { stdio: "ignore" });
  const fat = join(folder, "fat.raw");
  writeFileSync(fat, "");
  truncateSync(fat, FAT_SECTORS * SECTOR);
  execFileSync("mkfs.fat", ["-F", "12", fat], { stdio: "ignore" });
  const file = join(folder, "payload");
  writeFileSync(file, numbers.bytes(70_000));
  execFileSync("mcopy", ["-i", fat, file, "::/first.bin"]);
  execFileSync("dd", [
    `if=${fat}`,
    `of=${raw}`,
    "bs=512",
    `seek=${FAT_SECTOR}`,
    "conv=notrunc",
    "status=none",
  ]);
}

/** Adds, overwrites and removes files on both partitions. */
export async function writeAsGuest(vm: VirtualBox, uuid: string, numbers: Random): Promise<void> {
  const payload = join(vm.folder, "payload");
  await vm.write(uuid, async (guest, vol1, inside) => {
    for (let i = 0; i < 4; i++) {
      writeFileSync(payload, numbers.bytes(numbers.below(200_000)));
      const name = `file ${numbers.below(8)}`;
      const action = numbers.below(3);
      if (action === 0) await inside("rm", "-f", `${guest}/${name}`);
      else if (action === 1) {
        await inside("mkdir", "-p", `${guest}/dir ${i}`);
        await inside("cp", payload, `${guest}/dir ${i}/${name}`);
      } else {
        const at = String(numbers.below(100));
        await inside(
          "dd",
          `if=${payload}`,
          `of=${guest}/${name}`,
          "bs=1000",
          `seek=${at}`,
          "conv=notrunc",
          "status=none",
        );
      }
    }
    await inside("mcopy", "-D", "o", "-i", vol1, payload, `::/f${numbers.below(4)}.bin`);
  });
}
