/**
 * VDI, VirtualBox's own image format: a header, a block map with one 32-bit entry for each block of the disk, and the blocks
 * in the order in which they were first written. Fixed images have the same map, with every block stored.
 *
 * header.ts reads the header of all versions (0, 1.0, 1.1, with and without geometry), block-map.ts the map.
 * Specification: VirtualBox src/VBox/Storage/VDICore.h and VDI.cpp (facts only).
 *
 * Not done: encryption (only the .vbox says that an image is encrypted), and repair. If two entries name the same block,
 * both are served: to detect that, opening would have to read the whole map.
 */
import { derivedChanges } from "../../bytes/changes.js";
import { NIL_UUID } from "../../bytes/guid.js";
import { read } from "../../extent/read.js";
import { storageSource } from "../../extent/storage.js";
import type { Storage } from "../../storage/storage.js";
import type { Identity, Image, ImageFormat, ParentReference } from "../image.js";
import { singleStateImage } from "../states.js";
import { openBlockMap } from "./block-map.js";
import { HEADER_SIZE, isVdi, readHeader, type VdiHeader } from "./header.js";

export const vdi: ImageFormat = {
  name: "vdi",
  probe: ({ head }) => isVdi(head),
  async open(file) {
    const bytes = await read(storageSource(file), 0, Math.min(HEADER_SIZE, file.size));
    return vdiImage(file, readHeader(bytes, file.name, file.size));
  },
};

function vdiImage(file: Storage, header: VdiHeader): Image {
  const { uuid, modification, variant } = header;
  const isChild = variant === "differencing" || variant === "undo";
  const identity = uuid === NIL_UUID ? undefined : identityOf(uuid, modification);
  return singleStateImage(
    { format: "vdi", files: [file], ...(identity && { identity }) },
    {
      size: header.diskSize,
      variant,
      warnings: header.warnings,
      details: header.details,
      ...(isChild && { parent: parentOf(header) }),
      // A change of the file may be one of its block map.
      changes: derivedChanges([file.changes], () => ({ offset: 0, length: header.diskSize })),
      map: openBlockMap(file, header),
    },
  );
}

/** A child notes its parent's UUIDs, but no path: VirtualBox looks them up in its registry. */
function parentOf({ parentUuid, parentModification }: VdiHeader): ParentReference {
  const identity = identityOf(parentUuid, parentModification);
  return {
    identity,
    hints: [],
    matches({ identity: found }) {
      if (found?.uuid !== parentUuid) return "different";
      if (identity.modification === undefined || found.modification === undefined) return "unknown";
      return found.modification === identity.modification ? "same" : "changed";
    },
  };
}

function identityOf(uuid: string, modification: string): Identity {
  return modification === NIL_UUID ? { uuid } : { uuid, modification };
}
