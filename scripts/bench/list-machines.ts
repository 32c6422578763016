/**
 * Measures `vdisk list`, as a whole command, with 200 machines that have 50 snapshots and a disk each (10,000 images), and
 * finding one disk of one of them.
 *
 *     tsx scripts/bench/list-machines.ts [MACHINES [SNAPSHOTS [DISKS]]]
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { random } from "../../test/image/random.js";
import {
  globalXml,
  machineXml,
  type DiskPlan,
  type SnapshotPlan,
} from "../../test/machine/virtualbox/builder.js";

const [machineCount = 200, snapshotCount = 50, diskCount = 1] = process.argv.slice(2).map(Number);
const ROUNDS = 5;
const VDISK = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

const home = mkdtempSync(join(tmpdir(), "vdisk-machines-"));
const numbers = random(5);
try {
  let bytes = 0;
  const machines = Array.from({ length: machineCount }, (_, index) => {
    const { uuid, file } = writeMachine(join(home, "VirtualBox VMs", `machine ${index}`), `machine ${index}`);
    bytes += statSync(file).size;
    return { uuid, src: file };
  });
  mkdirSync(join(home, ".config/VirtualBox"), { recursive: true });
  writeFileSync(join(home, ".config/VirtualBox/VirtualBox.xml"), globalXml({ machines }));
  console.log(
    `${machineCount} machines, ${snapshotCount} snapshots each: ${Math.round(bytes / 2 ** 20)} MiB of settings`,
  );
  const last = `machine ${machineCount - 1}`;
  for (const args of [
    ["--version"],
    ["list"],
    ["list", "--json"],
    ["list", "--wide"],
    ["list", "--vm", last],
  ]) {
    const times = Array.from({ length: ROUNDS }, () => time(args)).sort((a, b) => a - b);
    console.log(
      `vdisk ${args.join(" ")}: ${times[0]} ms at best, ${times[Math.floor(ROUNDS / 2)]} ms in the middle`,
    );
  }
} finally {
  rmSync(home, { recursive: true });
}

function time(args: readonly string[]): number {
  const start = performance.now();
  const env = { PATH: process.env["PATH"], HOME: home };
  execFileSync(process.execPath, [VDISK, ...args], { env, stdio: ["ignore", "ignore", "inherit"] });
  return Math.round(performance.now() - start);
}

/** A machine whose snapshots follow one another; its images are but names. */
function writeMachine(folder: string, name: string): { uuid: string; file: string } {
  mkdirSync(join(folder, "Snapshots"), { recursive: true });
  const images = Array.from({ length: diskCount }, (_, disk) =>
    Array.from({ length: snapshotCount + 1 }, (_, level) => {
      const uuid = numbers.uuid();
      const location = level === 0 ? `disk ${disk}.vdi` : `Snapshots/{${uuid}}.vdi`;
      writeFileSync(join(folder, location), "");
      return { uuid, location };
    }),
  );
  const attached = (level: number) =>
    images.map((chain, port) => ({ controller: "SATA", port, uuid: chain[level]!.uuid }));
  const disks = images.map((chain) =>
    chain.reduceRight<DiskPlan | undefined>(
      (child, image) => ({ ...image, children: child === undefined ? [] : [child] }),
      undefined,
    )!,
  );
  const uuids = Array.from({ length: snapshotCount }, () => numbers.uuid());
  const snapshot = uuids.reduceRight<SnapshotPlan | undefined>(
    (child, uuid, level) => ({
      uuid,
      name: `snapshot ${level}`,
      taken: new Date(1.7e12 + level * 1e8).toISOString().replace(/\.\d+Z/, "Z"),
      attached: attached(level),
      children: child === undefined ? [] : [child],
    }),
    undefined,
  );
  const uuid = numbers.uuid();
  const file = join(folder, `${name}.vbox`);
  const attributes = { currentSnapshot: `{${uuids.at(-1)!}}` };
  writeFileSync(
    file,
    machineXml({
      uuid,
      name,
      attributes,
      disks,
      attached: attached(snapshotCount),
      ...(snapshot !== undefined && { snapshot }),
    }),
  );
  return { uuid, file };
}
