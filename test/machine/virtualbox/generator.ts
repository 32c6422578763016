/**
 * A machine that lived: disks written to, snapshots taken and gone back to, as VirtualBox does it. Its settings, real
 * images, and a byte model of every disk in every state.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Random } from "../../image/random.js";
import { writeVdi } from "../../image/vdi/builder.js";
import {
  machineXml,
  type AttachmentPlan,
  type DiskPlan,
  type MachinePlan,
  type SnapshotPlan,
  type Version,
} from "./builder.js";

const BLOCK_SIZE = 128 * 2 ** 10;
const BLOCKS = 3;

export interface LivedState {
  /** "current", or the snapshot's. */
  readonly name: string;
  readonly uuid?: string;
  readonly taken?: string;
  /** The state that it was made on. */
  readonly parent?: LivedState;
  /** By disk: the image that shows it, and what the disk holds. */
  readonly disks: readonly { readonly imageUuid: string; readonly path: string; readonly model: Buffer }[];
}

export interface Lived {
  /** The settings file. */
  readonly file: string;
  readonly plan: MachinePlan;
  /** The snapshots in the order in which they were taken, the current state last. */
  readonly states: readonly LivedState[];
}

export interface LifeShape {
  readonly name: string;
  readonly snapshots: number;
  readonly disks?: number;
  readonly version?: Version;
  /** The first snapshot's day; each further one is a day later. */
  readonly since?: string;
}

interface Image {
  readonly uuid: string;
  readonly parent?: Image;
  readonly path: string;
  readonly location: string;
  readonly blocks: Map<number, Buffer>;
  readonly model: Buffer;
}

/** Lives a life and writes it to `folder`. */
export async function liveMachine(folder: string, random: Random, shape: LifeShape): Promise<Lived> {
  const { name, snapshots: count, disks = 1, version = "1.19", since = "2026-01-01T12:00:00Z" } = shape;
  const images: Image[] = [];
  const create = (disk: number, parent?: Image): Image => {
    const uuid = random.uuid();
    const location = parent === undefined ? `${name}-${disk}.vdi` : `Snapshots/{${uuid}}.vdi`;
    const model = parent === undefined ? Buffer.alloc(BLOCKS * BLOCK_SIZE) : Buffer.from(parent.model);
    const image = { uuid, location, path: join(folder, location), blocks: new Map<number, Buffer>(), model };
    images.push(parent === undefined ? image : { ...image, parent });
    return images.at(-1)!;
  };
  const change = (image: Image): void => {
    const block = random.below(BLOCKS);
    const bytes = Buffer.alloc(BLOCK_SIZE, random.bytes(16));
    image.blocks.set(block, bytes);
    bytes.copy(image.model, block * BLOCK_SIZE);
  };
  let leaves = Array.from({ length: disks }, (_, disk) => create(disk));
  let at: LivedState | undefined;
  const states: LivedState[] = [];
  const stateOf = (of: readonly Image[]) =>
    of.map(({ uuid, path, model }) => ({ imageUuid: uuid, path, model }));
  const snapshotImages = new Map<LivedState, readonly Image[]>();
  for (let taken = 0; taken < count; taken++) {
    leaves.forEach(change);
    const time = new Date(Date.parse(since) + taken * 86_400_000).toISOString().replace(".000Z", "Z");
    const state: LivedState = {
      name: `state ${taken}`,
      uuid: random.uuid(),
      taken: time,
      ...(at !== undefined && { parent: at }),
      disks: stateOf(leaves),
    };
    states.push(state);
    snapshotImages.set(state, leaves);
    // Mostly it goes on from there, sometimes from an older one: what was written since is thrown away.
    at = random.chance(0.3) ? random.pick(states) : state;
    leaves = snapshotImages.get(at)!.map((image, disk) => create(disk, image));
  }
  leaves.forEach(change);
  states.push({ name: "current", ...(at !== undefined && { parent: at }), disks: stateOf(leaves) });

  await mkdir(join(folder, "Snapshots"), { recursive: true });
  for (const { uuid, parent, path, blocks } of images) {
    await writeVdi(path, {
      type: parent === undefined ? 1 : 4,
      diskSize: BLOCKS * BLOCK_SIZE,
      blockSize: BLOCK_SIZE,
      blocks,
      order: random.shuffle([...blocks.keys()]),
      uuid,
      ...(parent !== undefined && {
        parentUuid: parent.uuid,
        parentModification: "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
      }),
    });
  }
  const diskPlan = (image: Image): DiskPlan => ({
    uuid: image.uuid,
    location: image.location,
    children: images.filter(({ parent }) => parent === image).map(diskPlan),
  });
  const attached = (state: LivedState): AttachmentPlan[] =>
    state.disks.map(({ imageUuid }, port) => ({ controller: "SATA", port, uuid: imageUuid }));
  const snapshotPlan = (state: LivedState): SnapshotPlan => ({
    uuid: state.uuid!,
    name: state.name,
    taken: state.taken!,
    attached: attached(state),
    children: states.filter(({ parent, uuid }) => parent === state && uuid !== undefined).map(snapshotPlan),
  });
  const plan: MachinePlan = {
    uuid: random.uuid(),
    name,
    version,
    attributes: at === undefined ? {} : { currentSnapshot: `{${at.uuid!}}`, snapshotFolder: "Snapshots" },
    disks: images.filter(({ parent }) => parent === undefined).map(diskPlan),
    attached: attached(states.at(-1)!),
    ...(count > 0 && { snapshot: snapshotPlan(states[0]!) }),
  };
  const file = join(folder, `${name}.vbox`);
  await writeFile(file, machineXml(plan));
  return { file, plan, states };
}
