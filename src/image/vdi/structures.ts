/** The VDI header as it lies on disk, in its three versions. Little-endian. Source: VirtualBox VDICore.h. */
import { guid, struct, text, u32le, u64le } from "../../bytes/struct.js";

/** The beginning of all versions. Source: VDIPREHEADER. */
export const PreHeader = struct("VDI pre-header", 0x48, {
  software: text(0x00, 64), // szFileInfo: "<<< Oracle VM VirtualBox Disk Image >>>\n"; never checked
  signature: u32le(0x40),
  version: u32le(0x44), // major << 16 | minor
});

/** Version 0, from before 2006. Source: VDIHEADER0. */
export const Header0 = struct("VDI header", 0x1a4, {
  type: u32le(0x048),
  flags: u32le(0x04c),
  comment: text(0x050, 256),
  diskSize: u64le(0x160), // bytes
  blockSize: u32le(0x168), // bytes
  blockCount: u32le(0x16c),
  allocatedCount: u32le(0x170),
  uuid: guid(0x174), // uuidCreate
  modification: guid(0x184), // uuidModify
  parentUuid: guid(0x194), // uuidLinkage
});

/** Version 1.0 and 1.1. Source: VDIHEADER1. */
export const Header1 = struct("VDI header", 0x1c8, {
  headerSize: u32le(0x048), // cbHeader: bytes, counted from here
  type: u32le(0x04c),
  flags: u32le(0x050),
  comment: text(0x054, 256),
  tableOffset: u32le(0x154), // offBlocks: bytes
  dataOffset: u32le(0x158), // offData: bytes
  diskSize: u64le(0x170), // bytes
  blockSize: u32le(0x178), // bytes
  blockExtra: u32le(0x17c), // cbBlockExtra: bytes in front of each block's data
  blockCount: u32le(0x180),
  allocatedCount: u32le(0x184),
  uuid: guid(0x188), // uuidCreate
  modification: guid(0x198), // uuidModify
  parentUuid: guid(0x1a8), // uuidLinkage
  parentModification: guid(0x1b8), // uuidParentModify
});

/** Version 1.1, with the geometry that the BIOS showed, which vdisk does not use. Source: VDIHEADER1PLUS. */
export const Header1Plus = struct("VDI header", 0x1d8, {
  ...Header1.fields,
  cylinderCount: u32le(0x1c8),
  headCount: u32le(0x1cc),
  sectorCount: u32le(0x1d0),
});
