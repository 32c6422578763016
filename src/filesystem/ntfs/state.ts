/** The state in which the guest left the volume: its dirty flag, the journal, hibernation. */
import { struct, u16le, u32le, u64le, u8, viewOf } from "../../bytes/struct.js";
import { DiskError } from "../../errors.js";
import { read } from "../../extent/read.js";
import { residentValue, Type } from "./mft/attribute.js";
import { contentsOf } from "./data/contents.js";
import { ROOT_NUMBER, type Directories } from "./index/directory.js";
import { fileAt, findAttribute, readAll } from "./mft/file.js";
import { applyFixups } from "./mft/fixup.js";
import type { Medium } from "./medium.js";

export const VolumeInformation = struct("NTFS volume information", 12, {
  majorVersion: u8(0x08),
  minorVersion: u8(0x09),
  flags: u16le(0x0a),
});

/** Of the two pages that $LogFile begins with. Source: ntfs-3g logfile.h, RESTART_PAGE_HEADER and RESTART_AREA. */
export const RestartPage = struct("NTFS restart page", 32, {
  magic: u32le(0x00),
  pageSize: u32le(0x10), // bytes: the second page begins there
  areaOffset: u16le(0x18),
});
export const RestartArea = struct("NTFS restart area", 16, {
  lsn: u64le(0x00), // the younger page has the larger
  clientInUse: u16le(0x0c), // 0xffff: none, the journal is closed
  flags: u16le(0x0e),
});

const LOG_NUMBER = 2;
const VOLUME_NUMBER = 3;
const RESTART_MAGIC = 0x52545352; // "RSTR"
const CHECKED_MAGIC = 0x444b4843; // "CHKD": chkdsk has been over it
const NO_CLIENT = 0xffff;
const CLEAN = 2;
const DIRTY = 1;

/** Bytes of a restart page, at most; Windows has 4 KiB. */
const PAGE_SIZE_LIMIT = 64 * 2 ** 10;

/** Source: ntfs-3g layout.h, VOLUME_NAME: 128 characters. */
const LABEL_LIMIT = 512;

/** The start of hiberfil.sys while it contains the memory of a system; "wake", or zeros, after the system has resumed. */
const HIBERNATED = /^hibr$/i;
/** The memory of a system takes more: a smaller file is not one. Source: ntfs-3g volume.c, ntfs_volume_check_hiberfile. */
const HIBERNATION_SIZE = 4096;

export interface State {
  readonly label?: string;
  /** "3.1". */
  readonly version?: string;
  readonly warnings: readonly string[];
}

/** The state of `medium`. It is not needed to read files: if a part of it cannot be read, that is a warning. */
export async function stateOf(medium: Medium, directories: Directories): Promise<State> {
  const warnings: string[] = [];
  const attempt = async <T>(what: string, work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      warnings.push(`${what} cannot be read: ${error.message}`);
      return undefined;
    }
  };
  const label = await attempt("the label", () => labelOf(medium));
  const information = await attempt("the volume's state", () => informationOf(medium));
  if (information !== undefined && (information.flags & DIRTY) !== 0)
    warnings.push("the volume is marked as dirty: the guest would check it at its next start");
  if ((await attempt("$LogFile", () => isLogClean(medium))) === false) {
    warnings.push(
      "the journal ($LogFile) is not replayed: the guest was not shut down cleanly, and its last changes may be missing or half there",
    );
  }
  if ((await attempt("hiberfil.sys", () => isHibernated(medium, directories))) === true) {
    warnings.push(
      "Windows is hibernated, or was shut down with fast startup (hiberfil.sys): what it holds in memory is not on the disk",
    );
  }
  const version = information && `${information.majorVersion}.${information.minorVersion}`;
  return { ...(label && { label }), ...(version !== undefined && { version }), warnings };
}

async function labelOf(medium: Medium): Promise<string | undefined> {
  const attribute = await findAttribute(medium, await fileAt(medium, VOLUME_NUMBER), Type.volumeName);
  return attribute && (await readAll(medium, attribute, LABEL_LIMIT)).toString("utf16le");
}

async function informationOf(
  medium: Medium,
): Promise<{ majorVersion: number; minorVersion: number; flags: number } | undefined> {
  const attribute = await findAttribute(medium, await fileAt(medium, VOLUME_NUMBER), Type.volumeInformation);
  if (attribute === undefined) return undefined;
  return VolumeInformation.view(residentValue(attribute.first, medium.volume.name), 0, medium.volume.name);
}

/** Whether the journal was closed. One that was never used, or emptied, is all ones. */
async function isLogClean(medium: Medium): Promise<boolean | undefined> {
  const attribute = await findAttribute(medium, await fileAt(medium, LOG_NUMBER), Type.data);
  if (attribute === undefined) return undefined;
  const source = contentsOf(medium, attribute);
  let newest: { lsn: number; isClean: boolean } | undefined;
  for (let offset = 0, pages = 0; pages < 2 && offset + RestartPage.size <= source.size; pages++) {
    const { magic, pageSize } = RestartPage.view(await read(source, offset, RestartPage.size));
    if (magic === 0xffffffff) break;
    if (magic !== RESTART_MAGIC && magic !== CHECKED_MAGIC) return false;
    if (
      pageSize < 512 ||
      pageSize > PAGE_SIZE_LIMIT ||
      pageSize % 512 !== 0 ||
      offset + pageSize > source.size
    )
      return false;
    const bytes = await read(source, offset, pageSize);
    if (applyFixups(viewOf(bytes), 0, pageSize, 512) !== undefined) return false;
    const { areaOffset } = RestartPage.view(bytes);
    const { lsn, clientInUse, flags } = RestartArea.view(bytes, areaOffset, medium.volume.name);
    const isClean = clientInUse === NO_CLIENT || (flags & CLEAN) !== 0;
    if (newest === undefined || lsn > newest.lsn) newest = { lsn, isClean };
    offset += pageSize;
  }
  return newest?.isClean ?? true;
}

async function isHibernated(medium: Medium, directories: Directories): Promise<boolean> {
  const found = await directories.find(ROOT_NUMBER, Buffer.from("hiberfil.sys", "utf16le"), true);
  if (found === undefined) return false;
  const attribute = await findAttribute(medium, await fileAt(medium, found.number), Type.data);
  const source = attribute && contentsOf(medium, attribute);
  if (source === undefined || source.size < HIBERNATION_SIZE) return false;
  return HIBERNATED.test((await read(source, 0, 4)).toString("latin1"));
}
