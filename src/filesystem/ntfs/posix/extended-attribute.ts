/** $EA: OS/2's extended attributes, in which WSL keeps the Linux metadata of a file. Source: [MS-FSCC] 2.4.16. */
import { struct, u16le, u32le, u8 } from "../../../bytes/struct.js";
import type { Medium, NtfsFile } from "../medium.js";
import { Type } from "../mft/attribute.js";
import { findAttribute, readAll } from "../mft/file.js";

export const EaEntry = struct("NTFS extended attribute", 8, {
  nextOffset: u32le(0x00), // bytes to the next entry; 0: none
  nameLength: u8(0x05), // bytes, without the NUL behind it
  valueLength: u16le(0x06),
});

/** Bytes of all attributes of a file at most. Source: [MS-FSCC] 2.4.16; ntfs-3g ea.c. */
export const EA_SIZE_LIMIT = 64 * 2 ** 10;

/** The Linux metadata of a file. Source: Microsoft, "File permissions for WSL"; ntfs-3g ea.c. */
export interface LinuxMetadata {
  readonly uid?: number;
  readonly gid?: number;
  /** All of st_mode. */
  readonly mode?: number;
  readonly device?: { readonly major: number; readonly minor: number };
}

/** The Linux metadata of `file`. Damaged metadata is ignored: the contents do not depend on it. */
export async function linuxMetadata(medium: Medium, file: NtfsFile): Promise<LinuxMetadata> {
  const attribute = await findAttribute(medium, file, Type.extendedAttributes);
  if (attribute === undefined) return {};
  const values = parseEas(await readAll(medium, attribute, EA_SIZE_LIMIT));
  const word = (name: string): number | undefined => {
    const value = values.get(name);
    return value?.length === 4 ? value.readUInt32LE(0) : undefined;
  };
  const uid = word("$LXUID");
  const gid = word("$LXGID");
  const mode = word("$LXMOD");
  const device = values.get("$LXDEV");
  return {
    ...(uid !== undefined && { uid }),
    ...(gid !== undefined && { gid }),
    ...(mode !== undefined && { mode }),
    ...(device?.length === 8 && { device: { major: device.readUInt32LE(0), minor: device.readUInt32LE(4) } }),
  };
}

/** The entries in `bytes` by name, up to the first that is not within them. */
function parseEas(bytes: Buffer): Map<string, Buffer> {
  const values = new Map<string, Buffer>();
  for (let at = 0; at + EaEntry.size <= bytes.length;) {
    const { nextOffset, nameLength, valueLength } = EaEntry.view(bytes, at);
    const name = at + EaEntry.size;
    const value = name + nameLength + 1;
    if (value + valueLength > bytes.length) break;
    values.set(bytes.toString("latin1", name, name + nameLength), bytes.subarray(value, value + valueLength));
    if (nextOffset < EaEntry.size) break;
    at += nextOffset;
  }
  return values;
}
