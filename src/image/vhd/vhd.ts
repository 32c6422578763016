/**
 * VHD, the image format of Virtual PC, Hyper-V and Azure. A footer in the last sector says what the image is. Fixed
 * images are the disk's bytes, with the footer behind them. Dynamic and differencing images have a copy of the footer in
 * their first sector, a header, a table of blocks, and the blocks in the order in which they were first written, each with
 * a bitmap of the sectors that were. A differencing image notes its parent's UUID, its paths, and when it was last written.
 *
 * footer.ts reads the footer; header.ts the header; size.ts decides between the two sizes of a disk; block-table.ts maps
 * blocks; parent-paths.ts and parent.ts are about the parent.
 *
 * Specification: Microsoft, "Virtual Hard Disk Image Format Specification" 1.0 (2006). What programs do otherwise is said
 * where it matters. Not done: repair.
 */
import { derivedChanges, rangeWithin } from "../../bytes/changes.js";
import { NIL_UUID, swapGuid } from "../../bytes/guid.js";
import { CorruptError, DiskError } from "../../errors.js";
import { addWithin, Builder } from "../../extent/builder.js";
import type { LayerExtent } from "../../extent/extent.js";
import { read } from "../../extent/read.js";
import { storageSource } from "../../extent/storage.js";
import type { Storage } from "../../storage/storage.js";
import type { Image, ImageFormat, Layer } from "../image.js";
import { singleStateImage } from "../states.js";
import { openBlockTable } from "./block-table.js";
import { isVhd, readFooter, type VhdFooter } from "./footer.js";
import { headerRange, readHeader, type Locator, type VhdHeader } from "./header.js";
import { isSearched } from "./overlaps.js";
import { parentOf } from "./parent.js";
import { decodeLocator, decodeParentName, type ParentPath } from "./parent-paths.js";
import { diskSizeOf, SECTOR_SIZE } from "./size.js";
import { Footer } from "./structures.js";
import { dateOf } from "./time.js";

/** A layer before it belongs to an image. */
type LayerOfImage = Omit<Layer, "image" | "state">;

export const vhd: ImageFormat = {
  name: "vhd",
  probe: isVhd,
  async open(file) {
    const { name, size } = file;
    const head = await readBytes(file, 0, Math.min(size, Footer.size));
    const tail = await readBytes(file, Math.max(0, size - Footer.size), Math.min(size, Footer.size));
    const footer = readFooter({ name, size, head, tail });
    return vhdImage(
      file,
      footer,
      footer.variant === "fixed" ? fixedLayer(file, footer) : await sparseLayer(file, footer),
    );
  },
};

function vhdImage(file: Storage, { fields: { uuid } }: VhdFooter, layer: LayerOfImage): Image {
  return singleStateImage(
    { format: "vhd", files: [file], ...(uuid !== NIL_UUID && { identity: { uuid } }) },
    layer,
  );
}

function fixedLayer(file: Storage, footer: VhdFooter): LayerOfImage {
  const { fields, dataEnd, isSound, offset } = footer;
  // A footer whose checksum is wrong is used only if the file's size confirms it.
  const { size, warnings } = isSound
    ? diskSizeOf(fields, dataEnd, file.name)
    : { size: dataEnd - (dataEnd % SECTOR_SIZE), warnings: [] };
  if (size === 0 || !Number.isSafeInteger(size)) {
    throw new CorruptError({
      file: file.name,
      offset: offset + Footer.fields.currentSize.offset,
      thing: "VHD disk size",
      found: size,
      expected: `from ${SECTOR_SIZE} to ${dataEnd}, where the footer is`,
    });
  }
  return {
    size,
    variant: footer.variant,
    warnings: [
      ...footer.warnings,
      ...warnings,
      ...(size > dataEnd ? [cutShort(file, dataEnd, size).message] : []),
    ],
    details: footer.details,
    changes: derivedChanges([file.changes], (range) => rangeWithin(range, 0, size)),
    map: async (at, length) => {
      const extents = new Builder<LayerExtent>();
      const data = { kind: "stored", storage: file, offset: at, length } as const;
      addWithin(extents, data, { end: dataEnd }, (missing) => cutShort(file, missing, size));
      return extents.list;
    },
  };
}

function cutShort(file: Storage, offset: number, size: number): CorruptError {
  return new CorruptError({
    file: file.name,
    offset,
    thing: "the end of the disk's data",
    found: "here",
    expected: `at byte ${size}; the image is cut short`,
  });
}

async function sparseLayer(file: Storage, footer: VhdFooter): Promise<LayerOfImage> {
  const range = headerRange(footer, file.name);
  const header = readHeader(
    await readBytes(file, range.start, range.end - range.start),
    range,
    footer,
    file.name,
  );
  const isChild = footer.variant === "differencing";
  const paths = isChild ? await readPaths(file, header) : [];
  return {
    size: header.diskSize,
    variant: footer.variant,
    warnings: [...footer.warnings, ...header.warnings, ...warningsAbout(file, header, isChild)],
    details: {
      ...footer.details,
      ...header.details,
      ...(isChild && parentDetails(header, paths)),
    },
    ...(isChild && { parent: parentOf(header, paths, file.name, range.start) }),
    changes: derivedChanges([file.changes], () => ({ offset: 0, length: header.diskSize })),
    map: openBlockTable(file, header, footer.dataEnd),
  };
}

function warningsAbout({ name }: Storage, header: VhdHeader, isChild: boolean): string[] {
  const warnings: string[] = [];
  if (!isSearched(header))
    warnings.push(
      `${name}: its table of ${header.blockCount} blocks is too large to look for blocks that overlap`,
    );
  if (!isChild && header.parentUuid !== NIL_UUID)
    warnings.push(
      `${name}: a dynamic image has no parent, but this one names ${header.parentUuid}: it is ignored`,
    );
  return warnings;
}

/** The locators with their data. One whose data cannot be read has no path: the others may still lead to the parent. */
async function readPaths(file: Storage, { locators }: VhdHeader): Promise<ParentPath[]> {
  const read = async (locator: Locator): Promise<ParentPath> => {
    const { offset, length } = locator;
    if (offset + length > file.size) return { ...locator, path: undefined };
    try {
      return decodeLocator(locator, await readBytes(file, offset, length));
    } catch (error) {
      if (error instanceof DiskError) return { ...locator, path: undefined };
      throw error;
    }
  };
  return Promise.all(locators.map(read));
}

function parentDetails(
  { parentUuid, parentModified, parentName }: VhdHeader,
  paths: readonly ParentPath[],
): Record<string, unknown> {
  return {
    parentUuid,
    parentUuidByMicrosoft: swapGuid(parentUuid),
    parentModified: parentModified === 0 ? undefined : dateOf(parentModified),
    parentName: decodeParentName(parentName),
    ...Object.fromEntries(
      paths.map(({ platform, path, length }, index) => [
        `locator${index} ${platform}`,
        path ?? `${length} bytes that are no path`,
      ]),
    ),
  };
}

function readBytes(file: Storage, offset: number, length: number): Promise<Buffer> {
  return read(storageSource(file), offset, length);
}
